/* next -- the next token: the likeliest, choosing one and going on from it. */
#ifndef MICROTOME_INSTRUMENT_NEXT_H
#define MICROTOME_INSTRUMENT_NEXT_H
#include "instrument/work.h"

/* Ask for the last position's logits; read them, [n_vocab] in the work's memory.
 *
 * [err: NOMEM, RANGE | owns: the work | thread: the work's | cost: O(vocabulary)] */
status next_ask(work *w, lane *l, error *err);
status next_read(work *w, lane *l, double **out, error *err);

/* They have been read, and l is a step on the way to a longer lane: let them go (lane_forget).
 *
 * [err: none | owns: nothing | thread: the work's | cost: O(what l holds)] */
void next_forget(const work *w, lane *l);

/* The largest's index, ties to the lower id, never NaN's; -1: all are NaN.  The same, which then becomes NaN.
 *
 * [err: -1 | owns: nothing | thread: any | cost: O(n)] */
int32_t next_likeliest(const double *v, int32_t n);
int32_t next_largest(double *v, int32_t n);

/* The likeliest next token of a lane that next_ask() asked and that has run: the model's own answer.
 *
 * [err: as next_read; RANGE: all logits are NaN | owns: nothing | thread: the work's | cost: O(vocabulary)] */
status next_answer(work *w, lane *l, int32_t *out, error *err);

/* The next token by the request's temperature and top_k: the largest of logit / temperature plus Gumbel noise of (seed,
 * position, id), so that lanes at one position draw alike; without temperature the likeliest.  *out -1: no logit is a
 * number above minus infinity.
 *
 * [err: NOMEM | owns: the work | thread: the work's | cost: O(vocabulary)] */
status next_choose(work *w, const double *logit, int32_t pos, int32_t *out, error *err);

/* The lane one token longer: v, [len], are its tokens.
 *
 * [err: as lane_new | owns: the session | thread: the work's | cost: O(len)] */
status next_extend(work *w, lane **l, const double *v, int32_t len, error *err);

#endif
/* SPDX-License-Identifier: MIT */
