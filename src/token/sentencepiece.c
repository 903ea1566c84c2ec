/* sentencepiece -- SentencePiece's .model: a protobuf message.
 *
 *     pieces: 1 {piece: 1, score: 2, type: 3} ... | trainer_spec: 2 {model_type: 3, treat_whitespace_as_suffix: 24,
 *     byte_fallback: 35, unk_id: 40, bos_id: 41, eos_id: 42} | normalizer_spec: 3 {precompiled_charsmap: 2,
 *     add_dummy_prefix: 3, remove_extra_whitespaces: 4, escape_whitespaces: 5, normalization_rule_tsv: 6}
 *
 * Whether BOS and EOS are added is not in it but in tokenizer_config.json beside it; without one a BPE model begins with
 * BOS (as Llama's and Gemma's do) and a Unigram adds nothing. */
#include "base/file.h"
#include "token/proto.h"
#include "token/spm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNIGRAM = 1, BPE, WORD, CHAR };

typedef struct file {
    token_vocab v;
    vocab_text *text;
    float *score;
    int32_t *type;
    int64_t kind;
    bool suffix, escape, denormal;
} file;

static status broken(const char *path, const char *where, error *err)
{
    error_set(err, E_FORMAT, "%s: %s is cut off or no protobuf", path, where);
    error_hint(err, "expected a SentencePiece model; a .model of text lines is tiktoken's");
    return E_FORMAT;
}

/* ---- parts ---- */

static status read_piece(file *f, int64_t i, const proto_field *piece_field, const char *path,
                         error *err)
{
    proto m = { piece_field->p, piece_field->n, false };
    proto_field x;
    f->type[i] = VOCAB_NORMAL;
    while (proto_next(&m, &x)) {
        if (x.number == 1 && x.wire == 2) f->text[i] = (vocab_text){ (const char *)x.p, x.n };
        if (x.number == 2 && x.wire == 5) f->score[i] = proto_float(&x);
        if (x.number == 3 && x.wire == 0) f->type[i] = x.value > 99 ? 99 : (int32_t)x.value;
    }
    if (m.broken) return broken(path, "a piece", err);
    if (utf8_check(f->text[i].p ? f->text[i].p : "", f->text[i].n) < f->text[i].n)
        return error_set(err, E_FORMAT, "%s: piece %lld is not UTF-8", path, (long long)i);
    return E_OK;
}

static int64_t id_of(const proto_field *x) { return (int32_t)x->value; } /* -1 is ten bytes */

static status read_trainer(file *f, const proto_field *spec, const char *path, error *err)
{
    proto m = { spec->p, spec->n, false };
    proto_field x;
    while (proto_next(&m, &x)) {
        if (x.wire) continue;
        if (x.number == 3) f->kind = id_of(&x);
        if (x.number == 24) f->suffix = x.value;
        if (x.number == 35) f->v.fallback = x.value;
        if (x.number == 40) f->v.unk = id_of(&x);
        if (x.number == 41) f->v.bos = id_of(&x);
        if (x.number == 42) f->v.eos = id_of(&x);
    }
    return m.broken ? broken(path, "trainer_spec", err) : E_OK;
}

static status read_normalizer(file *f, const proto_field *spec, const char *path, error *err)
{
    proto m = { spec->p, spec->n, false };
    proto_field x;
    while (proto_next(&m, &x)) {
        if (x.number == 2 && x.wire == 2) f->v.charsmap = (vocab_text){ (const char *)x.p, x.n };
        if (x.number == 3 && !x.wire) f->v.space_prefix = x.value ? VOCAB_YES : VOCAB_NO;
        if (x.number == 4 && !x.wire) f->v.squeeze = x.value ? VOCAB_YES : VOCAB_NO;
        if (x.number == 5 && !x.wire) f->escape = x.value;
    }
    return m.broken ? broken(path, "normalizer_spec", err) : E_OK;
}

/* How many pieces: a message is walked twice, so that nothing is believed before it is there. */
static status count(file *f, const str *s, const char *path, error *err)
{
    proto m = { (const unsigned char *)s->p, s->n, false };
    proto_field x;
    while (proto_next(&m, &x)) f->v.n += x.number == 1 && x.wire == 2;
    if (m.broken) return broken(path, "the file", err);
    if (!f->v.n || f->v.n > MAX_TOKENS)
        return error_set(err, E_FORMAT, "%s: has %lld pieces, expected 1 to %d", path,
                         (long long)f->v.n, MAX_TOKENS);
    return E_OK;
}

static status read_parts(file *f, const str *s, arena *mem, const char *path, error *err)
{
    proto m = { (const unsigned char *)s->p, s->n, false };
    proto_field x;
    int64_t i = 0;
    status st = count(f, s, path, err);
    if (st != E_OK) return st;
    f->text = arena_array(mem, f->v.n, sizeof *f->text);
    f->score = arena_array(mem, f->v.n, sizeof *f->score);
    f->type = arena_array(mem, f->v.n, sizeof *f->type);
    if (!f->text || !f->score || !f->type) return no_memory(err, path);
    while (st == E_OK && proto_next(&m, &x)) {
        if (x.wire != 2) continue;
        if (x.number == 1) st = read_piece(f, i++, &x, path, err);
        if (x.number == 2) st = read_trainer(f, &x, path, err);
        if (x.number == 3) st = read_normalizer(f, &x, path, err);
        if (x.number == 5) f->denormal = x.n > 0;
    }
    f->v.text = f->text, f->v.score = f->score, f->v.type = f->type;
    return st;
}

/* ---- what the file does not say ---- */

/* Tokens that were added to the model's: they are in other files, and would be missed. */
static status check_added(const file *f, const json_t *config, const char *path, error *err)
{
    const char *id;
    json_t *v;
    json_object_foreach((json_t *)json_object_get(config, "added_tokens_decoder"), id, v)
    {
        const char *content = json_string_value(json_object_get(v, "content"));
        char *end;
        long long i = strtoll(id, &end, 10);
        if (content && !*end && i >= 0 && i < f->v.n && strlen(content) == f->text[i].n &&
            !memcmp(content, f->text[i].p, f->text[i].n))
            continue;
        error_set(err, E_UNSUPPORTED, "%s: token '%.60s' (%s) was added beside the model", path,
                  content ? content : "?", id);
        error_hint(err, "added tokens are read from a tokenizer.json: save the tokenizer as one");
        return E_UNSUPPORTED;
    }
    return E_OK;
}

static status check_class(const json_t *config, const char *path, error *err)
{
    static const char *const known[] = { "LlamaTokenizer", "LlamaTokenizerFast", "GemmaTokenizer",
                                         "GemmaTokenizerFast" };
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    if (!class) return E_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(class, known[i])) return E_OK;
    error_set(err, E_UNSUPPORTED, "%s: tokenizer_class '%.60s' has rules of its own", path, class);
    error_hint(err, "save it as a tokenizer.json, which says them");
    return E_UNSUPPORTED;
}

static vocab_flag flag_of(const json_t *config, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(config, key);
    return (json_is_boolean(v) ? json_is_true(v) : otherwise) ? VOCAB_YES : VOCAB_NO;
}

static status read_config(file *f, tokenizer *t, const char *path, error *err)
{
    char *dir = path_dir(&t->mem, path);
    json_t *config = NULL;
    const char *name = dir ? path_join(&t->mem, dir, "tokenizer_config.json") : NULL;
    if (!name) return no_memory(err, path);
    bool there = file_exists(name);
    status st = there ? json_open(&config, name, MAX_FILE, err) : E_OK;
    if (st == E_OK) st = check_class(config, path, err);
    if (st == E_OK) st = check_added(f, config, path, err);
    f->v.add_bos = flag_of(config, "add_bos_token", f->kind == BPE);
    f->v.add_eos = flag_of(config, "add_eos_token", false);
    f->v.prefix_once = json_is_false(json_object_get(config, "legacy"));
    if (st == E_OK && there) t->beside[t->n_beside++] = name;
    json_decref(config);
    return st;
}

static status check(const file *f, const char *path, error *err)
{
    char what[80];
    if (f->suffix) return refuse(err, path, "treat_whitespace_as_suffix");
    if (!f->escape) return refuse(err, path, "escape_whitespaces false");
    if (f->kind == UNIGRAM || f->kind == BPE) return E_OK;
    snprintf(what, sizeof what, "model_type %s",
             f->kind == WORD   ? "WORD"
             : f->kind == CHAR ? "CHAR"
                               : "of that number");
    return refuse(err, path, what);
}

static status build(tokenizer *t, const str *s, const char *path, error *err)
{
    arena mem = { 0 };
    file f = { .kind = UNIGRAM, .escape = true };
    f.v.unk = 0, f.v.bos = 1, f.v.eos = 2;
    f.v.space_prefix = f.v.squeeze = VOCAB_YES;
    status st = read_parts(&f, s, &mem, path, err);
    if (st == E_OK) st = check(&f, path, err);
    if (st == E_OK) st = read_config(&f, t, path, err);
    f.v.model = f.kind == UNIGRAM ? "unigram" : "llama";
    if (st == E_OK) st = spm_build(t, &f.v, path, err);
    arena_release(&mem);
    return st;
}

static status read_file(tokenizer *t, const char *path, error *err)
{
    str s = { 0 };
    status st = file_read(&s, path, MAX_FILE, err);
    if (st == E_OK) st = build(t, &s, path, err);
    str_release(&s);
    return st;
}

const token_def token_sentencepiece_def = { .name = "SentencePiece",
                                            .ends = { ".model" },
                                            .in_dir = { "tokenizer.model" },
                                            .rank = 1,
                                            .read = read_file,
                                            .release = pipeline_release,
                                            .encode = pipeline_encode,
                                            .decode = pipeline_decode };
/* SPDX-License-Identifier: MIT */
