/* metric: prob_diff -- probability of all right answers together minus that of all wrong ones, at the last position.
 *
 * Where the answers are years, EAP's and EAP-IG's measure of "greater than": P(years above) - P(years not above). */
#include "metric/metric_def.h"
#include "ops.gen.h"

static metric build(graph *g, const model *m, int32_t most)
{
    node *answer = graph_input(g, LANE, most, 1), *weight = graph_input(g, LANE, most, 1);
    node *p = op_exp(g, op_pick(g, op_log_softmax(g, m->logits), answer, NULL));
    return (metric){ answer, op_weighted_sum(g, p, weight), weight };
}

const metric_def metric_prob_diff_def = {
    .name = "prob_diff",
    .says = "probability of all right answers together minus that of all wrong ones",
    .unit = "probability",
    .n_answer = 2,
    .sets = SET_SUM,
    .build = build
};
/* SPDX-License-Identifier: MIT */
