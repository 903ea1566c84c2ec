/* t_missing -- instruments that look at one run, where something is no number or was not come to: it is missing, not zero. */
#define TEST_FILE t_missing
#include "test.h"
#include "tiny.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool lacks(const mt_report *r, const char *what)
{
    char *text = mt_report_render(r, "text", 100, false, NULL);
    bool there = !text || strstr(text, what);
    mt_text_free(text);
    return !there;
}

TEST("where logits are no numbers a lens has no rank, no token and no mean")
{
    int64_t n, m;
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    mt_report *r = ran_as("lens",
                          "{\"model\":\"%s\",\"tokens\":\"1,5,2,7,3\",\"target\":\"#3\",\"pos\":2,"
                          "\"edit\":[\"blocks.0.attn.q[pos=2] = 3e38\"]}", /* scores of infinity */
                          shared_path("goldens/models/gpt2"));
    REQUIRE(r);
    double *rank = tensor_of(r, "lane0/rank_final", &n),
           *target = tensor_of(r, "lane0/rank_target", &n), *kl = tensor_of(r, "lane0/kl", &n),
           *id = tensor_of(r, "lane0/top_id", &m);
    REQUIRE(rank && target && kl && id && n == 3 * 5 && m == 3 * n);
    for (int64_t i = 0; i < n; i++) {
        int64_t site = i / 5,
                pos = i % 5; /* L0 pre, L0 post; L1 post, where all later ones see it */
        bool lost = site == 1 ? pos == 2 : site == 2 && pos >= 2, no_final = pos >= 2;
        CHECK(lost == !!isnan(target[i]) && lost == (id[3 * i] == -1));
        CHECK(no_final == !!isnan(rank[i]) && no_final == !!isnan(kl[i]));
    }
    CHECK(lacks(r, "-9223372036854775808") && lacks(r, "#-1"));
    CHECK(lacks(r, "0.400")); /* of the 2 positions that have a rank, by all 5 */
    CHECK(shows(r, "rank of final in random directions nan"));
    free(rank), free(target), free(kl), free(id);
    mt_report_free(r);
}

static bool stop_now(void *user, const char *what, double done)
{
    (void)user, (void)what, (void)done;
    return false;
}

static mt_report *stopped(const char *instrument, const char *request, mt_tell *tell)
{
    mt_report *r = NULL;
    double last = 0;
    CHECK(mt_run(&r, instrument, request, tell, &last, NULL) == MT_INTERRUPTED);
    REQUIRE(r);
    return r;
}

static int64_t n_known(const mt_report *r, const char *name, double missing)
{
    int64_t n = 0, known = 0;
    double *v = tensor_of(r, name, &n);
    REQUIRE(v && n > 0);
    for (int64_t i = 0; i < n; i++) known += !isnan(v[i]) && v[i] != missing;
    free(v);
    return known;
}

TEST("what a lens or dla that was stopped at once has not come to is missing, not zero")
{
    char request[800];
    mt_report *r = stopped("lens",
                           "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\"],"
                           "\"logits\":true}",
                           stop_now);
    CHECK(!n_known(r, "logit_lens", NAN) && !n_known(r, "lane0/kl", NAN));
    CHECK(!n_known(r, "lane0/top_id", -1) && !n_known(r, "lane0/top_prob", NAN));
    mt_report_free(r);
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    snprintf(request, sizeof request, "{\"model\":\"%s\",\"tokens\":\"1,5,2\"}",
             shared_path("goldens/models/gpt2"));
    r = stopped("dla", request, stop_now);
    CHECK(!n_known(r, "dla.neuron", NAN));
    mt_report_free(r);
}

/* At the second position: the first time that what is done is less than before, and then more.  What is said is said
 * ten times a second at most, so that each call takes longer. */
static bool stop_second(void *user, const char *what, double done)
{
    double *last = user;
    (void)what;
    nanosleep(&(struct timespec){ .tv_nsec = 105000000 }, NULL);
    if (*last < 0 && done > 0) return false;
    *last = *last < 0 || done < *last ? -1 : done;
    return true;
}

TEST("dla at all positions that was stopped keeps those it had come to, and no zeros")
{
    const char *request = "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\"],"
                          "\"neurons\":0,\"pos\":\"all\"}";
    mt_report *whole = ran("dla", request), *r = stopped("dla", request, stop_second);
    static const char *const names[] = { "lane0/dla", "lane0/dla.component" };
    for (int k = 0; k < 2; k++) {
        int64_t n = 0, n_pos = 4;
        double *v = tensor_of(r, names[k], &n), *want = tensor_of(whole, names[k], &n);
        REQUIRE(v && want && n % n_pos == 0);
        for (int64_t i = 0; i < n; i++) CHECK(i % n_pos < 2 ? v[i] == want[i] : !!isnan(v[i]));
        free(v), free(want);
    }
    mt_report_free(r), mt_report_free(whole);
}
/* SPDX-License-Identifier: MIT */
