/* t_fail -- memory that runs out at the n-th call, for every n, leaves everything as it was. */
#define TEST_FILE t_fail
#include "test.h"
#include "toy.h"
#include <stdlib.h>
#include <string.h>

/* The same scene again: lanes with edits, one of them run before. */
typedef struct stage {
    toy t;
    session *s;
    lane *base, *fork;
} stage;

static void stage_init(stage *x, uint64_t seed, const engine *e)
{
    toy_init(&x->t, seed);
    REQUIRE(session_new(&x->s, &x->t.g, e, NULL) == E_OK);
    x->base = toy_prompt(&x->t, x->s, 5);
    lane_sweep(x->base);
    REQUIRE(!lane_ask(x->base, x->t.logits, (box){ 4, 5, 0, x->t.n_vocab }, NULL) &&
            !session_run(x->s, NULL, NULL));
    REQUIRE(lane_fork(&x->fork, x->base, NULL) == E_OK);
    lane_sweep(x->fork);
}

/* Steps that may fail; each is tried with the n-th allocation failing until it succeeds. */
static status step(stage *x, int i, error *err)
{
    toy *t = &x->t;
    node *to = t->reader[t->n_reader - 1];
    edit set = { .n = t->writer[0],
                 .where = { 1, 3, 0, 1 },
                 .w1 = t->d_model,
                 .kind = EDIT_SET,
                 .factor = 0.5 };
    edit couple = { .n = t->site[2],
                    .where = node_all(t->site[2], x->fork),
                    .w1 = t->site[2]->width,
                    .kind = EDIT_SCALE,
                    .factor = 3 };
    switch (i) {
    case 0: return lane_edit(x->fork, &couple, err);
    case 1: return lane_edit_edge(x->fork, &set, to, (box){ 0, ROW_OPEN, 0, to->n_part }, err);
    case 2: return lane_ask(x->fork, t->logits, (box){ 2, 5, 0, t->n_vocab }, err);
    case 3:
        toy_ask_all(t, x->fork);
        /* many results to prepare; what fails here fails again below */ /* fall through */
    case 30: return lane_ask(x->fork, t->metric, (box){ 0, 1, 0, 1 }, err);
    default: return session_run(x->s, NULL, err);
    }
}

static void read_all(stage *x, double *out)
{
    REQUIRE(!lane_read(x->fork, x->t.logits, (box){ 2, 5, 0, x->t.n_vocab }, out, NULL));
    REQUIRE(!lane_read(x->fork, x->t.metric, (box){ 0, 1, 0, 1 }, out + 3 * x->t.n_vocab, NULL));
}

TEST("allocation failing at the n-th call, for every n, leaves everything as it was")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    for (uint64_t seed = test_seed; seed < test_seed + (test_soak ? 40 : 4); seed++) {
        static double want[400], got[400];
        stage a, b;
        int64_t n_failed = 0;
        stage_init(&a, seed, e);
        for (int i = 0; i < 5; i++) REQUIRE(step(&a, i, NULL) == E_OK);
        read_all(&a, want);
        stage_init(&b, seed, e);
        for (int i = 0; i < 5; i++)
            for (int64_t n = 0;; n++) {
                error err = { 0 };
                mem_state.fail_at = n;
                status st = step(&b, i, &err);
                mem_state.fail_at = -1;
                if (st == E_OK) break;
                CHECK(st == E_NOMEM && err.code == E_NOMEM && err.msg[0]);
                n_failed++;
            }
        CHECK(n_failed > 10);
        read_all(&b, got);
        CHECK(!memcmp(want, got, sizeof want));
        session_free(a.s), session_free(b.s);
        toy_release(&a.t), toy_release(&b.t);
    }
    engine_free(e);
}

TEST("a run that fails can be run again and gives the bits it would have given")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    for (uint64_t seed = test_seed; seed < test_seed + 30; seed++) {
        toy t;
        session *s;
        toy_init(&t, seed);
        REQUIRE(session_new(&s, &t.g, e, NULL) == E_OK);
        lane *base = toy_prompt(&t, s, 5), *l[4];
        for (int i = 0; i < 4; i++) {
            REQUIRE(lane_fork(&l[i], i ? l[i - 1] : base, NULL) == E_OK);
            lane_sweep(l[i]);
            toy_edit(&t, l[i], &base, 1);
            toy_ask(&t, l[i]);
            REQUIRE(lane_ask(l[i], t.metric, node_all(t.metric, l[i]), NULL) == E_OK);
        }
        mem_state.fail_at = dice_below(&t.d, 30);
        status st = session_run(s, NULL, NULL);
        mem_state.fail_at = -1;
        CHECK(st == E_OK || st == E_NOMEM);
        REQUIRE(session_run(s, NULL, NULL) == E_OK);
        for (int i = 0; i < 4; i++) {
            lane *fresh;
            REQUIRE(lane_fresh(&fresh, l[i], NULL) == E_OK);
            lane_sweep(fresh);
            REQUIRE(!lane_ask(fresh, t.metric, node_all(t.metric, fresh), NULL) &&
                    !session_run(s, NULL, NULL));
            CHECK(toy_same(l[i], fresh, t.metric, node_all(t.metric, fresh)));
        }
        session_free(s);
        toy_release(&t);
    }
    engine_free(e);
}
/* SPDX-License-Identifier: MIT */
