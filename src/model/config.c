/* config -- see config.h.  The list of keys that change nothing is long because config.json is
 * where Hugging Face also keeps training, generation and bookkeeping. */
#include "model/config.h"
#include <math.h>
#include <string.h>

/* Shared by all language models.  Sorted by what they are, not by name: the list is short. */
static const config_key SHARED[] = {
    /* bookkeeping */
    { "_name_or_path", KEY_SAYS, NULL },
    { "_commit_hash", KEY_SAYS, NULL },
    { "_attn_implementation", KEY_SAYS, NULL },
    { "_attn_implementation_autoset", KEY_SAYS, NULL },
    { "_experts_implementation", KEY_SAYS, NULL },
    { "architectures", KEY_SAYS, NULL },
    { "attn_implementation", KEY_SAYS, NULL },
    { "auto_map", KEY_SAYS, NULL },
    { "dtype", KEY_SAYS, NULL },
    { "classifier_dropout", KEY_SAYS, NULL },
    { "finetuning_task", KEY_SAYS, NULL },
    { "id2label", KEY_SAYS, NULL },
    { "is_decoder", KEY_SAYS, NULL },
    { "label2id", KEY_SAYS, NULL },
    { "model_type", KEY_SAYS, NULL },
    { "num_labels", KEY_SAYS, NULL },
    { "output_attentions", KEY_SAYS, NULL },
    { "output_hidden_states", KEY_SAYS, NULL },
    { "prefix", KEY_SAYS, NULL },
    { "problem_type", KEY_SAYS, NULL },
    { "return_dict", KEY_SAYS, NULL },
    { "return_dict_in_generate", KEY_SAYS, NULL },
    { "summary_activation", KEY_SAYS, NULL },
    { "summary_first_dropout", KEY_SAYS, NULL },
    { "summary_proj_to_labels", KEY_SAYS, NULL },
    { "summary_type", KEY_SAYS, NULL },
    { "summary_use_proj", KEY_SAYS, NULL },
    { "task_specific_params", KEY_SAYS, NULL },
    { "tf_legacy_loss", KEY_SAYS, NULL },
    { "tokenizer_class", KEY_SAYS, NULL },
    { "torch_dtype", KEY_SAYS, NULL },
    { "torchscript", KEY_SAYS, NULL },
    { "transformers_version", KEY_SAYS, NULL },
    { "use_bfloat16", KEY_SAYS, NULL },
    { "use_cache", KEY_SAYS, NULL },
    { "unsloth_version", KEY_SAYS, NULL },
    { "transformers.js_config", KEY_SAYS, NULL },
    { "is_llama_config", KEY_SAYS, NULL },
    { "base_model_name_or_path", KEY_SAYS, NULL },
    { "_flash_attn_2_enabled", KEY_SAYS, NULL },
    { "_attn_implementation_internal", KEY_SAYS, NULL },
    { "model_max_length", KEY_SAYS, NULL },
    { "chunk_size_feed_forward", KEY_SAYS, NULL }, /* the same sums, in pieces */
    /* tokens */
    { "bos_token_id", KEY_READ, NULL },
    { "decoder_start_token_id", KEY_SAYS, NULL },
    { "eos_token_id", KEY_SAYS, NULL },
    { "forced_bos_token_id", KEY_SAYS, NULL },
    { "forced_eos_token_id", KEY_SAYS, NULL },
    { "pad_token_id", KEY_SAYS, NULL },
    { "sep_token_id", KEY_SAYS, NULL },
    /* training */
    { "gradient_checkpointing", KEY_SAYS, NULL },
    { "initializer_range", KEY_SAYS, NULL },
    { "tie_word_embeddings", KEY_READ, NULL },
    { "vocab_size", KEY_READ, NULL },
    /* generation, which is asked for at the command line */
    { "bad_words_ids", KEY_SAYS, NULL },
    { "begin_suppress_tokens", KEY_SAYS, NULL },
    { "diversity_penalty", KEY_SAYS, NULL },
    { "do_sample", KEY_SAYS, NULL },
    { "early_stopping", KEY_SAYS, NULL },
    { "encoder_no_repeat_ngram_size", KEY_SAYS, NULL },
    { "exponential_decay_length_penalty", KEY_SAYS, NULL },
    { "length_penalty", KEY_SAYS, NULL },
    { "max_length", KEY_SAYS, NULL },
    { "min_length", KEY_SAYS, NULL },
    { "no_repeat_ngram_size", KEY_SAYS, NULL },
    { "num_beam_groups", KEY_SAYS, NULL },
    { "num_beams", KEY_SAYS, NULL },
    { "num_return_sequences", KEY_SAYS, NULL },
    { "output_scores", KEY_SAYS, NULL },
    { "remove_invalid_values", KEY_SAYS, NULL },
    { "repetition_penalty", KEY_SAYS, NULL },
    { "suppress_tokens", KEY_SAYS, NULL },
    { "temperature", KEY_SAYS, NULL },
    { "top_k", KEY_SAYS, NULL },
    { "top_p", KEY_SAYS, NULL },
    { "typical_p", KEY_SAYS, NULL },
    /* what changes the numbers */
    { "add_cross_attention", KEY_MUST, "false" },
    { "alibi", KEY_MUST, "false" },
    { "attention_chunk_size", KEY_MUST, "none" },
    { "attention_layers", KEY_MUST, "[\"global\"]" },
    { "attention_types", KEY_MUST, "[]" },
    { "attn_scale", KEY_MUST, "none" },
    { "attn_temperature_tuning", KEY_MUST, "false" },
    { "attention_multiplier", KEY_MUST, "none" },
    { "attn_logit_softcapping", KEY_MUST, "none" },
    { "clip_qkv", KEY_MUST, "none" },
    { "cross_attention_hidden_size", KEY_MUST, "none" },
    { "embedding_multiplier", KEY_MUST, "1" },
    { "final_logit_softcapping", KEY_MUST, "none" },
    { "is_causal", KEY_MUST, "true" },
    { "is_encoder_decoder", KEY_MUST, "false" },
    { "layer_types", KEY_MUST, "[\"full_attention\"]" },
    { "logit_scale", KEY_MUST, "1" },
    { "logits_scaling", KEY_MUST, "1" },
    { "multi_query", KEY_MUST, "false" },
    { "no_rope_layers", KEY_MUST, "[]" },
    { "num_experts", KEY_MUST, "0" },
    { "num_experts_per_tok", KEY_MUST, "0" },
    { "num_local_experts", KEY_MUST, "0" },
    { "parallel_attn", KEY_MUST, "false" },
    { "partial_rotary_factor", KEY_MUST, "1" },
    { "position_embedding_type", KEY_MUST, "none" },
    { "pruned_heads", KEY_MUST, "[]" },
    { "qk_layernorm", KEY_MUST, "false" },
    { "qk_norm", KEY_MUST, "false" },
    { "quantization_config", KEY_MUST, "none" },
    { "query_pre_attn_scalar", KEY_MUST, "none" },
    { "residual_multiplier", KEY_MUST, "1" },
    { "rotary_pct", KEY_MUST, "1" },
    { "scale_emb", KEY_MUST, "1" },
    { "sliding_window", KEY_MUST, "none" },
    { "softmax_scale", KEY_MUST, "none" },
    { "tie_encoder_decoder", KEY_MUST, "false" },
    { "use_alibi", KEY_MUST, "false" },
    { "use_parallel_residual", KEY_MUST, "false" },
    { "use_qk_norm", KEY_MUST, "false" },
    { "use_sliding_window", KEY_MUST, "false" },
    { NULL, KEY_SAYS, NULL },
};

static const config_key *key_find(const config_key *k, const char *name)
{
    for (; k && k->name; k++)
        if (!strcmp(k->name, name)) return k;
    return NULL;
}

static bool all_are(const json_t *array, const char *text, size_t n)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (!s || strlen(s) != n || strncmp(s, text, n)) return false;
    }
    return true;
}

/* Is v what `text` says?  Numbers by value, "none" only null, "[]" an empty list or object,
 * ["word"] a list of nothing but that word. */
static bool value_is(const json_t *v, const char *text)
{
    if (json_is_true(v)) return !strcmp(text, "true");
    if (json_is_false(v)) return !strcmp(text, "false");
    if (json_is_number(v)) {
        char *end;
        double x = strtod(text, &end);
        return end > text && !*end && x == json_number_value(v);
    }
    if (json_is_string(v)) return !strcmp(text, json_string_value(v));
    if (json_is_object(v)) return !strcmp(text, "[]") && json_object_size(v) == 0;
    if (json_array_size(v) == 0) return text[0] == '[';
    return text[0] == '[' && text[1] == '"' && all_are(v, text + 2, strlen(text) - 4);
}

static status refuse_value(const char *key, const json_t *v, const char *must, error *err)
{
    str s = { 0 };
    json_canonical(&s, v);
    error_set(err, E_UNSUPPORTED,
              "config.json: '%s' is %.80s%s, which changes the computation and is not built", key,
              s.p ? s.p : "?", s.n > 80 ? "..." : "");
    if (strcmp(must, "none")) error_hint(err, "only %s is built for '%s'", must, key);
    else error_hint(err, "models without '%s' (or with null) can be opened", key);
    str_release(&s);
    return E_UNSUPPORTED;
}

/* One key under its own name, whichever of its names the file has. */
static status rename_aliases(builder *b, error *err)
{
    for (const config_key *k = b->arch->key; k && k->name; k++) {
        json_t *v = json_object_get(b->json, k->name);
        const json_t *own = k->kind == KEY_ALIAS ? json_object_get(b->json, k->value) : NULL;
        if (k->kind != KEY_ALIAS || !v || json_is_null(v)) continue;
        if (own && !json_is_null(own) && !json_equal(own, v))
            return error_set(err, E_UNSUPPORTED,
                             "config.json: '%s' and '%s' are one thing and have two values",
                             k->name, k->value);
        if (json_object_set((json_t *)b->json, k->value, v)) /* the model's own copy */
            return error_set(err, E_NOMEM, "config.json: out of memory");
    }
    return E_OK;
}

/* Null, false, empty: whatever it would switch on is off. */
static bool is_off(const json_t *v)
{
    return json_is_null(v) || json_is_false(v) || (json_is_string(v) && !json_string_length(v)) ||
           (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

static bool allowed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p && (p = strstr(p, name)); p += n)
        if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ',')) return true;
    return false;
}

static status unknown_key(builder *b, const char *name, const json_t *v, error *err)
{
    if (is_off(v)) return E_OK;
    if (allowed(b->options->allow, name)) {
        build_warn(b, "config.json: key '%s' is not known to %s and was left out of account", name,
                   b->arch->name);
        return E_OK;
    }
    str s = { 0 };
    json_canonical(&s, v);
    error_set(err, E_UNSUPPORTED,
              "config.json: key '%.80s' (%.60s) is not known to %s: it may change the computation",
              name, s.p ? s.p : "?", b->arch->name);
    error_hint(err, "when you know that it changes no number: --allow %.80s", name);
    str_release(&s);
    return E_UNSUPPORTED;
}

status config_check(builder *b, error *err)
{
    const char *name;
    json_t *v;
    status st = rename_aliases(b, err);
    if (st != E_OK) return st;
    json_object_foreach((json_t *)b->json, name, v)
    { /* the macro wants a mutable object but only reads */
        const config_key *k = key_find(b->arch->key, name);
        if (!k) k = key_find(SHARED, name);
        if (!k && (st = unknown_key(b, name, v, err)) != E_OK) return st;
        if (!k) continue;
        if (k->kind != KEY_MUST || json_is_null(v) || value_is(v, k->value)) continue;
        return refuse_value(name, v, k->value, err);
    }
    if (b->g->err.code) return error_set(err, b->g->err.code, "%s", b->g->err.msg);
    return E_OK;
}

status config_count(const json_t *json, const char *key, int64_t otherwise, int64_t most,
                    int32_t *out, error *err)
{
    int64_t n;
    status st = json_int(json, key, otherwise, &n, err);
    if (st != E_OK) {
        error_prefix(err, "config.json");
        return st;
    }
    const json_t *v = json_object_get(json, key);
    if (n == 0 && (!v || json_is_null(v)))
        return error_set(err, E_FORMAT, "config.json: '%s' is missing", key);
    if (n < 1 || n > most)
        return error_set(err, E_RANGE, "config.json: '%s' is %lld, expected 1..%lld", key,
                         (long long)n, (long long)most);
    *out = (int32_t)n; /* most is below 2^31 */
    return E_OK;
}

status config_positive(const json_t *json, const char *key, double otherwise, double *out,
                       error *err)
{
    double x;
    status st = json_number(json, key, otherwise, &x, err);
    if (st != E_OK) {
        error_prefix(err, "config.json");
        return st;
    }
    if (!(x > 0) || !isfinite(x))
        return error_set(err, E_RANGE, "config.json: '%s' is %g, expected a number above 0", key,
                         x);
    *out = x;
    return E_OK;
}

/* gelu_python is the exact form, gelu_fast and gelu_accurate the tanh form in other words. */
static const struct {
    const char *theirs, *ours;
} ACTIVATION[] = {
    { "gelu", "gelu_erf" },
    { "gelu_python", "gelu_erf" },
    { "gelu_new", "gelu_tanh" },
    { "gelu_pytorch_tanh", "gelu_tanh" },
    { "gelu_accurate", "gelu_tanh" },
    { "gelu_fast", "gelu_tanh" },
    { "quick_gelu", "gelu_quick" },
    { "relu", "relu" },
    { "silu", "silu" },
    { "swish", "silu" },
};
enum { N_ACTIVATION = sizeof ACTIVATION / sizeof *ACTIVATION };

status config_activation(const json_t *json, const char *key, const char *otherwise,
                         const char **out, error *err)
{
    const char *name;
    status st = json_text(json, key, otherwise, &name, err);
    if (st != E_OK) {
        error_prefix(err, "config.json");
        return st;
    }
    for (int i = 0; i < N_ACTIVATION; i++)
        if (!strcmp(ACTIVATION[i].theirs, name)) {
            *out = ACTIVATION[i].ours;
            return E_OK;
        }
    error_set(err, E_UNSUPPORTED, "config.json: '%s' is \"%.60s\", an activation that is not built",
              key, name);
    error_hint(err,
               "built: gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu, and synonyms");
    return E_UNSUPPORTED;
}

json_t *config_sibling(const char *path)
{
    char file[1024];
    const char *slash = strrchr(path, '/'), *run = slash ? slash + 1 : path,
               *dot = strrchr(run, '.');
    json_t *own = NULL;
    if (strncmp(run, "model_", 6) || !dot) return NULL;
    int n = snprintf(file, sizeof file, "%.*sconfig_%.*s.json", (int)(run - path), path,
                     (int)(dot - run) - 6, run + 6);
    bool fits = n > 0 && (size_t)n < sizeof file;
    return fits && json_open(&own, file, 1 << 20, NULL) == E_OK ? own : NULL;
}

status config_agree(const model_config *c, error *err)
{
    if (c->n_kv_head && c->n_head % c->n_kv_head)
        return error_set(err, E_SHAPE,
                         "config.json: %d query heads on %d key-value heads, expected a multiple",
                         c->n_head, c->n_kv_head);
    if ((int64_t)c->n_head * c->d_head > 1 << 24 || (int64_t)c->d_mlp > 1 << 24)
        return error_set(err, E_RANGE, "config.json: %d heads of %d numbers are too wide",
                         c->n_head, c->d_head);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
