/* hand -- a small graph whose values can be worked out by hand, and a lane on it: what tests of sessions begin with. */
#ifndef TESTS_HAND_H
#define TESTS_HAND_H
#include "backend/backend.h"
#include "graph/session.h"

/* x, and of its numbers twice = 2 x, sum = twice + x, late = 10 sum, ten = 10 x: all of them sites of their own name. */
typedef struct hand {
    graph g;
    node *x, *twice, *sum, *late, *ten;
    session *s;
    engine *e;
    lane *l; /* has x, and has not run */
} hand;

/* x is v [n_row][width]. */
void hand_open(hand *h, int32_t n_row, int32_t width, const double *v);
void hand_close(hand *h);

#endif
/* SPDX-License-Identifier: MIT */
