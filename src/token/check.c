/* check -- a tokenizer against vectors stored by the original (tokenizer_check). */
#include "base/file.h"
#include "base/json.h"
#include "token/token_def.h"
#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 1 << 30, WHAT = 400 };

typedef struct checker {
    const tokenizer *t;
    tokenizer_tell *tell;
    void *user;
    int64_t line;
    bool right;
} checker;

static void differ(checker *c, const char *what)
{
    c->right = false;
    if (c->tell) c->tell(c->user, c->line, what);
}

/* Characters in the first n bytes: vectors count those. */
static int64_t characters(const char *text, size_t n)
{
    int64_t k = 0;
    for (size_t i = 0; i < n; i++) k += ((unsigned char)text[i] & 0xc0) != 0x80;
    return k;
}

static void check_ids(checker *c, const json_t *ids, const token_span *s, int64_t n)
{
    char what[WHAT];
    for (int64_t i = 0; i < n || i < (int64_t)json_array_size(ids); i++) {
        long long want = i < (int64_t)json_array_size(ids)
                             ? json_integer_value(json_array_get(ids, (size_t)i))
                             : -1;
        long long got = i < n ? s[i].id : -1;
        if (want == got) continue;
        snprintf(what, sizeof what, "token %lld of %zu is %lld, expected %lld", (long long)i,
                 json_array_size(ids), got, want);
        differ(c, what);
        return;
    }
}

static void check_offsets(checker *c, const json_t *v, const char *text, const token_span *s,
                          int64_t n)
{
    char what[WHAT];
    for (int64_t i = 0; i < n && i < (int64_t)json_array_size(v); i++) {
        const json_t *pair = json_array_get(v, (size_t)i);
        long long a = json_integer_value(json_array_get(pair, 0)),
                  b = json_integer_value(json_array_get(pair, 1));
        int64_t first = characters(text, s[i].first), end = characters(text, s[i].end);
        if (a == first && b == end) continue;
        snprintf(what, sizeof what,
                 "token %lld covers characters %lld to %lld, expected %lld to %lld", (long long)i,
                 (long long)first, (long long)end, a, b);
        differ(c, what);
        return;
    }
}

static status check_decoded(checker *c, arena *mem, const json_t *v, const token_span *s, int64_t n,
                            error *err)
{
    str text = { 0 };
    int32_t *id = arena_array(mem, n + 1, sizeof *id);
    if (!id) return error_set(err, E_NOMEM, "vectors: out of memory");
    for (int64_t i = 0; i < n; i++) id[i] = s[i].id;
    tokenizer_decode(c->t, id, n, true, &text);
    bool same = !text.failed && text.n == json_string_length(v) &&
                (!text.n || !memcmp(text.p, json_string_value(v), text.n));
    if (!same && !text.failed) differ(c, "the decoded text differs");
    status st = text.failed ? error_set(err, E_NOMEM, "vectors: out of memory") : E_OK;
    str_release(&text);
    return st;
}

static status check_vector(checker *c, const json_t *v, error *err)
{
    arena mem = { 0 };
    token_span *s = NULL;
    int64_t n = 0;
    const json_t *text = json_object_get(v, "text"), *decoded = json_object_get(v, "decoded");
    if (!json_is_string(text))
        return error_set(err, E_FORMAT, "line %lld: text is %s, expected a string",
                         (long long)c->line, json_kind(text));
    if (!json_object_get(v, "ids") && !json_object_get(v, "offsets") && !decoded)
        return error_set(err, E_FORMAT,
                         "line %lld: nothing to compare with, expected ids, offsets or decoded",
                         (long long)c->line);
    token_bos bos =
        json_is_false(json_object_get(v, "add_special_tokens")) ? TOKEN_BOS_NO : TOKEN_BOS_AUTO;
    status st = tokenizer_encode(c->t, &mem, json_string_value(text), json_string_length(text), bos,
                                 &s, &n, err);
    if (st == E_OK && json_object_get(v, "ids")) check_ids(c, json_object_get(v, "ids"), s, n);
    if (st == E_OK && c->right)
        check_offsets(c, json_object_get(v, "offsets"), json_string_value(text), s, n);
    if (st == E_OK && json_is_string(decoded)) st = check_decoded(c, &mem, decoded, s, n, err);
    arena_release(&mem);
    return st;
}

status tokenizer_check(const tokenizer *t, const char *path, tokenizer_tell *tell, void *user,
                       int64_t *n_right, int64_t *n_wrong, error *err)
{
    str s = { 0 };
    checker c = { .t = t, .tell = tell, .user = user };
    status st = file_read(&s, path, MAX_FILE, err);
    *n_right = *n_wrong = 0;
    for (size_t at = 0; st == E_OK && at < s.n;) {
        const char *line = s.p + at, *end = memchr(line, '\n', s.n - at);
        size_t n = end ? (size_t)(end - line) : s.n - at;
        json_t *v = NULL;
        at += n + 1;
        c.line++;
        if (!n) continue;
        c.right = true;
        st = json_parse_bytes(&v, line, n, path, err);
        if (st == E_OK) st = check_vector(&c, v, err);
        if (st == E_OK) ++*(c.right ? n_right : n_wrong);
        json_decref(v);
    }
    str_release(&s);
    return st;
}
/* SPDX-License-Identifier: MIT */
