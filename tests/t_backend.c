/* t_backend -- every kernel of every backend against the reference in plain C, bit for bit.
 *
 * A call is made by hand: jobs of several lanes of different lengths, any parts, input lines each
 * in a block of its own (so a sanitizer sees one number too much), weights of any type, units cut
 * anywhere, scratch filled with rubbish.  Output lines stand between guards.  The fused kernels
 * are tried through sessions, where fusions are found. */
#define TEST_FILE t_backend
#include "test.h"
#include "backend/backend.h"
#include "base/mem.h"
#include "base/rand.h"
#include "fuse/fuse_all.h"
#include "op/op_all.h"
#include "ops.gen.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers, in the order they are asked for ---- */

static struct {
    uint64_t seed, at;
} dice;

static int32_t below(int64_t n)
{
    return (int32_t)rand_below(dice.seed, rand_stream("t_backend"), dice.at++, n);
}

/* Mostly ordinary; with `special`, now and then what goes wrong easily. */
static float number(bool special)
{
    static const float odd[] = { 0.0f,   -0.0f,    1e-40f,    -0x1p-149f, 3e38f,
                                 -3e38f, INFINITY, -INFINITY, NAN,        0x1.fffffep-127f };
    if (special && below(24) == 0) return odd[below(sizeof odd / sizeof *odd)];
    return (float)(below(1 << 24) - (1 << 23)) * 0x1p-22f;
}

/* ---- one call ---- */

enum { MAX_JOB = 3, MAX_LEN = 70, GUARD = 64 };

/* A block of exactly the bytes asked for, at an odd address. */
typedef struct block {
    char *at, *start;
    size_t bytes;
} block;

static block block_new(size_t bytes)
{
    size_t off = (size_t)below(8) * 8;
    block b = { .start = mem_resize(NULL, 0, bytes + off), .bytes = bytes + off };
    REQUIRE(b.start);
    b.at = b.start + off;
    return b;
}

static void block_free(block *b) { mem_free(b->start, b->bytes); }

typedef struct trial {
    graph *g;
    const node *n;
    session *s;
    int real_bytes, n_job;
    bool special;
    lane *lane[MAX_JOB];
    job job[MAX_JOB];
    block line[MAX_JOB][MAX_IN][MAX_LEN], weight[MAX_IN];
    weight_view w[MAX_IN];
    const void *x[MAX_IN][MAX_JOB * MAX_LEN];
    int32_t pos[MAX_JOB * MAX_LEN], line_job[MAX_JOB * MAX_LEN], n_line, a0, a1;
} trial;

/* Inputs that ops read as positions or tokens: one small integer in each part. */
static bool is_index(const node *in)
{
    return in->extent == LANE || (!in->op && in->extent == ROW && in->n_part * in->width == 1);
}

static void fill_line(const trial *t, const node *in, int32_t row, const lane *l, block *b)
{
    int64_t n = (int64_t)in->n_part * node_width(in, row, l);
    *b = block_new((size_t)n * (size_t)t->real_bytes);
    for (int64_t i = 0; i < n; i++) {
        float x = is_index(in) ? (float)below(in->extent == LANE ? 1 : 3) : number(t->special);
        double wide = (double)x;
        memcpy(b->at + i * t->real_bytes, t->real_bytes == 8 ? (void *)&wide : (void *)&x,
               (size_t)t->real_bytes);
    }
}

/* Random bytes, again until the block's numbers are of a size that sums well. */
static void fill_block(char *at, dtype type)
{
    float x[256];
    for (float most = 0; !(most > 0.01f && most < 100);) {
        for (size_t i = 0; i < dtype_bytes(type); i++) at[i] = (char)below(256);
        dtype_row_f32(type, at, x, dtype_block(type));
        most = 0;
        for (int64_t i = 0; i < dtype_block(type); i++)
            most = fabsf(x[i]) <= most ? most : fabsf(x[i]); /* NaN stays */
    }
}

/* Any type whose rows the weight can have; rows in order or turned. */
static void fill_weight(trial *t, int k)
{
    static const dtype types[] = { DTYPE_F32,  DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_F64,
                                   DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0,
                                   DTYPE_Q2_K, DTYPE_Q3_K, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K };
    const node *in = t->n->in[k];
    dtype type = types[below(sizeof types / sizeof *types)];
    if (in->n_part % dtype_block(type)) type = types[below(5)];
    size_t row = dtype_size(type, in->n_part);
    int64_t n = (int64_t)in->n_row * in->n_part;
    t->weight[k] = block_new((size_t)in->n_row * row);
    t->w[k] = (weight_view){ t->weight[k].at, (int64_t)row, type, 0 };
    if (in->n_row % 2 == 0 && below(3) == 0) t->w[k].pair = in->n_row;
    for (int64_t i = 0; dtype_is_block(type) && i < n / dtype_block(type); i++)
        fill_block(t->weight[k].at + (size_t)i * dtype_bytes(type), type);
    size_t each = dtype_bytes(type);
    for (int64_t i = 0; !dtype_is_block(type) && i < n; i++) {
        float x = number(t->special);
        dtype_row_from_f32(type, &x, t->weight[k].at + (size_t)i * each, 1);
    }
}

static void give_inputs(trial *t, lane *l)
{
    double zero[MAX_LEN * 64] = { 0 };
    for (int32_t i = 0; i < graph_nodes(t->g); i++) {
        const node *in = graph_node(t->g, i);
        if (in->op || in->extent == WEIGHT) continue;
        if (node_numbers(in, node_all(in, l), l) > MAX_LEN * 64) continue;
        CHECK(lane_give(l, in, zero, NULL) == E_OK);
    }
}

/* Learned positions end where their table does. */
static int32_t longest(const node *n)
{
    bool table = !strcmp(n->op->name, "position");
    return table && n->in[1]->n_row < MAX_LEN ? n->in[1]->n_row : MAX_LEN;
}

/* Rows and parts to compute, and the input lines they need. */
static void fill_job(trial *t, int j)
{
    const node *n = t->n;
    job *b = &t->job[j];
    int32_t len = 1 + below(longest(n)), few = len < 12 ? len : 12;
    REQUIRE(lane_new(&t->lane[j], t->s, NULL, below(2) ? few : len, NULL) == E_OK);
    give_inputs(t, t->lane[j]);
    int32_t rows = node_rows(n, t->lane[j]);
    b->lane = t->lane[j];
    b->b.r0 = below(3) ? 0 : below(rows);
    b->b.r1 = b->b.r0 + 1 + below(rows - b->b.r0);
    b->b.a0 = t->a0, b->b.a1 = t->a1;
    for (int k = 0; k < n->n_in; k++) {
        const node *in = n->in[k];
        b->xb[k] = n->op->need(n, k, b->b, b->lane);
        b->x0[k] = 0;
        for (int i = 0; i < j; i++)
            b->x0[k] += box_empty(t->job[i].xb[k]) ? 0 : t->job[i].xb[k].r1 - t->job[i].xb[k].r0;
        if (in->extent == WEIGHT) continue;
        for (int32_t r = b->xb[k].r0; r < b->xb[k].r1 && !box_empty(b->xb[k]); r++) {
            fill_line(t, in, r, b->lane, &t->line[j][k][r]);
            t->x[k][b->x0[k] + r - b->xb[k].r0] =
                t->line[j][k][r].at +
                (int64_t)b->xb[k].a0 * node_width(in, r, b->lane) * t->real_bytes;
        }
    }
    for (int32_t r = b->b.r0; r < b->b.r1; r++, t->n_line++)
        t->pos[t->n_line] = r, t->line_job[t->n_line] = j;
}

static void trial_init(trial *t, graph *g, const node *n, session *s)
{
    *t = (trial){ .g = g, .n = n, .s = s, .n_job = 1 + below(MAX_JOB), .special = below(3) == 0 };
    t->real_bytes = session_engine(s)->real_bytes;
    t->a0 = below(3) ? 0 : below(n->n_part);
    t->a1 = below(2) ? n->n_part : t->a0 + 1 + below(n->n_part - t->a0);
    if (n->op->scattered) t->a1 = t->a0 + 1;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]->extent == WEIGHT) fill_weight(t, k);
    for (int j = 0; j < t->n_job; j++) fill_job(t, j);
}

static void trial_release(trial *t)
{
    for (int k = 0; k < MAX_IN; k++) block_free(&t->weight[k]);
    for (int j = 0; j < t->n_job; j++) {
        lane_drop(t->lane[j]);
        for (int k = 0; k < MAX_IN; k++)
            for (int r = 0; r < MAX_LEN; r++) block_free(&t->line[j][k][r]);
    }
}

static size_t line_bytes(const trial *t, int32_t line)
{
    return (size_t)(t->a1 - t->a0) *
           (size_t)node_width(t->n, t->pos[line], t->lane[t->line_job[line]]) *
           (size_t)t->real_bytes;
}

/* Units [0, n) in one to five pieces, last piece first, each with scratch of its own. */
static void run_units(const kernel *k, const batch *b, int64_t n)
{
    size_t bytes = k->scratch ? k->scratch(b, (size_t)b->real_bytes) : 0;
    int64_t end = n;
    while (end > 0) {
        int64_t first = below(3) ? end - 1 - below(end) : 0;
        char *scratch = mem_resize(NULL, 0, bytes + 1);
        REQUIRE(scratch);
        memset(scratch, 0xff, bytes);
        k->run(b, first, end, scratch);
        mem_free(scratch, bytes + 1);
        end = first;
    }
}

/* Lines end to end, with guards between; the caller's to free. */
static char *run_trial(trial *t, const kernel *k, size_t *bytes)
{
    void *y[MAX_JOB * MAX_LEN];
    *bytes = GUARD;
    for (int32_t i = 0; i < t->n_line; i++) *bytes += line_bytes(t, i) + GUARD;
    char *out = mem_resize(NULL, 0, *bytes), *at = out + GUARD;
    REQUIRE(out);
    memset(out, 0x5a, *bytes);
    for (int32_t i = 0; i < t->n_line; at += line_bytes(t, i++) + GUARD) y[i] = at;
    batch b = { .n = t->n,
                .a0 = t->a0,
                .a1 = t->a1,
                .n_line = t->n_line,
                .n_job = t->n_job,
                .real_bytes = t->real_bytes,
                .y = y,
                .pos = t->pos,
                .line_job = t->line_job,
                .job = t->job,
                .in = (const node *const *)t->n->in };
    for (int i = 0; i < MAX_IN; i++) b.x[i] = t->x[i], b.w[i] = t->w[i];
    run_units(k, &b, k->units ? k->units(&b) : b.n_line);
    return out;
}

/* The kernel of `backend` and the plain one, on the same call. */
static bool agree(graph *g, const node *n, const char *backend, const char *precision)
{
    engine *plain = NULL, *e = NULL;
    session *s = NULL;
    engine_options o = { .backend = "plain", .precision = precision, .threads = 1 };
    REQUIRE(engine_open(&plain, &o, NULL) == E_OK);
    o.backend = backend;
    REQUIRE(engine_open(&e, &o, NULL) == E_OK);
    REQUIRE(session_new(&s, g, e, NULL) == E_OK);
    trial *t = mem_zero(sizeof *t);
    REQUIRE(t);
    trial_init(t, g, n, s);
    size_t bytes;
    char *want = run_trial(t, plain->kernel_of(plain, n->op), &bytes);
    char *got = run_trial(t, e->kernel_of(e, n->op), &bytes);
    bool same = bits_same(want, got, bytes, t->real_bytes);
    if (!same)
        printf("  %s %s %s: differs (%d lines, %d jobs, parts %d to %d, dice %llu)\n", backend,
               precision, n->op->name, t->n_line, t->n_job, t->a0, t->a1,
               (unsigned long long)dice.seed);
    mem_free(want, bytes);
    mem_free(got, bytes);
    trial_release(t);
    mem_free(t, sizeof *t);
    session_free(s);
    engine_free(e);
    engine_free(plain);
    return same;
}

/* A node on its own: make(g, i) the i-th example, NULL when there are no more. */
static void try_all(node *(*make)(graph *g, int i), int n_time)
{
    for (int i = 0;; i++) {
        graph g;
        graph_init(&g, NULL);
        const node *n = make(&g, i);
        CHECK(g.err.code == E_OK);
        for (int b = 0; n && backend_name(b); b++) {
            if (!backend_usable(backend_name(b))) continue;
            for (int time = 0; time < n_time; time++) {
                dice.seed = test_seed * 1000 + (uint64_t)time, dice.at = 0;
                CHECK(agree(&g, n, backend_name(b), "f32"));
                if (time % 4 == 0) CHECK(agree(&g, n, backend_name(b), "f64"));
            }
        }
        graph_release(&g);
        if (!n) break;
    }
}

/* ---- every op ---- */

TEST("every op's samples have the plain kernel's bits in every backend")
{
    for (int i = 0; op_all[i]; i++)
        if (op_all[i]->sample) try_all(op_all[i]->sample, test_soak ? 200 : 12);
}

static node *some_weight(graph *g, int n_row, int n_col)
{
    return graph_weight(g, "w", (weight_view){ 0 }, n_row, n_col);
}

static node *make_linear(graph *g, int i)
{
    static const struct {
        int n_in, n_out, first, n_part;
    } shape[] = { { 1, 1, 0, 1 },    { 3, 5, 2, 1 },     { 8, 16, 0, 4 },    { 17, 33, 7, 3 },
                  { 257, 40, 0, 5 }, { 64, 1030, 3, 1 }, { 300, 131, 0, 1 }, { 40, 2100, 0, 50 },
                  { 256, 61, 0, 1 }, { 512, 67, 1, 1 },  { 96, 82, 0, 2 } };
    int k = i / 4, layout = i & 1, bias = i & 2;
    if (k >= (int)(sizeof shape / sizeof *shape)) return NULL;
    int all = shape[k].first + shape[k].n_out + 3, width = shape[k].n_out / shape[k].n_part;
    node *x = graph_input(g, ROW, 1, shape[k].n_in);
    node *w = layout ? some_weight(g, all, shape[k].n_in) : some_weight(g, shape[k].n_in, all);
    return op_linear(g, x, w, bias ? some_weight(g, 1, all) : NULL, layout, shape[k].first,
                     shape[k].n_part, width);
}

TEST("linear has the same bits for odd sizes, both layouts and every type of weight")
{
    try_all(make_linear, test_soak ? 300 : 12);
}

static const int head_shape[][2] = {
    { 1, 1 }, { 2, 4 }, { 3, 8 }, { 2, 16 }, { 4, 20 }, { 1, 64 }
};
enum { N_HEAD_SHAPE = sizeof head_shape / sizeof *head_shape };

static node *make_scores(graph *g, int i)
{
    static const int window[] = { 0, 1, 5, 33 };
    if (i / 4 >= N_HEAD_SHAPE) return NULL;
    const int *h = head_shape[i / 4];
    node *q = graph_input(g, ROW, h[0], h[1]), *k = graph_input(g, ROW, h[0], h[1]);
    return op_scores(g, q, k, 0.3, i % 3 == 1 ? 2.0 : 0.0, window[i % 4], i % 8 == 4);
}

static node *make_softmax(graph *g, int i)
{
    node *s = make_scores(g, i);
    return s ? op_softmax(g, s) : NULL;
}

static node *make_mix(graph *g, int i)
{
    node *p = make_softmax(g, i);
    return p ? op_mix(g, p, graph_input(g, ROW, p->n_part, head_shape[i / 4][1])) : NULL;
}

TEST("scores, softmax and mix have the same bits for odd heads, windows and lengths")
{
    try_all(make_scores, test_soak ? 300 : 8);
    try_all(make_softmax, test_soak ? 300 : 8);
    try_all(make_mix, test_soak ? 300 : 8);
}

static node *make_result(graph *g, int i)
{
    static const int d_model[] = { 1, 24, 150 };
    if (i / 6 >= N_HEAD_SHAPE) return NULL;
    int n_head = head_shape[i / 6][0], d_head = head_shape[i / 6][1], d = d_model[i % 3];
    node *w = i & 1 ? some_weight(g, d, n_head * d_head) : some_weight(g, n_head * d_head, d);
    return op_result(g, graph_input(g, ROW, n_head, d_head), w, i & 1);
}

TEST("result has the same bits for odd heads and both layouts")
{
    try_all(make_result, test_soak ? 300 : 8);
}

/* ---- fusions ---- */

/* Attention with its output, and what to look at. */
typedef struct attention {
    graph g;
    node *q, *k, *v, *w, *bias, *z, *out;
    float *weight;
    int32_t n_weight;
} attention;

static void attention_init(attention *a)
{
    int n_kv = 1 + below(3), times = 1 + below(3), d = 1 + below(40), n_head = n_kv * times;
    int d_model = 1 + below(150), by_out = below(2), window = below(2) ? 0 : 1 + below(30);
    *a = (attention){ .n_weight = (n_head * d + 1) * d_model };
    graph *g = &a->g;
    graph_init(g, NULL);
    a->weight = mem_zero((size_t)a->n_weight * sizeof(float));
    REQUIRE(a->weight);
    for (int32_t i = 0; i < a->n_weight; i++) a->weight[i] = number(false);
    int n_row = by_out ? d_model : n_head * d, n_col = by_out ? n_head * d : d_model;
    weight_view wv = { (const char *)a->weight, n_col * 4, DTYPE_F32, 0 };
    weight_view bv = { (const char *)(a->weight + n_head * d * d_model), d_model * 4, DTYPE_F32,
                       0 };
    a->q = graph_input(g, ROW, n_head, d);
    a->k = graph_input(g, ROW, n_kv, d);
    a->v = graph_input(g, ROW, n_kv, d);
    node *k = times > 1 || below(2) ? op_repeat(g, a->k, times) : a->k;
    node *v = k != a->k ? op_repeat(g, a->v, times) : a->v;
    node *s = op_scores(g, a->q, k, 0.5, below(2) ? 3.0 : 0.0, window, !window && below(2));
    a->z = op_mix(g, op_softmax(g, s), v);
    node *r = op_result(g, a->z, graph_weight(g, "w", wv, n_row, n_col), by_out);
    node *b = below(2) ? op_broadcast(g, a->q, graph_weight(g, "b", bv, 1, d_model)) : NULL;
    a->out = op_headsum(g, r, b);
    CHECK(g->err.code == E_OK);
}

static void attention_release(attention *a)
{
    graph_release(&a->g);
    mem_free(a->weight, (size_t)a->n_weight * sizeof(float));
}

static void give_random(lane *l, const node *in)
{
    int64_t n = node_numbers(in, node_all(in, l), l);
    double *v = mem_zero((size_t)n * sizeof *v);
    REQUIRE(v);
    for (int64_t i = 0; i < n; i++) v[i] = (double)number(false);
    CHECK(lane_give(l, in, v, NULL) == E_OK);
    mem_free(v, (size_t)n * sizeof *v);
}

static box some_box(const node *n, int32_t len)
{
    int32_t r0 = below(len), a0 = below(n->n_part);
    return (box){ r0, r0 + 1 + below(len - r0), a0, a0 + 1 + below(n->n_part - a0) };
}

/* z and out of some boxes in some lanes, by one engine; always the same for the same dice. */
static double *attention_run(attention *a, const char *backend, bool no_fuse, int64_t *n)
{
    enum { N_LANE = 3 };
    engine *e = NULL;
    session *s = NULL;
    lane *l[N_LANE];
    box z[N_LANE], out[N_LANE];
    engine_options o = { .backend = backend, .threads = no_fuse ? 1 : 3, .no_fuse = no_fuse };
    REQUIRE(engine_open(&e, &o, NULL) == E_OK);
    REQUIRE(session_new(&s, &a->g, e, NULL) == E_OK);
    *n = 0;
    for (int i = 0; i < N_LANE; i++) {
        int32_t len = 1 + below(MAX_LEN);
        REQUIRE(lane_new(&l[i], s, NULL, len, NULL) == E_OK);
        give_random(l[i], a->q), give_random(l[i], a->k), give_random(l[i], a->v);
        z[i] = some_box(a->z, len), out[i] = some_box(a->out, len);
        CHECK(lane_ask(l[i], a->z, z[i], NULL) == E_OK);
        CHECK(lane_ask(l[i], a->out, out[i], NULL) == E_OK);
        *n += node_numbers(a->z, z[i], l[i]) + node_numbers(a->out, out[i], l[i]);
    }
    CHECK(session_run(s, NULL, NULL) == E_OK);
    double *v = mem_zero((size_t)*n * sizeof *v), *at = v;
    REQUIRE(v);
    for (int i = 0; i < N_LANE; i++) {
        CHECK(lane_read(l[i], a->z, z[i], at, NULL) == E_OK);
        at += node_numbers(a->z, z[i], l[i]);
        CHECK(lane_read(l[i], a->out, out[i], at, NULL) == E_OK);
        at += node_numbers(a->out, out[i], l[i]);
    }
    session_free(s);
    engine_free(e);
    return v;
}

TEST("fused attention and its output have the bits of the ops one by one, in every backend")
{
    for (uint64_t time = 0; time < (test_soak ? 2000 : 60); time++) {
        attention a;
        int64_t n;
        dice.seed = test_seed * 1000 + time, dice.at = 0;
        attention_init(&a);
        uint64_t here = dice.at;
        double *want = attention_run(&a, "plain", true, &n);
        for (int b = 0; backend_name(b); b++) {
            if (!backend_usable(backend_name(b))) continue;
            dice.at = here;
            double *got = attention_run(&a, backend_name(b), false, &n);
            CHECK(bits_same(want, got, (size_t)n * sizeof *got, 8));
            mem_free(got, (size_t)n * sizeof *got);
        }
        mem_free(want, (size_t)n * sizeof *want);
        attention_release(&a);
    }
}

/* ---- engines ---- */

TEST("an engine that does not exist, or not here, is refused by name")
{
    engine *e = NULL;
    error err = { 0 };
    CHECK(engine_open(&e, &(engine_options){ .backend = "abacus" }, &err) == E_USAGE);
    CHECK(strstr(err.msg, "abacus") && err.hint[0] && !e);
    err = (error){ 0 };
    CHECK(engine_open(&e, &(engine_options){ .precision = "f16" }, &err) == E_USAGE && !e);
    CHECK(engine_open(&e, &(engine_options){ .threads = -1 }, NULL) == E_RANGE && !e);
    for (int i = 0; backend_name(i); i++) {
        status st = engine_open(&e, &(engine_options){ .backend = backend_name(i) }, NULL);
        CHECK(st == (backend_usable(backend_name(i)) ? E_OK : E_UNSUPPORTED));
        if (st == E_OK) engine_free(e);
    }
}

TEST("auto is the fastest backend here, f32, and an engine says what it is")
{
    engine *e = NULL;
    const char *best = NULL;
    for (int i = 0; backend_name(i); i++)
        if (backend_usable(backend_name(i))) best = backend_name(i);
    REQUIRE(engine_open(&e, NULL, NULL) == E_OK);
    CHECK(!strcmp(e->name, best) && e->real_bytes == 4 && e->pool && e->fuse == fuse_all);
    CHECK(e->kernel_of(e, &graph_alias_def) == &graph_alias_def.kernel);
    engine_free(e);
    REQUIRE(engine_open(&e, &(engine_options){ .precision = "f64", .threads = 1 }, NULL) == E_OK);
    CHECK(e->real_bytes == 8 && !e->pool);
    engine_free(e);
    engine_free(NULL);
}

TEST("when memory ends, no engine is opened and nothing stays")
{
    int64_t before = atomic_load(&mem_state.n_live);
    for (int at = 0; at < 100; at++) {
        engine *e = NULL;
        error err = { 0 };
        atomic_store(&mem_state.fail_at, at);
        status st = engine_open(&e, &(engine_options){ .threads = 2 }, &err);
        atomic_store(&mem_state.fail_at, -1);
        if (st == E_OK) {
            engine_free(e);
            break;
        }
        CHECK(st == E_NOMEM && err.code == E_NOMEM && !e && at < 99);
        CHECK(atomic_load(&mem_state.n_live) == before);
    }
}
/* SPDX-License-Identifier: MIT */
