/* mem -- all memory goes through here, so that it can be counted, and made to fail.
 *
 * Two ways: mem_resize, a realloc that knows the old size; and arenas, chunk lists
 * that are freed as one (an object is one arena, freeing it is one call). */
#ifndef MICROTOME_BASE_MEM_H
#define MICROTOME_BASE_MEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What tests turn: fail the fail_at-th allocation from now (negative: never), and what is live. */
typedef struct mem_hook {
    _Atomic int64_t fail_at;
    bool each_get; /* what an arena hands out counts as a call too */
    _Atomic int64_t n_live;
    _Atomic int64_t live_bytes;
    _Atomic int64_t peak_bytes;
} mem_hook;
extern mem_hook mem_state;

/* Grow, shrink, make (old NULL, old_bytes 0) or free (new_bytes 0, returns NULL) a block.
 * 64-byte aligned; what is new is not cleared; on failure NULL and the old block stays.
 *
 * [err: NULL when out of memory | owns: the caller | thread: any | cost: realloc] */
void *mem_resize(void *old, size_t old_bytes, size_t new_bytes);

/* The same, cleared; for blocks that start empty.
 *
 * [err: NULL when out of memory | owns: the caller | thread: any | cost: calloc] */
void *mem_zero(size_t bytes);

/* Free a block of that size; NULL is fine.
 *
 * [err: none | owns: takes p | thread: any | cost: free] */
void mem_free(void *p, size_t bytes);

/* a * b into *out; false (and *out untouched) when it does not fit.
 *
 * [err: false | owns: nothing | thread: any | cost: O(1)] */
bool mul_fits(size_t a, size_t b, size_t *out);

/* A list of chunks, 4 KiB at first, doubling.  {0} is an empty arena.  `failed` is set by any get
 * that could not be served and stays until reset, release, or a rewind to before it, so that
 * a long computation over one arena may check once, at its end. */
typedef struct arena {
    struct chunk *top;
    size_t used_bytes, total_bytes;
    bool failed;
} arena;

typedef struct arena_mark {
    struct chunk *top;
    size_t top_used, used_bytes;
    bool failed;
} arena_mark;

/* `bytes` of storage, 32-byte aligned when bytes >= 32, else 8; not cleared, valid until reset or release.
 *
 * [err: NULL when out of memory | owns: the arena | thread: the arena's own | cost: O(1)] */
void *arena_get(arena *a, size_t bytes);

/* The same, cleared.
 *
 * [err: NULL when out of memory | owns: the arena | thread: the arena's own | cost: O(bytes)] */
void *arena_zero(arena *a, size_t bytes);

/* n items of `size` bytes, the product checked; cleared.
 *
 * [err: NULL when out of memory or n*size overflows | owns: the arena | thread: the arena's own | cost: O(bytes)] */
void *arena_array(arena *a, int64_t n, size_t size);

/* A copy of a string, or of `bytes` bytes.
 *
 * [err: NULL when out of memory | owns: the arena | thread: the arena's own | cost: O(bytes)] */
char *arena_string(arena *a, const char *s);
void *arena_copy(arena *a, const void *p, size_t bytes);

/* Remember a place and go back to it: what was got since is forgotten.
 *
 * [err: none | owns: nothing | thread: the arena's own | cost: O(chunks since)] */
arena_mark arena_here(const arena *a);
void arena_rewind(arena *a, arena_mark m);

/* Forget everything but keep one chunk; or free all.
 *
 * [err: none | owns: nothing | thread: the arena's own | cost: O(chunks)] */
void arena_reset(arena *a);
void arena_release(arena *a);

/* Bytes of memory that this machine could still give: what it says is available, at most what the cgroup leaves; 0:
 * it does not say.
 *
 * [err: 0 | owns: nothing | thread: any | cost: reads a few files] */
int64_t mem_available(void);

#endif
/* SPDX-License-Identifier: MIT */
