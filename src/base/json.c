/* json -- see json.h. */
#include "base/json.h"
#include "base/file.h"
#include <math.h>
#include <string.h>

/* Jansson frees without telling a size, so each block remembers its own. */
enum { HEAD = 64 };

/* Jansson's lexer asserts when it runs out of memory, so tests do not make its allocations fail. */
static void *take(size_t n)
{
    int64_t fail_at = mem_state.fail_at;
    mem_state.fail_at = -1;
    char *p = n > SIZE_MAX - HEAD ? NULL : mem_resize(NULL, 0, n + HEAD);
    mem_state.fail_at = fail_at;
    if (!p) return NULL;
    memcpy(p, &n, sizeof n);
    return p + HEAD;
}

static void give(void *q)
{
    size_t n;
    if (!q) return;
    memcpy(&n, (char *)q - HEAD, sizeof n);
    mem_free((char *)q - HEAD, n + HEAD);
}

/* Before main(): a value made with one pair of functions must not be freed with another. */
__attribute__((constructor)) static void json_begin(void)
{
    json_object_seed(1); /* the same order of buckets in every run */
    json_set_alloc_funcs(take, give);
}

static status parse_error(const json_error_t *e, const char *name, error *err)
{
    if (json_error_code(e) == json_error_out_of_memory)
        return error_set(err, E_NOMEM, "%s: out of memory", name);
    return error_set(err, E_FORMAT, "%s: line %d, column %d: %s", name, e->line, e->column,
                     e->text);
}

static bool is_blank(const char *p, size_t n)
{
    while (n && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++, n--;
    return n == 0;
}

static status load(json_t **out, const char *text, size_t n, const char *name, size_t flags,
                   error *err)
{
    json_error_t e;
    if (is_blank(text, n))
        return error_set(err, E_FORMAT, "%s: empty, where JSON is expected", name);
    json_t *v = json_loadb(n ? text : "", n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &e);
    if (!v) return parse_error(&e, name, err);
    *out = v;
    return E_OK;
}

status json_parse(json_t **out, const char *text, size_t n, const char *name, error *err)
{
    return load(out, text, n, name, 0, err);
}

status json_parse_bytes(json_t **out, const char *text, size_t n, const char *name, error *err)
{
    return load(out, text, n, name, JSON_ALLOW_NUL, err);
}

status json_open(json_t **out, const char *path, size_t max_bytes, error *err)
{
    str s = { 0 };
    status st = file_read(&s, path, max_bytes, err);
    if (st == E_OK) st = json_parse(out, s.p, s.n, path, err);
    str_release(&s);
    return st;
}

const char *json_kind(const json_t *v)
{
    static const char *const kind[] = { "an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null" };
    return v ? kind[json_typeof(v)] : "nothing";
}

static status wrong(const json_t *v, const char *key, const char *expected, error *err)
{
    return error_set(err, E_FORMAT, "'%s' is %s, expected %s", key, json_kind(v), expected);
}

/* NULL where the key is absent or null. */
static const json_t *at(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_null(v) ? NULL : v;
}

status json_int(const json_t *obj, const char *key, int64_t otherwise, int64_t *out, error *err)
{
    const json_t *v = at(obj, key);
    if (!v) *out = otherwise;
    else if (json_is_integer(v)) *out = json_integer_value(v);
    else if (json_is_real(v) && rint(json_real_value(v)) == json_real_value(v) &&
             fabs(json_real_value(v)) < 0x1p53)
        *out = (int64_t)json_real_value(v);
    else return wrong(v, key, "a whole number", err);
    return E_OK;
}

status json_number(const json_t *obj, const char *key, double otherwise, double *out, error *err)
{
    const json_t *v = at(obj, key);
    if (v && !json_is_number(v)) return wrong(v, key, "a number", err);
    *out = v ? json_number_value(v) : otherwise;
    return E_OK;
}

status json_flag(const json_t *obj, const char *key, bool otherwise, bool *out, error *err)
{
    const json_t *v = at(obj, key);
    if (v && !json_is_boolean(v)) return wrong(v, key, "true or false", err);
    *out = v ? json_is_true(v) : otherwise;
    return E_OK;
}

status json_text(const json_t *obj, const char *key, const char *otherwise, const char **out,
                 error *err)
{
    const json_t *v = at(obj, key);
    if (v && !json_is_string(v)) return wrong(v, key, "a string", err);
    *out = v ? json_string_value(v) : otherwise;
    return E_OK;
}

/* ---- writing ---- */

static int put(const char *bytes, size_t n, void *s)
{
    str_add(s, bytes, n);
    return ((str *)s)->failed ? -1 : 0;
}

static void dump(str *s, const json_t *v, size_t flags)
{
    if (json_dump_callback(v, put, s, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)))
        s->failed = true;
}

void json_write(str *s, const json_t *v, int indent)
{
    dump(s, v, indent ? JSON_INDENT((size_t)indent) : 0);
}

void json_canonical(str *s, const json_t *v) { dump(s, v, JSON_COMPACT | JSON_SORT_KEYS); }
/* SPDX-License-Identifier: MIT */
