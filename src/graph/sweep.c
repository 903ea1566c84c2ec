/* sweep -- see sweep.h. */
#include "graph/sweep.h"

enum { FIRST_WAVE = 4, MAX_WAVE = 256 };

/* Values of a wave beyond this crowd the caches and gain nothing. */
static const int64_t GOOD_BYTES = INT64_C(256) << 20;

typedef struct wave_list {
    lane *lane[MAX_WAVE];
    int64_t n;
} wave_list;

static void wave_drop(wave_list *v)
{
    while (v->n)
        if (v->lane[--v->n]) lane_drop(v->lane[v->n]);
}

static status wave_make(const sweep *w, wave_list *v, int64_t first, int64_t size, error *err)
{
    status st = E_OK;
    while (st == E_OK && v->n < size && first + v->n < w->n) {
        lane *l = NULL;
        st = w->make(w->user, first + v->n, &l, err);
        if (st == E_OK) v->lane[v->n++] = l;
    }
    return st;
}

static status wave_take(const sweep *w, const wave_list *v, int64_t first, int64_t *n_done,
                        error *err)
{
    status st = E_OK;
    for (int64_t i = 0; i < v->n && st == E_OK; i++) {
        if (v->lane[i]) st = w->take(w->user, first + i, v->lane[i], err);
        if (st == E_OK) ++*n_done;
    }
    return st;
}

static int64_t next_size(const sweep *w, const run_info *info, int64_t size)
{
    int64_t each = info->value_bytes / size + 1, room = session_room(w->s) / 2,
            fit = (room < GOOD_BYTES ? room : GOOD_BYTES) / each;
    return fit < 1 ? 1 : fit > MAX_WAVE ? MAX_WAVE : fit;
}

status sweep_run(const sweep *w, int64_t *n_done, error *err)
{
    int64_t size = FIRST_WAVE, most = MAX_WAVE;
    wave_list v = { .n = 0 };
    *n_done = 0;
    while (*n_done < w->n) {
        int64_t first = *n_done;
        run_info info = { 0 };
        error local = { 0 };
        status st = wave_make(w, &v, first, size < most ? size : most, &local);
        if (st == E_OK) st = session_run(w->s, &info, &local);
        if (st == E_LIMIT && v.n > 1) { /* too many at once */
            most = size = v.n / 2;
            wave_drop(&v);
            continue;
        }
        if (st == E_OK) st = wave_take(w, &v, first, n_done, &local);
        if (st == E_OK) size = next_size(w, &info, v.n);
        wave_drop(&v);
        if (st == E_OK && w->tell) st = w->tell(w->user, first, *n_done, &local);
        if (st == E_OK) continue;
        error_set(err, st, "%s", local.msg);
        error_hint(err, "%s", local.hint);
        return st;
    }
    return E_OK;
}

/* ---- planning only ---- */

typedef struct sample {
    const sweep *w;
    int64_t n; /* cells planned, spread over w->n */
} sample;

static status sample_make(void *user, int64_t i, lane **out, error *err)
{
    const sample *x = user;
    return x->w->make(x->w->user, (int64_t)((double)i * (double)x->w->n / (double)x->n), out, err);
}

static void add_wave(run_info *sum, const run_info *wave)
{
    sum->n_lane += wave->n_lane, sum->n_cell += wave->n_cell;
    sum->n_op += wave->n_op, sum->n_naive_op += wave->n_naive_op;
    sum->n_touched += wave->n_touched;
    if (wave->value_bytes > sum->value_bytes) sum->value_bytes = wave->value_bytes;
    if (wave->plan_bytes > sum->plan_bytes) sum->plan_bytes = wave->plan_bytes;
}

static void grow(int64_t *v, double times) { *v = (int64_t)((double)*v * times + 0.5); }

status sweep_plan(const sweep *w, int64_t most, run_info *sum, bool *exact, error *err)
{
    sample x = { w, w->n < most ? w->n : most };
    sweep few = { .s = w->s, .n = x.n, .user = &x, .make = sample_make };
    int64_t size = FIRST_WAVE, done = 0;
    wave_list v = { .n = 0 };
    status st = E_OK;
    *sum = (run_info){ 0 };
    while (done < x.n && st == E_OK) {
        run_info info = { 0 };
        st = wave_make(&few, &v, done, size, err);
        if (st == E_OK) st = session_plan(w->s, &info, err);
        if (st == E_OK) add_wave(sum, &info), done += v.n, size = next_size(w, &info, v.n);
        wave_drop(&v);
    }
    *exact = x.n == w->n;
    if (st != E_OK || *exact || !x.n) return st;
    double times = (double)w->n / (double)x.n;
    grow(&sum->n_lane, times), grow(&sum->n_cell, times), grow(&sum->n_op, times);
    grow(&sum->n_naive_op, times), grow(&sum->n_touched, times);
    return E_OK;
}
/* ---- trying a few ---- */

static status sample_leave(void *user, int64_t i, lane *l, error *err)
{
    (void)user, (void)i, (void)l, (void)err;
    return E_OK;
}

status sweep_try(const sweep *w, int64_t most, double *part, error *err)
{
    sample x = { w, w->n < most ? w->n : most };
    sweep few = { .s = w->s, .n = x.n, .user = &x, .make = sample_make, .take = sample_leave };
    run_info planned;
    bool exact;
    int64_t done;
    status st = sweep_plan(&few, x.n, &planned, &exact, err);
    if (st != E_OK) return st;
    int64_t before = session_totals(w->s)->n_op;
    st = sweep_run(&few, &done, err);
    if (st != E_OK) return st;
    int64_t n_op = session_totals(w->s)->n_op - before;
    *part = planned.n_op ? (double)n_op / (double)planned.n_op : 1;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
