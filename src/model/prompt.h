/* prompt -- token ids with the text they came from, checked against a model.
 *
 * A prompt is made from text (with the model's tokenizer) or from ids; a model without a tokenizer
 * takes ids only.  What a prompt holds can be run: it is not empty, fits n_ctx, and every id is one
 * of the model's. */
#ifndef MICROTOME_MODEL_PROMPT_H
#define MICROTOME_MODEL_PROMPT_H
#include "graph/session.h"
#include "model/model.h"

/* A run of bytes, not NUL-terminated. */
typedef struct piece {
    const char *p;
    size_t n;
} piece;

typedef enum bos_policy { BOS_AUTO, BOS_YES, BOS_NO } bos_policy; /* AUTO: as the tokenizer does */

typedef struct prompt {
    int32_t n;
    const int32_t *id;   /* [n] */
    const double *value; /* [n] the same as numbers: what lane_give takes for model.token */
    const double *type;  /* [n] token types; NULL: all 0 */
    const char *text;    /* as given; NULL when ids were given */
    size_t text_bytes;
    const int32_t *first,
        *end;           /* [n] bytes of text each token covers (equal: none); NULL without text */
    const piece *piece; /* [n] each token's text; NULL without a tokenizer */
    bool has_bos;       /* id[0] was put there by the tokenizer */
    arena mem;
} prompt;

/* From UTF-8 text.
 *
 * [err: USAGE (empty; no tokenizer; BOS_YES and there is none), FORMAT (not UTF-8), LIMIT (longer than n_ctx), NOMEM | owns: the caller, prompt_free | thread: any | cost: O(bytes)] */
status prompt_from_text(prompt **out, const model *m, const char *text, size_t n, bos_policy bos,
                        error *err);

/* From ids, as they are: no BOS is added.
 *
 * [err: USAGE (empty), RANGE (an id the model does not have), LIMIT, NOMEM | owns: the caller, prompt_free | thread: any | cost: O(n)] */
status prompt_from_ids(prompt **out, const model *m, const int64_t *id, int64_t n, error *err);
void prompt_free(prompt *p);

/* Its token types (BERT's segments), n of them; without, all are 0.
 *
 * [err: UNSUPPORTED (the model has none), SHAPE (not one a token), RANGE (a type the model does not have), NOMEM | owns: p | thread: p's own | cost: O(n)] */
status prompt_types(prompt *p, const model *m, const int64_t *type, int64_t n, error *err);

/* What --tokens takes: "1,2,3", "[1,2,3]", "[[1,2],[3]]", or the path of a JSON file that holds one of
 * the latter two.  *out is an array of *n prompts in mem; prompt_free each.
 *
 * [err: as prompt_from_ids, and FORMAT, IO | owns: the caller | thread: mem's own | cost: O(ids)] */
status prompt_list(prompt ***out, int *n, arena *mem, const model *m, const char *text, error *err);

/* What --token-types takes, in the same forms: the types of n prompts' tokens.
 *
 * [err: as prompt_types, and FORMAT, IO, USAGE (of another number of prompts) | owns: the prompts | thread: mem's own | cost: O(ids)] */
status prompt_list_types(prompt *const *p, int n, arena *mem, const model *m, const char *text,
                         error *err);

/* Two texts as BERT reads them: [CLS] a [SEP] b [SEP], the second with its [SEP] of type 1.  `text` of the prompt is NULL.
 *
 * [err: UNSUPPORTED (no token types; a tokenizer with another template), FORMAT, LIMIT, NOMEM | owns: the caller, prompt_free | thread: any | cost: O(bytes)] */
status prompt_from_pair(prompt **out, const model *m, const char *const text[2], error *err);

/* Give lane l the prompt's ids as inputs, or n ids as numbers, as many as l has rows.  Of a model with token types
 * they are `type`, as many; NULL: all 0, as the original has it where none are given.
 *
 * [err: as lane_give; RANGE (a type the model does not have) | owns: nothing | thread: the session's | cost: O(n)] */
status prompt_give(const prompt *p, const model *m, lane *l, error *err);
status ids_give(const double *id, const double *type, const model *m, lane *l, error *err);

/* The label of a token for people: its text with control characters escaped, or "#17" without a
 * tokenizer.  token_label is for an id on its own (a row of a next-token table).
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(bytes)] */
void prompt_label(const prompt *p, int32_t pos, char *out, size_t bytes);
void token_label(const model *m, int32_t id, char *out, size_t bytes);

/* The id of the one token with exactly this text ("\" Mary\"" without the quotes), else of the one token this text is
 * cut into, or of "#17".
 *
 * [err: RANGE (several tokens, none, or no such id), USAGE (no tokenizer) | owns: nothing | thread: any | cost: O(bytes)] */
status token_find(const model *m, const char *text, size_t n, int32_t *out, error *err);

#endif
/* SPDX-License-Identifier: MIT */
