/* bytelevel -- what the two halves of byte-level BPE share; nobody else includes it.  Read bytelevel.c first. */
#ifndef MICROTOME_TOKEN_BYTELEVEL_H
#define MICROTOME_TOKEN_BYTELEVEL_H
#include "token/token_def.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MAX_SPLITS = 8 };

/* An added token.  late ("normalized"): looked for where those that are not late have cut the text. */
typedef struct added_token {
    int32_t id;
    bool late;
} added_token;

typedef struct bytelevel {
    token_text *symbol; /* [n] tokens as the vocabulary writes them */
    token_table by_symbol;
    pair_table pair;
    pcre2_code *split[MAX_SPLITS]; /* regular expressions that cut words, in turn */
    const added_token *special;    /* looked for in the text, longest first */
    int32_t n_split, n_special, unk;
    int32_t byte_id[256]; /* the token of each byte, or -1 */
    bool bytes;           /* a ByteLevel step was read */
    bool add_prefix_space, ignore_merges, trim_offsets, trim_keeps_first;
} bytelevel;

static inline bytelevel *bpe(const tokenizer *t) { return t->own; }

/* A tokenizer.json, or a vocabulary with its merges beside it, into t.
 *
 * [err: as tokenizer_open | owns: t | thread: t's own | cost: the file] */
status bytelevel_read(tokenizer *t, const char *path, error *err);

#endif
/* SPDX-License-Identifier: MIT */
