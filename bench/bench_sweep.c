/* bench_sweep -- the 180 cells of the resid_pre sweep on a GPT-2-small-shaped model, exactly.
 *
 * A pair of 15 tokens that differ in one; for every block and position, one fork that takes
 * resid_pre there from the clean run; the logit difference of two tokens at the last position.
 * Beside it, in the same run, what a run per cell costs here.  (TransformerLens on the machine
 * the target was set on: 27 s; target 6 s.) */
#include "backend/backend.h"
#include "base/cpu.h"
#include "gpt2_shape.h"
#include "graph/sweep.h"
#include "model/model.h"
#include <stdio.h>
#include <stdlib.h>

enum { LEN = 15 };

typedef struct bench {
    const model *m;
    session *s;
    lane *clean, *corrupt;
    int n_layer;
    double sum;
    int64_t changed;
} bench;

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench_sweep: %s: %s\n", what, err->msg);
    exit(1);
}

static lane *prompt(bench *b, lane *parent, int changed)
{
    error err = { 0 };
    double v[LEN];
    lane *l;
    for (int i = 0; i < LEN; i++) v[i] = 1000 + i * 777 + (i == changed) * 5000;
    if (lane_new(&l, b->s, parent, LEN, &err) || lane_give(l, b->m->token, v, &err))
        give_up("prompt", &err);
    lane_keep(l);
    if (lane_ask(l, b->m->logits, (box){ LEN - 1, LEN, 0, b->m->logits->n_part }, &err))
        give_up("ask", &err);
    return l;
}

static status make(void *user, int64_t i, lane **out, error *err)
{
    bench *b = user;
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.resid_pre", (int)(i / LEN));
    node *n = graph_find(&b->m->g, name);
    int32_t r = (int32_t)(i % LEN);
    edit e = { .n = n, .where = { r, r + 1, 0, 1 }, .w1 = n->width };
    e = edit_take(e, b->clean);
    lane *l;
    status st = lane_fork(&l, b->corrupt, err);
    if (st != E_OK) return st;
    lane_sweep(l);
    st = lane_edit(l, &e, err);
    if (st == E_OK) st = lane_ask(l, b->m->logits, (box){ LEN - 1, LEN, 464, 465 }, err);
    if (st == E_OK) st = lane_ask(l, b->m->logits, (box){ LEN - 1, LEN, 1000, 1001 }, err);
    *out = l;
    return st;
}

static status take(void *user, int64_t i, lane *l, error *err)
{
    bench *b = user;
    double x, y;
    (void)i;
    status st = lane_read(l, b->m->logits, (box){ LEN - 1, LEN, 464, 465 }, &x, err);
    if (st == E_OK) st = lane_read(l, b->m->logits, (box){ LEN - 1, LEN, 1000, 1001 }, &y, err);
    if (st != E_OK) return st;
    b->sum += x - y;
    b->changed += lane_effect(l) == EFFECT_CHANGED;
    return E_OK;
}

int main(int argc, char **argv)
{
    const char *dir = bench_dir("gpt2-small");
    error err = { 0 };
    model *m = NULL;
    engine *e = NULL;
    bench b = { .n_layer = 12 };
    int64_t done;
    engine_options o = { .backend = argc > 1 ? argv[1] : NULL };
    if (gpt2_write(dir, gpt2_small)) return 1;
    if (model_open(&m, dir, NULL, &err) || engine_open(&e, &o, &err) ||
        session_new(&b.s, &m->g, e, &err))
        give_up("open", &err);
    b.m = m;
    double start = clock_seconds();
    b.corrupt = prompt(&b, NULL, -1);
    b.clean = prompt(&b, b.corrupt, 4);
    if (session_run(b.s, NULL, &err)) give_up("run", &err);
    double base = clock_seconds() - start;
    start = clock_seconds();
    lane *whole = prompt(&b, NULL, 4);
    if (session_run(b.s, NULL, &err)) give_up("run", &err);
    double one = clock_seconds() - start;
    lane_drop(whole);
    run_info before = *session_totals(b.s);
    sweep w = { .s = b.s, .n = 12 * LEN, .user = &b, .make = make, .take = take };
    start = clock_seconds();
    if (sweep_run(&w, &done, &err)) give_up("sweep", &err);
    double swept = clock_seconds() - start;
    const run_info *after = session_totals(b.s);
    printf("%s, %lld cells of which %lld change anything\n", e->name, (long long)done,
           (long long)b.changed);
    printf("both prompts %.2f s; the sweep %.2f s (target 6); a whole run per cell %.1f s; ratio "
           "%.3f\n",
           base, swept, one * (double)done, swept / (one * (double)done));
    printf("multiply-adds %.3g of %.3g, ratio %.3f; values %.1f MB\n",
           (double)(after->n_op - before.n_op), (double)(after->n_naive_op - before.n_naive_op),
           (double)(after->n_op - before.n_op) / (double)(after->n_naive_op - before.n_naive_op),
           (double)after->value_bytes / 1e6);
    session_free(b.s), engine_free(e), model_free(m);
    return 0;
}
/* SPDX-License-Identifier: MIT */
