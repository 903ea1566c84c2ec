/* t_look -- instruments that look at one run: lens, dla, compare, embed; against references, brute force and facts. */
#define TEST_FILE t_look
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "format/format.h"
#include "tiny.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    char path[1200], tokens[1000];
    const char *dir = shared_path(name);
    snprintf(path, sizeof path, "%s/prompts.json", dir);
    list_of(path, "clean", tokens);
    mt_report *r =
        ran_as("lens",
               "{\"model\":\"%s\",\"tokens\":\"%s\",\"what\":\"pre,mid,post\",\"logits\":true,"
               "\"precision\":\"f64\"}",
               dir, tokens);
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
        char rel[100];
        snprintf(rel, sizeof rel, "goldens/models/%s", names[i]);
        mt_report *r = ran_as("lens", "{\"model\":\"%s\",\"tokens\":\"[[1,5,2,7,3],[4,9]]\"}",
                              shared_path(rel));
        REQUIRE(r);
        CHECK(!mt_report_failed(r) &&
              shows(r, "last layer against the model's logits 0, largest difference at 7"));
        mt_report_free(r);
    }
}

/* The same by the textbook, in f64, from all logits: KL to the last place, entropy, rank of its top token. */
static void brute(const double *logits, const double *last, int64_t n, double *kl, double *entropy,
                  double *rank)
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
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    mt_report *r = ran_as(
        "lens", "{\"model\":\"%s\",\"tokens\":\"1,5,2,7\",\"logits\":true,\"precision\":\"f64\"}",
        shared_path("goldens/models/gpt2"));
    REQUIRE(r);
    container *c = tensors_in(r);
    int64_t n, m;
    double *logits = values_of(c, "logit_lens", &n), *kl = values_of(c, "lane0/kl", &m),
           *entropy = values_of(c, "lane0/entropy", &m),
           *rank = values_of(c, "lane0/rank_final", &m);
    int64_t v = n / m;
    for (int64_t i = 0; i < m; i++) {
        double k, e, place;
        brute(logits + i * v, logits + (m - 4 + i % 4) * v, v, &k, &e, &place);
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
    container *c = tensors_in(r);
    int64_t n;
    double *rank = values_of(c, "lane0/rank_target", &n), *h = values_of(c, "lane0/entropy", &n);
    CHECK(n == 3 * 7);
    CHECK(fabs(h[0] - log(40)) < 1e-6 && fabs(h[13] - log(40)) < 1e-6); /* 40 tokens, no opinion */
    CHECK(rank[13] > 1 && rank[20] == 1);
    free(rank), free(h);
    container_free(c);
    mt_report_free(r);
}

TEST("ranks are counted from 1 in the pictures too, in text as on a page, and short texts stay "
     "whole")
{
    mt_report *r = ran("lens", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"]}"),
              *e = ran("embed", "{\"model\":\"demo:induction\",\"expr\":[\"cat\"]}");
    REQUIRE(r && e);
    char *page = mt_report_render(r, "html", 0, false, NULL);
    CHECK(shows(r, "as each layer has it, rank 1") && page && strstr(page, "rank 1"));
    CHECK(page && strstr(page, "<td class=\"short\">L0 post"));
    char *of = mt_report_render(e, "json", 0, false, NULL);
    CHECK(of && strstr(of, "\"rank\": [{\"text\": \"1\"}"));
    mt_text_free(of);
    mt_text_free(page);
    mt_report_free(r), mt_report_free(e);
}

TEST("a lens does not depend on the backend or threads, and mean KL over prompts has an interval")
{
    static const char *const how[] = { "", ",\"backend\":\"reference\",\"threads\":1" };
    char hash[2][60] = { "", "" };
    for (int i = 0; i < 2; i++) {
        mt_report *r =
            ran_as("lens",
                   "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the cat\",\"the dog "
                   "ran\"]%s}",
                   how[i]);
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
            "what is 'out'");
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
/* ---- dla ---- */

static int64_t labelled(const mt_report *r, const char *tensor, const char *axis, const char *label)
{
    char *json = mt_report_render(r, "json", 0, false, NULL);
    json_t *v = json ? json_loads(json, 0, NULL) : NULL;
    const json_t *list = json_object_get(
        json_object_get(json_object_get(json_object_get(v, "tensors"), tensor), "labels"), axis);
    int64_t at = -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text && !strcmp(text, label)) at = (int64_t)i;
    }
    json_decref(v);
    mt_text_free(json);
    if (at < 0) printf("  no %s '%s'\n", axis, label);
    return at;
}

static double share_of(const mt_report *r, const double *dla, int n_prompt, int prompt,
                       const char *label)
{
    int64_t at = labelled(r, "dla", "part", label);
    REQUIRE(at >= 0);
    return dla[at * n_prompt + prompt];
}

/* Our parts are finer than the reference's: its MLP has the bias, its 'bias' is of all attentions. */
static void dla_agrees(const char *name, int n_head, bool biased)
{
    char path[1200], label[100];
    const char *dir = shared_path(name);
    container *golden = NULL;
    mt_report *r = ran_as(
        "dla", "{\"model\":\"%s\",\"pairs\":\"%s/prompts.json\",\"precision\":\"f64\"}", dir, dir);
    REQUIRE(r && !mt_report_failed(r));
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", dir);
    REQUIRE(container_open(&golden, path, NULL) == E_OK);
    container *c = tensors_in(r);
    int64_t n, m;
    double *dla = values_of(c, "dla", &n),
           *want = values_of(golden, "dla_gain.full_decomposition.diff", &m);
    double worst = 0;
    for (int l = 0; l < 3; l++) {
        for (int h = 0; h < n_head; h++)
            for (int p = 0; p < 3; p++) {
                snprintf(label, sizeof label, "blocks.%d.attn.result[head=%d]", l, h);
                double gap = share_of(r, dla, 3, p, label) - want[(l * n_head + h) * 3 + p];
                worst = worse(worst, fabs(gap));
            }
        for (int p = 0; p < 3; p++) {
            snprintf(label, sizeof label, "blocks.%d.mlp.out", l);
            double got = share_of(r, dla, 3, p, label);
            snprintf(label, sizeof label, "transformer.h.%d.mlp.c_proj.bias", l);
            if (biased) got += share_of(r, dla, 3, p, label);
            worst = worse(worst, fabs(got - want[(3 * n_head + l) * 3 + p]));
        }
    }
    for (int p = 0; p < 3; p++) {
        double gap = share_of(r, dla, 3, p, "embed") - want[(3 * n_head + 3) * 3 + p];
        worst = worse(worst, fabs(gap));
    }
    CHECK(worst < 2e-7); /* stored as float32, up to 2.3 */
    free(dla), free(want);
    container_free(c), container_free(golden);
    mt_report_free(r);
}

TEST("dla gives TransformerLens' direct logit differences of heads, MLPs and embeddings")
{
    if (!shared_path("goldens/methods/tl-lens-gpt2")) SKIP("no ../shared");
    dla_agrees("goldens/methods/tl-lens-gpt2", 5, true);
    dla_agrees("goldens/methods/tl-lens-llama", 6, false);
}

/* A logit of the last position as run has it. */
static double logit_of(const char *request, const char *which, int id)
{
    mt_report *r = ran("run", request);
    REQUIRE(r);
    container *c = tensors_in(r);
    int64_t n;
    double *v = values_of(c, which, &n), y = v[id];
    free(v);
    container_free(c);
    mt_report_free(r);
    return y;
}

static double sum_of(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return sum;
}

TEST("the parts sum to the logit in every architecture, also under edits")
{
    static const struct {
        const char *name, *edit;
        double cap;
    } of[] = { { "gpt2", "blocks.0.mlp.out = 0", 0 },
               { "gptj", "blocks.1.resid_pre[pos=-1] += 1", 0 },
               { "olmo2", "blocks.0.attn.contribution *= 2", 0 },
               { "gemma2", "blocks.1.ln2_post.scale *= 2", 5 },
               { "bloom", "embed *= 2", 0 },
               { "llama_gqa", "blocks.1.attn.result[head=1] = 0", 0 },
               { "opt", "ln_final.out *= 2", 0 },
               { "mixtral", "blocks.0.mlp.out *= 3", 0 },
               { "phi", "ln_final.scale *= 2", 0 } };
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        for (int edited = 0; edited < 2; edited++) {
            char rel[100], request[1600], more[200] = "";
            snprintf(rel, sizeof rel, "goldens/models/%s", of[i].name);
            if (edited) snprintf(more, sizeof more, ",\"edit\":[\"%s\"]", of[i].edit);
            snprintf(request, sizeof request,
                     "{\"model\":\"%s\",\"tokens\":\"1,5,2,7,3\",\"precision\":\"f64\"%s",
                     shared_path(rel), more);
            char *end = request + strlen(request);
            strcpy(end, "}");
            double want = logit_of(request, edited ? "logits_edited" : "logits", 4);
            strcpy(end, ",\"answer\":\"#4\"}");
            mt_report *r = ran("dla", request);
            REQUIRE(r);
            container *c = tensors_in(r);
            int64_t n;
            double *v = values_of(c, "dla", &n), sum = sum_of(v, n);
            if (of[i].cap > 0) sum = of[i].cap * tanh(sum / of[i].cap);
            if (!(fabs(sum - want) < 1e-12))
                printf("  %s %s: %.17g, %.17g\n", of[i].name, more, sum, want);
            CHECK(fabs(sum - want) < 1e-12 && !mt_report_failed(r));
            free(v);
            container_free(c);
            mt_report_free(r);
        }
}

TEST("a share is what the logit loses when the part is zeroed and the norm held, or computed anew")
{
    char request[1800];
    static const struct {
        const char *name, *part, *tensor, *axis, *edit;
    } of[] = {
        { "gptj", "blocks.1.attn.result[head=1]", "dla", "part",
          "\"blocks.1.attn.result[head=1,pos=-1] = 0\",\"ln_final.scale = @0\"" },
        { "gptj", "blocks.1.attn.result[head=1]", "dla.without", "part",
          "\"blocks.1.attn.result[head=1,pos=-1] = 0\"" },
        { "gptj", "blocks.1.mlp.out", "dla.without", "part", "\"blocks.1.mlp.post[pos=-1] = 0\"" },
        { "olmo2", "blocks.1.mlp.out", "dla", "part",
          "\"blocks.1.mlp.post[pos=-1] = 0\",\"blocks.1.ln2_post.scale = @0\",\"ln_final.scale = "
          "@0\"" },
    };
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char rel[100];
        snprintf(rel, sizeof rel, "goldens/models/%s", of[i].name);
        int n_head = snprintf(request, sizeof request,
                              "{\"model\":\"%s\",\"tokens\":\"1,5,2,7,3\",\"precision\":\"f64\"",
                              shared_path(rel));
        strcpy(request + n_head, "}");
        double before = logit_of(request, "logits", 4);
        snprintf(request + n_head, sizeof request - n_head, ",\"edit\":[%s]}", of[i].edit);
        double after = logit_of(request, "logits_edited", 4);
        strcpy(request + n_head, ",\"answer\":\"#4\"}");
        mt_report *r = ran("dla", request);
        REQUIRE(r);
        container *c = tensors_in(r);
        int64_t n, at = labelled(r, of[i].tensor, of[i].axis, of[i].part);
        double *v = values_of(c, of[i].tensor, &n);
        REQUIRE(at >= 0);
        if (!(fabs(v[at] - (before - after)) < 1e-12))
            printf("  %s %s: %.17g, %.17g\n", of[i].name, of[i].part, v[at], before - after);
        CHECK(fabs(v[at] - (before - after)) < 1e-12);
        free(v);
        container_free(c);
        mt_report_free(r);
    }
}

TEST("a neuron's share is what the logit loses without it while the norms are held")
{
    char request[1800];
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    int head = snprintf(request, sizeof request,
                        "{\"model\":\"%s\",\"tokens\":\"1,5,2,7,3\",\"precision\":\"f64\"",
                        shared_path("goldens/models/gpt2"));
    strcpy(request + head, ",\"answer\":\"#4\"}");
    mt_report *r = ran("dla", request);
    REQUIRE(r);
    container *c = tensors_in(r);
    int64_t n;
    double *v = values_of(c, "dla.neuron", &n), sum = sum_of(v + n / 2, n / 2);
    strcpy(request + head, "}");
    double before = logit_of(request, "logits", 4);
    snprintf(request + head, sizeof request - head,
             ",\"edit\":[\"blocks.1.mlp.post[neuron=7,pos=-1] = 0\",\"ln_final.scale = @0\"]}");
    double after = logit_of(request, "logits_edited", 4);
    CHECK(fabs(v[n / 2 + 7] - (before - after)) < 1e-12);
    double *dla = values_of(c, "dla", &n);
    CHECK(fabs(sum - share_of(r, dla, 1, 0, "blocks.1.mlp.out")) < 1e-12);
    free(v), free(dla);
    container_free(c);
    mt_report_free(r);
}

TEST("the stream so far, norm anew, is the lens; at the end both forms are the logit")
{
    if (!shared_path("goldens/models/gemma2")) SKIP("no ../shared");
    mt_report *r =
        ran_as("dla",
               "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"precision\":\"f64\",\"answer\":\"#4\","
               "\"wrong\":\"#9\"}",
               shared_path("goldens/models/gpt2"));
    REQUIRE(r);
    container *c = tensors_in(r);
    int64_t n, m;
    double *lens = values_of(c, "dla.lens", &n), *far = values_of(c, "dla.so_far", &n),
           *dla = values_of(c, "dla", &m);
    CHECK(fabs(lens[n - 1] - far[n - 1]) < 1e-12 && fabs(far[n - 1] - sum_of(dla, m)) < 1e-12);
    container_free(c), mt_report_free(r);
    r = ran_as("lens",
               "{\"model\":\"%s\",\"tokens\":\"1,5,2\",\"precision\":\"f64\",\"logits\":true,"
               "\"what\":\"pre,mid,post\"}",
               shared_path("goldens/models/gpt2"));
    REQUIRE(r);
    c = tensors_in(r);
    double *all = values_of(c, "logit_lens", &m);
    int64_t v = m / n / 3;
    for (int64_t i = 0; i < n; i++) {
        const double *row = all + (i * 3 + 2) * v;
        CHECK(lens[i] == row[4] - row[9]);
    }
    free(lens), free(far), free(dla), free(all);
    container_free(c), mt_report_free(r);
}

TEST("the demo's answer is written by its induction head alone")
{
    mt_report *r = ran("dla", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the "
                              "cat\"],\"pos\":\"all\"}");
    REQUIRE(r);
    container *c = tensors_in(r);
    int64_t n;
    double *v = values_of(c, "dla", &n);
    CHECK(share_of(r, v, 1, 0, "blocks.1.attn.result[head=2]") == 40 && sum_of(v, n) == 40);
    CHECK(!mt_report_failed(r) && shows(r, "at every position"));
    free(v);
    container_free(c);
    mt_report_free(r);
}

TEST("dla refuses what it cannot attribute")
{
    static const char head[] = "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"]";
    static const char *const bad[][2] = { { ",\"wrong\":\"sat\"}", "--wrong without --answer" },
                                          { ",\"pos\":\"x\"}", "expected a number or all" },
                                          { ",\"pos\":\"9\"}", "position 9" },
                                          { ",\"top\":0}", "expected 1 to" },
                                          { ",\"neurons\":-1}", "expected 0 to" },
                                          { ",\"pairs\":\"x.json\"}", "both --pairs and --prompt" },
                                          { ",\"answer\":\"the cat\"}", "token" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses_as("dla", bad[i][1], "%s%s", head, bad[i][0]);
    mt_report *r = ran("dla", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"edit\":["
                              "\"logits += 5\"]}");
    REQUIRE(r);
    CHECK(mt_report_failed(r) && shows(r, "an edit of the logits themselves"));
    mt_report_free(r);
    if (!shared_path("goldens/models/opt_postnorm")) SKIP("no ../shared");
    refuses_as("dla", "it has 27 numbers, expected 44", "{\"model\":\"%s\",\"tokens\":\"1,2\"}",
               shared_path("goldens/models/opt_postnorm"));
}

/* ---- compare ---- */

TEST("a model compared with itself does not part")
{
    mt_report *r = ran("compare", "{\"model\":\"demo:induction\",\"with\":\"demo:induction\","
                                  "\"prompt\":[\"the cat sat on the cat\"]}");
    REQUIRE(r);
    CHECK(shows(r, "They do not part") && shows(r, "KL of A and B 0,"));
    mt_report_free(r);
}

/* A copy of a golden model in which one weight is scaled; its directory. */
static const char *spoiled_model(const char *name, const char *weight, double factor)
{
    static char dir[1100];
    char path[1300], rel[100];
    container *c = NULL;
    tensor_view t[80];
    str text = { 0 };
    snprintf(dir, sizeof dir, "%s", test_dir());
    snprintf(rel, sizeof rel, "goldens/models/%s/model.safetensors", name);
    REQUIRE(container_open(&c, shared_path(rel), NULL) == E_OK && container_count(c) <= 80);
    float *copy = NULL;
    for (int i = 0; i < container_count(c); i++) {
        t[i] = *container_at(c, i);
        if (strcmp(t[i].name, weight)) continue;
        REQUIRE(t[i].dtype == DTYPE_F32 && !copy);
        copy = malloc(t[i].bytes);
        REQUIRE(copy);
        memcpy(copy, t[i].data, t[i].bytes);
        for (size_t k = 0; k < t[i].bytes / sizeof *copy; k++) copy[k] *= (float)factor;
        t[i].data = copy;
    }
    REQUIRE(copy);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    REQUIRE(tensors_write(path, t, container_count(c), NULL, 0, NULL) == E_OK);
    free(copy);
    container_free(c);
    snprintf(rel, sizeof rel, "goldens/models/%s/config.json", name);
    REQUIRE(file_read(&text, shared_path(rel), 1 << 20, NULL) == E_OK);
    snprintf(path, sizeof path, "%s/config.json", dir);
    REQUIRE(file_write(path, text.p, text.n, NULL) == E_OK);
    str_release(&text);
    return dir;
}

TEST("two models that differ in one weight part at the site that it makes, and nowhere before")
{
    static const struct {
        const char *weight, *site;
    } of[] = { { "transformer.h.1.mlp.c_proj.weight", "They part at blocks.1.mlp.out, position 0" },
               { "transformer.h.0.attn.c_attn.weight", "They part at blocks.0.attn.q, position 0" },
               { "transformer.ln_f.weight", "They part at ln_final.out, position 0" } };
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        mt_report *r =
            ran_as("compare", "{\"model\":\"%s\",\"with\":\"%s\",\"tokens\":\"[[1,5,2,7],[3,4]]\"}",
                   shared_path("goldens/models/gpt2"), spoiled_model("gpt2", of[i].weight, 1.5));
        REQUIRE(r);
        CHECK(shows(r, of[i].site) && shows(r, "interval"));
        mt_report_free(r);
    }
}

static double *site_values(const char *request, int64_t *n)
{
    mt_report *r = ran("cache", request);
    REQUIRE(r);
    container *c = tensors_in(r);
    double *v = values_of(c, "lane0/blocks.1.resid_post", n);
    container_free(c);
    mt_report_free(r);
    return v;
}

TEST(
    "differences under an edit are those of the values that cache gives, and KL that of the logits")
{
    char request[1800];
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    int head = snprintf(request, sizeof request,
                        "{\"model\":\"%s\",\"tokens\":\"1,5,2,7\",\"precision\":\"f64\"",
                        shared_path("goldens/models/gpt2"));
    static const char edit[] = ",\"edit\":[\"blocks.0.mlp.out[pos=2] = 0\"]";
    int64_t n, m;
    snprintf(request + head, sizeof request - head, ",\"sites\":\"blocks.1.resid_post\"}");
    double *a = site_values(request, &n);
    snprintf(request + head, sizeof request - head, "%s,\"sites\":\"blocks.1.resid_post\"}", edit);
    double *b = site_values(request, &n);
    mt_report *r = ran("compare", request);
    REQUIRE(r);
    container *c = tensors_in(r);
    double *far = values_of(c, "relative.pos", &m), *max = values_of(c, "max", &m),
           *kl = values_of(c, "kl", &m);
    double most = 0;
    for (int t = 0; t < 4; t++) {
        double d = 0, size = 0;
        for (int64_t k = t * n / 4; k < (t + 1) * n / 4; k++) {
            d += (a[k] - b[k]) * (a[k] - b[k]), size += a[k] * a[k];
            most = worse(most, fabs(a[k] - b[k]));
        }
        CHECK(fabs(far[t] - sqrt(d / size)) < 1e-14 && (far[t] == 0) == (t < 2));
    }
    CHECK(*max == most);
    free(far), free(max);
    container_free(c), mt_report_free(r);
    snprintf(request + head, sizeof request - head, "%s}", edit);
    r = ran("run", request);
    REQUIRE(r);
    c = tensors_in(r);
    double *p = values_of(c, "logits", &n), *q = values_of(c, "logits_edited", &n), want, h, rank;
    brute(q, p, n, &want, &h, &rank);
    CHECK(fabs(kl[3] - want) < 1e-12 && kl[1] == 0);
    free(a), free(b), free(kl), free(p), free(q);
    container_free(c), mt_report_free(r);
}

TEST("two prompts part where their tokens do; shifted ones are compared by start or end")
{
    mt_report *r = ran("compare", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the "
                                  "cat\",\"the cat sat on the dog\"]}");
    REQUIRE(r);
    CHECK(shows(r, "They part at embed, position 6 (\"cat\")"));
    mt_report_free(r);
    r = ran("compare",
            "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\",\"sat\"],\"align\":"
            "\"end\"}");
    REQUIRE(r);
    CHECK(shows(r, "patterns are not compared") && shows(r, "of B"));
    mt_report_free(r);
}

TEST("compare refuses what it cannot compare")
{
    static const char head[] = "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"";
    static const char *const bad[][2] = {
        { "]}", "nothing to compare with" },
        { ",\"the\"]}", "3 and 2 tokens" },
        { ",\"the dog\"],\"align\":\"x\"}", "expected start or end" },
        { "],\"with\":\"demo:induction\",\"edit\":[\"embed = 0\"]}", "one of them at a time" },
        { "],\"edit\":[\"embed = 0\"],\"align\":\"end\"}", "for two prompts" },
        { ",\"the dog\"],\"sites\":\"embed[pos=1]\"}", "with all its positions" },
        { ",\"the dog\"],\"sites\":\"foo\"}", "no site 'foo'" },
        { ",\"the dog\"],\"top\":0}", "expected 1 to" },
        { ",\"the dog\"],\"pairs\":\"x\"}", "both --pairs and --prompt" },
        { "],\"with\":\"/nowhere\"}", "--with" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char request[300];
        snprintf(request, sizeof request, "%s%s", head, bad[i][0]);
        refuses("compare", request, bad[i][1]);
    }
    if (!shared_path("goldens/models/gpt2")) return;
    refuses_as("compare", "tokens",
               "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"with\":\"%s\"}",
               shared_path("goldens/models/gpt2"));
}

/* ---- embed ---- */

static double cosine_of(const double *a, const double *b, int64_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / sqrt(aa * bb);
}

TEST("cosines of a sum of tokens with all tokens are those of the table's rows")
{
    char path[1300];
    container *file = NULL;
    int64_t n, m;
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    const char *dir = shared_path("goldens/models/gpt2");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    REQUIRE(container_open(&file, path, NULL) == E_OK);
    double *w = values_of(file, "transformer.wte.weight", &n), v[256];
    mt_report *r = ran_as(
        "embed", "{\"model\":\"%s\",\"expr\":[\"2 * #3 - #5 + #7\",\"#5\"],\"top\":1000}", dir);
    REQUIRE(r);
    container *c = tensors_in(r);
    double *cosine = values_of(c, "cosine", &m), *near = values_of(c, "nearest", &m),
           *id = values_of(c, "nearest.id", &m), *between = values_of(c, "between", &m);
    int64_t vocab = container_find(c, "cosine")->dim[1], d = n / vocab;
    REQUIRE(d <= 256);
    for (int64_t i = 0; i < d; i++) v[i] = 2 * w[3 * d + i] - w[5 * d + i] + w[7 * d + i];
    for (int64_t t = 0; t < vocab; t++) CHECK(fabs(cosine[t] - cosine_of(v, w + t * d, d)) < 1e-12);
    for (int64_t k = 0; k < vocab; k++) {
        CHECK(near[k] == cosine[(int64_t)id[k]] && (!k || near[k] <= near[k - 1]));
    }
    CHECK(fabs(between[1] - cosine_of(v, w + 5 * d, d)) < 1e-12 && id[vocab] == 5);
    CHECK(shows(r, "random sums as near") && shows(r, "nearest to a random direction"));
    free(w), free(cosine), free(near), free(id), free(between);
    container_free(c), container_free(file);
    mt_report_free(r);
}

TEST("in the space of logits a stream's dot products, by the norm's scale, are its logits")
{
    char request[2800], acts[1300];
    int64_t n, m, one;
    if (!shared_path("goldens/models/llama_gqa")) SKIP("no ../shared");
    int head = snprintf(request, sizeof request, "{\"model\":\"%s\",\"precision\":\"f64\"",
                        shared_path("goldens/models/llama_gqa"));
    snprintf(request + head, sizeof request - head,
             ",\"tokens\":\"1,5,2\",\"sites\":\"blocks.*.resid_post,ln_final.scale,logits\"}");
    mt_report *r = ran("cache", request);
    REQUIRE(r);
    snprintf(acts, sizeof acts, "%s/acts.npz", test_dir());
    REQUIRE(mt_report_write_tensors(r, acts, NULL) == 0);
    container *c = tensors_in(r);
    double *logits = values_of(c, "lane0/logits", &n),
           *scale = values_of(c, "lane0/ln_final.scale", &one);
    container_free(c), mt_report_free(r);
    snprintf(request + head, sizeof request - head,
             ",\"expr\":[\"%s:lane0/blocks.1.resid_post[2]\"],\"by\":\"dot\",\"top\":1000}", acts);
    r = ran("embed", request);
    REQUIRE(r);
    c = tensors_in(r);
    double *near = values_of(c, "nearest", &m), *id = values_of(c, "nearest.id", &m);
    CHECK(m == n / 3);
    for (int64_t k = 0; k < m; k++)
        CHECK(fabs(near[k] / scale[2] - logits[2 * m + (int64_t)id[k]]) < 1e-12);
    free(logits), free(scale), free(near), free(id);
    container_free(c), mt_report_free(r);
}

TEST(
    "an analogy's rank is that of its sum, a b and c left out, and one term alone stands beside it")
{
    char request[2800], path[1300],
        words[] = "he his she her\n: other\nshe her he his\ntwo words only\nhe him she her\n";
    int64_t n, m, one;
    if (!shared_path("data/lm-stories260K")) SKIP("no ../shared");
    snprintf(path, sizeof path, "%s/analogies.txt", test_dir());
    REQUIRE(file_write(path, words, sizeof words - 1, NULL) == E_OK);
    int head = snprintf(request, sizeof request, "{\"model\":\"%s/stories260K.bin\"",
                        shared_path("data/lm-stories260K"));
    snprintf(request + head, sizeof request - head,
             ",\"analogies\":\"%s\",\"expr\":[\"his - he + she\",\"he\",\"his\",\"she\",\"her\"]}",
             path);
    mt_report *r = ran("embed", request);
    REQUIRE(r);
    CHECK(shows(r, "b - a + c") && shows(r, "2 lines were left out"));
    container *c = tensors_in(r);
    double *rank = values_of(c, "analogy.rank", &n), *cosine = values_of(c, "cosine", &m),
           *id = values_of(c, "nearest.id", &one), want = 1;
    const double *of = id + one / 5; /* he, his, she, her: each is nearest to itself */
    int64_t step = one / 5, her = (int64_t)of[3 * step];
    for (int64_t t = 0; t < m / 5; t++) {
        bool own = t == (int64_t)of[0] || t == (int64_t)of[step] || t == (int64_t)of[2 * step];
        want += !own && t != her && cosine[t] > cosine[her];
    }
    CHECK(n == 2 * 3 && rank[0] == want && want == 1);
    free(rank), free(cosine), free(id);
    container_free(c), mt_report_free(r);
}

TEST("embed refuses what is no vector")
{
    static const char *const bad[][2] = {
        { "{\"model\":\"demo:induction\"}", "something to look up" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"the +\"]}", "+ or - with spaces" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"the + \"]}", "a term is missing" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"\\\"the\"]}", "a quote is not closed" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"the - the\"]}", "a vector of zeros" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"blocks.0.attn.out\"]}", "is an activation" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"no.npz:v\"]}", "no.npz" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"the\"],\"space\":\"x\"}", "space is 'x'" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"the\"],\"by\":\"x\"}", "by is 'x'" },
        { "{\"model\":\"demo:induction\",\"expr\":[\"the\"],\"top\":0}", "expected 1 to" },
        { "{\"model\":\"demo:induction\",\"analogies\":\"/nowhere\"}", "/nowhere" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuses("embed", bad[i][0], bad[i][1]);
}
/* SPDX-License-Identifier: MIT */
