/* text_view -- what the files that write text for terminals share; not for others.
 *
 * Invariant: no line is wider than view.width.  Everything goes through view_line's pieces: text is
 * shown first (show.h), then cut or wrapped, then coloured; colours take no columns. */
#ifndef MICROTOME_RENDER_TEXT_VIEW_H
#define MICROTOME_RENDER_TEXT_VIEW_H
#include "render/show.h"

typedef struct view {
    str *s;
    int width;
    bool colour, unicode;
    str scratch; /* one shown cell or label at a time */
} view;

typedef enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_WARN, INK_WARM, INK_COOL } ink;

/* Colour on and off; nothing when there are no colours.  view_shade is a background, by shade -1..1.
 *
 * [err: v->s->failed | owns: nothing | thread: v's own | cost: O(1)] */
void view_ink(view *v, ink i);
void view_shade(view *v, double shade);

/* The scratch string, emptied, to show something into.
 *
 * [err: none | owns: v | thread: v's own | cost: O(1)] */
str *view_scratch(view *v);

/* What is in scratch, cut to `width` and padded to it, on the left or the right.
 *
 * [err: v->s->failed | owns: nothing | thread: v's own | cost: O(width)] */
void view_put(view *v, int width, bool right);
void view_spaces(view *v, int n);

/* Shown text, broken at spaces (and '\n') into lines; the first begins at column `used`, the others
 * at `indent`.  Ends with a line's end.
 *
 * [err: v->s->failed | owns: nothing | thread: v's own | cost: O(n)] */
void view_wrap(view *v, const char *p, size_t n, int used, int indent);

/* A line per mark that occurs: bit m of `marks` is cell_mark m.
 *
 * [err: v->s->failed | owns: nothing | thread: v's own | cost: O(1)] */
void view_marks(view *v, unsigned marks);

/* A table, a figure (text_heads: that kind of it); with its caption.
 *
 * [err: v->s->failed | owns: nothing | thread: v's own | cost: O(cells)] */
void text_table(view *v, const table *t);
void text_figure(view *v, const figure *f);
void text_heads(view *v, const figure *f);

#endif
/* SPDX-License-Identifier: MIT */
