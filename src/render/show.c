/* show -- see show.h. */
#include "render/show.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- numbers ---- */

/* What printf wrote, with a point whatever the locale says. */
static void put_number(str *s, char *text)
{
    char *comma = strchr(text, ',');
    if (comma) *comma = '.';
    str_puts(s, text);
}

static bool put_special(str *s, double x)
{
    if (isfinite(x)) return false;
    str_puts(s, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
    return true;
}

void show_real(str *s, double x, int digits)
{
    char text[64];
    if (put_special(s, x)) return;
    if (digits < 1 || digits > 17) digits = 4;
    if (x == 0) {
        str_puts(s, "0");
        return;
    }
    snprintf(text, sizeof text, "%#.*g", digits, x);
    size_t n = strlen(text);
    if (text[n - 1] == '.' || text[n - 1] == ',') text[n - 1] = 0;
    put_number(s, text);
}

void show_exact(str *s, double x, bool f32)
{
    char text[64];
    int n = 0, most = f32 ? 9 : 17;
    if (put_special(s, x)) return;
    for (int digits = f32 ? 6 : 15; digits <= most; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, x);
        if (f32 ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x) break;
    }
    if (!strpbrk(text, ".,e")) snprintf(text + n, sizeof text - (size_t)n, ".0");
    put_number(s, text);
}

void show_element(str *s, const report_array *a, int64_t index)
{
    if (a->t.dtype == DTYPE_I64)
        str_printf(s, "%lld", (long long)((const int64_t *)a->t.data)[index]);
    else show_exact(s, array_value(a, index), a->t.dtype == DTYPE_F32);
}

int figure_decimals(const figure *f)
{
    double most = fabs(f->centre) > f->span ? fabs(f->centre) : f->span;
    if (f->array->t.dtype == DTYPE_I64) return 0;
    if (most >= 1e5 || f->span < 1e-4) return -1;
    int decimals = 2 - (int)floor(log10(f->span));
    return decimals < 0 ? 0 : decimals;
}

void show_figure(str *s, double x, int decimals)
{
    char text[400];
    if (put_special(s, x)) return;
    if (decimals < 0 || fabs(x) >= 1e9) snprintf(text, sizeof text, "%.1e", x);
    else snprintf(text, sizeof text, "%.*f", decimals, x);
    bool zero = !text[strspn(text, "-0.,")];
    put_number(s, text + (zero && text[0] == '-'));
}

bool figure_range(const figure *f, double *low, double *high)
{
    bool any = false;
    for (int64_t i = 0; i < f->n_row; i++) {
        for (int64_t j = 0; j < f->n_col; j++) {
            double x = figure_value(f, i, j);
            cell_mark mark = figure_mark(f, i, j);
            if (!isfinite(x) || (mark != MARK_NONE && mark != MARK_RAW)) continue;
            if (!any || x < *low) *low = x;
            if (!any || x > *high) *high = x;
            any = true;
        }
    }
    return any;
}

/* ---- text ---- */

/* Characters that show nothing, or move what stands around them. */
static bool hides(uint32_t cp)
{
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return true;
    case UTF8PROC_CATEGORY_ZS: return cp != ' ';
    default: return false;
    }
}

static void put_hidden(str *s, uint32_t cp)
{
    if (cp == '\n') str_puts(s, "\\n");
    else if (cp == '\t') str_puts(s, "\\t");
    else if (cp == '\r') str_puts(s, "\\r");
    else if (cp < 0x80) str_printf(s, "\\x%02x", (unsigned)cp);
    else str_printf(s, "\\u{%x}", (unsigned)cp);
}

/* `space`: what stands for a space, or NULL: itself.  With it the text is a token's, and what could be
 * taken for an escape is escaped. */
static void put_text(str *s, const char *p, size_t n, const char *space)
{
    while (n) {
        uint32_t cp;
        int len = utf8_next(p, n, &cp);
        if (!len) str_printf(s, "\\x%02x", (unsigned)(unsigned char)*p), len = 1;
        else if (hides(cp)) put_hidden(s, cp);
        else if (space && cp == ' ') str_puts(s, space);
        else if (space && cp == '\\') str_puts(s, "\\\\");
        else if (space && cp == 0xb7) str_puts(s, "\\u{b7}");
        else str_add(s, p, (size_t)len);
        p += len, n -= (size_t)len;
    }
}

void show_text(str *s, const char *p, size_t n) { put_text(s, p, n, NULL); }

void show_token(str *s, const char *p, size_t n, bool unicode)
{
    if (n) put_text(s, p, n, unicode ? "\u00b7" : "_");
    else str_puts(s, "\"\"");
}

void show_label(str *s, report_label l, bool unicode)
{
    if (l.token) show_token(s, l.p, l.n, unicode);
    else show_text(s, l.p, l.n);
}

int show_width(const char *p, size_t n)
{
    int width = 0;
    while (n) {
        uint32_t cp;
        int len = utf8_next(p, n, &cp);
        width += len ? utf8proc_charwidth((utf8proc_int32_t)cp) : 1;
        p += len ? len : 1, n -= (size_t)(len ? len : 1);
    }
    return width;
}

void show_cut(str *s, const char *p, size_t n, int width, bool unicode)
{
    int dots = unicode ? 1 : 2, used = 0;
    if (show_width(p, n) <= width) {
        str_add(s, p, n);
        return;
    }
    while (n) {
        uint32_t cp;
        int len = utf8_next(p, n, &cp), w = len ? utf8proc_charwidth((utf8proc_int32_t)cp) : 1;
        if (used + w > width - dots) break;
        if (!len) len = 1;
        str_add(s, p, (size_t)len);
        p += len, n -= (size_t)len, used += w;
    }
    if (width >= dots) str_puts(s, unicode ? "\u2026" : "..");
}

void show_cell(str *s, const column *c, const table_cell *cell, bool unicode)
{
    if (!cell->given) return;
    switch (c->kind) {
    case CELL_TEXT: show_text(s, cell->p ? cell->p : "", cell->n); return;
    case CELL_INT: str_printf(s, "%lld", (long long)cell->i); return;
    case CELL_REAL: show_real(s, cell->x, c->digits); return;
    case CELL_BOOL: str_puts(s, cell->i ? "yes" : "no"); return;
    case CELL_TOKEN: show_token(s, cell->p ? cell->p : "", cell->n, unicode); return;
    }
}

const char *mark_sign(cell_mark mark, bool unicode)
{
    switch (mark) {
    case MARK_UNREACHED: return unicode ? "\u00b7" : ".";
    case MARK_EQUAL: return "=";
    case MARK_INCOMPLETE: return "?";
    case MARK_RAW: return "!";
    default: return "";
    }
}
/* SPDX-License-Identifier: MIT */
