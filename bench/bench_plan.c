/* bench_plan -- what planning a fork costs: time and memory per touched node.
 *
 * The graph is GPT-2 small's (12 blocks of 12 heads), one number wide per head, so that next to
 * nothing is computed and what is measured is the planner.  Target: 1 us and 0.5 KB a touched
 * node; the miniature this engine grew from needed 1.1 us and 0.6 KB. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "gpt2_shape.h"
#include "model/model.h"
#include <stdio.h>
#include <stdlib.h>

enum { LEN = 24, REPEATS = 30 };

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench_plan: %s: %s\n", what, err->msg);
    exit(1);
}

static lane *prompt(session *s, const model *m)
{
    error err = { 0 };
    double v[LEN];
    lane *l;
    for (int i = 0; i < LEN; i++) v[i] = i * 7 % 50;
    if (lane_new(&l, s, NULL, LEN, &err) || lane_give(l, m->token, v, &err))
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

int main(void)
{
    const char *dir = bench_dir("gpt2-thin");
    error err = { 0 };
    model *m = NULL;
    engine *e = NULL;
    session *s = NULL;
    if (gpt2_write(dir, (gpt2_shape){ 12, 12, 12, 50, 64 })) return 1;
    if (model_open(&m, dir, NULL, &err) ||
        engine_open(&e, &(engine_options){ .threads = 1 }, &err) || session_new(&s, &m->g, e, &err))
        give_up("open", &err);
    lane *base = prompt(s, m);
    lane_keep(base);
    if (lane_ask(base, m->logits, node_all(m->logits, base), &err) || session_run(s, NULL, &err))
        give_up("run", &err);
    for (int layer = 0; layer < 12; layer += 4) measure(s, m, base, layer);
    puts("target: 1 us, 512 bytes (miniature: 1.1 us, 600 bytes)");
    session_free(s), engine_free(e), model_free(m);
    return 0;
}
/* SPDX-License-Identifier: MIT */
