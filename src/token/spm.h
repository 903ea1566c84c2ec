/* spm -- SentencePiece's way: its normalizer, and a pipeline from a vocabulary with scores.  Inside token only. */
#ifndef MICROTOME_TOKEN_SPM_H
#define MICROTOME_TOKEN_SPM_H
#include "token/pipeline.h"
#include "token/vocab.h"

/* Put the pipeline of v (model "llama" or "unigram") into t.
 *
 * [err: as tokenizer_from_vocab | owns: t; v is copied | thread: t's own | cost: O(bytes)] */
status spm_build(tokenizer *t, const token_vocab *v, const char *path, error *err);

/* A charsmap as the files hold it: a double-array trie of u32, and the texts that its values point into.
 *
 *     bytes of the trie: u32 | units: u32 ... | texts, each ended by NUL
 *
 * [err: FORMAT, NOMEM | owns: mem; bytes are copied | thread: mem's own | cost: O(bytes)] */
typedef struct charsmap {
    const uint32_t *unit;
    size_t n_unit;
    const char *text; /* ends with NUL */
    size_t n_text;
} charsmap;
status charsmap_read(charsmap *out, arena *mem, const char *p, size_t n, const char *path,
                     error *err);

/* The longest rule that p[n] begins with: what it makes (NUL-ended), and how many bytes it reads; NULL: none.
 *
 * [err: NULL | owns: borrowed | thread: any | cost: O(length)] */
const char *charsmap_find(const charsmap *m, const char *p, size_t n, size_t *length);

#endif
/* SPDX-License-Identifier: MIT */
