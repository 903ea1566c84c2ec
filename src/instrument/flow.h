/* flow -- a logit as a sum of parts: the graph walked down from the unembedding to what writes the residual stream.
 *
 * Everything on that way is linear once the norms' scales are frozen at what they were in the run: additions, gains,
 * centring, division by a number, the sum of heads, an MLP's last matrix.  So a logit, or a difference of two, is a
 * functional u of every node on the way, and
 *
 *     logit(a) - logit(b) = sum over parts of u . v
 *
 * where v are the parts: embeddings, each head's result, what an MLP's neurons write, and every bias on its own.  No
 * architecture is named: post-norms, parallel blocks, embedding norms and biases of norms are steps like others; what
 * stands between the last block and the logits and is not linear is refused, but for a softcap at the very end, whose input
 * is then what is summed (`capped`).
 *
 * All in f64 and ascending order, from the values that the run holds and the weights as they are stored. */
#ifndef MICROTOME_INSTRUMENT_FLOW_H
#define MICROTOME_INSTRUMENT_FLOW_H
#include "instrument/work.h"

typedef enum flow_kind {
    FLOW_VALUE,     /* a node's whole value */
    FLOW_HEAD,      /* one part of a node's value */
    FLOW_BIAS,      /* a weight, [1, d_model] */
    FLOW_NEURONS,   /* a linear node's value without its bias */
    FLOW_EDIT,      /* a node's value less what it was before the lane's edits of it */
    FLOW_LOGIT_BIAS /* of the unembedding: a number a token, no vector */
} flow_kind;

typedef enum flow_group { GROUP_EMBED, GROUP_ATTN, GROUP_MLP, GROUP_END } flow_group;

typedef struct flow_part {
    char name[100];
    flow_kind kind;
    flow_group group;
    int layer;    /* -1: none */
    int at;       /* the step into whose value it is added */
    node *n;      /* whose value it is; of a bias, the weight */
    node *before; /* FLOW_EDIT: without edits */
    int32_t part; /* FLOW_HEAD: which */
} flow_part;

typedef struct flow_step {
    node *n;
    int up; /* it is an input of step[up].n; -1: of the unembedding */
} flow_step;

typedef struct flow {
    work *w;
    flow_step *step;
    flow_part *part; /* in the order in which the stream adds them */
    int n_step, n_part, cap_step, cap_part;
    node *last;    /* the last block's output in the model; NULL: none */
    int stream;    /* the step that is the last block's output */
    node *unembed; /* the last matrix; its output is what is summed */
    bool capped;   /* a softcap follows */
    int32_t d_model;
    double *u, *vector; /* [step][d_model], [part][d_model] of the row under way */
} flow;

/* Is n made by the op of that name?  Numbers less their mean.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1); O(n)] */
bool flow_made_by(const node *n, const char *op);
void flow_centre(double *v, int32_t n);

/* Find the way, in a lane whose edits are given.
 *
 * [err: UNSUPPORTED (what is not linear, by name), NOMEM | owns: the work | thread: the work's | cost: O(nodes of the stream)] */
status flow_open(flow *f, work *w, const lane *l, error *err);

/* Ask a lane for all that is needed of rows [r0, r1), but for what flow_share needs, which is asked for by part; and for
 * the logits of the given tokens.
 *
 * [err: as lane_ask | owns: nothing | thread: the work's | cost: O(nodes of the stream)] */
status flow_ask(const flow *f, lane *l, int32_t r0, int32_t r1, error *err);
status flow_ask_share(const flow *f, lane *l, int32_t row, int i, error *err);
status flow_ask_logit(const flow *f, lane *l, int32_t r0, int32_t r1, int32_t id, error *err);

/* How many numbers flow_ask keeps of one row.
 *
 * [err: none | owns: nothing | thread: any | cost: O(nodes of the stream)] */
int64_t flow_numbers(const flow *f);

/* Load the parts' vectors of a row; then, for any tokens (b -1: none), u, and each part's share into out [n_part].
 *
 * [err: as lane_read | owns: f | thread: the work's | cost: O(parts d_model)] */
status flow_load(flow *f, lane *l, int32_t row, error *err);
status flow_direct(flow *f, lane *l, int32_t row, int32_t a, int32_t b, double *out, error *err);

/* After flow_direct: what a place of the stream gives as it is, and the parts behind the last block (their shares): the
 * accumulated form; NaN for a node that is not on the way.
 *
 *   v   the node's value, [d_model]
 *
 * [err: NaN | owns: nothing | thread: any | cost: O(steps + d_model)] */
double flow_so_far(const flow *f, const node *n, const double *v, const double *share);

/* The value itself: logit a less logit b, before a softcap.
 *
 * [err: as lane_read | owns: nothing | thread: the work's | cost: O(1)] */
status flow_logit(const flow *f, lane *l, int32_t row, int32_t a, int32_t b, double *out,
                  error *err);

/* After flow_direct: the shares of the neurons of part i (FLOW_NEURONS) into out [neurons], which are as many as
 * flow_neurons says; 0: they are not known one by one.
 *
 * [err: as lane_read | owns: nothing | thread: the work's | cost: O(neurons d_model)] */
int32_t flow_neurons(const flow *f, int i);
status flow_share(const flow *f, lane *l, int32_t row, int i, double *out, error *err);

/* After flow_load: part i as it is in the last block's output, into v [d_model]; false for one that is behind it.
 *
 * [err: as lane_read through st | owns: nothing | thread: the work's | cost: O(steps d_model)] */
bool flow_stream(const flow *f, lane *l, int32_t row, int i, double *v, status *st, error *err);

#endif
/* SPDX-License-Identifier: MIT */
