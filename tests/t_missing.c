/* t_missing -- instruments that look at one run, where something is no number or was not come to: it is missing, not zero. */
#define TEST_FILE t_missing
#include "test.h"
#include "tiny.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool lacks(const mt_report *r, const char *what)
{
    char *text = mt_report_render(r, "text", 100, false, NULL);
    bool there = !text || strstr(text, what);
    mt_text_free(text);
    return !there;
}

TEST("where logits are no numbers a lens has no rank, no token and no mean")
{
    char request[1400];
    int64_t n, m;
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"tokens\":\"1,5,2,7,3\",\"target\":\"#3\",\"pos\":2,"
             "\"edit\":[\"blocks.0.attn.q[pos=2] = 3e38\"]}", /* scores of infinity */
             shared_path("goldens/models/gpt2"));
    mt_report *r = ran("lens", request);
    REQUIRE(r);
    double *rank = tensor_of(r, "lane0/rank_final", &n),
           *target = tensor_of(r, "lane0/rank_target", &n), *kl = tensor_of(r, "lane0/kl", &n),
           *id = tensor_of(r, "lane0/top_id", &m);
    REQUIRE(rank && target && kl && id && n == 3 * 5 && m == 3 * n);
    for (int64_t i = 0; i < n; i++) {
        int64_t site = i / 5,
                pos = i % 5; /* L0 pre, L0 post, L1 post, where later ones attend to it */
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
/* SPDX-License-Identifier: MIT */
