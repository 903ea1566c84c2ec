/* pairs -- clean and corrupted prompts with their answers.
 *
 *     { "clean": [[1, 2, 3], ...], "corrupt": [[1, 2, 4], ...], "correct": [7, ...], "wrong": [9, ...],
 *       "ablation_reference_set": [[...], ...] }
 *
 * Prompts may be texts instead of ids, answers texts of one token (" Mary"), or lists of several; wrong and the reference set may
 * be missing.  Files of AutoCircuit, EAP (CSV) and feature circuits (JSON lines) are read too: pair_files.h. */
#ifndef MICROTOME_DATA_PAIRS_H
#define MICROTOME_DATA_PAIRS_H
#include "data/answers.h"

typedef struct pairs {
    arena mem;
    int n, n_reference;
    prompt **clean, **corrupt, **reference;
    int32_t *correct, *wrong; /* wrong NULL: not given; the first ones, where there are sets */
    answer_set *set;          /* [n]; NULL: each pair has the one answer, and the one wrong one */
    int n_partial;            /* sets that are missing (answers.h) */
    const char *metric;       /* what the file is measured by; NULL: it does not say */
    char note[600];           /* what reading the file left out or took to be meant; "" */
    bool single;              /* there is no other prompt: corrupt is the clean one again */
} pairs;

/* How a file is read. */
typedef struct pairs_how {
    bos_policy bos;
    int64_t limit; /* only the first so many that fit; 0: all */
    bool ragged;   /* the two prompts of a pair need not have equally many tokens */
} pairs_how;

/* Read a file, or the JSON value that is in one, or make one pair of texts.  The two prompts of a pair must have equally
 * many tokens unless `how` says otherwise; of another tool's file, pairs that do not fit the model (that, or an answer of several tokens) are left out.
 *
 * [err: IO, FORMAT, SHAPE (lengths differ), what prompts and token_find return, NOMEM | owns: the caller, pairs_free | thread: any | cost: O(tokens)] */
status pairs_read(pairs **out, const model *m, const char *path, const pairs_how *how, error *err);
status pairs_from_json(pairs **out, const model *m, const json_t *v, bos_policy bos, error *err);
status pairs_from_texts(pairs **out, const model *m, const char *clean, const char *corrupt,
                        const char *correct, const char *wrong, bos_policy bos, error *err);
void pairs_free(pairs *p);

/* Prompts of a file: a JSON list of texts, or of lists of ids; or lines of text, empty ones skipped.
 *
 * [err: as pairs_read, FORMAT when there are none | owns: the prompts are the caller's, the list mem's | thread: any | cost: O(tokens)] */
status prompts_read(prompt ***out, int *n, arena *mem, const model *m, const char *path,
                    bos_policy bos, error *err);

#endif
/* SPDX-License-Identifier: MIT */
