/* format -- files of named tensors; a format is a file of this room (container.h says what it holds).
 *
 * A *container* is what a path holds: tensors by name, mapped read-only, and the file's metadata.
 * Whatever is wrong with a file is found when it is opened, named with the file, the tensor, what
 * was found and what was expected; after that nothing can be out of bounds.  docs/formats.md draws
 * the bytes. */
#ifndef MICROTOME_FORMAT_FORMAT_H
#define MICROTOME_FORMAT_FORMAT_H
#include "base/error.h"
#include "tensor/dtype.h"

enum { TENSOR_DIMS = 8, CONTAINER_HASH = 64 };

/* A tensor, row-major; data is as the file has it (little-endian) and may be unaligned.  A type that lies in blocks
 * (dtype.h) has the last dimension in whole blocks, and rows may be turned: tensor_values reads any of them. */
typedef struct tensor_view {
    const char *name;
    dtype dtype;
    int32_t n_dim;
    int64_t dim[TENSOR_DIMS];
    const void *data;
    size_t bytes;
    int64_t pair; /* rows lie where dtype_row_place says; 0: in order */
} tensor_view;

typedef struct container container;

/* How many numbers it has; numbers [first, first + n) of them, whatever their type and where they lie.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
int64_t tensor_count(const tensor_view *t);
void tensor_values(const tensor_view *t, int64_t first, int64_t n, double *out);

/* Open a path:
 *
 *   FILE.safetensors        one file
 *   FILE.index.json         shards, as its weight_map says; they must lie beside it
 *   FILE.gguf               llama.cpp's; tensors get Hugging Face's names
 *   FILE.npz, FILE.npy      entries that are stored, not compressed; one array, named as the file
 *   FILE.bin, .pt, .pth     what torch.save writes, or its shards' .bin.index.json
 *   FILE.bin                llama2.c's first format; tensors get Hugging Face's names (model.layers.0...)
 *   a directory             model.safetensors in it or their index, else pytorch_model.bin or their index, model.npz, or
 *                           all of its .npy files
 *
 * [err: IO, FORMAT, UNSUPPORTED, LIMIT (a header too large), NOMEM | owns: the caller, container_free | thread: any | cost: the headers; data is mapped] */
status container_open(container **out, const char *path, error *err);
void container_free(container *c);

/* What was read to open it is not memory of this process any longer (file_rest); tensors stay where they are.
 *
 * [err: none | owns: nothing | thread: any | cost: one madvise a file] */
void container_rest(const container *c);

/* The same of a part of a tensor: bytes that lie in a mapped file; of others nothing happens.
 *
 * [err: none | owns: nothing | thread: any | cost: one madvise] */
void container_rest_part(const container *c, const void *p, size_t bytes);

/* The format of a path, by its name: "safetensors", "gguf"; NULL when none fits.  Does that format
 * carry the model's configuration too (the metadata "config": the text of a config.json)?
 *
 * [err: NULL | owns: static | thread: any | cost: O(formats)] */
const char *format_of(const char *path, bool *has_config);

/* The name of its format; how many tensors; the i-th, by name ascending; the one of that name.
 *
 * [err: NULL when there is none | owns: borrowed | thread: any | cost: O(1), find O(log n)] */
const char *container_format(const container *c);
int32_t container_count(const container *c);
const tensor_view *container_at(const container *c, int32_t i);
const tensor_view *container_find(const container *c, const char *name);

/* The file's metadata: a string by key.
 *
 * [err: NULL when there is none | owns: borrowed | thread: any | cost: O(keys)] */
const char *container_meta(const container *c, const char *key);

/* Metadata that is no single text: numbers, or a list of texts, as the file has them. */
typedef struct meta_list {
    const char *key;
    bool is_text;     /* each entry: its bytes (u64), then the text */
    dtype dtype;      /* of numbers */
    int64_t n;        /* entries; 1 of a number on its own */
    const void *data; /* may be unaligned */
} meta_list;

typedef struct meta_text {
    const char *p;
    size_t n;
} meta_text;

/* The list of that key; its n texts, borrowed from the file; the number of that key, `otherwise` where there is none.
 *
 * [err: NULL when there is none | owns: borrowed | thread: any | cost: O(keys); O(bytes)] */
const meta_list *container_find_list(const container *c, const char *key);
void meta_texts(const meta_list *l, meta_text *out);
double container_number(const container *c, const char *key, double otherwise);

/* "xxh3-128:" and 32 hex digits over every tensor's name, type, shape and bytes, by name: how it is cut
 * into files does not show.
 *
 * [err: NOMEM | owns: nothing | thread: any | cost: reads everything] */
status container_hash(const container *c, char out[CONTAINER_HASH], error *err);

/* Write tensors, beside the path and then renamed, in the format of the path's end (.safetensors, .npz);
 * `meta` is n_meta pairs of key and value (npz has no metadata, and drops them).
 *
 * [err: IO (disk full), USAGE (the path's end; a name twice), NOMEM | owns: nothing | thread: any | cost: O(bytes)] */
status tensors_write(const char *path, const tensor_view *t, int32_t n, const char *const *meta,
                     int32_t n_meta, error *err);

#endif
/* SPDX-License-Identifier: MIT */
