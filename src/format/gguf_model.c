/* gguf_model -- what models GGUF files hold: their metadata as a config.json, their tensors by Hugging Face's names.
 *
 * A key of the architecture's own ("llama....") that is in no table here may change what is computed, so it is refused
 * by its name.  What the values differ in from Hugging Face's files is said where it can be read, and nothing is rewritten:
 *
 *     llama   rows of q and k are turned, halves of a head's rows between each other: tensor_view.pair
 *     gemma   gains of norms are stored whole, not less one: "gain_from_zero" in the configuration
 *     gpt2    weights are [out, in]: "out_in" in its "microtome" object */
#include "base/str.h"
#include "format/gguf.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct name_pair {
    const char *theirs, *ours;
} name_pair;

/* A number of the metadata and the key it becomes.  '!': it must be there; '?': it may be; '=': it must be said by
 * nothing else and be as large as a head (what our names have no key for). */
typedef struct number_key {
    char how;
    const char *theirs, *ours;
} number_key;

typedef struct family {
    const char *name, *more; /* general.architecture = model_type; more of the configuration */
    const char *layer;       /* "blk.N." becomes it, with N */
    const number_key *key;
    const name_pair *top, *in_layer; /* tensors' names, without ".weight" and ".bias" */
    const char *unembedding;         /* of our names; it is tied where there is none */
    bool turned;
} family;

#define DECODER_NUMBERS                                                                            \
    { '!', "embedding_length", "hidden_size" }, { '!', "block_count", "num_hidden_layers" },       \
        { '!', "feed_forward_length", "intermediate_size" },                                       \
        { '!', "attention.head_count", "num_attention_heads" },                                    \
        { '?', "attention.head_count_kv", "num_key_value_heads" },                                 \
        { '!', "attention.layer_norm_rms_epsilon", "rms_norm_eps" },                               \
        { '!', "context_length", "max_position_embeddings" },                                      \
        { '?', "attention.key_length", "head_dim" }, { '=', "attention.value_length", NULL },      \
        { '=', "rope.dimension_count", NULL },                                                     \
    {                                                                                              \
        '?', "rope.freq_base", "rope_theta"                                                        \
    }

static const number_key decoder_keys[] = { DECODER_NUMBERS, { 0, NULL, NULL } };

static const number_key gpt2_keys[] = { { '!', "embedding_length", "n_embd" },
                                        { '!', "block_count", "n_layer" },
                                        { '!', "feed_forward_length", "n_inner" },
                                        { '!', "attention.head_count", "n_head" },
                                        { '!', "attention.layer_norm_epsilon",
                                          "layer_norm_epsilon" },
                                        { '!', "context_length", "n_positions" },
                                        { 0, NULL, NULL } };

static const name_pair decoder_top[] = { { "token_embd", "model.embed_tokens" },
                                         { "output_norm", "model.norm" },
                                         { "output", "lm_head" },
                                         { NULL, NULL } };

static const name_pair decoder_layer[] = {
    { "attn_norm", "input_layernorm" }, { "ffn_norm", "post_attention_layernorm" },
    { "attn_q", "self_attn.q_proj" },   { "attn_k", "self_attn.k_proj" },
    { "attn_v", "self_attn.v_proj" },   { "attn_output", "self_attn.o_proj" },
    { "ffn_gate", "mlp.gate_proj" },    { "ffn_up", "mlp.up_proj" },
    { "ffn_down", "mlp.down_proj" },    { NULL, NULL }
};

static const name_pair gpt2_top[] = { { "token_embd", "transformer.wte" },
                                      { "position_embd", "transformer.wpe" },
                                      { "output_norm", "transformer.ln_f" },
                                      { "output", "lm_head" },
                                      { NULL, NULL } };

static const name_pair gpt2_layer[] = {
    { "attn_norm", "ln_1" }, { "attn_qkv", "attn.c_attn" }, { "attn_output", "attn.c_proj" },
    { "ffn_norm", "ln_2" },  { "ffn_up", "mlp.c_fc" },      { "ffn_down", "mlp.c_proj" },
    { NULL, NULL }
};

static const family families[] = {
    { "llama", "", "model.layers.%d.", decoder_keys, decoder_top, decoder_layer, "lm_head.weight",
      true },
    { "qwen2", "", "model.layers.%d.", decoder_keys, decoder_top, decoder_layer, "lm_head.weight",
      false },
    { "gemma", ", \"gain_from_zero\": true", "model.layers.%d.", decoder_keys, decoder_top,
      decoder_layer, "lm_head.weight", false },
    { "gpt2", ", \"microtome\": {\"out_in\": true}", "transformer.h.%d.", gpt2_keys, gpt2_top,
      gpt2_layer, "lm_head.weight", false },
};
enum { N_FAMILIES = sizeof families / sizeof *families };

/* ---- asking ---- */

static const gguf_value *find(const gguf_file *f, const family *a, const char *key)
{
    char full[200];
    snprintf(full, sizeof full, "%s.%s", a->name, key);
    return gguf_find(f, full);
}

static bool number(const gguf_file *f, const family *a, const char *key, double *out)
{
    return gguf_number(find(f, a, key), out);
}

static const char *text(const gguf_file *f, const family *a, const char *key)
{
    char full[200];
    snprintf(full, sizeof full, "%s.%s", a->name, key);
    return container_meta(f->c, full);
}

static tensor_view *tensor(const gguf_file *f, const char *name)
{
    for (int32_t i = 0; i < f->c->n; i++)
        if (!strcmp(f->c->t[i].name, name)) return &f->c->t[i];
    return NULL;
}

static status refuse(const gguf_file *f, const family *a, const char *key, const char *why)
{
    return error_set(f->err, E_UNSUPPORTED, "%s: '%s.%s' %s", f->path, a->name, key, why);
}

/* ---- numbers ---- */

/* The shortest decimal that is the same float: 1e-05, not the double next to it. */
static void put_float(str *s, double x)
{
    char digits[40];
    for (int n = 1; n <= 9; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, x);
        if (strtof(digits, NULL) == (float)x) break;
    }
    str_puts(s, digits);
}

static void put_number(str *s, const gguf_value *v, double x)
{
    if (v->type == GGUF_F32) put_float(s, x);
    else str_printf(s, v->type == GGUF_F64 ? "%.17g" : "%.0f", x);
}

static double head_size(const gguf_file *f, const family *a)
{
    double d = 0, wide = 0, n_head = 0;
    if (number(f, a, "attention.key_length", &d)) return d;
    number(f, a, "embedding_length", &wide), number(f, a, "attention.head_count", &n_head);
    return n_head >= 1 ? floor(wide / n_head) : 0;
}

static status note_number(const gguf_file *f, const family *a, const number_key *k, str *s)
{
    double x = 0;
    const gguf_value *v = find(f, a, k->theirs);
    if (!v && k->how != '!') return E_OK;
    if (!v)
        return error_set(f->err, E_FORMAT, "%s: '%s.%s' is missing", f->path, a->name, k->theirs);
    if (!gguf_number(v, &x) || !isfinite(x)) return refuse(f, a, k->theirs, "is no number");
    if (k->how == '=' && x != head_size(f, a))
        return refuse(f, a, k->theirs, "is not a head's size");
    if (k->how == '=') return E_OK;
    str_printf(s, ", \"%s\": ", k->ours);
    put_number(s, v, x);
    return E_OK;
}

/* ---- rotary scaling ---- */

/* Llama 3's scaling is stored as the factors that came of it.  Its parameters are found again: factor is the
 * largest, the others are those of every such model, and the factors they give must be the stored ones. */
static bool llama3_fits(const tensor_view *t, double theta, double factor, double original)
{
    for (int64_t i = 0; i < t->dim[0]; i++) {
        double got, f = pow(theta, -(double)(2 * i) / (double)(2 * t->dim[0]));
        double wave = 2 * 3.14159265358979323846 / f, want = 1;
        double smooth = (original / wave - 1) / (4 - 1);
        tensor_values(t, i, 1, &got);
        if (wave > original) want = factor;
        else if (wave >= original / 4) want = 1 / ((1 - smooth) / factor + smooth);
        if (!(fabs(got - want) <= 1e-4 * want)) return false;
    }
    return true;
}

static status note_factors(const gguf_file *f, const family *a, const tensor_view *t, str *s)
{
    double theta = 10000, factor = 1, x;
    number(f, a, "rope.freq_base", &theta);
    if (t->n_dim != 1 || !t->dim[0] || t->dtype != DTYPE_F32)
        return error_set(f->err, E_FORMAT, "%s: rope_freqs.weight is no list of factors", f->path);
    for (int64_t i = 0; i < t->dim[0]; i++) {
        tensor_values(t, i, 1, &x);
        if (x > factor) factor = x;
    }
    if (factor == 1 && llama3_fits(t, theta, 1, 8192)) return E_OK;
    if (!llama3_fits(t, theta, factor, 8192))
        return error_set(f->err, E_UNSUPPORTED,
                         "%s: rope_freqs.weight holds other factors than Llama 3's scaling gives",
                         f->path);
    str_puts(s, ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"low_freq_factor\": 1, "
                "\"high_freq_factor\": 4, \"original_max_position_embeddings\": 8192, "
                "\"factor\": ");
    put_float(s, factor);
    str_puts(s, "}");
    return E_OK;
}

static status note_scaling(const gguf_file *f, const family *a, str *s)
{
    const char *type = text(f, a, "rope.scaling.type");
    const tensor_view *t = tensor(f, "rope_freqs.weight");
    double factor = 0;
    bool none = !type || !strcmp(type, "none"), linear = type && !strcmp(type, "linear");
    if (!none && !linear) return refuse(f, a, "rope.scaling.type", "is neither none nor linear");
    if (t && linear)
        return refuse(f, a, "rope.scaling.type", "is there, and rope_freqs.weight too");
    if (t) return note_factors(f, a, t, s);
    if (none) return E_OK;
    if (!number(f, a, "rope.scaling.factor", &factor) || !(factor > 0) || !isfinite(factor))
        return refuse(f, a, "rope.scaling.factor", "is no number above zero");
    str_puts(s, ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": ");
    put_float(s, factor);
    str_puts(s, "}");
    return E_OK;
}

/* ---- the configuration ---- */

/* Keys that are read elsewhere, or change nothing. */
static const char *const other_keys[] = { "vocab_size",          "rope.scaling.type",
                                          "rope.scaling.factor", "rope.scaling.finetuned",
                                          "tensor_data_layout",  NULL };

/* Numbers that must be nothing where they are said. */
static const char *const zero_keys[] = { "expert_count", "expert_used_count", NULL };

static bool listed(const char *const *list, const char *key)
{
    while (*list && strcmp(*list, key)) list++;
    return *list != NULL;
}

static status check_key(const gguf_file *f, const family *a, const gguf_value *v, const char *key)
{
    double x = 1;
    if (listed(other_keys, key)) return E_OK;
    for (const number_key *k = a->key; k->theirs; k++)
        if (!strcmp(k->theirs, key)) return E_OK;
    if (!listed(zero_keys, key)) return refuse(f, a, key, "is not known, and may change the model");
    return gguf_number(v, &x) && x == 0 ? E_OK
                                        : refuse(f, a, key, "is not 0: experts are not built");
}

static status check_keys(const gguf_file *f, const family *a)
{
    size_t n = strlen(a->name);
    status st = E_OK;
    for (int32_t i = 0; i < f->n && st == E_OK; i++)
        if (!strncmp(f->v[i].key, a->name, n) && f->v[i].key[n] == '.')
            st = check_key(f, a, &f->v[i], f->v[i].key + n + 1);
    return st;
}

/* What the tensors say: how many tokens, whether the unembedding is the embedding, whether there are biases. */
static status note_tensors(const gguf_file *f, const family *a, str *s)
{
    const tensor_view *e = tensor(f, "token_embd.weight");
    if (!e || e->n_dim != 2)
        return error_set(f->err, E_FORMAT, "%s: token_embd.weight is missing or no matrix",
                         f->path);
    str_printf(s, ", \"vocab_size\": %lld, \"tie_word_embeddings\": %s", (long long)e->dim[0],
               tensor(f, "output.weight") ? "false" : "true");
    if (strcmp(a->name, "llama")) return E_OK;
    if (tensor(f, "blk.0.attn_output.bias")) str_puts(s, ", \"attention_bias\": true");
    if (tensor(f, "blk.0.ffn_down.bias")) str_puts(s, ", \"mlp_bias\": true");
    return E_OK;
}

static status note_config(const gguf_file *f, const family *a)
{
    str s = { 0 };
    double bos;
    str_printf(&s, "{\"model_type\": \"%s\"%s", a->name, a->more);
    status st = check_keys(f, a);
    for (const number_key *k = a->key; k->theirs && st == E_OK; k++) st = note_number(f, a, k, &s);
    if (st == E_OK) st = note_tensors(f, a, &s);
    if (st == E_OK) st = note_scaling(f, a, &s);
    if (st == E_OK && gguf_number(gguf_find(f, "tokenizer.ggml.bos_token_id"), &bos))
        str_printf(&s, ", \"bos_token_id\": %.0f", bos);
    str_puts(&s, "}");
    if (st == E_OK && s.failed) st = error_set(f->err, E_NOMEM, "%s: out of memory", f->path);
    if (st == E_OK) st = container_note(f->c, "config", s.p, f->err);
    str_release(&s);
    return st;
}

/* ---- names ---- */

/* Our name of theirs: in `out`, or false. */
static bool rename_by(const name_pair *p, const char *name, const char *before, char out[256])
{
    const char *end = strrchr(name, '.');
    if (!end || (strcmp(end, ".weight") && strcmp(end, ".bias"))) return false;
    for (; p->theirs; p++)
        if (strlen(p->theirs) == (size_t)(end - name) &&
            !strncmp(name, p->theirs, (size_t)(end - name))) {
            snprintf(out, 256, "%s%s%s", before, p->ours, end);
            return true;
        }
    return false;
}

static bool rename_tensor(const family *a, const char *name, char out[256])
{
    int layer = -1, used = 0;
    char before[64];
    if (sscanf(name, "blk.%8d.%n", &layer, &used) == 1 && used && layer >= 0) {
        snprintf(before, sizeof before, a->layer, layer);
        return rename_by(a->in_layer, name + used, before, out);
    }
    return rename_by(a->top, name, "", out);
}

/* A vector whose entries are turned, in order: it is short, so it is copied. */
static status straighten(const gguf_file *f, tensor_view *t, int64_t pair)
{
    size_t size = dtype_bytes(t->dtype);
    char *copy = arena_get(&f->c->mem, t->bytes + 1);
    if (!copy) return error_set(f->err, E_NOMEM, "%s: out of memory", f->path);
    for (int64_t i = 0; i < t->dim[0]; i++)
        memcpy(copy + (size_t)i * size,
               (const char *)t->data + (size_t)dtype_row_place(i, pair) * size, size);
    t->data = copy;
    return E_OK;
}

static status turn_back(const gguf_file *f, const family *a, tensor_view *t)
{
    double d = head_size(f, a);
    if (!(d >= 2) || d > 1 << 16 || fmod(d, 2) != 0 || !t->n_dim || t->dim[0] % (int64_t)d ||
        (t->n_dim == 1 && dtype_is_block(t->dtype)))
        return error_set(f->err, E_FORMAT,
                         "%s: tensor '%.120s' has no whole heads of %.0f rows, an even number",
                         f->path, t->name, d);
    if (t->n_dim == 1) return straighten(f, t, (int64_t)d);
    t->pair = (int64_t)d;
    return E_OK;
}

static bool is_turned(const char *name)
{
    const char *dot = strrchr(name, '.');
    while (dot > name && dot[-1] != '.') dot--;
    return !strncmp(name, "blk.", 4) &&
           (!strncmp(dot, "attn_q.", 7) || !strncmp(dot, "attn_k.", 7));
}

static status rename_all(const gguf_file *f, const family *a)
{
    char ours[256];
    int32_t n = 0;
    status st = E_OK;
    for (int32_t i = 0; i < f->c->n && st == E_OK; i++) {
        tensor_view t = f->c->t[i];
        if (!strcmp(t.name, "rope_freqs.weight")) continue; /* note_scaling has seen it */
        if (a->turned && is_turned(t.name)) st = turn_back(f, a, &t);
        if (st == E_OK && rename_tensor(a, t.name, ours)) {
            t.name = arena_string(&f->c->mem, ours);
            if (!t.name) st = error_set(f->err, E_NOMEM, "%s: out of memory", f->path);
        }
        f->c->t[n++] = t;
    }
    f->c->n = n;
    return st;
}

/* ---- the whole ---- */

static status note_missing(const gguf_file *f, const char *name)
{
    char why[300];
    int n =
        snprintf(why, sizeof why, "general.architecture is '%.60s', which is not built; built are",
                 name ? name : "not there");
    for (int i = 0; i < N_FAMILIES; i++)
        n += snprintf(why + n, sizeof why - (size_t)n, " %s", families[i].name);
    return container_note(f->c, "config.missing", why, f->err);
}

status gguf_model(const gguf_file *f)
{
    const char *name = container_meta(f->c, "general.architecture");
    for (int i = 0; i < N_FAMILIES; i++) {
        if (!name || strcmp(name, families[i].name)) continue;
        status st = note_config(f, &families[i]);
        return st == E_OK ? rename_all(f, &families[i]) : st;
    }
    return note_missing(f, name);
}
/* SPDX-License-Identifier: MIT */
