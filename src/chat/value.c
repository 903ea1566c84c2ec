/* value -- see value.h. */
#include "chat/value.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NESTED = 64, MAX_WRITTEN = 64 << 20 };

value value_bool(bool b) { return (value){ .kind = VALUE_BOOL, .i = b }; }
value value_int(int64_t i) { return (value){ .kind = VALUE_INT, .i = i }; }
value value_none(void) { return (value){ .kind = VALUE_NONE }; }

value value_text(const char *p, size_t n)
{
    return (value){ .kind = VALUE_TEXT, .p = p ? p : "", .n = n };
}

/* ---- dicts ---- */

value value_dict_new(arena *mem)
{
    return (value){ .kind = VALUE_DICT, .dict = arena_zero(mem, sizeof(value_dict)) };
}

void value_set(value *dict, const char *key, value v, arena *mem)
{
    value_dict *d = dict->dict;
    if (!d) return;
    for (size_t i = 0; i < d->n; i++)
        if (!strcmp(d->pair[i].key, key)) {
            d->pair[i].v = v;
            return;
        }
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 8;
        value_pair *pair = arena_array(mem, (int64_t)cap, sizeof *pair);
        if (!pair) return;
        if (d->n) memcpy(pair, d->pair, d->n * sizeof *pair);
        d->pair = pair, d->cap = cap;
    }
    d->pair[d->n++] = (value_pair){ key, v };
}

const value *value_find(const value *dict, const char *key, size_t n)
{
    if (dict->kind != VALUE_DICT || !dict->dict) return NULL;
    for (size_t i = 0; i < dict->dict->n; i++) {
        const char *k = dict->dict->pair[i].key;
        if (strlen(k) == n && !memcmp(k, key, n)) return &dict->dict->pair[i].v;
    }
    return NULL;
}

/* ---- from JSON ---- */

static value from_list(const json_t *v, arena *mem)
{
    size_t n = json_array_size(v);
    value *item = arena_array(mem, (int64_t)n + 1, sizeof *item);
    for (size_t i = 0; item && i < n; i++) item[i] = value_from_json(json_array_get(v, i), mem);
    return (value){ .kind = VALUE_LIST, .item = item, .n = item ? n : 0 };
}

static value from_object(const json_t *v, arena *mem)
{
    value dict = value_dict_new(mem);
    const char *key;
    json_t *x;
    json_object_foreach((json_t *)v, key, x)
    {
        const char *copy = arena_string(mem, key);
        if (copy) value_set(&dict, copy, value_from_json(x, mem), mem);
    }
    return dict;
}

value value_from_json(const json_t *v, arena *mem)
{
    if (json_is_string(v)) {
        size_t n = json_string_length(v);
        const char *p = arena_copy(mem, json_string_value(v), n + 1);
        return value_text(p, p ? n : 0);
    }
    if (json_is_integer(v)) return value_int(json_integer_value(v));
    if (json_is_real(v)) return (value){ .kind = VALUE_REAL, .x = json_real_value(v) };
    if (json_is_boolean(v)) return value_bool(json_is_true(v));
    if (json_is_array(v)) return from_list(v, mem);
    return json_is_object(v) ? from_object(v, mem) : value_none();
}

/* ---- asking ---- */

const char *value_kind_name(const value *v)
{
    static const char *const names[] = { "undefined", "None", "bool", "int",  "float",
                                         "str",       "list", "dict", "macro" };
    return names[v->kind];
}

bool value_true(const value *v)
{
    switch (v->kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return false;
    case VALUE_BOOL:
    case VALUE_INT: return v->i != 0;
    case VALUE_REAL: return v->x != 0;
    case VALUE_TEXT:
    case VALUE_LIST: return v->n > 0;
    case VALUE_DICT: return v->dict && (v->dict->n > 0 || v->dict->open);
    default: return true;
    }
}

static bool is_number(const value *v)
{
    return v->kind == VALUE_BOOL || v->kind == VALUE_INT || v->kind == VALUE_REAL;
}

static bool same_at(const value *a, const value *b, int depth, int64_t *steps);

static bool same_lists(const value *a, const value *b, int depth, int64_t *steps)
{
    bool same = a->n == b->n && !a->i == !b->i;
    for (size_t i = 0; same && i < a->n; i++)
        same = same_at(&a->item[i], &b->item[i], depth, steps);
    return same;
}

static bool same_dicts(const value *a, const value *b, int depth, int64_t *steps)
{
    bool same = a->dict && b->dict && a->dict->n == b->dict->n;
    for (size_t i = 0; same && i < a->dict->n; i++) {
        const char *key = a->dict->pair[i].key;
        const value *v = value_find(b, key, strlen(key));
        same = v && same_at(&a->dict->pair[i].v, v, depth, steps);
    }
    return same;
}

static bool same_at(const value *a, const value *b, int depth, int64_t *steps)
{
    if (--*steps < 0 || depth > MAX_NESTED) return false;
    if (is_number(a) && is_number(b)) {
        double x = a->kind == VALUE_REAL ? a->x : (double)a->i;
        double y = b->kind == VALUE_REAL ? b->x : (double)b->i;
        return a->kind == VALUE_REAL || b->kind == VALUE_REAL ? x == y : a->i == b->i;
    }
    if (a->kind != b->kind) return false;
    if (a->kind == VALUE_TEXT) return a->n == b->n && !memcmp(a->p, b->p, a->n);
    if (a->kind == VALUE_LIST) return same_lists(a, b, depth + 1, steps);
    if (a->kind == VALUE_DICT) return same_dicts(a, b, depth + 1, steps);
    return a->kind != VALUE_MACRO || a->macro == b->macro;
}

bool value_same(const value *a, const value *b, int64_t *steps) { return same_at(a, b, 0, steps); }

/* ---- writing ---- */

/* The shortest digits that read back as the same number, as Python writes them. */
static void print_real(double x, str *s)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    str_puts(s, text);
    if (isfinite(x) && !strpbrk(text, ".en")) str_puts(s, ".0");
}

static void repr_text(const value *v, str *s)
{
    bool single = memchr(v->p, '\'', v->n) && !memchr(v->p, '"', v->n);
    char quote = single ? '"' : '\'';
    str_add(s, &quote, 1);
    for (size_t i = 0; i < v->n; i++) {
        unsigned char c = (unsigned char)v->p[i];
        if (c == '\\' || c == (unsigned char)quote) str_printf(s, "\\%c", c);
        else if (c == '\n') str_puts(s, "\\n");
        else if (c == '\r') str_puts(s, "\\r");
        else if (c == '\t') str_puts(s, "\\t");
        else if (c < ' ' || c == 127) str_printf(s, "\\x%02x", c);
        else str_add(s, &v->p[i], 1);
    }
    str_add(s, &quote, 1);
}

static void print_at(const value *v, int depth, bool quoted, str *s);

/* What is too deep (it may hold itself) or too long is not written: s fails. */
static bool fits(int depth, str *s)
{
    s->failed |= depth > MAX_NESTED || s->n > MAX_WRITTEN;
    return !s->failed;
}

static void repr_items(const value *v, int depth, str *s)
{
    if (!fits(depth, s)) return;
    bool tuple = v->kind == VALUE_LIST && v->i;
    str_puts(s, tuple ? "(" : v->kind == VALUE_LIST ? "[" : "{");
    size_t n = v->kind == VALUE_LIST ? v->n : v->dict ? v->dict->n : 0;
    for (size_t i = 0; i < n; i++) {
        if (i) str_puts(s, ", ");
        if (v->kind == VALUE_DICT) {
            value key = value_text(v->dict->pair[i].key, strlen(v->dict->pair[i].key));
            repr_text(&key, s);
            str_puts(s, ": ");
        }
        print_at(v->kind == VALUE_LIST ? &v->item[i] : &v->dict->pair[i].v, depth + 1, true, s);
    }
    str_puts(s, tuple ? n == 1 ? ",)" : ")" : v->kind == VALUE_LIST ? "]" : "}");
}

static void print_at(const value *v, int depth, bool quoted, str *s)
{
    switch (v->kind) {
    case VALUE_UNDEFINED: break;
    case VALUE_NONE: str_puts(s, "None"); break;
    case VALUE_BOOL: str_puts(s, v->i ? "True" : "False"); break;
    case VALUE_INT: str_printf(s, "%lld", (long long)v->i); break;
    case VALUE_REAL: print_real(v->x, s); break;
    case VALUE_TEXT: quoted ? repr_text(v, s) : str_add(s, v->p, v->n); break;
    case VALUE_LIST:
    case VALUE_DICT: repr_items(v, depth, s); break;
    case VALUE_MACRO: str_printf(s, "<Macro '%s'>", v->p); break;
    }
}

void value_print(const value *v, str *s) { print_at(v, 0, false, s); }

/* ---- JSON ---- */

static void json_quote(const char *p, size_t n, str *s)
{
    static const char *const names[] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t"
    };
    str_puts(s, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '"' || c == '\\') str_printf(s, "\\%c", c);
        else if (c < sizeof names / sizeof *names && names[c]) str_puts(s, names[c]);
        else if (c < ' ') str_printf(s, "\\u%04x", c);
        else str_add(s, &p[i], 1);
    }
    str_puts(s, "\"");
}

static void line(int indent, int level, str *s)
{
    if (indent >= 0) str_printf(s, "\n%*s", indent * level, "");
}

static void json_items(const value *v, int indent, int level, str *s)
{
    bool list = v->kind == VALUE_LIST;
    size_t n = list ? v->n : v->dict ? v->dict->n : 0;
    if (!fits(level, s)) return;
    str_puts(s, list ? "[" : "{");
    for (size_t i = 0; i < n; i++) {
        if (i) str_puts(s, indent >= 0 ? "," : ", ");
        line(indent, level + 1, s);
        if (!list) {
            json_quote(v->dict->pair[i].key, strlen(v->dict->pair[i].key), s);
            str_puts(s, ": ");
        }
        value_json(list ? &v->item[i] : &v->dict->pair[i].v, indent, level + 1, s);
    }
    if (n) line(indent, level, s);
    str_puts(s, list ? "]" : "}");
}

void value_json(const value *v, int indent, int level, str *s)
{
    switch (v->kind) {
    case VALUE_BOOL: str_puts(s, v->i ? "true" : "false"); break;
    case VALUE_TEXT: json_quote(v->p, v->n, s); break;
    case VALUE_LIST:
    case VALUE_DICT: json_items(v, indent, level, s); break;
    case VALUE_INT:
    case VALUE_REAL: value_print(v, s); break;
    default: str_puts(s, "null");
    }
}
/* SPDX-License-Identifier: MIT */
