/* csv -- see csv.h. */
#include "data/csv.h"
#include <string.h>

enum { MAX_QUOTED = 1 << 20 };

csv csv_begin(const char *name, const void *p, size_t n)
{
    const char *text = p ? p : "";
    size_t mark = n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    return (csv){ .name = name, .at = text + mark, .end = text + n };
}

bool csv_is(const csv_cell *c, const char *text)
{
    return c->p && c->n == strlen(text) && !memcmp(c->p, text, c->n);
}

static status bad_row(const csv *c, status code, const char *why, error *err)
{
    return error_set(err, code, "%s, row %lld: %s", c->name, (long long)c->row, why);
}

/* c->at is behind the opening quote; it ends behind the closing one. */
static status quoted_cell(csv *c, arena *mem, csv_cell *out, error *err)
{
    const char *from = c->at, *q = from;
    size_t n = 0;
    for (; q < c->end && (*q != '"' || (q + 1 < c->end && q[1] == '"')); q++, n++) q += *q == '"';
    if (n > MAX_QUOTED) return bad_row(c, E_LIMIT, "a cell of over a MiB in quotes", err);
    if (q == c->end) return bad_row(c, E_FORMAT, "a quote is not closed", err);
    char *copy = arena_get(mem, n + 1);
    if (!copy) return error_set(err, E_NOMEM, "%s: out of memory", c->name);
    for (size_t i = 0; i < n; i++, from++) from += *from == '"', copy[i] = *from;
    copy[n] = 0;
    *out = (csv_cell){ copy, n };
    c->at = q + 1;
    if (c->at < c->end && *c->at == '\r' && (c->at + 1 == c->end || c->at[1] == '\n')) c->at++;
    if (c->at == c->end || *c->at == ',' || *c->at == '\n') return E_OK;
    return bad_row(c, E_FORMAT, "text behind a closed quote", err);
}

static void plain_cell(csv *c, csv_cell *out)
{
    const char *from = c->at;
    while (c->at < c->end && *c->at != ',' && *c->at != '\n') c->at++;
    size_t n = (size_t)(c->at - from);
    if (n && from[n - 1] == '\r' && (c->at == c->end || *c->at == '\n')) n--;
    *out = (csv_cell){ from, n };
}

status csv_row(csv *c, arena *mem, csv_cell *out, int *n, error *err)
{
    c->row++;
    for (*n = 0;; c->at++) {
        status st = E_OK;
        if (*n == CSV_COLUMNS) return bad_row(c, E_LIMIT, "more than 64 columns", err);
        csv_cell *to = &out[(*n)++];
        if (c->at < c->end && *c->at == '"') c->at++, st = quoted_cell(c, mem, to, err);
        else plain_cell(c, to);
        if (st != E_OK) return st;
        if (c->at == c->end) return E_OK;
        if (*c->at == '\n') break;
    }
    c->at++;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
