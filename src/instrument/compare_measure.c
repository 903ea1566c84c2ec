/* compare_measure -- see compare.h: how far two lanes' values are apart. */
#include "instrument/compare.h"
#include "instrument/unembed.h"
#include <math.h>
#include <string.h>

int64_t compare_most(const spot *s, int of, int32_t n)
{
    return (int64_t)(s->a1 - s->a0) * (s->n[of]->extent == PAIR ? n : s->n[of]->width);
}

static int64_t numbers(const spot *s, const duo *d, int of, int32_t i)
{
    return (int64_t)(s->a1 - s->a0) * node_width(s->n[of], d->first[of] + i, d->l[of]);
}

/* Different rows see different keys. */
bool compare_skips(const spot *s, const duo *d)
{
    return s->n[A]->extent == PAIR && d->first[A] != d->first[B];
}

/* ---- measuring ---- */

static double norm(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
    return sqrt(sum);
}

/* |a - b| / |a|; NaN where a is 0 and b is not. */
static double relative(const double *a, const double *b, int64_t n)
{
    double d = 0, size = norm(a, n);
    for (int64_t i = 0; i < n; i++) d += number_gap(a[i], b[i]) * number_gap(a[i], b[i]);
    return size > 0 ? sqrt(d) / size : d > 0 ? (double)NAN : 0;
}

static double cosine(const double *a, const double *b, int64_t n)
{
    double sum = 0, size = norm(a, n) * norm(b, n);
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return size > 0 ? sum / size : (double)NAN;
}

static void add_mean(double *sum, double *n, double v)
{
    if (!isnan(v)) *sum += v, *n += 1;
}

/* One position of one site. */
static void measure(compare *x, duo *d, int which, int32_t i, int64_t n)
{
    spot *s = &x->spot[which];
    const double *a = x->v[A], *b = x->v[B];
    double far = relative(a, b, n), most = 0;
    for (int64_t k = 0; k < n; k++) {
        double gap = number_gap(a[k], b[k]);
        s->sum += gap, s->n_number += 1;
        if (gap > most) most = gap;
    }
    if (most > s->max) s->max = most;
    s->n_row++, s->n_differ += most > 0;
    add_mean(&s->relative, &s->n_relative, far);
    add_mean(&s->cosine, &s->n_cosine, cosine(a, b, n));
    if (x->by_pos) x->by_pos[(int64_t)which * d->n + i] = far;
    if (most > 0 && d->spot < 0) d->spot = which, d->at = i;
}

status compare_spot(compare *x, duo *d, int which, error *err)
{
    spot *s = &x->spot[which];
    int64_t last = 0;
    status st = E_OK;
    for (int32_t i = 0; i < d->n && st == E_OK && !compare_skips(s, d); i++) {
        int64_t n = numbers(s, d, A, i);
        if (n != numbers(s, d, B, i)) continue; /* windows of other widths */
        for (int k = 0; k < 2 && st == E_OK; k++) {
            int32_t r = d->first[k] + i;
            st = lane_read(d->l[k], s->n[k], (box){ r, r + 1, s->a0, s->a1 }, x->v[k], err);
        }
        if (st != E_OK) break;
        measure(x, d, which, i, n);
        if (i && last == n) add_mean(&s->near, &s->n_near, relative(x->before, x->v[A], n));
        memcpy(x->before, x->v[A], (size_t)n * sizeof *x->before);
        last = n;
    }
    return st;
}

status compare_output(compare *x, duo *d, int32_t i, error *err)
{
    int32_t n = x->side[A].logprob->n_part, best[2];
    status st = E_OK;
    for (int k = 0; k < 2 && st == E_OK; k++) {
        int32_t r = d->first[k] + i;
        st = lane_read(d->l[k], x->side[k].logprob, (box){ r, r + 1, 0, n }, x->logp[k], err);
        if (st == E_OK) unembed_probs(x->logp[k], n, x->w->e->real_bytes, x->p[k]);
        best[k] = st == E_OK ? unembed_best(x->logp[k], n) : -1;
    }
    if (st != E_OK) return st;
    double kl = unembed_kl(x->logp[A], x->p[A], x->logp[B], x->p[B], n);
    if (i)
        add_mean(&x->near_kl, &x->n_near_kl,
                 unembed_kl(x->last[0], x->last[1], x->logp[A], x->p[A], n));
    d->kl += kl / d->n, d->changed += (double)(best[A] != best[B]) / d->n;
    if (!(kl <= d->worst_kl)) d->worst_kl = kl, d->worst_at = i;
    memcpy(x->last[0], x->logp[A], (size_t)n * sizeof(double));
    memcpy(x->last[1], x->p[A], (size_t)n * sizeof(double));
    if (!x->kl) return E_OK;
    x->kl[i] = kl, x->back[i] = unembed_kl(x->logp[B], x->p[B], x->logp[A], x->p[A], n);
    for (int k = 0; k < 2; k++) {
        x->top[k][i] = best[k];
        if (best[k] >= 0) x->top_p[k][i] = x->p[k][best[k]];
    }
    return E_OK;
}

/* SPDX-License-Identifier: MIT */
