/* show -- numbers and texts as people read them; shared by the renderers.
 *
 * Bytes that are not text are shown as \xNN, characters that move or hide (controls, direction
 * marks, zero-width ones) as \n, \t, \u{202e}: the result is always valid UTF-8 of visible
 * characters and spaces. */
#ifndef MICROTOME_RENDER_SHOW_H
#define MICROTOME_RENDER_SHOW_H
#include "base/str.h"
#include "report/figure.h"

/* A number with `digits` significant digits (0: 4), zeros kept: "1.500", "0.03210", "1.235e+05".
 *
 * [err: s->failed | owns: s | thread: any | cost: O(1)] */
void show_real(str *s, double x, int digits);

/* A number that reads back to the same bits, with no more digits than that needs (at most 9 for f32,
 * 17 for f64); always with '.', 'e' or a word: nan, inf, -inf.  show_element is the array's own number, an integer where it is one.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(1)] */
void show_exact(str *s, double x, bool f32);
void show_element(str *s, const report_array *a, int64_t index);

/* Bytes as text: spaces stay.  As a token: a space is a dot in the middle (unicode) or '_', so that
 * " the" and "the" differ; an empty one is "".  A label is shown as what it is.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(n)] */
void show_text(str *s, const char *p, size_t n);
void show_token(str *s, const char *p, size_t n, bool unicode);
void show_label(str *s, report_label l, bool unicode);

/* Columns that shown text takes on a terminal; and as much of it as fits into `width` columns, with
 * an ellipsis when it was cut.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(n)] */
int show_width(const char *p, size_t n);
void show_cut(str *s, const char *p, size_t n, int width, bool unicode);

/* A table's cell as read by people: its value with the column's digits; "" without one.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(n)] */
void show_cell(str *s, const column *c, const table_cell *cell, bool unicode);

/* One sign for a mark, as tables and heatmaps show it, explained under them; "" for none.
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
const char *mark_sign(cell_mark mark, bool unicode);

/* How many decimals make the numbers of a figure differ where they should; negative: use exponents.
 * show_figure writes one with them.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(1)] */
int figure_decimals(const figure *f);
void show_figure(str *s, double x, int decimals);

/* Least and largest of what a figure shows: finite, and no exact nothing.
 *
 * [err: false when there is none | owns: nothing | thread: any | cost: O(cells)] */
bool figure_range(const figure *f, double *low, double *high);

#endif
/* SPDX-License-Identifier: MIT */
