/* order -- what a fusion needs and reaches: its nodes' own functions, composed. */
#ifndef MICROTOME_GRAPH_ORDER_H
#define MICROTOME_GRAPH_ORDER_H
#include "graph/graph.h"

/* need() of the root, through the inner nodes, at leaf k; reach() of leaf k up to the root.
 *
 * [err: none | owns: nothing | thread: any | cost: a few calls] */
box fusion_need(const fusion *f, int k, box b, const lane *l);
box fusion_reach(const fusion *f, int k, box b, const lane *l);

/* Multiply-adds of the root's box b and of the inner nodes it takes.
 *
 * [err: none | owns: nothing | thread: any | cost: a few calls] */
int64_t fusion_cost(const fusion *f, box b, const lane *l);

#endif
/* SPDX-License-Identifier: MIT */
