/* build -- what the files of this room share while a report is being filled; not for others. */
#ifndef MICROTOME_REPORT_BUILD_H
#define MICROTOME_REPORT_BUILD_H
#include "report/report.h"
#include <stdarg.h>

/* Zeroed storage, a copy with a NUL behind it, a string (NULL stays NULL), a formatted string: of
 * the report's arena, the failure kept.
 *
 * [err: kept; NULL | owns: the report | thread: the report's own | cost: O(bytes)] */
void *build_get(report *r, size_t bytes);
void *build_copy(report *r, const void *bytes, size_t n);
const char *build_string(report *r, const char *text);
const char *build_format(report *r, const char *fmt, va_list ap);

/* A new last section.
 *
 * [err: kept; NULL | owns: the report | thread: the report's own | cost: O(1)] */
report_section *build_section(report *r, section_kind kind);

/* Check that the last row is full; in a report that was cut short, mark what it lacks instead.
 *
 * [err: kept: USAGE | owns: nothing | thread: the report's own | cost: O(columns)] */
void build_end_row(table *t);

/* Fix a figure's span from its data, unless it has one.
 *
 * [err: none | owns: nothing | thread: the report's own | cost: O(cells)] */
void build_span(figure *f);

/* Compute input_hash and hash.
 *
 * [err: kept: NOMEM | owns: nothing | thread: the report's own | cost: O(bytes of tensors)] */
void build_hashes(report *r);

#endif
/* SPDX-License-Identifier: MIT */
