/* syntax -- a template as a tree: statements, and expressions in them.
 *
 * The subset of Jinja 2 that chat templates are written in, with the switches Hugging Face sets (trim_blocks, lstrip_blocks).
 * What is not in it is refused by its name and line when the template is read. */
#ifndef MICROTOME_CHAT_SYNTAX_H
#define MICROTOME_CHAT_SYNTAX_H
#include "base/error.h"
#include "chat/value.h"

typedef struct expr expr;
typedef struct stmt stmt;

typedef enum expr_kind {
    EXPR_VALUE,  /* v */
    EXPR_NAME,   /* name */
    EXPR_LIST,   /* arg; no: a tuple */
    EXPR_DICT,   /* arg: key, value, key, value ... */
    EXPR_FIELD,  /* a.name */
    EXPR_ITEM,   /* a[b] */
    EXPR_SLICE,  /* a[b:c:d] */
    EXPR_CALL,   /* a(arg) */
    EXPR_FILTER, /* a | name(arg) */
    EXPR_TEST,   /* a is name(arg); no: is not */
    EXPR_NOT,    /* not a */
    EXPR_MINUS,  /* -a */
    EXPR_CHOICE, /* b if a else c */
    EXPR_AND,
    EXPR_OR,
    EXPR_BINARY /* a name b: "==" "in" "+" ... */
} expr_kind;

struct expr {
    expr_kind kind;
    int line;
    const char *name;
    value v;
    expr *a, *b, *c, *d;
    expr **arg;       /* [n_arg] */
    const char **key; /* [n_arg]: the names of arguments given by name, else NULL */
    int n_arg;
    bool no;
};

typedef enum stmt_kind {
    STMT_TEXT,  /* p[n] */
    STMT_PRINT, /* a */
    STMT_IF,    /* a; body, other */
    STMT_FOR,   /* name[0], name[1] in a if b; body, other */
    STMT_SET,   /* name[0] or name[0].field = a, or = body */
    STMT_MACRO, /* name[0](parameters); body */
    STMT_BREAK,
    STMT_CONTINUE
} stmt_kind;

struct stmt {
    stmt_kind kind;
    int line;
    const char *p;
    size_t n;
    const char *name[2], *field;
    expr *a, *b;
    stmt *body, *other, *next;
    const char **parameter; /* [n_parameter] */
    expr **otherwise;       /* [n_parameter]: defaults, or NULL */
    int n_parameter;
};

/* The tree of a template, in mem.  `name` is for messages.
 *
 * [err: FORMAT (with the line), UNSUPPORTED (what it is, and its line), LIMIT, NOMEM | owns: mem; text is copied | thread: mem's own | cost: O(n)] */
status template_parse(stmt **out, arena *mem, const char *text, size_t n, const char *name,
                      error *err);

/* Is there such a filter, such a test?  (call.c knows.)
 *
 * [err: none | owns: nothing | thread: any | cost: O(filters)] */
bool filter_known(const char *name);
bool test_known(const char *name);

#endif
/* SPDX-License-Identifier: MIT */
