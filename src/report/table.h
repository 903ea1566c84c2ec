/* table -- rows of typed cells: the part of a report that a reader reads first.
 *
 * A table is filled top to bottom, left to right: table_row begins a row, row_* fills its next
 * cell.  Mistakes (a wrong kind, a cell too many, a row cut short) are kept by the report and
 * come out of report_finish, so an instrument checks once.  Every function accepts a NULL table,
 * which is what a report that has already failed hands out. */
#ifndef MICROTOME_REPORT_TABLE_H
#define MICROTOME_REPORT_TABLE_H
#include "base/mem.h"

typedef struct report report;

/* kind, its word in JSON */
#define CELL_KIND_LIST(X)                                                                          \
    X(TEXT, "text") X(INT, "int") X(REAL, "real") X(TOKEN, "token") X(BOOL, "bool")

typedef enum cell_kind {
#define X(name, word) CELL_##name,
    CELL_KIND_LIST(X)
#undef X
} cell_kind;

/* Why a value is what it is, when that is not a plain computation.  "No effect" is exact: the value
 * is that of the base run, bit for bit.  RAW: the two base runs are too near each other to divide by
 * their gap, so the value is left as it is (or, where there is none, row_none).  ABSENT: a place in a tensor
 * that stands for nothing (an edge that is not there, a position past the end of a prompt). */
#define CELL_MARK_LIST(X)                                                                          \
    X(NONE, "")                                                                                    \
    X(UNREACHED, "no effect: cannot reach")                                                        \
    X(EQUAL, "no effect: equal bits")                                                              \
    X(INCOMPLETE, "incomplete")                                                                    \
    X(RAW, "not normalised: gap too small")                                                        \
    X(ABSENT, "no such cell")

typedef enum cell_mark {
#define X(name, word) MARK_##name,
    CELL_MARK_LIST(X)
#undef X
        MARK_COUNT
} cell_mark;

/* What a caller says of a column; the strings are copied. */
typedef struct column {
    const char *name;
    const char *unit; /* "logit", "nat", "%"; NULL: none */
    cell_kind kind;
    int digits; /* significant digits shown in text; 0: 4.  JSON and CSV always carry every bit */
    bool informal; /* not part of the hash: times, amounts of work, anything of this machine */
} column;

typedef struct table_cell {
    bool given;
    cell_mark mark;
    double x;      /* REAL */
    int64_t i;     /* INT; BOOL 0 or 1; TOKEN its id, or -1 */
    const char *p; /* TEXT, TOKEN: n bytes, any bytes */
    size_t n;
} table_cell;

typedef struct table_line {
    struct table_line *next;
    table_cell cell[]; /* [n_column] */
} table_line;

typedef struct table {
    struct table *next; /* in the order of the report */
    report *owner;
    const char *name;
    column *col; /* [n_column] */
    int n_column;
    int64_t n_row;
    table_line *first, *last, **end;
    int n_given; /* cells of the last row so far */
} table;

/* Begin a row, and fill its next cell.  Bytes and strings are copied.
 *
 *   row_token   bytes as the tokenizer has them, any bytes; id -1 when there is none
 *   row_none    a cell without a value
 *   row_number  a real, or none where it is NaN
 *   row_mark    marks the cell just given
 *
 * [err: kept for report_finish: NOMEM, USAGE | owns: the report | thread: the report's own | cost: O(bytes)] */
void table_row(table *t);
void row_text(table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void row_int(table *t, int64_t value);
void row_real(table *t, double value);
void row_bool(table *t, bool value);
void row_token(table *t, const void *bytes, size_t n, int64_t id);
void row_none(table *t);
void row_number(table *t, double value);
void row_mark(table *t, cell_mark mark);

/* The word for a kind ("real") and for a mark ("no effect: cannot reach"; "" for none).
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
const char *cell_kind_name(cell_kind kind);
const char *cell_mark_text(cell_mark mark);

#endif
/* SPDX-License-Identifier: MIT */
