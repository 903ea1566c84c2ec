/* pool -- threads that sleep until there is work, split statically; they look out for more for some
 * 300 us before they sleep.
 *
 * Work is `n` units; worker w of W gets [w*n/W, (w+1)*n/W).  Which worker does a unit
 * never shows in a result: units write disjoint memory and no unit reads another's. */
#ifndef MICROTOME_BASE_POOL_H
#define MICROTOME_BASE_POOL_H
#include "base/error.h"
#include <stdint.h>

typedef struct pool pool;

/* Units [first, end) of a job. */
typedef void pool_fn(void *job, int64_t first, int64_t end);

/* A pool of n_thread workers, the caller included; 0: as many as this process may run on
 * (affinity and cgroup quota respected).  Threads start at the first pool_run, and again after fork().
 *
 * [err: NULL when out of memory | owns: the caller, pool_free | thread: one caller at a time | cost: O(1)] */
pool *pool_new(int n_thread);
void pool_free(pool *p);
int pool_threads(const pool *p);

/* Do all n units and return when they are done.  With NULL, one thread or one unit the caller does
 * them all; a thread that cannot be started is done without.  Every worker runs with the canonical
 * floating point mode (cpu.h).
 *
 * [err: none | owns: nothing | thread: one caller at a time | cost: about 1 us, 5 to 50 us to wake sleepers] */
void pool_run(pool *p, pool_fn *fn, void *job, int64_t n);

#endif
/* SPDX-License-Identifier: MIT */
