/* t_gguf -- GGUF files: every type's numbers are the definition's; a model from one has the bits of the same numbers in a
 * Hugging Face directory; its tokenizer and template are found; whatever is wrong with a file is said. */
#define TEST_FILE t_gguf
#include "test.h"
#include "backend/backend.h"
#include "base/file.h"
#include "base/json.h"
#include "chat/chat.h"
#include "base/mem.h"
#include "gguf_made.h"
#include "graph/session.h"
#include "model/prompt.h"
#include "model/save.h"
#include "pages.h"
#include "tiny.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const dtype BLOCKS[] = { DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0,
                                DTYPE_Q2_K, DTYPE_Q3_K, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K };
enum { N_BLOCKS = sizeof BLOCKS / sizeof *BLOCKS };

/* ---- the numbers in blocks ---- */

static unsigned char hex_byte(const char *s)
{
    char two[3] = { s[0], s[1], 0 };
    return (unsigned char)strtoul(two, NULL, 16);
}

/* The stored blocks of a type, and the float32 numbers that an independent decoder found in them. */
static int64_t stored_blocks(const json_t *v, unsigned char *bytes, float *want)
{
    const char *b = json_string_value(json_object_get(v, "bytes")),
               *bits = json_string_value(json_object_get(v, "bits"));
    int64_t n = (int64_t)strlen(bits) / 8;
    for (size_t i = 0; i < strlen(b) / 2; i++) bytes[i] = hex_byte(b + 2 * i);
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = 0;
        for (int k = 0; k < 4; k++) u = u << 8 | hex_byte(bits + 8 * i + 2 * k);
        memcpy(&want[i], &u, 4);
    }
    return n;
}

TEST("an edit, a sum of vectors and a direction take numbers that lie in blocks")
{
    enum { D = 64 }; /* the demo's d_head: two blocks of Q8_0 */
    unsigned char bytes[2 * 34];
    double want[D], got[D];
    gguf_made g;
    for (int i = 0; i < 2 * 34; i++) bytes[i] = (unsigned char)(7 * i + 1);
    for (int k = 0; k < 2; k++)
        bytes[34 * k] = 0, bytes[34 * k + 1] = (unsigned char)(0x34 + 4 * k);
    made_begin(&g, "controlvector");
    made_tensor(&g, "direction.1", DTYPE_Q8_0, 0, D, bytes);
    made_file(&g, test_path("v.gguf"));
    tensor_view v = {
        .dtype = DTYPE_Q8_0, .n_dim = 1, .dim = { D }, .data = bytes, .bytes = sizeof bytes
    };
    tensor_values(&v, 0, D, want);
    CHECK(want[0] != 0 && want[D - 1] != 0 && want[1] != want[33]);
    mt_report *r =
        ran_as("cache",
               "{\"model\":\"demo:induction\",\"tokens\":\"1,2\",\"sites\":\"blocks.0.attn.z\","
               "\"edit\":[\"blocks.0.attn.z[pos=0,head=0] = %s:direction.1\"]}",
               test_path("v.gguf"));
    REQUIRE(r);
    container *c = tensors_in(r);
    const tensor_view *t = container_find(c, "lane0/blocks.0.attn.z");
    REQUIRE(t);
    tensor_values(t, 0, D, got);
    for (int i = 0; i < D; i++) CHECK(got[i] == (double)(float)want[i]);
    container_free(c);
    mt_report_free(r);
    r = ran_as("maxact",
               "{\"model\":\"demo:induction\",\"text\":\"%s\",\"directions\":\"%s\","
               "\"at\":\"blocks.0.attn.z[head=0]\",\"random\":0,\"skip\":0}",
               test_text("t.txt", "the cat sat on the mat"), test_path("v.gguf"));
    REQUIRE(r);
    CHECK(shows(r, "direction.1") && !shows(r, "direction.1[1]"));
    mt_report_free(r);
}

TEST("the numbers in blocks of every type are those that gguf's own decoder finds")
{
    json_t *all = NULL, *v;
    size_t i;
    static unsigned char bytes[4096];
    static float want[4096], got[4096];
    REQUIRE(json_open(&all, SOURCE_ROOT "/tests/gguf_blocks.json", 1 << 24, NULL) == E_OK);
    REQUIRE(json_array_size(all) == N_BLOCKS);
    json_array_foreach(all, i, v)
    {
        int64_t n = stored_blocks(v, bytes, want);
        double wide;
        CHECK(!strcmp(json_string_value(json_object_get(v, "type")), dtype_name(BLOCKS[i])));
        CHECK(n == (dtype_block(BLOCKS[i]) == 32 ? 256 : 512));
        dtype_row_f32(BLOCKS[i], bytes, got, n);
        CHECK(bits_same(got, want, (size_t)n * 4, 4));
        for (int64_t first = 0; first < n; first += 7) { /* parts that begin and end anywhere */
            int64_t few = first % 41 + 1 < n - first ? first % 41 + 1 : n - first;
            dtype_part_f32(BLOCKS[i], bytes, first, few, got);
            CHECK(bits_same(got, want + first, (size_t)few * 4, 4));
            dtype_part_f64(BLOCKS[i], bytes, first, 1, &wide);
            CHECK(wide == (double)want[first]);
        }
    }
    json_decref(all);
}

/* ---- twins: a GGUF file, and a directory that holds the same numbers as float32 ---- */

enum { D = 256, HEAD = 4, KV = 2, D_HEAD = D / HEAD, MLP = 512, VOCAB = 48, CTX = 16 };

/* How a tensor differs between the two. */
typedef enum how { SAME, TURNED, TRANSPOSED, GAIN } how;

typedef struct part {
    const char *theirs, *ours;
    int n_row, n_col; /* in the GGUF file; n_row 0: a vector */
    how how;
} part;

#define TOP                                                                                        \
    { "token_embd.weight", "model.embed_tokens.weight", VOCAB, D, SAME },                          \
    {                                                                                              \
        "output.weight", "lm_head.weight", VOCAB, D, SAME                                          \
    }

#define LAYER(turned, norm)                                                                        \
    { "blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", 0, D, norm },             \
        { "blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight", 0, D, norm }, \
        { "output_norm.weight", "model.norm.weight", 0, D, norm },                                 \
        { "blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", D, D, turned },         \
        { "blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", KV * D_HEAD, D,         \
          turned },                                                                                \
        { "blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", KV * D_HEAD, D, SAME }, \
        { "blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight", D, D, SAME },      \
        { "blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", MLP, D, SAME },          \
        { "blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight", MLP, D, SAME },              \
    {                                                                                              \
        "blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", D, MLP, SAME               \
    }

#define BIASES(turned)                                                                             \
    { "blk.0.attn_q.bias", "model.layers.0.self_attn.q_proj.bias", 0, D, turned },                 \
        { "blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias", 0, KV * D_HEAD, turned },   \
    {                                                                                              \
        "blk.0.attn_v.bias", "model.layers.0.self_attn.v_proj.bias", 0, KV *D_HEAD, SAME           \
    }

static const part llama_parts[] = { TOP, LAYER(TURNED, SAME), { 0 } };
static const part llama_bias_parts[] = { TOP,
                                         LAYER(TURNED, SAME),
                                         BIASES(TURNED),
                                         { "blk.0.attn_output.bias",
                                           "model.layers.0.self_attn.o_proj.bias", 0, D, SAME },
                                         { 0 } };
static const part qwen2_parts[] = { TOP, LAYER(SAME, SAME), BIASES(SAME), { 0 } };
static const part gemma_parts[] = {
    { "token_embd.weight", "model.embed_tokens.weight", VOCAB, D, SAME }, LAYER(SAME, GAIN), { 0 }
};
static const part gpt2_parts[] = {
    { "token_embd.weight", "wte.weight", VOCAB, D, SAME },
    { "position_embd.weight", "wpe.weight", CTX, D, SAME },
    { "output_norm.weight", "ln_f.weight", 0, D, SAME },
    { "output_norm.bias", "ln_f.bias", 0, D, SAME },
    { "blk.0.attn_norm.weight", "h.0.ln_1.weight", 0, D, SAME },
    { "blk.0.attn_norm.bias", "h.0.ln_1.bias", 0, D, SAME },
    { "blk.0.ffn_norm.weight", "h.0.ln_2.weight", 0, D, SAME },
    { "blk.0.ffn_norm.bias", "h.0.ln_2.bias", 0, D, SAME },
    { "blk.0.attn_qkv.weight", "h.0.attn.c_attn.weight", 3 * D, D, TRANSPOSED },
    { "blk.0.attn_qkv.bias", "h.0.attn.c_attn.bias", 0, 3 * D, SAME },
    { "blk.0.attn_output.weight", "h.0.attn.c_proj.weight", D, D, TRANSPOSED },
    { "blk.0.attn_output.bias", "h.0.attn.c_proj.bias", 0, D, SAME },
    { "blk.0.ffn_up.weight", "h.0.mlp.c_fc.weight", MLP, D, TRANSPOSED },
    { "blk.0.ffn_up.bias", "h.0.mlp.c_fc.bias", 0, MLP, SAME },
    { "blk.0.ffn_down.weight", "h.0.mlp.c_proj.weight", D, MLP, TRANSPOSED },
    { "blk.0.ffn_down.bias", "h.0.mlp.c_proj.bias", 0, D, SAME },
    { 0 }
};

#define SIZES                                                                                      \
    "\"hidden_size\": 256, \"intermediate_size\": 512, \"num_hidden_layers\": 1, "                 \
    "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 48, "                 \
    "\"max_position_embeddings\": 16, \"rms_norm_eps\": 1e-5, \"rope_theta\": 5000.0"

static const struct family {
    const char *arch, *config;
    const part *parts;
} families[] = {
    { "llama", "{\"model_type\": \"llama\", " SIZES ", \"tie_word_embeddings\": false}",
      llama_parts },
    { "llama",
      "{\"model_type\": \"llama\", " SIZES
      ", \"tie_word_embeddings\": false, \"attention_bias\": true}",
      llama_bias_parts },
    { "qwen2", "{\"model_type\": \"qwen2\", " SIZES ", \"tie_word_embeddings\": false}",
      qwen2_parts },
    { "gemma", "{\"model_type\": \"gemma\", " SIZES ", \"head_dim\": 64}", gemma_parts },
    { "gpt2",
      "{\"model_type\": \"gpt2\", \"n_embd\": 256, \"n_inner\": 512, \"n_layer\": 1, \"n_head\": "
      "4, \"vocab_size\": 48, \"n_positions\": 16, \"layer_norm_epsilon\": 1e-5}",
      gpt2_parts },
};
enum { N_FAMILIES = sizeof families / sizeof *families };

/* xorshift: millions of bytes are drawn. */
static uint32_t dice(void)
{
    static uint64_t s;
    if (!s) s = 0x9e3779b97f4a7c15u * (test_seed + 1);
    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    return (uint32_t)(s >> 32);
}

/* A random block whose numbers are of the size of weights. */
static void random_block(char *at, dtype t)
{
    float x[256];
    size_t n = dtype_bytes(t);
    for (float most = 0; !(most > 0.001f && most < 0.3f);) {
        for (size_t i = 0; i < n; i++) at[i] = (char)dice();
        dtype_row_f32(t, at, x, dtype_block(t));
        most = 0;
        for (int64_t i = 0; i < dtype_block(t); i++)
            most = fabsf(x[i]) <= most ? most : fabsf(x[i]); /* NaN stays */
    }
}

/* A tensor of the file: gains are whole 256ths, so that less one they are the same number plus one. */
static char *random_tensor(const part *p, dtype t)
{
    int64_t n = (int64_t)(p->n_row ? p->n_row : 1) * p->n_col;
    char *data = malloc(dtype_size(t, n));
    REQUIRE(data);
    for (int64_t i = 0; dtype_is_block(t) && i < n / dtype_block(t); i++)
        random_block(data + (size_t)i * dtype_bytes(t), t);
    for (int64_t i = 0; !dtype_is_block(t) && i < n; i++) {
        float x = p->how == GAIN ? 1 + (float)((int)(dice() % 64) - 32) / 256
                                 : ((float)(dice() % 2001) - 1000) / 8000;
        dtype_row_from_f32(t, &x, data + (size_t)i * dtype_bytes(t), 1);
    }
    return data;
}

/* Where the number at (row, col) of our tensor is in theirs: theirs has n_row rows of n_col, heads' halves turned. */
static int64_t their_row(int64_t r)
{
    int64_t in = r % D_HEAD, half = in >= D_HEAD / 2;
    return r - in + (in - half * (D_HEAD / 2)) * 2 + half;
}

static float *our_tensor(const part *p, dtype t, const char *data)
{
    int64_t n_row = p->n_row ? p->n_row : 1, n_col = p->n_col;
    float *x = malloc((size_t)(n_row * n_col) * 4), *y = malloc((size_t)(n_row * n_col) * 4);
    REQUIRE(x && y);
    dtype_row_f32(t, data, x, n_row * n_col);
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t c = 0; c < n_col; c++) {
            float v = x[r * n_col + c];
            if (p->how == TURNED) v = p->n_row ? x[their_row(r) * n_col + c] : x[their_row(c)];
            y[p->how == TRANSPOSED ? c * n_row + r : r * n_col + c] = p->how == GAIN ? v - 1 : v;
        }
    free(x);
    return y;
}

static void begin_family(gguf_made *g, const char *arch)
{
    char key[100];
    static const struct {
        const char *key;
        uint32_t value;
    } numbers[] = { { "embedding_length", D },
                    { "feed_forward_length", MLP },
                    { "block_count", 1 },
                    { "attention.head_count", HEAD },
                    { "attention.head_count_kv", KV },
                    { "context_length", CTX } };
    bool gpt2 = !strcmp(arch, "gpt2");
    made_begin(g, arch);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (gpt2 && numbers[i].value == KV) continue;
        snprintf(key, sizeof key, "%s.%s", arch, numbers[i].key);
        made_u32(g, key, numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_%s", arch, gpt2 ? "epsilon" : "rms_epsilon");
    made_f32(g, key, 1e-5f);
    snprintf(key, sizeof key, "%s.rope.freq_base", arch);
    if (!gpt2) made_f32(g, key, 5000);
    snprintf(key, sizeof key, "%s.attention.key_length", arch);
    if (!strcmp(arch, "gemma")) made_u32(g, key, D_HEAD);
}

/* Matrices of type t, vectors of float32, into test_path("m.gguf") and test_path(""). */
static void make_twins(const struct family *f, dtype t)
{
    gguf_made g;
    tensor_view ours[32];
    int32_t n = 0;
    begin_family(&g, f->arch);
    for (const part *p = f->parts; p->theirs; p++, n++) {
        dtype type = p->n_row ? t : DTYPE_F32;
        char *data = random_tensor(p, type);
        made_tensor(&g, p->theirs, type, p->n_row, p->n_col, data);
        bool turned = p->how == TRANSPOSED;
        ours[n] = (tensor_view){ .name = p->ours,
                                 .n_dim = p->n_row ? 2 : 1,
                                 .data = our_tensor(p, type, data),
                                 .bytes = (size_t)((p->n_row ? p->n_row : 1) * p->n_col) * 4 };
        ours[n].dim[0] = !p->n_row || turned ? p->n_col : p->n_row;
        ours[n].dim[1] = turned ? p->n_row : p->n_col;
        free(data);
    }
    made_file(&g, test_path("m.gguf"));
    REQUIRE(!tensors_write(test_path("model.safetensors"), ours, n, NULL, 0, NULL));
    REQUIRE(!file_write(test_path("config.json"), f->config, strlen(f->config), NULL));
    while (n--) free((void *)ours[n].data);
}

/* Every site of a prompt, one after the other. */
static double *run_all(const char *path, const char *backend, const char *precision, int64_t *n)
{
    static const int64_t ids[] = { 1, 7, 40, 3, 22 };
    error err = { 0 };
    model *m;
    engine *e;
    session *s;
    prompt *p;
    lane *l;
    engine_options o = { .backend = backend, .precision = precision, .threads = 1 };
    status st = model_open(&m, path, NULL, &err);
    if (st != E_OK) fprintf(stderr, "%s\n", err.msg);
    REQUIRE(st == E_OK && !engine_open(&e, &o, NULL) && !session_new(&s, &m->g, e, NULL));
    REQUIRE(!prompt_from_ids(&p, m, ids, 5, NULL) && !lane_new(&l, s, NULL, p->n, NULL) &&
            !lane_give(l, m->token, p->value, NULL));
    for (int32_t i = 0; i < m->g.n_site; i++)
        if (m->g.site[i].n->op)
            REQUIRE(!lane_ask(l, m->g.site[i].n, node_all(m->g.site[i].n, l), NULL));
    REQUIRE(session_run(s, NULL, NULL) == E_OK);
    *n = 0;
    for (int32_t i = 0; i < m->g.n_site; i++)
        *n += node_numbers(m->g.site[i].n, node_all(m->g.site[i].n, l), l);
    double *out = malloc((size_t)*n * sizeof *out);
    REQUIRE(out);
    *n = 0;
    for (int32_t i = 0; i < m->g.n_site; i++) { /* weights too: they are sites */
        const node *site = m->g.site[i].n;
        if (!site->op && site->extent == WEIGHT && site->n_row * (int64_t)site->n_part > D * D)
            continue;
        if (!site->op && site->extent != WEIGHT) continue;
        if (!strncmp(m->g.site[i].name, "blocks.", 7) || !strcmp(m->g.site[i].name, "logits")) {
            box all = node_all(site, l);
            REQUIRE(!lane_read(l, site, all, out + *n, NULL));
            *n += node_numbers(site, all, l);
        }
    }
    prompt_free(p), session_free(s), engine_free(e), model_free(m);
    return out;
}

static void check_twins(const char *backend, const char *precision)
{
    int64_t n, m, wrong = 0, finite = 0;
    double *a = run_all(test_path("m.gguf"), backend, precision, &n),
           *b = run_all(test_path(""), backend, precision, &m);
    CHECK(n == m && n > 1000);
    for (int64_t i = 0; i < n && n == m; i++)
        wrong += memcmp(&a[i], &b[i], sizeof *a) != 0, finite += isfinite(a[i]) && a[i] != 0;
    CHECK(wrong == 0 && finite > n / 2);
    free(a), free(b);
}

TEST("a GGUF model has the bits of the same numbers in a Hugging Face directory, in every family")
{
    for (int i = 0; i < N_FAMILIES; i++) {
        make_twins(&families[i], i % 2 ? DTYPE_Q8_0 : DTYPE_Q4_K);
        check_twins(NULL, "f32");
        if (i == 0) check_twins(NULL, "f64");
    }
}

/* Of a tensor of an open model, are all of its whole pages this process's (1), or none (0)?  -1: some, or there are none. */
static int in_memory(const model *m, const char *name)
{
    const tensor_view *t = container_find(model_container(m), name);
    int n = 0, here = t ? pages_here(t->data, t->bytes, &n) : 0;
    return !n ? -1 : here == n ? 1 : here == 0 ? 0 : -1;
}

TEST("what hashing read of a table, of which a run looks a few rows up, is let go unless it is "
     "multiplied by, too")
{
    static const struct {
        int family;
        const char *table;
        bool stays;
    } cases[] = { { 0, "model.embed_tokens.weight", false },
                  { 3, "model.embed_tokens.weight", true }, /* tied */
                  { 4, "transformer.wpe.weight", false } };
    if (!pages_said()) SKIP("the system does not say whose pages are");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char one[MODEL_HASH], two[MODEL_HASH];
        model *m;
        make_twins(&families[cases[i].family], DTYPE_F32);
        REQUIRE(model_open(&m, test_path("m.gguf"), NULL, NULL) == E_OK);
        REQUIRE(model_hash(m, NULL, one, NULL) == E_OK);
        CHECK(in_memory(m, cases[i].table) == cases[i].stays);
        CHECK(model_hash(m, NULL, two, NULL) == E_OK && !strcmp(one, two));
        model_free(m);
    }
}

/* The logits' bits and every other site's, of what convert writes and of the twin. */
static void check_converted(const char *type)
{
    int64_t n, m, wrong = 0;
    error err = { 0 };
    model *from;
    saved o;
    REQUIRE(model_open(&from, test_path("m.gguf"), NULL, NULL) == E_OK);
    save_how to = { .dir = test_path("written"), .type = SAVE_SAME, .overwrite = true };
    bool gemma = !strcmp(from->config.arch, "gemma");
    status st = model_save(from, &to, &o, &err);
    model_free(from);
    if (st != E_OK) printf("  %s\n", err.msg);
    REQUIRE(st == E_OK);
    CHECK((o.n_gain > 2) == gemma); /* less one again: 256ths, so without rounding */
    CHECK(o.n_rounded == 0 && o.largest == 0 && (o.n_block > 0) == (strcmp(type, "F32") != 0));
    double *a = run_all(test_path("written"), "auto", "f32", &n),
           *b = run_all(test_path(""), "auto", "f32", &m);
    for (int64_t i = 0; i < n && n == m; i++) wrong += memcmp(&a[i], &b[i], sizeof *a) != 0;
    CHECK(n == m && wrong == 0);
    free(a), free(b);
    remove(test_path("written/config.json")), remove(test_path("written/model.safetensors"));
}

TEST("convert writes a GGUF model as the twin, in every family")
{
    for (int i = 0; i < N_FAMILIES; i++) {
        make_twins(&families[i], DTYPE_F32);
        check_converted("F32");
        make_twins(&families[i], DTYPE_Q4_K);
        check_converted("Q4_K");
    }
}

TEST("it has them with every type of block, and with every backend")
{
    dtype plain[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    for (int i = 0; i < N_BLOCKS; i++) {
        make_twins(&families[0], BLOCKS[i]);
        check_twins(NULL, "f32");
        if (i % 3 == 0) check_twins("plain", "f32");
    }
    for (int i = 0; i < 3; i++) {
        make_twins(&families[4], plain[i]);
        check_twins(NULL, "f32");
    }
}

/* Llama's few tokens: bytes, the space, and words of scores. */
static void put_tokens(gguf_made *g)
{
    static const char *text[VOCAB] = { "<unk>",
                                       "<s>",
                                       "</s>",
                                       "\xe2\x96\x81",
                                       "a",
                                       "b",
                                       "ab",
                                       ("\xe2\x96\x81"
                                        "ab") };
    static char spare[VOCAB][8];
    static float score[VOCAB] = { 0, 0, 0, -3, -4, -5, -1, -2 };
    static int32_t type[VOCAB] = { 2, 3, 3, 1, 1, 1, 1, 1 };
    for (int i = 8; i < VOCAB; i++) {
        snprintf(spare[i], sizeof spare[i], "<%d>", i);
        text[i] = spare[i], score[i] = -100, type[i] = 5;
    }
    made_text(g, "tokenizer.ggml.model", "llama");
    made_texts(g, "tokenizer.ggml.tokens", text, VOCAB);
    made_floats(g, "tokenizer.ggml.scores", score, VOCAB);
    made_ints(g, "tokenizer.ggml.token_type", type, VOCAB);
    made_u32(g, "tokenizer.ggml.bos_token_id", 1);
    made_u32(g, "tokenizer.ggml.eos_token_id", 2);
    made_text(g, "tokenizer.chat_template",
              "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
}

/* The smallest Llama there is, and what the caller put before. */
static void finish_llama(gguf_made *g, const char *path)
{
    for (const part *p = llama_parts; p->theirs; p++) {
        char *data = random_tensor(p, p->n_row ? DTYPE_Q4_0 : DTYPE_F32);
        made_tensor(g, p->theirs, p->n_row ? DTYPE_Q4_0 : DTYPE_F32, p->n_row, p->n_col, data);
        free(data);
    }
    made_file(g, path);
}

TEST("the file's own vocabulary and chat template are found, with nothing beside it, and converted")
{
    gguf_made g;
    model *m;
    prompt *p = NULL;
    chat *c = NULL;
    str s = { 0 };
    begin_family(&g, "llama");
    put_tokens(&g);
    finish_llama(&g, test_path("m.gguf"));
    REQUIRE(model_open(&m, test_path("m.gguf"), NULL, NULL) == E_OK);
    REQUIRE(m->tokens && m->n_warning == 0 && m->config.bos_token_id == 1);
    REQUIRE(prompt_from_text(&p, m, "ab ab", 5, BOS_AUTO, NULL) == E_OK);
    CHECK(p->n == 3 && p->id[0] == 1 && p->id[1] == 7 && p->id[2] == 7);
    json_t *messages = json_pack("[{s:s,s:s}]", "role", "user", "content", "ab");
    REQUIRE(!chat_open(&c, test_path("m.gguf"), NULL) && c);
    CHECK(!chat_render(c, messages, false, &s, NULL) && s.p && !strcmp(s.p, "<s>ab</s>"));
    saved o;
    save_how to = { .dir = test_path("written"), .type = SAVE_SAME, .overwrite = true };
    CHECK(model_save(m, &to, &o, NULL) == E_OK && o.tokenizer && o.chat);
    str_release(&s), chat_free(c), prompt_free(p), model_free(m), c = NULL, p = NULL;
    REQUIRE(model_open(&m, test_path("written"), NULL, NULL) == E_OK && m->tokens);
    REQUIRE(prompt_from_text(&p, m, "ab ab", 5, BOS_AUTO, NULL) == E_OK);
    CHECK(p->n == 3 && p->id[0] == 1 && p->id[1] == 7 && p->id[2] == 7);
    REQUIRE(!chat_open(&c, test_path("written"), NULL) && c);
    CHECK(!chat_render(c, messages, false, &s, NULL) && s.p && !strcmp(s.p, "<s>ab</s>"));
    json_decref(messages), str_release(&s), chat_free(c), prompt_free(p), model_free(m);
}

TEST("a vocabulary that is not read leaves the model open for ids, and says so")
{
    gguf_made g;
    model *m;
    begin_family(&g, "llama");
    made_text(&g, "tokenizer.ggml.model", "rwkv");
    made_texts(&g, "tokenizer.ggml.tokens", (const char *const[]){ "a" }, 1);
    finish_llama(&g, test_path("m.gguf"));
    REQUIRE(model_open(&m, test_path("m.gguf"), NULL, NULL) == E_OK);
    CHECK(!m->tokens && m->n_warning == 2 && strstr(m->warning[0], "rwkv"));
    model_free(m);
}

/* ---- rotary scaling ---- */

/* Llama 3's factors, as llama.cpp's converter works them out. */
static void put_factors(gguf_made *g, float spoil)
{
    float x[D_HEAD / 2];
    for (int i = 0; i < D_HEAD / 2; i++) {
        double f = 1 / pow(5000, 2.0 * i / D_HEAD), wave = 2 * 3.14159265358979323846 / f;
        double smooth = (8192 / wave - 1) / 3;
        x[i] = wave < 2048 ? 1 : wave > 8192 ? 8 : (float)(1 / ((1 - smooth) / 8 + smooth));
    }
    x[D_HEAD / 2 - 1] *= spoil;
    made_tensor(g, "rope_freqs.weight", DTYPE_F32, 0, D_HEAD / 2, x);
}

static status open_with(void (*put)(gguf_made *), const char **config, error *err)
{
    static char text[2000];
    gguf_made g;
    container *c = NULL;
    *err = (error){ 0 };
    begin_family(&g, "llama");
    put(&g);
    finish_llama(&g, test_path("m.gguf"));
    status st = container_open(&c, test_path("m.gguf"), err);
    if (st == E_OK) snprintf(text, sizeof text, "%s", container_meta(c, "config"));
    *config = text;
    container_free(c);
    return st;
}

static void put_nothing(gguf_made *g) { (void)g; }
static void put_llama3(gguf_made *g) { put_factors(g, 1); }
static void put_spoilt(gguf_made *g) { put_factors(g, 1.01f); }
static void put_linear(gguf_made *g)
{
    made_text(g, "llama.rope.scaling.type", "linear"), made_f32(g, "llama.rope.scaling.factor", 4);
}
static void put_yarn(gguf_made *g) { made_text(g, "llama.rope.scaling.type", "yarn"); }
static void put_unknown(gguf_made *g) { made_f32(g, "llama.logit_scale", 2); }
static void put_experts(gguf_made *g) { made_u32(g, "llama.expert_count", 8); }
static void put_no_experts(gguf_made *g) { made_u32(g, "llama.expert_count", 0); }
static void put_half(gguf_made *g) { made_u32(g, "llama.rope.dimension_count", D_HEAD / 2); }
static void put_split(gguf_made *g) { made_u32(g, "split.count", 3); }

TEST("what the metadata says of rotary scaling becomes config.json's, or is refused by its key")
{
    const char *config;
    error err;
    CHECK(open_with(put_nothing, &config, &err) == E_OK && !strstr(config, "scaling") &&
          strstr(config, "\"rms_norm_eps\": 1e-05") && strstr(config, "\"rope_theta\": 5e+03"));
    CHECK(open_with(put_llama3, &config, &err) == E_OK && strstr(config, "llama3") &&
          strstr(config, "\"factor\": 8}"));
    CHECK(open_with(put_linear, &config, &err) == E_OK && strstr(config, "linear"));
    CHECK(open_with(put_no_experts, &config, &err) == E_OK);
    CHECK(open_with(put_spoilt, &config, &err) == E_UNSUPPORTED && strstr(err.msg, "rope_freqs"));
    CHECK(open_with(put_yarn, &config, &err) == E_UNSUPPORTED && strstr(err.msg, "scaling.type"));
    CHECK(open_with(put_unknown, &config, &err) == E_UNSUPPORTED && strstr(err.msg, "logit_scale"));
    CHECK(open_with(put_experts, &config, &err) == E_UNSUPPORTED && strstr(err.msg, "expert"));
    CHECK(open_with(put_half, &config, &err) == E_UNSUPPORTED &&
          strstr(err.msg, "dimension_count"));
    CHECK(open_with(put_split, &config, &err) == E_UNSUPPORTED && strstr(err.hint, "merge"));
}

/* ---- what is wrong is said ---- */

static const float FOUR[4] = { 1, 2, 3, 4 };

/* A file that holds no model: two values, two tensors. */
static void make_small(const char *path, uint32_t version, uint32_t align)
{
    gguf_made g;
    made_begin(&g, "controlvector");
    g.version = version, g.align = align;
    if (align != 32) made_u32(&g, "general.alignment", align);
    made_texts(&g, "names", (const char *const[]){ "x", "", "yz" }, 3);
    made_tensor(&g, "direction.1", DTYPE_F32, 0, 4, FOUR);
    made_tensor(&g, "b", DTYPE_F32, 2, 2, FOUR);
    made_file(&g, path);
}

static status open_bytes(const char *p, size_t n, error *err)
{
    container *c = NULL;
    *err = (error){ 0 };
    FILE *f = fopen(test_path("x.gguf"), "wb"); /* file_write would wait for the disk */
    REQUIRE(f && fwrite(p, 1, n, f) == n && !fclose(f));
    status st = container_open(&c, test_path("x.gguf"), err);
    CHECK((st == E_OK) == (c != NULL) && (st == E_OK || err->msg[0]));
    if (c)
        for (int32_t i = 0; i < container_count(c); i++) { /* all of it can be read */
            const tensor_view *t = container_at(c, i);
            double x;
            for (int64_t k = 0; k < tensor_count(t); k++) tensor_values(t, k, 1, &x);
        }
    container_free(c);
    return st;
}

TEST("versions 2 and 3 and any alignment are read; a file without a model is a container")
{
    container *c;
    meta_text names[3];
    for (int i = 0; i < 4; i++) {
        make_small(test_path("s.gguf"), i % 2 ? 2 : 3, i < 2 ? 32 : 8);
        REQUIRE(container_open(&c, test_path("s.gguf"), NULL) == E_OK);
        const tensor_view *t = container_find(c, "b");
        CHECK(container_count(c) == 2 && t && t->n_dim == 2 && !memcmp(t->data, FOUR, 16));
        const meta_list *l = container_find_list(c, "names");
        REQUIRE(l && l->is_text && l->n == 3);
        meta_texts(l, names);
        CHECK(names[0].n == 1 && names[1].n == 0 && !memcmp(names[2].p, "yz", 2));
        CHECK(!container_meta(c, "config") &&
              strstr(container_meta(c, "config.missing"), "controlvector"));
        container_free(c);
    }
    model *m;
    error err = { 0 };
    CHECK(model_open(&m, test_path("s.gguf"), NULL, &err) == E_UNSUPPORTED &&
          strstr(err.msg, "built are llama"));
}

TEST("a GGUF file cut off anywhere is refused, and any byte changed ends in success or a message")
{
    str s = { 0 };
    error err;
    make_small(test_path("s.gguf"), 3, 32);
    REQUIRE(!file_read(&s, test_path("s.gguf"), 1 << 20, NULL));
    for (size_t n = 0; n < s.n; n++) CHECK(open_bytes(s.p, n, &err) != E_OK);
    static const unsigned char bad[] = { 0, 1, 0x7f, 0x80, 0xff };
    for (size_t i = 0; i < s.n; i++)
        for (size_t k = 0; k < sizeof bad; k++) {
            char was = s.p[i];
            s.p[i] = (char)bad[k];
            open_bytes(s.p, s.n, &err);
            s.p[i] = was;
        }
    for (int i = 0; i < 8; i++) str_add(&s, "more", 4);
    CHECK(open_bytes(s.p, s.n, &err) == E_FORMAT && strstr(err.msg, "after the last tensor"));
    str_release(&s);
}

/* A header alone, with room for wrong counts; n more bytes of `fill`. */
static status with_counts(uint32_t version, uint64_t n_tensor, uint64_t n_value, error *err)
{
    char bytes[124] = "GGUF";
    memcpy(bytes + 4, &version, 4), memcpy(bytes + 8, &n_tensor, 8),
        memcpy(bytes + 16, &n_value, 8);
    return open_bytes(bytes, sizeof bytes, err);
}

/* One value of raw bytes after its key "k". */
static status with_value(uint32_t type, const void *value, size_t n, error *err)
{
    static char bytes[200];
    uint64_t counts[2] = { 0, 1 }, key = 1;
    uint32_t version = 3;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "GGUF", 4), memcpy(bytes + 4, &version, 4), memcpy(bytes + 8, counts, 16);
    memcpy(bytes + 24, &key, 8), bytes[32] = 'k', memcpy(bytes + 33, &type, 4);
    memcpy(bytes + 37, value, n);
    return open_bytes(bytes, 37 + n, err);
}

TEST("declared sizes are not trusted: 124 bytes cost no memory, whatever they say")
{
    error err;
    int64_t before = mem_state.live_bytes;
    mem_state.peak_bytes = before;
    CHECK(with_counts(3, UINT64_MAX, 0, &err) == E_FORMAT && strstr(err.msg, "tensors"));
    CHECK(with_counts(3, 0, UINT64_MAX, &err) == E_FORMAT && strstr(err.msg, "values"));
    CHECK(with_counts(3, 0, 8, &err) == E_FORMAT);
    CHECK(with_counts(1, 0, 0, &err) == E_UNSUPPORTED && strstr(err.msg, "version 1"));
    CHECK(with_counts(3u << 24, 0, 0, &err) == E_UNSUPPORTED && strstr(err.msg, "big-endian"));
    uint64_t much[3] = { 0x4000000000000000u, 0, 0 };
    CHECK(with_value(8, much, 24, &err) == E_FORMAT && strstr(err.msg, "inside k"));
    struct {
        uint32_t type, n[2];
    } list = { 4, { 0xffffffffu, 0x3fffffffu } };
    CHECK(with_value(9, &list, 12, &err) == E_FORMAT && strstr(err.msg, "k"));
    list.type = 8;
    CHECK(with_value(9, &list, 12, &err) == E_FORMAT);
    list.type = 9;
    CHECK(with_value(9, &list, 12, &err) == E_UNSUPPORTED && strstr(err.msg, "array of type 9"));
    CHECK(with_value(13, much, 8, &err) == E_UNSUPPORTED && strstr(err.msg, "type 13"));
    CHECK(mem_state.peak_bytes - before < 1 << 20);
}

TEST("types that are not read, shapes without whole blocks, keys said twice are refused by name")
{
    gguf_made g;
    container *c;
    error err = { 0 };
    static const struct {
        uint32_t type;
        const char *says;
    } bad[] = { { 19, "IQ1_S" }, { 39, "MXFP4" }, { 77, "type 77" }, { 8, "whole blocks" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        made_begin(&g, "none");
        made_tensor(&g, "t", DTYPE_F32, 0, 4, FOUR);
        memcpy(g.tensor.p + g.tensor.n - 12, &bad[i].type, 4);
        made_file(&g, test_path("t.gguf"));
        err = (error){ 0 };
        CHECK(container_open(&c, test_path("t.gguf"), &err) != E_OK &&
              strstr(err.msg, bad[i].says));
    }
    made_begin(&g, "none");
    made_u32(&g, "general.architecture", 1);
    made_file(&g, test_path("t.gguf"));
    err = (error){ 0 };
    CHECK(container_open(&c, test_path("t.gguf"), &err) == E_FORMAT && strstr(err.msg, "twice"));
    made_begin(&g, "llama");
    made_file(&g, test_path("t.gguf"));
    err = (error){ 0 };
    CHECK(container_open(&c, test_path("t.gguf"), &err) == E_FORMAT &&
          strstr(err.msg, "llama.embedding_length"));
}
/* SPDX-License-Identifier: MIT */
