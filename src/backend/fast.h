/* fast -- `--precision fast`: products with weights as the processor's units for short numbers do them; all else is
 * canonical float32.
 *
 *     weights of floats    linear in three-part bf16, where there are matrix units for bf16 (AMX)
 *     weights in blocks    linear and attention's output as products of integers with 24-bit rows, where bytes are
 *                          multiplied (AVX-512 VNNI)
 *
 * Not the canonical bits, and always the same ones: a row's result does not depend on other rows, threads or
 * waves.  docs/numerics.md states the bounds and derives them. */
#ifndef MICROTOME_BACKEND_FAST_H
#define MICROTOME_BACKEND_FAST_H
#include "backend/backend_def.h"
#include "graph/graph.h"

/* linear on AMX; and the same bits in plain C, for tests.  linear_amx is empty (run NULL) where the compiler has no AMX.
 *
 * [err: none | owns: nothing | thread: any | cost: six bf16 products for one of floats] */
extern const kernel linear_amx, linear_tiles;

/* What there is of it: linear for weights of floats, kernels for weights in blocks; either may be NULL. */
typedef struct fast {
    const kernel *floats;
    const struct overlay *blocks;
} fast;

/* On this processor; emulate: in plain C what it lacks.
 *
 * [err: none | owns: static | thread: any | cost: a system call] */
fast fast_here(bool emulate);

/* Is this call one for the kernels of blocks: a product with a weight that lies in blocks by rows of outputs, cut, if
 * at all, between groups?
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
bool fast_takes(const batch *b);

/* |computed - exact| of one output is at most precision_bound(n_k) times the sum of |x[k]| |w[k]|, before the bias
 * is added, if no part of a number is below 2^-126 and nothing overflows.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double precision_bound(int64_t n_k);

/* Of a weight in blocks of type t: at most blocks_bound(t, n_k) times the sum over groups of max|x| times the sum of
 * |scale q| + |offset|, max|x| being the group's largest or 2^-104.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double blocks_bound(dtype t, int64_t n_k);

#endif
/* SPDX-License-Identifier: MIT */
