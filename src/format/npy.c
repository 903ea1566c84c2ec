/* npy -- see npy.h: numpy's files by themselves; a directory of them is a model's weights. */
#include "format/npy.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 1 << 16, MAX_FILES = 1 << 16, NAME = 512 };

static const struct {
    const char *descr;
    dtype type;
} descrs[] = {
    { "<f4", DTYPE_F32 }, { "<f2", DTYPE_F16 }, { "<f8", DTYPE_F64 }, { "<i8", DTYPE_I64 },
    { "<i4", DTYPE_I32 }, { "<i2", DTYPE_I16 }, { "|i1", DTYPE_I8 },  { "<u8", DTYPE_U64 },
    { "<u4", DTYPE_U32 }, { "<u2", DTYPE_U16 }, { "|u1", DTYPE_U8 },  { "|b1", DTYPE_BOOL },
};

static status bad(error *err, const char *path, const char *name, const char *what)
{
    return error_set(err, E_FORMAT, "%s: '%.120s': %s", path, name, what);
}

/* ---- one array ---- */

/* What follows 'key': in the header's dictionary. */
static const char *after_key(const char *text, const char *key)
{
    const char *p = strstr(text, key);
    if (!p) return NULL;
    p += strlen(key);
    while (*p == ' ' || *p == ':') p++;
    return p;
}

static bool read_descr(const char *text, tensor_view *t)
{
    const char *p = after_key(text, "'descr'");
    for (size_t i = 0; p && i < sizeof descrs / sizeof *descrs; i++)
        if ((*p == '\'' || *p == '"') && !strncmp(p + 1, descrs[i].descr, 3) && p[4] == *p) {
            t->dtype = descrs[i].type;
            return true;
        }
    return false;
}

static bool read_shape(const char *text, tensor_view *t)
{
    const char *p = after_key(text, "'shape'");
    if (!p || *p++ != '(') return false;
    for (t->n_dim = 0; *p != ')';) {
        char *end;
        long long d = strtoll(p, &end, 10);
        if (end == p || d < 0 || t->n_dim == TENSOR_DIMS) return false;
        t->dim[t->n_dim++] = d;
        for (p = end; *p == ',' || *p == ' ';) p++;
    }
    return true;
}

/* Fortran order: the first axis is the fastest. */
static status in_c_order(container *c, tensor_view *t, size_t *budget, const char *path, error *err)
{
    int64_t stride[TENSOR_DIMS], n = 1;
    for (int i = 0; i < t->n_dim; i++) stride[i] = n, n *= t->dim[i];
    return container_reorder(c, t, stride, budget, path, err);
}

status npy_add(container *c, const unsigned char *p, size_t n, size_t *budget, const char *path,
               const char *name, error *err)
{
    char text[MAX_HEADER + 1];
    tensor_view t = { .name = name };
    size_t count, head = n < 12 ? 0 : p[6] == 1 ? 10 : 12;
    if (!head || memcmp(p, "\x93NUMPY", 6) || p[6] < 1 || p[6] > 3)
        return bad(err, path, name, "is no .npy file of version 1 to 3");
    size_t length = p[8] | (size_t)p[9] << 8;
    if (head == 12) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > n - head || length > MAX_HEADER)
        return bad(err, path, name, "its header is longer than it may be");
    memcpy(text, p + head, length);
    text[length] = 0;
    if (!read_descr(text, &t))
        return error_set(err, E_UNSUPPORTED, "%s: '%.120s': type not read; header %.80s", path,
                         name, text);
    if (!read_shape(text, &t)) return bad(err, path, name, "its shape cannot be read");
    if (!tensor_size(&t, &count, &t.bytes))
        return bad(err, path, name, "its shape has more numbers than fit");
    if (t.bytes != n - head - length)
        return error_set(err, E_FORMAT,
                         "%s: '%.120s' has %zu bytes of data, its shape and type need %zu", path,
                         name, n - head - length, t.bytes);
    t.data = p + head + length;
    const char *order = after_key(text, "'fortran_order'");
    bool turned = order && !strncmp(order, "True", 4);
    if (!turned && (!order || strncmp(order, "False", 5)))
        return bad(err, path, name, "does not say its order");
    status st = turned && count && t.n_dim > 1 ? in_c_order(c, &t, budget, path, err) : E_OK;
    return st == E_OK ? container_add(c, t, err) : st;
}

void npy_header(str *s, const tensor_view *t)
{
    const char *descr = "<f4";
    for (size_t i = 0; i < sizeof descrs / sizeof *descrs; i++)
        if (descrs[i].type == t->dtype) descr = descrs[i].descr;
    str_add(s, "\x93NUMPY\x01\0\0\0", 10);
    str_printf(s, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < t->n_dim; i++)
        str_printf(s, "%lld,%s", (long long)t->dim[i], i + 1 < t->n_dim ? " " : "");
    str_puts(s, "), }");
    while ((s->n + 1) % 64 && !s->failed) str_puts(s, " ");
    str_puts(s, "\n");
    if (s->failed) return;
    s->p[8] = (char)((s->n - 10) & 255), s->p[9] = (char)((s->n - 10) >> 8);
}

/* ---- files ---- */

/* The file's name without its end is the tensor's. */
static status read_one(container *c, const char *path, error *err)
{
    file_map m;
    char name[NAME];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base) - 4;
    if (n >= sizeof name) return bad(err, path, base, "its name is too long");
    memcpy(name, base, n);
    name[n] = 0;
    status st = container_map(c, path, &m, err);
    size_t budget = m.bytes;
    return st == E_OK ? npy_add(c, m.p, m.bytes, &budget, path, name, err) : st;
}

static status read_dir(container *c, const char *dir, error *err)
{
    DIR *d = opendir(dir);
    status st = d ? E_OK : error_set(err, E_IO, "%s: cannot be listed", dir);
    int32_t n = 0;
    for (const struct dirent *e; st == E_OK && (e = readdir(d));) {
        if (!str_ends(e->d_name, ".npy")) continue;
        char *path = path_join(&c->mem, dir, e->d_name);
        if (!path) st = error_set(err, E_NOMEM, "%s: out of memory", dir);
        else if (++n > MAX_FILES)
            st = error_set(err, E_LIMIT, "%s: more than %d .npy files", dir, MAX_FILES);
        else st = read_one(c, path, err);
    }
    if (d) closedir(d);
    return st;
}

static status read_path(container *c, const char *path, error *err)
{
    return file_is_dir(path) ? read_dir(c, path, err) : read_one(c, path, err);
}

const format_def format_npy_def = {
    .name = "npy", .ends = { ".npy" }, .takes_dir = true, .read = read_path
};
/* SPDX-License-Identifier: MIT */
