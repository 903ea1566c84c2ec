/* tokenizer_json -- Hugging Face's tokenizer.json: every part of the pipeline by its name.
 *
 *     {"added_tokens": [..], "normalizer": {..}, "pre_tokenizer": {..}, "post_processor": {..}, "decoder": {..},
 *      "model": {"type": "BPE" | "WordPiece" | "Unigram" | "WordLevel", "vocab": .., "merges": [..]}}
 *
 * What a file asks for and is not built is refused by its name. */
#include "token/pipeline.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- vocabulary ---- */

static status largest_id(const json_t *vocab, const json_t *added, int64_t *out, const char *path,
                         error *err)
{
    const char *name;
    json_t *v;
    size_t i;
    *out = (int64_t)json_array_size(vocab) - 1;
    json_object_foreach((json_t *)vocab, name, v)
    {
        if (!json_is_integer(v))
            return error_set(err, E_FORMAT, "%s: token '%.60s' has %s for an id", path, name,
                             json_kind(v));
        if (json_integer_value(v) > *out) *out = json_integer_value(v);
    }
    json_array_foreach(added, i, v)
    {
        const json_t *id = json_object_get(v, "id");
        if (json_is_integer(id) && json_integer_value(id) > *out) *out = json_integer_value(id);
    }
    return E_OK;
}

/* {"token": id, ...} */
static status read_object(tokenizer *t, const json_t *vocab, const char *path, error *err)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)vocab, name, v)
    {
        status st = pipeline_token(t, json_integer_value(v), name, strlen(name), true, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

/* [["token", score], ...] */
static status read_list(tokenizer *t, const json_t *vocab, double *score, const char *path,
                        error *err)
{
    size_t i;
    json_t *v;
    json_array_foreach(vocab, i, v)
    {
        const json_t *text = json_array_get(v, 0), *number = json_array_get(v, 1);
        if (!json_is_string(text) || !json_is_number(number))
            return error_set(err, E_FORMAT, "%s: piece %zu is no pair of a text and a score", path,
                             i);
        status st = pipeline_token(t, (int64_t)i, json_string_value(text), json_string_length(text),
                                   true, path, err);
        if (st != E_OK) return st;
        score[i] = json_number_value(number);
        if (!isfinite(score[i]))
            return error_set(err, E_FORMAT, "%s: piece %zu has no finite score", path, i);
    }
    return E_OK;
}

/* ---- merges ---- */

/* "a b": the first space parts them. */
static status read_merge(tokenizer *t, const json_t *v, size_t rank, const char *path, error *err)
{
    const json_t *a = json_array_get(v, 0), *b = json_array_get(v, 1);
    const char *line = json_string_value(v), *space = line ? strchr(line, ' ') : NULL;
    if (json_array_size(v) == 2 && json_is_string(a) && json_is_string(b))
        return bpe_merge(t, json_string_value(a), json_string_length(a), json_string_value(b),
                         json_string_length(b), (int64_t)rank, path, err);
    if (!space || strchr(space + 1, ' '))
        return error_set(err, E_FORMAT, "%s: merge %zu ('%.60s') is neither \"a b\" nor two texts",
                         path, rank, line ? line : json_kind(v));
    return bpe_merge(t, line, (size_t)(space - line), space + 1, strlen(space + 1), (int64_t)rank,
                     path, err);
}

static status read_merges(tokenizer *t, const json_t *merges, const char *path, error *err)
{
    size_t i;
    json_t *v;
    json_array_foreach(merges, i, v)
    {
        status st = read_merge(t, v, i, path, err);
        if (st != E_OK) return st;
    }
    return bpe_finish(t, path, err);
}

/* ---- models ---- */

static bool set(const json_t *v)
{
    return v && !json_is_null(v) && !json_is_false(v) &&
           !(json_is_string(v) && !json_string_length(v)) &&
           !(json_is_number(v) && json_number_value(v) == 0);
}

static status read_bpe(tokenizer *t, const json_t *m, const char *path, error *err)
{
    static const char *const refused[] = { "dropout", "continuing_subword_prefix" };
    char what[80];
    const json_t *merges = json_object_get(m, "merges");
    const char *suffix = json_string_value(json_object_get(m, "end_of_word_suffix"));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (set(json_object_get(m, refused[i]))) {
            snprintf(what, sizeof what, "the model's %s", refused[i]);
            return refuse(err, path, what);
        }
    if (!json_is_array(merges))
        return error_set(err, E_FORMAT, "%s: merges is %s, expected a list", path,
                         json_kind(merges));
    bpe_options o = { .n_merges = (int64_t)json_array_size(merges), .suffix = suffix };
    status st = json_flag(m, "byte_fallback", false, &o.fallback, err);
    if (st == E_OK) st = json_flag(m, "fuse_unk", false, &o.fuse_unk, err);
    if (st == E_OK) st = json_flag(m, "ignore_merges", false, &o.ignore_merges, err);
    if (st == E_OK) st = bpe_new(t, &o, path, err);
    return st == E_OK ? read_merges(t, merges, path, err) : st;
}

static status read_wordpiece(tokenizer *t, const json_t *m, const char *path, error *err)
{
    int64_t longest = 100;
    const char *prefix = "##";
    status st = json_int(m, "max_input_chars_per_word", 100, &longest, err);
    if (st == E_OK) st = json_text(m, "continuing_subword_prefix", "##", &prefix, err);
    if (st == E_OK && !*prefix) st = refuse(err, path, "an empty continuing_subword_prefix");
    return st == E_OK ? wordpiece_new(t, prefix, longest, path, err) : st;
}

static status read_unigram(tokenizer *t, const json_t *m, double *score, const char *path,
                           error *err)
{
    unigram_options o = { .score = score };
    int64_t unk = -1;
    status st = json_flag(m, "byte_fallback", false, &o.fallback, err);
    if (st == E_OK) st = json_int(m, "unk_id", -1, &unk, err);
    if (st == E_OK && unk >= t->n)
        st = error_set(err, E_FORMAT, "%s: unk_id is %lld, expected less than %d", path,
                       (long long)unk, t->n);
    if (st == E_OK) pipe_of(t)->unk = (int32_t)(unk < 0 ? -1 : unk);
    return st == E_OK ? unigram_new(t, &o, path, err) : st;
}

/* Files from before 2020 do not name the model: what they hold does. */
static const char *model_type(const json_t *m)
{
    const char *type = type_of(m);
    if (*type) return type;
    if (json_object_get(m, "merges")) return "BPE";
    if (json_object_get(m, "unk_id")) return "Unigram";
    return json_object_get(m, "continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

static status read_model(tokenizer *t, const json_t *m, double *score, const char *path, error *err)
{
    const char *type = model_type(m);
    const char *unk = json_string_value(json_object_get(m, "unk_token"));
    pipeline *own = pipe_of(t);
    if (unk) own->unk = table_find(&own->by_symbol, own->symbol, unk, strlen(unk));
    if (own->bytes && strcmp(type, "BPE")) return refuse(err, path, "ByteLevel with another model");
    if (!strcmp(type, "BPE")) return read_bpe(t, m, path, err);
    if (!strcmp(type, "WordPiece")) return read_wordpiece(t, m, path, err);
    if (!strcmp(type, "WordLevel")) return wordlevel_new(t, path, err);
    return read_unigram(t, m, score, path, err);
}

/* ---- the file ---- */

static status check_kind(const json_t *m, const char *path, error *err)
{
    static const char *const known[] = { "BPE", "WordPiece", "WordLevel", "Unigram" };
    char what[80];
    if (!json_is_object(m))
        return error_set(err, E_FORMAT, "%s: model is %s, expected an object", path, json_kind(m));
    const char *type = model_type(m);
    bool list = !strcmp(type, "Unigram");
    const json_t *vocab = json_object_get(m, "vocab");
    for (int i = 0; i < 4; i++)
        if (!strcmp(type, known[i]))
            return (list ? json_is_array(vocab) : json_is_object(vocab))
                       ? E_OK
                       : error_set(err, E_FORMAT, "%s: vocab is %s, expected %s", path,
                                   json_kind(vocab), list ? "a list" : "an object");
    snprintf(what, sizeof what, "a model of type '%.40s'", type);
    return refuse(err, path, what);
}

static status read_vocab(tokenizer *t, const json_t *json, double **score, const char *path,
                         error *err)
{
    int64_t last;
    const json_t *vocab = json_object_get(json_object_get(json, "model"), "vocab"),
                 *added = json_object_get(json, "added_tokens");
    status st = largest_id(vocab, added, &last, path, err);
    if (st == E_OK) st = pipeline_begin(t, last + 1, path, err);
    if (st != E_OK) return st;
    *score = json_is_array(vocab) ? arena_array(&t->mem, t->n, sizeof **score) : NULL;
    if (json_is_array(vocab) && !*score) return no_memory(err, path);
    st = *score ? read_list(t, vocab, *score, path, err) : read_object(t, vocab, path, err);
    return st == E_OK ? added_read(t, added, path, err) : st;
}

static status read_json(tokenizer *t, const json_t *json, const char *path, error *err)
{
    double *score = NULL;
    const json_t *model = json_object_get(json, "model");
    status st = check_kind(model, path, err);
    if (st == E_OK) st = read_vocab(t, json, &score, path, err);
    if (st == E_OK) st = normalize_read(t, json_object_get(json, "normalizer"), path, err);
    if (st == E_OK) st = pretokenize_read(t, json_object_get(json, "pre_tokenizer"), path, err);
    if (st == E_OK) st = pipeline_index(t, pipe_of(t)->bytes, path, err);
    if (st == E_OK) st = read_model(t, model, score, path, err);
    if (st == E_OK) st = post_read(t, json_object_get(json, "post_processor"), path, err);
    if (st == E_OK) st = decode_read(t, json_object_get(json, "decoder"), path, err);
    if (st == E_OK) st = added_index(t, path, err);
    if (st == E_OK) st = pipeline_texts(t, path, err);
    if (st == E_OK) pipeline_find_bos(t);
    return st;
}

static status read_file(tokenizer *t, const char *path, error *err)
{
    json_t *json = NULL;
    status st = json_open(&json, path, MAX_FILE, err);
    if (st == E_OK) st = read_json(t, json, path, err);
    json_decref(json);
    return st;
}

const token_def token_tokenizer_json_def = { .name = "tokenizer.json",
                                             .ends = { ".json" },
                                             .in_dir = { "tokenizer.json" },
                                             .rank = 0,
                                             .read = read_file,
                                             .release = pipeline_release,
                                             .encode = pipeline_encode,
                                             .decode = pipeline_decode };
/* SPDX-License-Identifier: MIT */
