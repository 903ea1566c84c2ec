/* wave -- pass 3: resolve what is wanted of one node, in all lanes of a generation.
 *
 * Every lane that wants some of the node opens its due: patches for what must be computed
 * and for what its own edits touch.  Computed boxes become tasks; tasks with the same parts,
 * weights and fusion are one kernel call.  Then, eldest lane first, edits are applied and
 * what equals the parent's is given up.  That is the moment a change ends: the cells that
 * read it never hear of it. */
#include "graph/cell.h"
#include "graph/order.h"
#include <string.h>

/* What must run: a job and where its lines go. */
typedef struct task {
    job j;
    patch to;
    const lane *weights; /* lanes that see the same weights have this ancestor in common */
    const fusion *f;
    int64_t cost;
    int32_t next; /* the next task of the same call; -1: none */
} task;

/* What tasks of one kernel call have in common. */
typedef struct call_id {
    const lane *weights;
    const fusion *f;
    int32_t a0, a1;
} call_id;

/* Tasks of one kernel call, in order. */
typedef struct call_list {
    call_id id;
    int32_t first, last, n_task, n_line;
} call_list;

typedef struct wave {
    run *r;
    const node *n;
    task *task;
    call_list *call;
    int32_t n_task, cap_task, n_call;
} wave;

/* Room for one more in a list that lives in an arena. */
static void *list_more(arena *mem, void *old, int32_t n, int32_t *cap, size_t size)
{
    if (n < *cap) return old;
    int32_t more = *cap ? *cap * 2 : 8;
    void *wider = arena_get(mem, (size_t)more * size);
    if (wider && n) memcpy(wider, old, (size_t)n * size);
    if (wider) *cap = more;
    return wider;
}

/* ---- opening ---- */

static const lane *weights_of(const lane *l, const node *n, const fusion *f)
{
    const lane *nearest = NULL;
    for (int k = 0; k < plan_inputs(n, f); k++) {
        const node *in = plan_input(n, f, k);
        const lane *owner = in->extent == WEIGHT ? weight_owner(l, in) : NULL;
        if (owner && (!nearest || owner->serial > nearest->serial)) nearest = owner;
    }
    return nearest;
}

static void task_add(wave *w, const due *d, box b, patch to)
{
    task *wider = list_more(&w->r->wave, w->task, w->n_task, &w->cap_task, sizeof *wider);
    if (!wider) return;
    w->task = wider;
    task *t = &w->task[w->n_task++];
    *t = (task){ .j = { .lane = d->l, .b = b },
                 .to = to,
                 .f = d->fusion,
                 .cost = plan_cost(w->n, d->fusion, b, d->l),
                 .weights = weights_of(d->l, w->n, d->fusion) };
    for (int k = 0; k < plan_inputs(w->n, d->fusion); k++)
        t->j.xb[k] = plan_need(w->n, d->fusion, k, b, d->l);
    w->r->info.n_op += t->cost;
    w->r->info.n_cell += box_cells(b);
}

static void tasks_add(wave *w, const due *d, box b, patch to)
{
    if (!w->n->op->scattered) {
        task_add(w, d, b, to);
        return;
    }
    for (int32_t a = b.a0; a < b.a1; a++) task_add(w, d, (box){ b.r0, b.r1, a, a + 1 }, to);
}

static void reach_patches(wave *w, const due *d, int k, region *out)
{
    const cell *in = cell_get(d->l, plan_input(w->n, d->fusion, k));
    arena *mem = &w->r->wave;
    for (int i = 0; in && in->hold && i < in->hold->n_patch; i++)
        plan_reach(mem, out, w->n, d->fusion, k, in->hold->patch[i].b, d->l);
    for (int i = 0; in && in->due && i < in->due->n_patch; i++)
        plan_reach(mem, out, w->n, d->fusion, k, in->due->patch[i].b, d->l);
}

static void take_patches(wave *w, const due *d, const edit *e, region *out)
{
    const cell *src = cell_get(d->l, e->from_n);
    for (int i = 0; src && src->hold && i < src->hold->n_patch; i++)
        region_add(&w->r->wave, out, take_in(e, src->hold->patch[i].b, d->l));
    for (int i = 0; src && src->due && i < src->due->n_patch; i++)
        region_add(&w->r->wave, out, take_in(e, src->due->patch[i].b, d->l));
}

/* As pass 1, but from what did change. */
static region changed_now(wave *w, const due *d, const edit *e, int n_e)
{
    arena *mem = &w->r->wave;
    region now = { 0 };
    if (!w->n->op) return now;
    region_add(mem, &now, lane_news(d->l, w->n));
    plan_reach_length(mem, &now, w->n, d->fusion, d->l);
    for (int k = 0; k < plan_inputs(w->n, d->fusion); k++) reach_patches(w, d, k, &now);
    for (int i = 0; i < n_e; i++) {
        if (e[i].edge && e[i].owner == d->l) region_add(mem, &now, edit_where(&e[i], d->l));
        else if (e[i].kind == EDIT_TAKE && !e[i].from && e[i].owner != d->l)
            take_patches(w, d, &e[i], &now);
    }
    plan_couple(mem, &now, e, n_e, d->l);
    return now;
}

/* A patch for each home that b meets. */
static void patches_add(wave *w, due *d, box b)
{
    for (int32_t i = 0; i < d->n_home; i++) {
        const home *h = &d->home[i];
        box cut = box_cut(b, h->b);
        if (box_empty(cut)) continue;
        patch *wider = list_more(&w->r->mem, d->patch, d->n_patch, &d->cap_patch, sizeof *wider);
        if (!wider) return;
        d->patch = wider;
        d->patch[d->n_patch++] = (patch){ cut, h->b, home_at(w->r, d, h) };
    }
}

static void due_open(wave *w, due *d)
{
    arena *mem = &w->r->wave;
    edit e[MAX_EDITS];
    int n_e = lane_edits(d->l, w->n, e);
    region now = changed_now(w, d, e, n_e), calc = { 0 }, own = { 0 };
    for (int i = 0; i < d->want.n; i++) region_add_cut(mem, &calc, &now, *region_box(&d->want, i));
    for (int i = 0; i < calc.n; i++) patches_add(w, d, *region_box(&calc, i));
    d->n_calc = d->n_patch;
    for (int32_t i = 0; i < d->n_calc; i++) {
        region left = { 0 };
        plan_kernel(mem, &left, &d->want, d->patch[i].b, e, n_e, d->l);
        for (int j = 0; j < left.n; j++) tasks_add(w, d, *region_box(&left, j), d->patch[i]);
    }
    for (int i = 0; i < n_e; i++)
        if (e[i].owner == d->l) region_add_cut(mem, &own, &d->want, edit_where(&e[i], d->l));
    for (int i = 0; i < calc.n; i++) region_sub(mem, &own, *region_box(&calc, i));
    for (int i = 0; i < own.n; i++) patches_add(w, d, *region_box(&own, i));
}

/* ---- kernel calls ---- */

static call_id call_of(const task *t)
{
    return (call_id){ .weights = t->weights, .f = t->f, .a0 = t->j.b.a0, .a1 = t->j.b.a1 };
}

static bool same_call(call_id x, call_id y)
{
    return x.a0 == y.a0 && x.a1 == y.a1 && x.weights == y.weights && x.f == y.f;
}

static uint64_t call_key(call_id x)
{
    uint64_t k = (uint64_t)(uint32_t)x.a0 << 32 | (uint32_t)x.a1;
    k = (k ^ (uintptr_t)x.weights) * UINT64_C(0x9e3779b97f4a7c15);
    k = (k ^ k >> 29 ^ (uintptr_t)x.f) * UINT64_C(0xbf58476d1ce4e5b9);
    return k ^ k >> 32;
}

/* Sort the tasks into calls, by a table of the calls' numbers: there may be as many calls as tasks. */
static bool calls_make(wave *w)
{
    int32_t size = 8;
    while (size < 2 * w->n_task) size *= 2;
    int32_t *table = arena_array(&w->r->wave, size, sizeof *table); /* number + 1 */
    w->call = arena_array(&w->r->wave, w->n_task, sizeof *w->call);
    if (!table || !w->call) return false;
    for (int32_t i = 0; i < w->n_task; i++) {
        task *t = &w->task[i];
        call_id id = call_of(t);
        int32_t at = (int32_t)(call_key(id) & (uint64_t)(size - 1));
        while (table[at] && !same_call(id, w->call[table[at] - 1].id)) at = (at + 1) & (size - 1);
        call_list *c = &w->call[table[at] ? table[at] - 1 : w->n_call];
        if (!table[at]) table[at] = ++w->n_call, c->id = id, c->first = i;
        else w->task[c->last].next = i;
        c->last = i, c->n_task++, c->n_line += t->j.b.r1 - t->j.b.r0;
        t->next = -1;
    }
    return true;
}

static bool batch_lines(wave *w, batch *b, const patch *to)
{
    arena *mem = &w->r->wave;
    void **y = arena_array(mem, b->n_line, sizeof *y);
    int32_t *pos = arena_array(mem, b->n_line, sizeof *pos),
            *owner = arena_array(mem, b->n_line, sizeof *owner);
    if (!y || !pos || !owner) return false;
    int32_t at = 0;
    for (int32_t j = 0; j < b->n_job; j++)
        for (int32_t r = b->job[j].b.r0; r < b->job[j].b.r1; r++, at++) {
            y[at] = patch_at(b->job[j].lane, w->n, &to[j], r, b->a0);
            pos[at] = r, owner[at] = j;
        }
    b->y = y, b->pos = pos, b->line_job = owner;
    return true;
}

/* Row pointers of input k for all jobs, end to end; weights once for all of them. */
static bool batch_input(wave *w, batch *b, job *jobs, int k)
{
    const node *in = b->in[k];
    int64_t n_row = 0, at = 0;
    if (in->extent == WEIGHT) {
        b->w[k] = weight_see(jobs[0].lane, in);
        return true;
    }
    for (int32_t i = 0; i < b->n_job; i++)
        n_row += box_empty(jobs[i].xb[k]) ? 0 : jobs[i].xb[k].r1 - jobs[i].xb[k].r0;
    const void **row = b->x[k] = arena_array(&w->r->wave, n_row + 1, sizeof *row);
    for (int32_t i = 0; row && i < b->n_job; i++) {
        box need = jobs[i].xb[k];
        jobs[i].x0[k] = (int32_t)at;
        if (box_empty(need)) continue;
        if (!lane_view(&w->r->wave, jobs[i].lane, in, need, row + at)) return false;
        at += need.r1 - need.r0;
    }
    return row != NULL;
}

typedef struct call {
    const kernel *kernel;
    const batch *b;
    char *scratch;
    size_t scratch_bytes;
    int64_t n_unit, n_slice;
} call;

/* A slice is one worker's share, with its own scratch. */
static void run_slices(void *user, int64_t first, int64_t end)
{
    const call *c = user;
    for (int64_t i = first; i < end; i++) {
        int64_t u0 = i * c->n_unit / c->n_slice, u1 = (i + 1) * c->n_unit / c->n_slice;
        char *own = c->scratch ? c->scratch + (size_t)i * c->scratch_bytes : NULL;
        if (u0 < u1) c->kernel->run(c->b, u0, u1, own);
    }
}

static bool kernel_run(wave *w, const batch *b, int64_t cost)
{
    const engine *e = w->r->s->e;
    const kernel *k = b->fusion ? e->fused_of(e, b->fusion->def) : e->kernel_of(e, w->n->op);
    if (e->by_weights) k = e->by_weights(e, b, k);
    call c = { .kernel = k, .b = b };
    c.n_unit = k->units ? k->units(b) : b->n_line;
    c.n_slice = e->pool && cost >= e->wake ? pool_threads(e->pool) : 1;
    if (c.n_slice > c.n_unit) c.n_slice = c.n_unit;
    if (k->scratch) c.scratch_bytes = (k->scratch(b, (size_t)e->real_bytes) + 63) / 64 * 64;
    if (c.scratch_bytes) {
        c.scratch = arena_get(&w->r->wave, c.scratch_bytes * (size_t)c.n_slice + 64);
        if (!c.scratch) return false;
        c.scratch += (64 - (uintptr_t)c.scratch % 64) % 64;
    }
    if (c.n_slice > 1) pool_run(e->pool, run_slices, &c, c.n_slice);
    else run_slices(&c, 0, c.n_slice);
    w->r->info.n_call++;
    return true;
}

static bool call_kernel(wave *w, const call_list *c)
{
    const task *key = &w->task[c->first];
    batch b = { .n = w->n,
                .a0 = key->j.b.a0,
                .a1 = key->j.b.a1,
                .n_line = c->n_line,
                .real_bytes = w->r->s->e->real_bytes,
                .fusion = key->f,
                .in = key->f ? key->f->leaf : (const node *const *)w->n->in };
    job *jobs = arena_get(&w->r->wave, (size_t)c->n_task * sizeof *jobs);
    patch *to = arena_get(&w->r->wave, (size_t)c->n_task * sizeof *to);
    if (!jobs || !to) return false;
    int64_t cost = 0;
    for (int32_t i = c->first; i >= 0; i = w->task[i].next) {
        const task *t = &w->task[i];
        to[b.n_job] = t->to, jobs[b.n_job++] = t->j;
        cost += t->cost;
    }
    b.job = jobs;
    if (!batch_lines(w, &b, to)) return false;
    for (int k = 0; k < plan_inputs(w->n, key->f); k++)
        if (!batch_input(w, &b, jobs, k)) return false;
    return kernel_run(w, &b, cost);
}

/* ---- closing: edits, and giving up what is equal ---- */

static const void **parent_lines(wave *w, const due *d, box b)
{
    const lane *p = d->l->parent;
    const void **row = arena_array(&w->r->wave, b.r1 - b.r0, sizeof *row);
    if (!row || !p) return row;
    box known = box_cut(b, lane_common(d->l, w->n));
    if (!box_empty(known) && !lane_view(&w->r->wave, p, w->n, known, row)) return NULL;
    return row;
}

/* An own edit on a cell that is otherwise the parent's starts from the parent's value. */
static bool patch_copy(wave *w, const due *d, const patch *p)
{
    const session *s = w->r->s;
    const void **row = parent_lines(w, d, p->b);
    for (int32_t r = p->b.r0; row && r < p->b.r1; r++) {
        char *y = patch_at(d->l, w->n, p, r, p->b.a0);
        size_t bytes = (size_t)(p->b.a1 - p->b.a0) * (size_t)node_width(w->n, r, d->l) *
                       (size_t)s->e->real_bytes;
        if (row[r - p->b.r0]) memcpy(y, row[r - p->b.r0], bytes);
        else memset(y, 0xff, bytes); /* hidden from the parent by the set that comes next */
    }
    return row != NULL;
}

/* Has the parent resolved b, and, where l is to hold its value, will the parent hold its own?  Where
 * a set hid b from the parent it may not have; its line then has a hole, and a hole equals nothing. */
static bool parent_has(wave *w, const due *d, box b)
{
    bool held = region_meets(&d->stay, b);
    for (const lane *l = d->l->parent; l; l = l->parent) {
        const cell *c = cell_get(l, d->n);
        if (!c || !(region_meets(&c->may, b) || !l->parent)) continue;
        region has = { 0 }; /* what is held may have been computed again: it counts once */
        if (c->hold) region_add_cut(&w->r->wave, &has, &c->hold->done, b);
        if (c->due && c->due->got.n)
            region_add_cut(&w->r->wave, &has, held ? &c->due->stay : &c->due->got, b);
        return region_has(&has, b);
    }
    return false;
}

/* Heads are told apart; of finer parts (neurons, vocabulary) a line counts as a whole, lest a
 * region fall to dust. */
enum { FINE_PARTS = 64 };

/* Boxes found row by row, put together before they go into a region: rows that end alike are one box. */
typedef struct gathering {
    arena *mem;
    region *out;
    box open; /* grows downwards while rows have the same parts */
} gathering;

static void gather(gathering *x, box b)
{
    if (b.r0 == x->open.r1 && b.a0 == x->open.a0 && b.a1 == x->open.a1) {
        x->open.r1 = b.r1;
        return;
    }
    region_add(x->mem, x->out, x->open);
    x->open = b;
}

/* Does part [a, a + step) of row r, at `mine`, differ from the parent's, at `old` (NULL: it has none)? */
static bool part_changes(wave *w, const due *d, box b, const char *old, const char *mine,
                         size_t bytes, bool known)
{
    return !old || memcmp(old, mine, bytes) || !(known || parent_has(w, d, b));
}

/* Where p differs from the parent. */
static bool patch_changes(wave *w, const due *d, const patch *p, region *out)
{
    const node *n = w->n;
    const session *s = w->r->s;
    const void **row = parent_lines(w, d, p->b);
    int32_t step = n->n_part <= FINE_PARTS ? 1 : p->b.a1 - p->b.a0;
    box common =
        box_cut(p->b, lane_common(d->l, n)); /* none of it: a new position, which nobody has */
    bool known = !box_empty(common) && parent_has(w, d, p->b);
    gathering all = { .mem = &w->r->wave, .out = out };
    for (int32_t r = p->b.r0; row && r < p->b.r1; r++) {
        const char *old = row[r - p->b.r0], *mine = patch_at(d->l, n, p, r, p->b.a0);
        size_t bytes = (size_t)step * (size_t)node_width(n, r, d->l) * (size_t)s->e->real_bytes;
        box beside = { r, r + 1, p->b.a0, p->b.a0 }; /* parts next to each other */
        for (int32_t a = p->b.a0; a < p->b.a1; a += step, mine += bytes) {
            bool changed =
                part_changes(w, d, (box){ r, r + 1, a, a + step }, old, mine, bytes, known);
            if (changed && beside.a1 < a && beside.a0 < beside.a1) gather(&all, beside);
            if (changed) beside = (box){ r, r + 1, beside.a1 == a ? beside.a0 : a, a + step };
            if (old) old += bytes;
        }
        if (beside.a0 < beside.a1) gather(&all, beside);
    }
    region_add(&w->r->wave, out, all.open);
    return row != NULL;
}

static bool due_edit(wave *w, due *d)
{
    edit e[MAX_EDITS];
    int n_e = lane_edits(d->l, w->n, e);
    for (int32_t i = d->n_calc; i < d->n_patch; i++)
        if (!patch_copy(w, d, &d->patch[i])) return false;
    for (int i = 0; i < n_e; i++) /* what was only copied has the inherited ones already */
        if (!edit_apply(w->r, d, &e[i], 0, e[i].owner == d->l ? d->n_patch : d->n_calc))
            return false;
    return true;
}

static bool due_close(wave *w, due *d)
{
    patch *was = d->patch;
    int32_t n_was = d->n_patch;
    if (!due_edit(w, d)) return false;
    d->got = d->want;
    if (!d->l->parent || w->r->s->keep_equal) return true;
    d->patch = NULL, d->n_patch = d->cap_patch = 0;
    for (int32_t i = 0; i < n_was; i++) {
        region changed = { 0 };
        if (!patch_changes(w, d, &was[i], &changed)) return false;
        for (int j = 0; j < changed.n; j++) {
            patch *wider =
                list_more(&w->r->mem, d->patch, d->n_patch, &d->cap_patch, sizeof *wider);
            if (!wider) return false;
            d->patch = wider;
            d->patch[d->n_patch++] = (patch){ *region_box(&changed, j), was[i].home, was[i].v };
        }
    }
    return true;
}

/* ---- one node ---- */

status wave_node(run *r, int32_t generation, const node *n, error *err)
{
    wave w = { .r = r, .n = n };
    due_list *list = run_list(r, generation, n);
    bool fine = true;
    arena_reset(&r->wave);
    for (due *d = list->eldest; d && fine; d = d->younger) {
        if (n->extent == WEIGHT) fine = weight_resolve(r, d);
        else due_open(&w, d);
    }
    if (n->extent != WEIGHT) {
        fine = !r->wave.failed && !r->mem.failed;
        if (fine && w.n_task) fine = calls_make(&w);
        for (int32_t i = 0; fine && i < w.n_call; i++) fine = call_kernel(&w, &w.call[i]);
        for (due *d = list->eldest; d && fine; d = d->younger) fine = due_close(&w, d);
    }
    if (fine && !r->wave.failed && !r->mem.failed) return E_OK;
    return error_set(err, E_NOMEM, "run: out of memory at node %d (%s)", n->id,
                     n->op ? n->op->name : "weight");
}
/* SPDX-License-Identifier: MIT */
