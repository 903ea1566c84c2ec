/* gguf_tokens -- the vocabulary among a GGUF file's metadata, as a token_vocab (tokenizer_from_container). */
#include "base/mem.h"
#include "token/token_def.h"
#include "token/vocab.h"
#include <string.h>

/* What is being read, and from where. */
typedef struct tokens {
    const container *c;
    const char *name;
    arena mem;
    error *err;
    token_vocab v;
} tokens;

static const meta_list *list(const tokens *t, const char *key)
{
    char full[80] = "tokenizer.ggml.";
    strncat(full, key, sizeof full - strlen(full) - 1);
    return container_find_list(t->c, full);
}

static const char *text(const tokens *t, const char *key)
{
    char full[80] = "tokenizer.ggml.";
    strncat(full, key, sizeof full - strlen(full) - 1);
    return container_meta(t->c, full);
}

static status bad(const tokens *t, const char *key, const char *what)
{
    return error_set(t->err, E_FORMAT, "%s: 'tokenizer.ggml.%s' %s", t->name, key, what);
}

static status no_memory(const tokens *t)
{
    return error_set(t->err, E_NOMEM, "%s: out of memory", t->name);
}

static status texts(tokens *t, const char *key, const vocab_text **out, int64_t *n)
{
    const meta_list *l = list(t, key);
    if (!l) return E_OK;
    if (!l->is_text) return bad(t, key, "is no list of texts");
    meta_text *m = arena_array(&t->mem, l->n + 1, sizeof *m);
    vocab_text *v = arena_array(&t->mem, l->n + 1, sizeof *v);
    if (!m || !v) return no_memory(t);
    meta_texts(l, m);
    for (int64_t i = 0; i < l->n; i++) v[i] = (vocab_text){ m[i].p, m[i].n };
    *out = v, *n = l->n;
    return E_OK;
}

/* One number a token. */
static status numbers(tokens *t, const char *key, const float **out)
{
    const meta_list *l = list(t, key);
    if (!l) return E_OK;
    if (l->is_text || l->n != t->v.n) return bad(t, key, "is not one number a token");
    float *x = arena_array(&t->mem, l->n + 1, sizeof *x);
    if (!x) return no_memory(t);
    dtype_row_f32(l->dtype, l->data, x, l->n);
    *out = x;
    return E_OK;
}

static status types(tokens *t)
{
    const float *x = NULL;
    status st = numbers(t, "token_type", &x);
    if (st != E_OK || !x) return st;
    int32_t *type = arena_array(&t->mem, t->v.n + 1, sizeof *type);
    if (!type) return no_memory(t);
    for (int64_t i = 0; i < t->v.n; i++) {
        if (!(x[i] >= 0 && x[i] < 1 << 20)) return bad(t, "token_type", "has no type of token");
        type[i] = (int32_t)x[i];
    }
    t->v.type = type;
    return E_OK;
}

/* SentencePiece's own ids are understood where none is said, as llama.cpp has it. */
static status id(const tokens *t, const char *key, int64_t own, int64_t *out)
{
    const meta_list *l = list(t, key);
    double x = -1;
    *out = !l && !strcmp(t->v.model, "llama") && own < t->v.n ? own : -1;
    if (!l) return E_OK;
    if (l->is_text || l->n != 1) return bad(t, key, "is no token id");
    dtype_row_f64(l->dtype, l->data, &x, 1);
    if (!(x >= 0 && x < (double)t->v.n)) return E_OK; /* as llama.cpp: there is no such token */
    *out = (int64_t)x;
    return E_OK;
}

static vocab_flag flag(const tokens *t, const char *key)
{
    char full[80] = "tokenizer.ggml.";
    strncat(full, key, sizeof full - strlen(full) - 1);
    double x = container_number(t->c, full, -1);
    return x < 0 ? VOCAB_UNSAID : x != 0 ? VOCAB_YES : VOCAB_NO;
}

static status read_all(tokens *t)
{
    token_vocab *v = &t->v;
    const meta_list *map = list(t, "precompiled_charsmap");
    status st = texts(t, "tokens", &v->text, &v->n);
    if (st == E_OK) st = texts(t, "merges", &v->merge, &v->n_merges);
    if (st == E_OK) st = numbers(t, "scores", &v->score);
    if (st == E_OK) st = types(t);
    if (st == E_OK) st = id(t, "bos_token_id", 1, &v->bos);
    if (st == E_OK) st = id(t, "eos_token_id", 2, &v->eos);
    if (st == E_OK) st = id(t, "unknown_token_id", 0, &v->unk);
    v->pre = text(t, "pre"), v->padded = true;
    v->add_bos = flag(t, "add_bos_token"), v->add_eos = flag(t, "add_eos_token");
    v->space_prefix = flag(t, "add_space_prefix");
    v->squeeze = flag(t, "remove_extra_whitespaces");
    if (st == E_OK && map && (map->is_text || dtype_bytes(map->dtype) != 1))
        st = bad(t, "precompiled_charsmap", "is no list of bytes");
    if (st == E_OK && map) v->charsmap = (vocab_text){ map->data, (size_t)map->n };
    return st;
}

status tokenizer_from_container(tokenizer **out, const container *c, const char *name, error *err)
{
    tokens t = { .c = c, .name = name, .err = err };
    *out = NULL;
    t.v.model = text(&t, "model");
    if (!t.v.model) return E_OK;
    status st = read_all(&t);
    if (st == E_OK) st = tokenizer_from_vocab(out, &t.v, name, err);
    arena_release(&t.mem);
    return st;
}
status tokenizer_say(json_t **out, json_t **config, const tokenizer *t, const container *c,
                     const char *name, error *err)
{
    tokens x = { .c = c, .name = name, .err = err };
    status st = E_OK;
    *out = *config = NULL;
    x.v.model = c ? text(&x, "model") : NULL;
    if (x.v.model) st = read_all(&x);
    else if (t && t->def->vocab) st = t->def->vocab(t, &x.mem, &x.v, err);
    if (st == E_OK && x.v.model)
        st = vocab_say(out, config, &x.v, c ? container_meta(c, "tokenizer.chat_template") : NULL,
                       name, err);
    arena_release(&x.mem);
    return st;
}
/* SPDX-License-Identifier: MIT */
