/* change -- how an edit is written: SITE OP VALUE.
 *
 *     SITE = 0 | zero | 1.5          set every number of the slice
 *     SITE = [0.1, 2, -3]            set each part to this vector (as long as the last axis cut)
 *     SITE = FILE:KEY                the same, from a .safetensors or .npz tensor
 *     SITE += ...   SITE -= ...      add; any of the values above; FILE:KEY and [..] take a factor:
 *                                    SITE += 4 * steer.npz:joy
 *     SITE += lora(DIR)              a LoRA adapter (DIR or FILE) on the weights that SITE names and it changes; "weights"
 *                                    is all of them; -= , and a factor: weights += 0.5 * lora(DIR)
 *     SITE *= 2                      scale
 *     SITE -= project([..])          project that direction out (also project(FILE:KEY))
 *     SITE = @LANE                   the value of the same slice in another lane ("resample"):
 *                                    the same rows, also where they were counted from this lane's end
 *     SITE = @LANE:OTHER[...]        or of another place of its shape
 *     SITE = mean(FILE)              mean over the prompts of FILE, all positions;
 *     SITE = mean(FILE, by=pos)      position by position
 *     SITE <-> OTHER                 swap: each takes what the other was before this lane's edits
 *     WRITER -> READER OP VALUE      any of these (but <->) on what one reader sees of one writer
 *
 * This file knows the grammar only: sites are resolved for each prompt by site.h, values and lanes
 * by whoever makes `edit`s of it. */
#ifndef MICROTOME_MODEL_CHANGE_H
#define MICROTOME_MODEL_CHANGE_H
#include "base/error.h"
#include "base/mem.h"

typedef enum change_kind {
    CHANGE_SET,
    CHANGE_ADD,
    CHANGE_SCALE,
    CHANGE_PROJECT,
    CHANGE_TAKE,
    CHANGE_MEAN,
    CHANGE_LORA
} change_kind;

/* Strings are the arena's.  Of number, vector and file exactly one is meant by SET, ADD and PROJECT:
 * file when not NULL, else vector when n_vector > 0, else number. */
typedef struct change {
    const char *text;   /* the whole, as given */
    const char *site;   /* address of what is edited; of an edge: the writer */
    const char *reader; /* an edge's reader, or NULL */
    change_kind kind;
    double number;        /* SET, ADD: the number; SCALE: the factor */
    double factor;        /* of vector and file in ADD, of LORA: 1, the sign included */
    const double *vector; /* [n_vector] */
    int32_t n_vector;
    const char *file, *key; /* a tensor; MEAN, LORA: file only */
    size_t file_at;         /* where in text the file's name begins */
    const char *lane;       /* TAKE: the lane's name; "" is the lane that is forked */
    const char *other;      /* TAKE: address in that lane; NULL: the same slice */
    bool by_pos;            /* MEAN */
} change;

/* Parse one edit; a swap gives two changes.
 *
 * [err: USAGE, with the place and what is expected; NOMEM | owns: *out lives in mem | thread: mem's own | cost: O(length)] */
status change_parse(change **out, int *n_out, arena *mem, const char *text, error *err);

#endif
/* SPDX-License-Identifier: MIT */
