/* heads -- the scores of heads that are not patterns alone: what `heads` shows with --what. */
#ifndef MICROTOME_INSTRUMENT_HEADS_H
#define MICROTOME_INSTRUMENT_HEADS_H
#include "instrument/pattern.h"

/* Random tokens said twice: [BOS] r r. */
typedef struct repeats {
    prompt **p; /* [n] of one length */
    int n, bos; /* bos: 1 where there is one */
    int32_t period;
} repeats;

/* Does a head raise the successor of what it looks at (Gould et al. 2023)?  By weights alone.
 *
 * [err: as head_weights_open; USAGE (no sequence of one-token words; a file that is none) | owns: the report | thread: the work's | cost: d_model rows a layer] */
status heads_successor(work *w, error *err);

/* Does a head lower the token that is predicted before it, where it stands earlier (McDougall et al. 2023)?  In repeats.
 *
 * [err: as flow_open, unembed_open; LIMIT | owns: the report | thread: the work's | cost: a run a sequence, and layers x positions of the second half] */
status heads_suppression(work *w, const patterns *x, const repeats *s, error *err);

/* A tensor [layer, head], NaN until written; NULL and the report knows why.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: O(heads)] */
double *heads_tensor(work *w, const patterns *x, const char *name);

/* Means of [head][n] numbers with their 95 % intervals over n, as tensors of these names (the last two, low and high, where
 * n > 1); out[3]: them, or NULL.
 *
 * [err: as interval_bootstrap | owns: the report | thread: the work's | cost: O(2000 n) a head] */
typedef struct heads_names {
    char mean[60], low[60], high[60];
} heads_names;
status heads_means(work *w, const patterns *x, const heads_names *name, const double *v, int64_t n,
                   double *out[3], error *err);

#endif
/* SPDX-License-Identifier: MIT */
