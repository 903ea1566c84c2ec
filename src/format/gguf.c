/* gguf -- llama.cpp's files: metadata, then tensors whose numbers may lie in blocks (tensor/blocks.h).
 *
 *     "GGUF" version: u32 (2 or 3) n_tensor: u64 n_value: u64
 *     n_value times    key: string, type: u32, the value
 *                      string: n: u64, bytes;   array: type: u32, n: u64, entries (strings or numbers)
 *     n_tensor times   name: string, n_dim: u32, dim: u64 each, the innermost first, type: u32, offset: u64
 *     zeros up to a multiple of general.alignment (32 where it is not said)
 *     data             each tensor at its offset from here, in the order above, zeros between up to the alignment
 *
 * Checked: counts against the bytes that are left (a value takes 13 at least, a tensor 24) before anything is
 * allocated for them, and limits; every string and array against the file; keys and names said twice; types, shapes
 * and whole blocks; that tensors lie where the format says, one after the other, and that the file ends with the last.
 * Texts become the container's metadata, numbers and arrays its lists, under their own keys. */
#include "format/gguf.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 1 << 16, MAX_TENSORS = 1 << 20, MAX_NAME = 1 << 16, ALIGNMENT = 32 };

/* The format's number of a type: ours, or the name of one that is not read. */
static const struct {
    int dtype;
    const char *name;
} types[] = {
    { DTYPE_F32, "F32" },   { DTYPE_F16, "F16" },   { DTYPE_Q4_0, "Q4_0" }, { DTYPE_Q4_1, "Q4_1" },
    { -1, "Q4_2" },         { -1, "Q4_3" },         { DTYPE_Q5_0, "Q5_0" }, { DTYPE_Q5_1, "Q5_1" },
    { DTYPE_Q8_0, "Q8_0" }, { -1, "Q8_1" },         { DTYPE_Q2_K, "Q2_K" }, { DTYPE_Q3_K, "Q3_K" },
    { DTYPE_Q4_K, "Q4_K" }, { DTYPE_Q5_K, "Q5_K" }, { DTYPE_Q6_K, "Q6_K" }, { -1, "Q8_K" },
    { -1, "IQ2_XXS" },      { -1, "IQ2_XS" },       { -1, "IQ3_XXS" },      { -1, "IQ1_S" },
    { -1, "IQ4_NL" },       { -1, "IQ3_S" },        { -1, "IQ2_S" },        { -1, "IQ4_XS" },
    { DTYPE_I8, "I8" },     { DTYPE_I16, "I16" },   { DTYPE_I32, "I32" },   { DTYPE_I64, "I64" },
    { DTYPE_F64, "F64" },   { -1, "IQ1_M" },        { DTYPE_BF16, "BF16" }, { -1, "Q4_0_4_4" },
    { -1, "Q4_0_4_8" },     { -1, "Q4_0_8_8" },     { -1, "TQ1_0" },        { -1, "TQ2_0" },
    { -1, "IQ4_NL_4_4" },   { -1, "IQ4_NL_4_8" },   { -1, "IQ4_NL_8_8" },   { -1, "MXFP4" },
    { -1, "NVFP4" }
};
enum { N_TYPES = sizeof types / sizeof *types };

/* Bytes of a number; 0: no number. */
static const uint8_t width[GGUF_TYPES] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,   [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
    [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8
};

static const dtype dtype_of[GGUF_TYPES] = {
    [GGUF_U8] = DTYPE_U8,   [GGUF_I8] = DTYPE_I8,     [GGUF_U16] = DTYPE_U16,
    [GGUF_I16] = DTYPE_I16, [GGUF_U32] = DTYPE_U32,   [GGUF_I32] = DTYPE_I32,
    [GGUF_F32] = DTYPE_F32, [GGUF_BOOL] = DTYPE_BOOL, [GGUF_U64] = DTYPE_U64,
    [GGUF_I64] = DTYPE_I64, [GGUF_F64] = DTYPE_F64
};

/* ---- reading bytes ---- */

/* What is read next, and how many bytes are left. */
typedef struct reader {
    gguf_file *f;
    const unsigned char *begin, *p;
    size_t left;
} reader;

static status cut_short(const reader *r, const char *what)
{
    error_set(r->f->err, E_FORMAT, "%s: ends at byte %zu, inside %s", r->f->path,
              (size_t)(r->p - r->begin) + r->left, what);
    error_hint(r->f->err, "the file is truncated: get it again");
    return E_FORMAT;
}

static status take(reader *r, size_t n, const unsigned char **out, const char *what)
{
    if (n > r->left) return cut_short(r, what);
    *out = r->p;
    r->p += n, r->left -= n;
    return E_OK;
}

static status take_u32(reader *r, uint32_t *out, const char *what)
{
    const unsigned char *p;
    status st = take(r, 4, &p, what);
    if (st == E_OK) memcpy(out, p, 4);
    return st;
}

static status take_u64(reader *r, uint64_t *out, const char *what)
{
    const unsigned char *p;
    status st = take(r, 8, &p, what);
    if (st == E_OK) memcpy(out, p, 8);
    return st;
}

static status take_string(reader *r, const unsigned char **p, uint64_t *n, const char *what)
{
    status st = take_u64(r, n, what);
    if (st != E_OK) return st;
    return *n > r->left ? cut_short(r, what) : take(r, (size_t)*n, p, what);
}

/* A name in the container's memory: UTF-8, not empty, without zeros. */
static status take_name(reader *r, const char **out, const char *what)
{
    const unsigned char *p;
    uint64_t n;
    status st = take_string(r, &p, &n, what);
    if (st != E_OK) return st;
    if (!n || n > MAX_NAME || memchr(p, 0, (size_t)n) || utf8_check((const char *)p, (size_t)n) < n)
        return error_set(r->f->err, E_FORMAT, "%s: %s at byte %zu is no text of 1 to %d bytes",
                         r->f->path, what, (size_t)(p - r->begin), MAX_NAME);
    char *s = arena_get(&r->f->c->mem, (size_t)n + 1);
    if (!s) return error_set(r->f->err, E_NOMEM, "%s: out of memory", r->f->path);
    memcpy(s, p, (size_t)n), s[n] = 0;
    *out = s;
    return E_OK;
}

/* ---- header ---- */

static status read_header(reader *r, uint64_t *n_tensor, uint64_t *n_value)
{
    uint32_t magic = 0, version = 0;
    status st = take_u32(r, &magic, "the header");
    if (st == E_OK && memcmp(&magic, "GGUF", 4))
        return error_set(r->f->err, E_FORMAT, "%s: does not begin with \"GGUF\"", r->f->path);
    if (st == E_OK) st = take_u32(r, &version, "the header");
    if (st == E_OK && version != 2 && version != 3) {
        bool big = version == 2u << 24 || version == 3u << 24;
        error_set(r->f->err, E_UNSUPPORTED, "%s: is %s %u of GGUF, expected 2 or 3", r->f->path,
                  big ? "big-endian version" : "version", big ? version >> 24 : version);
        error_hint(r->f->err, "convert it again with a newer llama.cpp");
        return E_UNSUPPORTED;
    }
    if (st == E_OK) st = take_u64(r, n_tensor, "the header");
    return st == E_OK ? take_u64(r, n_value, "the header") : st;
}

/* Can so many things, of so many bytes at least, be in what is left? */
static status check_count(const reader *r, uint64_t n, size_t least, uint64_t most,
                          const char *what)
{
    if (n > r->left / least)
        return error_set(r->f->err, E_FORMAT,
                         "%s: says it has %" PRIu64 " %s, the %zu bytes left can hold %zu",
                         r->f->path, n, what, r->left, r->left / least);
    if (n > most)
        return error_set(r->f->err, E_LIMIT, "%s: has %" PRIu64 " %s, at most %" PRIu64 " are read",
                         r->f->path, n, what, most);
    return E_OK;
}

/* ---- values ---- */

static status bad_value(const reader *r, const gguf_value *v, const char *what, uint32_t type)
{
    return error_set(r->f->err, E_UNSUPPORTED, "%s: '%.120s' is %s %u, which is not read",
                     r->f->path, v->key, what, type);
}

static status skip_entries(reader *r, const gguf_value *v)
{
    const unsigned char *p;
    uint64_t bytes;
    status st = E_OK;
    if (width[v->type]) return take(r, (size_t)v->n * width[v->type], &p, v->key);
    for (int64_t i = 0; i < v->n && st == E_OK; i++) st = take_string(r, &p, &bytes, v->key);
    return st;
}

static status read_array(reader *r, gguf_value *v)
{
    uint32_t type = 0;
    uint64_t n = 0;
    status st = take_u32(r, &type, v->key);
    if (st == E_OK) st = take_u64(r, &n, v->key);
    if (st != E_OK) return st;
    if (type >= GGUF_TYPES || type == GGUF_ARRAY) return bad_value(r, v, "an array of type", type);
    v->type = (gguf_type)type, v->is_array = true;
    st = check_count(r, n, width[type] ? width[type] : 8, INT64_MAX, v->key);
    if (st != E_OK) return st;
    v->n = (int64_t)n, v->p = r->p;
    return skip_entries(r, v);
}

static status read_value(reader *r, gguf_value *v)
{
    uint32_t type = 0;
    uint64_t n = 1;
    status st = take_name(r, &v->key, "a key");
    if (st == E_OK) st = take_u32(r, &type, v->key);
    if (st != E_OK) return st;
    if (type >= GGUF_TYPES) return bad_value(r, v, "of type", type);
    v->type = (gguf_type)type;
    if (type == GGUF_ARRAY) return read_array(r, v);
    if (type == GGUF_STRING) st = take_string(r, &v->p, &n, v->key);
    else st = take(r, width[type], &v->p, v->key);
    v->n = (int64_t)n;
    return st;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const gguf_value *)a)->key, ((const gguf_value *)b)->key);
}

const gguf_value *gguf_find(const gguf_file *f, const char *key)
{
    gguf_value k = { .key = key };
    return f->n ? bsearch(&k, f->v, (size_t)f->n, sizeof *f->v, by_key) : NULL;
}

bool gguf_number(const gguf_value *v, double *out)
{
    if (!v || v->is_array || v->type == GGUF_STRING) return false;
    dtype_row_f64(dtype_of[v->type], v->p, out, 1);
    return true;
}

/* What the container tells of it: texts without zeros as metadata, all else as lists. */
static status note_value(const gguf_file *f, const gguf_value *v)
{
    if (v->type != GGUF_STRING || v->is_array)
        return container_list(f->c,
                              (meta_list){ .key = v->key,
                                           .is_text = v->type == GGUF_STRING,
                                           .dtype = dtype_of[v->type],
                                           .n = v->n,
                                           .data = v->p },
                              f->err);
    if (v->n && memchr(v->p, 0, (size_t)v->n))
        return error_set(f->err, E_FORMAT, "%s: '%.120s' is a text with a zero byte", f->path,
                         v->key);
    char *s = arena_get(&f->c->mem, (size_t)v->n + 1);
    if (!s) return error_set(f->err, E_NOMEM, "%s: out of memory", f->path);
    if (v->n) memcpy(s, v->p, (size_t)v->n);
    s[v->n] = 0;
    return container_note(f->c, v->key, s, f->err);
}

static status read_values(reader *r, uint64_t n)
{
    gguf_file *f = r->f;
    status st = check_count(r, n, 13, MAX_VALUES, "values");
    if (st != E_OK) return st;
    f->v = arena_array(&f->c->mem, (int64_t)n + 1, sizeof *f->v);
    if (!f->v) return error_set(f->err, E_NOMEM, "%s: out of memory", f->path);
    memset(f->v, 0, ((size_t)n + 1) * sizeof *f->v);
    for (; (uint64_t)f->n < n && st == E_OK; f->n++) st = read_value(r, &f->v[f->n]);
    if (st != E_OK) return st;
    qsort(f->v, (size_t)n, sizeof *f->v, by_key);
    for (int32_t i = 1; i < f->n; i++)
        if (!strcmp(f->v[i - 1].key, f->v[i].key))
            return error_set(f->err, E_FORMAT, "%s: key '%.120s' is there twice", f->path,
                             f->v[i].key);
    for (int32_t i = 0; i < f->n && st == E_OK; i++) st = note_value(f, &f->v[i]);
    return st;
}

/* ---- tensors ---- */

static status bad(const reader *r, const char *name, const char *what)
{
    return error_set(r->f->err, E_FORMAT, "%s: tensor '%.120s': %s", r->f->path, name, what);
}

static status read_shape(reader *r, tensor_view *t)
{
    uint32_t n_dim = 0;
    status st = take_u32(r, &n_dim, t->name);
    if (st != E_OK) return st;
    if (n_dim > TENSOR_DIMS)
        return error_set(r->f->err, E_UNSUPPORTED,
                         "%s: tensor '%.120s' has %u dimensions, at most %d are read", r->f->path,
                         t->name, n_dim, TENSOR_DIMS);
    t->n_dim = (int32_t)n_dim;
    for (int i = t->n_dim - 1; i >= 0 && st == E_OK; i--) {
        uint64_t d = 0;
        st = take_u64(r, &d, t->name);
        if (d > INT64_MAX) return bad(r, t->name, "a dimension is larger than fits");
        t->dim[i] = (int64_t)d;
    }
    return st;
}

static status read_type(reader *r, tensor_view *t)
{
    uint32_t type = 0;
    status st = take_u32(r, &type, t->name);
    if (st != E_OK) return st;
    if (type < N_TYPES && types[type].dtype >= 0) {
        t->dtype = (dtype)types[type].dtype;
        return E_OK;
    }
    if (type < N_TYPES)
        error_set(r->f->err, E_UNSUPPORTED, "%s: tensor '%.120s' is of type %s, which is not read",
                  r->f->path, t->name, types[type].name);
    else
        error_set(r->f->err, E_UNSUPPORTED, "%s: tensor '%.120s' is of type %u, which is not known",
                  r->f->path, t->name, type);
    error_hint(r->f->err, "read are F32 F16 BF16 F64, Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 and Q2_K to Q6_K");
    return E_UNSUPPORTED;
}

/* All of it but where it lies, which is `at` from the start of the data. */
static status read_tensor(reader *r, tensor_view *t, uint64_t *at)
{
    size_t n;
    *t = (tensor_view){ 0 };
    status st = take_name(r, &t->name, "a tensor's name");
    if (st == E_OK) st = read_shape(r, t);
    if (st == E_OK) st = read_type(r, t);
    if (st == E_OK) st = take_u64(r, at, t->name);
    if (st != E_OK) return st;
    if (!tensor_size(t, &n, &t->bytes))
        return bad(r, t->name, "its shape has more numbers than fit, or rows of no whole blocks");
    return E_OK;
}

static status find_alignment(const gguf_file *f, uint64_t *out)
{
    double x = ALIGNMENT;
    const gguf_value *v = gguf_find(f, "general.alignment");
    bool fine = !v || (v->type == GGUF_U32 && gguf_number(v, &x));
    *out = (uint64_t)x;
    if (fine && *out && *out % 8 == 0 && *out <= 1 << 20) return E_OK;
    return error_set(f->err, E_FORMAT,
                     "%s: general.alignment is %" PRIu64 ", expected a multiple of 8 up to 1048576",
                     f->path, *out);
}

static uint64_t aligned(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

/* Tensors lie one after the other: the next is expected at `*end` from the start of the data. */
static status place_tensor(const reader *r, tensor_view *t, uint64_t at, uint64_t align,
                           const unsigned char *data, size_t bytes, uint64_t *end)
{
    if (at != *end)
        return error_set(r->f->err, E_FORMAT,
                         "%s: tensor '%.120s' begins at byte %" PRIu64
                         " of the data, expected %" PRIu64,
                         r->f->path, t->name, at, *end);
    if (at > bytes || t->bytes > bytes - at) {
        error_set(r->f->err, E_FORMAT,
                  "%s: tensor '%.120s' needs %zu bytes at byte %" PRIu64
                  " of the data, which has %zu",
                  r->f->path, t->name, t->bytes, at, bytes);
        error_hint(r->f->err, "the file is truncated: get it again");
        return E_FORMAT;
    }
    t->data = t->bytes ? data + at : r->begin; /* of nothing, somewhere */
    *end = aligned(at + t->bytes, align);
    return container_add(r->f->c, *t, r->f->err);
}

static status read_tensors(reader *r, uint64_t n, uint64_t align)
{
    gguf_file *f = r->f;
    status st = check_count(r, n, 24, MAX_TENSORS, "tensors");
    if (st != E_OK) return st;
    tensor_view *t = arena_array(&f->c->mem, (int64_t)n + 1, sizeof *t);
    uint64_t *at = arena_array(&f->c->mem, (int64_t)n + 1, sizeof *at), end = 0;
    if (!t || !at) return error_set(f->err, E_NOMEM, "%s: out of memory", f->path);
    for (uint64_t i = 0; i < n && st == E_OK; i++) st = read_tensor(r, &t[i], &at[i]);
    if (st != E_OK || !n) return st;
    uint64_t head = aligned((uint64_t)(r->p - r->begin), align);
    size_t all = (size_t)(r->p - r->begin) + r->left, bytes = head < all ? all - head : 0;
    for (uint64_t i = 0; i < n && st == E_OK; i++)
        st = place_tensor(r, &t[i], at[i], align, r->begin + head, bytes, &end);
    if (st == E_OK && bytes > end)
        st = error_set(f->err, E_FORMAT, "%s: %zu bytes after the last tensor belong to none",
                       f->path, bytes - (size_t)end);
    return st;
}

/* ---- the whole ---- */

static status check_split(const gguf_file *f)
{
    double n = 0;
    if (!gguf_number(gguf_find(f, "split.count"), &n) || n <= 1) return E_OK;
    error_set(f->err, E_UNSUPPORTED, "%s: is one of %.0f files of a model (split.count)", f->path,
              n);
    error_hint(f->err, "merge them first: llama-gguf-split --merge FIRST OUT");
    return E_UNSUPPORTED;
}

static status read_file(container *c, const char *path, error *err)
{
    file_map m;
    gguf_file f = { .c = c, .path = path, .err = err };
    uint64_t n_tensor = 0, n_value = 0, align = ALIGNMENT;
    status st = container_map(c, path, &m, err);
    if (st != E_OK) return st;
    reader r = { .f = &f, .begin = m.p, .p = m.p, .left = m.bytes };
    st = read_header(&r, &n_tensor, &n_value);
    if (st == E_OK) st = read_values(&r, n_value);
    if (st == E_OK) st = find_alignment(&f, &align);
    if (st == E_OK) st = check_split(&f);
    if (st == E_OK) st = read_tensors(&r, n_tensor, align);
    return st == E_OK ? gguf_model(&f) : st;
}

const format_def format_gguf_def = {
    .name = "gguf", .ends = { ".gguf" }, .has_config = true, .read = read_file
};
/* SPDX-License-Identifier: MIT */
