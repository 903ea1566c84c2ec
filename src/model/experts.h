/* experts -- a mixture of gated MLPs: a router chooses k of n for each row.
 *
 *     mlp.router_logits   x W_r                      [pos, expert]
 *     mlp.expert_indices  the k largest, best first   [pos, k]
 *     mlp.expert_weights  softmax over all experts at the chosen, divided by their sum where `norm`
 *     mlp.experts.E.gate, up, post, out               0 in rows that did not choose E, and not computed there
 *     result              sum over E, ascending, of weight times out
 *
 * An edit of the logits or of an index reroutes: weights and experts follow.  An index that is no expert's takes the
 * route away. */
#ifndef MICROTOME_MODEL_EXPERTS_H
#define MICROTOME_MODEL_EXPERTS_H
#include "model/decoder.h"

typedef struct experts {
    int32_t d_expert;    /* neurons of one */
    bool norm;           /* the chosen weights add up to one */
    const char *router;  /* "mlp.gate" */
    const char *expert;  /* "mlp.experts" */
    const char *name[3]; /* of gate, up and down in it: "gate_proj" ... */
} experts;

/* c->n_expert, under its key, and c->n_expert_used; where config.json is silent, n and used.
 *
 * [err: FORMAT, RANGE | owns: nothing | thread: b's own | cost: O(1)] */
status experts_configure(builder *b, const char *key, int32_t n, int32_t used, error *err);

/* The sum over the chosen experts, before mlp.out; x becomes the MLP's reader.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(experts)] */
node *build_experts(builder *b, node *x, const experts *e);

/* What the mixture adds: names it mlp.out and mlp.contribution, a writer; x is its reader.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_experts_out(builder *b, node *x, node *out);

#endif
/* SPDX-License-Identifier: MIT */
