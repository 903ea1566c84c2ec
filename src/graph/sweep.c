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
/* SPDX-License-Identifier: MIT */
