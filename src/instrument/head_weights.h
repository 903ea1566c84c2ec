/* head_weights -- W_Q, W_K, W_V and W_O of every head, W_E and W_U, of any architecture.
 *
 * Row vectors, as everywhere: q = x W_Q, z = A (x W_V), what a head writes is z W_O.  They are found by their names and by
 * nothing else: unit rows are sent through what lies between the node that attention reads and attn.q (attn.q_raw where
 * queries have a norm), attn.k and attn.v, and from attn.z to attn.result, without biases, by the model's kernels
 * (cone.h).  What comes out are the numbers that are stored.  Rotation comes after attn.q and is left out, as are the norms
 * of queries and keys and a norm behind attention.
 *
 * Folding, of these copies only (the model is not touched, so nothing has to be undone):
 *
 *   none   as stored: x is the norm's output
 *   gain   x is the norm's input over its scale: W <- diag(gain) W, for W_Q, W_K, W_V and W_U
 *   all    and where the norm centres: W_Q, W_K, W_V, W_U less their means over d_model (what they read has none),
 *          rows of W_E and W_O less their means (what they write of it is never read) */
#ifndef MICROTOME_INSTRUMENT_HEAD_WEIGHTS_H
#define MICROTOME_INSTRUMENT_HEAD_WEIGHTS_H
#include "instrument/cone.h"

#define HEAD_WEIGHTS_PARAMS                                                                        \
    { "layer", PARAM_TEXT, "all", "which layers: all, or with commas and ranges: 3 or 0,4:8",      \
      ROLE_WHAT },                                                                                 \
    {                                                                                              \
        "fold", PARAM_ONE_OF("none gain all"), "none",                                             \
            "norms folded into what reads them: none, gain, all (gain, and centring)", ROLE_WHAT   \
    }

typedef enum head_matrix { HEAD_Q, HEAD_K, HEAD_V, HEAD_O, N_HEAD_MATRIX } head_matrix;

typedef struct head_weights {
    work *w;
    bool gain, centre; /* what is folded */
    int n_layer;
    int *layer; /* [n_layer] */
    int32_t n_head, n_kv, d_model, d_head, d_value, n_vocab;
    double **m
        [N_HEAD_MATRIX]; /* [layer]: Q [d_model, head, d_head], K, V [d_model, kv, ..], O [head, d_value, d_model] */
    node *embed, *logits; /* logits: the cone's, before a softcap */
    cone behind;
} head_weights;

/* Read them, for the layers and the folding that the request names.
 *
 * [err: USAGE, NOSITE (no attention), UNSUPPORTED (layers of different shapes; not linear), LIMIT (too many numbers), NOMEM | owns: the work | thread: the work's | cost: d_model rows a layer] */
status head_weights_open(head_weights *x, work *w, error *err);

/* One query head's matrix, of the i-th layer: Q, K [d_model, d_head], V [d_model, d_value], O [d_value, d_model].
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(numbers)] */
void head_weights_get(const head_weights *x, int i, int32_t head, head_matrix which, double *out);

/* Rows of W_E, [n][d_model]; n rows of d_model numbers times W_U, for tokens [first, end): [n][end - first].
 *
 * [err: as work_run | owns: the caller's buffer | thread: the work's | cost: the kernels'] */
status head_weights_embed(head_weights *x, const int64_t *id, int32_t n, double *out, error *err);
status head_weights_unembed(head_weights *x, const double *rows, int32_t n, int32_t first,
                            int32_t end, double *out, error *err);

/* "L3H0"; a tensor's axes "layer head" labelled.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: O(labels)] */
void head_weights_label(const head_weights *x, const char *tensor, const char *layer_axis,
                        const char *head_axis);

#endif
/* SPDX-License-Identifier: MIT */
