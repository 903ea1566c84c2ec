/* metric: prob -- probability of the right answer, at the last position. */
#include "metric/metric_def.h"
#include "ops.gen.h"

static metric build(graph *g, const model *m, int32_t most)
{
    (void)most;
    node *answer = graph_input(g, LANE, 1, 1);
    return (metric){ answer, op_exp(g, op_pick(g, op_log_softmax(g, m->logits), answer, NULL)),
                     NULL };
}

const metric_def metric_prob_def = { .name = "prob",
                                     .says = "probability of the right answer",
                                     .unit = "probability",
                                     .n_answer = 1,
                                     .relative = true,
                                     .build = build };
/* SPDX-License-Identifier: MIT */
