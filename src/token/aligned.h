/* aligned -- text that remembers, byte by byte, which bytes of the user's text it came from.
 *
 * A `piece` is a stretch of such text, borrowed.  Where nothing was changed yet it has no list of sources
 * (at is NULL): byte i is byte base + i of the user's text.  An `aligned` is text being written. */
#ifndef MICROTOME_TOKEN_ALIGNED_H
#define MICROTOME_TOKEN_ALIGNED_H
#include "base/str.h"

/* Bytes [first, end) of the user's text, whole characters. */
typedef struct source {
    uint32_t first, end;
} source;

typedef struct piece {
    const char *p;
    size_t n;
    const source *at; /* [n], or NULL: where it stands in the user's text, unchanged */
    size_t base;
} piece;

/* {0} is empty. */
typedef struct aligned {
    char *p;
    source *at;
    size_t n, cap, cap_at; /* of p, of at */
    bool failed;
} aligned;

/* Bytes that all come from one place; forget the text (the memory stays); free.
 *
 * [err: a->failed when out of memory | owns: a | thread: a's own | cost: amortised O(bytes)] */
void aligned_put(aligned *a, const char *p, size_t n, source from);
void aligned_clear(aligned *a);
void aligned_release(aligned *a);

/* All of it; bytes [first, end) of a piece; where byte i comes from; how long is the character at i, and which is it.
 *
 * [err: none | owns: borrowed | thread: any | cost: O(1)] */
piece aligned_piece(const aligned *a);
piece piece_part(const piece *p, size_t first, size_t end);
source piece_source(const piece *p, size_t i);
size_t piece_char(const piece *p, size_t i, uint32_t *c);

/* Writes out what becomes of a piece, a character at a time: change 0 puts c in the place of the next
 * character, -k in that of the next 1 + k; +1 adds it, as part of what was read last. */
typedef struct rewrite {
    const piece *in;
    aligned *out;
    size_t read;
} rewrite;

/* Put a character; keep the next one as it is; drop it.
 *
 * [err: out->failed | owns: nothing | thread: out's own | cost: O(1)] */
void rewrite_put(rewrite *r, uint32_t c, int change);
void rewrite_keep(rewrite *r);
void rewrite_drop(rewrite *r);

#endif
/* SPDX-License-Identifier: MIT */
