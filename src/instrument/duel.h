/* duel -- sweeps over pairs of prompts: one lane is edited, cell by cell, towards the other; a metric says
 * what that changed.  What patch and path share.
 *
 *   denoise   the corrupted prompt is run, values come from the clean one
 *   noise     the clean prompt is run, values come from the corrupted one
 *
 * A result is a tensor D.NAME with the raw metric of every cell and pair (the last axis): NaN where there is no
 * such cell.  Beside it `effect.D.NAME`: the mean over pairs of (metric - base) / (other - base), 0: as the base
 * run, 1: as the other.  A gap too small to divide by is said, and the difference stands undivided.  Ablations have
 * no other run: NAME, and as effect the mean of metric - clean.  Corrupted runs made by noise (duel_open_spoiled) differ
 * from draw to draw, some not at all or the other way: their effect is the mean gain, metric - base.  With several metrics, which one run of each cell gives,
 * every name ends in ".METRIC".
 *
 * What is swept is said as plans beforehand; duel_run does the rest: every cell of every pair is marked incomplete
 * before the first is run, and the share that is done is known.  duel.c: pairs, metric, base runs; duel_item.c: waves of
 * cells; duel_cost.c: --plan; duel_run.c: sweeps, effects; duel_control.c: what patching something else there would do. */
#ifndef MICROTOME_INSTRUMENT_DUEL_H
#define MICROTOME_INSTRUMENT_DUEL_H
#include "graph/sweep.h"
#include "instrument/shard.h"
#include "instrument/work.h"

/* What every sweep takes: duel_journal.c. */
#define DUEL_SWEEP_PARAMS                                                                          \
    { "plan", PARAM_FLAG, NULL, "say what the sweep would cost, and leave it at that",             \
      ROLE_WHAT },                                                                                 \
        { "seconds", PARAM_REAL_FROM(0), "0",                                                      \
          "stop after so long, the rest marked incomplete; 0: never", ROLE_HOW },                  \
        { "order", PARAM_ONE_OF("depth coarse"), "depth",                                          \
          "cells of the same depth together, or coarse: every 8th first (no bit differs)",         \
          ROLE_HOW },                                                                              \
        { "resume", PARAM_TEXT, NULL, "a journal of finished waves: go on from it, or begin it",   \
          ROLE_RUN },                                                                              \
    {                                                                                              \
        "shard", PARAM_TEXT, NULL, "i/n: only these cells, into FILE.i-of-n; mpi: as mpirun says", \
            ROLE_RUN                                                                               \
    }

/* The parameters of pairs, to be pasted into a table of params. */
#define DUEL_PARAMS                                                                                \
    { "pairs", PARAM_TEXT, NULL,                                                                   \
      "clean and corrupt prompts with answers: JSON, JSON lines or CSV", ROLE_FILE },              \
        WORK_LIMIT_PARAM,                                                                          \
        { "clean", PARAM_TEXT, NULL, "or one pair: the clean prompt", ROLE_WHAT },                 \
        { "corrupt", PARAM_TEXT, NULL, "the corrupted prompt, of as many tokens", ROLE_WHAT },     \
        { "answer", PARAM_TEXT, NULL, "the right answer, one token (\" Mary\", or #17)",           \
          ROLE_WHAT },                                                                             \
        { "wrong", PARAM_TEXT, NULL, "the wrong answer, one token", ROLE_WHAT },                   \
        { "metric", PARAM_TEXT, NULL,                                                              \
          "with commas: logit_diff logit logprob prob prob_diff answer_diff; usually logit_diff",  \
          ROLE_WHAT },                                                                             \
        { "direction", PARAM_ONE_OF("denoise noise both"), NULL,                                   \
          "denoise, noise or both; denoise, and with --all both", ROLE_WHAT },                     \
        { "bos", PARAM_BOS, "auto", "texts begin with BOS: auto (as the tokenizer does), yes, no", \
          ROLE_WHAT },                                                                             \
        DUEL_SWEEP_PARAMS,                                                                         \
    {                                                                                              \
        "all", PARAM_FLAG, NULL, "every sweep there is", ROLE_WHAT                                 \
    }

/* A further edit of a cell's fork.  A take without a source node (from_n) is of the same slice in the other run. */
typedef struct duel_edit {
    edit e;
    node *reader; /* an edge's reader, or NULL */
    box slice;
} duel_edit;

/* An edge on the way to a cell's own: it is edited in a fork of its own, which computes `out`, what its reader comes to;
 * the next edge takes that from there.  Shared by all cells whose ways begin alike.  The first one's edit without a source
 * node takes from the other run. */
typedef struct duel_via {
    const struct duel_via *before; /* NULL: the first */
    edit e;
    node *reader;
    box slice;
    node *out;
    box out_slice;
    int depth; /* how many are before it */
} duel_via;

enum { MAX_VIA = 16 };

/* One cell of a sweep: a take (or any edit) with reader == NULL, or an edge edit; and further edits of the same fork,
 * which its controls have too. */
typedef struct duel_cell {
    edit e;
    node *reader; /* an edge's reader, or NULL */
    box slice;
    int64_t at;          /* element of the tensor, without the pair */
    const duel_via *via; /* what e takes from, or NULL: the other run */
    duel_edit *more;     /* [n_more], the instrument's; applied after e */
    int n_more;
} duel_cell;

/* A tensor being filled, of one metric. */
typedef struct duel_tensor {
    char name[90]; /* "denoise.resid_pre" */
    double *v;     /* [n_cell][n_pair] */
    uint8_t *mark;
    int64_t n_cell; /* elements without the pair */
} duel_tensor;

/* One cell of one pair that is to be run.  `index` says which it is of all that the request asks for, 0 ..: pair by pair,
 * plan by plan, cell by cell, and behind all cells the controls in the same order.  It depends on nothing but the
 * request: not on memory, threads, waves, or what was run before. */
typedef struct duel_item {
    int64_t index;
    int pair;
    int level; /* 0: on the coarsest grid */
    lane *base;
    const duel_tensor *out; /* [n_metric] */
    duel_cell cell;
} duel_item;

/* What some cells would cost: at most, with the memory of the largest wave; less what equal values will save; and the
 * seconds of planning and what else forks cost beside them. */
typedef struct duel_price {
    run_info sum;
    int64_t n_cell;
    double n_op, seconds;
} duel_price;

/* What a sweep would cost (--plan): all of it, and what the journal (--resume) and other shards leave. */
typedef struct duel_cost {
    duel_price all, left;
    int64_t n_control, n_control_left;
    bool exact;       /* every cell was planned */
    int n_tried;      /* cells that were run to see what equal values save, and */
    int64_t tried_op; /* their multiply-adds */
} duel_cost;

enum { ABLATE = -1, DENOISE, NOISE, MAX_METRIC = 8 };

/* A lane of the way to the cell that was made last; the next one's may begin with it. */
typedef struct duel_step {
    const duel_via *via;
    const lane *base;
    lane *l;
} duel_step;

/* A metric, and what it says of the base runs. */
typedef struct duel_metric {
    metric on;
    const metric_def *def;
    double *value[2]; /* [pair] of the corrupted, of the clean run */
    double *scale;    /* [pair] how large the logits are that it is made of */
} duel_metric;

typedef struct duel duel;

/* Edit the lane of a corrupted run, which has not run. */
typedef status duel_spoil(duel *d, lane *l, int pair, error *err);

struct duel {
    work *w;
    pairs *p;
    duel_metric metric[MAX_METRIC];
    int n_metric;
    const metric_def *
        def; /* of the metric that is looked at, as the next two: the first, or as duel_metric_at says */
    double *value[2], *scale;
    char suffix[24];       /* of its tensors' names: "" or ".prob" */
    lane *clean, *corrupt; /* of the pair under way */
    bool both, noise_only;
    duel_spoil *spoil;   /* makes the corrupted run, where prompts do not; or NULL */
    int n_draw;          /* so many pairs in a row are draws of it for one prompt; 1 without */
    int pair;            /* the pair under way, and so clean, corrupt */
    lane *(*held)[2];    /* [pair]: its two lanes while they are held */
    int64_t *held_bytes; /* [pair]: what their values take */
    duel_item *item;     /* those being run */
    duel_step step[MAX_VIA];
    int64_t n_planned, n_done; /* cells of all plans and controls */
    double until;              /* the clock when --seconds are over; 0: never */
    bool coarse;               /* --order coarse */
    duel_cost *cost;           /* --plan: nothing is swept, this is filled; else NULL */
    int64_t n_cell;            /* items [0, n_cell) are cells, the rest controls */
    sharing share;             /* --shard */
    struct journal *journal;   /* --resume; or NULL */
    void *user;                /* the instrument's */
};

/* Read --pairs FILE, else the one pair of --clean and --answer, both there; without --corrupt the clean prompt again.
 *
 * [err: what pairs return | owns: the caller, pairs_free | thread: the work's | cost: O(tokens)] */
status duel_pairs(work *w, pairs **out, error *err);

/* Read the pairs and the metric; run both prompts of every pair once for the base values and their controls.
 *
 * [err: USAGE, what pairs and metrics return | owns: duel_close | thread: the work's | cost: two runs a pair] */
status duel_open(duel *d, work *w, error *err);

/* The same with pairs that are there already (taken, also on failure).
 *
 * [err: as duel_open | owns: duel_close | thread: the work's | cost: two runs a pair] */
status duel_open_pairs(duel *d, work *w, pairs *own_p, error *err);

/* The same where corrupted runs are made by an edit: pair i is draw i % n_draw of prompt i / n_draw.
 *
 * [err: as duel_open, what spoil returns | owns: duel_close; user is borrowed | thread: the work's | cost: two runs a pair] */
status duel_open_spoiled(duel *d, work *w, pairs *own_p, int n_draw, duel_spoil *spoil, void *user,
                         error *err);
void duel_close(duel *d);

/* Look at metric k: def, value, scale, suffix and the tensors of plans are its.
 *
 * [err: none | owns: nothing | thread: the work's | cost: O(1)] */
void duel_metric_at(duel *d, int k);

/* Give a lane the answers of pair i, and ask for all metrics; read them, out[n_metric].
 *
 * [err: as lane_give, lane_ask; as lane_read | owns: nothing | thread: the work's | cost: O(metrics)] */
status duel_give(duel *d, lane *l, int pair, error *err);
status duel_ask(duel *d, lane *l, error *err);
status duel_values(duel *d, lane *l, double *out, error *err);

/* Means of nodes over the pairs' reference prompts, (*out)[n_node] as of work_means: of all rows of all of them; or
 * position by position, for as many as the longest pair has.  How many that is.
 *
 * [err: USAGE (there are none), SHAPE (a reference prompt is shorter), as work_means | owns: the work | thread: the work's | cost: a run a reference prompt] */
status duel_means(duel *d, node *const *n, int n_node, bool by_pos, double ***out, error *err);
int32_t duel_longest(const duel *d);

/* Is this direction asked for?  "denoise" or "noise".
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
bool duel_wants(const duel *d, int direction);
const char *duel_direction(int direction);

/* Hold pair i: its two lanes, everything they compute kept; several pairs may be held, and the first ones are from the
 * beginning, as far as there is room.  Look at a held pair: d->pair, clean and corrupt are its.  Drop it: the lanes go.
 * *bytes: what its values take.
 *
 * [err: as session_run | owns: d | thread: the work's | cost: two runs; O(1)] */
status duel_hold(duel *d, int pair, int64_t *bytes, error *err);
void duel_at(duel *d, int pair);
void duel_drop(duel *d, int pair);
lane *duel_base(const duel *d, int direction);
lane *duel_source(const duel *d, int direction);

/* What a lane holds of a slice, [row][part][width], computed if need be.
 *
 * [err: as session_run; NULL | owns: the work | thread: the work's | cost: a run where it is not held] */
status duel_read(duel *d, lane *l, const edit *e, double **out, error *err);

/* ---- sweeps ---- */

typedef struct duel_plan duel_plan;
typedef void duel_label(const duel_plan *p, int64_t at, char *out, size_t bytes);

/* One tensor to be filled. */
struct duel_plan {
    int direction; /* DENOISE, NOISE: cells take the slice they name from the other run; ABLATE */
    char name[64], axes[80]; /* without the direction, and without "pair" */
    int64_t dim[4];
    int n_dim;
    int64_t (*cells)(const duel *d, const duel_plan *p,
                     duel_cell *cell); /* of d->pair, and how many */
    duel_label *label;                 /* what element `at` is */
    const void *user;
    bool at_position; /* a cell is one position: a random other one is a control */
    bool directed;    /* values are vectors: a random direction is a control */
    int n_top;        /* so many of the largest are shown; 0: ten */
    bool quiet;       /* none are: the instrument shows them itself */
};

/* Run all plans on all pairs, with their controls; before(), which may be NULL, is called once for each pair, when its
 * lanes are there.  Several pairs are held at once where memory allows, and their cells share waves: what before() leaves
 * for cells() must be told apart by d->pair; what cells() returns must not depend on it for how many there are.
 * Then the effects of each plan and their largest entries, with an interval over pairs, stand in the report, and draw(),
 * which may be NULL, puts its figure behind them; what was stopped is marked.
 *
 * [err: as sweep_run | owns: the report | thread: the work's | cost: the cells] */
status duel_run(duel *d, const duel_plan *plan, int n_plan, status (*before)(duel *d, error *err),
                void (*draw)(duel *d, const duel_plan *p), error *err);

/* The tensor of a plan, of the metric looked at or of all, made if need be: all NaN, marked absent.  Its name, and that of
 * its effects.
 *
 * [err: kept by the report; out->v NULL | owns: the report | thread: the work's | cost: O(elements)] */
void duel_tensor_get(duel *d, duel_tensor *out, const duel_plan *p);
void duel_tensors_get(duel *d, duel_tensor out[MAX_METRIC], const duel_plan *p);
void duel_tensor_name(const duel *d, const duel_plan *p, const char *before, char *out,
                      size_t bytes);

/* Mark element `at` of the pair under way in the tensors of all metrics.
 *
 * [err: none | owns: nothing | thread: the work's | cost: O(metrics)] */
void duel_mark(const duel *d, const duel_tensor *t, int64_t at, uint8_t mark);

/* The cells of a plan, of the pair under way.
 *
 * [err: NOMEM | owns: the work | thread: the work's | cost: O(elements)] */
status duel_cells(duel *d, const duel_plan *p, duel_cell **out, int64_t *n, error *err);

/* Controls of a plan at its strongest cell of the pair under way, by the metric looked at: list them, items `first` on,
 * behind out[*n], which has room for MAX_CONTROL; how many cells they are; show all pairs'.
 *
 * [err: as session_run, NOMEM | owns: the report, the work | thread: the work's | cost: O(draws)] */
enum { MAX_CONTROL = 16 };
status duel_controls(duel *d, const duel_plan *p, int64_t first, duel_item *out, int *n,
                     error *err);
int64_t duel_control_count(const duel *d, const duel_plan *p);
void duel_control_plan(const duel_plan *p, duel_plan *out);
void duel_show_controls(duel *d, const duel_plan *p);

/* How many of the pair's controls there still are to be run: all while a cell is, and none where no cell has an effect.
 *
 * [err: none | owns: nothing | thread: the work's | cost: O(cells)] */
int64_t duel_control_left(duel *d, const duel_plan *p, int64_t first);

/* Run these items of held pairs, those that change the same depth together (the list is reordered), and write what the
 * metric became.  Those that the journal has are not run; each finished wave is written to it.
 *
 * [err: as sweep_run | owns: nothing | thread: the work's | cost: the cells] */
status duel_items_run(duel *d, duel_item *item, int64_t n, error *err);

/* Keep those that are this shard's and not in the journal, in their order: how many.  What the journal has is written.
 *
 * [err: none | owns: nothing | thread: the work's | cost: O(n)] */
int64_t duel_items_left(duel *d, duel_item *item, int64_t n);

/* Where an item's value and mark stand in each of item->out.  Its values of all metrics and its mark, which says
 * "changed" where any metric did: put down, and looked up.
 *
 * [err: none | owns: nothing | thread: the work's | cost: O(metrics)] */
int64_t duel_item_at(const duel *d, const duel_item *x);
void duel_item_put(const duel *d, const duel_item *x, const double *value, uint8_t mark);
void duel_item_get(const duel *d, const duel_item *x, double value[MAX_METRIC], uint8_t *mark);

/* Add what a sweep of d->item would cost to d->cost (duel_items_run comes here for --plan).  Show that, and what a whole
 * run for every cell would cost; the machine is measured for it.
 *
 * [err: as sweep_plan, sweep_try; as session_run | owns: nothing; the report | thread: the work's | cost: planning; a few runs] */
status duel_items_cost(duel *d, const sweep *s, error *err);
status duel_show_cost(duel *d, error *err);

/* ---- journals: duel_journal.c ---- */

/* Open what --resume asks for, if anything; n_cell is known.  Only know what it holds (--plan).
 *
 * [err: as journal_open | owns: d->journal, duel_close | thread: the work's | cost: reads the journals] */
status duel_journal_open(duel *d, int64_t n_item, error *err);
status duel_journal_known(duel *d, int64_t n_item, error *err);

/* Is this item this shard's?  Is it in the journal: then its values and mark?  Write finished ones down.
 *
 * [err: false; as journal_flush | owns: nothing | thread: the work's | cost: O(1); O(n)] */
bool duel_is_mine(const duel *d, int64_t item);
bool duel_journal_has(const duel *d, int64_t item, double *value, uint8_t *mark);
status duel_journal_add(duel *d, const duel_item *x, int64_t n, error *err);

/* The normalised effect of one value; *raw: the gap was too small (or there is none, or it is a draw's), and it is the plain
 * difference.
 * Too small: below a thousandth of the two values, or of what rounding makes of logits that large.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double duel_effect(const duel *d, int direction, int pair, double value, bool *raw);

#endif
/* SPDX-License-Identifier: MIT */
