/* scan -- GPT-2's expression by hand: a table for ASCII, Unicode's classes for the rest.
 *
 *     's|'t|'re|'ve|'m|'ll|'d | ?L+ | ?N+ | ?[^ s L N]+ | s+(?!S) | s+
 *
 * Every character is of one of four classes, so matches leave no gap, and no match looks back. */
#include "base/str.h"
#include "token/chars.h"
#include "token/pattern.h"
#include <string.h>

enum { OTHER, LETTER, NUMBER, SPACE };

static int class_of(uint32_t c)
{
    return char_is_letter(c)   ? LETTER
           : char_is_number(c) ? NUMBER
           : char_is_space(c)  ? SPACE
                               : OTHER;
}

static const unsigned char ascii[128] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\v'] = SPACE, ['\f'] = SPACE, ['\r'] = SPACE, [' '] = SPACE,
#define L(c) [c] = LETTER, [c + 32] = LETTER
    L('A'),         L('B'),         L('C'),         L('D'),         L('E'),         L('F'),
    L('G'),         L('H'),         L('I'),         L('J'),         L('K'),         L('L'),
    L('M'),         L('N'),         L('O'),         L('P'),         L('Q'),         L('R'),
    L('S'),         L('T'),         L('U'),         L('V'),         L('W'),         L('X'),
    L('Y'),         L('Z'),
#undef L
    ['0'] = NUMBER, ['1'] = NUMBER, ['2'] = NUMBER, ['3'] = NUMBER, ['4'] = NUMBER, ['5'] = NUMBER,
    ['6'] = NUMBER, ['7'] = NUMBER, ['8'] = NUMBER, ['9'] = NUMBER,
};

/* The class of the character at p[at], and its length. */
static int class_at(const char *p, size_t n, size_t at, size_t *len)
{
    unsigned char byte = (unsigned char)p[at];
    uint32_t c;
    *len = 1;
    if (byte < 128) return ascii[byte];
    int k = utf8_next(p + at, n - at, &c);
    if (!k) return OTHER;
    *len = (size_t)k;
    return class_of(c);
}

static size_t run_end(const char *p, size_t n, size_t at, int class)
{
    size_t len;
    while (at < n && class_at(p, n, at, &len) == class) at += len;
    return at;
}

static size_t contraction(const char *p, size_t left)
{
    if (left > 1 && strchr("stmd", p[1]) && p[1]) return 2;
    if (left > 2 && (!memcmp(p + 1, "re", 2) || !memcmp(p + 1, "ve", 2) || !memcmp(p + 1, "ll", 2)))
        return 3;
    return 0;
}

/* Spaces before a word leave their last one to it. */
static size_t spaces_end(const char *p, size_t n, size_t at)
{
    size_t len = 1, last = at, i = at;
    while (i < n && class_at(p, n, i, &len) == SPACE) last = i, i += len;
    return i == n || last == at ? i : last;
}

size_t scan_gpt2(const char *p, size_t n, size_t at)
{
    size_t len, more, short_form;
    if (p[at] == '\'' && (short_form = contraction(p + at, n - at))) return at + short_form;
    int class = class_at(p, n, at, &len);
    if (class != SPACE) return run_end(p, n, at + len, class);
    int next = p[at] == ' ' && at + 1 < n ? class_at(p, n, at + 1, &more) : SPACE;
    return next == SPACE ? spaces_end(p, n, at) : run_end(p, n, at + 1 + more, next);
}
/* SPDX-License-Identifier: MIT */
