/* container -- what the files of this room share; nobody else includes it. */
#ifndef MICROTOME_FORMAT_CONTAINER_H
#define MICROTOME_FORMAT_CONTAINER_H
#include "base/file.h"
#include "base/mem.h"
#include "format/format.h"

enum { MAX_SHARDS = 4096 };

typedef struct note {
    const char *key, *value;
} note;

struct container {
    arena mem;
    const char *format;
    file_map *map;  /* [n_map] */
    tensor_view *t; /* [n], sorted by name once open */
    note *meta;     /* [n_meta] */
    int32_t n, cap, n_map, cap_map, n_meta, cap_meta;
};

/* Map a file into c; add a tensor (name copied), a metadata pair (copied).
 *
 * [err: IO, NOMEM | owns: c | thread: c's own | cost: O(1)] */
status container_map(container *c, const char *path, file_map *out, error *err);
status container_add(container *c, tensor_view t, error *err);
status container_note(container *c, const char *key, const char *value, error *err);

/* Numbers in a shape, and their bytes; false when that does not fit.
 *
 * [err: false | owns: nothing | thread: any | cost: O(dims)] */
bool tensor_size(const tensor_view *t, size_t *n, size_t *bytes);

/* Read one file of a format into c.
 *
 * [err: as container_open | owns: c | thread: c's own | cost: the header] */
status safetensors_read(container *c, const char *path, error *err);
status safetensors_read_index(container *c, const char *path, error *err);
status npz_read(container *c, const char *path, error *err);
status llama2c_read(container *c, const char *path, error *err);

#endif
/* SPDX-License-Identifier: MIT */
