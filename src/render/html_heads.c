/* html_heads -- attention patterns to move over: every head small, one large, the tokens below.
 *
 * The patterns are packed, one sign a number at most (12 x 12 heads of 200 tokens: under 3 MB whatever they hold).  A
 * number x becomes level = round(79 sqrt(x / span)), so small weights are kept finer; what is hovered shows the
 * exact number where the page's JSON has it, else the level's, marked as about.
 *
 *     code = byte - 33, one less above '<', which does not occur:
 *     0..79   a level
 *     80..91  the level before it (0 at a row's start) again, 2, 4 .. 4096 times
 *     92      zeros to the end of the row
 *
 * Rows of one head follow each other, heads as in the tensor; a line's end after each head means nothing. */
#include "render/html_part.h"
#include <math.h>

enum { LEVELS = 80, RUNS = 12, ROW_END = LEVELS + RUNS, CELL_MAX = 16 << 20 };

static void code(str *s, int c)
{
    char byte = (char)(33 + c);
    if (byte >= '<') byte++;
    str_add(s, &byte, 1);
}

static int level(double x, double span)
{
    double l = x > 0 ? round((LEVELS - 1) * sqrt(x / span)) : 0; /* a NaN too */
    return l > LEVELS - 1 ? LEVELS - 1 : (int)l;
}

/* n more of the level before. */
static void repeat(str *s, int last, int64_t n)
{
    for (int k = RUNS; k > 0; k--)
        for (; n >= (int64_t)1 << k; n -= (int64_t)1 << k) code(s, LEVELS + k - 1);
    if (n) code(s, last);
}

static void pack_row(str *s, const report_array *a, int64_t first, int64_t n, double span)
{
    int last = 0;
    int64_t run = 0, end = n;
    while (end && !level(array_value(a, first + end - 1), span)) end--;
    for (int64_t i = 0; i < end; i++) {
        int l = level(array_value(a, first + i), span);
        if (l == last) {
            run++;
            continue;
        }
        repeat(s, last, run);
        code(s, l);
        last = l, run = 0;
    }
    repeat(s, last, run);
    if (end < n) code(s, ROW_END);
}

static void pack(str *s, const figure *f, int64_t n_layer)
{
    int64_t n = n_layer * f->array->t.dim[1];
    str_puts(s, "<script type=\"text/plain\" class=\"packed\">");
    for (int64_t h = 0; h < n && !s->failed; h++) {
        for (int64_t q = 0; q < f->n_row; q++)
            pack_row(s, f->array, (h * f->n_row + q) * f->n_col, f->n_col, f->span);
        str_puts(s, "\n");
    }
    str_puts(s, "</script>\n");
}

/* Is every key after its query 0 in all heads?  Then those places are not drawn at all. */
static bool causal(const figure *f)
{
    int64_t n_head = f->array->t.dim[0] * f->array->t.dim[1];
    for (int64_t h = 0; h < n_head; h++)
        for (int64_t q = 0; q < f->n_row; q++)
            for (int64_t k = q + 1; k < f->n_col; k++)
                if (array_value(f->array, (h * f->n_row + q) * f->n_col + k) != 0) return false;
    return true;
}

static int64_t not_numbers(const figure *f)
{
    int64_t n = 0;
    for (int64_t i = 0; i < f->array->n_element; i++) n += isnan(array_value(f->array, i));
    return n;
}

static void named(str *s, const figure *f, int axis, int64_t i)
{
    char number[24];
    html_label(s, figure_label(f, axis, i, number));
}

static void small_heads(str *s, const figure *f, int64_t n_layer)
{
    const report_array *a = f->array;
    int64_t n_head = a->t.dim[1];
    str_printf(s, "<div class=\"hgrid\" style=\"--n:%lld\"><span></span>", (long long)n_head);
    for (int64_t h = 0; h < n_head; h++) {
        str_puts(s, "<span>");
        named(s, f, 1, h);
        str_puts(s, "</span>");
    }
    for (int64_t l = 0; l < n_layer && !s->failed; l++) {
        str_puts(s, "\n<span>");
        named(s, f, 0, l);
        str_puts(s, "</span>");
        for (int64_t h = 0; h < n_head; h++) {
            str_puts(s, "<button type=\"button\" tabindex=\"-1\" title=\"");
            named(s, f, 0, l);
            str_puts(s, " ");
            named(s, f, 1, h);
            str_puts(s, "\"><canvas></canvas></button>");
        }
    }
    str_puts(s, "</div>\n");
}

static void token_line(str *s, const figure *f)
{
    str_puts(s, "<div class=\"tokens htok\" tabindex=\"0\">");
    for (int64_t i = 0; i < f->n_row && !s->failed; i++) {
        str_puts(s, "<span class=\"tok\">");
        named(s, f, f->row_axis, i);
        str_puts(s, "</span><wbr>");
    }
    str_puts(s, "</div>\n");
}

static void legend(str *s, const figure *f)
{
    str_puts(s, "<div class=\"legend\"><span class=\"ramp\">0<i class=\"up\"></i>");
    html_real(s, f->span, 3);
    str_puts(s, "</span><span>");
    html_text(s, f->value);
    str_puts(s, "; the colour grows with its square root</span></div>");
}

static void pieces(str *s, const char *tag, const char *const *piece)
{
    str_printf(s, "<%s>", tag);
    while (*piece) str_puts(s, *piece++);
    str_printf(s, "</%s>\n", tag);
}

static void body(str *s, const figure *f, int64_t n_layer)
{
    str_puts(s,
             "<noscript><p class=\"warning\">Drawing needs scripts; the numbers are in the tensor "
             "(--out).</p></noscript>\n<div class=\"hview\">");
    str_puts(s, "<div class=\"hleft\">\n");
    small_heads(s, f, n_layer);
    token_line(s, f);
    str_puts(s, "</div><div class=\"hlarge\"><p class=\"hname\"></p><div class=\"hplot\">"
                "<canvas></canvas><i class=\"hrow\"></i><i class=\"hcol\"></i></div>"
                "<p class=\"hsay\">queries \xe2\x86\x93 keys \xe2\x86\x92</p></div></div>\n");
    legend(s, f);
    pack(s, f, n_layer);
    pieces(s, "script", page_heads_script);
}

void html_heads(str *s, const figure *f)
{
    const report_array *a = f->array;
    int64_t one = a->t.dim[1] * f->n_row * f->n_col, n_layer = a->t.dim[0], nan = not_numbers(f);
    if (one && n_layer > CELL_MAX / one) n_layer = CELL_MAX / one;
    pieces(s, "style", page_heads_style);
    str_printf(
        s,
        "<figure class=\"card heads\" data-shape=\"%lld %lld %lld %lld\" data-span=\"%.17g\"%s "
        "data-tensor=\"",
        (long long)n_layer, (long long)a->t.dim[1], (long long)f->n_row, (long long)f->n_col,
        f->span, causal(f) ? " data-causal=\"\"" : "");
    html_text(s, a->t.name);
    str_puts(s, "\"><h2>");
    html_text(s, *f->title ? f->title : a->t.name);
    str_puts(s, "</h2>");
    if (n_layer < a->t.dim[0])
        str_printf(s, "<p class=\"warning\">Drawn: the first %lld of %lld layers.</p>",
                   (long long)n_layer, (long long)a->t.dim[0]);
    if (nan)
        str_printf(s, "<p class=\"warning\">%lld values are NaN and drawn as 0.</p>",
                   (long long)nan);
    if (n_layer < 1 || one < 1) str_puts(s, "<p>No cells that could be drawn.</p>");
    else body(s, f, n_layer);
    str_puts(s, "</figure>\n");
}
/* SPDX-License-Identifier: MIT */
