/* pytorch -- what torch.save writes, pytorch_model.bin among it, in two forms:
 *
 *     zip      NAME/data.pkl  the pickle          NAME/data/KEY  a storage, stored and mapped
 *              NAME/byteorder "little"
 *
 *     stream   pickle of 0x1950a86a20f9469cfc6c | of 1001 | of {little_endian, ...} | the pickle |
 *     (before  pickle of [KEY, ...] | for each: n: u64, n numbers ...
 *      1.6)
 *
 * The pickle has tensors as calls of _rebuild_tensor_v2(storage, offset, size, stride, ...), a storage as the id
 * ('storage', type, KEY, location, n); torch.h reads it.  Nothing in a file is run. */
#include "base/str.h"
#include "format/archive.h"
#include "format/shards.h"
#include "format/torch.h"
#include <stdlib.h>
#include <string.h>

/* ---- zip ---- */

static const archive_entry *find(const archive *a, const char *end)
{
    for (int32_t i = 0; i < a->n; i++)
        if (str_ends(a->entry[i].name, end)) return &a->entry[i];
    return NULL;
}

static status check_archive(const archive *a, const char *path, error *err)
{
    const archive_entry *order = find(a, "/byteorder");
    if (find(a, "/constants.pkl")) {
        error_set(err, E_UNSUPPORTED, "%s: is a TorchScript program, not a state dict", path);
        error_hint(err, "save the model's state_dict() with torch.save");
        return E_UNSUPPORTED;
    }
    if (order && (!order->p || order->bytes != 6 || memcmp(order->p, "little", 6)))
        return error_set(err, E_UNSUPPORTED, "%s: its numbers are big-endian", path);
    return E_OK;
}

static const char COMPRESSED[] = "torch.save stores its entries: save it again with that";

/* The storages: NAME/data/KEY. */
static status zip_blobs(torch_load *l, const archive *a, const archive_entry *pkl, error *err)
{
    size_t prefix = strlen(pkl->name) - strlen("data.pkl");
    torch_blob *blob = arena_array(&l->c->mem, a->n + 1, sizeof *blob);
    int32_t n = 0;
    if (!blob) return error_set(err, E_NOMEM, "%s: out of memory", l->path);
    for (int32_t i = 0; i < a->n; i++) {
        const archive_entry *e = &a->entry[i];
        const char *key = e->name + prefix;
        if (strncmp(e->name, pkl->name, prefix) || strncmp(key, "data/", 5)) continue;
        status st = archive_stored(e, l->path, COMPRESSED, err);
        if (st != E_OK) return st;
        blob[n++] = (torch_blob){ key + 5, strlen(key + 5), e->p, e->bytes };
    }
    return torch_resolve(l, blob, n, err);
}

static status read_zip(container *c, const char *path, error *err)
{
    archive a;
    pick *root = NULL;
    torch_load l = { .c = c, .path = path };
    status st = archive_open(&a, c, path, err);
    if (st == E_OK) st = check_archive(&a, path, err);
    if (st != E_OK) return st;
    const archive_entry *pkl = find(&a, "/data.pkl");
    if (!pkl)
        return error_set(err, E_FORMAT, "%s: a zip without the data.pkl that torch.save writes",
                         path);
    st = archive_stored(pkl, path, COMPRESSED, err);
    if (st == E_OK) st = torch_pickle(&root, &l, pkl->p, pkl->bytes, NULL, err);
    if (st == E_OK) st = zip_blobs(&l, &a, pkl, err);
    return st == E_OK ? torch_state(&l, root, err) : st;
}

/* ---- stream ---- */

typedef struct stream {
    torch_load l;
    const unsigned char *p;
    size_t left;
    error *err;
} stream;

static status next_pickle(stream *s, pick **out)
{
    size_t used = 0;
    status st = torch_pickle(out, &s->l, s->p, s->left, &used, s->err);
    s->p += used, s->left -= used;
    return st;
}

static status read_preamble(stream *s)
{
    static const char magic[10] = { 0x6c, (char)0xfc, (char)0x9c, 0x46, (char)0xf9,
                                    0x20, 0x6a,       (char)0xa8, 0x50, 0x19 };
    pick *v = NULL, *version = NULL, *info = NULL;
    int64_t n = 0;
    status st = next_pickle(s, &v);
    if (st == E_OK) st = next_pickle(s, &version);
    if (st == E_OK) st = next_pickle(s, &info);
    if (st != E_OK) return st;
    if (v->kind != PICK_LONG || v->u.text.n != sizeof magic ||
        memcmp(v->u.text.p, magic, sizeof magic))
        return error_set(s->err, E_FORMAT, "%s: does not begin with torch's magic number",
                         s->l.path);
    if (!pick_int(version, &n) || n != 1001)
        return error_set(s->err, E_UNSUPPORTED, "%s: is of version %lld, 1001 is read", s->l.path,
                         (long long)n);
    const pick *little = pick_find(info, "little_endian");
    if (!little || little->kind != PICK_BOOL || !little->u.i)
        return error_set(s->err, E_UNSUPPORTED, "%s: its numbers are big-endian", s->l.path);
    return E_OK;
}

static int by_key(const void *a, const void *b)
{
    const torch_storage *const *x = a, *const *y = b;
    return torch_key_order((*x)->key, (*x)->key_bytes, (*y)->key, (*y)->key_bytes);
}

/* The storages that were named, sorted: what a key's numbers are. */
static torch_storage **named(torch_load *l)
{
    torch_storage **list = arena_array(&l->c->mem, (int64_t)l->n_storage + 1, sizeof *list);
    size_t n = 0;
    for (torch_storage *s = list ? l->storage : NULL; s; s = s->next) list[n++] = s;
    if (n) qsort(list, n, sizeof *list, by_key);
    return list;
}

static status cut_off(const stream *s)
{
    error_set(s->err, E_FORMAT, "%s: ends inside its storages", s->l.path);
    error_hint(s->err, "the file is truncated: get it again");
    return E_FORMAT;
}

/* The numbers of the next storage. */
static status next_blob(stream *s, torch_storage **list, const pick *key, torch_blob *b)
{
    if (key->kind != PICK_TEXT)
        return error_set(s->err, E_FORMAT, "%s: the key of a storage is no text", s->l.path);
    torch_storage want = { .key = key->u.text.p, .key_bytes = key->u.text.n }, *p = &want;
    torch_storage **found =
        s->l.n_storage ? bsearch(&p, list, s->l.n_storage, sizeof *list, by_key) : NULL;
    if (!found)
        return error_set(s->err, E_FORMAT, "%s: has a storage that its pickle does not name",
                         s->l.path);
    uint64_t n = 0;
    size_t bytes;
    if (s->left < 8) return cut_off(s);
    for (int i = 7; i >= 0; i--) n = n << 8 | s->p[i];
    s->p += 8, s->left -= 8;
    if (!mul_fits((size_t)n, dtype_bytes((*found)->type), &bytes) || bytes > s->left)
        return cut_off(s);
    *b = (torch_blob){ want.key, want.key_bytes, s->p, bytes };
    s->p += bytes, s->left -= bytes;
    return E_OK;
}

static status stream_blobs(stream *s)
{
    pick *keys = NULL;
    status st = next_pickle(s, &keys);
    if (st != E_OK) return st;
    if (keys->kind != PICK_LIST)
        return error_set(s->err, E_FORMAT, "%s: the keys of its storages are no list", s->l.path);
    int32_t n = keys->u.list.n;
    torch_blob *blob = arena_array(&s->l.c->mem, n + 1, sizeof *blob);
    torch_storage **list = blob ? named(&s->l) : NULL;
    if (!list) return error_set(s->err, E_NOMEM, "%s: out of memory", s->l.path);
    for (int32_t i = 0; i < n && st == E_OK; i++)
        st = next_blob(s, list, keys->u.list.item[i], &blob[i]);
    if (st == E_OK && s->left)
        return error_set(s->err, E_FORMAT, "%s: %zu bytes after the last storage", s->l.path,
                         s->left);
    return st == E_OK ? torch_resolve(&s->l, blob, n, s->err) : st;
}

static status read_stream(container *c, const file_map *m, const char *path, error *err)
{
    pick *root = NULL;
    stream s = { .l = { .c = c, .path = path }, .p = m->p, .left = m->bytes, .err = err };
    status st = read_preamble(&s);
    if (st == E_OK) st = next_pickle(&s, &root);
    if (st == E_OK) st = stream_blobs(&s);
    return st == E_OK ? torch_state(&s.l, root, err) : st;
}

/* ---- which ---- */

/* A pickle of the magic number, in protocol 2 or, with a frame, later. */
static bool is_stream(const unsigned char *p, size_t n)
{
    return n >= 4 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 &&
           ((p[2] == 0x8a && p[3] == 10) || p[2] == 0x95);
}

static bool is_zip(const unsigned char *p, size_t n) { return n >= 4 && !memcmp(p, "PK\3\4", 4); }

static bool is_torch(const unsigned char *head, size_t n)
{
    return is_zip(head, n) || is_stream(head, n);
}

static status read_one(container *c, const char *path, error *err)
{
    unsigned char head[4];
    size_t n = file_head(head, path, sizeof head);
    file_map m;
    if (is_zip(head, n)) return read_zip(c, path, err);
    status st = container_map(c, path, &m, err);
    if (st != E_OK) return st;
    if (is_stream(head, n)) return read_stream(c, &m, path, err);
    error_set(err, E_FORMAT, "%s: is neither a zip nor begins with torch's magic number", path);
    error_hint(err, "files of torch before 0.1.10 and plain pickles are not read; torch.save it "
                    "again");
    return E_FORMAT;
}

static status read_file(container *c, const char *path, error *err)
{
    return str_ends(path, ".index.json") ? shards_read(c, path, read_one, err)
                                         : read_one(c, path, err);
}

const format_def format_pytorch_def = {
    .name = "pytorch",
    .ends = { ".pt", ".pth", ".bin", ".bin.index.json" },
    .in_dir = { "pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth" },
    .rank = 1,
    .is = is_torch,
    .read = read_file,
};
/* SPDX-License-Identifier: MIT */
