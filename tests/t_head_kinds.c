/* t_head_kinds -- successor heads against loops over the weights as they are stored; copy suppression against lens, attend
 * and dla asked for the same tokens one by one. */
#define TEST_FILE t_head_kinds
#include "test.h"
#include "base/file.h"
#include "tiny.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 25, HEADS = 5, WIDE = 61, LAYERS = 2, SIZE = D / HEADS }; /* of the goldens' GPT-2 */

/* ---- successors, by hand ---- */

typedef struct weights {
    container *c;
    double *wte;
} weights;

static double *stored(const weights *w, const char *form, int layer)
{
    char name[100];
    snprintf(name, sizeof name, form, layer);
    int64_t n;
    return values_of(w->c, name, &n);
}

/* A LayerNorm without its bias (NULL) or scale: what leaves the order of logits as it is. */
static void norm(const double *x, const double *gain, const double *bias, bool scaled, double *out)
{
    double mean = 0, square = 0;
    for (int i = 0; i < D; i++) mean += x[i] / D;
    for (int i = 0; i < D; i++) square += (x[i] - mean) * (x[i] - mean) / D;
    for (int i = 0; i < D; i++)
        out[i] =
            (x[i] - mean) / (scaled ? sqrt(square + 1e-5) : 1) * gain[i] + (bias ? bias[i] : 0);
}

static void times(const double *x, const double *m, int n, int columns, int first, int last,
                  double *out)
{
    for (int j = first; j < last; j++) {
        out[j - first] = 0;
        for (int i = 0; i < n; i++) out[j - first] += x[i] * m[i * columns + j];
    }
}

static void first_mlp(const weights *w, int token, double *out)
{
    double *gain = stored(w, "transformer.h.%d.ln_2.weight", 0),
           *bias = stored(w, "transformer.h.%d.ln_2.bias", 0),
           *in = stored(w, "transformer.h.%d.mlp.c_fc.weight", 0),
           *b_in = stored(w, "transformer.h.%d.mlp.c_fc.bias", 0),
           *back = stored(w, "transformer.h.%d.mlp.c_proj.weight", 0),
           *b_out = stored(w, "transformer.h.%d.mlp.c_proj.bias", 0), x[D], h[WIDE];
    norm(w->wte + token * D, gain, bias, true, x);
    times(x, in, D, WIDE, 0, WIDE, h);
    for (int i = 0; i < WIDE; i++) {
        double v = h[i] + b_in[i];
        h[i] = 0.5 * v * (1 + tanh(sqrt(2 / acos(-1)) * (v + 0.044715 * v * v * v)));
    }
    times(h, back, WIDE, D, 0, D, out);
    for (int i = 0; i < D; i++) out[i] += b_out[i];
    free(gain), free(bias), free(in), free(b_in), free(back), free(b_out);
}

/* The logits of tokens when a head looks at `token`. */
static void head_logits(const weights *w, int token, int layer, int head, const int *of, int n,
                        double *out)
{
    double *gain = stored(w, "transformer.h.%d.ln_1.weight", layer),
           *qkv = stored(w, "transformer.h.%d.attn.c_attn.weight", layer),
           *o = stored(w, "transformer.h.%d.attn.c_proj.weight", layer),
           *last = stored(w, "transformer.ln_f.weight", 0), e[D], x[D], z[SIZE], y[D];
    first_mlp(w, token, e);
    norm(e, gain, NULL, false, x);
    times(x, qkv, D, 3 * D, 2 * D + head * SIZE, 2 * D + (head + 1) * SIZE, z);
    times(z, o + head * SIZE * D, SIZE, D, 0, D, e);
    norm(e, last, NULL, false, y);
    for (int k = 0; k < n; k++) {
        out[k] = 0;
        for (int i = 0; i < D; i++) out[k] += y[i] * w->wte[of[k] * D + i];
    }
    free(gain), free(qkv), free(o), free(last);
}

static const int ORDER[2][8] = { { 3, 7, 11, 5, 20, 41, 58, 3 }, { 9, 2, 30, 31, 17, 44 } };
static const int LENGTH[2] = { 8, 6 };

/* How many of the pairs of sequence s a head has right; *own: how often the token itself is the largest. */
static int right(const weights *w, int s, int layer, int head, int *own)
{
    int n = 0;
    for (int i = 0; i + 1 < LENGTH[s]; i++) {
        double logit[8];
        int best = 0;
        head_logits(w, ORDER[s][i], layer, head, ORDER[s], LENGTH[s], logit);
        for (int k = 1; k < LENGTH[s]; k++)
            if (logit[k] > logit[best]) best = k;
        n += ORDER[s][best] == ORDER[s][i + 1], *own += ORDER[s][best] == ORDER[s][i];
    }
    return n;
}

TEST("heads: successor scores are those of loops over the stored weights")
{
    weights w = { 0 };
    char path[1000];
    const char *dir = shared_path("goldens/models/gpt2");
    if (!dir) SKIP("no ../shared");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    REQUIRE(!container_open(&w.c, path, NULL));
    w.wte = stored(&w, "transformer.wte.weight", 0);
    mt_report *r = ran_as(
        "heads",
        "{\"model\":\"%s\",\"precision\":\"f64\",\"what\":\"successor\",\"ordinals\":\"%s\"}", dir,
        test_text("order.json",
                  "{\"circle\":[3,7,11,5,20,41,58,3],\"line\":[9,\"#2\",30,31,17,44]}"));
    REQUIRE(r);
    for (int layer = 0; layer < LAYERS; layer++)
        for (int head = 0; head < HEADS; head++) {
            int own = 0,
                n[2] = { right(&w, 0, layer, head, &own), right(&w, 1, layer, head, &own) };
            int64_t at = layer * HEADS + head;
            CHECK(fabs(number_of(r, "successor.mean", at) - (n[0] + n[1]) / 12.0) < 1e-12);
            CHECK(fabs(number_of(r, "itself.mean", at) - own / 12.0) < 1e-12);
            CHECK(fabs(number_of(r, "successor.sequence", at) - n[0] / 7.0) < 1e-12);
            CHECK(fabs(number_of(r, "successor.sequence", LAYERS * HEADS + at) - n[1] / 5.0) <
                  1e-12);
            CHECK(number_of(r, "successor.low", at) <= number_of(r, "successor.mean", at) &&
                  number_of(r, "successor.high", at) >= number_of(r, "successor.mean", at));
        }
    /* seven pairs of a circle of seven, five of a line of six */
    CHECK(shows(r, "successor, one of its sequence 0.1528") && shows(r, "MLP0(norm(W_E))"));
    mt_report_free(r);
    free(w.wte);
    container_free(w.c);
}

TEST("heads: a head that copies raises the token itself, never the next: no successor head")
{
    mt_report *r =
        ran_as("heads", "{\"model\":\"demo:induction\",\"what\":\"successor\",\"ordinals\":\"%s\"}",
               test_text("words.json", "{\"words\":[\"cat\",\"dog\",\"mat\",\"sat\"]}"));
    REQUIRE(r);
    int64_t n = 0;
    double *own = tensor_of(r, "itself.mean", &n), *next = tensor_of(r, "successor.mean", &n);
    bool copies = false;
    for (int64_t i = 0; i < n; i++) copies |= own[i] == 1 && next[i] == 0;
    CHECK(copies && shows(r, "there is no MLP"));
    free(own), free(next);
    mt_report_free(r);
}

TEST("heads: one that writes nothing is no successor head, though no logit is larger than the next "
     "token's")
{
    char edited[1100];
    const char *dir = shared_path("goldens/models/gpt2");
    container *c = NULL;
    char path[1000];
    if (!dir) SKIP("no ../shared");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    REQUIRE(!container_open(&c, path, NULL));
    int n = container_count(c);
    tensor_view *t = calloc((size_t)n, sizeof *t);
    float zero[D * D] = { 0 };
    for (int i = 0; i < n; i++) {
        t[i] = *container_at(c, i);
        if (!strcmp(t[i].name, "transformer.h.1.attn.c_proj.weight")) t[i].data = zero;
    }
    snprintf(edited, sizeof edited, "%s", test_path("model.safetensors"));
    REQUIRE(tensors_write(edited, t, n, NULL, 0, NULL) == E_OK);
    free(t), container_free(c);
    str config = { 0 };
    snprintf(path, sizeof path, "%s/config.json", dir);
    REQUIRE(file_read(&config, path, 1 << 20, NULL) == E_OK);
    test_file("config.json", config.p, config.n);
    str_release(&config);
    mt_report *r = ran_as("heads", "{\"model\":\"%s\",\"what\":\"successor\",\"ordinals\":\"%s\"}",
                          test_dir(), test_text("order.json", "{\"line\":[9,2,30,31,17,44]}"));
    REQUIRE(r);
    double before = 0;
    for (int64_t h = 0; h < HEADS; h++) {
        before += number_of(r, "itself.mean", h) + number_of(r, "successor.mean", h);
        CHECK(number_of(r, "successor.mean", HEADS + h) == 0);
        CHECK(number_of(r, "itself.mean", HEADS + h) == 0);
    }
    CHECK(before > 0);
    mt_report_free(r);
}

/* ---- suppression ---- */

enum { N = 9, T = 4, VOCAB = 59 };
static const int TOKENS[N] = { 1, 13, 40, 7, 22, 13, 40, 7, 22 };
#define IDS "1,13,40,7,22,13,40,7,22"

static mt_report *asked(const char *instrument, const char *more)
{
    char request[1600];
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"precision\":\"f64\",\"tokens\":\"" IDS "\"%s}",
             shared_path("goldens/models/gpt2"), more);
    mt_report *r = ran(instrument, request);
    REQUIRE(r);
    return r;
}

/* Which token of the text the lens of a layer's input has first. */
static int lens_first(const double *logits, int layer, int pos)
{
    int best = 1;
    for (int i = 1; i <= T; i++) {
        const double *row = logits + ((int64_t)layer * N + pos) * VOCAB;
        if (row[TOKENS[i]] > row[TOKENS[best]]) best = i;
    }
    return TOKENS[best];
}

/* What a head adds to logit a less logit b at a position. */
static void dla_shares(int a, int b, int pos, int layer, double *out)
{
    char more[200];
    int64_t n;
    snprintf(more, sizeof more, ",\"answer\":\"#%d\",\"wrong\":\"#%d\",\"pos\":\"%d\"", a, b, pos);
    mt_report *r = asked("dla", more);
    double *v = tensor_of(r, "dla", &n);
    REQUIRE(v);
    char *json = mt_report_render(r, "json", 0, false, NULL);
    json_t *all = json_loads(json, 0, NULL), *list = NULL;
    list = json_object_get(
        json_object_get(json_object_get(json_object_get(all, "tensors"), "dla"), "labels"), "part");
    int found = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        for (int h = 0; h < HEADS; h++) {
            char name[60];
            snprintf(name, sizeof name, "blocks.%d.attn.result[head=%d]", layer, h);
            const char *label = json_string_value(json_array_get(list, i));
            if (label && !strcmp(label, name)) out[h] = v[i], found++;
        }
    if (found != HEADS) printf("  %d heads among dla's parts\n", found);
    CHECK(found == HEADS);
    json_decref(all), mt_text_free(json), free(v);
    mt_report_free(r);
}

TEST("heads: copy suppression is what lens, attend and dla say of the same tokens")
{
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    mt_report *r = asked("heads", ",\"what\":\"suppression\""),
              *lens = asked("lens", ",\"what\":\"pre\",\"logits\":true"),
              *look = asked("attend", "");
    int64_t n;
    double *t = tensor_of(r, "suppression.predicted_id", &n),
           *other = tensor_of(r, "suppression.other_id", &n),
           *logits = tensor_of(lens, "logit_lens", &n), *a = tensor_of(look, "pattern", &n);
    REQUIRE(t && other && logits && a);
    for (int layer = 0; layer < LAYERS; layer++) {
        double effect[HEADS] = { 0 }, attention[HEADS] = { 0 }, share[HEADS] = { 0 };
        for (int row = 0; row < T; row++) {
            int q = N - T + row, id = (int)t[layer * T + row], c = (int)other[layer * T + row];
            CHECK(id == lens_first(logits, layer, q) && c != id);
            dla_shares(id, c, q, layer, share);
            for (int h = 0; h < HEADS; h++) {
                effect[h] += share[h] / T;
                for (int k = 0; k <= q; k++)
                    if (TOKENS[k] == id)
                        attention[h] += a[((layer * HEADS + h) * N + q) * N + k] / T;
            }
        }
        for (int h = 0; h < HEADS; h++) {
            int64_t at = layer * HEADS + h;
            CHECK(fabs(number_of(r, "suppression.effect", at) - effect[h]) < 1e-9);
            CHECK(fabs(number_of(r, "suppression.attention", at) - attention[h]) < 1e-6);
        }
    }
    free(t), free(other), free(logits), free(a);
    mt_report_free(r), mt_report_free(lens), mt_report_free(look);
}

TEST("heads: what else is scored changes no number of attention's, and the seed decides the rest")
{
    static const char *const what[] = { "attention", "suppression,attention", "suppression" };
    double *v[3] = { NULL };
    int64_t n = 0;
    for (int i = 0; i < 3; i++) {
        mt_report *r = ran_as(
            "heads", "{\"model\":\"demo:induction\",\"length\":9,\"sequences\":3,\"what\":\"%s\"}",
            what[i]);
        REQUIRE(r);
        v[i] = tensor_of(r, i < 2 ? "stripe.induction" : "suppression.effect", &n);
        REQUIRE(v[i]);
        if (i == 1) {
            double *same = tensor_of(r, "suppression.effect", &n);
            CHECK(same != NULL);
            mt_report *again =
                ran("heads", "{\"model\":\"demo:induction\",\"length\":9,"
                             "\"sequences\":3,\"what\":\"suppression\",\"threads\":1}");
            double *once = tensor_of(again, "suppression.effect", &n);
            CHECK(same && once && !memcmp(same, once, (size_t)n * sizeof *same));
            free(same), free(once), mt_report_free(again);
        }
        mt_report_free(r);
    }
    CHECK(!memcmp(v[0], v[1], (size_t)n * sizeof *v[0]));
    for (int i = 0; i < 3; i++) free(v[i]);
}

TEST("heads: ordinal sequences that are none, and words that are not tokens, are refused")
{
    static const char *const bad[][2] = {
        { "[1,2]", "is an array, expected an object" },
        { "{\"days\":\"Monday\"}", "'days' is a string, expected a list" },
        { "{\"days\":[\"cat\",2.5]}", "'days', 1: is a number" },
        { "{\"days\":[\"cat\",", "line 1" },
        { "{\"days\":[\"cat\",\"elephant\",\"dog\"]}", "no ordinal words that are single tokens" },
        { "{}", "no ordinal words" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("heads", bad[i][1],
                   "{\"model\":\"demo:induction\",\"what\":\"successor\",\"ordinals\":\"%s\"}",
                   test_text("bad.json", bad[i][0]));
    }
    refuses("heads", "{\"model\":\"demo:induction\",\"what\":\"successor\"}", "no ordinal words");
    refuses("heads", "{\"model\":\"demo:induction\",\"what\":\"next\"}", "next");
    if (!shared_path("goldens/models/gpt2")) return;
    refuses_as("heads", "without a tokenizer", "{\"model\":\"%s\",\"what\":\"successor\"}",
               shared_path("goldens/models/gpt2"));
}

TEST("heads: memory that runs out in either score is an error that says so")
{
    char request[1200];
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"what\":\"successor,suppression\",\"length\":5,"
             "\"sequences\":2,\"threads\":1,\"ordinals\":\"%s\"}",
             test_text("words.json", "{\"words\":[\"cat\",\"dog\",\"mat\"]}"));
    starve("heads", request);
}
/* SPDX-License-Identifier: MIT */
