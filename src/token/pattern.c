/* pattern -- see pattern.h.  Expressions are compiled by PCRE2 after what it reads in another way than the
 * original's engine was translated, or refused by its name. */
#include "token/pattern.h"
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct pattern {
    pcre2_code *re;
    scan_fn *scan;
    bool (*is)(uint32_t c);
    char *text;
    size_t n;
};

/* ---- making one ---- */

/* White space as Unicode has it since 6.3: what the original means by \\s, where PCRE2's has U+180E too. */
static const char SPACES[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
                             "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

/* What it means by \\w: marks too, which PCRE2 leaves out, circled letters, and a few odd digits of Latin-1. */
static const char WORD[] = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
                           "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"
                           "\\x{1f170}-\\x{1f189}";

/* One escape at p[1]; how many characters of it are read.  \\p{L} and \\x{41} go with their braces. */
static size_t translate_escape(str *out, const char *p, bool inside, const char **odd)
{
    const char *close = strchr("pPx", p[1]) && p[2] == '{' ? strchr(p, '}') : NULL;
    size_t n = close ? (size_t)(close - p) + 1 : 2;
    if (p[1] == 's') str_printf(out, inside ? "%s" : "[%s]", SPACES);
    else if (p[1] == 'S' && !inside) str_printf(out, "[^%s]", SPACES);
    else if (p[1] == 'S') str_puts(out, "\\P{Xsp}\\x{180e}");
    else if (p[1] == 'w') str_printf(out, inside ? "%s" : "[%s]", WORD);
    else if (p[1] == 'W' && !inside) str_printf(out, "[^%s]", WORD);
    else if (strchr("hHKGRXNOyYQEWbBAzZ", p[1]) && strncmp(p, "\\z", 2)) *odd = p;
    else str_add(out, p, n);
    return n;
}

/* The expression as PCRE2 is to read it.  What the original's engine (Oniguruma) reads in another way is refused: it is
 * named in *odd. */
static bool translate(str *out, const char *p, const char **odd)
{
    bool inside = false;
    *odd = NULL;
    while (*p && !*odd) {
        if (*p == '\\' && p[1]) {
            p += translate_escape(out, p, inside, odd);
            continue;
        }
        bool nested = inside && (*p == '[' || (*p == '&' && p[1] == '&'));
        bool line_end = !inside && (*p == '^' || *p == '$');
        bool repeated = !inside && *p == '}' && p[1] == '+'; /* {1,3}+ */
        if (nested || line_end || repeated) *odd = p;
        size_t n = !inside && *p == '[' && p[1] == '^' ? 2 : 1;
        if (*p == '[') inside = true;
        if (*p == ']') inside = false;
        str_add(out, p, n);
        p += n;
    }
    return !out->failed;
}

static pattern *pattern_new(void) { return mem_zero(sizeof(pattern)); }

static status compile(pattern *x, const char *re, size_t n, const char *path, error *err)
{
    int code;
    size_t at;
    x->re = pcre2_compile((PCRE2_SPTR)re, n, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    if (!x->re)
        return error_set(err, E_FORMAT, "%s: the expression '%.100s' is wrong at character %zu",
                         path, re, at);
    pcre2_jit_compile(x->re, PCRE2_JIT_COMPLETE); /* slower without, not different */
    return E_OK;
}

status pattern_regex(pattern **out, const char *expression, const char *path, error *err)
{
    str own = { 0 };
    const char *odd;
    status st = E_OK;
    pattern *x = pattern_new();
    bool fine = x && translate(&own, expression, &odd);
    if (!fine) st = error_set(err, E_NOMEM, "%s: out of memory", path);
    else if (odd) {
        st = error_set(err, E_UNSUPPORTED, "%s: '%.12s' in an expression", path, odd);
        error_hint(err, "the original reads it in a way of its own, which is not built");
    } else if (!strcmp(expression, PATTERN_GPT2)) x->scan = scan_gpt2; /* no machine for it, then */
    else st = compile(x, own.p ? own.p : "", own.n, path, err);
    str_release(&own);
    if (st == E_OK) *out = x;
    else pattern_free(x);
    return st;
}

pattern *pattern_text(const char *p, size_t n)
{
    pattern *x = pattern_new();
    if (x) x->text = mem_resize(NULL, 0, n + 1), x->n = n;
    if (x && x->text) {
        memcpy(x->text, p, n);
        return x;
    }
    mem_free(x, sizeof *x);
    return NULL;
}

pattern *pattern_class(bool (*is)(uint32_t c))
{
    pattern *x = pattern_new();
    if (x) x->is = is;
    return x;
}

void pattern_free(pattern *x)
{
    if (!x) return;
    pcre2_code_free(x->re);
    if (x->text) mem_free(x->text, x->n + 1);
    mem_free(x, sizeof *x);
}

void pattern_room_release(pattern_room *room) { pcre2_match_data_free(room->match); }

scan_fn *pattern_scanner(const pattern *x) { return x->scan; }

/* ---- searching ---- */

static status next_regex(const pattern *x, pattern_room *room, const char *p, size_t n, size_t from,
                         bool *found, size_t *first, size_t *end, error *err)
{
    if (!room->match) room->match = pcre2_match_data_create(1, NULL);
    if (!room->match) return error_set(err, E_NOMEM, "tokenizer: out of memory");
    int got = pcre2_match(x->re, (PCRE2_SPTR)p, n, from, PCRE2_NO_UTF_CHECK, room->match, NULL);
    const size_t *v = pcre2_get_ovector_pointer(room->match);
    if (got < 0 && got != PCRE2_ERROR_NOMATCH)
        return error_set(err, E_LIMIT, "tokenizer: the text is too hard for its expression");
    *found = got >= 0; /* 0: it has groups too */
    if (*found) *first = v[0], *end = v[1];
    return E_OK;
}

static bool next_text(const pattern *x, const char *p, size_t n, size_t from, size_t *first,
                      size_t *end)
{
    const char *at = x->n && from <= n ? memmem(p + from, n - from, x->text, x->n) : NULL;
    if (!at) return false;
    *first = (size_t)(at - p), *end = *first + x->n;
    return true;
}

static bool next_class(const pattern *x, const char *p, size_t n, size_t from, size_t *first,
                       size_t *end)
{
    uint32_t c;
    for (size_t i = from; i < n;) {
        int len = utf8_next(p + i, n - i, &c);
        if (!len) return false;
        if (x->is(c)) {
            *first = i, *end = i + (size_t)len;
            return true;
        }
        i += (size_t)len;
    }
    return false;
}

status pattern_next(const pattern *x, pattern_room *room, const char *p, size_t n, size_t from,
                    bool *found, size_t *first, size_t *end, error *err)
{
    *found = false;
    if (from > n) return E_OK;
    if (x->scan) {
        *found = from < n;
        if (*found) *first = from, *end = x->scan(p, n, from);
    } else if (x->re) return next_regex(x, room, p, n, from, found, first, end, err);
    else if (x->text) *found = next_text(x, p, n, from, first, end);
    else *found = next_class(x, p, n, from, first, end);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
