/* error -- how everything that can fail says so.
 *
 * A function that can fail returns a status and takes `error *err` last.  Results
 * go through out-parameters, written only on success.  The first error wins: a
 * cleanup that fails later does not hide the cause.  Reporting needs no memory. */
#ifndef MICROTOME_BASE_ERROR_H
#define MICROTOME_BASE_ERROR_H

/* name, value, what it means */
#define STATUS_LIST(X)                                                                             \
    X(OK, 0, "ok")                                                                                 \
    X(NOMEM, -1, "out of memory")                                                                  \
    X(IO, -2, "the operating system refused a file operation")                                     \
    X(FORMAT, -3, "a file or text is not what its format says")                                    \
    X(UNSUPPORTED, -4, "understood, but not built")                                                \
    X(NOSITE, -5, "no site, axis or edge of that name")                                            \
    X(RANGE, -6, "a number or slice is out of its range")                                          \
    X(SHAPE, -7, "two shapes that must agree do not")                                              \
    X(FROZEN, -8, "the lane has run: fork it")                                                     \
    X(CYCLE, -9, "something would have to be computed before itself")                              \
    X(NOEFFECT, -10, "an edit that can change nothing wanted")                                     \
    X(USAGE, -11, "the request is not well-formed")                                                \
    X(MISMATCH, -12, "two results that must agree do not")                                         \
    X(INTERRUPTED, -13, "stopped on request; what is done is kept")                                \
    X(LIMIT, -14, "a stated limit would be exceeded")

typedef enum status {
#define X(name, value, says) E_##name = value,
    STATUS_LIST(X)
#undef X
} status;

enum { ERROR_MSG = 512, ERROR_HINT = 384 };

typedef struct error {
    status code;
    char msg[ERROR_MSG];   /* what was found, what was expected; lower case, no control character */
    char hint[ERROR_HINT]; /* what to do; may be empty */
} error;

/* Record `code` and a printf-style message unless `err` already holds an error; returns `code`.
 *
 *   err   may be NULL: then only the code is returned
 *
 * [err: none | owns: nothing | thread: any, on its own err | cost: one vsnprintf] */
status error_set(error *err, status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Add what the user can do about it, unless a hint is there; keeps the code.
 *
 * [err: none | owns: nothing | thread: any, on its own err | cost: one vsnprintf] */
void error_hint(error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "prefix: " before the message (a path, the name of a part).
 *
 * [err: none | owns: nothing | thread: any, on its own err | cost: one copy] */
void error_prefix(error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The word for a code ("NOSITE") and its meaning; "?" for an unknown one.
 *
 * [err: none | owns: static strings | thread: any | cost: O(1)] */
const char *status_name(status code);
const char *status_text(status code);

#endif
/* SPDX-License-Identifier: MIT */
