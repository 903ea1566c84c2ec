/* text_view -- see text_view.h. */
#include "render/text_view.h"
#include <math.h>
#include <string.h>

void view_ink(view *v, ink i)
{
    static const char *const code[] = { "\033[0m",  "\033[1m",        "\033[2m",
                                        "\033[33m", "\033[38;5;203m", "\033[38;5;69m" };
    if (v->colour) str_puts(v->s, code[i]);
}

/* From grey to red and to blue: readable with white text, on dark and on light terminals. */
void view_shade(view *v, double shade)
{
    static const int warm[] = { 95, 131, 167, 203, 196 }, cool[] = { 60, 61, 62, 63, 27 };
    double far = fabs(shade);
    if (!v->colour || !(far >= 0.04)) return;
    int step = (int)(far * 5);
    if (step > 4) step = 4;
    str_printf(v->s, "\033[48;5;%dm\033[38;5;231m", shade > 0 ? warm[step] : cool[step]);
}

str *view_scratch(view *v)
{
    v->scratch.n = 0;
    str_puts(&v->scratch, "");
    return &v->scratch;
}

void view_spaces(view *v, int n)
{
    for (; n > 0; n--) str_puts(v->s, " ");
}

void view_put(view *v, int width, bool right)
{
    const str *t = &v->scratch;
    if (t->failed) {
        v->s->failed = true;
        return;
    }
    int w = show_width(t->p, t->n);
    if (right) view_spaces(v, width - w);
    show_cut(v->s, t->p, t->n, width, v->unicode);
    if (!right) view_spaces(v, width - w);
}

/* The longest start of a word that fits; at least one character, or a narrow view would never end. */
static size_t fitting(const char *p, size_t n, int width)
{
    size_t used = 0;
    for (int w = 0; used < n;) {
        uint32_t cp;
        int len = utf8_next(p + used, n - used, &cp);
        if (!len) len = 1;
        w += show_width(p + used, (size_t)len);
        if (w > width && used) break;
        used += (size_t)len;
    }
    return used;
}

static void next_line(view *v, int indent, int *used)
{
    str_puts(v->s, "\n");
    view_spaces(v, indent);
    *used = indent;
}

/* One word, behind as many spaces as the text has there: on this line if it fits, else on the next; cut when it
 * fits on none. */
static void put_word(view *v, const char *p, size_t n, int indent, int *used, int gap)
{
    int w = show_width(p, n);
    if (gap && *used + gap + w > v->width) next_line(v, indent, used), gap = 0;
    view_spaces(v, gap);
    *used += gap;
    while (n) {
        size_t len = fitting(p, n, v->width - *used);
        str_add(v->s, p, len);
        *used += show_width(p, len);
        p += len, n -= len;
        if (n) next_line(v, indent, used);
    }
}

void view_wrap(view *v, const char *p, size_t n, int used, int indent)
{
    bool first = true;
    int gap = 0;
    while (n && !v->s->failed) {
        size_t len = 0;
        while (len < n && p[len] != ' ' && p[len] != '\n') len++;
        if (len) {
            str *word = view_scratch(v);
            show_text(word, p, len);
            v->s->failed |= word->failed;
            if (!word->failed) put_word(v, word->p, word->n, indent, &used, gap);
            first = false, gap = 0;
        }
        if (len < n && p[len] == '\n') next_line(v, indent, &used), first = true, gap = 0;
        else gap += !first;
        if (len < n) len++;
        p += len, n -= len;
    }
    str_puts(v->s, "\n");
}

void view_marks(view *v, unsigned marks)
{
    view_ink(v, INK_DIM);
    for (int m = MARK_NONE + 1; m < MARK_COUNT; m++)
        if (marks >> m & 1 && m != MARK_ABSENT) /* shown as nothing */
            str_printf(v->s, "%s %s\n", mark_sign((cell_mark)m, v->unicode),
                       cell_mark_text((cell_mark)m));
    view_ink(v, INK_PLAIN);
}
/* SPDX-License-Identifier: MIT */
