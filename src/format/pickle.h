/* pickle -- Python's pickles of protocol 2 and later, as data: nothing is ever called but what the host answers for.
 *
 * A pickle is a program for a stack machine.  This one builds numbers, texts, lists, tuples and dicts by itself;
 * for globals ("os.system"), for calls of them, and for what lies outside the pickle it asks its host, which knows
 * a fixed list and refuses the rest by its name.
 *
 * Memory is bounded: at most PICKLE_VALUES values, and a list or a text takes what its bytes take. */
#ifndef MICROTOME_FORMAT_PICKLE_H
#define MICROTOME_FORMAT_PICKLE_H
#include "base/error.h"
#include "base/mem.h"

enum { PICKLE_VALUES = 4 << 20 };

typedef enum pick_kind {
    PICK_NONE,
    PICK_BOOL,
    PICK_INT,
    PICK_LONG, /* too wide for 64 bits: little-endian bytes */
    PICK_FLOAT,
    PICK_TEXT, /* bytes too */
    PICK_LIST, /* sets too */
    PICK_TUPLE,
    PICK_DICT,   /* key, value, key, value ... */
    PICK_OBJECT, /* the host's */
} pick_kind;

typedef struct pick pick;
struct pick {
    pick_kind kind;
    int32_t tag; /* the host's, of objects; free for marks of whoever walks */
    union {
        int64_t i;
        double x;
        struct {
            const char *p; /* no NUL behind it */
            size_t n;
        } text;
        struct {
            pick **item;
            int32_t n, cap;
        } list;
        const void *object;
    } u;
};

/* What answers for everything that is not plain data.  Each writes *out or refuses. */
typedef struct pickle_host {
    void *user;
    /* the global "module.name" */
    status (*global)(void *user, const char *name, pick **out, error *err);
    /* callee(*args); args is a tuple */
    status (*call)(void *user, const pick *callee, const pick *args, pick **out, error *err);
    /* what the id stands for */
    status (*persistent)(void *user, const pick *id, pick **out, error *err);
} pickle_host;

/* Run one pickle of at most n bytes; *used, which may be NULL: how many it took.
 *
 *   what   begins messages: the file, or the file's part
 *
 * [err: FORMAT, UNSUPPORTED (an instruction, what the host refuses), LIMIT, NOMEM | owns: mem holds the value, texts point into the bytes | thread: mem's own | cost: O(n)] */
status pickle_run(pick **out, arena *mem, const unsigned char *p, size_t n, const char *what,
                  const pickle_host *host, size_t *used, error *err);

/* A new value of that kind.
 *
 * [err: NULL when out of memory | owns: mem | thread: mem's own | cost: O(1)] */
pick *pick_new(arena *mem, pick_kind kind);

/* Is it that text; its i-th item, as an integer; the value of a dict's key (the last such).
 *
 * [err: false, NULL when there is none | owns: borrowed | thread: any | cost: O(1), of a key O(n)] */
bool pick_is(const pick *v, const char *text);
const pick *pick_at(const pick *v, int32_t i);
bool pick_int(const pick *v, int64_t *out);
const pick *pick_find(const pick *dict, const char *key);

#endif
/* SPDX-License-Identifier: MIT */
