/* bench_forward -- whole runs on a GPT-2-small-shaped model: tokens a second, and every activation beside them.
 *
 * Each line that begins with "forward" is one measurement, for bench.py: task, tokens, seconds, GFLOP/s of the
 * multiply-adds done, sgemm GFLOP/s. */
#include "gpt2_shape.h"
#include "measure.h"
#include "sgemm.h"
#include <stdio.h>

static void forward(bench *b, double sgemm, const char *name, int n_lane, int len, bool all,
                    bool every)
{
    timed_show(measure_forward(b, n_lane, len, all, every, 5), "forward", name, n_lane * len,
               sgemm);
}

int main(void)
{
    const char *dir = bench_dir("gpt2-small");
    bench b;
    if (gpt2_write(dir, gpt2_small)) return 1;
    bench_open(&b, dir, NULL);
    int threads = pool_threads(b.e->pool);
    double sgemm = sgemm_speed(threads);
    printf("machine|%s|%d|%.1f|%.1f\n", b.e->name, threads, sgemm, read_speed(threads));
    measure_forward(&b, 1, 64, true, false, 5);
    forward(&b, sgemm, "forward 1 x 64, all logits", 1, 64, true, false);
    forward(&b, sgemm, "forward 32 x 16, all logits", 32, 16, true, false);
    forward(&b, sgemm, "forward 8 x 128, all logits", 8, 128, true, false);
    forward(&b, sgemm, "a 15-token pass", 1, 15, true, false);
    forward(&b, sgemm, "prefill 512, last logits", 1, 512, false, false);
    timed_show(measure_decode(&b, 64), "forward", "decode one token", 1, sgemm);
    forward(&b, sgemm, "every activation, 1 x 64", 1, 64, true, true);
    bench_close(&b);
    return 0;
}
/* SPDX-License-Identifier: MIT */
