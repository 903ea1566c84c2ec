/* json -- Jansson, with our limits and our messages.
 *
 * Files are read whole up to a limit, duplicate keys are refused, depth is bounded by Jansson
 * (2048).  Typed getters name the key, what was found and what was expected.  Jansson's memory goes
 * through mem (so it is counted) from before main() on: a program that
 * uses Jansson itself shares that. */
#ifndef MICROTOME_BASE_JSON_H
#define MICROTOME_BASE_JSON_H
#include "base/error.h"
#include "base/str.h"
#include <jansson.h>

/* Parse a file, or `n` bytes of text; `name` goes into messages ("config.json: line 3, column 7: ...").
 *
 * [err: IO, NOMEM, FORMAT, LIMIT | owns: the caller (json_decref) | thread: any | cost: O(bytes)] */
status json_open(json_t **out, const char *path, size_t max_bytes, error *err);
status json_parse(json_t **out, const char *text, size_t n, const char *name, error *err);

/* The same, where strings may hold NUL: read them with json_string_length.
 *
 * [err: NOMEM, FORMAT | owns: the caller (json_decref) | thread: any | cost: O(bytes)] */
status json_parse_bytes(json_t **out, const char *text, size_t n, const char *name, error *err);

/* obj[key] as a number or flag.  An absent or null key gives `otherwise`; a key of another type
 * is FORMAT and names key, type found and type expected.  json_int takes reals that are whole.
 *
 * [err: FORMAT | owns: nothing | thread: any | cost: one lookup] */
status json_int(const json_t *obj, const char *key, int64_t otherwise, int64_t *out, error *err);
status json_number(const json_t *obj, const char *key, double otherwise, double *out, error *err);
status json_flag(const json_t *obj, const char *key, bool otherwise, bool *out, error *err);

/* obj[key] as a string borrowed from obj; absent or null gives `otherwise` (may be NULL).
 *
 * [err: FORMAT | owns: nothing | thread: any | cost: one lookup] */
status json_text(const json_t *obj, const char *key, const char *otherwise, const char **out,
                 error *err);

/* Write a value: keys in insertion order, `indent` spaces (0: one line), numbers with %.17g.
 * json_canonical sorts keys and leaves no spaces: what hashes are made of.
 *
 * [err: s->failed | owns: s | thread: any | cost: O(size)] */
void json_write(str *s, const json_t *v, int indent);
void json_canonical(str *s, const json_t *v);

/* "an object", "a string" ...: for messages.
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
const char *json_kind(const json_t *v);

#endif
/* SPDX-License-Identifier: MIT */
