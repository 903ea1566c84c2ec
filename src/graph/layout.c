/* layout -- where every value of a run lies, settled before anything is computed.
 *
 * A value that stays goes into a block of its lane's own.  All others share one slab: the
 * values of one node in all lanes are one stretch of it, given back after the turn of the
 * node's last reader (first fit, nodes in order).  So the memory of a run is known
 * beforehand, and a run can be refused before it starts.
 *
 * Three things are needed longer: what an edit copies from (until the end of its
 * generation), and what lanes of a later generation read (until the end of the run). */
#include "graph/cell.h"
#include <string.h>

static int64_t home_bytes(const due *d, box b)
{
    return block_aligned(node_numbers(d->n, b, d->l) * d->l->s->e->real_bytes);
}

/* ---- homes: what may have to be computed, cut where it stays and where it does not ---- */

static void homes_add(run *r, due *d, const region *x, bool stays)
{
    for (int i = 0; i < x->n; i++) {
        home *h = &d->home[d->n_home++];
        *h = (home){ .b = *region_box(x, i), .stays = stays };
        if (!stays) continue;
        h->at = d->l->chunk_bytes;
        d->l->chunk_bytes += home_bytes(d, h->b);
    }
    (void)r;
}

static void homes_make(run *r, due *d)
{
    region stay = { 0 }, go = { 0 };
    box all = node_all(d->n, d->l);
    if (d->n->extent == WEIGHT) region_add(&r->mem, &go, all); /* a copy is whole */
    else
        for (int i = 0; i < d->want.n; i++)
            region_add_cut(&r->mem, &go, &d->c->may, *region_box(&d->want, i));
    for (int i = 0; i < d->stay.n && d->n->extent != WEIGHT; i++) {
        region_add_cut(&r->mem, &stay, &d->c->may, *region_box(&d->stay, i));
        region_sub(&r->mem, &go, *region_box(&d->stay, i));
    }
    d->home = arena_array(&r->mem, go.n + stay.n, sizeof *d->home);
    if (!d->home) return;
    homes_add(r, d, &stay, true);
    homes_add(r, d, &go, false);
}

/* ---- the slab ---- */

/* First fit among the slots, which are sorted by address. */
static int64_t slot_take(run *r, int64_t bytes, int32_t end)
{
    int64_t at = 0;
    int32_t i = 0;
    while (i < r->n_slot && r->slot[i].at - at < bytes) at = r->slot[i].at + r->slot[i].bytes, i++;
    memmove(&r->slot[i + 1], &r->slot[i], (size_t)(r->n_slot - i) * sizeof *r->slot);
    r->slot[i] = (slot){ at, bytes, end };
    r->n_slot++;
    if (at + bytes > r->slab_bytes) r->slab_bytes = at + bytes;
    return at;
}

static void slots_free(run *r, int32_t turn)
{
    int32_t n = 0;
    for (int32_t i = 0; i < r->n_slot; i++)
        if (r->slot[i].end >= turn) r->slot[n++] = r->slot[i];
    r->n_slot = n;
}

/* The homes of one node: those of pinned lanes in one slot, the rest in another. */
static void place(run *r, const due_list *list, const node *n, bool pinned)
{
    int64_t bytes = 0, at;
    for (const due *d = list->eldest; d; d = d->younger)
        for (int32_t i = 0; i < d->n_home && d->l->pinned == pinned; i++)
            if (!d->home[i].stays) bytes += home_bytes(d, d->home[i].b);
    if (!bytes) return;
    at = slot_take(r, bytes, pinned ? INT32_MAX : r->last_use[n->id]);
    for (const due *d = list->eldest; d; d = d->younger)
        for (int32_t i = 0; i < d->n_home && d->l->pinned == pinned; i++) {
            if (d->home[i].stays) continue;
            d->home[i].at = at;
            at += home_bytes(d, d->home[i].b);
        }
}

static bool generation_layout(run *r, int32_t gen)
{
    const graph *g = &r->s->g;
    for (int32_t t = 0; t < g->n_sorted; t++) {
        due_list *list = run_list(r, gen, g->order[t]);
        if (!list->eldest) continue;
        slots_free(r, t);
        for (due *d = list->eldest; d && !r->mem.failed; d = d->younger) homes_make(r, d);
        if (r->mem.failed) return false;
        place(r, list, g->order[t], false);
        place(r, list, g->order[t], true);
    }
    slots_free(r, INT32_MAX); /* the next generation keeps the pinned ones */
    return true;
}

/* Is n computed in this run in l or in a lane it is read through? */
static bool is_due(const lane *l, const node *n)
{
    for (; l; l = l->parent) {
        const cell *c = cell_get(l, n);
        if (c && c->due) return true;
    }
    return false;
}

/* What is read out of its turn, by lanes that compute something: a text of n tokens is n lanes, one of them busy. */
static void pin(run *r)
{
    for (lane *l = r->s->first; l; l = l->next) l->pinned = false, l->chunk_bytes = 0;
    for (lane *l = r->s->first; l; l = l->next) {
        if (!l->busy) continue;
        for (lane *p = l->parent; p; p = p->parent) p->pinned |= p->generation < l->generation;
        for (const lane *a = l; a; a = a->parent)
            for (const edit *e = a->edit; e; e = e->next) {
                if (e->kind != EDIT_TAKE) continue;
                if (is_due(e->from ? e->from : l, e->from_n))
                    r->last_use[e->from_n->id] = INT32_MAX - 1;
                for (lane *p = e->from; p; p = p->parent)
                    p->pinned |= p->generation < l->generation;
            }
    }
}

void layout_values(run *r)
{
    pin(r);
    r->slot = arena_array(&r->mem, 2 * (int64_t)r->n_node * r->n_generation + 2, sizeof *r->slot);
    for (int32_t gen = 0; r->slot && gen < r->n_generation; gen++)
        if (!generation_layout(r, gen)) return;
    for (const lane *l = r->s->first; l; l = l->next) r->chunk_bytes += l->chunk_bytes;
    r->info.value_bytes = r->slab_bytes + r->chunk_bytes;
    weights_keep(r);
}

/* ---- for tests ---- */

void layout_poison(run *r, int32_t generation, int32_t turn)
{
    const graph *g = &r->s->g;
    for (int32_t t = 0; t <= turn; t++) {
        const node *n = g->order[t];
        if (r->last_use[n->id] != turn) continue;
        for (const due *d = run_list(r, generation, n)->eldest; d; d = d->younger)
            for (int32_t i = 0; i < d->n_home && !d->l->pinned; i++)
                if (!d->home[i].stays)
                    poison(r->s, home_at(r, d, &d->home[i]), home_bytes(d, d->home[i].b));
    }
}
/* SPDX-License-Identifier: MIT */
