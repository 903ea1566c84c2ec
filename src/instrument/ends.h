/* ends -- the two ends of edges: what writes to the residual stream and what reads it, kind by kind (the nodes of all
 * layers) and one by one (a head of a layer).  What path and edges share; what an edge is says graph/mirror.h. */
#ifndef MICROTOME_INSTRUMENT_ENDS_H
#define MICROTOME_INSTRUMENT_ENDS_H
#include "instrument/duel.h"

typedef enum end_kind {
    END_HEAD,
    END_MLP,
    END_EMBED,
    END_POS_EMBED,
    END_BIAS,
    END_Q,
    END_K,
    END_V,
    END_MLP_IN,
    END_LOGITS
} end_kind;

/* A kind of end: a node per layer (or one), and its parts. */
typedef struct end {
    end_kind kind;
    const char *word, *name; /* in --senders; in the names of path's tensors */
    const char *site;        /* of a block, or of the model; NULL: model_block knows */
    bool layers, parts;
} end;

enum { N_SENDER = 5, N_RECEIVER = 5 };
extern const end end_sender[N_SENDER], end_receiver[N_RECEIVER];

/* Parameters that name some of them, by their words. */
#define PARAM_SENDERS PARAM_SOME_OF("head mlp embed pos_embed bias")
#define PARAM_RECEIVERS PARAM_SOME_OF("q k v mlp logits")

enum { END_NAME = 40 };

/* One end: all of a node, or a head of it.  Names are those of EAP-IG's graphs and MIB's circuit files: input, a3.h7,
 * m3, a3.h7<q>, logits; beside them pos_embed and a3.bias, which those leave out. */
typedef struct endpoint {
    const end *kind;
    node *n;
    box slice; /* all rows */
    int layer, part;
    char name[END_NAME];
} endpoint;

typedef struct endpoints {
    endpoint *at;
    int n;
} endpoints;

/* The nodes of a kind by layer, *n of them.
 *
 * [err: NULL: the model has none such (no MLPs, no biases, no learned positions) | owns: w | thread: w's own | cost: O(layers)] */
node **end_nodes(work *w, const end *e, int *n);

/* "blocks.3.attn.q[head=7]", "blocks.3.mlp", "logits".
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
void end_text(const end *e, int layer, int part, char *out, size_t bytes);

/* All ends of the kinds in `words` that the model has, in EAP-IG's order: layer by layer heads before the MLP, q before k
 * before v.  Keys and values are those of query heads, also where several share one.
 *
 * [err: NOMEM | owns: w | thread: w's own | cost: O(ends)] */
status end_list(work *w, bool sends, const char *words, endpoints *out, error *err);

/* Which of the ends `text` names, on[x->n]: one of their names (a reader's without <q>, <k> or <v>: all three of the head),
 * or an address as in edits (site.h), of all positions.
 *
 * [err: as site_find_writers, site_find_readers; NOSITE | owns: nothing | thread: w's own | cost: O(ends)] */
status end_find(work *w, bool sends, const endpoints *x, const char *text, bool *on, error *err);

/* there[i * n_to + j]: is there an edge from[i] -> to[j]?
 *
 * [err: as mirror_edge | owns: w | thread: w's own | cost: a walk through the graph for each two nodes] */
status end_edges(bool **there, work *w, const endpoints *from, const endpoints *to, error *err);

/* The cell of one edge: its writer is taken, or set (e.kind is the caller's), for its reader alone.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
duel_cell end_cell(const endpoint *from, const endpoint *to, int64_t at);

#endif
/* SPDX-License-Identifier: MIT */
