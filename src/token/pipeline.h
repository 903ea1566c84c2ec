/* pipeline -- the way of a text through a tokenizer, as Hugging Face's tokenizers lay it out:
 *
 *     text | added tokens | normalizers | added tokens again | pre-tokenizers | model, word by word | post-processor
 *     ids  | decoders | text
 *
 * Every file format but llama2.c's and whole words becomes one of these.  A step is a table entry in the file of its
 * kind (normalize.c, pretokenize.c, decode.c), a model a file (bpe.c, wordpiece.c, unigram.c, wordlevel.c). */
#ifndef MICROTOME_TOKEN_PIPELINE_H
#define MICROTOME_TOKEN_PIPELINE_H
#include "base/json.h"
#include "token/aligned.h"
#include "token/pattern.h"
#include "token/token_def.h"
#include "token/trie.h"

enum { MAX_STEPS = 24, MAX_FILE = 256 << 20, MAX_TOKENS = 1 << 24 };

/* ---- what a pipeline is made of ---- */

typedef struct encoder encoder;
typedef struct step step;

/* A pre-tokenizer at work: what it makes of a piece goes to the step after it. */
typedef status pre_run(const step *s, encoder *e, int level, const piece *p, error *err);

/* A normalizer at work: reads a piece, writes what becomes of it. */
typedef status normal_run(const step *s, encoder *e, const piece *in, aligned *out, error *err);

/* One step of a kind: its parameters. */
struct step {
    const void *def; /* of decoders */
    pre_run *run;    /* of pre-tokenizers */
    normal_run *normalize;
    bool not_ascii; /* a normalizer that changes no ASCII text */
    const void *own;
    const char *text, *other; /* a content, a prefix */
    size_t n, n_other;
    pattern *pattern; /* freed with the pipeline */
    int how;          /* what is done at a match, where a space is put: by kind */
    bool flag[4];
};

typedef struct step_list {
    step at[MAX_STEPS];
    int n;
} step_list;

/* An added token: recognised in the text itself. */
typedef struct added_token {
    int32_t id;
    bool single_word, lstrip, rstrip;
    const char *p; /* as it is looked for */
    size_t n;
} added_token;

typedef struct added_set {
    added_token *list;
    int32_t n, room;
    trie trie;       /* to indices of list */
    bool first[256]; /* bytes some of them begin with */
} added_set;

/* A text on its way to decoders. */
typedef struct word_text {
    const char *p;
    size_t n;
    bool bytes; /* not as the vocabulary writes it, but the bytes it writes */
} word_text;

/* What cuts a word into tokens: token/NAME.c defines `const model_def model_NAME`. */
typedef struct model_def {
    const char *kind; /* what tokenizer_kind() says */
    status (*word)(encoder *e, const piece *w, error *err);
} model_def;

extern const model_def model_bpe, model_wordpiece, model_unigram, model_wordlevel;

/* Texts of tokens end to end, a zero behind each: a vocabulary has too many for an arena's alignment. */
typedef struct text_room {
    arena *mem;
    char *p;
    size_t left;
} text_room;

/* What decoders see in place of an added token's symbol: what normalizing makes of it. */
typedef struct shown_token {
    int32_t id;
    word_text text;
} shown_token;

/* Where symbols write bytes as characters they are known by their bytes alone once all is built, and the arena `symbols`
 * is let go; else they stay. */
typedef struct pipeline {
    arena symbols; /* symbol, its texts, by_symbol */
    text_room symbol_room, room;
    token_text *symbol;       /* [n] by id: as the vocabulary writes it; NULL: gone */
    token_table by_symbol;    /* the model's, without tokens that were only added */
    const shown_token *shown; /* [n_shown] by id */
    int32_t n_shown;
    const token_text
        *piece;            /* what the model compares with: symbol, or the bytes behind it (text) */
    token_table by_piece;  /* find with table_find_piece */
    added_set early, late; /* looked for before and after normalizing */
    step_list normal, pre, decode;
    bool bytes;                          /* symbols write bytes as characters (ByteLevel) */
    bool no_decoder;                     /* tokens are joined by spaces */
    bool trim_offsets, trim_keeps_first; /* the ByteLevel post-processor's */
    const model_def *model;
    void *own;   /* the model's */
    int32_t unk; /* the model's, or -1 */
} pipeline;

static inline pipeline *pipe_of(const tokenizer *t) { return t->own; }

/* ---- building one ---- */

/* An empty pipeline for ids 0 to n - 1 into t; a token's text under its id (model: it is the model's, not only added);
 * then, when all are there: the tables, and the bytes behind the symbols.
 *
 * [err: FORMAT (an id twice or out of range), LIMIT, NOMEM | owns: t; text is copied | thread: t's own | cost: O(bytes)] */
status pipeline_begin(tokenizer *t, int64_t n, const char *path, error *err);
status pipeline_token(tokenizer *t, int64_t id, const char *p, size_t n, bool model,
                      const char *path, error *err);
status pipeline_index(tokenizer *t, bool bytes, const char *path, error *err);

/* What each id stands for (tokenizer_text), once decoders and the model are known; the last step: symbols may be gone.
 *
 * [err: NOMEM | owns: t | thread: t's own | cost: O(bytes)] */
status pipeline_texts(tokenizer *t, const char *path, error *err);

/* A step more; NULL when there are too many (err says so).
 *
 * [err: NULL | owns: the list | thread: t's own | cost: O(1)] */
step *step_new(step_list *list, const char *path, error *err);

/* Steps from JSON; an absent or null value is none.  What is not known is refused by its name.
 *
 * [err: UNSUPPORTED, FORMAT, NOMEM | owns: t | thread: t's own | cost: O(size)] */
status normalize_read(tokenizer *t, const json_t *v, const char *path, error *err);
status pretokenize_read(tokenizer *t, const json_t *v, const char *path, error *err);
status decode_read(tokenizer *t, const json_t *v, const char *path, error *err);
status post_read(tokenizer *t, const json_t *v, const char *path, error *err);
status added_read(tokenizer *t, const json_t *v, const char *path, error *err);

/* One more added token (its text is the id's symbol), looked for before normalizing, or after (late).
 * added_index when all are there.
 *
 * [err: NOMEM; what normalizing it gives | owns: t | thread: t's own | cost: O(bytes)] */
status added_put(tokenizer *t, added_token a, bool late, const char *path, error *err);
status added_index(tokenizer *t, const char *path, error *err);

typedef struct bpe_options {
    int64_t n_merges;
    const float *score; /* [n]: pairs merge by the score of what they make; merges are none then */
    bool fallback;      /* characters that are not there become <0x..> */
    bool fuse_unk, ignore_merges;
    const char *suffix; /* of a word's last character, or NULL */
    const char *user;   /* [n], with scores: true for the user's own symbols; or NULL */
} bpe_options;

typedef struct unigram_options {
    const double *score; /* [n] */
    const char *user;    /* [n]: true for the user's own symbols, which always win; or NULL */
    bool single;         /* sums in float32, as SentencePiece; else as Hugging Face's tokenizers */
    bool fallback;
} unigram_options;

/* Models: BPE over merges by rank (pairs filled by bpe_merge) or by scores; the others.  Vocabulary first.
 *
 * [err: FORMAT, UNSUPPORTED, NOMEM | owns: t | thread: t's own | cost: O(size)] */
status bpe_new(tokenizer *t, const bpe_options *o, const char *path, error *err);
status bpe_merge(tokenizer *t, const char *a, size_t n, const char *b, size_t m, int64_t rank,
                 const char *path, error *err);
status bpe_finish(tokenizer *t, const char *path, error *err);
status wordpiece_new(tokenizer *t, const char *prefix, int64_t longest, const char *path,
                     error *err);
status wordlevel_new(tokenizer *t, const char *path, error *err);
status unigram_new(tokenizer *t, const unigram_options *o, const char *path, error *err);

/* A refusal: "PATH: WHAT is not supported".
 *
 * [err: UNSUPPORTED | owns: nothing | thread: any | cost: O(1)] */
status refuse(error *err, const char *path, const char *what);
status refuse_type(error *err, const char *path, const char *kind, const json_t *v);
status no_memory(error *err, const char *path);

/* v["type"], "" when there is none.
 *
 * [err: none | owns: borrowed | thread: any | cost: one lookup] */
const char *type_of(const json_t *v);

/* A byte as byte-level vocabularies write it, and back (-1).
 *
 * [err: -1 | owns: nothing | thread: any | cost: O(1)] */
uint32_t byte_char(int byte);
int char_byte(uint32_t c);

/* "<0x0A>" is 10; -1 for anything else.
 *
 * [err: -1 | owns: nothing | thread: any | cost: O(1)] */
int byte_token(const char *p, size_t n);

/* ---- running one ---- */

typedef struct word_cache word_cache;

struct encoder {
    const tokenizer *t;
    arena *mem;
    arena
        scratch; /* the model's, reset after each word: rewinding would free a chunk again and again */
    span_list *out;
    int64_t begin;    /* where in it the text's tokens begin */
    const char *text; /* the user's */
    size_t n_text;
    aligned normal[2], pre[MAX_STEPS];
    pattern_room room;
    word_cache *cache;
};

/* A token over bytes [first, end) of a piece.
 *
 * [err: NOMEM | owns: e | thread: e's own | cost: O(1)] */
status encoder_put(encoder *e, const piece *w, int32_t id, size_t first, size_t end, error *err);

/* An added token that was read as p[n] (perhaps with spaces around it).
 *
 * [err: NOMEM | owns: e | thread: e's own | cost: O(n)] */
status encoder_put_added(encoder *e, const piece *w, int32_t id, size_t first, size_t end,
                         error *err);

/* The stations: normalize (*out is in, or lies in e), cut at added tokens, pre-tokenize from a step on.
 *
 * [err: LIMIT, NOMEM, FORMAT | owns: e | thread: e's own | cost: O(n)] */
status normalize_run(encoder *e, const piece *in, piece *out, error *err);
status pretokenize_run(encoder *e, int level, const piece *p, error *err);
typedef status stretch_fn(encoder *e, const piece *p, error *err);
status added_run(encoder *e, const added_set *set, const piece *p, stretch_fn *between, error *err);

/* Forget and free the words seen.
 *
 * [err: none | owns: nothing | thread: e's own | cost: free] */
void word_cache_free(word_cache *c);

/* A token as decoders see it, or, where it may be, the bytes that it writes; in mem, or as long as t; p NULL: there is none.
 *
 * [err: mem->failed | owns: mem or t | thread: any | cost: O(bytes)] */
word_text pipeline_shown(const tokenizer *t, int32_t id, bool bytes, arena *mem);

/* All decoders over tokens; repair: bytes that are no UTF-8 where a decoder replaces them itself.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(bytes)] */
void decode_run(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s);

/* token_def's functions, for every format that makes a pipeline.
 *
 * [err: as token_def's | owns: as there | thread: any | cost: O(n log n)] */
status pipeline_encode(const tokenizer *t, arena *mem, const char *text, size_t n, span_list *out,
                       error *err);
void pipeline_decode(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s);
void pipeline_release(tokenizer *t);

/* The usual BOS, when no template named one: <|endoftext|> and its kin, where they are special.
 *
 * [err: none | owns: nothing | thread: t's own | cost: O(names)] */
void pipeline_find_bos(tokenizer *t);

#endif
/* SPDX-License-Identifier: MIT */
