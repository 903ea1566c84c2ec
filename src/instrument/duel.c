/* duel -- see duel.h. */
#include "instrument/duel.h"
#include "graph/sweep.h"
#include "report/interval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pairs and metric ---- */

static status read_pairs(work *w, pairs **out, error *err)
{
    const char *file = work_text(w, "pairs"), *clean = work_text(w, "clean"),
               *corrupt = work_text(w, "corrupt");
    const char *answer = work_text(w, "answer");
    if (file && clean) return error_set(err, E_USAGE, "both --pairs and --clean were given");
    if (file) {
        status st = work_file(w, file, err);
        return st == E_OK ? pairs_read(out, w->m, file, work_bos(w), err) : st;
    }
    if (!clean || !corrupt || !answer) {
        error_set(err, E_USAGE, "%s needs pairs of prompts", w->def->name);
        error_hint(err,
                   "--pairs FILE, or --clean TEXT --corrupt TEXT --answer TOKEN --wrong TOKEN");
        return E_USAGE;
    }
    return pairs_from_texts(out, w->m, clean, corrupt, answer, work_text(w, "wrong"), work_bos(w),
                            err);
}

static status find_metric(duel *d, error *err)
{
    const char *name = work_text(d->w, "metric");
    status st = work_metric(d->w,
                            name          ? name
                            : d->p->wrong ? "logit_diff"
                                          : "logit",
                            &d->metric, &d->def, err);
    if (st == E_OK && d->def->n_answer > 1 && !d->p->wrong) {
        error_set(err, E_USAGE, "%s needs a wrong answer for every pair", d->def->name);
        error_hint(err, "give --wrong, or --metric logit");
        st = E_USAGE;
    }
    return st;
}

static status direction_check(duel *d, error *err)
{
    const char *text = work_text(d->w, "direction");
    if (!text) text = work_flag(d->w, "all") ? "both" : "denoise";
    d->both = !strcmp(text, "both"), d->noise_only = !strcmp(text, "noise");
    if (d->both || d->noise_only || !strcmp(text, "denoise")) return E_OK;
    return error_set(err, E_USAGE, "direction is '%.40s', expected denoise, noise or both", text);
}

bool duel_wants(const duel *d, int direction)
{
    return d->both || d->noise_only == (direction == NOISE);
}
const char *duel_direction(int direction) { return direction == NOISE ? "noise" : "denoise"; }
lane *duel_base(const duel *d, int direction) { return direction == NOISE ? d->clean : d->corrupt; }
lane *duel_source(const duel *d, int direction)
{
    return direction == NOISE ? d->corrupt : d->clean;
}

/* ---- the two runs of a pair ---- */

static status duel_lane(duel *d, lane **out, lane *parent, const prompt *p, int pair,
                        const char *what, error *err)
{
    double answer[2] = { d->p->correct[pair], d->p->wrong ? d->p->wrong[pair] : 0 };
    char name[40];
    snprintf(name, sizeof name, "%s %d", what, pair);
    status st = work_lane(d->w, out, parent, p, isnan(d->value[0][pair]) ? name : NULL, err);
    if (st == E_OK) st = lane_give(*out, d->metric.answer, answer, err);
    if (st == E_OK) lane_keep(*out);
    if (st == E_OK) st = lane_ask(*out, d->metric.value, (box){ 0, 1, 0, 1 }, err);
    return st;
}

/* What sweeps read of the two: every site is computed and held, so that forks start from there. */
static status ask_sites(duel *d, lane *l, error *err)
{
    const graph *g = &d->w->m->g;
    status st = E_OK;
    for (int32_t i = 0; i < g->n_site && st == E_OK; i++)
        if (g->site[i].n->op && g->site[i].n != d->w->m->logits && g->site[i].n->extent != PAIR &&
            strcmp(g->site[i].name + strlen(g->site[i].name) - 6, "result"))
            st = lane_ask(l, g->site[i].n, node_all(g->site[i].n, l), err);
    return st;
}

status duel_begin(duel *d, int pair, error *err)
{
    d->pair = pair;
    status st = duel_lane(d, &d->clean, NULL, d->p->clean[pair], pair, "clean", err);
    if (st == E_OK)
        st = duel_lane(d, &d->corrupt, d->clean, d->p->corrupt[pair], pair, "corrupt", err);
    if (st == E_OK) st = ask_sites(d, d->clean, err);
    if (st == E_OK) st = ask_sites(d, d->corrupt, err);
    if (st == E_OK) st = work_run(d->w, err);
    if (st == E_OK)
        st = lane_read(d->corrupt, d->metric.value, (box){ 0, 1, 0, 1 }, &d->value[0][pair], err);
    if (st == E_OK)
        st = lane_read(d->clean, d->metric.value, (box){ 0, 1, 0, 1 }, &d->value[1][pair], err);
    return st;
}

void duel_end(duel *d)
{
    if (d->corrupt) lane_drop(d->corrupt);
    if (d->clean) lane_drop(d->clean);
    d->corrupt = d->clean = NULL;
}

static status base_values(duel *d, error *err)
{
    int n = d->p->n;
    status st = E_OK;
    d->value[0] = arena_array(&d->w->mem, n, sizeof(double)),
    d->value[1] = arena_array(&d->w->mem, n, sizeof(double));
    if (!d->value[0] || !d->value[1]) return error_set(err, E_NOMEM, "pairs: out of memory");
    for (int i = 0; i < n; i++) d->value[0][i] = d->value[1][i] = (double)NAN;
    for (int i = 0; i < n && st == E_OK; i++) {
        st = duel_lane(d, &d->clean, NULL, d->p->clean[i], i, "clean", err);
        if (st == E_OK)
            st = duel_lane(d, &d->corrupt, d->clean, d->p->corrupt[i], i, "corrupt", err);
        if (st == E_OK) st = work_run(d->w, err);
        if (st == E_OK)
            st = lane_read(d->corrupt, d->metric.value, (box){ 0, 1, 0, 1 }, &d->value[0][i], err);
        if (st == E_OK)
            st = lane_read(d->clean, d->metric.value, (box){ 0, 1, 0, 1 }, &d->value[1][i], err);
        duel_end(d);
    }
    return st;
}

static void show_base(duel *d)
{
    char name[80];
    double sum[2] = { 0 };
    table *t = report_table(d->w->r, "base runs", 4,
                            (column[]){ { "pair", NULL, CELL_INT, 0, false },
                                        { "clean", d->def->unit, CELL_REAL, 0, false },
                                        { "corrupt", d->def->unit, CELL_REAL, 0, false },
                                        { "gap", d->def->unit, CELL_REAL, 0, false } });
    for (int k = 0; k < 2; k++) {
        snprintf(name, sizeof name, "%s_%s", d->def->name, k ? "clean" : "corrupt");
        double *v = report_tensor(d->w->r, name, DTYPE_F64, "pair", (int64_t[]){ d->p->n });
        for (int i = 0; v && i < d->p->n; i++) v[i] = d->value[k][i], sum[k] += d->value[k][i];
        report_unit(d->w->r, name, d->def->unit);
        report_control(d->w->r, name, sum[k] / d->p->n, "mean over %d pairs of the unedited run",
                       d->p->n);
    }
    for (int i = 0; i < d->p->n; i++) {
        bool raw;
        duel_effect(d, DENOISE, i, 0, &raw);
        table_row(t), row_int(t, i), row_real(t, d->value[1][i]), row_real(t, d->value[0][i]),
            row_real(t, d->value[1][i] - d->value[0][i]);
        if (!raw) continue;
        row_mark(t, MARK_RAW);
        report_warn(
            d->w->r,
            "pair %d: the two base runs differ by %.3g only; its effects are not normalised", i,
            d->value[1][i] - d->value[0][i]);
    }
}

status duel_open_pairs(duel *d, work *w, pairs *own_p, error *err)
{
    *d = (duel){ .w = w, .p = own_p };
    status st = direction_check(d, err);
    if (st == E_OK) st = find_metric(d, err);
    if (st == E_OK) st = base_values(d, err);
    if (st == E_OK) show_base(d);
    else duel_close(d);
    return st;
}

status duel_open(duel *d, work *w, error *err)
{
    pairs *p = NULL;
    status st = read_pairs(w, &p, err);
    return st == E_OK ? duel_open_pairs(d, w, p, err) : st;
}

void duel_close(duel *d)
{
    duel_end(d);
    pairs_free(d->p);
}

/* ---- tensors ---- */

void duel_tensor_get(duel *d, duel_tensor *out, int direction, const char *name, const char *axes,
                     const int64_t *dim, int n_dim)
{
    char all[200];
    int64_t full[TENSOR_DIMS];
    *out = (duel_tensor){ .n_cell = 1 };
    if (direction >= 0 && strncmp(name, "path.", 5))
        snprintf(out->name, sizeof out->name, "%s.%s", duel_direction(direction), name);
    else if (direction >= 0)
        snprintf(out->name, sizeof out->name, "path.%s.%s", duel_direction(direction), name + 5);
    else snprintf(out->name, sizeof out->name, "%s", name);
    for (int i = 0; i < n_dim; i++) full[i] = dim[i], out->n_cell *= dim[i];
    full[n_dim] = d->p->n;
    snprintf(all, sizeof all, "%s%spair", axes, *axes ? " " : "");
    const report_array *there = report_find_tensor(d->w->r, out->name);
    if (there) {
        out->v = (double *)there->t.data, out->mark = there->mark;
        return;
    }
    out->v = report_tensor(d->w->r, out->name, DTYPE_F64, all, full);
    out->mark = report_marks(d->w->r, out->name);
    report_unit(d->w->r, out->name, d->def->unit);
    for (int64_t i = 0; out->v && out->mark && i < out->n_cell * d->p->n; i++)
        out->v[i] = (double)NAN;
}

/* ---- sweeping ---- */

static status cell_make(void *user, int64_t i, lane **out, error *err)
{
    duel *d = user;
    const duel_cell *c = &d->cell[i];
    lane *l;
    status st = lane_fork(&l, d->base, err);
    if (st != E_OK) return st;
    lane_sweep(l);
    st = c->reader ? lane_edit_edge(l, &c->e, c->reader, c->slice, err) : lane_edit(l, &c->e, err);
    if (st == E_OK) st = lane_ask(l, d->metric.value, (box){ 0, 1, 0, 1 }, err);
    if (st == E_OK) *out = l;
    else lane_drop(l);
    return st;
}

static status cell_take(void *user, int64_t i, lane *l, error *err)
{
    static const uint8_t marks[] = {
        [EFFECT_CHANGED] = MARK_NONE, [EFFECT_EQUAL] = MARK_EQUAL, [EFFECT_NONE] = MARK_UNREACHED
    };
    duel *d = user;
    int64_t at = d->cell[i].at * d->p->n + d->pair;
    d->w->n_fork++;
    if (!d->out->v || !d->out->mark) return error_set(err, E_NOMEM, "sweep: out of memory");
    d->out->mark[at] = marks[lane_effect(l)];
    return lane_read(l, d->metric.value, (box){ 0, 1, 0, 1 }, &d->out->v[at], err);
}

static bool sweep_told(void *user, int64_t n_done, int64_t n)
{
    duel *d = user;
    return work_tell(d->w, d->out->name, (double)n_done / (double)n, NULL) == E_OK;
}

status duel_sweep(duel *d, lane *base, const duel_cell *cell, int64_t n, duel_tensor *out,
                  error *err)
{
    int64_t done = 0;
    d->cell = cell, d->out = out, d->base = base;
    for (int64_t i = 0; out->mark && i < n; i++)
        out->mark[cell[i].at * d->p->n + d->pair] = MARK_INCOMPLETE;
    session_on_progress(d->w->s, NULL, NULL);
    sweep s = {
        .s = d->w->s, .n = n, .user = d, .make = cell_make, .take = cell_take, .tell = sweep_told
    };
    return sweep_run(&s, &done, err);
}

/* ---- effects ---- */

double duel_effect(const duel *d, int direction, int pair, double value, bool *raw)
{
    double base = d->value[direction == NOISE][pair], other = d->value[direction != NOISE][pair],
           gap = other - base;
    *raw = !(fabs(gap) > 1e-3 * (fabs(base) + fabs(other)) && fabs(gap) > 1e-6);
    return *raw ? value - base : (value - base) / gap;
}

static double mean_effect(const duel *d, const duel_tensor *t, int direction, int64_t at, bool *raw,
                          uint8_t *mark)
{
    int n = 0;
    double sum = 0;
    *raw = true, *mark = d->p->n ? t->mark[at * d->p->n] : MARK_NONE;
    for (int i = 0; i < d->p->n; i++) {
        bool small;
        duel_effect(d, direction, i, 0, &small);
        *raw &= small;
    }
    for (int i = 0; i < d->p->n; i++) {
        bool small;
        double e = duel_effect(d, direction, i, t->v[at * d->p->n + i], &small);
        if (t->mark[at * d->p->n + i] != *mark) *mark = MARK_NONE;
        if ((small && !*raw) || isnan(e)) continue;
        sum += e, n++;
    }
    return n ? sum / n : (double)NAN;
}

typedef struct rank {
    double e;
    int64_t at;
} rank;

static int by_size(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    double p = fabs(x->e), q = fabs(y->e);
    return p > q ? -1 : p < q ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

/* Largest first, with an interval where there are several pairs. */
static void show_largest(duel *d, const duel_tensor *t, int direction, rank *list, int64_t n,
                         bool raw, duel_label *label, const void *user)
{
    char name[220], text[120];
    double *e = arena_array(&d->w->mem, d->p->n, sizeof *e);
    bool many = d->p->n > 1;
    snprintf(name, sizeof name, "largest %s", t->name);
    qsort(list, (size_t)n, sizeof *list, by_size);
    if (!n || list[0].e == 0) {
        report_note(d->w->r, "%s: no cell changes the metric.", t->name);
        return;
    }
    table *out = report_table(d->w->r, name, many ? 4 : 2,
                              (column[]){ { "where", NULL, CELL_TEXT, 0, false },
                                          { raw ? "difference" : "effect",
                                            raw ? d->def->unit : NULL, CELL_REAL, 0, false },
                                          { "low", NULL, CELL_REAL, 0, false },
                                          { "high", NULL, CELL_REAL, 0, false } });
    for (int64_t i = 0; e && i < n && i < 10 && list[i].e != 0; i++) {
        interval v;
        int k = 0;
        for (int p = 0; p < d->p->n; p++) {
            bool small;
            double x = duel_effect(d, direction, p, t->v[list[i].at * d->p->n + p], &small);
            if (!isnan(x) && (raw || !small)) e[k++] = x;
        }
        label(user, list[i].at, text, sizeof text);
        table_row(out), row_text(out, "%s", text), row_real(out, list[i].e);
        if (raw) row_mark(out, MARK_RAW);
        if (!many) continue;
        if (k > 1 && interval_bootstrap(&v, e, k, 0.95, d->w->seed, "duel.pairs", NULL) == E_OK) {
            row_real(out, v.low), row_real(out, v.high);
            snprintf(name, sizeof name, "%s %s", t->name, text);
            if (i == 0) report_interval(d->w->r, name, &v);
        } else row_none(out), row_none(out);
    }
}

void duel_effects(duel *d, const duel_tensor *t, int direction, const char *axes,
                  const int64_t *dim, int n_dim, duel_label *label, const void *user)
{
    char name[90];
    int64_t full[TENSOR_DIMS], n = 0;
    bool raw = false;
    if (!t->v || !t->mark) return;
    snprintf(name, sizeof name, "effect.%s", t->name);
    for (int i = 0; i < n_dim; i++) full[i] = dim[i];
    double *v = report_tensor(d->w->r, name, DTYPE_F64, axes, full);
    uint8_t *mark = report_marks(d->w->r, name);
    rank *list = arena_array(&d->w->mem, t->n_cell + 1, sizeof *list);
    if (!v || !mark || !list) return;
    for (int64_t i = 0; i < t->n_cell; i++) {
        v[i] = mean_effect(d, t, direction, i, &raw, &mark[i]);
        if (raw && mark[i] == MARK_NONE) mark[i] = MARK_RAW;
        if (!isnan(v[i])) list[n++] = (rank){ v[i], i };
    }
    if (raw) report_unit(d->w->r, name, d->def->unit);
    show_largest(d, t, direction, list, n, raw, label, user);
}
/* SPDX-License-Identifier: MIT */
