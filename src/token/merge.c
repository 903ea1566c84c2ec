/* merge -- tables, and the one merging algorithm: a list of neighbours and a heap of pairs.
 *
 * A pair in the heap may be stale (one of its two has merged since): it is then skipped.  Each merge
 * adds at most two pairs, so n tokens take O(n log n). */
#include "token/token_def.h"
#include <string.h>

/* ---- tables ---- */

static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h * 0x9e3779b97f4a7c15u;
}

/* Tables are half full (those of pairs, which are seldom missed, two thirds), of any size: the next power of two may
 * be twice that. */
static uint32_t room_for(int64_t n) { return (uint32_t)(n * 2) + 16; }
static uint32_t room_for_pairs(int64_t n) { return (uint32_t)(n + n / 2) + 16; }

/* A place below `size` out of the hash's upper half (Lemire, ACM TOMACS 2019). */
static uint32_t place_of(uint64_t hash, uint32_t size)
{
    return (uint32_t)((hash >> 32) * size >> 32);
}

static uint32_t after(uint32_t i, uint32_t size) { return i + 1 < size ? i + 1 : 0; }

bool table_init(token_table *t, arena *mem, int32_t n)
{
    t->size = room_for(n);
    t->slot = arena_array(mem, (int64_t)t->size, sizeof *t->slot);
    return t->slot != NULL;
}

/* Equals lie in the order in which they came: the first that is met is the first that was added. */
static inline int32_t find(const token_table *t, const token_text *text, const char *p, size_t n,
                           bool piece)
{
    if (!t->size) return -1;
    for (uint32_t i = place_of(hash_bytes(p, n), t->size); t->slot[i]; i = after(i, t->size)) {
        int32_t id = t->slot[i] - 1;
        if (text[id].n == n && text[id].piece >= piece && !memcmp(text[id].p, p, n)) return id;
    }
    return -1;
}

int32_t table_find(const token_table *t, const token_text *text, const char *p, size_t n)
{
    return find(t, text, p, n, false);
}

int32_t table_find_piece(const token_table *t, const token_text *text, const char *p, size_t n)
{
    return find(t, text, p, n, true);
}

void table_add(token_table *t, const token_text *text, int32_t id)
{
    if (find(t, text, text[id].p, text[id].n, text[id].piece) >= 0) return;
    uint32_t i = place_of(hash_bytes(text[id].p, text[id].n), t->size);
    while (t->slot[i]) i = after(i, t->size);
    t->slot[i] = id + 1;
}

static uint32_t pair_place(const pair_table *t, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return place_of((h ^ h >> 29) * 0xbf58476d1ce4e5b9u, t->size);
}

bool pairs_init(pair_table *t, arena *mem, int64_t n)
{
    t->size = room_for_pairs(n), t->n = n;
    t->slot = arena_array(mem, (int64_t)t->size, sizeof *t->slot);
    t->made = arena_array(mem, n + 1, sizeof *t->made);
    for (uint32_t i = 0; t->slot && i < t->size; i++) t->slot[i].left = -1;
    return t->slot && t->made;
}

bool pairs_add(pair_table *t, token_pair p, int32_t made)
{
    uint32_t i = pair_place(t, p.left, p.right);
    if (p.rank >= t->n) return false;
    while (t->slot[i].left >= 0) {
        if (t->slot[i].left == p.left && t->slot[i].right == p.right)
            break; /* the later rule stands */
        i = after(i, t->size);
    }
    t->slot[i] = p, t->made[p.rank] = made;
    return true;
}

const token_pair *pairs_find(const pair_table *t, int32_t left, int32_t right)
{
    for (uint32_t i = pair_place(t, left, right); t->slot[i].left >= 0; i = after(i, t->size))
        if (t->slot[i].left == left && t->slot[i].right == right) return &t->slot[i];
    return NULL;
}

/* ---- merging ---- */

typedef struct mergeable {
    double order;
    int32_t at, left, right, made; /* index of the left token; both as they were */
} mergeable;

typedef struct merger {
    const void *user;
    merge_rule *rule;
    token_span *s;
    int32_t *prev, *next; /* -1: none */
    mergeable *heap;
    int64_t n_heap;
} merger;

static bool before(const mergeable *a, const mergeable *b)
{
    return a->order != b->order ? a->order < b->order : a->at < b->at;
}

static void heap_push(merger *m, mergeable x)
{
    int64_t i = m->n_heap++;
    for (; i && before(&x, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = x;
}

static mergeable heap_pop(merger *m)
{
    mergeable top = m->heap[0], x = m->heap[--m->n_heap];
    int64_t i = 0;
    for (int64_t c = 1; c < m->n_heap; c = 2 * i + 1) {
        if (c + 1 < m->n_heap && before(&m->heap[c + 1], &m->heap[c])) c++;
        if (!before(&m->heap[c], &x)) break;
        m->heap[i] = m->heap[c];
        i = c;
    }
    m->heap[i] = x;
    return top;
}

static void offer(merger *m, int32_t at)
{
    mergeable x = { .at = at, .left = m->s[at].id };
    if (m->next[at] < 0) return;
    const token_span *right = &m->s[m->next[at]];
    x.right = right->id;
    if (m->rule(m->user, &m->s[at], right, &x.made, &x.order)) heap_push(m, x);
}

static void join(merger *m, const mergeable *x)
{
    int32_t right = m->next[x->at];
    if (m->s[x->at].id != x->left || right < 0 || m->s[right].id != x->right) return; /* stale */
    m->s[x->at].id = x->made;
    m->s[x->at].end = m->s[right].end;
    m->s[right].id = -1;
    m->next[x->at] = m->next[right];
    if (m->next[right] >= 0) m->prev[m->next[right]] = x->at;
    if (m->prev[x->at] >= 0) offer(m, m->prev[x->at]);
    offer(m, x->at);
}

int64_t tokens_merge(const void *user, arena *mem, token_span *s, int64_t n, merge_rule *rule)
{
    int64_t kept = 0;
    if (n < 2) return n;
    if (n > INT32_MAX / 4) return -1;
    arena_mark here = arena_here(mem);
    merger m = { .user = user, .rule = rule, .s = s };
    m.prev = arena_array(mem, n, sizeof *m.prev), m.next = arena_array(mem, n, sizeof *m.next);
    m.heap = arena_array(mem, 3 * n, sizeof *m.heap);
    if (!m.prev || !m.next || !m.heap) return -1;
    for (int32_t i = 0; i < n; i++) m.prev[i] = i - 1, m.next[i] = i + 1 < n ? i + 1 : -1;
    for (int32_t i = 0; i < n; i++) offer(&m, i);
    while (m.n_heap) {
        mergeable x = heap_pop(&m);
        join(&m, &x);
    }
    for (int64_t i = 0; i < n; i++)
        if (s[i].id >= 0) s[kept++] = s[i];
    arena_rewind(mem, here);
    return kept;
}
/* SPDX-License-Identifier: MIT */
