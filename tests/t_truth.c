/* t_truth -- edits against truths of another kind than "a fresh run has it too": a model whose weights were changed by
 * hand, arithmetic, and equalities that must hold between different ways of saying the same. */
#define TEST_FILE t_truth
#include "test.h"
#include "toy.h"
#include "base/mem.h"
#include "graph/mirror.h"
#include "ops.gen.h"
#include <limits.h>
#include <math.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

/* ---- a toy and a session ---- */

typedef struct bench {
    toy t;
    engine *e;
    session *s;
} bench;

static void open_toy(bench *x, uint64_t seed, bool wild)
{
    x->e = toy_engine("auto", "f32", 1, false);
    if (wild) toy_init_wild(&x->t, seed);
    else toy_init(&x->t, seed);
    REQUIRE(session_new(&x->s, &x->t.g, x->e, NULL) == E_OK);
    session_test(x->s, true, false);
}

static void close_toy(bench *x)
{
    session_free(x->s);
    toy_release(&x->t);
    engine_free(x->e);
}

static lane *fork_of(lane *l)
{
    lane *f = NULL;
    REQUIRE(lane_fork(&f, l, NULL) == E_OK);
    lane_sweep(f);
    return f;
}

/* All of a writer. */
static edit scaled(node *n, double factor)
{
    return (edit){ .n = n,
                   .where = { 0, ROW_OPEN, 0, n->n_part },
                   .w1 = n->width,
                   .kind = EDIT_SCALE,
                   .factor = factor };
}

static box whole(const node *n) { return (box){ 0, ROW_OPEN, 0, n->n_part }; }

/* Are all sites the same in both?  Both are asked for, and run. */
static bool same_everywhere(bench *x, lane *a, lane *b)
{
    bool same = true;
    toy_ask_all(&x->t, a), toy_ask_all(&x->t, b);
    REQUIRE(session_run(x->s, NULL, NULL) == E_OK);
    for (int i = 0; i < x->t.n_site && same; i++)
        same = toy_same(a, b, x->t.site[i], node_all(x->t.site[i], a));
    return same;
}

/* ---- weights ---- */

static node *tied(graph *g, const float *w, node **token, node **table)
{
    graph_init(g, NULL);
    *token = graph_input(g, ROW, 1, 1);
    *table = graph_weight(g, "e", (weight_view){ (const char *)w, 8, DTYPE_F32, 0 }, 4, 2);
    return op_linear(g, op_embed(g, *token, *table), *table, NULL, 1, 0, 4, 1);
}

TEST("editing a tied weight, in forks of forks, is a model that has that weight")
{
    static const float plain[8] = { 1, 2, 3, 4, 5, 6, 7, 8 },
                       edited[8] = { 2, 11, 3, 4, 5, 6, 21, 8 };
    static const double ids[3] = { 0, 3, 1 };
    engine *e = toy_engine("auto", "f32", 1, false);
    graph a, b;
    session *s, *u;
    lane *l, *other;
    node *token, *table, *token2, *table2;
    node *out = tied(&a, plain, &token, &table), *out2 = tied(&b, edited, &token2, &table2);
    REQUIRE(!session_new(&s, &a, e, NULL) && !session_new(&u, &b, e, NULL));
    REQUIRE(!lane_new(&l, s, NULL, 3, NULL) && !lane_give(l, token, ids, NULL));
    REQUIRE(!lane_new(&other, u, NULL, 3, NULL) && !lane_give(other, token2, ids, NULL));
    edit set = { .n = table, .where = { 0, 1, 1, 2 }, .w1 = 1, .kind = EDIT_SET, .factor = 10 };
    edit scale = { .n = table, .where = { 3, 4, 0, 1 }, .w1 = 1, .kind = EDIT_SCALE, .factor = 3 };
    edit add = { .n = table, .where = { 0, 1, 0, 2 }, .w1 = 1, .kind = EDIT_ADD, .factor = 1 };
    lane *f = fork_of(l);
    REQUIRE(!lane_edit(f, &set, NULL) && !lane_edit(f, &scale, NULL));
    lane *ff = fork_of(f);
    REQUIRE(!lane_edit(ff, &add, NULL));
    box all = node_all(out, l);
    REQUIRE(!lane_ask(ff, out, all, NULL) && !lane_ask(other, out2, all, NULL));
    REQUIRE(!session_run(s, NULL, NULL) && !session_run(u, NULL, NULL));
    double x[12], y[12];
    REQUIRE(!lane_read(ff, out, all, x, NULL) && !lane_read(other, out2, all, y, NULL));
    CHECK(!memcmp(x, y, sizeof x));
    session_free(s), session_free(u);
    graph_release(&a), graph_release(&b);
    engine_free(e);
}

/* ---- takes ---- */

/* The sites that read w: lowrank edits of a slice, against a set of numbers worked out here. */
static void lowrank_by_hand(const char *precision, uint64_t seed)
{
    bench x = { .e = toy_engine("auto", precision, 1, false) };
    toy_init_wild(&x.t, seed);
    REQUIRE(session_new(&x.s, &x.t.g, x.e, NULL) == E_OK);
    lane *base = toy_prompt(&x.t, x.s, 5), *low = fork_of(base), *by_hand = fork_of(base);
    node *n = NULL;
    while (!n || n->extent != WEIGHT || n->n_row < 2)
        n = graph_node(&x.t.g, (int32_t)dice_below(&x.t.d, graph_nodes(&x.t.g)));
    int32_t rank = 3, n_row = n->n_row, n_col = n->n_part;
    float *a = arena_array(&x.t.g.mem, (int64_t)rank * (n_row + n_col), sizeof *a);
    double *v = arena_array(&x.t.g.mem, (int64_t)n_row * n_col, sizeof *v);
    REQUIRE(a && v && !lane_read(base, n, node_all(n, base), v, NULL));
    for (int32_t i = 0; i < rank * (n_row + n_col); i++) a[i] = (float)dice_real(&x.t.d);
    lowrank thin = { n_row, n_col, rank, a, a + rank * n_row, 0.37f };
    box slice = toy_box(&x.t, n, base);
    for (int32_t i = slice.r0; i < slice.r1; i++)
        for (int32_t j = slice.a0; j < slice.a1; j++) {
            float sum = 0, was = (float)v[i * n_col + j];
            for (int32_t r = 0; r < rank; r++)
                sum = fmaf(thin.left[i * rank + r], thin.right[r * n_col + j], sum);
            v[i * n_col + j] = (double)fmaf(thin.scale, sum, was);
        }
    edit e = { .n = n, .where = slice, .w1 = 1, .kind = EDIT_LOWRANK, .low = &thin };
    edit set = { .n = n, .where = node_all(n, base), .w1 = 1, .v = v, .part_step = 1 };
    set.row_step = n_col;
    REQUIRE(!lane_edit(low, &e, NULL) && !lane_edit(by_hand, &set, NULL));
    CHECK(same_everywhere(&x, low, by_hand));
    thin.n_col++;
    CHECK(lane_edit(fork_of(base), &e, NULL) == E_SHAPE);
    e.low = NULL;
    CHECK(lane_edit(fork_of(base), &e, NULL) == E_USAGE);
    e.n = x.t.site[0], e.where = node_all(e.n, base);
    CHECK(lane_edit(fork_of(base), &e, NULL) == E_UNSUPPORTED);
    close_toy(&x);
}

TEST("a product of thin matrices added to a slice of a weight is the weight worked out by hand")
{
    for (uint64_t seed = test_seed; seed < test_seed + (test_soak ? 1000 : 60); seed++)
        lowrank_by_hand(seed % 3 ? "f32" : "f64", seed);
}

TEST("a take brings the part and the numbers it names, not those of the same place")
{
    enum { PARTS = 3, WIDTH = 4, ROWS = 2 };
    static double v[ROWS * PARTS * WIDTH], got[ROWS * PARTS * WIDTH];
    engine *e = toy_engine("auto", "f32", 1, false);
    graph g;
    session *s;
    lane *l;
    graph_init(&g, NULL);
    node *in = graph_input(&g, ROW, PARTS, WIDTH), *y = op_scale(&g, in, 1);
    for (int i = 0; i < ROWS * PARTS * WIDTH; i++) v[i] = i;
    REQUIRE(!session_new(&s, &g, e, NULL) && !lane_new(&l, s, NULL, ROWS, NULL) &&
            !lane_give(l, in, v, NULL));
    lane *f = fork_of(l);
    edit a = { .n = y, .where = { 0, ROWS, 0, 1 }, .w0 = 0, .w1 = 2 }, b = a;
    a = edit_take(a, l), a.from_part = 2, a.from_w0 = 1;
    b.where = (box){ 1, 2, 1, 3 }, b.w0 = 3, b.w1 = 4;
    b = edit_take(b, l), b.from_row = 0, b.from_part = 0, b.from_w0 = 0;
    REQUIRE(!lane_edit(f, &a, NULL) && !lane_edit(f, &b, NULL));
    REQUIRE(!lane_ask(f, y, node_all(y, f), NULL) && !session_run(s, NULL, NULL) &&
            !lane_read(f, y, node_all(y, f), got, NULL));
    static const double want[] = { 9,  10, 2,  3,  4,  5,  6,  7, 8,  9,  10, 11,
                                   21, 22, 14, 15, 16, 17, 18, 0, 20, 21, 22, 4 };
    CHECK(!memcmp(got, want, sizeof want));
    a.from_part = 3;
    CHECK(lane_edit(fork_of(l), &a, NULL) == E_SHAPE);
    a.from_part = 0, a.from_w0 = 3;
    CHECK(lane_edit(fork_of(l), &a, NULL) == E_SHAPE);
    a.from_w0 = 0, a.from_row = INT_MAX;
    CHECK(lane_edit(fork_of(l), &a, NULL) == E_SHAPE);
    a.from = NULL, a.from_n = in, a.from_row = 1; /* below itself, in the lane itself */
    CHECK(lane_edit(fork_of(l), &a, NULL) == E_SHAPE);
    session_free(s);
    graph_release(&g);
    engine_free(e);
}

TEST("a take without an end ends where its source does, also in a longer fork")
{
    bench x;
    open_toy(&x, 5, false);
    lane *base = toy_prompt(&x.t, x.s, 4), *f = fork_of(base);
    node *n = x.t.writer[0]; /* the embedding: row by row */
    edit take = edit_take(scaled(n, 0), base);
    REQUIRE(lane_edit(f, &take, NULL) == E_OK);
    lane *longer = toy_variant(&x.t, x.s, f, 7), *plain = toy_variant(&x.t, x.s, NULL, 7);
    double ids[7];
    for (int i = 0; i < 7; i++) ids[i] = lane_input(longer, x.t.token, i, 0);
    REQUIRE(!lane_give(plain, x.t.token, ids, NULL));
    lane_sweep(longer);
    REQUIRE(!lane_ask(longer, n, node_all(n, longer), NULL) &&
            !lane_ask(plain, n, node_all(n, plain), NULL) && !session_run(x.s, NULL, NULL));
    CHECK(toy_same(longer, plain, n, (box){ 4, 7, 0, 1 }));
    close_toy(&x);
}

/* ---- projections ---- */

TEST("a projection across parts is what arithmetic says, asked part by part, after other edits")
{
    enum { PARTS = 5 };
    static const double v[2 * PARTS] = { 1, 2, 3, 4, 5, -1, 0, 2, 7, 1 }, d[3] = { 1, -2, 0.5 };
    engine *e = toy_engine("auto", "f64", 1, false);
    graph g;
    session *s;
    lane *l;
    graph_init(&g, NULL);
    node *in = graph_input(&g, ROW, PARTS, 1), *y = op_scale(&g, in, 1);
    REQUIRE(!session_new(&s, &g, e, NULL) && !lane_new(&l, s, NULL, 2, NULL) &&
            !lane_give(l, in, v, NULL));
    edit project = {
        .n = y, .where = { 0, 2, 1, 4 }, .w1 = 1, .kind = EDIT_PROJECT, .v = d, .part_step = 1
    };
    edit add = { .n = y, .where = { 1, 2, 0, 2 }, .w1 = 1, .kind = EDIT_ADD, .factor = 0.25 };
    lane *f = fork_of(l);
    REQUIRE(!lane_edit(f, &add, NULL) && !lane_edit(f, &project, NULL));
    lane *ff = fork_of(f);
    REQUIRE(!lane_edit(ff, &add, NULL) && !lane_edit(ff, &project, NULL));
    for (int r = 0; r < 2; r++)
        for (int a = 0; a < PARTS; a++) {
            double want[PARTS], got;
            memcpy(want, v + PARTS * r, sizeof want);
            for (int k = 0; k < 2; k++) {
                double dot = 0, norm = 0;
                if (r == 1) want[0] += 0.25, want[1] += 0.25;
                for (int i = 0; i < 3; i++) dot += want[1 + i] * d[i], norm += d[i] * d[i];
                for (int i = 0; i < 3; i++) want[1 + i] -= dot / norm * d[i];
            }
            box one = { r, r + 1, a, a + 1 };
            REQUIRE(!lane_ask(ff, y, one, NULL) && !session_run(s, NULL, NULL) &&
                    !lane_read(ff, y, one, &got, NULL));
            CHECK(fabs(got - want[a]) < 1e-12);
        }
    session_free(s);
    graph_release(&g);
    engine_free(e);
}

/* ---- edges ---- */

TEST("an edge in the parent and an edit in its fork are the edit in the parent and the edge in its "
     "fork")
{
    for (uint64_t seed = test_seed; seed < test_seed + (test_soak ? 3000 : 120); seed++) {
        bench x;
        open_toy(&x, seed, true);
        dice *d = &x.t.d;
        lane *base = toy_prompt(&x.t, x.s, 5);
        lane *first = fork_of(base), *second = fork_of(base), *both = fork_of(base);
        node *u = x.t.writer[dice_below(d, x.t.n_writer)],
             *to = x.t.reader[dice_below(d, x.t.n_reader)],
             *n = x.t.site[dice_below(d, x.t.n_site)];
        edit edge = scaled(u, -2), middle = scaled(n, 3);
        middle.where = toy_box(&x.t, n, base), middle.w1 = n->extent == PAIR ? 5 : n->width;
        box slice = toy_box(&x.t, to, base);
        if (lane_edit_edge(first, &edge, to, slice, NULL) == E_OK) {
            REQUIRE(!lane_edit(second, &middle, NULL));
            lane *a = fork_of(first), *b = fork_of(second);
            REQUIRE(!lane_edit(a, &middle, NULL) && !lane_edit_edge(b, &edge, to, slice, NULL));
            REQUIRE(!lane_edit(both, &middle, NULL) &&
                    !lane_edit_edge(both, &edge, to, slice, NULL));
            CHECK(same_everywhere(&x, a, b) && same_everywhere(&x, a, both));
        }
        close_toy(&x);
    }
}

/* k or v that a repeat reads, perhaps rotated. */
static bool is_repeated(const toy *t, const node *n)
{
    for (int i = 0; i < t->n_reader; i++) {
        const node *r = t->reader[i];
        if (strcmp(r->op->name, "repeat")) continue;
        const node *in = r->in[0];
        if (in == n || (!strcmp(in->op->name, "rotary") && in->in[0] == n)) return true;
    }
    return false;
}

/* The same edit of u on every edge out of it: each head on its own, perhaps in two stretches of rows, keys as key heads
 * or as query heads have them, some edges in forks of forks. */
static lane *edit_edges(bench *x, lane *at, const edit *e, bool by_query_head, bool in_two)
{
    toy *t = &x->t;
    for (int i = 0; i < t->n_reader; i++) {
        node *to = t->reader[i];
        if (by_query_head ? is_repeated(t, to) : !strcmp(to->op->name, "repeat")) continue;
        for (int32_t a = 0; a < to->n_part; a++)
            for (int32_t k = 0; k <= (int32_t)in_two; k++) {
                box slice = { k ? 2 : 0, in_two && !k ? 2 : ROW_OPEN, a, a + 1 };
                status st = lane_edit_edge(at, e, to, slice, NULL);
                CHECK(st == E_OK || st == E_NOSITE);
            }
        if (dice_one_in(&t->d, 3)) at = fork_of(at);
    }
    return at;
}

TEST("editing a writer on all its edges, head by head, is editing the writer")
{
    for (uint64_t seed = test_seed; seed < test_seed + (test_soak ? 3000 : 150); seed++) {
        bench x;
        open_toy(&x, seed, true);
        dice *d = &x.t.d;
        lane *base = toy_prompt(&x.t, x.s, 5), *at_once = fork_of(base);
        edit e = scaled(x.t.writer[dice_below(d, x.t.n_writer)], dice_real(d));
        e.where.r0 = (int32_t)dice_below(d, 5);
        e.kind = (edit_kind)dice_below(d, 3);
        REQUIRE(lane_edit(at_once, &e, NULL) == E_OK);
        lane *by_edges = edit_edges(&x, fork_of(base), &e, dice_one_in(d, 2), dice_one_in(d, 2));
        box all = node_all(x.t.logits, base);
        REQUIRE(!lane_ask(at_once, x.t.logits, all, NULL) &&
                !lane_ask(by_edges, x.t.logits, all, NULL) && !session_run(x.s, NULL, NULL));
        CHECK(toy_same(at_once, by_edges, x.t.logits, all));
        close_toy(&x);
    }
}

TEST("edges into slices that overlap are refused: one would undo the other")
{
    int n_shared = 0;
    for (uint64_t seed = test_seed; seed < test_seed + 40; seed++) {
        bench x;
        open_toy(&x, seed, false);
        lane *base = toy_prompt(&x.t, x.s, 4), *f = fork_of(base);
        node *q = x.t.reader[0];
        edit a = scaled(x.t.writer[0], 0.25), b = scaled(x.t.writer[0], -3);
        REQUIRE(lane_edit_edge(f, &a, q, (box){ 0, 4, 0, q->n_part }, NULL) == E_OK);
        CHECK(lane_edit_edge(f, &b, q, whole(q), NULL) == E_UNSUPPORTED);
        CHECK(lane_edit_edge(fork_of(f), &b, q, whole(q), NULL) == E_UNSUPPORTED);
        for (int i = 0; i < x.t.n_reader; i++) {
            node *r = x.t.reader[i];
            if (strcmp(r->op->name, "repeat") || !r->in[0]->reader) continue;
            lane *g = fork_of(base), *h = fork_of(base); /* k and k[for=h], in either order */
            REQUIRE(!lane_edit_edge(g, &a, r->in[0], whole(r->in[0]), NULL) &&
                    !lane_edit_edge(h, &a, r, (box){ 0, ROW_OPEN, 0, 1 }, NULL));
            CHECK(lane_edit_edge(g, &b, r, (box){ 0, ROW_OPEN, 0, 1 }, NULL) == E_UNSUPPORTED);
            CHECK(lane_edit_edge(h, &b, r->in[0], whole(r->in[0]), NULL) == E_UNSUPPORTED);
            n_shared++;
        }
        close_toy(&x);
    }
    CHECK(n_shared > 0);
}

TEST("an edge given to a fresh copy of a lane with edges does not leak into those it copied")
{
    for (uint64_t seed = test_seed; seed < test_seed + 20; seed++) {
        bench x;
        lane *fresh;
        open_toy(&x, seed, false);
        lane *base = toy_prompt(&x.t, x.s, 4), *one = fork_of(base), *both = fork_of(base);
        node *q = x.t.reader[0], *k = x.t.reader[1];
        edit a = scaled(x.t.writer[0], -2), b = scaled(x.t.writer[0], 3);
        REQUIRE(!lane_edit_edge(one, &a, q, whole(q), NULL) && !lane_fresh(&fresh, one, NULL));
        lane_sweep(fresh);
        REQUIRE(!lane_edit_edge(fresh, &b, k, whole(k), NULL));
        REQUIRE(!lane_edit_edge(both, &a, q, whole(q), NULL) &&
                !lane_edit_edge(both, &b, k, whole(k), NULL));
        CHECK(same_everywhere(&x, fresh, both));
        close_toy(&x);
    }
}

/* ---- what a parent has ---- */

static void stir(double *v, int64_t n_row, int64_t n_part, int64_t width, void *user)
{
    (void)user;
    for (int64_t i = 0; i < n_row * n_part * width; i++) v[i] = 0.5 * v[i] + 1;
}

TEST("what is held and computed again for a callback's sake is not counted twice")
{
    static const float table[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, w[] = { 1, -1, 0.5f, 2 };
    static const double ids[6] = { 0, 1, 2, 3, 0, 1 };
    engine *e = toy_engine("reference", "f32", 1, false);
    graph g;
    session *s;
    lane *root, *fresh;
    double was, got, want;
    graph_init(&g, NULL);
    node *token = graph_input(&g, ROW, 1, 1);
    node *x = op_embed(
        &g, token,
        graph_weight(&g, "e", (weight_view){ (const char *)table, 8, DTYPE_F32, 0 }, 4, 2));
    node *n = op_linear(
        &g, x, graph_weight(&g, "w", (weight_view){ (const char *)w, 8, DTYPE_F32, 0 }, 2, 2), NULL,
        0, 0, 2, 1);
    node *m = op_scale(&g, n, 2);
    const box second = { 0, 1, 1, 2 }, both = { 0, 1, 0, 2 };
    REQUIRE(!session_new(&s, &g, e, NULL) && !lane_new(&root, s, NULL, 6, NULL) &&
            !lane_give(root, token, ids, NULL));
    REQUIRE(!lane_ask(root, n, node_all(n, root), NULL) &&
            !lane_ask(root, m, node_all(m, root), NULL) && !session_run(s, NULL, NULL) &&
            !lane_read(root, n, second, &was, NULL));
    edit up = { .n = x, .where = { 0, 1, 0, 1 }, .w1 = 2, .kind = EDIT_ADD, .factor = 1 },
         scale = { .n = x, .where = { 0, 1, 0, 1 }, .w1 = 1, .kind = EDIT_SCALE, .factor = 3 },
         call = { .n = n, .where = { 0, 6, 0, 1 }, .w1 = 1, .kind = EDIT_CALL, .call = stir },
         set = { .n = n, .where = second, .w1 = 1, .kind = EDIT_SET, .factor = was };
    lane *p = fork_of(root);
    REQUIRE(!lane_edit(p, &up, NULL) && !lane_edit(p, &scale, NULL) && !lane_edit(p, &call, NULL));
    REQUIRE(!lane_ask(p, n, (box){ 0, 1, 0, 1 }, NULL) && !lane_ask(p, m, second, NULL) &&
            !session_run(s, NULL, NULL));
    lane *c = fork_of(p);
    REQUIRE(!lane_edit(c, &up, NULL) && !lane_edit(c, &set, NULL));
    REQUIRE(!lane_ask(p, n, (box){ 1, 6, 0, 1 }, NULL) && !lane_ask(c, m, both, NULL) &&
            !session_run(s, NULL, NULL) && !lane_read(c, m, second, &got, NULL));
    REQUIRE(lane_fresh(&fresh, c, NULL) == E_OK);
    lane_sweep(fresh);
    REQUIRE(!lane_ask(fresh, m, both, NULL) && !session_run(s, NULL, NULL) &&
            !lane_read(fresh, m, second, &want, NULL));
    CHECK(got == want);
    session_free(s);
    graph_release(&g);
    engine_free(e);
}

TEST("a lane that others build on keeps its inputs and edits")
{
    static const double one[4] = { 1, 2, 3, 1 }, other[4] = { 3, 3, 1, 2 };
    bench x;
    lane *p, *taker;
    open_toy(&x, 3, false);
    REQUIRE(!lane_new(&p, x.s, NULL, 4, NULL) && !lane_give(p, x.t.token, one, NULL));
    lane *f = fork_of(p);
    REQUIRE(lane_give(f, x.t.token, one, NULL) == E_OK); /* no change, now and for ever */
    edit e = scaled(x.t.logits, 2);
    CHECK(lane_give(p, x.t.token, other, NULL) == E_FROZEN && lane_edit(p, &e, NULL) == E_FROZEN);
    REQUIRE(!lane_new(&p, x.s, NULL, 4, NULL) && !lane_give(p, x.t.token, one, NULL));
    REQUIRE(!lane_new(&taker, x.s, NULL, 4, NULL));
    e = edit_take(e, p);
    REQUIRE(lane_edit(taker, &e, NULL) == E_OK);
    CHECK(lane_give(p, x.t.token, other, NULL) == E_FROZEN);
    close_toy(&x);
}

TEST("more edits than can act on one node are refused")
{
    bench x;
    error err = { 0 };
    open_toy(&x, 3, false);
    lane *f = fork_of(toy_prompt(&x.t, x.s, 4));
    node *ln = x.t.reader[0]->in[0];
    edit add = scaled(ln, 1.01);
    for (int i = 0; i < MAX_EDITS; i++) REQUIRE(lane_edit(f, &add, NULL) == E_OK);
    CHECK(lane_edit(f, &add, NULL) == E_RANGE);
    toy_ask_all(&x.t, f);
    CHECK(session_run(x.s, NULL, &err) == E_OK);
    close_toy(&x);
}

/* ---- edits that can do nothing, and what is no change ---- */

TEST("an edit that a later one overwrites, or that no fork's question depends on, is refused")
{
    bench x;
    open_toy(&x, 3, false);
    lane *base = toy_prompt(&x.t, x.s, 4), *f, *g;
    node *n = x.t.site[4];
    edit set = scaled(n, 1), add = set, late = scaled(x.t.logits, 2);
    set.kind = EDIT_SET, add.kind = EDIT_ADD;
    REQUIRE(!lane_fork(&f, base, NULL) && !lane_edit(f, &add, NULL) && !lane_edit(f, &set, NULL));
    REQUIRE(!lane_ask(f, x.t.logits, node_all(x.t.logits, f), NULL));
    CHECK(session_run(x.s, NULL, NULL) == E_NOEFFECT);
    lane_drop(f);
    REQUIRE(!lane_fork(&f, base, NULL) && !lane_edit(f, &late, NULL) && !lane_fork(&g, f, NULL));
    REQUIRE(!lane_ask(g, n, node_all(n, g), NULL));
    CHECK(session_run(x.s, NULL, NULL) == E_NOEFFECT);
    close_toy(&x);
}

TEST("keys that the edited queries do not see cannot be edited")
{
    bench x;
    open_toy(&x, 5, false);
    lane *f = fork_of(toy_prompt(&x.t, x.s, 6));
    int n_tried = 0;
    for (int i = 0; i < x.t.n_site; i++) {
        node *n = x.t.site[i];
        if (n->extent != PAIR) continue;
        edit e = { .n = n, .where = { 1, 2, 0, 1 }, .w0 = 4, .w1 = 5, .kind = EDIT_SET };
        CHECK(lane_edit(f, &e, NULL) == E_RANGE);
        e.where = (box){ 1, ROW_OPEN, 0, 1 };
        CHECK(lane_edit(f, &e, NULL) == E_OK);
        n_tried++;
    }
    CHECK(n_tried > 0);
    close_toy(&x);
}

TEST("one number that kept its bits is no change, whatever the rest of its line did")
{
    engine *e = toy_engine("reference", "f32", 1, false);
    for (int parts = 60; parts < 75; parts += 10) { /* lines of more than 64 parts are kept whole */
        static double v[100], d[100];
        graph g;
        session *s;
        lane *a;
        graph_init(&g, NULL);
        node *in = graph_input(&g, ROW, parts, 1), *y = op_scale(&g, in, 2),
             *z = op_log_softmax(&g, y);
        for (int i = 0; i < parts; i++) v[i] = i, d[i] = i == 3;
        const box fifth = { 0, 1, 5, 6 };
        REQUIRE(!session_new(&s, &g, e, NULL) && !lane_new(&a, s, NULL, 1, NULL) &&
                !lane_give(a, in, v, NULL) && !lane_ask(a, y, node_all(y, a), NULL) &&
                !session_run(s, NULL, NULL));
        edit add = {
            .n = y, .where = { 0, 1, 0, parts }, .w1 = 1, .kind = EDIT_ADD, .v = d, .part_step = 1
        };
        lane *f = fork_of(a);
        REQUIRE(!lane_edit(f, &add, NULL) && !lane_ask(f, y, fifth, NULL));
        lane_keep(f);
        lane *h = fork_of(f); /* wants all of f's y */
        REQUIRE(!lane_ask(h, z, (box){ 0, 1, 0, 1 }, NULL) && !session_run(s, NULL, NULL));
        CHECK(lane_effect(f) == EFFECT_EQUAL);
        session_free(s);
        graph_release(&g);
    }
    engine_free(e);
}

/* ---- the caller's mode, and long chains ---- */

TEST("what is given and read does not depend on the caller's FTZ and DAZ")
{
#if defined __x86_64__
    bench x;
    open_toy(&x, 3, false);
    lane *f = fork_of(toy_prompt(&x.t, x.s, 4));
    edit set = scaled(x.t.logits, 0x1p-140);
    double v = 0;
    set.kind = EDIT_SET;
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);
    REQUIRE(!lane_edit(f, &set, NULL) && !lane_ask(f, x.t.logits, (box){ 0, 1, 0, 1 }, NULL));
    REQUIRE(!session_run(x.s, NULL, NULL) &&
            !lane_read(f, x.t.logits, (box){ 0, 1, 0, 1 }, &v, NULL));
    CHECK((_mm_getcsr() & 0x8040) == 0x8040);
    _mm_setcsr(mode);
    CHECK(v == 0x1p-140);
    close_toy(&x);
#else
    SKIP("there is no such mode here");
#endif
}

TEST("a chain of forks may be as long as a text that is decoded")
{
    bench x;
    open_toy(&x, 3, false);
    lane *l = toy_prompt(&x.t, x.s, 3);
    edit e = scaled(x.t.site[1], 2);
    REQUIRE(lane_edit(l, &e, NULL) == E_OK);
    for (int i = 0; i < (test_soak ? 20000 : 1000); i++) l = fork_of(l);
    REQUIRE(!lane_ask(l, x.t.metric, node_all(x.t.metric, l), NULL) &&
            !session_run(x.s, NULL, NULL));
    close_toy(&x);
}
/* SPDX-License-Identifier: MIT */
