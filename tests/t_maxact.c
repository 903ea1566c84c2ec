/* t_maxact -- the largest values of a text are those that looking at every position finds, whether stopped or not. */
#define TEST_FILE t_maxact
#include "test.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"
#include "format/format.h"
#include "tiny.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *some_text(int n)
{
    static const char *const words[] = { "the", "cat", "sat", "on", "dog", "ran" };
    str s = { 0 };
    for (int i = 0; i < n; i++)
        str_printf(&s, "%s%s", i ? " " : "", words[rand_below(test_seed, 7, (uint64_t)i, 6)]);
    const char *path = test_text("text.txt", s.p);
    str_release(&s);
    return path;
}

/* The site's numbers for the whole text as one prompt. */
static double *cached(const char *text, const char *site, int64_t *n)
{
    char request[3000], name[200];
    str s = { 0 };
    REQUIRE(file_read(&s, text, 1 << 20, NULL) == E_OK);
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"prompt\":[\"%s\"],\"bos\":\"no\",\"sites\":\"%s\"}",
             s.p, site);
    str_release(&s);
    mt_report *r = ran("cache", request);
    snprintf(name, sizeof name, "lane0/%s", site);
    double *v = tensor_of(r, name, n);
    mt_report_free(r);
    return v;
}

TEST("a head's and a number's largest values are those that looking at every position finds")
{
    char request[2000];
    int64_t n_z, n_x, n;
    const char *text = some_text(20);
    double *z = cached(text, "blocks.1.attn.z[head=2]", &n_z),
           *x = cached(text, "blocks.1.resid_pre", &n_x), longest = 0, largest = -1e30;
    int64_t d_head = n_z / 20, d = n_x / 20, where = 0;
    for (int r = 3; r < 20; r++) {
        double sum = 0;
        for (int64_t j = 0; j < d_head; j++) sum += z[r * d_head + j] * z[r * d_head + j];
        if (sqrt(sum) > longest) longest = sqrt(sum), where = r;
        if (x[r * d + 7] > largest) largest = x[r * d + 7];
    }
    snprintf(
        request, sizeof request,
        "{\"model\":\"demo:induction\",\"text\":\"%s\",\"bos\":\"no\",\"skip\":3,\"before\":30,"
        "\"after\":30,\"unit\":[\"blocks.1.attn.z[head=2]\",\"blocks.1.resid_pre[dim=7]\"]}",
        text);
    mt_report *r = ran("maxact", request);
    REQUIRE(r);
    double *a = tensor_of(r, "act.blocks.1.attn.z[head=2]", &n);
    REQUIRE(a && n == 61);
    CHECK(fabs(a[30] - longest) < 1e-12 && where >= 3);
    CHECK(number_of(r, "act.blocks.1.resid_pre[d_model=7]", 30) == largest);
    int64_t seen = 0;
    for (int i = 0; i < 61; i++) seen += !isnan(a[i]);
    CHECK(seen == 17);
    free(a), free(z), free(x);
    mt_report_free(r);
}

TEST("a direction that is one number of the site has that number's largest values")
{
    char path[1200];
    double v[2][200] = { { 0 } };
    int64_t n, d;
    const char *text = some_text(300);
    double *x = cached(some_text(3), "blocks.1.resid_pre", &d);
    free(x);
    d /= 3;
    REQUIRE(d < 200);
    text = some_text(300);
    v[0][5] = v[1][9] = 1;
    double both[400];
    for (int64_t i = 0; i < d; i++) both[i] = v[0][i], both[d + i] = v[1][i];
    const tensor_view t = { .name = "mean.blocks.1.resid_pre",
                            .dtype = DTYPE_F64,
                            .n_dim = 2,
                            .dim = { 2, d },
                            .data = both,
                            .bytes = (size_t)(2 * d) * 8 };
    snprintf(path, sizeof path, "%s/d.safetensors", test_dir());
    REQUIRE(!tensors_write(path, &t, 1, NULL, 0, NULL));
    mt_report *r =
        ran_as("maxact",
               "{\"model\":\"demo:induction\",\"text\":\"%s\",\"window\":20,\"directions\":\"%s\","
               "\"unit\":[\"blocks.1.resid_pre[dim=9]\"],\"random\":2,\"samples\":0}",
               text, path);
    REQUIRE(r);
    int64_t m;
    double *a = tensor_of(r, "act.blocks.1.resid_pre[d_model=9]", &n),
           *b = tensor_of(r, "act.mean.blocks.1.resid_pre[1]", &m);
    int differ = 0;
    for (int64_t i = 0; i < n && i < m; i++)
        differ += a[i] != b[i] && !(isnan(a[i]) && isnan(b[i]));
    CHECK(n > 0 && n == m && differ == 0);
    CHECK(shows(r, "random 1 beside mean.blocks.1.resid_pre[0] (control)"));
    free(a), free(b);
    mt_report_free(r);
}

TEST("a gaze is the share of attention that goes to a key which is neither the first nor the query")
{
    int64_t n, n_p;
    const char *text = some_text(20);
    double *p = cached(text, "blocks.0.attn.pattern[head=1]", &n_p), best = 0;
    int row = 0;
    REQUIRE(n_p == 400);
    for (int q = 3; q < 20; q++)
        for (int k = 1; k < q; k++)
            if (p[q * 20 + k] > best) best = p[q * 20 + k], row = q;
    mt_report *r = ran_as(
        "maxact",
        "{\"model\":\"demo:induction\",\"text\":\"%s\",\"bos\":\"no\",\"skip\":3,\"before\":3,"
        "\"after\":2,\"unit\":[\"blocks.0.attn.pattern[head=1]\"]}",
        text);
    REQUIRE(r);
    double *a = tensor_of(r, "act.blocks.0.attn.pattern[head=1]", &n);
    REQUIRE(a && n == 6 && best > 0.9);
    for (int j = 0; j < 3; j++) CHECK(a[j] == p[row * 20 + row - 3 + j]);
    CHECK(isnan(a[4])); /* behind the query */
    CHECK(shows(r, "where the query looks"));
    char *page = mt_report_render(r, "html", 80, false, NULL);
    CHECK(page && strstr(page, "class=\"line\"") && strstr(page, "rowheader"));
    mt_text_free(page);
    free(a), free(p);
    mt_report_free(r);
}

TEST("stopped and gone on from its journal, a text comes to the same hash")
{
    char request[2500], hash[2][80], journal[1200];
    const char *text = some_text(4000);
    snprintf(journal, sizeof journal, "%s/journal", test_dir());
    for (int k = 0; k < 3; k++) {
        mt_report *r = NULL;
        mt_error err = { 0 };
        snprintf(
            request, sizeof request,
            "{\"model\":\"demo:induction\",\"text\":\"%s\",\"window\":9,\"samples\":6,"
            "\"unit\":[\"blocks.1.attn.z\",\"blocks.1.resid_post[dim=3]\"],\"memory\":%d%s%s%s%s}",
            text, k ? 1 : 0, k ? ",\"resume\":\"" : "", k ? journal : "", k ? "\"" : "",
            k == 1 ? ",\"seconds\":1e-9" : "");
        mt_status st = mt_run(&r, "maxact", request, NULL, NULL, &err);
        if (k != 1 && st) printf("  %s\n", err.message);
        CHECK(st == (k == 1 ? MT_INTERRUPTED : 0) && r);
        REQUIRE(r);
        if (k != 1) snprintf(hash[k / 2], sizeof hash[0], "%s", mt_report_hash(r));
        if (k == 2) CHECK(shows(r, "windows were in the journal"));
        mt_report_free(r);
    }
    CHECK(!strcmp(hash[0], hash[1]));
    refuses_as("maxact", "journal",
               "{\"model\":\"demo:induction\",\"text\":\"%s\",\"window\":8,\"samples\":6,"
               "\"unit\":[\"blocks.1.attn.z\",\"blocks.1.resid_post[dim=3]\"],\"resume\":\"%s\"}",
               text, journal);
}

TEST("a unit that says nothing of single positions, or a direction that fits no site, is refused")
{
    static const char *const bad[][2] = {
        { "\"unit\":[\"blocks.0.attn.z[pos=3]\"]", "all positions" },
        { "\"unit\":[\"W_E\"]", "W_E" },
        { "\"unit\":[\"blocks.0.attn.z\"],\"top\":0", "top is 0" },
        { "\"unit\":[\"blocks.9.attn.z\"]", "blocks.9" },
        { "\"top\":3", "needs a unit" },
    };
    char request[2500], path[1200];
    const char *text = some_text(30);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("maxact", bad[i][1], "{\"model\":\"demo:induction\",\"text\":\"%s\",%s}", text,
                   bad[i][0]);
    }
    static const double v[3] = { 1, 2, 3 };
    const tensor_view t = {
        .name = "w", .dtype = DTYPE_F64, .n_dim = 1, .dim = { 3 }, .data = v, .bytes = 24
    };
    snprintf(path, sizeof path, "%s/w.safetensors", test_dir());
    REQUIRE(!tensors_write(path, &t, 1, NULL, 0, NULL));
#define WITH(more)                                                                                 \
    snprintf(request, sizeof request,                                                              \
             "{\"model\":\"demo:induction\",\"text\":\"%s\",\"directions\":\"%s\"" more "}", text, \
             path)
    WITH("");
    refuses("maxact", request, "does not end with a site's");
    WITH(",\"at\":\"blocks.0.resid_pre\"");
    refuses("maxact", request, "3 numbers");
    WITH(",\"key\":\"x*\"");
    refuses("maxact", request, "no tensor matches");
}

TEST("documents shorter than what is skipped are passed over, and do not end the text")
{
    const char *text =
        test_text("short.jsonl", "[1, 2, 3, 4, 5, 6, 7, 8]\n[1, 2]\n[3, 4, 5, 6, 7, 8]\n");
    mt_report *r =
        ran_as("maxact",
               "{\"model\":\"demo:induction\",\"text\":\"%s\",\"bos\":\"no\",\"skip\":4,\"unit\":"
               "[\"blocks.1.resid_pre[dim=3]\",\"blocks.1.attn.pattern\"]}",
               text);
    CHECK(r && shows(r, "3 windows of up to") && shows(r, "within 3 documents"));
    CHECK(shows(r, "catdogbirdmouse\302\253horse\302\273sat")); /* of the last document */
    mt_report_free(r);
}

TEST("a text of nothing but what is skipped has no values, and says so")
{
    char request[2500];
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"text\":\"%s\",\"bos\":\"no\",\"unit\":"
             "[\"blocks.1.resid_pre[dim=3]\"]}",
             test_text("two.jsonl", "[1, 2]\n"));
    mt_report *r = ran("maxact", request);
    CHECK(r && shows(r, "no position was looked at") && !shows(r, "nan"));
    mt_report_free(r);
}

TEST("one unit too many is refused, however few each address names")
{
    str s = { 0 };
    str_printf(&s, "{\"model\":\"demo:induction\",\"text\":\"%s\",\"unit\":[", some_text(30));
    for (int i = 0; i <= 1000; i++) str_printf(&s, "%s\"blocks.0.resid_pre[dim=3]\"", i ? "," : "");
    str_puts(&s, "]}");
    refuses("maxact", s.p, "the most are 1000");
    str_release(&s);
}

TEST("memory that runs out at any call is an error, never another report")
{
    char request[2500];
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"threads\":1,\"text\":\"%s\",\"window\":9,"
             "\"unit\":[\"blocks.1.attn.pattern\",\"blocks.1.attn.z\"],\"edit\":"
             "[\"blocks.0.attn.z[head=1] = 0\"]}",
             some_text(40));
    starve("maxact", request);
}
/* SPDX-License-Identifier: MIT */
