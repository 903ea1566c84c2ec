/* t_fast_blocks -- --precision fast of weights in blocks: its bound, its bits, who is served by it.
 *
 * blocks_fixed.c runs everywhere; on a machine with AVX-512 VNNI its bits are compared with the processor's. */
#define TEST_FILE t_fast_blocks
#include "test.h"
#include "linear_call.h"
#include "backend/backend.h"
#include "backend/fast.h"
#include "backend/fast_fixed.h"
#include "backend/kernels.h"
#include "base/cpu.h"
#include "base/rand.h"
#include "model/model.h"
#include "ops.gen.h"
#include "tensor/blocks.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROW = 70, MAX_K = 1024, MAX_COL = 66 };

/* One product: rows [n_row][n_k], a weight of a type by rows of outputs, a bias or none. */
typedef struct problem {
    int n_row, n_k, n_col;
    bool bias;
    dtype t;
    float x[MAX_ROW * MAX_K], b[MAX_COL], y[MAX_ROW * MAX_COL];
    char *w; /* no byte more than its rows: a sanitizer sees reading too far */
} problem;

static uint32_t bits(uint64_t i) { return rand_bits(test_seed, rand_stream("t_fast_blocks"), i); }

static float number(uint64_t i)
{
    uint32_t u = bits(i);
    return ldexpf((float)(int32_t)u * 0x1p-31f, (int)(u % 8));
}

/* Random bytes with scales that are numbers: a float16 below 2. */
static void fill_blocks(char *w, int64_t n, dtype t, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        uint8_t *b = (uint8_t *)w + (size_t)i * dtype_bytes(t);
        for (size_t k = 0; k < dtype_bytes(t); k++)
            b[k] = (uint8_t)bits(seed + (uint64_t)i * 256 + k);
        b[block_d_at(t) + 1] &= 0xbf;
        if (block_has_offset(t)) b[block_m_at(t) + 1] &= 0xbf;
    }
}

static void begin(problem *p, dtype t, int n_row, int n_k, int n_col, uint64_t seed)
{
    free(p->w);
    int64_t n_block = (int64_t)n_col * n_k / dtype_block(t);
    *p = (problem){ .n_row = n_row, .n_k = n_k, .n_col = n_col, .t = t, .bias = seed % 2 };
    p->w = malloc((size_t)n_block * dtype_bytes(t));
    REQUIRE(p->w);
    fill_blocks(p->w, n_block, t, seed * 1000003);
    for (int i = 0; i < n_row * n_k; i++) p->x[i] = number(seed * 2000003 + (uint64_t)i);
    for (int i = 0; i < n_col; i++) p->b[i] = number(seed * 3000017 + (uint64_t)i);
}

static size_t row_size(const problem *p) { return dtype_size(p->t, p->n_k); }

/* Rows [r0, r1) by the kernel, units [first, end) of so many at a time. */
static void compute(problem *p, const kernel *k, int r0, int r1, int64_t step)
{
    graph g;
    graph_init(&g, NULL);
    node *n = linear_node(&g, p->n_k, p->n_col, true);
    REQUIRE(n);
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
            .w = { .base = p->w, .row_bytes = (int64_t)row_size(p), .dtype = p->t },
            .bias = { .base = p->bias ? (const char *)p->b : NULL, .dtype = DTYPE_F32 } });
    CHECK(fast_takes(&c.b));
    linear_call_run(&c, k, step);
    graph_release(&g);
}

/* ---- the bound ---- */

/* Of output c: its values, and by group the sum of |scale q| + |offset|. */
static void output_of(const problem *p, int c, float *w, double *size)
{
    const char *row = p->w + (size_t)c * row_size(p);
    int group = block_group(p->t);
    dtype_row_f32(p->t, row, w, p->n_k);
    for (int k = 0; k < p->n_k; k++) {
        const uint8_t *b = (const uint8_t *)row + k / block_numbers(p->t) * block_bytes(p->t);
        int in = k % block_numbers(p->t), part = in / block_part(p->t);
        double offset = 0, m = dtype_f16(block_half(b + block_m_at(p->t)));
        int8_t sc[BLOCK_GROUPS], mn[BLOCK_GROUPS];
        block_scales(b, part, sc, mn, p->t);
        if (block_has_offset(p->t))
            offset = block_has_scales(p->t) ? -m * mn[in % block_part(p->t) / group] : m;
        if (k % group == 0) size[k / group] = 0;
        size[k / group] += fabs((double)w[k] - offset) + fabs(offset);
    }
}

static double largest(const float *x, int n)
{
    double most = 0x1p-100;
    for (int i = 0; i < n; i++) most = fabs((double)x[i]) > most ? fabs((double)x[i]) : most;
    return most;
}

/* The largest error as a share of what is allowed. */
static double worst(const problem *p)
{
    static float w[MAX_K];
    static double size[MAX_K / 16];
    double most = 0;
    int group = block_group(p->t);
    for (int c = 0; c < p->n_col; c++) {
        output_of(p, c, w, size);
        for (int r = 0; r < p->n_row; r++) {
            const float *x = p->x + r * p->n_k;
            double sum = 0, all = 0, bias = p->bias ? (double)p->b[c] : 0;
            for (int k = 0; k < p->n_k; k++) sum += (double)x[k] * (double)w[k];
            for (int g = 0; g < p->n_k / group; g++) all += largest(x + g * group, group) * size[g];
            double allowed = blocks_bound(p->t, p->n_k) * all + fabs(sum + bias) * 0x1p-24 * 1.01;
            double e = fabs((double)p->y[r * p->n_col + c] - (sum + bias));
            if (!(e <= most * allowed)) most = e / allowed;
        }
    }
    return most;
}

static int length_of(dtype t, int i)
{
    static const int blocks[] = { 1, 3, 8, 9, 32 }, long_blocks[] = { 1, 2, 3, 4, 1 };
    return block_numbers(t) * (block_numbers(t) == 32 ? blocks[i % 5] : long_blocks[i % 5]);
}

TEST("every error is within the bound that is stated, for every type")
{
    static const int cols[] = { 1, 15, 16, 17, 50 };
    problem *p = calloc(1, sizeof *p);
    REQUIRE(p);
    for (dtype t = DTYPE_Q4_0; t < DTYPE_COUNT; t++) {
        double most = 0;
        for (int i = 0; i < 10; i++) {
            begin(p, t, 1 + 3 * i, length_of(t, i), cols[(i + i / 5) % 5], (uint64_t)i + 100);
            compute(p, &linear_fixed, 0, p->n_row, 1000);
            double e = worst(p);
            CHECK(e <= 1);
            if (e > most) most = e;
        }
        printf("  %s: %.3f of the bound at most\n", dtype_name(t), most);
        CHECK(most > 0.003); /* the bound says something */
    }
    free(p->w), free(p);
}

/* ---- bits ---- */

/* What this processor has, or else plain C against itself would say nothing. */
static const kernel *processors(void)
{
#if defined __x86_64__
    if (cpu_vnni()) return &linear_vnni;
#endif
    return NULL;
}

TEST("the processor's bits are those of the plain code, for every type, length and number of rows")
{
    problem *p = calloc(2, sizeof *p), *q = p + 1;
    REQUIRE(p);
    if (!processors()) {
        free(p);
        test_skip("no AVX-512 VNNI on this machine");
        return;
    }
    for (dtype t = DTYPE_Q4_0; t < DTYPE_COUNT; t++)
        for (int i = 0; i < 40; i++) {
            begin(p, t, i < 38 ? 1 + i : 62 + 2 * (i - 36), length_of(t, i / 3),
                  1 + 7 * i % MAX_COL, (uint64_t)i + 300);
            *q = *p;
            compute(p, &linear_fixed, 0, p->n_row, 1000);
            compute(q, processors(), 0, p->n_row, 1 + i % 3);
            CHECK(!memcmp(p->y, q->y, sizeof p->y));
        }
    free(p->w), free(p);
}

TEST("a row's bits depend on no other row, nor on how units are cut")
{
    problem *p = calloc(2, sizeof *p), *q = p + 1;
    const kernel *k = processors() ? processors() : &linear_fixed;
    REQUIRE(p);
    for (dtype t = DTYPE_Q4_0; t < DTYPE_COUNT; t++) {
        begin(p, t, 40, length_of(t, 1), 60, (uint64_t)t + 5000);
        *q = *p;
        compute(p, k, 0, p->n_row, 1000);
        for (int r = 0, n; r < q->n_row; r += n) {
            n = 1 + r % 11;
            compute(q, k, r, r + n < q->n_row ? r + n : q->n_row, 1);
        }
        CHECK(!memcmp(p->y, q->y, sizeof p->y));
    }
    free(p->w), free(p);
}

/* ---- odd numbers ---- */

TEST("fixed point is what it says: nearest, in units of the largest, and its digits make it up")
{
    float x[MAX_GROUP];
    fixed f;
    for (int i = 0; i < 400; i++) {
        int group = i % 2 ? 16 : 32, down = (i * 37) % 250 - 140;
        for (int k = 0; k < group; k++) x[k] = ldexpf(number((uint64_t)(i * 32 + k)), down);
        x[5] = (i % 3 ? 1.0f : 0x1.fffffep-1f) *
               ldexpf(8.0f, down); /* a power of two, or just below */
        fixed_make(&f, x, group, 7);
        double sum = 0;
        int32_t digits[DIGITS] = { 0 };
        for (int k = 0; k < group; k++) {
            int32_t n = 0;
            for (int d = DIGITS - 1; d >= 0; d--)
                n = 256 * n + f.digit[d * group + k], digits[d] += f.digit[d * group + k];
            CHECK(abs(n) <= 1 << 22);
            CHECK(fabs((double)x[k] - (double)n * (double)f.unit) <= 0.5 * (double)f.unit);
            sum += n;
        }
        CHECK(f.unit >= 0x1p-126f &&
              (f.unit == 0x1p-126f || largest(x, group) >= 0x1p21 * (double)f.unit));
        CHECK((double)f.sum == (double)((float)sum * f.unit));
        for (int d = 0; d < DIGITS; d++) CHECK(f.start[d] == -7 * digits[d]);
    }
}

static bool all_nan(const float *y, int n)
{
    for (int i = 0; i < n; i++)
        if (!isnan(y[i])) return false;
    return true;
}

static bool all_finite(const float *y, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(y[i])) return false;
    return true;
}

TEST("a row with what is not finite becomes NaN, no other row does; zeros are exact; tiny numbers "
     "do no harm")
{
    static const float odd[] = { INFINITY, -INFINITY, NAN };
    const kernel *kernels[] = { &linear_fixed, processors() };
    problem *p = calloc(1, sizeof *p);
    REQUIRE(p);
    for (int i = 0; i < 60; i++) {
        const kernel *k = kernels[i % 2];
        dtype t = DTYPE_Q4_0 + i / 2 % 10;
        if (!k) continue;
        begin(p, t, 4, length_of(t, 1), 33, (uint64_t)(2 * (i / 2)) + 7000);
        p->x[p->n_k + 21 % p->n_k] = odd[i % 3];                            /* of row 1 */
        for (int c = 0; c < p->n_k; c++) p->x[2 * p->n_k + c] = -0.0f;      /* row 2 */
        for (int c = 0; c < p->n_k; c++) p->x[3 * p->n_k + c] *= 0x1p-140f; /* denormals, row 3 */
        compute(p, k, 0, 4, 1000);
        CHECK(all_finite(p->y, 33) && all_nan(p->y + 33, 33) && all_finite(p->y + 99, 33));
        for (int c = 0; c < 33; c++) CHECK(p->y[66 + c] == 0.0f && fabsf(p->y[99 + c]) < 0x1p-90f);
    }
    free(p->w), free(p);
}

/* ---- engines ---- */

/* x -> linear of a weight in blocks, and heads of the same -> result -> their sum. */
typedef struct small {
    graph g;
    node *x, *linear, *out;
    char *w;
} small;

enum { D = 256, LEN = 9 };

static void small_begin(small *s, dtype t, int n_head)
{
    s->w = malloc(dtype_size(t, D) * D);
    REQUIRE(s->w);
    if (dtype_is_block(t)) fill_blocks(s->w, (int64_t)D * D / dtype_block(t), t, 99);
    else
        for (int i = 0; i < D * D; i++) {
            float v = number((uint64_t)i);
            dtype_row_from_f32(t, &v, s->w + (size_t)i * dtype_bytes(t), 1);
        }
    graph_init(&s->g, NULL);
    s->x = graph_input(&s->g, ROW, n_head, D / n_head);
    node *w =
        graph_weight(&s->g, "w", (weight_view){ s->w, (int64_t)dtype_size(t, D), t, 0 }, D, D);
    s->linear = op_linear(&s->g, s->x, w, NULL, 1, 0, n_head, D / n_head);
    s->out = op_headsum(&s->g, op_result(&s->g, s->linear, w, 1), NULL);
    REQUIRE(s->g.err.code == E_OK);
}

static void small_end(small *s) { graph_release(&s->g), free(s->w); }

/* Both values of a run of LEN rows, or of one after the other as forks. */
static void small_run(small *s, engine_options o, bool grow, double *linear, double *out)
{
    engine *e;
    session *ss;
    lane *l = NULL;
    double *x = malloc((size_t)LEN * D * sizeof *x);
    REQUIRE(x && engine_open(&e, &o, NULL) == E_OK);
    for (int i = 0; i < LEN * D; i++) x[i] = (double)number(4000 + (uint64_t)i);
    REQUIRE(session_new(&ss, &s->g, e, NULL) == E_OK);
    for (int n = grow ? 1 : LEN; n <= LEN; n++) {
        REQUIRE(lane_new(&l, ss, l, n, NULL) == E_OK && lane_give(l, s->x, x, NULL) == E_OK);
        lane_keep(l);
        REQUIRE(lane_ask(l, s->linear, node_all(s->linear, l), NULL) == E_OK);
        REQUIRE(lane_ask(l, s->out, node_all(s->out, l), NULL) == E_OK);
        REQUIRE(session_run(ss, NULL, NULL) == E_OK);
    }
    CHECK(lane_read(l, s->linear, node_all(s->linear, l), linear, NULL) == E_OK);
    CHECK(lane_read(l, s->out, node_all(s->out, l), out, NULL) == E_OK);
    session_free(ss), engine_free(e), free(x);
}

TEST("under fast heads add up to their sum, fused or not, in one run or row by row, on any threads")
{
    enum { N = LEN * D };
    double *y = malloc(6 * N * sizeof *y);
    REQUIRE(y);
    for (int i = 0; i < 20; i++) { /* heads of 64, or of 16: less than a group of most types */
        small s;
        small_begin(&s, DTYPE_Q4_0 + i / 2, i % 2 ? 16 : 4);
        engine_options o = { .precision = "fast", .emulate = true, .threads = 1 };
        small_run(&s, o, false, y, y + N);
        o.no_fuse = true;
        small_run(&s, o, true, y + 2 * N, y + 3 * N);
        CHECK(!memcmp(y, y + 2 * N, 2 * N * sizeof *y));
        o = (engine_options){
            .precision = "fast", .emulate = true, .threads = 3, .backend = "plain"
        };
        small_run(&s, o, false, y + 2 * N, y + 3 * N);
        CHECK(!memcmp(y, y + 2 * N, 2 * N * sizeof *y));
        for (int grow = 0; grow < 2 && processors(); grow++) {
            o = (engine_options){ .precision = "fast", .threads = 2 };
            small_run(&s, o, grow, y + 2 * N, y + 3 * N);
            CHECK(!memcmp(y, y + 2 * N, 2 * N * sizeof *y));
        }
        o = (engine_options){ .threads = 1 };
        small_run(&s, o, false, y + 2 * N, y + 3 * N);
        CHECK(memcmp(y, y + 2 * N, N * sizeof *y)); /* not what f32 is, */
        double far = 0, size = 0;
        for (int k = 0; k < 2 * N; k++) {
            far = fmax(far, fabs(y[k] - y[2 * N + k]));
            size = fmax(size, fabs(y[k]));
        }
        CHECK(far < 1e-5 * size && size > 0); /* and near it */
        small_end(&s);
    }
    free(y);
}

TEST("who is served by fast: weights in blocks by rows of outputs where there is VNNI; a model of "
     "none is refused")
{
    small s;
    engine *e = NULL;
    error err = { 0 };
    if (!processors()) {
        test_skip("no AVX-512 VNNI on this machine");
        return;
    }
    REQUIRE(engine_open(&e, &(engine_options){ .precision = "fast" }, NULL) == E_OK);
    small_begin(&s, DTYPE_Q8_0, 4);
    CHECK(engine_check(e, &s.g, &err) == E_OK);
    CHECK(engine_fast_for(e, &s.g).blocks && !engine_fast_for(e, &s.g).floats);
    small_end(&s);
    small_begin(&s, DTYPE_F32, 4);
    bool amx = linear_amx.run && cpu_amx();
    CHECK(engine_check(e, &s.g, &err) == (amx ? E_OK : E_UNSUPPORTED));
    if (!amx) CHECK(strstr(err.msg, "AMX") && strstr(err.msg, "VNNI") && err.hint[0]);
    engine_free(e);
    REQUIRE(engine_open(&e, NULL, NULL) == E_OK);
    CHECK(engine_check(e, &s.g, NULL) == E_OK && !engine_fast_for(e, &s.g).blocks);
    engine_free(e);
    small_end(&s);
}
/* SPDX-License-Identifier: MIT */
