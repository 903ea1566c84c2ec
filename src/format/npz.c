/* npz -- numpy's archive: a zip of .npy files.
 *
 *     .npy:  \x93NUMPY | major, minor: u8 | n: u16 (u32 from version 2) | header, n bytes | data ...
 *            {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
 *
 * minizip reads and writes the zip.  Only stored entries are taken (np.savez, not savez_compressed): their bytes
 * lie in the file as they are and are mapped. */
#include "base/str.h"
#include "format/archive.h"
#include <minizip/zip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NPY_HEADER = 1 << 16 };

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

/* ---- reading ---- */

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

static status read_npy(container *c, const unsigned char *p, size_t n, const char *path,
                       const char *name, error *err)
{
    char text[MAX_NPY_HEADER + 1];
    tensor_view t = { .name = name };
    size_t count, head = n < 12 ? 0 : p[6] == 1 ? 10 : 12;
    if (!head || memcmp(p, "\x93NUMPY", 6) || p[6] < 1 || p[6] > 3)
        return bad(err, path, name, "is no .npy file of version 1 to 3");
    size_t length = p[8] | (size_t)p[9] << 8;
    if (head == 12) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > n - head || length > MAX_NPY_HEADER)
        return bad(err, path, name, "its header is longer than it may be");
    memcpy(text, p + head, length);
    text[length] = 0;
    const char *order = after_key(text, "'fortran_order'");
    if (!read_descr(text, &t))
        return error_set(err, E_UNSUPPORTED, "%s: '%.120s': type not read; header %.80s", path,
                         name, text);
    if (!order || strncmp(order, "False", 5))
        return bad(err, path, name, "is in Fortran order; save it with np.ascontiguousarray");
    if (!read_shape(text, &t)) return bad(err, path, name, "its shape cannot be read");
    if (!tensor_size(&t, &count, &t.bytes))
        return bad(err, path, name, "its shape has more numbers than fit");
    if (t.bytes != n - head - length)
        return error_set(err, E_FORMAT,
                         "%s: '%.120s' has %zu bytes of data, its shape and type need %zu", path,
                         name, n - head - length, t.bytes);
    t.data = p + head + length;
    return container_add(c, t, err);
}

static const char COMPRESSED[] =
    "save it with np.savez, not np.savez_compressed: stored entries are mapped";

static status read_file(container *c, const char *path, error *err)
{
    archive a;
    status st = archive_open(&a, c, path, err);
    for (int32_t i = 0; st == E_OK && i < a.n; i++) {
        const archive_entry *e = &a.entry[i];
        char name[ARCHIVE_NAME];
        size_t n = (size_t)snprintf(name, sizeof name, "%s", e->name);
        if (str_ends(name, ".npy")) name[n - 4] = 0;
        st = archive_stored(e, path, COMPRESSED, err);
        if (st == E_OK) st = read_npy(c, e->p, e->bytes, path, name, err);
    }
    return st;
}

/* ---- writing ---- */

/* minizip writes through these into a file that is open already, and is closed by its owner. */
static void *file_given(void *user, const void *name, int mode)
{
    (void)name, (void)mode;
    return user;
}

static int file_kept(void *user, void *stream)
{
    (void)user, (void)stream;
    return 0;
}

static void header_write(str *s, const tensor_view *t)
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

static bool entry_write(zipFile zip, const tensor_view *t)
{
    zip_fileinfo info = {
        .dosDate = 0x00210000
    }; /* the first of January 1980: the same bytes every time */
    char name[ARCHIVE_NAME];
    str head = { 0 };
    snprintf(name, sizeof name, "%s.npy", t->name);
    bool fine = zipOpenNewFileInZip64(zip, name, &info, NULL, 0, NULL, 0, NULL, 0, 0,
                                      t->bytes > 0xf0000000u) == ZIP_OK;
    header_write(&head, t);
    fine = fine && !head.failed && zipWriteInFileInZip(zip, head.p, (unsigned)head.n) == ZIP_OK;
    for (size_t at = 0; fine && at < t->bytes;) {
        size_t n = t->bytes - at < (1u << 30) ? t->bytes - at : 1u << 30;
        fine = zipWriteInFileInZip(zip, (const char *)t->data + at, (unsigned)n) == ZIP_OK;
        at += n;
    }
    str_release(&head);
    return zipCloseFileInZip(zip) == ZIP_OK && fine;
}

static status write_file(const char *path, const tensor_view *t, int32_t n, const char *const *meta,
                         int32_t n_meta, error *err)
{
    (void)meta, (void)n_meta;
    zlib_filefunc64_def f;
    file_out out;
    for (int32_t i = 0; i < n; i++) {
        if (strlen(t[i].name) + 5 > ARCHIVE_NAME)
            return error_set(err, E_USAGE, "tensor '%.40s...': the name is too long for npz",
                             t[i].name);
        if (t[i].dtype == DTYPE_BF16)
            return error_set(err, E_USAGE, "tensor '%.120s': npz has no BF16; write .safetensors",
                             t[i].name);
        for (int32_t j = 0; j < i; j++)
            if (!strcmp(t[i].name, t[j].name))
                return error_set(err, E_USAGE, "tensor '%.120s' is to be written twice", t[i].name);
    }
    status st = file_out_open(&out, path, err);
    if (st != E_OK) return st;
    fill_fopen64_filefunc(&f);
    f.opaque = out.f, f.zopen64_file = file_given, f.zclose_file = file_kept;
    zipFile zip = zipOpen2_64(path, APPEND_STATUS_CREATE, NULL, &f);
    bool fine = zip != NULL;
    for (int32_t i = 0; fine && i < n; i++) fine = entry_write(zip, &t[i]);
    if (zip && zipClose(zip, NULL) != ZIP_OK) fine = false;
    if (fine || ferror(out.f)) return file_out_commit(&out, err);
    file_out_abandon(&out);
    return error_set(err, E_IO,
                     "%s: the archive could not be written (disk full, or out of memory)", path);
}

const format_def format_npz_def = {
    .name = "npz", .ends = { ".npz" }, .read = read_file, .write = write_file
};
/* SPDX-License-Identifier: MIT */
