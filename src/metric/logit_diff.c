/* metric: logit_diff -- logit of the right answer minus logit of the wrong one, at the last position. */
#include "metric/metric_def.h"
#include "ops.gen.h"

static metric build(graph *g, const model *m, int32_t most)
{
    (void)most;
    node *answer = graph_input(g, LANE, 2, 1);
    return (metric){ answer, op_diff(g, op_pick(g, m->logits, answer, NULL)), NULL };
}

const metric_def metric_logit_diff_def = {
    .name = "logit_diff",
    .says = "logit of the right answer minus that of the wrong one",
    .unit = "logit",
    .n_answer = 2,
    .build = build
};
/* SPDX-License-Identifier: MIT */
