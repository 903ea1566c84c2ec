/* token_def -- what a kind of tokenizer says of itself, and what the kinds share; nobody else includes it.
 *
 * A vocabulary is a list of byte strings with a hash table; merging is one algorithm (merge.c) over a
 * rule that says which pair of neighbours may become which token, and how soon. */
#ifndef MICROTOME_TOKEN_TOKEN_DEF_H
#define MICROTOME_TOKEN_TOKEN_DEF_H
#include "token/tokenizer.h"

typedef struct token_text {
    const char *p;
    uint32_t n;
    bool special, there;
    bool piece;   /* the model's: what words are cut into */
    bool written; /* the vocabulary writes its bytes as characters (pipeline.h) */
} token_text;

/* Bytes to an id; open addressing. */
typedef struct token_table {
    int32_t *slot; /* id + 1; 0: free */
    uint32_t size;
} token_table;

/* A pair of tokens that makes a third; lower `rank` first. */
typedef struct token_pair {
    int32_t left, right;
    uint32_t rank;
} token_pair;

typedef struct pair_table {
    token_pair *slot; /* left < 0: free */
    int32_t *made;    /* [n] by rank: apart, as few pairs that are looked for are merged */
    uint32_t size;
    int64_t n;
} pair_table;

/* Tokens being written; {0} is empty, spans_release frees. */
typedef struct span_list {
    token_span *p;
    int64_t n, cap;
} span_list;

/* Room for `more` tokens behind those there are; append one; free.
 *
 * [err: false when out of memory | owns: list | thread: list's own | cost: amortised O(1)] */
bool spans_room(span_list *list, int64_t more);
bool spans_add(span_list *list, token_span s);
void spans_release(span_list *list);

struct token_vocab; /* vocab.h */

/* token/NAME.c defines `const token_def token_NAME_def`; the registry is generated from the folder. */
typedef struct token_def {
    const char *name; /* what tokenizer_kind() says */
    const char *
        ends[4]; /* how its files' names end; NULL ends the list; none: made by the program alone */
    const char *in_dir
        [4]; /* what they are called in a model's directory ('*' may stand in the name), best first */
    int rank; /* of several kinds that are there, the lowest is taken */
    /* Fill t, whose bos is -1, from a file. */
    status (*read)(tokenizer *t, const char *path, error *err);
    /* What it is as a vocabulary (vocab.h), in mem; NULL: its files are Hugging Face's already. */
    status (*vocab)(const tokenizer *t, arena *mem, struct token_vocab *out, error *err);
    void (*release)(tokenizer *t); /* what is not in t->mem; NULL: nothing */
    /* Append to out; mem is for what the call needs itself. */
    status (*encode)(const tokenizer *t, arena *mem, const char *text, size_t n, span_list *out,
                     error *err);
    /* repair: bytes that are no UTF-8 become U+FFFD afterwards; a kind that does so in its own way does it itself. */
    void (*decode)(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s);
} token_def;

/* Every kind, NULL-terminated (generated).
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
extern const token_def *const token_all[];

struct tokenizer {
    arena mem;
    const token_def *def;
    token_text *text;    /* [n] by id: what it stands for */
    token_table by_text; /* of token_text; the lower id where two are the same */
    int32_t n, bos;
    const int32_t *prefix,
        *suffix; /* ids around the text, when BOS is added as the tokenizer does */
    int32_t n_prefix, n_suffix;
    bool pairs;            /* two texts stand as BERT has them: tokenizer_pairs */
    const char *kind;      /* what it is; NULL: def->name */
    const char *beside[3]; /* more files that were read, to be hashed too */
    int n_beside;
    char hash[64];
    void *own; /* the kind's: rules, tables, switches */
};

/* Tables over texts: room for n; add (the first of equals stands, and the first piece); find, or find among pieces.  Over
 * pairs: room for ranks below n (MOST_PAIRS at most), add one (false: no such rank), find.
 *
 * [err: false when out of memory; -1; NULL | owns: mem | thread: mem's own | cost: O(1)] */
enum { MOST_PAIRS = 1 << 28 };
bool table_init(token_table *t, arena *mem, int32_t n);
void table_add(token_table *t, const token_text *text, int32_t id);
int32_t table_find(const token_table *t, const token_text *text, const char *p, size_t n);
int32_t table_find_piece(const token_table *t, const token_text *text, const char *p, size_t n);
bool pairs_init(pair_table *t, arena *mem, int64_t n);
bool pairs_add(pair_table *t, token_pair p, int32_t made);
const token_pair *pairs_find(const pair_table *t, int32_t left, int32_t right);

/* Merge n tokens in place, best pair first, leftmost of equals, until none is left; how many remain.
 * `rule` says what a pair makes, and how soon, or returns false.  Spans are joined.
 *
 * [err: -1 when out of memory | owns: nothing | thread: mem's own | cost: O(n log n)] */
typedef bool merge_rule(const void *user, const token_span *left, const token_span *right,
                        int32_t *made, double *order);
int64_t tokens_merge(const void *user, arena *mem, token_span *s, int64_t n, merge_rule *rule);

#endif
/* SPDX-License-Identifier: MIT */
