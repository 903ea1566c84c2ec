/* linear_call -- one call of a linear node's kernel without a session, as a run makes it: for tests of kernels. */
#ifndef TESTS_LINEAR_CALL_H
#define TESTS_LINEAR_CALL_H
#include "graph/session.h"

enum { LINEAR_ROWS = 512 };

/* Rows [r0, r1) of x and y, which lie so many numbers apart; the bias may be {0}. */
typedef struct linear_rows {
    int r0, r1;
    const float *x;
    float *y;
    int64_t x_step, y_step;
    weight_view w, bias;
} linear_rows;

/* What the kernel is given; `b` points into it. */
typedef struct linear_call {
    batch b;
    job j;
    const void *x[LINEAR_ROWS];
    void *y[LINEAR_ROWS];
    int32_t of[LINEAR_ROWS], pos[LINEAR_ROWS];
} linear_call;

/* A linear of that shape in g: x [n_k] times a weight by rows of outputs or of inputs. */
node *linear_node(graph *g, int n_k, int n_col, bool by_out);

void linear_call_init(linear_call *c, const node *n, const linear_rows *rows);

/* Its units, so many at a time (0: in two parts), the last first, in scratch of just the size it asks for that holds
 * something else each time. */
void linear_call_run(const linear_call *c, const kernel *k, int64_t step);

#endif
/* SPDX-License-Identifier: MIT */
