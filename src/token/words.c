/* words -- whole words, separated by spaces: the vocabulary of models that are made, not found. */
#include "token/token_def.h"
#include "base/hash.h"
#include <stdio.h>
#include <string.h>

static status unknown(const tokenizer *t, const char *p, size_t n, error *err)
{
    char word[128];
    int best = 1000;
    const char *near = NULL;
    snprintf(word, sizeof word, "%.*s", (int)(n < 100 ? n : 100), p);
    for (int32_t i = 0; i < t->n; i++) {
        int d = str_distance(word, t->text[i].p);
        if (d < best) best = d, near = t->text[i].p;
    }
    error_set(err, E_FORMAT, "the word '%s' is not in the vocabulary, which has %d words", word,
              t->n);
    if (near) error_hint(err, "the nearest is '%s'; words are separated by spaces", near);
    return E_FORMAT;
}

static status encode(const tokenizer *t, arena *mem, const char *text, size_t n, span_list *out,
                     error *err)
{
    (void)mem;
    for (size_t i = 0; i < n;) {
        size_t len = 0;
        while (i + len < n && text[i + len] != ' ') len++;
        if (len) {
            int32_t id = table_find(&t->by_text, t->text, text + i, len);
            if (id < 0) return unknown(t, text + i, len, err);
            if (!spans_add(out, (token_span){ id, i, i + len }))
                return error_set(err, E_NOMEM, "tokenizer: out of memory");
        }
        i += len + 1;
    }
    return E_OK;
}

static void decode(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s)
{
    (void)repair;
    for (int64_t i = 0; i < n; i++) {
        size_t len;
        const char *p = tokenizer_text(t, id[i], &len);
        if (!p) continue;
        if (i) str_puts(s, " ");
        str_add(s, p, len);
    }
}

const token_def token_words_def = { .name = "words", .encode = encode, .decode = decode };

static bool fill(tokenizer *t, const char *const *word, int32_t n)
{
    char digits[HASH_TEXT];
    hash *h = hash_new();
    t->text = arena_array(&t->mem, n + 1, sizeof *t->text);
    bool fine = h && t->text && table_init(&t->by_text, &t->mem, n);
    for (int32_t i = 0; fine && i < n; i++) {
        char *copy = arena_string(&t->mem, word[i]);
        fine = copy != NULL;
        if (!fine) break;
        t->text[i] = (token_text){
            .p = copy, .n = (uint32_t)strlen(copy), .special = i == t->bos, .there = true
        };
        table_add(&t->by_text, t->text, i);
        hash_add(h, copy, strlen(copy) + 1);
    }
    if (fine) hash_text(h, digits), snprintf(t->hash, sizeof t->hash, "xxh3-128:%s", digits);
    hash_free(h);
    return fine;
}

status tokenizer_words(tokenizer **out, const char *const *word, int32_t n, int32_t bos, error *err)
{
    tokenizer *t = mem_zero(sizeof *t);
    if (t)
        t->def = &token_words_def, t->n = n, t->bos = bos, t->prefix = &t->bos,
        t->n_prefix = bos >= 0;
    if (!t || !fill(t, word, n)) {
        tokenizer_free(t);
        return error_set(err, E_NOMEM, "tokenizer: out of memory");
    }
    *out = t;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
