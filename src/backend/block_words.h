/* block_words -- a part of VEC rows of a weight in blocks (tensor/blocks.h), turned: a vec of words holds the same four
 * bytes of each row, and bits are put together to small integers for all rows at once.
 *
 * What blocks_vec.c (canonical sums of floats) and fast_vnni.c (products of integers) share. */
#ifndef MICROTOME_BACKEND_BLOCK_WORDS_H
#define MICROTOME_BACKEND_BLOCK_WORDS_H
#include "backend/vec.h"
#include "graph/graph.h"
#include "tensor/blocks.h"

enum {
    LOW_WORDS = 16, /* most words that a part's lower bits take, */
    HIGH_WORDS = 8, /* and its higher bits, where they lie elsewhere */
};

/* A part of VEC rows: where its block begins in them, what the block has for all its parts (d, m, and the bytes of its
 * scales, turned); the part's bytes, turned, and its scales by group. */
typedef struct span {
    const uint8_t *const *row;
    int64_t block;
    int part;
    vec d, m;
    words head[4], low[LOW_WORDS], high[HIGH_WORDS];
    vec scale[BLOCK_GROUPS], offset[BLOCK_GROUPS];
} span;

/* ---- where the bits lie: tensor/blocks.h says the same, number by number ---- */

/* The part's bytes that hold the lower bits of its q: where they begin in the block, how many. */
VEC_INLINE int low_at(int part, dtype t)
{
    return t == DTYPE_Q4_0 || t == DTYPE_Q8_0 ? 2
           : t == DTYPE_Q4_1                  ? 4
           : t == DTYPE_Q5_0                  ? 6
           : t == DTYPE_Q5_1                  ? 8
           : t == DTYPE_Q2_K                  ? 16 + 32 * part
           : t == DTYPE_Q3_K                  ? 32 + 32 * part
           : t == DTYPE_Q4_K                  ? 16 + 64 * part
           : t == DTYPE_Q5_K                  ? 48 + 64 * part
                                              : 64 * part;
}

VEC_INLINE int low_bytes(dtype t)
{
    return t == DTYPE_Q8_0 || t == DTYPE_Q2_K || t == DTYPE_Q3_K   ? 32
           : t == DTYPE_Q4_K || t == DTYPE_Q5_K || t == DTYPE_Q6_K ? 64
                                                                   : 16;
}

/* The 32 bytes of higher bits, where a type has them. */
VEC_INLINE bool has_high(dtype t) { return t == DTYPE_Q3_K || t == DTYPE_Q5_K || t == DTYPE_Q6_K; }

VEC_INLINE int high_at(int part, dtype t)
{
    return t == DTYPE_Q3_K ? 0 : t == DTYPE_Q5_K ? 16 : 128 + 32 * part;
}

/* Has it fifth bits, all in one word? */
VEC_INLINE bool has_fifth(dtype t) { return t == DTYPE_Q5_0 || t == DTYPE_Q5_1; }

/* Word c of four that hold q + block_bias of columns at + 4c to at + 4c + 3, an unsigned byte each. */
VEC_INLINE words biased(const span *s, int at, int c, dtype t)
{
    int group = at / 32, in = at % 32 / 4 + c; /* of 32 columns; a word of 32 bytes */
    if (t == DTYPE_Q8_0) return words_less(s->low[in], 128);
    if (t == DTYPE_Q2_K) return words_bits(s->low[in], 2 * group, 3);
    if (t == DTYPE_Q3_K) {
        words bit = words_left(words_bits(s->high[in], 4 * s->part + group, 1), 2);
        return words_or(words_bits(s->low[in], 2 * group, 3), bit);
    }
    if (t == DTYPE_Q6_K) {
        words two = words_left(words_bits(s->high[in], 2 * group, 3), 4);
        return words_or(words_bits(s->low[group % 2 * 8 + in], group / 2 * 4, 15), two);
    }
    if (t == DTYPE_Q4_K || t == DTYPE_Q5_K) {
        words four = words_bits(s->low[group / 2 * 8 + in], group % 2 * 4, 15);
        if (t == DTYPE_Q4_K) return four;
        return words_or(four, words_left(words_bits(s->high[in], 4 * s->part + group, 1), 4));
    }
    words q = words_bits(s->low[c], at / 16 * 4, 15);
    if (!has_fifth(t)) return q;
    return words_or(q, words_spread(words_bits(s->high[0], at + 4 * c, 15)));
}

/* The same as q, a signed byte each. */
VEC_INLINE words quants(const span *s, int at, int c, dtype t)
{
    if (t == DTYPE_Q8_0) return s->low[at / 4 + c];
    words q = biased(s, at, c, t);
    return block_bias(t) ? words_less(q, block_bias(t)) : q;
}

/* ---- scales ---- */

/* Eight groups' bytes of scales, and of minima where there are any: those that the part has. */
VEC_INLINE void scale_words(const span *s, words sc[2], words mn[2], dtype t)
{
    const words *w = s->head;
    int p = s->part;
    if (t == DTYPE_Q6_K) sc[0] = w[2 * p], sc[1] = w[2 * p + 1];
    for (int j = 0; j < 2; j++) {
        if (t == DTYPE_Q2_K) {
            sc[j] = words_bits(w[2 * p + j], 0, 15);
            mn[j] = words_bits(w[2 * p + j], 4, 15);
        }
        if (t == DTYPE_Q3_K) {
            words two = words_left(words_bits(w[3], 4 * p + 2 * j, 3), 4);
            sc[j] = words_less(words_or(words_bits(w[1 + j], 4 * p, 15), two), 32);
        }
    }
    if (t != DTYPE_Q4_K && t != DTYPE_Q5_K) return;
    if (p) {
        sc[0] = words_or(words_bits(w[3], 0, 15), words_left(words_bits(w[1], 6, 3), 4));
        mn[0] = words_or(words_bits(w[3], 4, 15), words_left(words_bits(w[2], 6, 3), 4));
    } else sc[0] = words_bits(w[1], 0, 63), mn[0] = words_bits(w[2], 0, 63);
}

/* d and m (or dmin) of the block; fifth bits lie beside them. */
VEC_INLINE void halves(span *s, dtype t)
{
    words w[4];
    if (!block_has_offset(t) && !has_fifth(t)) {
        s->d = vec_turn_f16(s->row, s->block + block_d_at(t));
        return;
    }
    words_turn(w, s->row, s->block + (t == DTYPE_Q2_K ? 68 : 0));
    int i = t == DTYPE_Q2_K ? 3 : 0;
    words upper = words_bits(w[i], 16, 255);
    s->d = words_f16(w[i]);
    if (block_has_offset(t)) s->m = words_f16(upper);
    if (t == DTYPE_Q5_0) s->high[0] = words_or(upper, words_left(w[1], 16));
    if (t == DTYPE_Q5_1) s->high[0] = w[1];
}

/* ---- a part of VEC rows, sixteen columns at a time ---- */

/* The block that holds number k: where it is, and what it has for all its parts. */
VEC_INLINE void span_block(span *s, int64_t k, dtype t)
{
    s->block = k / block_numbers(t) * block_bytes(t);
    s->d = s->m = vec_splat(0.0f);
    halves(s, t);
    if (block_has_scales(t))
        words_turn(s->head, s->row, s->block + (t == DTYPE_Q6_K ? 192 : t == DTYPE_Q3_K ? 92 : 0));
}

/* One of its parts: scales times `unit`, a power of two, and offsets as they are. */
VEC_INLINE void span_part(span *s, int part, float unit, dtype t)
{
    words sc[2], mn[2];
    s->part = part;
    if (!block_has_scales(t)) {
        s->scale[0] = vec_mul(s->d, vec_splat(unit)), s->offset[0] = s->m;
        return;
    }
    scale_words(s, sc, mn, t);
    vec d = vec_mul(s->d, vec_splat(unit * 0x1p-24f)), m = vec_mul(s->m, vec_splat(-0x1p-24f));
    for (int g = 0; g < BLOCK_PART / block_group(t); g++) {
        s->scale[g] = vec_mul(d, words_byte(sc[g / 4], g % 4));
        if (block_has_offset(t)) s->offset[g] = vec_mul(m, words_byte(mn[g / 4], g % 4));
    }
}

/* The part that holds number k. */
VEC_INLINE void span_find(span *s, int64_t k, float unit, dtype t)
{
    span_block(s, k, t);
    span_part(s, (int)(k % block_numbers(t)) / block_part(t), unit, t);
}

VEC_INLINE void low_turn(span *s, int i, dtype t)
{
    words_turn(s->low + 4 * i, s->row, s->block + low_at(s->part, t) + 16 * i);
}

VEC_INLINE void high_turn(span *s, int i, dtype t)
{
    words_turn(s->high + 4 * i, s->row, s->block + high_at(s->part, t) + 16 * i);
}

/* And all its bits. */
VEC_INLINE void span_begin(span *s, int64_t k, float unit, dtype t)
{
    span_find(s, k, unit, t);
    for (int i = 0; i < low_bytes(t) / 16; i++) low_turn(s, i, t);
    for (int i = 0; has_high(t) && i < 2; i++) high_turn(s, i, t);
}

#endif
/* SPDX-License-Identifier: MIT */
