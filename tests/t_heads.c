/* t_heads -- attend, heads and weights: against the reference's numbers, against hand-built heads, and what they refuse. */
#define TEST_FILE t_heads
#include "test.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/str.h"
#include "format/format.h"
#include "render/render.h"
#include "tiny.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest distance of two tensors of one shape; infinite when they are not. */
static double far_apart(const container *a, const char *name, const container *b, const char *other)
{
    const tensor_view *x = container_find(a, name), *y = container_find(b, other);
    if (!x || !y || tensor_count(x) != tensor_count(y)) {
        printf("  %s (%s), %s (%s)\n", name, x ? "there" : "missing", other,
               y ? "there" : "missing");
        return INFINITY;
    }
    double worst = 0;
    for (int64_t i = 0; i < tensor_count(x); i++) {
        double far = fabs(value_at(x, i) - value_at(y, i));
        worst = worse(worst, far);
    }
    return worst;
}

/* ---- the figure ---- */

/* A report with a figure of heads: causal patterns of random weights, or of whatever `kind` makes. */
static report *drawn(int n_layer, int n_head, int n, int kind)
{
    report *r = report_new("attend", "Attention");
    float *v = report_tensor(r, "pattern", DTYPE_F32, "layer head query key",
                             (int64_t[]){ n_layer, n_head, n, n });
    REQUIRE(v);
    for (int64_t at = 0; at < (int64_t)n_layer * n_head * n * n; at++) {
        int64_t q = at / n % n, k = at % n;
        float u = kind == 1 ? 0 : rand_unit(test_seed, 1, (uint64_t)at);
        if (k <= q || kind == 2) v[at] = kind == 1 ? (float)(k == q) : u * u;
    }
    report_heads(r, "Attention", "pattern", &(figure_options){ .value = "weight" });
    REQUIRE(report_finish(r, NULL) == E_OK);
    return r;
}

/* What html_heads.c says of its packing, read as the page's script reads it. */
static int64_t unpack(const char *text, int64_t n, uint8_t *level, int64_t n_max)
{
    int64_t at = 0;
    uint8_t last = 0;
    memset(level, 0, (size_t)n_max);
    for (; *text && *text != '<'; text++) {
        int c = (unsigned char)*text;
        if (c < 33) continue;
        c -= c > '<' ? 34 : 33;
        if (c == 92) at = (at / n + 1) * n;
        else
            for (int k = c < 80 ? 1 : 2 << (c - 80); k; k--) {
                if (c < 80) last = (uint8_t)c;
                if (at < n_max) level[at] = last;
                at++;
            }
        if (at % n == 0) last = 0;
    }
    return at;
}

static void check_packed(int n_layer, int n_head, int n, int kind)
{
    report *r = drawn(n_layer, n_head, n, kind);
    str page = { 0 };
    int64_t n_all = (int64_t)n_layer * n_head * n * n, wrong = 0;
    uint8_t *level = malloc((size_t)n_all);
    REQUIRE(level && render_html(r, &page, NULL) == E_OK);
    const char *packed = strstr(page.p, "class=\"packed\">");
    REQUIRE(packed);
    CHECK(unpack(packed + 15, n, level, n_all) == n_all);
    const report_array *a = report_find_tensor(r, "pattern");
    for (int64_t i = 0; i < n_all; i++) {
        double back = level[i] / 79.0 * level[i] / 79.0, x = array_value(a, i);
        wrong += fabs(sqrt(back) - sqrt(x)) > 0.5001 / 79;
    }
    CHECK(wrong == 0);
    CHECK((strstr(page.p, " data-causal=") != NULL) == (kind != 2));
    str_release(&page);
    free(level);
    report_free(r);
}

TEST("a page's packed patterns come back to the nearest of 80 levels, in any kind of pattern")
{
    check_packed(2, 3, 17, 0);
    check_packed(2, 3, 17, 1);
    check_packed(1, 2, 33, 2);
    check_packed(1, 1, 1, 0);
    check_packed(1, 1, 2100, 1); /* runs as long as they get */
}

TEST("12 x 12 heads of 200 tokens take at most 3 MB of page, whatever they hold")
{
    report *r = drawn(12, 12, 200, 0);
    str page = { 0 };
    REQUIRE(render_html(r, &page, NULL) == E_OK);
    CHECK(page.n <= 3000000);
    str_release(&page);
    report_free(r);
}

TEST("heads on a terminal keep to its width, show thin lines, and say where many are drawn")
{
    report *r = drawn(2, 7, 60, 1);
    str text = { 0 };
    REQUIRE(render_text(r, &text, &(text_options){ 60, false, false }, NULL) == E_OK);
    CHECK(strstr(text.p, "|##        |") && strstr(text.p, "|        ##|"));
    for (const char *p = text.p, *end; (end = strchr(p, '\n')); p = end + 1) CHECK(end - p <= 60);
    str_release(&text);
    report_free(r);
    r = drawn(12, 12, 4, 1);
    REQUIRE(render_text(r, &text, NULL, NULL) == E_OK);
    CHECK(strstr(text.p, "12 x 12 patterns: --html"));
    str_release(&text);
    report_free(r);
    r = report_new("attend", "Attention");
    report_tensor(r, "x", DTYPE_F32, "query key", (int64_t[]){ 2, 2 });
    report_heads(r, "", "x", NULL);
    error err = { 0 };
    CHECK(report_finish(r, &err) == E_USAGE && strstr(err.msg, "4 (layer head query key)"));
    report_free(r);
}

/* ---- attend ---- */

static const char *const REFERENCE[] = { "gpt2", "llama" };

static container *golden(const char *kind, char dir[1000])
{
    char path[1200];
    container *c = NULL;
    snprintf(path, sizeof path, "goldens/methods/tl-weights-%s", kind);
    snprintf(dir, 1000, "%s", shared_path(path));
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", dir);
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    return c;
}

/* "0,12,33": the sequence the reference scored. */
static void repeated_tokens(const char *dir, char *out, size_t bytes)
{
    char path[1200];
    json_t *doc = NULL;
    snprintf(path, sizeof path, "%s/prompts.json", dir);
    REQUIRE(json_open(&doc, path, 1 << 20, NULL) == E_OK);
    const json_t *list = json_object_get(doc, "repeated");
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%lld", i ? "," : "",
                                 (long long)json_integer_value(json_array_get(list, i)));
    REQUIRE(used && used < bytes);
    json_decref(doc);
}

TEST("attend gives the reference's patterns, GQA included")
{
    if (!shared_path("goldens/methods/tl-weights-gpt2")) SKIP("no ../shared");
    for (int i = 0; i < 2; i++) {
        char dir[1000], tokens[200];
        container *want = golden(REFERENCE[i], dir);
        repeated_tokens(dir, tokens, sizeof tokens);
        mt_report *r = ran_as(
            "attend", "{\"model\":\"%s\",\"tokens\":\"%s\",\"precision\":\"f64\"}", dir, tokens);
        REQUIRE(r);
        container *got = tensors_in(r);
        CHECK(far_apart(got, "pattern", want, "repeated.pattern") < 1e-7); /* stored as float32 */
        container_free(got), container_free(want);
        mt_report_free(r);
    }
}

TEST("attend: the demo's heads are what they were built to be")
{
    mt_report *r = ran("attend", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the "
                                 "cat\"]}");
    REQUIRE(r);
    CHECK(shows(r, "strongest") && shows(r, "even"));
    container *c = tensors_in(r);
    const tensor_view *t = container_find(c, "pattern");
    REQUIRE(t && t->n_dim == 4);
    int64_t n = t->dim[2], n_head = t->dim[1];
    for (int64_t row = 0; row < t->dim[0] * n_head * n; row++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++) sum += value_at(t, row * n + k);
        CHECK(fabs(sum - 1) < 1e-5);
        for (int64_t k = row % n + 1; k < n; k++) CHECK(value_at(t, row * n + k) == 0);
    }
    CHECK(value_at(t, (1 * n + n - 1) * n + n - 2) > 0.99); /* 0.1: the token before */
    CHECK(value_at(t, ((n_head + 2) * n + n - 1) * n + n - 4) >
          0.99); /* 1.2: what followed "cat" */
    container_free(c);
    mt_report_free(r);
}

TEST("attend follows edits, takes several prompts, and refuses what is not there")
{
    mt_report *r =
        ran("attend", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat\",\"the dog\"],"
                      "\"layer\":\"1\",\"query\":0,\"edit\":[\"blocks.1.attn.pattern[head=0] = "
                      "0.25\"]}");
    REQUIRE(r);
    container *c = tensors_in(r);
    const tensor_view *t = container_find(c, "pattern.0"), *u = container_find(c, "pattern.1");
    REQUIRE(t && u && t->dim[0] == 1 && u->dim[2] < t->dim[2]);
    CHECK(value_at(t, 0) == 0.25 && value_at(t, t->dim[2]) == 0.25);
    container_free(c);
    mt_report_free(r);
    refuses("attend", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"query\":9}",
            "query is 9, expected -3 to 2");
    refuses("attend", "{\"model\":\"demo:induction\",\"prompt\":[\"the cat\"],\"layer\":\"2\"}",
            "expected all or layers of 0 to 1");
    refuses("attend",
            "{\"model\":\"demo:induction\",\"prompt\":[\"the "
            "cat\"],\"layer\":\"99999999999999999999\"}",
            "expected all or layers of 0 to 1");
    refuses("attend", "{\"model\":\"demo:induction\"}", "needs a prompt");
}

/* ---- heads ---- */

TEST("heads gives the reference's stripes and detectors, GQA included")
{
    if (!shared_path("goldens/methods/tl-weights-gpt2")) SKIP("no ../shared");
    static const char *const kinds[] = { "previous_token_head", "duplicate_token_head",
                                         "induction_head" };
    for (int i = 0; i < 2; i++) {
        char dir[1000], tokens[200], name[120];
        container *want = golden(REFERENCE[i], dir);
        repeated_tokens(dir, tokens, sizeof tokens);
        mt_report *r = ran_as("heads", "{\"model\":\"%s\",\"tokens\":\"%s\",\"precision\":\"f64\"}",
                              dir, tokens);
        REQUIRE(r);
        container *got = tensors_in(r);
        CHECK(far_apart(got, "repeated.pattern", want, "repeated.pattern") < 1e-7);
        CHECK(far_apart(got, "stripe.previous", want, "stripe.previous") < 1e-12);
        CHECK(far_apart(got, "stripe.duplicate", want, "stripe.duplicate") < 1e-12);
        CHECK(far_apart(got, "stripe.induction", want, "stripe.induction") < 1e-12);
        for (int k = 0; k < 24; k++) {
            snprintf(name, sizeof name, "detect_head.%s.%s.exclude_bos=%d.exclude_current=%d",
                     kinds[k / 8], k & 4 ? "abs" : "mul", k & 1, k >> 1 & 1);
            CHECK(far_apart(got, name, want, name) < (k & 4 ? 5.001e-4 : 1e-12)); /* abs: rounded */
        }
        container_free(got), container_free(want);
        mt_report_free(r);
    }
}

/* The number of a [layer, head] tensor. */
static double score_of(const container *c, const char *name, int layer, int head)
{
    const tensor_view *t = container_find(c, name);
    REQUIRE(t && t->n_dim == 2);
    return value_at(t, layer * t->dim[1] + head);
}

TEST("heads: hand-built heads score what the definitions say a perfect one does")
{
    mt_report *r = ran("heads", "{\"model\":\"demo:induction\",\"length\":10,\"sequences\":3}");
    REQUIRE(r);
    CHECK(shows(r, "T = 10") && shows(r, "induction 0.917"));
    container *c = tensors_in(r);
    CHECK(fabs(score_of(c, "stripe.previous", 0, 1) - 1) < 1e-5);
    CHECK(fabs(score_of(c, "stripe.induction_strict", 1, 2) - 1) < 1e-5);
    CHECK(fabs(score_of(c, "stripe.induction", 1, 2) - 11.0 / 12) < 1e-5); /* (T+1)/(T+2) */
    CHECK(score_of(c, "unrepeated.induction_strict", 1, 2) < 1e-5);
    CHECK(score_of(c, "low.induction", 1, 2) <= score_of(c, "high.induction", 1, 2));
    CHECK(fabs(score_of(c, "detect_head.induction_head.mul.exclude_bos=0.exclude_current=0", 1, 2) -
               10.0 / 21) < 1e-5); /* T/(2T+1) */
    CHECK(fabs(score_of(c, "detect_head.induction_head.mul.exclude_bos=1.exclude_current=0", 1, 2) -
               1) < 1e-5);
    CHECK(fabs(score_of(c, "detect_head.induction_head.abs.exclude_bos=0.exclude_current=0", 1, 2) -
               10.0 / 21) < 1e-5);
    container_free(c);
    mt_report_free(r);
}

/* What attention spread evenly over the last `window` keys gives, of 12 tokens that repeat after 6. */
static double even_score(const char *score, int window)
{
    const char *const names[] = { "previous", "duplicate", "induction", "induction_strict" };
    const int back[] = { 1, 6, 5, 5 }, from[] = { 1, 6, 5, 6 };
    double sum = 0;
    int k = 0;
    while (k < 4 && strcmp(names[k], score) != 0) k++;
    for (int q = k < 4 ? from[k] : 1; q < 12; q++) {
        int far = k < 4 ? back[k] : q;
        if (far < window) sum += 1.0 / (q < window ? q + 1 : window);
    }
    return sum / (12 - (k < 4 ? from[k] : 1));
}

TEST(
    "heads: evenly spread attention is over what each layer sees, where layers see differently far")
{
    if (!shared_path("goldens/models/gemma3")) SKIP("no ../shared");
    static const char *const models[] = { "gemma2", "gemma3", "gpt_neo" };
    static const int window[3][3] = { { 5, 12, 5 }, { 5, 12, 5 }, { 12, 4, 4 } };
    for (int i = 0; i < 3; i++) {
        char rel[60], score[40];
        snprintf(rel, sizeof rel, "goldens/models/%s", models[i]);
        mt_report *r =
            ran_as("heads", "{\"model\":\"%s\",\"tokens\":\"1,2,3,4,5,6,1,2,3,4,5,6\",\"top\":12}",
                   shared_path(rel));
        REQUIRE(r);
        char *csv = mt_report_render(r, "csv", 80, false, NULL);
        REQUIRE(csv);
        int n = 0, layer, head, at;
        double mean, even;
        const char *line = strstr(csv, "score,layer,head,mean,low,high,unrepeated,even\n");
        while (line && (line = strchr(line, '\n')) && line[1] != '\n') {
            line++, n++;
            REQUIRE(sscanf(line, "%39[a-z_],%d,%d,%lf,,,,%n", score, &layer, &head, &mean, &at) ==
                    4);
            even = strtod(line + at, NULL);
            CHECK(fabs(even - even_score(score, window[i][layer])) < 1e-12);
        }
        CHECK(n == (i < 2 ? 60 : 45)); /* five scores of all heads */
        char *json = mt_report_render(r, "json", 80, false, NULL);
        REQUIRE(json);
        CHECK(strstr(json, "previous, layer 0") && strstr(json, "previous, layer 1"));
        CHECK(!strstr(json, "previous, layer 2"));
        mt_text_free(json);
        mt_text_free(csv);
        mt_report_free(r);
    }
}

TEST("heads: the seed decides the tokens, they are distinct, and nothing special is among them")
{
    const char *request = "{\"model\":\"demo:induction\",\"length\":12,\"sequences\":2,\"low\":5,"
                          "\"high\":30,\"seed\":%d}";
    char text[200];
    mt_report *r[3];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, request, i / 2);
        REQUIRE((r[i] = ran("heads", text)));
    }
    CHECK(!strcmp(mt_report_hash(r[0]), mt_report_hash(r[1])));
    CHECK(strcmp(mt_report_hash(r[0]), mt_report_hash(r[2])));
    char *json = mt_report_render(r[0], "json", 80, false, NULL);
    json_t *doc = NULL;
    REQUIRE(json && json_parse(&doc, json, strlen(json), "report", NULL) == E_OK);
    const json_t *lanes = json_object_get(json_object_get(doc, "certificate"), "lanes");
    CHECK(json_array_size(lanes) == 4); /* two said twice, two all different */
    for (size_t k = 0; k < json_array_size(lanes); k++) {
        const json_t *ids = json_object_get(json_array_get(lanes, k), "ids");
        int seen[40] = { 0 };
        CHECK(json_array_size(ids) == 25 && json_integer_value(json_array_get(ids, 0)) == 0);
        for (size_t i = 1; i < 25; i++) {
            int64_t id = json_integer_value(json_array_get(ids, i));
            REQUIRE(id >= 5 && id < 30);
            seen[id]++;
        }
        for (int id = 5; id < 30; id++) CHECK(seen[id] <= (k % 2 ? 1 : 2));
    }
    json_decref(doc);
    mt_text_free(json);
    for (int i = 0; i < 3; i++) mt_report_free(r[i]);
}

TEST("heads refuses sequences that are not repeated, and ranges that hold too little")
{
    refuses("heads", "{\"model\":\"demo:induction\",\"tokens\":\"0,1,2,3,1,2,4\"}",
            "sequence 0 is not [BOS] r r");
    refuses("heads", "{\"model\":\"demo:induction\",\"tokens\":\"1,1\"}", "4 or more");
    refuses("heads", "{\"model\":\"demo:induction\",\"length\":40}",
            "length is 40, expected 2 to 31");
    refuses("heads", "{\"model\":\"demo:induction\",\"low\":39,\"length\":2}", "length is 2");
    refuses("heads", "{\"model\":\"demo:induction\",\"high\":99}", "high is 99, expected 1 to 40");
    refuses("heads", "{\"model\":\"demo:induction\",\"top\":0}", "top is 0");
    refuses("heads", "{\"model\":\"demo:induction\",\"bos\":\"maybe\"}", "auto, yes or no");
}

/* ---- weights ---- */

/* A list of eigenvalues' numbers, ascending. */
static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* How far our eigenvalues' real parts (or sizes), sorted, are from the reference's. */
static double eigen_apart(const container *got, const container *want, bool sizes)
{
    const tensor_view *re = container_find(got, "full_OV_eigenvalues.re"),
                      *im = container_find(got, "full_OV_eigenvalues.im");
    const tensor_view *w = container_find(want, sizes ? "full_OV_eigenvalues.abs_sorted"
                                                      : "full_OV_eigenvalues.re_sorted");
    REQUIRE(re && im && w && re->n_dim == 3 && tensor_count(re) == tensor_count(w));
    double worst = 0, x[64];
    int64_t n = re->dim[2];
    for (int64_t h = 0; h < re->dim[0] * re->dim[1]; h++) {
        for (int64_t i = 0; i < n; i++)
            x[i] = sizes ? hypot(value_at(re, h * n + i), value_at(im, h * n + i))
                         : value_at(re, h * n + i);
        qsort(x, (size_t)n, sizeof *x, ascending);
        for (int64_t i = 0; i < n; i++) worst = worse(worst, fabs(x[i] - value_at(w, h * n + i)));
    }
    return worst;
}

TEST(
    "weights gives the reference's circuits, scores, composition and singular values, GQA included")
{
    if (!shared_path("goldens/methods/tl-weights-gpt2")) SKIP("no ../shared");
    static const char *const same[] = {
        "composition.Q",          "composition.K", "composition.V", "copying_score.full_OV",
        "matching_score.full_QK", "OV_svd.S",      "QK_svd.S"
    };
    for (int i = 0; i < 2; i++) {
        char dir[1000];
        container *want = golden(REFERENCE[i], dir);
        mt_report *r =
            ran_as("weights",
                   "{\"model\":\"%s\",\"what\":\"copying,composition,svd,matrices\",\"precision\":"
                   "\"f64\"}",
                   dir);
        REQUIRE(r);
        container *got = tensors_in(r);
        CHECK(far_apart(got, "QK", want, "QK") < 1e-7); /* stored as float32 */
        CHECK(far_apart(got, "OV", want, "OV") < 1e-7);
        for (int k = 0; k < 7; k++) {
            double far = far_apart(got, same[k], want, same[k]);
            if (!(far < 1e-9)) printf("  %s %s: %g\n", REFERENCE[i], same[k], far);
            CHECK(far < 1e-9);
        }
        CHECK(eigen_apart(got, want, false) < 1e-9 && eigen_apart(got, want, true) < 1e-9);
        container_free(got), container_free(want);
        mt_report_free(r);
    }
}

TEST("weights: the hand-built edge is K-composition of 1 / sqrt(1.25 V), and no other")
{
    mt_report *r = ran("weights", "{\"model\":\"demo:induction\"}");
    REQUIRE(r);
    CHECK(shows(r, "random heads") && shows(r, "skip_trigrams"));
    container *c = tensors_in(r);
    const tensor_view *k = container_find(c, "composition.K"),
                      *q = container_find(c, "composition.Q"),
                      *v = container_find(c, "composition.V");
    REQUIRE(k && q && v && tensor_count(k) == 36);
    int64_t edge = ((0 * 3 + 1) * 2 + 1) * 3 + 2; /* 0.1 -> 1.2 */
    for (int64_t i = 0; i < 36; i++) {
        CHECK(fabs(value_at(k, i) - (i == edge ? 1 / sqrt(1.25 * 40) : 0)) < 1e-6);
        CHECK(value_at(q, i) == 0 && value_at(v, i) == 0);
    }
    CHECK(score_of(c, "copying_score.full_OV", 0, 0) == 0); /* writes nothing: no token is first */
    CHECK(shows(r, "0     0        0         0        0         0"));
    container_free(c);
    mt_report_free(r);
}

/* One weight of the model's file, whatever is before its name. */
static const tensor_view *weight_called(const container *c, const char *end)
{
    for (int32_t i = 0; i < container_count(c); i++)
        if (str_ends(container_at(c, i)->name, end)) return container_at(c, i);
    return NULL;
}

TEST(
    "weights: folding a gain multiplies what is read by it, centring leaves nothing along the ones")
{
    if (!shared_path("goldens/methods/tl-weights-gpt2")) SKIP("no ../shared");
    container *c[3], *file = NULL;
    mt_report *r[3];
    char dir[1000], request[1300];
    container_free(golden("gpt2", dir));
    snprintf(request, sizeof request, "%s/model.safetensors", dir);
    REQUIRE(container_open(&file, request, NULL) == E_OK);
    for (int i = 0; i < 3; i++) {
        static const char *const folds[] = { "none", "gain", "all" };
        snprintf(request, sizeof request,
                 "{\"model\":\"%s\",\"what\":\"matrices\",\"fold\":\"%s\",\"layer\":\"1\"}", dir,
                 folds[i]);
        REQUIRE((r[i] = ran("weights", request)));
        char path[1200];
        snprintf(path, sizeof path, "%s/%d.safetensors", test_dir(), i);
        REQUIRE(mt_report_write_tensors(r[i], path, NULL) == 0);
        REQUIRE(container_open(&c[i], path, NULL) == E_OK);
    }
    const tensor_view *gain = weight_called(file, "h.1.ln_1.weight"), *m[3], *ov[3];
    for (int i = 0; i < 3; i++)
        m[i] = container_find(c[i], "QK"), ov[i] = container_find(c[i], "OV");
    REQUIRE(gain && m[0] && m[1] && m[2] && ov[1] && ov[2]);
    int64_t d = tensor_count(gain);
    double worst = 0, sums = 0;
    for (int64_t i = 0; i < tensor_count(m[0]); i++) {
        double want = value_at(m[0], i) * value_at(gain, i / d % d) * value_at(gain, i % d);
        worst = worse(worst, fabs(value_at(m[1], i) - want));
    }
    for (int64_t i = 0; i < tensor_count(m[0]) / d; i++) {
        double across[2] = { 0 }, down[2] = { 0 };
        for (int64_t k = 0; k < d; k++) {
            int64_t head = i / d * d * d;
            across[0] += value_at(m[2], i * d + k), across[1] += value_at(ov[2], i * d + k);
            down[0] += value_at(m[2], head + k * d + i % d);
            down[1] += value_at(ov[2], head + k * d + i % d);
        }
        for (int k = 0; k < 2; k++) sums = worse(worse(sums, fabs(across[k])), fabs(down[k]));
    }
    CHECK(worst < 1e-6);
    CHECK(sums < 1e-5);
    for (int i = 0; i < 3; i++) container_free(c[i]), mt_report_free(r[i]);
    container_free(file);
}

/* x [n] M y' for two rows of `e`. */
static double form_of(const tensor_view *e, int64_t x, const tensor_view *m, int64_t first,
                      int64_t y)
{
    double sum = 0;
    int64_t d = e->dim[1];
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++)
            sum += value_at(e, x * d + i) * value_at(m, first + i * d + j) * value_at(e, y * d + j);
    return sum;
}

/* Row t of E [vocab, k] times W [d, k]' (across false) or W [k, d], into out [d]. */
static void projected(const tensor_view *e, int64_t t, const tensor_view *w, bool turned,
                      double *out)
{
    int64_t k = e->dim[1], d = w->dim[turned ? 1 : 0];
    for (int64_t i = 0; i < d; i++) {
        out[i] = 0;
        for (int64_t j = 0; j < k; j++)
            out[i] += value_at(e, t * k + j) * value_at(w, turned ? j * d + i : i * k + j);
    }
}

TEST("weights: where embeddings are projected into the stream, W_E is what the stream gets")
{
    if (!shared_path("goldens/models/opt_postnorm")) SKIP("no ../shared");
    char path[1100];
    container *file = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", shared_path("goldens/models/opt_postnorm"));
    REQUIRE(container_open(&file, path, NULL) == E_OK);
    mt_report *r = ran_as("weights",
                          "{\"model\":\"%s\",\"what\":\"copying,matrices\",\"layer\":\"0\","
                          "\"precision\":\"f64\"}",
                          shared_path("goldens/models/opt_postnorm"));
    REQUIRE(r);
    container *got = tensors_in(r);
    const tensor_view *e = weight_called(file, "embed_tokens.weight"),
                      *in = weight_called(file, "project_in.weight"),
                      *out = weight_called(file, "project_out.weight"),
                      *ov = container_find(got, "OV"),
                      *l = container_find(got, "full_OV_eigenvalues.re");
    REQUIRE(e && in && out && ov && l && in->dim[0] == 44);
    for (int64_t h = 0; h < ov->dim[1]; h++) {
        double trace = 0, sum = 0, x[44], y[44]; /* sums of eigenvalues are traces */
        for (int64_t i = 0; i < l->dim[2]; i++) sum += value_at(l, h * l->dim[2] + i);
        for (int64_t t = 0; t < e->dim[0]; t++) {
            projected(e, t, in, false, x), projected(e, t, out, true, y);
            for (int64_t i = 0; i < 44 * 44; i++)
                trace += x[i / 44] * value_at(ov, h * 44 * 44 + i) * y[i % 44];
        }
        CHECK(fabs(sum - trace) < 1e-6 * fabs(trace));
    }
    container_free(got), container_free(file);
    mt_report_free(r);
}

static int64_t id_at(const json_t *row, size_t i)
{
    return json_integer_value(json_object_get(json_array_get(row, i), "id"));
}

TEST("weights: skip-trigrams are what the whole matrices say, and their bugs stand beside them")
{
    if (!shared_path("goldens/methods/tl-weights-gpt2")) SKIP("no ../shared");
    char dir[1000], request[1400];
    container *want = golden("gpt2", dir), *file = NULL;
    snprintf(request, sizeof request, "%s/model.safetensors", dir);
    REQUIRE(container_open(&file, request, NULL) == E_OK);
    mt_report *r =
        ran_as("weights",
               "{\"model\":\"%s\",\"what\":\"skip\",\"layer\":\"0\",\"token\":[\"#7\",\"#11\"],"
               "\"precision\":\"f64\"}",
               dir);
    const tensor_view *e = weight_called(file, "wte.weight"), *qk = container_find(want, "QK"),
                      *ov = container_find(want, "OV");
    REQUIRE(r && e && qk && ov);
    char *json = mt_report_render(r, "json", 80, false, NULL);
    json_t *doc = NULL;
    REQUIRE(json && json_parse(&doc, json, strlen(json), "report", NULL) == E_OK);
    const json_t *rows =
        json_object_get(json_object_get(json_object_get(doc, "tables"), "skip_trigrams"), "rows");
    int64_t d = e->dim[1], n = e->dim[0];
    CHECK(json_array_size(rows) == 5 * 2 * 4); /* heads, sources, two trigrams and two bugs */
    for (size_t i = 0; i < json_array_size(rows); i += 7) {
        const json_t *row = json_array_get(rows, i);
        int64_t head = json_integer_value(json_array_get(row, 1)), s = id_at(row, 2);
        double mean_qk = 0, mean_ov = 0;
        for (int64_t t = 0; t < n; t++) {
            mean_qk += form_of(e, id_at(row, 3), qk, head * d * d, t) / (double)n;
            mean_ov += form_of(e, s, ov, head * d * d, t) / (double)n;
        }
        double want_qk =
            (form_of(e, id_at(row, 3), qk, head * d * d, s) - mean_qk) / 3; /* d_head 9 */
        double want_ov = form_of(e, s, ov, head * d * d, id_at(row, 4)) - mean_ov;
        CHECK(fabs(json_real_value(json_array_get(row, 5)) - want_qk) < 1e-5);
        CHECK(fabs(json_real_value(json_array_get(row, 6)) - want_ov) < 1e-5);
        CHECK((i % 4 > 1) == !strcmp(json_string_value(json_array_get(row, 7)), "forced"));
    }
    json_decref(doc);
    mt_text_free(json);
    mt_report_free(r);
    container_free(want), container_free(file);
}

/* The report of a model's weights says all of these, and none of those. */
static void presumes(const char *model, const char *what, const char *const *says,
                     const char *const *not_says)
{
    mt_report *r = ran_as("weights", "{\"model\":\"%s\",%s\"samples\":0}", model, what);
    REQUIRE(r);
    char *text = mt_report_render(r, "text", 200, false, NULL);
    REQUIRE(text);
    for (; *says; says++) {
        if (!strstr(text, *says)) printf("  %s: no '%s'\n", model, *says);
        CHECK(strstr(text, *says));
    }
    for (; *not_says; not_says++) CHECK(!strstr(text, *not_says));
    mt_text_free(text);
    mt_report_free(r);
}

#define ALL(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST("weights: where a model is not what a definition presumes, the report says so, and only there")
{
    presumes("demo:induction", "",
             ALL("this one has 2 layers:", "W_pos is left out", "copying, svd, skip"),
             ALL("MLP,", "gains", "heads share", "rotary", "softcap"));
    presumes("demo:induction", "\"what\":\"composition\",", ALL("W_pos is left out"),
             ALL("skip-trigrams", "heads read W_E"));
    if (!shared_path("goldens/models/gemma2")) SKIP("no ../shared");
    char dir[1000];
    snprintf(dir, sizeof dir, "%s", shared_path("goldens/models/gemma2"));
    presumes(dir, "",
             ALL("2 heads share", "rmsnorm's are not folded", "ln1_post", "a softcap of 5",
                 "rotary: as if", "3 MLPs, 3 layers of heads", "No skip-trigrams"),
             ALL("embed_ln", "they are normed", "W_pos"));
    presumes(dir, "\"fold\":\"gain\",\"what\":\"skip\",",
             ALL("this one has 3 layers, with MLPs", "a softcap of 5"),
             ALL("are not folded", "earlier heads"));
    snprintf(dir, sizeof dir, "%s", shared_path("goldens/models/bloom"));
    presumes(dir, "\"fold\":\"gain\",", ALL("embed_ln", "alibi", "centres too"),
             ALL("heads share"));
    snprintf(dir, sizeof dir, "%s", shared_path("goldens/models/qwen3"));
    presumes(dir, "", ALL("they are normed"), ALL("embed_ln", "ln1_post"));
}

TEST("weights says what is wrong with a request")
{
    refuses("weights", "{\"model\":\"demo:induction\",\"what\":\"copying,taste\"}",
            "what is 'taste'");
    refuses("weights", "{\"model\":\"demo:induction\",\"fold\":\"in half\"}", "none, gain or all");
    refuses("weights", "{\"model\":\"demo:induction\",\"layer\":\"5\"}", "layers of 0 to 1");
    refuses("weights", "{\"model\":\"demo:induction\",\"directions\":65}", "expected 0 to 64");
    refuses("weights", "{\"model\":\"demo:induction\",\"samples\":-1}", "samples is -1");
    refuses("weights", "{\"model\":\"demo:induction\",\"what\":\"skip\",\"token\":[\"zebra\"]}",
            "zebra");
}

TEST("weights: memory that runs out is an error that says so, and leaves nothing behind")
{
    starve_by("weights", "{\"model\":\"demo:induction\",\"threads\":1,\"samples\":2}", 1, 8);
    starve_by("weights",
              "{\"model\":\"demo:induction\",\"threads\":1,\"what\":\"copying\",\"layer\":\"0\","
              "\"samples\":0}",
              30, 10);
}
/* SPDX-License-Identifier: MIT */
