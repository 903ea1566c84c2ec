/* vocab_json -- a vocabulary as Hugging Face's tokenizer.json and tokenizer_config.json (vocab_say).
 *
 * Every token stands in the model's vocabulary, so that ids are what they are; those that texts may spell out are added
 * tokens too.  SentencePiece's BPE merges by the score of what a pair makes: as merges, every pair of pieces that makes a
 * piece, the best score first, as transformers converts it. */
#include "base/json.h"
#include "base/mem.h"
#include "token/pipeline.h"
#include "token/vocab.h"
#include <stdlib.h>
#include <string.h>

static const char MARK[] = "\xe2\x96\x81";

typedef struct saying {
    const token_vocab *v;
    const char *name;
    error *err;
    arena mem;
    json_t *to, *config;
} saying;

static int type_in(const token_vocab *v, int64_t i) { return v->type ? v->type[i] : VOCAB_NORMAL; }
static bool is_spm(const token_vocab *v) { return !strcmp(v->model, "llama"); }

static json_t *text_json(const vocab_text *x) { return json_stringn(x->p, x->n); }

/* obj[key] = own_v; false when out of memory. */
static bool put(json_t *obj, const char *key, json_t *own_v)
{
    return own_v && !json_object_set_new(obj, key, own_v);
}

/* ---- vocabulary and added tokens ---- */

static status say_vocab(saying *x, json_t *model)
{
    json_t *vocab = json_object();
    if (!put(model, "vocab", vocab)) return no_memory(x->err, x->name);
    for (int64_t i = 0; i < x->v->n; i++) {
        const vocab_text *t = &x->v->text[i];
        if (!t->n) continue; /* a hole */
        if (utf8_check(t->p, t->n) < t->n || memchr(t->p, 0, t->n))
            return refuse(x->err, x->name, "a token that is not UTF-8, as a tokenizer.json,");
        if (json_object_getn(vocab, t->p, t->n))
            return refuse(x->err, x->name, "two tokens of one text, as a tokenizer.json,");
        if (json_object_setn_new(vocab, t->p, t->n, json_integer(i)))
            return no_memory(x->err, x->name);
    }
    return E_OK;
}

static status say_added(saying *x)
{
    json_t *list = json_array();
    if (!put(x->to, "added_tokens", list)) return no_memory(x->err, x->name);
    for (int64_t i = 0; i < x->v->n; i++) {
        int type = type_in(x->v, i);
        bool user = type == VOCAB_USER, special = type == VOCAB_CONTROL || type == VOCAB_UNKNOWN;
        if ((!user && !special) || !x->v->text[i].n) continue;
        if (user && is_spm(x->v) && x->v->space_prefix != VOCAB_NO)
            return refuse(x->err, x->name,
                          "a user's own token after a space of the tokenizer's, as a "
                          "tokenizer.json,");
        json_t *t = json_pack("{s:I,s:o,s:b,s:b,s:b,s:b,s:b}", "id", (json_int_t)i, "content",
                              text_json(&x->v->text[i]), "single_word", 0, "lstrip", 0, "rstrip", 0,
                              "normalized", user && is_spm(x->v), "special", special);
        if (!t || json_array_append_new(list, t)) return no_memory(x->err, x->name);
    }
    return E_OK;
}

/* ---- merges ---- */

static status say_merges(saying *x, json_t *model)
{
    json_t *list = json_array();
    if (!put(model, "merges", list)) return no_memory(x->err, x->name);
    for (int64_t i = 0; i < x->v->n_merges; i++) {
        const vocab_text *m = &x->v->merge[i];
        const char *space = m->n ? memchr(m->p + 1, ' ', m->n - 1) : NULL;
        if (!space)
            return error_set(x->err, E_FORMAT, "%s: merge %lld is not two tokens", x->name,
                             (long long)i);
        size_t a = (size_t)(space - m->p);
        json_t *pair = json_pack("[s%,s%]", m->p, a, space + 1, m->n - a - 1);
        if (!pair || json_array_append_new(list, pair)) return no_memory(x->err, x->name);
    }
    return E_OK;
}

typedef struct merge {
    int64_t made;
    size_t left; /* bytes */
    float score;
} merge;

static int by_rank(const void *a, const void *b)
{
    const merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->made != y->made) return x->made < y->made ? -1 : 1;
    return x->left > y->left ? -1 : x->left < y->left;
}

/* All pairs of pieces that make a piece; out NULL: how many. */
static int64_t find_merges(const saying *x, const json_t *pieces, merge *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < x->v->n; i++) {
        const vocab_text *t = &x->v->text[i];
        if (!json_object_getn(pieces, t->p, t->n)) continue;
        for (size_t at = 1; at < t->n; at++) {
            if (((unsigned char)t->p[at] & 0xc0) == 0x80) continue; /* within a character */
            if (!json_object_getn(pieces, t->p, at) ||
                !json_object_getn(pieces, t->p + at, t->n - at))
                continue;
            if (out) out[n] = (merge){ i, at, x->v->score[i] };
            n++;
        }
    }
    return n;
}

static status put_merges(saying *x, json_t *model, const json_t *pieces)
{
    int64_t n = find_merges(x, pieces, NULL);
    merge *m = arena_array(&x->mem, n + 1, sizeof *m);
    json_t *list = json_array();
    if (!put(model, "merges", list) || !m) return no_memory(x->err, x->name);
    find_merges(x, pieces, m);
    qsort(m, (size_t)n, sizeof *m, by_rank);
    for (int64_t i = 0; i < n; i++) {
        const vocab_text *t = &x->v->text[m[i].made];
        json_t *pair = json_pack("[s%,s%]", t->p, m[i].left, t->p + m[i].left, t->n - m[i].left);
        if (!pair || json_array_append_new(list, pair)) return no_memory(x->err, x->name);
    }
    return E_OK;
}

static status say_scores(saying *x, json_t *model)
{
    json_t *pieces = json_object();
    status st = pieces ? E_OK : no_memory(x->err, x->name);
    if (!x->v->score) st = error_set(x->err, E_FORMAT, "%s: the tokens have no scores", x->name);
    for (int64_t i = 0; st == E_OK && i < x->v->n; i++)
        if (type_in(x->v, i) == VOCAB_NORMAL &&
            json_object_setn_new(pieces, x->v->text[i].p, x->v->text[i].n, json_true()))
            st = no_memory(x->err, x->name);
    if (st == E_OK) st = put_merges(x, model, pieces);
    json_decref(pieces);
    return st;
}

/* ---- the pipeline ---- */

static status say_model(saying *x, bool whole)
{
    const token_vocab *v = x->v;
    bool spm = is_spm(v);
    json_t *unk = spm ? text_json(&v->text[v->unk]) : json_null();
    json_t *model = json_pack("{s:s,s:n,s:o,s:n,s:n,s:b,s:b,s:b}", "type", "BPE", "dropout",
                              "unk_token", unk, "continuing_subword_prefix", "end_of_word_suffix",
                              "fuse_unk", spm, "byte_fallback", spm, "ignore_merges", whole);
    if (!put(x->to, "model", model)) return no_memory(x->err, x->name);
    status st = say_vocab(x, model);
    return st != E_OK ? st : spm ? say_scores(x, model) : say_merges(x, model);
}

/* BOS and EOS where they are added. */
static status say_around(saying *x)
{
    const token_vocab *v = x->v;
    bool bos = vocab_adds_bos(v) && v->bos >= 0, eos = v->add_eos == VOCAB_YES && v->eos >= 0;
    json_t *single = json_array(), *pair = json_array(), *names = json_object();
    bool fine = single && pair && names;
    for (int k = 0; fine && k < 5; k++) { /* bos A (B) eos */
        if ((k == 0 && !bos) || (k == 3 && !eos) || k == 4) continue;
        int64_t id = k ? v->eos : v->bos;
        json_t *one = k == 1   ? json_pack("{s:{s:s,s:i}}", "Sequence", "id", "A", "type_id", 0)
                      : k == 2 ? json_pack("{s:{s:s,s:i}}", "Sequence", "id", "B", "type_id", 0)
                               : json_pack("{s:{s:o,s:i}}", "SpecialToken", "id",
                                           text_json(&v->text[id]), "type_id", 0);
        fine = one && !json_array_append(pair, one) && (k == 2 || !json_array_append(single, one));
        json_decref(one);
        if (fine && (k == 0 || k == 3))
            fine = !json_object_setn_new(names, v->text[id].p, v->text[id].n,
                                         json_pack("{s:o,s:[I],s:[o]}", "id",
                                                   text_json(&v->text[id]), "ids", (json_int_t)id,
                                                   "tokens", text_json(&v->text[id])));
    }
    json_t *post = json_pack("{s:s,s:O,s:O,s:O}", "type", "TemplateProcessing", "single", single,
                             "pair", pair, "special_tokens", names);
    json_decref(single), json_decref(pair), json_decref(names);
    if (!fine) json_decref(post), post = NULL;
    return put(x->to, "post_processor", bos || eos ? post : (json_decref(post), json_null()))
               ? E_OK
               : no_memory(x->err, x->name);
}

static status say_gpt2(saying *x)
{
    vocab_cut cut = { 0 };
    status st = vocab_cuts(x->v, &cut, x->name, x->err);
    if (st != E_OK) return st;
    bool fine = put(x->to, "normalizer", cut.nfc ? json_pack("{s:s}", "type", "NFC") : json_null());
    fine &= put(x->to, "pre_tokenizer", cut.pre);
    fine &= put(x->to, "decoder",
                json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 1,
                          "trim_offsets", 1, "use_regex", 1));
    return fine ? say_model(x, cut.whole) : no_memory(x->err, x->name);
}

static status say_spm(saying *x)
{
    const token_vocab *v = x->v;
    bool prefix = v->space_prefix != VOCAB_NO;
    if (v->charsmap.n) return refuse(x->err, x->name, "a charsmap, as a tokenizer.json,");
    if (v->squeeze == VOCAB_YES)
        return refuse(x->err, x->name, "squeezed spaces, as a tokenizer.json,");
    if (v->unk < 0) return refuse(x->err, x->name, "a vocabulary without an unknown token");
    json_t *spaces = json_pack("{s:s,s:{s:s},s:s}", "type", "Replace", "pattern", "String", " ",
                               "content", MARK);
    json_t *normal = prefix ? json_pack("{s:s,s:[{s:s,s:s},o]}", "type", "Sequence", "normalizers",
                                        "type", "Prepend", "prepend", MARK, spaces)
                            : spaces;
    json_t *steps =
        json_pack("[{s:s,s:{s:s},s:s},{s:s},{s:s}]", "type", "Replace", "pattern", "String", MARK,
                  "content", " ", "type", "ByteFallback", "type", "Fuse");
    bool fine = put(x->to, "normalizer", normal) && put(x->to, "pre_tokenizer", json_null());
    if (fine && prefix)
        fine = steps &&
               !json_array_append_new(steps, json_pack("{s:s,s:s,s:i,s:i}", "type", "Strip",
                                                       "content", " ", "start", 1, "stop", 0));
    fine &= put(x->to, "decoder", json_pack("{s:s,s:o}", "type", "Sequence", "decoders", steps));
    return fine ? say_model(x, false) : no_memory(x->err, x->name);
}

/* ---- the names of special tokens ---- */

static status say_config(saying *x, const char *chat)
{
    const token_vocab *v = x->v;
    const struct {
        const char *key;
        int64_t id;
    } named[] = { { "bos_token", v->bos }, { "eos_token", v->eos }, { "unk_token", v->unk } };
    bool fine = put(x->config, "tokenizer_class", json_string("PreTrainedTokenizerFast")) &&
                put(x->config, "clean_up_tokenization_spaces", json_false());
    for (int i = 0; i < 3 && fine; i++)
        if (named[i].id >= 0 && named[i].id < v->n)
            fine = put(x->config, named[i].key, text_json(&v->text[named[i].id]));
    if (fine && chat) fine = put(x->config, "chat_template", json_string(chat));
    return fine ? E_OK : no_memory(x->err, x->name);
}

static status say(saying *x, const char *chat)
{
    const token_vocab *v = x->v;
    if (!v->text || v->n < 1)
        return error_set(x->err, E_FORMAT, "%s: there is no vocabulary", x->name);
    if (v->bos >= v->n || v->eos >= v->n || v->unk >= v->n)
        return error_set(x->err, E_FORMAT, "%s: a special id is beyond the %lld tokens", x->name,
                         (long long)v->n);
    if (!put(x->to, "version", json_string("1.0")) || !put(x->to, "truncation", json_null()) ||
        !put(x->to, "padding", json_null()))
        return no_memory(x->err, x->name);
    status st = say_added(x);
    if (st == E_OK) st = say_config(x, chat);
    if (st == E_OK) st = say_around(x);
    if (st != E_OK) return st;
    if (is_spm(v)) return say_spm(x);
    return strcmp(v->model, "gpt2") ? refuse(x->err, x->name, "its model, as a tokenizer.json,")
                                    : say_gpt2(x);
}

status vocab_say(json_t **out, json_t **config, const token_vocab *v, const char *chat,
                 const char *name, error *err)
{
    saying x = { .v = v, .name = name, .err = err, .to = json_object(), .config = json_object() };
    status st = x.to && x.config ? say(&x, chat) : no_memory(err, name);
    arena_release(&x.mem);
    if (st == E_OK) {
        *out = x.to, *config = x.config;
        return E_OK;
    }
    json_decref(x.to), json_decref(x.config);
    return st;
}
/* SPDX-License-Identifier: MIT */
