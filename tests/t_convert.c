/* t_convert -- models written for Hugging Face: the values and logits of the source, and nothing half-written.  GGUF files: t_gguf. */
#define TEST_FILE t_convert
#include "test.h"
#include "base/file.h"
#include "format/format.h"
#include "token/tokenizer.h"
#include "tiny.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static mt_report *convert(const char *model, const char *to, const char *more)
{
    char request[4000];
    snprintf(request, sizeof request, "{\"model\":\"%s\",\"to\":\"%s/%s\"%s}", model, test_dir(),
             to, more);
    return ran("convert", request);
}

static container *opened(const char *path)
{
    container *c = NULL;
    CHECK(container_open(&c, path, NULL) == E_OK);
    return c;
}

/* Every written tensor is the source's: type, shape, bytes. */
static void check_values(const char *source, const char *to)
{
    char path[2400];
    snprintf(path, sizeof path, "%s/%s", test_dir(), to);
    container *a = opened(source), *b = opened(path);
    REQUIRE(a && b && container_count(b) > 10);
    for (int32_t i = 0; i < container_count(b); i++) {
        const tensor_view *y = container_at(b, i), *x = container_find(a, y->name);
        CHECK(x && x->dtype == y->dtype && x->n_dim == y->n_dim && x->bytes == y->bytes &&
              !memcmp(x->dim, y->dim, (size_t)x->n_dim * sizeof *x->dim) &&
              !memcmp(x->data, y->data, x->bytes));
    }
    container_free(a), container_free(b);
}

TEST("every golden is written with the same values, and opened again has the same logits")
{
    static const char *const names[] = { "bert",         "bloom",       "falcon",
                                         "falcon_alibi", "gemma",       "gemma2",
                                         "gemma3",       "gpt2",        "gpt2_sharded",
                                         "gpt_neo",      "gpt_neox",    "gpt_neox_serial_legacy",
                                         "gptj",         "llama3_rope", "llama_bf16",
                                         "llama_gqa",    "mistral",     "mixtral",
                                         "olmo2",        "olmoe",       "opt",
                                         "opt_postnorm", "phi",         "phi3",
                                         "qwen2",        "qwen2_f16",   "qwen2_moe",
                                         "qwen3",        NULL };
    char path[200];
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    for (int i = 0; names[i]; i++) {
        snprintf(path, sizeof path, "goldens/models/%s", names[i]);
        const char *source = shared_path(path);
        mt_report *r = source ? convert(source, names[i], "") : NULL;
        REQUIRE(r);
        CHECK(shows(r, "logits that differ             0\n") &&
              shows(r, "numbers rounded                         0\n"));
        check_values(source, names[i]);
        mt_report_free(r);
    }
}

TEST("llama2.c's rows of q and k are put in the order of the family, and rounding is counted")
{
    char path[2400];
    const char *source = shared_path("data/lm-stories260K/stories260K.bin");
    if (!source) SKIP("no ../shared");
    mt_report *r = convert(source, "s", ""), *half = convert(source, "h", ",\"type\":\"bf16\"");
    REQUIRE(r && half);
    CHECK(shows(r, "texts cut otherwise            0\n") && shows(r, "now in order  10") &&
          shows(half, "numbers rounded"));
    snprintf(path, sizeof path, "%s/s", test_dir());
    container *a = opened(source), *b = opened(path);
    const char *name = "model.layers.1.self_attn.q_proj.weight";
    const float *x = container_find(a, name)->data, *y = container_find(b, name)->data;
    for (int row = 0; row < 64; row++) /* head dimension 8: 0 2 4 6 1 3 5 7 */
        CHECK(!memcmp(y + 64 * row, x + 64 * (row / 8 * 8 + row % 4 * 2 + row % 8 / 4), 256));
    container_free(a), container_free(b);
    tokenizer *t = NULL; /* ids are those of transformers' for the files that are written */
    arena mem = { 0 };
    token_span *span;
    int64_t n;
    static const char text[] = "na\xc3\xafve caf\xc3\xa9 <s>";
    static const int want[] = { 1, 297, 412, 198, 178, 360, 280, 412, 431, 485, 410, 1 };
    REQUIRE(tokenizer_open(&t, path, NULL) == E_OK);
    REQUIRE(!tokenizer_encode(t, &mem, text, sizeof text - 1, TOKEN_BOS_AUTO, &span, &n, NULL));
    CHECK(n == 12);
    for (int64_t i = 0; i < n && i < 12; i++) CHECK(span[i].id == want[i]);
    tokenizer_free(t), arena_release(&mem);
    mt_report_free(r), mt_report_free(half);
}

/* Every matrix of `names` is written the other way round, all else as it was. */
static void check_turned(const char *source, const char *to, const char *names)
{
    container *a = opened(source), *b = opened(test_path(to));
    int n_turned = 0;
    REQUIRE(a && b && container_count(b) > 10);
    for (int32_t i = 0; i < container_count(b); i++) {
        const tensor_view *y = container_at(b, i), *x = container_find(a, y->name);
        REQUIRE(x && x->dtype == y->dtype && x->n_dim == y->n_dim && x->bytes == y->bytes);
        bool turned = y->n_dim == 2 && strstr(y->name, names);
        const float *u = x->data, *v = y->data;
        int64_t n = y->dim[0], m = y->n_dim == 2 ? y->dim[1] : 1;
        n_turned += turned;
        for (int64_t k = 0; k < n * m; k++) CHECK(v[k] == u[turned ? k % m * n + k / m : k]);
    }
    CHECK(n_turned >= 8);
    container_free(a), container_free(b);
}

TEST("minGPT's and makemore's models are written as GPT-2's, and opened as such have the same "
     "logits")
{
    static const struct {
        const char *path, *more;
    } of[] = { { "data/org-nanogpt-sort/gpt-nano-sort-model.json", "" },
               { "data/org-makemore-induction", ",\"config\":\"{\\\"n_head\\\": 1}\"" } };
    for (int i = 0; i < 2; i++) {
        const char *source = shared_path(of[i].path), *to = i ? "makemore" : "sort";
        if (!source) SKIP("no ../shared");
        mt_report *r = convert(source, to, of[i].more);
        REQUIRE(r);
        CHECK(shows(r, "logits that differ             0\n") && !mt_report_failed(r) &&
              shows(r, "numbers rounded                         0\n") &&
              shows(r, "not possible: it wrote files"));
        mt_report_free(r);
        check_turned(source, to, ".c_");
    }
}

TEST("what cannot be converted is refused, and leaves nothing")
{
    char path[1200];
    const char *dir = test_dir();
    snprintf(path, sizeof path, "%s/x", dir);
    refuses("convert", "{\"model\":\"demo:induction\"}", "--to DIR");
    refuses_as("convert", "embedded", "{\"model\":\"demo:induction\",\"to\":\"%s\"}", path);
    refuses_as("convert", "expected same, f32, f16 or bf16",
               "{\"model\":\"demo:induction\",\"to\":\"%s\",\"type\":\"q8\"}", path);
    CHECK(!file_exists(path));
    const char *source = shared_path("goldens/models/gpt2");
    if (!source) return;
    refuses_as("convert", "TransformerLens", "{\"model\":\"%s\",\"to\":\"%s\"}",
               shared_path("data/org-grokking-progress/induction_head_infinite.pth"), path);
    char deep[1300];
    snprintf(deep, sizeof deep, "%s/y: cannot be made: No such file",
             path); /* as it was asked for */
    refuses_as("convert", deep, "{\"model\":\"%s\",\"to\":\"%s/y\"}", source, path);
    mt_report_free(convert(source, "x", ""));
    refuses_as("convert", "has files in it", "{\"model\":\"%s\",\"to\":\"%s\"}", source, path);
    mt_report *r = convert(source, "x", ",\"overwrite\":true,\"type\":\"f16\"");
    CHECK(r && shows(r, "tensors of another type                 28"));
    mt_report_free(r);
}
/* SPDX-License-Identifier: MIT */
