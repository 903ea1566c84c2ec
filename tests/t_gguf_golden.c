/* t_gguf_golden -- transformers' Gemma as llama.cpp would store it: the GGUF file, and what convert writes of it, against
 * the activations that transformers gave.  Its gains are any numbers, stored whole. */
#define TEST_FILE t_gguf_golden
#include "test.h"
#include "gguf_made.h"
#include "tiny.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GEMMA "goldens/models/gemma"

static const char *const NAMES[][2] = {
    { "input_layernorm", "attn_norm" }, { "post_attention_layernorm", "ffn_norm" },
    { "self_attn.q_proj", "attn_q" },   { "self_attn.k_proj", "attn_k" },
    { "self_attn.v_proj", "attn_v" },   { "self_attn.o_proj", "attn_output" },
    { "mlp.gate_proj", "ffn_gate" },    { "mlp.up_proj", "ffn_up" },
    { "mlp.down_proj", "ffn_down" },    { NULL, NULL },
};

/* "model.layers.1.mlp.up_proj.weight": "blk.1.ffn_up.weight". */
static void their_name(const char *ours, char *out, size_t bytes)
{
    int layer = 0, at = 0;
    if (!strcmp(ours, "model.embed_tokens.weight")) snprintf(out, bytes, "token_embd.weight");
    else if (!strcmp(ours, "model.norm.weight")) snprintf(out, bytes, "output_norm.weight");
    else {
        REQUIRE(sscanf(ours, "model.layers.%d.%n", &layer, &at) == 1 && at);
        for (int i = 0; NAMES[i][0]; i++)
            if (!strncmp(ours + at, NAMES[i][0], strlen(NAMES[i][0])))
                snprintf(out, bytes, "blk.%d.%s.weight", layer, NAMES[i][1]);
    }
}

static void put_tensor(gguf_made *g, const tensor_view *t)
{
    char name[80] = "";
    their_name(t->name, name, sizeof name);
    int64_t n_row = t->n_dim == 2 ? t->dim[0] : 0, n_col = t->dim[t->n_dim - 1];
    float *v = malloc(t->bytes);
    REQUIRE(*name && v && t->dtype == DTYPE_F32);
    memcpy(v, t->data, t->bytes);
    for (int64_t i = 0; !n_row && i < n_col; i++) v[i] += 1; /* as convert_hf_to_gguf.py does */
    made_tensor(g, name, DTYPE_F32, n_row, n_col, v);
    free(v);
}

static void make_gemma(const container *c, const char *path)
{
    gguf_made g;
    made_begin(&g, "gemma");
    made_u32(&g, "gemma.embedding_length", 34), made_u32(&g, "gemma.feed_forward_length", 35);
    made_u32(&g, "gemma.block_count", 2), made_u32(&g, "gemma.attention.head_count", 4);
    made_u32(&g, "gemma.attention.head_count_kv", 1), made_u32(&g, "gemma.context_length", 64);
    made_u32(&g, "gemma.attention.key_length", 14);
    made_u32(&g, "gemma.attention.value_length", 14);
    made_f32(&g, "gemma.attention.layer_norm_rms_epsilon", 1e-6f);
    for (int32_t i = 0; i < container_count(c); i++) put_tensor(&g, container_at(c, i));
    made_file(&g, path);
}

/* How many sites agree, of verify's report. */
static void check_verified(const char *path)
{
    mt_report *r = ran_as("verify", "{\"model\":\"%s\",\"against\":\"%s/golden.safetensors\"}",
                          path, shared_path(GEMMA));
    REQUIRE(r);
    char *text = mt_report_render(r, "text", 200, false, NULL);
    CHECK(!mt_report_failed(r) && text);
    if (mt_report_failed(r)) printf("%s\n", text);
    mt_text_free(text);
    mt_report_free(r);
}

/* What is written is the original again, but for what 1 + w rounded away in the GGUF file. */
static void check_gains(const container *c, const char *written)
{
    container *w = NULL;
    int n_gain = 0;
    REQUIRE(!container_open(&w, written, NULL));
    CHECK(container_count(w) == container_count(c));
    for (int32_t i = 0; i < container_count(c); i++) {
        const tensor_view *a = container_at(c, i), *b = container_find(w, a->name);
        REQUIRE(b && a->bytes == b->bytes);
        const float *x = a->data, *y = b->data;
        n_gain += a->n_dim == 1;
        for (size_t k = 0; k < a->bytes / 4; k++)
            CHECK(a->n_dim == 1 ? fabsf(x[k] - y[k]) <= 1.2e-7f : x[k] == y[k]);
    }
    CHECK(n_gain == 5);
    container_free(w);
}

TEST("transformers' Gemma in a GGUF file, and what convert writes of it, have its activations")
{
    const char *dir = shared_path(GEMMA);
    container *c = NULL;
    char gguf[1100], to[1100];
    if (!dir) SKIP("no ../shared");
    REQUIRE(!container_open(&c, dir, NULL));
    snprintf(gguf, sizeof gguf, "%s", test_path("gemma.gguf"));
    snprintf(to, sizeof to, "%s", test_path("written"));
    make_gemma(c, gguf);
    check_verified(gguf);
    mt_report *r = ran_as("convert", "{\"model\":\"%s\",\"to\":\"%s\"}", gguf, to);
    REQUIRE(r && shows(r, "logits that differ             0\n"));
    CHECK(shows(r, "gains, now less one                     5\n"));
    mt_report_free(r);
    check_verified(to);
    check_gains(c, to);
    container_free(c);
}
/* SPDX-License-Identifier: MIT */
