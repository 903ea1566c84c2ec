/* mem -- see mem.h.  A block carries no header: sizes come from the caller, so
 * counting is exact and alignment costs nothing. */
#include "base/mem.h"
#include "base/cgroup.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCK_ALIGN = 64, ITEM_ALIGN = 32, FIRST_CHUNK = 4096, LAST_CHUNK = 1 << 20 };
enum { HUGE_PAGE = 1 << 21, HUGE_FROM = 1 << 22 };

mem_hook mem_state = { .fail_at = -1 };

static bool must_fail(void)
{
    int64_t at = atomic_load_explicit(&mem_state.fail_at, memory_order_relaxed);
    if (at < 0) return false;
    return atomic_fetch_sub(&mem_state.fail_at, 1) == 0;
}

static void count(int64_t blocks, int64_t bytes)
{
    atomic_fetch_add_explicit(&mem_state.n_live, blocks, memory_order_relaxed);
    int64_t live =
        atomic_fetch_add_explicit(&mem_state.live_bytes, bytes, memory_order_relaxed) + bytes;
    int64_t peak = atomic_load_explicit(&mem_state.peak_bytes, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak(&mem_state.peak_bytes, &peak, live)) {}
}

/* Large blocks lie in huge pages where the system gives them: a run's values are written once, and a
 * page of 4 KB costs as much to get as to fill. */
static void *block(size_t bytes)
{
    void *p = NULL;
    if (bytes < HUGE_FROM) return aligned_alloc(BLOCK_ALIGN, bytes);
    if (posix_memalign(&p, HUGE_PAGE, bytes)) return NULL;
    (void)madvise(p, bytes & ~((size_t)HUGE_PAGE - 1), MADV_HUGEPAGE);
    return p;
}

void *mem_resize(void *old, size_t old_bytes, size_t new_bytes)
{
    if (!new_bytes) {
        mem_free(old, old_bytes);
        return NULL;
    }
    size_t whole = (new_bytes + BLOCK_ALIGN - 1) & ~(size_t)(BLOCK_ALIGN - 1);
    if (whole < new_bytes || must_fail()) return NULL;
    void *p = block(whole);
    if (!p) return NULL;
    if (old) memcpy(p, old, old_bytes < new_bytes ? old_bytes : new_bytes);
    count(1, (int64_t)new_bytes);
    mem_free(old, old_bytes);
    return p;
}

void *mem_zero(size_t bytes)
{
    void *p = mem_resize(NULL, 0, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void mem_free(void *p, size_t bytes)
{
    if (!p) return;
    count(-1, -(int64_t)bytes);
    free(p);
}

bool mul_fits(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *out = product;
    return true;
}

typedef struct chunk {
    struct chunk *below;
    size_t used, size; /* of the bytes that follow, from an aligned start */
} chunk;

enum { HEAD = (sizeof(chunk) + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN };

static void *chunk_bytes(chunk *c) { return (char *)c + HEAD; }

static bool chunk_push(arena *a, size_t least)
{
    size_t size = a->top ? a->top->size * 2 : FIRST_CHUNK - HEAD;
    if (size > LAST_CHUNK - HEAD) size = LAST_CHUNK - HEAD;
    if (size < least) size = least;
    if (size > SIZE_MAX - HEAD) return false;
    chunk *c = mem_resize(NULL, 0, size + HEAD);
    if (!c) return false;
    *c = (chunk){ .below = a->top, .size = size };
    a->top = c;
    a->total_bytes += size + HEAD;
    return true;
}

void *arena_get(arena *a, size_t bytes)
{
    if (mem_state.each_get && must_fail()) {
        a->failed = true;
        return NULL;
    }
    size_t align = bytes >= ITEM_ALIGN ? ITEM_ALIGN : 8;
    size_t at = a->top ? (a->top->used + align - 1) & ~(align - 1) : 0;
    if (!a->top || at > a->top->size || bytes > a->top->size - at) {
        if (bytes > SIZE_MAX - ITEM_ALIGN || !chunk_push(a, bytes)) {
            a->failed = true;
            return NULL;
        }
        at = 0;
    }
    a->top->used = at + bytes;
    a->used_bytes += bytes;
    return (char *)chunk_bytes(a->top) + at;
}

void *arena_zero(arena *a, size_t bytes)
{
    void *p = arena_get(a, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void *arena_array(arena *a, int64_t n, size_t size)
{
    size_t bytes;
    if (n < 0 || !mul_fits((size_t)n, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return arena_zero(a, bytes);
}

char *arena_string(arena *a, const char *s) { return arena_copy(a, s, strlen(s) + 1); }

void *arena_copy(arena *a, const void *p, size_t bytes)
{
    void *q = arena_get(a, bytes);
    if (q && bytes) memcpy(q, p, bytes);
    return q;
}

arena_mark arena_here(const arena *a)
{
    return (arena_mark){ a->top, a->top ? a->top->used : 0, a->used_bytes, a->failed };
}

static void chunk_pop(arena *a)
{
    chunk *c = a->top;
    a->top = c->below;
    a->total_bytes -= c->size + HEAD;
    mem_free(c, c->size + HEAD);
}

void arena_rewind(arena *a, arena_mark m)
{
    while (a->top != m.top) chunk_pop(a);
    if (a->top) a->top->used = m.top_used;
    a->used_bytes = m.used_bytes;
    a->failed = m.failed;
}

void arena_reset(arena *a)
{
    while (a->top && a->top->below) {
        chunk *second = a->top->below; /* the top one is the largest: keep it */
        a->top->below = second->below;
        a->total_bytes -= second->size + HEAD;
        mem_free(second, second->size + HEAD);
    }
    if (a->top) a->top->used = 0;
    a->used_bytes = 0;
    a->failed = false;
}

void arena_release(arena *a)
{
    while (a->top) chunk_pop(a);
    *a = (arena){ 0 };
}

/* ---- how much there is ---- */

int64_t mem_available(void)
{
    int64_t kib = kernel_number("/proc/meminfo", "MemAvailable:"), there = kib > 0 ? kib * 1024 : 0;
    int64_t left = cgroup_memory_left(NULL, NULL);
    return left >= 0 && (!there || left < there) ? left : there;
}
/* SPDX-License-Identifier: MIT */
