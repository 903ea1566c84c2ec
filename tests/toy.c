/* toy -- see toy.h. */
#include "toy.h"
#include "test.h"
#include "base/rand.h"
#include "graph/mirror.h"
#include "ops.gen.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t dice_below(dice *d, int64_t n)
{
    return rand_below(d->seed, rand_stream("toy"), d->at++, n);
}
double dice_real(dice *d)
{
    return (double)(2 * rand_unit(d->seed, rand_stream("toy"), d->at++) - 1);
}

/* ---- the model ---- */

static node *weight(toy *t, int n_row, int n_col, double scale, double centre)
{
    static const dtype kind[] = { DTYPE_F32, DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    dtype k = kind[dice_below(&t->d, 4)];
    char name[32];
    size_t size = dtype_bytes(k);
    char *v = arena_array(&t->g.mem, (int64_t)n_row * n_col + 1, size);
    for (int64_t i = 0; i < (int64_t)n_row * n_col; i++) {
        float x = (float)(centre + scale * dice_real(&t->d));
        dtype_row_from_f32(k, &x, v + (size_t)i * size, 1);
    }
    snprintf(name, sizeof name, "w%d", graph_nodes(&t->g));
    return graph_weight(&t->g, name, (weight_view){ v, (int64_t)n_col * (int64_t)size, k, 0 },
                        n_row, n_col);
}

static node *linear(toy *t, node *x, int n_part, int width)
{
    int in = x->n_part * x->width, out = n_part * width, layout = (int)dice_below(&t->d, 2);
    node *w = layout ? weight(t, out, in, 2 / sqrt(in), 0) : weight(t, in, out, 2 / sqrt(in), 0);
    node *b = dice_one_in(&t->d, 2) ? weight(t, 1, out, 0.1, 0) : NULL;
    return op_linear(&t->g, x, w, b, layout, 0, n_part, width);
}

static node *norm(toy *t, node *x)
{
    graph *g = &t->g;
    node *gain = weight(t, 1, t->d_model, 0.2, 1);
    if (dice_one_in(&t->d, 2)) {
        node *y = op_normalized(g, x, op_rms_scale(g, x, 1e-5));
        return op_gain(g, y, gain, NULL);
    }
    node *y = op_ln_normalized(g, x, op_ln_scale(g, x, 1e-5));
    return op_gain(g, y, gain, weight(t, 1, t->d_model, 0.1, 0));
}

static node *reader(toy *t, node *n)
{
    n->reader = true;
    return t->reader[t->n_reader++] = n;
}

static node *writer(toy *t, node *n)
{
    n->writer = true;
    return t->writer[t->n_writer++] = n;
}

static node *rotated(toy *t, node *x, node *freq)
{
    return freq ? op_rotary(&t->g, x, freq, freq->n_part * 2, (double)(t->n_layer % 2), 1) : x;
}

/* One weight for the three, as GPT-2 has it. */
static void shared_qkv(toy *t, node *x, node **q, node **k, node **v)
{
    graph *g = &t->g;
    int in = t->d_model, n_q = t->n_head * t->d_head, n_k = t->n_kv * t->d_head;
    int out = n_q + 2 * n_k, layout = (int)dice_below(&t->d, 2);
    node *w = layout ? weight(t, out, in, 2 / sqrt(in), 0) : weight(t, in, out, 2 / sqrt(in), 0);
    node *b = dice_one_in(&t->d, 2) ? weight(t, 1, out, 0.1, 0) : NULL;
    *q = reader(t, op_linear(g, x, w, b, layout, 0, t->n_head, t->d_head));
    *k = reader(t, op_linear(g, x, w, b, layout, n_q, t->n_kv, t->d_head));
    *v = reader(t, op_linear(g, x, w, b, layout, n_q + n_k, t->n_kv, t->d_head));
}

static node *attention(toy *t, node *x)
{
    graph *g = &t->g;
    node *freq =
        t->d_head >= 2 && dice_one_in(&t->d, 2) ? weight(t, 1, t->d_head / 2, 0.5, 0.6) : NULL;
    node *q, *k, *v;
    if (t->wild && dice_one_in(&t->d, 2)) shared_qkv(t, x, &q, &k, &v);
    else {
        q = reader(t, linear(t, x, t->n_head, t->d_head));
        k = reader(t, linear(t, x, t->n_kv, t->d_head));
        v = reader(t, linear(t, x, t->n_kv, t->d_head));
    }
    q = rotated(t, q, freq);
    k = rotated(t, k, freq);
    if (t->n_kv < t->n_head) {
        k = reader(t, op_repeat(g, k, t->n_head / t->n_kv));
        v = reader(t, op_repeat(g, v, t->n_head / t->n_kv));
    }
    int64_t window = dice_one_in(&t->d, 3) ? 1 + dice_below(&t->d, 4) : 0;
    if (t->both_ways) window = 0;
    node *s = op_scores(g, q, k, 1 / sqrt(t->d_head), dice_one_in(&t->d, 4) ? 5.0 : 0.0,
                        (double)window, t->both_ways);
    node *z = op_mix(g, op_softmax(g, s), v);
    int layout = (int)dice_below(&t->d, 2), in = t->n_head * t->d_head;
    node *w = layout ? weight(t, t->d_model, in, 1, 0) : weight(t, in, t->d_model, 1, 0);
    node *bias = dice_one_in(&t->d, 2)
                     ? writer(t, op_broadcast(g, t->token, weight(t, 1, t->d_model, 0.2, 0)))
                     : NULL;
    return op_headsum(g, writer(t, op_result(g, z, w, layout)), bias);
}

static node *mlp(toy *t, node *x)
{
    graph *g = &t->g;
    int d_mlp = 2 + (int)dice_below(&t->d, 12);
    if (t->wild && dice_one_in(&t->d, 4)) d_mlp = 66 + (int)dice_below(&t->d, 20);
    node *h = linear(t, x, d_mlp, 1), *y = NULL;
    switch (dice_below(&t->d, 4)) {
    case 0: y = op_gelu_tanh(g, h); break;
    case 1: y = op_relu(g, h); break;
    case 2:
        y = op_silu(g, h); /* before the other factor: nodes are numbered as they are made */
        y = op_multiply(g, y, linear(t, x, d_mlp, 1));
        break;
    default: y = op_gelu_erf(g, h); break;
    }
    return writer(t, linear(t, y, 1, t->d_model));
}

static node *block(toy *t, node *x)
{
    graph *g = &t->g;
    node *ln = norm(t, x), *mid;
    if (t->wild && dice_one_in(&t->d, 3)) { /* norms before and behind */
        mid = op_add(g, x, norm(t, attention(t, ln)));
        return op_add(g, mid, norm(t, mlp(t, reader(t, norm(t, mid)))));
    }
    mid = op_add(g, x, attention(t, ln));
    if (dice_one_in(&t->d, 4)) return op_add(g, mid, mlp(t, reader(t, norm(t, x)))); /* parallel */
    return op_add(g, mid, mlp(t, reader(t, norm(t, mid))));
}

static void init(toy *t, uint64_t seed, bool wild, bool both_ways)
{
    *t = (toy){ .d = { .seed = seed }, .wild = wild, .both_ways = both_ways };
    graph_init(&t->g, NULL);
    graph *g = &t->g;
    t->n_kv = 1 + (int)dice_below(&t->d, 2);
    t->n_head = t->n_kv * (1 + (int)dice_below(&t->d, 2));
    t->d_head = 1 + (int)dice_below(&t->d, 5);
    t->d_model = 2 + (int)dice_below(&t->d, 10);
    t->n_vocab = 5 + (int)dice_below(&t->d, 30);
    int n_layer = 1 + (int)dice_below(&t->d, 3);
    if (wild && dice_one_in(&t->d, 3)) t->n_vocab = 60 + (int)dice_below(&t->d, 40);
    t->token = graph_input(g, ROW, 1, 1);
    t->answer = graph_input(g, LANE, TOY_CHOICES, 1);
    node *table = weight(t, t->n_vocab, t->d_model, 1, 0);
    node *x = writer(t, op_embed(g, t->token, table));
    if (dice_one_in(&t->d, 2))
        x = op_add(g, x, writer(t, op_position(g, t->token, weight(t, 40, t->d_model, 0.5, 0), 0)));
    for (; t->n_layer < n_layer; t->n_layer++) x = block(t, x);
    node *last = reader(t, norm(t, x));
    bool tied = wild && dice_one_in(&t->d, 2);
    t->logits = tied ? op_linear(g, last, table, NULL, 1, 0, t->n_vocab, 1)
                     : linear(t, last, t->n_vocab, 1);
    node *picked = dice_one_in(&t->d, 2) ? op_log_softmax(g, t->logits) : t->logits;
    t->metric = op_diff(g, op_pick(g, picked, t->answer, NULL));
    if (g->err.code) {
        fprintf(stderr, "toy %llu: %s\n", (unsigned long long)seed, g->err.msg);
        abort();
    }
    for (int32_t i = 0; i < graph_nodes(g); i++)
        if (graph_node(g, i)->op && t->n_site < TOY_SITES) t->site[t->n_site++] = graph_node(g, i);
}

void toy_init(toy *t, uint64_t seed) { init(t, seed, false, seed % 4 == 3); }
void toy_init_causal(toy *t, uint64_t seed) { init(t, seed, false, false); }
void toy_init_wild(toy *t, uint64_t seed) { init(t, seed, true, seed % 4 == 3); }

void toy_release(toy *t) { graph_release(&t->g); }

engine *toy_engine(const char *backend, const char *precision, int n_thread, bool no_fuse)
{
    engine *e = NULL;
    error err = { 0 };
    engine_options o = { .backend = test_backend ? test_backend : backend,
                         .precision = precision,
                         .threads = n_thread,
                         .no_fuse = no_fuse };
    if (engine_open(&e, &o, &err) == E_OK) {
        e->wake = 0; /* toys are small: threads must have something to do */
        return e;
    }
    fprintf(stderr, "engine %s: %s\n", o.backend, err.msg);
    abort();
}

/* ---- lanes ---- */

static double *numbers(int64_t n)
{
    double *v = calloc((size_t)n, sizeof *v);
    if (!v) abort();
    return v;
}

/* Tokens: like's where there is one, each changed once in one_in times. */
void toy_give(toy *t, lane *l, lane *like, int64_t one_in)
{
    int32_t len = lane_len(l);
    double *v = numbers(len + TOY_CHOICES);
    for (int32_t i = 0; i < len; i++) {
        bool copied = like && i < lane_len(like) && !dice_one_in(&t->d, one_in);
        v[i] = copied ? lane_input(like, t->token, i, 0) : (double)dice_below(&t->d, t->n_vocab);
    }
    if (lane_give(l, t->token, v, NULL)) abort();
    for (int i = 0; i < TOY_CHOICES; i++)
        v[i] = like && !dice_one_in(&t->d, 6) ? lane_input(like, t->answer, 0, i)
                                              : (double)dice_below(&t->d, t->n_vocab);
    if (lane_give(l, t->answer, v, NULL)) abort();
    free(v);
}

lane *toy_prompt(toy *t, session *s, int32_t len)
{
    lane *l;
    if (lane_new(&l, s, NULL, len, NULL)) abort();
    toy_give(t, l, NULL, 1);
    return l;
}

lane *toy_variant(toy *t, session *s, lane *parent, int32_t len)
{
    lane *l;
    if (lane_new(&l, s, parent, len, NULL)) abort();
    toy_give(t, l, parent, 3);
    return l;
}

box toy_box(toy *t, const node *n, const lane *l)
{
    box all = node_all(n, l);
    box b; /* a throw a statement: compilers differ in the order within a list */
    b.r0 = (int32_t)dice_below(&t->d, all.r1);
    b.a0 = (int32_t)dice_below(&t->d, all.a1);
    b.r1 = b.r0 + 1 + (int32_t)dice_below(&t->d, all.r1 - b.r0);
    b.a1 = b.a0 + 1 + (int32_t)dice_below(&t->d, all.a1 - b.a0);
    if (dice_one_in(&t->d, 3)) b.r0 = 0, b.r1 = all.r1;
    if (dice_one_in(&t->d, 2)) b.a0 = 0, b.a1 = all.a1;
    return b;
}

void toy_ask(toy *t, lane *l)
{
    if (dice_one_in(&t->d, 2)) lane_ask(l, t->metric, node_all(t->metric, l), NULL);
    for (int64_t n = dice_below(&t->d, 4); n > 0; n--) {
        node *site = t->site[dice_below(&t->d, t->n_site)];
        lane_ask(l, site, toy_box(t, site, l), NULL);
    }
}

void toy_ask_all(toy *t, lane *l)
{
    for (int i = 0; i < t->n_site; i++) lane_ask(l, t->site[i], node_all(t->site[i], l), NULL);
}

/* ---- edits ---- */

/* Pure, and every output depends on every input. */
static void stir(double *x, int64_t n_row, int64_t n_part, int64_t width, void *user)
{
    double sum = 0;
    (void)user;
    for (int64_t i = 0; i < n_row * n_part * width; i++) sum += x[i] * (double)(i % 3 + 1);
    for (int64_t i = 0; i < n_row * n_part * width; i++) x[i] = 0.5 * x[i] + 0.01 * sum;
}

/* A site that has a slice as large as e's, perhaps elsewhere in it; e's own node when none is found. */
static void some_source(toy *t, edit *e)
{
    const node *n = e->n;
    int32_t parts = e->where.a1 - e->where.a0, numbers = e->w1 - e->w0;
    for (int i = 0; i < 20; i++) {
        node *m = t->site[dice_below(&t->d, t->n_site)];
        if (m->extent != n->extent || m->window != n->window || m->both_ways != n->both_ways ||
            m->n_part < parts)
            continue;
        if (m->extent != PAIR && m->width < numbers) continue;
        e->from_n = m;
        e->from_part = (int32_t)dice_below(&t->d, m->n_part - parts + 1);
        if (m->extent != PAIR) e->from_w0 = (int32_t)dice_below(&t->d, m->width - numbers + 1);
        return;
    }
}

/* From an earlier node of the lane itself; false when the dice find none. */
static bool take_own(toy *t, edit *e)
{
    edit own = edit_take(*e, NULL);
    for (int i = 0; i < 20; i++) {
        some_source(t, &own);
        if (own.from_n->id >= e->n->id) continue;
        *e = own;
        return true;
    }
    return false;
}

static void take_from(toy *t, edit *e, lane *l, lane *const *elder, int n)
{
    bool open = t->wild && e->where.r1 == ROW_OPEN && dice_one_in(&t->d, 2);
    if (t->wild && dice_one_in(&t->d, 4) && take_own(t, e)) return;
    *e = edit_take(*e, elder[dice_below(&t->d, n)]);
    if (dice_one_in(&t->d, 2)) some_source(t, e);
    int32_t rows = node_rows(e->from_n, e->from), span;
    if (e->where.r1 == ROW_OPEN) e->where.r1 = node_rows(e->n, l);
    span = e->where.r1 - e->where.r0;
    if (e->n->extent == ROW && span <= rows && dice_one_in(&t->d, 2))
        e->from_row = (int32_t)dice_below(&t->d, rows - span + 1);
    if (open) e->where.r1 = ROW_OPEN;
}

/* Something to add to a weight, as large as it; it lives as long as the toy. */
static lowrank *some_lowrank(toy *t, const node *n)
{
    int64_t rank = 1 + dice_below(&t->d, 3), left = n->n_row * rank, right = n->n_part * rank;
    lowrank *x = arena_get(&t->g.mem, sizeof *x);
    float *v = arena_array(&t->g.mem, left + right, sizeof *v);
    REQUIRE(x && v);
    for (int64_t i = 0; i < left + right; i++) v[i] = (float)dice_real(&t->d);
    *x = (lowrank){ n->n_row, n->n_part, rank, v, v + left, (float)dice_real(&t->d) };
    if (dice_one_in(&t->d, 6)) x->scale = 0; /* changes nothing but a -0 */
    return x;
}

/* What to do, once n, where, w0 and w1 are set; values go into v. */
static void fill_kind(toy *t, edit *e, lane *l, lane *const *elder, int n, double *v)
{
    int64_t values = 0;
    for (int64_t i = 0; i < 4096; i++) v[i] = dice_real(&t->d);
    bool pair = e->n->extent == PAIR;
    e->factor = dice_real(&t->d);
    if (t->wild && dice_one_in(&t->d, 12)) {
        static const double odd[] = { 0,    -0.0,  (double)NAN,       (double)INFINITY,
                                      1e30, 1e-42, -(double)INFINITY, 1 };
        e->factor = odd[dice_below(&t->d, 8)];
    }
    switch (dice_below(&t->d, 7)) {
    case 0: e->kind = EDIT_SET; break;
    case 1: e->kind = EDIT_ADD; break;
    case 2: e->kind = EDIT_SCALE; return;
    case 3: e->kind = pair ? EDIT_SCALE : EDIT_PROJECT; break;
    case 4: e->kind = pair ? EDIT_SET : EDIT_CALL, e->call = stir; return;
    case 5:
        if (e->n->extent != WEIGHT) break;
        e->kind = EDIT_LOWRANK, e->low = some_lowrank(t, e->n);
        return;
    default:
        if (n && e->n->extent != WEIGHT) {
            take_from(t, e, l, elder, n);
            return;
        }
        e->kind = EDIT_SET;
    }
    if (e->kind == EDIT_SCALE || (e->kind != EDIT_PROJECT && dice_one_in(&t->d, 3))) return;
    e->v = v;
    e->part_step =
        dice_one_in(&t->d, 2) || (e->kind == EDIT_PROJECT && e->n->width == 1) ? e->w1 - e->w0 : 0;
    if (e->where.r1 != ROW_OPEN && dice_one_in(&t->d, 2))
        e->row_step = (e->where.a1 - e->where.a0) * (e->w1 - e->w0);
    values = e->row_step * (e->where.r1 - e->where.r0) + 1;
    if (values > 4000) e->row_step = 0;
}

static void fill_where(toy *t, edit *e, const lane *l)
{
    e->where = toy_box(t, e->n, l);
    if (e->n->extent != WEIGHT && dice_one_in(&t->d, 4)) e->where.r1 = ROW_OPEN;
    int32_t width = e->n->extent == PAIR ? lane_len(l) : e->n->width;
    e->w0 = 0, e->w1 = width;
    if (dice_one_in(&t->d, 4)) {
        e->w0 = (int32_t)dice_below(&t->d, width);
        e->w1 = e->w0 + 1 + (int32_t)dice_below(&t->d, width - e->w0);
    }
}

static node *some_weight(toy *t)
{
    for (;;) {
        node *n = graph_node(&t->g, (int32_t)dice_below(&t->d, graph_nodes(&t->g)));
        if (n->extent == WEIGHT) return n;
    }
}

status toy_edit(toy *t, lane *l, lane *const *elder, int n)
{
    static double v[4096];
    edit e = { 0 };
    int64_t what = dice_below(&t->d, 8);
    e.n = what == 0   ? some_weight(t)
          : what <= 2 ? t->writer[dice_below(&t->d, t->n_writer)]
                      : t->site[dice_below(&t->d, t->n_site)];
    fill_where(t, &e, l);
    fill_kind(t, &e, l, elder, n, v);
    if (what == 0 || what > 2 || t->no_edges) return lane_edit(l, &e, NULL);
    node *to = t->reader[dice_below(&t->d, t->n_reader)];
    box slice = toy_box(t, to, l);
    if (dice_one_in(&t->d, 2)) slice.r0 = 0, slice.r1 = ROW_OPEN;
    return lane_edit_edge(l, &e, to, slice, NULL);
}

/* ---- comparing ---- */

void toy_show(const lane *l)
{
    static const char *const kind[] = {
        "set", "add", "scale", "project", "take", "call", "lowrank"
    };
    graph *g = session_graph(lane_session(l));
    edit e[MAX_EDITS];
    for (const lane *p = l; p; p = lane_parent(p))
        fprintf(stderr, "  %s lane %p, %d rows\n", p == l ? "in" : "child of", (const void *)p,
                lane_len(p));
    for (int32_t i = 0; i < graph_nodes(g); i++)
        for (int k = 0, n = lane_edits(l, graph_node(g, i), e); k < n; k++)
            fprintf(stderr,
                    "  %s%s node %d (%s, twin of %d) rows %d:%d parts %d:%d of %d, %d:%d of %d; "
                    "from %p node %d row %d; by %p\n",
                    e[k].edge ? "edge " : "", kind[e[k].kind], i,
                    e[k].n->op ? e[k].n->op->name : "weight",
                    e[k].n->original ? e[k].n->original->id : -1, e[k].where.r0, e[k].where.r1,
                    e[k].where.a0, e[k].where.a1, e[k].n->n_part, e[k].w0, e[k].w1, e[k].n->width,
                    (void *)e[k].from, e[k].from_n ? e[k].from_n->id : -1, e[k].from_row,
                    (const void *)e[k].owner);
}

bool toy_same(lane *a, lane *b, const node *n, box x)
{
    int32_t real_bytes = session_engine(lane_session(a))->real_bytes;
    size_t bytes = (size_t)node_numbers(n, x, a) * (size_t)real_bytes;
    char *p = malloc(bytes + 1), *q = malloc(bytes + 1);
    error err = { 0 };
    bool same = p && q && !lane_read_raw(a, n, x, p, &err) && !lane_read_raw(b, n, x, q, &err);
    if (!same) fprintf(stderr, "toy_same: %s\n", err.msg);
    if (same && !bits_same(p, q, bytes, real_bytes)) {
        size_t one = (size_t)real_bytes, at = 0;
        while (bits_same(p, q, (at + 1) * one, real_bytes)) at++;
        float u = 0, v = 0;
        if (one == 4) memcpy(&u, p + at * 4, 4), memcpy(&v, q + at * 4, 4);
        same = false;
        fprintf(stderr, "node %d (%s) rows %d:%d parts %d:%d: number %zu of %zu: %g and %g\n",
                n->id, n->op ? n->op->name : "-", x.r0, x.r1, x.a0, x.a1, at, bytes / one,
                (double)u, (double)v);
    }
    free(p), free(q);
    return same;
}
/* SPDX-License-Identifier: MIT */
