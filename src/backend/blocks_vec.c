/* blocks_vec -- products with a weight in blocks (tensor/blocks.h) that is stored by rows of outputs.
 *
 * Few rows: VEC outputs are the lanes.  For a *span* of a row, BLOCK_PART numbers, the small integers of VEC rows are
 * unpacked into the first cache (those of Q8_0 are read where they lie), turned 16 at a time and made floats; scale and
 * offset are vecs.  The weight is scale * q + offset as everywhere, by fma: the product is exact, so that nothing is
 * rounded that tensor/blocks.h does not round.  Sums go over k ascending, one fma each: the bits of op/linear.c.
 *
 * Two vecs of outputs go together: a sum waits for the one before, and another's fill the time. */
#include "tensor/blocks.h"
#include "backend/panel.h"

enum {
    GROUPS = 2,     /* vecs of outputs at once */
    STEP = 16,      /* columns turned at once */
    MOST = VEC / 2, /* rows of x, as product_vec.c has it */
    SCALES = 16,    /* bytes for the scales and minima of a row's part, at most 8 and 8 */
};

#define ALWAYS __attribute__((always_inline)) static inline

/* A span of VEC rows: where its bytes are, and its scales by group. */
typedef struct span {
    const int8_t *at[VEC];
    int8_t q[VEC][BLOCK_PART];
    int8_t scales[VEC][SCALES];
    uint16_t d[BLOCK_PART / 32][VEC], m[BLOCK_PART / 32][VEC];
    vec scale[BLOCK_GROUPS], offset[BLOCK_GROUPS];
} span;

/* Parts in a span; bytes from one to the next in a row. */
ALWAYS int parts_of(dtype t) { return BLOCK_PART / block_part(t); }

/* The block and part that hold number k of a row. */
ALWAYS const uint8_t *block_at(const char *row, int64_t k, dtype t)
{
    return (const uint8_t *)row + k / block_numbers(t) * block_bytes(t);
}

ALWAYS int part_at(int64_t k, dtype t) { return (int)(k % block_numbers(t)) / block_part(t); }

/* One row of the span that begins at k, of which n numbers are there. */
ALWAYS void unpack_row(span *s, int r, const char *row, int64_t k, int64_t n, dtype t)
{
    int n_part = (int)((n + block_part(t) - 1) / block_part(t));
    for (int p = 0; p < parts_of(t); p++) {
        if (p == n_part) break;
        const uint8_t *b = block_at(row, k + p * block_part(t), t);
        int part = part_at(k, t);
        int8_t q[BLOCK_PART]; /* of its own, so that the compiler sees it overlaps nothing */
        if (t != DTYPE_Q8_0) {
            block_quants(b, part, q, t);
            memcpy(s->q[r] + p * block_part(t), q, (size_t)block_part(t));
        }
        if (block_has_scales(t))
            block_scales(b, part, s->scales[r], s->scales[r] + BLOCK_GROUPS, t);
        s->d[p][r] = block_d(b, t);
        if (block_has_offset(t)) s->m[p][r] = block_m(b, t);
    }
    s->at[r] = t == DTYPE_Q8_0 ? (const int8_t *)block_at(row, k, t) + 2 : s->q[r];
}

/* Scales and offsets as vecs. */
ALWAYS void turn_scales(span *s, int64_t n, dtype t)
{
    int n_group = (int)((n + block_group(t) - 1) / block_group(t));
    if (!block_has_scales(t)) {
        for (int g = 0; g < BLOCK_PART / 32; g++) {
            if (g == n_group) break;
            s->scale[g] = vec_load_f16(s->d[g]);
            if (block_has_offset(t)) s->offset[g] = vec_load_f16(s->m[g]);
        }
        return;
    }
    const int8_t *row[VEC];
    vec turned[STEP], d = vec_load_f16(s->d[0]), m = vec_splat(0);
    if (block_has_offset(t)) m = vec_mul(vec_load_f16(s->m[0]), vec_splat(-1));
    for (int r = 0; r < VEC; r++) row[r] = s->scales[r];
    vec_turn_bytes(turned, row, 0);
    for (int g = 0; g < BLOCK_PART / block_group(t); g++) {
        s->scale[g] = vec_mul(d, turned[g]);
        if (block_has_offset(t)) s->offset[g] = vec_mul(m, turned[BLOCK_GROUPS + g]);
    }
}

/* n rows of x, from the number `from` on, times STEP columns of the span from `at` on. */
ALWAYS void step_sums(const span *s, const product *p, int64_t from, int at, int n, vec *acc,
                      dtype t)
{
    vec q[STEP];
    int g = at / block_group(t);
    vec_turn_bytes(q, s->at, t == DTYPE_Q8_0 ? at + at / 32 * 2 : at);
    for (int k = 0; k < STEP; k++) {
        vec w = block_has_offset(t) ? vec_fma(s->scale[g], q[k], s->offset[g])
                                    : vec_mul(s->scale[g], q[k]);
        for (int r = 0; r < n; r++) acc[r] = vec_fma(vec_splat(p->x[r][from + k]), w, acc[r]);
    }
}

/* Lines of the rows that come next, as many as a span of these has. */
ALWAYS void fetch(const char *next, int64_t k, dtype t)
{
    const char *p = (const char *)block_at(next, k, t);
    int bytes = BLOCK_PART * block_bytes(t) / block_numbers(t);
    if (part_at(k, t)) p += bytes;
    for (int i = 0; i < bytes; i += 64) vec_prefetch(p + i);
}

/* GROUPS * VEC outputs from c on, n rows of x: n is a constant at every call. */
ALWAYS void outputs(const product *p, int64_t c, int n, span *s, dtype t)
{
    const char *row[GROUPS * VEC], *next[GROUPS * VEC];
    vec acc[GROUPS][MOST];
    for (int j = 0; j < GROUPS * VEC; j++) {
        int64_t last = p->n_col - 1, at = c + j;
        row[j] = weight_at(&p->w, p->col0 + (at < last ? at : last));
        at += GROUPS * VEC;
        next[j] = weight_at(&p->w, p->col0 + (at < last ? at : last));
    }
    for (int g = 0; g < GROUPS; g++)
        for (int r = 0; r < n; r++) acc[g][r] = vec_splat(0.0f);
    for (int64_t k = p->k0, end = p->k0 + p->n_k; k < end;) {
        int64_t begin = k / BLOCK_PART * BLOCK_PART, stop = begin + BLOCK_PART;
        if (stop > end) stop = end;
        for (int g = 0; g < GROUPS; g++) {
            for (int r = 0; r < VEC; r++) {
                unpack_row(&s[g], r, row[g * VEC + r], begin, stop - begin, t);
                fetch(next[g * VEC + r], begin, t);
            }
            turn_scales(&s[g], stop - begin, t);
        }
        for (int at = (int)(k - begin); at < stop - begin; at += STEP)
            for (int g = 0; g < GROUPS; g++)
                step_sums(&s[g], p, p->x0 + begin + at - p->k0, at, n, acc[g], t);
        k = stop;
    }
    for (int g = 0; g < GROUPS; g++)
        for (int r = 0; r < n; r++) {
            int64_t left = p->n_col - c - g * VEC;
            float *y = p->y[r] + p->y0 + c + g * VEC;
            int part = left < VEC ? (int)left : VEC;
            if (part <= 0) continue;
            if (p->add) acc[g][r] = vec_add(vec_load_part(y, part), acc[g][r]);
            vec_store_part(y, acc[g][r], part);
        }
}

ALWAYS void some_outputs(const product *p, span *s, int n, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += GROUPS * VEC) outputs(p, c, n, s, t);
}

ALWAYS void by_rows(const product *p, span *s, dtype t)
{
    switch (p->n_row) {
    case 1: some_outputs(p, s, 1, t); break;
    case 2: some_outputs(p, s, 2, t); break;
    case 3: some_outputs(p, s, 3, t); break;
    case 4: some_outputs(p, s, 4, t); break;
#if VEC == 16
    case 5: some_outputs(p, s, 5, t); break;
    case 6: some_outputs(p, s, 6, t); break;
    case 7: some_outputs(p, s, 7, t); break;
    case 8: some_outputs(p, s, 8, t); break;
#endif
    default: break;
    }
}

bool blocks_fit(const product *p)
{
    return p->by_out && p->n_row <= MOST && dtype_is_block(p->w.dtype) && p->k0 % STEP == 0 &&
           p->n_k % STEP == 0;
}

void blocks_few(const product *p)
{
    span s[GROUPS];
    BY_BLOCK(p->w.dtype, by_rows, p, s)
}

/* ---- rows as floats ---- */

ALWAYS void row_floats(const char *row, int64_t k, int64_t n, float *out, dtype t)
{
    int64_t size = block_part(t);
    while (n > 0) {
        if (k % size || n < size) {
            int64_t few = size - k % size < n ? size - k % size : n;
            dtype_part_f32(t, row, k, few, out);
            k += few, n -= few, out += few;
            continue;
        }
        block_floats(block_at(row, k, t), part_at(k, t), out, t);
        k += size, n -= size, out += size;
    }
}

void blocks_row(dtype t, const char *row, int64_t k, int64_t n, float *out)
{
    BY_BLOCK(t, row_floats, row, k, n, out)
}
/* SPDX-License-Identifier: MIT */
