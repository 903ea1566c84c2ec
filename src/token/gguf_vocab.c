/* gguf_vocab -- a tokenizer from the vocabulary that a GGUF file holds (tokenizer_from_vocab).
 *
 * "llama" is SentencePiece's BPE (spm.c).  "gpt2" is byte-level BPE with merges; how it cuts words is said by a name
 * (tokenizer.ggml.pre), the expression behind it is the original tokenizer's. */
#include "base/hash.h"
#include "token/spm.h"
#include <stdio.h>
#include <string.h>

typedef struct way {
    const char *name, *words; /* words NULL: GPT-2's */
    bool nfc, digits;         /* digits: each is cut off first */
    bool whole;               /* a word that is a token is one, whatever merges say */
} way;

#define LLAMA3(numbers)                                                                            \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                          \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const way ways[] = {
    { .name = "gpt-2" },
    { .name = "phi-2" },
    { .name = "mpt", .nfc = true },
    { .name = "olmo", .nfc = true },
    { .name = "starcoder", .digits = true },
    { .name = "refact", .digits = true },
    { .name = "smollm", .digits = true },
    { .name = "qwen2", .words = LLAMA3("\\p{N}"), .nfc = true },
    { .name = "llama3", .words = LLAMA3("\\p{N}{1,3}"), .whole = true },
    { .name = "llama-v3", .words = LLAMA3("\\p{N}{1,3}"), .whole = true },
    { .name = "llama-bpe", .words = LLAMA3("\\p{N}{1,3}"), .whole = true },
};

static status find_way(const char *pre, const way **out, const char *name, error *err)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (pre && !strcmp(pre, ways[i].name)) {
            *out = &ways[i];
            return E_OK;
        }
    error_set(err, E_UNSUPPORTED, "%s: tokenizer.ggml.pre is '%.60s', which is not known", name,
              pre ? pre : "not there");
    error_hint(err, "it says how words are cut; known are gpt-2 phi-2 mpt olmo starcoder refact "
                    "smollm qwen2 llama3 llama-bpe");
    return E_UNSUPPORTED;
}

/* ---- "gpt2" ---- */

static status add_tokens(tokenizer *t, const token_vocab *v, const char *name, error *err)
{
    status st = E_OK;
    for (int64_t i = 0; i < v->n && st == E_OK; i++) {
        int type = v->type ? v->type[i] : VOCAB_NORMAL;
        bool added = type == VOCAB_CONTROL || type == VOCAB_USER || type == VOCAB_UNKNOWN;
        if (utf8_check(v->text[i].p, v->text[i].n) < v->text[i].n)
            return error_set(err, E_FORMAT, "%s: token %lld is not UTF-8", name, (long long)i);
        st = pipeline_token(t, i, v->text[i].p, v->text[i].n, !added, name, err);
        t->text[i].special = type == VOCAB_CONTROL || type == VOCAB_UNKNOWN;
        if (st == E_OK && added && v->text[i].n)
            st = added_put(t, (added_token){ .id = (int32_t)i }, false, name, err);
    }
    return st;
}

/* The pipeline as a tokenizer.json would say it. */
static json_t *steps_of(const way *w, bool prefix)
{
    json_t *list = json_array();
    bool fine = list;
    if (fine && w->digits)
        fine = !json_array_append_new(
            list, json_pack("{s:s,s:b}", "type", "Digits", "individual_digits", true));
    if (fine && w->words)
        fine = !json_array_append_new(list, json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split",
                                                      "pattern", "Regex", w->words, "behavior",
                                                      "Isolated", "invert", 0));
    if (fine)
        fine = !json_array_append_new(list, json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel",
                                                      "add_prefix_space", prefix, "trim_offsets", 1,
                                                      "use_regex", !w->words));
    json_t *made = fine ? json_pack("{s:s,s:O}", "type", "Sequence", "pretokenizers", list) : NULL;
    json_decref(list);
    return made;
}

status vocab_cuts(const token_vocab *v, vocab_cut *out, const char *name, error *err)
{
    const way *w;
    status st = find_way(v->pre, &w, name, err);
    if (st != E_OK) return st;
    *out = (vocab_cut){ steps_of(w, v->space_prefix == VOCAB_YES), w->nfc, w->whole };
    return out->pre ? E_OK : no_memory(err, name);
}

/* Where it is not said, as llama.cpp has it. */
bool vocab_adds_bos(const token_vocab *v)
{
    if (v->add_bos != VOCAB_UNSAID) return v->add_bos == VOCAB_YES;
    return !strcmp(v->model, "llama") || (v->pre && !strncmp(v->pre, "llama", 5));
}

static status add_steps(tokenizer *t, const way *w, bool prefix, const char *name, error *err)
{
    json_t *pre = steps_of(w, prefix), *nfc = json_pack("{s:s}", "type", "NFC"),
           *out = json_pack("{s:s}", "type", "ByteLevel");
    status st = pre && nfc && out ? E_OK : no_memory(err, name);
    if (st == E_OK && w->nfc) st = normalize_read(t, nfc, name, err);
    if (st == E_OK) st = pretokenize_read(t, pre, name, err);
    if (st == E_OK) st = decode_read(t, out, name, err);
    json_decref(pre), json_decref(nfc), json_decref(out);
    return st;
}

static status add_merges(tokenizer *t, const token_vocab *v, const way *w, const char *name,
                         error *err)
{
    bpe_options o = { .n_merges = v->n_merges, .ignore_merges = w->whole };
    status st = bpe_new(t, &o, name, err);
    for (int64_t i = 0; i < v->n_merges && st == E_OK; i++) {
        const char *p = v->merge[i].p;
        size_t n = v->merge[i].n;
        const char *space = n ? memchr(p + 1, ' ', n - 1) : NULL;
        if (!space)
            return error_set(err, E_FORMAT, "%s: merge %lld is not two tokens", name, (long long)i);
        size_t a = (size_t)(space - p);
        st = bpe_merge(t, p, a, space + 1, n - a - 1, i, name, err);
    }
    return st == E_OK ? bpe_finish(t, name, err) : st;
}

static status add_around(tokenizer *t, const token_vocab *v, const char *name, error *err)
{
    int32_t *id = arena_array(&t->mem, 2, sizeof *id);
    if (!id) return no_memory(err, name);
    if (v->bos >= v->n || v->eos >= v->n)
        return error_set(err, E_FORMAT, "%s: a special id is beyond the %lld tokens", name,
                         (long long)v->n);
    t->bos = (int32_t)(v->bos < 0 ? -1 : v->bos);
    id[0] = t->bos, id[1] = (int32_t)v->eos;
    t->prefix = id, t->n_prefix = v->add_bos == VOCAB_YES && v->bos >= 0;
    t->suffix = id + 1, t->n_suffix = v->add_eos == VOCAB_YES && v->eos >= 0;
    return E_OK;
}

static status build_gpt2(tokenizer *t, const token_vocab *v, const char *name, error *err)
{
    const way *w;
    status st = find_way(v->pre, &w, name, err);
    if (st == E_OK) st = pipeline_begin(t, v->n, name, err);
    if (st == E_OK) st = add_tokens(t, v, name, err);
    if (st == E_OK) st = add_steps(t, w, v->space_prefix == VOCAB_YES, name, err);
    if (st == E_OK) st = pipeline_index(t, true, name, err);
    if (st == E_OK) st = add_merges(t, v, w, name, err);
    if (st == E_OK) st = add_around(t, v, name, err);
    if (st == E_OK) st = added_index(t, name, err);
    return st == E_OK ? pipeline_texts(t, name, err) : st;
}

/* ---- either ---- */

static status hash_vocab(tokenizer *t, const token_vocab *v, const char *name, error *err)
{
    char digits[HASH_TEXT];
    hash *h = hash_new();
    if (!h) return no_memory(err, name);
    const char *words[] = { v->model, v->pre ? v->pre : "" };
    const int64_t numbers[] = { v->n,       v->n_merges, v->bos,         v->eos,
                                v->unk,     v->add_bos,  v->add_eos,     v->space_prefix,
                                v->squeeze, v->fallback, v->prefix_once, v->padded };
    for (int i = 0; i < 2; i++) hash_add(h, words[i], strlen(words[i]) + 1);
    hash_add(h, numbers, sizeof numbers);
    for (int64_t i = 0; i < v->n; i++) {
        hash_add(h, v->text[i].p, v->text[i].n), hash_add(h, "", 1);
        if (v->score) hash_add(h, &v->score[i], sizeof *v->score);
        if (v->type) hash_add(h, &v->type[i], sizeof *v->type);
    }
    for (int64_t i = 0; i < v->n_merges; i++)
        hash_add(h, v->merge[i].p, v->merge[i].n), hash_add(h, "", 1);
    hash_add(h, v->charsmap.p, v->charsmap.n);
    hash_text(h, digits), snprintf(t->hash, sizeof t->hash, "xxh3-128:%s", digits);
    hash_free(h);
    return E_OK;
}

static status build(tokenizer *t, token_vocab v, const char *name, error *err)
{
    char what[100];
    v.add_bos = vocab_adds_bos(&v) ? VOCAB_YES : VOCAB_NO;
    t->bos = -1;
    if (!strcmp(v.model, "llama")) v.fallback = true;
    if (!strcmp(v.model, "llama") || !strcmp(v.model, "unigram"))
        return spm_build(t, &v, name, err);
    if (!strcmp(v.model, "gpt2")) return build_gpt2(t, &v, name, err);
    snprintf(what, sizeof what, "tokenizer.ggml.model '%.40s'", v.model);
    return refuse(err, name, what);
}

static const token_def vocab_def = { .name = "vocabulary",
                                     .release = pipeline_release,
                                     .encode = pipeline_encode,
                                     .decode = pipeline_decode };

status tokenizer_from_vocab(tokenizer **out, const token_vocab *v, const char *name, error *err)
{
    if (!v->model || v->n < 1 || !v->text) {
        error_set(err, E_FORMAT, "%s: there is no vocabulary", name);
        error_hint(err, "give token ids, or a tokenizer.json beside the file");
        return E_FORMAT;
    }
    tokenizer *t = mem_zero(sizeof *t);
    if (!t) return no_memory(err, name);
    t->def = &vocab_def;
    status st = build(t, *v, name, err);
    if (st == E_OK) st = hash_vocab(t, v, name, err);
    if (st == E_OK) *out = t;
    else tokenizer_free(t);
    return st;
}
/* SPDX-License-Identifier: MIT */
