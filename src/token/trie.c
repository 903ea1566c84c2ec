/* trie -- see trie.h.  The table doubles when it is half full, so a trie costs what its nodes cost. */
#include "token/trie.h"
#include <string.h>

static size_t place(const trie *t, uint32_t from, unsigned char byte)
{
    uint64_t h = ((uint64_t)from << 8 | byte) * 0x9e3779b97f4a7c15u;
    return (h ^ h >> 32) & (t->n_slot - 1);
}

static trie_edge *find(const trie *t, uint32_t from, unsigned char byte)
{
    size_t i = place(t, from, byte);
    while (t->edge[i].to && (t->edge[i].from != from || t->edge[i].byte != byte))
        i = (i + 1) & (t->n_slot - 1);
    return &t->edge[i];
}

bool trie_init(trie *t, arena *mem)
{
    *t = (trie){ .mem = mem, .n_slot = 64, .n_node = 1, .cap_node = 32 };
    t->edge = arena_array(mem, (int64_t)t->n_slot, sizeof *t->edge);
    t->value = arena_array(mem, t->cap_node, sizeof *t->value);
    if (t->value) t->value[0] = -1;
    return t->edge && t->value;
}

static bool grow_edges(trie *t)
{
    trie old = *t;
    t->n_slot *= 2;
    t->edge = arena_array(t->mem, (int64_t)t->n_slot, sizeof *t->edge);
    if (!t->edge) {
        *t = old;
        return false;
    }
    for (size_t i = 0; i < old.n_slot; i++)
        if (old.edge[i].to) *find(t, old.edge[i].from, old.edge[i].byte) = old.edge[i];
    return true;
}

static bool grow_nodes(trie *t)
{
    int32_t *value = arena_array(t->mem, (int64_t)t->cap_node * 2, sizeof *value);
    if (!value) return false;
    memcpy(value, t->value, t->n_node * sizeof *value);
    t->value = value, t->cap_node *= 2;
    return true;
}

bool trie_add(trie *t, const char *p, size_t n, int32_t value)
{
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        if (t->n_edge * 2 >= t->n_slot && !grow_edges(t)) return false;
        if (t->n_node == t->cap_node && !grow_nodes(t)) return false;
        trie_edge *e = find(t, node, (unsigned char)p[i]);
        if (!e->to) {
            *e = (trie_edge){ node, t->n_node, (unsigned char)p[i] };
            t->value[t->n_node++] = -1, t->n_edge++;
        }
        node = e->to;
    }
    if (t->value[node] < 0) t->value[node] = value;
    return true;
}

uint32_t trie_step(const trie *t, uint32_t node, char byte)
{
    return t->n_slot ? find(t, node, (unsigned char)byte)->to : 0;
}

int32_t trie_value(const trie *t, uint32_t node) { return t->value[node]; }

int32_t trie_longest(const trie *t, const char *p, size_t n, size_t *length)
{
    int32_t best = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < n && (node = trie_step(t, node, p[i])); i++)
        if (t->value[node] >= 0) best = t->value[node], *length = i + 1;
    return best;
}
/* SPDX-License-Identifier: MIT */
