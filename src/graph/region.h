/* region -- which part of a node's value: rows x a slice of its one cut axis.
 *
 * A value is a table: one line per row, n_part parts a line (heads, neurons,
 * vocabulary entries; 1 for the residual stream).  A *box* is rows [r0, r1) x
 * parts [a0, a1); a *region* is a list of disjoint boxes in no promised order.
 *
 *            part 0  1  2  3
 *     row 3       .  #  .  .     { 3, 4, 1, 2 }
 *     row 5       .  .  #  #     { 5, 6, 2, 4 }
 *
 * One box is not enough (pos 3 of head 1 and pos 5 of head 2 are two), yet in
 * nearly all plans one is all there is: the first box lives in the region itself.
 *
 * Functions that may need memory take an arena and leave `failed` set in it when it
 * gives none; the region is then too small, and the caller gives up its plan. */
#ifndef MICROTOME_GRAPH_REGION_H
#define MICROTOME_GRAPH_REGION_H
#include "base/mem.h"

typedef struct box {
    int32_t r0, r1, a0, a1;
} box;

/* {0} is the empty region.  A copy of the struct shares the boxes of the original: fine as long as
 * neither is added to afterwards. */
typedef struct region {
    int32_t n, cap; /* cap 0: the only box is `one` */
    union {
        box one;
        box *many;
    } b;
} region;

static inline const box *region_box(const region *r, int i)
{
    return r->cap ? &r->b.many[i] : &r->b.one;
}

static inline bool box_empty(box b) { return b.r0 >= b.r1 || b.a0 >= b.a1; }

static inline box box_cut(box a, box b)
{
    return (box){ a.r0 > b.r0 ? a.r0 : b.r0, a.r1 < b.r1 ? a.r1 : b.r1, a.a0 > b.a0 ? a.a0 : b.a0,
                  a.a1 < b.a1 ? a.a1 : b.a1 };
}

static inline bool box_meets(box a, box b) { return !box_empty(box_cut(a, b)); }

static inline bool box_within(box in, box out)
{
    return in.r0 >= out.r0 && in.r1 <= out.r1 && in.a0 >= out.a0 && in.a1 <= out.a1;
}

static inline int64_t box_cells(box b)
{
    return box_empty(b) ? 0 : (int64_t)(b.r1 - b.r0) * (b.a1 - b.a0);
}

/* r = r + b;  r = r - b;  r = r + (x cut b);  r = r + x.
 *
 * [err: mem->failed | owns: boxes live in mem | thread: mem's own | cost: O(boxes), almost always one] */
void region_add(arena *mem, region *r, box b);
void region_sub(arena *mem, region *r, box b);
void region_add_cut(arena *mem, region *r, const region *x, box b);
void region_join(arena *mem, region *r, const region *x);

/* A copy that shares nothing.
 *
 * [err: mem->failed | owns: boxes live in mem | thread: mem's own | cost: O(boxes)] */
region region_copy(arena *mem, const region *x);

/* Is all of b in r?  Any of it?  How many (row, part) cells?
 *
 * [err: none | owns: nothing | thread: any | cost: O(boxes)] */
bool region_has(const region *r, box b);
bool region_meets(const region *r, box b);
int64_t region_cells(const region *r);

#endif
/* SPDX-License-Identifier: MIT */
