/* forget -- letting go of values that a lane holds (lane_forget).
 *
 * A run puts what stays of a lane into one block, so that to free some of it the rest moves to a new one, patch by patch.
 * That is worth it where little stays beside what goes: a decoded token's keys and values beside its logits.  Of a long
 * prompt, which would be there twice for a moment, nothing goes. */
#include "graph/cell.h"
#include <string.h>

enum { MOVED = 16 }; /* at most so many bytes are moved for one that is freed */

static bool in_blocks(const lane *l, const patch *p)
{
    for (const value_block *b = l->values; b; b = b->next)
        if (p->v >= (const char *)b && p->v < (const char *)b + b->bytes) return true;
    return false;
}

/* What goes, and how many bytes it and the rest are. */
typedef struct leaving {
    lane *l;
    const node *n;
    box b;
    int64_t goes, stays;
} leaving;

static bool leaves(const leaving *x, const node *n, const patch *p)
{
    return n == x->n && box_within(p->b, x->b);
}

static int64_t patch_bytes(const leaving *x, const node *n, const patch *p)
{
    return block_aligned(node_numbers(n, p->b, x->l) * x->l->s->e->real_bytes);
}

/* For every patch of l's blocks; to: where the next of those that stay goes. */
typedef void patch_each(leaving *x, const node *n, patch *p, char **to);

static void each_patch(leaving *x, patch_each *each, char **to)
{
    for (int32_t i = 0; i < x->l->n_cell; i++) {
        hold *h = x->l->cell[i] ? x->l->cell[i]->hold : NULL;
        for (int32_t k = 0; h && k < h->n_patch; k++)
            if (in_blocks(x->l, &h->patch[k]))
                each(x, graph_node(&x->l->s->g, i), &h->patch[k], to);
    }
}

static void count(leaving *x, const node *n, patch *p, char **to)
{
    (void)to;
    *(leaves(x, n, p) ? &x->goes : &x->stays) += patch_bytes(x, n, p);
}

/* A patch's rows to *to, which then holds no more than they are. */
static void move(leaving *x, const node *n, patch *p, char **to)
{
    char *begin = *to, *at = begin;
    if (leaves(x, n, p)) return;
    for (int32_t r = p->b.r0; r < p->b.r1; r++) {
        size_t bytes = (size_t)(p->b.a1 - p->b.a0) * (size_t)node_width(n, r, x->l) *
                       (size_t)x->l->s->e->real_bytes;
        memcpy(at, patch_at(x->l, n, p, r, p->b.a0), bytes);
        at += bytes;
    }
    *to += patch_bytes(x, n, p);
    p->home = p->b, p->v = begin;
}

/* What is asked for and resolved without what goes; false when out of memory. */
static bool regions_without(const leaving *x, const hold *h, region *asked, region *done)
{
    arena *mem = &x->l->mem;
    *asked = region_copy(mem, &h->asked), *done = region_copy(mem, &h->done);
    for (int32_t k = 0; k < h->n_patch; k++)
        if (in_blocks(x->l, &h->patch[k]) && leaves(x, x->n, &h->patch[k]))
            region_sub(mem, asked, h->patch[k].b), region_sub(mem, done, h->patch[k].b);
    bool fine = !mem->failed;
    mem->failed = false;
    return fine;
}

/* Take the patches that go out of their list, while the blocks they are known by are still there. */
static void drop(const leaving *x, hold *h)
{
    int32_t n = 0;
    for (int32_t k = 0; k < h->n_patch; k++)
        if (!in_blocks(x->l, &h->patch[k]) || !leaves(x, x->n, &h->patch[k]))
            h->patch[n++] = h->patch[k];
    h->n_patch = n;
}

static void replace_blocks(lane *l, value_block *with)
{
    for (value_block *b = l->values, *next; b; b = next) {
        next = b->next;
        mem_free(b, b->bytes);
    }
    l->values = with;
}

void lane_forget(lane *l, const node *n, box b)
{
    const cell *c = cell_get(l, n);
    leaving x = { .l = l, .n = n, .b = b };
    region asked, done;
    if (l->n_user || !c || !c->hold) return;
    each_patch(&x, count, NULL);
    if (!x.goes || x.stays / MOVED > x.goes) return;
    size_t bytes = (size_t)x.stays + BLOCK_HEAD;
    char *block = x.stays ? mem_resize(NULL, 0, bytes) : NULL;
    char *to = block ? block + BLOCK_HEAD : NULL;
    if ((x.stays && !block) || !regions_without(&x, c->hold, &asked, &done)) {
        mem_free(block, bytes);
        return;
    }
    drop(&x, c->hold);
    each_patch(&x, move, &to);
    if (block) *(value_block *)(void *)block = (value_block){ NULL, bytes };
    replace_blocks(l, (value_block *)(void *)block);
    c->hold->asked = asked, c->hold->done = done;
}
/* SPDX-License-Identifier: MIT */
