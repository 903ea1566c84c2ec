/* bench_forward -- whole runs on a GPT-2-small-shaped model: tokens a second, and every activation beside them.
 *
 * Each line that begins with "forward" is one measurement, for bench.py: task, tokens, seconds, GFLOP/s of the
 * multiply-adds done, sgemm GFLOP/s. */
#include "gpt2_shape.h"
#include "measure.h"
#include "sgemm.h"
#include <stdio.h>

static const struct task {
    const char *name;
    int n_lane, len; /* 0 lanes: decoding */
    bool all, every;
} task[] = {
    { "forward 1 x 64, all logits", 1, 64, true, false },
    { "forward 32 x 16, all logits", 32, 16, true, false },
    { "forward 8 x 128, all logits", 8, 128, true, false },
    { "a 15-token pass", 1, 15, true, false },
    { "prefill 512, last logits", 1, 512, false, false },
    { "decode one token", 0, 1, false, false },
    { "every activation, 1 x 64", 1, 64, true, true },
};

enum { TASKS = sizeof task / sizeof *task, ROUNDS = 2, TIMES = 5 };

static timed measured(bench *b, const struct task *t)
{
    return t->n_lane ? measure_forward(b, t->n_lane, t->len, t->all, t->every, TIMES)
                     : measure_decode(b, 64);
}

/* In rounds, as a machine shared with others is slow for a second at a time; the best counts. */
int main(void)
{
    const char *dir = bench_dir("gpt2-small");
    bench b;
    timed best[TASKS];
    if (gpt2_write(dir, gpt2_small)) return 1;
    bench_open(&b, dir, NULL);
    int threads = pool_threads(b.e->pool);
    double sgemm = sgemm_speed(threads);
    printf("machine|%s|%d|%.1f|%.1f\n", b.e->name, threads, sgemm, read_speed(threads));
    measure_forward(&b, 1, 64, true, false, TIMES);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < TASKS; i++) {
            timed t = measured(&b, &task[i]);
            if (r == 0 || t.seconds < best[i].seconds) best[i] = t;
        }
    for (int i = 0; i < TASKS; i++)
        timed_show(best[i], "forward", task[i].name,
                   task[i].len * (task[i].n_lane ? task[i].n_lane : 1), sgemm);
    bench_close(&b);
    return 0;
}
/* SPDX-License-Identifier: MIT */
