/* blocks -- numbers that lie in blocks, as GGUF files quantise them: the one place that decodes them.
 *
 * A *run* is 16 numbers of a block.  Every type is small integers q and, for each run, a scale and perhaps an offset:
 *
 *     value = scale * q             Q4_0 Q5_0 Q8_0: scale = d     Q3_K Q6_K: scale = d * sc[run]
 *     value = scale * q + offset    Q4_1 Q5_1: scale = d, offset = m
 *                                   Q2_K Q4_K Q5_K: scale = d * sc[run], offset = -(dmin * mn[run])
 *
 * d, m, dmin are float16; sc, mn integers of 4 to 8 bits.  In float32 every product here is exact (11 + 8 + 6 bits at
 * most, and the 6 are of -32..31), so a value is rounded once at most, by the addition, and nobody's order of operations
 * differs.  docs/formats.md draws the bytes.
 *
 * The functions take the type as a constant and are inlined: dtype.c makes rows of them, backend/weights.h vecs. */
#ifndef MICROTOME_TENSOR_BLOCKS_H
#define MICROTOME_TENSOR_BLOCKS_H
#include "tensor/dtype.h"

enum { RUN = 16, BLOCK_LONG = 256 };

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

/* Has it a scale (and a minimum) for each run?  Is an offset added? */
BLOCK_INLINE bool block_has_scales(dtype t) { return t >= DTYPE_Q2_K; }

BLOCK_INLINE bool block_has_offset(dtype t)
{
    return t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q2_K || t == DTYPE_Q4_K ||
           t == DTYPE_Q5_K;
}

/* Numbers in a block, bytes of one. */
BLOCK_INLINE int block_numbers(dtype t) { return t >= DTYPE_Q2_K ? BLOCK_LONG : 32; }

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

/* The float16 bits of d; of what the offset is made of (m or dmin). */
BLOCK_INLINE uint16_t block_d(const uint8_t *b, dtype t)
{
    return block_half(t == DTYPE_Q2_K   ? b + 80
                      : t == DTYPE_Q3_K ? b + 108
                      : t == DTYPE_Q6_K ? b + 208
                                        : b);
}

BLOCK_INLINE uint16_t block_m(const uint8_t *b, dtype t)
{
    return block_half(t == DTYPE_Q2_K ? b + 82 : b + 2);
}

/* Twelve bytes that hold eight scales and eight minima of six bits. */
BLOCK_INLINE void six_bits(const uint8_t *p, int8_t *sc, int8_t *mn)
{
    for (int j = 0; j < 4; j++) {
        sc[2 * j] = sc[2 * j + 1] = (int8_t)(p[j] & 63);
        mn[2 * j] = mn[2 * j + 1] = (int8_t)(p[j + 4] & 63);
        sc[2 * j + 8] = sc[2 * j + 9] = (int8_t)((p[j + 8] & 15) | p[j] >> 6 << 4);
        mn[2 * j + 8] = mn[2 * j + 9] = (int8_t)(p[j + 8] >> 4 | p[j + 4] >> 6 << 4);
    }
}

/* The block's scales and minima by run, where it has any. */
BLOCK_INLINE void block_scales(const uint8_t *b, int8_t sc[RUN], int8_t mn[RUN], dtype t)
{
    if (t == DTYPE_Q4_K || t == DTYPE_Q5_K) six_bits(b + 4, sc, mn);
    if (t == DTYPE_Q6_K) memcpy(sc, b + 192, RUN);
    if (t == DTYPE_Q2_K)
        for (int j = 0; j < RUN; j++) sc[j] = (int8_t)(b[j] & 15), mn[j] = (int8_t)(b[j] >> 4);
    if (t != DTYPE_Q3_K) return;
    const uint8_t *low = b + 96, *high = b + 104; /* four bits of each, then two */
    for (int j = 0; j < RUN; j++) {
        int q = (j < 8 ? low[j] & 15 : low[j - 8] >> 4) | (high[j % 4] >> j / 4 * 2 & 3) << 4;
        sc[j] = (int8_t)(q - 32);
    }
}

/* q of one run.  A type of 32 numbers has the first run in its low halves of bytes, the second in the high;
 * longer ones go through their bytes 32 at a time, once for each pair (or four) of bits. */
BLOCK_INLINE void block_run(const uint8_t *b, int run, int8_t q[RUN], dtype t)
{
    int half = run / 8, bits = run % 8 / 2, part = run % 2 * RUN; /* of BLOCK_LONG */
    int group = run / 4, nibble = run / 2 % 2 * 4;
    if (t == DTYPE_Q8_0) memcpy(q, b + 2 + run * RUN, RUN);
    for (int i = 0; t == DTYPE_Q4_0 && i < RUN; i++)
        q[i] = (int8_t)((b[2 + i] >> 4 * run & 15) - 8);
    for (int i = 0; t == DTYPE_Q4_1 && i < RUN; i++) q[i] = (int8_t)(b[4 + i] >> 4 * run & 15);
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1) {
        const uint8_t *fifth = b + (t == DTYPE_Q5_0 ? 2 : 4), *low = fifth + 4;
        uint16_t h = block_half(fifth + 2 * run);
        for (int i = 0; i < RUN; i++)
            q[i] = (int8_t)(((low[i] >> 4 * run & 15) | (h >> i & 1) << 4) -
                            (t == DTYPE_Q5_0 ? 16 : 0));
    }
    for (int i = 0; t == DTYPE_Q2_K && i < RUN; i++)
        q[i] = (int8_t)(b[16 + half * 32 + part + i] >> 2 * bits & 3);
    for (int i = 0; t == DTYPE_Q3_K && i < RUN; i++) {
        int low = b[32 + half * 32 + part + i] >> 2 * bits & 3;
        q[i] = (int8_t)(low + 4 * (b[part + i] >> (half * 4 + bits) & 1) - 4);
    }
    for (int i = 0; t == DTYPE_Q4_K && i < RUN; i++)
        q[i] = (int8_t)(b[16 + group * 32 + part + i] >> nibble & 15);
    for (int i = 0; t == DTYPE_Q5_K && i < RUN; i++)
        q[i] = (int8_t)((b[48 + group * 32 + part + i] >> nibble & 15) |
                        (b[16 + part + i] >> run / 2 & 1) << 4);
    for (int i = 0; t == DTYPE_Q6_K && i < RUN; i++) {
        int low = b[half * 64 + bits % 2 * 32 + part + i] >> bits / 2 * 4 & 15;
        q[i] = (int8_t)((low | (b[128 + half * 32 + part + i] >> 2 * bits & 3) << 4) - 32);
    }
}

#endif
/* SPDX-License-Identifier: MIT */
