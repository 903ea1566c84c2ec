/* answers -- the right and the wrong answers of pairs.  Every pair has a first one of either kind, which most metrics are
 * about; where a file lists several, they are sets, which prob_diff and answer_diff are about. */
#ifndef MICROTOME_DATA_ANSWERS_H
#define MICROTOME_DATA_ANSWERS_H
#include "base/json.h"
#include "model/prompt.h"

/* The answers of one pair: id[0 .. n_right) are right, the n_wrong after them wrong, all different.  n_right 0: not
 * every one is a single token of this model, so there is no set. */
typedef struct answer_set {
    int32_t *id;
    int32_t n_right, n_wrong;
} answer_set;

enum { MAX_ANSWERS = 4096 }; /* of one pair */

/* The token that x is, or of a list its first: a token's text, or an id.  `key` and `pair` name it in messages.
 *
 * [err: RANGE, FORMAT (an empty list), what token_find returns | owns: nothing | thread: any | cost: O(text)] */
status answer_first(int32_t *out, const model *m, const json_t *x, const char *key, int pair,
                    error *err);

/* The sets of n pairs, of two lists of as many answers or lists of answers (wrong may be NULL); *out NULL where no
 * pair lists several.  *n_partial: how many have none.
 *
 * [err: FORMAT (one twice), LIMIT, NOMEM | owns: mem | thread: any | cost: O(answers log answers)] */
status answer_sets(answer_set **out, int *n_partial, arena *mem, const model *m,
                   const json_t *correct, const json_t *wrong, int n, error *err);

#endif
/* SPDX-License-Identifier: MIT */
