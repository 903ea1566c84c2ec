/* adapter -- LoRA adapters (PEFT's files): W' = W + s B A for each weight that one names.
 *
 * An adapter is a weight edit.  It can be added as a model is opened: the weights it names are then float32 copies made
 * before the graph is built, so that everything downstream sees an ordinary model, whose hash says which it is.  Or a
 * fork has it, at a scale of its own (EDIT_LOWRANK), and the model stays as it is.  Both have the same bits, which
 * docs/numerics.md fixes. */
#ifndef MICROTOME_MODEL_ADAPTER_H
#define MICROTOME_MODEL_ADAPTER_H
#include "model/builder.h"
#include "tensor/lowrank.h"

/* What is added to one weight: its product at scale 1 of the adapter's own, alpha / divisor. */
typedef struct adapter_part {
    const char *weight; /* the checkpoint's name */
    node *n;            /* of an opened model; else NULL */
    lowrank low;        /* in the order of the weight's rows and columns; its scale is not set */
    double alpha, divisor;
} adapter_part;

typedef struct adapter {
    adapter_part *part;
    int32_t n;
    const char *file, *config; /* what was read; config NULL: none lies beside it */
    const char *warning;       /* a sentence, or NULL */
} adapter;

/* Read one for an opened model: a directory or a file.
 *
 * [err: IO, FORMAT, UNSUPPORTED (what is no plain LoRA, by its name; a weight that cannot be edited), SHAPE, NOMEM | owns: *out lives in mem | thread: mem's own | cost: O(its numbers)] */
status adapter_read(adapter **out, arena *mem, const model *m, const char *path, error *err);

/* What a part adds at `factor` times the adapter's own scale.
 *
 * [err: none | owns: borrows the part's numbers | thread: any | cost: O(1)] */
lowrank adapter_product(const adapter_part *p, double factor);

/* Add b->options->adapter to b->weights, which are sorted.
 *
 * [err: as adapter_read, RANGE (scale) | owns: the model | thread: b's own | cost: O(numbers times rank)] */
status adapter_attach(builder *b, error *err);

#endif
/* SPDX-License-Identifier: MIT */
