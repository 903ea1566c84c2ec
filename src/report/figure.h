/* figure -- labelled tensors, and pictures of their slices.
 *
 * A report_array is a tensor whose axes have names and may have labels.  It is what --out writes,
 * what --against compares and what the hash is made of.  A figure holds no numbers of its own: it
 * says which slice of which array is drawn, and how. */
#ifndef MICROTOME_REPORT_FIGURE_H
#define MICROTOME_REPORT_FIGURE_H
#include "format/format.h"
#include "report/table.h"

typedef struct report_label {
    const char *p; /* n bytes; any bytes when it is a token */
    size_t n;
    bool token;
} report_label;

typedef struct report_array {
    struct report_array *next;
    tensor_view t;                    /* what tensors_write takes: name, dtype, dims, data */
    const char *axis[TENSOR_DIMS];    /* [n_dim] */
    report_label *label[TENSOR_DIMS]; /* [n_dim][dim], or NULL: numbers */
    uint8_t *mark;                    /* [elements] of cell_mark, or NULL: none is marked */
    report_label
        *cell; /* [elements] what a picture writes in a cell instead of its number; or NULL */
    int64_t n_element;
    const char *unit; /* or NULL */
    bool informal;    /* not part of the hash */
} report_array;

typedef enum figure_kind { FIGURE_HEATMAP, FIGURE_BARS, FIGURE_TOKENS, FIGURE_HEADS } figure_kind;

/* How a figure is drawn; {0} is a good start.
 *
 *   at      one index per axis of the array, for the axes that are not drawn; NULL: zeros
 *   value   what the numbers are, for legends; NULL: the array's name
 *   centre  the value without colour (0 for effects, the clean metric for raw values)
 *   span    the distance from the centre with full colour; 0: the largest in the slice
 *   low, high  bars only: names of arrays of the same shape, the ends of an interval; or NULL */
typedef struct figure_options {
    const int64_t *at;
    const char *value;
    double centre, span;
    const char *low, *high;
} figure_options;

typedef struct figure {
    struct figure *next;
    figure_kind kind;
    const char *title, *value;
    const report_array *array, *low, *high;
    int row_axis, col_axis; /* of the array; row_axis -1: one row (bars, tokens of one text) */
    int64_t at[TENSOR_DIMS];
    int64_t n_row, n_col;
    double centre, span; /* span > 0 */
} figure;

/* Element `index` (row-major) as a double; exact for f32 and f64, and for i64 below 2^53.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double array_value(const report_array *a, int64_t index);

/* Where the figure's cell (row, col) is in its array, its value, and its mark.
 *
 * [err: none | owns: nothing | thread: any | cost: O(axes)] */
int64_t figure_index(const figure *f, int64_t row, int64_t col);
double figure_value(const figure *f, int64_t row, int64_t col);
cell_mark figure_mark(const figure *f, int64_t row, int64_t col);

/* The label of one place on an axis of the figure's array; `number` is where a plain index is
 * written when the axis has no labels.
 *
 * [err: none | owns: borrowed from the array, or in number | thread: any | cost: O(1)] */
report_label figure_label(const figure *f, int axis, int64_t index, char number[24]);

/* What is written in the figure's cell (row, col) instead of its number; p NULL: nothing, so the number.
 *
 * [err: none | owns: borrowed from the array | thread: any | cost: O(axes)] */
report_label figure_cell(const figure *f, int64_t row, int64_t col);

/* (value - centre) / span, held within -1..1; NaN stays NaN.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double figure_shade(const figure *f, double value);

/* "heatmap", "bars", "tokens", "heads".
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
const char *figure_kind_name(figure_kind kind);

#endif
/* SPDX-License-Identifier: MIT */
