/* labelled -- prompts of two kinds, positive and negative: what directions and probes are fitted to.
 *
 *     two files of prompts        as prompts_read takes them: one of positive prompts, one of negative
 *     pairs                       clean prompts are positive, corrupted ones negative
 *     FILE.csv, FILE.jsonl        a row a prompt: a text ("statement", "text" ...) and a label: 1, 0, true, false
 *
 * Prompts of one group (the two of a pair; rows that name the same thing) belong on the same side of any split: a
 * direction that is tried on a prompt whose twin it was fitted to has seen it. */
#ifndef MICROTOME_DATA_LABELLED_H
#define MICROTOME_DATA_LABELLED_H
#include "data/pairs.h"

typedef struct labelled {
    arena mem;
    int n, n_group;
    prompt **p;     /* [n] */
    bool *positive; /* [n] */
    int *group;     /* [n] 0 .. n_group - 1 */
} labelled;

typedef struct labelled_fields {
    const char *text, *label,
        *group; /* names of columns; NULL: text by its usual names, "label", every row by itself */
} labelled_fields;

/* Read one of the three (pairs are taken, also when it fails); the columns of a table by name.
 *
 * [err: IO, FORMAT (by row), USAGE (no such column, with those there are), what prompts return, NOMEM | owns: the caller, labelled_free, which accepts NULL | thread: any | cost: O(tokens)] */
status labelled_read_sets(labelled **out, const model *m, const char *positive,
                          const char *negative, bos_policy bos, error *err);
status labelled_from_pairs(labelled **out, pairs *own_p, error *err);
status labelled_read_table(labelled **out, const model *m, const char *path,
                           const labelled_fields *f, bos_policy bos, error *err);
void labelled_free(labelled *l);

#endif
/* SPDX-License-Identifier: MIT */
