/* view -- where a lane's values lie: its own patches over its parent's over its grandparent's.
 *
 * Rows are pointed at, not copied.  Only a line of which several lanes hold some parts each
 * is put together, in scratch; what nobody holds of such a line is NaN, so that a hole
 * cannot pass for a number. */
#include "graph/cell.h"
#include <string.h>

char *patch_at(const lane *l, const node *n, const patch *p, int32_t row, int32_t part)
{
    int64_t before = node_offset(n, row, l) - node_offset(n, p->home.r0, l);
    int64_t at =
        before * (p->home.a1 - p->home.a0) + (int64_t)(part - p->home.a0) * node_width(n, row, l);
    return p->v + at * l->s->e->real_bytes;
}

typedef struct view {
    arena *mem;
    const node *n;
    box want;
    const void **row;
} view;

/* A line of parts from here and there. */
static bool line_join(const view *v, const lane *l, const patch *p, box b, int32_t r)
{
    const void **at = &v->row[r - v->want.r0];
    size_t part = (size_t)node_width(v->n, r, l) * (size_t)l->s->e->real_bytes;
    size_t bytes = (size_t)(v->want.a1 - v->want.a0) * part;
    char *line = arena_get(v->mem, bytes);
    if (!line) return false;
    if (*at) memcpy(line, *at, bytes);
    else memset(line, 0xff, bytes); /* NaN */
    memcpy(line + (size_t)(b.a0 - v->want.a0) * part, patch_at(l, v->n, p, r, b.a0),
           (size_t)(b.a1 - b.a0) * part);
    *at = line;
    return true;
}

static bool view_patch(const view *v, const lane *l, const patch *p)
{
    box b = box_cut(p->b, v->want);
    bool whole = b.a0 == v->want.a0 && b.a1 == v->want.a1;
    for (int32_t r = b.r0; !box_empty(b) && r < b.r1; r++) {
        if (whole) v->row[r - v->want.r0] = patch_at(l, v->n, p, r, b.a0);
        else if (!line_join(v, l, p, b, r)) return false;
    }
    return true;
}

static bool view_cell(const view *v, const lane *l)
{
    const cell *c = cell_get(l, v->n);
    const hold *h = c ? c->hold : NULL;
    const due *d = c ? c->due : NULL;
    for (int i = 0; h && i < h->n_patch; i++)
        if (!view_patch(v, l, &h->patch[i])) return false;
    for (int i = 0; d && i < d->n_patch; i++)
        if (!view_patch(v, l, &d->patch[i])) return false;
    return true;
}

static bool covered_by(const patch *p, int n, box want)
{
    for (int i = 0; i < n; i++)
        if (box_within(want, p[i].b)) return true;
    return false;
}

/* One patch of c has all of it: no ancestor need be asked. */
static bool cell_covers(const cell *c, box want)
{
    if (!c) return false;
    if (c->hold && covered_by(c->hold->patch, c->hold->n_patch, want)) return true;
    return c->due && covered_by(c->due->patch, c->due->n_patch, want);
}

static bool weight_rows(const view *v, const lane *l);

bool lane_view(arena *mem, const lane *l, const node *n, box want, const void **row)
{
    int depth = 0, i;
    memset(row, 0, (size_t)(want.r1 - want.r0) * sizeof *row);
    if (!l) return true;
    view v = { mem, n, want, row };
    if (n->extent == WEIGHT) return weight_rows(&v, l);
    if (cell_covers(cell_get(l, n), want)) return view_cell(&v, l); /* the common case */
    for (const lane *p = l; p; p = p->parent) depth++;
    const lane **chain = arena_array(mem, depth, sizeof *chain);
    if (!chain) return false;
    for (i = 0; l; l = l->parent) {
        chain[i++] = l;
        if (cell_covers(cell_get(l, n), want) || box_empty(lane_common(l, n))) break;
    }
    while (i--)
        if (!view_cell(&v, chain[i])) return false;
    return true;
}

/* ---- weights ---- */

/* For reading outside a run; readers in a run use weight_see. */
static bool weight_rows(const view *v, const lane *l)
{
    size_t bytes = (size_t)v->n->n_part * (size_t)l->s->e->real_bytes;
    bool edited = lane_edits(l, v->n, NULL) > 0; /* else only the rows asked for */
    int32_t first = edited ? 0 : v->want.r0, end = edited ? v->n->n_row : v->want.r1;
    char *copy = arena_get(v->mem, (size_t)(end - first) * bytes);
    if (!copy || (edited && !weight_copy(v->mem, l, v->n, copy))) return false;
    for (int32_t r = v->want.r0; r < v->want.r1; r++) {
        char *line = copy + (size_t)(r - first) * bytes;
        if (!edited) weight_line(l->s, v->n, r, line);
        v->row[r - v->want.r0] = line + (size_t)v->want.a0 * (size_t)l->s->e->real_bytes;
    }
    return true;
}
/* SPDX-License-Identifier: MIT */
