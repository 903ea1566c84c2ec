/* model_hash -- the hash of a model (model.h): architecture, configuration, and every weight in pieces. */
#include "base/hash.h"
#include "base/json.h"
#include "model/save.h"
#include "ops.gen.h"
#include <stdio.h>
#include <string.h>

static size_t tensor_bytes(const weight_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->n_dim; i++) n *= t->dim[i];
    return dtype_size(t->dtype, n);
}

enum { PIECE = 4 << 20 };

static int64_t pieces_of(const weight_tensor *t)
{
    return (int64_t)((tensor_bytes(t) + PIECE - 1) / PIECE);
}

/* The hashes of all weights' pieces, one behind the other. */
static hash_piece *pieces_hash(const weight_set *w, arena *mem, pool *threads)
{
    int64_t n = 0, at = 0;
    for (int32_t i = 0; i < w->n; i++) n += pieces_of(&w->t[i]);
    hash_piece *piece = arena_array(mem, n, sizeof *piece);
    if (!piece) return NULL;
    for (int32_t i = 0; i < w->n; i++) {
        size_t bytes = tensor_bytes(&w->t[i]);
        for (size_t k = 0; k < bytes; k += PIECE)
            piece[at++] = (hash_piece){ .p = (const char *)w->t[i].data + k,
                                        .bytes = bytes - k < PIECE ? bytes - k : PIECE };
    }
    pool_run(threads, hash_pieces, piece, n);
    return piece;
}

static void hash_weights(hash *h, const weight_set *w, const hash_piece *piece)
{
    char shape[120];
    for (int32_t i = 0; i < w->n; i++) {
        const weight_tensor *t = &w->t[i];
        weight_text(t, shape, sizeof shape);
        hash_add(h, t->name, strlen(t->name) + 1);
        hash_add(h, shape, strlen(shape) + 1);
        if (t->pair) hash_add(h, &t->pair, sizeof t->pair);
        for (int64_t k = pieces_of(t); k > 0; k--, piece++)
            hash_add(h, piece->sum, sizeof piece->sum);
    }
}

/* ---- tables ---- */

static bool looks_up(const node *n) { return n->op == &op_embed_def || n->op == &op_position_def; }

static bool only_looked_up(const graph *g, const node *w)
{
    for (int32_t i = 0; i < graph_nodes(g); i++) {
        const node *n = graph_node(g, i);
        for (int32_t k = 0; k < n->n_in; k++)
            if (n->in[k] == w && !looks_up(n)) return false;
    }
    return true;
}

/* A run looks a few rows of a table up: what hashing read of it is no memory of ours any longer.  (All weights would come
 * back in a run, at 2 % of the time of a short one.) */
static void tables_rest(const model *m)
{
    const container *c = model_container(m);
    for (int32_t i = 0; c && i < graph_nodes(&m->g); i++) {
        const node *n = graph_node(&m->g, i);
        if (!looks_up(n) || !only_looked_up(&m->g, n->in[1])) continue;
        const weight_view *w = &n->in[1]->weight;
        container_rest_part(c, w->base, (size_t)(w->row_bytes * n->in[1]->n_row));
    }
}

/* ---- all of it ---- */

status model_hash(const model *m, pool *threads, char out[MODEL_HASH], error *err)
{
    char digits[HASH_TEXT];
    str config = { 0 };
    arena mem = { 0 };
    hash *h = hash_new();
    json_canonical(&config, model_json(m));
    const hash_piece *piece = pieces_hash(model_weights(m), &mem, threads);
    bool made = h && piece && !config.failed;
    if (made) {
        hash_add(h, m->config.arch, strlen(m->config.arch) + 1);
        hash_add(h, config.p, config.n);
        hash_weights(h, model_weights(m), piece);
        hash_text(h, digits);
        snprintf(out, MODEL_HASH, "xxh3-128:%.32s", digits);
    }
    tables_rest(m);
    hash_free(h);
    str_release(&config);
    arena_release(&mem);
    return made ? E_OK : error_set(err, E_NOMEM, "hash: out of memory");
}
/* SPDX-License-Identifier: MIT */
