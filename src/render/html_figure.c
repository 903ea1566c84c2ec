/* html_figure -- heatmaps, bars and coloured tokens on a page.
 *
 * A heatmap is a table: its colours are classes (page.h), its exact values attributes, which the
 * script shows on hover.  Over ROW_MAX x COLUMN_MAX only a corner is drawn, and the page says so. */
#include "render/html_part.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ROW_MAX = 400,
    COLUMN_MAX = 1024,
    CELL_MAX = 60000,
    NUMBER_COLUMNS = 20,
    DENSE_COLUMNS = 64
};

static bool valued(cell_mark mark) { return mark == MARK_NONE || mark == MARK_RAW; }

static report_label label(const figure *f, int axis, int64_t i, char number[24])
{
    return figure_label(f, axis, i, number);
}

/* The attributes of a cell: class, exact value, mark. */
static void cell_attributes(str *s, const figure *f, int64_t row, int64_t col, const char *more)
{
    double x = figure_value(f, row, col);
    cell_mark mark = figure_mark(f, row, col);
    int step = valued(mark) && !isnan(x) ? (int)lround(figure_shade(f, x) * PAGE_STEPS) : 0;
    const char *state = mark == MARK_UNREACHED || mark == MARK_EQUAL || mark == MARK_ABSENT ? "none"
                        : mark == MARK_INCOMPLETE || !isfinite(x) ? "hatch"
                                                                  : "";
    str_printf(s, " class=\"%s%s%s", more, *more ? " " : "", state);
    if (step && !*state) str_printf(s, "%c%d", step < 0 ? 'n' : 'p', step < 0 ? -step : step);
    str_puts(s, "\" role=\"gridcell\" tabindex=\"-1\"");
    if (mark != MARK_INCOMPLETE && mark != MARK_ABSENT) {
        str_puts(s, " data-v=\"");
        show_element(s, f->array, figure_index(f, row, col));
        str_puts(s, "\"");
    }
    report_label token = figure_cell(f, row, col);
    if (token.p && valued(mark)) {
        str_puts(s, " data-t=\"");
        html_label(s, token);
        str_puts(s, "\"");
    }
    if (mark != MARK_NONE) str_printf(s, " data-m=\"%s\"", cell_mark_text(mark));
}

/* ---- legend ---- */

enum { NO_NUMBER = MARK_COUNT }; /* hatched too, and no mark */

static unsigned marks_of(const figure *f)
{
    unsigned marks = 0;
    for (int64_t i = 0; i < f->n_row; i++)
        for (int64_t j = 0; j < f->n_col; j++) {
            cell_mark m = figure_mark(f, i, j);
            bool number = !valued(m) || isfinite(figure_value(f, i, j));
            marks |= 1u << m | (number ? 0 : 1u << NO_NUMBER);
        }
    if (f->kind == FIGURE_TOKENS && f->row_axis >= 0)
        marks &= ~(1u << MARK_ABSENT); /* behind the end of a line nothing is drawn */
    return marks;
}

static void ramp(str *s, const figure *f)
{
    double low = 0, high = 0;
    bool any = figure_range(f, &low, &high);
    bool down = any && low < f->centre, up = !down || high > f->centre;
    str_puts(s, "<span class=\"ramp\">");
    html_real(s, down ? f->centre - f->span : f->centre, 4);
    if (down) str_puts(s, "<i class=\"down\"></i>");
    if (up) str_puts(s, "<i class=\"up\"></i>");
    html_real(s, up ? f->centre + f->span : f->centre, 4);
    str_puts(s, "</span>");
    if (!any) return;
    str_puts(s, "<span>");
    html_text(s, f->value);
    if (f->array->unit) {
        str_puts(s, " [");
        html_text(s, f->array->unit);
        str_puts(s, "]");
    }
    str_puts(s, ", from ");
    html_real(s, low, 4);
    str_puts(s, " to ");
    html_real(s, high, 4);
    if (down && up) {
        str_puts(s, "; no colour at ");
        html_real(s, f->centre, 4);
    }
    str_puts(s, "</span>");
}

static void legend(str *s, const figure *f)
{
    unsigned marks = marks_of(f);
    str_puts(s, "<div class=\"legend\">");
    ramp(s, f);
    for (int m = MARK_NONE + 1; m < MARK_COUNT; m++)
        if (marks >> m & 1)
            str_printf(s, "<span><span class=\"chip%s\">%s</span>%s</span>",
                       m == MARK_INCOMPLETE ? " hatch" : "", mark_sign((cell_mark)m, true),
                       cell_mark_text((cell_mark)m));
    if (marks >> NO_NUMBER & 1 && f->kind != FIGURE_BARS)
        str_puts(s, "<span><span class=\"chip hatch\"></span>no number</span>");
    str_puts(s, "</div>");
}

/* ---- heatmap ---- */

static bool long_labels(const figure *f, int64_t n)
{
    for (int64_t j = 0; f->array->label[f->col_axis] && j < n; j++) {
        char number[24];
        if (label(f, f->col_axis, j, number).n > 6) return true;
    }
    return false;
}

/* A column's heading; where columns are narrow, only every tenth is written, all on hover. */
static void column_head(str *s, const figure *f, int64_t j, bool dense)
{
    char number[24];
    report_label l = label(f, f->col_axis, j, number);
    str_puts(s, "<th scope=\"col\" data-name=\"");
    html_label(s, l);
    str_puts(s, "\"><span>");
    if (!dense || j % 10 == 0) html_label(s, l);
    str_puts(s, "</span></th>");
}

static void heat_head(str *s, const figure *f, int64_t n_col, bool dense)
{
    str_puts(s, "<thead><tr><th scope=\"col\">");
    html_text(s, f->array->axis[f->row_axis]);
    str_puts(s, " \xe2\x86\x93 ");
    html_text(s, f->array->axis[f->col_axis]);
    str_puts(s, " \xe2\x86\x92</th>");
    for (int64_t j = 0; j < n_col; j++) column_head(s, f, j, dense);
    str_puts(s, "</tr></thead>");
}

static void heat_row(str *s, const figure *f, int64_t row, int64_t n_col, int decimals, bool dense)
{
    char number[24];
    str_puts(s, "<tr><th scope=\"row\">");
    html_label(s, label(f, f->row_axis, row, number));
    str_puts(s, "</th>");
    for (int64_t j = 0; j < n_col; j++) {
        cell_mark mark = figure_mark(f, row, j);
        str_puts(s, "<td");
        cell_attributes(s, f, row, j, "");
        str_puts(s, ">");
        report_label token = figure_cell(f, row, j);
        if (valued(mark) && !dense && token.p) html_label(s, token);
        else if (valued(mark) && !dense) show_figure(s, figure_value(f, row, j), decimals);
        if (!dense || !valued(mark)) str_puts(s, mark_sign(mark, true));
    }
    str_puts(s, "</tr>\n");
}

/* Numbers of many columns are not shown at first; tokens are, as long as they fit. */
static bool hides_cells(const figure *f, int64_t n_col)
{
    return n_col > (f->array->cell ? DENSE_COLUMNS : NUMBER_COLUMNS);
}

static void heatmap(str *s, const figure *f)
{
    int64_t n_col = f->n_col < COLUMN_MAX ? f->n_col : COLUMN_MAX,
            n_row = f->n_row < ROW_MAX ? f->n_row : ROW_MAX;
    if (n_row > CELL_MAX / n_col) n_row = CELL_MAX / n_col;
    bool dense = n_col > DENSE_COLUMNS, plain = hides_cells(f, n_col);
    if (n_col < f->n_col || n_row < f->n_row)
        str_printf(s,
                   "<p class=\"warning\">Drawn: the first %lld of %lld rows, the first %lld of "
                   "%lld columns.</p>",
                   (long long)n_row, (long long)f->n_row, (long long)n_col, (long long)f->n_col);
    str_printf(s, "<div class=\"scroll\"><table class=\"heat%s%s%s\" role=\"grid\" data-row=\"",
               dense ? " dense" : "", plain && !dense ? " plain" : "",
               long_labels(f, n_col) && !dense ? " tall" : "");
    html_text(s, f->array->axis[f->row_axis]);
    str_puts(s, "\" data-col=\"");
    html_text(s, f->array->axis[f->col_axis]);
    str_puts(s, "\" aria-label=\"");
    html_text(s, *f->title ? f->title : f->array->t.name);
    str_puts(s, "\">");
    heat_head(s, f, n_col, dense);
    str_puts(s, "<tbody>\n");
    for (int64_t i = 0; i < n_row && !s->failed; i++)
        heat_row(s, f, i, n_col, figure_decimals(f), dense);
    str_puts(s, "</tbody></table></div>");
}

/* ---- bars ---- */

/* Where a value stands on the track, in percent; the track reaches over all bars, whiskers and the centre. */
typedef struct track {
    double low, high, zero;
} track;

static double at_percent(const track *t, double x)
{
    double p = t->high > t->low ? (x - t->low) / (t->high - t->low) * 100 : 0;
    return p < 0 ? 0 : p > 100 ? 100 : p;
}

static void widen(track *t, double x)
{
    if (!isfinite(x)) return;
    if (x < t->low) t->low = x;
    if (x > t->high) t->high = x;
}

static track plan_track(const figure *f, int64_t n)
{
    track t = { f->centre, f->centre, f->centre };
    for (int64_t j = 0; j < n; j++) {
        if (!valued(figure_mark(f, 0, j))) continue;
        widen(&t, figure_value(f, 0, j));
        if (f->low) widen(&t, array_value(f->low, figure_index(f, 0, j)));
        if (f->high) widen(&t, array_value(f->high, figure_index(f, 0, j)));
    }
    return t;
}

static void span_between(str *s, const char *class, const track *t, double a, double b)
{
    double from = at_percent(t, a < b ? a : b), to = at_percent(t, a < b ? b : a);
    str_printf(s, "<i class=\"%s\" style=\"left:%.3f%%;width:%.3f%%\"></i>", class, from,
               to - from);
}

static void bar_value(str *s, const figure *f, int64_t j, bool ends, double low, double high)
{
    cell_mark mark = figure_mark(f, 0, j);
    str_puts(s, "<span class=\"value\">");
    if (mark != MARK_INCOMPLETE && mark != MARK_ABSENT) html_real(s, figure_value(f, 0, j), 4);
    if (mark != MARK_NONE) str_printf(s, " %s", cell_mark_text(mark));
    if (ends) {
        str_puts(s, " <small>[");
        html_real(s, low, 4);
        str_puts(s, ", ");
        html_real(s, high, 4);
        str_puts(s, "]</small>");
    }
    str_puts(s, "</span>\n");
}

static void one_bar(str *s, const figure *f, const track *t, int64_t j)
{
    char number[24];
    double x = figure_value(f, 0, j);
    bool ends = f->low && f->high, shown = valued(figure_mark(f, 0, j)) && isfinite(x);
    double low = ends ? array_value(f->low, figure_index(f, 0, j)) : 0;
    double high = ends ? array_value(f->high, figure_index(f, 0, j)) : 0;
    ends = ends && isfinite(low) && isfinite(high);
    str_puts(s, "<span class=\"label\">");
    html_label(s, label(f, f->col_axis, j, number));
    str_puts(s, "</span><span class=\"track\">");
    if (shown) span_between(s, x < f->centre ? "down" : "up", t, f->centre, x);
    if (shown && ends) span_between(s, "whisker", t, low, high);
    str_printf(s, "<i class=\"zero\" style=\"left:%.3f%%\"></i></span>", at_percent(t, t->zero));
    bar_value(s, f, j, ends, low, high);
}

static void bars(str *s, const figure *f)
{
    int64_t n = f->n_col < COLUMN_MAX ? f->n_col : COLUMN_MAX;
    track t = plan_track(f, n);
    if (n < f->n_col)
        str_printf(s, "<p class=\"warning\">Drawn: the first %lld of %lld.</p>", (long long)n,
                   (long long)f->n_col);
    str_puts(s, "<div class=\"bars\">\n");
    for (int64_t j = 0; j < n && !s->failed; j++) one_bar(s, f, &t, j);
    str_puts(s, "</div>");
}

/* ---- tokens ---- */

/* One token, as its cell has it or as its axis does. */
static void one_token(str *s, const figure *f, int64_t row, int64_t j)
{
    char number[24];
    report_label token = figure_cell(f, row, j);
    if (f->row_axis >= 0 && figure_mark(f, row, j) == MARK_ABSENT) return;
    str_puts(s, "<span");
    cell_attributes(s, f, row, j, "tok");
    str_puts(s, ">");
    html_label(s, token.p ? token : label(f, f->col_axis, j, number));
    str_puts(s, "</span><wbr>");
}

/* A text; or a line of tokens for each row, with its label before it. */
static void tokens(str *s, const figure *f)
{
    int64_t n = f->n_col < CELL_MAX ? f->n_col : CELL_MAX;
    str_puts(s, "<div class=\"tokens\" role=\"grid\" aria-label=\"");
    html_text(s, *f->title ? f->title : f->array->t.name);
    str_puts(s, "\">");
    for (int64_t i = 0; i < f->n_row && i < ROW_MAX && !s->failed; i++) {
        char number[24];
        str_printf(s, "<span role=\"row\"%s>", f->row_axis < 0 ? "" : " class=\"line\"");
        if (f->row_axis >= 0) {
            str_puts(s, "<b role=\"rowheader\">");
            html_label(s, label(f, f->row_axis, i, number));
            str_puts(s, "</b>");
        }
        for (int64_t j = 0; j < n && !s->failed; j++) one_token(s, f, i, j);
        str_puts(s, "</span>");
    }
    str_puts(s, "</div>");
}

static void caption(str *s, const figure *f)
{
    const report_array *a = f->array;
    str_puts(s, "<div class=\"bar\"><h2>");
    html_text(s, *f->title ? f->title : a->t.name);
    for (int i = 0; i < a->t.n_dim; i++) {
        if (i == f->row_axis || i == f->col_axis || a->t.dim[i] < 2) continue;
        char number[24];
        str_puts(s, ", ");
        html_text(s, a->axis[i]);
        str_puts(s, " ");
        html_label(s, label(f, i, f->at[i], number));
    }
    str_puts(s, "</h2>");
    if (f->kind == FIGURE_HEATMAP && f->n_col <= DENSE_COLUMNS && f->n_row)
        str_printf(
            s, "<button type=\"button\" class=\"numbers\" aria-pressed=\"%s\" hidden>%s</button>",
            hides_cells(f, f->n_col) ? "false" : "true", f->array->cell ? "Tokens" : "Numbers");
    str_puts(s, "</div>");
}

void html_figure(str *s, const figure *f)
{
    if (f->kind == FIGURE_HEADS) {
        html_heads(s, f);
        return;
    }
    str_puts(s, "<figure class=\"card\">");
    caption(s, f);
    if (f->n_row < 1 || f->n_col < 1) str_puts(s, "<p>No cells.</p>");
    else if (f->kind == FIGURE_HEATMAP) heatmap(s, f);
    else if (f->kind == FIGURE_BARS) bars(s, f);
    else tokens(s, f);
    if (f->n_row > 0 && f->n_col > 0) legend(s, f);
    str_puts(s, "</figure>\n");
}
/* SPDX-License-Identifier: MIT */
