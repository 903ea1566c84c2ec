/* t_sweeps -- analyses that sweep: what each cell says is what a run with the same edits, written by hand, gives. */
#define TEST_FILE t_sweeps
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
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
    bool fine =
        mt_run(&r, instrument, request, NULL, NULL, &err) != 0 && !r && strstr(err.message, says);
    if (!fine) printf("  %s %s: %s\n", instrument, request, err.message);
    CHECK(fine);
}

static bool shows(const mt_report *r, const char *what)
{
    char *text = mt_report_render(r, "text", 80, false, NULL);
    bool there = text && strstr(text, what);
    if (!there) printf("  not in the report: %s\n", what);
    mt_text_free(text);
    return there;
}

/* A tensor of a report as doubles (to be freed), by way of a file, as users read it. */
static double *tensor_of(const mt_report *r, const char *name, int64_t *n)
{
    char path[1200];
    container *c = NULL;
    double *v = NULL;
    snprintf(path, sizeof path, "%s/sweep.npz", test_dir());
    REQUIRE(r && mt_report_write_tensors(r, path, NULL) == 0);
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    const tensor_view *t = container_find(c, name);
    if (!t) printf("  there is no tensor %s\n", name);
    if (t) {
        *n = (int64_t)(t->bytes / dtype_bytes(t->dtype));
        v = malloc((size_t)(*n + 1) * sizeof *v);
        if (v) dtype_row_f64(t->dtype, t->data, v, *n);
    }
    container_free(c);
    return v;
}

static double number_of(const mt_report *r, const char *name, int64_t at)
{
    int64_t n = 0;
    double *v = tensor_of(r, name, &n);
    REQUIRE(v && at < n);
    double x = v[at];
    free(v);
    return x;
}

/* The tiny GPT-2 of the goldens (3 layers, 5 heads, 122 neurons, 83 tokens) and a file with its first pair and the
 * reference prompts. */
typedef struct tiny {
    char dir[1000], pairs[1100], reference[1100], tokens[400];
    int64_t correct, wrong;
    size_t len;
} tiny;

static void write_json(const char *path, json_t *own_v)
{
    str text = { 0 };
    json_write(&text, own_v, 0);
    REQUIRE(!text.failed && file_write(path, text.p, text.n, NULL) == E_OK);
    str_release(&text);
    json_decref(own_v);
}

static bool tiny_open(tiny *t)
{
    static const char *const lists[] = { "clean", "corrupt", "correct", "wrong" };
    char path[1100];
    json_t *all = NULL, *one = json_object();
    const char *dir = shared_path("goldens/methods/tl-patching-gpt2");
    if (!dir) {
        json_decref(one);
        return false;
    }
    snprintf(t->dir, sizeof t->dir, "%s", dir);
    snprintf(path, sizeof path, "%s/prompts.json", dir);
    REQUIRE(json_open(&all, path, 1 << 20, NULL) == E_OK);
    for (int i = 0; i < 4; i++) {
        json_t *list = json_array();
        json_array_append(list, json_array_get(json_object_get(all, lists[i]), 0));
        json_object_set_new(one, lists[i], list);
    }
    json_t *clean = json_array_get(json_object_get(one, "clean"), 0);
    json_t *both = json_pack("[O,O]", clean, json_array_get(json_object_get(one, "corrupt"), 0));
    json_t *reference = json_object_get(all, "ablation_reference_set");
    t->len = json_array_size(clean);
    t->correct = json_integer_value(json_array_get(json_object_get(one, "correct"), 0));
    t->wrong = json_integer_value(json_array_get(json_object_get(one, "wrong"), 0));
    json_object_set(one, "ablation_reference_set", reference);
    snprintf(t->pairs, sizeof t->pairs, "%s/pairs.json", test_dir());
    snprintf(t->reference, sizeof t->reference, "%s/reference.json", test_dir());
    snprintf(t->tokens, sizeof t->tokens, "%s/tokens.json", test_dir());
    write_json(t->tokens, both);
    write_json(t->reference, json_incref(reference));
    write_json(t->pairs, one);
    json_decref(all);
    return true;
}

/* The logits of `which` (0 the clean, 1 the corrupted prompt) under edits as they are written. */
static double *by_hand(const tiny *t, int which, const char *edits)
{
    char request[3000];
    int64_t n = 0;
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"tokens\":\"%s\",\"edit\":[%s],\"no_fuse\":true}", t->dir,
             t->tokens, edits);
    mt_report *r = ran("run", request);
    double *v = tensor_of(r, *edits ? "logits_edited" : "logits", &n);
    REQUIRE(v && n == 2 * 83);
    memmove(v, v + which * 83, 83 * sizeof *v);
    mt_report_free(r);
    return v;
}

static double diff_by_hand(const tiny *t, int which, const char *edits)
{
    double *v = by_hand(t, which, edits);
    float d = (float)v[t->correct] - (float)v[t->wrong];
    free(v);
    return (double)d;
}

TEST("a neuron's cells are runs with its activation taken, zeroed or set to its mean")
{
    tiny t;
    char request[3000], edit[1400];
    if (!tiny_open(&t)) SKIP("no ../shared");
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s\",\"layer\":\"0,2:3\",\"direction\":\"both\"}",
             t.dir, t.pairs);
    mt_report *r = ran("neurons", request);
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
    char request[3000];
    static const char *const bad[][2] = {
        { "\"layer\":\"3\"", "layers of 0 to 2" }, { "\"layer\":\"2:1\"", "expected all" },
        { "\"layer\":\"x\"", "expected all" },     { "\"layer\":\"\"", "expected all" },
        { "\"what\":\"patch,one\"", "'one' is" },  { "\"what\":\",\"", "names nothing" },
        { "\"layers\":\"3\"", "no parameter" },
    };
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(request, sizeof request, "{\"model\":\"%s\",\"pairs\":\"%s\",%s}", t.dir, t.pairs,
                 bad[i][0]);
        refuses("neurons", request, bad[i][1]);
    }
    refuses("neurons",
            "{\"model\":\"demo:induction\",\"clean\":\"the cat\",\"corrupt\":\"the dog\","
            "\"answer\":\"sat\"}",
            "no MLP");
}

TEST("prob is the exponential of logprob, and a probability")
{
    tiny t;
    char request[3000];
    double value[2];
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (int i = 0; i < 2; i++) {
        snprintf(request, sizeof request,
                 "{\"model\":\"%s\",\"pairs\":\"%s\",\"metric\":\"%s\",\"precision\":\"f64\"}",
                 t.dir, t.pairs, i ? "prob" : "logprob");
        mt_report *r = ran("patch", request);
        value[i] = number_of(r, i ? "prob_clean" : "logprob_clean", 0);
        mt_report_free(r);
    }
    double *v = by_hand(&t, 0, ""), sum = 0;
    for (int i = 0; i < 83; i++) sum += exp(v[i] - v[t.correct]);
    CHECK(fabs(value[1] - exp(value[0])) < 1e-12 && fabs(value[1] - 1 / sum) < 1e-5);
    free(v);
}

/* SPDX-License-Identifier: MIT */
