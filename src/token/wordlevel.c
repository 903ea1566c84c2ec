/* wordlevel -- a word is a token, or the unknown one. */
#include "token/pipeline.h"

static status word(encoder *e, const piece *w, error *err)
{
    const pipeline *own = pipe_of(e->t);
    int32_t id = table_find_piece(&own->by_piece, own->piece, w->p, w->n);
    if (id < 0) id = own->unk;
    if (id >= 0) return encoder_put(e, w, id, 0, w->n, err);
    error_set(err, E_FORMAT, "the word '%.*s' is not in the vocabulary",
              (int)(w->n < 60 ? w->n : 60), w->p);
    error_hint(err, "the tokenizer has no unknown token to put in its place");
    return E_FORMAT;
}

const model_def model_wordlevel = { "WordLevel", word };

status wordlevel_new(tokenizer *t, const char *path, error *err)
{
    (void)path, (void)err;
    pipe_of(t)->model = &model_wordlevel, t->kind = "WordLevel";
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
