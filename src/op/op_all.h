/* op_all -- the registries of ops, generated from this folder; the same ops in the same order.
 * Those of v3 and v4 are empty where the compiler cannot make them. */
#ifndef MICROTOME_OP_OP_ALL_H
#define MICROTOME_OP_OP_ALL_H
#include "graph/graph.h"

extern const op_def *const op_all[],
    *const op_all_f64[], *const op_all_v3[], *const op_all_f64v3[], *const op_all_v4[];

#endif
/* SPDX-License-Identifier: MIT */
