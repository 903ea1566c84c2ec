/* archive -- zip files whose entries are stored, not compressed: what npz and pytorch files are made of.
 *
 * minizip reads the list; entries are then bytes of the mapped file. */
#ifndef MICROTOME_FORMAT_ARCHIVE_H
#define MICROTOME_FORMAT_ARCHIVE_H
#include "format/container.h"

enum { ARCHIVE_NAME = 512 };

typedef struct archive_entry {
    const char *name;
    const unsigned char *p; /* NULL: it is compressed */
    size_t bytes;
} archive_entry;

typedef struct archive {
    archive_entry *entry; /* [n], as the archive lists them */
    int32_t n;
} archive;

/* Map a zip into c and find its entries, all inside the file.
 *
 * [err: IO, FORMAT, NOMEM | owns: c | thread: c's own | cost: O(entries)] */
status archive_open(archive *a, container *c, const char *path, error *err);

/* Refuse an entry that is compressed; the hint says what to do about it.
 *
 * [err: UNSUPPORTED | owns: nothing | thread: any | cost: O(1)] */
status archive_stored(const archive_entry *e, const char *path, const char *hint, error *err);

#endif
/* SPDX-License-Identifier: MIT */
