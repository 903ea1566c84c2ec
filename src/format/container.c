/* container -- see format.h: opening by the kind of path, finding, hashing. */
#include "format/container.h"
#include "base/hash.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- filling ---- */

void *container_more(container *c, void *old, int32_t n, int32_t *cap, size_t size)
{
    if (n < *cap) return old;
    int32_t wide = *cap ? 2 * *cap : 16;
    void *p = arena_array(&c->mem, wide, size);
    if (!p) return NULL;
    if (n) memcpy(p, old, (size_t)n * size);
    *cap = wide;
    return p;
}

static status nomem(container *c, error *err)
{
    (void)c;
    return error_set(err, E_NOMEM, "tensors: out of memory");
}

status container_map(container *c, const char *path, file_map *out, error *err)
{
    file_map *wider = container_more(c, c->map, c->n_map, &c->cap_map, sizeof *wider);
    if (!wider) return nomem(c, err);
    c->map = wider;
    status st = file_open_map(&c->map[c->n_map], path, err);
    if (st == E_OK) *out = c->map[c->n_map++];
    return st;
}

status container_add(container *c, tensor_view t, error *err)
{
    tensor_view *wider = container_more(c, c->t, c->n, &c->cap, sizeof *wider);
    if (wider) c->t = wider;
    t.name = wider ? arena_string(&c->mem, t.name) : NULL;
    if (!t.name) return nomem(c, err);
    c->t[c->n++] = t;
    return E_OK;
}

status container_note(container *c, const char *key, const char *value, error *err)
{
    note *wider = container_more(c, c->meta, c->n_meta, &c->cap_meta, sizeof *wider);
    if (wider) c->meta = wider;
    char *k = wider ? arena_string(&c->mem, key) : NULL,
         *v = k ? arena_string(&c->mem, value) : NULL;
    if (!v) return nomem(c, err);
    c->meta[c->n_meta++] = (note){ k, v };
    return E_OK;
}

status container_list(container *c, meta_list l, error *err)
{
    meta_list *wider = container_more(c, c->list, c->n_list, &c->cap_list, sizeof *wider);
    if (!wider) return nomem(c, err);
    c->list = wider;
    c->list[c->n_list++] = l;
    return E_OK;
}

bool tensor_size(const tensor_view *t, size_t *n, size_t *bytes)
{
    *n = 1;
    for (int i = 0; i < t->n_dim; i++)
        if (t->dim[i] < 0 || !mul_fits(*n, (size_t)t->dim[i], n)) return false;
    int64_t block = dtype_block(t->dtype), row = t->n_dim ? t->dim[t->n_dim - 1] : 1;
    if (*n > INT64_MAX / 8 || row % block) return false;
    return mul_fits(*n / (size_t)block, dtype_bytes(t->dtype), bytes);
}

int64_t tensor_count(const tensor_view *t)
{
    return (int64_t)(t->bytes / dtype_bytes(t->dtype)) * dtype_block(t->dtype);
}

void tensor_values(const tensor_view *t, int64_t first, int64_t n, double *out)
{
    int64_t row = t->n_dim > (t->pair ? 1 : 0) ? t->dim[t->n_dim - 1] : 1;
    while (n > 0) {
        int64_t col = first % row, few = row - col < n ? row - col : n;
        const char *at = t->data;
        at += dtype_row_place(first / row, t->pair) * (int64_t)dtype_size(t->dtype, row);
        dtype_part_f64(t->dtype, at, col, few, out);
        first += few, n -= few, out += few;
    }
}

status container_reorder(container *c, tensor_view *t, const int64_t *stride, size_t *budget,
                         const char *path, error *err)
{
    if (t->bytes > *budget) {
        error_set(err, E_LIMIT,
                  "%s: tensor '%.120s': numbers that do not lie in order take more than the file",
                  path, t->name);
        error_hint(err, "save contiguous tensors");
        return E_LIMIT;
    }
    char *p = arena_get(&c->mem, t->bytes);
    if (!p) return nomem(c, err);
    dtype_gather(t->dtype, p, t->data, t->n_dim, t->dim, stride);
    *budget -= t->bytes;
    t->data = p;
    return E_OK;
}

/* ---- opening ---- */

enum { HEAD = 32 };

/* How well a file's name fits: the length of its end; more when it is the name the format has in directories. */
static size_t name_fits(const format_def *f, const char *path)
{
    size_t best = 0;
    const char *slash = strrchr(path, '/');
    for (const char *const *name = f->in_dir; *name; name++)
        if (!strcmp(*name, slash ? slash + 1 : path)) return SIZE_MAX;
    for (const char *const *end = f->ends; *end; end++)
        if (str_ends(path, *end) && strlen(*end) > best) best = strlen(*end);
    return best;
}

/* The format whose names fit best; where two fit alike, the one that knows the first bytes. */
static const format_def *find(const char *path)
{
    unsigned char head[HEAD];
    const format_def *best = NULL;
    size_t n = file_head(head, path, sizeof head), longest = 0;
    int surest = 0;
    for (int i = 0; format_all[i]; i++) {
        const format_def *f = format_all[i];
        size_t fits = name_fits(f, path);
        int sure = !f->is ? 1 : f->is(head, n) ? 2 : 0;
        if (!fits || (f->only_if && !sure) || fits < longest ||
            (fits == longest && sure <= surest && best))
            continue;
        best = f, longest = fits, surest = sure;
    }
    return best;
}

const char *format_of(const char *path, bool *has_config)
{
    const format_def *f = find(path);
    if (has_config) *has_config = f && f->has_config;
    return f ? f->name : NULL;
}

/* Does "a, b, c" have that word?  (Two formats may share an end.) */
static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ',' || !at[n])) return true;
    return false;
}

/* "a, b, c": the names of files that are read, in a directory or by their ends. */
static void list_names(char *out, size_t bytes, bool in_dir)
{
    size_t n = 0;
    *out = 0;
    for (int i = 0; format_all[i]; i++) {
        const char *const *name = in_dir ? format_all[i]->in_dir : format_all[i]->ends;
        for (; *name && n < bytes; name++)
            if (!in_list(out, *name))
                n += (size_t)snprintf(out + n, bytes - n, "%s%s", n ? ", " : "", *name);
    }
}

/* The end of the name of a file in that directory that is read by itself; NULL: of none. */
static const char *end_in(const char *dir)
{
    for (int i = 0; format_all[i]; i++)
        for (const char *const *end = format_all[i]->ends; *end; end++)
            if (strcmp(*end, ".json") && file_in_dir(dir, *end)) return *end;
    return NULL;
}

static status read_as(container *c, const format_def *f, const char *path, error *err)
{
    c->format = f;
    return f->read(c, path, err);
}

/* The file of that format in a directory; NULL where there is none. */
static status find_in(container *c, const char **file, const format_def *f, const char *dir,
                      error *err)
{
    for (const char *const *name = f->in_dir; *name; name++) {
        char *full = path_join(&c->mem, dir, *name);
        if (!full) return nomem(c, err);
        if (!file_exists(full)) continue;
        *file = full;
        return E_OK;
    }
    return E_OK;
}

static status read_directory(container *c, const char *path, error *err)
{
    char names[400];
    const format_def *best = NULL;
    const char *file = NULL;
    for (int i = 0; format_all[i]; i++) {
        const format_def *f = format_all[i];
        const char *found = NULL;
        status st = find_in(c, &found, f, path, err);
        if (st != E_OK) return st;
        if (found && (!best || f->rank < best->rank)) best = f, file = found;
    }
    for (int i = 0; format_all[i] && !best; i++)
        if (format_all[i]->takes_dir && file_in_dir(path, format_all[i]->ends[0]))
            best = format_all[i], file = path;
    if (best) return read_as(c, best, file, err);
    list_names(names, sizeof names, true);
    error_set(err, E_IO, "%s: none of %s is in this directory", path, names);
    const char *end = end_in(path);
    if (end) error_hint(err, "a file in it ends in %s: give the path of that file", end);
    return E_IO;
}

static status read_path(container *c, const char *path, error *err)
{
    char names[400];
    const format_def *f = find(path);
    if (file_is_dir(path)) return read_directory(c, path, err);
    if (f) return read_as(c, f, path, err);
    if (!file_exists(path))
        return error_set(err, E_IO, "%s: there is no such file or directory", path);
    list_names(names, sizeof names, false);
    error_set(err, E_UNSUPPORTED, "%s: unknown kind of file", path);
    error_hint(err, "expected a name that ends in one of %s, or a directory", names);
    return E_UNSUPPORTED;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tensor_view *)a)->name, ((const tensor_view *)b)->name);
}

static status sort(container *c, const char *path, error *err)
{
    if (c->n) qsort(c->t, (size_t)c->n, sizeof *c->t, by_name);
    for (int32_t i = 1; i < c->n; i++)
        if (!strcmp(c->t[i - 1].name, c->t[i].name))
            return error_set(err, E_FORMAT, "%s: tensor '%.120s' is there twice", path,
                             c->t[i].name);
    return E_OK;
}

status container_open(container **out, const char *path, error *err)
{
    container *c = mem_zero(sizeof *c);
    if (!c) return error_set(err, E_NOMEM, "%s: out of memory", path);
    status st = read_path(c, path, err);
    if (st == E_OK) st = sort(c, path, err);
    if (st == E_OK) *out = c;
    else container_free(c);
    return st;
}

void container_free(container *c)
{
    if (!c) return;
    for (int32_t i = 0; i < c->n_map; i++) file_unmap(&c->map[i]);
    arena_release(&c->mem);
    mem_free(c, sizeof *c);
}

void container_rest(const container *c)
{
    for (int32_t i = 0; i < c->n_map; i++) file_rest(&c->map[i], c->map[i].p, c->map[i].bytes);
}

void container_rest_part(const container *c, const void *p, size_t bytes)
{
    for (int32_t i = 0; i < c->n_map; i++) {
        const file_map *m = &c->map[i];
        uintptr_t at = (uintptr_t)p, begin = (uintptr_t)m->p;
        if (at >= begin && at - begin <= m->bytes && bytes <= m->bytes - (at - begin))
            file_rest(m, p, bytes);
    }
}

/* ---- asking ---- */

const char *container_format(const container *c) { return c->format->name; }
int32_t container_count(const container *c) { return c->n; }
const tensor_view *container_at(const container *c, int32_t i)
{
    return i >= 0 && i < c->n ? &c->t[i] : NULL;
}

const tensor_view *container_find(const container *c, const char *name)
{
    tensor_view key = { .name = name };
    return c->n ? bsearch(&key, c->t, (size_t)c->n, sizeof *c->t, by_name) : NULL;
}

const char *container_meta(const container *c, const char *key)
{
    for (int32_t i = 0; i < c->n_meta; i++)
        if (!strcmp(c->meta[i].key, key)) return c->meta[i].value;
    return NULL;
}

const meta_list *container_find_list(const container *c, const char *key)
{
    for (int32_t i = 0; i < c->n_list; i++)
        if (!strcmp(c->list[i].key, key)) return &c->list[i];
    return NULL;
}

void meta_texts(const meta_list *l, meta_text *out)
{
    const char *p = l->data;
    for (int64_t i = 0; i < l->n; i++) {
        uint64_t n;
        memcpy(&n, p, sizeof n);
        out[i] = (meta_text){ p + sizeof n, (size_t)n };
        p += sizeof n + n;
    }
}

double container_number(const container *c, const char *key, double otherwise)
{
    const meta_list *l = container_find_list(c, key);
    if (l && !l->is_text && l->n == 1) dtype_row_f64(l->dtype, l->data, &otherwise, 1);
    return otherwise;
}

status container_hash(const container *c, char out[CONTAINER_HASH], error *err)
{
    char digits[HASH_TEXT], shape[400];
    hash *h = hash_new();
    if (!h) return error_set(err, E_NOMEM, "hash: out of memory");
    for (int32_t i = 0; i < c->n; i++) {
        const tensor_view *t = &c->t[i];
        int n = snprintf(shape, sizeof shape, "%s:", dtype_name(t->dtype));
        for (int k = 0; k < t->n_dim; k++)
            n += snprintf(shape + n, sizeof shape - (size_t)n, "%lld,", (long long)t->dim[k]);
        hash_add(h, t->name, strlen(t->name) + 1);
        hash_add(h, shape, (size_t)n + 1);
        if (t->pair) hash_add(h, &t->pair, sizeof t->pair);
        hash_add(h, t->data, t->bytes);
    }
    hash_text(h, digits);
    hash_free(h);
    snprintf(out, CONTAINER_HASH, "xxh3-128:%s", digits);
    return E_OK;
}

status tensors_write(const char *path, const tensor_view *t, int32_t n, const char *const *meta,
                     int32_t n_meta, error *err)
{
    const format_def *f = find(path);
    if (f && f->write) return f->write(path, t, n, meta, n_meta, err);
    error_set(err, E_USAGE, "%s: tensors are written as .safetensors or .npz", path);
    error_hint(err, "give the file one of these endings");
    return E_USAGE;
}
/* SPDX-License-Identifier: MIT */
