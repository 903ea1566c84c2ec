/* t_instrument -- analyses from a request to a report: what they find, that they agree with the reference, that they
 * replay, and what they refuse. */
#define TEST_FILE t_instrument
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "include/microtome.h"
#include "base/mem.h"
#include "format/format.h"
#include "tiny.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *form(const mt_report *r, const char *name)
{
    char *text = mt_report_render(r, name, 80, false, NULL);
    REQUIRE(text);
    return text;
}

/* ---- what is found ---- */

TEST("the demo finds the previous-token head, the induction head and the edge between them")
{
    mt_report *r = ran("demo", "{}");
    REQUIRE(r);
    CHECK(shows(r, "head 0.1 ") && shows(r, "previous-token head") && shows(r, "head 1.2 ") &&
          shows(r, "induction head"));
    CHECK(shows(r, "head 0.1 -> head 1.2 ") && shows(r, "K-composition"));
    mt_report_free(r);
}

TEST("an edit is shown beside the run without it, and one that can do nothing is refused")
{
    mt_report *r = ran("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the "
                              "cat\"],\"edit\":[\"blocks.0.attn.z[head=1] = 0\"]}");
    REQUIRE(r);
    CHECK(shows(r, "without edits") && shows(r, "sat"));
    CHECK(shows(r, "edit          blocks.0.attn.z[head=1] = 0"));
    char *page = form(r, "html");
    CHECK(strstr(page, "<li><b>edit</b> blocks.0.attn.z[head=1] = 0</li>"));
    mt_text_free(page);
    mt_report_free(r);
    mt_error err = { 0 };
    r = NULL;
    CHECK(mt_run(&r, "run",
                 "{\"model\":\"demo:induction\",\"prompt\":[\"the cat "
                 "sat\"],\"edit\":[\"blocks.0.attn.z[head=1,pos=0] = 7\","
                 "\"blocks.1.resid_post[pos=1] += 1\"]}",
                 NULL, NULL, &err) != 0 &&
          !r);
    CHECK(strstr(err.message, "blocks.1.resid_post"));
}

/* ---- agreement with the reference ---- */

static void agrees(const char *instrument, const char *name, int least)
{
    char request[2600], path[1200];
    const char *dir = shared_path(name);
    int n_wrong;
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"pairs\":\"%s/prompts.json\",\"all\":true,\"precision\":\"f64\"}",
             dir, dir);
    mt_report *r = ran(instrument, request);
    REQUIRE(r);
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", dir);
    char *text = mt_report_against(r, path, 1e-9, &n_wrong, NULL);
    REQUIRE(text);
    int n_ok = 0;
    for (const char *p = text; (p = strstr(p, "  ok\n")); p++) n_ok++;
    if (n_wrong || n_ok < least) printf("%s", text);
    CHECK(n_wrong == 0 && n_ok >= least);
    mt_text_free(text);
    mt_report_free(r);
}

TEST("patch and path give every tensor of the reference to a billionth, in both directions")
{
    if (!shared_path("goldens/methods/tl-patching-gpt2")) SKIP("no ../shared");
    agrees("patch", "goldens/methods/tl-patching-gpt2", 38);
    agrees("path", "goldens/methods/tl-patching-gpt2", 12);
    agrees("patch", "goldens/methods/tl-patching-llama", 38);
    agrees("path", "goldens/methods/tl-patching-llama", 12);
}

/* ---- replay, certificate ---- */

static const char PATCH[] =
    "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the dog sat "
    "on the cat\","
    "\"answer\":\"sat\",\"wrong\":\"ran\",\"what\":\"resid_pre,head_out_by_pos\",\"seed\":5}";

/* A dump of `n` values of demo:induction's embedding of ids 0, 1, 3, 8, one of them changed to NaN
 * and a later one by a hair. */
static void write_spoiled(const char *path)
{
    static double v[4 * 184];
    int64_t ids[] = { 0, 1, 3, 8 };
    char acts[1200];
    container *c = NULL;
    snprintf(acts, sizeof acts, "%s/embed.npz", test_dir());
    mt_report *r = ran("cache", "{\"model\":\"demo:induction\",\"tokens\":\"0,1,3,8\","
                                "\"sites\":\"embed\"}");
    REQUIRE(r && mt_report_write_tensors(r, acts, NULL) == 0);
    mt_report_free(r);
    REQUIRE(container_open(&c, acts, NULL) == E_OK);
    const tensor_view *embed = container_find(c, "lane0/embed");
    REQUIRE(embed && embed->bytes == 4 * 184 * sizeof(float));
    dtype_row_f64(DTYPE_F32, embed->data, v, 4 * 184);
    v[0] = (double)NAN, v[1] += 1e-9;
    tensor_view t[] = {
        { .name = "lane0/embed",
          .dtype = DTYPE_F64,
          .n_dim = 2,
          .dim = { 4, 184 },
          .data = v,
          .bytes = sizeof v },
        { .name = "lane0/tokens",
          .dtype = DTYPE_I64,
          .n_dim = 1,
          .dim = { 4 },
          .data = ids,
          .bytes = sizeof ids },
        { .name = "lane0/of_another_tool",
          .dtype = DTYPE_I64,
          .n_dim = 1,
          .dim = { 4 },
          .data = ids,
          .bytes = sizeof ids },
    };
    REQUIRE(tensors_write(path, t, 3, NULL, 0, NULL) == E_OK);
    container_free(c);
}

TEST("a NaN on one side is the worst of all differences, whatever comes after it")
{
    char path[1200];
    int n_wrong = 0;
    snprintf(path, sizeof path, "%s/spoiled.npz", test_dir());
    write_spoiled(path);
    mt_report *r = ran("cache", "{\"model\":\"demo:induction\",\"tokens\":\"0,1,3,8\","
                                "\"sites\":\"embed\"}");
    REQUIRE(r);
    char *text = mt_report_against(r, path, 0, &n_wrong, NULL);
    CHECK(text && n_wrong == 1 && strstr(text, "[0, 0]"));
    mt_text_free(text);
    mt_report_free(r);
    r = ran_as("verify", "{\"model\":\"demo:induction\",\"against\":\"%s\"}", path);
    CHECK(r && mt_report_failed(r) && shows(r, "lane0/of_another_tool"));
    mt_report_free(r);
}

TEST("a file that an edit reads is in the certificate by its bytes")
{
    char path[1200], request[1400];
    snprintf(path, sizeof path, "%s/means.txt", test_dir());
    snprintf(
        request, sizeof request,
        "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"edit\":[\"embed = mean(%s)\"]}",
        path);
    char *json[2];
    for (int i = 0; i < 2; i++) {
        const char *text = i ? "the dog\n\n" : "the dog\n"; /* the same prompts, other bytes */
        REQUIRE(file_write(path, text, strlen(text), NULL) == E_OK);
        mt_report *r = ran("run", request);
        REQUIRE(r && shows(r, "file"));
        json[i] = form(r, "json");
        mt_report_free(r);
    }
    json_t *a = json_loads(json[0], 0, NULL), *b = json_loads(json[1], 0, NULL);
    CHECK(strcmp(json_string_value(json_object_get(a, "hash")),
                 json_string_value(json_object_get(b, "hash"))));
    json_decref(a), json_decref(b), mt_text_free(json[0]), mt_text_free(json[1]);
}

TEST("what --plan said replays to the same hash")
{
    char path[1200];
    mt_report *r =
        ran("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"plan\":true}");
    REQUIRE(r);
    snprintf(path, sizeof path, "%s/plan.json", test_dir());
    char *json = form(r, "json");
    REQUIRE(mt_write_file(path, json, NULL) == 0);
    mt_text_free(json);
    mt_report_free(r);
    r = ran_as("replay", "{\"report\":\"%s\"}", path);
    CHECK(r && !mt_report_failed(r));
    mt_report_free(r);
}

TEST("a report replays to the same hash, whatever the backend, threads and fusions")
{
    char path[1200], request[1400];
    mt_report *r = ran("patch", PATCH), *again;
    REQUIRE(r);
    snprintf(path, sizeof path, "%s/r.json", test_dir());
    char *json = form(r, "json");
    REQUIRE(mt_write_file(path, json, NULL) == 0);
    snprintf(request, sizeof request, "{\"report\":\"%s\"}", path);
    again = ran("replay", request);
    CHECK(again && !mt_report_failed(again));
    mt_report_free(again);
    char other[800];
    snprintf(other, sizeof other, "%.*s,\"backend\":\"reference\",\"threads\":2,\"no_fuse\":true}",
             (int)strlen(PATCH) - 1, PATCH);
    again = ran("patch", other);
    CHECK(again && !strcmp(mt_report_hash(again), mt_report_hash(r)));
    mt_report_free(again);
    char *at = strstr(json, "\"seed\": 5");
    if (at) at[8] = '6';
    REQUIRE(at && mt_write_file(path, json, NULL) == 0);
    again = ran("replay", request);
    CHECK(again && mt_report_failed(again));
    mt_report_free(again);
    mt_text_free(json);
    mt_report_free(r);
}

TEST("a sweep's report carries its controls, and a cell without effect says so")
{
    mt_report *r = ran("patch", PATCH);
    REQUIRE(r);
    CHECK(shows(r, "logit_diff_clean") && shows(r, "logit_diff_corrupt") &&
          shows(r, "random direction") && shows(r, "random position"));
    CHECK(shows(r, "no effect: equal bits") && shows(r, "ids 0, 1, 3, 8, 12, 1, 3"));
    mt_report_free(r);
}

TEST("a gap too small to normalise by is said, not divided by")
{
    mt_report *r =
        ran("patch",
            "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on a dog\",\"corrupt\":\"the "
            "bird sat on a dog\",\"answer\":\"sat\",\"wrong\":\"ran\"}");
    REQUIRE(r);
    CHECK(shows(r, "not normalised"));
    mt_report_free(r);
}

TEST("edges and whole heads have a random direction beside them, ablations a table")
{
    mt_report *r =
        ran("path",
            "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the "
            "bird sat on the cat\",\"answer\":\"sat\",\"wrong\":\"ran\",\"receivers\":\"k\"}");
    REQUIRE(r);
    CHECK(shows(r, "denoise.path.to_k random direction") && shows(r, "none: a cell is all") &&
          shows(r, "draws at the") && shows(r, "wrong answers ids"));
    mt_report_free(r);
    r = ran("patch",
            "{\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the "
            "bird sat on the "
            "cat\",\"answer\":\"sat\",\"wrong\":\"ran\",\"what\":\"ablate,pattern_all_pos\"}");
    REQUIRE(r);
    CHECK(shows(r, "largest ablate.zero.head") && shows(r, "blocks.0.attn.z[head=1]") &&
          shows(r, "-40.00") && shows(r, "none: a row"));
    mt_report_free(r);
}

TEST("a gap that rounding makes of large logits is too small")
{
    char request[1600];
    const char *dir = shared_path("data/lm-stories260K");
    if (!dir) SKIP("no ../shared");
    snprintf(request, sizeof request, "%s/pairs.json", test_dir());
    static const char pairs[] =
        "{\"clean\":[[1,2,3]],\"corrupt\":[[1,2,4]],\"correct\":[5],\"wrong\":[6]}";
    REQUIRE(file_write(request, pairs, sizeof pairs - 1, NULL) == E_OK);
    mt_report *r = ran_as("patch", "{\"model\":\"%s/stories260K.bin\",\"pairs\":\"%s/pairs.json\"}",
                          dir, test_dir());
    CHECK(r && shows(r, "not normalised"));
    mt_report_free(r);
}

TEST("heads, neurons and dimensions can be exchanged, and what cannot be is refused")
{
    static const char run[] = "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the "
                              "cat\"],\"top\":40,\"edit\":[%s]}";
    static const char *const does[] = {
        "\"blocks.0.attn.z[head=0] <-> blocks.0.attn.z[head=1]\"",
        ("\"blocks.0.attn.z[head=0] = @:blocks.0.attn.z[head=1]\","
         "\"blocks.0.attn.z[head=1] = @:blocks.0.attn.z[head=0]\""),
        "\"blocks.0.attn.pattern[head=1] = @:blocks.0.attn.pattern[head=0]\"",
        "\"blocks.1.resid_pre[dim=0:92] <-> blocks.1.resid_pre[dim=92:184]\"",
    };
    for (size_t i = 0; i < sizeof does / sizeof *does; i++) {
        mt_report *r = ran_as("run", run, does[i]);
        CHECK(r && shows(r, "-40.00"));
        mt_report_free(r);
    }
    static const char *const not [][2] = {
        { "\"blocks.0.attn.z[head=0:2] = @:blocks.0.attn.z[head=1]\"", "1 parts" },
        { "\"embed[pos=0:3] = @:embed[pos=2]\"", "1 rows" },
        { "\"embed[dim=0:3] = @:embed[dim=2]\"", "1 numbers" },
        { "\"blocks.0.attn.z[head=1,head=2] = 0\"", "twice" },
        { "\"embed = nan\"", "float" },
        { "\"embed -> blocks.1.attn.q[dim=0:2] = 0\"", "within" },
        { "\"embed -> blocks.1.attn.q = 0\",\"embed -> blocks.1.attn.q[head=0] = 1\"", "overlap" },
    };
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        refuses_as("run", not [i][1], run, not [i][0]);
}

static bool stop_soon(void *user, const char *what, double done)
{
    (void)what, (void)done;
    return ++*(int *)user < 1;
}

TEST("a sweep that is stopped keeps what is done and marks the rest incomplete")
{
    int n = 0;
    mt_report *r = NULL;
    mt_error err = { 0 };
    mt_status st = mt_run(&r, "patch", PATCH, stop_soon, &n, &err);
    CHECK(st == MT_INTERRUPTED || st == 0);
    if (r) CHECK(st == 0 || shows(r, "INCOMPLETE"));
    mt_report_free(r);
}

static bool stop_later(void *user, const char *what, double done)
{
    (void)what;
    if (done > 0.3) *(int *)user = 1;
    return done <= 0.3;
}

TEST("a continuation that is stopped keeps the tokens it wrote")
{
    char request[1400];
    int stopped = 0;
    const char *dir = shared_path("data/lm-stories260K");
    if (!dir) SKIP("no ../shared");
    mt_report *r = NULL;
    mt_error err = { 0 };
    snprintf(request, sizeof request,
             "{\"model\":\"%s/stories260K.bin\",\"prompt\":[\"Once upon a time\"],\"n\":500,"
             "\"precision\":\"f64\",\"backend\":\"reference\",\"threads\":1}",
             dir);
    mt_status st = mt_run(&r, "run", request, stop_later, &stopped, &err);
    CHECK(st == (stopped ? MT_INTERRUPTED : 0));
    CHECK(r && shows(r, "continuation") && shows(r, "there was a little girl"));
    if (r && stopped) CHECK(shows(r, "INCOMPLETE"));
    mt_report_free(r);
}

TEST("drawing from the likeliest one is greedy")
{
    mt_report *r = ran("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the\"],"
                              "\"n\":4,\"temperature\":5.0,\"top_k\":1,\"seed\":9}");
    REQUIRE(r);
    CHECK(shows(r, "cat sat on the cat sat on the"));
    mt_report_free(r);
}

TEST("a report's hash and its replay do not depend on where the files that edits name are")
{
    char path[2][1200], hash[2][80];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", test_dir(), i ? "b.txt" : "./a.txt");
        REQUIRE(mt_write_file(path[i], "the cat sat\nthe dog ran on\n", NULL) == 0);
        mt_report *r = ran_as("run",
                              "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\"],"
                              "\"edit\":[\"blocks.0.attn.z[head=1] = mean(%s)\"]}",
                              path[i]);
        REQUIRE(r);
        snprintf(hash[i], sizeof hash[i], "%s", mt_report_hash(r));
        char *text = form(r, "json");
        CHECK(strstr(text, "mean(FILE)"));
        snprintf(path[i], sizeof path[i], "%s/at%d.json", test_dir(), i);
        REQUIRE(mt_write_file(path[i], text, NULL) == 0);
        mt_text_free(text), mt_report_free(r);
    }
    CHECK(!strcmp(hash[0], hash[1]));
    mt_report *r = ran_as("replay", "{\"report\":\"%s\"}", path[0]);
    CHECK(r && !mt_report_failed(r) && shows(r, hash[0]));
    mt_report_free(r);
}

TEST("an edit whose values are the prompt's rows says that it leaves written rows alone")
{
    mt_report *r =
        ran("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\"],\"n\":2,"
                   "\"edit\":[\"blocks.0.attn.z[head=0] <-> blocks.0.attn.z[head=1]\"]}");
    char *text = r ? form(r, "json") : NULL;
    CHECK(text && strstr(text, "has values for the prompt's rows"));
    mt_text_free(text), mt_report_free(r);
}

TEST("logits of pairs of different length: those past a prompt's end are absent, not zero")
{
    char path[1200];
    snprintf(path, sizeof path, "%s/two.json", test_dir());
    REQUIRE(mt_write_file(path,
                          "{\"clean\":[\"the cat sat on the cat\",\"the cat\"],"
                          "\"corrupt\":[\"the dog sat on the cat\",\"a cat\"],"
                          "\"correct\":[\"sat\",\"sat\"]}",
                          NULL) == 0);
    mt_report *r =
        ran_as("patch", "{\"model\":\"demo:induction\",\"pairs\":\"%s\",\"all\":true}", path);
    REQUIRE(r);
    char *text = form(r, "json");
    json_t *v = json_loads(text, 0, NULL);
    json_t *t = json_object_get(json_object_get(v, "tensors"), "logits_corrupt");
    json_t *data = json_object_get(t, "data"), *shape = json_object_get(t, "shape"),
           *absent = json_object_get(json_object_get(t, "marks"), "no such cell");
    json_int_t pos = json_integer_value(json_array_get(shape, 1)),
               vocab = json_integer_value(json_array_get(shape, 2));
    CHECK(pos > 3 && vocab > 3 && (json_int_t)json_array_size(absent) == (pos - 3) * vocab);
    CHECK(json_is_number(json_array_get(data, (size_t)((pos + 3) * vocab - 1))));
    int n_other = 0; /* than 0 */
    for (json_int_t i = (pos + 2) * vocab; i < (pos + 3) * vocab; i++)
        n_other += json_number_value(json_array_get(data, (size_t)i)) != 0;
    CHECK(n_other > 1);
    CHECK(json_is_string(json_array_get(data, (size_t)((pos + 3) * vocab))));
    json_decref(v), mt_text_free(text), mt_report_free(r);
}

/* ---- verify ---- */

/* A dump of lane `k` with tokens or without, the embedding of another model's in it. */
static void write_lanes(const char *path, const char *k, bool tokens)
{
    static float wrong[4 * 184];
    int64_t ids[] = { 0, 1, 3, 8 };
    char name[2][40];
    snprintf(name[0], sizeof name[0], "lane%s/embed", k);
    snprintf(name[1], sizeof name[1], "lane%s/tokens", k);
    for (int i = 0; i < 4 * 184; i++) wrong[i] = (float)i;
    tensor_view t[] = { { .name = name[0],
                          .dtype = DTYPE_F32,
                          .n_dim = 2,
                          .dim = { 4, 184 },
                          .data = wrong,
                          .bytes = sizeof wrong },
                        { .name = name[1],
                          .dtype = DTYPE_I64,
                          .n_dim = 1,
                          .dim = { 4 },
                          .data = ids,
                          .bytes = sizeof ids } };
    REQUIRE(tensors_write(path, t, tokens ? 2 : 1, NULL, 0, NULL) == E_OK);
}

TEST("verify compares every lane a dump has, and says when there was nothing to compare")
{
    char path[1200], request[1400];
    snprintf(path, sizeof path, "%s/lanes.npz", test_dir());
    snprintf(request, sizeof request, "{\"model\":\"demo:induction\",\"against\":\"%s\"}", path);
    write_lanes(path, "7", true); /* whatever its number */
    mt_report *r = ran("verify", request);
    CHECK(r && mt_report_failed(r) && shows(r, "lane7/embed"));
    mt_report_free(r);
    write_lanes(path, "0", false);
    refuses("verify", request, "nothing in it could be compared");
    write_lanes(path, "01", true); /* not lane 1 */
    refuses("verify", request, "nothing in it could be compared");
}

TEST("a replay is not replayed")
{
    char path[1200], request[1400];
    snprintf(path, sizeof path, "%s/self.json", test_dir());
    snprintf(request, sizeof request,
             "{\"microtome_report\":1,\"instrument\":\"replay\",\"hash\":\"xxh3-128:00\","
             "\"complete\":true,"
             "\"request\":{\"instrument\":\"replay\"},\"where\":{\"report\":\"%s\"}}",
             path);
    REQUIRE(mt_write_file(path, request, NULL) == 0);
    refuses_as("replay", "not replayed", "{\"report\":\"%s\"}", path);
}

TEST("a report that does not say of which instrument it is is refused")
{
    char path[1200];
    static const char text[] = "{\"microtome_report\":1,\"hash\":\"xxh3-128:00\",\"request\":{}}";
    snprintf(path, sizeof path, "%s/nameless.json", test_dir());
    REQUIRE(mt_write_file(path, text, NULL) == 0);
    refuses_as("replay", "no instrument", "{\"report\":\"%s\"}", path);
}

TEST("verify holds on the models there are, and against their stored values")
{
    mt_report *r = ran("verify", "{\"model\":\"demo:induction\"}");
    CHECK(r && !mt_report_failed(r));
    mt_report_free(r);
    const char *dir = shared_path("goldens/models/llama_gqa");
    if (!dir) return;
    r = ran_as("verify", "{\"model\":\"%s\",\"against\":\"%s/golden.safetensors\"}", dir, dir);
    CHECK(r && !mt_report_failed(r) && shows(r, "blocks.1.attn.pattern"));
    mt_report_free(r);
    r = ran_as("verify", "{\"model\":\"%s\",\"against\":\"%s/golden.safetensors\",\"tol\":1e-12}",
               dir, dir);
    CHECK(r && mt_report_failed(r));
    mt_report_free(r);
}

TEST("what cache writes, verify and --against read")
{
    char path[1200];
    int n_wrong;
    snprintf(path, sizeof path, "%s/acts.safetensors", test_dir());
    mt_report *r = ran(
        "cache", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\",\"a dog ran on\"]}");
    CHECK(shows(r, "pos 4, d_model 184") && shows(r, "pos 5, head 3, d_head 64"));
    REQUIRE(r && mt_report_write_tensors(r, path, NULL) == 0);
    char *text = mt_report_against(r, path, 0, &n_wrong, NULL);
    CHECK(text && n_wrong == 0);
    mt_text_free(text);
    mt_report_free(r);
    r = ran_as("verify", "{\"model\":\"demo:induction\",\"against\":\"%s\"}", path);
    CHECK(r && !mt_report_failed(r) && shows(r, "lane1/blocks.1.attn.pattern"));
    mt_report_free(r);
}

/* ---- refusals ---- */

TEST("a request that is wrong is refused with what was found and what was expected")
{
    refuses("pathc", "{}", "pathc");
    refuses("run", "{\"model\":\"demo:induction\",\"promt\":[\"a\"]}", "promt");
    refuses("run", "{\"model\":\"demo:induction\",\"prompt\":\"a\"}", "list");
    refuses("run", "{\"model\":\"demo:induction\"}", "needs a prompt");
    refuses("run", "{\"prompt\":[\"a\"]}", "needs a model");
    refuses("run", "{\"model\":\"demo:nothing\",\"prompt\":[\"a\"]}", "nothing");
    refuses("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the elephant\"]}", "elephant");
    refuses("run", "{\"model\":\"demo:induction\",\"tokens\":\"1,2,99\"}", "99");
    refuses("run", "{\"model\":\"demo:induction\",\"tokens\":\"[]\"}", "empty");
    refuses(
        "run",
        "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"edit\":[\"blocks.0.attn.zz = 0\"]}",
        "zz");
    refuses("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"edit\":[\"embed = \"]}",
            "value");
    refuses("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"edit\":[\"embed = @b\"]}",
            "@b");
    refuses("run",
            "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"edit\":[\"embed = [1,2,3]\"]}",
            "3 values");
    refuses("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"precision\":\"f16\"}",
            "f16");
    refuses("run", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"backend\":\"gpu\"}",
            "gpu");
    refuses("patch", "{\"model\":\"demo:induction\"}", "pairs");
    refuses(
        "patch",
        "{\"model\":\"demo:induction\",\"clean\":\"the cat\",\"corrupt\":\"the\",\"answer\":\"a\"}",
        "tokens");
    refuses("patch", "{\"model\":\"demo:induction\",\"what\":\"resid\"}", "resid");
    refuses("cache", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"sites\":\"mlp\"}",
            "mlp");
    refuses("replay", "{\"report\":\"/nonexistent\"}", "nonexistent");
    refuses("info", "[]", "object");
}

/* A file in the test's folder, and a request that names it where %s stands. */
static void refuses_file(const char *instrument, const char *holds, const char *request,
                         const char *says)
{
    char path[1200], full[1600];
    snprintf(path, sizeof path, "%s/given", test_dir());
    REQUIRE(file_write(path, holds, strlen(holds), NULL) == E_OK);
    const char *at = strstr(request, "%s");
    snprintf(full, sizeof full, "%.*s%s%s", (int)(at - request), request, path, at + 2);
    refuses(instrument, full, says);
}

TEST("files of prompts that do not fit are refused, and no line of them is passed over")
{
    static const char pairs[] = "{\"model\":\"demo:induction\",\"pairs\":\"%s\"}";
    static const char mean[] = "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],"
                               "\"edit\":[\"embed = mean(%s)\"]}";
    refuses_file("patch",
                 "{\"clean\":[\"the cat\",\"a cat\",\"a dog\"],\"corrupt\":[\"the dog\"],"
                 "\"correct\":[\"sat\"]}",
                 pairs, "3 clean");
    refuses_file(
        "patch",
        "{\"clean\":[\"the cat\"],\"corrupt\":[\"the dog\",\"a dog\"],\"correct\":[\"sat\"]}",
        pairs, "2 corrupted");
    refuses_file("patch", "{\"clean\":[\"the cat\",\"the elephant\"]}", pairs, "elephant");
    refuses_file("patch",
                 "{\"clean\":[\"the cat\"],\"corrupt\":[\"the dog\"],\"correct\":[\"sat\"],"
                 "\"wronng\":[\"ran\"]}",
                 pairs, "wronng");
    refuses_file("patch",
                 "{\"clean\":[\"the cat\"],\"corrupt\":[\"the dog\"],\"correct\":[\"sat\"],"
                 "\"wrong\":[\"sat\"]}",
                 pairs, "same token");
    refuses_file("run", "the cat\nthe \xff dog\n", mean, "line 2");
    refuses_file("run", "the cat\n\nthe elephant\n", mean, "line 3");
    refuses_file("run", "[\"the cat\", \"the elephant\"]", mean, "elephant");
    refuses_file("run", " \n[\"the cat\", 3.5]", mean, "a number");
    refuses_file("run", "\n\n", mean, "no prompts");
    refuses_file("run", "", mean, "no prompts");
    refuses_file("run", "[]", mean, "no prompts");
}

TEST("a tensor without numbers is no value")
{
    char path[1200];
    tensor_view t = { .name = "x", .dtype = DTYPE_F32, .n_dim = 1, .dim = { 0 }, .data = "" };
    snprintf(path, sizeof path, "%s/empty.npz", test_dir());
    REQUIRE(tensors_write(path, &t, 1, NULL, 0, NULL) == E_OK);
    refuses_as("run", "0 values",
               "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"edit\":[\"embed = %s:x\"]}",
               path);
}

TEST("memory that runs out at any call of an analysis is an error, never another report")
{
    starve("patch", PATCH);
    starve("patch", "{\"model\":\"demo:induction\",\"threads\":1,\"clean\":\"the cat sat on the "
                    "cat\",\"corrupt\":\"the dog sat on the cat\","
                    "\"answer\":\"sat\",\"all\":true}");
    starve("path", "{\"model\":\"demo:induction\",\"threads\":1,\"clean\":\"the cat sat on the "
                   "cat\",\"corrupt\":\"the dog sat on the cat\","
                   "\"answer\":\"sat\",\"all\":true}");
    starve("run",
           "{\"model\":\"demo:induction\",\"threads\":1,\"prompt\":[\"the cat sat\",\"a "
           "dog\"],\"n\":3,\"top_k\":4,\"temperature\":0.7,"
           "\"edit\":[\"blocks.1.attn.z[head=2, pos=-1] = @1:blocks.1.attn.z[head=1, pos=0]\"]}");
    starve("cache", "{\"model\":\"demo:induction\",\"threads\":1,\"prompt\":[\"the "
                    "cat\"],\"sites\":\"blocks.*.attn.z[head=1],logits\"}");
    starve("verify", "{\"model\":\"demo:induction\",\"threads\":1,\"length\":3}");
    starve("attend", "{\"model\":\"demo:induction\",\"threads\":1,\"prompt\":[\"the cat\",\"a\"]}");
    starve("heads", "{\"model\":\"demo:induction\",\"threads\":1,\"length\":2,\"sequences\":2}");
}
/* ---- messages ---- */

TEST("messages are written by the model's own template, and a report of them replays")
{
    static const char tokens[] =
        "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"<u>\":0,\"hi\":1,\"<a>\":2,\"?\":3},"
        "\"unk_token\":\"?\"},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}}";
    static const char config[] = "{\"chat_template\":\"{% for m in messages %}<{{ m.role[0] }}> {{ "
                                 "m.content }} {% endfor %}<a>\"}";
    char path[1200], request[1400];
    snprintf(path, sizeof path, "%s/tokenizer.json", test_dir());
    REQUIRE(file_write(path, tokens, sizeof tokens - 1, NULL) == E_OK);
    snprintf(request, sizeof request, "{\"model\":\"%s\",\"chat\":[\"hi\"]}", test_dir());
    refuses("tokens", request, "has no chat template");
    snprintf(path, sizeof path, "%s/tokenizer_config.json", test_dir());
    REQUIRE(file_write(path, config, sizeof config - 1, NULL) == E_OK);
    mt_report *r = ran("tokens", request);
    REQUIRE(r);
    CHECK(shows(r, "<u> hi <a>") && shows(r, "0, 1, 2"));
    snprintf(path, sizeof path, "%s/report.json", test_dir());
    char *json = form(r, "json");
    REQUIRE(file_write(path, json, strlen(json), NULL) == E_OK);
    mt_text_free(json);
    mt_report_free(r);
    r = ran_as("replay", "{\"report\":\"%s\"}", path);
    REQUIRE(r && !mt_report_failed(r));
    mt_report_free(r);
    refuses_as("tokens", "template writes BOS",
               "{\"model\":\"%s\",\"chat\":[\"hi\"],\"bos\":\"yes\"}", test_dir());
}
/* A file that is not looked for is one that nobody would notice was missing. */
TEST("a parameter of a part that is not asked for is refused, with the part's name")
{
    static const char *const bad[][3] = {
        { "heads", "\"ordinals\":\"none.json\"", "'successor', and --what is 'attention'" },
        { "heads", "\"what\":\"successor\",\"tokens\":\"1,2,1,2\"",
          "'attention,suppression', and --what is 'successor'" },
        { "weights", "\"what\":\"svd,copying\",\"token\":[\"cat\"]", "'skip', and --what is" },
        { "ablate", "\"prompt\":[\"the cat\"],\"how\":\"zero\",\"reference\":\"none.txt\"",
          "'mean,mean_by_pos', and --how is 'zero'" },
        { "ablate", "\"prompt\":[\"the cat\"],\"how\":\"zero\",\"donor\":\"other\"", "'resample'" },
        { "maxact", "\"unit\":[\"blocks.1.resid_post\"],\"text\":\"none.txt\",\"at\":\"embed\"",
          "--at says something of --directions" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses_as(bad[i][0], bad[i][2], "{\"model\":\"demo:induction\",%s}", bad[i][1]);
}
/* SPDX-License-Identifier: MIT */
