/* t_sweeps -- analyses that sweep: what each cell says is what a run with the same edits, written by hand, gives. */
#define TEST_FILE t_sweeps
#include "test.h"
#include "tiny.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "format/format.h"
#include "include/microtome.h"
#include "tensor/draw.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST("a neuron's cells are runs with its activation taken, zeroed or set to its mean")
{
    tiny t;
    char edit[1400];
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r = ran_as(
        "neurons", "{\"model\":\"%s\",\"pairs\":\"%s\",\"layer\":\"0,2:3\",\"direction\":\"both\"}",
        t.dir, t.pairs);
    REQUIRE(r);
    static const int at[] = { 0, 77, 121 };
    for (int i = 0; i < 3; i++)
        for (int l = 0; l < 2; l++) {
            int64_t cell = l * 122 + at[i];
            snprintf(edit, sizeof edit, "\"blocks.%d.mlp.post[neuron=%d] = @0\"", 2 * l, at[i]);
            CHECK(number_of(r, "denoise.neuron", cell) == diff_by_hand(&t, 1, edit));
            snprintf(edit, sizeof edit, "\"blocks.%d.mlp.post[neuron=%d] = @1\"", 2 * l, at[i]);
            CHECK(number_of(r, "noise.neuron", cell) == diff_by_hand(&t, 0, edit));
            snprintf(edit, sizeof edit, "\"blocks.%d.mlp.post[neuron=%d] = 0\"", 2 * l, at[i]);
            CHECK(number_of(r, "ablate.zero.neuron", cell) == diff_by_hand(&t, 0, edit));
            snprintf(edit, sizeof edit, "\"blocks.%d.mlp.post[neuron=%d] = mean(%s)\"", 2 * l,
                     at[i], t.reference);
            CHECK(number_of(r, "ablate.mean.neuron", cell) == diff_by_hand(&t, 0, edit));
        }
    int64_t n, sum = 0;
    double *sizes = tensor_of(r, "sizes.denoise.neuron", &n),
           *top = tensor_of(r, "top.denoise.neuron", &n);
    for (int i = 0; i < 8; i++) sum += (int64_t)sizes[i];
    CHECK(sum == 122); /* every neuron of the layer is counted once */
    for (int i = 1; i < 16; i++) CHECK(fabs(top[i]) <= fabs(top[i - 1]));
    int64_t who = (int64_t)number_of(r, "top_neuron.denoise.neuron", 16);
    CHECK(number_of(r, "effect.denoise.neuron", 122 + who) == top[16]);
    free(sizes), free(top);
    CHECK(shows(r, "blocks.2.mlp.post[neuron="));
    mt_report_free(r);
}

TEST("neurons refuses layers and kinds that there are not")
{
    tiny t;
    static const char *const bad[][2] = {
        { "\"layer\":\"3\"", "layers of 0 to 2" }, { "\"layer\":\"2:1\"", "expected all" },
        { "\"layer\":\"x\"", "expected all" },     { "\"layer\":\"\"", "expected all" },
        { "\"what\":\"patch,one\"", "is 'one'" },  { "\"what\":\",\"", "names nothing" },
        { "\"layers\":\"3\"", "no parameter" },
    };
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("neurons", bad[i][1], "{\"model\":\"%s\",\"pairs\":\"%s\",%s}", t.dir, t.pairs,
                   bad[i][0]);
    }
    refuses("neurons",
            "{\"model\":\"demo:induction\",\"clean\":\"the cat\",\"corrupt\":\"the dog\","
            "\"answer\":\"sat\"}",
            "no MLP");
}

TEST("prob is the exponential of logprob, and a probability")
{
    tiny t;
    double value[2];
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (int i = 0; i < 2; i++) {
        mt_report *r = ran_as(
            "patch", "{\"model\":\"%s\",\"pairs\":\"%s\",\"metric\":\"%s\",\"precision\":\"f64\"}",
            t.dir, t.pairs, i ? "prob" : "logprob");
        value[i] = number_of(r, i ? "prob_clean" : "logprob_clean", 0);
        mt_report_free(r);
    }
    double *v = by_hand(&t, 0, ""), sum = 0;
    for (int i = 0; i < 83; i++) sum += exp(v[i] - v[t.correct]);
    CHECK(fabs(value[1] - exp(value[0])) < 1e-12 && fabs(value[1] - 1 / sum) < 1e-5);
    free(v);
}

/* ---- pairs of components ---- */

TEST("two components ablated are a run with both edits, and interact by what one alone does not "
     "explain")
{
    tiny t;
    char edit[3000];
    static const char *const site[] = { "blocks.0.attn.z[head=1]", "blocks.0.mlp.contribution",
                                        "blocks.2.attn.z[head=4]", "blocks.2.mlp.contribution" };
    static const int at[] = { 1, 5, 10, 11 }; /* of 5 heads and an MLP in each of two layers */
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (int mean = 0; mean < 2; mean++) {
        const char *fill = mean ? "mean" : "zero";
        char name[40], to[1200] = "0";
        if (mean) snprintf(to, sizeof to, "mean(%s)", t.reference);
        mt_report *r = ran_as(
            "interact", "{\"model\":\"%s\",\"pairs\":\"%s\",\"layer\":\"0,2\",\"fill\":\"%s\"}",
            t.dir, t.pairs, fill);
        REQUIRE(r);
        double clean = number_of(r, "logit_diff_clean", 0), one[4];
        snprintf(name, sizeof name, "ablate.%s.pair", fill);
        for (int a = 0; a < 4; a++) {
            snprintf(edit, sizeof edit, "\"%s = %s\"", site[a], to);
            one[a] = diff_by_hand(&t, 0, edit);
            CHECK(number_of(r, name, at[a] * 12 + at[a]) == one[a]);
        }
        for (int a = 0; a < 4; a++)
            for (int b = a + 1; b < 4; b++) {
                snprintf(edit, sizeof edit, "\"%s = %s\",\"%s = %s\"", site[a], to, site[b], to);
                double both = diff_by_hand(&t, 0, edit);
                CHECK(number_of(r, name, at[a] * 12 + at[b]) == both);
                snprintf(edit, sizeof edit, "interaction.%s", fill);
                CHECK(fabs(number_of(r, edit, at[b] * 12 + at[a]) -
                           (both - one[a] - one[b] + clean)) < 1e-12);
            }
        CHECK(shows(r, "largest interactions") && shows(r, "self-repair"));
        mt_report_free(r);
    }
    refuses_as("interact", "one component only",
               "{\"model\":\"%s\",\"pairs\":\"%s\",\"components\":\"mlp\","
               "\"layer\":\"1\"}",
               t.dir, t.pairs);
    refuses_as("interact", "components is 'q'",
               "{\"model\":\"%s\",\"pairs\":\"%s\",\"components\":\"q\"}", t.dir, t.pairs);
    refuses_as("interact", "fill is 'noise'",
               "{\"model\":\"%s\",\"pairs\":\"%s\",\"fill\":\"noise\"}", t.dir, t.pairs);
}

/* ---- texts ---- */

/* A continuation is what run writes for that prompt under that edit alone, and its first token's log probability is that
 * of run's logits. */
static void text_is_of_run(const char *model, const char *prompt, const char *edit,
                           const char *sampling, const double *id, double logprob)
{
    char ids[200] = "";
    int64_t n_vocab = 0;
    double sum = 0;
    for (int k = 0; k < 5; k++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%d", k ? ", " : "ids ",
                 (int)id[k]);
    mt_report *r = ran_as(
        "run", "{\"model\":\"%s\",\"prompt\":[\"%s\"],\"edit\":[%s],\"n\":5%s,\"threads\":1}",
        model, prompt, edit, sampling);
    CHECK(r && shows(r, ids));
    double *v = tensor_of(r, *edit ? "logits_edited" : "logits", &n_vocab);
    REQUIRE(v);
    for (int64_t i = 0; i < n_vocab; i++) sum += exp(v[i] - v[(int)id[0]]);
    CHECK(fabs(logprob + log(sum)) < 1e-5);
    free(v);
    mt_report_free(r);
}

TEST("texts written side by side are what each prompt and edit alone gives")
{
    static const char *const prompt[] = { "Once upon a time", "The dog saw a big" };
    static const char *const edit[] = { "", "\"blocks.2.mlp.out = 0\"",
                                        "\"blocks.1.attn.z[head=3] *= -2\"" };
    static const char *const sampling[] = { "", ",\"temperature\":1.5,\"top_k\":20,\"seed\":3" };
    char model[1200];
    const char *dir = shared_path("data/lm-stories260K");
    int64_t n;
    if (!dir) SKIP("no ../shared");
    snprintf(model, sizeof model, "%s/stories260K.bin", dir);
    for (int k = 0; k < 2; k++) {
        mt_report *r = ran_as(
            "generate", "{\"model\":\"%s\",\"prompt\":[\"%s\",\"%s\"],\"edit\":[%s,%s],\"n\":5%s}",
            model, prompt[0], prompt[1], edit[1], edit[2], sampling[k]);
        double *id = tensor_of(r, "tokens", &n), *logprob = tensor_of(r, "logprob", &n);
        REQUIRE(id && logprob && n == 2 * 3 * 5);
        for (int i = 0; i < 6; i++)
            text_is_of_run(model, prompt[i / 3], edit[i % 3], sampling[k], id + 5 * i,
                           logprob[5 * i]);
        CHECK(shows(r, "continuations of prompt 1") && shows(r, "blocks.2.mlp.out = 0:"));
        free(id), free(logprob);
        mt_report_free(r);
    }
}

TEST("edits together are one text, and where texts part is said")
{
    int64_t n;
    mt_report *r =
        ran("generate", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the\"],\"n\":3,"
                        "\"together\":true,\"edit\":[\"blocks.0.attn.z[head=1] = 0\","
                        "\"blocks.1.attn.z[head=2] = 0\"]}");
    double *id = tensor_of(r, "tokens", &n);
    REQUIRE(id && n == 2 * 3);
    int at = 0;
    char want[40];
    while (at < 3 && id[at] == id[3 + at]) at++;
    CHECK(at < 3);
    snprintf(want, sizeof want, "(all) 3 %d ", at);
    char *text = mt_report_render(r, "text", 80, false, NULL), flat[60] = "";
    const char *row = text ? strstr(text, "(all)") : NULL;
    for (size_t k = 0; row && *row && k + 1 < sizeof flat; row++)
        if (*row != ' ' || (k && flat[k - 1] != ' ')) flat[k++] = *row;
    CHECK(!strncmp(flat, want, strlen(want)));
    const char *picture = text ? strstr(text, "log probability of what was written") : NULL;
    CHECK(picture && strstr(picture, "\n(none)") && strstr(picture, "\n(all)"));
    mt_text_free(text);
    free(id);
    mt_report_free(r);
    refuses("generate", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"n\":0}",
            "n is 0");
    refuses("generate",
            "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"temperature\":-1.0}",
            "0 or more");
    refuses("generate",
            "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\"],"
            "\"edit\":[\"blocks.1.resid_post[pos=1] += 1\"]}",
            "blocks.1.resid_post");
}

TEST("a text that has become as long as the model takes ends there, and says so")
{
    mt_report *r = ran("generate", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\"],"
                                   "\"n\":1000}");
    int64_t n, n_written = 0;
    double *id = tensor_of(r, "tokens", &n);
    REQUIRE(id && n == 1000);
    while (n_written < n && id[n_written] >= 0) n_written++;
    CHECK(n_written > 10 && n_written < 1000 && shows(r, "the longest the model takes"));
    for (int64_t i = n_written; i < n; i++) CHECK(id[i] == -1);
    free(id);
    mt_report_free(r);
}

/* ---- causal tracing ---- */

enum { D_MODEL = 45, N_POS = 11 };

static void write_values(const char *path, const char *key, double *v, int64_t rows)
{
    tensor_view t = { .name = key,
                      .dtype = DTYPE_F64,
                      .n_dim = 2,
                      .dim = { rows, D_MODEL },
                      .data = v,
                      .bytes = (size_t)rows * D_MODEL * sizeof *v };
    REQUIRE(tensors_write(path, &t, 1, NULL, 0, NULL) == E_OK);
}

/* The edit that is draw `pair` of noise 2 on positions 2, 3, 4. */
static void noise_edit(char *out, size_t bytes, int pair)
{
    char path[1200];
    double v[3 * D_MODEL];
    for (int i = 0; i < 3 * D_MODEL; i++)
        v[i] = 2 * (double)draw_normal(7, rand_stream("trace.noise"),
                                       ((uint64_t)pair << 32) + (uint64_t)i);
    snprintf(path, sizeof path, "%s/noise%d.npz", test_dir(), pair);
    write_values(path, "v", v, 3);
    snprintf(out, bytes, "\"embed[pos=2:5] += %s:v\"", path);
}

/* An edit that sets one position of a site to what it is under other edits. */
static void held_edit(const tiny *t, const char *edits, const char *site, int pos, char *out,
                      size_t bytes)
{
    char path[1200], key[200];
    int64_t n = 0;
    mt_report *r =
        ran_as("cache", "{\"model\":\"%s\",\"tokens\":\"%s\",\"edit\":[%s],\"sites\":\"%s\"}",
               t->dir, t->tokens, edits, site);
    snprintf(key, sizeof key, "lane0/%s", site);
    double *v = tensor_of(r, key, &n);
    REQUIRE(v && n == N_POS * D_MODEL);
    snprintf(path, sizeof path, "%s/held.npz", test_dir());
    write_values(path, "v", v + pos * D_MODEL, 1);
    snprintf(out, bytes, "\"%s[pos=%d] = %s:v\"", site, pos, path);
    free(v);
    mt_report_free(r);
}

static void write_fact(const tiny *t, char *path, size_t bytes)
{
    json_t *tokens = NULL, *fact;
    REQUIRE(json_open(&tokens, t->tokens, 1 << 20, NULL) == E_OK);
    fact = json_pack("[{s:O,s:[i,i],s:I}]", "prompt", json_array_get(tokens, 0), "subject", 2, 5,
                     "answer", (json_int_t)t->correct);
    snprintf(path, bytes, "%s/facts.json", test_dir());
    write_json(path, fact);
    json_decref(tokens);
}

static double logit_by_hand(const tiny *t, const char *edits)
{
    double *v = by_hand(t, 0, edits), x = v[t->correct];
    free(v);
    return x;
}

TEST("a traced cell is a run with the same noise and the clean values put back")
{
    tiny t;
    char facts[1100], noise[1300], held[1300], edit[4000];
    if (!tiny_open(&t)) SKIP("no ../shared");
    write_fact(&t, facts, sizeof facts);
    mt_report *r =
        ran_as("trace",
               "{\"model\":\"%s\",\"facts\":\"%s\",\"what\":\"state,mlp,attn,state_no_mlp\","
               "\"metric\":\"logit\",\"noise\":\"2\",\"window\":2,\"samples\":3,\"seed\":7}",
               t.dir, facts);
    REQUIRE(r);
    for (int pair = 0; pair < 3; pair += 2) {
        noise_edit(noise, sizeof noise, pair);
        CHECK(number_of(r, "logit_corrupt", pair) == logit_by_hand(&t, noise));
        for (int pos = 3; pos < N_POS; pos += 7) { /* 3, 10: of the subject; the last */
            int64_t cell = (1 * N_POS + pos) * 3 + pair;
            snprintf(edit, sizeof edit, "%s,\"blocks.1.resid_post[pos=%d] = @0\"", noise, pos);
            CHECK(number_of(r, "denoise.state", cell) == logit_by_hand(&t, edit));
            int layer = pos == 10; /* the last layer's MLP is seen at the last position only */
            char site_held[60];
            snprintf(site_held, sizeof site_held, "blocks.%d.mlp.contribution", layer + 1);
            held_edit(&t, noise, site_held, pos, held, sizeof held);
            snprintf(edit, sizeof edit, "%s,\"blocks.%d.resid_post[pos=%d] = @0\",%s", noise, layer,
                     pos, held);
            CHECK(number_of(r, "denoise.state_no_mlp", (layer * N_POS + pos) * 3 + pair) ==
                  logit_by_hand(&t, edit));
            for (int k = 0; k < 2; k++) { /* layer 1, window 2: layers 0 and 1 */
                const char *site = k ? "attn" : "mlp";
                snprintf(edit, sizeof edit,
                         "%s,\"blocks.0.%s.contribution[pos=%d] = @0\","
                         "\"blocks.1.%s.contribution[pos=%d] = @0\"",
                         noise, site, pos, site, pos);
                CHECK(number_of(r, k ? "denoise.attn" : "denoise.mlp", cell) ==
                      logit_by_hand(&t, edit));
            }
        }
    }
    /* the last layer's state at the last position is the whole answer; nothing before the subject matters */
    for (int pair = 0; pair < 3; pair++) {
        CHECK(number_of(r, "denoise.state", (2 * N_POS + 10) * 3 + pair) ==
              number_of(r, "logit_clean", pair));
        CHECK(number_of(r, "denoise.state", 1 * 3 + pair) == number_of(r, "logit_corrupt", pair));
    }
    mt_report_free(r);
}

TEST("indirect effects are means over draws, roles means over their positions")
{
    tiny t;
    char facts[1100];
    int64_t n;
    if (!tiny_open(&t)) SKIP("no ../shared");
    write_fact(&t, facts, sizeof facts);
    mt_report *r =
        ran_as("trace", "{\"model\":\"%s\",\"facts\":\"%s\",\"what\":\"state\",\"samples\":4}",
               t.dir, facts);
    REQUIRE(r);
    double *raw = tensor_of(r, "denoise.state", &n), *base = tensor_of(r, "prob_corrupt", &n);
    REQUIRE(raw && base);
    double role = 0;
    for (int pos = 6; pos < 10; pos++) { /* "further": behind the first token after the subject */
        double sum = 0;
        for (int k = 0; k < 4; k++) sum += raw[(N_POS + pos) * 4 + k] - base[k];
        CHECK(fabs(number_of(r, "ie.state", N_POS + pos) - sum / 4) < 1e-15);
        /* what the table ranks is no share of a gap that draws may not have, or have the other way */
        CHECK(fabs(number_of(r, "effect.denoise.state", N_POS + pos) - sum / 4) < 1e-15);
        role += sum / 16;
    }
    CHECK(fabs(number_of(r, "roles.state", 7 + 5) - role) < 1e-15);
    CHECK(number_of(r, "roles.state.low", 7 + 5) <= role + 1e-15 &&
          number_of(r, "roles.state.high", 7 + 5) >= role - 1e-15);
    free(raw), free(base);
    mt_report_free(r);
}

TEST("noise that leaves no number is said, and no effect is made of it")
{
    mt_report *r = ran("trace", "{\"model\":\"demo:induction\",\"prompt\":\"the cat sat\","
                                "\"subject\":\"cat\",\"what\":\"state\",\"samples\":2,"
                                "\"noise\":\"1e300\"}");
    CHECK(r && shows(r, "the base runs of 2 of 2 pairs give no finite number"));
    CHECK(r && shows(r, "denoise.state: no cell has a number in every pair"));
    CHECK(r && shows(r, "subject last   nan")); /* a role that is there, and has no number */
    mt_report_free(r);
}

TEST("a role that no token has is a cell that is not there, and no number that is none")
{
    mt_report *r = ran("trace", "{\"model\":\"demo:induction\",\"prompt\":\"the cat sat on\","
                                "\"subject\":\"cat\",\"what\":\"state\",\"samples\":2}");
    REQUIRE(r);
    char *text = mt_report_render(r, "text", 100, false, NULL),
         *page = mt_report_render(r, "html", 0, false, NULL),
         *csv = mt_report_render(r, "csv", 0, false, NULL);
    CHECK(text && strstr(text, "subject middle") && !strstr(text, "nan"));
    CHECK(page && strstr(page, "no such cell") && !strstr(page, "no number"));
    CHECK(csv && strstr(csv, "subject first,nan,no such cell"));
    mt_text_free(text), mt_text_free(page), mt_text_free(csv);
    mt_report_free(r);
}

TEST("a trace is planned, stopped by its time and filled coarse to fine like any sweep")
{
    static const char ask[] = "{\"model\":\"demo:induction\",\"prompt\":\"the cat sat on the cat\","
                              "\"subject\":\"cat sat\",\"what\":\"state\",\"samples\":2%s}";
    char request[600], hash[80];
    mt_error err = { 0 };
    snprintf(request, sizeof request, ask, "");
    mt_report *r = ran("trace", request);
    REQUIRE(r);
    snprintf(hash, sizeof hash, "%s", mt_report_hash(r));
    mt_report_free(r);
    snprintf(request, sizeof request, ask, ",\"order\":\"coarse\"");
    r = ran("trace", request);
    CHECK(r && !strcmp(mt_report_hash(r), hash));
    mt_report_free(r);
    snprintf(request, sizeof request, ask, ",\"plan\":true");
    r = ran("trace", request);
    CHECK(r && shows(r, "multiply-adds") && shows(r, "Nothing was swept"));
    mt_report_free(r);
    r = NULL;
    snprintf(request, sizeof request, ask, ",\"seconds\":1e-9");
    mt_status st = mt_run(&r, "trace", request, NULL, NULL, &err);
    CHECK((st == MT_INTERRUPTED || !st) &&
          r); /* one wave is always done, and may be all there are */
    mt_report_free(r);
}

TEST("a value patched with itself is said to be equal, not out of reach")
{
    mt_report *r =
        ran("patch", "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\","
                     "\"corrupt\":\"the cat sat on the sat\",\"answer\":\"sat\"}");
    REQUIRE(r);
    CHECK(shows(r, "= no effect: equal bits") && !shows(r, "cannot reach"));
    mt_report_free(r);
}

TEST("noise of nothing has no effect, and its size is three deviations of the embeddings")
{
    static const char ask[] = "{\"model\":\"demo:induction\",\"prompt\":\"the {} on the cat\","
                              "\"subject\":\"cat sat\",\"what\":\"state\",\"samples\":2,"
                              "\"noise\":\"%s\"}";
    mt_report *r = ran_as("trace", ask, "0");
    CHECK(r && number_of(r, "prob_clean", 1) == number_of(r, "prob_corrupt", 1));
    CHECK(r && shows(r, "total effect 0,") && shows(r, "2:cat 3:sat"));
    CHECK(r && shows(r, "in 2 of 2 draws the noise does not lower the answer's"));
    mt_report_free(r);
    /* embeddings of "cat" (3) and "sat" (8), by way of cache */
    r = ran("cache", "{\"model\":\"demo:induction\",\"tokens\":\"3,8\",\"sites\":\"embed\"}");
    int64_t n = 0;
    double *v = tensor_of(r, "lane0/embed", &n), mean = 0, sum = 0;
    REQUIRE(v);
    for (int i = 0; i < n; i++) mean += v[i] / (double)n;
    for (int i = 0; i < n; i++) sum += (v[i] - mean) * (v[i] - mean);
    free(v);
    mt_report_free(r);
    char want[60];
    snprintf(want, sizeof want, "noise sigma %.4f,", 3 * sqrt(sum / (double)(n - 1)));
    r = ran_as("trace", ask, "s3");
    CHECK(r && shows(r, want));
    mt_report_free(r);
}

TEST("several facts are laid over each other at the subject's last token")
{
    char path[1200];
    static const char facts[] =
        "[{\"prompt\":\"the cat sat on the cat\",\"subject\":\"cat sat\",\"x\":1},"
        "{\"requested_rewrite\":{\"prompt\":\"{} ran on the dog\",\"subject\":\"the dog\","
        "\"answer\":\"ran\"}},{\"prompt\":5,\"subject\":\"\"}]";
    snprintf(path, sizeof path, "%s/facts.json", test_dir());
    REQUIRE(file_write(path, facts, sizeof facts - 1, NULL) == E_OK);
    mt_report *r = ran_as(
        "trace",
        "{\"model\":\"demo:induction\",\"facts\":\"%s\",\"what\":\"state,attn\",\"window\":1,"
        "\"samples\":3,\"noise\":\"1.5\",\"limit\":2}",
        path);
    CHECK(r && shows(r, "subject's last") && shows(r, "95 % over 2 facts") && shows(r, "+3") &&
          shows(r, "blocks.1.attn.contribution[subject+3]"));
    mt_report_free(r);
    refuses_as("trace", "fact 2", "{\"model\":\"demo:induction\",\"facts\":\"%s\"}", path);
}

TEST("trace refuses what it cannot do, and says what it wants")
{
    static const char *const bad[][2] = {
        { "\"prompt\":\"the cat\"", "needs a prompt and its subject" },
        { "\"prompt\":\"the cat\",\"subject\":\"dog\"", "'dog' is not in the prompt" },
        { "\"prompt\":\"the cat\",\"subject\":\"\"", "'' is not in the prompt" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"noise\":\"s\"", "noise is 's'" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"noise\":\"-1\"", "noise is '-1'" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"window\":0", "window is 0" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"samples\":0", "samples is 0" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"what\":\"state,heads\"",
          "what is 'heads'" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"what\":\"mlp\"", "no blocks.0.mlp" },
        { "\"prompt\":\"the cat\",\"subject\":\"cat\",\"metric\":\"logit_diff\"",
          "metric is 'logit_diff'" },
        { "\"facts\":\"x.json\",\"subject\":\"cat\"", "both --facts and --subject" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("trace", bad[i][1], "{\"model\":\"demo:induction\",%s}", bad[i][0]);
    }
}

/* SPDX-License-Identifier: MIT */
