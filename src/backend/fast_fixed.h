/* fast_fixed -- rows as fixed point, group by group: what meets the small integers of a weight in blocks.
 *
 * Of a group of 16 or 32 numbers of a row, the largest is below 2^e; each is rounded to n 2^(e - 22), |n| <= 2^22, to
 * the nearest, ties to even.  n is cut into three signed bytes: n = d0 + 2^8 d1 + 2^16 d2.  Sums of products of such
 * bytes and a block's integers are exact in 32 bits, however they are made.
 *
 * e is at least -100, so that a 16th of 2^(e - 22) is no denormal: what is below 2^-123 then counts as zero.  A group that holds
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
    float unit_16th;
    int32_t unused[2];
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

/* Of the bits of the largest |x| of a group: is it a number, its e (126 more than above), what x is multiplied by. */
static inline bool fixed_finite(uint32_t most) { return most >> 23 < 255; }

static inline uint32_t fixed_exponent(uint32_t most)
{
    return most >> 23 < 126 - 100 ? 126 - 100 : most >> 23;
}

static inline float fixed_scale(uint32_t most)
{
    return fixed_finite(most) ? math_float((127 + FIXED_BITS + 126 - fixed_exponent(most)) << 23)
                              : 0.0f;
}

static inline void fixed_units(fixed *f, uint32_t most)
{
    f->unit = fixed_finite(most) ? math_float((127 - FIXED_BITS - 126 + fixed_exponent(most)) << 23)
                                 : NAN;
    f->unit_16th = f->unit * 0x1p-4f;
}

/* With the sums of its digits; they are that of its numbers too. */
static inline void fixed_sums(fixed *f, const int32_t sum[DIGITS], int bias)
{
    for (int d = 0; d < DIGITS; d++) f->start[d] = -bias * sum[d];
    f->sum = (float)(sum[0] + 256 * sum[1] + 65536 * sum[2]) * f->unit;
}

/* x [group] as fixed point, for integers with this bias.
 *
 * [err: none | owns: nothing | thread: any | cost: some ten operations a number] */
static inline void fixed_make(fixed *f, const float *x, int group, int bias)
{
    uint32_t most = 0, bits[MAX_GROUP];
    int32_t sum[DIGITS] = { 0 };
    memcpy(bits, x, (size_t)group * sizeof *x);
    for (int i = 0; i < group; i++) {
        uint32_t u = bits[i] & 0x7fffffffu;
        most = u > most ? u : most;
    }
    fixed_units(f, most);
    for (int i = 0; i < group; i++) {
        int32_t k = fixed_finite(most) ? (int32_t)rintf(x[i] * fixed_scale(most)) : 0;
        uint32_t n =
            ((uint32_t)k + 0x808080u) ^ 0x808080u; /* carries make the lower digits signed */
        for (int d = 0; d < DIGITS; d++) {
            f->digit[d * group + i] = (int8_t)(n >> 8 * d);
            sum[d] += f->digit[d * group + i];
        }
    }
    fixed_sums(f, sum, bias);
}

#endif
/* SPDX-License-Identifier: MIT */
