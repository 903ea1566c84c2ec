/* render_csv -- see render.h.  RFC 4180 but for its line ends, which are one '\n'.
 *
 * A table keeps its columns; a token takes two (text, id), a column with marks one more; of several columns with one name
 * the second is NAME.2 (.3 where a column is called so), so that what reads it by names finds each.  A tensor is written long: one line per element, its index on every axis (and label, where the axis has
 * them), the value, the mark. */
#include "render/render.h"
#include "render/show.h"
#include <string.h>

static void quoted(str *s, const char *p, size_t n)
{
    bool plain = n > 0 && p[0] != ' ' && p[n - 1] != ' ';
    for (size_t i = 0; plain && i < n; i++) plain = !strchr("\",#\r\n", p[i]);
    if (plain || !n) {
        str_add(s, p, n);
        return;
    }
    str_puts(s, "\"");
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"') str_puts(s, "\"");
        str_add(s, p + i, 1);
    }
    str_puts(s, "\"");
}

static void quoted_text(str *s, const char *text) { quoted(s, text, strlen(text)); }

/* Text as it is; bytes that are no text, shown. */
static void quoted_bytes(str *s, const char *p, size_t n)
{
    str shown = { 0 };
    if (utf8_check(p, n) == n && !memchr(p, 0, n)) {
        quoted(s, p, n);
        return;
    }
    show_text(&shown, p, n);
    s->failed |= shown.failed;
    if (!shown.failed) quoted(s, shown.p, shown.n);
    str_release(&shown);
}

/* ---- tables ---- */

/* Which columns have a mark; NULL when out of memory. */
static bool *marked_columns(const table *t)
{
    bool *marked = mem_zero((size_t)t->n_column * sizeof *marked);
    for (const table_line *row = t->first; marked && row; row = row->next)
        for (int i = 0; i < t->n_column; i++) marked[i] |= row->cell[i].mark != MARK_NONE;
    return marked;
}

static void cell(str *s, const column *c, const table_cell *v)
{
    if (c->kind == CELL_TOKEN) {
        if (v->given) quoted_bytes(s, v->p ? v->p : "", v->n);
        str_puts(s, ",");
        if (v->given) str_printf(s, "%lld", (long long)v->i);
    } else if (v->given && c->kind == CELL_TEXT) quoted_bytes(s, v->p ? v->p : "", v->n);
    else if (v->given && c->kind == CELL_REAL) show_exact(s, v->x, false);
    else if (v->given && c->kind == CELL_BOOL) str_puts(s, v->i ? "true" : "false");
    else if (v->given) str_printf(s, "%lld", (long long)v->i);
}

/* names: those of the columns before, each with its 0. */
static bool is_taken(const str *names, const char *name)
{
    size_t n = strlen(name) + 1, k;
    if (!names->n) return false;
    for (const char *p = names->p, *end = p + names->n; p < end; p += k)
        if ((k = strlen(p) + 1) == n && !memcmp(p, name, n)) return true;
    return false;
}

static bool is_column(const table *t, const char *name)
{
    for (int i = 0; i < t->n_column; i++)
        if (!strcmp(t->col[i].name, name)) return true;
    return false;
}

/* What column i of the table takes: its name, its token's number, its mark; NULL behind them. */
static void list_parts(const table *t, int i, bool marked, const char *part[4])
{
    int n = 0;
    part[n++] = "";
    if (t->col[i].kind == CELL_TOKEN) part[n++] = ".id";
    if (marked) part[n++] = ".mark";
    part[n] = NULL;
}

/* Add what column i takes as its k-th namesake to the names; false: one of them is another's, and none was added.  A name
 * as it is written belongs to the first that has it, whatever stands before. */
static bool claim(str *names, const table *t, int i, const char *const *part, int k)
{
    size_t before = names->n;
    bool own = k == 1;
    for (; *part && !names->failed; part++, own = false) {
        str name = { 0 };
        str_puts(&name, t->col[i].name);
        if (k > 1) str_printf(&name, ".%d", k);
        str_puts(&name, *part);
        names->failed |= name.failed;
        bool fine = name.failed || (!is_taken(names, name.p) && (own || !is_column(t, name.p)));
        if (fine && !name.failed) str_add(names, name.p, name.n + 1);
        str_release(&name);
        if (fine) continue;
        names->n = before;
        return false;
    }
    return true;
}

static void table_head(str *s, const table *t, const bool *marked)
{
    str names = { 0 };
    for (int i = 0; i < t->n_column; i++) {
        const char *part[4];
        int k = 1;
        list_parts(t, i, marked[i], part);
        while (!claim(&names, t, i, part, k)) k++;
    }
    for (const char *p = names.p; names.n && p < names.p + names.n; p += strlen(p) + 1) {
        if (p > names.p) str_puts(s, ",");
        quoted_text(s, p);
    }
    str_puts(s, "\n");
    s->failed |= names.failed;
    str_release(&names);
}

static void table_row_line(str *s, const table *t, const table_line *row, const bool *marked)
{
    for (int i = 0; i < t->n_column; i++) {
        if (i) str_puts(s, ",");
        cell(s, &t->col[i], &row->cell[i]);
        if (!marked[i]) continue;
        str_puts(s, ",");
        quoted_text(s, cell_mark_text(row->cell[i].mark));
    }
    str_puts(s, "\n");
}

static void write_table(str *s, const table *t)
{
    bool *marked = marked_columns(t);
    if (!marked) {
        s->failed = true;
        return;
    }
    table_head(s, t, marked);
    for (const table_line *row = t->first; row && !s->failed; row = row->next)
        table_row_line(s, t, row, marked);
    mem_free(marked, (size_t)t->n_column * sizeof *marked);
}

/* ---- tensors ---- */

static void tensor_head(str *s, const report_array *a)
{
    for (int i = 0; i < a->t.n_dim; i++) {
        quoted_text(s, a->axis[i]);
        str_puts(s, ",");
        if (a->label[i]) {
            quoted_text(s, a->axis[i]);
            str_puts(s, ".label,");
        }
    }
    str_puts(s, a->mark ? "value,mark\n" : "value\n");
}

static void tensor_line(str *s, const report_array *a, int64_t index)
{
    int64_t at[TENSOR_DIMS], rest = index;
    for (int i = a->t.n_dim - 1; i >= 0; i--) at[i] = rest % a->t.dim[i], rest /= a->t.dim[i];
    for (int i = 0; i < a->t.n_dim; i++) {
        str_printf(s, "%lld,", (long long)at[i]);
        if (!a->label[i]) continue;
        const report_label *l = &a->label[i][at[i]];
        if (l->p) quoted_bytes(s, l->p, l->n);
        str_puts(s, ",");
    }
    show_element(s, a, index);
    if (a->mark) {
        str_puts(s, ",");
        quoted_text(s, cell_mark_text((cell_mark)a->mark[index]));
    }
    str_puts(s, "\n");
}

static void write_tensor(str *s, const report_array *a)
{
    tensor_head(s, a);
    for (int64_t i = 0; i < a->n_element && !s->failed; i++) tensor_line(s, a, i);
}

/* ---- the document ---- */

/* "# table NAME", between parts a blank line. */
static void part_head(str *s, const char *kind, const char *name)
{
    if (s->n) str_puts(s, "\n");
    str_printf(s, "# %s ", kind);
    show_text(s, name, strlen(name));
    str_puts(s, "\n");
}

status render_csv(const report *r, const char *name, str *out, error *err)
{
    str s = { 0 };
    bool found = !name;
    for (const table *t = r->table; t; t = t->next) {
        if (name && strcmp(name, t->name)) continue;
        if (!name) part_head(&s, "table", t->name);
        write_table(&s, t);
        found = true;
    }
    for (const report_array *a = r->array; a; a = a->next) {
        if (name && (found || strcmp(name, a->t.name))) continue;
        if (!name) part_head(&s, "tensor", a->t.name);
        write_tensor(&s, a);
        found = true;
    }
    if (!found) return error_set(err, E_USAGE, "report: no table or tensor '%s'", name);
    str_puts(&s, ""); /* not NULL, also when there is nothing */
    if (s.failed) {
        str_release(&s);
        return error_set(err, E_NOMEM, "report: out of memory");
    }
    *out = s;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
