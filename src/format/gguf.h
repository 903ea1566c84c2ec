/* gguf -- what gguf.c found in a file, for gguf_model.c, which knows what models it holds. */
#ifndef MICROTOME_FORMAT_GGUF_H
#define MICROTOME_FORMAT_GGUF_H
#include "format/container.h"

/* Types of values, numbered as the format does. */
typedef enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
} gguf_type;

/* A key and what it is said to be.  Of an array: the type of its entries, and that it is one. */
typedef struct gguf_value {
    const char *key;
    gguf_type type;
    bool is_array;
    int64_t n;              /* entries of an array, bytes of a string */
    const unsigned char *p; /* where they lie in the file */
} gguf_value;

typedef struct gguf_file {
    container *c;
    const char *path;
    gguf_value *v; /* [n], by key ascending */
    int32_t n;
    error *err;
} gguf_file;

/* The value of that key; a number or a flag of it as a double.
 *
 * [err: NULL, false when it is not there or no number | owns: f | thread: any | cost: O(log n)] */
const gguf_value *gguf_find(const gguf_file *f, const char *key);
bool gguf_number(const gguf_value *v, double *out);

/* The tensors get Hugging Face's names, and the metadata becomes the text of a config.json ("config").  A file that holds no
 * model (a control vector, an adapter) or one that is not built stays as it is, with the reason as "config.missing".
 *
 * [err: FORMAT, UNSUPPORTED (a key that changes what is computed and is not known), NOMEM | owns: c | thread: c's own | cost: O(tensors)] */
status gguf_model(const gguf_file *f);

#endif
/* SPDX-License-Identifier: MIT */
