/* work -- what an instrument's run() is given, and what it is written with. */
#ifndef MICROTOME_INSTRUMENT_WORK_H
#define MICROTOME_INSTRUMENT_WORK_H
#include "backend/backend.h"
#include "data/pairs.h"
#include "format/format.h"
#include "graph/session.h"
#include "instrument/instrument.h"
#include "metric/metric_def.h"
#include "model/change.h"
#include "model/site.h"
#include "report/interval.h"

/* A lane with its prompt and the name edits know it by ("@clean"). */
typedef struct named_lane {
    const char *name;
    lane *l;
    const prompt *p;
} named_lane;

typedef struct kept_prompt {
    prompt *p;
    struct kept_prompt *next;
} kept_prompt;

struct work {
    const instrument_def *def;
    const json_t *request;
    arena mem;
    model *m; /* NULL where none is needed */
    engine *e;
    session *s;
    report *r;
    uint64_t seed;
    bool failed; /* a check of the instrument's did not hold */
    int64_t n_fork;
    kept_prompt *kept; /* freed with the work */
    arena file_mem;    /* what edits read of files, and means: */
    struct loaded *loaded;
    struct read_adapter *adapters;
    instrument_tell *tell;
    void *user;
    double part_done, part; /* of the whole: done before, and this run's share */
    double last_told;
};

/* A parameter; the default where it was not given.  A list's i-th text, NULL after the last.
 *
 * [err: none (types were checked) | owns: the request | thread: any | cost: one lookup] */
const char *work_text(const work *w, const char *name);
int64_t work_int(const work *w, const char *name);
double work_real(const work *w, const char *name);
bool work_flag(const work *w, const char *name);
const char *work_item(const work *w, const char *name, int i);
bos_policy work_bos(const work *w);

/* The clock at which --seconds from now are over (0: never); are they?
 *
 * [err: none | owns: nothing | thread: any | cost: one lookup; the clock] */
double work_until(const work *w);
bool work_is_over(double until);

/* Parameters (words) that say nothing here: beside `other`, which has them of its own, or without it; or where the list
 * `other` names none of `some`.  One that is given all the same is refused by name: what it asks for would be left undone.
 *
 * [err: USAGE | owns: nothing | thread: any | cost: O(words)] */
status work_not_beside(const work *w, const char *other, const char *words, error *err);
status work_only_beside(const work *w, const char *other, const char *words, error *err);
status work_only_among(const work *w, const char *other, const char *some, const char *words,
                       error *err);

/* Is a whole number within bounds that depend on the model?  (Others stand with the parameter: param.h.)
 *
 * [err: USAGE | owns: nothing | thread: any | cost: one lookup] */
status work_int_check(const work *w, const char *name, int64_t least, int64_t most, error *err);

/* Which layers a text parameter names, at least one: "all", or with commas and ranges, "0,4:8".  on: [n_layer].
 *
 * [err: USAGE | owns: nothing | thread: any | cost: O(layers)] */
status work_layers(const work *w, const char *name, bool *on, error *err);

/* Is anything asked for with --chat?  Item i of it as the model's own template writes it, the answer begun: to be
 * encoded without BOS, which templates write themselves.
 *
 * [err: USAGE (no template, or --bos as well), what chat_open and chat_render return | owns: out | thread: w's own | cost: the template's] */
bool work_chats(const work *w);
status work_chat(work *w, int i, str *out, error *err);

/* The prompts asked for: --prompt (several), --chat (several), --tokens.  They live until the work ends.
 *
 * [err: USAGE when there is none, what prompts return | owns: w | thread: w's own | cost: O(tokens)] */
status work_prompts(work *w, prompt ***out, int *n, error *err);

/* Those of --tokens alone.
 *
 * [err: what prompt_list returns | owns: w | thread: w's own | cost: O(tokens)] */
status work_listed(work *w, prompt ***out, int *n, error *err);

/* Free this prompt when the work ends (also when keeping it fails).
 *
 * [err: NOMEM | owns: takes p | thread: w's own | cost: O(1)] */
status work_keep(work *w, prompt *p, error *err);

/* Note a file that was read, with the hash of its bytes, in the certificate.
 *
 * [err: IO, NOMEM | owns: the report | thread: w's own | cost: reads the file] */
status work_file(work *w, const char *path, error *err);

/* Beside a parameter that names a file of pairs: what work_pairs reads. */
#define WORK_LIMIT_PARAM                                                                           \
    {                                                                                              \
        "limit", PARAM_INT_FROM(0), "0", "only the first so many of --pairs; 0: all", ROLE_WHAT    \
    }

/* The pairs of a file, noted as work_file does, --limit of them; what reading it left out is warned of.
 *
 *   ragged   the two prompts of a pair need not have equally many tokens
 *
 * [err: as pairs_read | owns: the caller, pairs_free | thread: w's own | cost: O(tokens)] */
status work_pairs(work *w, const char *path, bool ragged, pairs **out, error *err);

/* A tensor of a file as doubles, the file noted as work_file does.  It is read once: whoever asks again gets the same
 * numbers, which are not to be changed.
 *
 * [err: IO, FORMAT, RANGE (no such tensor), NOMEM | owns: the work | thread: w's own | cost: reads the file, the first time] */
status work_values(work *w, const char *path, const char *key, double **out, int64_t *n,
                   error *err);

/* What a file has, for whoever asked for a tensor that it has not.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
void work_hint_tensors(const container *c, error *err);

/* A parentless lane for a prompt, or one beside a parent of other tokens; noted in the certificate (name NULL: not).
 *
 * [err: NOMEM | owns: the session | thread: w's own | cost: O(tokens)] */
status work_lane(work *w, lane **out, lane *parent, const prompt *p, const char *name, error *err);

/* Lanes for prompts, parentless: edits know them as "0", "1" ...; the certificate with `before` in front.
 *
 * [err: NOMEM | owns: the session; *out: w | thread: w's own | cost: O(tokens)] */
status work_lanes(work *w, named_lane **out, prompt *const *p, int n, const char *before,
                  error *err);

/* Apply the edits asked for (--edit) to a lane that has not run.  `others` are lanes it may take from.
 * *n_edit: how many there were.
 *
 * [err: what the grammar, addresses and lane_edit return; USAGE (no such lane) | owns: the lane | thread: w's own | cost: O(edits)] */
status work_edits(work *w, lane *l, const prompt *p, const named_lane *others, int n_other,
                  int *n_edit, error *err);

/* One edit as it is written.
 *
 * [err: as work_edits | owns: the lane | thread: w's own | cost: O(edits)] */
status work_edit(work *w, lane *l, const prompt *p, const char *text, const named_lane *others,
                 int n_other, error *err);

/* Means of nodes' values over prompts, into out[n_node], each [rows][part][width]: row by row of the first `rows`, which
 * every prompt has; rows 0: one row, the mean of all rows of all prompts.
 *
 * [err: as work_run, NOMEM | owns: w | thread: w's own | cost: a run a prompt] */
status work_means(work *w, node *const *n, int n_node, prompt *const *p, int n_prompt, int32_t rows,
                  double **out, error *err);

/* The 95 % interval of a sample's mean, by bootstrap from the work's seed; name: also put into the certificate so.
 * low and high are NaN where there is none: fewer than two, or a number that is not finite.
 *
 * [err: kept by the report (NOMEM) | owns: stream is borrowed | thread: w's own | cost: O(2000 n)] */
interval work_interval(work *w, const double *x, int64_t n, const char *stream, const char *name);

/* Label an axis with layers: "L3"; an axis named rank from 1 on, as people count.
 *
 * [err: kept by the report | owns: nothing | thread: w's own | cost: O(n)] */
void work_label_layers(work *w, const char *tensor, const char *axis, const int *layer, int n);
void work_label_ranks(work *w, const char *tensor, int n);

/* A cell for a token: its text where there is a tokenizer, else #ID; the id with it.
 *
 * [err: kept by the report | owns: the report | thread: w's own | cost: O(bytes)] */
void work_row_token(const work *w, table *t, int32_t id);

/* The node an address means: itself, or for SITE@before a copy that no edit reaches.
 *
 * [err: NOMEM | owns: the session's graph | thread: w's own | cost: O(nodes) the first time] */
status work_node(work *w, const address *a, node **out, error *err);

/* "INSTRUMENT: out of memory".
 *
 * [err: NOMEM, always | owns: nothing | thread: any, on its own err | cost: O(1)] */
status work_nomem(const work *w, error *err);

/* An error that was kept aside while more was shown: message and hint.
 *
 * [err: why's | owns: nothing | thread: any, on its own err | cost: O(1)] */
status work_relay(error *err, const error *why);

/* session_run, with progress; let runs that others start have it (sweeps); say how far (0..1) between runs.
 *
 * [err: as session_run; INTERRUPTED | owns: nothing | thread: w's own | cost: the run] */
status work_run(work *w, error *err);
void work_watch(work *w);
status work_tell(work *w, const char *what, double done, error *err);

/* A tensor of n numbers in the precision that was run, from doubles; false: the report knows why there is none.
 *
 * [err: kept by the report | owns: the report | thread: w's own | cost: O(n)] */
bool work_tensor(work *w, const char *name, const char *axes, const int64_t *dim, const double *v,
                 int64_t n);

/* Label an axis of a tensor with a prompt's tokens.
 *
 * [err: kept by the report | owns: nothing | thread: w's own | cost: O(tokens)] */
void work_label_tokens(work *w, const char *tensor, const char *axis, const prompt *p);

/* A metric by name (--metric), built on the session's graph.
 *
 * [err: USAGE with those there are, NOMEM | owns: the session's graph | thread: w's own | cost: O(1)] */
status work_metric(work *w, const char *name, int32_t most, metric *out, const metric_def **def,
                   error *err);

#endif
/* SPDX-License-Identifier: MIT */
