/* error -- see error.h. */
#include "base/error.h"
#include "base/str.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a file or a user said stands in messages: no byte of it moves a cursor, and a character that was cut, or is none, is
 * a question mark. */
static void make_plain(char *p)
{
    for (size_t n = strlen(p); n;) {
        uint32_t cp = 0;
        size_t k = (size_t)utf8_next(p, n, &cp);
        if (!k || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
            k = k ? k : 1;
            memset(p, '?', k);
        }
        p += k, n -= k;
    }
}

status error_set(error *err, status code, const char *fmt, ...)
{
    if (!err || err->code != E_OK) return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    make_plain(err->msg);
    err->code = code;
    err->hint[0] = 0;
    return code;
}

void error_hint(error *err, const char *fmt, ...)
{
    if (!err || err->code == E_OK || err->hint[0]) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    make_plain(err->hint);
}

void error_prefix(error *err, const char *fmt, ...)
{
    if (!err || err->code == E_OK) return;
    char old[ERROR_MSG];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && n < ERROR_MSG) snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", old);
    make_plain(err->msg);
}

const char *status_name(status code)
{
    switch (code) {
#define X(name, value, says)                                                                       \
    case E_##name: return #name;
        STATUS_LIST(X)
#undef X
    }
    return "?";
}

const char *status_text(status code)
{
    switch (code) {
#define X(name, value, says)                                                                       \
    case E_##name: return says;
        STATUS_LIST(X)
#undef X
    }
    return "?";
}
/* SPDX-License-Identifier: MIT */
