/* wordpiece -- the longest piece first, from the left; pieces inside a word are written with a prefix (BERT).
 *
 * A word of which any part is not there, or that is too long, is the unknown token as a whole. */
#include "token/pipeline.h"
#include <string.h>

typedef struct wordpiece {
    trie first, later; /* pieces that begin a word; those written with the prefix, without it */
    int64_t longest;   /* characters of a word */
} wordpiece;

static int64_t characters(const piece *w)
{
    int64_t n = 0;
    for (size_t i = 0; i < w->n; i++) n += ((unsigned char)w->p[i] & 0xc0) != 0x80;
    return n;
}

static status put_unknown(encoder *e, const piece *w, error *err)
{
    int32_t unk = pipe_of(e->t)->unk;
    if (unk < 0) return error_set(err, E_FORMAT, "the tokenizer has no unknown token");
    return encoder_put(e, w, unk, 0, w->n, err);
}

static status word(encoder *e, const piece *w, error *err)
{
    const wordpiece *m = pipe_of(e->t)->own;
    int64_t begin = e->out->n;
    status st = E_OK;
    if (characters(w) > m->longest) return put_unknown(e, w, err);
    for (size_t i = 0, len = 0; i < w->n && st == E_OK; i += len) {
        int32_t id = trie_longest(i ? &m->later : &m->first, w->p + i, w->n - i, &len);
        if (id < 0) {
            e->out->n = begin;
            return put_unknown(e, w, err);
        }
        st = encoder_put(e, w, id, i, i + len, err);
    }
    return st;
}

const model_def model_wordpiece = { "WordPiece", word };

status wordpiece_new(tokenizer *t, const char *prefix, int64_t longest, const char *path,
                     error *err)
{
    pipeline *own = pipe_of(t);
    wordpiece *m = arena_zero(&t->mem, sizeof *m);
    size_t n = strlen(prefix);
    if (!m || !trie_init(&m->first, &t->mem) || !trie_init(&m->later, &t->mem))
        return no_memory(err, path);
    own->model = &model_wordpiece, own->own = m, m->longest = longest, t->kind = "WordPiece";
    for (int32_t i = 0; i < t->n; i++) {
        const token_text *x = &own->symbol[i];
        if (!x->there || !x->n || table_find(&own->by_symbol, own->symbol, x->p, x->n) != i)
            continue;
        bool inner = x->n > n && !memcmp(x->p, prefix, n);
        if (!trie_add(&m->first, x->p, x->n, i) ||
            (inner && !trie_add(&m->later, x->p + n, x->n - n, i)))
            return no_memory(err, path);
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
