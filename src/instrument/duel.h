/* duel -- sweeps over pairs of prompts: one lane is edited, cell by cell, towards the other; a metric says
 * what that changed.  What patch and path share.
 *
 *   denoise   the corrupted prompt is run, values come from the clean one
 *   noise     the clean prompt is run, values come from the corrupted one
 *
 * A result is a tensor D.NAME with the raw metric of every cell and pair (the last axis): NaN where there is no
 * such cell.  Beside it `effect.D.NAME`: the mean over pairs of (metric - base) / (other - base), 0: as the base
 * run, 1: as the other.  A gap too small to divide by is said, and the difference stands undivided. */
#ifndef MICROTOME_INSTRUMENT_DUEL_H
#define MICROTOME_INSTRUMENT_DUEL_H
#include "instrument/work.h"

/* The parameters of pairs, to be pasted into a table of params. */
#define DUEL_PARAMS                                                                                \
    { "pairs", PARAM_TEXT, NULL, "JSON file of clean and corrupt prompts with their answers",      \
      true },                                                                                      \
        { "clean", PARAM_TEXT, NULL, "or one pair: the clean prompt", false },                     \
        { "corrupt", PARAM_TEXT, NULL, "the corrupted prompt, of as many tokens", false },         \
        { "answer", PARAM_TEXT, NULL, "the right answer, one token (\" Mary\", or #17)", false },  \
        { "wrong", PARAM_TEXT, NULL, "the wrong answer, one token", false },                       \
        { "metric", PARAM_TEXT, NULL,                                                              \
          "logit_diff, logit or logprob; logit_diff where there is a wrong answer", false },       \
        { "direction", PARAM_TEXT, NULL, "denoise, noise or both; denoise, and with --all both",   \
          false },                                                                                 \
        { "bos", PARAM_TEXT, "auto",                                                               \
          "texts begin with BOS: auto (as the tokenizer does), yes, no", false },                  \
    {                                                                                              \
        "all", PARAM_FLAG, NULL, "every sweep there is", false                                     \
    }

/* One cell of a sweep: a take (or any edit) with e.reader == NULL, or an edge edit. */
typedef struct duel_cell {
    edit e;
    node *reader; /* an edge's reader, or NULL */
    box slice;
    int64_t at; /* element of the tensor, without the pair */
} duel_cell;

/* A tensor being filled. */
typedef struct duel_tensor {
    char name[64]; /* "denoise.resid_pre" */
    double *v;     /* [n_cell][n_pair] */
    uint8_t *mark;
    int64_t n_cell; /* elements without the pair */
} duel_tensor;

enum { DENOISE, NOISE };

typedef struct duel {
    work *w;
    pairs *p;
    metric metric;
    const metric_def *def;
    lane *clean, *corrupt; /* of the pair under way */
    double *value[2];      /* [pair] the metric of the corrupted, of the clean run */
    bool both, noise_only;
    /* the sweep under way: */
    const duel_cell *cell;
    duel_tensor *out;
    lane *base;
    int pair;
} duel;

/* Read the pairs and the metric; run both prompts of every pair once for the base values and their controls.
 *
 * [err: USAGE, what pairs and metrics return | owns: duel_close | thread: the work's | cost: two runs a pair] */
status duel_open(duel *d, work *w, error *err);

/* The same with pairs that are there already (taken, also on failure).
 *
 * [err: as duel_open | owns: duel_close | thread: the work's | cost: two runs a pair] */
status duel_open_pairs(duel *d, work *w, pairs *own_p, error *err);
void duel_close(duel *d);

/* Is this direction asked for?  "denoise" or "noise".
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
bool duel_wants(const duel *d, int direction);
const char *duel_direction(int direction);

/* Begin pair i: its two lanes, everything they compute held.  End it: they go.
 *
 * [err: as session_run | owns: d | thread: the work's | cost: two runs] */
status duel_begin(duel *d, int pair, error *err);
void duel_end(duel *d);
lane *duel_base(const duel *d, int direction);
lane *duel_source(const duel *d, int direction);

/* A tensor of the report "D.NAME" (direction < 0: "NAME") with these axes and then "pair", all NaN and marked
 * incomplete; a name that is there already gives that one.
 *
 * [err: kept by the report; out->v NULL | owns: the report | thread: the work's | cost: O(elements)] */
void duel_tensor_get(duel *d, duel_tensor *out, int direction, const char *name, const char *axes,
                     const int64_t *dim, int n_dim);

/* Run these cells from `base`, and write what the metric became.
 *
 * [err: as sweep_run | owns: nothing | thread: the work's | cost: the cells] */
status duel_sweep(duel *d, lane *base, const duel_cell *cell, int64_t n, duel_tensor *out,
                  error *err);

/* "effect.D.NAME" beside a tensor that is complete: the mean normalised effect over pairs; and a table of its
 * largest entries with an interval over pairs.  label writes what cell `at` is.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: O(elements)] */
typedef void duel_label(const void *user, int64_t at, char *out, size_t bytes);
void duel_effects(duel *d, const duel_tensor *t, int direction, const char *axes,
                  const int64_t *dim, int n_dim, duel_label *label, const void *user);

/* The normalised effect of one value; *raw: the gap was too small, and it is the plain difference.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double duel_effect(const duel *d, int direction, int pair, double value, bool *raw);

#endif
/* SPDX-License-Identifier: MIT */
