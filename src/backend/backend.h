/* backend -- engines: which kernel computes which op, in which precision, on how many threads.
 *
 * A backend is a choice of kernels.  All of one precision have the same bits. */
#ifndef MICROTOME_BACKEND_BACKEND_H
#define MICROTOME_BACKEND_BACKEND_H
#include "graph/session.h"

/* backend   NULL or "auto": the fastest here; else a name that backend_name lists
 * precision NULL or "f32": canonical; "f64": the same sources in double, with libm; "fast": fast.h
 * threads   0: as many as this process may run on
 * no_fuse   compute every node on its own
 * emulate   "fast" in plain C where there is no AMX or VNNI: for tests, hundreds of times slower */
typedef struct engine_options {
    const char *backend;
    const char *precision;
    int threads;
    bool no_fuse, emulate;
} engine_options;

/* An engine; o may be NULL for all defaults.
 *
 * [err: NOMEM, USAGE for an unknown name or precision, UNSUPPORTED for one that this processor lacks (fast: AMX or VNNI), RANGE for threads | owns: the caller, engine_free, after its sessions | thread: one session at a time | cost: microseconds] */
status engine_open(engine **out, const engine_options *o, error *err);
void engine_free(engine *e);

/* Which weights of a model's products "fast" serves. */
typedef struct engine_fast {
    bool floats, blocks;
} engine_fast;

/* Those of g on this engine (fast.h); none in other precisions.
 *
 * [err: none | owns: nothing | thread: any | cost: O(nodes)] */
engine_fast engine_fast_for(const engine *e, const graph *g);

/* A model whose weights "fast" serves none of is refused: it would be f32 by another name.
 *
 * [err: UNSUPPORTED | owns: nothing | thread: any | cost: O(nodes)] */
status engine_check(const engine *e, const graph *g, error *err);

/* The i-th backend, slowest first; NULL after the last.  Does it run on this machine?
 *
 * [err: NULL, false | owns: static | thread: any | cost: O(1)] */
const char *backend_name(int i);
bool backend_usable(const char *name);

#endif
/* SPDX-License-Identifier: MIT */
