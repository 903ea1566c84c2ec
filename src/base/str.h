/* str -- a growing byte string, and the few questions asked of UTF-8. */
#ifndef MICROTOME_BASE_STR_H
#define MICROTOME_BASE_STR_H
#include "base/mem.h"

/* {0} is an empty string.  p is NUL-terminated once anything was added; NULL before.
 * A failed addition sets `failed` and later ones do nothing, so that a writer checks once, at the end. */
typedef struct str {
    char *p;
    size_t n, cap;
    bool failed;
} str;

/* Append bytes, a C string, or printf-style text.
 *
 * [err: s->failed when out of memory | owns: s | thread: s's own | cost: amortised O(bytes)] */
void str_add(str *s, const void *bytes, size_t n);
void str_puts(str *s, const char *text);
void str_printf(str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Append the bytes that n characters of base64 stand for; '=' at its end may be missing.
 *
 * [err: false (what was added stays) when it is no base64, s->failed | owns: s | thread: s's own | cost: O(n)] */
bool str_base64(str *s, const char *p, size_t n);

/* Free, and leave an empty string.
 *
 * [err: none | owns: nothing | thread: s's own | cost: free] */
void str_release(str *s);

/* Length in bytes of the well-formed UTF-8 sequence at p (1..4), and its code point in *cp
 * (may be NULL); 0 when the bytes are not UTF-8 (overlong, surrogate, cut short, above U+10FFFF).
 *
 * [err: 0 | owns: nothing | thread: any | cost: O(1)] */
int utf8_next(const char *p, size_t n, uint32_t *cp);

/* Index of the first byte that is not UTF-8; n when all is well.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
size_t utf8_check(const char *p, size_t n);

/* Write cp as UTF-8 (1..4 bytes, no NUL); returns their number.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int utf8_put(uint32_t cp, char out[4]);

/* Does `text` end with `end`?
 *
 * [err: none | owns: nothing | thread: any | cost: O(length)] */
bool str_ends(const char *text, const char *end);

/* Lists of words, with commas or spaces between them: the next word, *n bytes, and *list behind it, or NULL after the
 * last; are these n bytes that word; is it one of the list's?
 *
 * [err: NULL, false | owns: points into the list | thread: any | cost: O(bytes)] */
const char *str_word(const char **list, size_t *n);
bool str_is(const char *text, size_t n, const char *word);
bool str_listed(const char *list, const char *word);

/* Does `text` match `glob`, in which '*' stands for any run of characters but '.'?
 *
 * [err: none | owns: nothing | thread: any | cost: O(product of lengths) at worst] */
bool glob_match(const char *glob, const char *text);

/* Edit distance (insert, delete, replace, swap of neighbours cost 1), for "did you mean".
 *
 * [err: a large number for texts over 127 bytes | owns: nothing | thread: any | cost: product of lengths] */
int str_distance(const char *a, const char *b);

#endif
/* SPDX-License-Identifier: MIT */
