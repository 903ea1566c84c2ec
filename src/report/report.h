/* report -- what an instrument returns: sections in reading order, tensors, and a certificate.
 *
 * How an instrument writes one:
 *
 *     report *r = report_new("patch", "What resid_pre carries");
 *     table *t = report_table(r, "cells", 2, (column[]){ { "site", NULL, CELL_TEXT },
 *                                                        { "effect", "logit", CELL_REAL } });
 *     table_row(t), row_text(t, "blocks.%d.resid_pre", 3), row_real(t, 1.5);
 *     return report_finish(r, err);
 *
 * The first failure (no memory, a wrong kind of cell, a name that is not there) is kept; everything
 * after it does nothing, and report_finish returns it.  Functions that return a pointer give NULL
 * then: tables may be used all the same, tensor data must be checked before it is written.
 *
 * The hash (XXH3-128) is over: the request in canonical JSON, precision, model hash, token ids; the
 * raw bits of every tensor and the int, real, token and bool cells of every table, with their
 * names, axes and shapes; controls, intervals, approximation, and whether it is complete.  Any NaN
 * counts as the same NaN.  It is not over: whatever is informal, texts and notes, figures, marks
 * (a sharper planner may know more), warnings, labels, backend, threads, seconds, numbers of runs
 * and forks, engine version, `where`.
 *
 * Read table.h, figure.h, certificate.h first. */
#ifndef MICROTOME_REPORT_REPORT_H
#define MICROTOME_REPORT_REPORT_H
#include "report/certificate.h"
#include "report/figure.h"
#include "report/table.h"

typedef enum section_kind {
    SECTION_TABLE,
    SECTION_FIGURE,
    SECTION_NOTE,
    SECTION_TENSOR
} section_kind;

typedef struct report_section {
    struct report_section *next;
    section_kind kind;
    const table *table;        /* SECTION_TABLE */
    const figure *figure;      /* SECTION_FIGURE */
    const char *note;          /* SECTION_NOTE */
    const report_array *array; /* SECTION_TENSOR */
} report_section;

struct report {
    arena mem; /* everything below but the JSON of the certificate */
    bool failed, finished;
    error first; /* what failed first */
    const char *instrument, *title;
    report_section *section, **section_end;
    table *table, **table_end;
    report_array *array, **array_end;
    certificate cert;
};

/* A report without sections; `instrument` and `title` are copied.  report_free accepts NULL.
 *
 * [err: NULL when out of memory | owns: the caller, report_free | thread: one at a time | cost: O(1)] */
report *report_new(const char *instrument, const char *title);
void report_free(report *r);

/* The next section: a table (columns copied), a paragraph, or a mention of a tensor.
 *
 * [err: kept; NULL | owns: the report | thread: the report's own | cost: O(columns)] */
table *report_table(report *r, const char *name, int n_column, const column *columns);
void report_note(report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_show_tensor(report *r, const char *name);

/* A tensor of the report: `axes` are their names with spaces between ("layer head pair"), one `dim`
 * each, 0 allowed.  Returns its data, zeroed, row-major, to be written until report_finish.
 *
 * [err: kept; NULL: NOMEM, USAGE (name taken, axes), RANGE (dims) | owns: the report | thread: the report's own | cost: O(elements)] */
void *report_tensor(report *r, const char *name, dtype type, const char *axes, const int64_t *dim);

/* Say more of a tensor: its unit; that it is of this machine and not part of the hash; and one byte
 * per element, a cell_mark each, zeroed, to be written until report_finish.
 *
 * [err: kept: USAGE (no such tensor), NOMEM | owns: the report | thread: the report's own | cost: O(elements) for marks] */
void report_unit(report *r, const char *name, const char *unit);
void report_informal(report *r, const char *name);
uint8_t *report_marks(report *r, const char *name);

/* Label an axis: with n texts, with prefix and number ("L0", "L1", ...), or one place with a token.
 *
 * [err: kept: USAGE (no such tensor or axis, n is not its dim), NOMEM | owns: the report | thread: the report's own | cost: O(labels)] */
void report_axis_labels(report *r, const char *name, const char *axis, int64_t n,
                        const char *const *labels);
void report_axis_numbers(report *r, const char *name, const char *axis, const char *prefix);
void report_axis_token(report *r, const char *name, const char *axis, int64_t index,
                       const void *bytes, size_t n);

/* Write a token into an element's cell, where pictures would write its number (a heatmap's colour stays the number's).
 *
 * [err: kept: USAGE (no such tensor, index), NOMEM | owns: the report copies | thread: the report's own | cost: O(bytes); O(elements) once] */
void report_cell_token(report *r, const char *name, int64_t index, const void *bytes, size_t n);

/* A tensor by name.
 *
 * [err: NULL when there is none | owns: borrowed | thread: any | cost: O(tensors)] */
const report_array *report_find_tensor(const report *r, const char *name);

/* The next section, a picture of a tensor that is there already: a heatmap of two of its axes, bars
 * or coloured tokens along one.  `options` may be NULL.  The colour span is fixed at report_finish.
 *
 * [err: kept: USAGE (tensor, axis), RANGE (options.at), NOMEM | owns: the report | thread: the report's own | cost: O(1)] */
void report_heatmap(report *r, const char *title, const char *tensor_name, const char *rows,
                    const char *columns, const figure_options *options);
void report_bars(report *r, const char *title, const char *tensor_name, const char *axis,
                 const figure_options *options);
void report_tokens(report *r, const char *title, const char *tensor_name, const char *axis,
                   const figure_options *options);

/* The next section: lines of tokens, one a place of axis `rows`, coloured by the numbers along `columns`.  What stands in a
 * line are the cells' tokens (report_cell_token); cells marked absent are left out.
 *
 * [err: kept: USAGE (tensor, axis), NOMEM | owns: the report | thread: the report's own | cost: O(1)] */
void report_contexts(report *r, const char *title, const char *tensor_name, const char *rows,
                     const char *columns, const figure_options *options);

/* The next section: all attention patterns at once, each head small, one large, tokens to point at.  The tensor
 * has four axes, what stands in the place of layer, head, query and key; its values lie between 0 and
 * options.span (0: 1).
 *
 * [err: kept: USAGE (tensor, number of axes), NOMEM | owns: the report | thread: the report's own | cost: O(1)] */
void report_heads(report *r, const char *title, const char *tensor_name,
                  const figure_options *options);

/* The certificate, a fact at a time; strings are copied, NULL is "not known".
 *
 *   report_lane     text NULL when ids were given; every lane that was run from an input, in order
 *   report_file     read beside the model (pairs, means, vectors): its path as written, the hash of its bytes
 *   report_machine  what it ran on; not hashed
 *   report_counts   whole runs and forks; not hashed
 *   report_cut      stopped before the end: what is missing is marked incomplete by the caller
 *   report_unreplayable  why (a callback edit, files written)
 *
 * [err: kept: NOMEM | owns: the report | thread: the report's own | cost: O(bytes)] */
void report_model(report *r, const char *name, const char *hash);
void report_tokenizer(report *r, const char *name, const char *hash);
void report_precision(report *r, const char *precision);
void report_approximation(report *r, const char *text);
void report_lane(report *r, const char *name, const char *text, const int64_t *ids, int64_t n);
void report_machine(report *r, const char *backend, int n_thread, double seconds);
void report_counts(report *r, int64_t n_run, int64_t n_fork);
void report_seed(report *r, const char *stream, uint64_t seed);
void report_file(report *r, const char *path, const char *hash);
void report_cut(report *r);
void report_unreplayable(report *r, const char *why);

/* A control: a number, with what it means (printf-style, may be ""); or a sentence only.
 *
 * [err: kept: NOMEM | owns: the report | thread: the report's own | cost: O(bytes)] */
void report_control(report *r, const char *name, double value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void report_control_text(report *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void report_interval(report *r, const char *name, const interval *v);
void report_warn(report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The experiment document, everything replay needs (no paths: they go into `where`, by a key the
 * request uses).
 *
 *   own_request, own_value  taken, also when the report has failed; NULL counts as no memory
 *
 * [err: kept: NOMEM | owns: takes own_request, own_value | thread: the report's own | cost: O(1)] */
void report_request(report *r, json_t *own_request);
void report_where(report *r, const char *key, json_t *own_value);

/* A hash of what is asked for so far: the request, model, inputs, files, precision and engine version.
 *
 * [err: NOMEM | owns: nothing | thread: the report's own | cost: O(bytes of inputs)] */
status report_asked(const report *r, char out[CERT_HASH], error *err);

/* Keep a failure of the caller's own, unless one is there.
 *
 * [err: kept | owns: nothing | thread: the report's own | cost: O(1)] */
void report_fail(report *r, status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Check the last rows, fix colour spans, compute both hashes.  From here on the report is constant.
 * A NULL report counts as no memory.  Calling it again recomputes.
 *
 * [err: the first failure kept, NOMEM | owns: nothing | thread: the report's own | cost: O(bytes of tensors)] */
status report_finish(report *r, error *err);

/* The report's tensors as tensors_write takes them: their number; into `out` [n] unless it is NULL.
 *
 * [err: none | owns: borrowed from the report | thread: any, on a finished report | cost: O(tensors)] */
int32_t report_views(const report *r, tensor_view *out);

#endif
/* SPDX-License-Identifier: MIT */
