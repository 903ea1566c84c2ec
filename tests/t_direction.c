/* t_direction -- directions are those of the reference, find what was planted, and steer as the reference's do. */
#define TEST_FILE t_direction
#include "test.h"
#include "base/file.h"
#include "base/rand.h"
#include "data/labelled.h"
#include "format/format.h"
#include "instrument/direction_fit.h"
#include "tensor/draw.h"
#include "tiny.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 45, N_TRAIN = 160, N = 240 };

/* ---- against scikit-learn and numpy ---- */

static double *numbers(const container *c, const char *name, int64_t want)
{
    int64_t n;
    double *v = values_of(c, name, &n);
    REQUIRE(n == want);
    return v;
}

static double worst(const double *a, const double *b, int64_t n)
{
    double most = 0, largest = 0;
    for (int64_t i = 0; i < n; i++)
        most = worse(most, fabs(a[i] - b[i])), largest = fmax(largest, fabs(b[i]));
    return most / largest;
}

/* One layer of one position. */
static void same_as_golden(const container *g, const double *x, const bool *y, const char *where)
{
    char name[120];
    double v[D], outer[D * D];
    fit_facts f;
    snprintf(name, sizeof name, "mass_mean.%s.direction", where);
    double *mean = numbers(g, name, D);
    CHECK(!fit_direction(v, FIT_MEAN, x, y, N_TRAIN, D, 0, &f, NULL) && worst(v, mean, D) < 1e-12);
    snprintf(name, sizeof name, "mass_mean.%s.iid_direction", where);
    double *iid = numbers(g, name, D);
    CHECK(!fit_direction(v, FIT_MASS_MEAN, x, y, N_TRAIN, D, 1e-12, &f, NULL));
    CHECK(f.n_kept == D && worst(v, iid, D) < 1e-8);
    snprintf(name, sizeof name, "repe_pca.%s.abs_outer_first", where);
    double *first = numbers(g, name, D * D);
    snprintf(name, sizeof name, "repe_pca.%s.explained_variance", where);
    double *variance = numbers(g, name, 3);
    CHECK(!fit_direction(v, FIT_REPE, x, y, N_TRAIN, D, 0, &f, NULL));
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) outer[i * D + j] = fabs(v[i] * v[j]);
    for (int i = 0; i < D * D; i++) first[i] = fabs(first[i]);
    CHECK(worst(outer, first, D * D) < 1e-6);
    CHECK(fabs(f.share[0] / f.share[1] - variance[0] / variance[1]) < 1e-6);
    free(mean), free(iid), free(first), free(variance);
}

TEST("mean, mass-mean and RepE directions are those of numpy and scikit-learn")
{
    if (!shared_path("goldens/methods/stats-probes")) SKIP("no ../shared");
    container *a = NULL, *g = NULL;
    REQUIRE(!container_open(&a, shared_path("goldens/methods/stats-probes/activations.safetensors"),
                            NULL) &&
            !container_open(&g, shared_path("goldens/methods/stats-probes/golden_f64.safetensors"),
                            NULL));
    double *labels = numbers(a, "labels", N);
    bool y[N];
    for (int i = 0; i < N; i++) y[i] = labels[i] > 0;
    for (int where = 0; where < 2; where++) {
        double *x = numbers(a, where ? "acts_pos4" : "acts_last", 3 * N * D);
        for (int l = 0; l < 3; l++) {
            char name[40];
            snprintf(name, sizeof name, "%s.layer%d", where ? "pos4" : "last", l);
            same_as_golden(g, x + (int64_t)l * N * D, y, name);
        }
        free(x);
    }
    free(labels);
    container_free(a), container_free(g);
}

/* ---- what was planted ---- */

enum { P = 12, ROWS = 4000 };

static double cosine(const double *a, const double *b, int n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / sqrt(aa * bb);
}

/* Two kinds at +-mu, dimension j with spread spread(j). */
static double *planted(bool *y, const double *mu, bool even)
{
    double *x = malloc(ROWS * P * sizeof *x);
    REQUIRE(x);
    for (int i = 0; i < ROWS; i++) {
        y[i] = i % 2;
        for (int j = 0; j < P; j++) {
            double spread = even ? 0.5 : 0.2 + j;
            x[i * P + j] = (y[i] ? mu[j] : -mu[j]) +
                           spread * (double)draw_normal(test_seed, rand_stream("t_direction"),
                                                        (uint64_t)(i * P + j));
        }
    }
    return x;
}

TEST("where the spread differs by dimension, mass-mean is the direction of LDA and the mean is not")
{
    double mu[P], lda[P], v[P];
    bool *y = malloc(ROWS * sizeof *y);
    fit_facts f;
    REQUIRE(y);
    for (int j = 0; j < P; j++) mu[j] = 0.5 + (j % 3), lda[j] = mu[j] / ((0.2 + j) * (0.2 + j));
    double *x = planted(y, mu, false);
    CHECK(!fit_direction(v, FIT_MASS_MEAN, x, y, ROWS, P, 0, &f, NULL) && cosine(v, lda, P) > 0.99);
    CHECK(!fit_direction(v, FIT_MEAN, x, y, ROWS, P, 0, &f, NULL) && cosine(v, lda, P) < 0.9);
    free(x), free(y);
}

TEST("principal components of differences find what the two kinds differ by, and point to it")
{
    double mu[P], v[P], w[P];
    bool *y = malloc(ROWS * sizeof *y);
    fit_facts f;
    REQUIRE(y);
    for (int j = 0; j < P; j++) mu[j] = j % 2 ? -0.4 : 0.3 + 0.05 * j;
    double *x = planted(y, mu, true);
    for (int how = FIT_PCA; how <= FIT_REPE; how++) {
        CHECK(!fit_direction(v, (fit_how)how, x, y, ROWS, P, 0, &f, NULL));
        CHECK(cosine(v, mu, P) > 0.99 && f.share[0] > f.share[1]);
        CHECK(!fit_control(w, (fit_how)how, x, y, ROWS, P, NULL, NULL) && cosine(v, w, P) > 0.9999);
    }
    for (int i = 0; i < ROWS; i++) y[i] = !y[i];
    CHECK(!fit_direction(w, FIT_PCA, x, y, ROWS, P, 0, &f, NULL) && cosine(v, w, P) < -0.99);
    free(x), free(y);
}

TEST("the control's mass-mean direction is the one of its own covariance")
{
    double mu[P], v[P], w[P], total[P * P];
    bool *y = malloc(ROWS * sizeof *y);
    fit_facts f;
    REQUIRE(y);
    for (int j = 0; j < P; j++) mu[j] = j == 2;
    double *x = planted(y, mu, false);
    for (int i = 0; i < ROWS; i++) y[i] = rand_below(test_seed, 3, (uint64_t)i, 2);
    CHECK(!fit_total(total, x, ROWS, P, 0, NULL));
    CHECK(!fit_direction(v, FIT_MASS_MEAN, x, y, ROWS, P, 0, &f, NULL) &&
          !fit_control(w, FIT_MASS_MEAN, x, y, ROWS, P, total, NULL));
    CHECK(cosine(v, w, P) > 1 - 1e-9);
    free(x), free(y);
}

TEST("AUROC counts pairs in the right order, ties a half; one kind alone is refused")
{
    const double score[] = { 3, 1, 2, 2, 0 };
    const bool y[] = { true, false, true, false, false }, same[] = { true, true };
    double v[1];
    fit_facts f;
    CHECK(fit_auroc(score, y, 5) == 5.5 / 6);
    CHECK(fit_middle(score, y, 5) == (2.5 + 1) / 2);
    CHECK(fit_accuracy(score, y, 5, 1.75) == 0.8);
    CHECK(fit_direction(v, FIT_MEAN, score, same, 2, 1, 0, &f, NULL) == E_RANGE);
}

/* ---- used as edits ---- */

static void steers_as_golden(const char *folder, const char *edits, const char *name,
                             const char *tokens)
{
    char path[1200];
    container *g = NULL;
    int64_t n;
    mt_report *r =
        ran_as("run", "{\"model\":\"%s\",\"tokens\":\"%s\",\"edit\":[%s],\"precision\":\"f64\"}",
               folder, tokens, edits);
    REQUIRE(r);
    double *got = tensor_of(r, "logits_edited", &n);
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", folder);
    REQUIRE(!container_open(&g, path, NULL));
    double *want = numbers(g, name, 12 * 83);
    CHECK(got && n == 12 * 83 && worst(got, want, n) < 1e-7);
    free(got), free(want);
    container_free(g);
    mt_report_free(r);
}

TEST("a direction of a file, added or projected out by edits, does what the reference's does")
{
    char folder[1000], tokens[1000], edits[5000];
    container *a = NULL;
    if (!shared_path("goldens/methods/stats-probes")) SKIP("no ../shared");
    snprintf(folder, sizeof folder, "%s", shared_path("goldens/methods/stats-probes"));
    REQUIRE(!container_open(&a, shared_path("goldens/methods/stats-probes/activations.safetensors"),
                            NULL));
    double *id = numbers(a, "tokens", N * 9);
    json_t *list = json_array();
    for (int i = 160; i < 172; i++) {
        json_t *one = json_array();
        for (int j = 0; j < 9; j++)
            json_array_append_new(one, json_integer((int64_t)id[i * 9 + j]));
        json_array_append_new(list, one);
    }
    snprintf(tokens, sizeof tokens, "%s/tokens.json", test_dir());
    write_json(tokens, list);
    free(id);
    container_free(a);
#define FILE_KEY "%s/golden_f64.safetensors:mass_mean.pos4.layer1.direction"
    snprintf(edits, sizeof edits, "\"blocks.1.resid_post += 4 * " FILE_KEY "\"", folder);
    steers_as_golden(folder, edits, "steer.add.alpha4.0.logits_last", tokens);
    snprintf(edits, sizeof edits, "\"blocks.1.resid_post -= 2 * " FILE_KEY "\"", folder);
    steers_as_golden(folder, edits, "steer.add.alpha-2.0.logits_last", tokens);
    snprintf(edits, sizeof edits,
             "\"embed -= project(" FILE_KEY ")\",\"pos_embed -= project(" FILE_KEY ")\","
             "\"blocks.*.attn.contribution -= project(" FILE_KEY ")\","
             "\"blocks.*.mlp.contribution -= project(" FILE_KEY ")\"",
             folder, folder, folder, folder);
    steers_as_golden(folder, edits, "steer.ablate_all.logits_last", tokens);
}

/* ---- the instrument ---- */

/* The last word is one of two, others stand before it at random. */
static const char *animals(const char *name, const char *last, uint64_t salt)
{
    static const char *const words[] = { "the", "sat", "on", "ran" };
    str s = { 0 };
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 3; k++)
            str_printf(&s, "%s ",
                       words[rand_below(test_seed, 5, salt * 1000 + (uint64_t)(i * 3 + k), 4)]);
        str_printf(&s, "%s\n", last);
    }
    const char *path = test_text(name, s.p);
    str_release(&s);
    return path;
}

TEST("the two words are told apart by a held-out direction, and shuffled labels tell nothing")
{
    char out[1200];
    const char *cats = animals("cats.txt", "cat", 1), *dogs = animals("dogs.txt", "dog", 2);
    mt_report *r =
        ran_as("direction",
               "{\"model\":\"demo:induction\",\"positive\":\"%s\",\"negative\":\"%s\",\"site\":"
               "\"blocks.*.resid_pre\",\"method\":\"mean,pca,repe\",\"draws\":10}",
               cats, dogs);
    REQUIRE(r);
    CHECK(number_of(r, "accuracy.mean", 0) == 1 && number_of(r, "accuracy.pca", 1) == 1);
    CHECK(fabs(number_of(r, "accuracy.low.mean", 0) - pow(0.025, 1 / 12.)) < 1e-5);
    CHECK(shows(r, "80 prompts (40 positive), of which 24 in whole groups are held out"));
    CHECK(shows(r, "shuffled labels"));
    snprintf(out, sizeof out, "%s/d.safetensors", test_dir());
    REQUIRE(mt_report_write_tensors(r, out, NULL) == 0);
    mt_report_free(r);
    r = ran_as("run",
               "{\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the dog\"],\"edit\":"
               "[\"blocks.1.resid_pre += 2 * %s:mean.blocks.1.resid_pre\"]}",
               out);
    REQUIRE(r);
    CHECK(shows(r, "without edits"));
    mt_report_free(r);
}

TEST("rows of one group are never on both sides, and quotes and columns of a table are read")
{
    labelled *l = NULL;
    model *m = NULL;
    error err = { 0 };
    REQUIRE(!model_open(&m, "demo:induction", NULL, NULL));
    const char *path = test_text("t.csv", "label,\"the \"\"text\"\"\",who\r\n"
                                          "1,\"the cat\",a\r\n0,the dog,b\n\nTrue,\"cat\",b\n");
    labelled_fields f = { .text = "the \"text\"", .group = "who" };
    status st = labelled_read_table(&l, m, path, &f, BOS_NO, &err);
    if (st) printf("  %s\n", err.msg);
    REQUIRE(!st && l->n == 3 && l->n_group == 2);
    CHECK(l->positive[0] && !l->positive[1] && l->positive[2]);
    CHECK(l->group[0] == 0 && l->group[1] == 1 && l->group[2] == 1);
    CHECK(l->p[0]->n == 2 && l->p[2]->n == 1);
    labelled_free(l);
    model_free(m);
}

TEST("tables that cannot be read are refused by row, with the columns there are")
{
    static const char *const bad[][2] = {
        { "text,label\nthe cat,2\n", "row 2: the label is '2'" },
        { "what,label\nthe cat,1\n", "there is no column 'statement or text'" },
        { "text,kind\nthe cat,1\n", "there is no column 'label'" },
        { "text,label\n\"the cat,1\n", "a quote is not closed" },
        { "text,label\n\"the\" cat,1\n", "behind a closed quote" },
        { "text,label\nthe cat,1\nthe dog,1\n", "2 prompts are positive and 0 negative" },
        { "text,label\nthe elephant,1\n", "row 2" },
        { "", "0 prompts" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuses_as("direction", bad[i][1], "{\"model\":\"demo:induction\",\"data\":\"%s\"}",
                   test_text("b.csv", bad[i][0]));
    }
    refuses_as("direction", "mass_mean: direction: no variance within",
               "{\"model\":\"demo:induction\",\"positive\":\"%s\",\"negative\":\"%s\",\"site\":"
               "\"blocks.0.resid_pre\"}",
               animals("cats.txt", "cat", 1), animals("dogs.txt", "dog", 2));
    refuses("direction", "{\"model\":\"demo:induction\"}", "two kinds");
    refuses("direction", "{\"model\":\"demo:induction\",\"method\":\"lda\"}", "method is 'lda'");
    refuses_as("direction", "not one vector a position",
               "{\"model\":\"demo:induction\",\"positive\":\"%s\",\"negative\":\"%s\",\"site\":"
               "\"blocks.0.attn.pattern\"}",
               animals("cats.txt", "cat", 1), animals("dogs.txt", "dog", 2));
}

TEST("two kinds that are one have no direction, which is said, and no number that is none is shown")
{
    char path[1200];
    const char *text = "the cat sat on the\nthe dog ran\na bird\nthe cat\n";
    snprintf(path, sizeof path, "%s/same.txt", test_dir());
    REQUIRE(file_write(path, text, strlen(text), NULL) == E_OK);
    mt_report *r = ran_as("direction",
                          "{\"model\":\"demo:induction\",\"positive\":\"%s\",\"negative\":\"%s\","
                          "\"site\":\"blocks.0.resid_post\"}",
                          path, path);
    REQUIRE(r);
    char *out = mt_report_render(r, "text", 100, false, NULL);
    CHECK(out && strstr(out, "there is no direction") && !strstr(out, "nan"));
    mt_text_free(out);
    mt_report_free(r);
}

TEST("memory that runs out at any call is an error, never another report")
{
    char request[3000];
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"threads\":1,\"positive\":\"%s\",\"negative\":"
             "\"%s\",\"site\":\"blocks.1.resid_pre\",\"method\":\"mean,pca\",\"draws\":2,"
             "\"most\":20}",
             animals("cats.txt", "cat", 1), animals("dogs.txt", "dog", 2));
    starve("direction", request);
    const char *table = test_text("t.csv", "text,label,who\nthe cat,1,a\nthe dog,0,b\n\"cat\",1,c\n"
                                           "dog,0,d\nthe cat,1,e\nthe dog,0,f\n");
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"threads\":1,\"data\":\"%s\",\"site\":"
             "\"blocks.0.resid_pre\",\"method\":\"mean\",\"draws\":1,\"test\":0.7,\"group\":"
             "\"who\",\"seed\":4}",
             table);
    starve("direction", request);
}
/* SPDX-License-Identifier: MIT */
