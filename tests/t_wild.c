/* t_wild -- fork = fresh on stories that t_fork does not tell: graphs of toy_init_wild, overlays made on the way, runs
 * that ask more, that are only planned, interrupted, refused for memory or out of it, lanes dropped, decoding under
 * edits and edges. */
#define TEST_FILE t_wild
#include "test.h"
#include "toy.h"
#include "base/mem.h"
#include <string.h>

enum { LANES = 12, ACTS = 24 };

typedef struct story {
    toy t;
    session *s;
    lane *l[LANES];
    int n, stop_at;
} story;

static lane *some_lane(story *x) { return x->n ? x->l[dice_below(&x->t.d, x->n)] : NULL; }

/* ---- what happens in a story ---- */

static lane *descend(story *x, lane *parent)
{
    dice *d = &x->t.d;
    lane *l = NULL;
    int32_t len = lane_len(parent);
    switch (dice_below(d, 6)) {
    case 0: return toy_variant(&x->t, x->s, parent, len);
    case 1: return toy_variant(&x->t, x->s, parent, len + 1 + (int32_t)dice_below(d, 3));
    case 2: return toy_variant(&x->t, x->s, parent, 1 + (int32_t)dice_below(d, len));
    case 3: /* a decoded token */
        REQUIRE(!lane_keep_spans(parent, NULL) && !lane_new(&l, x->s, parent, len + 1, NULL));
        toy_give(&x->t, l, parent, 1 << 20);
        return l;
    default: REQUIRE(lane_fork(&l, parent, NULL) == E_OK); return l;
    }
}

static void grow(story *x)
{
    dice *d = &x->t.d;
    lane *parent = some_lane(x);
    if (x->n == LANES) return;
    lane *l = parent && lane_len(parent) < 20
                  ? descend(x, parent)
                  : toy_prompt(&x->t, x->s, 3 + (int32_t)dice_below(d, 6));
    lane_sweep(l);
    for (int64_t k = dice_below(d, 5); k > 0; k--) {
        mem_state.fail_at = dice_one_in(d, 8) ? dice_below(d, 20) : -1;
        toy_edit(&x->t, l, x->l, x->n);
        mem_state.fail_at = -1;
    }
    if (dice_one_in(d, 5)) lane_keep(l);
    toy_ask(&x->t, l);
    x->l[x->n++] = l;
}

static void drop(story *x)
{
    if (x->n < 4) return;
    int i = (int)dice_below(&x->t.d, x->n);
    lane_drop(x->l[i]);
    memmove(&x->l[i], &x->l[i + 1], (size_t)(x->n - i - 1) * sizeof *x->l);
    x->n--;
}

/* SITE@before, made while lanes are under way. */
static void add_overlay(story *x)
{
    toy *t = &x->t;
    node *n = t->site[dice_below(&t->d, t->n_site)];
    if (t->n_site == TOY_SITES) return;
    node *copy = graph_copy(session_graph(x->s), n, n->in);
    REQUIRE(copy);
    t->site[t->n_site++] = copy;
}

static bool stop(void *user, int64_t n_op, int64_t n_all)
{
    story *x = user;
    (void)n_op, (void)n_all;
    return x->stop_at-- > 0;
}

static bool runs(story *x)
{
    error err = { 0 };
    status st = session_run(x->s, NULL, &err);
    if (st) fprintf(stderr, "%s\n", err.msg);
    return st == E_OK;
}

static void act(story *x)
{
    dice *d = &x->t.d;
    run_info info;
    switch (dice_below(d, 16)) {
    case 0: CHECK(runs(x)); break;
    case 1: CHECK(session_plan(x->s, &info, NULL) == E_OK); break;
    case 2:
        x->stop_at = (int)dice_below(d, 30);
        session_on_progress(x->s, stop, x);
        session_run(x->s, NULL, NULL);
        session_on_progress(x->s, NULL, NULL);
        break;
    case 3:
        mem_state.fail_at = dice_below(d, 60);
        session_run(x->s, NULL, NULL);
        mem_state.fail_at = -1;
        break;
    case 4:
        session_limit(x->s, 1 + dice_below(d, 20000));
        session_run(x->s, NULL, NULL);
        session_limit(x->s, 0);
        break;
    case 5:
    case 6:
        if (x->n) toy_ask(&x->t, some_lane(x));
        break;
    case 7: drop(x); break;
    case 8: add_overlay(x); break;
    default: grow(x);
    }
}

/* ---- how it ends ---- */

static bool fresh_agrees(story *x, lane *l, bool all)
{
    toy *t = &x->t;
    lane *fresh;
    node *site[4];
    box b[4];
    REQUIRE(lane_fresh(&fresh, l, NULL) == E_OK);
    lane_sweep(fresh);
    for (int i = 0; i < 4; i++) {
        site[i] = i == 3 ? t->metric : t->site[dice_below(&t->d, t->n_site)];
        b[i] = i == 3 ? node_all(t->metric, l) : toy_box(t, site[i], l);
        REQUIRE(!lane_ask(l, site[i], b[i], NULL) && !lane_ask(fresh, site[i], b[i], NULL));
    }
    if (all) toy_ask_all(t, fresh), toy_ask_all(t, l);
    bool same = runs(x);
    for (int i = 0; i < 4 && same; i++) same = toy_same(l, fresh, site[i], b[i]);
    for (int i = 0; all && i < t->n_site && same; i++)
        same = toy_same(l, fresh, t->site[i], node_all(t->site[i], l));
    lane_drop(fresh);
    return same;
}

static bool told(uint64_t seed, const engine *e)
{
    story x = { .n = 0 };
    bool fine = true;
    toy_init_wild(&x.t, seed);
    REQUIRE(session_new(&x.s, &x.t.g, e, NULL) == E_OK);
    session_test(x.s, true, false);
    for (int i = 0; i < ACTS; i++) act(&x);
    for (int i = 0; i < x.n && fine; i++) {
        fine = fresh_agrees(&x, x.l[i], i % 2 == 0);
        if (!fine)
            fprintf(stderr, "seed %llu lane %d of %d\n", (unsigned long long)seed, i, x.n),
                toy_show(x.l[i]);
    }
    session_free(x.s);
    toy_release(&x.t);
    return fine;
}

TEST("a fork is a fresh run whatever happened before: failures, plans, drops, more questions, "
     "decoding")
{
    engine *e[] = { toy_engine("reference", "f32", 1, false), toy_engine("auto", "f32", 2, false),
                    toy_engine("reference", "f64", 2, true), toy_engine("auto", "f32", 1, true) };
    int n_wrong = 0;
    for (uint64_t i = 0; i < (test_soak ? 20000 : 300) && n_wrong < 5; i++)
        n_wrong += !told(test_seed + i, e[i % 4]);
    CHECK(!n_wrong);
    for (int i = 0; i < 4; i++) engine_free(e[i]);
}
/* SPDX-License-Identifier: MIT */
