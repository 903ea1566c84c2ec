/* spm -- see spm.h.  SentencePiece normalizes a text and marks its spaces, then cuts all of it at once: a space is a
 * character like another (U+2581).
 *
 * Special tokens are found in the text first, as the tokenizers of the models do that use these files; offsets are
 * theirs as well: the mark that is put before a text belongs to its first character. */
#include "token/spm.h"
#include <string.h>

static const char MARK[] = "\xe2\x96\x81";
enum { MARK_BYTES = 3 };

/* ---- normalizing ---- */

typedef struct rules {
    charsmap map;
    trie users; /* symbols that stay as they are */
    bool prefix, prefix_once, squeeze;
} rules;

/* What is read at p[i], and what becomes of it; texts of rules end with NUL. */
static size_t next(const rules *r, const piece *p, size_t i, const char **to, size_t *n)
{
    size_t len;
    uint32_t c;
    *to = p->p + i;
    if (trie_longest(&r->users, p->p + i, p->n - i, &len) >= 0) return *n = len;
    const char *made = charsmap_find(&r->map, p->p + i, p->n - i, &len);
    if (!made) return *n = piece_char(p, i, &c);
    *to = made, *n = strlen(made);
    return len;
}

/* Spaces are written as marks; those at the start of a run after another space go, where runs are squeezed. */
static void put(aligned *out, const char *p, size_t n, source from, bool *after_space)
{
    while (*after_space && n && *p == ' ') p++, n--;
    if (!n) return;
    for (size_t i = 0; i < n; i++)
        aligned_put(out, p[i] == ' ' ? MARK : p + i, p[i] == ' ' ? MARK_BYTES : 1, from);
    *after_space = p[n - 1] == ' ';
}

/* The source of bytes [i, i + n) of a piece. */
static source source_of(const piece *p, size_t i, size_t n)
{
    return (source){ piece_source(p, i).first, piece_source(p, i + n - 1).end };
}

static status run(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    const rules *r = s->own;
    bool after_space = r->squeeze;
    size_t at = 0, len, n;
    const char *to;
    (void)e, (void)err;
    while (r->squeeze && at < in->n) { /* leading spaces */
        len = next(r, in, at, &to, &n);
        if (n != 1 || *to != ' ') break;
        at += len;
    }
    if (at == in->n) return E_OK;
    bool prefix = r->prefix && (!r->prefix_once || piece_source(in, 0).first == 0);
    if (prefix) aligned_put(out, MARK, MARK_BYTES, piece_source(in, at));
    for (; at < in->n; at += len) {
        len = next(r, in, at, &to, &n);
        put(out, to, n, source_of(in, at, len), &after_space);
        after_space &= r->squeeze;
    }
    while (r->squeeze && out->n >= MARK_BYTES &&
           !memcmp(out->p + out->n - MARK_BYTES, MARK, MARK_BYTES))
        out->n -= MARK_BYTES;
    return E_OK;
}

static status add_rules(tokenizer *t, const token_vocab *v, const char *user, const char *path,
                        error *err)
{
    rules *r = arena_zero(&t->mem, sizeof *r);
    step *s = step_new(&pipe_of(t)->normal, path, err);
    if (!r || !s || !trie_init(&r->users, &t->mem)) return no_memory(err, path);
    r->prefix = v->space_prefix != VOCAB_NO, r->prefix_once = v->prefix_once;
    r->squeeze = v->squeeze == VOCAB_YES;
    s->normalize = run, s->own = r;
    for (int32_t i = 0; user && i < t->n; i++) {
        const token_text *x = &pipe_of(t)->symbol[i];
        if (user[i] && !trie_add(&r->users, x->p, x->n, i)) return no_memory(err, path);
    }
    return v->charsmap.n ? charsmap_read(&r->map, &t->mem, v->charsmap.p, v->charsmap.n, path, err)
                         : E_OK;
}

/* ---- the vocabulary ---- */

static int type_in(const token_vocab *v, int64_t i) { return v->type ? v->type[i] : VOCAB_NORMAL; }

/* Pieces are the model's; what is control, unknown, unused or a byte is not found in a text by merging. */
static status add_tokens(tokenizer *t, const token_vocab *v, char *user, const char *path,
                         error *err)
{
    status st = E_OK;
    for (int64_t i = 0; i < v->n && st == E_OK; i++) {
        int type = type_in(v, i);
        bool model = type == VOCAB_NORMAL || type == VOCAB_USER;
        if (type < VOCAB_NORMAL || type > VOCAB_BYTE)
            return error_set(err, E_FORMAT, "%s: token %lld is of type %d, expected 1 to 6", path,
                             (long long)i, type);
        if (type == VOCAB_UNUSED && strcmp(v->model, "unigram") && !v->padded)
            return refuse(err, path, "a vocabulary with unused pieces");
        if (!v->text[i].n && model)
            return error_set(err, E_FORMAT, "%s: token %lld is empty", path, (long long)i);
        st = pipeline_token(t, i, v->text[i].p, v->text[i].n, model, path, err);
        user[i] = type == VOCAB_USER && model;
        t->text[i].special = type == VOCAB_CONTROL || type == VOCAB_UNKNOWN;
        if (st == E_OK && t->text[i].special && v->text[i].n)
            st = added_put(t, (added_token){ .id = (int32_t)i }, false, path, err);
    }
    return st;
}

static status add_bpe(tokenizer *t, const token_vocab *v, const char *user, const char *path,
                      error *err)
{
    float *score = arena_array(&t->mem, t->n, sizeof *score);
    bpe_options o = { .score = score, .fallback = v->fallback, .fuse_unk = true, .user = user };
    if (!score) return no_memory(err, path);
    memcpy(score, v->score, (size_t)v->n * sizeof *score);
    status st = bpe_new(t, &o, path, err);
    return st == E_OK ? bpe_finish(t, path, err) : st;
}

static status add_unigram(tokenizer *t, const token_vocab *v, const char *user, const char *path,
                          error *err)
{
    double *score = arena_array(&t->mem, t->n, sizeof *score);
    unigram_options o = { .score = score, .user = user, .single = true, .fallback = v->fallback };
    if (!score) return no_memory(err, path);
    for (int32_t i = 0; i < t->n; i++) score[i] = v->score[i];
    return unigram_new(t, &o, path, err);
}

static status add_decoders(tokenizer *t, const token_vocab *v, const char *path, error *err)
{
    json_t *list =
        json_pack("[{s:s,s:{s:s},s:s},{s:s},{s:s}]", "type", "Replace", "pattern", "String", MARK,
                  "content", " ", "type", "ByteFallback", "type", "Fuse");
    bool fine = list;
    if (fine && v->space_prefix != VOCAB_NO)
        fine = !json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:i}", "type", "Strip",
                                                      "content", " ", "start", 1, "stop", 0));
    status st = fine ? E_OK : no_memory(err, path);
    for (size_t i = 0; st == E_OK && i < json_array_size(list); i++)
        st = decode_read(t, json_array_get(list, i), path, err);
    json_decref(list);
    return st;
}

static status check(const token_vocab *v, const char *path, error *err)
{
    if (!v->score) return error_set(err, E_FORMAT, "%s: the tokens have no scores", path);
    for (int64_t i = 0; i < v->n; i++)
        if (!(v->score[i] - v->score[i] == 0))
            return error_set(err, E_FORMAT, "%s: token %lld has no finite score", path,
                             (long long)i);
    if (v->unk >= v->n || v->bos >= v->n || v->eos >= v->n)
        return error_set(err, E_FORMAT, "%s: a special id is beyond the %lld tokens", path,
                         (long long)v->n);
    if (v->unk < 0) return refuse(err, path, "a vocabulary without an unknown token");
    return E_OK;
}

/* BOS and EOS are added where the file says so. */
static status add_around(tokenizer *t, const token_vocab *v, const char *path, error *err)
{
    int32_t *id = arena_array(&t->mem, 2, sizeof *id);
    if (!id) return no_memory(err, path);
    t->bos = (int32_t)(v->bos < 0 ? -1 : v->bos);
    id[0] = t->bos, id[1] = (int32_t)v->eos;
    t->prefix = id, t->n_prefix = v->add_bos == VOCAB_YES && v->bos >= 0;
    t->suffix = id + 1, t->n_suffix = v->add_eos == VOCAB_YES && v->eos >= 0;
    return E_OK;
}

status spm_build(tokenizer *t, const token_vocab *v, const char *path, error *err)
{
    status st = check(v, path, err);
    if (st == E_OK) st = pipeline_begin(t, v->n, path, err);
    char *user = st == E_OK ? arena_zero(&t->mem, (size_t)v->n) : NULL;
    if (st == E_OK && !user) st = no_memory(err, path);
    if (st == E_OK) st = add_tokens(t, v, user, path, err);
    if (st == E_OK) st = pipeline_index(t, false, path, err);
    if (st != E_OK) return st;
    pipe_of(t)->unk = (int32_t)v->unk;
    bool unigram = !strcmp(v->model, "unigram");
    st = add_rules(t, v, user, path, err);
    if (st == E_OK) st = (unigram ? add_unigram : add_bpe)(t, v, user, path, err);
    if (st == E_OK) st = add_decoders(t, v, path, err);
    if (st == E_OK) st = add_around(t, v, path, err);
    if (st == E_OK) st = added_index(t, path, err);
    t->kind = unigram ? "SentencePiece Unigram" : "SentencePiece BPE";
    return st == E_OK ? pipeline_texts(t, path, err) : st;
}
/* SPDX-License-Identifier: MIT */
