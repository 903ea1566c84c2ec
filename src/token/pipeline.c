/* pipeline -- see pipeline.h: building one, and the way through it. */
#include "token/pipeline.h"
#include "token/chars.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- refusals ---- */

status refuse(error *err, const char *path, const char *what)
{
    error_set(err, E_UNSUPPORTED, "%s: %s is not supported", path, what);
    error_hint(err, "it changes the ids; docs/formats.md lists what is read");
    return E_UNSUPPORTED;
}

status refuse_type(error *err, const char *path, const char *kind, const json_t *v)
{
    char what[120];
    const char *type = type_of(v);
    snprintf(what, sizeof what, "%s '%.60s'", kind, *type ? type : json_kind(v));
    return refuse(err, path, what);
}

status no_memory(error *err, const char *path)
{
    return error_set(err, E_NOMEM, "%s: out of memory", path);
}

const char *type_of(const json_t *v)
{
    const char *s = json_string_value(json_object_get(v, "type"));
    return s ? s : "";
}

/* ---- bytes written as characters ---- */

static bool prints(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) ||
           (byte >= 0xae && byte <= 0xff);
}

/* Bytes that print stand for themselves, the others for 256 and up, in order: 0 to 32, 127 to 160, 173. */
uint32_t byte_char(int byte)
{
    if (prints(byte)) return (uint32_t)byte;
    return 256u + (uint32_t)(byte <= ' ' ? byte : byte == 0xad ? 67 : byte - 127 + 33);
}

int char_byte(uint32_t c)
{
    if (c < 256) return prints((int)c) ? (int)c : -1;
    if (c < 256 + 33) return (int)c - 256;
    if (c < 256 + 67) return (int)c - 256 - 33 + 127;
    return c == 256 + 67 ? 0xad : -1;
}

/* Bytes behind a vocabulary's writing; false when it is not written in these characters. */
static bool unwrite(const char *p, size_t n, char *out, size_t *n_out)
{
    *n_out = 0;
    while (n) {
        uint32_t c;
        int len = utf8_next(p, n, &c), b = len ? char_byte(c) : -1;
        if (b < 0) return false;
        out[(*n_out)++] = (char)b;
        p += len, n -= (size_t)len;
    }
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int byte_token(const char *p, size_t n)
{
    if (n != 6 || memcmp(p, "<0x", 3) || p[5] != '>') return -1;
    int high = hex(p[3]), low = hex(p[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* ---- building ---- */

/* Room for n bytes and a zero, not taken yet; take n of them. */
static char *room_for(text_room *r, size_t n)
{
    enum { ROOM = 1 << 14 };
    if (n < r->left) return r->p;
    size_t more = n < ROOM ? ROOM : n + 1;
    char *p = arena_get(r->mem, more);
    if (p) r->p = p, r->left = more;
    return p;
}

static const char *room_take(text_room *r, size_t n)
{
    char *p = r->p;
    p[n] = 0;
    r->p += n + 1, r->left -= n + 1;
    return p;
}

step *step_new(step_list *list, const char *path, error *err)
{
    if (list->n < MAX_STEPS) return &list->at[list->n++];
    error_set(err, E_LIMIT, "%s: a part has more than %d steps", path, MAX_STEPS);
    return NULL;
}

status pipeline_begin(tokenizer *t, int64_t n, const char *path, error *err)
{
    if (n < 1 || n > MAX_TOKENS)
        return error_set(err, E_FORMAT, "%s: the largest id is %lld, expected 0 to %d", path,
                         (long long)n - 1, MAX_TOKENS - 1);
    pipeline *own = arena_zero(&t->mem, sizeof *own);
    if (!own) return no_memory(err, path);
    t->own = own, t->n = (int32_t)n, own->unk = -1;
    own->symbol_room.mem = &own->symbols, own->room.mem = &t->mem;
    t->text = arena_array(&t->mem, n, sizeof *t->text);
    own->symbol = arena_array(&own->symbols, n, sizeof *own->symbol);
    bool fine = t->text && own->symbol && table_init(&own->by_symbol, &own->symbols, t->n);
    return fine ? E_OK : no_memory(err, path);
}

status pipeline_token(tokenizer *t, int64_t id, const char *p, size_t n, bool model,
                      const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    if (id < 0 || id >= t->n)
        return error_set(err, E_FORMAT, "%s: token '%.60s' has id %lld, expected 0 to %d", path, p,
                         (long long)id, t->n - 1);
    if (own->symbol[id].there)
        return error_set(err, E_FORMAT, "%s: two tokens have id %lld", path, (long long)id);
    if (n > MAX_FILE)
        return error_set(err, E_LIMIT, "%s: token %lld has %zu bytes, at most %d are read", path,
                         (long long)id, n, MAX_FILE);
    char *copy = room_for(&own->symbol_room, n);
    if (!copy) return no_memory(err, path);
    if (n) memcpy(copy, p, n);
    own->symbol[id] = (token_text){
        .p = room_take(&own->symbol_room, n), .n = (uint32_t)n, .there = true, .piece = model
    };
    if (model) table_add(&own->by_symbol, own->symbol, (int32_t)id);
    return E_OK;
}

/* The bytes behind a symbol; its own where it is not written in such characters. */
static bool text_behind(tokenizer *t, const token_text *from, token_text *to)
{
    text_room *room = &pipe_of(t)->room;
    size_t n = from->n;
    char *bytes = room_for(room, n);
    if (!bytes) return false;
    to->written = unwrite(from->p, from->n, bytes, &n);
    if (!to->written) memcpy(bytes, from->p, from->n), n = from->n;
    to->p = room_take(room, n), to->n = (uint32_t)n, to->there = true;
    return true;
}

/* What the model compares with when symbols write bytes as characters; tokens stand for the same, so that one table is
 * of both. */
static status index_bytes(tokenizer *t, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    if (!table_init(&t->by_text, &t->mem, t->n)) return no_memory(err, path);
    for (int32_t i = 0; i < t->n; i++) {
        const token_text *from = &own->symbol[i];
        token_text *to = &t->text[i];
        if (!from->there) continue;
        if (!text_behind(t, from, to)) return no_memory(err, path);
        to->piece = to->written && table_find(&own->by_symbol, own->symbol, from->p, from->n) == i;
        table_add(&t->by_text, t->text, i);
    }
    own->piece = t->text, own->by_piece = t->by_text;
    return E_OK;
}

status pipeline_index(tokenizer *t, bool bytes, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    own->bytes = bytes;
    if (bytes) return index_bytes(t, path, err);
    own->piece = own->symbol, own->by_piece = own->by_symbol;
    return E_OK;
}

/* What a token stands for: bytes, spaces where the vocabulary writes U+2581. */
static status text_of(tokenizer *t, int32_t id, bool spaces, const char *path, error *err)
{
    static const char mark[] = "\xe2\x96\x81";
    pipeline *own = pipe_of(t);
    const token_text *from = &own->symbol[id];
    token_text *to = &t->text[id];
    bool special = to->special;
    int byte = spaces ? byte_token(from->p, from->n) : -1;
    *to = *from, to->special = special;
    if (!spaces || special || (byte < 0 && !memmem(from->p, from->n, mark, 3))) return E_OK;
    char *p = room_for(&own->room, from->n);
    if (!p) return no_memory(err, path);
    to->n = 0;
    for (size_t i = 0; byte < 0 && i < from->n;) {
        bool space = from->n - i >= 3 && !memcmp(from->p + i, mark, 3);
        p[to->n++] = space ? ' ' : from->p[i];
        i += space ? 3 : 1;
    }
    if (byte >= 0) p[to->n++] = (char)byte;
    to->p = room_take(&own->room, to->n);
    return E_OK;
}

/* Does the vocabulary write spaces as U+2581?  Then bytes are written <0x..>, too. */
static bool writes_spaces(const pipeline *own)
{
    return (own->model == &model_bpe || own->model == &model_unigram) &&
           (table_find(&own->by_symbol, own->symbol, "\xe2\x96\x81", 3) >= 0 ||
            table_find(&own->by_symbol, own->symbol, "<0x0A>", 6) >= 0);
}

/* Symbols that write bytes are not read any more. */
static void symbols_release(pipeline *own)
{
    arena_release(&own->symbols);
    own->symbol = NULL, own->by_symbol = (token_table){ 0 };
    own->symbol_room = (text_room){ 0 };
}

status pipeline_texts(tokenizer *t, const char *path, error *err)
{
    if (pipe_of(t)->bytes) { /* index_bytes has done it */
        symbols_release(pipe_of(t));
        return E_OK;
    }
    bool spaces = writes_spaces(pipe_of(t));
    if (!table_init(&t->by_text, &t->mem, t->n)) return no_memory(err, path);
    for (int32_t i = 0; i < t->n; i++) {
        if (!pipe_of(t)->symbol[i].there) continue;
        status st = text_of(t, i, spaces, path, err);
        if (st != E_OK) return st;
    }
    /* a byte's own text must not be found for a character that has a token of its own */
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < t->n; i++) {
            const token_text *symbol = &pipe_of(t)->symbol[i];
            bool byte = spaces && symbol->there && byte_token(symbol->p, symbol->n) >= 0;
            if (symbol->there && byte == pass) table_add(&t->by_text, t->text, i);
        }
    return E_OK;
}

void pipeline_find_bos(tokenizer *t)
{
    static const char *const names[] = { "<|endoftext|>", "<|begin_of_text|>", "<s>", "<bos>",
                                         "[CLS]" };
    if (t->n_prefix) t->bos = t->prefix[0];
    for (size_t i = 0; i < sizeof names / sizeof *names && t->bos < 0; i++)
        for (int32_t k = 0; k < t->n && t->bos < 0; k++)
            if (t->text[k].special && !strcmp(t->text[k].p, names[i])) t->bos = k;
}

static void release_steps(step_list *list)
{
    for (int i = 0; i < list->n; i++) pattern_free(list->at[i].pattern);
}

void pipeline_release(tokenizer *t)
{
    pipeline *own = t->own;
    if (!own) return;
    release_steps(&own->normal), release_steps(&own->pre), release_steps(&own->decode);
    symbols_release(own);
}

/* ---- tokens with their offsets ---- */

static bool inside(const piece *w, size_t i)
{
    return i && i < w->n && ((unsigned char)w->p[i] & 0xc0) == 0x80;
}

/* Offsets are of whole characters: a token that ends inside one covers it. */
static token_span span_of(const piece *w, int32_t id, size_t first, size_t end)
{
    if (w->at && first < end) return (token_span){ id, w->at[first].first, w->at[end - 1].end };
    while (inside(w, first)) first--;
    while (inside(w, end)) end++;
    return (token_span){ id, w->base + first, w->base + end };
}

static size_t leading(const token_text *x)
{
    size_t n = 0;
    while (n < x->n && x->p[n] == ' ') n++;
    return n;
}

static size_t trailing(const token_text *x)
{
    size_t n = 0;
    while (n < x->n && x->p[x->n - 1 - n] == ' ') n++;
    return n;
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

/* Leading and trailing spaces of a token do not count as covered: a character each. */
static void span_trim(const encoder *e, token_span *s, size_t lead, size_t trail)
{
    bool first = e->out->n == e->begin || s->first == 0;
    if (lead == 1 && pipe_of(e->t)->trim_keeps_first && first) lead = 0;
    for (; lead && s->first < s->end; lead--) s->first = next_char(e->text, e->n_text, s->first);
    for (; trail && s->end > s->first; trail--) s->end = last_char(e->text, s->end);
}

static status put(encoder *e, token_span s, error *err)
{
    if (spans_add(e->out, s)) return E_OK;
    return error_set(err, E_NOMEM, "tokenizer: out of memory");
}

status encoder_put(encoder *e, const piece *w, int32_t id, size_t first, size_t end, error *err)
{
    token_span s = span_of(w, id, first, end);
    if (pipe_of(e->t)->trim_offsets) {
        const token_text *x = &pipe_of(e->t)->piece[id];
        span_trim(e, &s, leading(x), trailing(x));
    }
    return put(e, s, err);
}

status encoder_put_added(encoder *e, const piece *w, int32_t id, size_t first, size_t end,
                         error *err)
{
    token_span s = span_of(w, id, first, end);
    uint32_t c;
    size_t lead = 0, trail = 0;
    bool all = true;
    for (size_t i = first; i < end;) {
        i += piece_char(w, i, &c);
        bool space = char_is_space(c);
        all &= space, lead += all, trail = space ? trail + 1 : 0;
    }
    if (pipe_of(e->t)->trim_offsets) span_trim(e, &s, lead, trail);
    return put(e, s, err);
}

/* ---- the way through ---- */

static status words(encoder *e, const piece *p, error *err)
{
    return p->n ? pretokenize_run(e, 0, p, err) : E_OK;
}

static status stretch(encoder *e, const piece *p, error *err)
{
    piece normal;
    if (!p->n) return E_OK;
    status st = normalize_run(e, p, &normal, err);
    return st == E_OK ? added_run(e, &pipe_of(e->t)->late, &normal, words, err) : st;
}

status pipeline_encode(const tokenizer *t, arena *mem, const char *text, size_t n, span_list *out,
                       error *err)
{
    encoder e = { .t = t, .mem = mem, .out = out, .begin = out->n, .text = text, .n_text = n };
    piece whole = { .p = text, .n = n };
    status st = added_run(&e, &pipe_of(t)->early, &whole, stretch, err);
    for (int i = 0; i < 2; i++) aligned_release(&e.normal[i]);
    for (int i = 0; i < MAX_STEPS; i++) aligned_release(&e.pre[i]);
    pattern_room_release(&e.room);
    word_cache_free(e.cache);
    arena_release(&e.scratch);
    return st;
}

static int by_id(const void *id, const void *x)
{
    int32_t i = *(const int32_t *)id, k = ((const shown_token *)x)->id;
    return (i > k) - (i < k);
}

/* Bytes as the vocabulary writes them: each a character of one byte or two. */
static word_text write_bytes(const token_text *x, arena *mem)
{
    char *p = arena_get(mem, 2 * (size_t)x->n + 1);
    size_t n = 0;
    for (uint32_t i = 0; p && i < x->n; i++)
        n += (size_t)utf8_put(byte_char((unsigned char)x->p[i]), p + n);
    return (word_text){ .p = p, .n = n };
}

word_text pipeline_shown(const tokenizer *t, int32_t id, bool bytes, arena *mem)
{
    const pipeline *own = pipe_of(t);
    if (id < 0 || id >= t->n) return (word_text){ 0 };
    const shown_token *other = NULL;
    if (own->n_shown) other = bsearch(&id, own->shown, (size_t)own->n_shown, sizeof *other, by_id);
    if (other) return other->text;
    const token_text *x = own->symbol ? &own->symbol[id] : &t->text[id];
    if (!x->there) return (word_text){ 0 };
    if (x->written && !bytes) return write_bytes(x, mem);
    return (word_text){ .p = x->p, .n = x->n, .bytes = x->written };
}

void pipeline_decode(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s)
{
    decode_run(t, id, n, repair, s);
}
/* SPDX-License-Identifier: MIT */
