/* rand -- Philox4x32-10: random numbers as a pure function of (seed, stream name, index).
 *
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).  No state
 * is kept, so a sample does not depend on what was drawn before it. */
#ifndef MICROTOME_BASE_RAND_H
#define MICROTOME_BASE_RAND_H
#include <stdint.h>

/* A stream's number from its name (FNV-1a), so that streams are named, not numbered.
 *
 * [err: none | owns: nothing | thread: any | cost: O(length)] */
uint32_t rand_stream(const char *name);

/* 32 random bits; uniform in [0, 1) with 24 bits.  (Normal and Gumbel numbers: tensor/draw.h.)
 *
 * [err: none | owns: nothing | thread: any | cost: ten rounds] */
uint32_t rand_bits(uint64_t seed, uint32_t stream, uint64_t index);
float rand_unit(uint64_t seed, uint32_t stream, uint64_t index);

/* An integer in [0, n), n >= 1, without bias worth the name (64-bit product).
 *
 * [err: none | owns: nothing | thread: any | cost: ten rounds] */
int64_t rand_below(uint64_t seed, uint32_t stream, uint64_t index, int64_t n);

#endif
/* SPDX-License-Identifier: MIT */
