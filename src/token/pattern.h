/* pattern -- what a pre-tokenizer cuts at and a normalizer replaces: an expression, a text, a class of characters. */
#ifndef MICROTOME_TOKEN_PATTERN_H
#define MICROTOME_TOKEN_PATTERN_H
#include "base/error.h"
#include "base/str.h"

typedef struct pattern pattern;

/* What a search needs; one a thread, {0} to begin with. */
typedef struct pattern_room {
    void *match;
} pattern_room;

/* A Perl-like expression, as the original's engine (Oniguruma) reads it; exactly these bytes; one character of a class.
 * GPT-2's expression, the most common one, is scanned by hand: the same cuts, sooner.
 *
 * [err: UNSUPPORTED (read in another way by the original), FORMAT, NOMEM | owns: the caller, pattern_free; bytes and expression are copied | thread: any | cost: compiles] */
status pattern_regex(pattern **out, const char *expression, const char *path, error *err);
pattern *pattern_text(const char *p, size_t n);
pattern *pattern_class(bool (*is)(uint32_t c));
void pattern_free(pattern *p);
void pattern_room_release(pattern_room *room);

/* The first match in p[n] that begins at `from` or later (it may be empty): false when there is none.
 *
 * [err: LIMIT (too hard for the expression), NOMEM | owns: nothing | thread: room's own | cost: O(n), or the expression's] */
status pattern_next(const pattern *x, pattern_room *room, const char *p, size_t n, size_t from,
                    bool *found, size_t *first, size_t *end, error *err);

/* GPT-2's: contractions; words, numbers, the rest, each with at most one space before; spaces. */
#define PATTERN_GPT2                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* Where the word that begins at `at` ends, as that expression cuts.
 *
 * [err: none | owns: nothing | thread: any | cost: O(word)] */
size_t scan_gpt2(const char *p, size_t n, size_t at);

/* The scanner of an expression; NULL when it has none.  A scanner's matches leave no gap.
 *
 * [err: NULL | owns: static | thread: any | cost: O(length)] */
typedef size_t scan_fn(const char *p, size_t n, size_t at);
scan_fn *pattern_scanner(const pattern *x);

#endif
/* SPDX-License-Identifier: MIT */
