/* sample -- small inputs for op_def.sample: random weights, given inputs, odd shapes.
 *
 * A sample's inputs are graph_input()s; the test gives them numbers.  Weights are made here, of the
 * type that sample i asks for. */
#ifndef MICROTOME_OP_SAMPLE_H
#define MICROTOME_OP_SAMPLE_H
#include "base/rand.h"

/* Types in turn: i of sample(g, i) picks one. */
static inline dtype sample_type(int i)
{
    static const dtype type[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_F64 };
    return type[i % 4];
}

/* A random weight, uniform in centre -1 .. centre + 1. */
static inline node *sample_weight(graph *g, int i, int n_row, int n_col, float centre)
{
    dtype t = sample_type(i);
    size_t size = dtype_bytes(t);
    char *v = arena_array(&g->mem, (int64_t)n_row * n_col, size);
    if (!v) return NULL;
    for (int64_t k = 0; k < (int64_t)n_row * n_col; k++) {
        float x = centre + 2 * rand_unit((uint64_t)i, rand_stream("op.sample"), (uint64_t)k) - 1;
        dtype_row_from_f32(t, &x, v + (size_t)k * size, 1);
    }
    return graph_weight(g, "w", (weight_view){ v, n_col * (int64_t)size, t, 0 }, n_row, n_col);
}

/* Shapes for ops on one input: parts x width; the last is one line a query and key. */
static inline node *sample_input(graph *g, int i)
{
    static const int part[] = { 1, 3, 1, 37, 2 }, width[] = { 1, 5, 33, 1, 16 };
    return i < 5 ? graph_input(g, ROW, part[i], width[i]) : NULL;
}

static inline node *sample_unary(graph *g, int i, const op_def *op)
{
    node *x = sample_input(g, i);
    return x ? graph_push(g, op, (node *[MAX_IN]){ x }, (double[MAX_ATTR]){ 0.75 }) : NULL;
}

static inline node *sample_binary(graph *g, int i, const op_def *op)
{
    node *x = sample_input(g, i), *y = sample_input(g, i);
    return x ? graph_push(g, op, (node *[MAX_IN]){ x, y }, (double[MAX_ATTR]){ 0 }) : NULL;
}

#endif
/* SPDX-License-Identifier: MIT */
