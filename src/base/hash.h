/* hash -- XXH3-128 (libxxhash), for naming inputs and results, not for keeping secrets.
 *
 * It tells apart what differs by accident (another file, another bit), at memory
 * speed; it does not stop somebody who wants two files to look alike. */
#ifndef MICROTOME_BASE_HASH_H
#define MICROTOME_BASE_HASH_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum { HASH_TEXT = 33 + 8 }; /* "xxh3-128:" is written by callers; 32 hex digits and NUL fit */

typedef struct hash hash;

/* A running hash; adding; its 32 hex digits (the hash may be added to further).
 *
 * [err: NULL when out of memory | owns: the caller, hash_free | thread: its own | cost: O(bytes)] */
hash *hash_new(void);
void hash_add(hash *h, const void *bytes, size_t n);
void hash_text(const hash *h, char out[HASH_TEXT]);
void hash_free(hash *h);

/* Bytes that are hashed apart from others, and their hash: `sum` of pieces [first, end), in any order and by any threads
 * (pool.h: a pool_fn).
 *
 * [err: none | owns: nothing | thread: any, each its own pieces | cost: O(bytes)] */
typedef struct hash_piece {
    const void *p;
    size_t bytes;
    unsigned char sum[16];
} hash_piece;
void hash_pieces(void *pieces, int64_t first, int64_t end);

/* Add the bytes of a file.
 *
 * [err: IO, NOMEM | owns: nothing | thread: h's own | cost: reads the file] */
status hash_file(hash *h, const char *path, error *err);

#endif
/* SPDX-License-Identifier: MIT */
