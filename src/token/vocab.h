/* vocab -- a vocabulary as SentencePiece's .model and GGUF files hold it, and the pipelines made of one.
 *
 * A GGUF reader fills a token_vocab from its metadata; keys stand beside the fields. */
#ifndef MICROTOME_TOKEN_VOCAB_H
#define MICROTOME_TOKEN_VOCAB_H
#include "base/json.h"
#include "token/tokenizer.h"

/* Types of tokens, numbered as both formats do. */
enum {
    VOCAB_NORMAL = 1,
    VOCAB_UNKNOWN,
    VOCAB_CONTROL,
    VOCAB_USER, /* the user's own symbols: found in the text before all else */
    VOCAB_UNUSED,
    VOCAB_BYTE
};

typedef struct vocab_text {
    const char *p;
    size_t n;
} vocab_text;

typedef enum vocab_flag { VOCAB_UNSAID, VOCAB_NO, VOCAB_YES } vocab_flag;

/* Borrowed for the call that builds.  Ids are indices; -1: there is none.  Strings may be NULL when not said. */
typedef struct token_vocab {
    const char
        *model; /* tokenizer.ggml.model: "llama" (SentencePiece BPE), "gpt2"; "unigram" (.model) */
    const char *pre; /* tokenizer.ggml.pre: how "gpt2" cuts words */
    int64_t n;
    const vocab_text *text; /* tokenizer.ggml.tokens */
    const float *score;     /* tokenizer.ggml.scores, or NULL */
    const int32_t *type;    /* tokenizer.ggml.token_type, or NULL: all normal */
    int64_t n_merges;
    const vocab_text *merge;     /* tokenizer.ggml.merges: "a b" */
    int64_t bos, eos, unk;       /* tokenizer.ggml.bos_token_id, eos_token_id, unknown_token_id */
    vocab_flag add_bos, add_eos; /* tokenizer.ggml.add_bos_token, add_eos_token */
    vocab_flag space_prefix;     /* tokenizer.ggml.add_space_prefix */
    vocab_flag squeeze;          /* tokenizer.ggml.remove_extra_whitespaces */
    bool fallback;               /* unknown characters become bytes */
    bool padded;                 /* unused tokens fill the model's table up: no text has them */
    bool prefix_once;            /* the space before a text is not put after special tokens, too */
    vocab_text charsmap; /* tokenizer.ggml.precompiled_charsmap: SentencePiece's normalization */
} token_vocab;

/* A tokenizer of it.  `name` is for messages and, with the vocabulary, for the hash.
 *
 * [err: UNSUPPORTED (another model, a pre that is not known), FORMAT, LIMIT, NOMEM | owns: the caller, tokenizer_free; v is copied | thread: any | cost: O(bytes)] */
status tokenizer_from_vocab(tokenizer **out, const token_vocab *v, const char *name, error *err);

/* v as a tokenizer.json and a tokenizer_config.json that transformers loads; chat: a template for the second, or NULL.
 *
 * [err: UNSUPPORTED (what a tokenizer.json cannot say), FORMAT, NOMEM | owns: the caller, json_decref | thread: any | cost: O(bytes)] */
status vocab_say(json_t **out, json_t **config, const token_vocab *v, const char *chat,
                 const char *name, error *err);

/* How "gpt2" cuts texts into words: its pre-tokenizer as a tokenizer.json has it, and more.  Is BOS added?
 *
 * [err: UNSUPPORTED (a pre that is not known), NOMEM | owns: the caller, json_decref(pre) | thread: any | cost: O(1)] */
typedef struct vocab_cut {
    json_t *pre;
    bool nfc, whole; /* whole: a word that is a token is one, whatever merges say */
} vocab_cut;
status vocab_cuts(const token_vocab *v, vocab_cut *out, const char *name, error *err);
bool vocab_adds_bos(const token_vocab *v);

#endif
/* SPDX-License-Identifier: MIT */
