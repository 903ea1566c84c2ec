/* bench_sweep -- the sweeps of the field on a GPT-2-small-shaped model, exactly: seconds, operations done over those
 * that any exact method must do, and speed over this machine's sgemm.
 *
 *     bench_sweep [task [p0]]
 *
 * A pair of 15 tokens that differs from position p0 on (0; 10 as indirect-object pairs do); the difference of two
 * logits at the last position is read.  Each line that begins with "sweep" is one measurement, for bench.py:
 * task, p0, cells, cells run, seconds (scaled to all cells), done / least operations, GFLOP/s, sgemm GFLOP/s,
 * seconds that the least operations take at sgemm's speed. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "gpt2_shape.h"
#include "graph/sweep.h"
#include "least.h"
#include "model/model.h"
#include "sgemm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEN = 15, N_PAIR = 8, MAX_CELL = 33000, SENDER_LAYER = 3, EDGE_STEP = 41 };
enum {
    N_TIME = 3,
    LONG = 2
}; /* a sweep is timed so often, while that took less than so many seconds */

typedef struct cell {
    edit e;
    node *reader; /* NULL: no edge */
    box slice;
    int pair;
} cell;

typedef struct bench {
    const model *m;
    session *s;
    lane *clean[N_PAIR], *corrupt[N_PAIR];
    int p0;
    cell *cell;
    int64_t n;
    double least, sum;
} bench;

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench_sweep: %s: %s\n", what, err->msg);
    exit(1);
}

static node *site(const bench *b, int layer, const char *name)
{
    char whole[64];
    snprintf(whole, sizeof whole, "blocks.%d.%s", layer, name);
    node *n = graph_find(&b->m->g, layer < 0 ? name : whole);
    if (!n) give_up(whole, &(error){ .msg = "there is no such site" });
    return n;
}

static lane *prompt(bench *b, lane *parent, int pair, int from)
{
    error err = { 0 };
    double v[LEN];
    lane *l;
    for (int i = 0; i < LEN; i++) v[i] = 1000 + pair * 100 + i * 777 + (i >= from) * 5000;
    if (lane_new(&l, b->s, parent, LEN, &err) || lane_give(l, b->m->token, v, &err))
        give_up("prompt", &err);
    lane_keep(l);
    for (int i = 0; i < b->m->g.n_site; i++) {
        node *n = b->m->g.site[i].n;
        if (!n->op || n == b->m->logits || n->extent == PAIR ||
            strstr(b->m->g.site[i].name, "result"))
            continue;
        if (lane_ask(l, n, node_all(n, l), &err)) give_up("ask", &err);
    }
    if (lane_ask(l, b->m->logits, (box){ LEN - 1, LEN, 0, b->m->logits->n_part }, &err))
        give_up("ask", &err);
    return l;
}

static status make(void *user, int64_t i, lane **out, error *err)
{
    bench *b = user;
    const cell *c = &b->cell[i];
    edit e = edit_take(c->e, b->clean[c->pair]);
    status st = lane_fork(out, b->corrupt[c->pair], err);
    if (st != E_OK) return st;
    lane_sweep(*out);
    st = c->reader ? lane_edit_edge(*out, &e, c->reader, c->slice, err) : lane_edit(*out, &e, err);
    if (st == E_OK) st = lane_ask(*out, b->m->logits, (box){ LEN - 1, LEN, 464, 465 }, err);
    if (st == E_OK) st = lane_ask(*out, b->m->logits, (box){ LEN - 1, LEN, 1000, 1001 }, err);
    return st;
}

static status take(void *user, int64_t i, lane *l, error *err)
{
    bench *b = user;
    double x, y;
    (void)i;
    status st = lane_read(l, b->m->logits, (box){ LEN - 1, LEN, 464, 465 }, &x, err);
    if (st == E_OK) st = lane_read(l, b->m->logits, (box){ LEN - 1, LEN, 1000, 1001 }, &y, err);
    if (st == E_OK) b->sum += x - y;
    return st;
}

/* ---- tasks: their cells, and the operations that are needed ---- */

static cell *add(bench *b, node *n, box where, double least)
{
    cell *c = &b->cell[b->n++];
    *c = (cell){ .e = { .n = n, .where = where, .w1 = n->width } };
    b->least += least;
    return c;
}

static void resid_pre(bench *b)
{
    for (int l = 0; l < gpt2_small.n_layer; l++)
        for (int r = 0; r < LEN; r++)
            add(b, site(b, l, "resid_pre"), (box){ r, r + 1, 0, 1 },
                r < b->p0 ? 0 : least_resid(&least_gpt2_small, l, r));
}

static void eight_pairs(bench *b)
{
    for (int p = 0; p < N_PAIR; p++) {
        int64_t first = b->n;
        resid_pre(b);
        for (int64_t i = first; i < b->n; i++) b->cell[i].pair = p;
    }
}

static void head_pos(bench *b)
{
    for (int l = 0; l < gpt2_small.n_layer; l++)
        for (int h = 0; h < gpt2_small.n_head; h++)
            for (int r = 0; r < LEN; r++)
                add(b, site(b, l, "attn.z"), (box){ r, r + 1, h, h + 1 },
                    r < b->p0 ? 0 : least_head(&least_gpt2_small, l, r, r + 1));
}

static void heads(bench *b)
{
    for (int l = 0; l < gpt2_small.n_layer; l++)
        for (int h = 0; h < gpt2_small.n_head; h++)
            add(b, site(b, l, "attn.z"), (box){ 0, LEN, h, h + 1 },
                least_head(&least_gpt2_small, l, b->p0, LEN));
}

static void edge(bench *b, node *from, int head, node *to, int part, double least)
{
    int a = head < 0 ? 0 : head;
    cell *c = add(b, from, (box){ 0, LEN, a, a + 1 }, least);
    c->reader = to;
    c->slice = (box){ 0, LEN, part, part + 1 };
}

static const char *const READS[] = { "attn.q", "attn.k", "attn.v" };

static void sender(bench *b)
{
    for (int l = SENDER_LAYER + 1; l < gpt2_small.n_layer; l++)
        for (int k = 0; k < 3; k++)
            for (int h = 0; h < gpt2_small.n_head; h++)
                edge(b, site(b, SENDER_LAYER, "attn.result"), 5, site(b, l, READS[k]), h,
                     least_edge(&least_gpt2_small, l, "qkv"[k], b -> p0));
}

/* All writers before what: the embedding, heads, MLPs. */
static void edges_into(bench *b, int layer, bool mlp_too, node *to, int part, double least)
{
    edge(b, site(b, -1, "embed"), -1, to, part, least);
    for (int l = 0; l < layer + mlp_too; l++) {
        for (int h = 0; h < gpt2_small.n_head; h++)
            edge(b, site(b, l, "attn.result"), h, to, part, least);
        if (l < layer) edge(b, site(b, l, "mlp.out"), -1, to, part, least);
    }
}

static void edges(bench *b)
{
    const least_shape *s = &least_gpt2_small;
    for (int l = 0; l < gpt2_small.n_layer; l++) {
        for (int k = 0; k < 3; k++)
            for (int h = 0; h < gpt2_small.n_head; h++)
                edges_into(b, l, false, site(b, l, READS[k]), h,
                           least_edge(s, l, "qkv"[k], b -> p0));
        edges_into(b, l, true, b->m->block[l].mlp_reader, 0, least_edge(s, l, 'm', b->p0));
    }
    edges_into(b, gpt2_small.n_layer, false, b->m->logits_reader, 0,
               least_edge(s, gpt2_small.n_layer, 'o', b->p0));
}

static const struct task {
    const char *name;
    void (*cells)(bench *b);
    int step; /* of the cells every so many-th is run */
} tasks[] = {
    { "resid_pre, 180 cells", resid_pre, 1 },  { "head x position, 2,160 cells", head_pos, 1 },
    { "heads, all positions, 144", heads, 1 }, { "one sender, all receivers, 288", sender, 1 },
    { "all edges, 32,491", edges, EDGE_STEP }, { "8 pairs at once, resid_pre", eight_pairs, 1 },
};

static void measure(bench *b, const struct task *t, int p0, double sgemm)
{
    error err = { 0 };
    int64_t done;
    b->p0 = p0, b->n = 0, b->least = 0;
    t->cells(b);
    int64_t all = b->n;
    double least = b->least / t->step;
    for (b->n = 0; b->n * t->step + t->step / 2 < all; b->n++)
        b->cell[b->n] = b->cell[b->n * t->step + t->step / 2];
    int n_pair = b->cell[b->n - 1].pair + 1;
    for (int p = 0; p < n_pair; p++) {
        b->corrupt[p] = prompt(b, NULL, p, LEN);
        b->clean[p] = prompt(b, b->corrupt[p], p, p0);
    }
    if (session_run(b->s, NULL, &err)) give_up("run", &err);
    sweep w = { .s = b->s, .n = b->n, .user = b, .make = make, .take = take };
    double seconds = 1e9, all_seconds = 0, ops = 0;
    for (int i = 0; i < N_TIME && all_seconds < LONG; i++) {
        int64_t n_op = session_totals(b->s)->n_op;
        double start = clock_seconds();
        if (sweep_run(&w, &done, &err)) give_up("sweep", &err);
        double once = clock_seconds() - start;
        seconds = once < seconds ? once : seconds, all_seconds += once;
        ops = (double)(session_totals(b->s)->n_op - n_op);
    }
    for (int p = 0; p < n_pair; p++) lane_drop(b->clean[p]), lane_drop(b->corrupt[p]);
    printf("sweep|%s|%d|%lld|%lld|%.4g|%.3f|%.1f|%.1f|%.3g\n", t->name, p0, (long long)all,
           (long long)b->n, seconds * t->step, ops / least, 2 * ops / seconds * 1e-9, sgemm,
           2 * least * t->step / (sgemm * 1e9));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *dir = bench_dir("gpt2-small");
    error err = { 0 };
    model *m = NULL;
    engine *e = NULL;
    bench b = { .cell = calloc(MAX_CELL, sizeof(cell)) };
    if (!b.cell || gpt2_write(dir, gpt2_small)) return 1;
    if (model_open(&m, dir, NULL, &err) || engine_open(&e, NULL, &err)) give_up("open", &err);
    double sgemm = sgemm_speed(pool_threads(e->pool));
    b.m = m;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        for (int p0 = 0; p0 <= 10; p0 += 10) {
            if (argc > 1 && !strstr(tasks[i].name, argv[1])) continue;
            if (argc > 2 && p0 != atoi(argv[2])) continue;
            if (session_new(&b.s, &m->g, e, &err)) give_up("session", &err);
            measure(&b, &tasks[i], p0, sgemm);
            session_free(b.s);
        }
    engine_free(e), model_free(m), free(b.cell);
    return 0;
}
/* SPDX-License-Identifier: MIT */
