/* run -- one run: plan, lay out, compute, and only then let the lanes hold the results.
 *
 * Whatever fails on the way, dues and slab are dropped and every lane is as it was. */
#include "base/cpu.h"
#include "graph/cell.h"
#include <string.h>

/* ---- planning ---- */

static status plan_lanes(run *r, error *err)
{
    for (lane *l = r->s->first; l; l = l->next) {
        status st = plan_lane(l, err);
        if (st != E_OK) return st;
        if (l->generation >= r->n_generation) r->n_generation = l->generation + 1;
    }
    return E_OK;
}

static bool run_tables(run *r)
{
    const graph *g = &r->s->g;
    r->n_node = graph_nodes(g);
    r->list = arena_array(&r->mem, (int64_t)r->n_node * r->n_generation, sizeof *r->list);
    r->last_use = arena_copy(&r->mem, g->last_use, (size_t)r->n_node * sizeof *r->last_use);
    return r->list && r->last_use;
}

/* A whole forward pass over the model, as one would run without a planner. */
static int64_t naive_ops(const session *s, const lane *l)
{
    int64_t n_op = 0;
    for (int32_t i = 0; i < s->g.n_base; i++) {
        const node *n = graph_node(&s->g, i);
        if (n->op) n_op += n->op->cost(n, node_all(n, l), l);
    }
    return n_op;
}

static void mark_busy(run *r)
{
    for (lane *l = r->s->first; l; l = l->next) l->busy = false;
    for (int64_t i = 0; i < (int64_t)r->n_node * r->n_generation; i++)
        for (due *d = r->list[i].eldest; d; d = d->younger) d->l->busy = true;
}

static void count_lanes(run *r)
{
    int64_t naive = 0;
    int32_t len = -1;
    for (lane *l = r->s->first; l; l = l->next) {
        if (!l->busy) continue;
        if (l->len != len) naive = naive_ops(r->s, l), len = l->len;
        r->info.n_lane++;
        r->info.n_naive_op += naive;
    }
}

static status check_limit(const run *r, error *err)
{
    int64_t limit = r->s->limit_bytes;
    if (!limit || r->info.value_bytes <= limit) return E_OK;
    error_set(err, E_LIMIT, "run: needs %lld bytes for values, the limit is %lld",
              (long long)r->info.value_bytes, (long long)limit);
    error_hint(err, "ask for less at once, run fewer lanes together, or raise the limit");
    return E_LIMIT;
}

static status run_plan(run *r, error *err)
{
    session *s = r->s;
    status st = graph_sort(&s->g, err);
    if (st == E_OK) st = plan_lanes(r, err);
    if (st != E_OK) return st;
    if (!run_tables(r)) goto nomem;
    for (lane *l = s->first; l; l = l->next) plan_ask(r, l);
    plan_needs(r);
    if (r->mem.failed) goto nomem;
    for (lane *l = s->first; l; l = l->next) plan_effects(r, l);
    if (r->refused.code) {
        error_set(err, r->refused.code, "%s", r->refused.msg);
        error_hint(err, "%s", r->refused.hint);
        return r->refused.code;
    }
    mark_busy(r);
    layout_values(r);
    if (r->mem.failed) goto nomem;
    count_lanes(r);
    r->info.plan_bytes = (int64_t)r->mem.used_bytes;
    return check_limit(r, err);
nomem:
    return error_set(err, E_NOMEM, "run: out of memory while planning");
}

/* ---- memory for values ---- */

static void chunk_free(lane *l)
{
    if (l->chunk) mem_free(l->chunk - BLOCK_HEAD, (size_t)l->chunk_bytes + BLOCK_HEAD);
    l->chunk = NULL;
}

/* Pages that were never touched cost more than what is computed into them: a slab that had to grow gets room to grow
 * into, of which no page is touched before. */
static bool slab_get(session *s, int64_t bytes)
{
    if (s->slab_bytes >= bytes) return true;
    int64_t roomy = s->slab ? bytes + bytes / 4 : bytes;
    if (s->limit_bytes && roomy > s->limit_bytes) roomy = bytes;
    mem_free(s->slab, (size_t)s->slab_bytes);
    s->slab = mem_resize(NULL, 0, (size_t)roomy);
    s->slab_bytes = s->slab ? roomy : 0;
    return s->slab;
}

static bool memory_get(run *r)
{
    session *s = r->s;
    if (!slab_get(s, r->slab_bytes)) return false;
    r->slab = s->slab;
    for (lane *l = s->first; l; l = l->next) {
        if (!l->chunk_bytes) continue;
        char *block = mem_resize(NULL, 0, (size_t)l->chunk_bytes + BLOCK_HEAD);
        if (!block) return false;
        *(value_block *)(void *)block = (value_block){ NULL, (size_t)l->chunk_bytes + BLOCK_HEAD };
        l->chunk = block + BLOCK_HEAD;
        if (s->poison) poison(s, l->chunk, l->chunk_bytes);
    }
    if (s->poison && r->slab) poison(s, r->slab, s->slab_bytes);
    return true;
}

/* ---- computing ---- */

static status run_waves(run *r, error *err)
{
    session *s = r->s;
    for (int32_t gen = 0; gen < r->n_generation; gen++)
        for (int32_t t = 0; t < s->g.n_sorted; t++) {
            const node *n = s->g.order[t];
            status st = run_list(r, gen, n)->eldest ? wave_node(r, gen, n, err) : E_OK;
            if (st != E_OK) return st;
            if (s->poison) layout_poison(r, gen, t);
            if (s->tell && run_list(r, gen, n)->eldest &&
                !s->tell(s->tell_user, r->info.n_op, r->plan_op))
                return error_set(err, E_INTERRUPTED, "run: stopped at node %d of %d", t + 1,
                                 s->g.n_sorted);
        }
    return E_OK;
}

/* ---- the results: prepared first, which may fail, then swapped in, which cannot ---- */

static bool in_chunk(const lane *l, const patch *p)
{
    return l->chunk && p->v >= l->chunk && p->v < l->chunk + l->chunk_bytes;
}

static bool result_prepare(due *d)
{
    lane *l = d->l;
    const hold *old = d->c->hold;
    hold *h = arena_zero(&l->mem, sizeof *h);
    if (!h) return false;
    if (old) *h = *old;
    h->done = old ? region_copy(&l->mem, &old->done) : (region){ 0 };
    region_join(&l->mem, &h->done, &d->stay);
    h->patch = arena_array(&l->mem, h->n_patch + d->n_patch + 1, sizeof *h->patch);
    if (!h->patch || l->mem.failed) return false;
    if (h->n_patch) memcpy(h->patch, old->patch, (size_t)h->n_patch * sizeof *h->patch);
    for (int32_t i = 0; i < d->n_patch; i++)
        if (in_chunk(l, &d->patch[i])) h->patch[h->n_patch++] = d->patch[i];
    d->result = h;
    return true;
}

static bool results_prepare(run *r)
{
    for (int64_t i = 0; i < (int64_t)r->n_node * r->n_generation; i++)
        for (due *d = r->list[i].eldest; d; d = d->younger)
            if (d->n->extent == WEIGHT ? !weights_prepare(d) : d->stay.n && !result_prepare(d)) {
                d->l->mem.failed = false;
                return false;
            }
    return true;
}

/* A chunk of which every value turned out equal to the parent's is not kept. */
static void chunks_keep(run *r)
{
    for (int64_t i = 0; i < (int64_t)r->n_node * r->n_generation; i++)
        for (due *d = r->list[i].eldest; d; d = d->younger) {
            lane *l = d->l;
            for (int32_t j = 0; d->result && j < d->n_patch && l->chunk; j++) {
                if (!in_chunk(l, &d->patch[j])) continue;
                value_block *b = (value_block *)(void *)(l->chunk - BLOCK_HEAD);
                b->next = l->values;
                l->values = b;
                l->chunk = NULL;
            }
        }
    for (lane *l = r->s->first; l; l = l->next) chunk_free(l);
}

/* Lanes that took part are fixed from now on, and so are those they read. */
static void lanes_freeze(run *r)
{
    for (lane *l = r->s->last; l; l = l->prev) {
        l->ran |= l->busy || l->asks;
        for (edit *e = l->edit; l->ran && e; e = e->next) {
            e->used |= l->asks;
            if (e->from) e->from->ran = true;
        }
        if (l->ran && l->parent) l->parent->ran = true;
        if (!l->ran) l->n_planned = 0;
        l->asks = false;
    }
}

static void results_commit(run *r)
{
    for (int64_t i = 0; i < (int64_t)r->n_node * r->n_generation; i++)
        for (due *d = r->list[i].eldest; d; d = d->younger)
            if (d->result) d->c->hold = d->result, weights_commit(d);
    lanes_freeze(r);
}

static void run_end(run *r)
{
    for (int64_t i = 0; r->list && i < (int64_t)r->n_node * r->n_generation; i++)
        for (due *d = r->list[i].eldest; d; d = d->younger) weights_drop(d), d->c->due = NULL;
    for (lane *l = r->s->first; l; l = l->next) {
        chunk_free(l);
        l->chunk_bytes = 0;
        if (!l->ran) l->n_planned = 0; /* it may still be given inputs and edits */
    }
    arena_release(&r->mem);
    arena_release(&r->wave);
}

static void total_add(run_info *total, const run_info *x)
{
    total->n_lane += x->n_lane, total->n_cell += x->n_cell, total->n_op += x->n_op;
    total->n_naive_op += x->n_naive_op, total->n_touched += x->n_touched,
        total->n_call += x->n_call;
    if (x->value_bytes > total->value_bytes) total->value_bytes = x->value_bytes;
    if (x->plan_bytes > total->plan_bytes) total->plan_bytes = x->plan_bytes;
}

/* ---- the two ways in ---- */

status session_plan(session *s, run_info *out, error *err)
{
    run r = { .s = s };
    status st = run_plan(&r, err);
    r.info.n_op = r.plan_op, r.info.n_cell = r.plan_cell;
    if (st == E_OK || st == E_LIMIT) *out = r.info;
    run_end(&r);
    return st;
}

status session_run(session *s, run_info *info, error *err)
{
    run r = { .s = s };
    unsigned mode = fp_enter();
    status st = run_plan(&r, err);
    if (st == E_OK && !memory_get(&r))
        st = error_set(err, E_NOMEM, "run: no memory for %lld bytes of values",
                       (long long)r.info.value_bytes);
    if (st == E_OK) st = run_waves(&r, err);
    if (st == E_OK && !results_prepare(&r))
        st = error_set(err, E_NOMEM, "run: out of memory for its results");
    if (st == E_OK) {
        chunks_keep(&r);
        results_commit(&r);
        total_add(&s->total, &r.info);
        if (info) *info = r.info;
    }
    run_end(&r);
    fp_leave(mode);
    return st;
}
/* SPDX-License-Identifier: MIT */
