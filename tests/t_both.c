/* t_both -- attention in both directions: what a change reaches, lanes of other lengths, and edits of lines that are as
 * wide as their lane is long.  That forks are fresh runs is in t_fork and t_wild, whose every fourth toy sees both ways. */
#define TEST_FILE t_both
#include "test.h"
#include "toy.h"
#include <string.h>

enum { SEED = 3, LEN = 6 }; /* a toy that sees both ways */

typedef struct bench {
    toy t;
    engine *e;
    session *s;
    lane *base;
    node *scores; /* of the first block */
} bench;

static void bench_open(bench *x)
{
    toy_init(&x->t, SEED);
    x->e = toy_engine("auto", "f32", 1, false);
    REQUIRE(x->t.both_ways && session_new(&x->s, &x->t.g, x->e, NULL) == E_OK);
    session_test(x->s, true, false);
    x->base = toy_prompt(&x->t, x->s, LEN);
    x->scores = NULL;
    for (int i = x->t.n_site - 1; i >= 0; i--)
        if (x->t.site[i]->extent == PAIR && !strcmp(x->t.site[i]->op->name, "scores"))
            x->scores = x->t.site[i];
    REQUIRE(x->scores);
}

static void bench_close(bench *x)
{
    session_free(x->s);
    engine_free(x->e);
    toy_release(&x->t);
}

static lane *child(bench *x, lane *parent, int32_t len)
{
    double v[2 * LEN];
    lane *l;
    for (int i = 0; i < len; i++)
        v[i] = i < lane_len(parent) ? lane_input(parent, x->t.token, i, 0) : (double)(i % 3);
    REQUIRE(!lane_new(&l, x->s, parent, len, NULL) && !lane_give(l, x->t.token, v, NULL));
    lane_sweep(l);
    return l;
}

/* Asks for all scores and all logits, runs, and compares with a fresh lane. */
static void run_and_compare(bench *x, lane *l)
{
    node *n[] = { x->scores, x->t.logits };
    lane *fresh;
    REQUIRE(lane_fresh(&fresh, l, NULL) == E_OK);
    lane_sweep(fresh);
    for (int i = 0; i < 2; i++)
        REQUIRE(!lane_ask(l, n[i], node_all(n[i], l), NULL) &&
                !lane_ask(fresh, n[i], node_all(n[i], l), NULL));
    REQUIRE(session_run(x->s, NULL, NULL) == E_OK);
    for (int i = 0; i < 2; i++) CHECK(toy_same(l, fresh, n[i], node_all(n[i], l)));
    lane_drop(fresh);
}

static void read_scores(bench *x, lane *l, double *v)
{
    REQUIRE(lane_read(l, x->scores, node_all(x->scores, l), v, NULL) == E_OK);
}

TEST("a changed last token changes the first row's logits where queries see both ways")
{
    for (int both = 0; both < 2; both++) {
        toy t;
        session *s;
        lane *l, *f;
        double v[LEN] = { 0, 1, 2, 0, 1, 2 };
        engine *e = toy_engine("auto", "f32", 1, false);
        if (both) toy_init(&t, SEED);
        else toy_init_causal(&t, SEED);
        box first = { 0, 1, 0, t.n_vocab };
        REQUIRE(!session_new(&s, &t.g, e, NULL) && !lane_new(&l, s, NULL, LEN, NULL) &&
                !lane_give(l, t.token, v, NULL));
        v[LEN - 1] = 3;
        REQUIRE(!lane_fork(&f, l, NULL) && !lane_give(f, t.token, v, NULL));
        REQUIRE(!lane_ask(l, t.logits, first, NULL) && !lane_ask(f, t.logits, first, NULL));
        REQUIRE(session_run(s, NULL, NULL) == E_OK);
        CHECK(lane_effect(f) == (both ? EFFECT_CHANGED : EFFECT_NONE));
        session_free(s);
        engine_free(e);
        toy_release(&t);
    }
}

TEST("a line that sees both ways is as wide as its lane; a lane of another length shares none")
{
    bench x;
    run_info info;
    bench_open(&x);
    lane *longer = child(&x, x.base, LEN + 2), *shorter = child(&x, x.base, LEN - 2);
    CHECK(node_width(x.scores, 0, x.base) == LEN && node_width(x.scores, 5, longer) == LEN + 2);
    CHECK(node_numbers(x.scores, node_all(x.scores, shorter), shorter) ==
          (LEN - 2) * (LEN - 2) * x.scores->n_part);
    run_and_compare(&x, longer);
    run_and_compare(&x, shorter);
    REQUIRE(lane_ask(x.base, x.scores, node_all(x.scores, x.base), NULL) == E_OK);
    REQUIRE(session_plan(x.s, &info, NULL) == E_OK);
    CHECK(info.n_cell >=
          (int64_t)LEN * x.scores->n_part); /* nobody had asked the parent for them */
    bench_close(&x);
}

TEST("later keys can be edited where queries see them, and none past the end")
{
    bench x;
    bench_open(&x);
    lane *f = child(&x, x.base, LEN);
    edit e = { .n = x.scores, .where = { 0, 1, 0, 1 }, .w0 = LEN - 1, .w1 = LEN, .kind = EDIT_SET };
    e.factor = 7;
    CHECK(lane_edit(f, &e, NULL) == E_OK);
    e.w0 = LEN, e.w1 = LEN + 1;
    CHECK(lane_edit(f, &e, NULL) == E_RANGE);
    run_and_compare(&x, f);
    double v[LEN * LEN * 16];
    read_scores(&x, f, v);
    CHECK(v[LEN - 1] == 7); /* query 0, head 0, the last key */
    bench_close(&x);
}

/* What f's longer child holds: `edited` for the keys f has, `plain` for the rest. */
static void inherits(bench *x, lane *f, const double *edited, int32_t row, int32_t part)
{
    double got[4 * LEN * LEN * 16], plain[4 * LEN * LEN * 16];
    lane *longer = child(x, f, LEN + 2), *same = child(x, x->base, LEN + 2);
    run_and_compare(x, longer);
    run_and_compare(x, same);
    read_scores(x, longer, got), read_scores(x, same, plain);
    int64_t at = ((int64_t)row * x->scores->n_part + part) * (LEN + 2);
    for (int k = 0; k < LEN + 2; k++) CHECK(got[at + k] == (k < LEN ? edited[k] : plain[at + k]));
}

TEST("a longer lane inherits a take and a set for the keys there were, and computes the others")
{
    bench x;
    double v[4 * LEN * LEN * 16], seven[LEN] = { 7, 7, 7, 7, 7, 7 };
    bench_open(&x);
    lane *other = toy_prompt(&x.t, x.s, LEN), *f = child(&x, x.base, LEN),
         *g = child(&x, x.base, LEN);
    edit e = { .n = x.scores, .where = { 2, 3, 0, 1 }, .w1 = LEN, .kind = EDIT_SET, .factor = 7 };
    REQUIRE(lane_edit(f, &e, NULL) == E_OK);
    edit take = edit_take(e, other);
    take.w1 = ROW_OPEN; /* all keys: as many as the source has */
    REQUIRE(lane_edit(g, &take, NULL) == E_OK);
    run_and_compare(&x, other);
    read_scores(&x, other, v);
    inherits(&x, f, seven, 2, 0);
    inherits(&x, g, v + (int64_t)2 * x.scores->n_part * LEN, 2, 0);
    bench_close(&x);
}

TEST("keys are not taken from a lane of another length")
{
    bench x;
    error err = { 0 };
    bench_open(&x);
    lane *other = toy_prompt(&x.t, x.s, LEN + 1), *f = child(&x, x.base, LEN);
    edit e = { .n = x.scores, .where = { 2, 3, 0, 1 }, .w1 = LEN, .kind = EDIT_SET };
    edit take = edit_take(e, other);
    CHECK(lane_edit(f, &take, &err) == E_SHAPE && strstr(err.msg, "keys a query"));
    bench_close(&x);
}
/* SPDX-License-Identifier: MIT */
