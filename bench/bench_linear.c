/* bench_linear -- linear at the sizes of GPT-2 small: GFLOP/s, GB/s of weight, its share of what this machine reads,
 * and the ratio to OpenBLAS where it is installed.  One thread.  Weights of other types than F32 have no peer there.
 *
 *     bench_linear [seconds per number]
 *
 * Rows 1: a decoded token; 8 to 48: a small wave; 360: a large one.  The weight comes from memory, as in a model.
 * Each figure is the best of as many calls as fit the time, so ratios come from one run on one machine. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "ops.gen.h"
#include "sgemm.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct problem {
    int64_t n_row, n_in, n_out;
    int by_out;
    dtype type; /* of w */
    float *x, *y;
    char *w;
    int64_t n_copy; /* of the weight, used in turn: more than caches hold */
    node *n;
} problem;

enum { ROW_MAJOR = 101, AS_IT_IS = 111, TURNED = 112, MOST_ROWS = 360, N_SLOW = 3 };

static uint32_t next(uint32_t *u) { return *u = *u * 1664525u + 1013904223u; }

static void fill(float *v, int64_t n)
{
    uint32_t u = 1;
    for (int64_t i = 0; i < n; i++) v[i] = (float)(int32_t)next(&u) * 0x1p-31f;
}

/* Numbers between 1/8 and 1, of either sign. */
static void fill_halves(uint16_t *v, int64_t n, dtype t)
{
    uint32_t u = 1;
    for (int64_t i = 0; i < n; i++) {
        uint32_t b = next(&u) >> 16;
        v[i] = (uint16_t)(t == DTYPE_F16 ? (b & 0x83ff) | 0x3400 : (b & 0x807f) | 0x3f00);
    }
}

/* Blocks of any bits but those of their float16 scales, which are between 1/8 and 1. */
static void fill_blocks(char *w, int64_t n, dtype t)
{
    uint32_t u = 1;
    int64_t bytes = (int64_t)dtype_size(t, dtype_block(t));
    for (int64_t i = 0; i < n; i++) w[i] = (char)(next(&u) >> 24);
    for (int64_t i = 0; i + bytes <= n; i += bytes) {
        char *d = w + i + (t == DTYPE_Q6_K ? 208 : 0);
        d[1] = (char)((d[1] & 3) | 0x34);
        if (t == DTYPE_Q4_K) w[i + 3] = (char)((w[i + 3] & 3) | 0x34);
    }
}

static void call_engine(const engine *e, const problem *p)
{
    const void *x[1024];
    void *y[1024];
    int32_t zero[1024] = { 0 };
    for (int64_t r = 0; r < p->n_row; r++) x[r] = p->x + r * p->n_in, y[r] = p->y + r * p->n_out;
    int64_t row_bytes = (int64_t)dtype_size(p->type, p->by_out ? p->n_in : p->n_out);
    job j = { .b = { 0, (int32_t)p->n_row, 0, 1 }, .xb = { { 0, (int32_t)p->n_row, 0, 1 } } };
    int32_t pos[1024];
    for (int32_t r = 0; r < p->n_row; r++) pos[r] = r;
    batch b = { .n = p->n,
                .a1 = 1,
                .n_line = (int32_t)p->n_row,
                .n_job = 1,
                .real_bytes = 4,
                .y = y,
                .pos = pos,
                .line_job = zero,
                .x = { x },
                .job = &j,
                .w = { { 0 }, { .base = p->w, .row_bytes = row_bytes, .dtype = p->type } },
                .in = (const node *const *)p->n->in };
    const kernel *k = e->kernel_of(e, p->n->op);
    size_t bytes = k->scratch ? k->scratch(&b, 4) : 0;
    void *scratch = mem_resize(NULL, 0, bytes + 1);
    if (scratch) k->run(&b, 0, k->units ? k->units(&b) : b.n_line, scratch);
    mem_free(scratch, bytes + 1);
}

static void call_blas(gemm_fn *gemm, const problem *p)
{
    gemm(ROW_MAJOR, AS_IT_IS, p->by_out ? TURNED : AS_IT_IS, (int)p->n_row, (int)p->n_out,
         (int)p->n_in, 1.0f, p->x, (int)p->n_in, (const float *)(const void *)p->w,
         (int)(p->by_out ? p->n_in : p->n_out), 0.0f, p->y, (int)p->n_out);
}

/* Seconds of the fastest call. */
static double best(const engine *e, gemm_fn *gemm, const problem *p, double budget)
{
    double fastest = 1e9, began = clock_seconds();
    problem now = *p;
    for (int64_t i = 0; i < 3 || clock_seconds() - began < budget; i++) {
        now.w = p->w + i % p->n_copy * (int64_t)dtype_size(p->type, p->n_in * p->n_out);
        double t = clock_seconds();
        if (e) call_engine(e, &now);
        else call_blas(gemm, &now);
        t = clock_seconds() - t;
        if (t < fastest) fastest = t;
    }
    return fastest;
}

static void show(const char *name, const problem *p, double t, double blas, double read)
{
    double flop = 2.0 * (double)p->n_row * (double)p->n_in * (double)p->n_out;
    double bytes = (double)dtype_size(p->type, p->n_in * p->n_out);
    printf("%5lld x %5lld  [%s]  %-4s %4lld rows  %-10s %8.2f GFLOP/s %7.2f GB/s %4.2f of read",
           (long long)p->n_in, (long long)p->n_out, p->by_out ? "out, in" : "in, out",
           dtype_name(p->type), (long long)p->n_row, name, flop / t * 1e-9, bytes / t * 1e-9,
           bytes / t * 1e-9 / read);
    if (blas > 0.0) printf("  %5.2f of OpenBLAS", blas / t);
    printf("\n");
}

static void measure(problem *p, gemm_fn *gemm, double budget, double read)
{
    static const int64_t rows[] = { 1, 4, 8, 15, 24, 48, 96, 192, MOST_ROWS };
    graph g;
    graph_init(&g, NULL);
    node *x = graph_input(&g, ROW, 1, (int)p->n_in);
    int n_row = (int)(p->by_out ? p->n_out : p->n_in),
        n_col = (int)(p->by_out ? p->n_in : p->n_out);
    node *w = graph_weight(&g, "w", (weight_view){ 0 }, n_row, n_col);
    p->n = op_linear(&g, x, w, NULL, p->by_out, 0, 1, (double)p->n_out);
    for (size_t i = 0; p->n && i < sizeof rows / sizeof *rows; i++) {
        p->n_row = rows[i];
        double blas = gemm ? best(NULL, gemm, p, budget) : 0.0;
        if (gemm) show("openblas", p, blas, blas, read);
        for (int b = 0; backend_name(b); b++) {
            if (b < N_SLOW) continue; /* minutes, and no news */
            engine *e = NULL;
            engine_options o = { .backend = backend_name(b), .threads = 1 };
            if (engine_open(&e, &o, NULL) != E_OK) continue;
            show(backend_name(b), p, best(e, NULL, p, budget), blas, read);
            engine_free(e);
        }
    }
    graph_release(&g);
}

static int run(problem *p, gemm_fn *gemm, double budget, double read)
{
    size_t nx = (size_t)(MOST_ROWS * p->n_in), ny = (size_t)(MOST_ROWS * p->n_out);
    size_t nw = (size_t)(p->n_in * p->n_out * p->n_copy), bytes = dtype_size(p->type, (int64_t)nw);
    p->x = mem_resize(NULL, 0, 4 * nx);
    p->w = mem_resize(NULL, 0, bytes);
    p->y = mem_resize(NULL, 0, 4 * ny);
    if (!p->x || !p->w || !p->y) return fprintf(stderr, "out of memory\n"), 1;
    fill(p->x, (int64_t)nx);
    if (p->type == DTYPE_F32) fill((float *)(void *)p->w, (int64_t)nw);
    else if (dtype_is_block(p->type)) fill_blocks(p->w, (int64_t)bytes, p->type);
    else fill_halves((uint16_t *)(void *)p->w, (int64_t)nw, p->type);
    measure(p, p->type == DTYPE_F32 ? gemm : NULL, budget, read);
    mem_free(p->x, 4 * nx);
    mem_free(p->w, bytes);
    mem_free(p->y, 4 * ny);
    return 0;
}

int main(int argc, char **argv)
{
    static const int64_t shape[][3] = { { 768, 3072, 0 }, { 768, 3072, 1 }, { 3072, 768, 0 } };
    static const dtype type[] = { DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q8_0,
                                  DTYPE_Q4_0, DTYPE_Q4_K, DTYPE_Q6_K };
    double budget = argc > 1 ? atof(argv[1]) : 0.15, read = read_speed(1);
    gemm_fn *gemm = sgemm_find(1);
    if (!gemm) printf("libopenblas.so.0 is not installed: no ratios\n");
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (size_t t = 0; t < sizeof type / sizeof *type; t++) {
            if (dtype_is_block(type[t]) && !shape[i][2]) continue; /* files have them by outputs */
            problem p = { .n_in = shape[i][0],
                          .n_out = shape[i][1],
                          .by_out = (int)shape[i][2],
                          .type = type[t],
                          .n_copy = 12 };
            if (run(&p, gemm, budget, read)) return 1;
        }
    return 0;
}
/* SPDX-License-Identifier: MIT */
