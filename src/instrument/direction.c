/* instrument: direction -- the direction at a site that tells two kinds of prompts apart, tried on prompts it was not
 * fitted to.
 *
 * Means of activations at one position (or over all) of every prompt, per site; methods as direction_fit.h defines them.  A
 * share of the prompts is held out, whole groups together: the direction, its sign and the middle come from the others.
 * Controls: the same method fitted to shuffled labels, and random directions, whose sign and middle come from the labels
 * as well: many of those tell two kinds apart where the kinds differ much.
 *
 * Every direction is a tensor METHOD.SITE, so --out FILE is what edits take: "SITE += 4 * FILE:mean.SITE",
 * "SITE -= project(FILE:mean.SITE)". */
#include "base/rand.h"
#include "data/labelled.h"
#include "graph/sweep.h"
#include "instrument/direction_fit.h"
#include "instrument/work.h"
#include "linalg/linalg.h"
#include "tensor/draw.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWS = 1000 };

static const param params[] = {
    { "positive", PARAM_TEXT, NULL, "a file of positive prompts (lines, or JSON)", ROLE_FILE },
    { "negative", PARAM_TEXT, NULL, "and one of negative prompts", ROLE_FILE },
    { "pairs", PARAM_TEXT, NULL, "or pairs: clean is positive, corrupt negative", ROLE_FILE },
    WORK_LIMIT_PARAM,
    { "data", PARAM_TEXT, NULL, "or a .csv or .jsonl file with a text and a label in each row",
      ROLE_FILE },
    { "field", PARAM_TEXT, NULL, "its column of texts; else statement, text, prompt or sentence",
      ROLE_WHAT },
    { "label", PARAM_TEXT, "label", "its column of labels: 1, 0, true, false", ROLE_WHAT },
    { "group", PARAM_TEXT, NULL,
      "its column that says which rows belong together: they are held out together", ROLE_WHAT },
    { "site", PARAM_TEXT, "blocks.*.resid_post",
      "addresses with commas; without a position: --position", ROLE_WHAT },
    { "position", PARAM_ONE_OF("last mean"), "last", "last, or mean (over all positions but BOS)",
      ROLE_WHAT },
    { "method", PARAM_SOME_OF("mean mass_mean pca repe"), "mean,mass_mean,pca",
      "how directions are fitted", ROLE_WHAT },
    { "test", PARAM_REAL, "0.3", "which share of the groups is held out", ROLE_WHAT },
    { "most", PARAM_INT_FROM(0), "0", "use so many prompts, drawn at random by group; 0: all",
      ROLE_WHAT },
    { "atol", PARAM_REAL_FROM(0), "0.001", "mass_mean: variances below count as zero", ROLE_WHAT },
    { "draws", PARAM_INT_IN(0, MAX_DRAWS), "20", "of each control", ROLE_WHAT },
    { "bos", PARAM_BOS, "auto", "texts begin with BOS: auto (as the tokenizer does), yes, no",
      ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

typedef struct place {
    char name[160]; /* the address without its position */
    int64_t d;      /* numbers of its vector */
    double *x;      /* [n][d] */
    double *v[FIT_COUNT];
} place;

/* How well one direction does on what was held out. */
typedef struct outcome {
    double accuracy, low, high, auroc, train;
    double shuffled, shuffled_high, random, random_high; /* means and 95 % quantiles over draws */
} outcome;

typedef struct study {
    work *w;
    labelled *l;
    int n, n_train, *row; /* [n] prompts in use, those fitted to first */
    bool *y;              /* [n] */
    int *group;           /* [n] */
    bool how[FIT_COUNT];
    place *at;
    int n_place;
    double *score; /* [n] */
    int64_t draws;
    int n_cut; /* sites at which mass_mean left dimensions out */
} study;

/* ---- what is asked for ---- */

static status check_request(study *s, error *err)
{
    double test = work_real(s->w, "test");
    s->draws = work_int(s->w, "draws");
    for (int k = 0; k < FIT_COUNT; k++)
        s->how[k] = str_listed(work_text(s->w, "method"), fit_name[k]);
    if (test > 0 && test < 1) return E_OK;
    return error_set(err, E_USAGE, "direction: test is %g, expected a share between 0 and 1", test);
}

static status read_prompts(study *s, error *err)
{
    work *w = s->w;
    const char *positive = work_text(w, "positive"), *negative = work_text(w, "negative"),
               *both = work_text(w, "pairs"), *data = work_text(w, "data");
    labelled_fields f = { work_text(w, "field"), work_text(w, "label"), work_text(w, "group") };
    if ((positive || negative) + !!both + !!data != 1 || !positive != !negative) {
        error_set(err, E_USAGE, "direction needs prompts of two kinds");
        error_hint(err, "--positive FILE --negative FILE, or --pairs FILE, or --data FILE.csv");
        return E_USAGE;
    }
    const char *files[] = { positive, negative, data };
    pairs *p = NULL;
    status st = work_only_beside(w, "pairs", "limit", err);
    if (st == E_OK) st = work_only_beside(w, "data", "field label group", err);
    if (st != E_OK) return st;
    for (int i = 0; i < 3; i++) {
        st = files[i] ? work_file(w, files[i], err) : E_OK;
        if (st != E_OK) return st;
    }
    if (both) {
        st = work_pairs(w, both, true, &p, err);
        return st == E_OK ? labelled_from_pairs(&s->l, p, err) : st;
    }
    if (data) return labelled_read_table(&s->l, w->m, data, &f, work_bos(w), err);
    return labelled_read_sets(&s->l, w->m, positive, negative, work_bos(w), err);
}

/* ---- what is held out ---- */

/* Groups in a random order. */
static int *shuffled_groups(study *s)
{
    int n = s->l->n_group;
    int *order = arena_array(&s->w->mem, n, sizeof *order);
    for (int i = 0; order && i < n; i++) order[i] = i;
    for (int i = n - 1; order && i > 0; i--) {
        int64_t k = rand_below(s->w->seed, rand_stream("direction.split"), (uint64_t)i, i + 1);
        int x = order[i];
        order[i] = order[k], order[k] = x;
    }
    return order;
}

enum { UNUSED, TRAIN, TEST };

/* Which side each group is on: of those in use the first share of them is held out. */
static status choose_sides(study *s, char *side, error *err)
{
    const labelled *l = s->l;
    int64_t most = work_int(s->w, "most"), n = 0;
    int *order = shuffled_groups(s), n_used = 0,
        *size = arena_array(&s->w->mem, l->n_group, sizeof *size);
    if (!order || !size) return work_nomem(s->w, err);
    for (int i = 0; i < l->n; i++) size[l->group[i]]++;
    while (n_used < l->n_group && (!most || n < most)) n += size[order[n_used++]];
    int n_test = (int)(work_real(s->w, "test") * n_used + 0.5);
    if (n_test < 1) n_test = 1;
    for (int i = 0; i < n_used; i++) side[order[i]] = i < n_test ? TEST : TRAIN;
    report_seed(s->w->r, "direction.split", s->w->seed);
    return E_OK;
}

static status check_side(const study *s, int from, int to, const char *what, error *err)
{
    int n = 0;
    for (int i = from; i < to; i++) n += s->y[i];
    if (n && n < to - from) return E_OK;
    error_set(err, E_USAGE, "direction: of the %d prompts %s, %d are positive", to - from, what, n);
    error_hint(err, "more prompts, another --test share, or another --seed");
    return E_USAGE;
}

static status split(study *s, error *err)
{
    const labelled *l = s->l;
    char *side = arena_zero(&s->w->mem, (size_t)l->n_group + 1);
    s->row = arena_array(&s->w->mem, l->n, sizeof *s->row);
    s->y = arena_array(&s->w->mem, l->n, sizeof *s->y);
    s->group = arena_array(&s->w->mem, l->n, sizeof *s->group);
    s->score = arena_array(&s->w->mem, l->n, sizeof *s->score);
    if (!side || !s->row || !s->y || !s->group || !s->score) return work_nomem(s->w, err);
    status st = choose_sides(s, side, err);
    for (int which = TRAIN; which <= TEST && st == E_OK; which++) {
        for (int i = 0; i < l->n; i++)
            if (side[l->group[i]] == which)
                s->y[s->n] = l->positive[i], s->group[s->n] = l->group[i], s->row[s->n++] = i;
        if (which == TRAIN) s->n_train = s->n;
    }
    if (st == E_OK) st = check_side(s, 0, s->n_train, "to fit to", err);
    return st == E_OK ? check_side(s, s->n_train, s->n, "held out", err) : st;
}

/* ---- activations ---- */

static status find_addresses(study *s, const prompt *p, address **out, int *n, error *err)
{
    status st = site_find_list(out, n, &s->w->mem, s->w->m, p, work_text(s->w, "site"), err);
    for (int i = 0; st == E_OK && i < *n; i++)
        if ((*out)[i].n->extent != ROW)
            st = error_set(err, E_UNSUPPORTED, "direction: %s is not one vector a position",
                           (*out)[i].name);
    return st;
}

/* Rows of a prompt that the vector is the mean of. */
static box rows_of(const study *s, const address *a, const prompt *p)
{
    box b = address_box(a, p->n);
    if (a->has_rows) return b;
    bool mean = !strcmp(work_text(s->w, "position"), "mean");
    b.r0 = mean ? (p->has_bos && p->n > 1) : p->n - 1;
    b.r1 = p->n;
    return b;
}

static status settle_places(study *s, error *err)
{
    address *a;
    status st = find_addresses(s, s->l->p[s->row[0]], &a, &s->n_place, err);
    if (st != E_OK) return st;
    s->at = arena_array(&s->w->mem, s->n_place, sizeof *s->at);
    if (!s->at) return work_nomem(s->w, err);
    for (int i = 0; i < s->n_place; i++) {
        address all = a[i];
        all.where.r0 = 0, all.where.r1 = ROW_OPEN, all.has_rows = false;
        address_text(&all, s->at[i].name, sizeof s->at[i].name);
        for (char *c = s->at[i].name; *c; c++)
            if (*c == ':') *c = '-'; /* FILE:KEY ends at the last colon */
        for (int k = 0; k < i; k++)
            if (!strcmp(s->at[k].name, s->at[i].name))
                return error_set(err, E_USAGE, "direction: %s twice", s->at[i].name);
        box b = address_box(&a[i], 1);
        s->at[i].d = (int64_t)(b.a1 - b.a0) * (a[i].w1 - a[i].w0);
        s->at[i].x = arena_array(&s->w->mem, s->at[i].d * s->n, sizeof(double));
        if (!s->at[i].x) return work_nomem(s->w, err);
    }
    return E_OK;
}

static status make(void *user, int64_t i, lane **out, error *err)
{
    study *s = user;
    const prompt *p = s->l->p[s->row[i]];
    lane *l = NULL;
    address *a;
    int n;
    arena_mark here = arena_here(&s->w->mem);
    status st = find_addresses(s, p, &a, &n, err);
    if (st == E_OK && n != s->n_place)
        st = error_set(err, E_USAGE,
                       "direction: --site names %d places in prompt %d, %d in the first", n,
                       s->row[i], s->n_place);
    if (st == E_OK) st = work_lane(s->w, &l, NULL, p, NULL, err);
    for (int k = 0; st == E_OK && k < n; k++) st = lane_ask(l, a[k].n, rows_of(s, &a[k], p), err);
    arena_rewind(&s->w->mem, here);
    if (st == E_OK) *out = l;
    else if (l) lane_drop(l);
    return st;
}

static status take_place(study *s, place *at, const address *a, const prompt *p, lane *l, int64_t i,
                         error *err)
{
    box b = rows_of(s, a, p);
    int32_t width = a->n->width, wide = a->w1 - a->w0;
    double *v = arena_array(&s->w->mem, node_numbers(a->n, b, l) + 1, sizeof *v);
    if (!v) return work_nomem(s->w, err);
    status st = lane_read(l, a->n, b, v, err);
    for (int32_t r = 0; st == E_OK && r < b.r1 - b.r0; r++)
        for (int32_t k = 0; k < b.a1 - b.a0; k++)
            for (int32_t j = 0; j < wide; j++)
                at->x[i * at->d + (int64_t)k * wide + j] +=
                    v[((int64_t)r * (b.a1 - b.a0) + k) * width + a->w0 + j] / (b.r1 - b.r0);
    return st;
}

static status take(void *user, int64_t i, lane *l, error *err)
{
    study *s = user;
    const prompt *p = s->l->p[s->row[i]];
    address *a;
    int n;
    arena_mark here = arena_here(&s->w->mem);
    status st = find_addresses(s, p, &a, &n, err);
    for (int k = 0; st == E_OK && k < n; k++) st = take_place(s, &s->at[k], &a[k], p, l, i, err);
    arena_rewind(&s->w->mem, here);
    return st;
}

static status told(void *user, int64_t first, int64_t n_done, error *err)
{
    study *s = user;
    (void)first;
    return work_tell(s->w, "direction", (double)n_done / (double)s->n, err);
}

static status read_activations(study *s, error *err)
{
    int64_t done;
    work_watch(s->w);
    sweep v = { .s = s->w->s, .n = s->n, .user = s, .make = make, .take = take, .tell = told };
    s->w->part = 0.7;
    return sweep_run(&v, &done, err);
}

/* What was run is in the certificate by a hash of files, and by how many prompts of which side. */
static void say_prompts(study *s)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) n += s->y[i];
    report_note(s->w->r,
                "%d prompts (%d positive), of which %d in %s are held out: direction, sign and "
                "middle come from the other %d.",
                s->n, n, s->n - s->n_train, s->l->n_group < s->l->n ? "whole groups" : "rows",
                s->n_train);
}

/* ---- how well a direction does ---- */

static double held_out(study *s, const place *at, const double *v, const bool *y_train)
{
    fit_project(s->score, v, at->x, s->n, at->d);
    double middle = fit_middle(s->score, y_train, s->n_train);
    return fit_accuracy(s->score + s->n_train, s->y + s->n_train, s->n - s->n_train, middle);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sum_up(double *v, int64_t n, double *mean, double *high)
{
    *mean = sample_mean(v, n);
    qsort(v, (size_t)n, sizeof *v, by_value);
    *high = sample_quantile(v, n, 0.95);
}

/* The same method on shuffled labels of what it is fitted to. */
static status try_shuffled(study *s, const place *at, fit_how how, const double *total,
                           outcome *out, error *err)
{
    arena_mark here = arena_here(&s->w->mem);
    double *v = arena_array(&s->w->mem, at->d, sizeof *v),
           *got = arena_array(&s->w->mem, s->draws, sizeof *got);
    bool *y = arena_copy(&s->w->mem, s->y, (size_t)s->n_train * sizeof *y);
    status st = v && got && y ? E_OK : work_nomem(s->w, err);
    for (int64_t k = 0; k < s->draws && st == E_OK; k++) {
        for (int i = s->n_train - 1; i > 0; i--) {
            int64_t to = rand_below(s->w->seed, rand_stream("direction.shuffle"),
                                    (uint64_t)k << 32 | (uint64_t)i, i + 1);
            bool x = y[i];
            y[i] = y[to], y[to] = x;
        }
        st = fit_control(v, how, at->x, y, s->n_train, at->d, total, err);
        if (st == E_OK) got[k] = held_out(s, at, v, y);
    }
    if (st == E_OK) sum_up(got, s->draws, &out->shuffled, &out->shuffled_high);
    arena_rewind(&s->w->mem, here);
    return st;
}

/* Random directions, turned to the positive rows: the same for every method. */
static status try_random(study *s, const place *at, outcome *out, error *err)
{
    arena_mark here = arena_here(&s->w->mem);
    double *v = arena_array(&s->w->mem, at->d, sizeof *v),
           *got = arena_array(&s->w->mem, s->draws, sizeof *got);
    if (!v || !got) return work_nomem(s->w, err);
    for (int64_t k = 0; k < s->draws; k++) {
        for (int64_t j = 0; j < at->d; j++)
            v[j] = (double)draw_normal(s->w->seed, rand_stream("direction.random"),
                                       (uint64_t)(k * at->d + j));
        double mean[2] = { 0 }, n[2] = { 0 };
        fit_project(s->score, v, at->x, s->n_train, at->d);
        for (int i = 0; i < s->n_train; i++) mean[s->y[i]] += s->score[i], n[s->y[i]]++;
        double sign = mean[1] / n[1] < mean[0] / n[0] ? -1 : 1;
        for (int64_t j = 0; j < at->d; j++) v[j] *= sign;
        got[k] = held_out(s, at, v, s->y);
    }
    sum_up(got, s->draws, &out->random, &out->random_high);
    arena_rewind(&s->w->mem, here);
    return E_OK;
}

/* Where all are right (or wrong), drawing again says nothing: the exact (Clopper and Pearson's) end for n groups instead,
 * to six digits, since pow is libm's. */
static void exact_end(interval *ci, int64_t n)
{
    double end = floor(pow(0.025, 1 / (double)n) * 1e6) / 1e6;
    if (ci->estimate == 1) ci->low = end;
    if (ci->estimate == 0) ci->high = 1 - end;
}

/* Accuracy over groups that are drawn whole. */
static status interval_of(study *s, double middle, interval *ci, error *err)
{
    arena_mark here = arena_here(&s->w->mem);
    double *right = arena_array(&s->w->mem, s->l->n_group, sizeof *right),
           *all = arena_array(&s->w->mem, s->l->n_group, sizeof *all);
    int64_t n = 0;
    if (!right || !all) return work_nomem(s->w, err);
    for (int i = s->n_train; i < s->n; i++) {
        all[s->group[i]]++;
        right[s->group[i]] += s->y[i] == (s->score[i] > middle);
    }
    for (int g = 0; g < s->l->n_group; g++)
        if (all[g] > 0) right[n] = right[g], all[n++] = all[g];
    status st = interval_ratio(ci, right, all, n, 0.95, s->w->seed, "direction.groups", err);
    if (st == E_OK) exact_end(ci, n);
    arena_rewind(&s->w->mem, here);
    return st;
}

static status try_direction(study *s, const place *at, fit_how how, const double *total,
                            outcome *out, error *err)
{
    interval ci;
    error local = { 0 };
    int n_test = s->n - s->n_train;
    out->accuracy = held_out(s, at, at->v[how], s->y);
    double middle = fit_middle(s->score, s->y, s->n_train);
    out->train = fit_accuracy(s->score, s->y, s->n_train, middle);
    out->auroc = fit_auroc(s->score + s->n_train, s->y + s->n_train, n_test);
    status st = interval_of(s, middle, &ci, &local);
    if (st == E_NOMEM) return error_set(err, st, "%s", local.msg);
    if (st == E_OK) out->low = ci.low, out->high = ci.high;
    return s->draws ? try_shuffled(s, at, how, total, out, err) : E_OK;
}

/* ---- tables ---- */

static table *outcome_table(study *s)
{
    return report_table(s->w->r, "held out", s->draws ? 10 : 6,
                        (column[]){ { "site", NULL, CELL_TEXT, 0, false },
                                    { "method", NULL, CELL_TEXT, 0, false },
                                    { "accuracy", NULL, CELL_REAL, 3, false },
                                    { "95 % low", NULL, CELL_REAL, 3, false },
                                    { "high", NULL, CELL_REAL, 3, false },
                                    { "AUROC", NULL, CELL_REAL, 3, false },
                                    { "shuffled", NULL, CELL_REAL, 3, false },
                                    { "95 %", NULL, CELL_REAL, 3, false },
                                    { "random", NULL, CELL_REAL, 3, false },
                                    { "95 %", NULL, CELL_REAL, 3, false } });
}

static void show_outcome(study *s, table *t, const place *at, fit_how how, const outcome *o)
{
    table_row(t), row_text(t, "%s", at->name), row_text(t, "%s", fit_name[how]);
    row_real(t, o->accuracy), row_number(t, o->low), row_number(t, o->high);
    row_real(t, o->auroc);
    if (!s->draws) return;
    row_real(t, o->shuffled), row_real(t, o->shuffled_high);
    row_real(t, o->random), row_real(t, o->random_high);
}

static table *fit_table(study *s)
{
    bool shares = s->how[FIT_PCA] || s->how[FIT_REPE];
    return report_table(s->w->r, "fitted to", shares ? 7 : 5,
                        (column[]){ { "site", NULL, CELL_TEXT, 0, false },
                                    { "method", NULL, CELL_TEXT, 0, false },
                                    { "length", NULL, CELL_REAL, 0, false },
                                    { "accuracy", NULL, CELL_REAL, 3, false },
                                    { "dimensions", NULL, CELL_INT, 0, false },
                                    { "share of the first", NULL, CELL_REAL, 3, false },
                                    { "of the second", NULL, CELL_REAL, 3, false } });
}

static void show_fit(study *s, table *t, const place *at, fit_how how, const outcome *o,
                     const fit_facts *facts)
{
    table_row(t), row_text(t, "%s", at->name), row_text(t, "%s", fit_name[how]);
    row_real(t, linalg_norm(at->v[how], at->d)), row_real(t, o->train);
    row_int(t, facts->n_kept);
    if (s->how[FIT_PCA] || s->how[FIT_REPE])
        row_number(t, facts->share[0]), row_number(t, facts->share[1]);
}

static double cosine(const double *a, const double *b, int64_t d)
{
    double ab = 0;
    for (int64_t i = 0; i < d; i++) ab += a[i] * b[i];
    return ab / (linalg_norm(a, d) * linalg_norm(b, d));
}

/* What was fitted, as tensors METHOD.SITE. */
static void keep_direction(study *s, const place *at, fit_how how)
{
    char name[200];
    snprintf(name, sizeof name, "%s.%s", fit_name[how], at->name);
    double *v = report_tensor(s->w->r, name, DTYPE_F64, "component", (int64_t[]){ at->d });
    if (v) memcpy(v, at->v[how], (size_t)at->d * sizeof *v);
}

/* One method at a place, tried and shown. */
static status one_method(study *s, table *t, table *fits, place *at, fit_how how,
                         const double *total, outcome *out, error *err)
{
    fit_facts facts;
    status st = fit_direction(at->v[how], how, at->x, s->y, s->n_train, at->d,
                              work_real(s->w, "atol"), &facts, err);
    if (st == E_OK) st = try_direction(s, at, how, total, out, err);
    if (st != E_OK) {
        error_prefix(err, "%s, %s", at->name, fit_name[how]);
        return st;
    }
    keep_direction(s, at, how);
    show_outcome(s, t, at, how, out);
    show_fit(s, fits, at, how, out, &facts);
    s->n_cut += facts.n_kept < at->d;
    return E_OK;
}

/* Room for a place's directions, and what no method changes: its random directions, in every out[how]. */
static status begin_place(study *s, place *at, outcome *out, error *err)
{
    outcome none = { .low = (double)NAN,
                     .high = (double)NAN,
                     .shuffled = (double)NAN,
                     .shuffled_high = (double)NAN,
                     .random = (double)NAN,
                     .random_high = (double)NAN };
    status st = s->draws ? try_random(s, at, &none, err) : E_OK;
    for (int how = 0; how < FIT_COUNT && st == E_OK; how++) {
        out[how] = none;
        if (!s->how[how]) continue;
        at->v[how] = arena_array(&s->w->mem, at->d, sizeof(double));
        if (!at->v[how]) return work_nomem(s->w, err);
    }
    return st;
}

static status one_place(study *s, table *t, table *fits, place *at, outcome *out, error *err)
{
    double *total = NULL;
    status st = begin_place(s, at, out, err);
    arena_mark here = arena_here(&s->w->mem); /* total is d x d: a place's at a time */
    if (st == E_OK && s->how[FIT_MASS_MEAN] && s->draws) {
        total = arena_array(&s->w->mem, at->d * at->d, sizeof *total);
        st = total ? fit_total(total, at->x, s->n_train, at->d, work_real(s->w, "atol"), err)
                   : work_nomem(s->w, err);
    }
    for (int how = 0; how < FIT_COUNT && st == E_OK; how++)
        if (s->how[how]) st = one_method(s, t, fits, at, (fit_how)how, total, &out[how], err);
    arena_rewind(&s->w->mem, here);
    return st;
}

/* ---- pictures ---- */

static void label_places(study *s, const char *tensor_name, const char *axis)
{
    for (int i = 0; i < s->n_place; i++)
        report_axis_token(s->w->r, tensor_name, axis, i, s->at[i].name, strlen(s->at[i].name));
}

static int first_method(const study *s)
{
    int k = 0;
    while (!s->how[k]) k++;
    return k;
}

/* accuracy.METHOD [site] and its ends, with a figure of each. */
static void draw_accuracy(study *s, const outcome *o)
{
    static const char *const ends[] = { "accuracy", "accuracy.low", "accuracy.high" };
    for (int how = 0; how < FIT_COUNT; how++) {
        char name[3][60], title[120];
        double *v[3];
        if (!s->how[how]) continue;
        for (int k = 0; k < 3; k++) {
            snprintf(name[k], sizeof name[k], "%s.%s", ends[k], fit_name[how]);
            v[k] = report_tensor(s->w->r, name[k], DTYPE_F64, "site", (int64_t[]){ s->n_place });
            label_places(s, name[k], "site");
        }
        for (int i = 0; v[0] && v[1] && v[2] && i < s->n_place; i++) {
            const outcome *x = &o[i * FIT_COUNT + how];
            v[0][i] = x->accuracy, v[1][i] = x->low, v[2][i] = x->high;
        }
        snprintf(title, sizeof title, "Held-out accuracy, %s (0.5: nothing)", fit_name[how]);
        report_bars(
            s->w->r, title, name[0], "site",
            &(figure_options){
                .value = "accuracy", .centre = 0.5, .span = 0.5, .low = name[1], .high = name[2] });
    }
}

/* How alike the directions are from place to place, where they can be. */
static void draw_cosines(study *s)
{
    int how = first_method(s), n = s->n_place;
    for (int i = 1; i < n; i++)
        if (s->at[i].d != s->at[0].d) return;
    if (n < 2) return;
    double *v = report_tensor(s->w->r, "cosine", DTYPE_F64, "site other", (int64_t[]){ n, n });
    for (int i = 0; v && i < n; i++)
        for (int j = 0; j < n; j++)
            v[i * n + j] = cosine(s->at[i].v[how], s->at[j].v[how], s->at[i].d);
    label_places(s, "cosine", "site"), label_places(s, "cosine", "other");
    char title[120];
    snprintf(title, sizeof title, "Cosines between the directions of %s", fit_name[how]);
    report_heatmap(s->w->r, title, "cosine", "site", "other", &(figure_options){ .span = 1 });
}

static void show_agreement(study *s)
{
    column c[1 + FIT_COUNT] = { { "site", NULL, CELL_TEXT, 0, false } };
    char name[FIT_COUNT][60];
    int first = first_method(s), n = 1;
    for (int how = first + 1; how < FIT_COUNT; how++) {
        if (!s->how[how]) continue;
        snprintf(name[how], sizeof name[how], "%s, %s", fit_name[first], fit_name[how]);
        c[n++] = (column){ name[how], NULL, CELL_REAL, 3, false };
    }
    if (n == 1) return;
    table *t = report_table(s->w->r, "cosines between methods", n, c);
    for (int i = 0; i < s->n_place; i++) {
        table_row(t), row_text(t, "%s", s->at[i].name);
        for (int how = first + 1; how < FIT_COUNT; how++)
            if (s->how[how]) row_number(t, cosine(s->at[i].v[first], s->at[i].v[how], s->at[i].d));
    }
}

/* Where what was fitted is nothing: the kinds do not differ in the mean, as when both files are one. */
static void warn_nothing(study *s)
{
    int n = 0, first = first_method(s);
    for (int i = 0; i < s->n_place; i++) n += linalg_norm(s->at[i].v[first], s->at[i].d) == 0;
    if (n)
        report_warn(
            s->w->r,
            "%s: at %d of %d sites there is no direction: the two kinds do not differ there",
            fit_name[first], n, s->n_place);
}

/* ---- controls ---- */

static void show_controls(study *s, const outcome *o)
{
    int how = first_method(s), best = 0, n = s->n - s->n_train, more = 0;
    char name[240];
    for (int i = 1; i < s->n_place; i++)
        if (o[i * FIT_COUNT + how].accuracy > o[best * FIT_COUNT + how].accuracy) best = i;
    for (int i = s->n_train; i < s->n; i++) more += s->y[i];
    more = more > n - more ? more : n - more;
    const outcome *x = &o[best * FIT_COUNT + how];
    report_control(s->w->r, "always the commoner kind", (double)more / n, "accuracy, held out");
    if (s->draws) {
        snprintf(name, sizeof name, "%s.%s, shuffled labels", fit_name[how], s->at[best].name);
        report_control(s->w->r, name, x->shuffled,
                       "mean accuracy over %lld draws; 95 %% below %.3g", (long long)s->draws,
                       x->shuffled_high);
        snprintf(name, sizeof name, "%s, random directions", s->at[best].name);
        report_control(s->w->r, name, x->random, "mean accuracy over %lld draws; 95 %% below %.3g",
                       (long long)s->draws, x->random_high);
        report_seed(s->w->r, "direction.shuffle", s->w->seed);
        report_seed(s->w->r, "direction.random", s->w->seed);
    }
    report_note(s->w->r,
                "Shuffled: the same method fitted to shuffled labels; random: random directions, "
                "their sign and middle from the labels. An accuracy that random directions reach "
                "says that the two kinds lie apart, not that there is one direction.%s",
                s->n_place > 1 ? " Whoever picks the best of several sites has looked at what was "
                                 "held out: try it on other prompts."
                               : "");
    report_note(s->w->r,
                "With --out FILE.safetensors the directions can be used: --edit \"%s += 4 * "
                "FILE.safetensors:%s.%s\", or -= project(...).",
                s->at[best].name, fit_name[how], s->at[best].name);
}

/* ---- all of it ---- */

static status fit_all(study *s, error *err)
{
    outcome *o = arena_array(&s->w->mem, (int64_t)s->n_place * FIT_COUNT, sizeof *o);
    if (!o) return work_nomem(s->w, err);
    status st = E_OK;
    table *t = outcome_table(s), *fits = fit_table(s);
    for (int i = 0; i < s->n_place && st == E_OK; i++) {
        s->w->part_done = 0.7, s->w->part = 0.3;
        st = work_tell(s->w, "direction", (double)i / s->n_place, err);
        if (st == E_OK) st = one_place(s, t, fits, &s->at[i], o + (int64_t)i * FIT_COUNT, err);
    }
    if (st != E_OK) return st;
    if (s->n_cut)
        report_warn(s->w->r,
                    "mass_mean: at %d of %d sites dimensions that vary by less than %g within the "
                    "two kinds are left out (--atol)",
                    s->n_cut, s->n_place, work_real(s->w, "atol"));
    warn_nothing(s);
    show_agreement(s);
    draw_accuracy(s, o), draw_cosines(s);
    show_controls(s, o);
    return E_OK;
}

static status run(work *w, error *err)
{
    study s = { .w = w };
    status st = check_request(&s, err);
    if (st == E_OK) st = read_prompts(&s, err);
    if (st == E_OK) st = split(&s, err);
    if (st == E_OK) st = settle_places(&s, err);
    if (st == E_OK) st = read_activations(&s, err);
    if (st == E_OK) say_prompts(&s), st = fit_all(&s, err);
    labelled_free(s.l);
    return st;
}

const instrument_def instrument_direction_def = {
    .name = "direction",
    .says = "A direction that tells two kinds of prompts apart",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
