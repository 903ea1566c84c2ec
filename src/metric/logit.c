/* metric: logit -- logit of the right answer, at the last position. */
#include "metric/metric_def.h"
#include "ops.gen.h"

static metric build(graph *g, const model *m, int32_t most)
{
    (void)most;
    node *answer = graph_input(g, LANE, 1, 1);
    return (metric){ answer, op_pick(g, m->logits, answer, NULL), NULL };
}

const metric_def metric_logit_def = { .name = "logit",
                                      .says = "logit of the right answer",
                                      .unit = "logit",
                                      .n_answer = 1,
                                      .build = build };
/* SPDX-License-Identifier: MIT */
