/* vocab_merges -- byte-level BPE as it was published at first: vocab.json with merges.txt beside it, or
 * encoder.json with vocab.bpe (OpenAI's names for them).
 *
 *     {"token": id, ...}    and    "a b" a line, best first, after a line that begins with #version
 *
 * It says nothing of normalizers or added tokens but in files of their own, which are read as far as they are understood. */
#include "base/file.h"
#include "token/pipeline.h"
#include <stdio.h>
#include <string.h>

static status read_line(tokenizer *t, const char *line, size_t n, int64_t rank, const char *path,
                        error *err)
{
    const char *space = memchr(line, ' ', n);
    size_t a = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', n - a - 1))
        return error_set(err, E_FORMAT,
                         "%s: merge %lld ('%.*s') is not two tokens with a space between", path,
                         (long long)rank, (int)(n < 60 ? n : 60), line);
    return bpe_merge(t, line, a, space + 1, n - a - 1, rank, path, err);
}

static status read_merges(tokenizer *t, const str *s, const char *path, error *err)
{
    int64_t rank = 0;
    for (size_t at = 0; at < s->n;) {
        const char *line = s->p + at, *end = memchr(line, '\n', s->n - at);
        size_t n = end ? (size_t)(end - line) : s->n - at;
        bool version = at == 0 && n >= 8 && !memcmp(line, "#version", 8);
        at += n + 1;
        if (n && line[n - 1] == '\r') n--;
        if (!n || version) continue;
        status st = read_line(t, line, n, rank++, path, err);
        if (st != E_OK) return st;
    }
    return bpe_finish(t, path, err);
}

static status read_vocab(tokenizer *t, const json_t *vocab, const char *path, error *err)
{
    const char *name;
    json_t *v;
    int64_t last = -1;
    if (!json_is_object(vocab))
        return error_set(err, E_FORMAT, "%s: vocab is %s, expected an object", path,
                         json_kind(vocab));
    json_object_foreach((json_t *)vocab, name, v)
    {
        if (!json_is_integer(v))
            return error_set(err, E_FORMAT, "%s: token '%.60s' has %s for an id", path, name,
                             json_kind(v));
        if (json_integer_value(v) > last) last = json_integer_value(v);
    }
    status st = pipeline_begin(t, last + 1, path, err);
    json_object_foreach((json_t *)vocab, name, v) if (st == E_OK) st =
        pipeline_token(t, json_integer_value(v), name, strlen(name), true, path, err);
    return st;
}

/* No token of GPT-2's kind is written with a space: one that is was added, by rules that stand elsewhere. */
static status check_written(const tokenizer *t, const char *path, error *err)
{
    for (int32_t i = 0; i < t->n; i++) {
        const token_text *x = &pipe_of(t)->symbol[i];
        if (!x->there || !memchr(x->p, ' ', x->n)) continue;
        error_set(err, E_UNSUPPORTED, "%s: token %d, '%.40s', was added to the vocabulary", path, i,
                  x->p);
        error_hint(err, "how it is found in a text is said by a tokenizer.json: open that");
        return E_UNSUPPORTED;
    }
    return E_OK;
}

/* GPT-2's only special token. */
static status add_end(tokenizer *t, const char *path, error *err)
{
    static const char end[] = "<|endoftext|>";
    int32_t id = table_find(&pipe_of(t)->by_symbol, pipe_of(t)->symbol, end, sizeof end - 1);
    if (id < 0) return E_OK;
    t->text[id].special = true;
    return added_put(t, (added_token){ .id = id }, false, path, err);
}

/* The steps, as JSON: what tokenizer.json would say. */
static status read_steps(tokenizer *t, bool prefix, const char *path, error *err)
{
    json_t *pre = json_pack("{s:s,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", prefix,
                            "use_regex", true),
           *out = json_pack("{s:s}", "type", "ByteLevel");
    status st = pre && out ? pretokenize_read(t, pre, path, err) : no_memory(err, path);
    if (st == E_OK) st = decode_read(t, out, path, err);
    json_decref(pre), json_decref(out);
    return st;
}

static char *beside(tokenizer *t, const char *vocab, const char *name)
{
    char *dir = path_dir(&t->mem, vocab);
    return dir ? path_join(&t->mem, dir, name) : NULL;
}

/* A file beside the vocabulary, as JSON; NULL when there is none. */
static status open_beside(tokenizer *t, json_t **out, const char *vocab, const char *name,
                          error *err)
{
    const char *path = beside(t, vocab, name);
    if (!path) return no_memory(err, vocab);
    return file_exists(path) ? json_open(out, path, MAX_FILE, err) : E_OK;
}

/* Tokens that were added in a file of their own must be in the vocabulary. */
static status check_added(tokenizer *t, const char *vocab, error *err)
{
    json_t *json = NULL, *id;
    const char *name;
    status st = open_beside(t, &json, vocab, "added_tokens.json", err);
    json_object_foreach(json, name, id)
    {
        if (table_find(&pipe_of(t)->by_symbol, pipe_of(t)->symbol, name, strlen(name)) >= 0)
            continue;
        error_set(err, E_UNSUPPORTED, "added_tokens.json: token '%.60s' is not in the vocabulary",
                  name);
        error_hint(err, "added tokens are read from a tokenizer.json: save the tokenizer as one");
        st = E_UNSUPPORTED;
        break;
    }
    json_decref(json);
    return st;
}

/* A tokenizer class whose vocab.json is read in another way than GPT-2's. */
static status check_config(tokenizer *t, const char *vocab, bool *prefix, error *err)
{
    static const char *const fine[] = { "GPT2Tokenizer", "GPT2TokenizerFast", "GPTNeoXTokenizer",
                                        "GPTNeoXTokenizerFast", "PreTrainedTokenizerFast" };
    json_t *json = NULL;
    status st = open_beside(t, &json, vocab, "tokenizer_config.json", err);
    const char *class = json_string_value(json_object_get(json, "tokenizer_class"));
    bool known = !class;
    for (size_t i = 0; i < sizeof fine / sizeof *fine && class; i++)
        known |= !strcmp(class, fine[i]);
    *prefix = json_is_true(json_object_get(json, "add_prefix_space"));
    if (st == E_OK && !known) {
        st = error_set(err, E_UNSUPPORTED, "%s: tokenizer_class '%.60s' has rules of its own",
                       vocab, class);
        error_hint(err, "save it as a tokenizer.json, which says them");
    }
    json_decref(json);
    return st;
}

static status read_text(tokenizer *t, const char *vocab, const char *merges, error *err)
{
    json_t *json = NULL;
    str s = { 0 };
    bool prefix = false;
    status st = json_open(&json, vocab, MAX_FILE, err);
    if (st == E_OK) st = file_read(&s, merges, MAX_FILE, err);
    if (st == E_OK) st = read_vocab(t, json, vocab, err);
    if (st == E_OK) st = check_written(t, vocab, err);
    if (st == E_OK) st = check_config(t, vocab, &prefix, err);
    if (st == E_OK) st = read_steps(t, prefix, vocab, err);
    if (st == E_OK) st = pipeline_index(t, true, vocab, err);
    bpe_options o = { 0 };
    for (size_t i = 0; i < s.n; i++) o.n_merges += s.p[i] == '\n';
    o.n_merges++;
    if (st == E_OK) st = bpe_new(t, &o, merges, err);
    if (st == E_OK) st = read_merges(t, &s, merges, err);
    if (st == E_OK) st = add_end(t, vocab, err);
    if (st == E_OK) st = added_index(t, vocab, err);
    if (st == E_OK) st = check_added(t, vocab, err);
    if (st == E_OK) st = pipeline_texts(t, vocab, err);
    if (st == E_OK) pipeline_find_bos(t);
    str_release(&s);
    json_decref(json);
    return st;
}

static status read_file(tokenizer *t, const char *path, error *err)
{
    const char *merges =
        beside(t, path, str_ends(path, "encoder.json") ? "vocab.bpe" : "merges.txt");
    if (!merges) return no_memory(err, path);
    t->beside[t->n_beside++] = merges;
    return read_text(t, path, merges, err);
}

const token_def token_vocab_merges_def = { .name = "vocab.json and merges.txt",
                                           .ends = { "vocab.json", "encoder.json" },
                                           .in_dir = { "vocab.json", "encoder.json" },
                                           .rank = 2,
                                           .read = read_file,
                                           .release = pipeline_release,
                                           .encode = pipeline_encode,
                                           .decode = pipeline_decode };
/* SPDX-License-Identifier: MIT */
