/* pen -- see pen.h. */
#include "render/pen.h"
#include "render/show.h"
#include <math.h>
#include <string.h>

static void new_line(pen *w)
{
    str_puts(w->s, "\n");
    for (int i = 0; i < w->depth; i++) str_puts(w->s, " ");
}

/* Before a value or a key: the comma and the line that belong there. */
static void item(pen *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (!w->depth) return;
    bool *any = &w->any[w->depth - 1];
    if (*any) str_puts(w->s, ",");
    if (w->lines[w->depth - 1]) new_line(w);
    else if (*any) str_puts(w->s, " ");
    *any = true;
}

void pen_begin(pen *w, char bracket, bool lines)
{
    item(w);
    str_add(w->s, &bracket, 1);
    w->any[w->depth] = false, w->lines[w->depth] = lines;
    w->depth++;
}

void pen_end(pen *w, char bracket)
{
    w->depth--;
    if (w->any[w->depth] && w->lines[w->depth]) new_line(w);
    str_add(w->s, &bracket, 1);
}

static void quote(str *s, const char *p, size_t n)
{
    str_puts(s, "\"");
    while (n) {
        uint32_t cp;
        int len = utf8_next(p, n, &cp);
        if (!len) str_puts(s, "\xef\xbf\xbd"), len = 1;
        else if (cp == '"' || cp == '\\') str_printf(s, "\\%c", (int)cp);
        else if (cp == '\n') str_puts(s, "\\n");
        else if (cp < 0x20 || cp == 0x7f || cp == '<' || cp == 0x2028 || cp == 0x2029)
            str_printf(s, "\\u%04x", (unsigned)cp);
        else str_add(s, p, (size_t)len);
        p += len, n -= (size_t)len;
    }
    str_puts(s, "\"");
}

void pen_key(pen *w, const char *key)
{
    item(w);
    quote(w->s, key, strlen(key));
    str_puts(w->s, ": ");
    w->after_key = true;
}

void pen_bytes(pen *w, const char *p, size_t n)
{
    item(w);
    quote(w->s, p, n);
}

void pen_text(pen *w, const char *text)
{
    item(w);
    if (text) quote(w->s, text, strlen(text));
    else str_puts(w->s, "null");
}

void pen_int(pen *w, int64_t v)
{
    item(w);
    str_printf(w->s, "%lld", (long long)v);
}

void pen_bool(pen *w, bool v)
{
    item(w);
    str_puts(w->s, v ? "true" : "false");
}

static void put_real(pen *w, double x, bool f32)
{
    item(w);
    if (!isfinite(x)) str_puts(w->s, "\"");
    show_exact(w->s, x, f32);
    if (!isfinite(x)) str_puts(w->s, "\"");
}

void pen_real(pen *w, double x) { put_real(w, x, false); }

void pen_element(pen *w, const report_array *a, int64_t index)
{
    if (a->t.dtype == DTYPE_I64) pen_int(w, ((const int64_t *)a->t.data)[index]);
    else put_real(w, array_value(a, index), a->t.dtype == DTYPE_F32);
}

void pen_json(pen *w, const json_t *v)
{
    str s = { 0 };
    item(w);
    if (v) json_write(&s, v, 0);
    else str_puts(&s, "null");
    w->s->failed |= s.failed;
    for (size_t i = 0; !s.failed && i < s.n; i++) { /* '<' stands in strings only */
        if (s.p[i] == '<') str_puts(w->s, "\\u003c");
        else str_add(w->s, s.p + i, 1);
    }
    str_release(&s);
}

void pen_text_at(pen *w, const char *key, const char *text)
{
    pen_key(w, key);
    pen_text(w, text);
}

void pen_int_at(pen *w, const char *key, int64_t v)
{
    pen_key(w, key);
    pen_int(w, v);
}

void pen_bool_at(pen *w, const char *key, bool v)
{
    pen_key(w, key);
    pen_bool(w, v);
}

void pen_real_at(pen *w, const char *key, double x)
{
    pen_key(w, key);
    pen_real(w, x);
}
/* SPDX-License-Identifier: MIT */
