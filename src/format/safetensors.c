/* safetensors --
 *
 *     0        8            8 + n
 *     | n: u64 | header     | data ...                |
 *                {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
 *                 "__metadata__": {"key": "value"}}
 *
 * Offsets count from the start of the data.  Checked: the header's length against the file and a limit; that
 * it is an object of objects; type, shape, and that both agree with the offsets; that the tensors cover the
 * data without holes or overlap. */
#include "base/json.h"
#include "format/shards.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100 << 20 };

static status bad(error *err, const char *path, const char *name, const char *what)
{
    return error_set(err, E_FORMAT, "%s: tensor '%.120s': %s", path, name, what);
}

/* ---- reading ---- */

static uint64_t little64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static status header_find(const file_map *m, const char *path, uint64_t *bytes, error *err)
{
    if (m->bytes < 8)
        return error_set(
            err, E_FORMAT,
            "%s: has %zu bytes, a safetensors file begins with 8 for the length of its header",
            path, m->bytes);
    *bytes = little64(m->p);
    if (*bytes > MAX_HEADER) {
        error_set(err, E_LIMIT, "%s: says its header has %" PRIu64 " bytes, at most %d are read",
                  path, *bytes, MAX_HEADER);
        error_hint(err, "is this a safetensors file?");
        return E_LIMIT;
    }
    if (*bytes > m->bytes - 8) {
        error_set(err, E_FORMAT,
                  "%s: says its header has %" PRIu64 " bytes, the file has %zu after the length",
                  path, *bytes, m->bytes - 8);
        error_hint(err, "the file is truncated: get it again");
        return E_FORMAT;
    }
    return E_OK;
}

static status read_shape(tensor_view *t, const json_t *shape, const char *path, error *err)
{
    if (!json_is_array(shape)) return bad(err, path, t->name, "shape is missing or no list");
    if (json_array_size(shape) > TENSOR_DIMS)
        return error_set(err, E_UNSUPPORTED,
                         "%s: tensor '%.120s' has %zu dimensions, at most %d are read", path,
                         t->name, json_array_size(shape), TENSOR_DIMS);
    t->n_dim = (int32_t)json_array_size(shape);
    for (int i = 0; i < t->n_dim; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return bad(err, path, t->name, "shape has an entry that is no length");
        t->dim[i] = json_integer_value(d);
    }
    return E_OK;
}

static status read_offsets(uint64_t at[2], const tensor_view *t, const json_t *v,
                           uint64_t data_bytes, const char *path, error *err)
{
    for (int i = 0; i < 2; i++) {
        const json_t *x =
            json_is_array(v) && json_array_size(v) == 2 ? json_array_get(v, (size_t)i) : NULL;
        if (!json_is_integer(x) || json_integer_value(x) < 0)
            return bad(err, path, t->name, "data_offsets is not two offsets");
        at[i] = (uint64_t)json_integer_value(x);
    }
    if (at[0] > at[1]) return bad(err, path, t->name, "data_offsets end before they begin");
    if (at[1] <= data_bytes) return E_OK;
    error_set(err, E_FORMAT,
              "%s: tensor '%.120s' ends at byte %" PRIu64 " of the data, which has %" PRIu64, path,
              t->name, at[1], data_bytes);
    error_hint(err, "the file is truncated: get it again");
    return E_FORMAT;
}

static status read_tensor(container *c, const file_map *m, uint64_t head, const char *path,
                          const char *name, const json_t *v, error *err)
{
    tensor_view t = { .name = name };
    uint64_t at[2];
    size_t n, bytes;
    const json_t *type = json_object_get(v, "dtype");
    if (!json_is_object(v)) return bad(err, path, name, "is described by no object");
    if (!json_is_string(type)) return bad(err, path, name, "dtype is missing or no string");
    if (!dtype_find(json_string_value(type), &t.dtype))
        return error_set(err, E_UNSUPPORTED,
                         "%s: tensor '%.120s' is of type '%.40s', which is not read", path, name,
                         json_string_value(type));
    status st = read_shape(&t, json_object_get(v, "shape"), path, err);
    if (st == E_OK)
        st = read_offsets(at, &t, json_object_get(v, "data_offsets"), m->bytes - 8 - head, path,
                          err);
    if (st != E_OK) return st;
    if (!tensor_size(&t, &n, &bytes))
        return bad(err, path, name, "its shape has more numbers than fit");
    if (bytes != at[1] - at[0])
        return error_set(err, E_FORMAT,
                         "%s: tensor '%.120s' has %" PRIu64 " bytes, its shape and type need %zu",
                         path, name, at[1] - at[0], bytes);
    t.bytes = bytes, t.data = m->p + 8 + head + at[0];
    return container_add(c, t, err);
}

static status read_notes(container *c, const char *path, const json_t *v, error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(v))
        return error_set(err, E_FORMAT, "%s: __metadata__ is %s, expected an object", path,
                         json_kind(v));
    json_object_foreach((json_t *)v, key, value)
    {
        if (!json_is_string(value))
            return error_set(err, E_FORMAT, "%s: __metadata__ '%.60s' is %s, expected a string",
                             path, key, json_kind(value));
        status st = container_note(c, key, json_string_value(value), err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static int by_place(const void *a, const void *b)
{
    const tensor_view *const *x = a, *const *y = b;
    uintptr_t p = (uintptr_t)(*x)->data, q = (uintptr_t)(*y)->data;
    return p < q ? -1 : p > q ? 1 : (*x)->bytes < (*y)->bytes ? -1 : (*x)->bytes > (*y)->bytes;
}

/* Together the tensors are the data: no hole, no overlap, nothing after the last. */
static status check_cover(container *c, int32_t first, const file_map *m, uint64_t head,
                          const char *path, error *err)
{
    const unsigned char *at = m->p + 8 + head;
    int32_t n = c->n - first;
    const tensor_view **order = arena_array(&c->mem, n + 1, sizeof *order);
    if (!order) return error_set(err, E_NOMEM, "%s: out of memory", path);
    for (int32_t i = 0; i < n; i++) order[i] = &c->t[first + i];
    if (n) qsort(order, (size_t)n, sizeof *order, by_place);
    for (int32_t i = 0; i < n; i++) {
        const unsigned char *p = order[i]->data;
        if (p < at) return bad(err, path, order[i]->name, "overlaps another tensor");
        if (p > at)
            return bad(err, path, order[i]->name, "begins after bytes that belong to no tensor");
        at += order[i]->bytes;
    }
    if (at == m->p + m->bytes) return E_OK;
    return error_set(err, E_FORMAT, "%s: %zu bytes after the last tensor belong to none", path,
                     (size_t)(m->p + m->bytes - at));
}

static status read_header(container *c, const file_map *m, uint64_t head, const char *path,
                          error *err)
{
    json_t *json = NULL, *value;
    const char *name;
    int32_t first = c->n;
    status st = json_parse(&json, (const char *)m->p + 8, (size_t)head, path, err);
    if (st != E_OK) return st;
    if (!json_is_object(json))
        st = error_set(err, E_FORMAT, "%s: the header is %s, expected an object", path,
                       json_kind(json));
    json_object_foreach(json, name, value)
    {
        if (st != E_OK) break;
        st = strcmp(name, "__metadata__") ? read_tensor(c, m, head, path, name, value, err)
                                          : read_notes(c, path, value, err);
    }
    json_decref(json);
    return st == E_OK ? check_cover(c, first, m, head, path, err) : st;
}

static status read_one(container *c, const char *path, error *err)
{
    file_map m;
    uint64_t head = 0;
    status st = container_map(c, path, &m, err);
    if (st == E_OK) st = header_find(&m, path, &head, err);
    return st == E_OK ? read_header(c, &m, head, path, err) : st;
}

/* ---- writing ---- */

static json_t *describe(const tensor_view *t, size_t at)
{
    json_t *shape = json_array(), *v = NULL;
    for (int i = 0; shape && i < t->n_dim; i++)
        json_array_append_new(shape, json_integer(t->dim[i]));
    v = json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype_name(t->dtype), "shape", shape,
                  "data_offsets", (json_int_t)at, (json_int_t)(at + t->bytes));
    return v;
}

static status build_header(str *s, const tensor_view *const *t, int32_t n, const char *const *meta,
                           int32_t n_meta, error *err)
{
    json_t *json = json_object(), *notes = json_object();
    size_t at = 0;
    status st = E_OK;
    for (int32_t i = 0; i < n_meta; i++)
        json_object_set_new(notes, meta[2 * i], json_string(meta[2 * i + 1]));
    if (n_meta) json_object_set(json, "__metadata__", notes);
    for (int32_t i = 0; i < n && st == E_OK; i++) {
        if (json_object_get(json, t[i]->name))
            st = error_set(err, E_USAGE, "tensor '%.120s' is to be written twice", t[i]->name);
        json_object_set_new(json, t[i]->name, describe(t[i], at));
        at += t[i]->bytes;
    }
    if (st == E_OK) json_write(s, json, 0);
    while (s->n % 8 && !s->failed) str_puts(s, " "); /* so that data begins at a multiple of 8 */
    if (st == E_OK && (s->failed || json_object_size(json) != (size_t)n + (n_meta > 0)))
        st = error_set(err, E_NOMEM, "safetensors: out of memory");
    json_decref(notes);
    json_decref(json);
    return st;
}

/* Wider types first, so that every tensor is aligned to its type; names ascending within. */
static int by_width(const void *a, const void *b)
{
    const tensor_view *const *x = a, *const *y = b;
    size_t p = dtype_bytes((*x)->dtype), q = dtype_bytes((*y)->dtype);
    return p != q ? (p < q ? 1 : -1) : strcmp((*x)->name, (*y)->name);
}

static bool write_all(FILE *f, const str *head, const tensor_view *const *t, int32_t n)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)head->n >> 8 * i);
    bool fine = fwrite(length, 1, 8, f) == 8 && fwrite(head->p, 1, head->n, f) == head->n;
    for (int32_t i = 0; fine && i < n; i++)
        fine = fwrite(t[i]->data, 1, t[i]->bytes, f) == t[i]->bytes;
    return fine;
}

static status write_file(const char *path, const tensor_view *t, int32_t n, const char *const *meta,
                         int32_t n_meta, error *err)
{
    arena mem = { 0 };
    str head = { 0 };
    file_out out;
    const tensor_view **order = arena_array(&mem, n + 1, sizeof *order);
    status st = order ? E_OK : error_set(err, E_NOMEM, "%s: out of memory", path);
    for (int32_t i = 0; order && i < n; i++) order[i] = &t[i];
    if (order && n) qsort(order, (size_t)n, sizeof *order, by_width);
    if (st == E_OK) st = build_header(&head, order, n, meta, n_meta, err);
    if (st == E_OK) st = file_out_open(&out, path, err);
    if (st == E_OK) {
        write_all(out.f, &head, order, n); /* commit reports a short write */
        st = file_out_commit(&out, err);
    }
    str_release(&head);
    arena_release(&mem);
    return st;
}

static status read_file(container *c, const char *path, error *err)
{
    return str_ends(path, ".index.json") ? shards_read(c, path, read_one, err)
                                         : read_one(c, path, err);
}

const format_def format_safetensors_def = { .name = "safetensors",
                                            .ends = { ".safetensors", ".index.json" },
                                            .in_dir = { "model.safetensors",
                                                        "model.safetensors.index.json" },
                                            .read = read_file,
                                            .write = write_file };
/* SPDX-License-Identifier: MIT */
