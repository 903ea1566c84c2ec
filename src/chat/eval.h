/* eval -- running a template's tree; what eval.c and call.c share. */
#ifndef MICROTOME_CHAT_EVAL_H
#define MICROTOME_CHAT_EVAL_H
#include "chat/syntax.h"

/* Names and what they mean, the innermost first. */
typedef struct binding {
    const char *name;
    value v;
    struct binding *next;
} binding;

typedef struct scope {
    binding *first;
    struct scope *outer;
} scope;

typedef struct eval {
    arena *mem;
    str *out;
    const char *name; /* of the template, for messages */
    scope *scope, *global;
    int64_t steps; /* left: a template ends */
    int depth, nested, line;
    bool broke, skipped; /* a loop is being left, or its body */
    status st;           /* the first error stands */
    error *err;
} eval;

/* A tree with `context` (a dict) as its names, written to out.
 *
 * [err: FORMAT (what the template itself refuses, or cannot be computed, with its line), UNSUPPORTED, LIMIT, NOMEM | owns: out; values live in mem | thread: mem's own | cost: the template's, at most 5 million steps] */
status template_run(const stmt *tree, const value *context, arena *mem, str *out, const char *name,
                    error *err);

/* What call.c is given: an error at the line that runs; memory; a text of a str, which is released.
 *
 * [err: e->st | owns: e->mem | thread: e's own | cost: O(n)] */
void eval_fail(eval *e, status code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void *eval_get(eval *e, int64_t n, size_t size);
value eval_text(eval *e, str *s);
value eval_macro(eval *e, const value *macro, const expr *call, const value *arg);

/* Filters, tests, methods of values, functions: arg are the call's values, as its key names them.
 *
 * [err: e->st | owns: e->mem | thread: e's own | cost: O(size)] */
value call_filter(eval *e, const expr *x, const value *v, const value *arg);
bool call_test(eval *e, const expr *x, const value *v, const value *arg);
value call_method(eval *e, const expr *x, const value *v, const char *name, const value *arg);
value call_function(eval *e, const expr *x, const char *name, const value *arg);

#endif
/* SPDX-License-Identifier: MIT */
