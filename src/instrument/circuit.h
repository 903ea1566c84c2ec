/* circuit -- a graph of nodes and scored edges as other tools keep it: the JSON of EAP-IG's Graph.to_json, which MIB's
 * circuit files are.
 *
 *     { "cfg": { "n_layers", "n_heads", "parallel_attn_mlp", "d_model" },
 *       "nodes": { "input": { "in_graph" }, "a0.h0": ..., "m0": ..., "logits": ... },
 *       "edges": { "input->a0.h0<q>": { "score", "in_graph" } },
 *       "microtome": { ..., "edges": those of writers that their graph has not: pos_embed, a0.bias } }
 *
 * Graph.from_json refuses names that it does not know and passes over keys beside its own. */
#ifndef MICROTOME_INSTRUMENT_CIRCUIT_H
#define MICROTOME_INSTRUMENT_CIRCUIT_H
#include "instrument/ends.h"

/* All edges that are there ([from][to]), all of them in the graph; `delta` stands as "change" beside each score.
 *
 *   own_more   what "microtome" says of the graph (taken, also on failure; NULL counts as no memory)
 *
 * [err: NULL when out of memory | owns: the caller | thread: any | cost: O(edges)] */
json_t *circuit_json(const model *m, const endpoints *from, const endpoints *to, const bool *there,
                     const double *score, const double *delta, json_t *own_more);

/* Does their graph have this end?
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
bool circuit_has(const endpoint *u);

#endif
/* SPDX-License-Identifier: MIT */
