/* t_metrics -- several metrics in one pass: each is what a sweep of it alone gives, bit for bit, for one fork a cell. */
#define TEST_FILE t_metrics
#include "test.h"
#include "tiny.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const METRIC[] = { "logit_diff", "prob", "logit" };

/* A sweep of every instrument that takes pairs, and tensors of its report ("%s": the metric's suffix). */
typedef struct sweep_case {
    const char *instrument, *more, *tensor[4];
} sweep_case;

static const sweep_case CASES[] = {
    { "patch",
      "\"what\":\"head_out_by_pos,ablate\",\"direction\":\"both\"",
      { "denoise.head_out_by_pos%s", "noise.head_out_by_pos%s", "effect.noise.head_out_by_pos%s",
        "ablate.mean.mlp%s" } },
    { "path",
      "\"senders\":\"mlp\"",
      { "path.denoise.mlp.to_q%s", "effect.path.denoise.mlp.to_q%s" } },
    { "edges", "\"direction\":\"noise\"", { "noise.edges%s", "layers.noise.edges%s" } },
    { "neurons", "\"layer\":\"1\"", { "denoise.neuron%s", "top.denoise.neuron%s" } },
    { "interact", "\"layer\":\"0,2\"", { "ablate.zero.pair%s", "interaction.zero%s" } },
};
enum { N_CASE = sizeof CASES / sizeof *CASES };

static mt_report *swept(const tiny *t, const sweep_case *c, const char *metric)
{
    char request[3000];
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s\",\"metric\":\"%s\",\"seed\":3,%s}", t->dir,
             t->pairs, metric, c->more);
    mt_report *r = ran(c->instrument, request);
    REQUIRE(r);
    return r;
}

static bool same_tensor(const mt_report *all, const mt_report *one, const char *form,
                        const char *metric)
{
    char mine[100], theirs[100], suffix[30];
    int64_t n = 0, m = 0;
    snprintf(suffix, sizeof suffix, ".%s", metric);
    snprintf(mine, sizeof mine, "%.*s%s", (int)strcspn(form, "%"), form, suffix);
    snprintf(theirs, sizeof theirs, "%.*s", (int)strcspn(form, "%"), form);
    double *a = tensor_of(all, mine, &n), *b = tensor_of(one, theirs, &m);
    bool same = a && b && n == m && !memcmp(a, b, (size_t)n * sizeof *a);
    if (!same) printf("  %s and %s differ\n", mine, theirs);
    free(a), free(b);
    return same;
}

TEST("a sweep of several metrics has the tensors that a sweep of each has")
{
    tiny t;
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (int i = 0; i < N_CASE; i++) {
        mt_report *all = swept(&t, &CASES[i], "logit_diff,prob,logit");
        for (int k = 0; k < 3; k++) {
            mt_report *one = swept(&t, &CASES[i], METRIC[k]);
            for (int j = 0; j < 4 && CASES[i].tensor[j]; j++)
                CHECK(same_tensor(all, one, CASES[i].tensor[j], METRIC[k]));
            mt_report_free(one);
        }
        mt_report_free(all);
    }
}

/* "work 87 runs, 79 forks": the second number. */
static int forks(const mt_report *r)
{
    char *text = mt_report_render(r, "text", 200, false, NULL),
         *at = text ? strstr(text, " forks") : NULL;
    REQUIRE(at);
    while (at > text && at[-1] >= '0' && at[-1] <= '9') at--;
    int n = atoi(at);
    mt_text_free(text);
    return n;
}

TEST("a second metric costs no second fork, and its tables and controls name it")
{
    tiny t;
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *one = swept(&t, &CASES[0], "logit_diff"),
              *two = swept(&t, &CASES[0], "logit_diff,prob");
    CHECK(forks(one) == forks(two) && forks(one) > 100);
    CHECK(shows(two, "base runs: prob") && shows(two, "largest noise.head_out_by_pos.prob") &&
          shows(two, "noise.head_out_by_pos.prob random position") && shows(two, "prob_clean") &&
          shows(two, "logit_diff_clean"));
    mt_report_free(one);
    mt_report_free(two);
}

TEST("a fact is traced by several metrics at once")
{
    char request[2000];
    const char *dir = shared_path("data/lm-stories260K");
    static const char *const tensors[] = { "denoise.state%s", "ie.state%s", "roles.state%s" };
    if (!dir) SKIP("no ../shared");
    mt_report *r[3];
    for (int k = 0; k < 3; k++) {
        snprintf(
            request, sizeof request,
            "{\"model\":\"%s/stories260K.bin\",\"prompt\":\"Once upon a time, there was a little "
            "girl\",\"subject\":\"little\",\"answer\":\" named\",\"samples\":3,\"what\":\"state\","
            "\"metric\":\"%s\"}",
            dir,
            k == 0   ? "prob,logit"
            : k == 1 ? "prob"
                     : "logit");
        r[k] = ran("trace", request);
        REQUIRE(r[k]);
    }
    for (int i = 0; i < 3; i++)
        CHECK(same_tensor(r[0], r[1], tensors[i], "prob") &&
              same_tensor(r[0], r[2], tensors[i], "logit"));
    CHECK(shows(r[0], "total effect: logit"));
    for (int k = 0; k < 3; k++) mt_report_free(r[k]);
}

/* ---- stopped, resumed, shared out ---- */

static mt_report *part(const tiny *t, const char *more, mt_status want)
{
    char request[3000];
    mt_report *r = NULL;
    mt_error err = { 0 };
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s\",\"metric\":\"prob,logit_diff\",\"what\":"
             "\"resid_pre,ablate\",\"memory\":1%s}",
             t->dir, t->pairs, more);
    mt_status st = mt_run(&r, "patch", request, NULL, NULL, &err);
    if (st != want) printf("  %d: %s\n", st, err.message);
    REQUIRE(st == want && r);
    return r;
}

TEST("a journal carries every metric: resumed, and merged from shards, to the same hash")
{
    tiny t;
    char more[1400], hash[80];
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r = part(&t, "", 0);
    snprintf(hash, sizeof hash, "%s", mt_report_hash(r));
    mt_report_free(r);
    snprintf(more, sizeof more, ",\"resume\":\"%s/a\",\"seconds\":1e-9", test_dir());
    mt_report_free(part(&t, more, MT_INTERRUPTED));
    snprintf(more, sizeof more, ",\"resume\":\"%s/a\"", test_dir());
    r = part(&t, more, 0);
    CHECK(shows(r, "were in the journal") && !strcmp(mt_report_hash(r), hash));
    mt_report_free(r);
    for (int i = 1; i <= 3; i++) {
        snprintf(more, sizeof more, ",\"resume\":\"%s/b\",\"shard\":\"%d/3\"", test_dir(), i);
        mt_report_free(part(&t, more, 0));
    }
    snprintf(more, sizeof more, "{\"journal\":\"%s/b\"}", test_dir());
    r = ran("merge", more);
    CHECK(r && !strcmp(mt_report_hash(r), hash));
    mt_report_free(r);
}

TEST("metrics that there are not, or twice, are refused")
{
    static const char *const bad[][2] = { { "logit_diff,foo", "no metric 'foo'" },
                                          { "prob,prob", "metric prob twice" },
                                          { ",", "names none" } };
    for (int i = 0; i < 3; i++) {
        refuses_as("patch", bad[i][1],
                   "{\"model\":\"demo:induction\",\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
                   "sat\",\"answer\":\"sat\",\"wrong\":\"ran\",\"metric\":\"%s\"}",
                   bad[i][0]);
    }
    refuses("patch",
            "{\"model\":\"demo:induction\",\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
            "sat\",\"answer\":\"sat\",\"metric\":\"prob,logit_diff\"}",
            "logit_diff needs a wrong answer");
}
/* SPDX-License-Identifier: MIT */
