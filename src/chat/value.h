/* value -- what a template computes with: Python's values, as far as templates use them, in an arena. */
#ifndef MICROTOME_CHAT_VALUE_H
#define MICROTOME_CHAT_VALUE_H
#include "base/json.h"
#include "base/str.h"

typedef enum value_kind {
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_REAL,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_DICT,
    VALUE_MACRO
} value_kind;

typedef struct value value;
typedef struct value_pair value_pair;

struct value {
    value_kind kind;
    int64_t i; /* of a bool too; of a list: it is a tuple */
    double x;
    const char *p; /* a text, UTF-8; the name of what is undefined, or of a macro */
    size_t n;      /* bytes of a text, items of a list */
    const value *item;
    struct value_dict *dict;
    const void *macro;
};

struct value_pair {
    const char *key;
    value v;
};

/* In the order of its keys' coming; a namespace is one that may be written to. */
typedef struct value_dict {
    value_pair *pair;
    size_t n, cap;
    bool open; /* a namespace */
} value_dict;

/* Making them; text is borrowed.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
value value_bool(bool b);
value value_int(int64_t i);
value value_text(const char *p, size_t n);
value value_none(void);

/* From JSON, copied into mem; an empty dict; a key's value (replaced or added).
 *
 * [err: mem->failed | owns: mem | thread: mem's own | cost: O(size)] */
value value_from_json(const json_t *v, arena *mem);
value value_dict_new(arena *mem);
void value_set(value *dict, const char *key, value v, arena *mem);

/* dict[key]; NULL when it is not there.
 *
 * [err: NULL | owns: borrowed | thread: any | cost: O(keys)] */
const value *value_find(const value *dict, const char *key, size_t n);

/* Is it true; are they equal (steps are counted down, below 0 it was given up); what Python calls its kind ("str").
 *
 * [err: none | owns: nothing | thread: any | cost: O(size)] */
bool value_true(const value *v);
bool value_same(const value *a, const value *b, int64_t *steps);
const char *value_kind_name(const value *v);

/* As Python's str() writes it; as json.dumps(ensure_ascii=False) does, at a level of nesting, indent -1: on one line.
 * More than 64 MiB, or 64 values in each other, are not written.
 *
 * [err: s->failed | owns: s | thread: s's own | cost: O(size)] */
void value_print(const value *v, str *s);
void value_json(const value *v, int indent, int level, str *s);

#endif
/* SPDX-License-Identifier: MIT */
