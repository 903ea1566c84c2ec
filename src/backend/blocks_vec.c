/* blocks_vec -- products with a weight in blocks (tensor/blocks.h) that is stored by rows of outputs.
 *
 * VEC outputs are the lanes.  Of a *part* of a block, the bytes of VEC rows are turned, so that a vec of words holds the
 * same four bytes of each row; everything after that is done for all lanes at once: bits are put together to small
 * integers, these become floats, and the weight is scale * q + offset, by fma: the product is exact, so that nothing is
 * rounded that tensor/blocks.h does not round.  An integer is taken out of a word as q * 2^24 and the scale is 2^-24 of
 * what it is: powers of two, exact as well.
 *
 *     one row    weights go from registers into the sums: the speed of decoding
 *     rows       a panel of weights is unpacked once for all rows, which meet it as a panel of floats (panel.h)
 *
 * Sums go over k ascending, one fma each: the bits of op/linear.c. */
#include "tensor/blocks.h"
#include "backend/panel.h"

/* A sum waits for the one before; with one row of x, ONE vecs of outputs take turns to fill the time. */
enum {
    STEP = 16,      /* columns unpacked at once */
    CHUNK = 256,    /* columns of a panel that stays in the nearest caches */
    ONE = 64 / VEC, /* vecs of outputs for one row of x */
    LOW_WORDS = 16, /* most words that a part's lower bits take, */
    HIGH_WORDS = 8, /* and its higher bits, where they lie elsewhere */
};

/* A part of VEC rows: where its block begins in them; its bytes, turned; its scales by group. */
typedef struct span {
    const uint8_t *const *row;
    int64_t block;
    int part;
    words low[LOW_WORDS], high[HIGH_WORDS];
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

/* Word c of four that hold q of columns at + 4c to at + 4c + 3, a signed byte each. */
VEC_INLINE words quants(const span *s, int at, int c, dtype t)
{
    int group = at / 32, in = at % 32 / 4 + c; /* of 32 columns; a word of 32 bytes */
    if (t == DTYPE_Q8_0) return s->low[in];
    if (t == DTYPE_Q2_K) return words_bits(s->low[in], 2 * group, 3);
    if (t == DTYPE_Q3_K) {
        words bit = words_left(words_bits(s->high[in], 4 * s->part + group, 1), 2);
        return words_less(words_or(words_bits(s->low[in], 2 * group, 3), bit), 4);
    }
    if (t == DTYPE_Q6_K) {
        words two = words_left(words_bits(s->high[in], 2 * group, 3), 4);
        words four = words_bits(s->low[group % 2 * 8 + in], group / 2 * 4, 15);
        return words_less(words_or(four, two), 32);
    }
    if (t == DTYPE_Q4_K || t == DTYPE_Q5_K) {
        words four = words_bits(s->low[group / 2 * 8 + in], group % 2 * 4, 15);
        if (t == DTYPE_Q4_K) return four;
        return words_or(four, words_left(words_bits(s->high[in], 4 * s->part + group, 1), 4));
    }
    words q = words_bits(s->low[c], at / 16 * 4, 15);
    if (has_fifth(t)) {
        words four = words_bits(s->high[0], at + 4 * c, 15);
        q = words_or(q, words_spread(four));
    }
    return t == DTYPE_Q4_0 ? words_less(q, 8) : t == DTYPE_Q5_0 ? words_less(q, 16) : q;
}

/* ---- scales ---- */

/* Eight groups' bytes of scales, and of minima where there are any: those that the part has. */
VEC_INLINE void scale_words(const span *s, words sc[2], words mn[2], dtype t)
{
    words w[4];
    int at = t == DTYPE_Q6_K ? 192 : t == DTYPE_Q3_K ? 92 : 0, p = s->part;
    words_turn(w, s->row, s->block + at);
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
VEC_INLINE void halves(span *s, vec *d, vec *m, dtype t)
{
    words w[4];
    if (!block_has_offset(t) && !has_fifth(t)) {
        *d = vec_turn_f16(s->row, s->block + block_d_at(t));
        return;
    }
    words_turn(w, s->row, s->block + (t == DTYPE_Q2_K ? 68 : 0));
    int i = t == DTYPE_Q2_K ? 3 : 0;
    words upper = words_bits(w[i], 16, 255);
    *d = words_f16(w[i]);
    if (block_has_offset(t)) *m = words_f16(upper);
    if (t == DTYPE_Q5_0) s->high[0] = words_or(upper, words_left(w[1], 16));
    if (t == DTYPE_Q5_1) s->high[0] = w[1];
}

VEC_INLINE void scales(span *s, dtype t)
{
    vec d = vec_splat(0.0f), m = vec_splat(0.0f);
    words sc[2], mn[2];
    halves(s, &d, &m, t);
    if (!block_has_scales(t)) {
        s->scale[0] = vec_mul(d, vec_splat(0x1p-24f)), s->offset[0] = m;
        return;
    }
    scale_words(s, sc, mn, t);
    d = vec_mul(d, vec_splat(0x1p-48f)), m = vec_mul(m, vec_splat(-0x1p-24f));
    for (int g = 0; g < BLOCK_PART / block_group(t); g++) {
        s->scale[g] = vec_mul(d, words_byte(sc[g / 4], g % 4));
        if (block_has_offset(t)) s->offset[g] = vec_mul(m, words_byte(mn[g / 4], g % 4));
    }
}

/* ---- a part of VEC rows, sixteen columns at a time ---- */

/* The part that holds number k. */
VEC_INLINE void span_begin(span *s, int64_t k, dtype t)
{
    s->block = k / block_numbers(t) * block_bytes(t);
    s->part = (int)(k % block_numbers(t)) / block_part(t);
    for (int i = 0; i < low_bytes(t) / 16; i++)
        words_turn(s->low + 4 * i, s->row, s->block + low_at(s->part, t) + 16 * i);
    for (int i = 0; has_high(t) && i < 2; i++)
        words_turn(s->high + 4 * i, s->row, s->block + high_at(s->part, t) + 16 * i);
    scales(s, t);
}

/* Four weights from column at + 4c on. */
VEC_INLINE void weights(const span *s, int at, int c, vec w[4], dtype t)
{
    words q = quants(s, at, c, t);
    vec scale = s->scale[at / block_group(t)], offset = s->offset[at / block_group(t)];
    for (int k = 0; k < 4; k++) {
        vec x = words_byte(q, k);
        w[k] = block_has_offset(t) ? vec_fma(scale, x, offset) : vec_mul(scale, x);
    }
}

/* n rows from output c on; beyond the last they are copies of it. */
VEC_INLINE void rows_at(const product *p, int64_t c, int n, const uint8_t **row)
{
    for (int j = 0; j < n; j++) {
        int64_t at = c + j < p->n_col ? c + j : p->n_col - 1;
        row[j] = (const uint8_t *)weight_at(&p->w, p->col0 + at);
    }
}

/* Ask for what comes next while it is far, n rows one behind the other: a piece of them in each step, in the order of
 * memory. */
VEC_INLINE void fetch(const uint8_t *next, int n, int64_t k, dtype t)
{
    int bytes = n * STEP * block_bytes(t) / block_numbers(t);
    const uint8_t *p = next + k / STEP * bytes;
    for (int i = 0; i < bytes; i += 64) vec_prefetch(p + i);
}

/* ---- one row ---- */

VEC_INLINE void sums(const product *p, int64_t c, vec acc[ONE], dtype t)
{
    const uint8_t *row[ONE * VEC];
    span s[ONE];
    rows_at(p, c, ONE * VEC, row);
    const uint8_t *next = row[0] + ONE * VEC * p->w.row_bytes;
    for (int h = 0; h < ONE; h++) s[h].row = row + h * VEC, acc[h] = vec_splat(0.0f);
    for (int64_t k = p->k0, end = p->k0 + p->n_k; k < end;) {
        int64_t begin = k / block_part(t) * block_part(t), stop = begin + block_part(t);
        if (stop > end) stop = end;
        for (int h = 0; h < ONE; h++) span_begin(&s[h], k, t);
        for (; k < stop; k += STEP) {
            fetch(next, ONE * VEC, k - p->k0, t);
            const float *x = p->x[0] + p->x0 + (k - p->k0);
            for (int i = 0; i < STEP; i += 4)
                for (int h = 0; h < ONE; h++) {
                    vec w[4];
                    weights(&s[h], (int)(k - begin), i / 4, w, t);
                    for (int j = 0; j < 4; j++) acc[h] = vec_fma(vec_splat(x[i + j]), w[j], acc[h]);
                }
        }
    }
}

VEC_INLINE void one_row(const product *p, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += ONE * VEC) {
        vec acc[ONE];
        sums(p, c, acc, t);
        for (int h = 0; h < ONE; h++) {
            int64_t left = p->n_col - c - h * VEC;
            float *y = p->y[0] + p->y0 + c + h * VEC;
            int n = left < VEC ? (int)left : VEC;
            if (n <= 0) continue;
            if (p->add) acc[h] = vec_add(vec_load_part(y, n), acc[h]);
            vec_store_part(y, acc[h], n);
        }
    }
}

/* ---- rows ---- */

/* Weights of columns [k, k + n) of a row, from output c on, as a panel. */
VEC_INLINE void unpack(const product *p, int64_t c, int64_t k, int64_t n, float *panel, dtype t)
{
    const uint8_t *row[PANEL];
    rows_at(p, c, PANEL, row);
    const uint8_t *next = row[0] + PANEL * p->w.row_bytes;
    for (int h = 0; h < 2; h++) {
        span s = { .row = row + h * VEC };
        for (int64_t at = k; at < k + n;) {
            int64_t begin = at / block_part(t) * block_part(t), stop = begin + block_part(t);
            if (stop > k + n) stop = k + n;
            span_begin(&s, at, t);
            for (; at < stop; at += STEP) {
                fetch(next + h * VEC * p->w.row_bytes, VEC, at - p->k0, t);
                for (int i = 0; i < STEP; i += 4) {
                    vec w[4];
                    float *to = panel + (at - k + i) * PANEL + h * VEC;
                    weights(&s, (int)(at - begin), i / 4, w, t);
                    for (int j = 0; j < 4; j++) vec_store(to + j * PANEL, w[j]);
                }
            }
        }
    }
}

/* All rows, in groups as equal as can be, times a panel. */
static void meet(const product *p, int64_t c, int64_t k, int64_t n, const float *panel)
{
    int64_t n_group = (p->n_row + PANEL_ROWS - 1) / PANEL_ROWS;
    piece one = { .panel = panel,
                  .x0 = p->x0 + k,
                  .y0 = p->y0 + c,
                  .n_k = n,
                  .n_col = p->n_col - c < PANEL ? (int)(p->n_col - c) : PANEL,
                  .how = k        ? FINISH_CARRY
                         : p->add ? FINISH_ADD
                                  : FINISH_SET };
    for (int64_t g = 0; g < n_group; g++) {
        int64_t first = g * p->n_row / n_group, end = (g + 1) * p->n_row / n_group;
        one.x = p->x + first, one.y = p->y + first;
        panel_multiply(&one, (int)(end - first));
    }
}

static void rows(const product *p)
{
    _Alignas(64) float panel[CHUNK * PANEL];
    for (int64_t c = 0; c < p->n_col; c += PANEL)
        for (int64_t k = 0, n; k < p->n_k; k += n) {
            n = p->n_k - k < CHUNK ? p->n_k - k : CHUNK;
            BY_BLOCK(p->w.dtype, unpack, p, c, p->k0 + k, n, panel)
            meet(p, c, k, n, panel);
        }
}

bool blocks_fit(const product *p)
{
    return p->by_out && dtype_is_block(p->w.dtype) && p->k0 % STEP == 0 && p->n_k % STEP == 0 &&
           !(p->add && p->n_k > CHUNK);
}

void blocks_run(const product *p)
{
    if (p->n_row > 1) rows(p);
    else BY_BLOCK(p->w.dtype, one_row, p)
}
/* SPDX-License-Identifier: MIT */
