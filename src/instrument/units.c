/* units -- see units.h. */
#include "instrument/units.h"
#include "format/format.h"
#include "linalg/linalg.h"
#include "tensor/draw.h"
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- room ---- */

static status units_room(units *u, error *err)
{
    u->from = arena_array(&u->w->mem, MAX_UNITS, sizeof *u->from);
    u->at = arena_array(&u->w->mem, MAX_UNITS, sizeof *u->at);
    return u->from && u->at ? E_OK : work_nomem(u->w, err);
}

static status too_many(int n, error *err)
{
    error_set(err, E_LIMIT, "%d units, the most are %d", n, MAX_UNITS);
    error_hint(err, "name fewer: [neuron=0:100], or --key for some of a file's directions");
    return E_LIMIT;
}

/* ---- sites ---- */

static unit_kind kind_of(const address *a)
{
    if (a->n->extent == PAIR) return UNIT_GAZE;
    return a->n->width > 1 && !a->has_width ? UNIT_LENGTH : UNIT_NUMBER;
}

/* Every part, and of numbers every one of it, is a unit. */
static status add_address(units *u, const address *a, error *err)
{
    bool pair = a->n->extent == PAIR;
    unit_kind kind = kind_of(a);
    int64_t wide = kind == UNIT_NUMBER ? a->w1 - a->w0 : 1, n = (a->where.a1 - a->where.a0) * wide;
    if (a->n->extent != ROW && !pair)
        return error_set(err, E_UNSUPPORTED, "%s is no value of a position", a->name);
    if (a->has_rows || a->before || (pair && a->has_width))
        return error_set(err, E_USAGE,
                         "unit %s: all positions are looked at, so none is named, and no @before",
                         a->name);
    if (u->n_source == MAX_UNITS || u->n + n > MAX_UNITS) return too_many((int)(u->n + n), err);
    source *s = &u->from[u->n_source++];
    *s = (source){ .kind = kind,
                   .n = a->n,
                   .a0 = a->where.a0,
                   .a1 = a->where.a1,
                   .w0 = pair ? 0 : a->w0,
                   .w1 = pair ? 0 : a->w1,
                   .first = u->n,
                   .n_unit = (int)n };
    for (int64_t i = 0; i < n; i++) {
        address one = *a;
        one_unit *x = &u->at[u->n++];
        one.where.a0 = s->a0 + (int32_t)(i / wide), one.where.a1 = one.where.a0 + 1;
        one.has_parts = a->n->n_part > 1;
        if (kind == UNIT_NUMBER && a->n->width > 1)
            one.w0 = s->w0 + (int32_t)(i % wide), one.w1 = one.w0 + 1, one.has_width = true;
        *x = (one_unit){ .from = s };
        address_text(&one, x->name, sizeof x->name);
    }
    return E_OK;
}

static status add_sites(units *u, error *err)
{
    const char *text;
    status st = E_OK;
    for (int i = 0; (text = work_item(u->w, "unit", i)) && st == E_OK; i++) {
        address *a;
        int n;
        st = site_find_list(&a, &n, &u->w->mem, u->w->m, NULL, text, err);
        for (int k = 0; k < n && st == E_OK; k++) st = add_address(u, &a[k], err);
    }
    return st;
}

/* ---- directions ---- */

/* "mean.blocks.3.resid_post": the longest end of a name that is a site. */
static status site_of_key(units *u, const char *key, address *out, error *err)
{
    const char *at = work_text(u->w, "at");
    if (at) return site_find_one(out, u->w->m, NULL, at, err);
    for (const char *p = key; p; p = strpbrk(p, "./"), p = p ? p + 1 : NULL)
        if (site_find_one(out, u->w->m, NULL, p, NULL) == E_OK) return E_OK;
    error_set(err, E_USAGE, "direction '%.100s': its name does not end with a site's", key);
    error_hint(err, "--at SITE says where it belongs, as --at blocks.3.resid_post");
    return E_USAGE;
}

/* The source of a site's directions, made if need be. */
static status source_of(units *u, const address *a, source **out, error *err)
{
    if (a->n->extent != ROW || a->has_rows)
        return error_set(err, E_USAGE,
                         "direction at %s: a site of one vector a position, and no "
                         "position, is expected",
                         a->name);
    if (u->n_source == MAX_UNITS) return too_many(MAX_UNITS + 1, err);
    source *s = &u->from[u->n_source++];
    *s = (source){ .kind = UNIT_DOT,
                   .n = a->n,
                   .a0 = a->where.a0,
                   .a1 = a->where.a1,
                   .w0 = a->w0,
                   .w1 = a->w1,
                   .first = u->n };
    *out = s;
    return E_OK;
}

static int64_t length_of(const source *s) { return (int64_t)(s->a1 - s->a0) * (s->w1 - s->w0); }

/* A vector, or the rows of a matrix. */
static status add_tensor(units *u, const tensor_view *t, error *err)
{
    const char *key = t->name;
    int64_t n = tensor_count(t);
    address a;
    source *s = NULL;
    status st = site_of_key(u, key, &a, err);
    if (st == E_OK) st = source_of(u, &a, &s, err);
    if (st != E_OK) return st;
    int64_t d = length_of(s), rows = n / d;
    if (!rows || n % d)
        return error_set(err, E_SHAPE, "direction '%.100s': %lld numbers, one at %s has %lld", key,
                         (long long)n, a.name, (long long)d);
    int n_random = (int)work_int(u->w, "random");
    if (u->n + rows + n_random > MAX_UNITS) return too_many((int)(u->n + rows), err);
    s->v = arena_array(&u->w->mem, (rows + n_random) * d, sizeof *s->v);
    if (!s->v) return work_nomem(u->w, err);
    tensor_values(t, 0, n, s->v);
    for (int64_t i = 0; i < rows; i++) {
        one_unit *x = &u->at[u->n++];
        *x = (one_unit){ .from = s };
        if (rows == 1) snprintf(x->name, sizeof x->name, "%.150s", key);
        else snprintf(x->name, sizeof x->name, "%.140s[%lld]", key, (long long)i);
    }
    s->n_unit = (int)rows;
    return E_OK;
}

/* Random directions as long as the source's own are in the mean. */
static void add_random(units *u, source *s)
{
    int64_t d = length_of(s), own = s->n_unit;
    double length = 0;
    char beside[150];
    snprintf(beside, sizeof beside, "%.140s", u->at[s->first].name);
    for (int64_t i = 0; i < own; i++) length += linalg_norm(s->v + i * d, d) / (double)own;
    for (int k = 0; k < (int)work_int(u->w, "random"); k++) {
        double *v = s->v + (own + k) * d;
        one_unit *x = &u->at[u->n++];
        *x = (one_unit){ .from = s, .random = true };
        snprintf(x->name, sizeof x->name, "random %d beside %s", k, beside);
        for (int64_t j = 0; j < d; j++)
            v[j] = (double)draw_normal(u->w->seed, rand_stream("maxact.random"),
                                       (uint64_t)((s->first + k) * d + j));
        double norm = linalg_norm(v, d);
        for (int64_t j = 0; j < d; j++) v[j] *= length / norm;
        s->n_unit++;
    }
}

static status add_directions(units *u, error *err)
{
    const char *path = work_text(u->w, "directions"), *glob = work_text(u->w, "key");
    container *c = NULL;
    int n = 0;
    if (!path) return E_OK;
    status st = container_open(&c, path, err);
    if (st == E_OK) st = work_file(u->w, path, err);
    for (int32_t i = 0; st == E_OK && i < container_count(c); i++) {
        const tensor_view *t = container_at(c, i);
        if (fnmatch(glob, t->name, 0)) continue;
        st = add_tensor(u, t, err);
        if (st == E_OK && work_int(u->w, "random")) add_random(u, &u->from[u->n_source - 1]);
        n++;
    }
    if (st == E_OK && !n) {
        st = error_set(err, E_USAGE, "%s: no tensor matches '%.100s'", path, glob);
        work_hint_tensors(c, err);
    }
    container_free(c);
    return st;
}

status units_open(units *u, work *w, error *err)
{
    *u = (units){ .w = w };
    status st = work_only_beside(w, "directions", "at", err);
    if (st == E_OK) st = units_room(u, err);
    if (st == E_OK) st = add_sites(u, err);
    if (st == E_OK) st = add_directions(u, err);
    if (st == E_OK && !u->n) {
        error_set(err, E_USAGE, "%s needs a unit", w->def->name);
        error_hint(err, "--unit \"blocks.2.mlp.post[neuron=0:20]\", a head's blocks.1.attn.z"
                        "[head=3], or --directions FILE");
        return E_USAGE;
    }
    return st;
}

status units_window(units *u, int32_t window, error *err)
{
    int64_t most = window;
    for (int i = 0; i < u->n_source; i++) {
        const source *s = &u->from[i];
        int64_t line = (int64_t)(s->a1 - s->a0) * (s->kind == UNIT_GAZE ? 1 : s->n->width);
        if (line > most / window) most = line * window;
    }
    u->buffer = arena_array(&u->w->mem, most, sizeof *u->buffer);
    return u->buffer ? E_OK : work_nomem(u->w, err);
}

/* ---- reading ---- */

status units_ask(const units *u, lane *l, int32_t r0, int32_t r1, error *err)
{
    status st = E_OK;
    for (int i = 0; i < u->n_source && r0 < r1 && st == E_OK; i++)
        st = lane_ask(l, u->from[i].n, (box){ r0, r1, u->from[i].a0, u->from[i].a1 }, err);
    return st;
}

static double length(const double *x, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* One line of a source, x [part][width], into value [n_unit]. */
static void line_values(const source *s, const double *x, double *value)
{
    int32_t width = s->n->width, wide = s->w1 - s->w0, n_part = s->a1 - s->a0;
    for (int32_t a = 0; a < n_part; a++) {
        const double *part = x + (int64_t)a * width + s->w0;
        if (s->kind == UNIT_LENGTH) value[a] = length(part, wide);
        for (int32_t j = 0; s->kind == UNIT_NUMBER && j < wide; j++) value[a * wide + j] = part[j];
    }
    for (int k = 0; s->kind == UNIT_DOT && k < s->n_unit; k++) {
        const double *v = s->v + k * length_of(s);
        value[k] = 0;
        for (int32_t a = 0; a < n_part; a++)
            for (int32_t j = 0; j < wide; j++)
                value[k] += v[(int64_t)a * wide + j] * x[(int64_t)a * width + s->w0 + j];
    }
}

/* The largest share that goes to a key which is neither the first nor the query's own. */
static status gaze_values(const units *u, const source *s, lane *l, int32_t row, double *value,
                          error *err)
{
    int32_t key0 = node_first_key(s->n, row), n = node_width(s->n, row, l);
    status st = lane_read(l, s->n, (box){ row, row + 1, s->a0, s->a1 }, u->buffer, err);
    for (int32_t a = 0; a < s->a1 - s->a0 && st == E_OK; a++) {
        value[a] = 0;
        for (int32_t k = 0; k < n; k++)
            if (key0 + k && key0 + k != row && u->buffer[(int64_t)a * n + k] > value[a])
                value[a] = u->buffer[(int64_t)a * n + k];
    }
    return st;
}

status units_read(const units *u, lane *l, int32_t r0, int32_t r1, double *value, error *err)
{
    status st = E_OK;
    for (int i = 0; i < u->n_source && r0 < r1 && st == E_OK; i++) {
        const source *s = &u->from[i];
        int64_t line = (int64_t)(s->a1 - s->a0) * s->n->width;
        if (s->kind != UNIT_GAZE)
            st = lane_read(l, s->n, (box){ r0, r1, s->a0, s->a1 }, u->buffer, err);
        for (int32_t r = 0; r < r1 - r0 && st == E_OK; r++) {
            double *out = value + (int64_t)r * u->n + s->first;
            if (s->kind == UNIT_GAZE) st = gaze_values(u, s, l, r0 + r, out, err);
            else line_values(s, u->buffer + r * line, out);
        }
    }
    return st;
}

status units_gaze(const units *u, int which, lane *l, int32_t row, double *share, error *err)
{
    const source *s = u->at[which].from;
    int32_t a = s->a0 + which - s->first, key0 = node_first_key(s->n, row),
            n = node_width(s->n, row, l);
    for (int32_t k = 0; k <= row; k++) share[k] = (double)NAN;
    status st = lane_read(l, s->n, (box){ row, row + 1, a, a + 1 }, u->buffer, err);
    for (int32_t k = 0; k < n && st == E_OK; k++)
        if (key0 + k <= row) share[key0 + k] = u->buffer[k];
    return st;
}
/* SPDX-License-Identifier: MIT */
