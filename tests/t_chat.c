/* t_chat -- a template writes what Jinja 2 writes; what is not run is refused by name; every template ends. */
#define TEST_FILE t_chat
#include "test.h"
#include "base/file.h"
#include "chat/chat.h"
#include <stdio.h>
#include <string.h>

static status render(const char *template, const json_t *messages, bool generate, str *out,
                     error *err)
{
    chat *c = NULL;
    json_t *special = json_pack("{s:s,s:s}", "bos_token", "<s>", "eos_token", "</s>");
    *err = (error){ 0 };
    status st = chat_from_text(&c, template, strlen(template), special, "template", err);
    if (st == E_OK) st = chat_render(c, messages, generate, out, err);
    chat_free(c);
    json_decref(special);
    return st;
}

static void one(size_t i, const json_t *v)
{
    str out = { 0 };
    error err = { 0 };
    const json_t *want = json_object_get(v, "text");
    const char *template = json_string_value(json_object_get(v, "template"));
    status st = render(template, json_object_get(v, "messages"),
                       json_is_true(json_object_get(v, "generate")), &out, &err);
    bool right = json_is_null(want)
                     ? st != E_OK && err.msg[0]
                     : st == E_OK && out.n == json_string_length(want) &&
                           (!out.n || !memcmp(out.p, json_string_value(want), out.n));
    if (!right)
        printf("  case %zu: %s\n--- got %s\n%s\n--- want\n%s\n", i, template, err.msg,
               out.p ? out.p : "", json_is_null(want) ? "(refused)" : json_string_value(want));
    CHECK(right);
    str_release(&out);
}

TEST("a template writes what Jinja 2 writes, on every stored case")
{
    json_t *cases = NULL, *v;
    size_t i;
    REQUIRE(json_open(&cases, SOURCE_ROOT "/tests/chat_cases.json", 1 << 24, NULL) == E_OK);
    CHECK(json_array_size(cases) >= 70);
    json_array_foreach(cases, i, v) one(i, v);
    json_decref(cases);
}

/* The status of a template with one message, and its message. */
static status with(const char *template, error *err)
{
    json_t *messages = json_pack("[{s:s,s:s}]", "role", "user", "content", "hi");
    str out = { 0 };
    status st = render(template, messages, false, &out, err);
    json_decref(messages);
    str_release(&out);
    return st;
}

TEST("what of Jinja is not run is refused by its name and line, before anything is written")
{
    static const struct {
        const char *template, *name;
    } cases[] = { { "\n{% include 'x' %}", "line 2: the tag 'include'" },
                  { "{{ 'a'|wordwrap }}", "wordwrap" },
                  { "{{ 1 is escaped }}", "escaped" },
                  { "{{ strftime_now('%d') }}", "strftime_now" },
                  { "{{ 'a'.encode() }}", "encode" },
                  { "{{ cycler(1) }}", "cycler" },
                  { "{% for x in [1] recursive %}{% endfor %}", "recursive" },
                  { "{{ 1 < 2 < 3 }}", "chain" },
                  { "{{ '\xc3\xa9'|upper }}", "not ASCII" } };
    error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(with(cases[i].template, &err) == E_UNSUPPORTED);
        CHECK(strstr(err.msg, cases[i].name));
    }
}

TEST("a template that is wrong is refused with its line and what was expected")
{
    static const struct {
        const char *template, *says;
    } cases[] = { { "\n\n{{ 1 +", "line 3" },
                  { "{% if x %}", "expected 'endif'" },
                  { "{% endif %}", "closes nothing" },
                  { "{{ 'a }}", "string does not end" },
                  { "{# a", "comment does not end" },
                  { "{{ a b }}", "expected '}}'" },
                  { "{{ [1, 2 }}", "expected ']'" },
                  { "{% break %}", "outside a loop" },
                  { "{{ a.x.y }}", "'a' is undefined" },
                  { "{% set messages.x = 1 %}", "no namespace" },
                  { "{{ 1 + 'a' }}", "between int and str" } };
    error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(with(cases[i].template, &err) == E_FORMAT);
        CHECK(strstr(err.msg, cases[i].says));
    }
}

TEST("every template ends, in bounded time, depth and memory")
{
    static const char *const cases[] = {
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ "
        "------------------------------------------------------------------------------------------"
        "------------------------------------------------------------------------------------------"
        "f() }}{% endmacro %}{{ f() }}",
        "{% set n = namespace(x='abcdefgh') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% "
        "endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor "
        "%}",
        "{% set n = namespace(x=[1]) %}{% for i in range(50) %}{% set n.x = [n.x, n.x] %}{% endfor "
        "%}{{ n.x }}",
        "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}"
        "{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}{{ n.x == n.y }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
        "{{ range(1000000) }}",
    };
    error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        status st = with(cases[i], &err);
        CHECK(st == E_LIMIT || st == E_NOMEM);
    }
    char deep[4000];
    memset(deep, '(', sizeof deep);
    memcpy(deep, "{{", 2), memcpy(deep + sizeof deep - 4, " }}", 4);
    CHECK(with(deep, &err) == E_LIMIT);
    memset(deep + 3, '-', sizeof deep - 7);
    CHECK(with(deep, &err) == E_LIMIT);
}

TEST("the template of a directory is found, with the names of its special tokens")
{
    char path[1100];
    chat *c = NULL;
    str out = { 0 };
    json_t *messages = NULL;
    static const char config[] =
        "{\"bos_token\":{\"content\":\"<b>\"},\"chat_template\":[{\"name\":\"tool_use\","
        "\"template\":\"no\"},{\"name\":\"default\",\"template\":\"{{ bos_token }}{{ "
        "messages[0].content }}\"}]}";
    REQUIRE(chat_open(&c, test_dir(), NULL) == E_OK && !c);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", test_dir());
    REQUIRE(file_write(path, config, sizeof config - 1, NULL) == E_OK);
    REQUIRE(chat_messages(&messages, "hello", NULL) == E_OK);
    REQUIRE(chat_open(&c, path, NULL) == E_OK && c);
    CHECK(chat_render(c, messages, true, &out, NULL) == E_OK && !strcmp(out.p, "<b>hello"));
    chat_free(c);
    out.n = 0;
    snprintf(path, sizeof path, "%s/chat_template.jinja", test_dir());
    REQUIRE(file_write(path, "J{{ bos_token }}", 16, NULL) == E_OK);
    REQUIRE(chat_open(&c, test_dir(), NULL) == E_OK && c);
    CHECK(chat_render(c, messages, true, &out, NULL) == E_OK && !strcmp(out.p, "J<b>"));
    chat_free(c);
    json_decref(messages);
    str_release(&out);
}

TEST("allocation failing at any call while a template is read and run leaves nothing behind")
{
    static const char text[] =
        "{% set n = namespace(a=[1]) %}{% for m in messages %}{{ m.role|trim "
        "~ n.a }}{% endfor %}{% macro f(x) %}{{ x }}{% endmacro %}{{ f('a') }}";
    json_t *messages = json_pack("[{s:s,s:s}]", "role", "user", "content", "hi");
    for (int64_t n = 0;; n++) {
        chat *c = NULL;
        str out = { 0 };
        error err = { 0 };
        mem_state.fail_at = n;
        status st = chat_from_text(&c, text, sizeof text - 1, NULL, "template", &err);
        if (st == E_OK) st = chat_render(c, messages, true, &out, &err);
        mem_state.fail_at = -1;
        chat_free(c);
        str_release(&out);
        if (st == E_OK) break;
        REQUIRE(st == E_NOMEM);
    }
    json_decref(messages);
}
/* SPDX-License-Identifier: MIT */
