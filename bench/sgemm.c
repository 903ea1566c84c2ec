/* sgemm -- see sgemm.h. */
#include "sgemm.h"
#include "base/cpu.h"
#include "base/pool.h"
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

gemm_fn *sgemm_find(int threads)
{
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW);
    if (!lib) return NULL;
    gemm_fn *gemm = NULL;
    void (*set)(int n) = NULL;
    *(void **)&gemm = dlsym(lib, "cblas_sgemm");
    *(void **)&set = dlsym(lib, "openblas_set_num_threads");
    if (set) set(threads);
    return gemm;
}

double sgemm_speed(int threads)
{
    enum { M = 1024, N = 3072, K = 768, ROW_MAJOR = 101, AS_IT_IS = 111, TIMES = 60 };
    gemm_fn *gemm = sgemm_find(threads);
    float *a = calloc(M * K, sizeof *a), *b = calloc(K * N, sizeof *b),
          *c = calloc(M * N, sizeof *c);
    double best = 1e9;
    for (int i = 0; gemm && a && b && c && i < TIMES; i++) {
        double t = clock_seconds();
        gemm(ROW_MAJOR, AS_IT_IS, AS_IT_IS, M, N, K, 1.0f, a, K, b, N, 0.0f, c, N);
        t = clock_seconds() - t;
        if (t < best) best = t;
    }
    free(a), free(b), free(c);
    return gemm ? 2.0 * M * N * K / best * 1e-9 : 0;
}

enum { READ_BYTES = 256 << 20, READ_BLOCK = 1 << 20 };

typedef struct reading {
    const uint64_t *v;
    volatile uint64_t *sum; /* [block] */
} reading;

static void read_blocks(void *job, int64_t first, int64_t end)
{
    reading *r = job;
    for (int64_t b = first; b < end; b++) {
        const uint64_t *v = r->v + b * (READ_BLOCK / 8);
        uint64_t s[8] = { 0 };
        for (int64_t i = 0; i < READ_BLOCK / 8; i += 8)
            for (int k = 0; k < 8; k++) s[k] += v[i + k];
        for (int k = 0; k < 8; k++) r->sum[b] += s[k];
    }
}

double read_seconds(const void *bytes, int64_t n_byte, int threads)
{
    int64_t n = n_byte / READ_BLOCK;
    uint64_t *sum = calloc((size_t)n, sizeof *sum);
    pool *p = pool_new(threads);
    reading r = { bytes, sum };
    double t = clock_seconds();
    if (sum && p) pool_run(p, read_blocks, &r, n);
    t = clock_seconds() - t;
    pool_free(p), free(sum);
    return t;
}

double read_speed(int threads)
{
    double best = 1e9;
    void *bytes = malloc(READ_BYTES);
    if (!bytes) return 0;
    memset(bytes, 1, READ_BYTES);
    for (int i = 0; i < 8; i++) {
        double t = read_seconds(bytes, READ_BYTES, threads);
        if (t < best) best = t;
    }
    free(bytes);
    return READ_BYTES / best * 1e-9;
}
/* SPDX-License-Identifier: MIT */
