/* terms -- sums of vectors as people write them: what embed compares with the vocabulary.
 *
 *     king - man + woman            tokens; a word is the token with a space before it, else the one without
 *     " Lily" - 0.5 * "Tim" + #17   exactly these tokens; a factor; a token by its id
 *     dir.npz:joy - dir.npz:all[3]  tensors of d_model numbers; a row of a longer one
 *     h.2.mlp.down.weight[row=5]    a row or column of a weight, by its address
 *
 * + and - between terms stand with spaces on both sides. */
#ifndef MICROTOME_INSTRUMENT_TERMS_H
#define MICROTOME_INSTRUMENT_TERMS_H
#include "instrument/work.h"

typedef struct term {
    double factor;
    int32_t id;      /* a token; -1: v */
    const double *v; /* [d_model] */
} term;

typedef struct terms {
    const char *text;
    term *term;
    int n;
    bool vectors; /* any that is no token */
} terms;

/* Read one; d: how long its vectors are.  l: a lane, for weights.
 *
 * [err: USAGE (grammar), SHAPE (not d numbers), what token_find, work_values and addresses return | owns: the work | thread: the work's | cost: O(length), reads files] */
status terms_read(terms *out, work *w, lane *l, const char *text, int32_t d, error *err);

/* One word or quoted text as a token.
 *
 * [err: as token_find | owns: nothing | thread: any | cost: O(bytes)] */
status terms_token(const work *w, const char *p, size_t n, int32_t *out, error *err);

#endif
/* SPDX-License-Identifier: MIT */
