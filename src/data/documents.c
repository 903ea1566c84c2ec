/* documents -- see documents.h. */
#include "data/documents.h"
#include <string.h>

enum { MAX_LINE = 256 << 20 };

status documents_open(documents *out, const char *path, const char *field, const char *separator,
                      error *err)
{
    documents d = { .path = path, .field = field, .separator = separator };
    if (separator && !*separator)
        return error_set(err, E_USAGE, "the separator of documents is empty");
    if (!field || !*field) return error_set(err, E_USAGE, "the field of documents has no name");
    d.json = str_ends(path, ".jsonl") || str_ends(path, ".ndjson");
    if (d.json && separator)
        return error_set(err, E_USAGE, "%s: lines of JSON are documents already: no separator",
                         path);
    status st = file_open_map(&d.map, path, err);
    if (st == E_OK) *out = d;
    return st;
}

void documents_close(documents *d)
{
    json_decref(d->held);
    file_unmap(&d->map);
    *d = (documents){ 0 };
}

/* ---- texts ---- */

static bool next_text(documents *d, document *out)
{
    const char *p = (const char *)d->map.p;
    size_t length = d->separator ? strlen(d->separator) : 0;
    while (d->at < d->map.bytes) {
        size_t at = d->at, left = d->map.bytes - at;
        const char *found = length ? memmem(p + at, left, d->separator, length) : NULL;
        size_t n = found ? (size_t)(found - (p + at)) : left;
        d->at = at + n + (found ? length : 0);
        if (!n) continue;
        *out = (document){ .index = d->n_read++, .at = at, .text = p + at, .n = n };
        return true;
    }
    return false;
}

/* ---- lines of JSON ---- */

static status line_document(documents *d, document *out, error *err)
{
    const json_t *v = d->held;
    if (json_is_object(v)) v = json_object_get(v, d->field);
    if (!v) {
        const char *first = json_object_iter_key(json_object_iter(d->held));
        error_set(err, E_FORMAT, "%s, line %lld: there is no field '%.60s'", d->path,
                  (long long)d->line, d->field);
        if (first)
            error_hint(err, "the first field there is '%.60s'; name the one with --field", first);
        return E_FORMAT;
    }
    if (json_is_string(v)) out->text = json_string_value(v), out->n = json_string_length(v);
    else if (json_is_array(v)) out->ids = v;
    else
        return error_set(err, E_FORMAT,
                         "%s, line %lld: a document is %s, expected a text or a list of ids",
                         d->path, (long long)d->line, json_kind(v));
    return E_OK;
}

/* *there false: the line was empty. */
static status next_line(documents *d, document *out, bool *there, error *err)
{
    char name[200];
    const char *p = (const char *)d->map.p + d->at;
    size_t left = d->map.bytes - d->at;
    const char *end = memchr(p, '\n', left);
    size_t n = end ? (size_t)(end - p) : left;
    size_t at = d->at;
    d->at += n + (end != NULL), d->line++;
    *there = false;
    size_t blank = 0;
    while (blank < n && (p[blank] == ' ' || p[blank] == '\t' || p[blank] == '\r')) blank++;
    if (blank == n) return E_OK;
    if (n > MAX_LINE)
        return error_set(err, E_LIMIT, "%s, line %lld: %zu bytes, the longest taken is %d", d->path,
                         (long long)d->line, n, MAX_LINE);
    snprintf(name, sizeof name, "%.160s, line %lld", d->path, (long long)d->line);
    status st = json_parse_bytes(&d->held, p, n, name, err);
    *out = (document){ .index = d->n_read, .at = at };
    if (st == E_OK) st = line_document(d, out, err);
    if (st != E_OK) return st;
    *there = out->ids || out->n;
    d->n_read += *there;
    return E_OK;
}

status documents_next(documents *d, document *out, bool *there, error *err)
{
    document found = { 0 };
    status st = E_OK;
    *there = false;
    json_decref(d->held);
    d->held = NULL;
    if (!d->json) *there = next_text(d, &found);
    while (d->json && st == E_OK && !*there && d->at < d->map.bytes) {
        json_decref(d->held);
        d->held = NULL;
        st = next_line(d, &found, there, err);
    }
    if (st == E_OK && *there) *out = found;
    return st;
}
/* SPDX-License-Identifier: MIT */
