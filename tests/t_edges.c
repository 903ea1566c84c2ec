/* t_edges -- every edge: what each cell says is what a run with that edge edited by hand gives, what path says of it, and
 * what EAP-IG's exact mode found; and the graph that is written is one that its reader takes. */
#define TEST_FILE t_edges
#include "test.h"
#include "tiny.h"
#include "base/file.h"
#include "base/json.h"
#include "format/format.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- against EAP-IG ---- */

/* The golden's pairs, its mean_set as the reference prompts. */
static void write_pairs(const char *dir, char *path, size_t bytes)
{
    char from[1200];
    json_t *all = NULL;
    snprintf(from, sizeof from, "%s/prompts.json", dir);
    snprintf(path, bytes, "%s/eap.json", test_dir());
    REQUIRE(json_open(&all, from, 1 << 20, NULL) == E_OK);
    json_object_set(all, "ablation_reference_set", json_object_get(all, "mean_set"));
    json_object_del(all, "mean_set");
    write_json(path, all);
}

/* metric - base, the mean over pairs, is their score wherever there is an edge; theirs is 0 where there is none. */
static int agreeing(const mt_report *r, const container *golden, const char *ours,
                    const char *theirs, double tolerance)
{
    int64_t n, n_pair;
    const tensor_view *t = container_find(golden, theirs);
    double *v = tensor_of(r, ours, &n), *base = tensor_of(r, "logit_diff_clean", &n_pair);
    REQUIRE(t && v && base && n_pair == 3);
    int n_edge = 0, n_wrong = 0;
    CHECK(n == 3 * tensor_count(t));
    for (int64_t i = 0; i < n / 3; i++) {
        double mean = 0, want = value_at(t, i);
        for (int k = 0; k < 3; k++) mean += (v[3 * i + k] - base[k]) / 3;
        if (isnan(mean)) n_wrong += want != 0;
        else n_edge++, n_wrong += !(fabs(mean - want) < tolerance);
    }
    CHECK(n_wrong == 0);
    free(v), free(base);
    return n_edge;
}

static void agrees(const char *name, int n_edge, double tolerance)
{
    static const char *const pair[][2] = {
        { "noise.edges", "edge.exact.patching" },
        { "ablate.zero.edges", "edge.exact.zero" },
        { "ablate.mean_by_pos.edges", "edge.exact.mean-positional" },
    };
    char path[1200], pairs[1200];
    container *c = NULL;
    const char *dir = shared_path(name);
    write_pairs(dir, pairs, sizeof pairs);
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", dir);
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    mt_report *r =
        ran_as("edges",
               "{\"model\":\"%s\",\"pairs\":\"%s\",\"direction\":\"noise\",\"precision\":\"f64\","
               "\"what\":\"patch,zero,mean_by_pos\",\"senders\":\"head,mlp,embed\"}",
               dir, pairs);
    REQUIRE(r);
    for (int i = 0; i < 3; i++) CHECK(agreeing(r, c, pair[i][0], pair[i][1], tolerance) == n_edge);
    mt_report_free(r);
    container_free(c);
}

TEST("every edge patched, zeroed and set to its mean has the score of EAP-IG's exact mode")
{
    if (!shared_path("goldens/methods/eap-gpt2")) SKIP("no ../shared");
    agrees("goldens/methods/eap-gpt2", 370, 1e-9);
    agrees("goldens/methods/eap-llama", 496, 1e-5); /* the library rounds to float32 inside */
}

/* ---- against path, and against runs by hand ---- */

static int row_of(const char *name, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

/* Cell of edge u -> v in a tensor of the tiny model's 3 layers of 5 heads: rows input, pos_embed, a0.h0 ... a0.bias, m0;
 * columns 5 q, 5 k, 5 v, mlp of each layer, logits. */
static int64_t cell_of(int row, int col) { return (int64_t)row * 49 + col; }

TEST("an edge's cell is a run with that edge edited by hand, and what path says of it, bit for bit")
{
    tiny t;
    char edit[1400];
    static const struct edge {
        const char *edge, *path;
        int row, col, at;
    } edges[] = {
        { "blocks.0.attn.result[head=1] -> blocks.1.attn.q[head=2]", "to_q", 3, 18, 22 },
        { "blocks.0.attn.result[head=4] -> blocks.2.attn.k[head=0]", "to_k", 6, 37, 4 * 15 + 10 },
        { "blocks.1.attn.result[head=3] -> blocks.1.mlp", "to_mlp_in", 12, 31, 8 * 3 + 1 },
        { "blocks.1.mlp.out -> blocks.2.attn.v[head=4]", "mlp.to_v", 15, 46, 15 + 14 },
        { "pos_embed -> blocks.0.attn.k[head=3]", "pos_embed.to_k", 1, 8, 3 },
        { "embed -> logits", "embed.to_final_resid", 0, 48, 0 },
        { "blocks.2.attn.bias -> logits", "bias.to_final_resid", 21, 48, 2 },
    };
    if (!tiny_open(&t)) SKIP("no ../shared");
    mt_report *r =
        ran_as("edges",
               "{\"model\":\"%s\",\"pairs\":\"%s\",\"direction\":\"both\",\"what\":\"patch,zero\"}",
               t.dir, t.pairs);
    mt_report *p =
        ran_as("path", "{\"model\":\"%s\",\"pairs\":\"%s\",\"all\":true}", t.dir, t.pairs);
    REQUIRE(r && p);
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        const struct edge *e = &edges[i];
        int64_t at = cell_of(e->row, e->col);
        for (int k = 0; k < 2; k++) {
            const char *direction = k ? "noise" : "denoise";
            char ours[40], theirs[60];
            snprintf(ours, sizeof ours, "%s.edges", direction);
            snprintf(theirs, sizeof theirs, "path.%s.%s", direction, e->path);
            snprintf(edit, sizeof edit, "\"%s = @%d\"", e->edge, k);
            double here = number_of(r, ours, at), hand = diff_by_hand(&t, !k, edit);
            double there = number_of(p, theirs, e->at);
            if (here != hand || here != there)
                printf("  %s %s: %.9g by hand %.9g path %.9g\n", direction, e->edge, here, hand,
                       there);
            CHECK(here == hand && here == there);
        }
        snprintf(edit, sizeof edit, "\"%s = 0\"", e->edge);
        CHECK(number_of(r, "ablate.zero.edges", at) == diff_by_hand(&t, 0, edit));
    }
    mt_report_free(r);
    mt_report_free(p);
}

/* Numbers of two tensors as multisets: no cell is missing, doubled or made up. */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int64_t numbers(const mt_report *r, const char *name, double *out)
{
    int64_t n, k = 0;
    double *v = tensor_of(r, name, &n);
    for (int64_t i = 0; v && i < n; i++)
        if (!isnan(v[i])) out[k++] = v[i];
    free(v);
    return k;
}

TEST("edges has every number that path has, and no other")
{
    static const char *const from[] = { "", "mlp.", "embed.", "pos_embed.", "bias." };
    static const char *const to[] = { "to_q", "to_k", "to_v", "to_mlp_in", "to_final_resid" };
    static double mine[2000], theirs[2000];
    tiny t;
    char request[3000], name[60];
    int64_t n = 0;
    if (!tiny_open(&t)) SKIP("no ../shared");
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s\",\"all\":true,\"direction\":\"noise\"}", t.dir,
             t.pairs);
    mt_report *r = ran("edges", request), *p = ran("path", request);
    REQUIRE(r && p);
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "path.noise.%s%s", from[i / 5], to[i % 5]);
        n += numbers(p, name, theirs + n);
    }
    CHECK(n == numbers(r, "noise.edges", mine) && n == 370 + 49 + 54);
    qsort(mine, (size_t)n, sizeof *mine, by_value),
        qsort(theirs, (size_t)n, sizeof *mine, by_value);
    CHECK(!memcmp(mine, theirs, (size_t)n * sizeof *mine));
    mt_report_free(r);
    mt_report_free(p);
}

/* ---- the graph ---- */

static json_t *graph_in(const char *path)
{
    json_t *g = NULL;
    error err = { 0 };
    if (json_open(&g, path, 1 << 22, &err) != E_OK) printf("  %s: %s\n", path, err.msg);
    REQUIRE(g);
    return g;
}

TEST("the graph of the demo has three edges that count, and they are the circuit")
{
    static const char *const circuit[] = { "input->a0.h1<v>", "a0.h1->a1.h2<k>", "a1.h2->logits" };
    char path[1200];
    const char *name;
    json_t *e;
    int n = 0;
    snprintf(path, sizeof path, "%s/graph.json", test_dir());
    mt_report *r = ran_as(
        "edges",
        "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the "
        "bird sat on the cat\",\"answer\":\"sat\",\"wrong\":\"ran\",\"graph\":\"%s\"}",
        path);
    REQUIRE(r);
    CHECK(shows(r, "a0.h1->a1.h2<k>   1.000") && shows(r, "random direction"));
    for (int i = 0; i < 12; i++) { /* rows input, pos_embed, a0, a1; columns a0, a1, logits */
        double v = number_of(r, "layers.denoise.edges", i);
        bool counts = i == 0 || i == 7 || i == 11, none = i == 6 || i == 9 || i == 10;
        CHECK(none ? isnan(v) : fabs(v - counts) < 1e-6);
    }
    json_t *g = graph_in(path), *edges = json_object_get(g, "edges");
    json_object_foreach(edges, name, e)
    {
        double score = json_number_value(json_object_get(e, "score"));
        bool counts = fabs(score) > 1e-6;
        n += counts;
        CHECK(!counts || row_of(name, circuit, 3) >= 0);
    }
    CHECK(n == 3 && json_object_size(edges) == 52 &&
          json_object_size(json_object_get(g, "nodes")) == 8);
    json_decref(g);
    mt_report_free(r);
}

TEST("the graph has the nodes and edges of EAP-IG's own, and the numbers of the tensor")
{
    char path[1200], theirs[1200], pairs[1200];
    const char *dir = shared_path("goldens/methods/eap-gpt2"), *name;
    json_t *e;
    if (!dir) SKIP("no ../shared");
    write_pairs(dir, pairs, sizeof pairs);
    snprintf(theirs, sizeof theirs, "%s/graph_topn12.json", dir);
    snprintf(path, sizeof path, "%s/gpt2.json", test_dir());
    mt_report *r = ran_as(
        "edges", "{\"model\":\"%s\",\"pairs\":\"%s\",\"direction\":\"noise\",\"graph\":\"%s\"}",
        dir, pairs, path);
    REQUIRE(r);
    json_t *g = graph_in(path), *h = graph_in(theirs);
    CHECK(json_equal(json_object_get(g, "cfg"), json_object_get(h, "cfg")));
    CHECK(json_object_size(json_object_get(g, "nodes")) ==
          json_object_size(json_object_get(h, "nodes")));
    CHECK(json_object_size(json_object_get(g, "edges")) ==
          json_object_size(json_object_get(h, "edges")));
    json_object_foreach(json_object_get(h, "nodes"), name, e)
        CHECK(json_object_get(json_object_get(g, "nodes"), name));
    json_object_foreach(json_object_get(h, "edges"), name, e)
        CHECK(json_object_get(json_object_get(g, "edges"), name));
    json_t *one = json_object_get(json_object_get(g, "edges"), "a0.h1->a1.h2<q>");
    CHECK(json_number_value(json_object_get(one, "score")) ==
          number_of(r, "effect.noise.edges", cell_of(3, 18)));
    json_decref(g), json_decref(h);
    mt_report_free(r);
}

/* ---- stopped, resumed, cut ---- */

TEST("a sweep of edges that was stopped goes on, and writes a graph only when it is whole")
{
    tiny t;
    char request[3600], path[1200], hash[80];
    mt_report *r = NULL;
    if (!tiny_open(&t)) SKIP("no ../shared");
    snprintf(path, sizeof path, "%s/later.json", test_dir());
    mt_report *whole = ran_as("edges", "{\"model\":\"%s\",\"pairs\":\"%s\"}", t.dir, t.pairs);
    REQUIRE(whole);
    snprintf(hash, sizeof hash, "%s", mt_report_hash(whole));
    mt_report_free(whole);
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s\",\"memory\":1,\"graph\":\"%s\",\"resume\":"
             "\"%s/e.journal\",\"seconds\":1e-9}",
             t.dir, t.pairs, path, test_dir());
    CHECK(mt_run(&r, "edges", request, NULL, NULL, NULL) == MT_INTERRUPTED && r);
    CHECK(r && shows(r, "was not written") && !file_exists(path));
    mt_report_free(r);
    memcpy(strstr(request, "1e-9"), "1000", 4); /* seconds enough */
    r = ran("edges", request);
    CHECK(r && shows(r, "were in the journal") && !strcmp(mt_report_hash(r), hash));
    json_decref(graph_in(path));
    mt_report_free(r);
}

TEST("a graph that does not fit on the disk is an error that says so and what to do")
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    CHECK(mt_run(&r, "edges",
                 "{\"model\":\"demo:induction\",\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
                 "sat\",\"answer\":\"sat\",\"wrong\":\"ran\",\"senders\":\"embed\","
                 "\"graph\":\"/dev/full\"}",
                 NULL, NULL, &err) != 0);
    CHECK(strstr(err.message, "/dev/full") && strstr(err.hint, "disk is full"));
    mt_report_free(r);
}

TEST("edges refuses what it cannot sweep, before anything is run")
{
    static const char *const bad[][2] = {
        { "\"senders\":\"head,foo\"", "senders is 'foo'" },
        { "\"receivers\":\"x\"", "receivers is 'x'" },
        { "\"senders\":\"mlp\"", "no edge from mlp" },
        { "\"what\":\"patch,nul\"", "what is 'nul'" },
        { "\"what\":\"\"", "names nothing" },
        { "\"what\":\"mean\"", "reference prompts" },
        { "\"top\":0", "expected 1" },
        { "\"graph\":\"g.json\",\"direction\":\"both\"", "several sweeps" },
        { "\"graph\":\"g.json\",\"what\":\"patch,zero\"", "several sweeps" },
        { "\"graph\":\"/no/such/directory/g.json\"", "/no/such/directory" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("edges", bad[i][1],
                   "{\"model\":\"demo:induction\",\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
                   "sat\",\"answer\":\"sat\",\"wrong\":\"ran\",%s}",
                   bad[i][0]);
    }
}
/* SPDX-License-Identifier: MIT */
