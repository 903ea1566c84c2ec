/* session -- lanes, edits, and the values they hold.
 *
 * A lane is one sequence.  Every lane is (parent, inputs, edits): where it does not
 * differ from its parent it has no values of its own.  That one sentence is
 *
 *     a prompt            parent NULL: it differs from nothing everywhere
 *     a fork              the parent's inputs, some edits
 *     a corrupt prompt    other tokens; the rows whose tokens differ are the change
 *     a shared prefix     a longer or shorter lane: rows the parent lacks are the change
 *     a decoded token     the parent's tokens and one more
 *
 * A lane's edits are its parent's, then its own.  Inputs and edits are given before the lane
 * first runs and before others build on it (forks, takes), and values never change once computed: to edit a lane that has run, fork it.  So
 * nothing is ever stale and there is nothing to invalidate.
 *
 * Invariant: every value of a lane equals, bit for bit, what a parentless lane with the same
 * inputs and edits would hold.
 *
 * What was asked for is held after a run; of a lane that is *kept*, all that was computed.
 * Anything else is freed after its last reader, and computed again if ever needed again.
 *
 * A function that fails leaves the session and every lane as they were. */
#ifndef MICROTOME_GRAPH_SESSION_H
#define MICROTOME_GRAPH_SESSION_H
#include "base/pool.h"
#include "graph/graph.h"
#include "tensor/lowrank.h"

typedef struct session session;

/* How nodes are computed: which kernels, in which precision, on which threads (backend/). */
typedef struct engine {
    const char *name;
    const char *precision; /* "f32", "f64", "fast"; NULL: by real_bytes */
    int32_t real_bytes;    /* 4: float32; 8: float64 */
    const kernel *(*kernel_of)(const struct engine *e, const op_def *op); /* never NULL */
    const kernel *(*fused_of)(const struct engine *e, const fuse_def *f); /* NULL: do not fuse */
    /* k, the kernel of this call, or another for weights of its types; NULL: always k */
    const kernel *(*by_weights)(const struct engine *e, const batch *b, const kernel *k);
    const fuse_def *const *fuse; /* NULL-terminated; NULL: fuse nothing */
    pool *pool;                  /* NULL: the caller's thread */
    int64_t wake; /* calls of fewer multiply-adds are done on the caller's thread alone */
} engine;

enum { MAX_EDITS = 64, ROW_OPEN = INT32_MAX };

typedef enum edit_kind {
    EDIT_SET,
    EDIT_ADD,
    EDIT_SCALE,
    EDIT_PROJECT,
    EDIT_TAKE,
    EDIT_CALL,
    EDIT_LOWRANK
} edit_kind;

/* One lane's slice as a table x [row, part, width], dense; to be edited in place; must be pure: the
 * same input gives the same output, whenever it is called. */
typedef void edit_fn(double *x, int64_t n_row, int64_t n_part, int64_t width, void *user);

/* What to do with numbers [w0, w1) of each part in `where`. */
typedef struct edit {
    node *n;
    box where;      /* r1 ROW_OPEN: all rows, later ones included */
    int32_t w0, w1; /* of a PAIR: absolute keys, clipped to the visible ones */
    edit_kind kind;
    double factor;   /* SCALE: the factor; SET and ADD without v: the number */
    const double *v; /* SET, ADD: values; PROJECT: the direction (any length but 0) ... */
    int64_t row_step, part_step; /* ... with these strides; 0 repeats */
    lane *from;                  /* TAKE: the source lane; NULL: the very lane the edit acts on */
    const node *from_n;          /* TAKE: the source node; its slice is as large as this one ... */
    int32_t from_row,
        from_part;      /* ... and begins at this row and part (for where.r0, where.a0) ... */
    int32_t from_w0;    /* ... and number of each part (for w0); of a PAIR: the same keys */
    edit_fn *call;      /* CALL; refused on PAIR */
    void *user;         /* borrowed until the session is freed, as is */
    const lowrank *low; /* LOWRANK: what is added to a weight; as large as all of it */
    const void
        *whole; /* edits of a lane with one mark are one to the caller, and it is enough that one of
                        * them has an effect; NULL: it stands alone */
    const lane *owner; /* filled by lane_edit, as is the rest */
    bool edge;         /* part of what computes the node: before all other edits (mirror.h) */
    bool used;         /* it has acted in a run */
    struct edit *next;
} edit;

/* e as a take of the very same slice in another lane.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline edit edit_take(edit e, lane *from)
{
    e.kind = EDIT_TAKE, e.from = from, e.from_n = e.n;
    e.from_row = e.where.r0, e.from_part = e.where.a0, e.from_w0 = e.w0;
    return e;
}

/* ---- sessions ---- */

/* A session on a model's graph (borrowed, as is the engine); overlays go into session_graph().
 *
 * [err: NOMEM | owns: the caller, session_free, which frees its lanes too | thread: one at a time | cost: O(1)] */
status session_new(session **out, const graph *base, const engine *e, error *err);
void session_free(session *s);
graph *session_graph(session *s);
const engine *session_engine(const session *s);

/* What a run would do, or did. */
typedef struct run_info {
    int64_t n_lane, n_cell, n_op; /* lanes with something to do; (row, part) cells; multiply-adds */
    int64_t n_naive_op;  /* multiply-adds of one whole forward pass for each of those lanes */
    int64_t n_touched;   /* (lane, node) pairs */
    int64_t n_call;      /* kernel calls; 0 before a run */
    int64_t value_bytes; /* memory for values, laid out before the run */
    int64_t plan_bytes;  /* and for the plan itself */
} run_info;

/* Plan what is asked for: what a run would compute at most, and its memory.  Nothing is run or changed.
 *
 * [err: as session_run | owns: nothing | thread: the session's | cost: about 1 us a touched node] */
status session_plan(session *s, run_info *out, error *err);

/* Compute all that is asked for and changed, in all lanes, node by node.  info may be NULL.
 * An edit of a lane without `sweep` that no asked-for value can depend on is refused (NOEFFECT)
 * before anything is computed.
 *
 * [err: NOMEM CYCLE NOEFFECT LIMIT (session_limit) INTERRUPTED RANGE (an input not given), or what is wrong with the graph | owns: the lanes hold the results | thread: the session's | cost: wanted and changed] */
status session_run(session *s, run_info *info, error *err);

/* Refuse runs that need more memory for values than this; 0: no limit.
 *
 * [err: none | owns: nothing | thread: the session's | cost: O(1)] */
void session_limit(session *s, int64_t bytes);

/* How many bytes of values may be meant to be used at a time: the limit, or a quarter of what memory is free on this
 * machine (as it was when first asked).  Only what is done together may depend on it, never a result.
 *
 * [err: none | owns: nothing | thread: the session's | cost: reads a file the first time] */
int64_t session_room(session *s);

/* Be told how far a run is: multiply-adds done and planned, at most once a node; false stops the run.
 *
 * [err: none | owns: user is borrowed until the session is freed | thread: the session's | cost: O(1)] */
typedef bool session_tell(void *user, int64_t n_op, int64_t n_op_all);
void session_on_progress(session *s, session_tell *tell, void *user);

/* For tests: fill memory that holds no value with changing numbers; do not let equal values end a change.
 *
 * [err: none | owns: nothing | thread: the session's | cost: O(1)] */
void session_test(session *s, bool poison, bool keep_equal);

/* Totals since the session was made.
 *
 * [err: none | owns: borrowed | thread: the session's | cost: O(1)] */
const run_info *session_totals(const session *s);

/* ---- lanes ---- */

/* A lane of `len` >= 1 rows, with its parent's inputs and edits where there is a parent.  Asking a longer
 * or a changed lane for anything needs lane_give for the inputs that differ.
 *
 * [err: NOMEM, RANGE | owns: the session owns the lane | thread: the session's | cost: O(1)] */
status lane_new(lane **out, session *s, lane *parent, int32_t len, error *err);
status lane_fork(lane **out, lane *parent, error *err);

/* Free a lane; one that others read from stays until they are gone, then goes too.
 *
 * [err: none | owns: frees l | thread: the session's | cost: O(its chunks)] */
void lane_drop(lane *l);

/* Values of an input for all rows, [row][part][width], copied.  What equals the parent's is no change.
 *
 * [err: NOMEM, FROZEN once the lane has run or others build on it | owns: copies v | thread: the session's | cost: O(rows)] */
status lane_give(lane *l, const node *input, const double *v, error *err);

/* Hold all that is computed for this lane, not only what is asked for: for lanes that will be forked.
 * lane_keep_spans asks for what a longer lane needs of this one (keys and values; where a fusion will compute what reads them,
 * what it reads, so that shared heads are held once): for decoding.  Call it behind edits and questions.  Edited weights of both, and
 * of their ancestors, are held too, where they fit within the limit and, all together, within session_room.
 *
 * [err: NOMEM | owns: nothing | thread: the session's | cost: O(1), O(nodes)] */
void lane_keep(lane *l);
status lane_keep_spans(lane *l, error *err);

/* One cell of a sweep: an edit without effect is no error here but a result (lane_effect).
 *
 * [err: none | owns: nothing | thread: the session's | cost: O(1)] */
void lane_sweep(lane *l);

typedef enum effect { EFFECT_CHANGED, EFFECT_EQUAL, EFFECT_NONE } effect;

/* After a run: did what was asked of l differ from its parent's in any bit; if not, could it have
 * (EQUAL, also where an edit writes what is there already), or does nothing lead there (NONE)?  Where l
 * sets what is asked, its parent may not have been computed for comparison: then it says CHANGED.
 *
 * [err: none | owns: nothing | thread: the session's | cost: O(asked nodes)] */
effect lane_effect(const lane *l);

/* Whose lane it is; its parent, or NULL.
 *
 * [err: none | owns: borrowed | thread: any | cost: O(1)] */
session *lane_session(const lane *l);
lane *lane_parent(const lane *l);

/* ---- edits ---- */

/* Add an edit; its values are copied.  Rejected edits leave no trace.
 *
 * [err: NOMEM, FROZEN once the lane has run or others build on it, RANGE (outside the node, too many), SHAPE (a take that does not fit), CYCLE (from a younger lane) | owns: copies v | thread: the session's | cost: O(values)] */
status lane_edit(lane *l, const edit *e, error *err);

/* The same on what one reader sees of one writer: e->n is the writer, its `where` what of the writer is
 * replaced; reader and its slice say who sees it.  See mirror.h.
 *
 * [err: as lane_edit, NOSITE when there is no such edge, UNSUPPORTED when its slice overlaps another edge's | owns: copies v | thread: the session's | cost: O(nodes) the first time] */
status lane_edit_edge(lane *l, const edit *e, node *reader, box slice, error *err);

/* The edits acting on n in lane l, ancestors' first: how many; out, which may be NULL, holds MAX_EDITS (planning
 * refuses more).
 *
 * [err: none | owns: nothing | thread: the session's | cost: O(edits), O(1) where there are none] */
int lane_edits(const lane *l, const node *n, edit *out);

/* ---- asking and reading ---- */

/* Ask for a box of a node: the next run computes it, and it is held from then on.
 *
 * [err: NOMEM, RANGE outside the node | owns: nothing | thread: the session's | cost: O(1)] */
status lane_ask(lane *l, const node *n, box b, error *err);

/* Let go of what l holds of a node within a box, and give its memory back, where nobody builds on l yet and little
 * else would have to move (up to 16 bytes for each that is freed: what a decoded token needs kept beside its logits is, a
 * long prompt is not, and holds on).  It can be asked for again, and is computed again then.
 *
 * [err: none: out of memory all is held on to | owns: nothing | thread: the session's | cost: O(what l holds)] */
void lane_forget(lane *l, const node *n, box b);

/* Copy out held values, [row][part][width] densely (a PAIR line as wide as its keys), as doubles
 * or as raw numbers of the session's precision.
 *
 * [err: RANGE when not all of it is held | owns: the caller's buffer | thread: the session's | cost: O(numbers)] */
status lane_read(lane *l, const node *n, box b, double *out, error *err);
status lane_read_raw(lane *l, const node *n, box b, void *out, error *err);

/* A parentless lane with the same inputs and edits: what forks are tested against.
 *
 * [err: NOMEM, and RANGE when an input was never given | owns: the session owns it | thread: the session's | cost: O(inputs)] */
status lane_fresh(lane **out, lane *l, error *err);

#endif
/* SPDX-License-Identifier: MIT */
