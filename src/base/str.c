/* str -- see str.h. */
#include "base/str.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool room(str *s, size_t more)
{
    if (s->failed || more > SIZE_MAX / 2 - s->n) s->failed = true;
    if (s->failed) return false;
    size_t need = s->n + more + 1, cap = s->cap ? s->cap : 64;
    if (need <= s->cap) return true;
    while (cap < need) cap *= 2;
    char *p = mem_resize(s->p, s->cap, cap);
    if (!p) {
        s->failed = true;
        return false;
    }
    s->p = p, s->cap = cap;
    return true;
}

void str_add(str *s, const void *bytes, size_t n)
{
    if (!room(s, n)) return;
    if (n) memcpy(s->p + s->n, bytes, n);
    s->n += n;
    s->p[s->n] = 0;
}

void str_puts(str *s, const char *text) { str_add(s, text, strlen(text)); }

void str_printf(str *s, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) s->failed = true;
    if (n >= 0 && room(s, (size_t)n)) {
        vsnprintf(s->p + s->n, (size_t)n + 1, fmt, again);
        s->n += (size_t)n;
    }
    va_end(again);
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

bool str_base64(str *s, const char *p, size_t n)
{
    uint32_t bits = 0;
    int have = 0;
    for (int k = 0; k < 2 && n && p[n - 1] == '='; k++) n--;
    if (n % 4 == 1) return false;
    for (size_t i = 0; i < n; i++) {
        int digit = base64_digit(p[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit, have += 6;
        if (have < 8) continue;
        have -= 8;
        char byte = (char)(bits >> have & 0xff);
        str_add(s, &byte, 1);
    }
    return true;
}

void str_release(str *s)
{
    mem_free(s->p, s->cap);
    *s = (str){ 0 };
}

/* ---- UTF-8 ---- */

static bool tail(const unsigned char *u, int n)
{
    for (int i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80) return false;
    return true;
}

int utf8_next(const char *p, size_t n, uint32_t *cp)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *u = (const unsigned char *)p;
    if (!n) return 0;
    int len = u[0] < 0x80   ? 1
              : u[0] < 0xc0 ? 0
              : u[0] < 0xe0 ? 2
              : u[0] < 0xf0 ? 3
              : u[0] < 0xf8 ? 4
                            : 0;
    if (!len || (size_t)len > n || !tail(u, len)) return 0;
    uint32_t c = len == 1 ? u[0] : u[0] & (0x7fu >> len);
    for (int i = 1; i < len; i++) c = c << 6 | (u[i] & 0x3fu);
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
    if (cp) *cp = c;
    return len;
}

size_t utf8_check(const char *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        int len = utf8_next(p + at, n - at, NULL);
        if (!len) break;
        at += (size_t)len;
    }
    return at;
}

int utf8_put(uint32_t cp, char out[4])
{
    int len = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (int i = len - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)(lead[len] | cp);
    return len;
}

/* ---- comparing ---- */

/* Going back to the last star is enough: a star that came before it has matched already. */
bool str_ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

const char *str_word(const char **list, size_t *n)
{
    const char *word = *list + strspn(*list, ", ");
    *n = strcspn(word, ", ");
    *list = word + *n;
    return *n ? word : NULL;
}

bool str_is(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && !memcmp(text, word, n);
}

bool str_listed(const char *list, const char *word)
{
    size_t n;
    for (const char *w; (w = str_word(&list, &n));)
        if (str_is(w, n, word)) return true;
    return false;
}

bool glob_match(const char *glob, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*glob == '*') star = ++glob, from = text;
        else if (*glob == *text) glob++, text++;
        else if (star && *from != '.') glob = star, text = ++from;
        else return false;
    }
    while (*glob == '*') glob++;
    return !*glob;
}

enum { LONGEST = 127, FAR = 1000 };

static int least(int a, int b) { return a < b ? a : b; }

int str_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    int d[3][LONGEST + 2]; /* the last three rows of the table */
    if (n > LONGEST || m > LONGEST) return FAR;
    for (size_t j = 0; j <= m; j++) d[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *now = d[i % 3], *before = d[(i + 2) % 3], *two = d[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            now[j] =
                least(least(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], two[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}
/* SPDX-License-Identifier: MIT */
