/* adapter -- LoRA adapters (PEFT's files), attached as a model is opened: W' = W + s B A.
 *
 * The weights stay where they are; those that an adapter names are replaced by float32 copies before the graph is
 * built, so that everything downstream sees an ordinary model, whose hash says which it is.  docs/numerics.md
 * fixes the bits. */
#ifndef MICROTOME_MODEL_ADAPTER_H
#define MICROTOME_MODEL_ADAPTER_H
#include "model/builder.h"

/* Attach b->options->adapter, a directory or a file, to b->weights, which are sorted.
 *
 * [err: IO, FORMAT, UNSUPPORTED (what is no plain LoRA, by its name), SHAPE, RANGE (scale), NOMEM | owns: the model | thread: b's own | cost: O(numbers times rank)] */
status adapter_attach(builder *b, error *err);

#endif
/* SPDX-License-Identifier: MIT */
