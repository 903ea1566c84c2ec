/* t_answers -- pairs with several right and several wrong answers: the metrics that take all of them, by hand; EAP's
 * greater-than files, whose label is a year. */
#define TEST_FILE t_answers
#include "test.h"
#include "tiny.h"
#include "data/pairs.h"
#include "instrument/instrument.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- by hand ---- */

enum { N_VOCAB = 83, N_RIGHT = 3, N_WRONG = 2 };

static void probabilities(double *v, int64_t n)
{
    double top = v[0], sum = 0;
    for (int64_t i = 1; i < n; i++) top = fmax(top, v[i]);
    for (int64_t i = 0; i < n; i++) sum += v[i] = exp(v[i] - top);
    for (int64_t i = 0; i < n; i++) v[i] /= sum;
}

/* The sum, or the mean, of v at n places. */
static double over(const double *v, const int64_t *id, int n, bool mean)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += v[id[i]];
    return mean ? sum / n : sum;
}

/* The tiny GPT-2's pair with sets of answers, and once more with one of either. */
static void write_sets(const tiny *t, const char *path, int64_t *right, int64_t *wrong)
{
    json_error_t e;
    json_t *v = json_load_file(t->pairs, 0, &e);
    int64_t id = 0;
    REQUIRE(v);
    right[0] = t->correct, wrong[0] = t->wrong;
    for (int k = 1; k < N_RIGHT + N_WRONG - 1; k++) {
        while (id == t->correct || id == t->wrong) id++;
        *(k < N_RIGHT ? &right[k] : &wrong[k - N_RIGHT + 1]) = id++;
    }
    for (int k = 0; k < 2; k++) {
        json_t *list = json_object_get(v, k ? "corrupt" : "clean");
        json_array_append(list, json_array_get(list, 0));
    }
    json_object_set_new(v, "correct",
                        json_pack("[[I,I,I],I]", (json_int_t)right[0], (json_int_t)right[1],
                                  (json_int_t)right[2], (json_int_t)right[0]));
    json_object_set_new(
        v, "wrong",
        json_pack("[[I,I],[I]]", (json_int_t)wrong[0], (json_int_t)wrong[1], (json_int_t)wrong[0]));
    write_json(path, v);
}

TEST("prob_diff and answer_diff are of all answers, in base runs and in cells, as computed by hand")
{
    tiny t;
    char path[1200];
    int64_t right[N_RIGHT], wrong[N_WRONG], n = 0;
    if (!tiny_open(&t)) SKIP("no ../shared");
    snprintf(path, sizeof path, "%s/sets.json", test_dir());
    write_sets(&t, path, right, wrong);
    mt_report *r = ran_as("patch",
                          "{\"model\":\"%s\",\"pairs\":\"%s\",\"what\":\"resid_pre\",\"metric\":"
                          "\"prob_diff,answer_diff,logit_diff\"}",
                          t.dir, path);
    REQUIRE(r);
    static const char *const edits[] = { "", "\"blocks.1.resid_pre[pos=-1] = @0\"" };
    for (int edited = 0; edited < 2; edited++) {
        double *v = by_hand(&t, 1, edits[edited]);
        double mean = over(v, right, N_RIGHT, true) - over(v, wrong, N_WRONG, true);
        double first = v[right[0]] - v[wrong[0]];
        probabilities(v, N_VOCAB);
        double sum = over(v, right, N_RIGHT, false) - over(v, wrong, N_WRONG, false);
        double one = v[right[0]] - v[wrong[0]];
        const char *name[] = { edited ? "denoise.resid_pre.prob_diff" : "prob_diff_corrupt",
                               edited ? "denoise.resid_pre.answer_diff" : "answer_diff_corrupt",
                               edited ? "denoise.resid_pre.logit_diff" : "logit_diff_corrupt" };
        int64_t at = edited ? 2 * (2 * (int64_t)t.len - 1) : 0;
        CHECK(fabs(number_of(r, name[0], at) - sum) < 1e-6 && fabs(sum - one) > 1e-4);
        CHECK(fabs(number_of(r, name[1], at) - mean) < 1e-5 && fabs(mean - first) > 1e-3);
        CHECK(fabs(number_of(r, name[0], at + 1) - one) < 1e-6);
        CHECK(fabs(number_of(r, name[1], at + 1) - first) < 1e-5);
        free(v);
    }
    double *all = tensor_of(r, "denoise.resid_pre.answer_diff", &n),
           *two = tensor_of(r, "denoise.resid_pre.logit_diff", &n);
    for (int64_t i = 1; i < n; i += 2)
        CHECK(all[i] == two[i] ||
              (isnan(all[i]) && isnan(two[i]))); /* one of either: the same bits */
    free(all), free(two);
    mt_report_free(r);
}

/* ---- years ---- */

TEST("EAP's greater-than: a label is a year, right are the years above it, and the measure is "
     "prob_diff")
{
    static const char csv[] = "clean,corrupted,label\n"
                              "The war lasted from 1797 to 17,The war lasted from 1701 to 17,97\n"
                              "The war lasted from 1702 to 17,The war lasted from 1701 to 17,2\n";
    const char *dir = shared_path("data/fixture-hf-tiny/fake_gpt2");
    model *m = NULL;
    pairs *p = NULL;
    int64_t n = 0;
    char name[1100];
    if (!dir || model_open(&m, dir, NULL, NULL)) SKIP("no ../shared");
    snprintf(name, sizeof name, "%s", test_text("years.csv", csv));
    REQUIRE(!pairs_read(&p, m, name, &(pairs_how){ 0 }, NULL));
    REQUIRE(p->n == 2 && p->set && p->metric && !strcmp(p->metric, "prob_diff"));
    CHECK(p->set[0].n_right == 2 && p->set[0].n_wrong == 98 && p->set[1].n_right == 97);
    CHECK(p->correct[0] == p->set[0].id[0] && strstr(p->note, "a year's two digits"));
    for (int32_t y = 0; y < 100; y++) {
        char text[8];
        int32_t id;
        snprintf(text, sizeof text, "%02d", y);
        REQUIRE(!token_find(m, text, 2, &id, NULL));
        CHECK(p->set[0].id[y > 97 ? y - 98 : 2 + y] == id); /* right ones first */
    }
    mt_report *r = ran_as("patch", "{\"model\":\"%s\",\"pairs\":\"%s\",\"what\":\"resid_pre\"}",
                          dir, name),
              *one = ran_as(
                  "run", "{\"model\":\"%s\",\"prompt\":[\"The war lasted from 1797 to 17\"]}", dir);
    REQUIRE(r && one);
    double *v = tensor_of(one, "logits", &n), want = 0;
    REQUIRE(v && n == 50257);
    probabilities(v, n);
    for (int k = 0; k < 100; k++) want += (k < 2 ? 1 : -1) * v[p->set[0].id[k]];
    CHECK(fabs(want) > 1e-4 && fabs(number_of(r, "prob_diff_clean", 0) - want) < 1e-7);
    free(v);
    mt_report_free(r), mt_report_free(one);
    pairs_free(p);
    model_free(m);
}

TEST("a label that is no year, an answer twice, too many of them and sets that are no sets are "
     "refused")
{
    static const struct {
        const char *holds, *says;
    } of[] = {
        { "clean,corrupted,label\nthe cat,the dog,99\n",
          "row 2: 'label' is '99', expected a year" },
        { "clean,corrupted,label\nthe cat,the dog,-1\n", "'label' is '-1'" },
        { "clean,corrupted,label\nthe cat,the dog,\n", "'label' is ''" },
        { "clean,corrupted,label\nthe cat,the dog,true\n", "'label' is 'true'" },
        { "clean,corrupted,label\nthe cat,the dog,52\n", "no pair fits this model" },
        { "clean,corrupted,label,correct_idx\nthe cat,the dog,52,77777\n", "no pair fits" },
        { "[{\"clean\":\"the cat\",\"corrupt\":\"the dog\",\"answers\":[\"on\",\"on\"]}]",
          "token #12 is twice among its answers" },
        { "[{\"clean\":\"the cat\",\"corrupt\":\"the dog\",\"answers\":[\"on\"],\"wrong_answers\":["
          "\"ran\",\"on\"]}]",
          "twice among its answers" },
        { "{\"clean\":[\"the cat\"],\"corrupt\":[\"the dog\"],\"correct\":[[]]}", "is empty" },
        { "{\"clean\":[\"the cat\"],\"corrupt\":[\"the dog\"],\"correct\":[[[1]]]}", "expected a" },
        { "[{\"clean\":\"the\",\"corrupt\":\"a\",\"answers\":[[0],[1]]}]",
          "'correct' is an array of arrays" },
        { "[{\"clean\":[[3.0,3.0]],\"corrupt\":[[1.0,1.0]],\"answers\":[1]}]",
          "'clean' is a list of vectors" },
        { "[{\"clean\":\"the\",\"corrupt\":\"a\",\"answers\":[\"on\",2.5]}]",
          "'correct' is a number" },
    };
    model *m = NULL;
    REQUIRE(!model_open(&m, "demo:induction", NULL, NULL));
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        pairs *p = NULL;
        error err = { 0 };
        status st = pairs_read(&p, m, test_text("bad", of[i].holds), &(pairs_how){ 0 }, &err);
        if (st == E_OK || !strstr(err.msg, of[i].says)) printf("  %zu: %s\n", i, err.msg);
        CHECK(st != E_OK && !p && strstr(err.msg, of[i].says));
    }
    str many = { 0 };
    str_puts(&many, "{\"clean\":[\"the cat\"],\"corrupt\":[\"the dog\"],\"correct\":[[1");
    for (int i = 0; i < MAX_ANSWERS; i++) str_puts(&many, ",2");
    str_puts(&many, "]]}");
    pairs *p = NULL;
    CHECK(pairs_read(&p, m, test_text("many", many.p), &(pairs_how){ 0 }, NULL) == E_LIMIT);
    str_release(&many);
    model_free(m);
}

TEST("where a further answer is no token of the model, the first is taken and metrics of all are "
     "refused")
{
    static const char holds[] =
        "[{\"clean\":\"the cat\",\"corrupt\":\"the dog\",\"answers\":[\"on\",\"elephant\"],"
        "\"wrong_answers\":[\"ran\"]}]";
    char path[1100], all[1500], first[1500];
    snprintf(path, sizeof path, "%s", test_text("partial.json", holds));
    snprintf(all, sizeof all,
             "{\"model\":\"demo:induction\",\"pairs\":\"%s\",\"what\":\"resid_pre\",\"metric\":"
             "\"prob_diff\"}",
             path);
    snprintf(first, sizeof first,
             "{\"model\":\"demo:induction\",\"pairs\":\"%s\",\"what\":\"resid_pre\"}", path);
    refuses("patch", all, "of 1 pairs not all are single tokens");
    mt_report *r = ran("patch", first);
    REQUIRE(r);
    CHECK(shows(r, "other metrics the first"));
    mt_report_free(r);
    starve("patch", first);
}
/* SPDX-License-Identifier: MIT */
