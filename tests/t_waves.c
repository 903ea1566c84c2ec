/* t_waves -- what sweeps share: cells of all pairs in waves, whatever the memory and the order; what they would cost;
 * stopping when the time is over; running for ever. */
#define TEST_FILE t_waves
#include "test.h"
#include "base/json.h"
#include "base/mem.h"
#include "include/microtome.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const clean[] = { "the cat sat on the cat", "the old horse ran near the old",
                                     "Mary took a red book and then Mary" };
static const char *const corrupt[] = { "the dog sat on the cat", "the young horse ran near the old",
                                       "John took a red book and then Mary" };
static const char *const right[] = { "sat", "horse", "took" }, *const wrong[] = { "ran", "mouse",
                                                                                  "gave" };
enum { N_PAIR = 3 };

static const char all_kinds[] =
    ",\"direction\":\"both\",\"what\":\"resid_pre,head_out_by_pos,pattern_all_pos,ablate\"";

/* Patching of `n` of the pairs from `first` on; `what` and `more` go into the request. */
static mt_status patch(mt_report **r, int first, int n, const char *what, const char *more)
{
    char path[1200], request[1600];
    mt_error err = { 0 };
    json_t *v = json_object(), *list[4];
    static const char *const key[] = { "clean", "corrupt", "correct", "wrong" };
    const char *const *const text[] = { clean, corrupt, right, wrong };
    for (int k = 0; k < 4; k++) {
        list[k] = json_array();
        for (int i = first; i < first + n; i++)
            json_array_append_new(list[k], json_string(text[k][i]));
        json_object_set_new(v, key[k], list[k]);
    }
    snprintf(path, sizeof path, "%s/waves.json", test_dir());
    REQUIRE(json_dump_file(v, path, 0) == 0);
    json_decref(v);
    snprintf(request, sizeof request, "{\"model\":\"demo:induction\",\"pairs\":\"%s\"%s%s}", path,
             what, more);
    mt_status st = mt_run(r, "patch", request, NULL, NULL, &err);
    if (st && st != MT_INTERRUPTED) printf("  patch %s: %s\n", request, err.message);
    return st;
}

static mt_status sweep(mt_report **r, int first, int n, const char *more)
{
    return patch(r, first, n, all_kinds, more);
}

static json_t *json_of(const mt_report *r)
{
    char *text = mt_report_render(r, "json", 80, false, NULL);
    json_t *v = text ? json_loads(text, 0, NULL) : NULL;
    mt_text_free(text);
    REQUIRE(v);
    return v;
}

static json_t *data_of(json_t *v, const char *tensor)
{
    return json_object_get(json_object_get(json_object_get(v, "tensors"), tensor), "data");
}

TEST("a sweep's bits do not depend on memory, on the order, on threads or kernels")
{
    static const char *const how[] = {
        ",\"memory\":1",          ",\"order\":\"coarse\"",
        ",\"threads\":1",         ",\"order\":\"coarse\",\"memory\":1",
        ",\"backend\":\"plain\"", ",\"seconds\":1000"
    };
    mt_report *one = NULL, *r = NULL;
    REQUIRE(sweep(&one, 0, N_PAIR, "") == 0);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        REQUIRE(sweep(&r, 0, N_PAIR, how[i]) == 0);
        CHECK(!strcmp(mt_report_hash(r), mt_report_hash(one)));
        mt_report_free(r);
    }
    mt_report_free(one);
}

TEST("pairs of different length that are swept together give what each gives alone")
{
    static const char *const name[] = { "denoise.resid_pre", "noise.head_out_by_pos",
                                        "ablate.zero.head", "noise.pattern_all_pos" };
    mt_report *r = NULL;
    int n_same = 0;
    REQUIRE(sweep(&r, 0, N_PAIR, "") == 0);
    json_t *all = json_of(r);
    mt_report_free(r);
    for (int i = 0; i < N_PAIR; i++) {
        REQUIRE(sweep(&r, i, 1, "") == 0);
        json_t *alone = json_of(r);
        for (size_t k = 0; k < sizeof name / sizeof *name; k++) {
            /* the longest prompt has every position: the others' cells are found by what they hold */
            json_t *x = data_of(alone, name[k]), *y = data_of(all, name[k]);
            REQUIRE(json_is_array(x) && json_is_array(y));
            bool as_long = json_array_size(x) * N_PAIR == json_array_size(y);
            for (size_t c = 0; as_long && c < json_array_size(x); c++) {
                json_t *a = json_array_get(x, c), *b = json_array_get(y, c * N_PAIR + (size_t)i);
                CHECK(json_equal(a, b));
                n_same += json_is_number(a);
            }
        }
        json_decref(alone), mt_report_free(r);
    }
    CHECK(n_same > 100);
    json_decref(all);
}

/* ---- what it would cost ---- */

/* A whole number of the table "plan": of the sweep, or of whole runs. */
static double planned(json_t *v, const char *what, int column)
{
    size_t k;
    json_t *row, *table = json_object_get(json_object_get(v, "tables"), "plan");
    json_array_foreach(json_object_get(table, "rows"), k, row)
    {
        if (!strcmp(json_string_value(json_array_get(row, 0)), what))
            return (double)json_integer_value(json_array_get(row, (size_t)column));
    }
    return (double)NAN;
}

TEST("--plan counts the forks that the sweep then makes, and sweeps nothing")
{
    mt_report *r = NULL;
    REQUIRE(sweep(&r, 0, N_PAIR, ",\"plan\":true") == 0);
    json_t *plan = json_of(r);
    mt_report_free(r);
    CHECK(!data_of(plan, "denoise.resid_pre"));
    REQUIRE(sweep(&r, 0, N_PAIR, "") == 0);
    json_t *done = json_of(r);
    mt_report_free(r);
    json_t *machine = json_object_get(json_object_get(done, "certificate"), "machine");
    json_t *forks = json_object_get(machine, "forks");
    CHECK(json_number_value(forks) == planned(plan, "forks", 1));
    CHECK(planned(plan, "forks", 1) > 300);
    double most = planned(plan, "multiply-adds, at most", 1);
    CHECK(most < planned(plan, "multiply-adds, at most", 2) / 2);
    CHECK(planned(plan, "less what turns out equal, about", 1) > 0);
    CHECK(planned(plan, "less what turns out equal, about", 1) <= most);
    CHECK(planned(plan, "bytes of the largest wave", 1) > 0);
    json_t *seconds = json_object_get(json_object_get(plan, "tables"), "seconds, about"),
           *row = json_array_get(json_object_get(seconds, "rows"), 0);
    CHECK(json_real_value(json_array_get(row, 0)) > 0);
    CHECK(json_real_value(json_array_get(row, 1)) > json_real_value(json_array_get(row, 0)));
    json_decref(plan), json_decref(done);
}

/* ---- stopping ---- */

TEST("a sweep whose time is over keeps what is done, as it is without an end, and says what is not")
{
    mt_report *r = NULL, *all = NULL;
    REQUIRE(sweep(&all, 0, N_PAIR, "") == 0);
    REQUIRE(sweep(&r, 0, N_PAIR, ",\"seconds\":1e-9,\"order\":\"coarse\"") == MT_INTERRUPTED);
    json_t *part = json_of(r), *whole = json_of(all);
    int n_done = 0, n_open = 0;
    CHECK(json_is_false(json_object_get(part, "complete")));
    json_t *x = data_of(part, "denoise.resid_pre"), *y = data_of(whole, "denoise.resid_pre");
    REQUIRE(json_array_size(x) && json_array_size(x) == json_array_size(y));
    for (size_t i = 0; i < json_array_size(x); i++) {
        json_t *a = json_array_get(x, i), *b = json_array_get(y, i);
        n_done += json_is_number(a), n_open += !json_is_number(a) && json_is_number(b);
        CHECK(!json_is_number(a) || json_equal(a, b));
    }
    CHECK(n_done > 0 && n_open > 0);
    json_decref(part), json_decref(whole);
    mt_report_free(r), mt_report_free(all);
}

TEST("an order that there is not, and a time below nothing, are refused")
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    static const char *const more[][2] = { { "\"order\":\"fine\"", "depth or coarse" },
                                           { "\"seconds\":-1", "expected 0 or more" } };
    for (int i = 0; i < 2; i++) {
        char request[300];
        snprintf(request, sizeof request,
                 "{\"model\":\"demo:induction\",\"clean\":\"the cat\",\"corrupt\":\"the dog\","
                 "\"answer\":\"sat\",%s}",
                 more[i][0]);
        CHECK(mt_run(&r, "patch", request, NULL, NULL, &err) && strstr(err.message, more[i][1]));
    }
}

/* ---- for ever ---- */

/* Pages of this process in memory. */
static long resident(void)
{
    long size = 0, here = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &size, &here) != 2) here = 0;
    if (f) fclose(f);
    return here;
}

TEST("sweeps without number leave no memory behind (--soak: 10,000)")
{
    int n = test_soak ? 10000 : 12;
    int64_t live = 0, blocks = 0;
    long pages = 0;
    for (int i = 0; i < n; i++) {
        mt_report *r = NULL;
        REQUIRE(patch(&r, i % N_PAIR, 1, "", i % 2 ? ",\"memory\":1" : "") == 0);
        mt_report_free(r);
        if (i == 5) live = mem_state.live_bytes, blocks = mem_state.n_live;
        if (i == n / 10) pages = resident();
    }
    CHECK(mem_state.live_bytes == live && mem_state.n_live == blocks);
    if (test_soak) printf("  %ld pages after a tenth, %ld at the end\n", pages, resident());
    if (test_soak) CHECK(resident() < pages + pages / 10 + 512);
}
/* SPDX-License-Identifier: MIT */
