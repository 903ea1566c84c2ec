/* metric: answer_diff -- mean logit of the right answers minus that of the wrong ones, at the last position; with one of
 * either it is logit_diff.  AutoCircuit's answer_diff. */
#include "metric/metric_def.h"
#include "ops.gen.h"

static metric build(graph *g, const model *m, int32_t most)
{
    node *answer = graph_input(g, LANE, most, 1), *weight = graph_input(g, LANE, most, 1);
    return (metric){ answer, op_weighted_sum(g, op_pick(g, m->logits, answer, NULL), weight),
                     weight };
}

const metric_def metric_answer_diff_def = {
    .name = "answer_diff",
    .says = "mean logit of the right answers minus that of the wrong ones",
    .unit = "logit",
    .n_answer = 2,
    .sets = SET_MEAN,
    .build = build
};
/* SPDX-License-Identifier: MIT */
