/* t_fast -- --precision fast of weights of floats: its bound, its bits, and that it is refused where it is not.
 *
 * The tile code runs in plain C here, with the bits of the processor's instruction; on a machine with AMX the two are
 * compared. */
#define TEST_FILE t_fast
#include "test.h"
#include "linear_call.h"
#include "backend/backend.h"
#include "backend/fast.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rand.h"
#include "model/model.h"
#include "ops.gen.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROW = 48, MAX_K = 100, MAX_COL = 80 };

/* One product: rows [n_row][n_k], a weight of a type, a bias or none. */
typedef struct problem {
    int n_row, n_k, n_col;
    bool by_out, bias;
    dtype t;
    float x[MAX_ROW * MAX_K], w[MAX_K * MAX_COL], b[MAX_COL], y[MAX_ROW * MAX_COL];
    uint16_t half[MAX_K * MAX_COL];
} problem;

static float number(uint64_t i)
{
    uint32_t u = rand_bits(test_seed, rand_stream("t_fast"), i);
    return ldexpf((float)(int32_t)u * 0x1p-31f, (int)(u % 8));
}

/* bf16 weights are floats whose lower half is cut off. */
static void fill(problem *p, uint64_t seed)
{
    for (int i = 0; i < MAX_ROW * MAX_K; i++) p->x[i] = number(seed * 1000003 + (uint64_t)i);
    for (int i = 0; i < MAX_K * MAX_COL; i++) {
        float v = number(seed * 2000003 + 7 + (uint64_t)i);
        uint32_t u;
        memcpy(&u, &v, sizeof u);
        p->half[i] = (uint16_t)(u >> 16);
        if (p->t == DTYPE_BF16) u &= 0xffff0000u, memcpy(&v, &u, sizeof v);
        p->w[i] = v;
    }
    for (int i = 0; i < MAX_COL; i++) p->b[i] = number(seed * 3000017 + 9 + (uint64_t)i);
}

static float weight_of(const problem *p, int k, int c)
{
    return p->by_out ? p->w[c * p->n_k + k] : p->w[k * p->n_col + c];
}

/* Rows [r0, r1) by the kernel, units [first, end) of so many at a time. */
static void compute(problem *p, const kernel *k, int r0, int r1, int64_t step)
{
    graph g;
    graph_init(&g, NULL);
    node *n = linear_node(&g, p->n_k, p->n_col, p->by_out);
    REQUIRE(n);
    int64_t size = p->t == DTYPE_F32 ? 4 : 2;
    const char *at = p->t == DTYPE_F32 ? (const char *)p->w : (const char *)p->half;
    linear_call c;
    linear_call_init(
        &c, n,
        &(linear_rows){
            .r0 = r0,
            .r1 = r1,
            .x = p->x,
            .y = p->y,
            .x_step = p->n_k,
            .y_step = p->n_col,
            .w = { .base = at, .row_bytes = (p->by_out ? p->n_k : p->n_col) * size, .dtype = p->t },
            .bias = { .base = p->bias ? (const char *)p->b : NULL, .dtype = DTYPE_F32 } });
    linear_call_run(&c, k, step);
    graph_release(&g);
}

/* The largest error as a share of what is allowed. */
static double worst(const problem *p)
{
    double most = 0;
    for (int r = 0; r < p->n_row; r++)
        for (int c = 0; c < p->n_col; c++) {
            double sum = 0, size = 0;
            for (int k = 0; k < p->n_k; k++) {
                double v = (double)p->x[r * p->n_k + k] * (double)weight_of(p, k, c);
                sum += v, size += fabs(v);
            }
            double bias = p->bias ? (double)p->b[c] : 0;
            double allowed = precision_bound(p->n_k) * size + fabs(sum + bias) * 0x1p-24 * 1.01;
            double e = fabs((double)p->y[r * p->n_col + c] - (sum + bias));
            if (!(e <= most * allowed)) most = e / allowed;
        }
    return most;
}

static const dtype TYPES[] = { DTYPE_F32, DTYPE_BF16 };

TEST("every error is within the bound that is stated, at every edge of a tile")
{
    static const int rows[] = { 1, 15, 16, 17, 33 }, ks[] = { 1, 2, 31, 32, 33, 65, 100 },
                     cols[] = { 1, 15, 16, 17, 32, 33, 80 };
    problem *p = calloc(1, sizeof *p);
    double most = 0;
    REQUIRE(p);
    for (size_t i = 0; i < 5 * 7 * 7 * 2; i++) {
        p->n_row = rows[i % 5], p->n_k = ks[i / 5 % 7], p->n_col = cols[i / 35 % 7];
        p->t = TYPES[i % 2], p->by_out = i / 2 % 2, p->bias = i / 4 % 2;
        fill(p, i);
        compute(p, &linear_tiles, 0, p->n_row, 1000);
        double e = worst(p);
        if (e > most) most = e;
        CHECK(e <= 1);
    }
    printf("  largest error: %.2f of the bound\n", most);
    CHECK(most > 0.01); /* the bound says something */
    free(p);
}

TEST("a row's bits depend on no other row, nor on how units are cut")
{
    problem *p = calloc(2, sizeof *p), *q = p + 1;
    REQUIRE(p);
    for (int i = 0; i < 4; i++) {
        *p = (problem){ .n_row = 40, .n_k = 70, .n_col = 75, .by_out = i % 2, .bias = i / 2 };
        p->t = TYPES[i / 2];
        fill(p, (uint64_t)i + 5000);
        *q = *p;
        compute(p, &linear_tiles, 0, p->n_row, 1000);
        for (int r = 0; r < q->n_row; r += 1 + r % 7)
            compute(q, &linear_tiles, r, r + 1 + r % 7 < q->n_row ? r + 1 + r % 7 : q->n_row, 1);
        CHECK(!memcmp(p->y, q->y, sizeof p->y));
    }
    free(p);
}

TEST("what is not finite stays so, and tiny numbers do no harm")
{
    static const float odd[] = { INFINITY, -INFINITY, NAN };
    problem *p = calloc(1, sizeof *p);
    REQUIRE(p);
    for (int i = 0; i < 3; i++) {
        *p = (problem){ .n_row = 3, .n_k = 40, .n_col = 20 };
        fill(p, 77);
        p->x[p->n_k + 5] = odd[i]; /* of row 1 alone */
        compute(p, &linear_tiles, 0, 3, 1);
        for (int c = 0; c < 20; c++)
            CHECK(!isfinite(p->y[20 + c]) && isfinite(p->y[c]) && isfinite(p->y[40 + c]));
    }
    fill(p, 78);
    for (int k = 0; k < 40; k++) p->x[k] = 0x1p-140f, p->x[40 + k] = 3.4e38f, p->w[k * 20] = 1e-3f;
    compute(p, &linear_tiles, 0, 3, 1);
    CHECK(fabsf(p->y[0]) < 0x1p-120f); /* denormals count as zero */
    CHECK(isfinite(p->y[20]) && fabsf(p->y[20] / (40 * 3.4e35f) - 1) < 1e-5f);
    free(p);
}

TEST("AMX has the bits of the plain code")
{
    problem *p = calloc(2, sizeof *p), *q = p + 1;
    REQUIRE(p);
    if (!linear_amx.run || !cpu_amx()) {
        free(p);
        test_skip("no AMX on this machine");
        return;
    }
    for (int i = 0; i < 40; i++) {
        *p = (problem){ .n_row = 1 + i, .n_k = 1 + 5 * i % 100, .n_col = 1 + 7 * i % 80 };
        p->t = TYPES[i % 2], p->by_out = i / 2 % 2;
        fill(p, (uint64_t)i + 9000);
        *q = *p;
        compute(p, &linear_tiles, 0, p->n_row, 1000);
        compute(q, &linear_amx, 0, p->n_row, 1 + i % 3);
        CHECK(!memcmp(p->y, q->y, sizeof p->y));
    }
    free(p);
}

/* ---- engines ---- */

TEST("fast is there or refused by name, and canonical is not touched by it")
{
    engine *e = NULL;
    error err = { 0 };
    bool there = (linear_amx.run && cpu_amx()) || cpu_vnni(); /* VNNI: t_fast_blocks */
    status st = engine_open(&e, &(engine_options){ .precision = "fast" }, &err);
    CHECK(st == (there ? E_OK : E_UNSUPPORTED));
    if (st == E_OK) engine_free(e);
    else CHECK(strstr(err.msg, "AMX") && err.hint[0] && !e);
    REQUIRE(engine_open(&e, &(engine_options){ .precision = "fast", .emulate = true }, NULL) ==
            E_OK);
    CHECK(!strcmp(e->precision, "fast") && e->real_bytes == 4);
    engine_free(e);
    REQUIRE(engine_open(&e, &(engine_options){ .emulate = true }, NULL) == E_OK);
    CHECK(!strcmp(e->precision, "f32"));
    engine_free(e);
}

typedef struct run_of {
    engine *e;
    session *s;
    lane *base, *other;
} run_of;

static void give(model *m, lane *l, int32_t n, double change)
{
    double id[16];
    for (int32_t i = 0; i < n; i++) id[i] = (double)((i * 5 + 1) % m->config.n_vocab);
    id[2] = change;
    REQUIRE(lane_give(l, m->token, id, NULL) == E_OK);
    REQUIRE(lane_ask(l, m->logits, node_all(m->logits, l), NULL) == E_OK);
}

/* The second prompt as a fork of the first, or on its own. */
static void run_two(run_of *x, model *m, int threads, bool fork, int32_t n)
{
    engine_options o = { .precision = "fast", .emulate = true, .threads = threads };
    REQUIRE(engine_open(&x->e, &o, NULL) == E_OK);
    REQUIRE(session_new(&x->s, &m->g, x->e, NULL) == E_OK);
    REQUIRE(lane_new(&x->base, x->s, NULL, n, NULL) == E_OK);
    give(m, x->base, n, 3);
    lane_keep(x->base);
    REQUIRE(session_run(x->s, NULL, NULL) == E_OK);
    REQUIRE(lane_new(&x->other, x->s, fork ? x->base : NULL, n, NULL) == E_OK);
    give(m, x->other, n, 4);
    REQUIRE(session_run(x->s, NULL, NULL) == E_OK);
}

TEST("under fast too a fork has the bits of a fresh run, on any number of threads")
{
    enum { N = 7 };
    model *m = NULL;
    run_of a = { 0 }, b = { 0 };
    REQUIRE(model_open(&m, "demo:induction", NULL, NULL) == E_OK);
    run_two(&a, m, 1, true, N), run_two(&b, m, 3, false, N);
    int64_t count = (int64_t)N * m->logits->n_part;
    double *u = calloc((size_t)count, sizeof *u), *v = calloc((size_t)count, sizeof *v);
    REQUIRE(u && v);
    CHECK(lane_read(a.other, m->logits, node_all(m->logits, a.other), u, NULL) == E_OK);
    CHECK(lane_read(b.other, m->logits, node_all(m->logits, b.other), v, NULL) == E_OK);
    CHECK(!memcmp(u, v, (size_t)count * sizeof *u));
    double most = 0;
    for (int64_t i = 0; i < count; i++) most = fabs(u[i]) > most ? fabs(u[i]) : most;
    CHECK(most > 0);
    free(u), free(v);
    session_free(a.s), session_free(b.s), engine_free(a.e), engine_free(b.e), model_free(m);
}
/* SPDX-License-Identifier: MIT */
