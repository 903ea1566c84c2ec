/* t_routes -- path patching of one path at a time: each path is what its edges give one after the other, by hand. */
#define TEST_FILE t_routes
#include "test.h"
#include "tiny.h"
#include "base/str.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mt_report *paths(const tiny *t, const char *from, const char *to, int hops, const char *more)
{
    mt_report *r = ran_as(
        "path", "{\"model\":\"%s\",\"pairs\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"hops\":%d%s}",
        t->dir, t->pairs, from, to, hops, more);
    REQUIRE(r);
    return r;
}

/* The metric of a path by its label, from the report's CSV; its place: *at. */
static double value_of(const mt_report *r, const char *tensor, const char *label, int *at)
{
    char head[100], cell[200], *text = mt_report_render(r, "csv", 80, false, NULL);
    snprintf(head, sizeof head, "# tensor %s\n", tensor);
    snprintf(cell, sizeof cell, ",%s,0,", label);
    char *p = text ? strstr(text, head) : NULL, *end = p ? strstr(p, "\n\n") : NULL;
    if (end) *end = 0;
    char *line = p ? strstr(p, cell) : NULL;
    if (!line) printf("  %s has no %s\n", tensor, label);
    REQUIRE(line);
    double v = strtod(line + strlen(cell), NULL);
    while (line > p && line[-1] != '\n') line--;
    *at = atoi(line);
    mt_text_free(text);
    return v;
}

/* ---- by hand ---- */

/* Where a path's next edge begins: what is read of the run in which the edge before was edited, and its part. */
typedef struct hop {
    const char *writer; /* the site, or with a head: of that */
    int head;           /* -1: the whole site */
    const char *reader;
} hop;

/* "WRITER[pos=i] -> READER = [values]" for every position: what `edits` make of the writer. */
static void carry(const tiny *t, int which, str *edits, const hop *h)
{
    char request[400], name[80], place[80];
    int64_t n;
    str next = { 0 }, ask = { 0 };
    snprintf(request, sizeof request,
             "{\"model\":\"%.180s\",\"tokens\":\"%.150s\",\"sites\":\"%s\",\"edit\":[", t->dir,
             t->tokens, h->writer);
    str_printf(&ask, "%s%s]}", request, edits->p);
    mt_report *r = ran("cache", ask.p);
    snprintf(name, sizeof name, "lane%d/%s", which, h->writer);
    double *v = tensor_of(r, name, &n);
    REQUIRE(v);
    int64_t n_part = h->head < 0 ? 1 : 5, width = n / (int64_t)t->len / n_part;
    REQUIRE(width == 45);
    bool last = !strcmp(h->reader, "logits") || !strcmp(h->reader, "blocks.2.mlp") ||
                !strncmp(h->reader, "blocks.2.attn.q", 15);
    size_t first = last ? t->len - 1 : 0; /* of those nobody looks at the other rows */
    for (size_t pos = first; pos < t->len; pos++) {
        const double *row = v + ((int64_t)pos * n_part + (h->head < 0 ? 0 : h->head)) * width;
        if (h->head < 0) snprintf(place, sizeof place, "%s[pos=%zu]", h->writer, pos);
        else snprintf(place, sizeof place, "%s[head=%d,pos=%zu]", h->writer, h->head, pos);
        str_printf(&next, "%s\"%s -> %s = [", pos > first ? "," : "", place, h->reader);
        for (int64_t i = 0; i < width; i++) str_printf(&next, "%s%.9g", i ? "," : "", row[i]);
        str_puts(&next, "]\"");
    }
    free(v);
    mt_report_free(r);
    str_release(&ask), str_release(edits);
    *edits = next;
}

/* Base run `which`, the path's first edge taken from the other one. */
static double path_by_hand(const tiny *t, int which, const char *first, const hop *h, int n_hop)
{
    str edits = { 0 }, ask = { 0 };
    int64_t n;
    str_printf(&edits, "\"%s = @%d\"", first, !which);
    for (int i = 0; i < n_hop; i++) carry(t, which, &edits, &h[i]);
    str_printf(&ask, "{\"model\":\"%s\",\"tokens\":\"%s\",\"edit\":[%s],\"no_fuse\":true}", t->dir,
               t->tokens, edits.p);
    mt_report *r = ran("run", ask.p);
    double *v = tensor_of(r, "logits_edited", &n);
    REQUIRE(v && n == 2 * 83);
    float d = (float)v[which * 83 + t->correct] - (float)v[which * 83 + t->wrong];
    free(v);
    mt_report_free(r);
    str_release(&edits), str_release(&ask);
    return (double)d;
}

TEST("a path's cell is its edges one after the other, by hand, bit for bit")
{
    static const struct {
        const char *from, *to, *label, *first;
        hop hop[3];
        int n_hop;
    } each[] = {
        { "a0.h1",
          "logits",
          "a0.h1 -> a1.h2<k> -> logits",
          "blocks.0.attn.result[head=1] -> blocks.1.attn.k[head=2]",
          { { "blocks.1.attn.result", 2, "logits" } },
          1 },
        { "a0.h1",
          "a2.h3<q>",
          "a0.h1 -> m0 -> a1.h4<v> -> a2.h3<q>",
          "blocks.0.attn.result[head=1] -> blocks.0.mlp",
          { { "blocks.0.mlp.out", -1, "blocks.1.attn.v[head=4]" },
            { "blocks.1.attn.result", 4, "blocks.2.attn.q[head=3]" } },
          2 },
        { "input",
          "m2",
          "input -> a0.h2<q> -> m1 -> m2",
          "embed -> blocks.0.attn.q[head=2]",
          { { "blocks.0.attn.result", 2, "blocks.1.mlp" },
            { "blocks.1.mlp.out", -1, "blocks.2.mlp" } },
          2 },
        { "input",
          "a2.h0<v>",
          "input -> a0.h3<v> -> m0 -> a1.h1<k> -> a2.h0<v>",
          "embed -> blocks.0.attn.v[head=3]",
          { { "blocks.0.attn.result", 3, "blocks.0.mlp" },
            { "blocks.0.mlp.out", -1, "blocks.1.attn.k[head=1]" },
            { "blocks.1.attn.result", 1, "blocks.2.attn.v[head=0]" } },
          3 },
    };
    tiny t;
    int at;
    if (!tiny_open(&t)) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        mt_report *r =
            paths(&t, each[i].from, each[i].to, each[i].n_hop + 1, ",\"direction\":\"both\"");
        for (int noise = 0; noise < 2; noise++) {
            double here = value_of(r, noise ? "noise.paths" : "denoise.paths", each[i].label, &at),
                   hand = path_by_hand(&t, !noise, each[i].first, each[i].hop, each[i].n_hop);
            if (here != hand) printf("  %s: %.9g by hand %.9g\n", each[i].label, here, hand);
            CHECK(here == hand);
            CHECK(here != number_of(r, noise ? "logit_diff_clean" : "logit_diff_corrupt", 0));
        }
        mt_report_free(r);
    }
}

TEST("a path of one edge is that edge, and with more hops every shorter path is there too")
{
    tiny t;
    int at;
    int64_t n;
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *edges = ran_as("edges", "{\"model\":\"%s\",\"pairs\":\"%s\"}", t.dir, t.pairs);
    double edge = number_of(edges, "denoise.edges", 3 * 49 + 35); /* a0.h1 -> a2.h3<q> */
    for (int hops = 1; hops <= 3; hops++) {
        static const int counts[] = { 0, 1, 18,
                                      49 }; /* + m0, m1, 15 of layer 1; + m0 to 16, 15 to m1 */
        mt_report *r = paths(&t, "a0.h1", "a2.h3<q>", hops, "");
        CHECK(value_of(r, "denoise.paths", "a0.h1 -> a2.h3<q>", &at) == edge);
        free(tensor_of(r, "denoise.paths", &n));
        CHECK(n == counts[hops]);
        mt_report_free(r);
    }
    mt_report_free(edges);
}

TEST("paths may be kept to some readers, and ends named as edits name them")
{
    tiny t;
    int64_t n;
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r = paths(&t, "a0.h1", "a2.h3<q>", 3, ",\"through\":\"v\""), *s;
    free(tensor_of(r, "denoise.paths", &n));
    CHECK(n == 1 + 5);
    s = paths(&t, "blocks.0.attn.result[head=1]", "blocks.2.attn.q[head=3]", 3,
              ",\"through\":\"v\"");
    double *a = tensor_of(r, "denoise.paths", &n), *b = tensor_of(s, "denoise.paths", &n);
    CHECK(a && b && n == 6 && !memcmp(a, b, 6 * sizeof *a));
    free(a), free(b);
    mt_report_free(r), mt_report_free(s);
    r = paths(&t, "a0.h1", "a2.h3", 1, ""); /* its query, key and value */
    free(tensor_of(r, "denoise.paths", &n));
    CHECK(n == 3);
    mt_report_free(r);
}

TEST("the demo's answer takes one path of three edges")
{
    int at;
    mt_report *r =
        ran("path", "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\","
                    "\"corrupt\":\"the bird sat on the cat\",\"answer\":\"sat\","
                    "\"wrong\":\"ran\",\"from\":\"input\",\"to\":\"logits\",\"hops\":3}");
    REQUIRE(r);
    CHECK(value_of(r, "denoise.paths", "input -> a0.h1<v> -> a1.h2<k> -> logits", &at) > 39.99);
    CHECK(shows(r, "-> logits   1.000") && shows(r, "denoise.paths random direction"));
    int64_t n;
    double *v = tensor_of(r, "denoise.paths", &n);
    for (int64_t i = 0; v && i < n; i++) CHECK(i == at || fabs(v[i]) < 1e-6);
    CHECK(n == 1 + 18 + 81);
    free(v);
    mt_report_free(r);
}

/* ---- waves, journals, shards ---- */

TEST("paths cut into waves, resumed and shared out come to the same hash")
{
    tiny t;
    char more[1400], hash[80];
    mt_report *r = NULL;
    if (!tiny_open(&t)) SKIP("no ../shared");
    r = paths(&t, "m0", "logits", 3, "");
    snprintf(hash, sizeof hash, "%s", mt_report_hash(r));
    mt_report_free(r);
    snprintf(more, sizeof more, ",\"memory\":1,\"threads\":1,\"backend\":\"plain\"");
    r = paths(&t, "m0", "logits", 3, more);
    CHECK(!strcmp(mt_report_hash(r), hash));
    mt_report_free(r);
    for (int i = 1; i <= 2; i++) {
        snprintf(more, sizeof more, ",\"resume\":\"%s/r\",\"shard\":\"%d/2\"", test_dir(), i);
        mt_report_free(paths(&t, "m0", "logits", 3, more));
    }
    snprintf(more, sizeof more, "{\"journal\":\"%s/r\"}", test_dir());
    r = ran("merge", more);
    CHECK(r && !strcmp(mt_report_hash(r), hash));
    mt_report_free(r);
    r = paths(&t, "m0", "logits", 3, ",\"plan\":true");
    CHECK(shows(r, "multiply-adds"));
    mt_report_free(r);
}

TEST("where heads share keys, a path goes through the key of one query head")
{
    char request[3000];
    const char *dir = shared_path("goldens/methods/eap-llama");
    int64_t n;
    if (!dir) SKIP("no ../shared");
    snprintf(
        request, sizeof request,
        "{\"model\":\"%s\",\"pairs\":\"%s/prompts.json\",\"from\":\"a0.h1\",\"to\":\"logits\"}",
        dir, dir);
    mt_report *r = ran("path", request);
    REQUIRE(r);
    free(tensor_of(r, "denoise.paths", &n));
    CHECK(n == 3 * (1 + 3 + 2 * 18)); /* direct, three MLPs, q k v of six heads in two layers */
    mt_report_free(r);
    refuses_as("path", "no whole reader",
               "{\"model\":\"%s\",\"pairs\":\"%s/prompts.json\",\"from\":\"a0.h1\",\"to\":"
               "\"blocks.1.attn.k[head=0]\"}",
               dir, dir);
}

TEST("path refuses ends and numbers that make no path")
{
    static const char *const bad[][2] = {
        { "\"from\":\"a0.h1\"", "belong together" },
        { "\"to\":\"logits\"", "belong together" },
        { "\"from\":\"a0.h9\",\"to\":\"logits\"", "a0.h9" },
        { "\"from\":\"a0.h1\",\"to\":\"a7.h0<q>\"", "a7.h0" },
        { "\"from\":\"a1.h0\",\"to\":\"a0.h0<q>\"", "no path of up to 2 edges" },
        { "\"from\":\"a0.h1\",\"to\":\"logits\",\"hops\":0", "expected 1 to" },
        { "\"from\":\"a0.h1\",\"to\":\"logits\",\"through\":\"x\"", "through is 'x'" },
        { "\"from\":\"a0.h1\",\"to\":\"logits\",\"senders\":\"head\"", "not both" },
        { "\"from\":\"blocks.0.attn.result[head=1,pos=2]\",\"to\":\"logits\"", "no whole writer" },
        { "\"from\":\"blocks.0.resid_pre\",\"to\":\"logits\"", "resid_pre" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("path", bad[i][1],
                   "{\"model\":\"demo:induction\",\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
                   "sat\",\"answer\":\"sat\",\"wrong\":\"ran\",%s}",
                   bad[i][0]);
    }
}
/* SPDX-License-Identifier: MIT */
