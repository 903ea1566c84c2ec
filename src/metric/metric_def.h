/* metric_def -- what one file in metric/ says: an overlay that scores a lane with one number.
 *
 * metric/NAME.c defines `const metric_def metric_NAME_def`; the registry is generated from the folder. */
#ifndef MICROTOME_METRIC_METRIC_DEF_H
#define MICROTOME_METRIC_METRIC_DEF_H
#include "model/model.h"

/* A metric on a session's graph: lanes give `answer` (LANE, the tokens it is about), `value` is what it is.  `weight`
 * (LANE, as many): how each of them counts, 0 for none; NULL: the metric is of the first right one, and the first wrong. */
typedef struct metric {
    node *answer, *value, *weight;
} metric;

/* What a metric makes of several right and several wrong answers: right ones count 1 and wrong ones -1; or the same
 * divided by how many they are. */
typedef enum answer_kind { SET_FIRST, SET_SUM, SET_MEAN } answer_kind;

typedef struct metric_def {
    const char *name, *says, *unit;
    int n_answer;  /* tokens: 1 the right one; 2 the right and the wrong one */
    bool relative; /* its rounding error is that of the logits times its value */
    answer_kind sets;
    metric (*build)(graph *g, const model *m, int32_t most); /* answers, of a lane that has most */
} metric_def;

/* Every metric, NULL-terminated (generated).
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
extern const metric_def *const metric_all[];

#endif
/* SPDX-License-Identifier: MIT */
