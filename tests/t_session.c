/* t_session -- lanes and edits one at a time: what each does, and what each refuses. */
#define TEST_FILE t_session
#include "test.h"
#include "hand.h"
#include "toy.h"
#include "graph/sweep.h"
#include "ops.gen.h"
#include <math.h>
#include <string.h>

enum { ROWS = 4, WIDE = 3 };

static void hand_init(hand *h)
{
    static const double v[ROWS * WIDE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    hand_open(h, ROWS, WIDE, v);
}

static lane *fork_of(lane *l)
{
    lane *f = NULL;
    REQUIRE(lane_fork(&f, l, NULL) == E_OK);
    return f;
}

static edit on(node *n, edit_kind kind, double factor)
{
    return (edit){ .n = n,
                   .where = { 0, ROW_OPEN, 0, n->n_part },
                   .w1 = n->width,
                   .kind = kind,
                   .factor = factor };
}

/* Number i of row r of n in l, asked for and run. */
static double value(hand *h, lane *l, node *n, int32_t r, int i)
{
    double out[WIDE] = { 0 };
    error err = { 0 };
    if (lane_ask(l, n, node_all(n, l), &err) || session_run(h->s, NULL, &err) ||
        lane_read(l, n, (box){ r, r + 1, 0, 1 }, out, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return (double)NAN;
    }
    return out[i];
}

TEST("set, add and scale act on the numbers they name and on no other")
{
    hand h;
    hand_init(&h);
    lane *f = fork_of(h.l);
    edit e = on(h.twice, EDIT_SET, -1);
    e.where.r0 = 1, e.where.r1 = 2, e.w0 = 1, e.w1 = 2;
    REQUIRE(lane_edit(f, &e, NULL) == E_OK);
    e = on(h.sum, EDIT_ADD, 100);
    e.where.r0 = 1;
    REQUIRE(lane_edit(f, &e, NULL) == E_OK);
    e = on(h.late, EDIT_SCALE, 0.5);
    REQUIRE(lane_edit(f, &e, NULL) == E_OK);
    CHECK(value(&h, f, h.late, 0, 0) == 15); /* 3 * 10 / 2 */
    CHECK(value(&h, f, h.late, 1, 0) == (12 + 100) * 5);
    CHECK(value(&h, f, h.late, 1, 1) == (-1 + 5 + 100) * 5);
    CHECK(value(&h, f, h.late, 2, 1) == (24 + 100) * 5);
    CHECK(value(&h, h.l, h.late, 1, 1) == 150);
    hand_close(&h);
}

TEST("edits of one site act in the order they are given")
{
    hand h;
    hand_init(&h);
    lane *a = fork_of(h.l), *b = fork_of(h.l);
    edit add = on(h.sum, EDIT_ADD, 1), twice = on(h.sum, EDIT_SCALE, 2);
    REQUIRE(!lane_edit(a, &add, NULL) && !lane_edit(a, &twice, NULL));
    REQUIRE(!lane_edit(b, &twice, NULL) && !lane_edit(b, &add, NULL));
    CHECK(value(&h, a, h.sum, 0, 0) == 8 && value(&h, b, h.sum, 0, 0) == 7);
    hand_close(&h);
}

TEST("projecting out a direction leaves nothing along it and all across it")
{
    hand h;
    hand_init(&h);
    lane *f = fork_of(h.l);
    double d[WIDE] = { 0, 3, 4 };
    edit e = on(h.sum, EDIT_PROJECT, 0);
    e.v = d;
    REQUIRE(lane_edit(f, &e, NULL) == E_OK);
    double x = value(&h, f, h.sum, 0, 0), y = value(&h, f, h.sum, 0, 1),
           z = value(&h, f, h.sum, 0, 2);
    CHECK(x == 3 && fabs(3 * y + 4 * z) < 1e-5);
    CHECK(fabs((4 * y - 3 * z) - (4 * 6 - 3 * 9)) < 1e-5);
    hand_close(&h);
}

static void add_first(double *x, int64_t n_row, int64_t n_part, int64_t width, void *user)
{
    ++*(int *)user;
    for (int64_t i = n_row * n_part * width - 1; i >= 0; i--) x[i] += x[0];
}

TEST("a callback sees the whole slice of its lane, and a fork's change runs it anew")
{
    hand h;
    int calls = 0;
    hand_init(&h);
    lane *a = fork_of(h.l);
    edit e = on(h.twice, EDIT_CALL, 0);
    e.call = add_first, e.user = &calls;
    REQUIRE(lane_edit(a, &e, NULL) == E_OK);
    CHECK(value(&h, a, h.twice, 3, 2) == 24 + 2);
    lane *b = fork_of(a);
    double v[ROWS * WIDE] = { 9, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    REQUIRE(lane_give(b, h.x, v, NULL) == E_OK);
    CHECK(value(&h, b, h.twice, 3, 2) == 24 + 18);
    CHECK(calls >= 2);
    hand_close(&h);
}

TEST("a take brings rows of another lane, from another row, or from a later node")
{
    hand h;
    hand_init(&h);
    lane *src = fork_of(h.l), *a = fork_of(h.l), *b = fork_of(h.l);
    edit e = on(h.twice, EDIT_SCALE, 10);
    REQUIRE(lane_edit(src, &e, NULL) == E_OK);
    e = on(h.twice, EDIT_TAKE, 0), e.from = src, e.from_n = h.twice, e.from_row = 2,
    e.where = (box){ 0, 1, 0, 1 };
    REQUIRE(lane_edit(a, &e, NULL) == E_OK);
    CHECK(value(&h, a, h.sum, 0, 0) == 140 + 1 && value(&h, a, h.sum, 1, 0) == 12);
    e = on(h.twice, EDIT_TAKE, 0), e.from = src, e.from_n = h.late, e.from_row = 0,
    e.where.r1 = ROWS;
    REQUIRE(lane_edit(b, &e, NULL) == E_OK);
    CHECK(value(&h, b, h.sum, 1, 0) == (80 + 4) * 10 + 4);
    hand_close(&h);
}

TEST("a set over all rows cuts off what is above it")
{
    hand h;
    run_info info;
    hand_init(&h);
    lane *f;
    REQUIRE(lane_new(&f, h.s, NULL, ROWS, NULL) == E_OK);
    double v[ROWS * WIDE] = { 1 };
    REQUIRE(lane_give(f, h.x, v, NULL) == E_OK);
    edit e = on(h.sum, EDIT_SET, 2);
    REQUIRE(!lane_edit(f, &e, NULL) && !lane_ask(f, h.late, node_all(h.late, f), NULL));
    REQUIRE(session_run(h.s, &info, NULL) == E_OK);
    CHECK(info.n_cell == ROWS); /* late, and neither twice nor sum */
    hand_close(&h);
}

TEST("a set over all rows of what is asked for needs nothing of the parent")
{
    hand h;
    run_info info;
    double v[ROWS * WIDE];
    hand_init(&h);
    lane *f = fork_of(h.l);
    edit e = on(h.sum, EDIT_SET, 2);
    REQUIRE(!lane_edit(f, &e, NULL) && !lane_ask(f, h.sum, node_all(h.sum, f), NULL));
    REQUIRE(session_run(h.s, &info, NULL) == E_OK && info.n_cell == 0);
    CHECK(lane_read(f, h.sum, node_all(h.sum, f), v, NULL) == E_OK && v[5] == 2);
    hand_close(&h);
}

TEST("a parent's value is not a fork's: what may differ and was not asked for is not held")
{
    hand h;
    double v[ROWS * WIDE];
    hand_init(&h);
    value(&h, h.l, h.late, 0, 0);
    lane *f = fork_of(h.l);
    edit e = on(h.sum, EDIT_ADD, 1);
    REQUIRE(lane_edit(f, &e, NULL) == E_OK && value(&h, f, h.sum, 0, 0) == 4);
    CHECK(lane_read(f, h.late, node_all(h.late, f), v, NULL) == E_RANGE);
    CHECK(lane_read(h.l, h.late, node_all(h.late, f), v, NULL) == E_OK);
    hand_close(&h);
}

/* ---- weights ---- */

/* y = x W on rows of two numbers. */
static double product(session *s, lane *l, node *y, int i)
{
    double v[4];
    REQUIRE(!lane_ask(l, y, node_all(y, l), NULL) && !session_run(s, NULL, NULL) &&
            !lane_read(l, y, node_all(y, l), v, NULL));
    return v[i];
}

TEST(
    "an edited weight acts on what reads it, in that lane and its forks alone, and can be set back")
{
    static const float w[] = { 1, 2, 3, 4 };
    static const double as_it_was[] = { 1, 2, 3, 4 }, x[] = { 1, 10, 5, 7 };
    graph g;
    session *s;
    lane *l;
    engine *e = toy_engine("reference", "f32", 1, false);
    graph_init(&g, NULL);
    node *in = graph_input(&g, ROW, 1, 2),
         *weight = graph_weight(&g, "w", (weight_view){ (const char *)w, 8, DTYPE_F32, 0 }, 2, 2);
    node *y = op_linear(&g, in, weight, NULL, 0, 0, 1, 2);
    REQUIRE(!session_new(&s, &g, e, NULL) && !lane_new(&l, s, NULL, 2, NULL) &&
            !lane_give(l, in, x, NULL));
    lane *f = fork_of(l);
    edit set = { .n = weight, .where = { 0, 1, 0, 2 }, .w1 = 1, .kind = EDIT_SET, .factor = 100 };
    REQUIRE(lane_edit(f, &set, NULL) == E_OK);
    CHECK(product(s, f, y, 0) == 130 && product(s, l, y, 0) == 31);
    lane *same = fork_of(f), *back = fork_of(f);
    set = (edit){ .n = weight,
                  .where = { 0, 2, 0, 2 },
                  .w1 = 1,
                  .kind = EDIT_SET,
                  .v = as_it_was,
                  .row_step = 2,
                  .part_step = 1 };
    REQUIRE(lane_edit(back, &set, NULL) == E_OK);
    CHECK(product(s, same, y, 0) == 130 && product(s, back, y, 0) == 31 &&
          product(s, back, y, 3) == 38);
    session_free(s), engine_free(e), graph_release(&g);
}

/* ---- refusals ---- */

static status refused(lane *l, edit e, error *err)
{
    *err = (error){ 0 };
    status st = lane_edit(l, &e, err);
    CHECK(st == err->code && (st == E_OK || err->msg[0]));
    return st;
}

TEST("a lane that has run is fixed: edits and inputs are refused, and a fork of it is not")
{
    hand h;
    error err = { 0 };
    double v[ROWS * WIDE] = { 0 };
    hand_init(&h);
    value(&h, h.l, h.late, 0, 0);
    CHECK(refused(h.l, on(h.sum, EDIT_ADD, 1), &err) == E_FROZEN && err.hint[0]);
    CHECK(lane_give(h.l, h.x, v, NULL) == E_FROZEN);
    CHECK(refused(fork_of(h.l), on(h.sum, EDIT_ADD, 1), &err) == E_OK);
    hand_close(&h);
}

TEST("edits outside the node, of the wrong shape or from the future are refused by name")
{
    hand h;
    error err;
    hand_init(&h);
    lane *f = fork_of(h.l), *younger = fork_of(h.l);
    edit e = on(h.sum, EDIT_ADD, 1);
    e.where.r0 = 2, e.where.r1 = 9;
    CHECK(refused(f, e, &err) == E_RANGE && strstr(err.msg, "sum") && strstr(err.msg, "9"));
    e = on(h.sum, EDIT_ADD, 1), e.w1 = 5;
    CHECK(refused(f, e, &err) == E_RANGE);
    e = on(h.sum, EDIT_TAKE, 0), e.from = younger, e.from_n = h.sum;
    CHECK(refused(f, e, &err) == E_CYCLE);
    e = on(h.sum, EDIT_TAKE, 0), e.from = h.l, e.from_n = h.sum, e.from_row = 2,
    e.where = (box){ 0, 4, 0, 1 };
    CHECK(refused(f, e, &err) == E_SHAPE);
    CHECK(refused(f, on(h.x, EDIT_ADD, 1), &err) == E_RANGE);
    double zero[WIDE] = { 0 };
    e = on(h.sum, EDIT_PROJECT, 0), e.v = zero;
    CHECK(refused(f, e, &err) == E_RANGE);
    CHECK(lane_edits(f, h.sum, NULL) == 0); /* rejected edits leave no trace */
    for (int i = 0; i < MAX_EDITS; i++) REQUIRE(refused(f, on(h.sum, EDIT_ADD, 0), &err) == E_OK);
    CHECK(refused(f, on(h.sum, EDIT_ADD, 1), &err) == E_RANGE && strstr(err.msg, "64"));
    hand_close(&h);
}

TEST("an edit that can change nothing asked for is refused before anything runs; in a sweep it is "
     "no effect")
{
    hand h;
    error err = { 0 };
    hand_init(&h);
    lane *f = fork_of(h.l), *g = fork_of(h.l);
    edit e = on(h.late, EDIT_ADD, 1);
    REQUIRE(!lane_edit(f, &e, NULL) && !lane_ask(f, h.sum, node_all(h.sum, f), NULL));
    CHECK(session_run(h.s, NULL, &err) == E_NOEFFECT && strstr(err.msg, "late"));
    lane_drop(f);
    lane_sweep(g);
    REQUIRE(!lane_edit(g, &e, NULL) && !lane_ask(g, h.sum, node_all(h.sum, g), NULL));
    CHECK(session_run(h.s, NULL, NULL) == E_OK && lane_effect(g) == EFFECT_NONE);
    lane *same = fork_of(h.l), *other = fork_of(h.l);
    e = on(h.sum, EDIT_ADD, 0);
    REQUIRE(!lane_edit(same, &e, NULL) && !lane_ask(same, h.late, node_all(h.late, same), NULL));
    e = on(h.sum, EDIT_ADD, 1);
    REQUIRE(!lane_edit(other, &e, NULL) && !lane_ask(other, h.late, node_all(h.late, other), NULL));
    CHECK(session_run(h.s, NULL, NULL) == E_OK);
    CHECK(lane_effect(same) == EFFECT_EQUAL && lane_effect(other) == EFFECT_CHANGED);
    hand_close(&h);
}

TEST("an input that was not given for all rows is refused, not read")
{
    hand h;
    error err = { 0 };
    lane *l, *longer;
    hand_init(&h);
    REQUIRE(!lane_new(&l, h.s, NULL, 2, NULL) && !lane_ask(l, h.sum, node_all(h.sum, l), NULL));
    CHECK(session_run(h.s, NULL, &err) == E_RANGE && strstr(err.msg, "x"));
    lane_drop(l);
    REQUIRE(!lane_new(&longer, h.s, h.l, ROWS + 1, NULL) &&
            !lane_ask(longer, h.sum, node_all(h.sum, longer), NULL));
    CHECK(session_run(h.s, NULL, NULL) == E_RANGE);
    hand_close(&h);
}

TEST("a run over the memory limit is refused with both numbers, and runs when it is raised")
{
    hand h;
    error err = { 0 };
    hand_init(&h);
    session_limit(h.s, 16);
    REQUIRE(lane_ask(h.l, h.late, node_all(h.late, h.l), NULL) == E_OK);
    CHECK(session_run(h.s, NULL, &err) == E_LIMIT && strstr(err.msg, "16") && err.hint[0]);
    session_limit(h.s, 1 << 20);
    CHECK(session_run(h.s, NULL, NULL) == E_OK);
    hand_close(&h);
}

TEST("a lane that others read stays until they are gone")
{
    hand h;
    hand_init(&h);
    lane *a = fork_of(h.l), *b = fork_of(a), *c = fork_of(h.l);
    edit e = on(h.sum, EDIT_TAKE, 0);
    e.from = a, e.from_n = h.sum, e.where.r1 = ROWS;
    REQUIRE(lane_edit(c, &e, NULL) == E_OK);
    lane_drop(a);
    CHECK(value(&h, b, h.late, 0, 0) == 30 && value(&h, c, h.late, 0, 0) == 30);
    lane_drop(b);
    lane_drop(c);
    lane_drop(h.l);
    hand_close(&h);
}

TEST("values that were not asked for are not there, and the message says so")
{
    hand h;
    error err = { 0 };
    double v[ROWS * WIDE];
    hand_init(&h);
    value(&h, h.l, h.late, 0, 0);
    CHECK(lane_read(h.l, h.sum, node_all(h.sum, h.l), v, &err) == E_RANGE &&
          strstr(err.msg, "sum") && err.hint[0]);
    lane_keep(h.l);
    REQUIRE(lane_ask(h.l, h.twice, (box){ 0, 1, 0, 1 }, NULL) == E_OK &&
            session_run(h.s, NULL, NULL) == E_OK);
    CHECK(lane_read(h.l, h.twice, (box){ 0, 1, 0, 1 }, v, NULL) == E_OK && v[2] == 6);
    hand_close(&h);
}

TEST("what a fork shares with its parent can be read from both after a run for the fork alone")
{
    hand h;
    hand_init(&h);
    lane *f = fork_of(h.l);
    edit e = on(h.sum, EDIT_ADD, 1);
    e.where = (box){ 3, 4, 0, 1 };
    REQUIRE(lane_edit(f, &e, NULL) == E_OK);
    CHECK(value(&h, f, h.late, 0, 0) == 30 && value(&h, f, h.late, 3, 0) == 310);
    hand_close(&h);
}

/* ---- sweeps ---- */

typedef struct cells {
    hand *h;
    int64_t stop_at;
    double got[100];
} cells;

static status cell_make(void *user, int64_t i, lane **out, error *err)
{
    cells *c = user;
    lane *f;
    status st = lane_fork(&f, c->h->l, err);
    if (st != E_OK) return st;
    edit e = on(c->h->sum, EDIT_ADD, (double)i);
    lane_sweep(f);
    st = lane_edit(f, &e, err);
    if (st == E_OK) st = lane_ask(f, c->h->late, (box){ 0, 1, 0, 1 }, err);
    if (st == E_OK) *out = f;
    else lane_drop(f);
    return st;
}

static status cell_take(void *user, int64_t i, lane *l, error *err)
{
    cells *c = user;
    double v[WIDE];
    status st = lane_read(l, c->h->late, (box){ 0, 1, 0, 1 }, v, err);
    c->got[i] = v[0];
    return st;
}

static status cell_tell(void *user, int64_t first, int64_t n_done, error *err)
{
    const cells *c = user;
    CHECK(first < n_done && n_done <= 100);
    return n_done < c->stop_at ? E_OK : error_set(err, E_INTERRUPTED, "sweep: stopped");
}

TEST("a sweep runs every cell whatever the memory limit, and stops when told with what is done")
{
    for (int64_t limit = 0; limit < 4000; limit += 1300) {
        hand h;
        int64_t n_done;
        hand_init(&h);
        REQUIRE(lane_ask(h.l, h.late, (box){ 0, 1, 0, 1 }, NULL) == E_OK);
        session_limit(h.s, limit);
        cells c = { .h = &h, .stop_at = 1000 };
        sweep w = {
            .s = h.s, .n = 100, .user = &c, .make = cell_make, .take = cell_take, .tell = cell_tell
        };
        REQUIRE(sweep_run(&w, &n_done, NULL) == E_OK);
        for (int i = 0; i < 100; i++) CHECK(c.got[i] == (3 + i) * 10);
        c.stop_at = 1;
        CHECK(sweep_run(&w, &n_done, NULL) == E_INTERRUPTED && n_done >= 1 && n_done < 100);
        hand_close(&h);
    }
}

TEST("a sweep's plan counts the lanes and whole runs that it makes, at least its operations")
{
    hand h;
    run_info plan, few, before, after;
    bool exact;
    int64_t n_done;
    hand_init(&h);
    lane_keep(h.l); /* else every wave computes some of it again */
    REQUIRE(lane_ask(h.l, h.late, (box){ 0, 1, 0, 1 }, NULL) == E_OK);
    REQUIRE(session_run(h.s, NULL, NULL) == E_OK);
    cells c = { .h = &h, .stop_at = 1000 };
    sweep w = {
        .s = h.s, .n = 100, .user = &c, .make = cell_make, .take = cell_take, .tell = cell_tell
    };
    before = *session_totals(h.s);
    REQUIRE(sweep_plan(&w, 1000, &plan, &exact, NULL) == E_OK);
    after = *session_totals(h.s);
    CHECK(exact && after.n_op == before.n_op && after.n_lane == before.n_lane);
    REQUIRE(sweep_plan(&w, 10, &few, &exact, NULL) == E_OK);
    CHECK(!exact && few.n_op == plan.n_op && few.n_naive_op == plan.n_naive_op);
    REQUIRE(sweep_run(&w, &n_done, NULL) == E_OK);
    after = *session_totals(h.s);
    CHECK(plan.n_naive_op == after.n_naive_op - before.n_naive_op);
    CHECK(plan.n_op >= after.n_op - before.n_op && plan.n_op > 0);
    hand_close(&h);
}
/* Every second cell changes 6 to the next float32, which the sum 6 + 3 rounds away. */
static status half_make(void *user, int64_t i, lane **out, error *err)
{
    cells *c = user;
    status st = lane_fork(out, c->h->l, err);
    edit e = on(c->h->twice, EDIT_ADD, i % 2 ? 1 : 0x1p-21);
    e.where.r1 = 1, e.w0 = 2;
    lane_sweep(*out);
    if (st == E_OK) st = lane_edit(*out, &e, err);
    return st == E_OK ? lane_ask(*out, c->h->late, (box){ 0, 1, 0, 1 }, err) : st;
}

TEST("trying a few cells of a sweep shows which part of the plan equal values make needless")
{
    hand h;
    run_info plan, before, after;
    bool exact;
    double part = 0, few = 0;
    int64_t n_done;
    hand_init(&h);
    lane_keep(h.l);
    REQUIRE(lane_ask(h.l, h.late, (box){ 0, 1, 0, 1 }, NULL) == E_OK);
    REQUIRE(session_run(h.s, NULL, NULL) == E_OK);
    cells c = { .h = &h, .stop_at = 1000 };
    sweep w = { .s = h.s, .n = 100, .user = &c, .make = half_make, .take = cell_take };
    REQUIRE(sweep_try(&w, 1000, &part, NULL) == E_OK && sweep_try(&w, 20, &few, NULL) == E_OK);
    REQUIRE(sweep_plan(&w, 1000, &plan, &exact, NULL) == E_OK);
    before = *session_totals(h.s);
    REQUIRE(sweep_run(&w, &n_done, NULL) == E_OK);
    after = *session_totals(h.s);
    CHECK(part == (double)(after.n_op - before.n_op) / (double)plan.n_op);
    CHECK(part > 0.5 && part < 0.9 && few > 0.5);
    hand_close(&h);
}
/* SPDX-License-Identifier: MIT */
