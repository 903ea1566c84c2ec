/* tokenizer -- text to token ids and back.
 *
 * Read are Hugging Face's tokenizer.json, vocab.json and merges.txt, SentencePiece's .model, tiktoken's rank
 * files and llama2.c's file; vocab.h makes one of what a GGUF file holds, and models made by the program have
 * whole words.  Ids and offsets are those of the original implementations, exactly.  What a file
 * asks for and is not built is refused by name.
 *
 * A tokenizer never changes after it is opened; any number of threads may use it. */
#ifndef MICROTOME_TOKEN_TOKENIZER_H
#define MICROTOME_TOKEN_TOKENIZER_H
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "format/format.h"

typedef struct tokenizer tokenizer;

/* A token and the bytes [first, end) of the text it covers, whole characters (tokens that share one
 * character cover it both).  A token that stands for nothing in the text has first == end. */
typedef struct token_span {
    int32_t id;
    size_t first, end;
} token_span;

/* Begin with BOS: as the tokenizer does by itself; always; never. */
typedef enum token_bos { TOKEN_BOS_AUTO, TOKEN_BOS_YES, TOKEN_BOS_NO } token_bos;

/* Open a tokenizer.json, a vocab.json (merges.txt beside it; or encoder.json and vocab.bpe, as OpenAI called
 * them), a SentencePiece .model, a rank file NAME.tiktoken, a llama2.c tokenizer .bin, or a directory that has one: there
 * tokenizer.json goes before tokenizer.model, vocab.json and tok*.bin.  A directory with none is fine: *out is NULL then.
 *
 * [err: IO, FORMAT, UNSUPPORTED (a setting that changes the ids), LIMIT, NOMEM | owns: the caller, tokenizer_free | thread: any | cost: the file] */
status tokenizer_open(tokenizer **out, const char *path, error *err);

/* The tokenizer that a file of tensors carries (GGUF's tokenizer.ggml.* keys); *out is NULL when it carries none.
 *
 * [err: UNSUPPORTED (of another kind), FORMAT, LIMIT, NOMEM | owns: the caller, tokenizer_free | thread: any | cost: O(bytes)] */
status tokenizer_from_container(tokenizer **out, const container *c, const char *name, error *err);

/* The tokenizer that c carries (NULL: none), else t's, as a tokenizer.json and a tokenizer_config.json that transformers
 * loads, the chat template of c in the second.  *out and *config are NULL where t came from such files, which are there already.
 *
 * [err: UNSUPPORTED (what a tokenizer.json cannot say), FORMAT, NOMEM | owns: the caller, json_decref | thread: any | cost: O(bytes)] */
status tokenizer_say(json_t **out, json_t **config, const tokenizer *t, const container *c,
                     const char *name, error *err);

/* A vocabulary of n whole words: id i is word[i]; words are separated by spaces, and only by them.  bos: the
 * id that begins every text, or -1.
 *
 * [err: NOMEM | owns: the caller, tokenizer_free; words are copied | thread: any | cost: O(n)] */
status tokenizer_words(tokenizer **out, const char *const *word, int32_t n, int32_t bos,
                       error *err);
void tokenizer_free(tokenizer *t);

/* Are two texts one prompt as BERT has it: BEFORE a AFTER b AFTER, the second and what is behind it of type 1 (segment B)?
 * *n_before: how many tokens BEFORE is.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
bool tokenizer_pairs(const tokenizer *t, int32_t *n_before);

/* "byte-level BPE", "Unigram", "words" ...; one more than the largest id; the id of BOS, or -1; is it added
 * without being asked for; a hash of what defines the tokenizer ("xxh3-128:...").
 *
 * [err: none | owns: borrowed | thread: any | cost: O(1)] */
const char *tokenizer_kind(const tokenizer *t);
int32_t tokenizer_count(const tokenizer *t);
int32_t tokenizer_bos(const tokenizer *t);
bool tokenizer_adds_bos(const tokenizer *t);
const char *tokenizer_hash(const tokenizer *t);

/* Text to tokens.  Special tokens written out in the text are recognised.
 *
 * [err: FORMAT (not UTF-8; a word that is not in the vocabulary, with the nearest), USAGE (BOS asked for and there is none), NOMEM | owns: *out lives in mem | thread: mem's own | cost: O(n log n)] */
status tokenizer_encode(const tokenizer *t, arena *mem, const char *text, size_t n, token_bos bos,
                        token_span **out, int64_t *n_out, error *err);

/* The bytes an id stands for (perhaps part of a character; a special token's name), and how many; NULL for an
 * id that is not there.  Is the token special (BOS and its kind)?
 *
 * [err: NULL | owns: borrowed | thread: any | cost: O(1)] */
const char *tokenizer_text(const tokenizer *t, int32_t id, size_t *n);
bool tokenizer_is_special(const tokenizer *t, int32_t id);

/* Ids to text: the bytes as they are, or with what is not UTF-8 replaced by U+FFFD as the original does.
 * Ids that are not there are left out.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(bytes)] */
void tokenizer_decode(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s);

/* The id that stands for exactly these bytes; -1 when there is none.
 *
 * [err: -1 | owns: nothing | thread: any | cost: one lookup] */
int32_t tokenizer_find(const tokenizer *t, const char *bytes, size_t n);

/* Compare with stored vectors: a file of JSON lines {"text", "add_special_tokens", "ids", "offsets" (in
 * characters), "decoded"}; ids, offsets and decoded may be missing.  tell is called for each that differs.
 *
 * [err: IO, FORMAT, NOMEM; that vectors differ is no error | owns: nothing | thread: any | cost: the file] */
typedef void tokenizer_tell(void *user, int64_t line, const char *what);
status tokenizer_check(const tokenizer *t, const char *path, tokenizer_tell *tell, void *user,
                       int64_t *n_right, int64_t *n_wrong, error *err);

#endif
/* SPDX-License-Identifier: MIT */
