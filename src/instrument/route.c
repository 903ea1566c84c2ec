/* route -- see route.h.  Paths are found depth first, so those that begin alike follow each other and share the lanes of
 * their beginning (duel_item.c). */
#include "instrument/rank.h"
#include "instrument/route.h"
#include <math.h>
#include <string.h>

enum { MOST_PATHS = 200000 };

typedef struct routes {
    endpoints from, to; /* all there are */
    bool *there;        /* [from][to] */
    bool *first, *last; /* [from], [to]: where paths begin, end */
    bool *through;      /* [to]: may be between */
    int *writes;        /* [to]: the writer a reader's node is; -1: none */
    double *n_path;     /* [1 + n_hop][from]: paths of up to so many edges from there */
    int n_hop;
    duel_cell *cell;    /* [n] */
    int *length;        /* [n] edges */
    const char **label; /* [n] */
    int64_t n;
} routes;

/* ---- what there is ---- */

/* a3.h7<q> is a3.h7, m3 is m3. */
static int writer_of(const endpoints *from, const endpoint *reader)
{
    size_t n = strcspn(reader->name, "<");
    for (int i = 0; i < from->n; i++)
        if (strlen(from->at[i].name) == n && !strncmp(from->at[i].name, reader->name, n)) return i;
    return -1;
}

static status find_all(work *w, routes *x, error *err)
{
    status st = end_list(w, true, "head,mlp,embed,pos_embed,bias", &x->from, err);
    if (st == E_OK) st = end_list(w, false, "q,k,v,mlp,logits", &x->to, err);
    if (st == E_OK) st = end_edges(&x->there, w, &x->from, &x->to, err);
    if (st != E_OK) return st;
    int n_from = x->from.n, n_to = x->to.n;
    x->first = arena_array(&w->mem, n_from, sizeof *x->first);
    x->last = arena_array(&w->mem, n_to, sizeof *x->last);
    x->through = arena_array(&w->mem, n_to, sizeof *x->through);
    x->writes = arena_array(&w->mem, n_to, sizeof *x->writes);
    x->n_path = arena_array(&w->mem, (int64_t)(x->n_hop + 1) * n_from, sizeof *x->n_path);
    if (!x->first || !x->last || !x->through || !x->writes || !x->n_path) return work_nomem(w, err);
    for (int j = 0; j < n_to; j++) {
        x->writes[j] = writer_of(&x->from, &x->to.at[j]);
        x->through[j] =
            x->writes[j] >= 0 && str_listed(work_text(w, "through"), x->to.at[j].kind->word);
    }
    st = end_find(w, true, &x->from, work_text(w, "from"), x->first, err);
    return st == E_OK ? end_find(w, false, &x->to, work_text(w, "to"), x->last, err) : st;
}

/* Paths of up to 1, 2 ... n_hop edges from each writer; how many in all. */
static double count_paths(routes *x)
{
    int n_from = x->from.n;
    double sum = 0;
    for (int h = 1; h <= x->n_hop; h++)
        for (int64_t i = 0; i < n_from; i++) {
            double *n = &x->n_path[(int64_t)h * n_from + i];
            for (int j = 0; j < x->to.n; j++) {
                if (!x->there[i * x->to.n + j]) continue;
                *n += x->last[j];
                if (x->through[j]) *n += x->n_path[(int64_t)(h - 1) * n_from + x->writes[j]];
            }
        }
    for (int i = 0; i < n_from; i++)
        if (x->first[i]) sum += x->n_path[(int64_t)x->n_hop * n_from + i];
    return sum;
}

/* ---- every path ---- */

/* "a0.h1 -> a1.h2<k> -> logits" */
static char *path_text(arena *mem, const char *before, const endpoint *next)
{
    size_t n = strlen(before), m = strlen(next->name);
    char *s = arena_get(mem, n + m + 5);
    if (s) snprintf(s, n + m + 5, "%s -> %s", before, next->name);
    return s;
}

/* From writer i on, which `via` (NULL: none) and the text so far lead to; false when out of memory. */
static bool walk(work *w, routes *x, int i, const duel_via *via, const char *text, int n_left)
{
    const endpoint *u = &x->from.at[i];
    for (int j = 0; j < x->to.n; j++) {
        const endpoint *v = &x->to.at[j];
        int next = x->writes[j];
        bool on =
            n_left > 1 && x->through[j] && x->n_path[(int64_t)(n_left - 1) * x->from.n + next] > 0;
        if (!x->there[(int64_t)i * x->to.n + j] || !(on || x->last[j])) continue;
        char *here = path_text(&w->mem, text, v);
        duel_via *step = on ? arena_zero(&w->mem, sizeof *step) : NULL;
        if (!here || (on && !step)) return false;
        if (x->last[j]) {
            x->cell[x->n] = end_cell(u, v, x->n);
            x->cell[x->n].via = via;
            x->length[x->n] = via ? via->depth + 2 : 1;
            x->label[x->n++] = here;
        }
        if (!on) continue;
        duel_cell edge = end_cell(u, v, 0);
        *step = (duel_via){ .before = via,
                            .e = edge.e,
                            .reader = edge.reader,
                            .slice = edge.slice,
                            .out = x->from.at[next].n,
                            .out_slice = x->from.at[next].slice,
                            .depth = via ? via->depth + 1 : 0 };
        step->e.kind = EDIT_TAKE;
        if (!walk(w, x, next, step, here, n_left - 1)) return false;
    }
    return true;
}

static status find_paths(work *w, routes *x, error *err)
{
    double n = count_paths(x);
    if (n == 0) {
        error_set(err, E_NOSITE, "path: no path of up to %d edge%s leads from %.60s to %.60s",
                  x->n_hop, x->n_hop == 1 ? "" : "s", work_text(w, "from"), work_text(w, "to"));
        error_hint(err, "a reader comes after the writer; --through says what lies between");
        return E_NOSITE;
    }
    if (n > MOST_PATHS) {
        error_set(err, E_LIMIT,
                  "path: %.0f paths of up to %d edges lead from %.60s to %.60s, "
                  "at most %d can be swept",
                  n, x->n_hop, work_text(w, "from"), work_text(w, "to"), MOST_PATHS);
        error_hint(err, "fewer --hops, or --through v,mlp, say");
        return E_LIMIT;
    }
    x->cell = arena_array(&w->mem, (int64_t)n, sizeof *x->cell);
    x->length = arena_array(&w->mem, (int64_t)n, sizeof *x->length);
    x->label = arena_array(&w->mem, (int64_t)n, sizeof *x->label);
    bool fine = x->cell && x->length && x->label;
    for (int i = 0; i < x->from.n && fine; i++)
        if (x->first[i]) fine = walk(w, x, i, NULL, x->from.at[i].name, x->n_hop);
    return fine ? E_OK : error_set(err, E_NOMEM, "path: %.0f paths: out of memory", n);
}

static void show_paths(work *w, const routes *x)
{
    table *t = report_table(
        w->r, "paths", 2,
        (column[]){ { "edges", NULL, CELL_INT, 0, false }, { "paths", NULL, CELL_INT, 0, false } });
    for (int h = 1; h <= x->n_hop; h++) {
        int64_t n = 0;
        for (int64_t i = 0; i < x->n; i++) n += x->length[i] == h;
        table_row(t), row_int(t, h), row_int(t, n);
    }
    report_note(w->r,
                "Each path alone: its first edge carries the other run's value, each node on it is "
                "computed again with only the path's edge into it changed, and only the path's "
                "next reader sees what it then writes. a3.h7<q>: what the query of head 7 of layer "
                "3 reads; m3: that layer's MLP; input: the token embedding.");
}

/* ---- the sweep ---- */

static int64_t path_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const routes *x = p->user;
    (void)d;
    memcpy(cell, x->cell, (size_t)x->n * sizeof *cell);
    return x->n;
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const routes *x = p->user;
    snprintf(out, bytes, "%s", x->label[i]);
}

/* The strongest as bars. */
static void draw(duel *d, const duel_plan *p)
{
    const routes *x = p->user;
    report *r = d->w->r;
    char name[110], top[110], title[160];
    int64_t n = 0;
    duel_tensor_name(d, p, "", name, sizeof name);
    report_axis_labels(r, name, "path", x->n, x->label);
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    report_axis_labels(r, name, "path", x->n, x->label);
    const report_array *a = report_find_tensor(r, name);
    ranked *list = arena_array(&d->w->mem, x->n, sizeof *list);
    const char **text = arena_array(&d->w->mem, p->n_top, sizeof *text);
    for (int64_t i = 0; a && list && text && i < x->n; i++)
        if (fabs(array_value(a, i)) > 0) list[n++] = (ranked){ array_value(a, i), i };
    if (!n) return;
    rank_by_size(list, n);
    if (n > p->n_top) n = p->n_top;
    duel_tensor_name(d, p, "top.", top, sizeof top);
    double *v = report_tensor(r, top, DTYPE_F64, "path", &n);
    for (int64_t i = 0; v && i < n; i++) v[i] = list[i].v, text[i] = x->label[list[i].at];
    report_axis_labels(r, top, "path", n, text);
    if (a->unit) report_unit(r, top, a->unit);
    snprintf(title, sizeof title, "%s: the strongest paths", name + 7);
    report_bars(r, title, top, "path", &(figure_options){ .value = "effect" });
}

static status sweep_paths(duel *d, const routes *x, error *err)
{
    duel_plan list[2];
    int n = 0;
    for (int k = DENOISE; k <= NOISE; k++) {
        if (!duel_wants(d, k)) continue;
        list[n] = (duel_plan){ .name = "paths",
                               .direction = k,
                               .axes = "path",
                               .dim = { x->n },
                               .n_dim = 1,
                               .cells = path_cells,
                               .label = label,
                               .user = x,
                               .directed = true,
                               .n_top = (int)work_int(d->w, "top") };
        n++;
    }
    return duel_run(d, list, n, NULL, draw, err);
}

static status check_request(const work *w, error *err)
{
    if (!work_text(w, "from") || !work_text(w, "to"))
        return error_set(err, E_USAGE, "path: --from and --to belong together: a writer, a reader");
    if (json_object_get(w->request, "senders") || json_object_get(w->request, "receivers"))
        return error_set(err, E_USAGE,
                         "path: --from and --to are of one path, --senders and "
                         "--receivers of all edges: not both");
    return E_OK;
}

status route_run(work *w, error *err)
{
    duel d;
    routes x = { .n_hop = (int)work_int(w, "hops") };
    status st = check_request(w, err);
    if (st == E_OK) st = find_all(w, &x, err);
    if (st == E_OK) st = find_paths(w, &x, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    show_paths(w, &x);
    st = sweep_paths(&d, &x, err);
    duel_close(&d);
    return st;
}
/* SPDX-License-Identifier: MIT */
