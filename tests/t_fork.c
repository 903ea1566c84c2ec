/* t_fork -- the invariant of session.h on random graphs, lanes and edits: every value of a lane
 * is, bit for bit, what a parentless lane with the same inputs and edits holds. */
#define TEST_FILE t_fork
#include "test.h"
#include "toy.h"
#include "graph/mirror.h"
#include <string.h>

enum { LANES = 7 };

typedef struct scene {
    toy t;
    session *s;
    lane *l[LANES];
    int n;
} scene;

static void scene_init(scene *x, uint64_t seed, const engine *e)
{
    memset(x, 0, sizeof *x);
    toy_init(&x->t, seed);
    REQUIRE(session_new(&x->s, &x->t.g, e, NULL) == E_OK);
    session_test(x->s, true, false);
}

static void scene_release(scene *x)
{
    session_free(x->s);
    toy_release(&x->t);
}

/* One more lane: a prompt, a fork, a corrupt, longer or shorter prompt; some edits; sometimes a run. */
static void scene_grow(scene *x)
{
    dice *d = &x->t.d;
    lane *parent = x->n ? x->l[dice_below(d, x->n)] : NULL, *l = NULL;
    int32_t len = parent ? lane_len(parent) : 3 + (int32_t)dice_below(d, 6);
    switch (parent ? dice_below(d, 6) : 5) {
    case 0: l = toy_variant(&x->t, x->s, parent, len); break;
    case 1: l = toy_variant(&x->t, x->s, parent, len + 1 + (int32_t)dice_below(d, 3)); break;
    case 2: l = toy_variant(&x->t, x->s, parent, 1 + (int32_t)dice_below(d, len)); break;
    case 5:
        if (!parent) {
            l = toy_prompt(&x->t, x->s, len);
            break;
        } /* fall through */
    default: REQUIRE(lane_fork(&l, parent, NULL) == E_OK);
    }
    lane_sweep(l);
    for (int64_t k = dice_below(d, 4); k > 0; k--) toy_edit(&x->t, l, x->l, x->n);
    if (dice_one_in(d, 4)) lane_keep(l);
    toy_ask(&x->t, l);
    x->l[x->n++] = l;
    error err = { 0 };
    if (dice_one_in(d, 3) && session_run(x->s, NULL, &err)) fprintf(stderr, "%s\n", err.msg);
    REQUIRE(err.code == E_OK);
}

/* Ask the lane and its fresh double for the same things and compare. */
static bool like_fresh(scene *x, lane *l, bool all)
{
    error err = { 0 };
    lane *fresh;
    node *site[4];
    box b[4];
    int n = 0;
    if (lane_fresh(&fresh, l, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return false;
    }
    lane_sweep(fresh);
    for (; n < 3; n++) {
        site[n] = x->t.site[dice_below(&x->t.d, x->t.n_site)];
        b[n] = toy_box(&x->t, site[n], l);
    }
    site[n] = x->t.metric, b[n] = node_all(x->t.metric, l), n++;
    for (int i = 0; i < n; i++)
        if (lane_ask(l, site[i], b[i], &err) || lane_ask(fresh, site[i], b[i], &err)) return false;
    if (all) toy_ask_all(&x->t, fresh), toy_ask_all(&x->t, l);
    if (session_run(x->s, NULL, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return false;
    }
    bool same = true;
    for (int i = 0; i < n && same; i++) same = toy_same(l, fresh, site[i], b[i]);
    for (int i = 0; all && i < x->t.n_site && same; i++)
        same = toy_same(l, fresh, x->t.site[i], node_all(x->t.site[i], l));
    lane_drop(fresh);
    return same;
}

static void fork_is_fresh(const engine *e, uint64_t first, int n_scene)
{
    for (uint64_t seed = first; seed < first + (uint64_t)n_scene; seed++) {
        scene x;
        scene_init(&x, seed, e);
        while (x.n < LANES) scene_grow(&x);
        for (int i = 0; i < x.n; i++) {
            bool same = like_fresh(&x, x.l[i], i % 2 == 0);
            if (!same)
                fprintf(stderr, "seed %llu lane %d\n", (unsigned long long)seed, i),
                    toy_show(x.l[i]);
            CHECK(same);
        }
        scene_release(&x);
    }
}

TEST("every value of a fork is, bit for bit, what a fresh run with its edits gives")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    fork_is_fresh(e, test_seed, test_soak ? 20000 : 300);
    engine_free(e);
}

TEST("fork = fresh holds in f64, with threads, and without fusions")
{
    engine *e = toy_engine("reference", "f64", 2, true);
    fork_is_fresh(e, test_seed + 100000, test_soak ? 5000 : 60);
    engine_free(e);
    e = toy_engine("auto", "f32", 2, false);
    fork_is_fresh(e, test_seed + 200000, test_soak ? 5000 : 60);
    engine_free(e);
}

/* ---- identity ---- */

static edit identity(scene *x, node *n, lane *base, double *v)
{
    dice *d = &x->t.d;
    edit e = { .n = n, .where = toy_box(&x->t, n, base), .w0 = 0, .w1 = n->width };
    if (n->extent == PAIR) e.w1 = lane_len(base);
    switch (dice_below(d, n->extent == PAIR ? 3 : 4)) {
    case 0: e.kind = EDIT_SCALE, e.factor = 1; break;
    case 1: e = edit_take(e, base); break;
    case 2: e.kind = EDIT_SCALE, e.factor = 1; break;
    default:
        e.kind = EDIT_SET, e.v = v;
        e.part_step = n->width, e.row_step = (e.where.a1 - e.where.a0) * n->width;
        REQUIRE(lane_read(base, n, e.where, v, NULL) == E_OK);
    }
    return e;
}

static void identity_scene(uint64_t seed, const engine *e, bool edge)
{
    static double v[1 << 16];
    scene x;
    run_info info;
    lane *base, *fork;
    scene_init(&x, seed, e);
    base = toy_prompt(&x.t, x.s, 3 + (int32_t)dice_below(&x.t.d, 6));
    x.t.no_edges = true; /* what is already there differs then between a node and its twins */
    toy_edit(&x.t, base, NULL, 0);
    lane_sweep(base);
    toy_ask_all(&x.t, base);
    REQUIRE(session_run(x.s, NULL, NULL) == E_OK);
    for (int k = 0; k < 6; k++) {
        node *n = edge ? x.t.writer[dice_below(&x.t.d, x.t.n_writer)]
                       : x.t.site[dice_below(&x.t.d, x.t.n_site)];
        node *to = x.t.reader[dice_below(&x.t.d, x.t.n_reader)];
        REQUIRE(lane_fork(&fork, base, NULL) == E_OK);
        lane_sweep(fork);
        edit id = identity(&x, n, base, v);
        status st = edge ? lane_edit_edge(fork, &id, to, toy_box(&x.t, to, base), NULL)
                         : lane_edit(fork, &id, NULL);
        if (st == E_NOSITE) continue;
        REQUIRE(st == E_OK);
        toy_ask_all(&x.t, fork);
        REQUIRE(session_run(x.s, &info, NULL) == E_OK);
        if (lane_effect(fork) == EFFECT_CHANGED)
            fprintf(stderr, "seed %llu: node %d (%s), edit kind %d\n", (unsigned long long)seed,
                    n->id, n->op->name, (int)id.kind);
        CHECK(lane_effect(fork) != EFFECT_CHANGED);
        CHECK(edge || !info.n_touched); /* seen before anything is planned */
        for (int i = 0; i < x.t.n_site; i++)
            CHECK(toy_same(base, fork, x.t.site[i], node_all(x.t.site[i], base)));
    }
    scene_release(&x);
}

TEST("an edit that writes the value already there changes no bit")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    for (uint64_t i = 0; i < (test_soak ? 5000 : 150); i++) identity_scene(test_seed + i, e, false);
    engine_free(e);
}

TEST("an edge edit that writes the value already there changes no bit")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    for (uint64_t i = 0; i < (test_soak ? 5000 : 150); i++) identity_scene(test_seed + i, e, true);
    engine_free(e);
}

/* Row values of a node in a lane. */
static bool equal_at(session *s, lane *a, lane *b, node *n)
{
    box all = node_all(n, a);
    REQUIRE(!lane_ask(a, n, all, NULL) && !lane_ask(b, n, all, NULL) &&
            !session_run(s, NULL, NULL));
    return toy_same(a, b, n, all);
}

TEST("edges into two readers of one lane do not see each other's edits")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    int n_tried = 0;
    for (uint64_t seed = test_seed; seed < test_seed + 60; seed++) {
        scene x;
        lane *base, *one, *two, *both;
        scene_init(&x, seed, e);
        base = toy_prompt(&x.t, x.s, 4);
        node *u = x.t.writer[0], *q = x.t.reader[0],
             *k = x.t.reader[1]; /* of one block: neither reads the other */
        REQUIRE(!lane_fork(&one, base, NULL) && !lane_fork(&two, base, NULL) &&
                !lane_fork(&both, base, NULL));
        lane_sweep(one), lane_sweep(two), lane_sweep(both);
        edit set = { .n = u,
                     .where = { 0, ROW_OPEN, 0, 1 },
                     .w1 = u->width,
                     .kind = EDIT_SET,
                     .factor = 0.25 },
             scale = set;
        scale.kind = EDIT_SCALE, scale.factor = -3;
        box of_q = { 0, ROW_OPEN, 0, q->n_part }, of_k = { 0, ROW_OPEN, 0, k->n_part };
        REQUIRE(!lane_edit_edge(one, &set, q, of_q, NULL) &&
                !lane_edit_edge(two, &scale, k, of_k, NULL));
        REQUIRE(!lane_edit_edge(both, &set, q, of_q, NULL) &&
                !lane_edit_edge(both, &scale, k, of_k, NULL));
        CHECK(equal_at(x.s, one, both, q) && equal_at(x.s, two, both, k));
        n_tried++;
        scene_release(&x);
    }
    CHECK(n_tried == 60);
    engine_free(e);
}

/* ---- edges, from the other side: editing every edge out of a writer is editing the writer ---- */

TEST("editing a writer on all its edges is editing the writer")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    for (uint64_t seed = test_seed; seed < test_seed + (test_soak ? 2000 : 80); seed++) {
        scene x;
        lane *base, *whole, *edges;
        scene_init(&x, seed, e);
        base = toy_prompt(&x.t, x.s, 4);
        node *u = x.t.writer[dice_below(&x.t.d, x.t.n_writer)];
        REQUIRE(!lane_fork(&whole, base, NULL) && !lane_fork(&edges, base, NULL));
        lane_sweep(whole), lane_sweep(edges);
        edit set = { .n = u,
                     .where = { 0, ROW_OPEN, 0, u->n_part },
                     .w1 = u->width,
                     .kind = EDIT_SET,
                     .factor = 0.25 };
        REQUIRE(lane_edit(whole, &set, NULL) == E_OK);
        for (int i = 0; i < x.t.n_reader; i++) {
            node *to = x.t.reader[i];
            if (to->op && !strcmp(to->op->name, "repeat"))
                continue; /* it reads k, whose edge is edited */
            status st = lane_edit_edge(edges, &set, to, (box){ 0, ROW_OPEN, 0, to->n_part }, NULL);
            CHECK(st == E_OK || st == E_NOSITE);
        }
        box all = node_all(x.t.logits, base);
        REQUIRE(!lane_ask(whole, x.t.logits, all, NULL) && !lane_ask(edges, x.t.logits, all, NULL));
        REQUIRE(session_run(x.s, NULL, NULL) == E_OK);
        CHECK(toy_same(whole, edges, x.t.logits, all));
        scene_release(&x);
    }
    engine_free(e);
}
/* SPDX-License-Identifier: MIT */
