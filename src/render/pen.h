/* pen -- writes JSON text straight into a string: brackets, commas and lines.
 *
 * '<' is written \u003c everywhere, so that the text may stand inside a page's script element. */
#ifndef MICROTOME_RENDER_PEN_H
#define MICROTOME_RENDER_PEN_H
#include "base/json.h"
#include "report/figure.h"

enum { PEN_DEPTH = 12 };

typedef struct pen {
    str *s;
    int depth;
    bool any[PEN_DEPTH], lines[PEN_DEPTH]; /* of each open bracket: has it items, one a line? */
    bool after_key;
} pen;

/* Open and close '{' or '['; `lines` puts each item on its own line.  A key; then its value.
 *
 * [err: s->failed | owns: nothing | thread: any | cost: O(bytes)] */
void pen_begin(pen *w, char bracket, bool lines);
void pen_end(pen *w, char bracket);
void pen_key(pen *w, const char *key);

/* Values.  pen_bytes makes what is not UTF-8 into U+FFFD; pen_text takes NULL as null; pen_real
 * writes what is not finite as the strings "nan", "inf", "-inf"; pen_json a whole value on one line.
 *
 * [err: s->failed | owns: nothing | thread: any | cost: O(bytes)] */
void pen_bytes(pen *w, const char *p, size_t n);
void pen_text(pen *w, const char *text);
void pen_int(pen *w, int64_t v);
void pen_bool(pen *w, bool v);
void pen_real(pen *w, double x);
void pen_element(pen *w, const report_array *a, int64_t index);
void pen_json(pen *w, const json_t *v);

/* The same, each with its key.
 *
 * [err: s->failed | owns: nothing | thread: any | cost: O(bytes)] */
void pen_text_at(pen *w, const char *key, const char *text);
void pen_int_at(pen *w, const char *key, int64_t v);
void pen_bool_at(pen *w, const char *key, bool v);
void pen_real_at(pen *w, const char *key, double x);

#endif
/* SPDX-License-Identifier: MIT */
