/* site -- addresses of activations: SITE[axis=..., axis=...].
 *
 *     blocks.5.attn.z[head=3, pos=-1]       blocks.*.mlp.post[neuron=100:200]
 *     blocks.0.attn.pattern[head=2, query=7, key=0:3]
 *     resid_post.5   layers_output[5]   blocks.5.hook_resid_post     (other tools' names)
 *     blocks.5.attn.k[for=3]                 the key as query head 3 sees it (readers of edges)
 *     blocks.5.resid_mid@before[pos=2]       the value before the lane's edits
 *
 *   name    dot-separated; '*' stands for one part, or for a run of characters inside one
 *   axis    pos (one value per position) or query and key; head, neuron, vocab; d_model, d_head,
 *           also written dim; row and column of a weight.  d_mlp is another name of neuron, kv of
 *           the head of keys and values.
 *   value   3   -1 (from the end)   2:5   2:   :5   :   " Mary" (the token with that text; " Mary"#2
 *           the second of them)   lists: 0|3|7.  vocab="text" asks the tokenizer.
 *
 * Negative positions and token texts need a prompt.  What is not cut is all of it: then rows stay
 * open, and later rows of a longer lane are meant too.  An address that names nothing is refused
 * with the reason, or with the nearest names; other tools' names are in alias.c. */
#ifndef MICROTOME_MODEL_SITE_H
#define MICROTOME_MODEL_SITE_H
#include "model/model.h"
#include "model/prompt.h"

/* One site and one slice, as `edit` and lane_ask take them. */
typedef struct address {
    const char *name; /* the site's name, canonical; borrowed from the model */
    node *n;
    box where; /* rows, parts; r1 ROW_OPEN (graph/session.h): all rows, later ones included */
    int32_t w0,
        w1;      /* numbers within each part; of a PAIR: absolute keys [0, ROW_OPEN) if not cut */
    bool before; /* SITE@before */
    bool has_rows, has_parts, has_width; /* was that axis cut by the address? */
} address;

/* Everything that `text` names, in the order of the graph's sites; a list gives one address for each
 * item.  p may be NULL: then positions must be plain numbers.
 *
 * [err: USAGE (grammar), NOSITE, RANGE, UNSUPPORTED (a name of another tool that means something else here), NOMEM | owns: *out lives in mem | thread: mem's own | cost: O(sites)] */
status site_find(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                 const char *text, error *err);

/* The same for a text that must name exactly one place.
 *
 * [err: as site_find; USAGE when it names several | owns: nothing | thread: any | cost: O(sites)] */
status site_find_one(address *out, const model *m, const prompt *p, const char *text, error *err);

/* Several comma-separated addresses (commas inside brackets and quotes do not count).
 *
 * [err: as site_find | owns: *out lives in mem | thread: mem's own | cost: O(sites) each] */
status site_find_list(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                      const char *text, error *err);

/* The two ends of an edge.  Writers: embed, pos_embed, blocks.i.attn.result[head=h] (also written
 * blocks.i.attn[head=h]), blocks.i.attn.bias, blocks.i.mlp.out (blocks.i.mlp).  Readers:
 * blocks.i.attn.q[head=h], k, v [head=kv head] or [for=query head], blocks.i.mlp, logits.
 *
 * [err: as site_find; NOSITE for a site that is no writer or reader, with those there are | owns: *out lives in mem | thread: mem's own | cost: O(sites)] */
status site_find_writers(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                         const char *text, error *err);
status site_find_readers(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                         const char *text, error *err);

/* The address with its rows closed for a lane of len rows, as a box to ask for.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
box address_box(const address *a, int32_t len);

/* "blocks.5.attn.z[pos=3, head=2]": the canonical text of an address; truncated to `bytes`.
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(length)] */
void address_text(const address *a, char *out, size_t bytes);

/* Axes of a node's value in order, "pos head d_head", "head query key", "row column"; and its shape
 * with them, "[pos, 5, 8]".
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(1)] */
void site_axes(const node *n, char *out, size_t bytes);
void site_shape(const node *n, char *out, size_t bytes);

/* Up to n names nearest to `text` that the model has, as "a, b, c"; empty when nothing is near.
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(sites)] */
void site_nearest(const model *m, const char *text, char *out, size_t bytes);

#endif
/* SPDX-License-Identifier: MIT */
