/* circuits -- QK = W_Q W_K' and OV = W_V W_O of every head, by their small cores: what weights shows, part by part. */
#ifndef MICROTOME_INSTRUMENT_CIRCUITS_H
#define MICROTOME_INSTRUMENT_CIRCUITS_H
#include "instrument/head_weights.h"
#include "linalg/linalg.h"

/* W_Q = Q r, and so on; W_O' = Q r.  So |OV| = |r_V r_O'|, |QK| = |r_Q r_K'|, and so are their singular values. */
typedef struct circuits {
    work *w;
    head_weights x;
    int64_t n_head; /* in all layers */
    double *
        *r[N_HEAD_MATRIX]; /* [head of all] [k, k], k the smaller of d_model and the head's size */
    int32_t core[N_HEAD_MATRIX]; /* that k */
} circuits;

/* Read the weights and factor them.
 *
 * [err: as head_weights_open | owns: the work | thread: the work's | cost: four QRs a head] */
status circuits_open(circuits *c, work *w, error *err);

/* The parts: copying and matching scores, and how many tokens copy; composition; singular directions; skip-trigrams;
 * QK and OV themselves.
 *
 * [err: as head_weights_embed, linalg's | owns: the report | thread: the work's | cost: see docs/instruments.md] */
status circuits_copying(circuits *c, error *err);
status circuits_composition(circuits *c, error *err);
status circuits_svd(circuits *c, error *err);
status circuits_skip(circuits *c, error *err);
status circuits_matrices(circuits *c, error *err);

/* Where the model is not what the definitions of these parts (words) presume: a table, if there is anything to say.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: names looked up] */
void circuits_presumed(circuits *c, const char *parts);

/* Columns of one of a head's matrices, W_O transposed: d_head, or d_value; the larger of the two.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int32_t circuits_columns(const circuits *c, head_matrix which);
int32_t circuits_widest(const circuits *c);

/* The factors q [d, core] (NULL: not asked for) and r [core, n] of one of a head's matrices, W_O transposed; m: room for two
 * of it.
 *
 * [err: as linalg_qr | owns: the caller's buffers | thread: any | cost: O(d n^2)] */
status circuits_factor(const circuits *c, int64_t at, head_matrix which, double *m, double *q,
                       double *r, error *err);

/* A tensor [layer, head], or with a third axis of n; NULL and the report knows why.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: O(labels)] */
double *circuits_tensor(circuits *c, const char *name, const char *axis, int64_t n);

/* The best `n` of what is offered, one at a time: largest first (negate for smallest), the lower id first among equals.
 *
 * [err: none | owns: the caller's arrays | thread: any | cost: O(n) an offer] */
typedef struct best {
    int32_t n, have;
    int32_t *id; /* [n] */
    double *x;   /* [n] */
} best;
void best_offer(best *b, int32_t id, double x);

/* `many` of them, each of `n`; NULL: no memory.
 *
 * [err: NULL | owns: mem | thread: any | cost: O(many n)] */
best *best_new(arena *mem, int64_t many, int32_t n);

/* m random normal numbers over sqrt(n) of a named stream, from number `at` on.
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(m)] */
void circuits_random(const circuits *c, const char *stream, int64_t at, double *out, int64_t m);

#endif
/* SPDX-License-Identifier: MIT */
