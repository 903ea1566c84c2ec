/* unembed -- from a value of the residual stream to logits: final norm, unembedding, softcap, whatever the model has
 * behind its last block.
 *
 * The nodes between the last block's output and the logits are a cone (cone.h): any rows of d_model numbers can be sent
 * through them.  Norms compute their statistics anew for each row. */
#ifndef MICROTOME_INSTRUMENT_UNEMBED_H
#define MICROTOME_INSTRUMENT_UNEMBED_H
#include "instrument/cone.h"

typedef struct unembed {
    work *w;
    node *stream; /* the last block's output in the model */
    cone behind;  /* what lies between it and the logits */
    node *logits, *logprob, *prob;
    node *raw; /* logits before a softcap */
    int32_t n_vocab, d_model;
} unembed;

/* What to write for n rows, [n][n_vocab] each; NULL: not wanted. */
typedef struct unembed_out {
    double *logits, *logprob, *prob;
} unembed_out;

/* Where logits come from in a model: the last block's output (NULL: it has none of that name), and the logits before a
 * softcap, which are the logits where there is none.
 *
 * [err: NULL | owns: the model's graph | thread: any | cost: a name looked up; O(1)] */
node *unembed_stream(const model *m);
node *unembed_raw(const model *m);

/* Build the overlay.
 *
 * [err: UNSUPPORTED (no last block), NOMEM | owns: the session's graph | thread: the work's | cost: O(nodes behind the last block)] */
status unembed_open(unembed *u, work *w, error *err);

/* Send n rows of x [n][d_model] through.
 *
 * [err: as work_run | owns: the caller's buffers | thread: the work's | cost: n times the unembedding] */
status unembed_rows(unembed *u, const double *x, int32_t n, unembed_out out, error *err);

/* The logits of tokens a and b (-1: none) only, before a softcap, out [n]: a less b.
 *
 * [err: as work_run | owns: the caller's buffer | thread: the work's | cost: n norms] */
status unembed_tokens(unembed *u, const double *x, int32_t n, int32_t a, int32_t b, double *out,
                      error *err);

/* How many rows should go at once: a few million logits, whatever the machine.
 *
 * [err: none, at least 1 | owns: nothing | thread: any | cost: O(1)] */
int32_t unembed_most(const unembed *u);

/* The token with the largest logit, ties to the lower id; its place among all, 1 the first.
 *
 * [err: -1 where all are NaN; NaN where id is -1 or its logit is NaN | owns: nothing | thread: any | cost: O(n)] */
int32_t unembed_best(const double *logits, int32_t n);
double unembed_rank(const double *logits, int32_t n, int32_t id);

/* sum p (log p - log q), in nats, as sum of p (log p - log q) - p + q: the same for numbers that sum to one, with rounding
 * that cancels; what rounding leaves below zero is zero.
 *
 * [err: NaN where something is | owns: nothing | thread: any | cost: O(n)] */
double unembed_kl(const double *logp, const double *p, const double *logq, const double *q,
                  int32_t n);

/* exp of log probabilities, as the op exp has them in that precision.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void unembed_probs(const double *logp, int32_t n, int32_t real_bytes, double *p);

/* -sum p log p, in nats.
 *
 * [err: NaN where something is | owns: nothing | thread: any | cost: O(n)] */
double unembed_entropy(const double *logp, const double *p, int32_t n);

#endif
/* SPDX-License-Identifier: MIT */
