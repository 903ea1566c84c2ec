/* fuse_all -- the registries of fusions, generated from this folder; the same ones in the same order. */
#ifndef MICROTOME_FUSE_FUSE_ALL_H
#define MICROTOME_FUSE_FUSE_ALL_H
#include "graph/graph.h"

extern const fuse_def *const fuse_all[],
    *const fuse_all_f64[], *const fuse_all_v3[], *const fuse_all_f64v3[], *const fuse_all_v4[];

#endif
/* SPDX-License-Identifier: MIT */
