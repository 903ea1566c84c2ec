/* next -- see next.h. */
#include "instrument/next.h"
#include "tensor/draw.h"
#include <math.h>

status next_ask(work *w, lane *l, error *err)
{
    int32_t len = lane_len(l);
    return lane_ask(l, w->m->logits, (box){ len - 1, len, 0, w->m->logits->n_part }, err);
}

status next_read(work *w, lane *l, double **out, error *err)
{
    int32_t len = lane_len(l);
    *out = arena_array(&w->mem, w->m->logits->n_part, sizeof **out);
    if (!*out) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    return lane_read(l, w->m->logits, (box){ len - 1, len, 0, w->m->logits->n_part }, *out, err);
}

void next_forget(const work *w, lane *l)
{
    int32_t len = lane_len(l);
    lane_forget(l, w->m->logits, (box){ len - 1, len, 0, w->m->logits->n_part });
}

int32_t next_likeliest(const double *v, int32_t n)
{
    int32_t best = -1;
    for (int32_t i = 0; i < n; i++)
        if (!isnan(v[i]) && (best < 0 || v[i] > v[best])) best = i;
    return best;
}

int32_t next_largest(double *v, int32_t n)
{
    int32_t best = next_likeliest(v, n);
    if (best >= 0) v[best] = (double)NAN;
    return best;
}

status next_answer(work *w, lane *l, int32_t *out, error *err)
{
    double *v;
    arena_mark here = arena_here(&w->mem);
    status st = next_read(w, l, &v, err);
    int32_t id = st == E_OK ? next_likeliest(v, w->m->logits->n_part) : -1;
    arena_rewind(&w->mem, here);
    if (st == E_OK && id < 0)
        st = error_set(err, E_RANGE, "%s: no logit is a number, so no token is the likeliest",
                       w->def->name);
    if (st == E_OK) *out = id;
    return st;
}

/* v without all but the k largest, which is left to be drawn from; v itself where k does not cut. */
static const double *likeliest(work *w, const double *v, int32_t n, int64_t k)
{
    if (k < 1 || k >= n) return v;
    double *rest = arena_copy(&w->mem, v, (size_t)n * sizeof *rest);
    for (int64_t i = 0; rest && i < k; i++) next_largest(rest, n);
    for (int32_t i = 0; rest && i < n; i++) rest[i] = isnan(rest[i]) ? v[i] : -INFINITY;
    return rest;
}

/* -1: no logit is a number above minus infinity.  Greedy, or by the Gumbel rule: the largest of logit / temperature plus noise of (seed, position, id). */
static int32_t choose(const work *w, const double *v, int32_t n, int32_t pos)
{
    double temperature = work_real(w, "temperature"), best = -INFINITY;
    int32_t id = -1;
    for (int32_t i = 0; i < n; i++) {
        double y = v[i];
        if (temperature > 0)
            y = y / temperature + (double)draw_gumbel(w->seed, rand_stream("run.sample"),
                                                      (uint64_t)pos * (uint64_t)n + (uint64_t)i);
        if (y > best) best = y, id = i;
    }
    return id;
}

status next_choose(work *w, const double *logit, int32_t pos, int32_t *out, error *err)
{
    int32_t n = w->m->logits->n_part;
    const double *drawn = likeliest(w, logit, n, work_int(w, "top_k"));
    if (!drawn) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    *out = choose(w, drawn, n, pos);
    return E_OK;
}

status next_extend(work *w, lane **l, const double *v, int32_t len, error *err)
{
    lane *next = NULL;
    if (w->m->config.both_ways) {
        error_set(err, E_UNSUPPORTED, "%s: %s sees both ways, so it predicts no next token",
                  w->def->name, w->m->name);
        error_hint(err, "its logits at a position are over the token there: put [MASK] in");
        return E_UNSUPPORTED;
    }
    status st = lane_new(&next, w->s, *l, len, err);
    if (st == E_OK) st = ids_give(v, NULL, w->m, next, err);
    if (st != E_OK) {
        lane_drop(next);
        return st;
    }
    lane_sweep(next);
    *l = next;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
