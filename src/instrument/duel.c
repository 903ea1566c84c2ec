/* duel -- see duel.h. */
#include "base/cpu.h"
#include "instrument/duel.h"
#include "instrument/journal.h"
#include <math.h>
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

static status sweep_check(duel *d, error *err)
{
    const char *order = work_text(d->w, "order");
    double seconds = work_real(d->w, "seconds");
    d->coarse = order && !strcmp(order, "coarse");
    if (order && !d->coarse && strcmp(order, "depth") != 0)
        return error_set(err, E_USAGE, "order is '%.40s', expected depth or coarse", order);
    if (!(seconds >= 0 && seconds < 1e9))
        return error_set(err, E_USAGE, "seconds: %g, expected 0 (no end) or more", seconds);
    if (seconds > 0) d->until = clock_seconds() + seconds;
    return E_OK;
}

status duel_needs_reference(const duel *d, error *err)
{
    if (d->p->n_reference) return E_OK;
    error_set(err, E_USAGE, "%s: a mean needs reference prompts", d->w->def->name);
    error_hint(err, "they are \"ablation_reference_set\" of the file given with --pairs");
    return E_USAGE;
}

int32_t duel_longest(const duel *d)
{
    int32_t n = 0;
    for (int i = 0; i < d->p->n; i++) n = d->p->clean[i]->n > n ? d->p->clean[i]->n : n;
    return n;
}

status duel_means(duel *d, node *const *n, int n_node, bool by_pos, double ***out, error *err)
{
    int32_t rows = by_pos ? duel_longest(d) : 0;
    status st = duel_needs_reference(d, err);
    for (int i = 0; st == E_OK && i < d->p->n_reference; i++)
        if (d->p->reference[i]->n < rows)
            return error_set(
                err, E_SHAPE,
                "%s: reference prompt %d has %d tokens, fewer than the %d it is a mean for",
                d->w->def->name, i, d->p->reference[i]->n, rows);
    *out = arena_array(&d->w->mem, n_node, sizeof **out);
    if (!*out) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    if (st != E_OK) return st;
    return work_means(d->w, n, n_node, d->p->reference, d->p->n_reference, rows, *out, err);
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
    bool first = isnan(d->value[0][pair]) && !(d->spoil && (parent || pair % d->n_draw));
    snprintf(name, sizeof name, "%s %d", d->spoil ? "prompt" : what, pair / d->n_draw);
    status st = work_lane(d->w, out, parent, p, first ? name : NULL, err);
    if (st == E_OK && d->spoil && parent) st = d->spoil(d, *out, pair, err);
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

/* The two lanes of a pair, to be asked for more and run. */
static status duel_lanes(duel *d, int pair, error *err)
{
    status st = duel_lane(d, &d->held[pair][0], NULL, d->p->clean[pair], pair, "clean", err);
    if (st == E_OK)
        st = duel_lane(d, &d->held[pair][1], d->held[pair][0], d->p->corrupt[pair], pair, "corrupt",
                       err);
    duel_at(d, pair);
    return st;
}

static status read_values(duel *d, error *err)
{
    box one = { 0, 1, 0, 1 };
    status st = lane_read(d->corrupt, d->metric.value, one, &d->value[0][d->pair], err);
    return st == E_OK ? lane_read(d->clean, d->metric.value, one, &d->value[1][d->pair], err) : st;
}

status duel_hold(duel *d, int pair, int64_t *bytes, error *err)
{
    run_info info = { 0 };
    status st = duel_lanes(d, pair, err);
    if (st == E_OK) st = ask_sites(d, d->clean, err);
    if (st == E_OK) st = ask_sites(d, d->corrupt, err);
    if (st == E_OK) st = session_plan(d->w->s, &info, err);
    if (st == E_OK) st = work_run(d->w, err);
    *bytes = info.value_bytes;
    return st == E_OK ? read_values(d, err) : st;
}

void duel_at(duel *d, int pair)
{
    d->pair = pair, d->clean = d->held[pair][0], d->corrupt = d->held[pair][1];
}

void duel_drop(duel *d, int pair)
{
    for (int k = 1; k >= 0; k--) {
        if (d->held[pair][k]) lane_drop(d->held[pair][k]);
        d->held[pair][k] = NULL;
    }
    if (d->pair == pair) d->clean = d->corrupt = NULL;
}

status duel_read(duel *d, lane *l, const edit *e, double **out, error *err)
{
    box b = box_cut(e->where, node_all(e->n, l));
    *out = arena_array(&d->w->mem, node_numbers(e->n, b) + 1, sizeof **out);
    if (!*out) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    status st = lane_ask(l, e->n, b, err);
    if (st == E_OK) st = session_run(d->w->s, NULL, err);
    return st == E_OK ? lane_read(l, e->n, b, *out, err) : st;
}

/* The largest of the answers' logits, of either run: what the metric's rounding error is a share of. */
static status read_scale(duel *d, lane *l, int pair, error *err)
{
    int32_t last = lane_len(l) - 1;
    for (int k = 0; k < (d->p->wrong ? 2 : 1); k++) {
        int32_t id = k ? d->p->wrong[pair] : d->p->correct[pair];
        double x;
        status st = lane_read(l, d->w->m->logits, (box){ last, last + 1, id, id + 1 }, &x, err);
        if (st != E_OK) return st;
        if (fabs(x) > d->scale[pair]) d->scale[pair] = fabs(x);
    }
    return E_OK;
}

static status ask_last(duel *d, lane *l, error *err)
{
    int32_t last = lane_len(l) - 1;
    return lane_ask(l, d->w->m->logits, (box){ last, last + 1, 0, d->w->m->logits->n_part }, err);
}

static status base_values(duel *d, error *err)
{
    int n = d->p->n;
    status st = E_OK;
    d->value[0] = arena_array(&d->w->mem, n, sizeof(double)),
    d->value[1] = arena_array(&d->w->mem, n, sizeof(double)),
    d->scale = arena_array(&d->w->mem, n, sizeof(double));
    d->held = arena_array(&d->w->mem, n, sizeof *d->held);
    if (!d->value[0] || !d->value[1] || !d->scale || !d->held)
        return error_set(err, E_NOMEM, "pairs: out of memory");
    for (int i = 0; i < n; i++) d->value[0][i] = d->value[1][i] = (double)NAN;
    for (int i = 0; i < n && st == E_OK; i++) {
        st = duel_lanes(d, i, err);
        if (st == E_OK) st = ask_last(d, d->clean, err);
        if (st == E_OK) st = ask_last(d, d->corrupt, err);
        if (st == E_OK) st = work_run(d->w, err);
        if (st == E_OK) st = read_values(d, err);
        if (st == E_OK) st = read_scale(d, d->clean, i, err);
        if (st == E_OK) st = read_scale(d, d->corrupt, i, err);
        if (d->def->relative) d->scale[i] *= fmax(fabs(d->value[0][i]), fabs(d->value[1][i]));
        duel_drop(d, i);
    }
    return st;
}

/* The answers, and what the metric says of the two runs. */
static void show_base_pair(duel *d, table *t, int i)
{
    bool raw;
    duel_effect(d, DENOISE, i, 0, &raw);
    table_row(t), row_int(t, i), work_row_token(d->w, t, d->p->correct[i]);
    if (d->p->wrong) work_row_token(d->w, t, d->p->wrong[i]);
    else row_none(t);
    row_real(t, d->value[1][i]), row_real(t, d->value[0][i]),
        row_real(t, d->value[1][i] - d->value[0][i]);
    if (!raw) return;
    row_mark(t, MARK_RAW);
    report_warn(d->w->r,
                "pair %d: the two base runs differ by %.3g only; its effects are not normalised", i,
                d->value[1][i] - d->value[0][i]);
}

static void show_base(duel *d)
{
    char name[80];
    double sum[2] = { 0 };
    table *t = report_table(d->w->r, "base runs", 6,
                            (column[]){ { "pair", NULL, CELL_INT, 0, false },
                                        { "answer", NULL, CELL_TOKEN, 0, false },
                                        { "wrong", NULL, CELL_TOKEN, 0, false },
                                        { "clean", d->def->unit, CELL_REAL, 0, false },
                                        { "corrupt", d->def->unit, CELL_REAL, 0, false },
                                        { "gap", d->def->unit, CELL_REAL, 0, false } });
    for (int i = 0; i < d->p->n; i++) show_base_pair(d, t, i);
    report_note(d->w->r, "Metric: %s, %s.", d->def->name, d->def->says);
    for (int k = 0; k < 2; k++) {
        snprintf(name, sizeof name, "%s_%s", d->def->name, k ? "clean" : "corrupt");
        double *v = report_tensor(d->w->r, name, DTYPE_F64, "pair", (int64_t[]){ d->p->n });
        for (int i = 0; v && i < d->p->n; i++) v[i] = d->value[k][i], sum[k] += d->value[k][i];
        report_unit(d->w->r, name, d->def->unit);
        report_control(d->w->r, name, sum[k] / d->p->n, "mean over %d pair%s of the unedited run",
                       d->p->n, d->p->n == 1 ? "" : "s");
    }
}

/* The answers' ids are inputs as the prompts' are. */
static status note_answers(duel *d, error *err)
{
    int n = d->p->n / d->n_draw;
    int64_t *ids = arena_array(&d->w->mem, n, sizeof *ids);
    if (!ids) return error_set(err, E_NOMEM, "pairs: out of memory");
    for (int k = 0; k < (d->p->wrong ? 2 : 1); k++) {
        for (int i = 0; i < n; i++)
            ids[i] = k ? d->p->wrong[i * d->n_draw] : d->p->correct[i * d->n_draw];
        report_lane(d->w->r, k ? "wrong answers" : "answers", NULL, ids, n);
    }
    return E_OK;
}

status duel_open_pairs(duel *d, work *w, pairs *own_p, error *err)
{
    return duel_open_spoiled(d, w, own_p, 1, NULL, NULL, err);
}

status duel_open_spoiled(duel *d, work *w, pairs *own_p, int n_draw, duel_spoil *spoil, void *user,
                         error *err)
{
    *d = (duel){ .w = w, .p = own_p, .n_draw = n_draw, .spoil = spoil, .user = user };
    status st = direction_check(d, err);
    if (st == E_OK) st = sweep_check(d, err);
    if (st == E_OK) st = find_metric(d, err);
    if (st == E_OK) st = base_values(d, err);
    if (st == E_OK) show_base(d), st = note_answers(d, err);
    if (st != E_OK) duel_close(d);
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
    for (int i = 0; d->held && i < d->p->n; i++) duel_drop(d, i);
    journal_close(d->journal);
    d->journal = NULL;
    pairs_free(d->p);
}

double duel_effect(const duel *d, int direction, int pair, double value, bool *raw)
{
    double base = d->value[direction != DENOISE][pair],
           other = d->value[direction == DENOISE][pair], gap = other - base;
    double rounding = (d->w->e->real_bytes == 8 ? 1e-9 : 1e-4) * d->scale[pair];
    *raw = direction == ABLATE ||
           !(fabs(gap) > 1e-3 * (fabs(base) + fabs(other)) && fabs(gap) > rounding);
    return *raw ? value - base : (value - base) / gap;
}
/* SPDX-License-Identifier: MIT */
