/* bpe -- byte pair encoding: a word's characters (or bytes) are tokens, and neighbours merge, best pair first.
 *
 * Which pairs merge is said by a list of merges, first come first merged (Sennrich et al., ACL 2016), or by the
 * scores of what they would make (SentencePiece).  A word seen before in the same text is not merged again. */
#include "token/pipeline.h"
#include <assert.h>
#include <string.h>

enum { SMALL = 48, MAX_CACHED = 1 << 16, CACHED_BYTES = 48 };

typedef struct bpe {
    pair_table pair;
    const float *score; /* NULL: merges are a list */
    int32_t byte[256];  /* the token of each byte: as it is, or <0x..> */
    bool fallback, fuse_unk, ignore_merges;
    const char *suffix;
    size_t n_suffix;
    const char *user; /* by id: true for the user's own symbols, which never merge; NULL: none */
    trie users;
} bpe;

static status nomem(error *err) { return error_set(err, E_NOMEM, "tokenizer: out of memory"); }

static const bpe *bpe_of(const encoder *e) { return pipe_of(e->t)->own; }

/* ---- words that were seen ---- */

typedef struct cached {
    const char *p;
    uint32_t n, first, count; /* tokens first .. first + count - 1 of the pool */
} cached;

typedef struct cached_token {
    int32_t id;
    uint32_t first, end;
} cached_token;

struct word_cache {
    arena text;
    cached *slot;
    size_t size, n;
    cached_token *pool;
    size_t n_pool, cap_pool;
};

void word_cache_free(word_cache *c)
{
    if (!c) return;
    arena_release(&c->text);
    mem_free(c->slot, c->size * sizeof *c->slot);
    mem_free(c->pool, c->cap_pool * sizeof *c->pool);
    mem_free(c, sizeof *c);
}

static uint64_t hash_word(const char *p, size_t n)
{
    uint64_t h = n * 0x9e3779b97f4a7c15u, x;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&x, p, 8);
        h = (h ^ x) * 0xff51afd7ed558ccdu, h ^= h >> 32;
    }
    for (x = 0; n; n--) x = x << 8 | (unsigned char)p[n - 1];
    h = (h ^ x) * 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

static cached *cache_place(const word_cache *c, const char *p, size_t n)
{
    size_t i = hash_word(p, n) & (c->size - 1);
    while (c->slot[i].p && (c->slot[i].n != n || memcmp(c->slot[i].p, p, n)))
        i = (i + 1) & (c->size - 1);
    return &c->slot[i];
}

/* Room for one word more and its tokens; false: it is simply not kept. */
static bool cache_room(word_cache *c, size_t tokens)
{
    if ((c->n + 1) * 2 > c->size) {
        word_cache old = *c;
        size_t size = c->size ? c->size * 4 : 256;
        cached *slot = mem_zero(size * sizeof *slot);
        if (!slot) return false;
        c->slot = slot, c->size = size;
        for (size_t i = 0; i < old.size; i++)
            if (old.slot[i].p) *cache_place(c, old.slot[i].p, old.slot[i].n) = old.slot[i];
        mem_free(old.slot, old.size * sizeof *old.slot);
    }
    if (c->n_pool + tokens <= c->cap_pool) return true;
    size_t cap = c->cap_pool ? c->cap_pool * 2 : 512;
    cached_token *pool =
        mem_resize(c->pool, c->cap_pool * sizeof *pool, cap * sizeof *pool); /* tokens < 512 */
    if (!pool) return false;
    c->pool = pool, c->cap_pool = cap;
    return true;
}

static void cache_add(encoder *e, const piece *w, const token_span *s, int64_t n)
{
    if (!e->cache) e->cache = mem_zero(sizeof *e->cache);
    word_cache *c = e->cache;
    if (!c || c->n >= MAX_CACHED || !cache_room(c, (size_t)n)) return;
    const char *copy = arena_copy(&c->text, w->p, w->n);
    if (!copy) return;
    *cache_place(c, w->p, w->n) =
        (cached){ copy, (uint32_t)w->n, (uint32_t)c->n_pool, (uint32_t)n };
    c->n++;
    for (int64_t i = 0; i < n; i++)
        c->pool[c->n_pool++] = (cached_token){ s[i].id, (uint32_t)s[i].first, (uint32_t)s[i].end };
}

static const cached *cache_find(const encoder *e, const piece *w)
{
    if (!e->cache || !e->cache->size) return NULL;
    const cached *c = cache_place(e->cache, w->p, w->n);
    return c->p ? c : NULL;
}

static status put_cached(encoder *e, const piece *w, const cached *c, error *err)
{
    status st = E_OK;
    for (uint32_t i = 0; i < c->count && st == E_OK; i++) {
        const cached_token *x = &e->cache->pool[c->first + i];
        st = encoder_put(e, w, x->id, x->first, x->end, err);
    }
    return st;
}

/* ---- merging ---- */

static bool by_rank(const void *user, const token_span *left, const token_span *right,
                    int32_t *made, double *order)
{
    const bpe *b = user;
    const token_pair *p = pairs_find(&b->pair, left->id, right->id);
    if (!p) return false;
    *made = b->pair.made[p->rank], *order = p->rank;
    return true;
}

typedef struct by_score_of {
    const tokenizer *t;
    const char *text;
} by_score_of;

static bool by_score(const void *user, const token_span *left, const token_span *right,
                     int32_t *made, double *order)
{
    const by_score_of *x = user;
    const pipeline *own = pipe_of(x->t);
    const bpe *b = own->own;
    if (b->user && (b->user[left->id] || b->user[right->id])) return false;
    *made = table_find_piece(&own->by_piece, own->piece, x->text + left->first,
                             right->end - left->first);
    if (*made < 0) return false;
    *order = -(double)b->score[*made];
    return true;
}

/* A few tokens: looking at every pair again is sooner than a heap. */
static int64_t merge_small(const bpe *b, token_span *s, int64_t n)
{
    const token_pair *pair[SMALL];
    for (int64_t i = 0; i + 1 < n; i++) pair[i] = pairs_find(&b->pair, s[i].id, s[i + 1].id);
    for (;;) {
        int64_t best = -1;
        for (int64_t i = 0; i + 1 < n; i++)
            if (pair[i] && (best < 0 || pair[i]->rank < pair[best]->rank)) best = i;
        if (best < 0) return n;
        s[best].id = b->pair.made[pair[best]->rank], s[best].end = s[best + 1].end;
        n--;
        for (int64_t i = best + 1; i < n; i++) s[i] = s[i + 1];
        for (int64_t i = best + 1; i + 1 < n; i++) pair[i] = pair[i + 1];
        if (best + 1 < n) pair[best] = pairs_find(&b->pair, s[best].id, s[best + 1].id);
        if (best) pair[best - 1] = pairs_find(&b->pair, s[best - 1].id, s[best].id);
    }
}

static int64_t merge(encoder *e, const piece *w, token_span *s, int64_t n)
{
    const bpe *b = bpe_of(e);
    by_score_of scores = { e->t, w->p };
    if (b->score) return tokens_merge(&scores, &e->scratch, s, n, by_score);
    return n <= SMALL ? merge_small(b, s, n) : tokens_merge(b, &e->scratch, s, n, by_rank);
}

/* ---- a word's first tokens ---- */

static int64_t bytes_of(const encoder *e, const piece *w, token_span *s)
{
    int64_t k = 0;
    for (size_t i = 0; i < w->n; i++) {
        int32_t id = bpe_of(e)->byte[(unsigned char)w->p[i]];
        if (id < 0) id = pipe_of(e->t)->unk; /* as the original: left out when there is none */
        if (id >= 0) s[k++] = (token_span){ id, i, i + 1 };
    }
    return k;
}

/* The word's last character, which the vocabulary writes with a suffix. */
static int32_t last_of(const encoder *e, const char *p, size_t n)
{
    char joined[64];
    const bpe *b = bpe_of(e);
    if (n + b->n_suffix > sizeof joined) return -1;
    memcpy(joined, p, n);
    memcpy(joined + n, b->suffix, b->n_suffix);
    return table_find_piece(&pipe_of(e->t)->by_piece, pipe_of(e->t)->piece, joined,
                            n + b->n_suffix);
}

static bool all_bytes(const bpe *b, const char *p, size_t n)
{
    bool all = b->fallback;
    for (size_t i = 0; i < n && all; i++) all = b->byte[(unsigned char)p[i]] >= 0;
    return all;
}

/* Characters that are not there become bytes, or the unknown token (a run of them one, where they fuse). */
static int64_t chars_of(const encoder *e, const piece *w, token_span *s)
{
    const pipeline *own = pipe_of(e->t);
    const bpe *b = bpe_of(e);
    int64_t k = 0;
    token_span unknown = { -1, 0, 0 }; /* not written yet */
    uint32_t c;
    for (size_t i = 0, len; i < w->n; i += len) {
        len = piece_char(w, i, &c);
        bool last = b->suffix && i + len == w->n;
        int32_t id = last ? last_of(e, w->p + i, len)
                          : table_find_piece(&own->by_piece, own->piece, w->p + i, len);
        if (id >= 0) {
            if (unknown.id >= 0) s[k++] = unknown;
            unknown.id = -1;
            s[k++] = (token_span){ id, i, i + len };
        } else if (all_bytes(b, w->p + i, len)) {
            for (size_t j = 0; j < len; j++)
                s[k++] = (token_span){ b->byte[(unsigned char)w->p[i + j]], i, i + len };
        } else if (own->unk >= 0 && unknown.id >= 0 && b->fuse_unk) unknown.end = i + len;
        else if (own->unk >= 0) {
            if (unknown.id >= 0) s[k++] = unknown;
            unknown = (token_span){ own->unk, i, i + len };
        }
    }
    if (unknown.id >= 0) s[k++] = unknown;
    return k;
}

/* Byte-level words whose last byte has a suffix (CLIP's): that byte is looked up with it. */
static int64_t suffixed_bytes_of(const encoder *e, const piece *w, token_span *s)
{
    int64_t k = bytes_of(e, w, s);
    int32_t id = last_of(e, w->p + w->n - 1, 1);
    if (id < 0) id = pipe_of(e->t)->unk;
    bool there = k && s[k - 1].end == w->n;
    if (there && id >= 0) s[k - 1].id = id;
    else if (there) k--;
    else if (id >= 0) s[k++] = (token_span){ id, w->n - 1, w->n };
    return k;
}

/* SentencePiece: characters, and the user's symbols whole; what is unknown stays as it is until all has merged. */
static int64_t pieces_of(const encoder *e, const piece *w, token_span *s)
{
    const pipeline *own = pipe_of(e->t);
    int64_t k = 0;
    uint32_t c;
    for (size_t i = 0, len; i < w->n; i += len) {
        int32_t id = trie_longest(&bpe_of(e)->users, w->p + i, w->n - i, &len);
        if (id < 0) len = piece_char(w, i, &c);
        if (id < 0) id = table_find_piece(&own->by_piece, own->piece, w->p + i, len);
        s[k++] = (token_span){ id < 0 ? own->unk : id, i, i + len };
    }
    return k;
}

static status put_pieces(encoder *e, const piece *w, const token_span *s, int64_t n, error *err)
{
    status st = E_OK;
    const bpe *b = bpe_of(e);
    int32_t unk = pipe_of(e->t)->unk;
    for (int64_t i = 0; i < n && st == E_OK; i++) {
        size_t first = s[i].first, end = s[i].end;
        bool bytes = s[i].id == unk && all_bytes(b, w->p + first, end - first);
        for (size_t j = first; j < end && bytes && st == E_OK; j++)
            st = encoder_put(e, w, b->byte[(unsigned char)w->p[j]], first, end, err);
        while (!bytes && s[i].id == unk && i + 1 < n && s[i + 1].id == unk && b->fuse_unk)
            end = s[++i].end;
        if (!bytes && st == E_OK) st = encoder_put(e, w, s[i].id, first, end, err);
    }
    return st;
}

static int64_t first_tokens(const encoder *e, const piece *w, token_span *s)
{
    const bpe *b = bpe_of(e);
    if (b->score && !pipe_of(e->t)->bytes) return pieces_of(e, w, s);
    if (!pipe_of(e->t)->bytes) return chars_of(e, w, s);
    return b->suffix ? suffixed_bytes_of(e, w, s) : bytes_of(e, w, s);
}

static status put_new(encoder *e, const piece *w, token_span *s, error *err)
{
    status st = E_OK;
    int64_t n = merge(e, w, s, first_tokens(e, w, s));
    if (n < 0) return nomem(err);
    if (bpe_of(e)->score && !pipe_of(e->t)->bytes) return put_pieces(e, w, s, n, err);
    if (w->n <= CACHED_BYTES) cache_add(e, w, s, n);
    for (int64_t i = 0; i < n && st == E_OK; i++)
        st = encoder_put(e, w, s[i].id, s[i].first, s[i].end, err);
    return st;
}

static status word(encoder *e, const piece *w, error *err)
{
    token_span few[CACHED_BYTES];
    const pipeline *own = pipe_of(e->t);
    const cached *seen = w->n <= CACHED_BYTES ? cache_find(e, w) : NULL;
    if (seen) return put_cached(e, w, seen, err);
    int32_t whole =
        bpe_of(e)->ignore_merges ? table_find_piece(&own->by_piece, own->piece, w->p, w->n) : -1;
    if (whole >= 0) return encoder_put(e, w, whole, 0, w->n, err);
    if (w->n <= CACHED_BYTES) return put_new(e, w, few, err);
    token_span *s = arena_get(&e->scratch, w->n * sizeof *s);
    status st = s ? put_new(e, w, s, err) : nomem(err);
    arena_reset(&e->scratch);
    return st;
}

const model_def model_bpe = { "BPE", word };

/* ---- building ---- */

status bpe_new(tokenizer *t, const bpe_options *o, const char *path, error *err)
{
    bpe *b = arena_zero(&t->mem, sizeof *b);
    if (o->n_merges > MOST_PAIRS)
        return error_set(err, E_LIMIT, "%s: has %lld merges, at most %d are read", path,
                         (long long)o->n_merges, MOST_PAIRS);
    if (!b || !pairs_init(&b->pair, &t->mem, o->n_merges)) return no_memory(err, path);
    pipe_of(t)->model = &model_bpe, pipe_of(t)->own = b;
    t->kind = pipe_of(t)->bytes ? "byte-level BPE" : "BPE";
    b->score = o->score, b->fallback = o->fallback, b->fuse_unk = o->fuse_unk;
    b->ignore_merges = o->ignore_merges;
    b->user = o->user;
    if (o->user && !trie_init(&b->users, &t->mem)) return no_memory(err, path);
    for (int32_t i = 0; o->user && i < t->n; i++)
        if (o->user[i] && !trie_add(&b->users, pipe_of(t)->symbol[i].p, pipe_of(t)->symbol[i].n, i))
            return no_memory(err, path);
    if (!o->suffix || !*o->suffix) return E_OK;
    b->suffix = arena_string(&t->mem, o->suffix), b->n_suffix = strlen(o->suffix);
    return b->suffix ? E_OK : no_memory(err, path);
}

status bpe_merge(tokenizer *t, const char *a, size_t n, const char *b, size_t m, int64_t rank,
                 const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    char few[256], *joined = n + m <= sizeof few ? few : arena_get(&t->mem, n + m);
    if (!joined) return no_memory(err, path);
    memcpy(joined, a, n);
    memcpy(joined + n, b, m);
    token_pair p = { table_find(&own->by_symbol, own->symbol, a, n),
                     table_find(&own->by_symbol, own->symbol, b, m), (uint32_t)rank };
    int32_t made = table_find(&own->by_symbol, own->symbol, joined, n + m);
    if (p.left < 0 || p.right < 0 || made < 0)
        return error_set(err, E_FORMAT,
                         "%s: merge %lld ('%.60s') names a token that is not in the vocabulary",
                         path, (long long)rank, a);
    bool fine = pairs_add(&((bpe *)own->own)->pair, p, made);
    assert(fine), (void)fine; /* there are n_merges */
    return E_OK;
}

status bpe_finish(tokenizer *t, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    bpe *b = own->own;
    (void)path, (void)err;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        b->byte[i] = own->bytes ? table_find_piece(&own->by_piece, own->piece, &c, 1) : -1;
    }
    for (int32_t i = 0; i < t->n && b->fallback; i++) {
        int byte = own->symbol[i].there ? byte_token(own->symbol[i].p, own->symbol[i].n) : -1;
        if (byte >= 0) b->byte[byte] = i;
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
