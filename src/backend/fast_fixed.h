/* fast_fixed -- rows as fixed point, group by group: what meets the small integers of a weight in blocks.
 *
 * Of a group of 16 or 32 numbers of a row, the largest is below 2^e; each is rounded to n 2^(e - 22), |n| <= 2^22, to
 * the nearest, ties to even.  n is cut into three signed bytes: n = d0 + 2^8 d1 + 2^16 d2.  Sums of products of such
 * bytes and a block's integers are exact in 32 bits, however they are made.
 *
 * e is at least -104, so that 2^(e - 22) is no denormal: what is below 2^-127 then counts as zero.  A group that holds
 * an infinity or NaN is zeros in units of NaN, so that all it meets becomes NaN. */
#ifndef MICROTOME_BACKEND_FAST_FIXED_H
#define MICROTOME_BACKEND_FAST_FIXED_H
#include "tensor/math32.h"
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DIGITS = 3, MAX_GROUP = 32, FIXED_BITS = 22 };

/* A group of a row.  Integers met are q + bias, so sums of digits begin at -bias times the digits' sum. */
typedef struct fixed {
    int32_t start[DIGITS];
    float unit, sum; /* 2^(e - 22); the sum of its numbers, rounded once */
    int32_t unused[3];
    int8_t digit
        [DIGITS *
         MAX_GROUP]; /* d0 of each number, then d1, then d2: DIGITS times as many as the group has */
} fixed;

/* Groups lie one behind the other without what they have no numbers for. */
static inline size_t fixed_bytes(int group)
{
    return offsetof(fixed, digit) + (size_t)(DIGITS * group);
}

static inline const fixed *fixed_at(const char *row, int64_t g, int group)
{
    return (const fixed *)(const void *)(row + (size_t)g * fixed_bytes(group));
}

/* x [group] as fixed point, for integers with this bias.
 *
 * [err: none | owns: nothing | thread: any | cost: some ten operations a number] */
__attribute__((always_inline)) static inline void fixed_make(fixed *f, const float *x, int group,
                                                             int bias)
{
    uint32_t most = 0, bits[MAX_GROUP], n[MAX_GROUP];
    memcpy(bits, x, (size_t)group * sizeof *x);
    for (int i = 0; i < group; i++) {
        uint32_t u = bits[i] & 0x7fffffffu;
        most = u > most ? u : most;
    }
    uint32_t e = most >> 23; /* 126 more than e above */
    bool finite = e < 255;
    if (e < 126 - 104) e = 126 - 104;
    float scale = finite ? math_float((127 + FIXED_BITS + 126 - e) << 23) : 0.0f;
    f->unit = finite ? math_float((127 - FIXED_BITS - 126 + e) << 23) : NAN;
    int32_t sum = 0, digits[DIGITS] = { 0 };
    for (int i = 0; i < group; i++) {
        float v = finite ? x[i] * scale : 0.0f;
        int32_t k = (int32_t)rintf(v);
        sum += k;
        n[i] = ((uint32_t)k + 0x808080u) ^ 0x808080u; /* carries make the lower digits signed */
    }
    for (int d = 0; d < DIGITS; d++)
        for (int i = 0; i < group; i++) {
            int8_t digit = (int8_t)(n[i] >> 8 * d);
            f->digit[d * group + i] = digit;
            digits[d] += digit;
        }
    for (int d = 0; d < DIGITS; d++) f->start[d] = -bias * digits[d];
    f->sum = (float)sum * f->unit;
}

#endif
/* SPDX-License-Identifier: MIT */
