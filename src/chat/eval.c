/* eval -- see eval.h.  Scopes are Jinja's: a loop and a macro have one of their own, a branch has none. */
#include "chat/eval.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_DEPTH = 100,
    MAX_NESTED = 1000,
    MAX_STEPS = 5000000,
    MAX_BYTES = 256 << 20,
    MAX_OUT = 64 << 20
};

static void run_body(eval *e, const stmt *s);
static value eval_expr(eval *e, const expr *x);

void eval_fail(eval *e, status code, const char *fmt, ...)
{
    char text[200];
    va_list args;
    if (e->st != E_OK) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    e->st = error_set(e->err, code, "%s: line %d: %s", e->name, e->line, text);
}

void *eval_get(eval *e, int64_t n, size_t size)
{
    bool fine = e->mem->total_bytes < MAX_BYTES && n < MAX_BYTES / 8;
    void *p = fine ? arena_array(e->mem, n + 1, size) : NULL;
    if (!fine) eval_fail(e, E_LIMIT, "the template needs too much memory");
    else if (!p) eval_fail(e, E_NOMEM, "out of memory");
    return p;
}

value eval_text(eval *e, str *s)
{
    size_t n = s->n;
    char *p = s->failed ? NULL : eval_get(e, (int64_t)n, 1);
    if (s->failed) eval_fail(e, E_NOMEM, "out of memory, or a value nested too deep");
    if (p && n) memcpy(p, s->p, n);
    str_release(s);
    return value_text(p, p ? n : 0);
}

/* ---- names ---- */

static void bind(eval *e, scope *s, const char *name, value v)
{
    for (binding *b = s->first; b; b = b->next)
        if (!strcmp(b->name, name)) {
            b->v = v;
            return;
        }
    binding *b = eval_get(e, 1, sizeof *b);
    if (!b) return;
    *b = (binding){ name, v, s->first };
    s->first = b;
}

static value look_up(const eval *e, const char *name)
{
    for (const scope *s = e->scope; s; s = s->outer)
        for (const binding *b = s->first; b; b = b->next)
            if (!strcmp(b->name, name)) return b->v;
    return (value){ .kind = VALUE_UNDEFINED, .p = name };
}

/* ---- parts of values ---- */

static value undefined(const char *name) { return (value){ .kind = VALUE_UNDEFINED, .p = name }; }

static bool check_there(eval *e, const value *v, const char *what)
{
    if (v->kind != VALUE_UNDEFINED) return true;
    eval_fail(e, E_FORMAT, "'%.60s' is undefined, and %.60s is asked of it", v->p ? v->p : "?",
              what);
    return false;
}

static value field_of(eval *e, const value *v, const char *name, size_t n)
{
    const value *found = value_find(v, name, n);
    check_there(e, v, name);
    return found ? *found : undefined(name);
}

/* Bytes of the i-th character; characters in all when i is beyond. */
static int64_t char_at(const value *v, int64_t i, size_t *first, size_t *end)
{
    int64_t k = 0;
    size_t at = 0;
    while (at < v->n) {
        size_t len = (size_t)utf8_next(v->p + at, v->n - at, NULL);
        if (!len) len = 1;
        if (k++ == i) *first = at, *end = at + len;
        at += len;
    }
    return k;
}

static int64_t length_of(const value *v)
{
    size_t none;
    if (v->kind == VALUE_TEXT) return char_at(v, -1, &none, &none);
    return v->kind == VALUE_LIST ? (int64_t)v->n : 0;
}

static value element(const value *v, int64_t i)
{
    size_t first = 0, end = 0;
    if (v->kind == VALUE_LIST) return v->item[i];
    char_at(v, i, &first, &end);
    return value_text(v->p + first, end - first);
}

static value item_of(eval *e, const value *v, const value *key)
{
    if (!check_there(e, v, "an item")) return *v;
    if (key->kind == VALUE_TEXT) return field_of(e, v, key->p, key->n);
    if (key->kind != VALUE_INT || (v->kind != VALUE_LIST && v->kind != VALUE_TEXT)) {
        return undefined("item");
    }
    int64_t n = length_of(v), i = key->i < 0 ? key->i + n : key->i;
    return i >= 0 && i < n ? element(v, i) : undefined("item");
}

/* A bound of a slice as Python has it. */
static int64_t bound(eval *e, const expr *x, int64_t n, int64_t otherwise, bool down, bool *odd)
{
    if (!x) return otherwise;
    value v = eval_expr(e, x);
    if (v.kind == VALUE_NONE) return otherwise;
    *odd |= v.kind != VALUE_INT;
    int64_t i = v.i < 0 ? v.i + n : v.i, low = down ? -1 : 0, high = down ? n - 1 : n;
    return i < low ? low : i > high ? high : i;
}

/* Every step-th item; of a text the characters joined. */
static value pick(eval *e, const value *v, int64_t from, int64_t to, int64_t step)
{
    str s = { 0 };
    int64_t room = 0, n = 0;
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step) room++;
    value *item = v->kind == VALUE_LIST ? eval_get(e, room, sizeof *item) : NULL;
    size_t first = 0, end = 0, at = 0;
    if (v->kind == VALUE_TEXT && step == 1) { /* one stretch */
        int64_t k = 0;
        for (; k < to && at < v->n; k++) {
            if (k == from) first = at;
            size_t len = (size_t)utf8_next(v->p + at, v->n - at, NULL);
            at += len ? len : 1;
        }
        return from < to ? value_text(v->p + first, at - first) : value_text("", 0);
    }
    e->steps -= v->kind == VALUE_TEXT ? room * (int64_t)v->n / 64 : room;
    for (int64_t i = from; e->st == E_OK && e->steps > 0 && (step > 0 ? i < to : i > to);
         i += step) {
        if (item) item[n++] = v->item[i];
        else if (char_at(v, i, &first, &end) > 0) str_add(&s, v->p + first, end - first);
    }
    if (v->kind == VALUE_TEXT) return eval_text(e, &s);
    return (value){ .kind = VALUE_LIST, .item = item, .n = item ? (size_t)n : 0 };
}

static value slice(eval *e, const expr *x)
{
    value v = eval_expr(e, x->a);
    int64_t step = 1, n = length_of(&v);
    if (e->st != E_OK || !check_there(e, &v, "a slice")) return v;
    if (v.kind != VALUE_LIST && v.kind != VALUE_TEXT) {
        eval_fail(e, E_FORMAT, "a slice of %s", value_kind_name(&v));
        return v;
    }
    if (x->d) {
        value by = eval_expr(e, x->d);
        step = by.kind == VALUE_INT ? by.i : by.kind == VALUE_NONE ? 1 : 0;
        if (!step || step > INT32_MAX || step < -INT32_MAX)
            eval_fail(e, E_FORMAT, "a slice's step is no number other than 0");
    }
    if (e->st != E_OK) return v;
    bool odd = false; /* Jinja: what cannot be asked for is undefined */
    int64_t from = bound(e, x->b, n, step > 0 ? 0 : n - 1, step < 0, &odd);
    int64_t to = bound(e, x->c, n, step > 0 ? n : -1, step < 0, &odd);
    if (odd || e->st != E_OK) return undefined("slice");
    value part = pick(e, &v, from, to, step);
    part.i = v.i;
    return part;
}

/* ---- signs between two ---- */

static bool whole(const value *v) { return v->kind == VALUE_INT || v->kind == VALUE_BOOL; }
static bool number(const value *v) { return whole(v) || v->kind == VALUE_REAL; }
static double real(const value *v) { return v->kind == VALUE_REAL ? v->x : (double)v->i; }

static value mismatch(eval *e, const char *sign, const value *a, const value *b)
{
    eval_fail(e, E_FORMAT, "%s between %s and %s", sign, value_kind_name(a), value_kind_name(b));
    return undefined(sign);
}

static bool is_in(eval *e, const value *a, const value *b)
{
    bool found = false;
    if (b->kind == VALUE_TEXT && a->kind == VALUE_TEXT)
        return !a->n || memmem(b->p, b->n, a->p, a->n);
    if (b->kind == VALUE_DICT && a->kind == VALUE_TEXT) return value_find(b, a->p, a->n);
    if (b->kind == VALUE_UNDEFINED) return false;
    if (b->kind != VALUE_LIST) mismatch(e, "in", a, b);
    for (size_t i = 0; b->kind == VALUE_LIST && i < b->n && !found; i++)
        found = value_same(a, &b->item[i], &e->steps);
    e->steps -= b->kind == VALUE_LIST ? (int64_t)b->n : 0;
    return found;
}

static value compare(eval *e, const char *sign, const value *a, const value *b)
{
    int order;
    if (number(a) && number(b)) order = real(a) < real(b) ? -1 : real(a) > real(b);
    else if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) {
        order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
        if (!order) order = a->n < b->n ? -1 : a->n > b->n;
    } else return mismatch(e, sign, a, b);
    bool equal = sign[1] == '=' && !order;
    return value_bool(equal || (*sign == '<' ? order < 0 : order > 0));
}

static value joined(eval *e, const value *a, const value *b)
{
    str s = { 0 };
    e->steps -= (int64_t)(a->n + b->n) / 64;
    value_print(a, &s), value_print(b, &s);
    return eval_text(e, &s);
}

static value joined_lists(eval *e, const value *a, const value *b)
{
    value *item = eval_get(e, (int64_t)(a->n + b->n), sizeof *item);
    e->steps -= (int64_t)(a->n + b->n);
    if (!item) return *a;
    if (a->n) memcpy(item, a->item, a->n * sizeof *item);
    if (b->n) memcpy(item + a->n, b->item, b->n * sizeof *item);
    return (value){ .kind = VALUE_LIST, .item = item, .n = a->n + b->n };
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b && (a < 0) != (b < 0));
}

static value whole_result(eval *e, char sign, bool twice, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool over = false;
    if (sign == '+') over = __builtin_add_overflow(a, b, &r);
    else if (sign == '-') over = __builtin_sub_overflow(a, b, &r);
    else if (sign == '*') over = __builtin_mul_overflow(a, b, &r);
    else if (!b) eval_fail(e, E_FORMAT, "division by zero");
    else if (b == -1 && a == INT64_MIN) over = true;
    else if (sign == '/' && !twice)
        return (value){ .kind = VALUE_REAL, .x = (double)a / (double)b };
    else r = sign == '/' ? floor_div(a, b) : a - floor_div(a, b) * b;
    if (over) eval_fail(e, E_LIMIT, "a number beyond 64 bits");
    return value_int(r);
}

static value arithmetic(eval *e, const char *sign, const value *a, const value *b)
{
    if (*sign == '+' && a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) return joined(e, a, b);
    if (*sign == '+' && a->kind == VALUE_LIST && b->kind == VALUE_LIST)
        return joined_lists(e, a, b);
    if (whole(a) && whole(b)) return whole_result(e, *sign, sign[1] == '/', a->i, b->i);
    if (!number(a) || !number(b) || *sign == '%' || sign[1] == '/') return mismatch(e, sign, a, b);
    double x = real(a), y = real(b);
    if (*sign == '/' && y == 0) eval_fail(e, E_FORMAT, "division by zero");
    double r = *sign == '+' ? x + y : *sign == '-' ? x - y : *sign == '*' ? x * y : x / y;
    return (value){ .kind = VALUE_REAL, .x = r };
}

static value binary(eval *e, const expr *x)
{
    value a = eval_expr(e, x->a), b = eval_expr(e, x->b);
    const char *sign = x->name;
    if (e->st != E_OK) return a;
    e->line = x->line;
    if (!strcmp(sign, "==")) return value_bool(value_same(&a, &b, &e->steps));
    if (!strcmp(sign, "!=")) return value_bool(!value_same(&a, &b, &e->steps));
    if (!strcmp(sign, "in")) return value_bool(is_in(e, &a, &b));
    if (!strcmp(sign, "not in")) return value_bool(!is_in(e, &a, &b));
    if (*sign == '<' || *sign == '>') return compare(e, sign, &a, &b);
    return *sign == '~' ? joined(e, &a, &b) : arithmetic(e, sign, &a, &b);
}

/* ---- calls ---- */

static const value *arguments(eval *e, const expr *x)
{
    value *arg = eval_get(e, x->n_arg, sizeof *arg);
    for (int i = 0; arg && i < x->n_arg && e->st == E_OK; i++) arg[i] = eval_expr(e, x->arg[i]);
    e->line = x->line;
    return arg;
}

/* Text that a body writes. */
static value captured(eval *e, const stmt *body)
{
    str s = { 0 }, *out = e->out;
    e->out = &s;
    run_body(e, body);
    e->out = out;
    return eval_text(e, &s);
}

static void give(eval *e, const stmt *m, const expr *call, const value *arg, scope *inner)
{
    int by_place = 0;
    while (by_place < call->n_arg && !call->key[by_place]) by_place++;
    if (by_place > m->n_parameter) eval_fail(e, E_FORMAT, "macro '%s' got too much", m->name[0]);
    for (int i = 0; i < m->n_parameter && e->st == E_OK; i++) {
        value v = undefined(m->parameter[i]);
        bool given = i < by_place;
        if (given) v = arg[i];
        for (int k = by_place; k < call->n_arg; k++)
            if (call->key[k] && !strcmp(call->key[k], m->parameter[i])) v = arg[k], given = true;
        if (!given && m->otherwise[i]) v = eval_expr(e, m->otherwise[i]);
        bind(e, inner, m->parameter[i], v);
    }
}

value eval_macro(eval *e, const value *macro, const expr *call, const value *arg)
{
    const stmt *m = macro->macro;
    scope inner = { NULL, e->global }, *outer = e->scope;
    if (++e->depth > MAX_DEPTH) eval_fail(e, E_LIMIT, "macros call each other too deep");
    give(e, m, call, arg, &inner);
    e->scope = &inner;
    value made = e->st == E_OK ? captured(e, m->body) : undefined(m->name[0]);
    e->scope = outer;
    e->depth--;
    return made;
}

static value call(eval *e, const expr *x)
{
    const expr *f = x->a;
    const value *arg = arguments(e, x);
    if (!arg || e->st != E_OK) return undefined("call");
    if (f->kind == EXPR_FIELD) {
        value v = eval_expr(e, f->a);
        const value *own = value_find(&v, f->name, strlen(f->name));
        if (e->st != E_OK || !check_there(e, &v, f->name)) return v;
        if (own && own->kind == VALUE_MACRO) return eval_macro(e, own, x, arg);
        return call_method(e, x, &v, f->name, arg);
    }
    if (f->kind != EXPR_NAME) {
        eval_fail(e, E_UNSUPPORTED, "a call of what is not a name is not supported");
        return undefined("call");
    }
    value v = look_up(e, f->name);
    if (v.kind == VALUE_MACRO) return eval_macro(e, &v, x, arg);
    return call_function(e, x, f->name, arg);
}

static value make_list(eval *e, const expr *x)
{
    const value *item = arguments(e, x);
    size_t n = item ? (size_t)x->n_arg : 0;
    return (value){ .kind = VALUE_LIST, .i = x->no, .item = item, .n = n };
}

static value make_dict(eval *e, const expr *x)
{
    value dict = value_dict_new(e->mem);
    const value *v = arguments(e, x);
    for (int i = 0; v && i + 1 < x->n_arg && e->st == E_OK; i += 2) {
        if (v[i].kind != VALUE_TEXT) eval_fail(e, E_UNSUPPORTED, "a dict's key that is no text");
        else {
            str s = { 0 };
            str_add(&s, v[i].p, v[i].n);
            value_set(&dict, eval_text(e, &s).p, v[i + 1], e->mem);
        }
    }
    return dict;
}

static value test_or_filter(eval *e, const expr *x)
{
    value v = eval_expr(e, x->a);
    const value *arg = arguments(e, x);
    if (!arg || e->st != E_OK) return v;
    if (x->kind == EXPR_FILTER) return call_filter(e, x, &v, arg);
    return value_bool(call_test(e, x, &v, arg) != x->no);
}

static value eval_kind(eval *e, const expr *x)
{
    value v, key;
    switch (x->kind) {
    case EXPR_VALUE: return x->v;
    case EXPR_NAME: return look_up(e, x->name);
    case EXPR_LIST: return make_list(e, x);
    case EXPR_DICT: return make_dict(e, x);
    case EXPR_FIELD:
        v = eval_expr(e, x->a), e->line = x->line;
        return field_of(e, &v, x->name, strlen(x->name));
    case EXPR_ITEM:
        v = eval_expr(e, x->a), key = eval_expr(e, x->b), e->line = x->line;
        return item_of(e, &v, &key);
    case EXPR_SLICE: return slice(e, x);
    case EXPR_CALL: return call(e, x);
    case EXPR_FILTER:
    case EXPR_TEST: return test_or_filter(e, x);
    case EXPR_NOT: return v = eval_expr(e, x->a), value_bool(!value_true(&v));
    case EXPR_MINUS:
        v = eval_expr(e, x->a), key = value_int(0);
        return arithmetic(e, "-", &key, &v);
    case EXPR_CHOICE:
        v = eval_expr(e, x->a);
        return value_true(&v) ? eval_expr(e, x->b) : x->c ? eval_expr(e, x->c) : undefined("else");
    case EXPR_AND: return v = eval_expr(e, x->a), value_true(&v) ? eval_expr(e, x->b) : v;
    case EXPR_OR: return v = eval_expr(e, x->a), value_true(&v) ? v : eval_expr(e, x->b);
    case EXPR_BINARY: return binary(e, x);
    }
    return undefined("?");
}

/* Macros nest what is nested in them, so that the parser's bound is not enough for the stack. */
static void enter(eval *e)
{
    if (++e->nested > MAX_NESTED) eval_fail(e, E_LIMIT, "expressions and tags are nested too deep");
}

static value eval_expr(eval *e, const expr *x)
{
    value v = undefined("?");
    if (--e->steps < 0) eval_fail(e, E_LIMIT, "the template does not end");
    enter(e);
    if (e->st == E_OK) e->line = x->line, v = eval_kind(e, x);
    e->nested--;
    return v;
}

/* ---- statements ---- */

static void print(eval *e, const expr *x)
{
    value v = eval_expr(e, x);
    if (e->st != E_OK) return;
    value_print(&v, e->out);
}

/* What a loop goes over: a list, a dict's keys, a text's characters; what is undefined is empty. */
static value items_of(eval *e, const value *v)
{
    value list = { .kind = VALUE_LIST };
    if (v->kind == VALUE_LIST) return *v;
    if (v->kind == VALUE_DICT && v->dict) {
        value *item = eval_get(e, (int64_t)v->dict->n, sizeof *item);
        for (size_t i = 0; item && i < v->dict->n; i++)
            item[i] = value_text(v->dict->pair[i].key, strlen(v->dict->pair[i].key));
        return list.item = item, list.n = item ? v->dict->n : 0, list;
    }
    if (v->kind == VALUE_TEXT) {
        value *item = eval_get(e, (int64_t)v->n, sizeof *item);
        for (size_t at = 0; item && at < v->n;) {
            size_t len = (size_t)utf8_next(v->p + at, v->n - at, NULL);
            item[list.n++] = value_text(v->p + at, len ? len : 1);
            at += len ? len : 1;
        }
        return list.item = item, list;
    }
    if (v->kind != VALUE_UNDEFINED) eval_fail(e, E_FORMAT, "a loop over %s", value_kind_name(v));
    return list;
}

static void bind_item(eval *e, const stmt *s, const value *v)
{
    if (!s->name[1]) bind(e, e->scope, s->name[0], *v);
    else if (v->kind == VALUE_LIST && v->n == 2)
        for (int i = 0; i < 2; i++) bind(e, e->scope, s->name[i], v->item[i]);
    else eval_fail(e, E_FORMAT, "a loop over pairs met %s", value_kind_name(v));
}

/* The items that pass the loop's `if`. */
static value filtered(eval *e, const stmt *s, const value *list)
{
    value *item = eval_get(e, (int64_t)list->n, sizeof *item);
    value kept = { .kind = VALUE_LIST, .item = item };
    for (size_t i = 0; item && i < list->n && e->st == E_OK; i++) {
        bind_item(e, s, &list->item[i]);
        value yes = eval_expr(e, s->b);
        if (value_true(&yes)) item[kept.n++] = list->item[i];
    }
    return kept;
}

static value loop_of(eval *e, const value *list, size_t i)
{
    value v = value_dict_new(e->mem);
    int64_t n = (int64_t)list->n, k = (int64_t)i;
    value_set(&v, "index", value_int(k + 1), e->mem);
    value_set(&v, "index0", value_int(k), e->mem);
    value_set(&v, "revindex", value_int(n - k), e->mem);
    value_set(&v, "revindex0", value_int(n - k - 1), e->mem);
    value_set(&v, "first", value_bool(!k), e->mem);
    value_set(&v, "last", value_bool(k == n - 1), e->mem);
    value_set(&v, "length", value_int(n), e->mem);
    value_set(&v, "previtem", k ? list->item[i - 1] : undefined("previtem"), e->mem);
    value_set(&v, "nextitem", k < n - 1 ? list->item[i + 1] : undefined("nextitem"), e->mem);
    return v;
}

static void run_for(eval *e, const stmt *s)
{
    value v = eval_expr(e, s->a), list = items_of(e, &v);
    scope inner = { NULL, e->scope }, *outer = e->scope;
    e->scope = &inner;
    if (s->b) list = filtered(e, s, &list);
    for (size_t i = 0; i < list.n && e->st == E_OK && !e->broke; i++) {
        if (--e->steps < 0) eval_fail(e, E_LIMIT, "the template does not end");
        inner.first = NULL;
        bind(e, &inner, "loop", loop_of(e, &list, i));
        bind_item(e, s, &list.item[i]);
        if (e->st == E_OK) run_body(e, s->body);
        e->skipped = false;
    }
    e->broke = false;
    e->scope = outer;
    if (!list.n && e->st == E_OK) run_body(e, s->other);
}

static void run_set(eval *e, const stmt *s)
{
    value v = s->a ? eval_expr(e, s->a) : captured(e, s->body);
    if (e->st != E_OK) return;
    if (!s->field) {
        bind(e, e->scope, s->name[0], v);
        return;
    }
    value space = look_up(e, s->name[0]);
    if (space.kind == VALUE_DICT && space.dict && space.dict->open)
        value_set(&space, s->field, v, e->mem);
    else eval_fail(e, E_FORMAT, "'%.60s' is no namespace, and is set", s->name[0]);
}

static void run_one(eval *e, const stmt *s)
{
    value v;
    switch (s->kind) {
    case STMT_TEXT: str_add(e->out, s->p, s->n); break;
    case STMT_PRINT: print(e, s->a); break;
    case STMT_IF:
        v = eval_expr(e, s->a);
        run_body(e, value_true(&v) ? s->body : s->other);
        break;
    case STMT_FOR: run_for(e, s); break;
    case STMT_SET: run_set(e, s); break;
    case STMT_MACRO:
        v = (value){ .kind = VALUE_MACRO, .p = s->name[0], .macro = s };
        bind(e, e->scope, s->name[0], v);
        break;
    case STMT_BREAK: e->broke = true; break;
    case STMT_CONTINUE: e->skipped = true; break;
    }
}

static void run_body(eval *e, const stmt *s)
{
    enter(e);
    for (; s && e->st == E_OK && !e->broke && !e->skipped; s = s->next) {
        e->line = s->line;
        if (--e->steps < 0) eval_fail(e, E_LIMIT, "the template does not end");
        else run_one(e, s);
        if (e->out->n > MAX_OUT) eval_fail(e, E_LIMIT, "the text is longer than 64 MiB");
        if (e->out->failed) eval_fail(e, E_NOMEM, "out of memory, or a value nested too deep");
    }
    e->nested--;
}

status template_run(const stmt *tree, const value *context, arena *mem, str *out, const char *name,
                    error *err)
{
    scope global = { 0 };
    eval e = { .mem = mem,
               .out = out,
               .name = name,
               .scope = &global,
               .global = &global,
               .steps = MAX_STEPS,
               .err = err };
    for (size_t i = 0; context->dict && i < context->dict->n; i++)
        bind(&e, &global, context->dict->pair[i].key, context->dict->pair[i].v);
    run_body(&e, tree);
    if (out->failed || mem->failed) eval_fail(&e, E_NOMEM, "out of memory");
    return e.st;
}
/* SPDX-License-Identifier: MIT */
