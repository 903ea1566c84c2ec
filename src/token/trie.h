/* trie -- which of many byte strings begin here: pieces of a Unigram, added tokens, symbols of the user's. */
#ifndef MICROTOME_TOKEN_TRIE_H
#define MICROTOME_TOKEN_TRIE_H
#include "base/mem.h"

/* Edges in a hash table; node 0 is the root.  {0} is empty and finds nothing. */
typedef struct trie_edge {
    uint32_t from, to; /* to 0: free */
    unsigned char byte;
} trie_edge;

typedef struct trie {
    arena *mem;
    trie_edge *edge;
    int32_t *value; /* by node; -1: none ends here */
    size_t n_slot, n_edge;
    uint32_t n_node, cap_node;
} trie;

/* Start; add a string with its value (the first of equals stands).
 *
 * [err: false when out of memory | owns: mem | thread: mem's own | cost: O(n) a string] */
bool trie_init(trie *t, arena *mem);
bool trie_add(trie *t, const char *p, size_t n, int32_t value);

/* The node below, 0 when there is none; the value of a node, -1 when no string ends there.
 *
 * [err: none | owns: nothing | thread: any | cost: one lookup] */
uint32_t trie_step(const trie *t, uint32_t node, char byte);
int32_t trie_value(const trie *t, uint32_t node);

/* The longest string that p[n] begins with: its value and length; -1 when there is none.
 *
 * [err: -1 | owns: nothing | thread: any | cost: O(length)] */
int32_t trie_longest(const trie *t, const char *p, size_t n, size_t *length);

#endif
/* SPDX-License-Identifier: MIT */
