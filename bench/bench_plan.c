/* bench_plan -- what planning a fork costs: time and memory per touched node.
 *
 * The graph is GPT-2 small's (12 blocks of 12 heads), two numbers wide per head, so that next to
 * nothing is computed and what is measured is the planner.  Target: 1 us and 0.5 KB a touched
 * node; the miniature this engine grew from needed 1.1 us and 0.6 KB.
 *
 * Then what a fork of the sweep of all edges costs from being made to being dropped, in waves of 256 of every 41st
 * edge: target 0.2 ms. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "gpt2_shape.h"
#include "model/model.h"
#include <stdio.h>
#include <stdlib.h>

enum { LEN = 24, REPEATS = 30, WAVE = 256, EDGE_STEP = 41, MAX_EDGE = 40000 };

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench_plan: %s: %s\n", what, err->msg);
    exit(1);
}

static lane *prompt(session *s, const model *m, lane *parent)
{
    error err = { 0 };
    double v[LEN];
    lane *l;
    for (int i = 0; i < LEN; i++) v[i] = (i * 7 + (parent && i > 9)) % 50;
    if (lane_new(&l, s, parent, LEN, &err) || lane_give(l, m->token, v, &err))
        give_up("prompt", &err);
    return l;
}

/* A fork for every position of block `layer`'s stream, wanting the last logits. */
static int forks(lane *base, const model *m, node *site, lane **out)
{
    error err = { 0 };
    for (int i = 0; i < LEN; i++) {
        edit e = { .n = site,
                   .where = { i, i + 1, 0, 1 },
                   .w1 = site->width,
                   .kind = EDIT_SCALE,
                   .factor = 1.5 };
        if (lane_fork(&out[i], base, &err) || lane_edit(out[i], &e, &err) ||
            lane_ask(out[i], m->logits, (box){ LEN - 1, LEN, 0, 1 }, &err))
            give_up("fork", &err);
        lane_sweep(out[i]);
    }
    return LEN;
}

static void measure(session *s, const model *m, lane *base, int layer)
{
    char name[64];
    lane *f[LEN];
    error err = { 0 };
    run_info info = { 0 };
    double best = 1e9;
    int64_t bytes = 0;
    snprintf(name, sizeof name, "blocks.%d.resid_pre", layer);
    node *site = graph_find(&m->g, name);
    for (int k = 0; k < REPEATS; k++) {
        int64_t live = mem_state.live_bytes;
        int n = forks(base, m, site, f);
        double start = clock_seconds();
        if (session_plan(s, &info, &err)) give_up("plan", &err);
        double seconds = clock_seconds() - start;
        if (seconds < best) best = seconds;
        bytes = mem_state.live_bytes - live + info.plan_bytes;
        while (n) lane_drop(f[--n]);
    }
    printf("%-22s %6lld touched nodes in %d forks  %5.2f us  %5.0f bytes a touched node\n", name,
           (long long)info.n_touched, LEN, best * 1e6 / (double)info.n_touched,
           (double)bytes / (double)info.n_touched);
}

/* ---- edges ---- */

typedef struct edge {
    node *from, *to;
    int32_t head, part; /* head -1: all of it */
} edge;

static node *site(const model *m, int layer, const char *name)
{
    char whole[64];
    snprintf(whole, sizeof whole, "blocks.%d.%s", layer, name);
    return graph_find(&m->g, whole);
}

static void edges_into(const model *m, int layer, bool mlp_too, node *to, int32_t part, edge *out,
                       int *n)
{
    out[(*n)++] = (edge){ graph_find(&m->g, "embed"), to, -1, part };
    for (int l = 0; l < layer + mlp_too; l++) {
        for (int32_t h = 0; h < 12; h++)
            out[(*n)++] = (edge){ site(m, l, "attn.result"), to, h, part };
        if (l < layer) out[(*n)++] = (edge){ site(m, l, "mlp.out"), to, -1, part };
    }
}

static int all_edges(const model *m, edge *out)
{
    static const char *const reads[] = { "attn.q", "attn.k", "attn.v" };
    int n = 0;
    for (int l = 0; l < 12; l++) {
        for (int k = 0; k < 36; k++)
            edges_into(m, l, false, site(m, l, reads[k / 12]), k % 12, out, &n);
        edges_into(m, l, true, m->block[l].mlp_reader, 0, out, &n);
    }
    edges_into(m, 12, false, m->logits_reader, 0, out, &n);
    return n;
}

static lane *edge_fork(const model *m, lane *base, lane *other, const edge *x)
{
    error err = { 0 };
    lane *l;
    edit e = { .n = x->from, .where = { 0, LEN, 0, x->from->n_part }, .w1 = x->from->width };
    if (x->head >= 0) e.where.a0 = x->head, e.where.a1 = x->head + 1;
    e = edit_take(e, other);
    if (lane_fork(&l, base, &err) ||
        lane_edit_edge(l, &e, x->to, (box){ 0, LEN, x->part, x->part + 1 }, &err) ||
        lane_ask(l, m->logits, (box){ LEN - 1, LEN, 0, 2 }, &err))
        give_up("edge", &err);
    lane_sweep(l);
    return l;
}

static void measure_edges(session *s, const model *m, lane *base, lane *other)
{
    static edge list[MAX_EDGE];
    static lane *wave[WAVE];
    double sum[4] = { 0 };
    int64_t n_all = all_edges(m, list), n = 0, touched = 0;
    for (int64_t i = 0; i < n_all; n++) {
        error err = { 0 };
        run_info info = { 0 }, ran = { 0 };
        int k = 0;
        double t0 = clock_seconds();
        for (; i < n_all && k < WAVE; i += EDGE_STEP)
            wave[k++] = edge_fork(m, base, other, &list[i]);
        double t1 = clock_seconds();
        if (session_plan(s, &info, &err)) give_up("plan", &err);
        double t2 = clock_seconds();
        if (session_run(s, &ran, &err)) give_up("run", &err);
        double t3 = clock_seconds();
        n += k - 1, touched += info.n_touched;
        while (k) lane_drop(wave[--k]);
        double t4 = clock_seconds();
        sum[0] += t1 - t0, sum[1] += t2 - t1, sum[2] += t3 - t2, sum[3] += t4 - t3;
    }
    printf("all edges: %lld of %lld; a fork is made in %.0f us, planned in %.0f, planned and run "
           "in %.0f, dropped in %.0f; %.0f touched nodes\n",
           (long long)n, (long long)n_all, sum[0] / (double)n * 1e6, sum[1] / (double)n * 1e6,
           sum[2] / (double)n * 1e6, sum[3] / (double)n * 1e6, (double)touched / (double)n);
}

int main(void)
{
    const char *dir = bench_dir("gpt2-thin");
    error err = { 0 };
    model *m = NULL;
    engine *e = NULL;
    session *s = NULL;
    if (gpt2_write(dir, (gpt2_shape){ 12, 12, 24, 50, 64 })) return 1;
    if (model_open(&m, dir, NULL, &err) ||
        engine_open(&e, &(engine_options){ .threads = 1 }, &err) || session_new(&s, &m->g, e, &err))
        give_up("open", &err);
    lane *base = prompt(s, m, NULL), *other = prompt(s, m, base);
    lane_keep(base), lane_keep(other);
    if (lane_ask(base, m->logits, node_all(m->logits, base), &err) ||
        lane_ask(other, m->logits, node_all(m->logits, other), &err) || session_run(s, NULL, &err))
        give_up("run", &err);
    for (int layer = 0; layer < 12; layer += 4) measure(s, m, base, layer);
    puts("target: 1 us, 512 bytes (miniature: 1.1 us, 600 bytes)");
    for (int k = 0; k < 3; k++) measure_edges(s, m, base, other);
    session_free(s), engine_free(e), model_free(m);
    return 0;
}
/* SPDX-License-Identifier: MIT */
