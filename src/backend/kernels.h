/* kernels -- the hand-written kernels, by name; backend/NAME.c says which op or fusion each is for.
 *
 * Each has the bits of the plain C in its op's or fusion's file, whatever the rows, parts, units
 * and addresses (tests/t_backend.c). */
#ifndef MICROTOME_BACKEND_KERNELS_H
#define MICROTOME_BACKEND_KERNELS_H
#include "graph/graph.h"

/* [err: none | owns: nothing | thread: any | cost: that of the op] */
extern const kernel linear_avx2, scores_avx2, softmax_avx2, mix_avx2, attention_avx2, result_avx2,
    attn_out_avx2;

#endif
/* SPDX-License-Identifier: MIT */
