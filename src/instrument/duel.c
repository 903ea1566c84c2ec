/* duel -- see duel.h. */
#include "instrument/duel.h"
#include "instrument/journal.h"
#include <math.h>
#include <string.h>

/* ---- pairs and metric ---- */

status duel_pairs(work *w, pairs **out, error *err)
{
    const char *file = work_text(w, "pairs"), *clean = work_text(w, "clean"),
               *corrupt = work_text(w, "corrupt");
    status st = work_not_beside(w, "pairs", "clean corrupt answer wrong", err);
    if (st == E_OK) st = work_only_beside(w, "pairs", "limit", err);
    if (st != E_OK) return st;
    if (file) return work_pairs(w, file, false, out, err);
    return pairs_from_texts(out, w->m, clean, corrupt ? corrupt : clean, work_text(w, "answer"),
                            work_text(w, "wrong"), work_bos(w), err);
}

static status read_pairs(work *w, pairs **out, error *err)
{
    const char *file = work_text(w, "pairs"), *clean = work_text(w, "clean");
    if (!file && !(clean && work_text(w, "corrupt") && work_text(w, "answer"))) {
        error_set(err, E_USAGE, "%s needs pairs of prompts", w->def->name);
        error_hint(err,
                   "--pairs FILE, or --clean TEXT --corrupt TEXT --answer TOKEN --wrong TOKEN");
        return E_USAGE;
    }
    return duel_pairs(w, out, err);
}

/* The answers of a pair: its set, or the one right one and the one wrong one, in `own`. */
static answer_set answers_of(const pairs *p, int i, int32_t own[2])
{
    if (p->set && p->set[i].n_right) return p->set[i];
    own[0] = p->correct[i], own[1] = p->wrong ? p->wrong[i] : 0;
    return (answer_set){ own, 1, p->wrong != NULL };
}

static int32_t most_answers(const pairs *p)
{
    int32_t most = 2;
    for (int i = 0; p->set && i < p->n; i++)
        if (p->set[i].n_right + p->set[i].n_wrong > most)
            most = p->set[i].n_right + p->set[i].n_wrong;
    return most;
}

static status check_answers(const duel *d, const metric_def *m, error *err)
{
    if (m->n_answer > 1 && !d->p->wrong) {
        error_set(err, E_USAGE, "%s needs a wrong answer for every pair", m->name);
        error_hint(err, "give --wrong, or --metric logit");
        return E_USAGE;
    }
    if (!m->sets || !d->p->n_partial) return E_OK;
    error_set(err, E_USAGE,
              "%s takes all answers, and of %d pairs not all are single tokens of this "
              "model",
              m->name, d->p->n_partial);
    error_hint(err, "--metric logit_diff takes the first right and the first wrong one");
    return E_USAGE;
}

static status add_metric(duel *d, const char *name, error *err)
{
    duel_metric *x = &d->metric[d->n_metric];
    if (d->n_metric == MAX_METRIC)
        return error_set(err, E_USAGE, "more than %d metrics", MAX_METRIC);
    status st = work_metric(d->w, name, most_answers(d->p), &x->on, &x->def, err);
    if (st != E_OK) return st;
    for (int k = 0; k < d->n_metric; k++)
        if (d->metric[k].def == x->def) return error_set(err, E_USAGE, "metric %s twice", name);
    d->n_metric++;
    return check_answers(d, x->def, err);
}

static status find_metrics(duel *d, error *err)
{
    const char *list = work_text(d->w, "metric");
    size_t n;
    status st = E_OK;
    if (!list) list = d->p->metric ? d->p->metric : d->p->wrong ? "logit_diff" : "logit";
    for (const char *word; st == E_OK && (word = str_word(&list, &n));) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)n, word);
        st = add_metric(d, name, err);
    }
    if (st != E_OK || d->n_metric) return st;
    error_set(err, E_USAGE, "--metric names none");
    error_hint(err, "logit_diff, or several: logit_diff,prob");
    return E_USAGE;
}

void duel_metric_at(duel *d, int k)
{
    const duel_metric *x = &d->metric[k];
    d->def = x->def, d->value[0] = x->value[0], d->value[1] = x->value[1], d->scale = x->scale;
    d->suffix[0] = 0;
    if (d->n_metric > 1) snprintf(d->suffix, sizeof d->suffix, ".%s", x->def->name);
}

/* All answers with their weights; the rest of `most` is the first again, which counts nothing. */
static status give_set(duel *d, lane *l, const duel_metric *m, int pair, error *err)
{
    int32_t own[2], most = m->on.answer->n_part;
    answer_set s = answers_of(d->p, pair, own);
    bool mean = m->def->sets == SET_MEAN;
    double *id = mem_zero((size_t)most * 2 * sizeof *id), *weight = id ? id + most : NULL;
    if (!id) return error_set(err, E_NOMEM, "pairs: out of memory");
    for (int32_t j = 0; j < most; j++) {
        bool there = j < s.n_right + s.n_wrong;
        id[j] = s.id[there ? j : 0];
        if (j < s.n_right) weight[j] = mean ? 1.0 / s.n_right : 1;
        else if (there) weight[j] = mean ? -1.0 / s.n_wrong : -1;
    }
    status st = lane_give(l, m->on.answer, id, err);
    if (st == E_OK) st = lane_give(l, m->on.weight, weight, err);
    mem_free(id, (size_t)most * 2 * sizeof *id);
    return st;
}

status duel_give(duel *d, lane *l, int pair, error *err)
{
    double answer[2] = { d->p->correct[pair], d->p->wrong ? d->p->wrong[pair] : 0 };
    status st = E_OK;
    for (int k = 0; k < d->n_metric && st == E_OK; k++)
        st = d->metric[k].on.weight ? give_set(d, l, &d->metric[k], pair, err)
                                    : lane_give(l, d->metric[k].on.answer, answer, err);
    return st;
}

status duel_ask(duel *d, lane *l, error *err)
{
    status st = E_OK;
    for (int k = 0; k < d->n_metric && st == E_OK; k++)
        st = lane_ask(l, d->metric[k].on.value, (box){ 0, 1, 0, 1 }, err);
    return st;
}

status duel_values(duel *d, lane *l, double *out, error *err)
{
    status st = E_OK;
    for (int k = 0; k < d->n_metric && st == E_OK; k++)
        st = lane_read(l, d->metric[k].on.value, (box){ 0, 1, 0, 1 }, &out[k], err);
    return st;
}

static void read_request(duel *d)
{
    const char *text = work_text(d->w, "direction"), *order = work_text(d->w, "order");
    if (!text) text = work_flag(d->w, "all") ? "both" : "denoise";
    d->both = !strcmp(text, "both"), d->noise_only = !strcmp(text, "noise");
    d->coarse = order && !strcmp(order, "coarse");
    d->until = work_until(d->w);
}

static status needs_reference(const duel *d, error *err)
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
    status st = needs_reference(d, err);
    for (int i = 0; st == E_OK && i < d->p->n_reference; i++)
        if (d->p->reference[i]->n < rows)
            return error_set(
                err, E_SHAPE,
                "%s: reference prompt %d has %d tokens, fewer than the %d it is a mean for",
                d->w->def->name, i, d->p->reference[i]->n, rows);
    if (st != E_OK) return st;
    double **mean = arena_array(&d->w->mem, n_node, sizeof *mean);
    if (!mean) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    st = work_means(d->w, n, n_node, d->p->reference, d->p->n_reference, rows, mean, err);
    if (st == E_OK) *out = mean;
    return st;
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
    char name[40];
    bool first = isnan(d->value[0][pair]) && !(d->spoil && (parent || pair % d->n_draw));
    snprintf(name, sizeof name, "%s %d", d->spoil ? "prompt" : what, pair / d->n_draw);
    status st = work_lane(d->w, out, parent, p, first ? name : NULL, err);
    if (st == E_OK && d->spoil && parent) st = d->spoil(d, *out, pair, err);
    if (st == E_OK) st = duel_give(d, *out, pair, err);
    if (st == E_OK) lane_keep(*out);
    return st == E_OK ? duel_ask(d, *out, err) : st;
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
    double v[2][MAX_METRIC];
    status st = duel_values(d, d->corrupt, v[0], err);
    if (st == E_OK) st = duel_values(d, d->clean, v[1], err);
    for (int k = 0; k < d->n_metric && st == E_OK; k++)
        for (int i = 0; i < 2; i++) d->metric[k].value[i][d->pair] = v[i][k];
    return st;
}

/* Both lanes run, with all that sweeps read of them. */
static status hold_lanes(duel *d, int pair, error *err)
{
    run_info info = { 0 };
    status st = ask_sites(d, d->clean, err);
    if (st == E_OK) st = ask_sites(d, d->corrupt, err);
    if (st == E_OK) st = session_plan(d->w->s, &info, err);
    if (st == E_OK) st = work_run(d->w, err);
    d->held_bytes[pair] = info.value_bytes;
    return st;
}

status duel_hold(duel *d, int pair, int64_t *bytes, error *err)
{
    status st = E_OK;
    bool there = d->held[pair][0] != NULL;
    if (there) duel_at(d, pair);
    else st = duel_lanes(d, pair, err);
    if (st == E_OK && !there) st = hold_lanes(d, pair, err);
    if (st == E_OK && !there) st = read_values(d, err);
    *bytes = d->held_bytes[pair];
    return st;
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
    *out = arena_array(&d->w->mem, node_numbers(e->n, b, l) + 1, sizeof **out);
    if (!*out) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    status st = lane_ask(l, e->n, b, err);
    if (st == E_OK) st = session_run(d->w->s, NULL, err);
    return st == E_OK ? lane_read(l, e->n, b, *out, err) : st;
}

/* The largest of the answers' logits, of either run: what the metric's rounding error is a share of. */
static status largest_logit(duel *d, lane *l, int pair, double *out, error *err)
{
    int32_t last = lane_len(l) - 1, own[2];
    answer_set s = answers_of(d->p, pair, own);
    for (int32_t k = 0; k < s.n_right + s.n_wrong; k++) {
        int32_t id = s.id[k];
        double x;
        status st = lane_read(l, d->w->m->logits, (box){ last, last + 1, id, id + 1 }, &x, err);
        if (st != E_OK) return st;
        if (fabs(x) > *out) *out = fabs(x);
    }
    return E_OK;
}

static status read_scale(duel *d, int pair, error *err)
{
    double largest = 0;
    status st = largest_logit(d, d->clean, pair, &largest, err);
    if (st == E_OK) st = largest_logit(d, d->corrupt, pair, &largest, err);
    for (int k = 0; k < d->n_metric && st == E_OK; k++) {
        const duel_metric *x = &d->metric[k];
        x->scale[pair] = largest;
        if (x->def->relative)
            x->scale[pair] *= fmax(fabs(x->value[0][pair]), fabs(x->value[1][pair]));
    }
    return st;
}

static status ask_last(duel *d, lane *l, error *err)
{
    int32_t last = lane_len(l) - 1;
    return lane_ask(l, d->w->m->logits, (box){ last, last + 1, 0, d->w->m->logits->n_part }, err);
}

static bool base_room(duel *d)
{
    int n = d->p->n;
    d->held = arena_array(&d->w->mem, n, sizeof *d->held);
    d->held_bytes = arena_array(&d->w->mem, n, sizeof *d->held_bytes);
    for (int k = 0; k < d->n_metric; k++) {
        duel_metric *x = &d->metric[k];
        x->scale = arena_array(&d->w->mem, n, sizeof *x->scale);
        for (int i = 0; i < 2; i++) {
            x->value[i] = arena_array(&d->w->mem, n, sizeof **x->value);
            for (int j = 0; x->value[i] && j < n; j++) x->value[i][j] = (double)NAN;
        }
        if (!x->scale || !x->value[0] || !x->value[1]) return false;
    }
    duel_metric_at(d, 0);
    return d->held && d->held_bytes;
}

static status base_values(duel *d, error *err)
{
    int n = d->p->n;
    if (!base_room(d)) return error_set(err, E_NOMEM, "pairs: out of memory");
    status st = E_OK;
    int64_t room = session_room(d->w->s) / 8; /* for pairs that need not be run again to be swept */
    for (int i = 0; i < n && st == E_OK; i++) {
        bool hold = room > 0;
        st = duel_lanes(d, i, err);
        if (st == E_OK) st = ask_last(d, d->clean, err);
        if (st == E_OK) st = ask_last(d, d->corrupt, err);
        if (st == E_OK) st = hold ? hold_lanes(d, i, err) : work_run(d->w, err);
        if (st == E_OK) st = read_values(d, err);
        if (st == E_OK) st = read_scale(d, i, err);
        if (st == E_OK && hold) room -= d->held_bytes[i];
        if (st != E_OK || room <= 0) duel_drop(d, i);
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
    row_real(t, d->value[1][i]);
    if (d->p->single) return;
    row_real(t, d->value[0][i]), row_real(t, d->value[1][i] - d->value[0][i]);
    if (!raw || d->spoil) return;
    row_mark(t, MARK_RAW);
    report_warn(d->w->r,
                "pair %d: the two base runs differ by %.3g only; its effects are not normalised", i,
                d->value[1][i] - d->value[0][i]);
}

/* An overflow in a base run (noise that is too large, weights that are no numbers) leaves nothing to compare with. */
static void warn_no_number(duel *d)
{
    int bad = 0;
    for (int i = 0; i < d->p->n; i++) bad += !isfinite(d->value[1][i] - d->value[0][i]);
    if (bad)
        report_warn(d->w->r,
                    "%s: the base runs of %d of %d pairs give no finite number: their effects are "
                    "none either",
                    d->def->name, bad, d->p->n);
}

/* What there is to show: no wrong answer, no other prompt: no column. */
static table *base_table(duel *d)
{
    char name[80];
    const char *unit = d->def->unit;
    column c[6];
    int n = 0;
    snprintf(name, sizeof name, "base runs%s%s", *d->suffix ? ": " : "",
             *d->suffix ? d->def->name : "");
    c[n++] = (column){ d->p->single ? "prompt" : "pair", NULL, CELL_INT, 0, false };
    c[n++] = (column){ "answer", NULL, CELL_TOKEN, 0, false };
    if (d->p->wrong) c[n++] = (column){ "wrong", NULL, CELL_TOKEN, 0, false };
    c[n++] = (column){ "clean", unit, CELL_REAL, 0, false };
    if (!d->p->single) {
        c[n++] = (column){ "corrupt", unit, CELL_REAL, 0, false };
        c[n++] = (column){ "gap", unit, CELL_REAL, 0, false };
    }
    return report_table(d->w->r, name, n, c);
}

static void show_base(duel *d)
{
    char name[80];
    double sum[2] = { 0 };
    table *t = base_table(d);
    for (int i = 0; i < d->p->n; i++) show_base_pair(d, t, i);
    warn_no_number(d);
    report_note(d->w->r, "Metric: %s, %s.%s", d->def->name, d->def->says,
                d->def->sets && d->p->set ? "  The table names the first of either." : "");
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
    read_request(d);
    status st = shard_find(&d->share, d->w, err);
    if (st == E_OK) st = find_metrics(d, err);
    if (st == E_OK) st = base_values(d, err);
    for (int k = 0; k < d->n_metric && st == E_OK; k++) duel_metric_at(d, k), show_base(d);
    if (st == E_OK) duel_metric_at(d, 0), st = note_answers(d, err);
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
    *raw = direction == ABLATE || d->spoil ||
           !(fabs(gap) > 1e-3 * (fabs(base) + fabs(other)) && fabs(gap) > rounding);
    return *raw ? value - base : (value - base) / gap;
}
/* SPDX-License-Identifier: MIT */
