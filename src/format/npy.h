/* npy -- numpy's arrays:
 *
 *     \x93NUMPY | major, minor: u8 | n: u16 (u32 from version 2) | header, n bytes | data ...
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
 *
 * In a zip (npz.c) or in files of their own.  Objects, structures and big-endian numbers are not read. */
#ifndef MICROTOME_FORMAT_NPY_H
#define MICROTOME_FORMAT_NPY_H
#include "base/str.h"
#include "format/container.h"

/* Add one array to c; those in Fortran order are copied, within the budget (container_reorder).
 *
 * [err: FORMAT, UNSUPPORTED (its type), LIMIT, NOMEM | owns: c; p stays mapped | thread: c's own | cost: O(header)] */
status npy_add(container *c, const unsigned char *p, size_t n, size_t *budget, const char *path,
               const char *name, error *err);

/* What stands before the data of a tensor that is written.
 *
 * [err: s->failed | owns: s | thread: s's own | cost: O(1)] */
void npy_header(str *s, const tensor_view *t);

#endif
/* SPDX-License-Identifier: MIT */
