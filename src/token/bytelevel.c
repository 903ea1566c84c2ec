/* bytelevel -- byte-level BPE, as GPT-2 has it: encoding and decoding (bytelevel_read.c reads the files).
 *
 * Text is cut at added tokens, then into words by regular expressions; each byte of a word is a token,
 * and neighbours merge by the rank of their rule. */
#include "token/bytelevel.h"
#include <string.h>

/* ---- encoding ---- */

static bool by_rank(const tokenizer *t, int32_t left, int32_t right, int32_t *made, double *order)
{
    const token_pair *p = pairs_find(&bpe(t)->pair, left, right);
    if (!p) return false;
    *made = p->made, *order = p->order;
    return true;
}

typedef struct writer {
    const tokenizer *t;
    arena *mem;
    const char *text; /* the original */
    size_t shift;     /* bytes put before it */
    token_span *out;
    int64_t n;
} writer;

/* Offsets are of whole characters: a token that ends inside one covers it. */
static void span_widen(const writer *w, size_t n, token_span *s)
{
    while (s->first > 0 && s->first < n && ((unsigned char)w->text[s->first] & 0xc0) == 0x80)
        s->first--;
    while (s->end > 0 && s->end < n && ((unsigned char)w->text[s->end] & 0xc0) == 0x80) s->end++;
}

static bool put_word(writer *w, const char *p, size_t n, size_t at)
{
    const tokenizer *t = w->t;
    token_span *s = w->out + w->n;
    int32_t whole = bpe(t)->ignore_merges ? table_find(&t->by_text, t->text, p, n) : -1;
    int64_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = bpe(t)->byte_id[(unsigned char)p[i]];
        if (id < 0) id = bpe(t)->unk; /* as the original: left out when there is no unknown token */
        if (id >= 0) s[k++] = (token_span){ id, at + i, at + i + 1 };
    }
    if (whole >= 0) s[0] = (token_span){ whole, at, at + n }, k = 1;
    else k = tokens_merge(t, w->mem, s, k, by_rank);
    if (k < 0) return false;
    w->n += k;
    return true;
}

static size_t next_char(const char *p, size_t n, size_t at)
{
    for (at++; at < n && ((unsigned char)p[at] & 0xc0) == 0x80;) at++;
    return at;
}

static size_t last_char(const char *p, size_t at)
{
    for (at--; at > 0 && ((unsigned char)p[at] & 0xc0) == 0x80;) at--;
    return at;
}

/* Cut [p, p + n) by the expressions from `level` on: matches and what lies between are pieces.  An empty match cuts,
 * and the search goes on a character later. */
static status put_split(writer *w, int level, const char *p, size_t n, size_t at, error *err)
{
    const tokenizer *t = w->t;
    if (level == bpe(t)->n_split)
        return put_word(w, p, n, at) ? E_OK : error_set(err, E_NOMEM, "tokenizer: out of memory");
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    status st = m ? E_OK : error_set(err, E_NOMEM, "tokenizer: out of memory");
    for (size_t done = 0, look = 0; st == E_OK && done < n;) {
        int found = look > n ? PCRE2_ERROR_NOMATCH
                             : pcre2_match(bpe(t)->split[level], (PCRE2_SPTR)p, n, look,
                                           PCRE2_NO_UTF_CHECK, m, NULL);
        size_t *v = pcre2_get_ovector_pointer(m), first = found >= 0 ? v[0] : n,
               end = found >= 0 ? v[1] : n; /* 0: it has groups too */
        if (found < 0 && found != PCRE2_ERROR_NOMATCH)
            st = error_set(err, E_LIMIT,
                           "tokenizer: the text is too hard for the expression that cuts words");
        if (st == E_OK && first > done)
            st = put_split(w, level + 1, p + done, first - done, at + done, err);
        if (st == E_OK && end > first)
            st = put_split(w, level + 1, p + first, end - first, at + first, err);
        done = end;
        look = end > first ? end : next_char(p, n, end);
    }
    pcre2_match_data_free(m);
    return st;
}

/* A stretch without added tokens.  A space that is put before it belongs to its first character. */
static status put_stretch(writer *w, const char *p, size_t n, size_t at, error *err)
{
    int64_t before = w->n;
    if (!n) return E_OK;
    if (!bpe(w->t)->add_prefix_space || *p == ' ') return put_split(w, 0, p, n, at, err);
    char *spaced = arena_get(w->mem, n + 1);
    if (!spaced) return error_set(err, E_NOMEM, "tokenizer: out of memory");
    *spaced = ' ';
    memcpy(spaced + 1, p, n);
    status st = put_split(w, 0, spaced, n + 1, at, err);
    for (int64_t i = before; i < w->n; i++) {
        token_span *s = &w->out[i];
        s->first -= s->first > at, s->end -= s->end > at;
        if (s->end == at) s->end = at + next_char(p, n, 0); /* the space alone */
    }
    return st;
}

/* Leading and trailing spaces of a token do not count as covered: a character each. */
static void spans_trim(const writer *w, size_t n)
{
    const tokenizer *t = w->t;
    for (int64_t i = 0; i < w->n; i++) {
        token_span *s = &w->out[i];
        const token_text *x = &t->text[s->id];
        size_t lead = 0, trail = 0;
        while (lead < x->n && x->p[lead] == ' ') lead++;
        while (trail < x->n && x->p[x->n - 1 - trail] == ' ') trail++;
        if (lead == 1 && bpe(t)->trim_keeps_first && (i == 0 || s->first == 0)) lead = 0;
        for (; lead && s->first < s->end; lead--) s->first = next_char(w->text, n, s->first);
        for (; trail && s->end > s->first; trail--) s->end = last_char(w->text, s->end);
    }
}

static int32_t special_at(const tokenizer *t, bool late, const char *p, size_t n)
{
    for (int32_t i = 0; i < bpe(t)->n_special; i++) {
        const added_token *s = &bpe(t)->special[i];
        const token_text *x = &bpe(t)->symbol[s->id]; /* as it is written */
        if (s->late == late && x->n <= n && *p == *x->p && !memcmp(p, x->p, x->n)) return s->id;
    }
    return -1;
}

/* Cut at added tokens: first at those that are not late, then what is left at those that are. */
static status put_text(writer *w, bool late, const char *p, size_t n, size_t at, error *err)
{
    size_t from = 0;
    status st = E_OK;
    for (size_t i = 0; i <= n && st == E_OK;) {
        int32_t id = i < n ? special_at(w->t, late, p + i, n - i) : -1;
        if (id < 0 && i < n) {
            i++;
            continue;
        }
        st = late ? put_stretch(w, p + from, i - from, at + from, err)
                  : put_text(w, true, p + from, i - from, at + from, err);
        if (id < 0) break;
        from = i + bpe(w->t)->symbol[id].n;
        w->out[w->n++] = (token_span){ id, at + i, at + from };
        i = from;
    }
    return st;
}

static status encode(const tokenizer *t, arena *mem, const char *text, size_t n, token_span *out,
                     int64_t *n_out, error *err)
{
    writer w = { .t = t, .mem = mem, .text = text, .out = out };
    status st = put_text(&w, false, text, n, 0, err);
    for (int64_t i = 0; i < w.n; i++) span_widen(&w, n, &out[i]);
    if (bpe(t)->trim_offsets) spans_trim(&w, n);
    *n_out = w.n;
    return st;
}

static void decode(const tokenizer *t, const int32_t *id, int64_t n, str *s)
{
    for (int64_t i = 0; i < n; i++) {
        size_t len;
        const char *p = tokenizer_text(t, id[i], &len);
        if (p) str_add(s, p, len);
    }
}

static void release(tokenizer *t)
{
    for (int i = 0; t->own && i < bpe(t)->n_split; i++) pcre2_code_free(bpe(t)->split[i]);
}

const token_def token_bytelevel_def = { .name = "byte-level BPE",
                                        .ends = { ".json" },
                                        .in_dir = { "tokenizer.json", "vocab.json",
                                                    "encoder.json" },
                                        .read = bytelevel_read,
                                        .release = release,
                                        .encode = encode,
                                        .decode = decode };
/* SPDX-License-Identifier: MIT */
