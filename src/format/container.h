/* container -- what the files of this room share, and what a format says of itself; nobody else includes it.
 *
 * format/NAME.c defines `const format_def format_NAME_def`; the registry is generated from the folder. */
#ifndef MICROTOME_FORMAT_CONTAINER_H
#define MICROTOME_FORMAT_CONTAINER_H
#include "base/file.h"
#include "base/mem.h"
#include "format/format.h"

typedef struct format_def {
    const char *name;
    const char *ends[6];   /* how its files' names end; NULL ends the list */
    const char *in_dir[6]; /* what they are called in a model's directory, the best first */
    int32_t rank;          /* of several formats in a directory the lowest is taken */
    bool takes_dir;        /* a directory with files of its first end is read as one */
    /* Are these a file's first bytes?  NULL: any.  Asked where names end alike. */
    bool (*is)(const unsigned char *head, size_t n);
    bool only_if;    /* not its format when `is` says no, whatever the name */
    bool has_config; /* notes "config": the text of a config.json */
    status (*read)(container *c, const char *path, error *err);
    /* NULL where it is only read */
    status (*write)(const char *path, const tensor_view *t, int32_t n, const char *const *meta,
                    int32_t n_meta, error *err);
} format_def;

/* Every format, NULL-terminated (generated).
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
extern const format_def *const format_all[];

typedef struct note {
    const char *key, *value;
} note;

struct container {
    arena mem;
    const format_def *format;
    file_map *map;   /* [n_map] */
    tensor_view *t;  /* [n], sorted by name once open */
    note *meta;      /* [n_meta] */
    meta_list *list; /* [n_list] */
    int32_t n, cap, n_map, cap_map, n_meta, cap_meta, n_list, cap_list;
};

/* Map a file into c; add a tensor (name copied), a metadata pair (copied).
 *
 * [err: IO, NOMEM | owns: c | thread: c's own | cost: O(1)] */
status container_map(container *c, const char *path, file_map *out, error *err);
status container_add(container *c, tensor_view t, error *err);
status container_note(container *c, const char *key, const char *value, error *err);
status container_list(container *c, meta_list l, error *err); /* l.key is borrowed */

/* Room for one more in an array of n items that lies in c's memory: the array, or a wider copy of it.
 *
 * [err: NULL when out of memory | owns: c | thread: c's own | cost: O(1), amortised] */
void *container_more(container *c, void *old, int32_t n, int32_t *cap, size_t size);

/* Give t numbers in order: those that lie at t->data, `stride` numbers apart along each axis, copied.
 *
 *   budget   bytes that may still be copied; what is copied is taken off
 *
 * [err: LIMIT (over the budget), NOMEM | owns: c | thread: c's own | cost: O(numbers)] */
status container_reorder(container *c, tensor_view *t, const int64_t *stride, size_t *budget,
                         const char *path, error *err);

/* Numbers in a shape, and their bytes; false when that does not fit.
 *
 * [err: false | owns: nothing | thread: any | cost: O(dims)] */
bool tensor_size(const tensor_view *t, size_t *n, size_t *bytes);

#endif
/* SPDX-License-Identifier: MIT */
