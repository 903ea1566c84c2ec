/* t_shapes -- linear and attention at every size near an edge of a block, in every backend, against plain C: equal bits,
 * or both NaN.
 *
 * One size goes through all its values, the others are drawn; --soak draws many times.  Rows of x and y and the
 * weight begin at addresses that nothing is aligned to but their own type, weights of other types than F32 not even to
 * that, and numbers are now and then denormal, infinite or NaN. */
#define TEST_FILE t_shapes
#include "test.h"
#include "linear_call.h"
#include "backend/backend.h"
#include "base/mem.h"
#include "base/rand.h"
#include "ops.gen.h"
#include "tensor/blocks.h"
#include <math.h>
#include <string.h>

/* Sizes of pieces, strips, groups and tables in src/backend, one less and one more. */
static const int rows[] = { 1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11, 12,
                            13,  15,  16,  17,  18,  19,  23,  24,  25,  31,  32, 33,
                            36,  37,  47,  48,  49,  63,  64,  65,  95,  96,  97, 127,
                            128, 129, 191, 192, 193, 255, 256, 257, 383, 384, 385 };
static const int sums[] = { 1,  2,  3,  5,  7,  8,   9,   15,  16,  17,  31,  32, 33,
                            47, 63, 64, 65, 96, 127, 128, 129, 255, 256, 257, 513 };
static const int columns[] = { 1,   2,   7,   8,   9,   15,  16,   17,   31,  32,
                               33,  47,  48,  49,  63,  64,  65,   95,   96,  97,
                               127, 128, 129, 255, 256, 257, 1023, 1024, 1025 };
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

enum { MOST_WORK = 1500000, GAP = 3 };

static struct {
    uint64_t seed, at;
} dice;

static int32_t below(int64_t n)
{
    return (int32_t)rand_below(dice.seed, rand_stream("t_shapes"), dice.at++, n);
}

static float number(bool special)
{
    static const float odd[] = { 0.0f,   -0.0f,    1e-40f,    -0x1p-149f, 3e38f,
                                 -3e38f, INFINITY, -INFINITY, NAN,        0x1.fffffep-127f };
    if (special && below(40) == 0) return odd[below(COUNT(odd))];
    return (float)(below(1 << 24) - (1 << 23)) * 0x1p-22f;
}

/* ---- linear ---- */

typedef struct problem {
    int n_row, n_k, n_col;
    size_t stride; /* bytes between rows of the weight and of y, 0: no more than they need */
    bool by_out, bias, special;
    dtype type;
    float *x, *want, *got; /* lines GAP floats further apart than they are long */
    char *w, *b;           /* w begins one byte off where it is not of floats */
    size_t x_bytes, y_bytes, w_bytes, b_bytes;
} problem;

static size_t offset(dtype t) { return t == DTYPE_F32 ? 4 : 1; }

static size_t row_bytes(const problem *p)
{
    return p->stride ? p->stride : dtype_size(p->type, p->by_out ? p->n_k : p->n_col);
}

/* Floats from a line of y to the next. */
static int y_step(const problem *p)
{
    return p->stride ? (int)(p->stride / sizeof(float)) : p->n_col + GAP;
}

/* A bias does not lie in blocks. */
static dtype bias_type(const problem *p) { return dtype_is_block(p->type) ? DTYPE_F32 : p->type; }

static void *bytes_new(size_t n)
{
    void *p = mem_zero(n);
    REQUIRE(p);
    return p;
}

static void weights_fill(char *at, int64_t n, dtype t, bool special)
{
    for (int64_t i = 0; i < n; i++) {
        float v = number(special);
        dtype_row_from_f32(t, &v, at + (size_t)i * dtype_bytes(t), 1);
    }
}

/* Any bytes; unless `special`, d and dmin are finite. */
static void blocks_fill(char *at, size_t n, dtype t, bool special)
{
    size_t bytes = dtype_bytes(t);
    for (size_t i = 0; i < n; i++) at[i] = (char)below(256);
    for (size_t i = 0; i + bytes <= n && !special; i += bytes) {
        at[i + (size_t)block_d_at(t) + 1] &= ~0x40;
        if (block_has_offset(t)) at[i + (size_t)block_m_at(t) + 1] &= ~0x40;
    }
}

static void problem_init(problem *p)
{
    dtype b = bias_type(p);
    size_t rows_bytes = row_bytes(p) * (size_t)(p->by_out ? p->n_col : p->n_k);
    p->x_bytes = (size_t)(p->n_row * (p->n_k + GAP) + 1) * sizeof(float);
    p->y_bytes = (size_t)(p->n_row * y_step(p) + 1) * sizeof(float);
    p->w_bytes = rows_bytes + offset(p->type);
    p->b_bytes = (size_t)p->n_col * dtype_bytes(b) + offset(b);
    p->x = bytes_new(p->x_bytes), p->want = bytes_new(p->y_bytes), p->got = bytes_new(p->y_bytes);
    p->w = bytes_new(p->w_bytes), p->b = bytes_new(p->b_bytes);
    for (size_t i = 0; i < p->x_bytes / sizeof(float); i++) p->x[i] = number(p->special);
    if (dtype_is_block(p->type)) blocks_fill(p->w + 1, rows_bytes, p->type, p->special);
    else
        weights_fill(p->w + offset(p->type), (int64_t)(rows_bytes / dtype_bytes(p->type)), p->type,
                     p->special);
    weights_fill(p->b + offset(b), p->n_col, b, p->special);
    memset(p->want, 0x5a, p->y_bytes), memset(p->got, 0x5a, p->y_bytes);
}

static void problem_release(problem *p)
{
    mem_free(p->x, p->x_bytes), mem_free(p->w, p->w_bytes);
    mem_free(p->want, p->y_bytes), mem_free(p->got, p->y_bytes);
    mem_free(p->b, p->b_bytes);
}

/* By an engine's kernel, its units in two parts. */
static void compute(const problem *p, const engine *e, const node *n, float *y)
{
    linear_call c;
    linear_rows at = { .r1 = p->n_row,
                       .x = p->x + 1,
                       .y = y + 1,
                       .x_step = p->n_k + GAP,
                       .y_step = (int64_t)y_step(p),
                       .w = { .base = p->w + offset(p->type),
                              .row_bytes = (int64_t)row_bytes(p),
                              .dtype = p->type } };
    if (p->bias)
        at.bias = (weight_view){ .base = p->b + offset(bias_type(p)), .dtype = bias_type(p) };
    linear_call_init(&c, n, &at);
    linear_call_run(&c, e->kernel_of(e, n->op), 0);
}

static void try_linear(engine *const *e, problem *p)
{
    graph g;
    graph_init(&g, NULL);
    int n_row = p->by_out ? p->n_col : p->n_k, n_col = p->by_out ? p->n_k : p->n_col;
    node *w = graph_weight(&g, "w", (weight_view){ 0 }, n_row, n_col);
    node *b = p->bias ? graph_weight(&g, "b", (weight_view){ 0 }, 1, p->n_col) : NULL;
    node *n =
        op_linear(&g, graph_input(&g, ROW, 1, p->n_k), w, b, p->by_out, 0, 1, (double)p->n_col);
    REQUIRE(n);
    problem_init(p);
    compute(p, e[0], n, p->want);
    for (int i = 1; e[i]; i++) {
        memset(p->got, 0x5a, p->y_bytes);
        compute(p, e[i], n, p->got);
        bool same = bits_same(p->want, p->got, p->y_bytes, 4);
        CHECK(same);
        if (!same)
            printf("  %s: %d rows of %d to %d, %s, %s, bias %d\n", e[i]->name, p->n_row, p->n_k,
                   p->n_col, p->by_out ? "by outputs" : "by inputs", dtype_name(p->type), p->bias);
    }
    problem_release(p);
    graph_release(&g);
}

/* One of the values; none that makes more work than is left for it. */
static int drawn(const int *v, int n, int64_t most)
{
    int x;
    do x = v[below(n)];
    while (x > most && x > v[0]);
    return x;
}

static void draw_linear(engine *const *e, int fixed, int value)
{
    static const dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    for (int way = 0; way < 6; way++) {
        problem p = { .by_out = way & 1, .type = types[way / 2], .bias = below(2) };
        p.special = below(3) == 0;
        p.n_row = fixed == 0 ? value : drawn(rows, COUNT(rows), 400);
        p.n_k = fixed == 1 ? value : drawn(sums, COUNT(sums), MOST_WORK / p.n_row / 8);
        p.n_col = fixed == 2 ? value : drawn(columns, COUNT(columns), MOST_WORK / p.n_row / p.n_k);
        if ((int64_t)p.n_row * p.n_k * p.n_col > 4 * MOST_WORK) p.n_row = 13, p.n_k %= 64;
        if (p.n_k) try_linear(e, &p);
    }
}

/* A weight in blocks: its rows are whole ones.  Most are by outputs, as files have them. */
static void draw_blocks(engine *const *e, int n_row, dtype type)
{
    static const int few[] = { 1, 2, 3, 4, 5, 7, 8, 9 };
    problem p = { .by_out = below(4) > 0, .type = type, .n_row = n_row, .bias = below(2) };
    int block = (int)dtype_block(type), n = few[below(block == 32 ? 8 : 4)] * block,
        other = drawn(columns, COUNT(columns), MOST_WORK / n_row / n);
    p.special = below(3) == 0;
    p.n_k = p.by_out ? n : other, p.n_col = p.by_out ? other : n;
    try_linear(e, &p);
}

/* Rows of the weight and of y whole pages apart, which are read and summed another way; columns that end within them. */
static void pages_apart(engine *const *e)
{
    static const int n_row[] = { 1, 15, 31, 65, 97, 193 }, n_k[] = { 7, 33, 129 },
                     n_col[] = { 1, 9, 12, 31, 33, 60, 300, 1000, 1024 };
    for (int i = 0; i < COUNT(n_row) * COUNT(n_k) * COUNT(n_col); i++) {
        problem p = { .type = below(3) ? DTYPE_F32 : DTYPE_F16,
                      .stride = 4096,
                      .special = below(3) == 0 };
        p.n_row = n_row[i % COUNT(n_row)], p.n_k = n_k[i / COUNT(n_row) % COUNT(n_k)];
        p.n_col = n_col[i / COUNT(n_row) / COUNT(n_k)], p.bias = below(2);
        if ((int64_t)p.n_row * p.n_k * p.n_col <= 4 * MOST_WORK) try_linear(e, &p);
    }
}

/* More rows of long sums than are turned at once: they are done in parts of whole panels, of which the last may be short. */
static void in_parts(engine *const *e)
{
    static const int n_row[] = { 64, 65, 81, 89, 97, 120, 160, 185 }, n_k[] = { 3071, 4096 };
    for (int i = 0; i < COUNT(n_row); i++) {
        problem p = { .by_out = true, .type = below(4) ? DTYPE_F32 : DTYPE_BF16 };
        p.n_row = n_row[i], p.n_k = n_k[below(COUNT(n_k))], p.n_col = 1 + below(7);
        p.bias = below(2), p.special = below(3) == 0;
        try_linear(e, &p);
    }
}

/* Every usable backend, plain C first; NULL-terminated. */
static void open_all(engine *e[8])
{
    int n = 0;
    REQUIRE(engine_open(&e[n++], &(engine_options){ .backend = "plain", .threads = 1 }, NULL) == 0);
    for (int b = 0; backend_name(b) && n < 7; b++) {
        engine_options o = { .backend = backend_name(b), .threads = 1 };
        if (!strcmp(backend_name(b), "plain") || !backend_usable(backend_name(b))) continue;
        REQUIRE(engine_open(&e[n++], &o, NULL) == E_OK);
    }
    e[n] = NULL;
}

TEST("linear has plain C's bits at every size near the edge of a block")
{
    engine *e[8];
    open_all(e);
    for (uint64_t time = 0; time < (test_soak ? 40 : 1); time++) {
        dice.seed = test_seed * 1000 + time, dice.at = 0;
        for (int i = 0; i < COUNT(rows); i++) draw_linear(e, 0, rows[i]);
        for (int i = 0; i < COUNT(sums); i++) draw_linear(e, 1, sums[i]);
        for (int i = 0; i < COUNT(columns); i++) draw_linear(e, 2, columns[i]);
        pages_apart(e);
        in_parts(e);
    }
    for (int i = 0; e[i]; i++) engine_free(e[i]);
}

TEST("linear of weights in blocks has plain C's bits for any number of rows and any bytes")
{
    engine *e[8];
    open_all(e);
    for (uint64_t time = 0; time < (test_soak ? 40 : 1); time++) {
        dice.seed = test_seed * 1000 + time, dice.at = 0;
        for (dtype t = DTYPE_Q4_0; t < DTYPE_COUNT; t++)
            for (int i = 0; i < COUNT(rows); i += i < 18 ? 1 : 1 + below(4))
                draw_blocks(e, rows[i], t);
    }
    for (int i = 0; e[i]; i++) engine_free(e[i]);
}

/* ---- attention ---- */

typedef struct attention {
    graph g;
    node *x[3], *z; /* q, k, v */
    int len, at;    /* queries [at, len) are looked at */
    bool special;
} attention;

static void attention_init(attention *a, int len, int d_head)
{
    static const int windows[] = { 0, 0, 1, 2, 16, 33 };
    graph *g = &a->g;
    graph_init(g, NULL);
    int n_head = 1 + below(3), both_ways = below(4) == 0;
    double window = both_ways ? 0 : windows[below(6)];
    for (int i = 0; i < 3; i++) a->x[i] = graph_input(g, ROW, n_head, d_head);
    node *s = op_scores(g, a->x[0], a->x[1], 0.5, below(3) ? 0.0 : 2.0, window, both_ways);
    a->z = op_mix(g, op_softmax(g, s), a->x[2]);
    a->len = len, a->at = below(2) ? 0 : below(len), a->special = below(3) == 0;
    CHECK(g->err.code == E_OK);
}

static double *attention_run(const attention *a, const engine *e, int64_t *n)
{
    session *s = NULL;
    lane *l = NULL;
    box all = { a->at, a->len, 0, a->z->n_part };
    REQUIRE(session_new(&s, &a->g, e, NULL) == E_OK && lane_new(&l, s, NULL, a->len, NULL) == E_OK);
    int64_t most = node_numbers(a->x[0], node_all(a->x[0], l), l);
    double *v = bytes_new((size_t)most * sizeof *v);
    for (int i = 0; i < 3; i++) {
        for (int64_t k = 0; k < most; k++) v[k] = (double)number(a->special);
        CHECK(lane_give(l, a->x[i], v, NULL) == E_OK);
    }
    CHECK(lane_ask(l, a->z, all, NULL) == E_OK && session_run(s, NULL, NULL) == E_OK);
    memset(v, 0, (size_t)most * sizeof *v);
    CHECK(lane_read(l, a->z, all, v, NULL) == E_OK);
    session_free(s);
    *n = most;
    return v;
}

static void try_attention(engine *const *e, int len, int d_head)
{
    attention a = { .len = 0 };
    int64_t n;
    attention_init(&a, len, d_head);
    uint64_t here = dice.at;
    double *want = attention_run(&a, e[0], &n);
    for (int i = 1; e[i]; i++) {
        dice.at = here;
        double *got = attention_run(&a, e[i], &n);
        bool same = bits_same(want, got, (size_t)n * sizeof *got, 8);
        CHECK(same);
        if (!same) printf("  %s: attention of %d, %d numbers a head\n", e[i]->name, len, d_head);
        mem_free(got, (size_t)n * sizeof *got);
    }
    mem_free(want, (size_t)n * sizeof *want);
    graph_release(&a.g);
}

TEST("attention has plain C's bits at every length and head near the edge of a block")
{
    static const int heads[] = { 1,  2,  3,  4,  7,  8,  9,  15, 16, 17,  24,  31,
                                 32, 33, 47, 48, 63, 64, 65, 80, 96, 127, 128, 129 };
    engine *e[8];
    open_all(e);
    for (uint64_t time = 0; time < (test_soak ? 40 : 1); time++) {
        dice.seed = test_seed * 1000 + time, dice.at = 0;
        for (int i = 0; i < COUNT(rows); i++) {
            int d = drawn(heads, COUNT(heads), 16 * MOST_WORK / rows[i] / rows[i]);
            try_attention(e, rows[i], d);
        }
        for (int i = 0; i < COUNT(heads); i++)
            try_attention(e, drawn(rows, COUNT(rows), 100), heads[i]);
    }
    for (int i = 0; e[i]; i++) engine_free(e[i]);
}
/* SPDX-License-Identifier: MIT */
