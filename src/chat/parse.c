/* parse -- tokens to a tree, by recursive descent: a function a level of precedence, as Jinja has them. */
#include "chat/lex.h"
#include "chat/syntax.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200, MAX_ARGS = 64 };

typedef struct parser {
    arena *mem;
    const char *name;
    const lex_token *at;
    int depth, loops;
    status st; /* the first error stands */
    error *err;
} parser;

static expr *parse_expr(parser *p);
static stmt *parse_body(parser *p, const char *const *ends);

/* ---- tokens, and what is wrong with them ---- */

static void fail(parser *p, status code, const char *what)
{
    if (p->st != E_OK) return;
    p->st = error_set(p->err, code, "%s: line %d: %s", p->name, p->at->line, what);
    if (code == E_UNSUPPORTED)
        error_hint(p->err, "docs/chat.md lists what a template may use; give the text with "
                           "--prompt instead");
}

static void fail_at(parser *p, status code, const char *what)
{
    char text[160];
    bool end = p->at->kind == TOKEN_END;
    snprintf(text, sizeof text, "%s, found %s%.40s%s", what, end ? "the end" : "'",
             end ? "" : p->at->p, end ? "" : "'");
    fail(p, code, text);
}

static void refuse(parser *p, const char *kind, const char *name)
{
    char what[120];
    snprintf(what, sizeof what, "%s '%.60s' is not supported", kind, name);
    fail(p, E_UNSUPPORTED, what);
}

static bool is(const parser *p, token_kind kind, const char *text)
{
    return p->st == E_OK && p->at->kind == kind && !strcmp(p->at->p, text);
}

static bool take(parser *p, token_kind kind, const char *text)
{
    if (!is(p, kind, text)) return false;
    p->at++;
    return true;
}

static bool sign(parser *p, const char *text) { return take(p, TOKEN_SIGN, text); }
static bool word(parser *p, const char *text) { return take(p, TOKEN_NAME, text); }

static void expect(parser *p, const char *text)
{
    char what[40];
    snprintf(what, sizeof what, "expected '%s'", text);
    if (!sign(p, text)) fail_at(p, E_FORMAT, what);
}

static const char *take_name(parser *p)
{
    if (p->st == E_OK && p->at->kind == TOKEN_NAME) return (p->at++)->p;
    fail_at(p, E_FORMAT, "expected a name");
    return "";
}

static void no_memory(parser *p)
{
    if (p->st == E_OK) p->st = error_set(p->err, E_NOMEM, "%s: out of memory", p->name);
}

static void *get(parser *p, size_t bytes)
{
    void *made = arena_zero(p->mem, bytes);
    if (!made) no_memory(p);
    return made;
}

/* ---- expressions ---- */

static expr *node(parser *p, expr_kind kind, expr *a, expr *b)
{
    static expr none; /* so that a failed parse need not ask at every step; never written to */
    expr *e = get(p, sizeof *e);
    if (!e) return &none;
    *e = (expr){ .kind = kind, .line = p->at->line, .a = a, .b = b };
    return e;
}

static expr *literal(parser *p, value v)
{
    expr *e = node(p, EXPR_VALUE, NULL, NULL);
    if (p->st == E_OK) e->v = v;
    return e;
}

static expr *named(parser *p, expr_kind kind, expr *a, expr *b, const char *name)
{
    expr *e = node(p, kind, a, b);
    if (p->st == E_OK) e->name = name;
    return e;
}

/* Expressions to `end`, "name=" before some; dict: "key: value" pairs. */
static void parse_items(parser *p, expr *e, const char *end, bool dict)
{
    expr *arg[MAX_ARGS];
    const char *key[MAX_ARGS] = { 0 };
    int n = 0;
    while (p->st == E_OK && !is(p, TOKEN_SIGN, end)) {
        if (n + 2 > MAX_ARGS) fail(p, E_LIMIT, "more than 64 items in a list");
        if (p->st != E_OK) return;
        if (!dict && p->at->kind == TOKEN_NAME && p->at[1].kind == TOKEN_SIGN &&
            !strcmp(p->at[1].p, "="))
            key[n] = p->at->p, p->at += 2;
        arg[n++] = parse_expr(p);
        if (dict) {
            expect(p, ":");
            arg[n++] = parse_expr(p);
        }
        if (!sign(p, ",")) break;
    }
    expect(p, end);
    if (p->st != E_OK) return;
    e->arg = arena_copy(p->mem, arg, (size_t)(n + 1) * sizeof *arg);
    e->key = arena_copy(p->mem, key, (size_t)(n + 1) * sizeof *key);
    if (!e->arg || !e->key) no_memory(p);
    else e->n_arg = n;
}

/* ( ... ): an expression, or a tuple. */
static expr *parse_group(parser *p)
{
    expr *list = node(p, EXPR_LIST, NULL, NULL);
    if (p->st == E_OK) list->no = true; /* a tuple */
    if (sign(p, ")")) return list;
    expr *first = parse_expr(p);
    if (!sign(p, ",")) {
        expect(p, ")");
        return first;
    }
    if (p->st != E_OK) return first;
    parse_items(p, list, ")", false);
    if (p->st != E_OK) return list;
    expr **all = get(p, (size_t)(list->n_arg + 1) * sizeof *all);
    const char **key = get(p, (size_t)(list->n_arg + 1) * sizeof *key);
    if (!all || !key) return list;
    all[0] = first;
    memcpy(all + 1, list->arg, (size_t)list->n_arg * sizeof *all);
    list->arg = all, list->key = key, list->n_arg++;
    return list;
}

static expr *parse_word(parser *p)
{
    static const char *const trues[] = { "true", "True" }, *const falses[] = { "false", "False" },
                             *const nones[] = { "none", "None" };
    for (int i = 0; i < 2; i++) {
        if (word(p, trues[i])) return literal(p, value_bool(true));
        if (word(p, falses[i])) return literal(p, value_bool(false));
        if (word(p, nones[i])) return literal(p, value_none());
    }
    return named(p, EXPR_NAME, NULL, NULL, take_name(p));
}

/* Strings that stand side by side are one. */
static expr *parse_string(parser *p)
{
    str s = { 0 };
    for (; p->at->kind == TOKEN_STRING; p->at++) str_add(&s, p->at->p, p->at->n);
    const char *copy = s.failed ? NULL : arena_copy(p->mem, s.p ? s.p : "", s.n + 1);
    expr *e = literal(p, value_text(copy, copy ? s.n : 0));
    if (!copy) no_memory(p);
    str_release(&s);
    return e;
}

static expr *parse_primary(parser *p)
{
    const lex_token *t = p->at;
    expr *e;
    if (p->st != E_OK) return node(p, EXPR_VALUE, NULL, NULL);
    if (t->kind == TOKEN_NAME) return parse_word(p);
    if (t->kind == TOKEN_STRING) return parse_string(p);
    if (t->kind == TOKEN_INT) return p->at++, literal(p, value_int(strtoll(t->p, NULL, 10)));
    if (t->kind == TOKEN_REAL)
        return p->at++, literal(p, (value){ .kind = VALUE_REAL, .x = strtod(t->p, NULL) });
    if (sign(p, "(")) return parse_group(p);
    bool list = is(p, TOKEN_SIGN, "["), dict = is(p, TOKEN_SIGN, "{");
    if (!list && !dict) fail_at(p, E_FORMAT, "expected an expression");
    e = node(p, list ? EXPR_LIST : EXPR_DICT, NULL, NULL);
    if (p->st != E_OK) return e;
    p->at++;
    parse_items(p, e, list ? "]" : "}", dict);
    return e;
}

static bool ends_part(const parser *p) { return is(p, TOKEN_SIGN, ":") || is(p, TOKEN_SIGN, "]"); }

/* a[b] or a[b:c:d] */
static expr *parse_index(parser *p, expr *a)
{
    expr *b = is(p, TOKEN_SIGN, ":") ? NULL : parse_expr(p);
    if (!is(p, TOKEN_SIGN, ":")) {
        expect(p, "]");
        return node(p, EXPR_ITEM, a, b);
    }
    expr *e = node(p, EXPR_SLICE, a, b);
    if (p->st != E_OK) return e;
    sign(p, ":");
    if (!ends_part(p)) e->c = parse_expr(p);
    if (sign(p, ":") && !ends_part(p)) e->d = parse_expr(p);
    expect(p, "]");
    return e;
}

static expr *parse_call(parser *p, expr *a)
{
    expr *e = node(p, EXPR_CALL, a, NULL);
    if (p->st == E_OK) parse_items(p, e, ")", false);
    return e;
}

static expr *parse_postfix(parser *p, expr *a)
{
    while (p->st == E_OK) {
        if (sign(p, ".")) a = named(p, EXPR_FIELD, a, NULL, take_name(p));
        else if (sign(p, "[")) a = parse_index(p, a);
        else if (sign(p, "(")) a = parse_call(p, a);
        else break;
    }
    return a;
}

static expr *parse_unary(parser *p, bool with_filter);

/* May a test's argument begin here, without brackets? */
static bool begins_argument(const parser *p)
{
    static const char *const no[] = { "else", "or", "and", "if", "in", "is", "not", "recursive" };
    if (p->at->kind == TOKEN_STRING || p->at->kind == TOKEN_INT || p->at->kind == TOKEN_REAL)
        return true;
    if (p->at->kind != TOKEN_NAME) return is(p, TOKEN_SIGN, "[") || is(p, TOKEN_SIGN, "{");
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (!strcmp(p->at->p, no[i])) return false;
    return true;
}

static expr *parse_test(parser *p, expr *a)
{
    bool no = word(p, "not");
    const char *name = take_name(p);
    if (p->st == E_OK && !test_known(name)) refuse(p, "the test", name);
    expr *e = named(p, EXPR_TEST, a, NULL, name);
    if (p->st != E_OK) return e;
    e->no = no;
    if (sign(p, "(")) parse_items(p, e, ")", false);
    else if (begins_argument(p)) {
        expr **arg = get(p, 2 * sizeof *arg);
        const char **key = get(p, 2 * sizeof *key);
        if (!arg || !key) return e;
        arg[0] = parse_postfix(p, parse_primary(p));
        e->arg = arg, e->key = key, e->n_arg = 1;
    }
    return e;
}

static expr *parse_filter(parser *p, expr *a)
{
    const char *name = take_name(p);
    if (p->st == E_OK && !filter_known(name)) refuse(p, "the filter", name);
    expr *e = named(p, EXPR_FILTER, a, NULL, name);
    if (sign(p, "(")) parse_items(p, e, ")", false);
    return e;
}

static expr *parse_filters(parser *p, expr *a)
{
    while (p->st == E_OK) {
        if (sign(p, "|")) a = parse_filter(p, a);
        else if (word(p, "is")) a = parse_test(p, a);
        else if (sign(p, "(")) a = parse_call(p, a);
        else break;
    }
    return a;
}

static expr *parse_unary(parser *p, bool with_filter)
{
    expr *e;
    if (++p->depth > MAX_DEPTH) fail(p, E_LIMIT, "expressions are nested too deep");
    if (sign(p, "-")) e = node(p, EXPR_MINUS, parse_unary(p, false), NULL);
    else if (sign(p, "+")) e = parse_unary(p, false);
    else e = parse_postfix(p, parse_primary(p));
    if (with_filter) e = parse_filters(p, e);
    p->depth--;
    return e;
}

/* Levels of signs that join two, loosest first; a level is a list that ends with NULL. */
static expr *parse_level(parser *p, int level)
{
    static const char *const levels[][5] = { { "+", "-" }, { "~" }, { "*", "/", "//", "%" } };
    if (level == 3) return parse_unary(p, true);
    expr *a = parse_level(p, level + 1);
    for (bool more = true; more && p->st == E_OK;) {
        more = false;
        for (int i = 0; levels[level][i] && !more; i++)
            if (sign(p, levels[level][i])) {
                more = true;
                a = named(p, EXPR_BINARY, a, parse_level(p, level + 1), levels[level][i]);
            }
    }
    return a;
}

static expr *parse_compare(parser *p)
{
    static const char *const signs[] = { "==", "!=", "<=", ">=", "<", ">" };
    expr *a = parse_level(p, 0), *b;
    int n = 0;
    for (bool more = true; more && p->st == E_OK; n += more) {
        const char *name = NULL;
        for (int i = 0; i < 6 && !name; i++)
            if (sign(p, signs[i])) name = signs[i];
        if (!name && word(p, "in")) name = "in";
        if (!name && is(p, TOKEN_NAME, "not") && p->at[1].kind == TOKEN_NAME &&
            !strcmp(p->at[1].p, "in"))
            p->at += 2, name = "not in";
        more = name != NULL;
        if (!more) break;
        if (n) fail(p, E_UNSUPPORTED, "a chain of comparisons is not supported");
        b = parse_level(p, 0);
        a = named(p, EXPR_BINARY, a, b, name);
    }
    return a;
}

static expr *parse_not(parser *p)
{
    if (!is(p, TOKEN_NAME, "not")) return parse_compare(p);
    p->at++;
    if (++p->depth > MAX_DEPTH) fail(p, E_LIMIT, "expressions are nested too deep");
    expr *e = node(p, EXPR_NOT, p->st == E_OK ? parse_not(p) : NULL, NULL);
    p->depth--;
    return e;
}

static expr *parse_and(parser *p)
{
    expr *a = parse_not(p);
    while (word(p, "and")) a = node(p, EXPR_AND, a, parse_not(p));
    return a;
}

static expr *parse_or(parser *p)
{
    expr *a = parse_and(p);
    while (word(p, "or")) a = node(p, EXPR_OR, a, parse_and(p));
    return a;
}

static expr *parse_choice(parser *p)
{
    expr *b = parse_or(p);
    while (word(p, "if")) {
        expr *e = node(p, EXPR_CHOICE, parse_or(p), b);
        if (p->st != E_OK) return e;
        e->c = word(p, "else") ? parse_choice(p) : NULL;
        b = e;
    }
    return b;
}

static expr *parse_expr(parser *p)
{
    if (++p->depth > MAX_DEPTH) fail(p, E_LIMIT, "expressions are nested too deep");
    expr *e = p->st == E_OK ? parse_choice(p) : node(p, EXPR_VALUE, NULL, NULL);
    p->depth--;
    return e;
}

/* ---- statements ---- */

static stmt *statement(parser *p, stmt_kind kind)
{
    stmt *s = get(p, sizeof *s);
    if (s) *s = (stmt){ .kind = kind, .line = p->at->line };
    return s;
}

static void end_block(parser *p)
{
    if (p->st == E_OK && p->at->kind == TOKEN_BLOCK_END) p->at++;
    else fail_at(p, E_FORMAT, "expected the end of the tag");
}

static void end_with(parser *p, const char *name)
{
    char what[60];
    snprintf(what, sizeof what, "expected '%s'", name);
    if (!word(p, name)) fail_at(p, E_FORMAT, what);
    end_block(p);
}

/* Behind "if" or "elif". */
static stmt *parse_if(parser *p)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    stmt *s = statement(p, STMT_IF);
    if (!s) return NULL;
    s->a = parse_expr(p);
    end_block(p);
    s->body = parse_body(p, ends);
    if (++p->depth > MAX_DEPTH) fail(p, E_LIMIT, "too many branches");
    if (word(p, "elif")) s->other = parse_if(p);
    else {
        if (word(p, "else")) {
            end_block(p);
            s->other = parse_body(p, &ends[2]);
        }
        end_with(p, "endif");
    }
    p->depth--;
    return s;
}

static stmt *parse_for(parser *p)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    stmt *s = statement(p, STMT_FOR);
    if (!s) return NULL;
    bool group = sign(p, "(");
    s->name[0] = take_name(p);
    if (sign(p, ",")) s->name[1] = take_name(p);
    if (group) expect(p, ")");
    if (!word(p, "in")) fail_at(p, E_FORMAT, "expected 'in'");
    s->a = parse_or(p);
    if (word(p, "if")) s->b = parse_expr(p);
    if (is(p, TOKEN_NAME, "recursive")) refuse(p, "a loop that is", "recursive");
    end_block(p);
    p->loops++;
    s->body = parse_body(p, ends);
    p->loops--;
    if (word(p, "else")) {
        end_block(p);
        s->other = parse_body(p, &ends[1]);
    }
    end_with(p, "endfor");
    return s;
}

static stmt *parse_set(parser *p)
{
    static const char *const ends[] = { "endset", NULL };
    stmt *s = statement(p, STMT_SET);
    if (!s) return NULL;
    s->name[0] = take_name(p);
    if (sign(p, ".")) s->field = take_name(p);
    if (is(p, TOKEN_SIGN, ",")) refuse(p, "setting several names with", "set");
    if (sign(p, "=")) {
        s->a = parse_expr(p);
        end_block(p);
        return s;
    }
    if (s->field) fail_at(p, E_FORMAT, "expected '='");
    if (is(p, TOKEN_SIGN, "|")) refuse(p, "a filter in", "set");
    end_block(p);
    s->body = parse_body(p, ends);
    end_with(p, "endset");
    return s;
}

static stmt *parse_macro(parser *p)
{
    static const char *const ends[] = { "endmacro", NULL };
    const char *name[MAX_ARGS];
    expr *otherwise[MAX_ARGS] = { 0 };
    int n = 0, loops = p->loops;
    stmt *s = statement(p, STMT_MACRO);
    if (!s) return NULL;
    s->name[0] = take_name(p);
    expect(p, "(");
    while (p->st == E_OK && !is(p, TOKEN_SIGN, ")")) {
        if (n == MAX_ARGS) fail(p, E_LIMIT, "more than 64 parameters");
        if (p->st != E_OK) return s;
        name[n] = take_name(p);
        if (sign(p, "=")) otherwise[n] = parse_expr(p);
        n++;
        if (!sign(p, ",")) break;
    }
    expect(p, ")");
    end_block(p);
    p->loops = 0;
    s->body = parse_body(p, ends);
    p->loops = loops;
    end_with(p, "endmacro");
    if (p->st != E_OK) return s;
    s->parameter = arena_copy(p->mem, name, (size_t)(n + 1) * sizeof *name);
    s->otherwise = arena_copy(p->mem, otherwise, (size_t)(n + 1) * sizeof *otherwise);
    if (!s->parameter || !s->otherwise) no_memory(p);
    else s->n_parameter = n;
    return s;
}

static stmt *parse_jump(parser *p, stmt_kind kind)
{
    stmt *s = statement(p, kind);
    if (!p->loops) fail(p, E_FORMAT, "break or continue outside a loop");
    end_block(p);
    return s;
}

/* {% generation %}: marks what the model wrote; here it is just its body. */
static stmt *parse_generation(parser *p)
{
    static const char *const ends[] = { "endgeneration", NULL };
    stmt *s = statement(p, STMT_IF);
    if (!s) return NULL;
    end_block(p);
    s->a = literal(p, value_bool(true));
    s->body = parse_body(p, ends);
    end_with(p, "endgeneration");
    return s;
}

static stmt *parse_block(parser *p)
{
    if (word(p, "if")) return parse_if(p);
    if (word(p, "for")) return parse_for(p);
    if (word(p, "set")) return parse_set(p);
    if (word(p, "macro")) return parse_macro(p);
    if (word(p, "break")) return parse_jump(p, STMT_BREAK);
    if (word(p, "continue")) return parse_jump(p, STMT_CONTINUE);
    if (word(p, "generation")) return parse_generation(p);
    bool stray =
        p->at->kind == TOKEN_NAME && (!strncmp(p->at->p, "end", 3) || !strncmp(p->at->p, "el", 2));
    if (p->at->kind == TOKEN_NAME && !stray) refuse(p, "the tag", p->at->p);
    else if (stray) fail_at(p, E_FORMAT, "a tag that closes nothing");
    else fail_at(p, E_FORMAT, "expected a tag's name");
    return NULL;
}

static stmt *parse_statement(parser *p)
{
    stmt *s;
    if (p->at->kind == TOKEN_TEXT) {
        s = statement(p, STMT_TEXT);
        if (s) s->p = p->at->p, s->n = p->at->n;
        p->at++;
        return s;
    }
    if (p->at->kind == TOKEN_BLOCK) {
        p->at++;
        return parse_block(p);
    }
    p->at++; /* {{ */
    s = statement(p, STMT_PRINT);
    if (!s) return NULL;
    s->a = parse_expr(p);
    if (p->st == E_OK && p->at->kind == TOKEN_PRINT_END) p->at++;
    else fail_at(p, E_FORMAT, "expected '}}'");
    return s;
}

static bool at_end(const parser *p, const char *const *ends)
{
    if (p->at->kind == TOKEN_END) return true;
    if (p->at->kind != TOKEN_BLOCK || p->at[1].kind != TOKEN_NAME) return false;
    for (; ends && *ends; ends++)
        if (!strcmp(p->at[1].p, *ends)) return true;
    return false;
}

/* Statements to a tag of `ends`, whose name is next then; or to the end. */
static stmt *parse_body(parser *p, const char *const *ends)
{
    stmt *first = NULL, **to = &first;
    if (++p->depth > MAX_DEPTH) fail(p, E_LIMIT, "tags are nested too deep");
    while (p->st == E_OK && !at_end(p, ends)) {
        stmt *s = parse_statement(p);
        if (!s) break;
        *to = s, to = &s->next;
    }
    if (p->st == E_OK && p->at->kind == TOKEN_BLOCK) p->at++;
    p->depth--;
    return first;
}

status template_parse(stmt **out, arena *mem, const char *text, size_t n, const char *name,
                      error *err)
{
    lex_token *list = NULL;
    status st = template_lex(&list, mem, text, n, name, err);
    if (st != E_OK) return st;
    parser p = { .mem = mem, .name = name, .at = list, .err = err };
    stmt *tree = parse_body(&p, NULL);
    if (p.st == E_OK) *out = tree;
    return p.st;
}
/* SPDX-License-Identifier: MIT */
