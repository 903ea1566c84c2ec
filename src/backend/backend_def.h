/* backend_def -- what one backend says of itself: which kernels it lays over the compiled op sources.
 *
 * backend/NAME.c defines `const backend_def backend_NAME_def`; the registry is generated from the folder.
 * Kernels by hand are in files NAME_avx2.c, NAME_avx512.c, which are compiled for that machine; each has the
 * bits of the plain C in its op's or fusion's file, whatever the rows, parts, units and addresses (t_backend). */
#ifndef MICROTOME_BACKEND_BACKEND_DEF_H
#define MICROTOME_BACKEND_BACKEND_DEF_H
#include "base/cpu.h"
#include "graph/graph.h"

enum { MAX_OVERLAY = 40 };

typedef struct backend_def {
    const char *name;
    int8_t rank; /* higher is faster: "auto" takes the highest that runs here */
    bool wide; /* ops compiled for AVX2 and FMA, where the processor has them, instead of plainly */
    cpu_level level; /* what its kernels need */
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
