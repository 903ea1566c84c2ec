/* region -- see region.h.  Everything rests on split(): a box minus a box. */
#include "graph/region.h"
#include <string.h>

/* b minus hole: above, below, left and right of where they overlap. */
static int split(box b, box hole, box out[4])
{
    box h = box_cut(b, hole);
    const box piece[4] = { { b.r0, h.r0, b.a0, b.a1 },
                           { h.r1, b.r1, b.a0, b.a1 },
                           { h.r0, h.r1, b.a0, h.a0 },
                           { h.r0, h.r1, h.a1, b.a1 } };
    int n = 0;
    for (int i = 0; i < 4; i++)
        if (!box_empty(piece[i])) out[n++] = piece[i];
    return n;
}

/* Two boxes that together are one: the same parts and rows that touch, or the reverse. */
static bool join(box *a, box b)
{
    bool stacked = a->a0 == b.a0 && a->a1 == b.a1 && (a->r1 == b.r0 || b.r1 == a->r0);
    bool abreast = a->r0 == b.r0 && a->r1 == b.r1 && (a->a1 == b.a0 || b.a1 == a->a0);
    if (!stacked && !abreast) return false;
    *a = (box){ a->r0 < b.r0 ? a->r0 : b.r0, a->r1 > b.r1 ? a->r1 : b.r1,
                a->a0 < b.a0 ? a->a0 : b.a0, a->a1 > b.a1 ? a->a1 : b.a1 };
    return true;
}

static box *boxes(region *r) { return r->cap ? r->b.many : &r->b.one; }

/* Room for one more box.  Boxes are never changed in place where a copy may share them: a list
 * that grows past its capacity moves. */
static bool widen(arena *mem, region *r)
{
    int cap = r->cap ? r->cap : 1;
    if (r->n < cap) return true;
    box *wider = arena_get(mem, (size_t)cap * 2 * sizeof *wider);
    if (!wider) return false;
    memcpy(wider, boxes(r), (size_t)r->n * sizeof *wider);
    r->b.many = wider;
    r->cap = cap * 2;
    return true;
}

/* b overlaps nothing in r. */
static void push(arena *mem, region *r, box b)
{
    for (int i = 0; i < r->n; i++)
        if (join(&boxes(r)[i], b)) { /* the joined box may now join another */
            b = boxes(r)[i];
            boxes(r)[i] = boxes(r)[--r->n];
            i = -1;
        }
    if (widen(mem, r)) boxes(r)[r->n++] = b;
}

void region_add(arena *mem, region *r, box b)
{
    box piece[4];
    if (box_empty(b)) return;
    for (int i = 0; i < r->n; i++) {
        box old = boxes(r)[i];
        if (!box_meets(old, b)) continue;
        if (box_within(b, old)) return;
        int n = split(b, old, piece);
        for (int j = 0; j < n; j++) region_add(mem, r, piece[j]);
        return;
    }
    push(mem, r, b);
}

void region_sub(arena *mem, region *r, box b)
{
    region left = { 0 };
    box piece[4];
    if (box_empty(b) || !region_meets(r, b)) return;
    for (int i = 0; i < r->n; i++) {
        box old = boxes(r)[i];
        if (!box_meets(old, b)) {
            push(mem, &left, old);
            continue;
        }
        int n = split(old, b, piece);
        for (int j = 0; j < n; j++) push(mem, &left, piece[j]);
    }
    *r = left;
}

void region_add_cut(arena *mem, region *r, const region *x, box b)
{
    for (int i = 0; i < x->n; i++) region_add(mem, r, box_cut(*region_box(x, i), b));
}

void region_join(arena *mem, region *r, const region *x)
{
    for (int i = 0; i < x->n; i++) region_add(mem, r, *region_box(x, i));
}

region region_copy(arena *mem, const region *x)
{
    region r = { 0 };
    region_join(mem, &r, x);
    return r;
}

bool region_meets(const region *r, box b)
{
    for (int i = 0; i < r->n; i++)
        if (box_meets(*region_box(r, i), b)) return true;
    return false;
}

bool region_has(const region *r, box b)
{
    int64_t cells = 0; /* the boxes of r are disjoint, so overlaps add up */
    for (int i = 0; i < r->n; i++) cells += box_cells(box_cut(*region_box(r, i), b));
    return cells == box_cells(b);
}

int64_t region_cells(const region *r)
{
    int64_t cells = 0;
    for (int i = 0; i < r->n; i++) cells += box_cells(*region_box(r, i));
    return cells;
}
/* SPDX-License-Identifier: MIT */
