/* render -- a finished report as text, JSON, CSV or a page.
 *
 * Every renderer writes the whole document into a new string: *out is written only on success and
 * released by the caller.  A report is never changed, and nothing is computed here: what is shown is
 * what is in it.  Files are written by the caller (file_write in base/file.h).
 *
 * What comes from outside (tokens, prompts, names) is escaped for where it goes: no byte of a token
 * can move a cursor, open a tag or end a quote. */
#ifndef MICROTOME_RENDER_RENDER_H
#define MICROTOME_RENDER_RENDER_H
#include "base/str.h"
#include "report/report.h"

typedef struct text_options {
    int width;    /* columns; no line is wider.  0: 80; less than 40 counts as 40 */
    bool colour;  /* ANSI colours of the 256 */
    bool unicode; /* block characters, visible spaces; false: ASCII but for what tokens hold */
} text_options;

/* For a terminal: sections in order, then the certificate.
 *
 *   options   NULL: 80 columns, no colour, unicode
 *
 * [err: NOMEM | owns: the caller (str_release) | thread: any, on a finished report | cost: O(cells shown)] */
status render_text(const report *r, str *out, const text_options *options, error *err);

/* The shape in docs/reports.md.  Every number reads back to the same bits; a tensor of more than
 * RENDER_JSON_MAX elements is listed without its data (they are what --out is for).
 *
 * [err: NOMEM | owns: the caller (str_release) | thread: any, on a finished report | cost: O(elements)] */
enum { RENDER_JSON_MAX = 1 << 18 };
status render_json(const report *r, str *out, error *err);

/* One table or tensor by name (the table where both have it); or, with name NULL, all, each after a line "# table NAME" or
 * "# tensor NAME".
 *
 * [err: USAGE (no such table or tensor), NOMEM | owns: the caller (str_release) | thread: any, on a finished report | cost: O(cells)] */
status render_csv(const report *r, const char *name, str *out, error *err);

/* One page that needs nothing else: light and dark, values on hover and by keyboard, the JSON
 * within it (so that replay reads the page).
 *
 * [err: NOMEM | owns: the caller (str_release) | thread: any, on a finished report | cost: O(elements)] */
status render_html(const report *r, str *out, error *err);

#endif
/* SPDX-License-Identifier: MIT */
