/* blocks -- numbers that lie in blocks, as GGUF files quantise them: the one place that decodes them.
 *
 * Every type is small integers q and, for each group of 16 or 32, a scale and perhaps an offset:
 *
 *     value = scale * q             Q4_0 Q5_0 Q8_0: scale = d     Q3_K Q6_K: scale = d * sc[group]
 *     value = scale * q + offset    Q4_1 Q5_1: scale = d, offset = m
 *                                   Q2_K Q4_K Q5_K: scale = d * sc[group], offset = -(dmin * mn[group])
 *
 * d, m, dmin are float16; sc, mn integers of 4 to 8 bits.  In float32 every product here is exact (11 + 7 + 5 bits at
 * most, beside powers of two), so a value is rounded once at most, by the addition, and nobody's order of operations
 * differs.  docs/formats.md draws the bytes.
 *
 * A block is taken by *parts*, which lie in one pattern: all of a block of 32, halves of one of 256.  The functions take
 * the type as a constant and are inlined: dtype.c makes rows of them, backend/blocks_vec.c vecs. */
#ifndef MICROTOME_TENSOR_BLOCKS_H
#define MICROTOME_TENSOR_BLOCKS_H
#include "tensor/dtype.h"

enum { BLOCK_LONG = 256, BLOCK_PART = 128, BLOCK_GROUPS = 8 }; /* at most so many in a part */

#define BLOCK_INLINE __attribute__((always_inline)) static inline

/* Call f(..., type) with a type of block as a constant; nothing for other types. */
#define BY_BLOCK(type, f, ...)                                                                     \
    switch (type) {                                                                                \
    case DTYPE_Q4_0: f(__VA_ARGS__, DTYPE_Q4_0); break;                                            \
    case DTYPE_Q4_1: f(__VA_ARGS__, DTYPE_Q4_1); break;                                            \
    case DTYPE_Q5_0: f(__VA_ARGS__, DTYPE_Q5_0); break;                                            \
    case DTYPE_Q5_1: f(__VA_ARGS__, DTYPE_Q5_1); break;                                            \
    case DTYPE_Q8_0: f(__VA_ARGS__, DTYPE_Q8_0); break;                                            \
    case DTYPE_Q2_K: f(__VA_ARGS__, DTYPE_Q2_K); break;                                            \
    case DTYPE_Q3_K: f(__VA_ARGS__, DTYPE_Q3_K); break;                                            \
    case DTYPE_Q4_K: f(__VA_ARGS__, DTYPE_Q4_K); break;                                            \
    case DTYPE_Q5_K: f(__VA_ARGS__, DTYPE_Q5_K); break;                                            \
    case DTYPE_Q6_K: f(__VA_ARGS__, DTYPE_Q6_K); break;                                            \
    default: break;                                                                                \
    }

/* Has it a scale (and a minimum) for each group?  Is an offset added? */
BLOCK_INLINE bool block_has_scales(dtype t) { return t >= DTYPE_Q2_K; }

BLOCK_INLINE bool block_has_offset(dtype t)
{
    return t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q2_K || t == DTYPE_Q4_K ||
           t == DTYPE_Q5_K;
}

/* Numbers in a block, in a part, in a group; bytes of a block. */
BLOCK_INLINE int block_numbers(dtype t) { return t >= DTYPE_Q2_K ? BLOCK_LONG : 32; }
BLOCK_INLINE int block_part(dtype t) { return t >= DTYPE_Q2_K ? BLOCK_PART : 32; }

BLOCK_INLINE int block_group(dtype t)
{
    return t == DTYPE_Q2_K || t == DTYPE_Q3_K || t == DTYPE_Q6_K ? 16 : 32;
}

/* q + block_bias is not negative, and at most 255. */
BLOCK_INLINE int block_bias(dtype t)
{
    return t == DTYPE_Q8_0   ? 128
           : t == DTYPE_Q6_K ? 32
           : t == DTYPE_Q5_0 ? 16
           : t == DTYPE_Q4_0 ? 8
           : t == DTYPE_Q3_K ? 4
                             : 0;
}

BLOCK_INLINE int block_bytes(dtype t)
{
    return t == DTYPE_Q4_0   ? 18
           : t == DTYPE_Q4_1 ? 20
           : t == DTYPE_Q5_0 ? 22
           : t == DTYPE_Q5_1 ? 24
           : t == DTYPE_Q8_0 ? 34
           : t == DTYPE_Q2_K ? 84
           : t == DTYPE_Q3_K ? 110
           : t == DTYPE_Q4_K ? 144
           : t == DTYPE_Q5_K ? 176
                             : 210;
}

BLOCK_INLINE uint16_t block_half(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return h;
}

/* Where the float16 d is; where that of which the offset is made (m or dmin). */
BLOCK_INLINE int block_d_at(dtype t)
{
    return t == DTYPE_Q2_K ? 80 : t == DTYPE_Q3_K ? 108 : t == DTYPE_Q6_K ? 208 : 0;
}

BLOCK_INLINE int block_m_at(dtype t) { return t == DTYPE_Q2_K ? 82 : 2; }

/* Scales and minima of six bits, four groups from 4 * part on: of twelve bytes, the first eight hold those of part 0
 * and above them two bits of part 1's, whose lower four are in the last. */
BLOCK_INLINE void six_bits(const uint8_t *p, int part, int8_t *sc, int8_t *mn)
{
    uint32_t a, b, c;
    memcpy(&a, p, 4), memcpy(&b, p + 4, 4), memcpy(&c, p + 8, 4);
    if (part) {
        a = (c & 0x0f0f0f0fu) | (a >> 6 & 0x03030303u) << 4;
        b = (c >> 4 & 0x0f0f0f0fu) | (b >> 6 & 0x03030303u) << 4;
    }
    a &= 0x3f3f3f3fu, b &= 0x3f3f3f3fu;
    memcpy(sc, &a, 4), memcpy(mn, &b, 4);
}

/* Eight of Q3_K's: lower four bits, then upper two, less 32. */
BLOCK_INLINE void three_scales(const uint8_t *p, int part, int8_t *sc)
{
    for (int j = 0; j < 8; j++) {
        int low = part ? p[j] >> 4 : p[j] & 15, high = p[8 + j % 4] >> (4 * part + j / 4 * 2) & 3;
        sc[j] = (int8_t)((low | high << 4) - 32);
    }
}

/* The part's scales and minima by group, where it has any. */
BLOCK_INLINE void block_scales(const uint8_t *b, int part, int8_t *sc, int8_t *mn, dtype t)
{
    if (t == DTYPE_Q4_K || t == DTYPE_Q5_K) six_bits(b + 4, part, sc, mn);
    if (t == DTYPE_Q6_K) memcpy(sc, b + 192 + 8 * part, 8);
    if (t == DTYPE_Q3_K) three_scales(b + 96, part, sc);
    for (int j = 0; t == DTYPE_Q2_K && j < 8; j++)
        sc[j] = (int8_t)(b[8 * part + j] & 15), mn[j] = (int8_t)(b[8 * part + j] >> 4);
}

/* The part's q.  A byte holds bits of numbers that are 16 (short blocks) or 32 or 64 apart. */
BLOCK_INLINE void block_quants(const uint8_t *b, int part, int8_t *restrict q, dtype t)
{
    if (t == DTYPE_Q8_0) memcpy(q, b + 2, 32);
    for (int i = 0; t == DTYPE_Q4_0 && i < 16; i++)
        q[i] = (int8_t)((b[2 + i] & 15) - 8), q[16 + i] = (int8_t)((b[2 + i] >> 4) - 8);
    for (int i = 0; t == DTYPE_Q4_1 && i < 16; i++)
        q[i] = (int8_t)(b[4 + i] & 15), q[16 + i] = (int8_t)(b[4 + i] >> 4);
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1) {
        const uint8_t *fifth = b + (t == DTYPE_Q5_0 ? 2 : 4), *low = fifth + 4;
        int less = t == DTYPE_Q5_0 ? 16 : 0;
        uint32_t h;
        memcpy(&h, fifth, 4);
        for (int i = 0; i < 16; i++) {
            q[i] = (int8_t)(((low[i] & 15) | (h >> i & 1) << 4) - less);
            q[16 + i] = (int8_t)((low[i] >> 4 | (h >> (16 + i) & 1) << 4) - less);
        }
    }
    for (int j = 0; t == DTYPE_Q2_K && j < 4; j++)
        for (int i = 0; i < 32; i++) q[32 * j + i] = (int8_t)(b[16 + part * 32 + i] >> 2 * j & 3);
    for (int j = 0; t == DTYPE_Q3_K && j < 4; j++)
        for (int i = 0; i < 32; i++)
            q[32 * j + i] = (int8_t)((b[32 + part * 32 + i] >> 2 * j & 3) +
                                     4 * (b[i] >> (part * 4 + j) & 1) - 4);
    for (int g = 0; (t == DTYPE_Q4_K || t == DTYPE_Q5_K) && g < 2; g++) {
        const uint8_t *low = b + (t == DTYPE_Q4_K ? 16 : 48) + part * 64 + g * 32;
        int bit = part * 4 + g * 2;
        for (int i = 0; i < 32; i++) {
            int lo = low[i] & 15, hi = low[i] >> 4;
            if (t == DTYPE_Q5_K)
                lo |= (b[16 + i] >> bit & 1) << 4, hi |= (b[16 + i] >> (bit + 1) & 1) << 4;
            q[64 * g + i] = (int8_t)lo, q[64 * g + 32 + i] = (int8_t)hi;
        }
    }
    for (int j = 0; t == DTYPE_Q6_K && j < 4; j++)
        for (int i = 0; i < 32; i++) {
            int low = b[part * 64 + j % 2 * 32 + i] >> j / 2 * 4 & 15;
            q[32 * j + i] = (int8_t)((low | (b[128 + part * 32 + i] >> 2 * j & 3) << 4) - 32);
        }
}

/* The part's numbers. */
BLOCK_INLINE void block_floats(const uint8_t *b, int part, float *restrict out, dtype t)
{
    int8_t q[BLOCK_PART], sc[BLOCK_GROUPS], mn[BLOCK_GROUPS];
    float d = dtype_f16(block_half(b + block_d_at(t))),
          m = block_has_offset(t) ? dtype_f16(block_half(b + block_m_at(t))) : 0;
    block_quants(b, part, q, t);
    block_scales(b, part, sc, mn, t);
    for (int g = 0; g < block_part(t) / block_group(t); g++) {
        float scale = block_has_scales(t) ? d * sc[g] : d;
        float offset = !block_has_offset(t) ? 0 : block_has_scales(t) ? -(m * mn[g]) : m;
        for (int i = g * block_group(t); i < (g + 1) * block_group(t); i++) {
            float x = scale * q[i];
            out[i] = block_has_offset(t) ? x + offset : x;
        }
    }
}

#endif
/* SPDX-License-Identifier: MIT */
