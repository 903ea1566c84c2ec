/* t_weights -- edited weights that stay with their lane: the same bits as those made anew, and made once. */
#define TEST_FILE t_weights
#include "test.h"
#include "toy.h"
#include <stdatomic.h>
#include <string.h>

enum { LONG = 8, SHORT = 3 };

/* A scale of a weight that counts how often it is asked. */
static void stretch(double *x, int64_t n_row, int64_t n_part, int64_t width, void *user)
{
    ++*(int *)user;
    for (int64_t i = 0; i < n_row * n_part * width; i++) x[i] *= 1.25;
}

typedef struct made {
    toy t;
    session *s;
    lane *base, *fork, *whole; /* fork of base; whole: as long as it will be, with the same edits */
    double v[LONG];
    int n_fork, n_whole;
} made;

/* Weights the logits depend on, all of them edited. */
static void edit_weights(made *m, lane *l, int *count)
{
    for (int i = 0; i < graph_nodes(&m->t.g); i++) {
        const node *n = graph_node(&m->t.g, i);
        if (n->extent != WEIGHT || n->id > m->t.logits->id) continue;
        edit e = { .n = (node *)n,
                   .where = { 0, n->n_row, 0, n->n_part },
                   .w1 = 1,
                   .kind = EDIT_CALL,
                   .call = stretch,
                   .user = count };
        REQUIRE(lane_edit(l, &e, NULL) == E_OK);
    }
}

static void make(made *m, const engine *e, uint64_t seed)
{
    *m = (made){ 0 };
    toy_init_causal(&m->t, seed);
    REQUIRE(session_new(&m->s, &m->t.g, e, NULL) == E_OK);
    m->whole = toy_prompt(&m->t, m->s, LONG);
    for (int i = 0; i < LONG; i++) m->v[i] = lane_input(m->whole, m->t.token, i, 0);
    edit_weights(m, m->whole, &m->n_whole), lane_sweep(m->whole);
    REQUIRE(!lane_new(&m->base, m->s, NULL, SHORT, NULL) &&
            !lane_give(m->base, m->t.token, m->v, NULL));
    REQUIRE(lane_fork(&m->fork, m->base, NULL) == E_OK);
    edit_weights(m, m->fork, &m->n_fork), lane_sweep(m->fork);
}

static void give_back(made *m)
{
    session_free(m->s);
    toy_release(&m->t);
}

static box last_row(const made *m, const lane *l)
{
    return (box){ lane_len(l) - 1, lane_len(l), 0, m->t.n_vocab };
}

static status ask(const made *m, lane *l)
{
    return lane_keep_spans(l, NULL) ? E_NOMEM : lane_ask(l, m->t.logits, last_row(m, l), NULL);
}

/* Decode what is left of the fork, each step compared with the whole. */
static void decode(made *m, bool kept)
{
    lane *l = m->fork;
    int first = 0;
    for (int32_t len = SHORT;; len++) {
        REQUIRE(ask(m, l) == E_OK && !lane_ask(m->whole, m->t.logits, last_row(m, l), NULL));
        REQUIRE(session_run(m->s, NULL, NULL) == E_OK);
        CHECK(toy_same(l, m->whole, m->t.logits, last_row(m, l)));
        if (len == SHORT) first = m->n_fork;
        if (len == LONG) break;
        lane *next;
        REQUIRE(!lane_new(&next, m->s, l, len + 1, NULL) &&
                !lane_give(next, m->t.token, m->v, NULL));
        lane_sweep(next);
        l = next;
    }
    CHECK(first > 0 && (kept ? m->n_fork == first : m->n_fork > first));
}

TEST("weights of a fork that is decoded from are edited once, with the bits of a whole run")
{
    engine *e = toy_engine("auto", "f32", 1, false);
    for (uint64_t seed = test_seed; seed < test_seed + 30; seed++) {
        made m;
        make(&m, e, seed);
        session_test(m.s, true, seed % 5 == 0);
        decode(&m, true);
        give_back(&m);
    }
    engine_free(e);
}

TEST("edited weights stay only within the limit, and without staying they have the same bits")
{
    engine *e = toy_engine("auto", "f32", 1, false);
    made m;
    run_info info;
    make(&m, e, test_seed);
    REQUIRE(ask(&m, m.fork) == E_OK && !lane_ask(m.whole, m.t.logits, last_row(&m, m.fork), NULL));
    REQUIRE(session_plan(m.s, &info, NULL) == E_OK);
    session_limit(m.s, info.value_bytes - 1);
    decode(&m, false);
    give_back(&m);
    engine_free(e);
}

TEST("a lane whose weights stay can be asked for more, and its copies go with it")
{
    engine *e = toy_engine("auto", "f32", 1, false);
    made m;
    lane *plain, *child;
    run_info info;
    make(&m, e, test_seed);
    box first = { 0, 1, 0, m.t.n_vocab };
    REQUIRE(!lane_ask(m.base, m.t.logits, last_row(&m, m.base), NULL) &&
            !session_run(m.s, NULL, NULL));
    for (int i = 0; i < 2; i++) { /* the slab grows the first time */
        int64_t live = mem_state.live_bytes;
        REQUIRE(!lane_fork(&plain, m.base, NULL));
        edit_weights(&m, plain, &m.n_fork);
        REQUIRE(!lane_fork(&child, plain, NULL) && !lane_keep_spans(child, NULL));
        REQUIRE(!lane_ask(child, m.t.logits, last_row(&m, child), NULL));
        REQUIRE(!session_plan(m.s, &info, NULL));
        session_limit(m.s, info.value_bytes); /* room for the copies of one fork, not of two */
        REQUIRE(!session_run(m.s, NULL, NULL) && !lane_ask(plain, m.t.logits, first, NULL));
        int before = m.n_fork;
        REQUIRE(session_run(m.s, NULL, NULL) == E_OK); /* its edits have acted already */
        CHECK(m.n_fork == before);
        lane_drop(child), lane_drop(plain);
        CHECK(!i || mem_state.live_bytes == live);
    }
    give_back(&m);
    engine_free(e);
}

TEST("an allocation that fails while weights are kept leaves the lanes as they were")
{
    engine *e = toy_engine("auto", "f32", 1, false);
    for (int64_t at = 0, n = 0;; at += 1 + at / 8, n++) {
        made m;
        make(&m, e, test_seed);
        REQUIRE(ask(&m, m.fork) == E_OK);
        atomic_store(&mem_state.fail_at, at);
        status st = session_run(m.s, NULL, NULL);
        atomic_store(&mem_state.fail_at, -1);
        CHECK(st == E_OK || st == E_NOMEM);
        m.n_fork = 0;
        if (st != E_OK) {
            REQUIRE(session_run(m.s, NULL, NULL) == E_OK);
            CHECK(m.n_fork > 0);
        }
        REQUIRE(!lane_ask(m.whole, m.t.logits, last_row(&m, m.fork), NULL) &&
                !session_run(m.s, NULL, NULL));
        CHECK(toy_same(m.fork, m.whole, m.t.logits, last_row(&m, m.fork)));
        give_back(&m);
        if (st == E_OK && n > 20) break;
    }
    engine_free(e);
}
/* SPDX-License-Identifier: MIT */
