/* t_adapter -- LoRA adapters: the bits of weights merged by hand, whichever way round the file has them. */
#define TEST_FILE t_adapter
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "format/format.h"
#include "model/adapter.h"
#include "opened.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 64 };

/* A model with an adapter; its logits. */
static status adapted(const char *path, const char *lora, double scale, double *out, int32_t n,
                      error *err)
{
    model *m = NULL;
    bench b;
    model_options how = { .adapter = lora, .adapter_scale = &scale };
    status st = model_open_with(&m, path, &how, err);
    model_free(m);
    if (st != E_OK) return st;
    REQUIRE(open_bench(&b, path, &how, NULL));
    logits_of(&b, out, n);
    close_bench(&b);
    return E_OK;
}

static void put_adapter(const char *dir, const char *module, const tensor_view half[2])
{
    char path[1200], name[2][200];
    tensor_view t[2] = { half[0], half[1] };
    for (int i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[0], "base_model.model.%s.lora_%c.weight", module, "AB"[i]);
        t[i].name = name[i];
    }
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    REQUIRE(tensors_write(path, t, 2, NULL, 0, NULL) == E_OK);
}

static void put_text(const char *dir, const char *name, const char *text)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    REQUIRE(file_write(path, text, strlen(text), NULL) == E_OK);
}

/* The golden's directory, its weight changed by hand as docs/numerics.md says. */
static void merged_by_hand(const char *golden, const char *name, const float *a, const float *b,
                           int rank, float s, bool in_out)
{
    char path[1200];
    container *c;
    tensor_view t[MOST];
    str config = { 0 };
    snprintf(path, sizeof path, "%s/model.safetensors", golden);
    REQUIRE(container_open(&c, path, NULL) == E_OK && container_count(c) <= MOST);
    float *w = NULL;
    for (int i = 0; i < container_count(c); i++) {
        t[i] = *container_at(c, i);
        if (strcmp(t[i].name, name)) continue;
        REQUIRE(!w && (w = malloc(t[i].bytes)));
        memcpy(w, t[i].data, t[i].bytes);
        t[i].data = w;
        int n_out = (int)t[i].dim[in_out], n_in = (int)t[i].dim[!in_out];
        for (int p = 0; p < n_out; p++)
            for (int q = 0; q < n_in; q++) {
                float sum = 0, *y = w + (in_out ? q * n_out + p : p * n_in + q);
                for (int r = 0; r < rank; r++) sum = fmaf(b[p * rank + r], a[r * n_in + q], sum);
                *y = fmaf(s, sum, *y);
            }
    }
    REQUIRE(w != NULL);
    snprintf(path, sizeof path, "%s/model.safetensors", test_dir());
    REQUIRE(tensors_write(path, t, container_count(c), NULL, 0, NULL) == E_OK);
    snprintf(path, sizeof path, "%s/config.json", golden);
    REQUIRE(file_read(&config, path, 1 << 20, NULL) == E_OK);
    put_text(test_dir(), "config.json", config.p);
    str_release(&config);
    container_free(c);
    free(w);
}

/* The golden GPT-2 with every [in, out] weight turned, as GGUF and minGPT have them. */
static void turned_gpt2(const char *golden, const char *dir)
{
    char path[1400];
    container *c;
    tensor_view t[MOST];
    float *own[MOST] = { 0 };
    snprintf(path, sizeof path, "%s/model.safetensors", golden);
    REQUIRE(container_open(&c, path, NULL) == E_OK && container_count(c) <= MOST);
    for (int i = 0; i < container_count(c); i++) {
        t[i] = *container_at(c, i);
        if (!strstr(t[i].name, ".c_") || t[i].n_dim != 2) continue;
        REQUIRE((own[i] = malloc(t[i].bytes)));
        for (int p = 0; p < t[i].dim[0]; p++)
            for (int q = 0; q < t[i].dim[1]; q++)
                own[i][q * t[i].dim[0] + p] = ((const float *)t[i].data)[p * t[i].dim[1] + q];
        int64_t first = t[i].dim[0];
        t[i].dim[0] = t[i].dim[1], t[i].dim[1] = first, t[i].data = own[i];
    }
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    REQUIRE(tensors_write(path, t, container_count(c), NULL, 0, NULL) == E_OK);
    snprintf(path, sizeof path, "%s/config.json", golden);
    json_t *config = json_load_file(path, 0, NULL);
    REQUIRE(config && !json_object_set_new(config, "microtome", json_pack("{s:b}", "out_in", 1)));
    snprintf(path, sizeof path, "%s/config.json", dir);
    REQUIRE(!json_dump_file(config, path, 0));
    json_decref(config);
    for (int i = 0; i < container_count(c); i++) free(own[i]);
    container_free(c);
}

TEST("an adapter of GPT-2 is added the right way round to a file that has the weights turned")
{
    const char *golden = shared_path("goldens/models/gpt2"), *name = "transformer.h.1.attn.c_proj";
    if (!golden) SKIP("no ../shared");
    char dir[1200], weight[100];
    error err = { 0 };
    bench b;
    REQUIRE(open_bench(&b, golden, NULL, NULL));
    int32_t n = 8 * b.m->logits->n_part, d = b.m->config.d_model;
    close_bench(&b);
    float *x = malloc((size_t)d * 8), *y = malloc((size_t)d * 8);
    double *want = calloc((size_t)n, 8), *got = calloc((size_t)n, 8);
    REQUIRE(x && y && want && got);
    for (int i = 0; i < 2 * d; i++) x[i] = (float)(i % 7 - 3) * 0.1f, y[i] = (float)(i % 5) * 0.2f;
    const tensor_view half[2] = {
        { .dtype = DTYPE_F32, .n_dim = 2, .dim = { 2, d }, .data = x, .bytes = (size_t)d * 8 },
        { .dtype = DTYPE_F32, .n_dim = 2, .dim = { d, 2 }, .data = y, .bytes = (size_t)d * 8 }
    };
    put_adapter(test_dir(), name, half);
    put_text(test_dir(), "adapter_config.json", "{\"fan_in_fan_out\": true}");
    snprintf(dir, sizeof dir, "%s/turned", test_dir());
    REQUIRE(!mkdir(dir, 0777));
    turned_gpt2(golden, dir);
    CHECK(adapted(golden, test_dir(), 1, want, n, &err) == E_OK);
    CHECK(adapted(dir, test_dir(), 1, got, n, &err) == E_OK && !memcmp(want, got, (size_t)n * 8));
    snprintf(weight, sizeof weight, "%s.weight", name);
    merged_by_hand(golden, weight, x, y, 2, 1, true);
    bench merged;
    REQUIRE(open_bench(&merged, test_dir(), NULL, NULL));
    logits_of(&merged, want, n);
    CHECK(!memcmp(want, got, (size_t)n * 8));
    close_bench(&merged);
    put_text(test_dir(), "adapter_config.json", "{}"); /* square, so no shape would tell */
    CHECK(adapted(golden, test_dir(), 1, got, n, &err) == E_SHAPE &&
          strstr(err.hint, "fan_in_fan_out"));
    free(x), free(y), free(want), free(got);
}

TEST("a LoRA adapter gives the bits of weights merged by hand; scale 0 those of the model without "
     "it")
{
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    static const struct {
        const char *golden, *module, *config;
        bool in_out;
        double scale;
    } of[] = {
        { "gpt2", "transformer.h.1.mlp.c_fc",
          "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 3, \"fan_in_fan_out\": true}", true,
          1.5 },
        { "llama_gqa", "model.layers.0.self_attn.k_proj", NULL, false, 1 },
        { "llama_gqa", "model.layers.0.self_attn.q_proj",
          "{\"r\": 2, \"lora_alpha\": 8, \"use_rslora\": true}", false, 5.656854249492381 },
    };
    for (int k = 0; k < 3; k++) {
        char rel[64], name[100];
        snprintf(rel, sizeof rel, "goldens/models/%s", of[k].golden);
        const char *golden = shared_path(rel);
        error err = { 0 };
        bench b;
        REQUIRE(open_bench(&b, golden, NULL, NULL));
        int32_t n = 8 * b.m->logits->n_part;
        snprintf(name, sizeof name, "%s.weight", of[k].module);
        const node *w = graph_find(&b.m->g, name);
        REQUIRE(w != NULL);
        int n_out = of[k].in_out ? w->n_part : w->n_row, n_in = of[k].in_out ? w->n_row : w->n_part;
        float *x = malloc((size_t)n_in * 2 * 4), *y = malloc((size_t)n_out * 2 * 4);
        double *plain = calloc((size_t)n, 8), *with = calloc((size_t)n, 8),
               *want = calloc((size_t)n, 8);
        for (int i = 0; i < 2 * n_in; i++) x[i] = (float)(i * 37 % 23 - 11) / 23;
        for (int i = 0; i < 2 * n_out; i++) y[i] = (float)(i * 17 % 29 - 14) / 29;
        logits_of(&b, plain, n);
        close_bench(&b);
        tensor_view half[2] = { { .dtype = DTYPE_F32,
                                  .n_dim = 2,
                                  .dim = { 2, n_in },
                                  .data = x,
                                  .bytes = (size_t)n_in * 8 },
                                { .dtype = DTYPE_F32,
                                  .n_dim = 2,
                                  .dim = { n_out, 2 },
                                  .data = y,
                                  .bytes = (size_t)n_out * 8 } };
        put_adapter(test_dir(), of[k].module, half);
        if (of[k].config) put_text(test_dir(), "adapter_config.json", of[k].config);
        CHECK(adapted(golden, test_dir(), 0, with, n, &err) == E_OK &&
              !memcmp(plain, with, (size_t)n * 8));
        CHECK(adapted(golden, test_dir(), 0.5, with, n, &err) == E_OK &&
              memcmp(plain, with, (size_t)n * 8));
        if (err.msg[0]) printf("  %s\n", err.msg);
        merged_by_hand(golden, name, x, y, 2, (float)(0.5 * of[k].scale), of[k].in_out);
        bench merged;
        REQUIRE(open_bench(&merged, test_dir(), NULL, NULL));
        logits_of(&merged, want, n);
        CHECK(!memcmp(with, want, (size_t)n * 8));
        close_bench(&merged);
        if (!k) { /* what is wrong with it is said */
            put_text(test_dir(), "adapter_config.json", "{\"r\": 4, \"fan_in_fan_out\": true}");
            CHECK(adapted(golden, test_dir(), 1, with, n, &err) == E_SHAPE &&
                  strstr(err.msg, "rank is 2"));
            err = (error){ 0 }, put_text(test_dir(), "adapter_config.json", "{\"use_dora\": true}");
            CHECK(adapted(golden, test_dir(), 1, with, n, &err) == E_UNSUPPORTED &&
                  strstr(err.msg, "use_dora"));
            err = (error){ 0 }, put_text(test_dir(), "adapter_config.json", "{}");
            CHECK(adapted(golden, test_dir(), 1, with, n, &err) == E_SHAPE &&
                  strstr(err.hint, "fan_in_fan_out"));
            err = (error){ 0 };
            CHECK(adapted(golden, shared_path("data/fixture-lora"), 1, with, n, &err) == E_SHAPE &&
                  strstr(err.msg, "model.layers.10.self_attn.o_proj"));
            char path[1200];
            snprintf(path, sizeof path, "%s/adapter_config.json", test_dir());
            remove(path);
        }
        free(x), free(y), free(plain), free(with), free(want);
    }
}
/* ---- an adapter that somebody trained ---- */

enum { WIDE = 4096, DEEP = 21, N_HEAD = 32, NARROW = 8 };

/* One tensor's line of a safetensors header; where the next begins. */
static int64_t say_tensor(str *head, const char *name, int64_t n_row, int64_t n_col, int64_t at)
{
    int64_t bytes = (n_row ? n_row : 1) * n_col * 2;
    char rows[30] = "";
    if (n_row) snprintf(rows, sizeof rows, "%lld,", (long long)n_row);
    str_printf(head, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%s%lld],\"data_offsets\":[%lld,%lld]}",
               head->n > 1 ? "," : "", name, rows, (long long)n_col, (long long)at,
               (long long)(at + bytes));
    return at + bytes;
}

/* Llama 8B's width and its first layers, all zeros but nothing of it on the disk: a file with a hole. */
static void make_wide(const char *dir)
{
    char path[1300], name[100];
    str head = { 0 };
    static const struct {
        const char *name;
        int n_row, n_col;
    } layer[] = { { "input_layernorm", 0, WIDE },
                  { "post_attention_layernorm", 0, WIDE },
                  { "self_attn.q_proj", WIDE, WIDE },
                  { "self_attn.k_proj", WIDE / N_HEAD, WIDE },
                  { "self_attn.v_proj", WIDE / N_HEAD, WIDE },
                  { "self_attn.o_proj", WIDE, WIDE },
                  { "mlp.gate_proj", NARROW, WIDE },
                  { "mlp.up_proj", NARROW, WIDE },
                  { "mlp.down_proj", WIDE, NARROW } };
    str_puts(&head, "{");
    int64_t at = say_tensor(&head, "model.embed_tokens.weight", NARROW, WIDE, 0);
    at = say_tensor(&head, "model.norm.weight", 0, WIDE, at);
    for (int i = 0; i < DEEP; i++)
        for (size_t k = 0; k < sizeof layer / sizeof *layer; k++) {
            snprintf(name, sizeof name, "model.layers.%d.%s.weight", i, layer[k].name);
            at = say_tensor(&head, name, layer[k].n_row, layer[k].n_col, at);
        }
    str_puts(&head, "}");
    while (head.n % 8) str_puts(&head, " ");
    uint64_t n = head.n;
    str file = { 0 };
    str_add(&file, (const char *)&n, 8), str_add(&file, head.p, head.n);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    REQUIRE(!file.failed && !file_write(path, file.p, file.n, NULL));
    REQUIRE(!truncate(path, (off_t)(file.n + (size_t)at)));
    str_release(&head), str_release(&file);
    put_text(dir, "config.json",
             "{\"model_type\":\"llama\",\"hidden_size\":4096,\"intermediate_size\":8,"
             "\"num_hidden_layers\":21,\"num_attention_heads\":32,\"num_key_value_heads\":1,"
             "\"vocab_size\":8,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"
             "\"tie_word_embeddings\":true}");
}

/* Is what the part adds B A, as the file has them?  alpha is not said, so the scale is 1. */
static bool adds_product(const adapter_part *p, const container *c, int block)
{
    char name[2][120];
    const float *half[2];
    for (int i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[0],
                 "base_model.model.model.layers.%d.self_attn.o_proj.lora_%c.weight", block,
                 "AB"[i]);
        const tensor_view *t = container_find(c, name[i]);
        if (!t) return false;
        half[i] = t->data;
    }
    lowrank low = adapter_product(p, 1);
    bool same = low.n_row == WIDE && low.n_col == WIDE;
    for (int64_t i = 0; i < WIDE && same; i += 1371) {
        float row[WIDE] = { 0 };
        lowrank_add(&low, i, 0, WIDE, row);
        for (int64_t k = 0; k < WIDE && same; k++) {
            float sum = 0;
            for (int r = 0; r < 4; r++) sum = fmaf(half[1][i * 4 + r], half[0][r * WIDE + k], sum);
            same = row[k] == sum;
        }
    }
    return same;
}

TEST("an adapter of a Llama of 8 billion parameters attaches to a model of that width")
{
    const char *fixture = shared_path("data/fixture-lora");
    static const int block[] = { 10, 15, 20, 5 };
    char path[1200], dir[1100];
    arena mem = { 0 };
    error err = { 0 };
    model *m;
    adapter *a;
    container *c;
    if (!fixture) SKIP("no ../shared");
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", fixture);
    snprintf(dir, sizeof dir, "%s", test_dir());
    make_wide(dir);
    REQUIRE(!model_open(&m, dir, NULL, &err) && !container_open(&c, path, NULL));
    REQUIRE(adapter_read(&a, &mem, m, path, &err) == E_OK);
    CHECK(a->n == 4 && !a->config && a->warning && strstr(a->warning, "alpha"));
    for (int i = 0; i < a->n; i++) {
        char name[100];
        snprintf(name, sizeof name, "model.layers.%d.self_attn.o_proj.weight", block[i]);
        CHECK(!strcmp(a->part[i].weight, name) && a->part[i].n);
        CHECK(adds_product(&a->part[i], c, block[i]));
    }
    container_free(c);
    model_free(m);
    arena_release(&mem);
}
/* SPDX-License-Identifier: MIT */
