/* arch: induction -- demo:induction, a GPT-2 without MLPs and norms whose weights are written by hand, so that
 * what it does is known: after "... the cat ... the" it says "cat".
 *
 * The stream is [token: V | position: N | token before: V | what is said: V].
 *
 *   head 0.1   the previous token: position p looks at p - 1, copies its token into "token before"
 *   head 1.2   induction: looks where "token before" is the token here, or else rests on the first position;
 *              copies the token there into "what is said"
 *
 * The other heads write nothing.  COLD makes attention a choice, SAY makes the logits sure.  The construction is
 * the one of Elhage et al., "A mathematical framework for transformer circuits" (2021), with a resting place as
 * in Lindner et al., "Tracr" (2023). */
#include "model/builder.h"
#include <math.h>
#include <string.h>

enum { V = 40, N = 64, D = 3 * V + N, HEADS = 3, D_HEAD = 64, WIDE = HEADS * D_HEAD };
enum {
    TOKEN = 0,
    POSITION = V,
    BEFORE = V + N,
    SAID = 2 * V + N
}; /* where each begins in the stream */
enum { PREVIOUS_HEAD = 1, INDUCTION_HEAD = 2, REST = V };
static const float COLD = 100, SAY = 40;

static const char *const words[V] = {
    "<start>", "the",  "a",   "cat",   "dog",  "bird", "mouse", "horse", "sat",   "ran",
    "saw",     "ate",  "on",  "under", "near", "mat",  "table", "tree",  "river", "house",
    "red",     "blue", "old", "young", "Mary", "John", "Anna",  "Tom",   "gave",  "took",
    "book",    "cup",  "key", "lamp",  "and",  "then", "again", "while", "they",  ".",
};

/* A cleared weight [n_row, n_col] under that name. */
static float *weight(builder *b, const char *name, int64_t n_row, int64_t n_col, error *err)
{
    float *v = arena_array(&b->g->mem, n_row * n_col, sizeof *v);
    weight_tensor t = {
        .name = name, .dtype = DTYPE_F32, .n_dim = 2, .dim = { n_row, n_col }, .data = v
    };
    if (!v) error_set(err, E_NOMEM, "demo:induction: out of memory");
    return v && weights_add(&b->weights, &b->g->mem, t, err) == E_OK ? v : NULL;
}

/* Columns of head h in the fused weight: 0 queries, 1 keys, 2 values. */
static int column(int what, int h) { return what * WIDE + h * D_HEAD; }

static void previous_token(float *qkv, float *out)
{
    const float cold = COLD * sqrtf(D_HEAD);
    for (int p = 0; p < N; p++)
        qkv[(POSITION + p) * 3 * WIDE + column(0, PREVIOUS_HEAD) + p] = cold;
    for (int p = 0; p + 1 < N; p++)
        qkv[(POSITION + p) * 3 * WIDE + column(1, PREVIOUS_HEAD) + p + 1] = 1;
    for (int v = 0; v < V; v++) {
        qkv[(TOKEN + v) * 3 * WIDE + column(2, PREVIOUS_HEAD) + v] = 1;
        out[(PREVIOUS_HEAD * D_HEAD + v) * D + BEFORE + v] = 1;
    }
}

static void induction(float *qkv, float *out)
{
    const float cold = COLD * sqrtf(D_HEAD);
    for (int v = 0; v < V; v++) {
        float *row = qkv + (TOKEN + v) * 3 * WIDE;
        row[column(0, INDUCTION_HEAD) + v] = cold;
        row[column(0, INDUCTION_HEAD) + REST] = cold / 2;
        qkv[(BEFORE + v) * 3 * WIDE + column(1, INDUCTION_HEAD) + v] = 1;
        if (!v) continue; /* resting says nothing */
        row[column(2, INDUCTION_HEAD) + v] = 1;
        out[(INDUCTION_HEAD * D_HEAD + v) * D + SAID + v] = SAY;
    }
    qkv[POSITION * 3 * WIDE + column(1, INDUCTION_HEAD) + REST] = 1;
}

static status fill(builder *b, error *err)
{
    float *e = weight(b, "transformer.wte.weight", V, D, err),
          *p = weight(b, "transformer.wpe.weight", N, D, err);
    float *qkv[2], *out[2], *u = weight(b, "lm_head.weight", V, D, err);
    qkv[0] = weight(b, "transformer.h.0.attn.c_attn.weight", D, 3 * WIDE, err);
    qkv[1] = weight(b, "transformer.h.1.attn.c_attn.weight", D, 3 * WIDE, err);
    out[0] = weight(b, "transformer.h.0.attn.c_proj.weight", WIDE, D, err);
    out[1] = weight(b, "transformer.h.1.attn.c_proj.weight", WIDE, D, err);
    if (!e || !p || !u || !qkv[0] || !qkv[1] || !out[0] || !out[1]) return E_NOMEM;
    for (int v = 0; v < V; v++) e[v * D + TOKEN + v] = 1, u[v * D + SAID + v] = 1;
    for (int i = 0; i < N; i++) p[i * D + POSITION + i] = 1;
    previous_token(qkv[0], out[0]);
    induction(qkv[1], out[1]);
    return E_OK;
}

static status provide(builder *b, const char **arch, error *err)
{
    tokenizer *t;
    json_t *config = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:b,s:{s:b,s:s,s:b,s:i}}", "model_type",
                               "gpt2", "n_layer", 2, "n_head", HEADS, "n_embd", D, "vocab_size", V,
                               "n_positions", N, "tie_word_embeddings", 0, "microtome", "attn_only",
                               1, "norm", "none", "bias", 0, "d_head", D_HEAD);
    if (!config) return error_set(err, E_NOMEM, "demo:induction: out of memory");
    model_give_config(b->m, config);
    b->json = config;
    status st = tokenizer_words(&t, words, V, 0, err);
    if (st != E_OK) return st;
    model_give_tokenizer(b->m, t);
    *arch = "gpt2";
    return fill(b, err);
}

const arch_def arch_induction_def = {
    .name = "induction",
    .says = "demo:induction, an attention-only GPT-2 with weights written by hand",
    .demo = "induction",
    .provide = provide,
};
/* SPDX-License-Identifier: MIT */
