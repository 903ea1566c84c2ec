/* gpt2_shape -- a GPT-2-shaped model with random weights, written where a bench can open it. */
#ifndef BENCH_GPT2_SHAPE_H
#define BENCH_GPT2_SHAPE_H

typedef struct gpt2_shape {
    int n_layer, n_head, d_model, n_vocab, n_ctx;
} gpt2_shape;

/* Write config.json and model.safetensors (float32, standard deviation 0.02 as GPT-2's) into dir, unless
 * they are there with that shape.  0 when all is well. */
int gpt2_write(const char *dir, gpt2_shape s);

/* GPT-2 small, 548 MB. */
extern const gpt2_shape gpt2_small;

/* Where bench files go: $MICROTOME_BENCH or build/bench; made if need be. */
const char *bench_dir(const char *name);

#endif
/* SPDX-License-Identifier: MIT */
