/* weight -- edited weights: copies, whole, and where they differ from what the parent sees.
 *
 * A copy is made when a run wants it and lies in the slab until its last reader is done.  Of a lane that others will be
 * built on (lane_keep, lane_keep_spans) it stays instead, in a block of its own, where there is room: a text of a hundred
 * tokens would make it a hundred times.  What the lane's `hold` then says of the weight is what it says of any value. */
#include "graph/cell.h"
#include <string.h>

/* ---- making one ---- */

void weight_line(const session *s, const node *n, int32_t row, char *out)
{
    const char *at = weight_at(&n->weight, row);
    if (s->e->real_bytes == 8) dtype_row_f64(n->weight.dtype, at, (double *)out, n->n_part);
    else dtype_row_f32(n->weight.dtype, at, (float *)out, n->n_part);
}

char *weight_copy(arena *mem, const lane *l, const node *n, char *out)
{
    size_t bytes = (size_t)n->n_part * (size_t)l->s->e->real_bytes;
    edit *e = arena_array(mem, MAX_EDITS, sizeof *e);
    patch p = { node_all(n, l), node_all(n, l), out };
    due d = { .l = (lane *)l, .n = n, .patch = &p, .n_patch = 1 }; /* edit_apply only looks */
    run r = { 0 };
    if (!e) return NULL;
    for (int32_t i = 0; i < n->n_row; i++) weight_line(l->s, n, i, out + (size_t)i * bytes);
    int n_e = lane_edits(l, n, e);
    for (int i = 0; i < n_e && !r.wave.failed; i++) edit_apply(&r, &d, &e[i], 0, 1);
    bool fine = !r.wave.failed;
    arena_release(&r.wave);
    return fine ? out : NULL;
}

/* ---- seeing one ---- */

/* The copy that l itself has of n; NULL: none, or one that differs nowhere. */
static const char *own_copy(const lane *l, const node *n)
{
    const cell *c = cell_get(l, n);
    if (c && c->due && c->due->n_patch) return c->due->weight;
    return c && c->hold && c->hold->n_patch ? c->hold->weight : NULL;
}

const lane *weight_owner(const lane *l, const node *n)
{
    if (l && !has_edits(l->s, n)) return NULL;
    while (l && !own_copy(l, n)) l = l->parent;
    return l;
}

weight_view weight_see(const lane *l, const node *n)
{
    const lane *owner = weight_owner(l, n);
    if (!owner) return n->weight;
    int32_t bytes = owner->s->e->real_bytes;
    return (weight_view){ own_copy(owner, n), (int64_t)n->n_part * bytes,
                          bytes == 8 ? DTYPE_F64 : DTYPE_F32, 0 };
}

/* ---- in a run ---- */

static size_t copy_bytes(const due *d)
{
    return (size_t)d->n->n_row * (size_t)d->n->n_part * (size_t)d->l->s->e->real_bytes + BLOCK_HEAD;
}

void weights_keep(run *r)
{
    const session *s = r->s;
    int64_t kept = s->weight_bytes;
    for (int64_t i = 0; i < (int64_t)r->n_node * r->n_generation; i++)
        for (due *d = r->list[i].eldest; d && d->n->extent == WEIGHT; d = d->younger) {
            int64_t bytes = (int64_t)copy_bytes(d), limit = s->limit_bytes;
            if (!d->l->keep && !d->l->keep_weights) continue;
            if (kept + bytes > session_room(r->s)) continue;
            if (limit && r->info.value_bytes + bytes > limit) continue;
            d->keeps = true, kept += bytes, r->info.value_bytes += bytes;
        }
}

/* Where the copy goes: what does not fit beside the rest after all goes where the others go. */
static char *copy_place(run *r, due *d)
{
    char *block = d->keeps ? mem_resize(NULL, 0, copy_bytes(d)) : NULL;
    d->keeps = block != NULL;
    if (!block) return home_at(r, d, &d->home[0]);
    *(value_block *)(void *)block = (value_block){ NULL, copy_bytes(d) };
    return block + BLOCK_HEAD;
}

static bool same_as(run *r, const due *d, box b, const weight_view *old)
{
    size_t bytes = (size_t)r->s->e->real_bytes;
    int32_t n_part = d->n->n_part;
    arena_mark here = arena_here(&r->wave);
    char *line = arena_get(&r->wave, (size_t)n_part * bytes);
    bool equal = line != NULL;
    for (int32_t i = b.r0; equal && i < b.r1; i++) {
        const char *row = weight_at(old, i);
        if (bytes == 8) dtype_row_f64(old->dtype, row, (double *)line, n_part);
        else dtype_row_f32(old->dtype, row, (float *)line, n_part);
        equal = !memcmp(line + (size_t)b.a0 * bytes,
                        d->weight + ((size_t)i * (size_t)n_part + (size_t)b.a0) * bytes,
                        (size_t)(b.a1 - b.a0) * bytes);
    }
    arena_rewind(&r->wave, here);
    return equal;
}

/* Did the parent resolve what it edits there itself?  (A set may have hidden it; then nothing is
 * known to be equal.) */
static bool parent_knows(const lane *l, const node *n, box b)
{
    for (l = l->parent; l; l = l->parent) {
        const cell *c = cell_get(l, n);
        if (c && region_meets(&c->may, b))
            return (c->due && region_has(&c->due->got, b)) ||
                   (c->hold && region_has(&c->hold->done, b));
    }
    return true;
}

bool weight_resolve(run *r, due *d)
{
    int32_t n_edit = 0;
    d->got = d->want;
    d->weight = copy_place(r, d);
    if (!weight_copy(&r->wave, d->l, d->n, d->weight)) return false;
    const lane *owner = d->l->parent ? weight_owner(d->l->parent, d->n) : NULL;
    weight_view old = owner ? weight_see(owner, d->n) : d->n->weight;
    for (const edit *e = d->l->edit; e; e = e->next) n_edit += e->n == d->n;
    d->patch = arena_array(&r->mem, n_edit, sizeof *d->patch);
    for (const edit *e = d->l->edit; e && d->patch; e = e->next) {
        box b = edit_where(e, d->l);
        if (e->n != d->n) continue;
        if (!r->s->keep_equal && parent_knows(d->l, d->n, b) && same_as(r, d, b, &old)) continue;
        d->patch[d->n_patch++] = (patch){ b, d->home[0].b, d->weight };
    }
    return d->patch != NULL;
}

/* ---- the results ---- */

bool weights_prepare(due *d)
{
    arena *mem = &d->l->mem;
    hold *h = d->keeps ? arena_zero(mem, sizeof *h) : NULL;
    if (!d->keeps) return true;
    if (!h) return false;
    if (d->c->hold) *h = *d->c->hold;
    h->done = (region){ 0 };
    region_add(mem, &h->done, node_all(d->n, d->l)); /* the copy is whole */
    h->patch = arena_copy(mem, d->patch, (size_t)d->n_patch * sizeof *d->patch);
    h->n_patch = d->n_patch, h->weight = d->n_patch ? d->weight : NULL;
    d->result = h;
    return h->patch && !mem->failed;
}

void weights_commit(due *d)
{
    lane *l = d->l;
    if (!d->keeps || !d->n_patch) return; /* equal to the parent's: weights_drop frees it */
    value_block *b = (value_block *)(void *)(d->weight - BLOCK_HEAD);
    b->next = l->weights, l->weights = b;
    l->s->weight_bytes += (int64_t)b->bytes;
    d->keeps = false; /* the lane has it */
    for (edit *e = l->edit; e; e = e->next) e->used |= e->n == d->n;
}

void weights_drop(due *d)
{
    if (d->keeps && d->weight) mem_free(d->weight - BLOCK_HEAD, copy_bytes(d));
    d->weight = NULL;
}

void weights_free(lane *l)
{
    for (value_block *b = l->weights, *next; b; b = next) {
        next = b->next;
        l->s->weight_bytes -= (int64_t)b->bytes;
        mem_free(b, b->bytes);
    }
}
/* SPDX-License-Identifier: MIT */
