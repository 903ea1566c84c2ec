/* t_param -- what every parameter of every instrument may be, read from the tables that requests are checked against. */
#define TEST_FILE t_param
#include "test.h"
#include "instrument/instrument.h"
#include "include/microtome.h"
#include <stdlib.h>
#include <string.h>

/* A parameter's default as a request would have it; NULL: it has none, or is none that a request is checked for. */
static json_t *default_of(const param *p)
{
    const char *text = p->otherwise;
    if (!text) return NULL;
    switch (p->kind->type) {
    case VALUE_TEXT: return json_string(text);
    case VALUE_INT: return json_integer(strtoll(text, NULL, 10));
    case VALUE_REAL: return json_real(strtod(text, NULL));
    default: return NULL;
    }
}

TEST("every default is a value that its parameter takes")
{
    int n = 0;
    for (int i = 0; instrument_all[i]; i++) {
        const instrument_def *d = instrument_all[i];
        const param *p;
        for (int k = 0; (p = instrument_param(d, k)); k++) {
            json_t *v = default_of(p);
            error err = { 0 };
            if (!v) continue;
            bool fine = param_check(d->name, p, v, &err) == E_OK;
            if (!fine) printf("  %s\n", err.msg);
            CHECK(fine);
            json_decref(v), n++;
        }
    }
    CHECK(n > 100);
}

/* One value that it must not be; NULL: any will do. */
static json_t *wrong_value(const param *p, int which)
{
    const param_kind *k = p->kind;
    if (k->words) return json_string(which ? "" : "no_such_word");
    if (!k->bounded || (which && !(k->most < 1e15))) return NULL;
    if (k->type == VALUE_REAL) return json_real(which ? k->most + 1 : k->least - 1);
    return json_integer((json_int_t)(which ? k->most + 1 : k->least - 1));
}

TEST("what a parameter cannot be is refused by name before any file is opened")
{
    int n = 0;
    for (int i = 0; instrument_all[i]; i++) {
        const instrument_def *d = instrument_all[i];
        const param *p;
        for (int k = 0; k < 2 * 60 && (p = instrument_param(d, k / 2)); k++) {
            json_t *v = wrong_value(p, k % 2);
            char name[100];
            error err = { 0 };
            report *r = NULL;
            bool failed;
            if (!v) continue;
            json_t *request = json_pack("{s:s,s:o}", "model", "/nowhere", p->name, v);
            if (!instrument_param_find(d, "model")) json_object_del(request, "model");
            status st = instrument_run(&r, &failed, d->name, request, NULL, NULL, &err);
            snprintf(name, sizeof name, "%s: %s ", d->name, p->name);
            bool fine = st == E_USAGE && !strncmp(err.msg, name, strlen(name)) && err.hint[0];
            if (!fine) printf("  %s %s\n", name, err.msg);
            CHECK(fine);
            json_decref(request), n++;
        }
    }
    CHECK(n > 100);
}

static void says(const param_kind *k, const char *value, const char *msg, const char *hint)
{
    param p = { "what", k, NULL, "which parts", ROLE_WHAT };
    json_t *v = json_string(value);
    error err = { 0 };
    bool fine =
        param_check("x", &p, v, &err) == E_USAGE && strstr(err.msg, msg) && strstr(err.hint, hint);
    if (!fine) printf("  '%s': %s (%s)\n", value, err.msg, err.hint);
    CHECK(fine);
    json_decref(v);
}

TEST("a list of words names some of them, each once; one word is one of them, and the nearest is "
     "told")
{
    static const param_kind some = { VALUE_TEXT, .words = "head attn mlp", .several = true },
                            one = { VALUE_TEXT, .words = "depth coarse" };
    param p = { "what", &some, NULL, "which parts", ROLE_WHAT };
    static const char *const good[] = { "head", "mlp,head", "head attn, mlp", ",attn," };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_t *v = json_string(good[i]);
        CHECK(param_check("x", &p, v, NULL) == E_OK);
        json_decref(v);
    }
    says(&some, "head,hed", "x: what is 'hed', expected one or more of head, attn or mlp",
         "did you mean 'head'?");
    says(&some, "neurons", "what is 'neurons'", "what: which parts");
    says(&some, "mlp,head,mlp", "what names mlp twice", "which parts");
    says(&some, " ,", "what names nothing, expected one or more of head, attn or mlp", "");
    says(&one, "depth,coarse", "what is 'depth,coarse', expected depth or coarse", "");
    says(&one, "dept", "what is 'dept'", "did you mean 'depth'?");
    says(&one, "", "what is ''", "");
    char longest[300];
    memset(longest, 'h', sizeof longest - 1), longest[sizeof longest - 1] = 0;
    says(&some, longest, "what is 'hhhh", "");
    says(&one, longest, "what is 'hhhh", "");
}

/* What mt_describe says of a parameter, borrowed from `all`. */
static const json_t *described(const json_t *all, const char *instrument, const char *name)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *d = json_array_get(all, i), *params = json_object_get(d, "params");
        if (strcmp(json_string_value(json_object_get(d, "name")), instrument) != 0) continue;
        for (size_t k = 0; k < json_array_size(params); k++) {
            const json_t *p = json_array_get(params, k);
            if (!strcmp(json_string_value(json_object_get(p, "name")), name)) return p;
        }
    }
    return NULL;
}

TEST("a description says bounds and words, for faces that ask")
{
    char *text = mt_describe();
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    REQUIRE(all);
    const json_t *bos = json_object_get(described(all, "run", "bos"), "one_of"),
                 *how = json_object_get(described(all, "ablate", "how"), "some_of"),
                 *threads = described(all, "run", "threads"), *n = described(all, "run", "n"),
                 *prompt = described(all, "run", "prompt");
    CHECK(json_array_size(bos) == 3 && !strcmp(json_string_value(json_array_get(bos, 2)), "no"));
    CHECK(json_array_size(how) == 4 && !strcmp(json_string_value(json_array_get(how, 1)), "mean"));
    CHECK(json_number_value(json_object_get(threads, "most")) == 1024);
    CHECK(json_object_get(n, "least") && !json_object_get(n, "most"));
    CHECK(prompt && json_object_size(prompt) == 4);
    json_decref(all);
    mt_text_free(text);
}
/* SPDX-License-Identifier: MIT */
