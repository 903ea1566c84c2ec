/* t_plan -- the planner computes wanted and changed, and nothing else: its counts against a count
 * made cell by cell, with need() on single cells and no region. */
#define TEST_FILE t_plan
#include "test.h"
#include "toy.h"
#include <stdlib.h>
#include <string.h>

/* Flags of every (row, part) cell of every node in one lane. */
enum { MAY = 1, CALC = 2, WANT = 4, CHANGED = 8, HIDDEN = 16 };

typedef struct brute {
    toy *t;
    graph *g; /* the session's, mirrors included */
    lane *l, *fresh;
    unsigned char **flag;
    int32_t n_node;
} brute;

static unsigned char *cell_flag(brute *b, const node *n, int32_t row, int32_t part)
{
    return &b->flag[n->id][(int64_t)row * n->n_part + part];
}

static bool any_flag(brute *b, const node *n, box x, int what)
{
    x = box_cut(x, node_all(n, b->l));
    for (int32_t r = x.r0; r < x.r1; r++)
        for (int32_t a = x.a0; a < x.a1; a++)
            if (*cell_flag(b, n, r, a) & what) return true;
    return false;
}

static void set_flag(brute *b, const node *n, box x, int what)
{
    x = box_cut(x, node_all(n, b->l));
    for (int32_t r = x.r0; r < x.r1; r++)
        for (int32_t a = x.a0; a < x.a1; a++) *cell_flag(b, n, r, a) |= (unsigned char)what;
}

static bool within(const edit *e, int32_t r, int32_t a)
{
    return r >= e->where.r0 && r < e->where.r1 && a >= e->where.a0 && a < e->where.a1;
}

static bool covers(const brute *b, const edit *e)
{
    int32_t whole = e->n->extent == PAIR ? e->where.r1 : e->n->width;
    if (e->n->both_ways) whole = lane_len(b->l);
    return (e->kind == EDIT_SET || e->kind == EDIT_TAKE) && e->w0 == 0 && e->w1 >= whole;
}

static bool self_take(const edit *e) { return e->kind == EDIT_TAKE && !e->from; }

static box source_of(const edit *e, int32_t r, int32_t a)
{
    int32_t row = r - e->where.r0 + e->from_row, part = a - e->where.a0 + e->from_part;
    return (box){ row, row + 1, part, part + 1 };
}

/* Do inputs with flag `what` reach the cell; new rows do by themselves. */
static bool inputs_reach(brute *b, const node *n, const edit *e, int n_e, int32_t r, int32_t a,
                         int what)
{
    lane *p = lane_parent(b->l);
    bool other = lane_len(p) != lane_len(b->l);
    if (n->extent == LANE || n->both_ways ? other : r >= lane_len(p)) return true;
    for (int k = 0; k < n->n_in; k++)
        if (any_flag(b, n->in[k], n->op->need(n, k, (box){ r, r + 1, a, a + 1 }, b->l), what))
            return true;
    for (int i = 0; i < n_e; i++)
        if (e[i].owner != b->l && self_take(&e[i]) && within(&e[i], r, a) &&
            any_flag(b, e[i].from_n, source_of(&e[i], r, a), what))
            return true;
    return false;
}

static void mark_calc(brute *b, const node *n, bool now)
{
    edit e[MAX_EDITS];
    int n_e = lane_edits(b->l, n, e);
    box all = node_all(n, b->l);
    for (int32_t r = 0; r < all.r1; r++)
        for (int32_t a = 0; a < all.a1; a++) {
            unsigned char *f = cell_flag(b, n, r, a);
            if (n->op && inputs_reach(b, n, e, n_e, r, a, now ? CHANGED : MAY))
                *f |= now ? 0x40 : CALC | MAY;
            for (int i = 0; i < n_e; i++)
                if (e[i].edge && e[i].owner == b->l && within(&e[i], r, a))
                    *f |= now ? 0x40 : CALC | MAY;
            for (int i = 0; i < n_e && !now; i++) {
                if (e[i].owner == b->l && within(&e[i], r, a)) *f |= MAY;
                if (covers(b, &e[i]) && within(&e[i], r, a)) *f |= HIDDEN;
            }
        }
}

static void mark_want(brute *b, const node *n)
{
    edit e[MAX_EDITS];
    int n_e = lane_edits(b->l, n, e);
    box all = node_all(n, b->l);
    for (int32_t r = 0; r < all.r1; r++)
        for (int32_t a = 0; a < all.a1; a++) {
            unsigned char f = *cell_flag(b, n, r, a);
            if (!(f & WANT) || !(f & MAY)) continue;
            for (int i = 0; i < n_e; i++)
                if (self_take(&e[i]) && within(&e[i], r, a) && (e[i].owner == b->l || f & CALC))
                    set_flag(b, e[i].from_n, source_of(&e[i], r, a), WANT);
            for (int k = 0; n->op && (f & CALC) && !(f & HIDDEN) && k < n->n_in; k++)
                set_flag(b, n->in[k], n->op->need(n, k, (box){ r, r + 1, a, a + 1 }, b->l), WANT);
        }
}

/* Bits of one part of one row that differ between the lane's fresh double and its parent. */
static void mark_changed(brute *b, const node *n)
{
    static char x[1 << 16], y[1 << 16];
    lane *p = lane_parent(b->l);
    box all = node_all(n, b->l), old = node_all(n, p);
    if (n->both_ways && lane_len(p) != lane_len(b->l)) old.r1 = 0; /* no line is as wide */
    for (int32_t r = 0; r < all.r1; r++)
        for (int32_t a = 0; a < all.a1; a++) {
            box c = { r, r + 1, a, a + 1 };
            size_t bytes = (size_t)node_numbers(n, c, b->l) * 4;
            bool differ = r >= old.r1;
            if (!differ) {
                REQUIRE(!lane_read_raw(b->fresh, n, c, x, NULL) &&
                        !lane_read_raw(p, n, c, y, NULL));
                differ = memcmp(x, y, bytes) != 0;
            }
            if (differ) *cell_flag(b, n, r, a) |= CHANGED;
        }
    if (n->op || n->extent == WEIGHT) return;
    for (int32_t r = 0; r < all.r1; r++) /* of inputs, what changed is known before */
        for (int32_t a = 0; a < all.a1; a++)
            if (*cell_flag(b, n, r, a) & CHANGED) *cell_flag(b, n, r, a) |= MAY;
}

/* A weight's change counts edit by edit. */
static void mark_weight(brute *b, const node *n)
{
    edit e[MAX_EDITS];
    int n_e = lane_edits(b->l, n, e);
    for (int i = 0; i < n_e; i++)
        if (e[i].owner == b->l && any_flag(b, n, e[i].where, CHANGED))
            set_flag(b, n, e[i].where, CHANGED);
}

static void brute_count(brute *b, const node *asked, box where, int64_t *may, int64_t *done)
{
    *may = *done = 0;
    for (int32_t i = 0; i < b->n_node; i++) mark_changed(b, graph_node(b->g, i));
    for (int32_t i = 0; i < b->n_node; i++)
        if (graph_node(b->g, i)->extent == WEIGHT) mark_weight(b, graph_node(b->g, i));
    for (int32_t i = 0; i < b->n_node; i++) mark_calc(b, b->g->order[i], false);
    for (int32_t i = 0; i < b->n_node; i++) mark_calc(b, b->g->order[i], true);
    set_flag(b, asked, where, WANT);
    for (int32_t i = b->n_node - 1; i >= 0; i--) mark_want(b, b->g->order[i]);
    for (int32_t i = 0; i < b->n_node; i++) {
        const node *n = graph_node(b->g, i);
        box all = node_all(n, b->l);
        for (int64_t c = 0; n->op && c < (int64_t)all.r1 * all.a1; c++) {
            unsigned char f = b->flag[i][c];
            if (!(f & WANT) || f & HIDDEN) continue;
            *may += (f & CALC) != 0;
            *done += (f & CALC) && f & 0x40;
        }
    }
}

/* An edit that couples nothing: of a site, a weight or an edge. */
static void plain_edit(toy *t, lane *l)
{
    for (int i = 0; i < 20; i++) {
        int64_t kind = dice_below(&t->d, 3), what = dice_below(&t->d, 6);
        edit e = { .kind = (edit_kind)kind, .factor = dice_real(&t->d) };
        e.n = what ? t->site[dice_below(&t->d, t->n_site)]
                   : graph_node(&t->g, (int32_t)dice_below(&t->d, graph_nodes(&t->g)));
        if (what == 1) e.n = t->writer[dice_below(&t->d, t->n_writer)];
        if (!e.n->op && e.n->extent != WEIGHT) continue;
        e.where = toy_box(t, e.n, l);
        e.w1 = e.n->extent == PAIR ? lane_len(l) : e.n->width;
        node *to = t->reader[dice_below(&t->d, t->n_reader)];
        status st =
            what == 1 ? lane_edit_edge(l, &e, to, toy_box(t, to, l), NULL) : lane_edit(l, &e, NULL);
        if (st == E_OK) return;
    }
}

static void ask_everything(toy *t, graph *g, lane *l)
{
    (void)t;
    for (int32_t i = 0; i < graph_nodes(g); i++)
        if (graph_node(g, i)->op)
            lane_ask(l, graph_node(g, i), node_all(graph_node(g, i), l), NULL);
}

static void counts_agree(uint64_t seed, const engine *e)
{
    toy t;
    session *s;
    run_info plan, ran;
    toy_init(&t, seed);
    REQUIRE(session_new(&s, &t.g, e, NULL) == E_OK);
    graph *g = session_graph(s);
    lane *base = toy_prompt(&t, s, 2 + (int32_t)dice_below(&t.d, 6)), *l, *fresh;
    lane_sweep(base);
    for (int64_t k = dice_below(&t.d, 2); k > 0; k--) plain_edit(&t, base);
    int32_t len = lane_len(base);
    if (dice_one_in(&t.d, 5)) len += 1 + (int32_t)dice_below(&t.d, 2);
    else if (dice_one_in(&t.d, 5) && len > 2) len--;
    if (dice_one_in(&t.d, 3) || len != lane_len(base)) l = toy_variant(&t, s, base, len);
    else REQUIRE(lane_fork(&l, base, NULL) == E_OK);
    lane_sweep(l);
    for (int64_t k = 1 + dice_below(&t.d, 2); k > 0; k--) plain_edit(&t, l);
    REQUIRE(lane_fresh(&fresh, l, NULL) == E_OK);
    ask_everything(&t, g, base), ask_everything(&t, g, fresh);
    lane_sweep(fresh);
    REQUIRE(session_run(s, NULL, NULL) == E_OK);
    node *asked = dice_one_in(&t.d, 2) ? t.metric : t.site[dice_below(&t.d, t.n_site)];
    box where = toy_box(&t, asked, l);
    REQUIRE(lane_ask(l, asked, where, NULL) == E_OK);
    REQUIRE(session_plan(s, &plan, NULL) == E_OK && session_run(s, &ran, NULL) == E_OK);
    brute b = { .t = &t, .g = g, .l = l, .fresh = fresh, .n_node = graph_nodes(g) };
    b.flag = calloc((size_t)b.n_node, sizeof *b.flag);
    for (int32_t i = 0; i < b.n_node; i++) {
        box all = node_all(graph_node(g, i), l);
        b.flag[i] = calloc((size_t)all.r1 * (size_t)all.a1 + 1, 1);
    }
    int64_t may, done;
    brute_count(&b, asked, where, &may, &done);
    if (plan.n_cell != may || ran.n_cell != done)
        fprintf(stderr, "seed %llu: planned %lld, brute %lld; ran %lld, brute %lld\n",
                (unsigned long long)seed, (long long)plan.n_cell, (long long)may,
                (long long)ran.n_cell, (long long)done),
            toy_show(l);
    CHECK(plan.n_cell == may);
    CHECK(ran.n_cell == done);
    for (int32_t i = 0; i < b.n_node; i++) free(b.flag[i]);
    free(b.flag);
    session_free(s);
    toy_release(&t);
}

TEST("the planner's cells are those that a count cell by cell finds wanted and changed")
{
    engine *e = toy_engine("reference", "f32", 1, true);
    for (uint64_t i = 0; i < (test_soak ? 20000 : 400); i++) counts_agree(test_seed + i, e);
    engine_free(e);
}

TEST("planning alone computes nothing and changes nothing")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    toy t;
    session *s;
    run_info a, b;
    double x;
    toy_init(&t, 5);
    REQUIRE(session_new(&s, &t.g, e, NULL) == E_OK);
    lane *l = toy_prompt(&t, s, 6);
    REQUIRE(lane_ask(l, t.metric, node_all(t.metric, l), NULL) == E_OK);
    REQUIRE(session_plan(s, &a, NULL) == E_OK && session_plan(s, &b, NULL) == E_OK);
    CHECK(a.n_cell == b.n_cell && a.n_op == b.n_op && a.value_bytes == b.value_bytes &&
          a.n_call == 0);
    CHECK(a.n_lane == 1 && a.n_naive_op >= a.n_op && a.value_bytes > 0 && a.plan_bytes > 0);
    CHECK(lane_read(l, t.metric, node_all(t.metric, l), &x, NULL) == E_RANGE);
    edit e1 = { .n = t.site[0],
                .where = node_all(t.site[0], l),
                .w1 = t.site[0]->width,
                .kind = EDIT_SCALE,
                .factor = 2 };
    CHECK(lane_edit(l, &e1, NULL) == E_OK);
    REQUIRE(session_run(s, &b, NULL) == E_OK);
    CHECK(b.n_op == a.n_op && b.value_bytes == a.value_bytes);
    session_free(s);
    toy_release(&t);
    engine_free(e);
}

TEST("values are freed after their last reader: depth costs no memory")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    int64_t bytes[2] = { 0 };
    toy t;
    session *s;
    run_info all, one;
    toy_init(&t, 11);
    REQUIRE(session_new(&s, &t.g, e, NULL) == E_OK);
    lane *l = toy_prompt(&t, s, 6), *m = toy_prompt(&t, s, 6);
    REQUIRE(lane_ask(l, t.logits, (box){ 5, 6, 0, t.n_vocab }, NULL) == E_OK &&
            session_plan(s, &one, NULL) == E_OK);
    toy_ask_all(&t, m);
    REQUIRE(session_plan(s, &all, NULL) == E_OK);
    bytes[0] = one.value_bytes, bytes[1] = all.value_bytes - one.value_bytes;
    CHECK(bytes[0] * 2 < bytes[1]);
    session_free(s);
    toy_release(&t);
    engine_free(e);
}
/* SPDX-License-Identifier: MIT */
