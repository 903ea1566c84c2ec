/* unembed -- see unembed.h. */
#include "instrument/unembed.h"
#include "ops.gen.h"
#include "tensor/math32.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_LOGITS = 1 << 21 };

node *unembed_stream(const model *m)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.resid_post", m->config.n_layer - 1);
    return graph_find(&m->g, name);
}

node *unembed_raw(const model *m)
{
    node *n = m->logits;
    return n->op && !strcmp(n->op->name, "softcap") ? n->in[0] : n;
}

status unembed_open(unembed *u, work *w, error *err)
{
    graph *g = session_graph(w->s);
    *u = (unembed){ .w = w, .stream = unembed_stream(w->m) };
    if (!u->stream)
        return error_set(err, E_UNSUPPORTED,
                         "%s: %s has no blocks.%d.resid_post, from which logits are made",
                         w->def->name, w->m->name, w->m->config.n_layer - 1);
    u->n_vocab = w->m->logits->n_part, u->d_model = u->stream->width;
    status st = cone_open(&u->behind, w, u->stream, false, err);
    if (st == E_OK) st = cone_to(&u->behind, w->m->logits, &u->logits, err);
    if (st != E_OK) return st;
    u->raw = unembed_raw(w->m) != w->m->logits ? u->logits->in[0] : u->logits;
    u->logprob = op_log_softmax(g, u->logits);
    u->prob = op_exp(g, u->logprob);
    return g->err.code ? error_set(err, g->err.code, "%s", g->err.msg) : E_OK;
}

int32_t unembed_most(const unembed *u)
{
    int32_t n = MOST_LOGITS / u->n_vocab;
    return n < 1 ? 1 : n;
}

status unembed_tokens(unembed *u, const double *x, int32_t n, int32_t a, int32_t b, double *out,
                      error *err)
{
    arena_mark here = arena_here(&u->w->mem);
    double *other = arena_array(&u->w->mem, n, sizeof *other);
    if (!other) return error_set(err, E_NOMEM, "%s: out of memory", u->w->def->name);
    cone_end end[] = { { u->raw, a, a + 1, out }, { u->raw, b, b + 1, other } };
    status st = cone_rows(&u->behind, x, n, end, b < 0 ? 1 : 2, err);
    for (int32_t i = 0; st == E_OK && i < n; i++) out[i] -= other[i];
    arena_rewind(&u->w->mem, here);
    return st;
}

status unembed_rows(unembed *u, const double *x, int32_t n, unembed_out out, error *err)
{
    node *of[] = { u->logits, u->logprob, u->prob };
    double *to[] = { out.logits, out.logprob, out.prob };
    cone_end end[3];
    int n_end = 0;
    for (int k = 0; k < 3; k++)
        if (to[k]) end[n_end++] = (cone_end){ .n = of[k], .out = to[k] };
    return cone_rows(&u->behind, x, n, end, n_end, err);
}

int32_t unembed_best(const double *logits, int32_t n)
{
    int32_t best = -1;
    for (int32_t i = 0; i < n; i++)
        if (!isnan(logits[i]) && (best < 0 || logits[i] > logits[best])) best = i;
    return best;
}

double unembed_rank(const double *logits, int32_t n, int32_t id)
{
    int64_t rank = 1;
    if (id < 0 || isnan(logits[id])) return (double)NAN;
    for (int32_t i = 0; i < n; i++)
        rank += logits[i] > logits[id] || (i < id && logits[i] == logits[id]);
    return (double)rank;
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
