/* terms -- see terms.h. */
#include "instrument/terms.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TERM = 64, MAX_WORD = 4096 };

static status bad(const terms *t, const char *what, error *err)
{
    error_set(err, E_USAGE, "'%.80s': %s", t->text, what);
    error_hint(err, "tokens and vectors with ' + ' and ' - ' between them: king - man + woman, "
                    "\" Lily\" - 0.5 * #17, dir.npz:joy");
    return E_USAGE;
}

static status spaced(const work *w, const char *p, size_t n, int32_t *out, error *err)
{
    char text[MAX_WORD + 2];
    if (n > MAX_WORD) return E_RANGE;
    *text = ' ';
    memcpy(text + 1, p, n);
    return token_find(w->m, text, n + 1, out, err);
}

status terms_token(const work *w, const char *p, size_t n, int32_t *out, error *err)
{
    if (n > 1 && *p == '"' && p[n - 1] == '"') return token_find(w->m, p + 1, n - 2, out, err);
    if (*p != '#' && spaced(w, p, n, out, NULL) == E_OK) return E_OK;
    return token_find(w->m, p, n, out, err);
}

/* FILE:KEY or FILE:KEY[row]. */
static status from_file(term *t, work *w, char *word, int32_t d, error *err)
{
    char *colon = strrchr(word, ':'), *row = NULL, *end;
    double *v;
    int64_t n = 0, at = 0;
    size_t len = strlen(word);
    if (len && word[len - 1] == ']' && (row = strrchr(colon, '['))) {
        at = strtoll(row + 1, &end, 10);
        if (end == row + 1 || strcmp(end, "]")) row = NULL;
        else *row = 0;
    }
    *colon = 0;
    status st = work_values(w, word, colon + 1, &v, &n, err);
    if (st != E_OK) return st;
    if (!row && n == d) at = 0;
    else if (!row || n % d || at < 0 || at >= n / d) {
        error_set(err, E_SHAPE, "%s:%s has %lld numbers, a vector here has %d", word, colon + 1,
                  (long long)n, d);
        if (n % d == 0)
            error_hint(err, "it is %lld rows: %s:%s[0] is the first", (long long)(n / d), word,
                       colon + 1);
        return E_SHAPE;
    }
    t->v = v + at * d;
    return E_OK;
}

static status from_weight(term *t, work *w, lane *l, const char *word, int32_t d, error *err)
{
    address a;
    status st = site_find_one(&a, w->m, NULL, word, err);
    if (st != E_OK) return st;
    if (a.n->extent != WEIGHT)
        return error_set(err, E_USAGE, "'%s' is an activation: a weight or a token is expected",
                         word);
    box b = box_cut(a.where, node_all(a.n, l));
    if ((int64_t)(b.r1 - b.r0) * (b.a1 - b.a0) != d)
        return error_set(err, E_SHAPE, "'%s' has %d by %d numbers, a vector here has %d", word,
                         b.r1 - b.r0, b.a1 - b.a0, d);
    double *v = arena_array(&w->mem, d, sizeof *v);
    if (!v) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    t->v = v;
    return lane_read(l, a.n, b, v, err);
}

/* Is it a tensor of a file, a weight, or a token?  A token where it could be one. */
static status one_term(terms *t, work *w, lane *l, char *word, size_t n, int32_t d, error *err)
{
    term *x = &t->term[t->n];
    *x = (term){ .factor = x->factor, .id = -1 };
    bool quoted = *word == '"' || *word == '#';
    status st = terms_token(w, word, n, &x->id, NULL);
    word[n] = 0;
    if (st == E_OK) return st;
    x->id = -1, t->vectors = true;
    if (!quoted && strchr(word, ':')) return from_file(x, w, word, d, err);
    if (!quoted && strchr(word, '.')) return from_weight(x, w, l, word, d, err);
    return terms_token(w, word, n, &x->id, err); /* it says why */
}

/* Bytes of the term at p: a quoted text, or up to the next space. */
static size_t length(const char *p)
{
    if (*p != '"') return strcspn(p, " ");
    const char *end = strchr(p + 1, '"');
    return end ? (size_t)(end - p) + 1 : 0;
}

static const char *skip(const char *p) { return p + strspn(p, " "); }

/* "0.5 * " before a term. */
static const char *factor(const char *p, double *out)
{
    char *end;
    double v = strtod(p, &end);
    const char *star = skip(end);
    if (end == p || *star != '*') return p;
    *out *= v;
    return skip(star + 1);
}

status terms_read(terms *out, work *w, lane *l, const char *text, int32_t d, error *err)
{
    terms t = { .text = text, .term = arena_array(&w->mem, MAX_TERM, sizeof *t.term) };
    char *word = arena_get(&w->mem, strlen(text) + 2);
    const char *p = skip(text);
    double sign = 1;
    if (!t.term || !word) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    if (*text == ' ' && token_find(w->m, text, strlen(text), &t.term[0].id, NULL) == E_OK) {
        t.term[0].factor = 1, t.n = 1, *out = t; /* " Lily" without its quotes */
        return E_OK;
    }
    if (*p == '-' && p[1] == ' ') sign = -1, p = skip(p + 1);
    for (;;) {
        if (t.n == MAX_TERM) return bad(&t, "more than 64 terms", err);
        t.term[t.n].factor = sign;
        p = factor(p, &t.term[t.n].factor);
        size_t n = length(p);
        if (!n) return bad(&t, *p ? "a quote is not closed" : "a term is missing", err);
        memcpy(word, p, n);
        status st = one_term(&t, w, l, word, n, d, err);
        if (st != E_OK) return st;
        t.n++, p = skip(p + n);
        if (!*p) break;
        if ((*p != '+' && *p != '-') || p[1] != ' ')
            return bad(&t, "+ or - with spaces around it is expected between terms", err);
        sign = *p == '-' ? -1 : 1, p = skip(p + 1);
    }
    *out = t;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
