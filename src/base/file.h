/* file -- mapping files to read, and writing them so that nothing is ever half there.
 *
 * A file is written beside its place under a temporary name and renamed when it is
 * complete: a reader sees the old file or the new one, a full disk loses neither. */
#ifndef MICROTOME_BASE_FILE_H
#define MICROTOME_BASE_FILE_H
#include "base/error.h"
#include "base/str.h"
#include <stdio.h>

/* A file mapped read-only; p is NULL for an empty file. */
typedef struct file_map {
    const unsigned char *p;
    size_t bytes;
} file_map;

/* Map a regular file.  Messages name the path and what it is when it is not a regular file.
 *
 * [err: IO (missing, no permission, a directory), NOMEM | owns: the caller, file_unmap | thread: any | cost: one mmap] */
status file_open_map(file_map *out, const char *path, error *err);
void file_unmap(file_map *m);

/* Of a mapped file that was read: let the pages that lie wholly in these bytes of it go (m->p, m->bytes: all).  They come
 * back, from the system's cache as a rule, when they are read again; until then they are not memory of this process.
 *
 * [err: none | owns: nothing | thread: any | cost: one madvise] */
void file_rest(const file_map *m, const void *p, size_t bytes);

/* Read a whole (small) file into s, at most max_bytes.
 *
 * [err: IO, NOMEM, LIMIT when it is longer | owns: s | thread: any | cost: O(bytes)] */
status file_read(str *s, const char *path, size_t max_bytes, error *err);

/* The first bytes of a regular file, at most max_bytes: how many.
 *
 * [err: 0 | owns: nothing | thread: any | cost: one read] */
size_t file_head(void *out, const char *path, size_t max_bytes);

/* Is there a directory, is there anything, at that path?
 *
 * [err: false | owns: nothing | thread: any | cost: one stat] */
bool file_is_dir(const char *path);
bool file_exists(const char *path);

/* Is there a file in that directory whose name ends so?
 *
 * [err: false | owns: nothing | thread: any | cost: reads the directory] */
bool file_in_dir(const char *dir, const char *end);

/* A file being written beside `path`. */
typedef struct file_out {
    FILE *f;
    char *path, *temp; /* owned */
} file_out;

/* Open the temporary file; write to out->f; then commit (flush, fsync, rename) or abandon (unlink).
 * commit reports a short write or a full disk and then has removed the temporary file.
 *
 * [err: IO (no directory, no permission, disk full), NOMEM | owns: out until commit or abandon | thread: out's own | cost: one open] */
status file_out_open(file_out *out, const char *path, error *err);
status file_out_commit(file_out *out, error *err);
void file_out_abandon(file_out *out);

/* The three of them for bytes that are there already.
 *
 * [err: IO, NOMEM | owns: nothing | thread: any | cost: O(bytes)] */
status file_write(const char *path, const void *bytes, size_t n, error *err);

/* dir and name joined with one '/'.
 *
 * [err: NULL when out of memory | owns: the arena | thread: the arena's own | cost: O(length)] */
char *path_join(arena *a, const char *dir, const char *name);

/* The directory that a file lies in; "." where the path names none.
 *
 * [err: NULL when out of memory | owns: the arena | thread: the arena's own | cost: O(length)] */
char *path_dir(arena *a, const char *path);

#endif
/* SPDX-License-Identifier: MIT */
