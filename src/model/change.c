/* change -- see change.h: SITE OP VALUE, parsed from the outside in. */
#include "model/change.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VECTOR = 1 << 20 };

typedef struct parser {
    arena *mem;
    const char *text;
    error *err;
} parser;

static status grammar(parser *x, const char *at, const char *expected)
{
    error_set(x->err, E_USAGE, "edit '%.120s': expected %s at character %d", x->text, expected,
              (int)(at - x->text) + 1);
    error_hint(x->err, "for example 'blocks.3.attn.z[head=2] = 0', 'blocks.5.resid_pre[pos=-1] = "
                       "@1', 'logits *= 2'");
    return E_USAGE;
}

static const char *spaces(const char *p) { return p + strspn(p, " \t"); }

/* A copy without spaces at its ends. */
static char *cut(parser *x, const char *p, const char *end)
{
    p = spaces(p);
    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) end--;
    char *s = arena_get(x->mem, (size_t)(end - p) + 1);
    if (!s) return NULL;
    memcpy(s, p, (size_t)(end - p));
    s[end - p] = 0;
    return s;
}

static status nomem(parser *x) { return error_set(x->err, E_NOMEM, "edit: out of memory"); }

/* The first of `what` outside brackets and quotes, or NULL. */
static const char *outside(const char *p, const char *what)
{
    size_t n = strlen(what);
    int depth = 0;
    bool quoted = false;
    for (; *p; p++) {
        if (quoted && *p == '\\' && p[1]) p++;
        else if (*p == '"') quoted = !quoted;
        else if (!quoted) depth += (*p == '[' || *p == '(') - (*p == ']' || *p == ')');
        if (!depth && !quoted && !strncmp(p, what, n)) return p;
    }
    return NULL;
}

/* ---- values ---- */

/* Infinities are meant (masking a score); NaN is not, nor what only rounds to one. */
static bool fits_float(double y) { return !isnan(y) && (isinf(y) || fabs(y) <= (double)FLT_MAX); }

/* A number as written: one too large for a double is no infinity, which is written inf. */
static double read_number(const char *p, char **stop)
{
    errno = 0;
    double y = strtod(p, stop);
    return errno == ERANGE && isinf(y) ? (double)NAN : y;
}

static status parse_vector(parser *x, const char *p, change *c, const char **end)
{
    double *v = NULL;
    int n = 0, cap = 0;
    for (p = spaces(p + 1); *p != ']';) {
        char *stop;
        double y = read_number(p, &stop);
        if (stop == p) return grammar(x, p, "a number or ']'");
        if (!fits_float(y)) return grammar(x, p, "a number that a float can hold");
        if (n == MAX_VECTOR) return grammar(x, p, "fewer numbers");
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            double *wider = arena_array(x->mem, cap, sizeof *wider);
            if (!wider) return nomem(x);
            if (n) memcpy(wider, v, (size_t)n * sizeof *wider);
            v = wider;
        }
        v[n++] = y;
        p = spaces(stop);
        if (*p == ',') p = spaces(p + 1);
        else if (*p != ']') return grammar(x, p, "',' or ']'");
    }
    if (!n) return grammar(x, p, "a number");
    c->vector = v, c->n_vector = n;
    *end = p + 1;
    return E_OK;
}

static char *cut_file(parser *x, const char *p, const char *end, change *c)
{
    c->file_at = (size_t)(spaces(p) - x->text);
    return cut(x, p, end);
}

/* FILE:KEY; a drive letter or an address has no business here. */
static status parse_file(parser *x, const char *p, const char *end, change *c)
{
    const char *colon = NULL;
    for (const char *q = p; q < end; q++)
        if (*q == ':') colon = q;
    if (!colon || colon == p || colon + 1 == end)
        return grammar(x, p, "a number, [numbers], FILE:KEY, @LANE or mean(FILE)");
    c->file = cut_file(x, p, colon, c), c->key = cut(x, colon + 1, end);
    return c->file && c->key ? E_OK : nomem(x);
}

/* A number, a vector or a tensor, up to end; `scaled`: perhaps with a factor before it. */
static status parse_plain(parser *x, const char *p, const char *end, bool scaled, change *c)
{
    char *stop;
    const char *after = end;
    p = spaces(p);
    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) end--;
    if (p == end) return grammar(x, p, "a value");
    if ((size_t)(end - p) == 4 && !strncmp(p, "zero", 4)) return E_OK;
    if (*p == '[') {
        status st = parse_vector(x, p, c, &after);
        return st == E_OK && after != end ? grammar(x, after, "the end") : st;
    }
    double y = read_number(p, &stop);
    if (stop != p && stop == end) {
        c->number = y;
        return fits_float(y) ? E_OK : grammar(x, p, "a number that a float can hold");
    }
    const char *star = stop != p ? spaces(stop) : p;
    if (scaled && stop != p && *star == '*') {
        if (!fits_float(y)) return grammar(x, p, "a factor that a float can hold");
        c->factor *= y;
        return parse_plain(x, star + 1, end, false, c);
    }
    return parse_file(x, p, end, c);
}

static status parse_mean(parser *x, const char *p, change *c)
{
    const char *open = strchr(p, '('), *close = strrchr(p, ')'), *comma = strchr(p, ',');
    if (!close || *spaces(close + 1)) return grammar(x, p, "mean(FILE) or mean(FILE, by=pos)");
    if (comma) {
        const char *by = spaces(comma + 1);
        if (strncmp(by, "by=pos", 6) || spaces(by + 6) != close) return grammar(x, by, "by=pos");
        c->by_pos = true;
    }
    c->kind = CHANGE_MEAN;
    c->file = cut_file(x, open + 1, comma ? comma : close, c);
    if (!c->file) return nomem(x);
    return *c->file ? E_OK : grammar(x, open + 1, "a file of prompts");
}

/* @LANE, or @LANE:OTHER. */
static status parse_take(parser *x, const char *p, change *c)
{
    const char *colon = strchr(p, ':'), *bracket = strchr(p, '['), *end = p + strlen(p);
    if (colon && bracket && bracket < colon) colon = NULL;
    c->kind = CHANGE_TAKE;
    c->lane = cut(x, p + 1, colon ? colon : end);
    if (colon) c->other = cut(x, colon + 1, end);
    if (!c->lane || (colon && !c->other)) return nomem(x);
    return colon && !*c->other ? grammar(x, colon + 1, "a site") : E_OK;
}

static status parse_project(parser *x, const char *p, change *c)
{
    const char *close = strrchr(p, ')');
    if (!close || *spaces(close + 1)) return grammar(x, p, "project([..]) or project(FILE:KEY)");
    c->kind = CHANGE_PROJECT;
    status st = parse_plain(x, p + 8, close, false, c);
    return st == E_OK && !c->n_vector && !c->file
               ? grammar(x, p + 8, "a direction: [..] or FILE:KEY")
               : st;
}

/* After the '(' of [FACTOR *] lora(DIR), the factor taken; NULL: it is something else. */
static const char *lora_of(const char *p, change *c)
{
    char *stop;
    double y = read_number(p, &stop);
    const char *star = spaces(stop);
    bool scaled = stop != p && *star == '*';
    p = scaled ? spaces(star + 1) : p;
    if (strncmp(p, "lora(", 5) != 0) return NULL;
    if (scaled) c->factor *= y;
    return p + 5;
}

static status parse_lora(parser *x, const char *p, char op, change *c)
{
    const char *close = strrchr(p, ')');
    if (!close || *spaces(close + 1)) return grammar(x, p, "lora(DIR)");
    if (!isfinite(c->factor)) return grammar(x, x->text, "a finite factor");
    c->kind = CHANGE_LORA;
    if (op == '-') c->factor = -c->factor;
    c->file = cut_file(x, p, close, c);
    if (!c->file) return nomem(x);
    return *c->file ? E_OK : grammar(x, p, "an adapter's directory");
}

static status parse_value(parser *x, char op, const char *p, change *c)
{
    p = spaces(p);
    const char *end = p + strlen(p);
    if (op == '=' && *p == '@') return parse_take(x, p, c);
    if (op == '=' && !strncmp(p, "mean(", 5)) return parse_mean(x, p, c);
    if (op == '-' && !strncmp(p, "project(", 8)) return parse_project(x, p, c);
    const char *lora = lora_of(p, c);
    if (lora && (op == '=' || op == '*'))
        return grammar(x, p, "another value: lora(..) is added: +=");
    if (lora) return parse_lora(x, lora, op, c);
    c->kind = op == '=' ? CHANGE_SET : op == '*' ? CHANGE_SCALE : CHANGE_ADD;
    status st = parse_plain(x, p, end, op == '+' || op == '-', c);
    if (st != E_OK) return st;
    if (op == '*' && (c->n_vector || c->file)) return grammar(x, p, "a number to scale by");
    if (op == '-') c->number = -c->number, c->factor = -c->factor;
    return E_OK;
}

/* ---- the whole ---- */

static status swap(change **out, int *n_out, parser *x, const char *mid)
{
    change *c = arena_array(x->mem, 2, sizeof *c);
    char *a = cut(x, x->text, mid), *b = cut(x, mid + 3, x->text + strlen(x->text)),
         *text = arena_string(x->mem, x->text);
    if (!c || !a || !b || !text) return nomem(x);
    if (!*a || !*b) return grammar(x, mid, "a site on both sides");
    for (int i = 0; i < 2; i++)
        c[i] = (change){ .text = text,
                         .site = i ? b : a,
                         .kind = CHANGE_TAKE,
                         .lane = "",
                         .other = i ? a : b,
                         .factor = 1 };
    *out = c, *n_out = 2;
    return E_OK;
}

/* '=', or '+=', '-=', '*=': where, and which. */
static const char *operation(const char *text, char *op, const char **value)
{
    const char *p = outside(text, "=");
    if (!p || p == text) return NULL;
    *value = p + 1, *op = '=';
    if (!strchr("+-*", p[-1])) return p;
    *op = p[-1];
    return p - 1;
}

status change_parse(change **out, int *n_out, arena *mem, const char *text, error *err)
{
    parser x = { mem, text, err };
    char op;
    const char *value, *both = outside(text, "<->");
    if (both) return swap(out, n_out, &x, both);
    const char *end = operation(text, &op, &value);
    if (!end) return grammar(&x, text + strlen(text), "SITE = VALUE, +=, -=, *= or <->");
    const char *arrow = outside(text, "->");
    if (arrow && arrow > end) arrow = NULL;
    change *c = arena_array(mem, 1, sizeof *c);
    if (!c) return nomem(&x);
    c->factor = 1;
    c->text = arena_string(mem, text);
    c->site = cut(&x, text, arrow ? arrow : end);
    c->reader = arrow ? cut(&x, arrow + 2, end) : NULL;
    if (!c->text || !c->site || (arrow && !c->reader)) return nomem(&x);
    if (!*c->site) return grammar(&x, text, "a site");
    if (arrow && !*c->reader) return grammar(&x, arrow + 2, "a reader");
    status st = parse_value(&x, op, value, c);
    if (st == E_OK) *out = c, *n_out = 1;
    return st;
}
/* SPDX-License-Identifier: MIT */
