/* tiny -- see tiny.h. */
#include "tiny.h"
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "format/format.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mt_report *ran(const char *instrument, const char *request)
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    if (mt_run(&r, instrument, request, NULL, NULL, &err))
        printf("  %s %s: %s\n", instrument, request, err.message);
    return r;
}

void refuses(const char *instrument, const char *request, const char *says)
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    bool fine =
        mt_run(&r, instrument, request, NULL, NULL, &err) != 0 && !r && strstr(err.message, says);
    if (!fine) printf("  %s %s: %s\n", instrument, request, err.message);
    CHECK(fine);
}

enum { REQUEST = 4096 };

static void write_request(char out[REQUEST], const char *fmt, va_list args)
{
    int n = vsnprintf(out, REQUEST, fmt, args);
    REQUIRE(n >= 0 && n < REQUEST);
}

mt_report *ran_as(const char *instrument, const char *fmt, ...)
{
    char request[REQUEST];
    va_list args;
    va_start(args, fmt);
    write_request(request, fmt, args);
    va_end(args);
    return ran(instrument, request);
}

void refuses_as(const char *instrument, const char *says, const char *fmt, ...)
{
    char request[REQUEST];
    va_list args;
    va_start(args, fmt);
    write_request(request, fmt, args);
    va_end(args);
    refuses(instrument, request, says);
}

bool shows(const mt_report *r, const char *what)
{
    char *text = mt_report_render(r, "text", 100, false, NULL);
    bool there = text && strstr(text, what);
    if (!there) printf("  not in the report: %s\n", what);
    mt_text_free(text);
    return there;
}

void starve(const char *instrument, const char *request) { starve_by(instrument, request, 60, 10); }

void starve_by(const char *instrument, const char *request, int64_t dense, int least)
{
    char hash[80];
    int n_failed = 0;
    mt_report *r = ran(instrument, request);
    REQUIRE(r);
    snprintf(hash, sizeof hash, "%s", mt_report_hash(r));
    mt_report_free(r);
    int64_t live = mem_state.n_live;
    mem_state.each_get = true;
    for (int64_t n = 0;; n += 1 + n / (test_soak ? 2000 : dense)) {
        mt_error err = { 0 };
        r = NULL;
        mem_state.fail_at = n;
        mt_status st = mt_run(&r, instrument, request, NULL, NULL, &err);
        bool fired = mem_state.fail_at < 0;
        mem_state.fail_at = -1;
        bool fine = st ? st == E_NOMEM && err.message[0] : !strcmp(mt_report_hash(r), hash);
        if (!fine) printf("  %s, call %lld: %d %s\n", instrument, (long long)n, st, err.message);
        CHECK(fine);
        n_failed += st != 0;
        mt_report_free(r);
        CHECK(mem_state.n_live == live);
        if (!fired) break;
    }
    mem_state.each_get = false;
    CHECK(n_failed > least);
}

container *tensors_in(const mt_report *r)
{
    char path[1200];
    static int n;
    container *c = NULL;
    snprintf(path, sizeof path, "%s/report%d.npz", test_dir(), n++);
    REQUIRE(r && mt_report_write_tensors(r, path, NULL) == 0);
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    return c;
}

static double *doubles(const tensor_view *t, int64_t *n)
{
    *n = tensor_count(t);
    double *v = malloc((size_t)(*n + 1) * sizeof *v);
    if (v) tensor_values(t, 0, *n, v);
    return v;
}

double *values_of(const container *c, const char *name, int64_t *n)
{
    const tensor_view *t = container_find(c, name);
    if (!t) printf("  there is no tensor %s\n", name);
    double *v = t ? doubles(t, n) : NULL;
    REQUIRE(v);
    return v;
}

double value_at(const tensor_view *t, int64_t i)
{
    double x;
    tensor_values(t, i, 1, &x);
    return x;
}

double *tensor_of(const mt_report *r, const char *name, int64_t *n)
{
    container *c = tensors_in(r);
    const tensor_view *t = container_find(c, name);
    if (!t) printf("  there is no tensor %s\n", name);
    double *v = t ? doubles(t, n) : NULL;
    container_free(c);
    return v;
}

double number_of(const mt_report *r, const char *name, int64_t at)
{
    int64_t n = 0;
    double *v = tensor_of(r, name, &n);
    REQUIRE(v && at < n);
    double x = v[at];
    free(v);
    return x;
}

void write_json(const char *path, json_t *own_v)
{
    str text = { 0 };
    json_write(&text, own_v, 0);
    REQUIRE(!text.failed && file_write(path, text.p, text.n, NULL) == E_OK);
    str_release(&text);
    json_decref(own_v);
}

bool tiny_open(tiny *t)
{
    static const char *const lists[] = { "clean", "corrupt", "correct", "wrong" };
    char path[1100];
    json_t *all = NULL, *one = json_object();
    const char *dir = shared_path("goldens/methods/tl-patching-gpt2");
    if (!dir) {
        json_decref(one);
        return false;
    }
    snprintf(t->dir, sizeof t->dir, "%s", dir);
    snprintf(path, sizeof path, "%s/prompts.json", dir);
    REQUIRE(json_open(&all, path, 1 << 20, NULL) == E_OK);
    for (int i = 0; i < 4; i++) {
        json_t *list = json_array();
        json_array_append(list, json_array_get(json_object_get(all, lists[i]), 0));
        json_object_set_new(one, lists[i], list);
    }
    json_t *clean = json_array_get(json_object_get(one, "clean"), 0);
    json_t *both = json_pack("[O,O]", clean, json_array_get(json_object_get(one, "corrupt"), 0));
    json_t *reference = json_object_get(all, "ablation_reference_set");
    t->len = json_array_size(clean);
    t->correct = json_integer_value(json_array_get(json_object_get(one, "correct"), 0));
    t->wrong = json_integer_value(json_array_get(json_object_get(one, "wrong"), 0));
    json_object_set(one, "ablation_reference_set", reference);
    snprintf(t->pairs, sizeof t->pairs, "%s/pairs.json", test_dir());
    snprintf(t->reference, sizeof t->reference, "%s/reference.json", test_dir());
    snprintf(t->tokens, sizeof t->tokens, "%s/tokens.json", test_dir());
    write_json(t->tokens, both);
    write_json(t->reference, json_incref(reference));
    write_json(t->pairs, one);
    json_decref(all);
    return true;
}

double *by_hand(const tiny *t, int which, const char *edits)
{
    char request[3000];
    int64_t n = 0;
    snprintf(request, sizeof request,
             "{\"model\":\"%s\",\"tokens\":\"%s\",\"edit\":[%s],\"no_fuse\":true}", t->dir,
             t->tokens, edits);
    mt_report *r = ran("run", request);
    double *v = tensor_of(r, *edits ? "logits_edited" : "logits", &n);
    REQUIRE(v && n == 2 * 83);
    memmove(v, v + which * 83, 83 * sizeof *v);
    mt_report_free(r);
    return v;
}

double diff_by_hand(const tiny *t, int which, const char *edits)
{
    double *v = by_hand(t, which, edits);
    float d = (float)v[t->correct] - (float)v[t->wrong];
    free(v);
    return (double)d;
}
/* SPDX-License-Identifier: MIT */
