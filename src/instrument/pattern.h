/* pattern -- attention patterns of whole lanes: what attend shows and heads scores. */
#ifndef MICROTOME_INSTRUMENT_PATTERN_H
#define MICROTOME_INSTRUMENT_PATTERN_H
#include "instrument/work.h"

/* Which layers' patterns; all have as many heads. */
typedef struct patterns {
    int n_layer;
    int *layer; /* [n_layer] */
    node **n;   /* [n_layer] blocks.LAYER.attn.pattern */
    int32_t n_head;
} patterns;

/* The layers that a parameter of that name (as work_layers) names.
 *
 * [err: USAGE, NOSITE (no attention there), UNSUPPORTED (layers of different numbers of heads), NOMEM | owns: the work | thread: the work's | cost: O(layers)] */
status pattern_layers(work *w, const char *name, patterns *out, error *err);

/* Ask a lane for them; after the run, copy them out: [layer][head][query][key], what a query does not see is 0.
 *
 * [err: NOMEM, RANGE | owns: the caller's buffer | thread: the work's | cost: O(numbers)] */
status pattern_ask(const patterns *x, lane *l, error *err);
status pattern_read(work *w, const patterns *x, lane *l, double *out, error *err);

/* How many keys a query of that position sees in the i-th of the layers, in lane l; the first of them.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int32_t pattern_keys(const patterns *x, int i, const lane *l, int32_t query, int32_t *first);

/* Label the axes of a tensor "layer head ..": L3, H0 and so on.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: O(labels)] */
void pattern_label(work *w, const patterns *x, const char *tensor);

#endif
/* SPDX-License-Identifier: MIT */
