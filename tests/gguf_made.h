/* gguf_made -- GGUF files made by tests, right ones and wrong ones: values and tensors as they are put. */
#ifndef TESTS_GGUF_MADE_H
#define TESTS_GGUF_MADE_H
#include "base/str.h"
#include "format/format.h"

typedef struct gguf_made {
    str value, tensor, data;
    uint64_t n_value, n_tensor;
    uint32_t version, align;
} gguf_made;

/* The format's own number of a type of tensors. */
uint32_t made_type(dtype t);

void made_begin(gguf_made *g, const char *architecture);
void made_text(gguf_made *g, const char *key, const char *value);
void made_u32(gguf_made *g, const char *key, uint32_t value);
void made_f32(gguf_made *g, const char *key, float value);
void made_flag(gguf_made *g, const char *key, bool value);
void made_texts(gguf_made *g, const char *key, const char *const *text, int64_t n);
void made_floats(gguf_made *g, const char *key, const float *x, int64_t n);
void made_ints(gguf_made *g, const char *key, const int32_t *x, int64_t n);

/* A tensor of n_row rows of n_col numbers; n_row 0: a vector. */
void made_tensor(gguf_made *g, const char *name, dtype t, int64_t n_row, int64_t n_col,
                 const void *data);

/* The whole file; what was put is given back. */
void made_file(gguf_made *g, const char *path);

#endif
/* SPDX-License-Identifier: MIT */
