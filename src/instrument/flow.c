/* flow -- see flow.h. */
#include "instrument/flow.h"
#include "instrument/unembed.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

bool flow_made_by(const node *n, const char *op) { return n->op && !strcmp(n->op->name, op); }

void flow_centre(double *v, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += v[i];
    for (int32_t i = 0; i < n; i++) v[i] -= sum / n;
}

static status nomem(const flow *f, error *err)
{
    return error_set(err, E_NOMEM, "%s: out of memory", f->w->def->name);
}

/* ---- the way ---- */

static void *grown(arena *mem, void *old, int n, int *cap, size_t size)
{
    if (n < *cap) return old;
    *cap = *cap ? 2 * *cap : 64;
    char *wide = arena_array(mem, *cap, size);
    if (wide && n) memcpy(wide, old, (size_t)n * size);
    return wide;
}

static int add_step(flow *f, node *n, int up)
{
    f->step = grown(&f->w->mem, f->step, f->n_step, &f->cap_step, sizeof *f->step);
    if (!f->step) return -1;
    f->step[f->n_step] = (flow_step){ n, up };
    return f->n_step++;
}

/* Where a name belongs: its block, and attention or MLP in it. */
static void place(flow_part *p, const char *site)
{
    const char *rest = NULL;
    p->layer = -1, p->group = GROUP_EMBED;
    if (!strncmp(site, "blocks.", 7)) {
        p->layer = 0;
        for (rest = site + 7; *rest >= '0' && *rest <= '9'; rest++)
            p->layer = 10 * p->layer + (*rest - '0');
    }
    if (!rest) return;
    bool attn = !strncmp(rest, ".attn", 5) || !strncmp(rest, ".ln1", 4);
    p->group = attn ? GROUP_ATTN : GROUP_MLP;
}

static flow_part *add_part(flow *f, flow_kind kind, node *n, int at, const char *site)
{
    f->part = grown(&f->w->mem, f->part, f->n_part, &f->cap_part, sizeof *f->part);
    if (!f->part) return NULL;
    flow_part *p = &f->part[f->n_part++];
    *p = (flow_part){ .kind = kind, .n = n, .at = at };
    place(p, site);
    snprintf(p->name, sizeof p->name, "%s", site);
    return p;
}

/* The name of the nearest named node that n leads to, itself first. */
static const char *near(const flow *f, int i)
{
    for (; i >= 0; i = f->step[i].up) {
        const char *name = graph_name(&f->w->m->g, f->step[i].n);
        if (name) return name;
    }
    return "logits";
}

/* A bias: named by its weight, placed where the step is that adds it. */
static void add_bias(flow *f, node *weight, int at)
{
    char name[100];
    const char *own = graph_name(&f->w->m->g, weight), *site = near(f, at);
    flow_part *p = add_part(f, FLOW_BIAS, weight, at, site);
    bool outside = at < f->stream || f->stream < 0;
    snprintf(name, sizeof name, "%s", own ? own : "bias");
    if (!p) return;
    if (outside) p->group = GROUP_END, p->layer = -1;
    memcpy(p->name, name, sizeof p->name);
}

static void add_heads(flow *f, node *result, int at)
{
    for (int32_t h = 0; h < result->n_part; h++) {
        const char *site = graph_name(&f->w->m->g, result);
        flow_part *p = add_part(f, FLOW_HEAD, result, at, site ? site : near(f, at));
        if (!p) return;
        p->part = h;
        size_t n = strlen(p->name);
        if (n + 16 < sizeof p->name) snprintf(p->name + n, sizeof p->name - n, "[head=%d]", h);
    }
}

static status visit(flow *f, const lane *l, node *n, int up, error *err);

/* What the lane's edits of a node on the way have put there. */
static status add_edit(flow *f, const lane *l, int at, error *err)
{
    node *n = f->step[at].n;
    const char *name = graph_name(&f->w->m->g, n);
    if (!name || !lane_edits(l, n, NULL)) return E_OK;
    address a = { .name = name, .n = n, .before = true };
    flow_part *p = add_part(f, FLOW_EDIT, n, at, name);
    if (!p) return nomem(f, err);
    snprintf(p->name, sizeof p->name, "edits of %.80s", name);
    return work_node(f->w, &a, &p->before, err);
}

static bool norm_step(const node *n)
{
    return (flow_made_by(n, "normalized") || flow_made_by(n, "ln_normalized")) && n->n_part == 1;
}

static bool neurons_step(const node *n)
{
    return flow_made_by(n, "linear") && n->in[0]->n_part > 1 && n->in[0]->width == 1;
}

/* A projection of the stream, as OPT-350m has: linear, but u would be as long as it is. */
static status other_width(const flow *f, int at, error *err)
{
    const node *n = f->step[at].n;
    error_set(err, E_UNSUPPORTED,
              "%s: '%s' is no vector of the stream: it has %lld numbers, expected %d",
              f->w->def->name, near(f, at), (long long)n->n_part * n->width, f->d_model);
    error_hint(err, "logits are not followed through it; lens shows whole layers all the same");
    return E_UNSUPPORTED;
}

static status visit_leaf(flow *f, int at, error *err)
{
    const node *n = f->step[at].n;
    if (n->width != f->d_model || n->n_part != 1) return other_width(f, at, err);
    if (f->stream >= 0) {
        add_part(f, FLOW_VALUE, f->step[at].n, at, near(f, at));
        return E_OK;
    }
    error_set(err, E_UNSUPPORTED,
              "%s: %s has '%s' between its last block and the logits, which is not linear",
              f->w->def->name, f->w->m->name, n->op ? n->op->name : "an input");
    error_hint(err, "a logit is no sum of parts there; lens shows whole layers all the same");
    return E_UNSUPPORTED;
}

static status visit_op(flow *f, const lane *l, int at, error *err)
{
    node *n = f->step[at].n;
    status st = E_OK;
    if (neurons_step(n)) {
        add_part(f, FLOW_NEURONS, n, at, near(f, at));
        if (n->n_in > 2) add_bias(f, n->in[2], at);
    } else if (flow_made_by(n, "headsum")) {
        add_heads(f, n->in[0], at);
        if (n->n_in > 1) st = visit(f, l, n->in[1], at, err);
    } else if (n->writer) st = visit_leaf(f, at, err);
    else if (flow_made_by(n, "add")) {
        st = visit(f, l, n->in[0], at, err);
        if (st == E_OK) st = visit(f, l, n->in[1], at, err);
    } else if (norm_step(n) || flow_made_by(n, "scale") || n->op == &graph_alias_def ||
               flow_made_by(n, "gain_from_one")) {
        st = visit(f, l, n->in[0], at, err);
    } else if (flow_made_by(n, "gain")) {
        st = visit(f, l, n->in[0], at, err);
        if (st == E_OK && n->n_in > 2) add_bias(f, n->in[2], at);
    } else st = visit_leaf(f, at, err);
    if (f->w->mem.failed) return nomem(f, err);
    return st;
}

static bool whole(const node *n)
{
    return n->writer && !flow_made_by(n, "headsum") && !neurons_step(n);
}

static status visit(flow *f, const lane *l, node *n, int up, error *err)
{
    int at = add_step(f, n, up);
    if (at < 0) return nomem(f, err);
    if (n == f->last) f->stream = at;
    status st = visit_op(f, l, at, err);
    if (st == E_OK && !whole(n) && !neurons_step(n)) st = add_edit(f, l, at, err);
    return st;
}

status flow_open(flow *f, work *w, const lane *l, error *err)
{
    node *n = unembed_raw(w->m);
    *f = (flow){ .w = w, .d_model = w->m->config.d_model, .stream = -1 };
    f->last = unembed_stream(w->m);
    f->unembed = n, f->capped = n != w->m->logits;
    if (!flow_made_by(n, "linear"))
        return error_set(err, E_UNSUPPORTED, "%s: logits of %s are made by '%s', not by a matrix",
                         w->def->name, w->m->name, n->op->name);
    status st = visit(f, l, n->in[0], -1, err);
    if (st == E_OK && n->n_in > 2) {
        flow_part *p = add_part(f, FLOW_LOGIT_BIAS, n->in[2], -1, "unembedding bias");
        if (p) p->group = GROUP_END;
    }
    f->u = arena_array(&w->mem, (int64_t)f->n_step * f->d_model, sizeof *f->u);
    f->vector = arena_array(&w->mem, (int64_t)f->n_part * f->d_model, sizeof *f->vector);
    return st == E_OK && w->mem.failed ? nomem(f, err) : st;
}

/* ---- asking ---- */

static status ask_rows(lane *l, const node *n, int32_t r0, int32_t r1, error *err)
{
    return lane_ask(l, n, (box){ r0, r1, 0, n->n_part }, err);
}

status flow_ask(const flow *f, lane *l, int32_t r0, int32_t r1, error *err)
{
    status st = E_OK;
    for (int i = 0; i < f->n_step && st == E_OK; i++)
        if (norm_step(f->step[i].n)) st = ask_rows(l, f->step[i].n->in[1], r0, r1, err);
    for (int i = 0; i < f->n_part && st == E_OK; i++) {
        const flow_part *p = &f->part[i];
        if (p->kind == FLOW_BIAS || p->kind == FLOW_LOGIT_BIAS) continue;
        if (p->kind != FLOW_HEAD || p->part == 0) st = ask_rows(l, p->n, r0, r1, err);
        if (st == E_OK && p->before) st = ask_rows(l, p->before, r0, r1, err);
    }
    return st;
}

status flow_ask_share(const flow *f, lane *l, int32_t row, int i, error *err)
{
    return ask_rows(l, f->part[i].n->in[0], row, row + 1, err);
}

status flow_ask_logit(const flow *f, lane *l, int32_t r0, int32_t r1, int32_t id, error *err)
{
    return id < 0 ? E_OK : lane_ask(l, f->unembed, (box){ r0, r1, id, id + 1 }, err);
}

int64_t flow_numbers(const flow *f)
{
    int64_t sum = f->n_step;
    for (int i = 0; i < f->n_part; i++) sum += f->part[i].kind == FLOW_BIAS ? 0 : f->d_model;
    return sum;
}

/* ---- vectors ---- */

static status read_vector(lane *l, const node *n, int32_t row, double *v, error *err)
{
    return lane_read(l, n, (box){ row, row + 1, 0, n->n_part }, v, err);
}

/* A weight of one row, or the columns of a linear's bias. */
static status read_bias(const flow *f, lane *l, const node *w, int32_t first, double *v, error *err)
{
    return lane_read(l, w, (box){ 0, 1, first, first + f->d_model }, v, err);
}

static int32_t first_of(const node *n)
{
    return flow_made_by(n, "linear") ? (int32_t)n->attr[1] : 0;
}

static void less(double *v, const double *from, int32_t n)
{
    for (int32_t i = 0; i < n; i++) v[i] -= from[i];
}

static status load_part(flow *f, lane *l, int32_t row, int i, double *space, error *err)
{
    const flow_part *p = &f->part[i];
    double *v = f->vector + (int64_t)i * f->d_model;
    status st = E_OK;
    switch (p->kind) {
    case FLOW_VALUE: return read_vector(l, p->n, row, v, err);
    case FLOW_HEAD: return lane_read(l, p->n, (box){ row, row + 1, p->part, p->part + 1 }, v, err);
    case FLOW_BIAS: return read_bias(f, l, p->n, first_of(f->step[p->at].n), v, err);
    case FLOW_LOGIT_BIAS: return E_OK;
    case FLOW_NEURONS:
        st = read_vector(l, p->n, row, v, err);
        if (st != E_OK || p->n->n_in < 3) return st;
        st = read_bias(f, l, p->n->in[2], first_of(p->n), space, err);
        break;
    case FLOW_EDIT:
        st = read_vector(l, p->n, row, v, err);
        if (st == E_OK) st = read_vector(l, p->before, row, space, err);
        break;
    }
    if (st == E_OK) less(v, space, f->d_model);
    return st;
}

status flow_load(flow *f, lane *l, int32_t row, error *err)
{
    arena_mark here = arena_here(&f->w->mem);
    double *space = arena_array(&f->w->mem, f->d_model, sizeof *space);
    status st = space ? E_OK : nomem(f, err);
    for (int i = 0; i < f->n_part && st == E_OK; i++) st = load_part(f, l, row, i, space, err);
    arena_rewind(&f->w->mem, here);
    return st;
}

/* ---- functionals down, vectors up ---- */

/* A vector through the linear part of n on its way up, or a functional on its way down: each step is its own transpose. */
static status through(const flow *f, lane *l, const node *n, int32_t row, double *v, error *err)
{
    int32_t d = f->d_model;
    status st = E_OK;
    if (norm_step(n)) {
        double scale;
        st = lane_read(l, n->in[1], (box){ row, row + 1, 0, 1 }, &scale, err);
        if (st == E_OK && flow_made_by(n, "ln_normalized")) flow_centre(v, d);
        for (int32_t i = 0; st == E_OK && i < d; i++) v[i] /= scale;
    } else if (flow_made_by(n, "gain") || flow_made_by(n, "gain_from_one")) {
        arena_mark here = arena_here(&f->w->mem);
        double *w = arena_array(&f->w->mem, d, sizeof *w), more = flow_made_by(n, "gain") ? 0 : 1;
        st = w ? read_bias(f, l, n->in[1], 0, w, err) : nomem(f, err);
        for (int32_t i = 0; st == E_OK && i < d; i++) v[i] *= w[i] + more;
        arena_rewind(&f->w->mem, here);
    } else if (flow_made_by(n, "scale")) {
        for (int32_t i = 0; i < d; i++) v[i] *= n->attr[0];
    }
    return st;
}

/* Row id of the unembedding, added to u with a sign. */
static status add_token(flow *f, lane *l, int32_t id, double sign, double *u, error *err)
{
    if (id < 0) return E_OK;
    const node *n = f->unembed, *w = n->in[1];
    int32_t d = f->d_model, at = id + (int32_t)n->attr[1];
    bool by_out = n->attr[0] != 0;
    arena_mark here = arena_here(&f->w->mem);
    double *v = arena_array(&f->w->mem, d, sizeof *v);
    box b = by_out ? (box){ at, at + 1, 0, d } : (box){ 0, d, at, at + 1 };
    status st = v ? lane_read(l, w, b, v, err) : nomem(f, err);
    for (int32_t i = 0; st == E_OK && i < d; i++) u[i] += sign * v[i];
    arena_rewind(&f->w->mem, here);
    return st;
}

static status logit_bias(const flow *f, lane *l, const node *w, int32_t a, int32_t b, double *out,
                         error *err)
{
    double x = 0, y = 0;
    int32_t first = (int32_t)f->unembed->attr[1];
    status st = lane_read(l, w, (box){ 0, 1, first + a, first + a + 1 }, &x, err);
    if (st == E_OK && b >= 0)
        st = lane_read(l, w, (box){ 0, 1, first + b, first + b + 1 }, &y, err);
    if (st == E_OK) *out = x - y;
    return st;
}

/* u of every step: the first is the unembedding's, the others their reader's, through it. */
static status functionals(flow *f, lane *l, int32_t row, int32_t a, int32_t b, error *err)
{
    int32_t d = f->d_model;
    memset(f->u, 0, (size_t)d * sizeof *f->u);
    status st = add_token(f, l, a, 1, f->u, err);
    if (st == E_OK) st = add_token(f, l, b, -1, f->u, err);
    for (int i = 1; i < f->n_step && st == E_OK; i++) {
        double *u = f->u + (int64_t)i * d;
        memcpy(u, f->u + (int64_t)f->step[i].up * d, (size_t)d * sizeof *u);
        st = through(f, l, f->step[f->step[i].up].n, row, u, err);
    }
    return st;
}

static double dot(const double *x, const double *y, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

status flow_direct(flow *f, lane *l, int32_t row, int32_t a, int32_t b, double *out, error *err)
{
    status st = functionals(f, l, row, a, b, err);
    for (int i = 0; i < f->n_part && st == E_OK; i++) {
        const flow_part *p = &f->part[i];
        if (p->kind == FLOW_LOGIT_BIAS) st = logit_bias(f, l, p->n, a, b, &out[i], err);
        else
            out[i] = dot(f->u + (int64_t)p->at * f->d_model, f->vector + (int64_t)i * f->d_model,
                         f->d_model);
    }
    return st;
}

double flow_so_far(const flow *f, const node *n, const double *v, const double *share)
{
    double sum = 0;
    int at = 0;
    while (at < f->n_step && f->step[at].n != n) at++;
    if (at == f->n_step) return (double)NAN;
    for (int i = 0; i < f->n_part; i++)
        if (f->part[i].group == GROUP_END) sum += share[i];
    return sum + dot(f->u + (int64_t)at * f->d_model, v, f->d_model);
}

status flow_logit(const flow *f, lane *l, int32_t row, int32_t a, int32_t b, double *out,
                  error *err)
{
    double x = 0, y = 0;
    status st = lane_read(l, f->unembed, (box){ row, row + 1, a, a + 1 }, &x, err);
    if (st == E_OK && b >= 0)
        st = lane_read(l, f->unembed, (box){ row, row + 1, b, b + 1 }, &y, err);
    if (st == E_OK) *out = x - y;
    return st;
}

bool flow_stream(const flow *f, lane *l, int32_t row, int i, double *v, status *st, error *err)
{
    int at = f->part[i].at;
    if (f->part[i].kind == FLOW_LOGIT_BIAS || at < f->stream) return false;
    memcpy(v, f->vector + (int64_t)i * f->d_model, (size_t)f->d_model * sizeof *v);
    for (; at != f->stream && *st == E_OK; at = f->step[at].up)
        *st = through(f, l, f->step[f->step[at].up].n, row, v, err);
    return *st == E_OK;
}

/* ---- neurons ---- */

int32_t flow_neurons(const flow *f, int i)
{
    return f->part[i].kind == FLOW_NEURONS ? f->part[i].n->in[0]->n_part : 0;
}

/* u through the matrix: per neuron what one unit of it gives. */
static status gains(const flow *f, lane *l, int i, double *out, double *line, error *err)
{
    const node *n = f->part[i].n, *w = n->in[1];
    const double *u = f->u + (int64_t)f->part[i].at * f->d_model;
    int32_t first = (int32_t)n->attr[1], n_k = n->in[0]->n_part, d = f->d_model;
    bool by_out = n->attr[0] != 0;
    status st = E_OK;
    for (int32_t j = 0; j < n_k; j++) out[j] = 0;
    for (int32_t r = 0; r < (by_out ? d : n_k) && st == E_OK; r++) {
        box b = by_out ? (box){ first + r, first + r + 1, 0, n_k }
                       : (box){ r, r + 1, first, first + d };
        st = lane_read(l, w, b, line, err);
        for (int32_t j = 0; st == E_OK && by_out && j < n_k; j++) out[j] += u[r] * line[j];
        if (st == E_OK && !by_out) out[r] = dot(u, line, d);
    }
    return st;
}

status flow_share(const flow *f, lane *l, int32_t row, int i, double *out, error *err)
{
    const node *x = f->part[i].n->in[0];
    int32_t wide = x->n_part > f->d_model ? x->n_part : f->d_model;
    arena_mark here = arena_here(&f->w->mem);
    double *line = arena_array(&f->w->mem, wide, sizeof *line);
    status st = line ? gains(f, l, i, out, line, err) : nomem(f, err);
    if (st == E_OK) st = lane_read(l, x, (box){ row, row + 1, 0, x->n_part }, line, err);
    for (int32_t j = 0; st == E_OK && j < x->n_part; j++) out[j] *= line[j];
    arena_rewind(&f->w->mem, here);
    return st;
}
/* SPDX-License-Identifier: MIT */
