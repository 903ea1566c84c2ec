/* torch -- what a pickle that torch.save wrote may name, and the state dict in it; for pytorch.c.
 *
 * torch_host answers for tensors, their storages and types, OrderedDict, torch.Size and a few more, all listed in
 * torch.c; anything else is refused by its name.  A tensor is a view: an offset, sizes and strides into a storage,
 * which several may share. */
#ifndef MICROTOME_FORMAT_TORCH_H
#define MICROTOME_FORMAT_TORCH_H
#include "format/container.h"
#include "format/pickle.h"

/* Bytes under a key: a storage's. */
typedef struct torch_blob {
    const char *key; /* no NUL behind it */
    size_t key_bytes;
    const unsigned char *p;
    size_t bytes;
} torch_blob;

/* A storage as a pickle names it; found among the blobs once all were named. */
typedef struct torch_storage {
    const char *key;
    size_t key_bytes;
    bool typed;
    dtype type;
    uint64_t n; /* numbers (bytes when not typed), as the pickle says */
    const unsigned char *p;
    size_t bytes;
    struct torch_storage *next; /* named before this one */
} torch_storage;

typedef struct torch_tensor {
    torch_storage *storage;
    dtype type;
    int32_t n_dim;
    int64_t offset, dim[TENSOR_DIMS], stride[TENSOR_DIMS];
} torch_tensor;

enum { TORCH_GLOBAL, TORCH_STORAGE_TYPE, TORCH_DTYPE, TORCH_STORAGE, TORCH_TENSOR }; /* pick.tag */

typedef struct torch_load {
    container *c;
    const char *path;
    torch_storage *storage; /* the last that was named */
    size_t n_storage;
} torch_load;

/* Run the pickle of a state dict.
 *
 * [err: those of pickle_run, UNSUPPORTED (a global, by its name) | owns: l->c | thread: l's own | cost: O(n)] */
status torch_pickle(pick **out, torch_load *l, const unsigned char *p, size_t n, size_t *used,
                    error *err);

/* Keys of storages in order: by bytes, the shorter first.
 *
 * [err: none | owns: nothing | thread: any | cost: O(bytes)] */
int torch_key_order(const char *a, size_t n_a, const char *b, size_t n_b);

/* Give the storages their bytes; blobs are sorted here.
 *
 * [err: FORMAT (a storage that is not there, or shorter than said), NOMEM | owns: borrowed | thread: l's own | cost: O(n log n)] */
status torch_resolve(torch_load *l, torch_blob *blob, int32_t n, error *err);

/* The tensors of the root value, by name, into l->c (docs/formats.md says how they are named); the metadata "nested" is
 * the key under which they lay, where they did.
 *
 * [err: FORMAT (none; a view outside its storage), UNSUPPORTED, LIMIT, NOMEM | owns: l->c | thread: l's own | cost: O(tensors), and the bytes of those that are not contiguous] */
status torch_state(torch_load *l, pick *root, error *err);

#endif
/* SPDX-License-Identifier: MIT */
