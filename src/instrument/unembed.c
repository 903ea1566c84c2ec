/* unembed -- see unembed.h. */
#include "instrument/unembed.h"
#include "ops.gen.h"
#include "tensor/math32.h"
#include <math.h>
#include <stdio.h>

enum { MOST_LOGITS = 1 << 21 };

typedef struct cone {
    graph *g;
    const node *stream;
    node *in, **of; /* [id - stream->id] copies made so far */
} cone;

/* n with the input instead of the stream; what does not depend on the stream is itself: ids are a topological order. */
static node *replaced(cone *c, node *n)
{
    if (n == c->stream) return c->in;
    if (n->id < c->stream->id || !n->op) return n;
    node **of = &c->of[n->id - c->stream->id], *in[MAX_IN] = { 0 };
    bool same = true;
    if (*of) return *of;
    for (int k = 0; k < n->n_in; k++) {
        in[k] = replaced(c, n->in[k]);
        same &= in[k] == n->in[k];
    }
    *of = same || c->g->err.code ? n : graph_copy(c->g, n, in);
    return *of ? *of : n;
}

status unembed_open(unembed *u, work *w, error *err)
{
    graph *g = session_graph(w->s);
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.resid_post", w->m->config.n_layer - 1);
    *u = (unembed){ .w = w, .stream = graph_find(&w->m->g, name) };
    if (!u->stream)
        return error_set(err, E_UNSUPPORTED, "%s: %s has no %s, from which logits are made",
                         w->def->name, w->m->name, name);
    u->n_vocab = w->m->logits->n_part, u->d_model = u->stream->width;
    u->in = graph_input(g, ROW, 1, u->d_model);
    cone c = { g, u->stream, u->in, NULL };
    c.of = arena_array(&w->mem, graph_nodes(&w->m->g) - u->stream->id + 1, sizeof *c.of);
    if (!c.of) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    u->logits = replaced(&c, w->m->logits);
    u->raw = w->m->config.logit_cap > 0 && u->logits ? u->logits->in[0] : u->logits;
    u->logprob = op_log_softmax(g, u->logits);
    u->prob = op_exp(g, u->logprob);
    return g->err.code ? error_set(err, g->err.code, "%s", g->err.msg) : E_OK;
}

int32_t unembed_most(const unembed *u)
{
    int32_t n = MOST_LOGITS / u->n_vocab;
    return n < 1 ? 1 : n;
}

/* Biases of one row a token ask for the tokens' rows, not for which they are: any will do. */
static status give_tokens(const unembed *u, lane *l, int32_t n, error *err)
{
    double *zero = arena_array(&u->w->mem, n, sizeof *zero);
    if (!zero) return error_set(err, E_NOMEM, "%s: out of memory", u->w->def->name);
    return lane_give(l, u->w->m->token, zero, err);
}

/* A lane whose stream is x. */
static status rows_lane(unembed *u, lane **l, const double *x, int32_t n, error *err)
{
    status st = lane_new(l, u->w->s, NULL, n, err);
    if (st == E_OK) st = give_tokens(u, *l, n, err);
    return st == E_OK ? lane_give(*l, u->in, x, err) : st;
}

status unembed_tokens(unembed *u, const double *x, int32_t n, int32_t a, int32_t b, double *out,
                      error *err)
{
    arena_mark here = arena_here(&u->w->mem);
    double *other = arena_array(&u->w->mem, n, sizeof *other);
    lane *l = NULL;
    box wa = { 0, n, a, a + 1 }, wb = { 0, n, b, b + 1 };
    status st = other ? rows_lane(u, &l, x, n, err)
                      : error_set(err, E_NOMEM, "%s: out of memory", u->w->def->name);
    if (st == E_OK) st = lane_ask(l, u->raw, wa, err);
    if (st == E_OK && b >= 0) st = lane_ask(l, u->raw, wb, err);
    if (st == E_OK) st = work_run(u->w, err);
    if (st == E_OK) st = lane_read(l, u->raw, wa, out, err);
    if (st == E_OK && b >= 0) st = lane_read(l, u->raw, wb, other, err);
    for (int32_t i = 0; st == E_OK && i < n; i++) out[i] -= other[i];
    if (l) lane_drop(l);
    arena_rewind(&u->w->mem, here);
    return st;
}

status unembed_rows(unembed *u, const double *x, int32_t n, unembed_out out, error *err)
{
    arena_mark here = arena_here(&u->w->mem);
    node *of[] = { u->logits, u->logprob, u->prob };
    double *to[] = { out.logits, out.logprob, out.prob };
    lane *l = NULL;
    status st = rows_lane(u, &l, x, n, err);
    for (int k = 0; k < 3 && st == E_OK; k++)
        if (to[k]) st = lane_ask(l, of[k], node_all(of[k], l), err);
    if (st == E_OK) st = work_run(u->w, err);
    for (int k = 0; k < 3 && st == E_OK; k++)
        if (to[k]) st = lane_read(l, of[k], node_all(of[k], l), to[k], err);
    if (l) lane_drop(l);
    arena_rewind(&u->w->mem, here);
    return st;
}

int32_t unembed_best(const double *logits, int32_t n)
{
    int32_t best = -1;
    for (int32_t i = 0; i < n; i++)
        if (!isnan(logits[i]) && (best < 0 || logits[i] > logits[best])) best = i;
    return best;
}

int64_t unembed_rank(const double *logits, int32_t n, int32_t id)
{
    int64_t rank = 1;
    for (int32_t i = 0; i < n; i++)
        rank += logits[i] > logits[id] || (i < id && logits[i] == logits[id]);
    return rank;
}

double unembed_kl(const double *logp, const double *p, const double *logq, const double *q,
                  int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += p[i] == 0 ? q[i] : p[i] * (logp[i] - logq[i]) - p[i] + q[i];
    return sum < 0 ? 0 : sum;
}

void unembed_probs(const double *logp, int32_t n, int32_t real_bytes, double *p)
{
    for (int32_t i = 0; i < n; i++)
        p[i] = real_bytes == 8 ? exp(logp[i]) : (double)math_exp((float)logp[i]);
}

double unembed_entropy(const double *logp, const double *p, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++)
        if (p[i] != 0) sum -= p[i] * logp[i];
    return sum;
}
/* SPDX-License-Identifier: MIT */
