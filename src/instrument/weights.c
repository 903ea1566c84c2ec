/* instrument: weights -- what heads can do, from their weights alone: QK and OV circuits.
 *
 * Elhage et al., "A mathematical framework for transformer circuits" (2021).  The parts: circuits.h. */
#include "instrument/circuits.h"
#include <string.h>

static const param params[] = {
    { "what", PARAM_SOME_OF("copying composition svd skip matrices"), NULL,
      "which parts: unless given all but the last, and skip only where there are no MLPs",
      ROLE_WHAT },
    HEAD_WEIGHTS_PARAMS,
    { "samples", PARAM_INT_IN(0, 100000), "100",
      "copying: tokens whose whole row of the OV circuit is looked at", ROLE_WHAT },
    { "directions", PARAM_INT, "1", "svd: singular directions shown of each head", ROLE_WHAT },
    { "token", PARAM_LIST, NULL, "skip: a source token; give it again for several", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { N_PART = 5 };
static const struct {
    const char *name;
    status (*show)(circuits *c, error *err);
} PARTS[N_PART] = { { "copying", circuits_copying },
                    { "composition", circuits_composition },
                    { "svd", circuits_svd },
                    { "skip", circuits_skip },
                    { "matrices", circuits_matrices } };

static void state(const circuits *c)
{
    const head_weights *x = &c->x;
    const char *how = x->gain ? x->centre
                                    ? "norms' gains folded, and what norms centre away left out"
                                    : "norms' gains folded"
                              : "weights as stored, nothing folded";
    report_note(c->w->r,
                "%d layers of %d heads (%d of keys and values), d_head %d: %s. Left out: biases, "
                "rotation and norms of queries and keys, scales of norms, the 1 / sqrt(d_head) of "
                "scores. The "
                "model is not changed: folding is of copies (--fold none, gain, all).",
                x->n_layer, x->n_head, x->n_kv, x->d_head, how);
}

static status run(work *w, error *err)
{
    circuits c;
    const char *asked = work_text(w, "what"), *parts = asked;
    if (!asked)
        parts = w->m->config.d_mlp ? "copying composition svd" : "copying composition svd skip";
    status st = work_only_among(w, "what", "skip", "token", err);
    if (st == E_OK) st = circuits_open(&c, w, err);
    if (st == E_OK)
        st = work_int_check(w, "directions", 0,
                            c.core[HEAD_Q] < c.core[HEAD_V] ? c.core[HEAD_Q] : c.core[HEAD_V], err);
    if (st != E_OK) return st;
    state(&c);
    circuits_presumed(&c, parts);
    for (int i = 0; i < N_PART && st == E_OK; i++)
        if (str_listed(parts, PARTS[i].name)) st = PARTS[i].show(&c, err);
    if (st == E_OK && !asked && w->m->config.d_mlp)
        report_note(w->r,
                    "No skip-trigrams: they are of models without MLPs (--what skip shows those "
                    "of layer 0 all the same).");
    return st;
}

const instrument_def instrument_weights_def = { .name = "weights",
                                                .says = "QK and OV circuits, from weights alone",
                                                .subject = "MODEL",
                                                .needs = NEEDS_MODEL,
                                                .param = params,
                                                .run = run };
/* SPDX-License-Identifier: MIT */
