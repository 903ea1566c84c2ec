/* fast -- `--precision fast`: linear in three-part bf16 on matrix units; all else is canonical float32.
 *
 * Not the canonical bits, and always the same ones: a row's result does not depend on other rows, threads or
 * waves.  docs/numerics.md states the bound and derives it. */
#ifndef MICROTOME_BACKEND_FAST_H
#define MICROTOME_BACKEND_FAST_H
#include "graph/graph.h"

/* On AMX; and the same bits in plain C, for tests.  linear_amx is empty (run NULL) where the compiler has no AMX.
 *
 * [err: none | owns: nothing | thread: any | cost: six bf16 products for one of floats] */
extern const kernel linear_amx, linear_tiles;

/* |computed - exact| of one output is at most precision_bound(n_k) times the sum of |x[k]| |w[k]|, before the bias
 * is added, if no part of a number is below 2^-126 and nothing overflows.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double precision_bound(int64_t n_k);

#endif
/* SPDX-License-Identifier: MIT */
