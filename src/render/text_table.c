/* text_table -- a table for a terminal: numbers to the right, texts to the left, cut to fit.
 *
 * When the columns are too many for the width, the first is repeated and the others follow in
 * groups below each other. */
#include "render/text_view.h"
#include <string.h>

enum { GAP = 2, NARROW = 10 };

static bool is_number(const column *c) { return c->kind == CELL_REAL || c->kind == CELL_INT; }

static str *shown(view *v, const column *c, const table_cell *cell)
{
    str *s = view_scratch(v);
    show_cell(s, c, cell, v->unicode);
    if (cell->mark != MARK_NONE)
        str_printf(s, "%s%s", cell->given ? " " : "", mark_sign(cell->mark, v->unicode));
    return s;
}

static str *heading(view *v, const column *c)
{
    str *s = view_scratch(v);
    show_text(s, c->name, strlen(c->name));
    if (!c->unit) return s;
    str_puts(s, " [");
    show_text(s, c->unit, strlen(c->unit));
    str_puts(s, "]");
    return s;
}

static int width_of(view *v, const str *s)
{
    v->s->failed |= s->failed;
    int w = s->failed ? 0 : show_width(s->p, s->n);
    return w > v->width ? v->width : w;
}

/* What the columns want, at most the width of the view; returns which marks occur. */
static unsigned measure(view *v, const table *t, int *w)
{
    unsigned marks = 0;
    for (int i = 0; i < t->n_column; i++) w[i] = width_of(v, heading(v, &t->col[i]));
    for (const table_line *row = t->first; row && !v->s->failed; row = row->next) {
        for (int i = 0; i < t->n_column; i++) {
            int need = width_of(v, shown(v, &t->col[i], &row->cell[i]));
            if (need > w[i]) w[i] = need;
            marks |= 1u << row->cell[i].mark;
        }
    }
    return marks;
}

/* Take from the widest text column until all fits or all texts are narrow. */
static void shrink(const view *v, const table *t, int *w)
{
    for (;;) {
        int total = -GAP, widest = -1;
        for (int i = 0; i < t->n_column; i++) {
            total += w[i] + GAP;
            if (!is_number(&t->col[i]) && w[i] > NARROW && (widest < 0 || w[i] > w[widest]))
                widest = i;
        }
        if (total <= v->width || widest < 0) return;
        w[widest]--;
    }
}

/* One line, of the first column and columns from..to-1; row NULL: the headings. */
static void line(view *v, const table *t, const table_line *row, const int *w, int from, int to)
{
    for (int k = from ? -1 : 0; k < to - from; k++) {
        int i = k < 0 ? 0 : from + k;
        const column *c = &t->col[i];
        if (row) shown(v, c, &row->cell[i]);
        else heading(v, c);
        if (i && (k >= 0)) view_spaces(v, GAP);
        view_put(v, w[i], is_number(c));
    }
    while (v->s->n && v->s->p[v->s->n - 1] == ' ') v->s->p[--v->s->n] = 0;
}

/* How many columns from `from` on fit beside the first. */
static int group_end(const view *v, const table *t, const int *w, int from)
{
    int used = from ? w[0] : -GAP, i = from;
    while (i < t->n_column && used + GAP + w[i] <= v->width) used += GAP + w[i++];
    return i > from ? i : from + 1;
}

static void groups(view *v, const table *t, const int *w)
{
    for (int from = 0, to; from < t->n_column && !v->s->failed; from = to) {
        to = group_end(v, t, w, from);
        if (from) str_puts(v->s, "\n");
        view_ink(v, INK_DIM);
        line(v, t, NULL, w, from, to);
        view_ink(v, INK_PLAIN);
        str_puts(v->s, "\n");
        for (const table_line *row = t->first; row; row = row->next) {
            line(v, t, row, w, from, to);
            str_puts(v->s, "\n");
        }
    }
}

void text_table(view *v, const table *t)
{
    int *w = mem_zero((size_t)t->n_column * sizeof *w);
    if (!w) {
        v->s->failed = true;
        return;
    }
    view_ink(v, INK_BOLD);
    view_wrap(v, t->name, strlen(t->name), 0, 0);
    view_ink(v, INK_PLAIN);
    unsigned marks = measure(v, t, w);
    shrink(v, t, w);
    int all = (t->n_column - 1) * GAP;
    for (int i = 0; i < t->n_column; i++) all += w[i];
    /* the first column leaves room for one more beside it, where not all have room */
    if (all > v->width && t->n_column > 1 && w[0] > v->width / 2) w[0] = v->width / 2;
    for (int i = 1; i < t->n_column; i++)
        if (w[i] > v->width - w[0] - GAP) w[i] = v->width - w[0] - GAP;
    groups(v, t, w);
    view_marks(v, marks);
    mem_free(w, (size_t)t->n_column * sizeof *w);
}
/* SPDX-License-Identifier: MIT */
