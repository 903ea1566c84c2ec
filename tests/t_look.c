/* t_look -- instruments that look at one run: lens, dla, compare, embed; against references, brute force and facts. */
#define TEST_FILE t_look
#include "test.h"
#include "base/json.h"
#include "base/str.h"
#include "format/format.h"
#include "include/microtome.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mt_report *ran(const char *instrument, const char *request)
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    if (mt_run(&r, instrument, request, NULL, NULL, &err))
        printf("  %s %s: %s\n", instrument, request, err.message);
    return r;
}

static void refuses(const char *instrument, const char *request, const char *says)
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    mt_status st = mt_run(&r, instrument, request, NULL, NULL, &err);
    bool fine = st != 0 && !r && strstr(err.message, says);
    if (!fine) printf("  %s %s: %d %s\n", instrument, request, st, err.message);
    CHECK(fine);
    mt_report_free(r);
}

static bool shows(const mt_report *r, const char *what)
{
    char *text = mt_report_render(r, "text", 100, false, NULL);
    bool there = text && strstr(text, what) != NULL;
    if (!there) printf("  not in the report: %s\n", what);
    mt_text_free(text);
    return there;
}

/* A report's tensors as a file of their own; container_free it. */
static container *tensors(const mt_report *r)
{
    char path[1200];
    static int n;
    container *c = NULL;
    snprintf(path, sizeof path, "%s/look%d.npz", test_dir(), n++);
    REQUIRE(mt_report_write_tensors(r, path, NULL) == 0);
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    return c;
}

/* A tensor as doubles; free it. */
static double *values(const container *c, const char *name, int64_t *n)
{
    const tensor_view *t = container_find(c, name);
    if (!t) printf("  no tensor %s\n", name);
    REQUIRE(t);
    *n = (int64_t)(t->bytes / dtype_bytes(t->dtype));
    double *v = malloc((size_t)*n * sizeof *v + 8);
    REQUIRE(v);
    dtype_row_f64(t->dtype, t->data, v, *n);
    return v;
}

/* A list of a JSON file as it is written, to be put into a request. */
static void list_of(const char *path, const char *key, char out[1000])
{
    json_t *v = json_load_file(path, 0, NULL);
    size_t n = json_dumpb(json_object_get(v, key), out, 999, JSON_COMPACT);
    json_decref(v);
    REQUIRE(n > 0 && n < 1000);
    out[n] = 0;
}

/* Does it give the reference's tensors of these names, at least `least` of them? */
static void agrees(const mt_report *r, const char *golden, double tol, int least)
{
    int n_wrong = 0, n_ok = 0;
    char *text = mt_report_against(r, golden, tol, &n_wrong, NULL);
    REQUIRE(text);
    for (const char *p = text; (p = strstr(p, "  ok\n")); p++) n_ok++;
    if (n_wrong || n_ok < least) printf("%s", text);
    CHECK(n_wrong == 0 && n_ok >= least);
    mt_text_free(text);
}

/* ---- lens ---- */

static void lens_agrees(const char *name)
{
    char request[2600], path[1200], tokens[1000];
    const char *dir = shared_path(name);
    snprintf(path, sizeof path, "%s/prompts.json", dir);
    list_of(path, "clean", tokens);
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"tokens\":\"%s\",\"what\":\"pre,mid,post\",\"logits\":true,"
             "\"precision\":\"f64\"}",
             dir, tokens);
    mt_report *r = ran("lens", request);
    REQUIRE(r);
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", dir);
    agrees(r, path, 2e-6, 1); /* stored as float32, up to 25 */
    mt_report_free(r);
}

TEST("the lens gives TransformerLens' logits of every layer, to what float32 keeps of them")
{
    if (!shared_path("goldens/methods/tl-lens-gpt2")) SKIP("no ../shared");
    lens_agrees("goldens/methods/tl-lens-gpt2");
    lens_agrees("goldens/methods/tl-lens-llama");
}

TEST("the last layer's lens is the model's output, bit for bit, in every architecture")
{
    static const char *const names[] = { "gpt2", "gptj",  "gemma2", "gemma3", "llama_gqa",
                                         "opt",  "olmo2", "bloom",  "phi",    "qwen2_moe" };
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char rel[100], request[1400];
        snprintf(rel, sizeof rel, "goldens/models/%s", names[i]);
        snprintf(request, sizeof request, "{\"model\":\"%s\",\"tokens\":\"[[1,5,2,7,3],[4,9]]\"}",
                 shared_path(rel));
        mt_report *r = ran("lens", request);
        REQUIRE(r);
        CHECK(!mt_report_failed(r) &&
              shows(r, "last layer against the model's logits 0, largest difference at 7"));
        mt_report_free(r);
    }
}

/* The same by the textbook, in f64, from all logits: KL to the last place, entropy, rank of its top token. */
static void by_hand(const double *logits, const double *last, int64_t n, double *kl,
                    double *entropy, double *rank)
{
    double za = 0, zb = 0;
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) za += exp(logits[i]), zb += exp(last[i]);
    *kl = *entropy = 0, *rank = 1;
    for (int64_t i = 0; i < n; i++) {
        double q = exp(logits[i]) / za, p = exp(last[i]) / zb;
        *kl += p * (log(p) - log(q)), *entropy -= q * log(q);
        if (last[i] > last[best]) best = i;
    }
    for (int64_t i = 0; i < n; i++) *rank += logits[i] > logits[best];
}

TEST("KL, entropy and ranks of the lens are what its logits say")
{
    char request[1400];
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"tokens\":\"1,5,2,7\",\"logits\":true,\"precision\":\"f64\"}",
             shared_path("goldens/models/gpt2"));
    mt_report *r = ran("lens", request);
    REQUIRE(r);
    container *c = tensors(r);
    int64_t n, m;
    double *logits = values(c, "logit_lens", &n), *kl = values(c, "lane0/kl", &m),
           *entropy = values(c, "lane0/entropy", &m), *rank = values(c, "lane0/rank_final", &m);
    int64_t v = n / m;
    for (int64_t i = 0; i < m; i++) {
        double k, e, place;
        by_hand(logits + i * v, logits + (m - 4 + i % 4) * v, v, &k, &e, &place);
        CHECK(fabs(k - kl[i]) < 1e-11 && fabs(e - entropy[i]) < 1e-11 && place == rank[i]);
    }
    free(logits), free(kl), free(entropy), free(rank);
    container_free(c);
    mt_report_free(r);
}

TEST("the lens of the demo says nothing before its induction head and the answer behind it")
{
    mt_report *r = ran("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the "
                               "cat\"],\"target\":\"sat\"}");
    REQUIRE(r);
    container *c = tensors(r);
    int64_t n;
    double *rank = values(c, "lane0/rank_target", &n), *h = values(c, "lane0/entropy", &n);
    CHECK(n == 3 * 7);
    CHECK(fabs(h[0] - log(40)) < 1e-6 && fabs(h[13] - log(40)) < 1e-6); /* 40 tokens, no opinion */
    CHECK(rank[13] > 1 && rank[20] == 1);
    free(rank), free(h);
    container_free(c);
    mt_report_free(r);
}

TEST("a lens does not depend on the backend or threads, and mean KL over prompts has an interval")
{
    static const char *const how[] = { "", ",\"backend\":\"reference\",\"threads\":1" };
    char hash[2][60] = { "", "" };
    for (int i = 0; i < 2; i++) {
        char request[400];
        snprintf(request, sizeof request,
                 "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the cat\",\"the dog "
                 "ran\"]%s}",
                 how[i]);
        mt_report *r = ran("lens", request);
        REQUIRE(r);
        CHECK(shows(r, "interval"));
        snprintf(hash[i], sizeof hash[i], "%s", mt_report_hash(r));
        mt_report_free(r);
    }
    CHECK(*hash[0] && !strcmp(hash[0], hash[1]));
}

TEST("a lens refuses what it cannot show")
{
    refuses("lens", "{\"model\":\"demo:induction\"}", "needs a prompt");
    refuses("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"what\":\"out\"}",
            "no place of the stream");
    refuses("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"what\":\",\"}",
            "names nothing");
    refuses("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"top\":0}",
            "expected 1 to");
    refuses("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"pos\":7}", "position 7");
    refuses("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"layer\":\"2\"}",
            "layer is '2'");
    refuses("lens",
            "{\"model\":\"demo:induction\",\"prompt\":[\"the\",\"the cat\"],\"logits\":true}",
            "one length");
    refuses("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"target\":\"the cat\"}",
            "token");
    mt_report *r = ran("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"edit\":["
                               "\"logits[vocab=3] = 5\"]}");
    REQUIRE(r);
    CHECK(!mt_report_failed(r) && shows(r, "an edit acts behind the last layer"));
    mt_report_free(r);
}
/* SPDX-License-Identifier: MIT */
