/* html_table -- a table on a page: headings sort it, marks are explained under it. */
#include "render/html_part.h"

enum {
    ROW_MAX = 2000,
    SHORT = 32, /* bytes of a text that stays on one line */
    WIDE = 10   /* columns from here on stand closer */
};

static bool is_number(const column *c) { return c->kind == CELL_REAL || c->kind == CELL_INT; }

static void heading(str *s, const column *c)
{
    str_printf(s, "<th scope=\"col\"%s><button type=\"button\">",
               is_number(c) ? " class=\"num\"" : "");
    html_text(s, c->name);
    if (c->unit) {
        str_puts(s, " <small>");
        html_text(s, c->unit);
        str_puts(s, "</small>");
    }
    str_puts(s, "</button></th>");
}

static void cell_value(str *s, const column *c, const table_cell *cell)
{
    str shown = { 0 };
    show_cell(&shown, c, cell, true);
    s->failed |= shown.failed;
    if (c->kind == CELL_TOKEN && cell->given) {
        str_puts(s, "<span class=\"tok\"");
        if (cell->i >= 0) str_printf(s, " title=\"id %lld\"", (long long)cell->i);
        str_puts(s, ">");
    }
    if (!shown.failed) page_text(s, shown.p, shown.n);
    if (c->kind == CELL_TOKEN && cell->given) str_puts(s, "</span>");
    str_release(&shown);
}

static void cell_part(str *s, const column *c, const table_cell *cell)
{
    str_puts(s, "<td");
    if (is_number(c)) {
        str_puts(s, " class=\"num\" data-v=\"");
        if (cell->given && c->kind == CELL_INT) str_printf(s, "%lld", (long long)cell->i);
        else if (cell->given) show_exact(s, cell->x, false);
        str_puts(s, "\"");
        if (cell->given && c->kind == CELL_REAL) {
            str_puts(s, " title=\"");
            show_exact(s, cell->x, false);
            str_puts(s, "\"");
        }
    } else if (c->kind == CELL_TEXT && cell->n <= SHORT) str_puts(s, " class=\"short\"");
    str_puts(s, ">");
    cell_value(s, c, cell);
    if (cell->mark != MARK_NONE)
        str_printf(s, "<span class=\"sign\" title=\"%s\">%s</span>", cell_mark_text(cell->mark),
                   mark_sign(cell->mark, true));
    str_puts(s, "</td>");
}

static void legend(str *s, unsigned marks)
{
    if (!(marks & ~1u)) return;
    str_puts(s, "<div class=\"legend\">");
    for (int m = MARK_NONE + 1; m < MARK_COUNT; m++)
        if (marks >> m & 1)
            str_printf(s, "<span><span class=\"chip\">%s</span>%s</span>",
                       mark_sign((cell_mark)m, true), cell_mark_text((cell_mark)m));
    str_puts(s, "</div>");
}

void html_table(str *s, const table *t)
{
    unsigned marks = 0;
    int64_t n = 0;
    str_puts(s, "<section class=\"card\"><h2>");
    html_text(s, t->name);
    str_printf(s, "</h2><div class=\"scroll\"><table class=\"data%s\"><thead><tr>",
               t->n_column >= WIDE ? " wide" : "");
    for (int i = 0; i < t->n_column; i++) heading(s, &t->col[i]);
    str_puts(s, "</tr></thead><tbody>\n");
    for (const table_line *row = t->first; row && n < ROW_MAX && !s->failed; row = row->next, n++) {
        str_puts(s, "<tr>");
        for (int i = 0; i < t->n_column; i++) {
            cell_part(s, &t->col[i], &row->cell[i]);
            marks |= 1u << row->cell[i].mark;
        }
        str_puts(s, "</tr>\n");
    }
    str_puts(s, "</tbody></table></div>");
    if (n < t->n_row)
        str_printf(s, "<p class=\"warning\">Shown: the first %lld of %lld rows.</p>", (long long)n,
                   (long long)t->n_row);
    legend(s, marks);
    str_puts(s, "</section>\n");
}
/* SPDX-License-Identifier: MIT */
