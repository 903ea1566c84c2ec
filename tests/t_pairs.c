/* t_pairs -- files of pairs, in every form that tools have for them: what they say, and what is refused. */
#define TEST_FILE t_pairs
#include "test.h"
#include "tiny.h"
#include "data/pairs.h"
#include "instrument/instrument.h"
#include <stdlib.h>
#include <string.h>

/* Two pairs of the demo's words in our form, and in others' with what else such files hold. */
#define OURS                                                                                       \
    "{\"clean\":[\"the cat sat\",\"a dog\"],\"corrupt\":[\"the dog sat\",\"a cat\"],"              \
    "\"correct\":[\"on\",\"ran\"],\"wrong\":[\"ran\",\"mat\"]}"
static const char *const FORMS[] = {
    OURS,
    ("{\"word_idxs\":{\"end\":2},\"prompts\":[{\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
     "sat\",\"answers\":[\"on\"],\"wrong_answers\":[\"ran\"]},{\"clean\":\"a dog\",\"corrupt\":\"a "
     "cat\",\"answers\":[\"ran\"],\"wrong_answers\":[\"mat\"]}]}"),
    (" [{\"clean\":\"the cat sat\",\"corrupt\":\"the dog "
     "sat\",\"correct\":\"on\",\"wrong\":\"ran\"},"
     "{\"clean\":\"a dog\",\"corrupt\":\"a cat\",\"correct\":\"ran\",\"wrong\":\"mat\"}]"),
    ("{\"clean_prefix\":\"the cat sat\",\"patch_prefix\":\"the dog sat\",\"clean_answer\":\"on\","
     "\"patch_answer\":\"ran\",\"case\":\"x\"}\r\n\n{\"clean_prefix\":\"a "
     "dog\",\"patch_prefix\":\"a "
     "cat\",\"clean_answer\":\"ran\",\"patch_answer\":\"mat\"}"),
    ("\xef\xbb\xbf,clean,corrupted,corrupted_hard,correct_idx,incorrect_idx\r\n"
     "470,\"the cat sat\",the dog sat,\"x, \"\"y\"\"\",12,9\r\n\r\n184,a dog,a cat,,9,15\r\n"),
    "wrong,correct,corrupt,clean\nran,on,the dog sat,the cat sat\nmat,ran,a cat,a dog",
};
enum { N_FORM = sizeof FORMS / sizeof *FORMS };

static model *demo(void)
{
    model *m = NULL;
    REQUIRE(!model_open(&m, "demo:induction", NULL, NULL));
    return m;
}

static pairs *pairs_of(const model *m, const char *holds, int64_t limit)
{
    pairs *p = NULL;
    error err = { 0 };
    if (pairs_read(&p, m, test_text("pairs", holds), &(pairs_how){ .limit = limit }, &err))
        printf("  %s\n", err.msg);
    REQUIRE(p);
    return p;
}

static bool same_prompt(const prompt *a, const prompt *b)
{
    return a->n == b->n && !memcmp(a->id, b->id, (size_t)a->n * sizeof *a->id);
}

static void check_same(const pairs *a, const pairs *b)
{
    REQUIRE(a->n == b->n && !a->wrong == !b->wrong);
    for (int i = 0; i < a->n; i++) {
        CHECK(same_prompt(a->clean[i], b->clean[i]) && same_prompt(a->corrupt[i], b->corrupt[i]));
        CHECK(a->correct[i] == b->correct[i] && (!a->wrong || a->wrong[i] == b->wrong[i]));
    }
}

TEST("the same pairs in every form are the same pairs, and a limit leaves the first")
{
    model *m = demo();
    pairs *ours = pairs_of(m, OURS, 0);
    CHECK(ours->n == 2 && ours->clean[0]->n == 4 && ours->correct[1] == 9 && ours->wrong[1] == 15);
    for (int i = 0; i < N_FORM; i++) {
        pairs *all = pairs_of(m, FORMS[i], 0), *more = pairs_of(m, FORMS[i], 7),
              *one = pairs_of(m, FORMS[i], 1);
        check_same(all, ours), check_same(more, ours);
        CHECK(one->n == 1 && same_prompt(one->clean[0], ours->clean[0]) && one->wrong[0] == 9);
        CHECK(!strcmp(all->note, strstr(FORMS[i], "_idx,")
                                     ? "answers are token ids: they mean what "
                                       "they should only with the tokenizer "
                                       "the file was made for"
                                     : ""));
        pairs_free(all), pairs_free(more), pairs_free(one);
    }
    pairs_free(ours);
    model_free(m);
}

TEST("of another tool's file what does not fit the model is left out, counted, and said why")
{
    model *m = demo();
    pairs *p =
        pairs_of(m,
                 "{\"clean_prefix\":\"the cat\",\"patch_prefix\":\"cat\",\"clean_answer\":"
                 "\"on\",\"patch_answer\":\"ran\"}\n"
                 "{\"clean_prefix\":\"the cat\",\"patch_prefix\":\"the dog\",\"clean_answer\""
                 ":\"on\",\"patch_answer\":\"ran\"}\n"
                 "{\"clean_prefix\":\"the elephant\",\"patch_prefix\":\"the dog\","
                 "\"clean_answer\":\"on\",\"patch_answer\":\"ran\"}\n",
                 0);
    CHECK(p->n == 1 && p->clean[0]->n == 3);
    CHECK(strstr(p->note, "2 of 3 pairs are left out") && strstr(p->note, "has 3 tokens"));
    pairs_free(p);
    p = pairs_of(m,
                 "[{\"clean\":\"the cat\",\"corrupt\":\"the dog\",\"answers\":[\"on\",\"ran\"],"
                 "\"wrong_answers\":[\"mat\",\"sat\",\"saw\"]}]",
                 0);
    CHECK(p->n == 1 && p->correct[0] == 12 && strstr(p->note, "3 further right or wrong answers"));
    pairs_free(p);
    model_free(m);
}

static const char *const WRONG[][2] = {
    { "", "is empty" },
    { " \n", "no column 'clean'" },
    { "{", "JSON: line 1" },
    { "[1, 2", "JSON: line 1" },
    { "[]", "there are no pairs" },
    { "[3]", "pair 0: is an integer, expected an object" },
    { "{\"prompts\":{}}", "'prompts' is an object, expected a list" },
    { "{\"prompts\":[{\"clean\":\"the\",\"answers\":[\"on\"]}]}", "pair 0: there is no 'corrupt'" },
    { "{\"a\":1}", "there is no 'clean'" },
    { "[{\"clean\":4,\"corrupt\":\"the\",\"answers\":[\"on\"]}]",
      "'clean' is an integer, expected a text or a list of ids" },
    { "[{\"clean\":\"the\",\"corrupt\":\"a\",\"answers\":[]}]",
      "'correct' is an array, expected a token" },
    { "[{\"clean\":\"the\",\"corrupt\":\"a\",\"answers\":[[0],[1]]}]", "'correct' is an array" },
    { "[{\"clean\":\"the\",\"corrupt\":\"a\",\"corrupted\":\"a\",\"answers\":[\"on\"]}]",
      "both 'corrupt' and 'corrupted'" },
    { "[{\"clean\":\"the\",\"clean\":\"the\",\"corrupt\":\"a\",\"answers\":[\"on\"]}]",
      "duplicate" },
    { "{\"clean_prefix\":\"the\",\"patch_prefix\":\"a\",\"clean_answer\":\"on\",\"patch_answer\":"
      "\"ran\"}\n{\"clean_prefix\":\"the\",\"patch_pre",
      "line 2: line 1" },
    { "{\"clean_prefix\":\"the\",\"patch_prefix\":\"a\",\"clean_answer\":\"on\",\"patch_answer\":"
      "\"ran\"}\n\n{\"clean_prefix\":\"the\"}",
      "line 3: there is no 'corrupt'" },
    { "{\"clean_prefix\":\"the\",\"patch_prefix\":\"a\",\"clean_answer\":\"on\",\"patch_answer\":"
      "\"ran\"}\n{\"clean_prefix\":\"the\",\"patch_prefix\":\"a\",\"clean_answer\":\"on\"}",
      "1 of 2 pairs have a wrong answer" },
    { "[{\"clean\":\"elephant\",\"corrupt\":\"a\",\"answers\":[\"on\"]}]",
      "no pair fits this model; the first: " },
    { "clean,corrupted,labels\nthe cat,the dog,52\n", "no column 'correct' or 'correct_idx'" },
    { "clean,corrupted,correct_idx,clean\n", "columns 1 and 4 are both its 'clean'" },
    { "clean,corrupted,correct_idx\nthe cat,the dog\n", "row 2: there are 2 cells, and 3 columns" },
    { "clean,corrupted,correct_idx\nthe cat,the dog,on\n", "row 2: 'correct' is 'on'" },
    { "clean,corrupted,correct_idx\nthe cat,the dog,99999999999999999999\n", "row 2: 'correct'" },
    { "clean,corrupted,correct_idx\n\"the cat,the dog,12\n", "row 2: a quote is not closed" },
    { "clean,corrupted,correct_idx\n\"the\" cat,the dog,12\n", "text behind a closed quote" },
    { "clean,corrupted,correct_idx\nthe \xff,the dog,12\n", "row 2: 'clean' is not UTF-8" },
    { "clean,corrupted,correct_idx\n", "there are no pairs" },
    { "clean,corrupted,correct_idx\nthe cat,the dog,77777\n", "no pair fits" },
    { "[{\"clean\":\"\xff\",\"corrupt\":\"a\",\"answers\":[\"on\"]}]", "byte 0xff" },
};

TEST("a file of pairs that is none is refused, with what was found where")
{
    model *m = demo();
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        pairs *p = NULL;
        error err = { 0 };
        CHECK(pairs_read(&p, m, test_text("pairs", WRONG[i][0]), &(pairs_how){ 0 }, &err) && !p);
        if (!strstr(err.msg, WRONG[i][1])) printf("  %zu: %s\n", i, err.msg);
        CHECK(strstr(err.msg, WRONG[i][1]));
    }
    pairs *p = NULL;
    error err = { 0 };
    CHECK(pairs_read(&p, m, test_file("nul", "clean,\0\n", 8), &(pairs_how){ 0 }, &err) ==
          E_FORMAT);
    CHECK(strstr(err.msg, "NUL"));
    model_free(m);
}

TEST("a cut file of pairs is an error or the pairs before the cut, and a huge line is one")
{
    model *m = demo();
    pairs *ours = pairs_of(m, OURS, 0);
    for (int i = 0; i < N_FORM; i++)
        for (size_t n = 0; n < strlen(FORMS[i]); n += 5) {
            pairs *p = NULL;
            error err = { 0 };
            status st = pairs_read(&p, m, test_file("cut", FORMS[i], n), &(pairs_how){ 0 }, &err);
            CHECK(st ? *err.msg && !p : p->n >= 1 && p->n <= 2);
            if (!st) CHECK(same_prompt(p->clean[0], ours->clean[0]));
            pairs_free(p);
        }
    pairs_free(ours);
    str s = { 0 };
    str_puts(&s, "clean,corrupt,correct\n\"");
    for (int i = 0; i < 300000; i++) str_puts(&s, "the ");
    str_puts(&s, "cat\",the dog,on\n");
    pairs *p = NULL;
    error err = { 0 };
    CHECK(pairs_read(&p, m, test_file("huge", s.p, s.n), &(pairs_how){ 0 }, &err) == E_LIMIT);
    CHECK(strstr(err.msg, "row 2: a cell of over a MiB"));
    str_release(&s);
    model_free(m);
}

/* Counted with Hugging Face's tokenizers: equally many tokens, answers of one token that differ. */
TEST("pairs of AutoCircuit, EAP and the feature circuits with GPT-2's tokenizer: as many as fit")
{
    static const struct {
        const char *file;
        int n, n_left_out;
        const char *note;
    } of[] = {
        { "data-circuits-autocircuit/ioi/ioi_prompts.json", 1000, 0, "" },
        { "data-circuits-autocircuit/docstring_prompts.json", 1000, 0, "12000 further" },
        { "data-circuits-autocircuit/greaterthan_gpt2-small_prompts.json", 1000, 0,
          "98000 further" },
        { "data-circuits-autocircuit/sports-players/"
          "sports_players_pythia-410m-deduped_prompts.json",
          25, 26, "51 further" },
        { "data-subject-verb-agreement/nounpp_test.json", 414, 66, "" },
        { "data-subject-verb-agreement/simple_train.json", 413, 67, "" },
        { "data-eap-ig/ioi_llama.csv", 313, 186, "token ids" },
    };
    model *m = NULL;
    const char *dir = shared_path("data/fixture-hf-tiny/fake_gpt2");
    if (!dir || model_open(&m, dir, NULL, NULL)) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char path[300], left[80];
        pairs *p = NULL;
        snprintf(path, sizeof path, "data/%s", of[i].file);
        snprintf(left, sizeof left, "%d of %d pairs are left out", of[i].n_left_out,
                 of[i].n + of[i].n_left_out);
        REQUIRE(!pairs_read(&p, m, shared_path(path), &(pairs_how){ 0 }, NULL));
        if (p->n != of[i].n) printf("  %s: %d pairs\n", of[i].file, p->n);
        CHECK(p->n == of[i].n && strstr(p->note, of[i].note));
        CHECK(!of[i].n_left_out == !strstr(p->note, left));
        pairs_free(p);
    }
    model_free(m);
}

/* ---- instruments ---- */

static const param *param_of(const instrument_def *d, const char *name)
{
    const param *p;
    for (int i = 0; (p = instrument_param(d, i)); i++)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}

static const char *more_for(const char *instrument)
{
    static const char *const more[][2] = {
        { "patch", ",\"what\":\"resid_pre\"" },
        { "path", ",\"senders\":\"head\"" },
        { "interact", ",\"components\":\"head\",\"layer\":\"0\"" },
        { "direction", ",\"method\":\"mean\",\"site\":\"embed\",\"test\":0.5,\"draws\":1" },
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (!strcmp(more[i][0], instrument)) return more[i][1];
    return "";
}

static container *looked_at(const char *instrument, const char *file, int limit)
{
    char request[1500];
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"pairs\":\"%s\",\"limit\":%d%s}", file, limit,
             more_for(instrument));
    mt_report *r = ran(instrument, request);
    REQUIRE(r);
    container *c = tensors_in(r);
    mt_report_free(r);
    return c;
}

static void check_same_tensors(const container *a, const container *b)
{
    int n = container_count(a);
    CHECK(n == container_count(b) && n > 0);
    for (int i = 0; i < n; i++) {
        const tensor_view *x = container_at(a, i), *y = container_find(b, x->name);
        bool same = y && x->bytes == y->bytes && !memcmp(x->data, y->data, x->bytes);
        if (!same) printf("  %s differs\n", x->name);
        CHECK(same);
    }
}

TEST("every instrument that takes pairs takes every form of them, and a limit")
{
    int n = 0;
    for (int k = 0; instrument_all[k]; k++) {
        const instrument_def *d = instrument_all[k];
        const param *limit = param_of(d, "limit");
        if (!param_of(d, "pairs")) continue;
        REQUIRE(limit && limit->kind->type == VALUE_INT && limit->kind->least == 0);
        if (!strcmp(d->name, "neurons")) continue;  /* the demo has no MLP */
        bool split = !strcmp(d->name, "direction"); /* one pair cannot be held out */
        container *ours = looked_at(d->name, test_text("ours", OURS), 2);
        for (int i = 1; i < N_FORM; i++) {
            container *other = looked_at(d->name, test_text("other", FORMS[i]), 0);
            check_same_tensors(other, ours);
            container_free(other);
        }
        container_free(ours);
        refuses(d->name, "{\"model\":\"demo:induction\",\"pairs\":\"none\",\"limit\":-1}", "limit");
        if (split) continue;
        ours = looked_at(d->name, test_text("ours", OURS), 1);
        container *other = looked_at(d->name, test_text("other", FORMS[3]), 1);
        check_same_tensors(other, ours);
        container_free(ours), container_free(other);
        n++;
    }
    CHECK(n >= 8);
}
TEST("the two prompts of a pair may differ in length where they are not laid side by side")
{
    static const char both[] =
        "{\"prompts\":[{\"clean\":\"the cat sat\",\"corrupt\":\"dog sat\",\"answers\":[\"on\"]},"
        "{\"clean\":\"a dog\",\"corrupt\":\"a cat\",\"answers\":[\"ran\"]}]}";
    static const struct {
        const char *instrument, *more;
        bool both;
    } of[] = {
        { "lens", "", true },
        { "dla", "", true },
        { "direction", ",\"method\":\"mean\",\"site\":\"embed\",\"test\":0.5,\"draws\":1", true },
        { "compare", ",\"align\":\"end\"", true },
        { "compare", "", false },
        { "patch", "", false },
    };
    const char *file = test_text("ragged", both);
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char request[1500];
        snprintf(request, sizeof request, "{\"model\":\"demo:induction\",\"pairs\":\"%s\"%s}", file,
                 of[i].more);
        mt_report *r = ran(of[i].instrument, request);
        REQUIRE(r);
        char *text = mt_report_render(r, "text", 400, false, NULL);
        CHECK(text && !strstr(text, "1 of 2 pairs are left") == of[i].both);
        mt_text_free(text);
        mt_report_free(r);
    }
}

TEST("what says nothing beside the pairs, or without them, is refused by name")
{
    for (int k = 0; instrument_all[k]; k++) {
        const instrument_def *d = instrument_all[k];
        bool duel = param_of(d, "clean") != NULL;
        if (!param_of(d, "pairs") || !strcmp(d->name, "neurons")) continue;
        refuses(d->name,
                duel ? "{\"model\":\"demo:induction\",\"clean\":\"the\",\"corrupt\":\"a\","
                       "\"answer\":\"on\",\"limit\":2}"
                : strcmp(d->name, "direction")
                    ? "{\"model\":\"demo:induction\",\"prompt\":[\"the\",\"a\"],\"limit\":2}"
                    : "{\"model\":\"demo:induction\",\"data\":\"x\",\"limit\":2}",
                "--limit says something of --pairs");
        if (!duel) continue;
        refuses(d->name, "{\"model\":\"demo:induction\",\"pairs\":\"none\",\"wrong\":\"on\"}",
                "both --pairs and --wrong");
    }
    refuses("ablate", "{\"model\":\"demo:induction\",\"prompt\":[\"the\"],\"answer\":\"on\"}",
            "both --prompt and --answer");
    refuses("direction", "{\"model\":\"demo:induction\",\"pairs\":\"x\",\"group\":\"who\"}",
            "--group says something of --data");
    refuses("trace",
            "{\"model\":\"demo:induction\",\"prompt\":\"the\",\"subject\":\"the\","
            "\"limit\":2}",
            "--limit says something of --facts");
}
/* SPDX-License-Identifier: MIT */
