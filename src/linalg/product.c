/* product -- linalg_product: blocks of 4 rows x 8 columns of c, each element's sum over p ascending, multiplied and
 * added in two roundings.  How many elements go at once, and on how many threads, never shows.
 *
 * a is copied as [block of 4 rows][p][4], b as [block of 8 columns][p][8], so that the inner loop reads both in order;
 * what is past the edge is zero and is not written back. */
#include "base/cpu.h"
#include "linalg/dense.h"
#include <string.h>

enum { ROWS = 4, COLUMNS = 8, UNIT = 16 }; /* UNIT: row blocks that one unit of work does */

typedef struct product {
    double *c;
    const double *a, *b; /* packed */
    int64_t m, p, n;
    bool avx2;
} product;

/* out [4][8] = a block of rows times a block of columns. */
static void block_plain(const double *a, const double *b, int64_t p, double *out)
{
    memset(out, 0, ROWS * COLUMNS * sizeof *out);
    for (int64_t k = 0; k < p; k++)
        for (int r = 0; r < ROWS; r++)
            for (int j = 0; j < COLUMNS; j++)
                out[r * COLUMNS + j] += a[k * ROWS + r] * b[k * COLUMNS + j];
}

#if defined __x86_64__
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));

__attribute__((target("avx2"))) static void block_avx2(const double *a, const double *b, int64_t p,
                                                       double *out)
{
    four s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 }, t0 = { 0 }, t1 = { 0 }, t2 = { 0 },
         t3 = { 0 };
    for (int64_t k = 0; k < p; k++, a += ROWS, b += COLUMNS) {
        four x = *(const four *)b, y = *(const four *)(b + 4);
        s0 += a[0] * x, s1 += a[1] * x, s2 += a[2] * x, s3 += a[3] * x;
        t0 += a[0] * y, t1 += a[1] * y, t2 += a[2] * y, t3 += a[3] * y;
    }
    four *to = (four *)out;
    to[0] = s0, to[1] = t0, to[2] = s1, to[3] = t1;
    to[4] = s2, to[5] = t2, to[6] = s3, to[7] = t3;
}
#else
#define block_avx2 block_plain
#endif

static void row_block(const product *f, int64_t i)
{
    double out[ROWS * COLUMNS];
    int64_t n_row = f->m - i * ROWS < ROWS ? f->m - i * ROWS : ROWS;
    for (int64_t j = 0; j * COLUMNS < f->n; j++) {
        int64_t n_col = f->n - j * COLUMNS < COLUMNS ? f->n - j * COLUMNS : COLUMNS;
        const double *a = f->a + i * ROWS * f->p, *b = f->b + j * COLUMNS * f->p;
        if (f->avx2) block_avx2(a, b, f->p, out);
        else block_plain(a, b, f->p, out);
        for (int64_t r = 0; r < n_row; r++)
            memcpy(f->c + (i * ROWS + r) * f->n + j * COLUMNS, out + r * COLUMNS,
                   (size_t)n_col * sizeof *out);
    }
}

static void work(void *job, int64_t first, int64_t end)
{
    const product *f = job;
    int64_t n_block = (f->m + ROWS - 1) / ROWS;
    for (int64_t i = first * UNIT; i < end * UNIT && i < n_block; i++) row_block(f, i);
}

/* x(line, k) at x[line*line_step + k*step] as [block][p][size]. */
static double *pack(arena *mem, const double *x, int64_t n_line, int64_t line_step, int64_t p,
                    int64_t step, int64_t size)
{
    int64_t n_block = (n_line + size - 1) / size;
    double *out = arena_array(mem, n_block * size * p + 1, sizeof *out);
    for (int64_t i = 0; out && i < n_line; i++)
        for (int64_t k = 0; k < p; k++)
            out[(i / size * p + k) * size + i % size] = x[i * line_step + k * step];
    return out;
}

status linalg_product_on(pool *threads, double *c, const double *a, const double *b, int64_t m,
                         int64_t p, int64_t n, linalg_form form, error *err)
{
    arena mem = { 0 };
    product f = { .c = c, .m = m, .p = p, .n = n, .avx2 = cpu_detect() >= CPU_AVX2 };
    bool at = form == LINALG_ATB, bt = form == LINALG_ABT;
    f.a = pack(&mem, a, m, at ? 1 : p, p, at ? m : 1, ROWS);
    f.b = pack(&mem, b, n, bt ? p : 1, p, bt ? 1 : n, COLUMNS);
    if (!mem.failed) pool_run(threads, work, &f, (m + ROWS * UNIT - 1) / (ROWS * UNIT));
    status st = mem.failed ? error_set(err, E_NOMEM, "product: out of memory") : E_OK;
    arena_release(&mem);
    return st;
}

status linalg_product(double *c, const double *a, const double *b, int64_t m, int64_t p, int64_t n,
                      linalg_form form, error *err)
{
    return linalg_product_on(NULL, c, a, b, m, p, n, form, err);
}
/* SPDX-License-Identifier: MIT */
