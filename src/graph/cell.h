/* cell -- what session.c, plan.c, layout.c, wave.c and run.c share; nobody else includes it.
 *
 * A *cell* is one node in one lane, made only where the lane may differ from its parent.
 * It says what may differ (plan.c) and what is held.  While a run is under way a cell that
 * has something to resolve also has a *due*, which lives in the run's memory: nothing of a
 * lane changes until the whole run has succeeded. */
#ifndef MICROTOME_GRAPH_CELL_H
#define MICROTOME_GRAPH_CELL_H
#include "graph/session.h"

/* Stored values: `home` is the box the memory is laid out for, b (within home) what is meant.
 * Row-major: [row][part][width]. */
typedef struct patch {
    box b, home;
    char *v;
} patch;

/* What a cell keeps between runs. */
typedef struct hold {
    region asked; /* by the user */
    region done;  /* resolved: a patch holds it, or it equals the parent's */
    patch *patch; /* disjoint */
    int32_t n_patch;
    char *weight; /* an edited weight that is kept, whole, in the lane's `weights`; see due */
} hold;

typedef struct cell {
    region calc;     /* where inputs may differ: the kernel may have to run */
    region may;      /* calc, and where the lane's own edits act */
    hold *hold;      /* NULL: nothing asked, nothing held */
    struct due *due; /* NULL: nothing to do in this run */
} cell;

/* Memory for one box of what may be computed. */
typedef struct home {
    box b;
    int64_t at; /* offset in the run's slab, or in the lane's own chunk */
    bool stays; /* in the lane's chunk: asked for, or the lane is kept */
} home;

typedef struct due {
    lane *l;
    cell *c;
    const node *n;
    struct due *elder, *younger; /* of the same node, by age of the lane */
    region want;                 /* must be resolved in this run */
    region stay; /* of that, what is held afterwards: asked of l or of a lane that reads l */
    region got;  /* is resolved */
    const fusion *fusion;
    home *home;
    patch *patch; /* made by the wave: n_calc computed ones, then those only edited */
    hold *result; /* what will be held (run.c) */
    char *weight; /* an edited weight, whole; its patches then say where it differs */
    bool keeps;   /* it stays with the lane, in a block of its own: weight - BLOCK_HEAD */
    int32_t n_home, n_patch, cap_patch, n_calc;
} due;

/* The dues of one node, youngest lane first. */
typedef struct due_list {
    due *youngest, *eldest;
} due_list;

typedef struct edge_use {
    const node *reader;
    box slice;
    int32_t index;
    struct edge_use *next;
} edge_use;

/* Values a lane holds: one block for each run that left something, behind its head; each begins at a line of cache. */
typedef struct value_block {
    struct value_block *next;
    size_t bytes;
} value_block;
enum { BLOCK_HEAD = 64, BLOCK_ALIGN = 64 };

static inline int64_t block_aligned(int64_t bytes)
{
    return (bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

struct lane {
    session *s;
    lane *parent, *next, *prev;
    arena mem;
    value_block *values, *weights; /* weights: edited ones that are kept, a block each */
    int32_t len, serial, generation, n_cell;
    int32_t n_user;    /* children, and lanes that take from it */
    int32_t n_planned; /* nodes for which `may` is known */
    cell **cell;       /* by node id; NULL: as in the parent */
    edit *edit, **edit_end;
    edge_use *edge;      /* reader slices with edges edited in this lane (mirror.c) */
    int64_t chunk_bytes; /* of the values that stay, in the run under way */
    char *chunk;
    bool keep, keep_weights, sweep, dropped;
    bool idle;   /* an edit of its own was seen to leave values as they are (idle.c) */
    bool ran;    /* inputs and edits are fixed */
    bool asks;   /* something asked for is not held yet */
    bool busy;   /* it has something to do in the run under way */
    bool pinned; /* lanes of a later generation read it in this run */
};

struct session {
    graph g; /* the overlay */
    const engine *e;
    lane *first, *last;
    int32_t n_lane, n_serial;
    int32_t *n_edit; /* by node id: live edits, so that most nodes skip the search */
    int32_t cap_edit;
    int64_t limit_bytes, free_bytes; /* 0: none; not asked yet */
    int64_t weight_bytes;            /* of edited weights that lanes keep */
    run_info total;
    char *slab; /* kept from run to run: fresh pages cost more than they hold */
    int64_t slab_bytes;
    session_tell *tell;
    void *tell_user;
    bool poison, keep_equal;
    unsigned char poison_byte; /* another each time: two holes never look equal */
};

/* A stretch of the slab, and until which turn it is needed. */
typedef struct slot {
    int64_t at, bytes;
    int32_t end;
} slot;

/* One run: its plan and its memory, gone at its end. */
typedef struct run {
    session *s;
    arena mem;      /* dues, regions, homes */
    arena wave;     /* scratch of one node */
    due_list *list; /* [generation][node id] */
    int32_t n_generation, n_node;
    int32_t *last_use; /* by node id: the graph's, or for ever where a take reads it */
    slot *slot;        /* of the generation under way, by address */
    int32_t n_slot;
    char *slab;
    int64_t slab_bytes, chunk_bytes;
    int64_t plan_op, plan_cell; /* what pass 2 allows for */
    run_info info;
    error refused; /* the first thing planning found wrong */
} run;

/* What stands where nobody has computed anything, in tests: finite numbers, which tests notice more often
 * than NaN. */
static inline void poison(session *s, void *p, int64_t bytes)
{
    unsigned char *b = p;
    int x = s->poison_byte++ & 0x3f;
    for (int64_t i = 0; i < bytes; i++) b[i] = (unsigned char)x;
}

static inline cell *cell_get(const lane *l, const node *n)
{
    return n->id < l->n_cell ? l->cell[n->id] : NULL;
}

/* Has any lane an edit of n itself? */
static inline bool has_edits(const session *s, const node *n)
{
    return n && n->id < s->cap_edit && s->n_edit[n->id];
}

static inline due_list *run_list(run *r, int32_t generation, const node *n)
{
    return &r->list[(int64_t)generation * r->n_node + n->id];
}

/* session.c: the cell, made if need be; its hold, made if need be.  The rows the parent lacks, or lays out otherwise;
 * those that both have, laid out alike.
 *
 * [err: NULL when out of memory | owns: the lane | thread: the session's | cost: O(1)] */
cell *cell_need(lane *l, const node *n);
hold *cell_hold(lane *l, cell *c);
box lane_news(const lane *l, const node *n);
box lane_common(const lane *l, const node *n);

/* session.c: may l still be given inputs or edits (`what`)?
 *
 * [err: FROZEN | owns: nothing | thread: the session's | cost: O(1)] */
status lane_open(const lane *l, const char *what, error *err);

/* view.c: row[i] = line want.r0 + i of n as lane l sees it, at part want.a0; NULL where nobody has it.
 * Lines of which only some parts are l's own are put together in mem.
 *
 * [err: false when out of memory | owns: mem | thread: the session's | cost: O(rows + patches of the ancestors)] */
bool lane_view(arena *mem, const lane *l, const node *n, box want, const void **row);
char *patch_at(const lane *l, const node *n, const patch *p, int32_t row, int32_t part);

/* weight.c: n with l's edits into out ([row][column], in the session's precision).
 *
 * [err: NULL when out of memory | owns: nothing | thread: the session's | cost: O(numbers)] */
char *weight_copy(arena *mem, const lane *l, const node *n, char *out);
void weight_line(const session *s, const node *n, int32_t row,
                 char *out); /* a row of the model's */

/* weight.c: a weight with l's edits, whole, and where it differs from what the parent sees; which weights' copies stay
 * with their lanes, of this run (after all else is laid out); the lane holds them; those of a lane, or of a run that
 * failed, are freed.
 *
 * [err: false, r->mem.failed | owns: r, then l | thread: the session's | cost: O(numbers); O(dues)] */
bool weight_resolve(run *r, due *d);
void weights_keep(run *r);
bool weights_prepare(due *d);
void weights_commit(due *d);
void weights_drop(due *d);
void weights_free(lane *l);

/* weight.c: the nearest lane in which weight n differs in this run (NULL: the model's); n as l sees it.
 *
 * [err: none | owns: the run | thread: the session's | cost: O(ancestors)] */
const lane *weight_owner(const lane *l, const node *n);
weight_view weight_see(const lane *l, const node *n);

/* edit.c: does e overwrite whole parts (what was there is not needed)?  What must be there together for
 * e to act on b (a projection across parts; a callback: everything).
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
bool edit_covers(const edit *e, const lane *l, box *hidden);
bool edit_couples(const edit *e);
box edit_widen(const edit *e, box b, const lane *l);
box edit_where(const edit *e, const lane *l);

/* edit.c: where a take's source rows land, and the other way round.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
box take_in(const edit *e, box source, const lane *l);
box take_out(const edit *e, box here, const lane *l);

/* edit.c: apply e to the patches [first, end) of a due.
 *
 * [err: false when out of memory | owns: nothing | thread: the session's | cost: O(numbers)] */
bool edit_apply(run *r, due *d, const edit *e, int32_t first, int32_t end);

/* edit.c: apply e, which couples nothing, to the parts b of one row, from y on; src: the row it takes from, from the part
 * that goes to b.a0 on.
 *
 * [err: none | owns: nothing | thread: any | cost: O(numbers)] */
void edit_row(const edit *e, const lane *l, box b, char *y, const char *src);

/* idle.c: where e, the lane's own and alone on a node whose inputs do not change, may change anything, added to may.
 *
 * [err: l->mem.failed | owns: l->mem | thread: the session's | cost: O(numbers)] */
void edit_may(lane *l, const edit *e, region *may);

/* edit.c: take back the lane's last edit; give a lane an edit another lane has (perhaps a longer one:
 * what lies outside is clipped, as when it is inherited).
 *
 * [err: NOMEM | owns: copies v | thread: the session's | cost: O(values)] */
void lane_edit_undo(lane *l);
status lane_edit_again(lane *l, const edit *e, error *err);

/* plan.c: pass 1 for one lane; what it asks for; pass 2 for all; edits that nothing depends on.
 *
 * [err: r->mem.failed, r->refused | owns: l, r | thread: the session's | cost: O(touched nodes)] */
status plan_lane(lane *l, error *err);
void plan_ask(run *r, lane *l);
void plan_needs(run *r);
void plan_effects(run *r, const lane *l);

/* plan.c: the fusion that may compute n in this lane, as its inner nodes are neither edited nor seen; NULL: none.
 *
 * [err: none | owns: the graph | thread: the session's | cost: O(inner nodes)] */
const fusion *plan_fusion(const lane *l, const node *n, bool (*seen)(const cell *c));

/* plan.c: what wave.c asks again, of what did change: f NULL or the fusion n is computed by.
 *
 * [err: mem->failed | owns: mem | thread: the session's | cost: O(boxes)] */
box plan_need(const node *n, const fusion *f, int k, box b, const lane *l);
int64_t plan_cost(const node *n, const fusion *f, box b, const lane *l);
void plan_reach(arena *mem, region *out, const node *n, const fusion *f, int k, box changed,
                const lane *l);
void plan_reach_length(arena *mem, region *out, const node *n, const fusion *f, const lane *l);
void plan_kernel(arena *mem, region *out, const region *want, box calc, const edit *e, int n_e,
                 const lane *l);
void plan_couple(arena *mem, region *calc, const edit *e, int n_e, const lane *l);
static inline int plan_inputs(const node *n, const fusion *f) { return f ? f->n_leaf : n->n_in; }
static inline const node *plan_input(const node *n, const fusion *f, int k)
{
    return f ? f->leaf[k] : n->in[k];
}

/* layout.c: give every home its place, slab and chunks their sizes.  Then, turn by turn of a run:
 * poison what is not needed after it.
 *
 * [err: r->mem.failed | owns: r | thread: the session's | cost: O(dues), O(slots)] */
void layout_values(run *r);
void layout_poison(run *r, int32_t generation, int32_t turn);

/* The memory of a home, once slab and chunks are there.
 *
 * [err: none | owns: nothing | thread: the session's | cost: O(1)] */
static inline char *home_at(const run *r, const due *d, const home *h)
{
    return (h->stays ? d->l->chunk : r->slab) + h->at;
}

/* wave.c: pass 3 for one node.
 *
 * [err: NOMEM | owns: r | thread: the session's | cost: what it computes] */
status wave_node(run *r, int32_t generation, const node *n, error *err);

#endif
/* SPDX-License-Identifier: MIT */
