/* save -- an opened model as files that Hugging Face transformers loads: model.safetensors, config.json, and the
 * tokenizer: its files where they lie beside the source, else tokenizer.json said from the vocabulary in it.
 *
 * What is written is what is computed with: numbers in blocks as the float32 that the format defines, turned rows in order,
 * matrices as the family has them, an adapter added.  A model that a Hugging Face family cannot say is refused. */
#ifndef MICROTOME_MODEL_SAVE_H
#define MICROTOME_MODEL_SAVE_H
#include "base/json.h"
#include "model/model.h"
#include "model/weights.h"

enum { SAVE_SAME = -1, SAVE_FILES = 16 };

/* How to, and what it came to. */
typedef struct save_how {
    const char *dir;
    int type; /* a dtype (F32, F16, BF16) for every weight; SAVE_SAME: as stored, blocks as F32 */
    bool overwrite; /* files of the same names in dir are replaced; others stay */
} save_how;

typedef struct saved {
    int32_t n_tensor, n_block, n_turned, n_transposed, n_gain, n_retyped,
        n_left; /* left: buffers nobody reads */
    bool
        other_order; /* dimensions of heads lie in another order: dot products add in another one */
    int64_t n_number, bytes, n_rounded;
    double largest;                 /* change by rounding */
    const char *copied[SAVE_FILES]; /* static, NULL-terminated */
    bool tokenizer, chat;           /* written: a tokenizer.json; with it a chat template */
    char unsaid[200];               /* why the tokenizer could not be written; "" */
    char hash[CONTAINER_HASH];      /* of the written tensors */
} saved;

/* Write it beside how->dir and rename: what fails leaves nothing.
 *
 * [err: UNSUPPORTED (no such family), USAGE (dir has files), RANGE (a number too large for the type), IO, NOMEM | owns: nothing | thread: any | cost: reads and writes all weights; memory for those that change] */
status model_save(const model *m, const save_how *how, saved *out, error *err);

/* What an opened model was built from.
 *
 * [err: none | owns: m | thread: any | cost: O(1)] */
const weight_set *model_weights(const model *m);
const json_t *model_json(const model *m);
const container *model_container(const model *m); /* NULL: embedded */

#endif
/* SPDX-License-Identifier: MIT */
