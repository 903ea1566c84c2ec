/* rank -- see rank.h. */
#include "instrument/rank.h"
#include <math.h>
#include <stdlib.h>

static int falling(double p, double q, const ranked *x, const ranked *y)
{
    return p > q ? -1 : p < q ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

static int by_size(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return falling(fabs(x->v), fabs(y->v), x, y);
}

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return falling(x->v, y->v, x, y);
}

void rank_by_size(ranked *list, int64_t n) { qsort(list, (size_t)n, sizeof *list, by_size); }
void rank_by_value(ranked *list, int64_t n) { qsort(list, (size_t)n, sizeof *list, by_value); }
/* SPDX-License-Identifier: MIT */
