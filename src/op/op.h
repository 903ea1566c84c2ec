/* op -- what the files in this room share.
 *
 * Every file is compiled up to five times (OP_BUILD): 0 float; 1 double; 2 and 3 the same with AVX2
 * and FMA; 4 float with AVX-512.  `real` is the type; real_exp and its kind are math32.h's.  The plain C is the canonical
 * order of operations (docs/numerics.md): compilers may do several elements at once, and with the
 * flags this room is built with they never change the order within one. */
#ifndef MICROTOME_OP_OP_H
#define MICROTOME_OP_OP_H

#ifndef OP_BUILD
#define OP_BUILD 0
#endif
#if OP_BUILD & 1
typedef double real;
#define REAL_F64 1
#define DTYPE_REAL DTYPE_F64
#define dtype_part_real dtype_part_f64
#else
typedef float real;
#define REAL_F64 0
#define DTYPE_REAL DTYPE_F32
#define dtype_part_real dtype_part_f32
#endif

#include "ops.gen.h"
#include "tensor/math32.h"
#include <string.h>

/* Input k at row `row`, as line i's job sees it: from the first part asked for (xb[k].a0) on. */
static inline const real *op_line(const batch *b, int k, int64_t i, int32_t row)
{
    const job *j = &b->job[b->line_job[i]];
    return b->x[k][j->x0[k] + row - j->xb[k].r0];
}

/* The same at the line's own row. */
static inline const real *op_same_line(const batch *b, int k, int64_t i)
{
    return op_line(b, k, i, b->pos[i]);
}

/* Numbers in line i of the output. */
static inline int64_t op_numbers(const batch *b, int64_t i)
{
    return (int64_t)(b->a1 - b->a0) * batch_width(b, b->n, i);
}

/* Numbers [col, col + n) of row `row` of a weight. */
static inline void op_weight(const weight_view *w, int64_t row, int64_t col, int64_t n, real *out)
{
    dtype_part_real(w->dtype, weight_at(w, row), col, n, out);
}

/* All of row 0 of a weight: in place where it is of the type computed in, else through `space`. */
static inline const real *op_vector(const weight_view *w, int64_t n, real *space)
{
    if (w->dtype == DTYPE_REAL && (uintptr_t)w->base % sizeof(real) == 0)
        return (const real *)(const void *)w->base;
    op_weight(w, 0, 0, n, space);
    return space;
}

/* sum16: what is at absolute index i goes to s[i % 16]; then halves are added. */
static inline real op_fold16(real s[16])
{
    for (int step = 8; step; step /= 2)
        for (int j = 0; j < step; j++) s[j] = s[j] + s[j + step];
    return s[0];
}

static inline real op_sum16(const real *x, int64_t n)
{
    real s[16] = { 0 };
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) s[j] = s[j] + x[i + j];
    for (int j = 0; i < n; i++, j++) s[j] = s[j] + x[i];
    return op_fold16(s);
}

/* The same of (x - mean)^2, by fma. */
static inline real op_squares16(const real *x, int64_t n, real mean)
{
    real s[16] = { 0 };
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            real d = x[i + j] - mean;
            s[j] = real_fma(d, d, s[j]);
        }
    for (int j = 0; i < n; i++, j++) {
        real d = x[i] - mean;
        s[j] = real_fma(d, d, s[j]);
    }
    return op_fold16(s);
}

/* Which queries see the keys of b; which keys the queries of b see.  pair: the lines that keys make. */
static inline box op_keys_reach(const node *pair, box b, const lane *l)
{
    if (pair->both_ways) return (box){ 0, lane_len(l), b.a0, b.a1 };
    return (box){ b.r0, pair->window ? b.r1 - 1 + pair->window : lane_len(l), b.a0, b.a1 };
}

static inline box op_keys_need(const node *pair, box b, const lane *l)
{
    if (pair->both_ways) return (box){ 0, lane_len(l), b.a0, b.a1 };
    return (box){ node_first_key(pair, b.r0), b.r1, b.a0, b.a1 };
}

/* Everything of a node: what a weight read whole reaches; what is read whole is needed whole. */
static inline box op_all_of(const node *n, const lane *l) { return node_all(n, l); }

/* ---- element by element: ops of one input y[j] = f(x[j]) ---- */

#define OP_ELEMENTWISE(op, attrs, expr, madds)                                                     \
    static const char *shape(node *n) { return shape_like(n, n->in[0]); }                          \
    static void run(const batch *b, int64_t first, int64_t end, void *scratch)                     \
    {                                                                                              \
        const double *attr = b->n->attr;                                                           \
        (void)scratch, (void)attr;                                                                 \
        attrs;                                                                                     \
        for (int64_t i = first; i < end; i++) {                                                    \
            const real *restrict x = op_same_line(b, 0, i);                                        \
            real *restrict y = b->y[i];                                                            \
            for (int64_t j = 0, n = op_numbers(b, i); j < n; j++) y[j] = (expr);                   \
        }                                                                                          \
    }                                                                                              \
    static int64_t cost(const node *n, box b, const lane *l)                                       \
    {                                                                                              \
        return (madds)*node_numbers(n, b, l);                                                      \
    }                                                                                              \
    static node *sample(graph *g, int i) { return sample_unary(g, i, &op_##op##_def); }

#define OP_ELEMENTWISE_DEF(says)                                                                   \
    {                                                                                              \
        .name = says, .n_in = 1, .shape = shape, .reach = need_same, .need = need_same,            \
        .kernel = { .run = run }, .cost = cost, .sample = sample                                   \
    }

#include "op/sample.h"

#endif
/* SPDX-License-Identifier: MIT */
