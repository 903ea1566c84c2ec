/* chars -- see chars.h.  Classes come from utf8proc; where the original's tables are of an older Unicode
 * (BERT's steps: version 8), what is younger is listed here, so that it stays as the original has it. */
#include "token/chars.h"
#include <stddef.h>
#include <utf8proc.h>

typedef struct range {
    uint32_t first, last;
} range;

/* Marks and punctuation that came after Unicode 8. */
static const range young_marks[] = {
    { 0x7fd, 0x7fd },     { 0x898, 0x89f },     { 0x8ca, 0x8e1 },     { 0x9fe, 0x9fe },
    { 0xafa, 0xaff },     { 0xb55, 0xb55 },     { 0xc04, 0xc04 },     { 0xc3c, 0xc3c },
    { 0xd00, 0xd00 },     { 0xd3b, 0xd3c },     { 0xd81, 0xd81 },     { 0xeba, 0xeba },
    { 0x180f, 0x180f },   { 0x1885, 0x1886 },   { 0x1abf, 0x1ace },   { 0x1df6, 0x1dfb },
    { 0xa82c, 0xa82c },   { 0xa8c5, 0xa8c5 },   { 0xa8ff, 0xa8ff },   { 0xa9bd, 0xa9bd },
    { 0x10d24, 0x10d27 }, { 0x10eab, 0x10eac }, { 0x10f46, 0x10f50 }, { 0x10f82, 0x10f85 },
    { 0x11070, 0x11070 }, { 0x11073, 0x11074 }, { 0x110c2, 0x110c2 }, { 0x111c9, 0x111c9 },
    { 0x111cf, 0x111cf }, { 0x1123e, 0x1123e }, { 0x1133b, 0x1133b }, { 0x11438, 0x1143f },
    { 0x11442, 0x11444 }, { 0x11446, 0x11446 }, { 0x1145e, 0x1145e }, { 0x1182f, 0x11837 },
    { 0x11839, 0x1183a }, { 0x1193b, 0x1193c }, { 0x1193e, 0x1193e }, { 0x11943, 0x11943 },
    { 0x119d4, 0x119d7 }, { 0x119da, 0x119db }, { 0x119e0, 0x119e0 }, { 0x11a01, 0x11a0a },
    { 0x11a33, 0x11a38 }, { 0x11a3b, 0x11a3e }, { 0x11a47, 0x11a47 }, { 0x11a51, 0x11a56 },
    { 0x11a59, 0x11a5b }, { 0x11a8a, 0x11a96 }, { 0x11a98, 0x11a99 }, { 0x11c30, 0x11c36 },
    { 0x11c38, 0x11c3d }, { 0x11c3f, 0x11c3f }, { 0x11c92, 0x11ca7 }, { 0x11caa, 0x11cb0 },
    { 0x11cb2, 0x11cb3 }, { 0x11cb5, 0x11cb6 }, { 0x11d31, 0x11d36 }, { 0x11d3a, 0x11d3a },
    { 0x11d3c, 0x11d3d }, { 0x11d3f, 0x11d45 }, { 0x11d47, 0x11d47 }, { 0x11d90, 0x11d91 },
    { 0x11d95, 0x11d95 }, { 0x11d97, 0x11d97 }, { 0x11ef3, 0x11ef4 }, { 0x16f4f, 0x16f4f },
    { 0x16fe4, 0x16fe4 }, { 0x1cf00, 0x1cf2d }, { 0x1cf30, 0x1cf46 }, { 0x1e000, 0x1e006 },
    { 0x1e008, 0x1e018 }, { 0x1e01b, 0x1e021 }, { 0x1e023, 0x1e024 }, { 0x1e026, 0x1e02a },
    { 0x1e130, 0x1e136 }, { 0x1e2ae, 0x1e2ae }, { 0x1e2ec, 0x1e2ef }, { 0x1e944, 0x1e94a },
};
static const range young_punctuation[] = {
    { 0x61d, 0x61d },     { 0x9fd, 0x9fd },     { 0xa76, 0xa76 },     { 0xc77, 0xc77 },
    { 0xc84, 0xc84 },     { 0x1b7d, 0x1b7e },   { 0x2e43, 0x2e4f },   { 0x2e52, 0x2e5d },
    { 0x10ead, 0x10ead }, { 0x10f55, 0x10f59 }, { 0x10f86, 0x10f89 }, { 0x1144b, 0x1144f },
    { 0x1145a, 0x1145b }, { 0x1145d, 0x1145d }, { 0x11660, 0x1166c }, { 0x116b9, 0x116b9 },
    { 0x1183b, 0x1183b }, { 0x11944, 0x11946 }, { 0x119e2, 0x119e2 }, { 0x11a3f, 0x11a46 },
    { 0x11a9a, 0x11a9c }, { 0x11a9e, 0x11aa2 }, { 0x11c41, 0x11c45 }, { 0x11c70, 0x11c71 },
    { 0x11ef7, 0x11ef8 }, { 0x11fff, 0x11fff }, { 0x12ff1, 0x12ff2 }, { 0x16e97, 0x16e9a },
    { 0x16fe2, 0x16fe2 }, { 0x1e95e, 0x1e95f },
};

/* Cc, Cf and Co of Unicode 8, and U+FFFD; tab, newline and return are white space instead. */
static const range control[] = {
    { 0x0, 0x8 },           { 0xb, 0xc },         { 0xe, 0x1f },        { 0x7f, 0x9f },
    { 0xad, 0xad },         { 0x600, 0x605 },     { 0x61c, 0x61c },     { 0x6dd, 0x6dd },
    { 0x70f, 0x70f },       { 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x202a, 0x202e },
    { 0x2060, 0x2064 },     { 0x2066, 0x206f },   { 0xe000, 0xf8ff },   { 0xfeff, 0xfeff },
    { 0xfff9, 0xfffb },     { 0xfffd, 0xfffd },   { 0x110bd, 0x110bd }, { 0x1bca0, 0x1bca3 },
    { 0x1d173, 0x1d17a },   { 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f }, { 0xf0000, 0xffffd },
    { 0x100000, 0x10fffd },
};

static const range ideographs[] = { { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },
                                    { 0xf900, 0xfaff },   { 0x20000, 0x2a6df },
                                    { 0x2a700, 0x2b81f }, { 0x2b920, 0x2ceaf },
                                    { 0x2f800, 0x2fa1f } };

static bool in(const range *r, size_t n, uint32_t c)
{
    while (n) {
        size_t half = n / 2;
        if (c < r[half].first) n = half;
        else if (c > r[half].last) r += half + 1, n -= half + 1;
        else return true;
    }
    return false;
}
#define IN(list, c) in(list, sizeof list / sizeof *list, c)

static utf8proc_category_t category(uint32_t c) { return utf8proc_category((utf8proc_int32_t)c); }

bool char_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

bool char_is_letter(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool char_is_number(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool char_is_mark(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}

static bool ascii_symbol(uint32_t c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

bool char_is_punctuation(uint32_t c)
{
    if (c < 128) return ascii_symbol(c);
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO && !IN(young_punctuation, c);
}

/* Alphabetic, marks, decimal digits, connectors and joiners; circled letters are alphabetic symbols. */
bool char_is_word(uint32_t c)
{
    utf8proc_category_t k = category(c);
    bool circled = (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
                   (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) || k == UTF8PROC_CATEGORY_PC ||
           circled || c == 0x200c || c == 0x200d;
}

bool char_is_control(uint32_t c) { return IN(control, c); }
bool char_is_ideograph(uint32_t c) { return IN(ideographs, c); }

bool char_is_accent(uint32_t c)
{
    return c >= 0x300 && category(c) == UTF8PROC_CATEGORY_MN && !IN(young_marks, c);
}

uint32_t char_lower(uint32_t c)
{
    if (c < 128) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}
/* SPDX-License-Identifier: MIT */
