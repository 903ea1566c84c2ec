/* documents -- the texts of a file, one after another, without ever holding more than one.
 *
 *     NAME.jsonl (.ndjson)   one document a line: a text, a list of token ids, or an object that has one of the
 *                            two under `field` ("text"); empty lines are none
 *     anything else          one text; or, where a separator is given, the texts between its occurrences,
 *                            the empty ones left out
 *
 * The file is mapped: a text that is not JSON is read where it lies. */
#ifndef MICROTOME_DATA_DOCUMENTS_H
#define MICROTOME_DATA_DOCUMENTS_H
#include "base/file.h"
#include "base/json.h"

typedef struct document {
    int64_t index;    /* documents before it */
    size_t at;        /* the byte of the file at which it begins; of JSON, its line */
    const char *text; /* n bytes, not NUL-terminated; NULL: it came as ids */
    size_t n;
    const json_t *ids; /* a list, not looked at yet; or NULL */
} document;

typedef struct documents {
    file_map map;
    const char *path, *field, *separator; /* borrowed; separator NULL: none */
    bool json;
    size_t at; /* of what has not been read */
    int64_t n_read, line;
    json_t *held; /* the line under way */
} documents;

/* Open a file; strings are borrowed until it is closed.  documents_close accepts what was never opened but zeroed.
 *
 * [err: IO, USAGE (an empty separator or field), NOMEM | owns: the caller, documents_close | thread: its own | cost: one mmap] */
status documents_open(documents *out, const char *path, const char *field, const char *separator,
                      error *err);
void documents_close(documents *d);

/* The next document, valid until the one after it; *there false: there are no more.
 *
 * [err: FORMAT (a line that is no JSON, or has no such field), LIMIT (a line too long), NOMEM | owns: d | thread: its own | cost: O(the document)] */
status documents_next(documents *d, document *out, bool *there, error *err);

#endif
/* SPDX-License-Identifier: MIT */
