/* npz -- numpy's archive: a zip of .npy files (npy.h).
 *
 * minizip reads and writes the zip.  Only stored entries are taken (np.savez, not savez_compressed): their bytes
 * lie in the file as they are and are mapped. */
#include "base/str.h"
#include "format/archive.h"
#include "format/npy.h"
#include <minizip/zip.h>
#include <stdio.h>
#include <string.h>

static const char COMPRESSED[] =
    "save it with np.savez, not np.savez_compressed: stored entries are mapped";

static status read_file(container *c, const char *path, error *err)
{
    archive a;
    status st = archive_open(&a, c, path, err);
    size_t budget = 0;
    for (int32_t i = 0; st == E_OK && i < c->n_map; i++) budget += c->map[i].bytes;
    for (int32_t i = 0; st == E_OK && i < a.n; i++) {
        const archive_entry *e = &a.entry[i];
        char name[ARCHIVE_NAME];
        size_t n = (size_t)snprintf(name, sizeof name, "%s", e->name);
        if (str_ends(name, ".npy")) name[n - 4] = 0;
        st = archive_stored(e, path, COMPRESSED, err);
        if (st == E_OK) st = npy_add(c, e->p, e->bytes, &budget, path, name, err);
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
    npy_header(&head, t);
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
    .name = "npz",
    .ends = { ".npz" },
    .in_dir = { "model.npz" },
    .rank = 2,
    .read = read_file,
    .write = write_file,
};
/* SPDX-License-Identifier: MIT */
