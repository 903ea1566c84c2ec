/* figure -- see figure.h.  Arrays with axes and labels, and which slice of one is drawn. */
#include "report/figure.h"
#include "report/build.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static report_array *find(report *r, const char *name)
{
    if (!r || r->failed) return NULL;
    for (report_array *a = r->array; a; a = a->next)
        if (!strcmp(a->t.name, name)) return a;
    report_fail(r, E_USAGE, "report: no tensor '%s'", name);
    return NULL;
}

const report_array *report_find_tensor(const report *r, const char *name)
{
    for (const report_array *a = r ? r->array : NULL; a; a = a->next)
        if (!strcmp(a->t.name, name)) return a;
    return NULL;
}

static int find_axis(report *r, const report_array *a, const char *axis)
{
    for (int i = 0; a && i < a->t.n_dim; i++)
        if (!strcmp(a->axis[i], axis)) return i;
    if (a) report_fail(r, E_USAGE, "report: tensor '%s' has no axis '%s'", a->t.name, axis);
    return -1;
}

/* Cut "layer head pair" into a->axis; counts the words. */
static void split_axes(report *r, report_array *a, const char *axes)
{
    char *word = build_copy(r, axes, strlen(axes)), *rest = NULL;
    if (!word) return;
    for (word = strtok_r(word, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (a->t.n_dim == TENSOR_DIMS) {
            report_fail(r, E_USAGE, "report: tensor '%s' has more than %d axes", a->t.name,
                        TENSOR_DIMS);
            return;
        }
        a->axis[a->t.n_dim++] = word;
    }
}

/* Elements and bytes of the shape, or a kept failure. */
static bool size_array(report *r, report_array *a, const int64_t *dim)
{
    size_t n = 1, bytes;
    for (int i = 0; i < a->t.n_dim; i++) {
        if (dim[i] < 0 || !mul_fits(n, (size_t)dim[i], &n)) {
            report_fail(r, E_RANGE, "report: tensor '%s': axis '%s' has size %lld", a->t.name,
                        a->axis[i], (long long)dim[i]);
            return false;
        }
        a->t.dim[i] = dim[i];
    }
    if (n > INT64_MAX || !mul_fits(n, dtype_bytes(a->t.dtype), &bytes)) {
        report_fail(r, E_RANGE, "report: tensor '%s' is too large", a->t.name);
        return false;
    }
    a->n_element = (int64_t)n;
    a->t.bytes = bytes;
    return true;
}

void *report_tensor(report *r, const char *name, dtype type, const char *axes, const int64_t *dim)
{
    if (report_find_tensor(r, name)) report_fail(r, E_USAGE, "report: two tensors '%s'", name);
    if (type != DTYPE_F32 && type != DTYPE_F64 && type != DTYPE_I64)
        report_fail(r, E_USAGE, "report: tensor '%s' is %s, expected f32, f64 or i64", name,
                    dtype_name(type));
    report_array *a = build_get(r, sizeof *a);
    if (!a) return NULL;
    a->t.dtype = type;
    a->t.name = build_string(r, name);
    split_axes(r, a, axes);
    if (r->failed || !size_array(r, a, dim)) return NULL;
    void *data = build_get(r, a->t.bytes + 32); /* never NULL, also without elements; aligned */
    if (!data) return NULL;
    a->t.data = data;
    *r->array_end = a;
    r->array_end = &a->next;
    return data;
}

void report_unit(report *r, const char *name, const char *unit)
{
    report_array *a = find(r, name);
    if (a) a->unit = build_string(r, unit);
}

void report_informal(report *r, const char *name)
{
    report_array *a = find(r, name);
    if (a) a->informal = true;
}

uint8_t *report_marks(report *r, const char *name)
{
    report_array *a = find(r, name);
    if (a && !a->mark) a->mark = build_get(r, (size_t)a->n_element + 1);
    return a ? a->mark : NULL;
}

void report_show_tensor(report *r, const char *name)
{
    const report_array *a = find(r, name);
    report_section *s = a ? build_section(r, SECTION_TENSOR) : NULL;
    if (s) s->array = a;
}

/* The labels of an axis, made empty if there are none yet. */
static report_label *labels(report *r, const char *name, const char *axis, int64_t *n)
{
    report_array *a = find(r, name);
    int i = find_axis(r, a, axis);
    if (i < 0) return NULL;
    *n = a->t.dim[i];
    if (!a->label[i]) a->label[i] = build_get(r, ((size_t)*n + 1) * sizeof *a->label[i]);
    return a->label[i];
}

void report_axis_labels(report *r, const char *name, const char *axis, int64_t n,
                        const char *const *label)
{
    int64_t dim;
    report_label *l = labels(r, name, axis, &dim);
    if (!l) return;
    if (n != dim) {
        report_fail(r, E_USAGE, "report: tensor '%s' axis '%s': %lld labels, expected %lld", name,
                    axis, (long long)n, (long long)dim);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *p = build_string(r, label[i] ? label[i] : "");
        l[i] = (report_label){ .p = p, .n = p ? strlen(p) : 0 };
    }
}

void report_axis_numbers(report *r, const char *name, const char *axis, const char *prefix)
{
    int64_t dim;
    report_label *l = labels(r, name, axis, &dim);
    for (int64_t i = 0; l && i < dim && !r->failed; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.32s%lld", prefix, (long long)i);
        l[i] = (report_label){ .p = build_string(r, text), .n = strlen(text) };
    }
}

void report_axis_token(report *r, const char *name, const char *axis, int64_t index,
                       const void *bytes, size_t n)
{
    int64_t dim;
    report_label *l = labels(r, name, axis, &dim);
    if (!l) return;
    if (index < 0 || index >= dim) {
        report_fail(r, E_USAGE, "report: tensor '%s' axis '%s': label %lld of %lld", name, axis,
                    (long long)index, (long long)dim);
        return;
    }
    const char *p = build_copy(r, bytes, n);
    l[index] = (report_label){ .p = p, .n = p ? n : 0, .token = true };
}

void report_cell_token(report *r, const char *name, int64_t index, const void *bytes, size_t n)
{
    report_array *a = find(r, name);
    if (!a) return;
    if (index < 0 || index >= a->n_element) {
        report_fail(r, E_USAGE, "report: tensor '%s': cell %lld of %lld", name, (long long)index,
                    (long long)a->n_element);
        return;
    }
    if (!a->cell) a->cell = build_get(r, (size_t)a->n_element * sizeof *a->cell);
    const char *p = a->cell ? build_copy(r, bytes, n) : NULL;
    if (p) a->cell[index] = (report_label){ .p = p, .n = n, .token = true };
}

/* The options into f; false when an index or an interval's array does not fit. */
static bool set_options(report *r, figure *f, const figure_options *o)
{
    const report_array *a = f->array;
    for (int i = 0; o->at && i < a->t.n_dim; i++) f->at[i] = o->at[i];
    for (int i = 0; i < a->t.n_dim; i++) {
        if (i == f->row_axis || i == f->col_axis) f->at[i] = 0;
        else if (f->at[i] < 0 || f->at[i] >= a->t.dim[i]) {
            report_fail(r, E_RANGE, "report: figure of '%s': %s %lld is not within 0..%lld",
                        a->t.name, a->axis[i], (long long)f->at[i], (long long)a->t.dim[i] - 1);
            return false;
        }
    }
    f->centre = o->centre, f->span = o->span;
    f->value = build_string(r, o->value ? o->value : a->t.name);
    if (o->low) f->low = find(r, o->low);
    if (o->high) f->high = find(r, o->high);
    if ((f->low && f->low->n_element != a->n_element) ||
        (f->high && f->high->n_element != a->n_element))
        report_fail(r, E_USAGE, "report: figure of '%s': interval tensors have another shape",
                    a->t.name);
    return !r->failed;
}

static void add_figure(report *r, figure_kind kind, const char *title, const char *tensor_name,
                       const char *rows, const char *columns, const figure_options *o)
{
    const report_array *a = find(r, tensor_name);
    int row = a && rows ? find_axis(r, a, rows) : -1, col = find_axis(r, a, columns);
    if (!a || r->failed) return;
    if (row == col) {
        report_fail(r, E_USAGE, "report: figure of '%s' has axis '%s' twice", tensor_name, rows);
        return;
    }
    figure *f = build_get(r, sizeof *f);
    if (!f) return;
    *f = (figure){ .kind = kind,
                   .array = a,
                   .row_axis = row,
                   .col_axis = col,
                   .n_row = row < 0 ? 1 : a->t.dim[row],
                   .n_col = a->t.dim[col] };
    f->title = build_string(r, title ? title : "");
    if (!set_options(r, f, o ? o : &(figure_options){ 0 })) return;
    report_section *s = build_section(r, SECTION_FIGURE);
    if (s) s->figure = f;
}

void report_heatmap(report *r, const char *title, const char *tensor_name, const char *rows,
                    const char *columns, const figure_options *options)
{
    add_figure(r, FIGURE_HEATMAP, title, tensor_name, rows, columns, options);
}

void report_bars(report *r, const char *title, const char *tensor_name, const char *axis,
                 const figure_options *options)
{
    add_figure(r, FIGURE_BARS, title, tensor_name, NULL, axis, options);
}

void report_tokens(report *r, const char *title, const char *tensor_name, const char *axis,
                   const figure_options *options)
{
    add_figure(r, FIGURE_TOKENS, title, tensor_name, NULL, axis, options);
}

void report_heads(report *r, const char *title, const char *tensor_name,
                  const figure_options *options)
{
    const report_array *a = find(r, tensor_name);
    figure_options o = options ? *options : (figure_options){ 0 };
    if (!a) return;
    if (a->t.n_dim != 4) {
        report_fail(r, E_USAGE,
                    "report: figure of '%s': %d axes, expected 4 (layer head query key)",
                    tensor_name, a->t.n_dim);
        return;
    }
    if (!(o.span > 0)) o.span = 1;
    add_figure(r, FIGURE_HEADS, title, tensor_name, a->axis[2], a->axis[3], &o);
}

void report_contexts(report *r, const char *title, const char *tensor_name, const char *rows,
                     const char *columns, const figure_options *options)
{
    add_figure(r, FIGURE_TOKENS, title, tensor_name, rows, columns, options);
}

double array_value(const report_array *a, int64_t index)
{
    switch (a->t.dtype) {
    case DTYPE_F32: return ((const float *)a->t.data)[index];
    case DTYPE_F64: return ((const double *)a->t.data)[index];
    case DTYPE_I64: return (double)((const int64_t *)a->t.data)[index];
    default: return NAN; /* report_tensor refuses others */
    }
}

int64_t figure_index(const figure *f, int64_t row, int64_t col)
{
    int64_t index = 0;
    for (int i = 0; i < f->array->t.n_dim; i++) {
        int64_t here = i == f->row_axis ? row : i == f->col_axis ? col : f->at[i];
        index = index * f->array->t.dim[i] + here;
    }
    return index;
}

double figure_value(const figure *f, int64_t row, int64_t col)
{
    return array_value(f->array, figure_index(f, row, col));
}

cell_mark figure_mark(const figure *f, int64_t row, int64_t col)
{
    if (!f->array->mark) return MARK_NONE;
    uint8_t mark = f->array->mark[figure_index(f, row, col)];
    return mark < MARK_COUNT ? (cell_mark)mark : MARK_NONE;
}

report_label figure_label(const figure *f, int axis, int64_t index, char number[24])
{
    const report_label *l = axis < 0 ? NULL : f->array->label[axis];
    if (l && l[index].p) return l[index];
    snprintf(number, 24, "%lld", (long long)index);
    return (report_label){ .p = number, .n = strlen(number) };
}

report_label figure_cell(const figure *f, int64_t row, int64_t col)
{
    if (!f->array->cell) return (report_label){ 0 };
    return f->array->cell[figure_index(f, row, col)];
}

void build_span(figure *f)
{
    if (f->span > 0) return;
    double span = 0;
    for (int64_t i = 0; i < f->n_row; i++) {
        for (int64_t j = 0; j < f->n_col; j++) {
            double far = fabs(figure_value(f, i, j) - f->centre);
            if (isfinite(far) && figure_mark(f, i, j) == MARK_NONE && far > span) span = far;
        }
    }
    f->span = span > 0 ? span : 1;
}

double figure_shade(const figure *f, double value)
{
    double s = (value - f->centre) / f->span;
    return s > 1 ? 1 : s < -1 ? -1 : s;
}

const char *figure_kind_name(figure_kind kind)
{
    static const char *const word[] = { "heatmap", "bars", "tokens", "heads" };
    return (unsigned)kind < sizeof word / sizeof *word ? word[kind] : "?";
}
/* SPDX-License-Identifier: MIT */
