/* rank -- the largest first: what tables of many show.
 *
 * Equal values stand in the order of their places, so that what is shown does not depend on the sort. */
#ifndef MICROTOME_INSTRUMENT_RANK_H
#define MICROTOME_INSTRUMENT_RANK_H
#include <stdint.h>

/* A value that is not NaN, and where it stands. */
typedef struct ranked {
    double v;
    int64_t at;
} ranked;

/* By size, the sign left aside; by value.
 *
 * [err: none | owns: list is the caller's | thread: any | cost: O(n log n)] */
void rank_by_size(ranked *list, int64_t n);
void rank_by_value(ranked *list, int64_t n);

#endif
/* SPDX-License-Identifier: MIT */
