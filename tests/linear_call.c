/* linear_call -- see linear_call.h. */
#define TEST_FILE linear_call
#include "linear_call.h"
#include "base/mem.h"
#include "ops.gen.h"
#include "test.h"
#include <string.h>

node *linear_node(graph *g, int n_k, int n_col, bool by_out)
{
    node *x = graph_input(g, ROW, 1, n_k);
    node *w = graph_weight(g, "w", (weight_view){ 0 }, by_out ? n_col : n_k, by_out ? n_k : n_col);
    return op_linear(g, x, w, NULL, by_out, 0, 1, (double)n_col);
}

void linear_call_init(linear_call *c, const node *n, const linear_rows *rows)
{
    int n_row = rows->r1 - rows->r0;
    REQUIRE(n && n_row <= LINEAR_ROWS);
    *c = (linear_call){ .j = { .b = { rows->r0, rows->r1, 0, 1 },
                               .xb = { { rows->r0, rows->r1, 0, 1 } } } };
    for (int i = 0; i < n_row; i++) {
        int r = rows->r0 + i;
        c->x[i] = rows->x + r * rows->x_step, c->y[i] = rows->y + r * rows->y_step, c->pos[i] = r;
    }
    c->b = (batch){ .n = n,
                    .a1 = 1,
                    .n_line = n_row,
                    .n_job = 1,
                    .real_bytes = 4,
                    .y = c->y,
                    .pos = c->pos,
                    .line_job = c->of,
                    .x = { c->x },
                    .job = &c->j,
                    .w = { { 0 }, rows->w, rows->bias },
                    .in = (const node *const *)n->in };
}

void linear_call_run(const linear_call *c, const kernel *k, int64_t step)
{
    size_t bytes = k->scratch ? k->scratch(&c->b, 4) : 0;
    char *scratch = mem_resize(NULL, 0, bytes + 1);
    int64_t units = k->units ? k->units(&c->b) : c->b.n_line;
    REQUIRE(scratch);
    if (step < 1) step = (units + 1) / 2;
    for (int64_t u = (units - 1) / step * step; u >= 0; u -= step) {
        memset(scratch, 0xff, bytes);
        k->run(&c->b, u, u + step < units ? u + step : units, scratch);
    }
    mem_free(scratch, bytes + 1);
}
/* SPDX-License-Identifier: MIT */
