/* instrument: cache -- activations of chosen sites, as tensors lane{k}/SITE. */
#include "instrument/work.h"
#include <string.h>

static const param params[] = {
    { "sites", PARAM_TEXT, "*",
      "addresses with commas: blocks.*.resid_post, blocks.3.attn.z[head=2]; *: every site",
      ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

static status all_sites(work *w, address **out, int *n, error *err)
{
    const graph *g = &w->m->g;
    address *a = arena_array(&w->mem, g->n_site + 1, sizeof *a);
    if (!a) return work_nomem(w, err);
    *out = a, *n = 0;
    for (int32_t i = 0; i < g->n_site; i++) {
        node *x = g->site[i].n;
        if (!x->op) continue;
        a[(*n)++] = (address){ .name = g->site[i].name,
                               .n = x,
                               .where = { 0, ROW_OPEN, 0, x->n_part },
                               .w1 = x->extent == PAIR ? ROW_OPEN : x->width };
    }
    return E_OK;
}

static status find_sites(work *w, const prompt *p, address **out, int *n, error *err)
{
    const char *text = work_text(w, "sites");
    return !strcmp(text, "*") ? all_sites(w, out, n, err)
                              : site_find_list(out, n, &w->mem, w->m, p, text, err);
}

/* Names and lengths of the tensor's axes: as the address cuts them. */
static int shape_of(const address *a, const node *n, box b, int32_t len, char *axes, size_t bytes,
                    int64_t dim[3])
{
    int k = 0;
    const char *name[3];
    if (n->extent == PAIR) {
        name[k] = *n->part_axis ? n->part_axis : "part", dim[k++] = b.a1 - b.a0;
        name[k] = "query", dim[k++] = b.r1 - b.r0;
        name[k] = "key", dim[k++] = (a->w1 < len ? a->w1 : len) - a->w0;
    } else {
        name[k] = n->extent == WEIGHT ? "row" : "pos", dim[k++] = b.r1 - b.r0;
        if (*n->part_axis) name[k] = n->part_axis, dim[k++] = b.a1 - b.a0;
        if (*n->width_axis) name[k] = n->width_axis, dim[k++] = a->w1 - a->w0;
    }
    *axes = 0;
    for (int i = 0; i < k; i++)
        snprintf(axes + strlen(axes), bytes - strlen(axes), "%s%s", i ? " " : "", name[i]);
    return k;
}

/* v: [row][part][line] as read, into the tensor's order. */
static void put(const address *a, const node *n, box b, const lane *l, const double *v, double *out)
{
    int32_t len = lane_len(l);
    int64_t at = 0;
    for (int32_t r = b.r0; r < b.r1; r++)
        for (int32_t p = b.a0; p < b.a1; p++) {
            int32_t width = node_width(n, r, l),
                    key0 = n->extent == PAIR ? node_first_key(n, r) : 0;
            int32_t w1 = n->extent == PAIR && a->w1 > len ? len : a->w1, wide = w1 - a->w0;
            double *line =
                out + (n->extent == PAIR ? ((int64_t)(p - b.a0) * (b.r1 - b.r0) + (r - b.r0))
                                         : ((int64_t)(r - b.r0) * (b.a1 - b.a0) + (p - b.a0))) *
                          wide;
            for (int32_t i = a->w0; i < w1; i++) {
                bool there = i >= key0 && i - key0 < width;
                line[i - a->w0] = there ? v[at + i - key0] : (double)n->absent;
            }
            at += width;
        }
}

static status store(work *w, lane *l, const prompt *p, const address *a, node *n, int which,
                    error *err)
{
    char name[220], text[180], axes[80];
    int64_t dim[3];
    box b = address_box(a, p->n);
    address_text(a, text, sizeof text);
    snprintf(name, sizeof name, "lane%d/%s", which, text);
    int n_axis = shape_of(a, n, b, p->n, axes, sizeof axes, dim);
    double *v = arena_array(&w->mem, node_numbers(n, b, l) + 1, sizeof *v);
    if (!v) return work_nomem(w, err);
    status st = lane_read(l, n, b, v, err);
    int64_t count = 1;
    for (int i = 0; i < n_axis; i++) count *= dim[i];
    double *wide = arena_array(&w->mem, count + 1, sizeof *wide);
    if (st == E_OK && !wide) st = work_nomem(w, err);
    if (st != E_OK) return st;
    put(a, n, b, l, v, wide);
    if (work_tensor(w, name, axes, dim, wide, count) && (n->extent == ROW) && b.r0 == 0 &&
        b.r1 == p->n)
        work_label_tokens(w, name, "pos", p);
    return E_OK;
}

static void store_tokens(work *w, const prompt *p, int which)
{
    char name[40];
    snprintf(name, sizeof name, "lane%d/tokens", which);
    int64_t *out = report_tensor(w->r, name, DTYPE_I64, "pos", (int64_t[]){ p->n });
    for (int32_t i = 0; out && i < p->n; i++) out[i] = p->id[i];
}

/* "pos 3, d_model 64". */
static void extents(const work *w, const char *tensor, char *out, size_t bytes)
{
    const report_array *a = report_find_tensor(w->r, tensor);
    *out = 0;
    for (int i = 0; a && i < a->t.n_dim; i++) {
        size_t n = strlen(out);
        snprintf(out + n, bytes - n, "%s%s %lld", i ? ", " : "", a->axis[i],
                 (long long)a->t.dim[i]);
    }
}

static status one_prompt(work *w, const prompt *p, const named_lane *named, int n_named, int which,
                         table *t, error *err)
{
    address *a;
    int n, n_edit;
    lane *l = named[which].l;
    status st = find_sites(w, p, &a, &n, err);
    if (st != E_OK) return st;
    if (work_item(w, "edit", 0)) {
        st = lane_fork(&l, l, err);
        if (st == E_OK) st = work_edits(w, l, p, named, n_named, &n_edit, err);
    }
    node **nodes = arena_array(&w->mem, n, sizeof *nodes);
    if (!nodes) return work_nomem(w, err);
    for (int i = 0; i < n && st == E_OK; i++) {
        st = work_node(w, &a[i], &nodes[i], err);
        if (st == E_OK) st = lane_ask(l, nodes[i], address_box(&a[i], p->n), err);
    }
    if (st == E_OK) st = work_run(w, err);
    if (st == E_OK) store_tokens(w, p, which);
    for (int i = 0; i < n && st == E_OK; i++) {
        char text[180], axes[160], tensor[220];
        address_text(&a[i], text, sizeof text);
        snprintf(tensor, sizeof tensor, "lane%d/%s", which, text);
        if (report_find_tensor(w->r, tensor)) continue; /* by two of its names, perhaps */
        arena_mark here = arena_here(&w->mem);
        st = store(w, l, p, &a[i], nodes[i], which, err);
        arena_rewind(&w->mem, here);
        extents(w, tensor, axes, sizeof axes);
        table_row(t), row_text(t, "%s", tensor), row_text(t, "%s", axes);
    }
    return st;
}

static status run(work *w, error *err)
{
    prompt **p;
    named_lane *named;
    int n;
    status st = work_prompts(w, &p, &n, err);
    if (st == E_OK) st = work_lanes(w, &named, p, n, "lane", err);
    if (st != E_OK) return st;
    table *t = report_table(w->r, "tensors", 2,
                            (column[]){ { "tensor", NULL, CELL_TEXT, 0, false },
                                        { "axes", NULL, CELL_TEXT, 0, false } });
    for (int i = 0; i < n && st == E_OK; i++) st = one_prompt(w, p[i], named, n, i, t, err);
    report_note(w->r, "Write them with --out FILE.safetensors or FILE.npz. Masked entries of "
                      "scores are -inf, of patterns 0.");
    return st;
}

const instrument_def instrument_cache_def = { .name = "cache",
                                              .says = "Activations of chosen sites as tensors",
                                              .subject = "MODEL",
                                              .needs = NEEDS_MODEL,
                                              .prompts = true,
                                              .param = params,
                                              .run = run };
/* SPDX-License-Identifier: MIT */
