/* bench_forward -- whole runs on a GPT-2-small-shaped model: tokens a second, and every activation beside them.
 *
 * Each line that begins with "forward" is one measurement, for bench.py: task, tokens, seconds, GFLOP/s of the
 * multiply-adds done, sgemm GFLOP/s. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "gpt2_shape.h"
#include "model/model.h"
#include "sgemm.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_LANE = 32, MAX_LEN = 600, DECODED = 24 };

typedef struct bench {
    const model *m;
    session *s;
    double sgemm;
} bench;

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench_forward: %s: %s\n", what, err->msg);
    exit(1);
}

/* A prompt of so many tokens, beside a shorter one or alone; what of its logits is asked for: all, or the last. */
static lane *prompt(bench *b, lane *parent, int len, int which, bool all)
{
    error err = { 0 };
    double v[MAX_LEN];
    lane *l;
    for (int i = 0; i < len; i++) v[i] = (double)((which * 7919 + i * 104729 + 13) % 50257);
    if (lane_new(&l, b->s, parent, len, &err) || lane_give(l, b->m->token, v, &err))
        give_up("prompt", &err);
    lane_keep(l);
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

/* The fastest of five. */
static double forward(bench *b, const char *name, int n_lane, int len, bool all, bool every)
{
    double best = 1e9, ops = 0;
    for (int i = 0; i < 5; i++) {
        lane *l[MAX_LANE];
        int64_t before = session_totals(b->s)->n_op;
        for (int k = 0; k < n_lane; k++) l[k] = prompt(b, NULL, len, k, all);
        for (int k = 0; every && k < n_lane; k++) ask_every(b, l[k]);
        double t = run(b);
        if (t < best) best = t;
        ops = (double)(session_totals(b->s)->n_op - before);
        for (int k = 0; k < n_lane; k++) lane_drop(l[k]);
    }
    if (name)
        printf("forward|%s|%d|%.5g|%.1f|%.1f\n", name, n_lane * len, best, 2 * ops / best * 1e-9,
               b->sgemm);
    fflush(stdout);
    return best;
}

/* One token after another behind 64, each a longer prompt beside the one before. */
static void decode(bench *b)
{
    enum { FROM = 64 };
    lane *l[DECODED + 1] = { prompt(b, NULL, FROM, 0, false) };
    run(b);
    int64_t before = session_totals(b->s)->n_op;
    double best = 1e9;
    for (int i = 1; i <= DECODED; i++) {
        l[i] = prompt(b, l[i - 1], FROM + i, 0, false);
        double t = run(b);
        if (t < best) best = t;
    }
    double ops = (double)(session_totals(b->s)->n_op - before) / DECODED;
    printf("forward|decode one token|1|%.5g|%.1f|%.1f\n", best, 2 * ops / best * 1e-9, b->sgemm);
    for (int i = DECODED; i >= 0; i--) lane_drop(l[i]);
}

int main(void)
{
    const char *dir = bench_dir("gpt2-small");
    error err = { 0 };
    model *m = NULL;
    engine *e = NULL;
    bench b = { 0 };
    if (gpt2_write(dir, gpt2_small)) return 1;
    if (model_open(&m, dir, NULL, &err) || engine_open(&e, NULL, &err) ||
        session_new(&b.s, &m->g, e, &err))
        give_up("open", &err);
    b.m = m;
    int threads = pool_threads(e->pool);
    b.sgemm = sgemm_speed(threads);
    printf("machine|%s|%d|%.1f|%.1f\n", e->name, threads, b.sgemm, read_speed(threads));
    forward(&b, NULL, 1, 64, true, false);
    forward(&b, "forward 1 x 64, all logits", 1, 64, true, false);
    forward(&b, "forward 32 x 16, all logits", 32, 16, true, false);
    forward(&b, "forward 8 x 128, all logits", 8, 128, true, false);
    forward(&b, "a 15-token pass", 1, 15, true, false);
    forward(&b, "prefill 512, last logits", 1, 512, false, false);
    decode(&b);
    forward(&b, "every activation, 1 x 64", 1, 64, true, true);
    session_free(b.s), engine_free(e), model_free(m);
    return 0;
}
/* SPDX-License-Identifier: MIT */
