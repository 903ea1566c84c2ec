/* lex -- a template cut into text and tags, and a tag into tokens. */
#ifndef MICROTOME_CHAT_LEX_H
#define MICROTOME_CHAT_LEX_H
#include "base/error.h"
#include "base/mem.h"

typedef enum token_kind {
    TOKEN_TEXT,      /* between tags, as it is written out */
    TOKEN_PRINT,     /* {{ */
    TOKEN_PRINT_END, /* }} */
    TOKEN_BLOCK,     /* {% */
    TOKEN_BLOCK_END, /* %} */
    TOKEN_NAME,
    TOKEN_STRING, /* without quotes, escapes resolved */
    TOKEN_INT,
    TOKEN_REAL,
    TOKEN_SIGN, /* ( == // ... */
    TOKEN_END
} token_kind;

typedef struct lex_token {
    token_kind kind;
    int line;
    const char *p; /* NUL-terminated */
    size_t n;
} lex_token;

/* All tokens of a template, ended by TOKEN_END, in mem.
 *
 * [err: FORMAT (with the line), NOMEM | owns: mem; text is copied | thread: mem's own | cost: O(n)] */
status template_lex(lex_token **out, arena *mem, const char *text, size_t n, const char *name,
                    error *err);

#endif
/* SPDX-License-Identifier: MIT */
