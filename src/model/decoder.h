/* decoder -- what architectures of Llama's shape share: sizes under Hugging Face's names, weights
 * "model.layers.I.NAME.weight" stored [out, in], heads, gated MLPs, rotary positions, layers that slide.
 *
 * An architecture that differs in a step builds that step itself, from builder.h. */
#ifndef MICROTOME_MODEL_DECODER_H
#define MICROTOME_MODEL_DECODER_H
#include "model/builder.h"
#include "model/config.h"

/* What the architecture has where config.json is silent. */
typedef struct decoder_defaults {
    int32_t n_layer, d_model, n_head;
    int32_t n_kv_head; /* 0: as many as query heads */
    int32_t d_head;    /* 0: d_model / n_head */
    int32_t d_mlp;     /* 0: 4 d_model */
    int32_t n_vocab, n_ctx;
    double eps;
    const char *eps_key; /* "rms_norm_eps" */
    const char *act_key; /* "hidden_act" */
    const char *act;
    bool tied;
} decoder_defaults;

/* The keys that decoder_configure reads, as lines of an arch's list: those of all, and with groups of heads and rotary
 * positions. */
#define DECODER_SIZES                                                                              \
    { "hidden_size", KEY_READ, NULL }, { "intermediate_size", KEY_READ, NULL },                    \
        { "max_position_embeddings", KEY_READ, NULL }, { "num_attention_heads", KEY_READ, NULL },  \
        { "num_hidden_layers", KEY_READ, NULL },                                                   \
    {                                                                                              \
        "attention_dropout", KEY_SAYS, NULL                                                        \
    }
#define DECODER_KEYS                                                                               \
    DECODER_SIZES, { "num_key_value_heads", KEY_READ, NULL },                                      \
        { "rope_parameters", KEY_READ, NULL }, { "rope_scaling", KEY_READ, NULL },                 \
    {                                                                                              \
        "rope_theta", KEY_READ, NULL                                                               \
    }

/* Frequencies that old checkpoints of Llama's names carry, for arch_def.ignored.
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
extern const char *const decoder_ignored[];

/* Sizes, eps, activation, tie_word_embeddings into b->c; score_scale 1/sqrt(d_head).  The norm's kind, `gated` and
 * what else differs are the architecture's to say.  n_rot comes with the frequencies.
 *
 * [err: FORMAT, RANGE, SHAPE, UNSUPPORTED | owns: nothing | thread: b's own | cost: O(1)] */
status decoder_configure(builder *b, const decoder_defaults *d, error *err);

/* Which layers slide, from layer_types; where that is absent, those for which otherwise(layer) says so (NULL:
 * all of them).  decoder_windows checks the list, decoder_window then gives one layer's: sliding_window (where it is
 * not given, `absent`; null: none), or 0.
 *
 * [err: FORMAT, RANGE, UNSUPPORTED | owns: nothing | thread: b's own | cost: O(layers); O(1)] */
status decoder_windows(builder *b, error *err);
int32_t decoder_window(const builder *b, int32_t layer, bool (*otherwise)(const builder *, int32_t),
                       int32_t absent);

/* The same where "use_sliding_window" must be true for any to slide: the layers that layer_types names, in older
 * files those from max_window_layers on.
 *
 * [err: FORMAT, RANGE, UNSUPPORTED | owns: nothing | thread: b's own | cost: O(layers); O(1)] */
status decoder_late_windows(builder *b, error *err);
int32_t decoder_late_window(const builder *b);

/* json[key], a soft cap; 0: none, which null says too.
 *
 * [err: FORMAT, RANGE | owns: nothing | thread: any | cost: one lookup] */
status decoder_cap(const builder *b, const char *key, double otherwise, double *out, error *err);

/* Block b->layer's weight or bias: "model.layers.I.NAME.weight".
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(log weights)] */
node *decoder_weight(builder *b, int64_t n_out, int64_t n_in, const char *name);
node *decoder_bias(builder *b, int64_t n, const char *name);

/* The norm called "blocks.I.ours" with the gain `theirs` (and its bias).
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *decoder_norm(builder *b, node *x, const char *ours, const char *theirs, bool has_bias);

/* y = x W (+ b) as n heads.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *decoder_heads(builder *b, node *x, int64_t n, const char *name, bool has_bias);

/* q_proj, k_proj, v_proj, o_proj: the attention that build_attention takes, to be changed where it differs.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
attention decoder_attention(builder *b, node *x, bool qkv_bias, bool out_bias);

/* The same with other names: of q, k, v and the output.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
attention decoder_attention_of(builder *b, node *x, const char *const name[4], bool qkv_bias,
                               bool out_bias);

/* mlp.gate_proj, mlp.up_proj, mlp.down_proj.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
mlp decoder_mlp(builder *b, bool has_bias);

/* A plain MLP from the weights `in` and `out`.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
mlp decoder_plain_mlp(builder *b, const char *in, const char *out, bool has_bias);

/* q, k, v of a fused [key head, (its queries, k, v), d_head].
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
void decoder_by_head(builder *b, node *x, const char *name, bool has_bias, attention *a);

/* The norm before the logits, by the checkpoint's name for it; with a bias.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *decoder_final_norm(builder *b, node *x, const char *name);

/* The frequencies of the layers of that kind (NULL: of all) as a weight called `name`; where config.json is silent, theta
 * and the share of a head that turns.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(d_head)] */
node *decoder_frequencies(builder *b, const char *name, const char *layers, double theta,
                          double share);

/* Post-norm: norm(x + y) is the stream from here on; it is called `thing` as well as ours + ".out".
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *decoder_add_norm(builder *b, node *x, node *y, const char *thing, const char *ours,
                       const char *theirs);

/* From the stream to the logits: model.norm, then lm_head or the embedding where tied.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
void decoder_logits(builder *b, node *x, node *w_e);

/* What a block of Llama's shape adds to the stream, from the norm of it. */
typedef struct decoder_parts {
    node *(*attend)(builder *b, node *x, node *const *inv_freq);
    node *(*feed_forward)(builder *b, node *x); /* NULL: decoder_mlp without biases */
    const char *mlp_norm;                       /* NULL: "post_attention_layernorm" */
    const char *mlp_post_norm;                  /* between that MLP and the stream; NULL: none */
    double theta;      /* of all layers, where config.json is silent; 0: 10000 */
    bool embed_scaled; /* the embedding times sqrt(d_model) */
} decoder_parts;

/* All of such a model: the embedding, its blocks, the logits.  inv_freq is handed on to attend; NULL: the frequencies
 * "rotary.inv_freq" of all layers, of whole heads.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(layers)] */
void decoder_build(builder *b, node *const *inv_freq, const decoder_parts *p);

#endif
/* SPDX-License-Identifier: MIT */
