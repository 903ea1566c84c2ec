/* draw -- random numbers that need a function of math32: the same bits on every machine, as libm's are not.
 *
 * As base/rand.h, each is a function of (seed, stream, index). */
#ifndef MICROTOME_TENSOR_DRAW_H
#define MICROTOME_TENSOR_DRAW_H
#include "base/rand.h"

/* Standard normal, by Box and Muller in float32: at most 5.8 from 0.  Gumbel, -log(-log(u)): the largest of
 * y[i] + gumbel is drawn with probability softmax(y)[i].
 *
 * [err: none | owns: nothing | thread: any | cost: ten rounds and two functions] */
float draw_normal(uint64_t seed, uint32_t stream, uint64_t index);
float draw_gumbel(uint64_t seed, uint32_t stream, uint64_t index);

#endif
/* SPDX-License-Identifier: MIT */
