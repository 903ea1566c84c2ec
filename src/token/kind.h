/* kind -- what the kinds of tokenizers share; nobody else includes it.
 *
 * A vocabulary is a list of byte strings with a hash table; merging is one algorithm (merge.c) over a
 * rule that says which pair of neighbours may become which token, and how soon. */
#ifndef MICROTOME_TOKEN_KIND_H
#define MICROTOME_TOKEN_KIND_H
#include "token/tokenizer.h"

typedef struct token_text {
    const char *p;
    size_t n;
    bool special, there;
} token_text;

/* Bytes to an id; open addressing. */
typedef struct token_table {
    int32_t *slot; /* id + 1; 0: free */
    size_t size;   /* a power of two */
} token_table;

/* A pair of tokens that makes a third; lower `order` first. */
typedef struct token_pair {
    int32_t left, right, made;
    double order;
} token_pair;

typedef struct pair_table {
    token_pair *slot; /* left < 0: free */
    size_t size;
} pair_table;

typedef struct token_kind {
    const char *name;
    status (*encode)(const tokenizer *t, arena *mem, const char *text, size_t n, token_span *out,
                     int64_t *n_out, error *err);
    void (*decode)(const tokenizer *t, const int32_t *id, int64_t n, str *s);
} token_kind;

struct tokenizer {
    arena mem;
    const token_kind *kind;
    token_text *text;    /* [n] by id: what it stands for */
    token_table by_text; /* of token_text; the lower id where two are the same */
    int32_t n, bos;
    bool adds_bos;
    const int32_t *suffix; /* ids after the text, when BOS is added as the tokenizer does (EOS) */
    int32_t n_suffix;
    char hash[64];
    /* byte-level BPE: */
    token_text *symbol; /* [n] tokens as the vocabulary writes them */
    token_table by_symbol;
    pair_table pair;
    struct splitter *split; /* regular expressions that cut words, in turn */
    int32_t n_split;
    const int32_t *special; /* ids looked for in the text, longest first */
    int32_t n_special, unk;
    int32_t byte_id[256]; /* the token of each byte, or -1 */
    bool add_prefix_space, ignore_merges, trim_offsets, trim_keeps_first;
    /* llama2.c: */
    const float *score;
};

/* Tables over texts: room for n, add, find.
 *
 * [err: false when out of memory; -1 | owns: mem | thread: mem's own | cost: O(1)] */
bool table_init(token_table *t, arena *mem, int32_t n);
void table_add(token_table *t, const token_text *text, int32_t id);
int32_t table_find(const token_table *t, const token_text *text, const char *p, size_t n);
bool pairs_init(pair_table *t, arena *mem, int64_t n);
void pairs_add(pair_table *t, token_pair p);
const token_pair *pairs_find(const pair_table *t, int32_t left, int32_t right);

/* Merge n tokens in place, best pair first, leftmost of equals, until none is left; how many remain.
 * `rule` says what a pair makes, or returns false.  Spans are joined.
 *
 * [err: -1 when out of memory | owns: nothing | thread: mem's own | cost: O(n log n)] */
typedef bool merge_rule(const tokenizer *t, int32_t left, int32_t right, int32_t *made,
                        double *order);
int64_t tokens_merge(const tokenizer *t, arena *mem, token_span *s, int64_t n, merge_rule *rule);

/* Read one kind of file.
 *
 * [err: as tokenizer_open | owns: t | thread: t's own | cost: the file] */
status bytelevel_read(tokenizer *t, const char *path, error *err);
status bytelevel_read_pair(tokenizer *t, const char *vocab, const char *merges, error *err);
void bytelevel_release(tokenizer *t);
status llama2c_tokens_read(tokenizer *t, const char *path, error *err);

#endif
/* SPDX-License-Identifier: MIT */
