/* unigram -- the cutting of a word whose pieces' scores (log probabilities) have the largest sum (Kudo, ACL 2018).
 *
 * Forward: best[i] is the best sum that ends at byte i, from[i] where its last piece begins.  A character that no
 * piece of its own length covers may be unknown, at 10 below the worst piece.  Two originals, two arithmetics: Hugging
 * Face's sums are float64, SentencePiece's float32, and its user's symbols are worth more than any cutting. */
#include "token/pipeline.h"
#include <math.h>
#include <string.h>

static const double UNKNOWN_PENALTY = 10;

typedef struct unigram {
    trie pieces;
    const double *score;
    const char *user;
    double worst, best; /* scores of pieces */
    bool single, fallback;
    int32_t byte[256];
} unigram;

typedef struct node {
    double best;
    size_t from;
    int32_t id; /* -1: not reached */
} node;

static void offer(const unigram *u, node *n, double sum, size_t from, int32_t id)
{
    if (n->id >= 0 && sum <= n->best) return;
    *n = (node){ u->single ? (float)sum : sum, from, id };
}

static double score_of(const unigram *u, int32_t id, size_t length)
{
    if (u->user && u->user[id]) return (double)((float)length * (float)u->best) - 0.1;
    return u->score[id];
}

static double sum_of(const unigram *u, int32_t id, size_t length, double before)
{
    double score = score_of(u, id, length);
    bool user = u->user && u->user[id];
    return u->single && !user ? (float)score + (float)before : score + before;
}

/* All cuttings that pass through byte i. */
static void forward(const encoder *e, const piece *w, node *at, size_t i, size_t len)
{
    const unigram *u = pipe_of(e->t)->own;
    bool covered = false;
    uint32_t below = 0;
    for (size_t k = i; k < w->n && (below = trie_step(&u->pieces, below, w->p[k]));) {
        int32_t id = trie_value(&u->pieces, below);
        k++;
        if (id < 0) continue;
        offer(u, &at[k], sum_of(u, id, k - i, at[i].best), i, id);
        covered |= k - i == len;
    }
    double unknown = u->single ? (double)((float)u->worst - 10.0f) : u->worst - UNKNOWN_PENALTY;
    if (!covered)
        offer(u, &at[i + len],
              u->single ? (float)unknown + (float)at[i].best : unknown + at[i].best, i,
              pipe_of(e->t)->unk);
}

static bool all_bytes(const unigram *u, const char *p, size_t n)
{
    bool all = u->fallback;
    for (size_t i = 0; i < n && all; i++) all = u->byte[(unsigned char)p[i]] >= 0;
    return all;
}

static status put_unknown(encoder *e, const piece *w, size_t first, size_t end, error *err)
{
    const unigram *u = pipe_of(e->t)->own;
    status st = E_OK;
    if (!all_bytes(u, w->p + first, end - first))
        return encoder_put(e, w, pipe_of(e->t)->unk, first, end, err);
    for (size_t i = first; i < end && st == E_OK; i++)
        st = encoder_put(e, w, u->byte[(unsigned char)w->p[i]], first, end, err);
    return st;
}

/* The best cutting, forwards; neighbours that are unknown are one. */
static status put_best(encoder *e, const piece *w, const node *at, size_t *end, size_t n,
                       error *err)
{
    const unigram *u = pipe_of(e->t)->own;
    int32_t unk = pipe_of(e->t)->unk;
    status st = E_OK;
    for (size_t i = n; i-- > 0 && st == E_OK;) {
        size_t last = end[i], first = at[last].from;
        if (at[last].id != unk) {
            st = encoder_put(e, w, at[last].id, first, last, err);
            continue;
        }
        bool alone = u->single && u->fallback; /* SentencePiece cuts each into bytes */
        while (!alone && i && at[end[i - 1]].id == unk) last = end[--i];
        st = put_unknown(e, w, first, last, err);
    }
    return st;
}

static status word(encoder *e, const piece *w, error *err)
{
    uint32_t c;
    size_t n = 0;
    node *at = arena_get(&e->scratch, (w->n + 1) * sizeof *at);
    size_t *end = arena_get(&e->scratch, (w->n + 1) * sizeof *end);
    if (!at || !end) return error_set(err, E_NOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i <= w->n; i++) at[i] = (node){ .id = -1 };
    for (size_t i = 0, len; i < w->n; i += len) {
        len = piece_char(w, i, &c);
        forward(e, w, at, i, len);
        if (at[i + len].id < 0 && pipe_of(e->t)->unk < 0)
            return error_set(err, E_FORMAT, "the tokenizer has no unknown token for '%.*s'",
                             (int)len, w->p + i);
    }
    for (size_t i = w->n; i; i = at[i].from) end[n++] = i;
    status st = put_best(e, w, at, end, n, err);
    arena_reset(&e->scratch);
    return st;
}

const model_def model_unigram = { "Unigram", word };

status unigram_new(tokenizer *t, const unigram_options *o, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    unigram *u = arena_zero(&t->mem, sizeof *u);
    if (!u || !trie_init(&u->pieces, &t->mem)) return no_memory(err, path);
    own->model = &model_unigram, own->own = u, t->kind = "Unigram";
    *u = (unigram){
        u->pieces, o->score, o->user, INFINITY, -INFINITY, o->single, o->fallback, { 0 }
    };
    for (int i = 0; i < 256; i++) u->byte[i] = -1;
    for (int32_t i = 0; i < t->n; i++) {
        const token_text *x = &own->symbol[i];
        int byte = x->there ? byte_token(x->p, x->n) : -1;
        bool mine = x->there && table_find(&own->by_symbol, own->symbol, x->p, x->n) == i;
        if (byte >= 0) u->byte[byte] = i;
        if (!mine) continue;
        if (!o->user || !o->user[i]) u->worst = fmin(u->worst, o->score[i]);
        if (!o->user || !o->user[i]) u->best = fmax(u->best, o->score[i]);
        if (x->n && !trie_add(&u->pieces, x->p, x->n, i)) return no_memory(err, path);
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
