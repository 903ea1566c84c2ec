/* archive -- see archive.h. */
#include "format/archive.h"
#include <minizip/unzip.h>
#include <string.h>

static status read_entry(archive_entry *e, container *c, unzFile zip, const file_map *m,
                         const char *path, error *err)
{
    unz_file_info64 info;
    char name[ARCHIVE_NAME];
    if (unzGetCurrentFileInfo64(zip, &info, name, sizeof name - 1, NULL, 0, NULL, 0) != UNZ_OK ||
        info.size_filename >= sizeof name)
        return error_set(err, E_FORMAT, "%s: the zip's list of entries is damaged", path);
    name[info.size_filename] = 0;
    if (unzOpenCurrentFile(zip) != UNZ_OK)
        return error_set(err, E_FORMAT, "%s: '%.120s': the entry cannot be opened", path, name);
    uint64_t at = unzGetCurrentFileZStreamPos64(zip);
    unzCloseCurrentFile(zip);
    bool stored = info.compression_method == 0;
    uint64_t bytes = stored ? info.uncompressed_size : 0;
    if (at > m->bytes || bytes > m->bytes - at || info.flag & 1)
        return error_set(err, E_FORMAT, "%s: '%.120s': ends after the file does, or is encrypted",
                         path, name);
    *e = (archive_entry){ arena_string(&c->mem, name), stored ? m->p + at : NULL, (size_t)bytes };
    return e->name ? E_OK : error_set(err, E_NOMEM, "%s: out of memory", path);
}

/* A zip ends with a record of 22 bytes and a comment as long as it says; minizip takes less. */
static bool ends_whole(const file_map *m)
{
    for (size_t n = 22; n <= m->bytes && n <= 22 + 0xffff; n++) {
        const unsigned char *p = m->p + m->bytes - n;
        if (!memcmp(p, "PK\5\6", 4) && (size_t)(p[20] | p[21] << 8) == n - 22) return true;
    }
    return false;
}

static status read_entries(archive *a, container *c, unzFile zip, const file_map *m,
                           const char *path, error *err)
{
    int32_t cap = 0;
    for (int at = unzGoToFirstFile(zip); at == UNZ_OK; at = unzGoToNextFile(zip)) {
        archive_entry *wider = container_more(c, a->entry, a->n, &cap, sizeof *wider);
        if (!wider) return error_set(err, E_NOMEM, "%s: out of memory", path);
        a->entry = wider;
        status st = read_entry(&a->entry[a->n], c, zip, m, path, err);
        if (st != E_OK) return st;
        a->n++;
    }
    unz_global_info64 all;
    if (unzGetGlobalInfo64(zip, &all) != UNZ_OK || all.number_entry != (uint64_t)a->n)
        return error_set(err, E_FORMAT, "%s: the zip's list of entries breaks off after %d", path,
                         a->n);
    return E_OK;
}

status archive_open(archive *a, container *c, const char *path, error *err)
{
    file_map m;
    status st = container_map(c, path, &m, err);
    if (st != E_OK) return st;
    unzFile zip = ends_whole(&m) ? unzOpen64(path) : NULL;
    if (!zip) {
        error_set(err, E_FORMAT, "%s: is no zip archive, or its end is missing", path);
        error_hint(err, "the file is truncated, or is of another kind");
        return E_FORMAT;
    }
    *a = (archive){ 0 };
    st = read_entries(a, c, zip, &m, path, err);
    unzClose(zip);
    return st;
}

status archive_stored(const archive_entry *e, const char *path, const char *hint, error *err)
{
    if (e->p) return E_OK;
    error_set(err, E_UNSUPPORTED, "%s: '%.120s' is compressed", path, e->name);
    error_hint(err, "%s", hint);
    return E_UNSUPPORTED;
}
/* SPDX-License-Identifier: MIT */
