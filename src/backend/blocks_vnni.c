/* blocks_vnni -- fast_blocks.h on AVX-512 VNNI: vpdpbusd multiplies the same four bytes of 16 outputs by four digits. */
#include "backend/fast_blocks.h"
#include "backend/block_words.h"

/* ---- unpacking ---- */

/* Ask for a piece of the next rows, in the order of memory: as much as n columns of these. */
VEC_INLINE void ask(const uint8_t *next, int64_t k, int n, dtype t)
{
    int64_t from = SIDE * k * block_bytes(t) / block_numbers(t),
            end = from + SIDE * n * block_bytes(t) / block_numbers(t);
    for (int64_t i = from; i < end; i += 64) vec_prefetch(next + i);
}

/* Columns [from, end) of a part, at column i of the slab. */
VEC_INLINE void unpack_part(slab *s, const span *part, int64_t i, int from, int end, dtype t)
{
    uint8_t(*q)[SIDE][4] = s->q + i / 4;
    float(*scale)[SIDE] = s->scale + i / block_group(t),
    (*offset)[SIDE] = s->offset + i / block_group(t);
#pragma GCC unroll 8
    for (int in = from; in < end; in += LEAST) {
        int at = in - from, g = in / block_group(t);
        for (int c = 0; c < LEAST / 4; c++)
            _mm512_store_si512(q[at / 4 + c], biased(part, in, c, t));
        if (in % block_group(t)) continue;
        _mm512_store_ps(scale[at / block_group(t)], part->scale[g]);
        if (block_has_offset(t)) _mm512_store_ps(offset[at / block_group(t)], part->offset[g]);
    }
}

VEC_INLINE void unpack(slab *s, const uint8_t *const *row, const uint8_t *next, int64_t k,
                       int64_t n, dtype t)
{
    span part;
    for (int64_t i = 0; i < n;) {
        int from = (int)((k + i) % block_part(t)), left = block_part(t) - from,
            m = n - i < left ? (int)(n - i) : left;
        part.row = row;
        __asm__(
            ""
            : "+r"(part.row)); /* 16 addresses are read again: in registers they were moved about */
        span_begin(&part, k + i, 1.0f, t);
        ask(next, k + i, m, t);
        if (m == block_part(t)) unpack_part(s, &part, i, 0, block_part(t), t);
        else unpack_part(s, &part, i, from, from + m, t);
        i += m;
    }
}

static void slab_unpack(slab *s, const uint8_t *const *row, const uint8_t *next, int64_t k,
                        int64_t n, dtype t){ BY_BLOCK(t, unpack, s, row, next, k, n) }

/* ---- products ---- */

/* sum + four bytes of 16 outputs times digits [4c, 4c + 4) of a row. */
VEC_INLINE __m512i dot(__m512i sum, __m512i q, const int8_t *digit, int c)
{
    int32_t four;
    memcpy(&four, digit + 4 * c, sizeof four);
    return _mm512_dpbusd_epi32(sum, q, _mm512_set1_epi32(four));
}

/* Group g of n rows: into `high` S_2, into `low` S_0 + 2^8 S_1. */
VEC_INLINE void group_sums(const slab *s, const fixed *const *f, int64_t g, int n, __m512i *high,
                           __m512i *low, int group)
{
    for (int r = 0; r < n; r++) {
        high[r] = _mm512_set1_epi32(f[r]->start[2]);
        low[r] = _mm512_set1_epi32(f[r]->start[1]);
    }
    for (int c = 0; c < group / 4; c++) {
        __m512i q = _mm512_load_si512(s->q[g * group / 4 + c]);
        for (int r = 0; r < n; r++) {
            high[r] = dot(high[r], q, f[r]->digit + 2 * group, c);
            low[r] = dot(low[r], q, f[r]->digit + group, c);
        }
    }
    for (int r = 0; r < n; r++)
        low[r] = _mm512_add_epi32(_mm512_slli_epi32(low[r], 8), _mm512_set1_epi32(f[r]->start[0]));
    for (int c = 0; c < group / 4; c++) {
        __m512i q = _mm512_load_si512(s->q[g * group / 4 + c]);
        for (int r = 0; r < n; r++) low[r] = dot(low[r], q, f[r]->digit, c);
    }
}

VEC_INLINE void meet(const slab *s, const char *const *x, int64_t n_group, float (*sum)[SIDE],
                     int n, int group, bool offset)
{
    __m512 y[MEET];
    for (int r = 0; r < n; r++) y[r] = _mm512_loadu_ps(sum[r]);
    for (int64_t g = 0; g < n_group; g++) {
        const fixed *f[MEET];
        __m512i high[MEET], low[MEET];
        __m512 scale = _mm512_load_ps(s->scale[g]);
        for (int r = 0; r < n; r++) f[r] = fixed_at(x[r], g, group);
        group_sums(s, f, g, n, high, low, group);
        for (int r = 0; r < n; r++) {
            __m512 whole = _mm512_fmadd_ps(_mm512_cvtepi32_ps(high[r]), _mm512_set1_ps(0x1p16f),
                                           _mm512_cvtepi32_ps(low[r]));
            whole = _mm512_mul_ps(whole, _mm512_set1_ps(f[r]->unit));
            y[r] = _mm512_fmadd_ps(scale, whole, y[r]);
            if (offset)
                y[r] =
                    _mm512_fmadd_ps(_mm512_load_ps(s->offset[g]), _mm512_set1_ps(f[r]->sum), y[r]);
        }
    }
    for (int r = 0; r < n; r++) _mm512_storeu_ps(sum[r], y[r]);
}

/* The number of rows as a constant. */
VEC_INLINE void meet_rows(const slab *s, const char *const *x, int64_t n, float (*sum)[SIDE],
                          int n_row, int group, bool offset)
{
    switch (n_row) {
    case 1: meet(s, x, n / group, sum, 1, group, offset); break;
    case 2: meet(s, x, n / group, sum, 2, group, offset); break;
    case 3: meet(s, x, n / group, sum, 3, group, offset); break;
    case 4: meet(s, x, n / group, sum, 4, group, offset); break;
    case 5: meet(s, x, n / group, sum, 5, group, offset); break;
    case 6: meet(s, x, n / group, sum, 6, group, offset); break;
    case 7: meet(s, x, n / group, sum, 7, group, offset); break;
    default: meet(s, x, n / group, sum, 8, group, offset); break;
    }
}

static void slab_meet(const slab *s, const char *const *x, int64_t n, float (*sum)[SIDE], int n_row,
                      dtype t)
{
    bool offset = block_has_offset(t);
    if (block_group(t) == LEAST)
        offset ? meet_rows(s, x, n, sum, n_row, LEAST, true)
               : meet_rows(s, x, n, sum, n_row, LEAST, false);
    else
        offset ? meet_rows(s, x, n, sum, n_row, MAX_GROUP, true)
               : meet_rows(s, x, n, sum, n_row, MAX_GROUP, false);
}
/* SPDX-License-Identifier: MIT */
