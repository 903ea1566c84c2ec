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

/* Sixteen addresses are read again: in registers they were moved about. */
VEC_INLINE void rows_again(span *s) { __asm__("" : "+r"(s->row)); }

/* Number k's part, of which m columns are wanted. */
VEC_INLINE void part_find(span *s, const uint8_t *next, int64_t k, int m, dtype t)
{
    rows_again(s);
    span_find(s, k, 1.0f, t);
    ask(next, k, m, t);
}

/* ---- a part by shares: groups whose bits lie together, so that they need not leave registers ---- */

/* Shares of a part; groups of a share; the i-th of them. */
VEC_INLINE int part_shares(dtype t) { return block_part(t) == BLOCK_PART ? 2 : 1; }

VEC_INLINE int share_groups(dtype t) { return block_part(t) / block_group(t) / part_shares(t); }

VEC_INLINE int share_group(int share, int i, dtype t)
{
    return block_group(t) == LEAST ? 2 * i + share : share * share_groups(t) + i;
}

VEC_INLINE void share_turn(span *s, int share, dtype t)
{
    if (block_part(t) != BLOCK_PART)
        for (int i = 0; i < low_bytes(t) / 16; i++) low_turn(s, i, t);
    else if (block_group(t) == LEAST) {
        low_turn(s, share, t);
        if (low_bytes(t) == 64) low_turn(s, 2 + share, t);
        if (has_high(t)) high_turn(s, share, t);
    } else {
        low_turn(s, 2 * share, t), low_turn(s, 2 * share + 1, t);
        if (has_high(t) && !share) high_turn(s, 0, t), high_turn(s, 1, t);
    }
}

/* q + bias of numbers [4c, 4c + 4) of a group. */
VEC_INLINE __m512i group_word(const span *s, int group, int c, dtype t)
{
    return biased(s, group * block_group(t) + c / 4 * LEAST, c % 4, t);
}

/* ---- a part's columns [from, end) at column i of the slab ---- */

VEC_INLINE void unpack_group(slab *s, const span *part, int64_t i, int g, dtype t)
{
    for (int c = 0; c < block_group(t) / 4; c++)
        _mm512_store_si512(s->q[i / 4 + c], group_word(part, g, c, t));
    _mm512_store_ps(s->scale[i / block_group(t)], part->scale[g]);
    if (block_has_offset(t)) _mm512_store_ps(s->offset[i / block_group(t)], part->offset[g]);
}

VEC_INLINE void unpack_part(slab *s, span *part, int64_t i, int from, int end, dtype t)
{
#pragma GCC unroll 2
    for (int share = 0; share < part_shares(t); share++) {
        share_turn(part, share, t);
#pragma GCC unroll 4
        for (int j = 0; j < share_groups(t); j++) {
            int g = share_group(share, j, t), at = g * block_group(t);
            if (at >= from && at < end) unpack_group(s, part, i + at - from, g, t);
        }
    }
}

VEC_INLINE void unpack(slab *s, const uint8_t *const *row, const uint8_t *next, int64_t k,
                       int64_t n, dtype t)
{
    span part = { .row = row };
    for (int64_t i = 0; i < n;) {
        int from = (int)((k + i) % block_part(t)), left = block_part(t) - from,
            m = n - i < left ? (int)(n - i) : left;
        part_find(&part, next, k + i, m, t);
        if (m == block_part(t)) unpack_part(s, &part, i, 0, block_part(t), t);
        else unpack_part(s, &part, i, from, from + m, t);
        i += m;
    }
}

static void slab_unpack(slab *s, const uint8_t *const *row, const uint8_t *next, int64_t k,
                        int64_t n, dtype t){ BY_BLOCK(t, unpack, s, row, next, k, n) }

/* ---- rows as fixed point: fixed_make(), a group at once ---- */

VEC_INLINE int32_t lanes_sum(__m256i x)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

/* The d-th digits of 16 numbers in the lower half, of the next 16 in the upper one. */
VEC_INLINE __m256i digits_of(const __m512i n[2], int d)
{
    __m128i low = _mm512_cvtepi32_epi8(_mm512_srli_epi32(n[0], 8 * (unsigned)d)),
            high = _mm512_cvtepi32_epi8(_mm512_srli_epi32(n[1], 8 * (unsigned)d));
    return _mm256_set_m128i(high, low);
}

static __attribute__((noinline)) void fixed_group(fixed *f, const float *x, int group, int bias)
{
    const __m512i sign = _mm512_set1_epi32(0x7fffffff), carry = _mm512_set1_epi32(0x808080);
    __m512i n[2] = { _mm512_loadu_si512(x) };
    n[1] = group == MAX_GROUP ? _mm512_loadu_si512(x + 16) : _mm512_setzero_si512();
    uint32_t most = _mm512_reduce_max_epu32(
        _mm512_max_epu32(_mm512_and_si512(n[0], sign), _mm512_and_si512(n[1], sign)));
    fixed_units(f, most);
    for (int h = 0; h < 2; h++) {
        __m512 v = _mm512_mul_ps(_mm512_castsi512_ps(n[h]), _mm512_set1_ps(fixed_scale(most)));
        __m512i k = _mm512_maskz_cvtps_epi32(fixed_finite(most) ? 0xffff : 0, v);
        n[h] = _mm512_xor_si512(_mm512_add_epi32(k, carry), carry);
    }
    int32_t sum[DIGITS];
    for (int d = 0; d < DIGITS; d++) {
        __m256i digit = digits_of(n, d);
        if (group == MAX_GROUP)
            _mm256_storeu_si256((__m256i *)(void *)(f->digit + d * group), digit);
        else
            _mm_storeu_si128((__m128i *)(void *)(f->digit + d * group),
                             _mm256_castsi256_si128(digit));
        sum[d] = lanes_sum(_mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), digit));
    }
    fixed_sums(f, sum, bias);
}

/* ---- products ---- */

/* sum + four bytes of 16 outputs times digits [4c, 4c + 4) of a row. */
VEC_INLINE __m512i dot(__m512i sum, __m512i q, const int8_t *digit, int c)
{
    typedef const int32_t __attribute__((may_alias)) four;
    __asm__("vpdpbusd %2%{1to16%}, %1, %0"
            : "+v"(sum)
            : "v"(q), "m"(*(four *)(const void *)(digit + 4 * c)));
    return sum;
}

/* T unit, of S_2 and S_0 + 2^8 S_1. */
VEC_INLINE __m512 group_whole(__m512i high, __m512i low, float unit)
{
    __m512 whole =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(high), _mm512_set1_ps(0x1p16f), _mm512_cvtepi32_ps(low));
    return _mm512_mul_ps(whole, _mm512_set1_ps(unit));
}

/* ---- one row: integers go from registers into the sums ---- */

/* Where a group's integers are the upper halves of bytes they may stay there, 16 times as large. */
VEC_INLINE bool stays_above(int group, dtype t) { return t == DTYPE_Q4_K && group % 2; }

VEC_INLINE __m512i word_as_it_lies(const span *s, int group, int c, dtype t)
{
    if (!stays_above(group, t)) return group_word(s, group, c, t);
    return _mm512_and_si512(s->low[group / 2 * 8 + c], _mm512_set1_epi8((char)0xf0));
}

VEC_INLINE __m512 one_group(const span *s, int g, const fixed *f, dtype t)
{
    __m512i sum[DIGITS];
    for (int d = 0; d < DIGITS; d++)
        sum[d] = block_bias(t) ? _mm512_set1_epi32(f->start[d]) : _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int c = 0; c < block_group(t) / 4; c++) {
        __m512i q = word_as_it_lies(s, g, c, t);
        for (int d = 0; d < DIGITS; d++) sum[d] = dot(sum[d], q, f->digit + d * block_group(t), c);
    }
    return group_whole(sum[2], _mm512_add_epi32(sum[0], _mm512_slli_epi32(sum[1], 8)),
                       stays_above(g, t) ? f->unit_16th : f->unit);
}

/* A sum that grows group by group; when it has n_each columns it is added to those before it. */
typedef struct growing {
    __m512 y, all;
    int64_t n_each, left;
} growing;

VEC_INLINE void grow(growing *s, __m512 y, int group)
{
    s->y = y, s->left -= group;
    if (s->left) return;
    s->all = _mm512_add_ps(s->all, y);
    s->y = _mm512_setzero_ps(), s->left = s->n_each;
}

/* Columns [from, end) of a part; x: the group of the first.  Shares come as they lie, sums by group. */
VEC_INLINE void one_part(growing *s, span *part, const char *x, int from, int end, dtype t)
{
    int group = block_group(t), first = from / group;
    __m512 whole[BLOCK_GROUPS];
#pragma GCC unroll 2
    for (int share = 0; share < part_shares(t); share++) {
        share_turn(part, share, t);
#pragma GCC unroll 4
        for (int j = 0; j < share_groups(t); j++) {
            int g = share_group(share, j, t);
            whole[g] = _mm512_setzero_ps();
            if (g * group < from || g * group >= end) continue;
            whole[g] = one_group(part, g, fixed_at(x, g - first, group), t);
        }
    }
#pragma GCC unroll 8
    for (int g = 0; g < block_part(t) / group; g++) {
        if (g * group < from || g * group >= end) continue;
        __m512 y = _mm512_fmadd_ps(part->scale[g], whole[g], s->y);
        float sum = fixed_at(x, g - first, group)->sum;
        if (block_has_offset(t)) y = _mm512_fmadd_ps(part->offset[g], _mm512_set1_ps(sum), y);
        grow(s, y, group);
    }
}

/* Bytes of a row's fixed point. */
VEC_INLINE int64_t one_bytes(int n, dtype t)
{
    return n / block_group(t) * (int64_t)fixed_bytes(block_group(t));
}

/* All parts of the block from k on: what it has for all of them is turned once. */
VEC_INLINE void one_block(growing *s, span *part, const uint8_t *next, int64_t k, const char *x,
                          dtype t)
{
    span_block(part, k, t);
#pragma GCC unroll 2
    for (int p = 0; p < block_numbers(t) / block_part(t); p++) {
        rows_again(part);
        span_part(part, p, 1.0f, t);
        ask(next, k + p * block_part(t), block_part(t), t);
        one_part(s, part, x + p * one_bytes(block_part(t), t), 0, block_part(t), t);
    }
}

VEC_INLINE void one_row(float *sum, const uint8_t *const *row, const uint8_t *next, int64_t k,
                        int64_t n, int64_t n_each, const char *x, dtype t)
{
    span part = { .row = row };
    growing s = {
        .y = _mm512_setzero_ps(), .all = _mm512_set1_ps(-0.0f), .n_each = n_each, .left = n_each
    };
    for (int64_t end = k + n, m; k < end; k += m, x += one_bytes((int)m, t)) {
        int from = (int)(k % block_part(t));
        m = block_numbers(t);
        if (k % m == 0 && m <= end - k) {
            one_block(&s, &part, next, k, x, t);
            continue;
        }
        m = end - k < block_part(t) - from ? end - k : block_part(t) - from;
        part_find(&part, next, k, (int)m, t);
        one_part(&s, &part, x, from, from + (int)m, t);
    }
    _mm512_storeu_ps(sum, s.all);
}

static bool row_meets(float *sum, const uint8_t *const *row, const uint8_t *next, int64_t k,
                      int64_t n, int64_t n_each, const char *x, dtype t)
{
    BY_BLOCK(t, one_row, sum, row, next, k, n, n_each, x)
    return true;
}

/* ---- rows ---- */

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
            y[r] = _mm512_fmadd_ps(scale, group_whole(high[r], low[r], f[r]->unit), y[r]);
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
