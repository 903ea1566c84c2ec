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
#include "backend/block_words.h"
#include "backend/panel.h"

/* A sum waits for the one before; with one row of x, ONE vecs of outputs take turns to fill the time. */
enum {
    STEP = 16,      /* columns unpacked at once */
    CHUNK = 256,    /* columns of a panel that stays in the nearest caches */
    ONE = 64 / VEC, /* vecs of outputs for one row of x */
};

#define UNIT 0x1p-24f /* words_byte is 2^24 times an integer */

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

/* Columns [begin, begin + n_each). */
VEC_INLINE void sums(const product *p, int64_t c, int64_t begin, vec acc[ONE], dtype t)
{
    const uint8_t *row[ONE * VEC];
    span s[ONE];
    rows_at(p, c, ONE * VEC, row);
    const uint8_t *next = row[0] + ONE * VEC * p->w.row_bytes;
    for (int h = 0; h < ONE; h++) s[h].row = row + h * VEC, acc[h] = vec_splat(0.0f);
    for (int64_t k = p->k0 + begin, end = k + p->n_each; k < end;) {
        int64_t start = k / block_part(t) * block_part(t), stop = start + block_part(t);
        if (stop > end) stop = end;
        for (int h = 0; h < ONE; h++) span_begin(&s[h], k, UNIT, t);
        for (; k < stop; k += STEP) {
            fetch(next, ONE * VEC, k - p->k0, t);
            const float *x = p->x[0] + p->x0 + (k - p->k0);
            for (int i = 0; i < STEP; i += 4)
                for (int h = 0; h < ONE; h++) {
                    vec w[4];
                    weights(&s[h], (int)(k - start), i / 4, w, t);
                    for (int j = 0; j < 4; j++) acc[h] = vec_fma(vec_splat(x[i + j]), w[j], acc[h]);
                }
        }
    }
}

VEC_INLINE void one_row(const product *p, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += ONE * VEC) {
        vec all[ONE], acc[ONE];
        sums(p, c, 0, all, t);
        for (int64_t k = p->n_each; k < p->n_k; k += p->n_each) {
            sums(p, c, k, acc, t);
            for (int h = 0; h < ONE; h++) all[h] = vec_add(all[h], acc[h]);
        }
        for (int h = 0; h < ONE; h++) {
            int64_t left = p->n_col - c - h * VEC;
            if (left > 0)
                vec_store_part(p->y[0] + p->y0 + c + h * VEC, all[h], left < VEC ? (int)left : VEC);
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
            span_begin(&s, at, UNIT, t);
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
                  .how = k == 0               ? FINISH_SET
                         : k % p->n_each == 0 ? FINISH_ADD
                                              : FINISH_CARRY };
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
            int64_t left = p->n_each - k % p->n_each;
            n = left < CHUNK ? left : CHUNK;
            BY_BLOCK(p->w.dtype, unpack, p, c, p->k0 + k, n, panel)
            meet(p, c, k, n, panel);
        }
}

bool blocks_fit(const product *p)
{
    return p->by_out && dtype_is_block(p->w.dtype) && p->k0 % STEP == 0 && p->n_each % STEP == 0 &&
           (p->n_each == p->n_k || p->n_each <= CHUNK);
}

void blocks_run(const product *p)
{
    if (p->n_row > 1) rows(p);
    else BY_BLOCK(p->w.dtype, one_row, p)
}
/* SPDX-License-Identifier: MIT */
