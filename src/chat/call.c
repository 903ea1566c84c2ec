/* call -- filters, tests, methods of values and functions: a table of each. */
#include "chat/eval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- arguments ---- */

/* The i-th argument, or the one of that name; NULL when it was not given. */
static const value *argument(const expr *x, const value *arg, int i, const char *name)
{
    for (int k = 0; k < x->n_arg; k++)
        if (x->key[k] ? name && !strcmp(x->key[k], name) : k == i) return &arg[k];
    return NULL;
}

static value undefined(void) { return (value){ .kind = VALUE_UNDEFINED, .p = "result" }; }

static bool want(eval *e, const expr *x, const value *v, value_kind kind)
{
    static const char *const names[] = { [VALUE_TEXT] = "a text",
                                         [VALUE_LIST] = "a list",
                                         [VALUE_DICT] = "a dict",
                                         [VALUE_INT] = "a number" };
    if (v && v->kind == kind) return true;
    eval_fail(e, E_FORMAT, "%s got %s, expected %s", x->name ? x->name : "a call",
              v ? value_kind_name(v) : "nothing", names[kind]);
    return false;
}

static int64_t characters(const value *v)
{
    int64_t n = 0;
    for (size_t i = 0; i < v->n; i++) n += ((unsigned char)v->p[i] & 0xc0) != 0x80;
    return n;
}

/* ---- texts ---- */

static bool python_space(const char *p, size_t n, size_t *len)
{
    uint32_t c = 0;
    int k = utf8_next(p, n, &c);
    *len = k ? (size_t)k : 1;
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Is the character at p one of `set`, or white space when set is NULL? */
static bool stripped(const value *set, const char *p, size_t n, size_t *len)
{
    bool space = python_space(p, n, len);
    return set ? memmem(set->p, set->n, p, *len) != NULL : space;
}

static value strip(const value *v, const value *set, bool left, bool right)
{
    size_t from = 0, end = v->n, len;
    while (left && from < end && stripped(set, v->p + from, end - from, &len)) from += len;
    while (right && end > from) {
        size_t last = end - 1;
        while (last > from && ((unsigned char)v->p[last] & 0xc0) == 0x80) last--;
        if (!stripped(set, v->p + last, end - last, &len)) break;
        end = last;
    }
    return value_text(v->p + from, end - from);
}

/* Case of ASCII only: for other letters it is refused, not guessed. */
static value cased(eval *e, const value *v, const char *how)
{
    str s = { 0 };
    bool start = true;
    for (size_t i = 0; i < v->n; i++) {
        char c = v->p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool up = *how == 'u' || (*how == 't' && start) || (*how == 'c' && i == 0);
        if ((unsigned char)c >= 128)
            eval_fail(e, E_UNSUPPORTED, "the case of letters that are not ASCII");
        if (letter) c = (char)(up ? c & ~32 : c | 32);
        start = *how == 't' && !letter;
        str_add(&s, &c, 1);
    }
    return eval_text(e, &s);
}

static value replaced(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *from = argument(x, arg, 0, "old"), *to = argument(x, arg, 1, "new"),
                *most = argument(x, arg, 2, "count");
    str s = { 0 };
    if (!want(e, x, v, VALUE_TEXT) || !want(e, x, from, VALUE_TEXT) || !want(e, x, to, VALUE_TEXT))
        return undefined();
    if (!from->n) return eval_fail(e, E_UNSUPPORTED, "replace of an empty text"), undefined();
    int64_t left = most && most->kind == VALUE_INT && most->i >= 0 ? most->i : INT64_MAX;
    const char *p = v->p, *end = v->p + v->n, *at;
    for (; left-- && (at = memmem(p, (size_t)(end - p), from->p, from->n)); p = at + from->n) {
        str_add(&s, p, (size_t)(at - p));
        str_add(&s, to->p, to->n);
        if (s.n > 64u << 20) eval_fail(e, E_LIMIT, "replace makes a text of more than 64 MiB");
        if (e->st != E_OK) break;
    }
    str_add(&s, p, (size_t)(end - p));
    return eval_text(e, &s);
}

/* By a text, or by runs of white space. */
static value split(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *sep = argument(x, arg, 0, "sep"), *most = argument(x, arg, 1, "maxsplit");
    value list = { .kind = VALUE_LIST }, *item = eval_get(e, (int64_t)v->n + 1, sizeof *item);
    int64_t left = most && most->kind == VALUE_INT && most->i >= 0 ? most->i : INT64_MAX;
    bool spaces = !sep || sep->kind == VALUE_NONE;
    size_t at = 0, len;
    if (!item || (!spaces && !want(e, x, sep, VALUE_TEXT))) return undefined();
    if (!spaces && !sep->n) return eval_fail(e, E_FORMAT, "split by an empty text"), undefined();
    list.item = item;
    while (spaces && at < v->n) {
        while (at < v->n && python_space(v->p + at, v->n - at, &len)) at += len;
        size_t end = at;
        while (left > 0 && end < v->n && !python_space(v->p + end, v->n - end, &len)) end += len;
        value rest = value_text(v->p + at, v->n - at);
        if (at < v->n)
            item[list.n++] =
                left-- > 0 ? value_text(v->p + at, end - at) : strip(&rest, NULL, false, true);
        at = left < 0 ? v->n : end;
    }
    for (const char *next = v->p; !spaces && next;
         at = next ? (size_t)(next - v->p) + sep->n : at) {
        next = left-- > 0 ? memmem(v->p + at, v->n - at, sep->p, sep->n) : NULL;
        size_t end = next ? (size_t)(next - v->p) : v->n;
        item[list.n++] = value_text(v->p + at, end - at);
    }
    return list;
}

/* Does it begin (end) with the text, or with one of a list of them? */
static bool affix(eval *e, const expr *x, const value *v, const value *with, bool end)
{
    if (with && with->kind == VALUE_LIST) {
        bool any = false;
        for (size_t i = 0; i < with->n && !any; i++) any = affix(e, x, v, &with->item[i], end);
        return any;
    }
    return want(e, x, with, VALUE_TEXT) && v->n >= with->n &&
           !memcmp(end ? v->p + v->n - with->n : v->p, with->p, with->n);
}

/* ---- methods ---- */

static value pairs_of(eval *e, const value *v, bool keys, bool values)
{
    size_t n = v->dict ? v->dict->n : 0;
    value list = { .kind = VALUE_LIST, .n = n }, *item = eval_get(e, (int64_t)n, sizeof *item),
          *two = eval_get(e, 2 * (int64_t)n, sizeof *two);
    if (!item || !two) return undefined();
    for (size_t i = 0; i < n; i++) {
        const value_pair *p = &v->dict->pair[i];
        two[2 * i] = value_text(p->key, strlen(p->key)), two[2 * i + 1] = p->v;
        item[i] = !values ? two[2 * i]
                  : !keys ? p->v
                          : (value){ .kind = VALUE_LIST, .i = 1, .item = &two[2 * i], .n = 2 };
    }
    list.item = item;
    return list;
}

static value text_method(eval *e, const expr *x, const value *v, const char *name, const value *arg)
{
    const value *first = argument(x, arg, 0, NULL);
    if (first && first->kind == VALUE_NONE) first = NULL;
    bool strips = !strcmp(name, "strip") || !strcmp(name, "lstrip") || !strcmp(name, "rstrip");
    if (strips && first && !want(e, x, first, VALUE_TEXT)) return undefined();
    if (strips) return strip(v, first, *name != 'r', *name != 'l');
    if (!strcmp(name, "split")) return split(e, x, v, arg);
    if (!strcmp(name, "replace")) return replaced(e, x, v, arg);
    if (!strcmp(name, "startswith")) return value_bool(affix(e, x, v, first, false));
    if (!strcmp(name, "endswith")) return value_bool(affix(e, x, v, first, true));
    return cased(e, v, name);
}

static value get_key(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *key = argument(x, arg, 0, NULL), *otherwise = argument(x, arg, 1, NULL);
    if (!want(e, x, key, VALUE_TEXT)) return undefined();
    const value *found = value_find(v, key->p, key->n);
    return found ? *found : otherwise ? *otherwise : value_none();
}

value call_method(eval *e, const expr *x, const value *v, const char *name, const value *arg)
{
    static const char *const texts[] = { "strip",   "lstrip",     "rstrip",    "split",
                                         "replace", "startswith", "endswith",  "upper",
                                         "lower",   "title",      "capitalize" };
    for (size_t i = 0; v->kind == VALUE_TEXT && i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(name, texts[i])) return text_method(e, x, v, name, arg);
    if (v->kind == VALUE_DICT && !strcmp(name, "items")) return pairs_of(e, v, true, true);
    if (v->kind == VALUE_DICT && !strcmp(name, "keys")) return pairs_of(e, v, true, false);
    if (v->kind == VALUE_DICT && !strcmp(name, "values")) return pairs_of(e, v, false, true);
    if (v->kind == VALUE_DICT && !strcmp(name, "get")) return get_key(e, x, v, arg);
    eval_fail(e, E_UNSUPPORTED, "the method '%.40s' of %s is not supported", name,
              value_kind_name(v));
    return undefined();
}

/* ---- functions ---- */

static value range(eval *e, const expr *x, const value *arg)
{
    const value *a = argument(x, arg, 0, NULL), *b = argument(x, arg, 1, NULL),
                *c = argument(x, arg, 2, NULL);
    if (!want(e, x, a, VALUE_INT) || (b && !want(e, x, b, VALUE_INT)) ||
        (c && !want(e, x, c, VALUE_INT)))
        return undefined();
    int64_t from = b ? a->i : 0, to = b ? b->i : a->i, by = c ? c->i : 1, n = 0;
    if (!by) return eval_fail(e, E_FORMAT, "range by steps of 0"), undefined();
    if (from > INT32_MAX || from < -INT32_MAX || to > INT32_MAX || to < -INT32_MAX ||
        by > INT32_MAX || by < -INT32_MAX)
        return eval_fail(e, E_LIMIT, "range over more than 2^31"), undefined();
    for (int64_t i = from; by > 0 ? i < to : i > to; i += by)
        if (++n > 100000) return eval_fail(e, E_LIMIT, "range of more than 100000"), undefined();
    value list = { .kind = VALUE_LIST, .n = (size_t)n }, *item = eval_get(e, n, sizeof *item);
    for (int64_t i = 0; item && i < n; i++) item[i] = value_int(from + i * by);
    list.item = item;
    return item ? list : undefined();
}

static value named_dict(eval *e, const expr *x, const value *arg, bool open)
{
    value d = value_dict_new(e->mem);
    for (int i = 0; i < x->n_arg; i++)
        if (x->key[i]) value_set(&d, x->key[i], arg[i], e->mem);
        else eval_fail(e, E_UNSUPPORTED, "namespace or dict of what is not name=value");
    if (d.dict) d.dict->open = open;
    return d;
}

value call_function(eval *e, const expr *x, const char *name, const value *arg)
{
    const value *first = argument(x, arg, 0, NULL);
    str s = { 0 };
    if (!strcmp(name, "range")) return range(e, x, arg);
    if (!strcmp(name, "namespace")) return named_dict(e, x, arg, true);
    if (!strcmp(name, "dict")) return named_dict(e, x, arg, false);
    if (!strcmp(name, "raise_exception")) {
        if (first) value_print(first, &s);
        eval_fail(e, E_FORMAT, "the template refuses these messages: %.120s", s.p ? s.p : "");
        str_release(&s);
    } else if (!strcmp(name, "strftime_now"))
        eval_fail(e, E_UNSUPPORTED,
                  "strftime_now is not supported: a text would depend on its day");
    else eval_fail(e, E_UNSUPPORTED, "the function '%.60s' is not supported", name);
    return undefined();
}

/* ---- tests ---- */

static const char *const tests[] = { "defined", "undefined", "none",     "string", "number",
                                     "integer", "float",     "boolean",  "true",   "false",
                                     "mapping", "iterable",  "sequence", "odd",    "even",
                                     "equalto", "eq",        "ne",       "in",     "divisibleby" };

bool test_known(const char *name)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (!strcmp(name, tests[i])) return true;
    return false;
}

static bool contains(eval *e, const value *list, const value *v)
{
    bool found = false;
    if (list->kind == VALUE_TEXT && v->kind == VALUE_TEXT)
        return memmem(list->p, list->n, v->p, v->n) != NULL;
    if (list->kind == VALUE_DICT && v->kind == VALUE_TEXT) return value_find(list, v->p, v->n);
    for (size_t i = 0; list->kind == VALUE_LIST && i < list->n && !found; i++)
        found = value_same(&list->item[i], v, &e->steps);
    return found;
}

static bool kind_test(const char *t, const value *v)
{
    bool text = v->kind == VALUE_TEXT, list = v->kind == VALUE_LIST, dict = v->kind == VALUE_DICT;
    bool whole = v->kind == VALUE_INT || v->kind == VALUE_BOOL;
    if (!strcmp(t, "defined")) return v->kind != VALUE_UNDEFINED;
    if (!strcmp(t, "undefined")) return v->kind == VALUE_UNDEFINED;
    if (!strcmp(t, "none")) return v->kind == VALUE_NONE;
    if (!strcmp(t, "string")) return text;
    if (!strcmp(t, "number")) return whole || v->kind == VALUE_REAL;
    if (!strcmp(t, "integer")) return v->kind == VALUE_INT;
    if (!strcmp(t, "float")) return v->kind == VALUE_REAL;
    if (!strcmp(t, "boolean")) return v->kind == VALUE_BOOL;
    if (!strcmp(t, "true")) return v->kind == VALUE_BOOL && v->i;
    if (!strcmp(t, "false")) return v->kind == VALUE_BOOL && !v->i;
    if (!strcmp(t, "mapping")) return dict;
    return text || list || dict || v->kind == VALUE_UNDEFINED; /* iterable, sequence */
}

bool call_test(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *first = argument(x, arg, 0, NULL);
    bool odd = !strcmp(x->name, "odd"), even = !strcmp(x->name, "even"),
         divides = !strcmp(x->name, "divisibleby");
    if (odd || even) return want(e, x, v, VALUE_INT) && (v->i % 2 != 0) == odd;
    if (divides) {
        bool fine = want(e, x, v, VALUE_INT) && want(e, x, first, VALUE_INT);
        if (fine && !first->i) eval_fail(e, E_FORMAT, "division by zero");
        return fine && e->st == E_OK && first->i != -1 ? v->i % first->i == 0 : fine;
    }
    bool in = !strcmp(x->name, "in"), ne = !strcmp(x->name, "ne");
    if (in || ne || !strncmp(x->name, "eq", 2)) {
        if (!first) return eval_fail(e, E_FORMAT, "the test '%s' got nothing", x->name), false;
        return in ? contains(e, first, v) : value_same(v, first, &e->steps) != ne;
    }
    return kind_test(x->name, v);
}

/* ---- filters ---- */

typedef value filter_fn(eval *e, const expr *x, const value *v, const value *arg);

static value as_text(eval *e, const value *v)
{
    str s = { 0 };
    if (v->kind == VALUE_TEXT) return *v;
    value_print(v, &s);
    return eval_text(e, &s);
}

static value f_trim(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *set = argument(x, arg, 0, "chars");
    value text = as_text(e, v);
    if (set && set->kind != VALUE_NONE && !want(e, x, set, VALUE_TEXT)) return undefined();
    return strip(&text, set && set->kind == VALUE_TEXT ? set : NULL, true, true);
}

static value f_length(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)x, (void)arg;
    if (v->kind == VALUE_TEXT) return value_int(characters(v));
    if (v->kind == VALUE_LIST) return value_int((int64_t)v->n);
    if (v->kind == VALUE_DICT && v->dict) return value_int((int64_t)v->dict->n);
    if (v->kind != VALUE_UNDEFINED) eval_fail(e, E_FORMAT, "the length of %s", value_kind_name(v));
    return value_int(0);
}

static value f_case(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)arg;
    value text = as_text(e, v);
    return cased(e, &text, x->name);
}

static value f_replace(eval *e, const expr *x, const value *v, const value *arg)
{
    value text = as_text(e, v);
    return replaced(e, x, &text, arg);
}

static value f_default(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *otherwise = argument(x, arg, 0, "default_value"),
                *also = argument(x, arg, 1, "boolean");
    (void)e;
    bool missing = v->kind == VALUE_UNDEFINED || (also && value_true(also) && !value_true(v));
    return !missing ? *v : otherwise ? *otherwise : value_text("", 0);
}

static value f_join(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *between = argument(x, arg, 0, "d"), *field = argument(x, arg, 1, "attribute");
    str s = { 0 };
    if (field) return eval_fail(e, E_UNSUPPORTED, "join by an attribute"), undefined();
    if (v->kind == VALUE_UNDEFINED) return value_text("", 0);
    if (!want(e, x, v, VALUE_LIST)) return undefined();
    for (size_t i = 0; i < v->n; i++) {
        if (i && between) value_print(between, &s);
        value_print(&v->item[i], &s);
    }
    return eval_text(e, &s);
}

static value f_end(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)arg;
    if (!want(e, x, v, VALUE_LIST)) return undefined();
    return !v->n ? undefined() : v->item[*x->name == 'f' ? 0 : v->n - 1];
}

static value f_tojson(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *indent = argument(x, arg, 0, "indent");
    str s = { 0 };
    for (int i = 0; i < x->n_arg; i++)
        if (x->key[i] && strcmp(x->key[i], "indent") && strcmp(x->key[i], "ensure_ascii"))
            eval_fail(e, E_UNSUPPORTED, "tojson's '%.40s'", x->key[i]);
    bool given = indent && indent->kind == VALUE_INT;
    if (given && (indent->i < 0 || indent->i > 16))
        eval_fail(e, E_UNSUPPORTED, "tojson's indent of less than 0 or more than 16");
    const value *ascii = argument(x, arg, -1, "ensure_ascii");
    if (ascii && value_true(ascii)) eval_fail(e, E_UNSUPPORTED, "tojson's ensure_ascii");
    if (v->kind == VALUE_UNDEFINED) eval_fail(e, E_FORMAT, "tojson of what is undefined");
    if (e->st == E_OK) value_json(v, given ? (int)indent->i : -1, 0, &s);
    return eval_text(e, &s);
}

static value f_string(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)x, (void)arg;
    return as_text(e, v);
}

static value f_safe(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)e, (void)x, (void)arg;
    return *v;
}

static value f_int(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *otherwise = argument(x, arg, 0, "default");
    if (v->kind == VALUE_INT || v->kind == VALUE_BOOL) return value_int(v->i);
    if (v->kind == VALUE_REAL && fabs(v->x) < 9e18) return value_int((int64_t)v->x);
    if (v->kind == VALUE_TEXT && v->n && v->n < 18) {
        value digits = strip(v, NULL, true, true);
        char text[20] = { 0 }, *end;
        memcpy(text, digits.p, digits.n);
        long long i = strtoll(text, &end, 10);
        if (digits.n && !*end) return value_int(i);
    }
    (void)e;
    return otherwise ? *otherwise : value_int(0);
}

static value f_list(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)arg;
    if (v->kind == VALUE_DICT) return pairs_of(e, v, true, false);
    return want(e, x, v, VALUE_LIST) ? *v : undefined();
}

static value f_items(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)arg;
    if (v->kind == VALUE_UNDEFINED) return (value){ .kind = VALUE_LIST };
    return want(e, x, v, VALUE_DICT) ? pairs_of(e, v, true, true) : undefined();
}

static value f_reverse(eval *e, const expr *x, const value *v, const value *arg)
{
    (void)arg;
    value list = { .kind = VALUE_LIST, .n = v->n }, *item;
    if (!want(e, x, v, VALUE_LIST) || !(item = eval_get(e, (int64_t)v->n, sizeof *item)))
        return undefined();
    for (size_t i = 0; i < v->n; i++) item[i] = v->item[v->n - 1 - i];
    list.item = item;
    return list;
}

/* selectattr, rejectattr: items whose field passes a test ("true" when none is named). */
static bool passes(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *name = argument(x, arg, 0, NULL), *test = argument(x, arg, 1, NULL);
    const value *found = name->kind == VALUE_TEXT ? value_find(v, name->p, name->n) : NULL;
    value none = { .kind = VALUE_UNDEFINED, .p = name->p }, field = found ? *found : none;
    if (name->kind != VALUE_TEXT || memchr(name->p, '.', name->n))
        eval_fail(e, E_UNSUPPORTED, "selectattr of a path");
    if (!test) return value_true(&field);
    if (!want(e, x, test, VALUE_TEXT)) return false;
    bool equals = !strcmp(test->p, "==");
    if (!equals && !test_known(test->p)) {
        eval_fail(e, E_UNSUPPORTED, "the test '%.40s' is not supported", test->p);
        return false;
    }
    expr inner = *x;
    inner.name = equals ? "eq" : test->p, inner.n_arg = x->n_arg - 2, inner.key = x->key + 2;
    return call_test(e, &inner, &field, arg + 2);
}

static value f_select(eval *e, const expr *x, const value *v, const value *arg)
{
    bool keep = *x->name == 's';
    value list = { .kind = VALUE_LIST }, *item;
    if (v->kind == VALUE_UNDEFINED) return list;
    if (!argument(x, arg, 0, NULL))
        return eval_fail(e, E_FORMAT, "%s got no attribute", x->name), undefined();
    if (!want(e, x, v, VALUE_LIST) || !(item = eval_get(e, (int64_t)v->n, sizeof *item)))
        return undefined();
    for (size_t i = 0; i < v->n && e->st == E_OK; i++)
        if (passes(e, x, &v->item[i], arg) == keep) item[list.n++] = v->item[i];
    list.item = item;
    return list;
}

static value f_map(eval *e, const expr *x, const value *v, const value *arg)
{
    const value *name = argument(x, arg, -1, "attribute");
    value list = { .kind = VALUE_LIST, .n = v->n }, *item;
    if (!name || name->kind != VALUE_TEXT || memchr(name->p, '.', name->n))
        return eval_fail(e, E_UNSUPPORTED, "map of other than attribute='name'"), undefined();
    if (!want(e, x, v, VALUE_LIST) || !(item = eval_get(e, (int64_t)v->n, sizeof *item)))
        return undefined();
    for (size_t i = 0; i < v->n; i++) {
        const value *found = value_find(&v->item[i], name->p, name->n);
        item[i] = found ? *found : undefined();
    }
    list.item = item;
    return list;
}

static const struct {
    const char *name;
    filter_fn *fn;
} filters[] = {
    { "trim", f_trim },       { "length", f_length },     { "count", f_length },
    { "upper", f_case },      { "lower", f_case },        { "title", f_case },
    { "capitalize", f_case }, { "replace", f_replace },   { "default", f_default },
    { "d", f_default },       { "join", f_join },         { "first", f_end },
    { "last", f_end },        { "tojson", f_tojson },     { "string", f_string },
    { "safe", f_safe },       { "int", f_int },           { "list", f_list },
    { "items", f_items },     { "reverse", f_reverse },   { "selectattr", f_select },
    { "map", f_map },         { "rejectattr", f_select },
};

bool filter_known(const char *name)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (!strcmp(name, filters[i].name)) return true;
    return false;
}

value call_filter(eval *e, const expr *x, const value *v, const value *arg)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (!strcmp(x->name, filters[i].name)) return filters[i].fn(e, x, v, arg);
    return undefined();
}
/* SPDX-License-Identifier: MIT */
