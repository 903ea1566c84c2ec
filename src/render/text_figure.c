/* text_figure -- heatmaps, bars and coloured tokens for a terminal.
 *
 * A heatmap shows its numbers, coloured where there are colours.  What does not fit goes in groups
 * of columns below each other; with colours and many columns the cells become blocks without
 * numbers, two columns each.  Over CELL_MAX cells only the largest are listed. */
#include "render/text_view.h"
#include <math.h>
#include <string.h>

enum { CELL_MAX = 6000, N_LARGEST = 10, BLOCK = 2, TOKEN_CELL = 9 };

static str *label(view *v, const figure *f, int axis, int64_t i)
{
    char number[24];
    str *s = view_scratch(v);
    show_label(s, figure_label(f, axis, i, number), v->unicode);
    return s;
}

static int label_width(view *v, const figure *f, int axis, int64_t n, int most)
{
    int w = 0;
    for (int64_t i = 0; i < n && w < most; i++) {
        const str *s = label(v, f, axis, i);
        v->s->failed |= s->failed;
        if (s->failed) return 1;
        int here = show_width(s->p, s->n);
        if (here > w) w = here;
    }
    return w > most ? most : w;
}

/* A cell as text: its token or number, a mark's sign instead of an exact nothing. */
static str *cell(view *v, const figure *f, int64_t row, int64_t col, int decimals)
{
    str *s = view_scratch(v);
    cell_mark mark = figure_mark(f, row, col);
    report_label token = figure_cell(f, row, col);
    if (mark == MARK_NONE || mark == MARK_RAW) {
        if (token.p) show_label(s, token, v->unicode);
        else show_figure(s, figure_value(f, row, col), decimals);
    }
    str_puts(s, mark_sign(mark, v->unicode));
    return s;
}

static double shade(const figure *f, int64_t row, int64_t col)
{
    cell_mark mark = figure_mark(f, row, col);
    double x = figure_shade(f, figure_value(f, row, col));
    return mark == MARK_NONE || mark == MARK_RAW ? x : 0;
}

static int cell_width(view *v, const figure *f, int decimals)
{
    int w = 1;
    for (int64_t i = 0; i < f->n_row; i++) {
        for (int64_t j = 0; j < f->n_col; j++) {
            const str *s = cell(v, f, i, j, decimals);
            if (!s->failed && show_width(s->p, s->n) > w) w = show_width(s->p, s->n);
        }
    }
    return w;
}

static unsigned marks_of(const figure *f)
{
    unsigned marks = 0;
    for (int64_t i = 0; i < f->n_row; i++)
        for (int64_t j = 0; j < f->n_col; j++) marks |= 1u << figure_mark(f, i, j);
    return marks;
}

/* ---- captions and legends ---- */

static void caption(view *v, const figure *f)
{
    str text = { 0 };
    str_puts(&text, *f->title ? f->title : f->array->t.name);
    for (int i = 0; i < f->array->t.n_dim; i++) {
        char number[24];
        if (i == f->row_axis || i == f->col_axis || f->array->t.dim[i] < 2) continue;
        str_printf(&text, ", %s ", f->array->axis[i]);
        show_label(&text, figure_label(f, i, f->at[i], number), v->unicode);
    }
    v->s->failed |= text.failed;
    view_ink(v, INK_BOLD);
    if (!text.failed) view_wrap(v, text.p, text.n, 0, 0);
    view_ink(v, INK_PLAIN);
    str_release(&text);
}

static void legend(view *v, const figure *f)
{
    str text = { 0 };
    if (f->kind == FIGURE_HEATMAP)
        str_printf(&text, "rows: %s, columns: %s; ", f->array->axis[f->row_axis],
                   f->array->axis[f->col_axis]);
    str_puts(&text, f->value);
    if (f->array->unit) str_printf(&text, " [%s]", f->array->unit);
    double low, high;
    if (figure_range(f, &low, &high)) {
        str_puts(&text, ", ");
        show_real(&text, low, 4);
        str_puts(&text, " to ");
        show_real(&text, high, 4);
    }
    if (v->colour) {
        str_puts(&text, "; no colour at ");
        show_real(&text, f->centre, 4);
    }
    v->s->failed |= text.failed;
    view_ink(v, INK_DIM);
    if (!text.failed) view_wrap(v, text.p, text.n, 0, 0);
    view_ink(v, INK_PLAIN);
    view_marks(v, marks_of(f));
    str_release(&text);
}

/* ---- heatmaps ---- */

typedef struct grid {
    int label, cell, gap, decimals;
    bool numbers;
} grid;

static void grid_head(view *v, const figure *f, const grid *g, int64_t from, int64_t to)
{
    view_spaces(v, g->label);
    view_ink(v, INK_DIM);
    for (int64_t j = from; j < to; j++) {
        if (g->numbers) {
            view_spaces(v, g->gap);
            label(v, f, f->col_axis, j);
        } else { /* a number every five blocks; it may run over the next ones */
            if (j == from) str_puts(v->s, " ");
            if ((j - from) % 5) continue;
            str_printf(view_scratch(v), "%lld", (long long)j);
        }
        int64_t left = to - j < 5 ? to - j : 5;
        view_put(v, g->numbers ? g->cell : (int)left * g->cell, g->numbers);
    }
    view_ink(v, INK_PLAIN);
    str_puts(v->s, "\n");
}

static void grid_row(view *v, const figure *f, const grid *g, int64_t row, int64_t from, int64_t to)
{
    label(v, f, f->row_axis, row);
    view_put(v, g->label, false);
    if (!g->numbers) str_puts(v->s, " ");
    for (int64_t j = from; j < to; j++) {
        double x = shade(f, row, j);
        view_spaces(v, g->gap);
        view_shade(v, x);
        cell_mark mark = figure_mark(f, row, j);
        if (g->numbers) cell(v, f, row, j, g->decimals);
        else str_puts(view_scratch(v), isnan(x) ? "n" : mark_sign(mark, v->unicode));
        view_put(v, g->cell, true);
        view_ink(v, INK_PLAIN);
    }
    str_puts(v->s, "\n");
}

/* Under blocks: which column is what. */
static void column_list(view *v, const figure *f)
{
    str text = { 0 };
    if (!f->array->label[f->col_axis]) return;
    str_printf(&text, "%s:", f->array->axis[f->col_axis]);
    for (int64_t j = 0; j < f->n_col; j++) {
        str_printf(&text, " %lld=", (long long)j);
        const str *s = label(v, f, f->col_axis, j);
        if (s->failed) text.failed = true;
        else str_add(&text, s->p, s->n);
    }
    v->s->failed |= text.failed;
    view_ink(v, INK_DIM);
    if (!text.failed) view_wrap(v, text.p, text.n, 0, 2);
    view_ink(v, INK_PLAIN);
    str_release(&text);
}

static grid plan_grid(view *v, const figure *f)
{
    grid g = { .gap = 1, .numbers = true, .decimals = figure_decimals(f) };
    g.label = label_width(v, f, f->row_axis, f->n_row, v->width / 3);
    g.cell = cell_width(v, f, g.decimals);
    int heads = label_width(v, f, f->col_axis, f->n_col, 7);
    if (heads > g.cell) g.cell = heads;
    if (g.cell > v->width / 2) g.cell = v->width / 2;
    if (f->array->cell && g.cell > TOKEN_CELL) g.cell = TOKEN_CELL;
    if (v->colour && f->n_col * (g.cell + 1) + g.label > v->width)
        g = (grid){ .label = g.label, .cell = BLOCK };
    return g;
}

static void heatmap(view *v, const figure *f)
{
    grid g = plan_grid(v, f);
    int64_t fit = (v->width - g.label - !g.numbers) / (g.cell + g.gap);
    if (fit < 1) fit = 1;
    for (int64_t from = 0; from < f->n_col && !v->s->failed; from += fit) {
        int64_t to = from + fit < f->n_col ? from + fit : f->n_col;
        if (from) str_puts(v->s, "\n");
        grid_head(v, f, &g, from, to);
        for (int64_t i = 0; i < f->n_row; i++) grid_row(v, f, &g, i, from, to);
    }
    if (!g.numbers) column_list(v, f);
}

/* ---- too many cells ---- */

/* Is cell a farther from the centre than b?  Equal ones by place. */
static bool before(const figure *f, int64_t a, int64_t b)
{
    double x = fabs(figure_value(f, a / f->n_col, a % f->n_col) - f->centre);
    double y = fabs(figure_value(f, b / f->n_col, b % f->n_col) - f->centre);
    return isnan(y) ? !isnan(x) : x > y;
}

/* A label, with its axis before it when it is only a number. */
static str *place(view *v, const figure *f, int axis, int64_t i)
{
    str *s = label(v, f, axis, i);
    if (f->array->label[axis]) return s;
    s = view_scratch(v);
    str_printf(s, "%s %lld", f->array->axis[axis], (long long)i);
    return s;
}

static void one_largest(view *v, const figure *f, int64_t at, int decimals)
{
    int used = 0, half = (v->width - 14) / 2;
    if (f->row_axis >= 0) {
        place(v, f, f->row_axis, at / f->n_col);
        used = half;
        view_put(v, half, false);
        str_puts(v->s, " ");
    }
    place(v, f, f->col_axis, at % f->n_col);
    view_put(v, used ? half : 2 * half, false);
    str_puts(v->s, " ");
    cell(v, f, at / f->n_col, at % f->n_col, decimals);
    view_put(v, 12, true);
    str_puts(v->s, "\n");
}

static void largest(view *v, const figure *f)
{
    int64_t top[N_LARGEST];
    int n = 0;
    for (int64_t i = 0; i < f->n_row * f->n_col; i++) {
        int k = n;
        while (k > 0 && before(f, i, top[k - 1])) k--;
        if (k >= N_LARGEST) continue;
        if (n < N_LARGEST) n++;
        memmove(top + k + 1, top + k, (size_t)(n - 1 - k) * sizeof *top);
        top[k] = i;
    }
    str_printf(v->s, "%lld cells; farthest from ", (long long)(f->n_row * f->n_col));
    show_real(v->s, f->centre, 4);
    str_puts(v->s, ":\n");
    for (int k = 0; k < n; k++) one_largest(v, f, top[k], figure_decimals(f));
}

/* ---- bars and tokens ---- */

/* A bar of shade x in `room` columns, `zero` of them left of the centre, `unit` columns a shade of 1. */
static void bar(view *v, double x, int room, int zero, double unit)
{
    int n = isfinite(x) ? (int)lround(fabs(x) * unit) : 0, left = zero;
    if (x < 0) left = n < zero ? zero - n : 0, n = zero - left;
    else if (n > room - zero) n = room - zero;
    view_spaces(v, left);
    view_ink(v, x < 0 ? INK_COOL : INK_WARM);
    for (int i = 0; i < n; i++) str_puts(v->s, v->unicode ? "\u2588" : "#");
    view_ink(v, INK_PLAIN);
    view_spaces(v, room - left - n);
}

/* "[low, high]" of a bar, or nothing. */
static str *ends(view *v, const figure *f, int64_t j)
{
    str *s = view_scratch(v);
    if (!f->low || !f->high) return s;
    int64_t at = figure_index(f, 0, j);
    double low = array_value(f->low, at), high = array_value(f->high, at);
    if (!isfinite(low) || !isfinite(high)) return s;
    str_puts(s, "[");
    show_real(s, low, 4);
    str_puts(s, ", ");
    show_real(s, high, 4);
    str_puts(s, "]");
    return s;
}

static int ends_width(view *v, const figure *f)
{
    int w = 0;
    for (int64_t j = 0; j < f->n_col; j++) {
        const str *s = ends(v, f, j);
        if (!s->failed && show_width(s->p, s->n) > w) w = show_width(s->p, s->n);
    }
    return w ? w + 1 : 0;
}

static void bars(view *v, const figure *f)
{
    int decimals = figure_decimals(f), cells = cell_width(v, f, decimals),
        interval = ends_width(v, f);
    int labels = label_width(v, f, f->col_axis, f->n_col, v->width / 3);
    int room = v->width - labels - cells - interval - 4;
    if (room < 4) interval = 0, room = v->width - labels - cells - 4;
    if (room < 0) room = 0;
    double low = 0, high = 0;
    for (int64_t j = 0; j < f->n_col; j++) {
        if (shade(f, 0, j) < low) low = shade(f, 0, j);
        if (shade(f, 0, j) > high) high = shade(f, 0, j);
    }
    double unit = high > low ? room / (high - low) : 0;
    for (int64_t j = 0; j < f->n_col && !v->s->failed; j++) {
        label(v, f, f->col_axis, j);
        view_put(v, labels, false);
        view_spaces(v, 2);
        bar(v, shade(f, 0, j), room, (int)lround(-low * unit), unit);
        view_spaces(v, 2);
        cell(v, f, 0, j, decimals);
        view_put(v, cells, true);
        if (interval) ends(v, f, j), view_put(v, interval, true);
        str_puts(v->s, "\n");
    }
}

/* Tokens one after the other, their values as backgrounds. */
static void tokens(view *v, const figure *f)
{
    int used = 0;
    for (int64_t j = 0; j < f->n_col; j++) {
        const str *s = label(v, f, f->col_axis, j);
        v->s->failed |= s->failed;
        if (s->failed) return;
        int w = show_width(s->p, s->n);
        if (w > v->width) w = v->width;
        if (used && used + w > v->width) str_puts(v->s, "\n"), used = 0;
        view_shade(v, shade(f, 0, j));
        view_put(v, w, false);
        view_ink(v, INK_PLAIN);
        used += w;
    }
    str_puts(v->s, "\n");
}

/* The largest of a line, which stands in quotes where there are no colours; -1: none. */
static int64_t line_peak(const figure *f, int64_t row)
{
    int64_t best = -1;
    for (int64_t j = 0; j < f->n_col; j++) {
        double x = figure_value(f, row, j);
        if (figure_mark(f, row, j) != MARK_NONE || isnan(x)) continue;
        if (best < 0 || x > figure_value(f, row, best)) best = j;
    }
    return best;
}

/* Lines of tokens: each cell's, coloured, the largest in quotes. */
static void lines(view *v, const figure *f)
{
    int labels = label_width(v, f, f->row_axis, f->n_row, v->width / 3);
    for (int64_t i = 0; i < f->n_row && !v->s->failed; i++) {
        int used = labels + 2;
        int64_t peak = line_peak(f, i);
        label(v, f, f->row_axis, i);
        view_put(v, labels, false);
        view_spaces(v, 2);
        for (int64_t j = 0; j < f->n_col; j++) {
            str *s = view_scratch(v);
            if (figure_mark(f, i, j) == MARK_ABSENT) continue;
            bool quoted = j == peak && !v->colour;
            if (quoted) str_puts(s, v->unicode ? "\u00ab" : "[");
            show_label(s, figure_cell(f, i, j), v->unicode);
            if (quoted) str_puts(s, v->unicode ? "\u00bb" : "]");
            v->s->failed |= s->failed;
            if (s->failed) return;
            int w = show_width(s->p, s->n);
            if (w > v->width - labels - 2) w = v->width - labels - 2;
            if (used + w > v->width) {
                str_puts(v->s, "\n");
                view_spaces(v, labels + 2);
                used = labels + 2;
            }
            view_shade(v, shade(f, i, j));
            view_put(v, w, false);
            view_ink(v, INK_PLAIN);
            used += w;
        }
        str_puts(v->s, "\n");
    }
}

void text_figure(view *v, const figure *f)
{
    if (f->kind == FIGURE_HEADS) {
        text_heads(v, f);
        return;
    }
    caption(v, f);
    if (f->n_row < 1 || f->n_col < 1) str_puts(v->s, "no cells\n");
    else if (f->n_row > CELL_MAX / f->n_col) largest(v, f);
    else if (f->kind == FIGURE_HEATMAP) heatmap(v, f);
    else if (f->kind == FIGURE_TOKENS && f->row_axis >= 0) lines(v, f);
    else if (f->kind == FIGURE_TOKENS && v->colour) tokens(v, f);
    else bars(v, f);
    legend(v, f);
}
/* SPDX-License-Identifier: MIT */
