/* shards -- checkpoints in several files, which an index names:
 *
 *     {"weight_map": {"TENSOR": "FILE", ...}, ...}
 *
 * Files lie beside the index; each tensor must be in the file that is said to hold it. */
#ifndef MICROTOME_FORMAT_SHARDS_H
#define MICROTOME_FORMAT_SHARDS_H
#include "format/container.h"

/* Reads one file into c. */
typedef status shard_read(container *c, const char *path, error *err);

/* Every file an index names, each read once.
 *
 * [err: IO, FORMAT, LIMIT (too many files), NOMEM, those of read | owns: c | thread: c's own | cost: the files' headers] */
status shards_read(container *c, const char *path, shard_read *read, error *err);

#endif
/* SPDX-License-Identifier: MIT */
