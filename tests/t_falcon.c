/* t_falcon -- Falcon's new decoder, against its older forms: the same weights where the two are one thing, and where they
 * are not, each half of the block against the model that has that half.  Every bit. */
#define TEST_FILE t_falcon
#include "test.h"
#include "base/rand.h"
#include "format/format.h"
#include "opened.h"
#include <stdlib.h>
#include <string.h>

enum { HEADS = 6, D_HEAD = 4, D = HEADS * D_HEAD, D_MLP = 10, VOCAB = 13, LAYERS = 2, MOST = 32 };

/* A checkpoint in the making: tensors by name, freed together. */
typedef struct file {
    tensor_view t[MOST];
    char name[MOST][80];
    float *v[MOST];
    int n;
} file;

/* n_row x n_col random numbers round `centre`, from the tensor's own name; n_row 0: a vector. */
static float *put(file *f, const char *name, const char *seed, int64_t n_row, int64_t n_col,
                  float centre)
{
    int64_t n = (n_row ? n_row : 1) * n_col;
    float *v = f->v[f->n] = malloc((size_t)n * sizeof *v);
    REQUIRE(v && f->n < MOST);
    for (int64_t i = 0; i < n; i++)
        v[i] = centre + (float)rand_unit(7, rand_stream(seed), (uint64_t)i) - 0.5f;
    snprintf(f->name[f->n], sizeof f->name[0], "%s", name);
    tensor_view *t = &f->t[f->n];
    *t = (tensor_view){ .name = f->name[f->n], .dtype = DTYPE_F32, .n_dim = n_row ? 2 : 1 };
    t->dim[0] = n_row ? n_row : n_col, t->dim[1] = n_row ? n_col : 0;
    t->data = v, t->bytes = (size_t)n * sizeof *v;
    f->n++;
    return v;
}

/* Heads of query_key_value: of n_kv groups, each its queries, a key and a value, d_head rows of it.  Numbers of a query
 * head, a key and a value are the same however they are grouped; a key head h stands for those of `shared`. */
static void put_qkv(file *f, int layer, int n_kv, int shared)
{
    char name[80], seed[80];
    int group = HEADS / n_kv, rows = n_kv * (group + 2) * D_HEAD, at = 0;
    snprintf(name, sizeof name, "transformer.h.%d.self_attention.query_key_value.weight", layer);
    float *w = put(f, name, name, rows, D, 0);
    for (int g = 0; g < n_kv; g++)
        for (int i = 0; i < group + 2; i++, at++) {
            int owner = g * shared / n_kv; /* whose key and value they are */
            if (i < group) snprintf(seed, sizeof seed, "q%d.%d", layer, g * group + i);
            else snprintf(seed, sizeof seed, "%c%d.%d", i == group ? 'k' : 'v', layer, owner);
            for (int k = 0; k < D_HEAD * D; k++)
                w[at * D_HEAD * D + k] = (float)rand_unit(7, rand_stream(seed), (uint64_t)k) - 0.5f;
        }
}

static void put_norm(file *f, int layer, const char *name, const char *seed)
{
    char full[80], from[80];
    snprintf(full, sizeof full, "transformer.h.%d.%s.weight", layer, name);
    snprintf(from, sizeof from, "%s.%d.gain", seed, layer);
    put(f, full, from, 0, D, 1);
    snprintf(full, sizeof full, "transformer.h.%d.%s.bias", layer, name);
    snprintf(from, sizeof from, "%s.%d.bias", seed, layer);
    put(f, full, from, 0, D, 0);
}

/* n_kv key heads that stand for `shared` different ones; norms: the seeds of attention's and the MLP's, mlp NULL: one. */
static const char *write_falcon(int n_kv, int shared, const char *attn, const char *mlp)
{
    static const char *const rest[][2] = { { "self_attention.dense", "o" },
                                           { "mlp.dense_h_to_4h", "in" },
                                           { "mlp.dense_4h_to_h", "out" } };
    file f = { .n = 0 };
    char name[80];
    put(&f, "transformer.word_embeddings.weight", "e", VOCAB, D, 0);
    put(&f, "transformer.ln_f.weight", "f", 0, D, 1),
        put(&f, "transformer.ln_f.bias", "fb", 0, D, 0);
    for (int i = 0; i < LAYERS; i++) {
        put_qkv(&f, i, n_kv, shared);
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "transformer.h.%d.%s.weight", i, rest[k][0]);
            put(&f, name, name, k == 1 ? D_MLP : D, k == 2 ? D_MLP : D, 0);
        }
        put_norm(&f, i, mlp ? "ln_attn" : "input_layernorm", attn);
        if (mlp) put_norm(&f, i, "ln_mlp", mlp);
    }
    REQUIRE(!tensors_write(test_path("model.safetensors"), f.t, f.n, NULL, 0, NULL));
    for (int i = 0; i < f.n; i++) free(f.v[i]);
    return test_path("model.safetensors");
}

static const char *say(const char *more)
{
    static char text[800];
    snprintf(text, sizeof text,
             "{\"model_type\": \"falcon\", \"vocab_size\": %d, \"hidden_size\": %d, "
             "\"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"ffn_hidden_size\": %d, "
             "\"max_position_embeddings\": 16, %s}",
             VOCAB, D, LAYERS, HEADS, D_MLP, more);
    return text;
}

/* The values of one site for eight tokens, logits where site is NULL (to be freed); *n of them. */
static double *values(const char *path, const char *config, const char *site, int64_t *n)
{
    bench b;
    lane *l;
    double token[8] = { 1, 5, 12, 0, 3, 5, 2, 7 };
    test_text("config.json", say(config));
    REQUIRE(open_bench(&b, path, NULL, NULL));
    const node *x = graph_find(&b.m->g, site ? site : "logits");
    REQUIRE(x && !lane_new(&l, b.s, NULL, 8, NULL) && !lane_give(l, b.m->token, token, NULL));
    box all = node_all(x, l);
    *n = node_numbers(x, all, l);
    double *v = malloc((size_t)*n * sizeof *v);
    REQUIRE(v && !lane_ask(l, x, all, NULL) && !session_run(b.s, NULL, NULL) &&
            !lane_read(l, x, all, v, NULL));
    close_bench(&b);
    return v;
}

static bool same(double *own_a, int64_t n, double *own_b, int64_t m)
{
    bool equal = n == m && !memcmp(own_a, own_b, (size_t)n * sizeof *own_a);
    free(own_a), free(own_b);
    return equal;
}

#define NEW "\"new_decoder_architecture\": true, "
#define OLD "\"new_decoder_architecture\": false, "
#define ONE_NORM "\"num_ln_in_parallel_attn\": 1, "

TEST("Falcon's new decoder with one norm: one key head is multi_query, as many as queries is "
     "neither, "
     "and groups are keys repeated")
{
    int64_t n, m;
    const char *path = write_falcon(1, 1, "a", NULL);
    double *a = values(path, NEW ONE_NORM "\"num_kv_heads\": 1", NULL, &n),
           *b = values(path, OLD "\"multi_query\": true", NULL, &m);
    CHECK(same(a, n, b, m));
    path = write_falcon(HEADS, HEADS, "a", NULL);
    a = values(path, NEW ONE_NORM "\"num_kv_heads\": 6", NULL, &n);
    b = values(path, OLD "\"multi_query\": false", NULL, &m);
    CHECK(same(a, n, b, m));
    for (int kv = 2; kv <= 3; kv++) {
        char say_kv[120];
        snprintf(say_kv, sizeof say_kv, NEW ONE_NORM "\"num_kv_heads\": %d", kv);
        a = values(write_falcon(kv, kv, "a", NULL), say_kv, NULL, &n);
        b = values(write_falcon(HEADS, kv, "a", NULL), OLD "\"multi_query\": false", NULL, &m);
        CHECK(same(a, n, b, m));
    }
}

TEST("Falcon's new decoder with two norms: attention reads one, the MLP the other")
{
    static const char two[] = NEW "\"num_kv_heads\": 2", one[] = NEW ONE_NORM "\"num_kv_heads\": 2";
    int64_t n, m;
    double *a = values(write_falcon(2, 2, "a", "a"), two, NULL, &n),
           *b = values(write_falcon(2, 2, "a", NULL), one, NULL, &m);
    CHECK(same(a, n, b, m));
    a = values(write_falcon(2, 2, "a", "b"), two, "blocks.0.attn.out", &n);
    b = values(write_falcon(2, 2, "a", NULL), one, "blocks.0.attn.out", &m);
    CHECK(same(a, n, b, m));
    a = values(write_falcon(2, 2, "a", "b"), two, "blocks.0.mlp.out", &n);
    b = values(write_falcon(2, 2, "b", NULL), one, "blocks.0.mlp.out", &m);
    CHECK(same(a, n, b, m));
    a = values(write_falcon(2, 2, "a", "b"), two, NULL, &n);
    b = values(write_falcon(2, 2, "b", "a"), two, NULL, &m);
    CHECK(!same(a, n, b, m));
}

TEST("what Falcon's own code cannot run is refused by name")
{
    static const struct {
        const char *config, *says;
    } bad[] = {
        { NEW "\"num_kv_heads\": 2, \"parallel_attn\": false", "parallel_attn" },
        { OLD "\"num_ln_in_parallel_attn\": 2", "num_ln_in_parallel_attn" },
        { NEW "\"num_kv_heads\": 4", "6 query heads on 4" },
        { NEW "\"num_kv_heads\": 7", "num_kv_heads" },
        { NEW "\"num_kv_heads\": 3", "query_key_value" }, /* of another model */
        { NEW ONE_NORM "\"num_kv_heads\": 2", "input_layernorm" },
    };
    const char *path = write_falcon(2, 2, "a", "b");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        model *m = NULL;
        error err = { 0 };
        test_text("config.json", say(bad[i].config));
        CHECK(model_open(&m, path, NULL, &err) != E_OK && !m && strstr(err.msg, bad[i].says));
        if (!strstr(err.msg, bad[i].says)) printf("  %s: %s\n", bad[i].config, err.msg);
    }
}
/* SPDX-License-Identifier: MIT */
