/* measure -- runs of a model, timed: what bench_forward and bench_gguf share. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H
#include "backend/backend.h"
#include "model/model.h"
#include <stdbool.h>

/* A model with a session on it. */
typedef struct bench {
    model *m;
    engine *e;
    session *s;
} bench;

/* Open path on an engine of our own in a precision (NULL: f32), or end the program with what is wrong. */
void bench_open(bench *b, const char *path, const char *precision);
void bench_close(bench *b);

/* What a task took at best, and multiply-adds done. */
typedef struct timed {
    double seconds, ops;
} timed;

/* n_lane prompts of so many tokens: all logits or the last, every activation or not.  The fastest of n_time. */
timed measure_forward(bench *b, int n_lane, int len, bool all, bool every, int n_time);

/* One token after another behind `from` others, each a longer prompt beside the one before; the fastest. */
timed measure_decode(bench *b, int from);

/* A line for bench.py: kind|task|tokens|seconds|GFLOP/s|sgemm GFLOP/s. */
void timed_show(timed t, const char *kind, const char *task, int tokens, double sgemm);

#endif
/* SPDX-License-Identifier: MIT */
