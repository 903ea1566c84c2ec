/* model -- a transformer, opened: its graph, its configuration, its tokenizer.
 *
 * Opening reads config.json (or a llama2.c header), looks every weight up by name and
 * shape, and lets one architecture (arch/NAME.c) build the graph.  Nothing is guessed: a
 * config key that changes the computation and is not supported, a missing, a surplus and a
 * mis-shaped weight are refused by name.  Weights stay mapped, and are never folded or centred.
 *
 * After model_open a model never changes; any number of sessions on any number of threads
 * may stand on it.
 *
 * Read site.h next (addresses of activations), then prompt.h; arch_def.h and builder.h are for
 * those who add an architecture. */
#ifndef MICROTOME_MODEL_MODEL_H
#define MICROTOME_MODEL_MODEL_H
#include "base/pool.h"
#include "graph/graph.h"
#include "token/tokenizer.h"

enum { MODEL_HASH = 48 }; /* "xxh3-128:", 32 hex digits, NUL, and room */

/* What was read from the configuration, in one vocabulary for all architectures.  Strings are
 * borrowed from the model or static. */
typedef struct model_config {
    const char *arch; /* "gpt2", "llama": the file in arch/ */
    int32_t n_layer, n_head, n_kv_head, d_model, d_head;
    int32_t d_mlp;          /* 0: attention only */
    int32_t n_vocab, n_ctx; /* n_ctx: the longest prompt that is taken */
    int32_t n_least;        /* the shortest; 0: one token */
    int32_t n_vocab_out;    /* logits: n_vocab, or fewer, the first tokens (TransformerLens) */
    const char *norm;       /* "layernorm", "rmsnorm", "none" */
    double norm_eps;
    bool gain_from_one;       /* norms multiply by 1 + the stored gain (Gemma) */
    const char *activation;   /* "gelu_tanh", "gelu_erf", "gelu_quick", "relu", "silu" */
    bool gated;               /* the MLP has mlp.gate and mlp.up instead of mlp.pre */
    int32_t n_expert;         /* 0: no mixture of experts */
    int32_t n_expert_used;    /* of them, by each token */
    bool post_norm;           /* norms stand on the stream: x' = norm(x + f(x)) */
    bool both_ways;           /* a token sees those after it too: no next token is predicted */
    int32_t n_type;           /* token types (BERT); 0: none */
    bool parallel;            /* attention and MLP read the same stream: no resid_mid */
    double logit_cap;         /* logits are cap tanh(logit / cap); 0: as they are */
    bool tied;                /* the unembedding is the embedding */
    const char *position;     /* "learned", "rotary", "alibi" */
    double rope_theta;        /* rotary only; of layers with full attention, where they differ */
    int32_t n_rot;            /* dimensions of a head that turn; 0 without rotary */
    double rope_factor;       /* of cos and sin: yarn's attention factor, else 1 */
    const char *rope_scaling; /* "default", "linear", "llama3", "yarn"; "" without rotary */
    int32_t bos_token_id;     /* -1: none stated */
    double score_scale;       /* 1/sqrt(d_head); of block 0, where blocks differ */
} model_config;

/* One block's ends of edges that have no name of their own. */
typedef struct model_block {
    node *mlp_reader; /* what sees the stream on the MLP's behalf; NULL: attention only */
    node *k_for,
        *v_for; /* keys and values as each query head sees them (GQA); NULL: as attn.k, attn.v */
} model_block;

typedef struct model {
    graph g;             /* sites are g.site[0 .. g.n_site) */
    node *token;         /* input: ROW, one id per position */
    node *type;          /* input: ROW, one token type per position; NULL: the model has none */
    node *logits;        /* ROW, n_vocab_out parts of width 1 */
    node *logits_reader; /* what sees the stream on the logits' behalf */
    model_block *block;  /* [n_layer] */
    model_config config;
    const tokenizer *tokens;    /* NULL: the model came without one; prompts are then token ids */
    const char *name;           /* the last part of the path, or "demo:induction" */
    const char *path;           /* as given */
    const char *format;         /* "embedded", or the name of a format */
    const char *const *warning; /* what a user should know, one sentence each */
    int32_t n_warning;
    int64_t n_weight;      /* numbers in all weights */
    int64_t weight_bytes;  /* as stored */
    int32_t n_site;        /* named activations; further names are those of weights */
    struct model_own *own; /* what is freed with the model (open.c) */
} model;

/* How to open one; {0} is the usual way. */
typedef struct model_options {
    const char *
        allow; /* keys of config.json, with commas, that are not known and may be left out of account */
    const char *
        config; /* JSON text of an object, or the path of a file of one: keys in place of config.json's */
    const char *adapter;         /* a LoRA adapter, a directory or a file; NULL: none */
    const double *adapter_scale; /* times what the adapter says of itself; NULL: 1 */
} model_options;

/* Open a model.  path is one of
 *
 *   a directory      config.json and model.safetensors, or shards with model.safetensors.index.json;
 *                    its tokenizer, when it has one
 *   FILE.safetensors, .pt, ... config.json beside it; without one, what the tensors' names and shapes say
 *                    of themselves (arch_def.infer)
 *   FILE.bin         llama2.c; the tokenizer is tok*.bin or tokenizer.bin beside it
 *   demo:NAME        embedded in the program; "demo:induction"
 *
 * o may be NULL.  model_open: with model_options.allow alone, which may be NULL.
 *
 * [err: IO, FORMAT, UNSUPPORTED (architecture, config key), SHAPE (a weight), NOMEM | owns: the caller, model_free | thread: any | cost: maps the weights, reads none of them but ties] */
status model_open_with(model **out, const char *path, const model_options *o, error *err);
status model_open(model **out, const char *path, const char *allow, error *err);
void model_free(model *m);

/* "xxh3-128:" and 32 hex digits over the architecture, the configuration and every weight's name,
 * shape, type and bytes: how the file was cut or named does not matter.  A weight's bytes enter as the hashes of pieces
 * of 4 MiB, which the pool's threads (NULL: the caller) share.
 *
 * [err: NOMEM | owns: nothing | thread: any | cost: reads all weights, once per call] */
status model_hash(const model *m, pool *threads, char out[MODEL_HASH], error *err);

#endif
/* SPDX-License-Identifier: MIT */
