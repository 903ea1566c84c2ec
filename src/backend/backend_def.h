/* backend_def -- what one backend says of itself: which kernels it lays over the compiled op sources.
 *
 * backend/NAME.c defines `const backend_def backend_NAME_def`; the registry is generated from the folder.
 * Kernels by hand are in files NAME_vec.c, which are compiled for each width of vectors; each has the
 * bits of the plain C in its op's or fusion's file, whatever the rows, parts, units and addresses (t_backend). */
#ifndef MICROTOME_BACKEND_BACKEND_DEF_H
#define MICROTOME_BACKEND_BACKEND_DEF_H
#include "base/cpu.h"
#include "graph/graph.h"

enum { MAX_OVERLAY = 40 };

typedef struct backend_def {
    const char *name;
    int8_t rank;     /* higher is faster: "auto" takes the highest that runs here */
    cpu_level level; /* what its kernels need */
    cpu_level ops;   /* ops without one are compiled for this, where the processor has it */
    /* float32 only: an op or a fusion, and what computes it instead of its own source; {0} ends */
    struct overlay {
        const char *name;
        const kernel *kernel;
    } overlay[MAX_OVERLAY];
} backend_def;

/* Every backend, NULL-terminated (generated).
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
extern const backend_def *const backend_all[];

#endif
/* SPDX-License-Identifier: MIT */
