/* opened -- see opened.h. */
#define TEST_FILE opened
#include "opened.h"
#include "test.h"

bool open_bench(bench *b, const char *path, const model_options *how, const char *precision)
{
    error err = { 0 };
    engine_options o = { .backend = test_backend, .precision = precision, .threads = 1 };
    *b = (bench){ 0 };
    if (!model_open_with(&b->m, path, how ? how : &(model_options){ 0 }, &err) &&
        !engine_open(&b->e, &o, &err) && !session_new(&b->s, &b->m->g, b->e, &err))
        return true;
    fprintf(stderr, "%s: %s\n", path, err.msg);
    close_bench(b);
    return false;
}

void close_bench(bench *b)
{
    session_free(b->s);
    engine_free(b->e);
    model_free(b->m);
    *b = (bench){ 0 };
}

void logits_of(bench *b, double *out, int32_t n)
{
    static const double t[8] = { 1, 5, 2, 2, 40, 7, 0, 3 };
    lane *l;
    REQUIRE(b->m->logits->n_part * 8 == n);
    REQUIRE(!lane_new(&l, b->s, NULL, 8, NULL) && !lane_give(l, b->m->token, t, NULL));
    box all = node_all(b->m->logits, l);
    REQUIRE(!lane_ask(l, b->m->logits, all, NULL) && !session_run(b->s, NULL, NULL) &&
            !lane_read(l, b->m->logits, all, out, NULL));
    lane_drop(l);
}
/* SPDX-License-Identifier: MIT */
