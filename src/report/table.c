/* table -- see table.h. */
#include "report/table.h"
#include "report/build.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

const char *cell_kind_name(cell_kind kind)
{
    static const char *const word[] = {
#define X(name, text) text,
        CELL_KIND_LIST(X)
#undef X
    };
    return (unsigned)kind < sizeof word / sizeof *word ? word[kind] : "?";
}

const char *cell_mark_text(cell_mark mark)
{
    static const char *const word[] = {
#define X(name, text) text,
        CELL_MARK_LIST(X)
#undef X
    };
    return (unsigned)mark < MARK_COUNT ? word[mark] : "?";
}

void build_end_row(table *t)
{
    if (!t || !t->last || t->n_given == t->n_column) return;
    if (t->owner->cert.complete)
        report_fail(t->owner, E_USAGE, "report: table '%s' row %lld has %d cells, expected %d",
                    t->name, (long long)t->n_row - 1, t->n_given, t->n_column);
    for (; t->n_given < t->n_column; t->n_given++) t->last->cell[t->n_given].mark = MARK_INCOMPLETE;
}

void table_row(table *t)
{
    if (!t) return;
    build_end_row(t);
    table_line *row = build_get(t->owner, sizeof *row + (size_t)t->n_column * sizeof row->cell[0]);
    if (!row) return;
    *t->end = t->last = row;
    t->end = &row->next;
    t->n_row++;
    t->n_given = 0;
}

/* The next cell of the row, if it takes `kind`. */
static table_cell *next_cell(table *t, cell_kind kind)
{
    if (!t || t->owner->failed) return NULL;
    if (!t->last || t->n_given == t->n_column) {
        report_fail(t->owner, E_USAGE,
                    "report: table '%s' row %lld: a cell more than its %d columns", t->name,
                    (long long)t->n_row - 1, t->n_column);
        return NULL;
    }
    const column *c = &t->col[t->n_given];
    if (c->kind != kind) {
        report_fail(t->owner, E_USAGE,
                    "report: table '%s' row %lld: column '%s' takes %s, found %s", t->name,
                    (long long)t->n_row - 1, c->name, cell_kind_name(c->kind),
                    cell_kind_name(kind));
        return NULL;
    }
    table_cell *cell = &t->last->cell[t->n_given++];
    cell->given = true;
    return cell;
}

void row_text(table *t, const char *fmt, ...)
{
    table_cell *c = next_cell(t, CELL_TEXT);
    if (!c) return;
    va_list ap;
    va_start(ap, fmt);
    c->p = build_format(t->owner, fmt, ap);
    va_end(ap);
    c->n = c->p ? strlen(c->p) : 0;
}

void row_int(table *t, int64_t value)
{
    table_cell *c = next_cell(t, CELL_INT);
    if (c) c->i = value;
}

void row_real(table *t, double value)
{
    table_cell *c = next_cell(t, CELL_REAL);
    if (c) c->x = value;
}

void row_bool(table *t, bool value)
{
    table_cell *c = next_cell(t, CELL_BOOL);
    if (c) c->i = value;
}

void row_token(table *t, const void *bytes, size_t n, int64_t id)
{
    table_cell *c = next_cell(t, CELL_TOKEN);
    if (!c) return;
    c->p = build_copy(t->owner, bytes, n);
    c->n = c->p ? n : 0;
    c->i = id;
}

void row_none(table *t)
{
    if (!t || !t->last || t->n_given == t->n_column) {
        next_cell(t, CELL_TEXT); /* says what is wrong */
        return;
    }
    t->n_given++;
}

void row_number(table *t, double value)
{
    if (isnan(value)) row_none(t);
    else row_real(t, value);
}

void row_mark(table *t, cell_mark mark)
{
    if (!t || t->owner->failed) return;
    if (!t->last || !t->n_given) {
        report_fail(t->owner, E_USAGE, "report: table '%s': a mark before any cell", t->name);
        return;
    }
    t->last->cell[t->n_given - 1].mark = mark;
}
/* SPDX-License-Identifier: MIT */
