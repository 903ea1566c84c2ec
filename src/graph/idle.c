/* idle -- edits that change nothing, known before anything is computed.
 *
 * Two prompts that differ from some position on have equal values before it, and a sweep patches those too.  Where both
 * are held already the edit's rows are compared when the fork is planned: rows that stay as they are do not enter `may`,
 * and a fork of such rows alone costs neither plan nor memory. */
#include "graph/cell.h"
#include <string.h>

/* Is all of b held, by l or by the ancestor that has it? */
static bool resolved(const lane *l, const node *n, box b)
{
    for (; l; l = l->parent) {
        const cell *c = cell_get(l, n);
        if (c && c->hold && region_has(&c->hold->done, b)) return true;
        if ((c && region_meets(&c->may, b)) || !box_within(b, lane_common(l, n))) return false;
    }
    return false;
}

/* Are values there to compare?  Only in lanes of sweeps: of others every edit that nothing depends on is refused, and
 * that is found by its cell. */
static bool comparable(const lane *l, const edit *e, box w)
{
    if (!l->sweep || !l->parent || l->s->keep_equal || e->edge || edit_couples(e)) return false;
    if (e->n->extent == WEIGHT || !resolved(l->parent, e->n, w)) return false;
    return e->kind != EDIT_TAKE || (e->from && resolved(e->from, e->from_n, take_out(e, w, l)));
}

/* Does e leave the parts b of one row, which the parent holds, as they are?  Out of memory, no. */
static bool row_stays(lane *l, const edit *e, box b)
{
    const void *old, *src = NULL;
    size_t bytes =
        (size_t)(b.a1 - b.a0) * (size_t)node_width(e->n, b.r0, l) * (size_t)l->s->e->real_bytes;
    char *mine = arena_get(&l->mem, bytes);
    if (!mine || !lane_view(&l->mem, l->parent, e->n, b, &old) || !old) return false;
    if (e->kind == EDIT_TAKE &&
        (!lane_view(&l->mem, e->from, e->from_n, take_out(e, b, l), &src) || !src))
        return false;
    memcpy(mine, old, bytes);
    edit_row(e, l, b, mine, src);
    return !memcmp(mine, old, bytes);
}

void edit_may(lane *l, const edit *e, region *may)
{
    box w = edit_where(e, l), open = { w.r0, w.r0, w.a0, w.a1 };
    if (!comparable(l, e, w)) open.r1 = w.r1;
    else
        for (int32_t r = w.r0; r < w.r1; r++) {
            arena_mark here = arena_here(&l->mem);
            bool stays = row_stays(l, e, (box){ r, r + 1, w.a0, w.a1 });
            arena_rewind(&l->mem, here);
            l->idle |= stays;
            if (stays) continue;
            if (open.r1 < r) {
                region_add(&l->mem, may, open);
                open.r0 = r;
            }
            open.r1 = r + 1;
        }
    region_add(&l->mem, may, open);
}
/* SPDX-License-Identifier: MIT */
