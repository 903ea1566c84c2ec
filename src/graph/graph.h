/* graph -- nodes, ops and sites.  Names no op: ops arrive as op_def.
 *
 * A node is an op applied to earlier nodes.  A graph only ever grows, and a loaded
 * model's is never touched again: a session adds its metrics, mirrors and gradients
 * to an *overlay*, a graph of its own whose `base` is the model's.  Ids run through
 * both: base nodes first.
 *
 * A node's value in one lane is a table of lines; which lines there are is its extent:
 *
 *     ROW     one per position                             [pos, part, width]
 *     PAIR    one per query, as wide as the keys it sees   [query, part, key - first key]
 *     LANE    one per sequence                             [part, width]
 *     WEIGHT  rows of its own, belongs to the model        [row, column]  (width 1)
 *
 * A line is n_part parts of `width` numbers, contiguous.  The width of a PAIR line
 * depends on the position alone, so lanes of different lengths lay out a shared row
 * alike, and masked keys do not exist.  Only where queries see both ways is it the
 * lane's length: lanes of different lengths then share no such row.
 *
 * Read region.h first, session.h next. */
#ifndef MICROTOME_GRAPH_GRAPH_H
#define MICROTOME_GRAPH_GRAPH_H
#include "base/error.h"
#include "graph/region.h"
#include "tensor/dtype.h"

enum { MAX_IN = 4, MAX_ATTR = 6 };
typedef enum extent { ROW, PAIR, LANE, WEIGHT } extent;
typedef struct node node;
typedef struct graph graph;
typedef struct lane lane;

/* ---- what a kernel is given ---- */

/* A weight as a kernel sees it: row r is the row_bytes at weight_at(w, r), of whatever type.
 * An edited weight is a whole copy in the session's precision. */
typedef struct weight_view {
    const char *base;
    int64_t row_bytes;
    dtype dtype;
    int64_t pair; /* rows lie where dtype_row_place says; 0: in order */
} weight_view;

static inline const char *weight_at(const weight_view *w, int64_t row)
{
    return w->base + dtype_row_place(row, w->pair) * w->row_bytes;
}

/* One box of one node in one lane. */
typedef struct job {
    lane *lane;
    box b;              /* what to compute */
    box xb[MAX_IN];     /* need() of b, per input */
    int32_t x0[MAX_IN]; /* index in x[k] of row xb[k].r0 */
} job;

/* One kernel call: boxes of one node from any number of lanes, all with the same parts [a0, a1)
 * and the same weights.  Numbers are float or double (the session's precision).
 *
 * Kernels get *row pointers*, in and out.  Nothing is gathered by copying and nothing scattered:
 * an input row lies wherever the lane, its parent or its grandparent keeps it, an output row goes
 * straight where the lane will keep it.  A pointer is to the first part asked for. */
typedef struct batch {
    const node *n;
    int32_t a0, a1, n_line, n_job, real_bytes;
    void **y;                /* [n_line] output lines, at part a0 */
    const int32_t *pos;      /* [n_line] their rows */
    const int32_t *line_job; /* [n_line] whose they are */
    const void **x[MAX_IN];  /* inputs read row by row: [n_line]; spans: see job.x0 */
    weight_view w[MAX_IN];   /* inputs that are weights; absolute rows and columns */
    const job *job;
    const node *const *in;       /* the inputs' nodes: n->in, or the leaves of a fusion; [MAX_IN] */
    const struct fusion *fusion; /* NULL: the node's own op */
} batch;

/* A unit of a call: what one worker does on its own.  Units write disjoint memory. */
typedef struct kernel {
    int64_t (*units)(const batch *b);                     /* NULL: one per line */
    size_t (*scratch)(const batch *b, size_t real_bytes); /* bytes one worker needs; NULL: none */
    void (*run)(const batch *b, int64_t first, int64_t end, void *scratch);
} kernel;

/* ---- what an op is ---- */

/* op/NAME.c defines `const op_def op_NAME_def`. */
typedef struct op_def {
    const char *name;
    int8_t n_in, n_optional; /* inputs, of which the last n_optional may be missing */
    bool scattered;          /* need() of several parts is no box: it is asked part by part */
    /* Fill extent, n_part, width, window, axes from in[] and attr; NULL when fine, else why not. */
    const char *(*shape)(node *n);
    /* Which output depends on `changed` of input k; a superset is allowed, a miss is not.
     * NULL for scattered ops, where need() says it all. */
    box (*reach)(const node *n, int k, box changed, const lane *l);
    /* Which of input k the output `wanted` depends on.  reach and need are transposes.  Of a weight
     * it may depend on the parts, not on the rows: a call sees its weights once. */
    box (*need)(const node *n, int k, box wanted, const lane *l);
    kernel kernel; /* the canonical order of operations, in plain C */
    int64_t (*cost)(const node *n, box b, const lane *l); /* multiply-adds, about */
    /* d/d in[k] as new nodes, or NULL where nothing flows. */
    node *(*vjp)(graph *g, node *n, node *dy, int k);
    /* The i-th example of this op on small random inputs, for tests and benches; NULL: no more. */
    node *(*sample)(graph *g, int i);
} op_def;

/* A chain of nodes that one kernel computes with the same bits: fuse/NAME.c defines
 * `const fuse_def fuse_NAME_def`.  A pattern is written as ops on ops, '*' being any node:
 * "mix(softmax(scores(*, *)), *)".  The leaves, left to right, are the kernel's inputs. */
enum { MAX_PATTERN = 4, MAX_LEAF = 4, MAX_INNER = 6 };
typedef struct fuse_def {
    const char *name;
    const char *pattern[MAX_PATTERN];                        /* tried in order; NULL ends */
    bool (*fits)(const node *root, const node *const *leaf); /* a further condition; NULL: none */
    kernel kernel;
} fuse_def;

/* Where a fusion stands in a graph. */
typedef struct fusion {
    const fuse_def *def;
    int n_leaf, n_inner;
    const node *root, *leaf[MAX_LEAF], *inner[MAX_INNER];
} fusion;

struct node {
    const op_def *op; /* NULL: an input that lanes give, or a weight */
    node *in[MAX_IN];
    int32_t n_in, id; /* id: order of birth */
    extent extent;
    int32_t n_part, width, n_row, window; /* n_row: WEIGHT only; window: PAIR only, 0 = all keys */
    double attr[MAX_ATTR];
    bool both_ways;      /* PAIR only: a query sees the keys after it too */
    bool writer, reader; /* adds to the stream; reads it: the ends of edges (mirror.h) */
    const char *part_axis, *width_axis; /* "" where there is nothing to cut or name */
    float absent;                       /* what a masked entry of a PAIR is shown as */
    weight_view weight;                 /* WEIGHT: the model's values; base NULL: none */
    const char *weight_name;
    const node *original; /* a twin: edits of that node act here too ... */
    bool adjoint;         /* ... transposed, because this is its adjoint */
};

struct site {
    const char *name;
    node *n;
};

/* A node that must be evaluated before another although it is no input: an edit copies from it. */
struct precedence {
    const node *early, *late;
};

extern const op_def graph_alias_def; /* y = x, in any precision; graph.c */

struct graph {
    arena mem;
    const graph *base; /* NULL: a model's own graph */
    node **own;        /* the nodes added here, by id - n_base */
    struct site *site;
    struct precedence *precede;
    int32_t n_base, n_own, n_site, n_precede;
    int32_t cap_own, cap_site, cap_precede;
    /* the order of evaluation (graph_sort): */
    const node **order; /* by turn */
    int32_t *turn;      /* by id */
    int32_t
        *last_use; /* by id: the turn of the last node that reads it; its own turn when none does */
    const fusion **fused;        /* by id: the fusion that may compute it, or NULL */
    const fuse_def *const *fuse; /* what graph_sort looks for; may be NULL */
    int32_t n_sorted;
    struct mirror **mirror; /* mirror.h */
    int32_t n_mirror;
    error err; /* the first thing that went wrong while building */
};

/* ---- building: cannot half-fail; after the first bad call all later ones return NULL and the
 *      reason is in g->err ---- */

/* An empty graph, over `base` or none; g is the caller's storage, base must outlive it.
 *
 * [err: none | owns: the caller, graph_release | thread: g's own | cost: O(1)] */
void graph_init(graph *g, const graph *base);
void graph_release(graph *g);

/* An input that lanes give; a weight (its values borrowed until the graph is released).
 *
 * [err: g->err: NOMEM SHAPE | owns: g | thread: g's own | cost: O(1)] */
node *graph_input(graph *g, extent e, int n_part, int width);
node *graph_weight(graph *g, const char *name, weight_view w, int n_row, int n_col);

/* An op on inputs (optional ones NULL) and attributes; the generated op_NAME() call it.
 *
 * [err: g->err: NOMEM SHAPE | owns: g | thread: g's own | cost: O(1)] */
node *graph_push(graph *g, const op_def *op, node *const in[MAX_IN], const double attr[MAX_ATTR]);

/* The same op on other inputs.  Of its own inputs: SITE@before, the same value out of reach of edits.
 *
 * [err: g->err: NOMEM SHAPE | owns: g | thread: g's own | cost: O(1)] */
node *graph_copy(graph *g, const node *n, node *const in[MAX_IN]);

/* y = x: a second place to edit x, seen by some readers only.  The one op the graph itself has.
 *
 * [err: g->err: NOMEM | owns: g | thread: g's own | cost: O(1)] */
node *graph_alias(graph *g, node *x);

/* Give n a name; the axes that its address may cut.  NULL in, NULL out, so that calls nest.
 *
 * [err: g->err: NOMEM, SHAPE for a name given twice | owns: g copies the name, axes are static | thread: g's own | cost: O(sites)] */
node *graph_site(graph *g, node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
node *graph_axes(node *n, const char *part_axis, const char *width_axis);

/* late waits for early.
 *
 * [err: g->err: NOMEM | owns: nothing | thread: g's own | cost: O(1)] */
void graph_precede(graph *g, const node *early, const node *late);

/* Bring order, turn, last_use and fused up to date.
 *
 * [err: NOMEM, CYCLE, or what building left in g->err | owns: g | thread: g's own | cost: O(nodes) after a change, else O(1)] */
status graph_sort(graph *g, error *err);

/* ---- asking ---- */

static inline int32_t graph_nodes(const graph *g) { return g->n_base + g->n_own; }

static inline node *graph_node(const graph *g, int32_t id)
{
    return id < g->n_base ? g->base->own[id] : g->own[id - g->n_base];
}

/* The site of that name, here or in the base; NULL when there is none.  A node's name, or NULL.
 *
 * [err: NULL | owns: nothing | thread: any, when g is not growing | cost: O(sites)] */
node *graph_find(const graph *g, const char *name);
const char *graph_name(const graph *g, const node *n);

/* The geometry of a line: numbers in one part of it; numbers of one part in all lines before it;
 * the first key a query sees; lines there are in a lane; all of it; numbers in a box.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int32_t node_width(const node *n, int32_t row, const lane *l);
int64_t node_offset(const node *n, int32_t row, const lane *l);
int32_t node_first_key(const node *n, int32_t query);
int32_t node_rows(const node *n, const lane *l);
box node_all(const node *n, const lane *l);
int64_t node_numbers(const node *n, box b, const lane *l);

/* Numbers in one part of line i of a call, of the output or of an input read row by row.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline int32_t batch_width(const batch *b, const node *n, int64_t i)
{
    return node_width(n, b->pos[i], b->job[b->line_job[i]].lane);
}

/* What ops may ask of a lane (session.c): its length; one number of an input that was given.
 *
 * [err: none; 0 for what was not given | owns: nothing | thread: the session's | cost: O(1)] */
int32_t lane_len(const lane *l);
double lane_input(const lane *l, const node *input, int32_t row, int32_t part);

/* Common answers for reach and need: element by element; same rows and all parts.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
box need_same(const node *n, int k, box b, const lane *l);
box reach_rows(const node *n, int k, box b, const lane *l);
box need_rows(const node *n, int k, box b, const lane *l);

/* Common answers for cost and shape: one a number; as x.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int64_t cost_numbers(const node *n, box b, const lane *l);
const char *shape_like(node *n, const node *x);

#endif
/* SPDX-License-Identifier: MIT */
