/* prompt -- see prompt.h. */
#include "model/prompt.h"
#include "base/file.h"
#include "base/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IDS_FILE = 256 << 20 };

void prompt_free(prompt *p)
{
    if (!p) return;
    arena_release(&p->mem);
    mem_free(p, sizeof *p);
}

static prompt *prompt_new(int64_t n)
{
    prompt *p = mem_zero(sizeof *p);
    if (!p) return NULL;
    int32_t *id = arena_array(&p->mem, n, sizeof *id);
    double *value = arena_array(&p->mem, n, sizeof *value);
    if (!id || !value) {
        prompt_free(p);
        return NULL;
    }
    p->n = (int32_t)n, p->id = id, p->value = value;
    return p;
}

static status nomem(error *err) { return error_set(err, E_NOMEM, "prompt: out of memory"); }

static status check_length(const model *m, int64_t n, error *err)
{
    if (n < 1) {
        error_set(err, E_USAGE, "the prompt is empty");
        error_hint(err, "give some text, or token ids with --tokens");
        return E_USAGE;
    }
    if (n < m->config.n_least) {
        error_set(err, E_USAGE, "the prompt has %lld token%s, %s takes no fewer than %d",
                  (long long)n, n == 1 ? "" : "s", m->name, m->config.n_least);
        error_hint(err, "it stacks the embeddings of %d numbers", m->config.n_least);
        return E_USAGE;
    }
    if (n <= m->config.n_ctx) return E_OK;
    error_set(err, E_LIMIT, "the prompt has %lld tokens, %s takes at most %d", (long long)n,
              m->name, m->config.n_ctx);
    error_hint(err, "shorten it");
    return E_LIMIT;
}

/* Put an id where it belongs, if the model has it. */
static status set_id(prompt *p, const model *m, int32_t i, int64_t id, error *err)
{
    if (id < 0 || id >= m->config.n_vocab) {
        error_set(err, E_RANGE, "token id %lld at position %d, expected 0 to %d", (long long)id, i,
                  m->config.n_vocab - 1);
        if (m->tokens && tokenizer_count(m->tokens) > m->config.n_vocab)
            error_hint(err, "the tokenizer has %d tokens: it is another model's",
                       tokenizer_count(m->tokens));
        return E_RANGE;
    }
    ((int32_t *)p->id)[i] = (int32_t)id;
    ((double *)p->value)[i] = (double)id;
    return E_OK;
}

static status set_pieces(prompt *p, const model *m, error *err)
{
    if (!m->tokens) return E_OK;
    piece *list = arena_array(&p->mem, p->n, sizeof *list);
    if (!list) return nomem(err);
    for (int32_t i = 0; i < p->n; i++) {
        list[i].p = tokenizer_text(m->tokens, p->id[i], &list[i].n);
        if (!list[i].p) list[i] = (piece){ "", 0 };
    }
    p->piece = list;
    return E_OK;
}

status prompt_from_ids(prompt **out, const model *m, const int64_t *id, int64_t n, error *err)
{
    status st = check_length(m, n, err);
    if (st != E_OK) return st;
    prompt *p = prompt_new(n);
    if (!p) return nomem(err);
    for (int32_t i = 0; i < n && st == E_OK; i++) st = set_id(p, m, i, id[i], err);
    if (st == E_OK) st = set_pieces(p, m, err);
    if (st == E_OK) *out = p;
    else prompt_free(p);
    return st;
}

static status fill_text(prompt *p, const model *m, const char *text, size_t n, const token_span *s,
                        error *err)
{
    int32_t *first = arena_array(&p->mem, p->n, sizeof *first),
            *end = arena_array(&p->mem, p->n, sizeof *end);
    char *copy = arena_get(&p->mem, n + 1);
    status st = first && end && copy ? E_OK : nomem(err);
    for (int32_t i = 0; i < p->n && st == E_OK; i++) {
        st = set_id(p, m, i, s[i].id, err);
        first[i] = (int32_t)s[i].first, end[i] = (int32_t)s[i].end;
    }
    if (st != E_OK) return st;
    memcpy(copy, text, n);
    copy[n] = 0;
    p->text = copy, p->text_bytes = n, p->first = first, p->end = end;
    p->has_bos = p->id[0] == tokenizer_bos(m->tokens) && s[0].first == s[0].end;
    return set_pieces(p, m, err);
}

status prompt_from_text(prompt **out, const model *m, const char *text, size_t n, bos_policy bos,
                        error *err)
{
    arena mem = { 0 };
    token_span *s = NULL;
    prompt *p = NULL;
    int64_t k = 0;
    if (!m->tokens) {
        error_set(err, E_USAGE, "%s came without a tokenizer: a prompt must be token ids", m->name);
        error_hint(err, "give ids (--tokens 1,2,3; in files of prompts or pairs lists [1, 2, 3]), "
                        "or put its tokenizer beside the model "
                        "(tokenizer.json, tokenizer.model; tok*.bin beside a llama2.c file)");
        return E_USAGE;
    }
    if (!n && bos != BOS_YES) return check_length(m, 0, err);
    if (n > INT32_MAX / 2) return error_set(err, E_LIMIT, "the prompt has %zu bytes", n);
    token_bos how = bos == BOS_YES ? TOKEN_BOS_YES : bos == BOS_NO ? TOKEN_BOS_NO : TOKEN_BOS_AUTO;
    status st = tokenizer_encode(m->tokens, &mem, text, n, how, &s, &k, err);
    if (st == E_OK) st = check_length(m, k, err);
    if (st == E_OK) p = prompt_new(k);
    if (st == E_OK) st = p ? fill_text(p, m, text, n, s, err) : nomem(err);
    arena_release(&mem);
    if (st == E_OK) *out = p;
    else prompt_free(p);
    return st;
}

static status join_pair(prompt **out, const model *m, const token_span *const s[2],
                        const int64_t k[2], int32_t n_before, arena *mem, error *err)
{
    int64_t n = 0, most = k[0] + k[1], *id = arena_array(mem, most, sizeof *id),
            *type = arena_array(mem, most, sizeof *type);
    if (!id || !type) return nomem(err);
    for (int which = 0; which < 2; which++)
        for (int64_t i = which ? n_before : 0; i < k[which]; i++, n++)
            id[n] = s[which][i].id, type[n] = which;
    prompt *p = NULL;
    status st = prompt_from_ids(&p, m, id, n, err);
    if (st == E_OK) st = prompt_types(p, m, type, n, err);
    if (st == E_OK) *out = p;
    else prompt_free(p);
    return st;
}

status prompt_from_pair(prompt **out, const model *m, const char *const text[2], error *err)
{
    arena mem = { 0 };
    token_span *s[2];
    int64_t k[2];
    int32_t n_before;
    if (!m->type)
        return error_set(err, E_UNSUPPORTED, "%s does not tell a second text from the first",
                         m->name);
    if (!m->tokens || !tokenizer_pairs(m->tokens, &n_before)) {
        error_set(err, E_UNSUPPORTED,
                  "%s has no tokenizer that puts two texts together as BERT's does", m->name);
        error_hint(err, "give ids and their types: --tokens 1,2,3 --token-types 0,0,1");
        return E_UNSUPPORTED;
    }
    status st = E_OK;
    for (int i = 0; i < 2 && st == E_OK; i++)
        st = tokenizer_encode(m->tokens, &mem, text[i], strlen(text[i]), TOKEN_BOS_AUTO, &s[i],
                              &k[i], err);
    if (st == E_OK)
        st = join_pair(out, m, (const token_span *[]){ s[0], s[1] }, k, n_before, &mem, err);
    arena_release(&mem);
    return st;
}

/* ---- into a lane ---- */

static status types_give(const double *type, const model *m, lane *l, error *err)
{
    int32_t n = lane_len(l);
    size_t bytes = (size_t)n * sizeof *type;
    for (int32_t i = 0; type && i < n; i++)
        if (!(type[i] >= 0 && type[i] < m->config.n_type))
            return error_set(err, E_RANGE, "token type %g at position %d, expected 0 to %d",
                             type[i], i, m->config.n_type - 1);
    if (type) return lane_give(l, m->type, type, err);
    double *zero = mem_zero(bytes);
    if (!zero) return nomem(err);
    status st = lane_give(l, m->type, zero, err);
    mem_free(zero, bytes);
    return st;
}

status prompt_types(prompt *p, const model *m, const int64_t *type, int64_t n, error *err)
{
    if (!m->type)
        return error_set(err, E_UNSUPPORTED, "%s has no token types: they are BERT's", m->name);
    if (n != p->n)
        return error_set(err, E_SHAPE, "%lld token types for %d tokens, expected one for each",
                         (long long)n, p->n);
    double *v = arena_array(&p->mem, n, sizeof *v);
    if (!v) return nomem(err);
    for (int64_t i = 0; i < n; i++) {
        if (type[i] < 0 || type[i] >= m->config.n_type)
            return error_set(err, E_RANGE, "token type %lld at position %lld, expected 0 to %d",
                             (long long)type[i], (long long)i, m->config.n_type - 1);
        v[i] = (double)type[i];
    }
    p->type = v;
    return E_OK;
}

status ids_give(const double *id, const double *type, const model *m, lane *l, error *err)
{
    status st = lane_give(l, m->token, id, err);
    return st == E_OK && m->type ? types_give(type, m, l, err) : st;
}

status prompt_give(const prompt *p, const model *m, lane *l, error *err)
{
    return ids_give(p->value, p->type, m, l, err);
}

/* ---- lists of ids ---- */

/* A list's whole numbers, in mem. */
static status json_ids(int64_t **out, arena *mem, const json_t *v, error *err)
{
    size_t i;
    const json_t *x;
    int64_t *id = arena_array(mem, (int64_t)json_array_size(v) + 1, sizeof *id);
    if (!id) return nomem(err);
    json_array_foreach(v, i, x)
    {
        if (!json_is_integer(x))
            return error_set(err, E_FORMAT, "token %zu of the list is %s, expected an id", i,
                             json_kind(x));
        id[i] = json_integer_value(x);
    }
    *out = id;
    return E_OK;
}

static status from_json_ids(prompt **out, arena *mem, const model *m, const json_t *v, error *err)
{
    int64_t *id;
    status st = json_ids(&id, mem, v, err);
    return st == E_OK ? prompt_from_ids(out, m, id, (int64_t)json_array_size(v), err) : st;
}

static status from_json(prompt ***out, int *n, arena *mem, const model *m, const json_t *v,
                        error *err)
{
    bool many = json_is_array(json_array_get(v, 0));
    size_t count = many ? json_array_size(v) : 1;
    if (!json_is_array(v))
        return error_set(err, E_FORMAT,
                         "token ids are %s, expected a list of ids or a list of such lists",
                         json_kind(v));
    prompt **list = arena_array(mem, (int64_t)count + 1, sizeof *list);
    if (!list) return nomem(err);
    for (size_t i = 0; i < count; i++) {
        status st = from_json_ids(&list[i], mem, m, many ? json_array_get(v, i) : v, err);
        if (st == E_OK) continue;
        if (many) error_prefix(err, "prompt %zu", i);
        while (i) prompt_free(list[--i]);
        return st;
    }
    *out = list, *n = (int)count;
    return E_OK;
}

/* "1,2, 3" as "[1,2, 3]". */
static bool looks_like_ids(const char *text)
{
    return *text && strspn(text, "0123456789, -") == strlen(text);
}

/* What a parameter `name` holds: lists of ids as they are written, or the file of them. */
static status read_lists(json_t **out, const char *name, const char *text, error *err)
{
    status st;
    str s = { 0 };
    bool bare = looks_like_ids(text);
    if (bare) str_printf(&s, "[%s]", text);
    if (s.failed) st = nomem(err);
    else if (bare) st = json_parse(out, s.p, s.n, name, err);
    else if (*text == '[') st = json_parse(out, text, strlen(text), name, err);
    else if (!file_exists(text)) {
        st = error_set(err, E_USAGE, "%s '%.80s': no list of ids, and no file of that name",
                       name + 2, text);
        error_hint(err, "%s 1,2,3, or a JSON file of lists of ids", name);
    } else st = json_open(out, text, MAX_IDS_FILE, err);
    str_release(&s);
    return st;
}

status prompt_list(prompt ***out, int *n, arena *mem, const model *m, const char *text, error *err)
{
    json_t *v = NULL;
    status st = read_lists(&v, "--tokens", text, err);
    if (st == E_OK) st = from_json(out, n, mem, m, v, err);
    json_decref(v);
    return st;
}

status prompt_list_types(prompt *const *p, int n, arena *mem, const model *m, const char *text,
                         error *err)
{
    json_t *v = NULL;
    int64_t *type;
    status st = read_lists(&v, "--token-types", text, err);
    bool many = json_is_array(json_array_get(v, 0));
    int count = many ? (int)json_array_size(v) : 1;
    if (st == E_OK && count != n)
        st = error_set(err, E_USAGE, "token types of %d prompts, where there are %d", count, n);
    for (int i = 0; i < n && st == E_OK; i++) {
        const json_t *list = many ? json_array_get(v, (size_t)i) : v;
        st = json_ids(&type, mem, list, err);
        if (st == E_OK) st = prompt_types(p[i], m, type, (int64_t)json_array_size(list), err);
        if (st != E_OK && many) error_prefix(err, "prompt %d", i);
    }
    json_decref(v);
    return st;
}

/* ---- labels ---- */

/* Bytes as people can read them: control characters and what is not UTF-8 escaped. */
static void escape(const char *p, size_t n, char *out, size_t bytes)
{
    size_t k = 0;
    for (size_t i = 0; i < n && k + 8 < bytes;) {
        int len = utf8_next(p + i, n - i, NULL);
        unsigned char c = (unsigned char)p[i];
        if (c == '\n') k += (size_t)snprintf(out + k, bytes - k, "\\n");
        else if (c == '\t') k += (size_t)snprintf(out + k, bytes - k, "\\t");
        else if (!len || c < ' ' || c == 127)
            k += (size_t)snprintf(out + k, bytes - k, "\\x%02x", c);
        else {
            memcpy(out + k, p + i, (size_t)len);
            k += (size_t)len;
        }
        i += len ? (size_t)len : 1;
    }
    out[k] = 0;
}

void token_label(const model *m, int32_t id, char *out, size_t bytes)
{
    size_t n = 0;
    const char *p = m->tokens ? tokenizer_text(m->tokens, id, &n) : NULL;
    if (p) escape(p, n, out, bytes);
    else snprintf(out, bytes, "#%d", id);
}

void prompt_label(const prompt *p, int32_t pos, char *out, size_t bytes)
{
    if (p->piece && p->piece[pos].n) escape(p->piece[pos].p, p->piece[pos].n, out, bytes);
    else snprintf(out, bytes, "#%d", p->id[pos]);
}

/* ---- one token ---- */

/* No token has exactly this text: it is cut, which may give one all the same (words, told apart by spaces). */
static status token_of_text(const model *m, const char *text, size_t n, int32_t *out, error *err)
{
    arena mem = { 0 };
    token_span *s;
    int64_t k = 0;
    char list[200] = "", label[40];
    status st = tokenizer_encode(m->tokens, &mem, text, n, TOKEN_BOS_NO, &s, &k, NULL);
    if (st == E_NOMEM) {
        arena_release(&mem);
        return error_set(err, E_NOMEM, "%s: out of memory", m->name);
    }
    if (st != E_OK) k = 0;
    if (k == 1 && s[0].id < m->config.n_vocab_out) {
        *out = s[0].id;
        arena_release(&mem);
        return E_OK;
    }
    for (int64_t i = 0; i < k && i < 6; i++) {
        token_label(m, s[i].id, label, sizeof label);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s\"%s\"", i ? ", " : "", label);
    }
    arena_release(&mem);
    if (!k)
        return error_set(err, E_RANGE, "\"%.*s\" is no token of the model's, nor several",
                         (int)(n < 80 ? n : 80), text);
    error_set(err, E_RANGE, "\"%.*s\" is %lld tokens, expected one: %s", (int)(n < 80 ? n : 80),
              text, (long long)k, list);
    if (*text != ' ')
        error_hint(err, "most words begin with a space inside a text: \" %.*s\"",
                   (int)(n < 80 ? n : 80), text);
    return E_RANGE;
}

status token_find(const model *m, const char *text, size_t n, int32_t *out, error *err)
{
    char digits[16], *end;
    if (n > 1 && n < sizeof digits && *text == '#') {
        memcpy(digits, text + 1, n - 1);
        digits[n - 1] = 0;
        long long id = strtoll(digits, &end, 10);
        if (!*end && id >= 0 && id < m->config.n_vocab_out) {
            *out = (int32_t)id;
            return E_OK;
        }
        return error_set(err, E_RANGE, "token #%s, expected #0 to #%d", digits,
                         m->config.n_vocab_out - 1);
    }
    if (!m->tokens) {
        error_set(err, E_USAGE, "%s came without a tokenizer: a token must be written #ID",
                  m->name);
        return E_USAGE;
    }
    int32_t id = tokenizer_find(m->tokens, text, n);
    if (id < 0 || id >= m->config.n_vocab_out) return token_of_text(m, text, n, out, err);
    *out = id;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
