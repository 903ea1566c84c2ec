/* sgemm -- what this machine's BLAS does, the yardstick of arithmetic. */
#ifndef BENCH_SGEMM_H
#define BENCH_SGEMM_H
#include <stdint.h>

/* OpenBLAS's cblas_sgemm on so many threads, or NULL where it is not installed. */
typedef void gemm_fn(int order, int turn_a, int turn_b, int m, int n, int k, float alpha,
                     const float *a, int lda, const float *b, int ldb, float beta, float *c,
                     int ldc);
gemm_fn *sgemm_find(int threads);

/* Its speed at 1024 x 768 x 3072 on so many threads, GFLOP/s, the best of some; 0 where there is none.
 * Bytes a second that so many threads read together, in GB/s; the seconds that one reading of some bytes takes them
 * (at least a MB, 8-byte aligned). */
double sgemm_speed(int threads);
double read_speed(int threads);
double read_seconds(const void *bytes, int64_t n_byte, int threads);

#endif
/* SPDX-License-Identifier: MIT */
