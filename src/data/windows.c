/* windows -- see windows.h: documents are encoded piece by piece into a queue of tokens, windows are cut from the queue. */
#include "data/windows.h"
#include <string.h>

enum { PIECE = 256 << 10, OVERLAP = 1 << 10, MAX_OVERLAP = 32 << 10, AGREE = 8, WINDOW = 256 };

/* A token of the document under way. */
typedef struct coin {
    int32_t id;
    size_t first, end;
} coin;

struct windows {
    const model *m;
    documents docs;
    document doc;
    bool in_doc;
    int32_t window, stride, bos; /* bos -1: none */
    size_t piece;
    arena mem;  /* of one encoding */
    coin *coin; /* [n_coin] of the document, from token `base` on */
    int64_t n_coin, cap, base;
    size_t encoded; /* bytes of the document whose tokens are in the queue, or were */
    bool ended;     /* all of the document is */
    int64_t next;   /* the token at which the next window begins */
    int64_t target; /* tokens before it were predicted */
    int64_t n_window, n_token, n_alone, n_seam;
};

/* ---- opening ---- */

static status nomem(error *err) { return error_set(err, E_NOMEM, "windows: out of memory"); }

static status settle_bos(windows *c, const windows_options *o, error *err)
{
    const tokenizer *t = c->m->tokens;
    c->bos = -1;
    if (o->bos == BOS_NO || (o->bos == BOS_AUTO && (!t || !tokenizer_adds_bos(t)))) return E_OK;
    c->bos = t ? tokenizer_bos(t) : -1;
    if (c->bos < 0)
        return error_set(err, E_USAGE, "%s has no token that begins a text (BOS)", c->m->name);
    return E_OK;
}

static status settle_window(windows *c, const windows_options *o, error *err)
{
    int64_t most = c->m->config.n_ctx, window = o->window ? o->window : WINDOW;
    if (!o->window && window > most) window = most;
    if (window < 2 || window > most)
        return error_set(err, E_USAGE, "window: %lld tokens, expected 2 to %lld (%s takes no more)",
                         (long long)window, (long long)most, c->m->name);
    int64_t stride = o->stride ? o->stride : window - 1;
    if (stride < 1 || stride >= window)
        return error_set(
            err, E_USAGE,
            "stride: %lld tokens, expected 1 to %lld: windows of %lld that lie further "
            "apart would leave tokens out",
            (long long)stride, (long long)window - 1, (long long)window);
    c->window = (int32_t)window, c->stride = (int32_t)stride;
    return E_OK;
}

status windows_open(windows **out, const model *m, const windows_options *o, error *err)
{
    windows *c = mem_zero(sizeof *c);
    if (!c) return nomem(err);
    c->m = m;
    c->piece = o->piece > 0 ? (size_t)o->piece : PIECE;
    status st = settle_bos(c, o, err);
    if (st == E_OK) st = settle_window(c, o, err);
    if (st == E_OK) st = documents_open(&c->docs, o->path, o->field, o->separator, err);
    if (st == E_OK) *out = c;
    else windows_close(c);
    return st;
}

void windows_close(windows *c)
{
    if (!c) return;
    documents_close(&c->docs);
    arena_release(&c->mem);
    mem_free(c->coin, (size_t)c->cap * sizeof *c->coin);
    mem_free(c, sizeof *c);
}

windows_facts windows_say(const windows *c)
{
    size_t all = c->docs.map.bytes, done = c->docs.at;
    if (!c->docs.json && c->in_doc) done = c->doc.at + c->encoded;
    return (windows_facts){ .window = c->window,
                            .stride = c->stride,
                            .bos = c->bos >= 0,
                            .done = all ? (double)done / (double)all : 1,
                            .n_document = c->docs.n_read,
                            .n_token = c->n_token,
                            .n_alone = c->n_alone,
                            .n_seam = c->n_seam };
}

/* ---- the queue ---- */

/* Tokens before `from` have been used up, but for some that a seam is checked by. */
static void forget(windows *c, int64_t from)
{
    int64_t drop = from - c->base - MAX_OVERLAP;
    if (drop < c->cap / 2 || drop <= 0) return;
    c->n_coin -= drop, c->base += drop;
    memmove(c->coin, c->coin + drop, (size_t)c->n_coin * sizeof *c->coin);
}

static status add_coin(windows *c, coin x, error *err)
{
    if (x.id < 0 || x.id >= c->m->config.n_vocab)
        return error_set(err, E_RANGE, "%s, document %lld: token id %d, expected 0 to %d",
                         c->docs.path, (long long)c->doc.index, x.id, c->m->config.n_vocab - 1);
    if (c->n_coin == c->cap) {
        int64_t cap = c->cap ? 2 * c->cap : 4096;
        coin *grown =
            mem_resize(c->coin, (size_t)c->cap * sizeof *grown, (size_t)cap * sizeof *grown);
        if (!grown) return nomem(err);
        c->coin = grown, c->cap = cap;
    }
    c->coin[c->n_coin++] = x;
    c->n_token++;
    return E_OK;
}

/* ---- encoding a piece ---- */

static size_t char_begin(const char *p, size_t at)
{
    while (at && ((unsigned char)p[at] & 0xC0) == 0x80) at--;
    return at;
}

static status check_utf8(const windows *c, size_t from, size_t to, error *err)
{
    size_t bad = from + utf8_check(c->doc.text + from, to - from);
    if (bad == to) return E_OK;
    error_set(err, E_FORMAT, "%s: %s %zu is not UTF-8", c->docs.path,
              c->docs.json ? "in a document, byte" : "byte", c->docs.json ? bad : c->doc.at + bad);
    error_hint(err, "what it is in can be turned into UTF-8: iconv -f latin1 -t utf-8 FILE");
    return E_FORMAT;
}

static status encode(windows *c, size_t from, size_t to, token_span **out, int64_t *n, error *err)
{
    arena_reset(&c->mem);
    status st = check_utf8(c, from, to, err);
    if (st == E_OK)
        st = tokenizer_encode(c->m->tokens, &c->mem, c->doc.text + from, to - from, TOKEN_BOS_NO,
                              out, n, err);
    for (int64_t i = 0; st == E_OK && i < *n; i++) (*out)[i].first += from, (*out)[i].end += from;
    return st;
}

/* Does text[0..first) end where span i begins, so that it may be cut there? */
static bool clean(const token_span *s, int64_t i)
{
    return s[i].end > s[i].first && (!i || s[i - 1].end <= s[i].first);
}

/* The span that begins at the seam, if the tokens before it are those in the queue; else -1. */
static int64_t find_seam(const windows *c, const token_span *s, int64_t n)
{
    int64_t i = 0, k;
    while (i < n && (s[i].first < c->encoded || !clean(s, i))) i++;
    if (i == n ? !n || s[n - 1].end != c->encoded : s[i].first != c->encoded) return -1;
    int64_t want = c->n_coin < AGREE ? c->n_coin : AGREE;
    if (i < want) return -1;
    for (k = 1; k <= want; k++) {
        const coin *x = &c->coin[c->n_coin - k];
        const token_span *y = &s[i - k];
        if (x->id != y->id || x->first != y->first || x->end != y->end) break;
    }
    return k > want ? i : -1;
}

/* Where an overlap of that many bytes begins: at a token of the queue. */
static size_t overlap_begin(const windows *c, size_t bytes)
{
    int64_t i = c->n_coin;
    if (c->encoded <= bytes) return 0;
    while (i > 0 && c->coin[i - 1].first > c->encoded - bytes) i--;
    return i > 0 ? char_begin(c->doc.text, c->coin[i - 1].first) : c->encoded;
}

/* Encode on from c->encoded; spans from *i on are new. */
static status encode_on(windows *c, size_t to, token_span **s, int64_t *n, int64_t *i, error *err)
{
    *i = 0;
    if (!c->encoded) return encode(c, 0, to, s, n, err);
    for (size_t overlap = OVERLAP; overlap <= MAX_OVERLAP; overlap *= 4) {
        size_t from = overlap_begin(c, overlap);
        if (from == c->encoded) break;
        status st = encode(c, from, to, s, n, err);
        if (st != E_OK) return st;
        *i = find_seam(c, *s, *n);
        if (*i >= 0) return E_OK;
        if (!from) break;
    }
    *i = 0, c->n_seam++;
    return encode(c, c->encoded, to, s, n, err);
}

/* The last place at which spans [i, n) may be cut that has `bytes` of text behind it; i where there is none. */
static int64_t cut_before(const token_span *s, int64_t i, int64_t n, size_t to, size_t bytes)
{
    int64_t k = n - 1;
    while (k > i && (s[k].first + bytes > to || !clean(s, k))) k--;
    return k;
}

static status encode_piece(windows *c, error *err)
{
    token_span *s = NULL;
    int64_t n = 0, i, end;
    size_t to = c->encoded + c->piece + OVERLAP, all = c->doc.n;
    to = to >= all ? all : char_begin(c->doc.text, to);
    status st = encode_on(c, to, &s, &n, &i, err);
    if (st != E_OK) return st;
    end = to < all ? cut_before(s, i, n, to, OVERLAP) : n;
    if (to < all && end <= i) end = n, c->n_seam++; /* no place to cut: all of it */
    for (int64_t k = i; k < end && st == E_OK; k++)
        st = add_coin(c, (coin){ s[k].id, s[k].first, s[k].end }, err);
    c->encoded = end < n ? s[end].first : to;
    c->ended = c->encoded == all;
    return st;
}

/* ---- documents ---- */

static status take_ids(windows *c, error *err)
{
    size_t i;
    const json_t *x;
    json_array_foreach(c->doc.ids, i, x)
    {
        int64_t id = json_is_integer(x) ? json_integer_value(x) : -1;
        if (id < 0 || id >= c->m->config.n_vocab)
            return error_set(
                err, E_RANGE, "%s, line %lld: token %zu is %s, expected an id of 0 to %d",
                c->docs.path, (long long)c->docs.line, i,
                json_is_integer(x) ? "no such id" : json_kind(x), c->m->config.n_vocab - 1);
        status st = add_coin(c, (coin){ (int32_t)id, 0, 0 }, err);
        if (st != E_OK) return st;
    }
    c->ended = true;
    return E_OK;
}

static status begin_document(windows *c, error *err)
{
    status st = documents_next(&c->docs, &c->doc, &c->in_doc, err);
    c->n_coin = c->base = c->next = 0, c->target = 0;
    c->encoded = 0, c->ended = false;
    if (st != E_OK || !c->in_doc) return st;
    if (c->doc.ids) return take_ids(c, err);
    if (c->m->tokens) return E_OK;
    error_set(err, E_USAGE, "%s came without a tokenizer: documents must be token ids", c->m->name);
    error_hint(err, "lines of JSON in a file NAME.jsonl: [1, 2, 3]");
    return E_USAGE;
}

/* Have a window's tokens in the queue, or all there are. */
static status fill(windows *c, error *err)
{
    status st = E_OK;
    forget(c, c->next);
    while (!c->ended && c->base + c->n_coin < c->next + c->window && st == E_OK)
        st = encode_piece(c, err);
    return st;
}

/* ---- windows ---- */

void text_window_free(text_window *w)
{
    if (!w) return;
    if (w->byte) mem_free(w->byte, ((size_t)w->p->n + 1) * sizeof *w->byte);
    prompt_free(w->p);
    mem_free(w, sizeof *w);
}

/* Ids of the window: BOS, and n tokens of the queue. */
static status window_prompt(windows *c, text_window *w, int64_t n, error *err)
{
    arena_reset(&c->mem);
    int64_t k = c->bos >= 0;
    int64_t *id = arena_array(&c->mem, n + 1, sizeof *id);
    if (!id) return nomem(err);
    if (k) id[0] = c->bos;
    for (int64_t i = 0; i < n; i++) id[k + i] = c->coin[c->next - c->base + i].id;
    return prompt_from_ids(&w->p, c->m, id, n + k, err);
}

static status make_window(windows *c, text_window **out, int64_t n, error *err)
{
    text_window *w = mem_zero(sizeof *w);
    const coin *x = c->coin + (c->next - c->base);
    int32_t k = c->bos >= 0;
    status st = w ? window_prompt(c, w, n, err) : nomem(err);
    if (st == E_OK && !(w->byte = mem_zero(((size_t)w->p->n + 1) * sizeof *w->byte)))
        st = nomem(err);
    if (st != E_OK) {
        text_window_free(w);
        return st;
    }
    size_t at = c->next > c->base ? x[-1].end : 0;
    for (int32_t r = 0; r < w->p->n; r++) {
        w->byte[r] = at;
        if (r >= k && x[r - k].end > at) at = x[r - k].end;
    }
    w->byte[w->p->n] = at;
    int64_t fresh = c->target - c->next + k;
    w->fresh = fresh > 1 ? (int32_t)fresh : 1;
    w->index = c->n_window++, w->document = c->doc.index, w->document_at = c->doc.at;
    w->first = c->next;
    *out = w;
    return E_OK;
}

/* The next window of the document under way; *out stays NULL where it has no more. */
static status next_window(windows *c, text_window **out, error *err)
{
    status st = fill(c, err);
    if (st != E_OK) return st;
    int64_t most = c->window - (c->bos >= 0), have = c->base + c->n_coin,
            n = have - c->next < most ? have - c->next : most;
    if (have <= c->target || n + (c->bos >= 0) < 2) {
        if (have == 1 && c->bos < 0) c->n_alone++;
        return E_OK;
    }
    st = make_window(c, out, n, err);
    if (st != E_OK) return st;
    if (!c->next && c->bos < 0) c->n_alone++;
    c->target = c->next + n;
    c->next += c->stride;
    return E_OK;
}

status windows_next(windows *c, text_window **out, error *err)
{
    text_window *w = NULL;
    status st = E_OK;
    while (st == E_OK && !w) {
        if (!c->in_doc) st = begin_document(c, err);
        if (st != E_OK || !c->in_doc) break;
        st = next_window(c, &w, err);
        if (st == E_OK && !w) c->in_doc = false;
    }
    if (st == E_OK) *out = w;
    return st;
}
/* SPDX-License-Identifier: MIT */
