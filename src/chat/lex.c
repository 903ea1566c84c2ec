/* lex -- see lex.h.  White space around tags is Jinja's with trim_blocks and lstrip_blocks: the line end after a
 * block goes, and so do spaces before one that begins its line; '-' takes all, '+' none. */
#include "chat/lex.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

typedef struct lexer {
    arena *mem;
    const char *name, *p; /* p[n]: line ends are \n alone */
    size_t n, at;
    int line;
    bool line_start, strip; /* what stands before: a line end; a '-' */
    lex_token *list;
    size_t n_list, cap;
    error *err;
} lexer;

static status wrong(lexer *x, const char *what)
{
    return error_set(x->err, E_FORMAT, "%s: line %d: %s", x->name, x->line, what);
}

static status nomem(lexer *x) { return error_set(x->err, E_NOMEM, "%s: out of memory", x->name); }

static status put(lexer *x, token_kind kind, const char *p, size_t n)
{
    if (x->n_list == x->cap) {
        size_t cap = x->cap ? 2 * x->cap : 64;
        lex_token *list = arena_array(x->mem, (int64_t)cap, sizeof *list);
        if (!list) return nomem(x);
        if (x->n_list) memcpy(list, x->list, x->n_list * sizeof *list);
        x->list = list, x->cap = cap;
    }
    char *copy = arena_get(x->mem, n + 1);
    if (!copy) return nomem(x);
    memcpy(copy, p, n);
    copy[n] = 0;
    x->list[x->n_list++] = (lex_token){ kind, x->line, copy, n };
    return E_OK;
}

static bool space(char c) { return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f); }

static bool begins(const lexer *x, const char *word)
{
    size_t n = strlen(word);
    return x->n - x->at >= n && !memcmp(x->p + x->at, word, n);
}

static void skip(lexer *x, size_t n)
{
    for (; n && x->at < x->n; n--, x->at++) x->line += x->p[x->at] == '\n';
}

/* ---- text ---- */

/* Where the next tag opens, or the end. */
static size_t next_tag(const lexer *x)
{
    size_t i = x->at;
    for (; i < x->n; i++)
        if (x->p[i] == '{' && i + 1 < x->n && strchr("{%#", x->p[i + 1]) && x->p[i + 1]) break;
    return i;
}

/* Spaces before a block that begins its line do not count. */
static size_t without_indent(const lexer *x, size_t from, size_t end)
{
    size_t i = end;
    while (i > from && x->p[i - 1] != '\n' && space(x->p[i - 1])) i--;
    bool begins_line = i > from ? x->p[i - 1] == '\n' : x->line_start;
    return begins_line ? i : end;
}

static status lex_text(lexer *x)
{
    size_t from = x->at, tag = next_tag(x), end = tag;
    char kind = tag < x->n ? x->p[tag + 1] : 0, mark = tag + 2 < x->n ? x->p[tag + 2] : 0;
    if (x->strip)
        while (from < end && space(x->p[from])) from++;
    bool from_start = from == x->at && x->line_start;
    bool ended = from > x->at && x->p[from - 1] == '\n';
    x->line_start = from_start || ended;
    if (kind && mark == '-')
        while (end > from && space(x->p[end - 1])) end--;
    else if ((kind == '%' || kind == '#') && mark != '+') end = without_indent(x, from, end);
    status st = end > from ? put(x, TOKEN_TEXT, x->p + from, end - from) : E_OK;
    skip(x, tag - x->at);
    x->strip = false;
    return st;
}

/* Behind a tag that ended: its line end, where it is a block's. */
static void after_tag(lexer *x, bool block, char mark)
{
    x->strip = mark == '-', x->line_start = false;
    if (!block || mark || x->at >= x->n || x->p[x->at] != '\n') return;
    skip(x, 1);
    x->line_start = true;
}

static status lex_comment(lexer *x)
{
    const char *end = memmem(x->p + x->at + 2, x->n - x->at - 2, "#}", 2);
    if (!end) return wrong(x, "a comment does not end");
    size_t n = (size_t)(end - x->p) + 2 - x->at;
    char mark = n > 4 && (end[-1] == '-' || end[-1] == '+') ? end[-1] : 0;
    skip(x, n);
    after_tag(x, true, mark);
    return E_OK;
}

/* ---- inside a tag ---- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* \xhh \uhhhh \Uhhhhhhhh at p; how many characters are read, 0 when it is none. */
static size_t escape_hex(const char *p, size_t left, str *out)
{
    size_t digits = p[1] == 'x' ? 2 : p[1] == 'u' ? 4 : 8;
    uint32_t c = 0;
    char bytes[4];
    if (left < digits + 2) return 0;
    for (size_t i = 0; i < digits; i++) {
        int d = hex_digit(p[2 + i]);
        if (d < 0) return 0;
        c = c << 4 | (uint32_t)d;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
    str_add(out, bytes, (size_t)utf8_put(c, bytes));
    return digits + 2;
}

/* One escape at p[0] == '\\'; an unknown one stays as it is written. */
static size_t escape(const char *p, size_t left, str *out)
{
    static const char from[] = "nrtbfva\\'\"0", to[] = "\n\r\t\b\f\v\a\\'\"";
    const char *at = left > 1 && p[1] ? strchr(from, p[1]) : NULL;
    if (at) {
        str_add(out, p[1] == '0' ? "" : &to[at - from], 1);
        return 2;
    }
    if (left > 1 && p[1] == '\n') return 2;
    size_t n = left > 1 && strchr("xuU", p[1]) && p[1] ? escape_hex(p, left, out) : 0;
    if (n) return n;
    str_add(out, p, 1);
    return 1;
}

static status lex_string(lexer *x)
{
    char quote = x->p[x->at];
    str s = { 0 };
    size_t i = x->at + 1;
    while (i < x->n && x->p[i] != quote)
        if (x->p[i] == '\\') i += escape(x->p + i, x->n - i, &s);
        else str_add(&s, &x->p[i++], 1);
    status st = i >= x->n  ? wrong(x, "a string does not end")
                : s.failed ? nomem(x)
                           : put(x, TOKEN_STRING, s.p ? s.p : "", s.n);
    if (st == E_OK) skip(x, i + 1 - x->at);
    str_release(&s);
    return st;
}

static bool digit_at(const lexer *x, size_t i)
{
    return x->at + i < x->n && x->p[x->at + i] >= '0' && x->p[x->at + i] <= '9';
}

static status lex_number(lexer *x)
{
    size_t n = 0;
    while (digit_at(x, n)) n++;
    bool real = x->at + n < x->n && x->p[x->at + n] == '.' && digit_at(x, n + 1);
    if (real)
        for (n++; digit_at(x, n);) n++;
    bool power = x->at + n < x->n && (x->p[x->at + n] | 32) == 'e';
    size_t sign = power && x->at + n + 1 < x->n && strchr("+-", x->p[x->at + n + 1]) ? 1 : 0;
    if (power && digit_at(x, n + 1 + sign)) {
        real = true;
        for (n += 1 + sign; digit_at(x, n);) n++;
    }
    if (n > 18) return wrong(x, "a number that is too long");
    status st = put(x, real ? TOKEN_REAL : TOKEN_INT, x->p + x->at, n);
    skip(x, n);
    return st;
}

static status lex_sign(lexer *x)
{
    static const char *const signs[] = { "==", "!=", "<=", ">=", "//", "**", "(", ")", "[",
                                         "]",  "{",  "}",  ",",  ":",  ".",  "|", "~", "+",
                                         "-",  "*",  "/",  "%",  "=",  "<",  ">" };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (!begins(x, signs[i])) continue;
        status st = put(x, TOKEN_SIGN, signs[i], strlen(signs[i]));
        skip(x, strlen(signs[i]));
        return st;
    }
    char what[60];
    snprintf(what, sizeof what, "'%c' has no meaning here", x->p[x->at]);
    return wrong(x, x->p[x->at] > ' ' ? what : "a character that has no meaning here");
}

static status lex_one(lexer *x)
{
    char c = x->p[x->at];
    size_t n = 0;
    if (c == '\'' || c == '"') return lex_string(x);
    if (c >= '0' && c <= '9') return lex_number(x);
    while (x->at + n < x->n && name_char(x->p[x->at + n])) n++;
    if (!n) return lex_sign(x);
    status st = put(x, TOKEN_NAME, x->p + x->at, n);
    skip(x, n);
    return st;
}

/* Does the tag end here?  How long is its end; braces that opened inside are closed first. */
static size_t tag_end(const lexer *x, bool block, int depth, char *mark)
{
    const char *end = block ? "%}" : "}}";
    *mark = 0;
    if (begins(x, end) && (block || !depth)) return 2;
    char c = x->p[x->at];
    if ((c != '-' && c != '+') || x->n - x->at < 3 || memcmp(x->p + x->at + 1, end, 2)) return 0;
    *mark = c;
    return 3;
}

static status lex_tag(lexer *x)
{
    bool block = x->p[x->at + 1] == '%';
    int depth = 0;
    char mark;
    status st = put(x, block ? TOKEN_BLOCK : TOKEN_PRINT, "{", 1);
    skip(x, 2);
    if (x->at < x->n && (x->p[x->at] == '-' || x->p[x->at] == '+')) skip(x, 1);
    while (st == E_OK) {
        while (x->at < x->n && space(x->p[x->at])) skip(x, 1);
        if (x->at >= x->n) return wrong(x, "a tag does not end");
        size_t n = tag_end(x, block, depth, &mark);
        if (n) {
            st = put(x, block ? TOKEN_BLOCK_END : TOKEN_PRINT_END, "}", 1);
            skip(x, n);
            after_tag(x, block, mark);
            break;
        }
        depth += (x->p[x->at] == '{') - (x->p[x->at] == '}');
        st = lex_one(x);
    }
    return st;
}

/* Line ends as \n; one at the very end does not count. */
static bool unify(lexer *x, const char *text, size_t n)
{
    char *p = arena_get(x->mem, n + 1);
    if (!p) return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
        p[x->n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (x->n && p[x->n - 1] == '\n') x->n--;
    p[x->n] = 0;
    x->p = p;
    return true;
}

status template_lex(lex_token **out, arena *mem, const char *text, size_t n, const char *name,
                    error *err)
{
    lexer x = { .mem = mem, .name = name, .line = 1, .line_start = true, .err = err };
    status st = unify(&x, text, n) ? E_OK : nomem(&x);
    while (st == E_OK && x.at < x.n) {
        st = lex_text(&x);
        if (st != E_OK || x.at >= x.n) break;
        st = x.p[x.at + 1] == '#' ? lex_comment(&x) : lex_tag(&x);
    }
    if (st == E_OK) st = put(&x, TOKEN_END, "", 0);
    if (st == E_OK) *out = x.list;
    return st;
}
/* SPDX-License-Identifier: MIT */
