/* product -- linalg_product: rows of b added to rows of c, so that each element's sum runs over p ascending and a
 * compiler may still take several columns at once. */
#include "linalg/dense.h"
#include <string.h>

status linalg_product(double *c, const double *a, const double *b, int64_t m, int64_t p, int64_t n,
                      linalg_form form, error *err)
{
    arena mem = { 0 };
    if (form == LINALG_ABT) {
        double *t = arena_array(&mem, p * n, sizeof *t);
        if (!t) return error_set(err, E_NOMEM, "product: out of memory");
        dense_transpose(t, b, 1, n, p);
        b = t;
    }
    int64_t row = form == LINALG_ATB ? 1 : p, step = form == LINALG_ATB ? m : 1;
    for (int64_t i = 0; i < m; i++) {
        memset(c + i * n, 0, (size_t)n * sizeof *c);
        for (int64_t k = 0; k < p; k++) dense_add(c + i * n, a[i * row + k * step], b + k * n, n);
    }
    arena_release(&mem);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
