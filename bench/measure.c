/* measure -- see measure.h. */
#include "measure.h"
#include "base/cpu.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_LANE = 32, MAX_LEN = 1000, DECODED = 24 };

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err->msg);
    exit(1);
}

void bench_open(bench *b, const char *path, const char *precision)
{
    error err = { 0 };
    engine_options o = { .precision = precision };
    *b = (bench){ 0 };
    if (model_open(&b->m, path, NULL, &err) || engine_open(&b->e, &o, &err) ||
        session_new(&b->s, &b->m->g, b->e, &err))
        give_up("open", &err);
}

void bench_close(bench *b) { session_free(b->s), engine_free(b->e), model_free(b->m); }

typedef enum keep { ALL_VALUES, SPANS } keep;

/* A prompt of so many tokens, beside a shorter one or alone; what of its logits is asked for: all, or the last.  What is
 * kept of it: everything, or what a longer one needs. */
static lane *prompt(bench *b, lane *parent, int len, int which, bool all, keep what)
{
    error err = { 0 };
    double v[MAX_LEN];
    lane *l;
    int n_vocab = b->m->logits->n_part;
    for (int i = 0; i < len; i++) v[i] = (double)((which * 7919 + i * 104729 + 13) % n_vocab);
    if (lane_new(&l, b->s, parent, len, &err) || lane_give(l, b->m->token, v, &err))
        give_up("prompt", &err);
    if (what == ALL_VALUES) lane_keep(l);
    else if (lane_keep_spans(l, &err)) give_up("keep", &err);
    if (lane_ask(l, b->m->logits, (box){ all ? 0 : len - 1, len, 0, b->m->logits->n_part }, &err))
        give_up("ask", &err);
    return l;
}

static void ask_every(bench *b, lane *l)
{
    error err = { 0 };
    for (int i = 0; i < b->m->g.n_site; i++)
        if (b->m->g.site[i].n->op &&
            lane_ask(l, b->m->g.site[i].n, node_all(b->m->g.site[i].n, l), &err))
            give_up("ask", &err);
}

static double run(bench *b)
{
    error err = { 0 };
    double t = clock_seconds();
    if (session_run(b->s, NULL, &err)) give_up("run", &err);
    return clock_seconds() - t;
}

timed measure_forward(bench *b, int n_lane, int len, bool all, bool every, int n_time)
{
    timed best = { .seconds = 1e9 };
    for (int i = 0; i < n_time; i++) {
        lane *l[MAX_LANE];
        int64_t before = session_totals(b->s)->n_op;
        for (int k = 0; k < n_lane; k++)
            l[k] = prompt(b, NULL, len, k, all, every || all ? ALL_VALUES : SPANS);
        for (int k = 0; every && k < n_lane; k++) ask_every(b, l[k]);
        double t = run(b);
        if (t < best.seconds) best.seconds = t;
        best.ops = (double)(session_totals(b->s)->n_op - before);
        for (int k = 0; k < n_lane; k++) lane_drop(l[k]);
    }
    return best;
}

timed measure_decode(bench *b, int from)
{
    lane *l[DECODED + 1] = { prompt(b, NULL, from, 0, false, SPANS) };
    run(b);
    int64_t before = session_totals(b->s)->n_op;
    timed best = { .seconds = 1e9 };
    for (int i = 1; i <= DECODED; i++) {
        l[i] = prompt(b, l[i - 1], from + i, 0, false, SPANS);
        double t = run(b);
        if (t < best.seconds) best.seconds = t;
    }
    best.ops = (double)(session_totals(b->s)->n_op - before) / DECODED;
    for (int i = DECODED; i >= 0; i--) lane_drop(l[i]);
    return best;
}

void timed_show(timed t, const char *kind, const char *task, int tokens, double sgemm)
{
    printf("%s|%s|%d|%.5g|%.1f|%.1f\n", kind, task, tokens, t.seconds, 2 * t.ops / t.seconds * 1e-9,
           sgemm);
    fflush(stdout);
}
/* SPDX-License-Identifier: MIT */
