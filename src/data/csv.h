/* csv -- rows of a table as RFC 4180 has them: cells with commas between, in quotes where they hold commas, line ends or
 * quotes (written twice).  Lines may end as on Windows, and the file begin with a byte order mark. */
#ifndef MICROTOME_DATA_CSV_H
#define MICROTOME_DATA_CSV_H
#include "base/error.h"
#include "base/mem.h"

enum { CSV_COLUMNS = 64 };

/* n bytes without their quotes; p NULL: no cell. */
typedef struct csv_cell {
    const char *p;
    size_t n;
} csv_cell;

typedef struct csv {
    const char *name; /* for messages */
    const char *at, *end;
    int64_t row; /* the last one read, from 1 */
} csv;

/* Begin with these bytes, which are borrowed, and skip a byte order mark.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
csv csv_begin(const char *name, const void *p, size_t n);

/* The next row into out[CSV_COLUMNS]; an empty line is a row of one empty cell.  Cells are the bytes' own, quoted ones mem's.
 *
 * [err: FORMAT, LIMIT (columns, or a quoted cell of over a MiB), NOMEM | owns: mem | thread: c's own | cost: O(bytes)] */
status csv_row(csv *c, arena *mem, csv_cell *out, int *n, error *err);

/* Is it these words?
 *
 * [err: false | owns: nothing | thread: any | cost: O(n)] */
bool csv_is(const csv_cell *c, const char *text);

#endif
/* SPDX-License-Identifier: MIT */
