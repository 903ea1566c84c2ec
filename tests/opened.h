/* opened -- a model opened to be run: what tests of models begin with. */
#ifndef TESTS_OPENED_H
#define TESTS_OPENED_H
#include "backend/backend.h"
#include "graph/session.h"
#include "model/model.h"

typedef struct bench {
    model *m;
    engine *e;
    session *s;
} bench;

/* On one thread; how, precision: may be NULL.  false: it could not, printed with the reason. */
bool open_bench(bench *b, const char *path, const model_options *how, const char *precision);
void close_bench(bench *b);

/* The logits of eight fixed tokens, [8][n]; n is 8 times what the model has. */
void logits_of(bench *b, double *out, int32_t n);

#endif
/* SPDX-License-Identifier: MIT */
