/* compare_show -- see compare.h: tables, tensors, pictures. */
#include "instrument/compare.h"
#include "instrument/rank.h"
#include "report/interval.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double *compare_tensor(compare *x, const char *name, const char *axes, const int64_t *dim)
{
    double *v = report_tensor(x->w->r, name, DTYPE_F64, axes, dim);
    for (int64_t i = 0; v && i < dim[0] * (strchr(axes, ' ') ? dim[1] : 1); i++) v[i] = (double)NAN;
    return v;
}

/* ---- what is shown ---- */

static double mean(double sum, double n) { return n > 0 ? sum / n : (double)NAN; }

static void row_spot(table *t, const spot *s)
{
    table_row(t), row_text(t, "%s", s->name);
    row_real(t, s->max), row_number(t, mean(s->sum, s->n_number));
    row_number(t, mean(s->relative, s->n_relative)), row_number(t, mean(s->near, s->n_near));
    row_number(t, mean(s->cosine, s->n_cosine));
    row_int(t, s->n_differ), row_int(t, s->n_row);
}

static int by_place(const void *a, const void *b)
{
    int64_t x = ((const ranked *)a)->at, y = ((const ranked *)b)->at;
    return (x > y) - (x < y);
}

/* The n_shown largest of n values (NaN: smallest), in order of place again where `placed`. */
static int64_t largest(ranked *list, int64_t n, int64_t n_shown, bool placed)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(list[i].v)) list[i].v = -1;
    rank_by_value(list, n);
    if (n_shown > n) n_shown = n;
    if (placed) qsort(list, (size_t)n_shown, sizeof *list, by_place);
    return n_shown;
}

static const duo *first_part(const compare *x)
{
    const duo *first = NULL;
    for (int i = 0; i < x->n_duo; i++)
        if (x->duo[i].spot >= 0 && (!first || x->duo[i].spot < first->spot)) first = &x->duo[i];
    return first;
}

static void say_first(const compare *x)
{
    char token[80], whose[40] = "";
    const duo *d = first_part(x);
    if (!d) {
        report_note(x->w->r, "They do not part: every number compared is the same.");
        return;
    }
    prompt_label(d->p[A], d->first[A] + d->at, token, sizeof token);
    if (x->n_duo > 1) snprintf(whose, sizeof whose, " of prompt %d", (int)(d - x->duo));
    report_note(
        x->w->r,
        "They part at %s, position %d (\"%s\")%s: the first site that differs, in the order "
        "of the model.",
        x->spot[d->spot].name, d->first[A] + d->at, token, whose);
}

static void show_sites(compare *x)
{
    ranked *list = arena_array(&x->w->mem, x->n_spot, sizeof *list);
    table *t = report_table(x->w->r, "sites that differ most", 8,
                            (column[]){ { "site", NULL, CELL_TEXT, 0, false },
                                        { "max", NULL, CELL_REAL, 0, false },
                                        { "mean", NULL, CELL_REAL, 0, false },
                                        { "relative", NULL, CELL_REAL, 0, false },
                                        { "neighbours", NULL, CELL_REAL, 3, false },
                                        { "cosine", NULL, CELL_REAL, 0, false },
                                        { "differ", NULL, CELL_INT, 0, false },
                                        { "of positions", NULL, CELL_INT, 0, false } });
    for (int i = 0; list && i < x->n_spot; i++)
        list[i] = (ranked){ mean(x->spot[i].relative, x->spot[i].n_relative), i };
    int64_t n = list ? largest(list, x->n_spot, work_int(x->w, "top"), false) : 0;
    for (int64_t i = 0; i < n; i++)
        if (x->spot[list[i].at].n_row) row_spot(t, &x->spot[list[i].at]);
    say_first(x);
}

static void show_positions(compare *x)
{
    const duo *d = &x->duo[0];
    bool two = x->kind == PROMPTS;
    int n_column = 0;
    column c[9] = { { "position", NULL, CELL_INT, 0, false } };
    c[++n_column] = (column){ two ? "token of A" : "token", NULL, CELL_TOKEN, 0, false };
    if (two) c[++n_column] = (column){ "of B", NULL, CELL_TOKEN, 0, false };
    c[++n_column] = (column){ "KL", "nat", CELL_REAL, 0, false };
    c[++n_column] = (column){ "KL back", "nat", CELL_REAL, 0, false };
    for (int k = 0; k < 2; k++) {
        c[++n_column] = (column){ k ? "top of B" : "top of A", NULL, CELL_TOKEN, 0, false };
        c[++n_column] = (column){ "prob", NULL, CELL_REAL, 3, false };
    }
    ranked *list = arena_array(&x->w->mem, d->n, sizeof *list);
    table *t = report_table(x->w->r, "outputs that differ most", n_column + 1, c);
    for (int32_t i = 0; list && i < d->n; i++) list[i] = (ranked){ x->kl[i], i };
    int64_t n = list ? largest(list, d->n, work_int(x->w, "top"), true) : 0;
    for (int64_t k = 0; k < n; k++) {
        int i = (int)list[k].at;
        table_row(t), row_int(t, d->first[A] + i);
        for (int s = 0; s < 1 + two; s++) work_row_token(x->w, t, d->p[s]->id[d->first[s] + i]);
        row_number(t, x->kl[i]), row_number(t, x->back[i]);
        for (int s = 0; s < 2; s++)
            work_row_token(x->w, t, (int32_t)x->top[s][i]), row_number(t, x->top_p[s][i]);
    }
}

static void show_prompts(compare *x)
{
    table *t = report_table(x->w->r, "outputs", 6,
                            (column[]){ { "prompt", NULL, CELL_INT, 0, false },
                                        { "positions", NULL, CELL_INT, 0, false },
                                        { "KL", "nat", CELL_REAL, 0, false },
                                        { "largest", "nat", CELL_REAL, 0, false },
                                        { "at position", NULL, CELL_INT, 0, false },
                                        { "other top token", NULL, CELL_REAL, 3, false } });
    for (int i = 0; i < x->n_duo; i++) {
        const duo *d = &x->duo[i];
        table_row(t), row_int(t, i), row_int(t, d->n), row_number(t, d->kl);
        row_number(t, d->worst_kl), row_int(t, d->first[A] + d->worst_at);
        row_number(t, d->changed);
    }
}

/* Over prompts: mean KL, and how often the top token changes. */
static void show_means(compare *x)
{
    static const char *const name[] = { "KL of the outputs", "positions with another top token" };
    double *v = arena_array(&x->w->mem, x->n_duo, sizeof *v);
    for (int k = 0; v && k < 2 && x->n_duo > 1; k++) {
        for (int i = 0; i < x->n_duo; i++) v[i] = k ? x->duo[i].changed : x->duo[i].kl;
        work_interval(x->w, v, x->n_duo, "compare.interval", name[k]);
    }
}

/* ---- tensors and pictures ---- */

static double of_spot(const spot *s, int which)
{
    const double v[] = { s->n_row ? s->max : (double)NAN,
                         mean(s->sum, s->n_number),
                         mean(s->relative, s->n_relative),
                         mean(s->cosine, s->n_cosine),
                         mean(s->near, s->n_near),
                         s->n_row ? (double)s->n_differ / (double)s->n_row : (double)NAN };
    return v[which];
}

static void label_spots(compare *x, const char *tensor)
{
    const char **list = arena_array(&x->w->mem, x->n_spot, sizeof *list);
    for (int i = 0; list && i < x->n_spot; i++) list[i] = x->spot[i].name;
    if (list) report_axis_labels(x->w->r, tensor, "site", x->n_spot, list);
}

/* Tokens of A, at the positions that are compared. */
static void label_positions(compare *x, const char *tensor)
{
    const duo *d = &x->duo[0];
    for (int32_t i = 0; i < d->n; i++) {
        char label[80];
        int32_t at = d->first[A] + i;
        bool text = d->p[A]->piece && d->p[A]->piece[at].n;
        prompt_label(d->p[A], at, label, sizeof label);
        report_axis_token(x->w->r, tensor, "pos", i, text ? d->p[A]->piece[at].p : label,
                          text ? d->p[A]->piece[at].n : strlen(label));
    }
}

static void keep_sites(compare *x)
{
    static const char *const name[] = { "max",    "mean",       "relative",
                                        "cosine", "neighbours", "differing" };
    for (int k = 0; k < 6; k++) {
        double *v = compare_tensor(x, name[k], "site", (int64_t[]){ x->n_spot });
        for (int i = 0; v && i < x->n_spot; i++) v[i] = of_spot(&x->spot[i], k);
        label_spots(x, name[k]);
    }
    if (!x->by_pos) return;
    label_spots(x, "relative.pos");
    label_positions(x, "relative.pos");
}

/* What is called alike in every block: a row, its layers along it. */
static void draw_layers(compare *x)
{
    int64_t n_layer = x->w->m->config.n_layer, dim[] = { x->n_thing, n_layer };
    const char *list[MAX_THING];
    report *r = x->w->r;
    if (!x->n_thing) return;
    double *v = compare_tensor(x, "by_layer", "thing layer", dim);
    uint8_t *mark = report_marks(r, "by_layer");
    if (!v || !mark) return;
    memset(mark, MARK_ABSENT, (size_t)(n_layer * x->n_thing));
    for (int i = 0; i < x->n_spot; i++) {
        const spot *s = &x->spot[i];
        if (s->layer < 0 || s->layer >= n_layer || s->thing < 0) continue;
        int64_t at = s->thing * n_layer + s->layer;
        v[at] = of_spot(s, 2);
        mark[at] = s->n_differ ? MARK_NONE : s->n_row ? MARK_EQUAL : MARK_ABSENT;
    }
    for (int i = 0; i < x->n_thing; i++) list[i] = x->thing[i];
    report_axis_labels(r, "by_layer", "thing", x->n_thing, list);
    report_axis_numbers(r, "by_layer", "layer", "L");
    report_heatmap(r, "relative difference, mean over positions", "by_layer", "thing", "layer",
                   &(figure_options){ .value = "|a - b| / |a|" });
}

/* The stream after every block, by position. */
static void draw_stream(compare *x)
{
    const duo *d = &x->duo[0];
    report *r = x->w->r;
    int64_t n = 0, dim[2] = { 0, d->n };
    const char **list = arena_array(&x->w->mem, x->n_spot + 1, sizeof *list);
    if (!x->by_pos || !list) return;
    for (int i = 0; i < x->n_spot; i++)
        if (strstr(x->spot[i].name, ".resid_p") || strstr(x->spot[i].name, "resid_mid"))
            list[n++] = x->spot[i].name;
    dim[0] = n;
    double *v = n ? compare_tensor(x, "stream", "site pos", dim) : NULL;
    uint8_t *mark = n ? report_marks(r, "stream") : NULL;
    if (!v || !mark) return;
    for (int i = 0, k = 0; i < x->n_spot; i++) {
        if (k == n || list[k] != x->spot[i].name) continue;
        memcpy(v + k * d->n, x->by_pos + (int64_t)i * d->n, (size_t)d->n * sizeof *v);
        for (int32_t t = 0; t < d->n; t++)
            mark[k * d->n + t] = v[k * d->n + t] == 0 ? MARK_EQUAL : MARK_NONE;
        k++;
    }
    report_axis_labels(r, "stream", "site", n, list);
    label_positions(x, "stream");
    report_heatmap(r, "the stream: relative difference", "stream", "site", "pos",
                   &(figure_options){ .value = "|a - b| / |a|" });
}

static void draw_outputs(compare *x)
{
    static const char *const name[] = { "kl", "kl.back", "top.a", "top.b" };
    for (int k = 0; k < 4 && x->kl; k++) label_positions(x, name[k]);
    if (x->kl)
        report_tokens(x->w->r, "how far the outputs are apart, after each token", "kl", "pos",
                      &(figure_options){ .value = "KL" });
}

static void say(compare *x)
{
    static const char *const what[] = { "A is the first prompt, B the second",
                                        "A is without edits, B with them",
                                        "A is the model, B the one of --with" };
    report *r = x->w->r;
    report_note(r,
                "%s. Relative: |a - b| / |a| of a position's values; neighbours: the same of two "
                "positions of A that follow each other. KL: sum p_A (log p_A - log p_B).%s",
                x->kind == PROMPTS && x->n_duo > 1 ? "A is the clean prompt, B the corrupted one"
                                                   : what[x->kind],
                x->n_duo > 1 ? " Means over positions, then prompts." : "");
    report_control(r, "KL of neighbouring positions", mean(x->near_kl, x->n_near_kl),
                   "nats, of A's outputs at two positions that follow each other: as far apart as "
                   "unrelated outputs are");
    double apart = 0;
    for (int i = 0; i < x->n_duo; i++) apart += x->duo[i].kl / x->n_duo;
    report_control(r, "KL of A and B", apart, "nats, mean over positions");
}

void compare_show(compare *x)
{
    show_sites(x);
    if (x->n_duo > 1) show_prompts(x);
    else show_positions(x);
    show_means(x), keep_sites(x);
    draw_layers(x), draw_stream(x), draw_outputs(x), say(x);
}

/* SPDX-License-Identifier: MIT */
