/* hash -- see hash.h. */
#include "base/hash.h"
#include "base/file.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* The library makes its own state (it must be aligned as it likes); ours says whose it is. */
struct hash {
    XXH3_state_t *state;
};

hash *hash_new(void)
{
    hash *h = mem_zero(sizeof *h);
    if (h) h->state = XXH3_createState();
    if (!h || !h->state) {
        mem_free(h, sizeof *h);
        return NULL;
    }
    XXH3_128bits_reset(h->state);
    return h;
}

void hash_add(hash *h, const void *bytes, size_t n)
{
    if (n) XXH3_128bits_update(h->state, bytes, n);
}

void hash_pieces(void *pieces, int64_t first, int64_t end)
{
    hash_piece *piece = pieces;
    for (int64_t i = first; i < end; i++) {
        XXH128_canonical_t sum;
        XXH128_canonicalFromHash(&sum, XXH3_128bits(piece[i].p, piece[i].bytes));
        memcpy(piece[i].sum, sum.digest, sizeof piece[i].sum);
    }
}

void hash_text(const hash *h, char out[HASH_TEXT])
{
    XXH128_hash_t v = XXH3_128bits_digest(h->state);
    snprintf(out, HASH_TEXT, "%016llx%016llx", (unsigned long long)v.high64,
             (unsigned long long)v.low64);
}

void hash_free(hash *h)
{
    if (!h) return;
    XXH3_freeState(h->state);
    mem_free(h, sizeof *h);
}

status hash_file(hash *h, const char *path, error *err)
{
    file_map m;
    status st = file_open_map(&m, path, err);
    if (st != E_OK) return st;
    hash_add(h, m.p, m.bytes);
    file_unmap(&m);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
