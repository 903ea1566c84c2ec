/* t_lora -- adapters that forks have: every site's bits are those of the model opened with the adapter, and the base is
 * as it was.  How they are written as edits.  Adapters of opened models: t_adapter. */
#define TEST_FILE t_lora
#include "test.h"
#include "base/file.h"
#include "format/format.h"
#include "model/adapter.h"
#include "opened.h"
#include "tiny.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RANK = 3, MOST = 16 };

/* ---- adapters made here ---- */

typedef struct made {
    tensor_view t[2 * MOST];
    char name[2 * MOST][200];
    float *v[2 * MOST];
    int n;
} made;

static float *numbers(int64_t n, int seed)
{
    float *v = malloc((size_t)n * sizeof *v);
    REQUIRE(v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)((i * 37 + seed * 11) % 23 - 11) / 23;
    return v;
}

/* A pair for that weight of the model, as PEFT would name it. */
static void add_pair(made *a, const model *m, const char *module, bool in_out)
{
    char weight[200];
    snprintf(weight, sizeof weight, "%s.weight", module);
    const node *w = graph_find(&m->g, weight);
    REQUIRE(w && a->n < 2 * MOST);
    for (int i = 0; i < 2; i++, a->n++) {
        int64_t far = (i == 1) != in_out ? w->n_row : w->n_part;
        a->v[a->n] = numbers(far * RANK, a->n);
        snprintf(a->name[a->n], sizeof a->name[0], "base_model.model.%s.lora_%c.weight", module,
                 "AB"[i]);
        a->t[a->n] = (tensor_view){ .name = a->name[a->n],
                                    .dtype = DTYPE_F32,
                                    .n_dim = 2,
                                    .dim = { i ? far : RANK, i ? RANK : far },
                                    .data = a->v[a->n],
                                    .bytes = (size_t)far * RANK * sizeof(float) };
    }
}

static void put(made *a, const char *dir, const char *config)
{
    char path[1300];
    REQUIRE(file_is_dir(dir) || !mkdir(dir, 0777));
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    REQUIRE(tensors_write(path, a->t, a->n, NULL, 0, NULL) == E_OK);
    for (int i = 0; i < a->n; i++) free(a->v[i]);
    a->n = 0;
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    REQUIRE(file_write(path, config, strlen(config), NULL) == E_OK);
}

static char *dir_of(const char *name)
{
    static char path[4][1200];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", test_dir(), name);
    return path[k];
}

/* ---- forks ---- */

static lane *prompt_lane(bench *b)
{
    static const double id[6] = { 1, 5, 2, 40, 7, 3 };
    lane *l;
    REQUIRE(!lane_new(&l, b->s, NULL, 6, NULL) && !lane_give(l, b->m->token, id, NULL));
    return l;
}

/* low: as long as the session. */
static void give(lane *l, const adapter *a, double factor, lowrank *low)
{
    for (int32_t i = 0; i < a->n; i++) {
        low[i] = adapter_product(&a->part[i], factor);
        edit e = { .n = a->part[i].n, .w1 = 1, .kind = EDIT_LOWRANK, .low = &low[i] };
        e.where = node_all(e.n, l);
        REQUIRE(lane_edit(l, &e, NULL) == E_OK);
    }
}

static void ask_all(bench *b, lane *l)
{
    for (int32_t i = 0; i < b->m->g.n_site; i++) {
        const node *n = b->m->g.site[i].n;
        if (n->extent != WEIGHT && n->op) REQUIRE(!lane_ask(l, n, node_all(n, l), NULL));
    }
}

/* How many sites have other bits. */
static int differ(bench *a, lane *l, bench *b, lane *k)
{
    int n_other = 0, n_site = 0;
    for (int32_t i = 0; i < a->m->g.n_site; i++) {
        const node *n = a->m->g.site[i].n, *o = graph_find(&b->m->g, a->m->g.site[i].name);
        if (n->extent == WEIGHT || !n->op) continue;
        REQUIRE(o);
        size_t bytes = (size_t)node_numbers(n, node_all(n, l), l) * (size_t)a->e->real_bytes;
        char *x = malloc(bytes), *y = malloc(bytes);
        REQUIRE(x && y && !lane_read_raw(l, n, node_all(n, l), x, NULL) &&
                !lane_read_raw(k, o, node_all(o, k), y, NULL));
        n_other += memcmp(x, y, bytes) != 0, n_site++;
        free(x), free(y);
    }
    REQUIRE(n_site > 20);
    return n_other;
}

static void fork_is_fresh(const char *golden, const char *dir, const char *precision)
{
    static const double factor[2] = { 0.75, -2 };
    lowrank low[2][MOST];
    bench b, plain;
    lane *base, *fork[2], *untouched;
    arena mem = { 0 };
    adapter *a = NULL;
    error err = { 0 };
    REQUIRE(open_bench(&b, golden, NULL, precision) && open_bench(&plain, golden, NULL, precision));
    if (adapter_read(&a, &mem, b.m, dir, &err) != E_OK) printf("  %s\n", err.msg);
    REQUIRE(a && a->n <= MOST);
    base = prompt_lane(&b), untouched = prompt_lane(&plain);
    ask_all(&b, base), ask_all(&plain, untouched);
    REQUIRE(!session_run(plain.s, NULL, NULL));
    for (int k = 0; k < 2; k++) {
        REQUIRE(!lane_fork(&fork[k], base, NULL));
        give(fork[k], a, factor[k], low[k]);
        ask_all(&b, fork[k]);
    }
    REQUIRE(!session_run(b.s, NULL, NULL)); /* base and both forks in one run */
    CHECK(differ(&b, base, &plain, untouched) == 0);
    for (int k = 0; k < 2; k++) {
        bench with;
        model_options how = { .adapter = dir, .adapter_scale = &factor[k] };
        REQUIRE(open_bench(&with, golden, &how, precision));
        lane *fresh = prompt_lane(&with);
        ask_all(&with, fresh);
        REQUIRE(!session_run(with.s, NULL, NULL));
        CHECK(differ(&b, fork[k], &with, fresh) == 0);
        CHECK(differ(&b, base, &with, fresh) > 10);
        close_bench(&with);
    }
    close_bench(&b), close_bench(&plain);
    arena_release(&mem);
}

TEST("a fork with an adapter has, at every site, the bits of the model opened with it; the base is "
     "untouched")
{
    static const struct {
        const char *golden, *config, *module[5];
        bool in_out;
    } of[] = {
        { "gpt2",
          "{\"fan_in_fan_out\": true, \"r\": 3, \"lora_alpha\": 4}",
          { "transformer.h.0.attn.c_attn", "transformer.h.1.mlp.c_fc", "transformer.h.1.mlp.c_proj",
            "transformer.wte" },
          true },
        { "llama_gqa",
          "{\"r\": 3, \"lora_alpha\": 6, \"use_rslora\": true}",
          { "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.o_proj",
            "model.layers.1.mlp.down_proj", "lm_head" },
          false },
        { "llama_bf16", "{}", { "model.layers.1.self_attn.k_proj" }, false },
        { "phi3", "{}", { "model.layers.0.self_attn.qkv_proj" }, false },
    };
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char rel[64];
        made a = { .n = 0 };
        bench b;
        snprintf(rel, sizeof rel, "goldens/models/%s", of[i].golden);
        const char *golden = shared_path(rel), *dir = dir_of(of[i].golden);
        REQUIRE(open_bench(&b, golden, NULL, NULL));
        for (int k = 0; of[i].module[k]; k++) /* an embedding is [out, in] everywhere */
            add_pair(&a, b.m, of[i].module[k], of[i].in_out && !strstr(of[i].module[k], "wte"));
        close_bench(&b);
        put(&a, dir, of[i].config);
        fork_is_fresh(golden, dir, "f32");
        fork_is_fresh(golden, dir, "f64");
    }
}

/* ---- as edits are written ---- */

static mt_report *run(const char *golden, const char *more)
{
    char request[6000];
    snprintf(request, sizeof request, "{\"model\":\"%s\",\"tokens\":\"1,5,2,40\",%s}", golden,
             more);
    return ran("run", request);
}

/* The last logits of a run that this makes. */
static double *logits(const char *golden, const char *more, const char *name, int64_t *n)
{
    mt_report *r = run(golden, more);
    REQUIRE(r);
    double *v = tensor_of(r, name, n);
    mt_report_free(r);
    return v;
}

static bool same_logits(const char *golden, const char *fork, const char *opened)
{
    int64_t n, m;
    double *a = logits(golden, fork, "logits_edited", &n),
           *b = logits(golden, opened, "logits", &m);
    bool same = n == m && !memcmp(a, b, (size_t)n * sizeof *a);
    free(a), free(b);
    return same;
}

static void refused(const char *golden, const char *text, const char *says)
{
    refuses_as("run", says, "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"edit\":[\"%s\"]}", golden,
               text);
}

/* Two adapters of llama_gqa: one of q in both blocks, one of v in the first. */
static const char *two_adapters(char a[1200], char b[1200])
{
    made x = { .n = 0 };
    bench m;
    const char *golden = shared_path("goldens/models/llama_gqa");
    if (!golden) return NULL;
    REQUIRE(open_bench(&m, golden, NULL, NULL));
    add_pair(&x, m.m, "model.layers.0.self_attn.q_proj", false);
    add_pair(&x, m.m, "model.layers.1.self_attn.q_proj", false);
    put(&x, strcpy(a, dir_of("a")), "{\"r\": 3, \"lora_alpha\": 5}");
    add_pair(&x, m.m, "model.layers.0.self_attn.v_proj", false);
    put(&x, strcpy(b, dir_of("b")), "{}");
    close_bench(&m);
    return golden;
}

TEST("weights += F * lora(DIR) is the adapter at that scale; adapters stack, and parts of one are "
     "named by site")
{
    char a[1200], b[1200], fork[3000], opened[3000];
    const char *golden = two_adapters(a, b);
    if (!golden) SKIP("no ../shared");
    snprintf(fork, sizeof fork, "\"edit\":[\"weights += 0.3 * lora(%s)\"]", a);
    snprintf(opened, sizeof opened, "\"adapter\":\"%s\",\"adapter_scale\":0.3", a);
    CHECK(same_logits(golden, fork, opened));
    snprintf(fork, sizeof fork, "\"edit\":[\"weights -= lora(%s/adapter_model.safetensors)\"]", a);
    snprintf(opened, sizeof opened, "\"adapter\":\"%s\",\"adapter_scale\":-1", a);
    CHECK(same_logits(golden, fork, opened));
    snprintf(fork, sizeof fork, "\"edit\":[\"weights += 0.3*lora(%s)\",\"weights += lora(%s)\"]", a,
             b);
    snprintf(opened, sizeof opened,
             "\"adapter\":\"%s\",\"adapter_scale\":0.3,\"edit\":[\"weights += lora(%s)\"]", a, b);
    int64_t n, m;
    double *x = logits(golden, fork, "logits_edited", &n),
           *y = logits(golden, opened, "logits_edited", &m);
    CHECK(n == m && !memcmp(x, y, (size_t)n * sizeof *x));
    free(x), free(y);
    snprintf(fork, sizeof fork,
             "\"edit\":[\"model.layers.0.*.q_proj.weight += lora(%s)\","
             "\"model.layers.1.*.*.weight += lora(%s)\"]",
             a, a);
    snprintf(opened, sizeof opened, "\"adapter\":\"%s\"", a);
    CHECK(same_logits(golden, fork, opened));
    snprintf(fork, sizeof fork, "\"edit\":[\"model.layers.0.*.q_proj.weight += lora(%s)\"]", a);
    CHECK(!same_logits(golden, fork, opened)); /* half of it is not all of it */
    snprintf(fork, sizeof fork, "\"edit\":[\"weights += 0 * lora(%s)\"]", a);
    CHECK(same_logits(golden, fork, "\"threads\":1"));
}

TEST("a text written by a fork that has an adapter is that of the model opened with it")
{
    enum { N = 6 };
    char a[1200], b[1200];
    const char *golden = two_adapters(a, b);
    int64_t n, m;
    if (!golden) SKIP("no ../shared");
    mt_report *fork = ran_as("generate",
                             "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"n\":%d,"
                             "\"edit\":[\"weights += 0.3 * lora(%s)\"]}",
                             golden, N, a),
              *opened = ran_as("generate",
                               "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"n\":%d,"
                               "\"adapter\":\"%s\",\"adapter_scale\":0.3}",
                               golden, N, a);
    double *x = tensor_of(fork, "logprob", &n), *y = tensor_of(opened, "logprob", &m);
    REQUIRE(x && y && n == 2 * N && m == N);
    CHECK(!memcmp(x + N, y, N * sizeof *x)); /* the edit's, behind the unedited run's */
    CHECK(memcmp(x, y, N * sizeof *x));
    free(x), free(y);
    mt_report_free(fork), mt_report_free(opened);
}

TEST("an adapter's files are in the certificate, and a report of a fork that has one replays")
{
    char a[1200], b[1200], more[1400], path[1300];
    const char *golden = two_adapters(a, b);
    if (!golden) SKIP("no ../shared");
    snprintf(more, sizeof more, "\"edit\":[\"weights += lora(%s)\"]", a);
    mt_report *r = run(golden, more);
    REQUIRE(r);
    CHECK(shows(r, "adapter_model.safetensors") && shows(r, "adapter_config.json"));
    char *json = mt_report_render(r, "json", 0, false, NULL);
    REQUIRE(json && !mt_write_file(strcpy(path, test_path("r.json")), json, NULL));
    mt_text_free(json);
    mt_report *again = ran_as("replay", "{\"report\":\"%s\"}", path);
    CHECK(again && !mt_report_failed(again) && shows(again, mt_report_hash(r)));
    mt_report_free(r), mt_report_free(again);
    snprintf(path, sizeof path, "%s/adapter_config.json", a);
    REQUIRE(!remove(path));
    r = run(golden, more);
    CHECK(r && shows(r, "no adapter_config.json beside it"));
    mt_report_free(r);
}

TEST("an adapter is one edit: it is enough that what is asked for depends on part of it")
{
    char a[1200], b[1200];
    const char *golden = two_adapters(a, b);
    if (!golden) SKIP("no ../shared");
    mt_report *r = ran_as("cache",
                          "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"sites\":\"blocks.0.attn.out\","
                          "\"edit\":[\"weights += lora(%s)\"]}",
                          golden, a);
    CHECK(r != NULL);
    mt_report_free(r);
    refuses_as("cache", "nothing asked for depends on the edit",
               "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"sites\":\"blocks.0.attn.k\","
               "\"edit\":[\"weights += lora(%s)\"]}",
               golden, a);
}

TEST("adapters that an edit cannot mean are refused by name")
{
    char a[1200], b[1200], text[1400];
    const char *golden = two_adapters(a, b), *gpt2 = shared_path("goldens/models/gpt2");
    if (!golden) SKIP("no ../shared");
    snprintf(text, sizeof text, "weights = lora(%s)", a);
    refused(golden, text, "lora(..) is added: +=");
    snprintf(text, sizeof text, "model.layers.0.self_attn.k_proj.weight += lora(%s)", a);
    refused(golden, text, "changes nothing of 'model.layers.0.self_attn.k_proj.weight'");
    snprintf(text, sizeof text, "embed -> logits += lora(%s)", a);
    refused(golden, text, "and no edge");
    snprintf(text, sizeof text, "weights += lora(%s", a);
    refused(golden, text, "expected lora(DIR)");
    snprintf(text, sizeof text, "weights += inf * lora(%s)", a);
    refused(golden, text, "a finite factor");
    refused(golden, "weights += lora(/nonexistent)", "/nonexistent");
    refused(golden, "weights += lora(/usr)", "adapter_model.safetensors nor adapter_model.bin");
    refused(golden, "weights += lora()", "an adapter's directory");
    snprintf(text, sizeof text, "weights += lora(%s)", shared_path("data/fixture-lora"));
    refused(golden, text, "no weight 'model.layers.10.self_attn.o_proj.weight'");
    snprintf(text, sizeof text, "weights += lora(%s)", a);
    refused(gpt2, text, "no weight 'model.layers.0.self_attn.q_proj.weight'");
}

TEST("an adapter of GPT-2's unembedding, which is its embedding, and of embeddings is refused by "
     "name")
{
    float v[83 * RANK] = { 0 };
    const char *gpt2 = shared_path("goldens/models/gpt2"), *dir = dir_of("head");
    if (!gpt2) SKIP("no ../shared");
    char text[1400];
    static const char *const name[2][2] = {
        { "base_model.model.lm_head.lora_A.weight", "base_model.model.lm_head.lora_B.weight" },
        { "base_model.model.transformer.wte.lora_embedding_A",
          "base_model.model.transformer.wte.lora_embedding_B" }
    };
    static const char *const says[2] = { "no weight 'lm_head.weight'",
                                         "wte.lora_embedding_A' is no part of a plain LoRA" };
    for (int i = 0; i < 2; i++) {
        made a = { .n = 0 };
        for (int k = 0; k < 2; k++)
            a.t[k] = (tensor_view){ .name = name[i][k],
                                    .dtype = DTYPE_F32,
                                    .n_dim = 2,
                                    .dim = { k ? 83 : RANK, k ? RANK : 83 },
                                    .data = v,
                                    .bytes = sizeof v };
        char path[1300];
        put(&a, dir, "{\"fan_in_fan_out\": true}");
        snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
        REQUIRE(tensors_write(path, a.t, 2, NULL, 0, NULL) == E_OK);
        snprintf(text, sizeof text, "weights += lora(%s)", dir);
        refused(gpt2, text, says[i]);
        refuses_as("run", says[i], "{\"model\":\"%s\",\"tokens\":\"1,5\",\"adapter\":\"%s\"}", gpt2,
                   dir);
    }
}
/* SPDX-License-Identifier: MIT */
