/* instrument: attend -- where attention goes: each head's pattern, its strongest pairs, its habits.
 *
 * pattern[l, h, q, k] = softmax over the keys k that q sees of the scores of head h: rows sum to 1.  Beside each habit
 * stands what attending to all visible keys alike would give. */
#include "instrument/pattern.h"
#include "tensor/math32.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const param params[] = {
    { "layer", PARAM_TEXT, "all", "which layers: all, or with commas and ranges: 3 or 0,4:8",
      ROLE_WHAT },
    { "query", PARAM_INT, "-1",
      "the position whose strongest key each head is listed with; from the end when negative",
      ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { NUMBERS_MAX = 1 << 28 };

/* What a head does on the whole, each a mean over queries (all but the first, which has no choice). */
typedef enum habit { FIRST, PREVIOUS, SELF, DISTANCE, ENTROPY, N_HABIT } habit;

/* One prompt's patterns and where they are shown. */
typedef struct seen {
    const patterns *x;
    const prompt *p;
    const lane *l;
    const double *v; /* [layer][head][query][key] */
    int32_t query;
} seen;

static const double *head_of(const seen *s, int layer, int32_t head)
{
    return s->v + ((int64_t)layer * s->x->n_head + head) * s->p->n * s->p->n;
}

static void add_row(double sum[N_HABIT], const double *a, int32_t q, int32_t n_key)
{
    sum[FIRST] += a[0];
    sum[PREVIOUS] += q ? a[q - 1] : 0;
    sum[SELF] += a[q];
    for (int32_t k = 0; k < n_key; k++) {
        sum[DISTANCE] += a[k] * abs(q - k);
        /* math_log: libm's differs by machine, and tables are hashed */
        if (a[k] > 0) sum[ENTROPY] -= a[k] * (double)math_log((float)a[k]);
    }
}

static void habits_of(const seen *s, int layer, int32_t head, double out[N_HABIT])
{
    int32_t n = s->p->n;
    for (int k = 0; k < N_HABIT; k++) out[k] = 0;
    for (int32_t q = 1; q < n; q++) add_row(out, head_of(s, layer, head) + (int64_t)q * n, q, n);
    for (int k = 0; k < N_HABIT; k++) out[k] /= n > 1 ? n - 1 : 1;
}

/* The same for attention that is spread evenly over what each query sees. */
static status even_habits(work *w, const seen *s, int layer, double out[N_HABIT], error *err)
{
    int32_t n = s->p->n, first;
    double *row = arena_array(&w->mem, n, sizeof *row);
    if (!row) return work_nomem(w, err);
    for (int k = 0; k < N_HABIT; k++) out[k] = 0;
    for (int32_t q = 1; q < n; q++) {
        int32_t width = pattern_keys(s->x, layer, s->l, q, &first);
        for (int32_t k = 0; k < n; k++) row[k] = k >= first && k < first + width ? 1.0 / width : 0;
        add_row(out, row, q, n);
    }
    for (int k = 0; k < N_HABIT; k++) out[k] /= n > 1 ? n - 1 : 1;
    return E_OK;
}

/* ---- tables ---- */

static int32_t strongest_key(const double *row, int32_t n)
{
    int32_t best = 0;
    for (int32_t k = 1; k < n; k++)
        if (row[k] > row[best]) best = k;
    return best;
}

/* The strongest pair of two different positions, the first key left out (it is where heads rest); -1: none. */
static int64_t strongest_pair(const double *a, int32_t n)
{
    int64_t best = -1;
    for (int32_t q = 1; q < n; q++)
        for (int32_t k = 1; k < n; k++) {
            int64_t at = (int64_t)q * n + k;
            if (q != k && (best < 0 || a[at] > a[best])) best = at;
        }
    return best < 0 || !(a[best] > 0) ? -1 : best;
}

static void put_place(work *w, table *t, const prompt *p, int32_t pos)
{
    row_int(t, pos);
    work_row_token(w, t, p->id[pos]);
}

static void strongest_table(work *w, const seen *s, const char *name)
{
    int32_t n = s->p->n;
    table *t = report_table(w->r, name, 10,
                            (column[]){ { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "key", NULL, CELL_INT, 0, false },
                                        { "key token", NULL, CELL_TOKEN, 0, false },
                                        { "weight", NULL, CELL_REAL, 3, false },
                                        { "from", NULL, CELL_INT, 0, false },
                                        { "from token", NULL, CELL_TOKEN, 0, false },
                                        { "to", NULL, CELL_INT, 0, false },
                                        { "to token", NULL, CELL_TOKEN, 0, false },
                                        { "pair weight", NULL, CELL_REAL, 3, false } });
    for (int l = 0; l < s->x->n_layer; l++)
        for (int32_t h = 0; h < s->x->n_head; h++) {
            const double *a = head_of(s, l, h), *row = a + (int64_t)s->query * n;
            int32_t key = strongest_key(row, n);
            int64_t pair = strongest_pair(a, n);
            table_row(t), row_int(t, s->x->layer[l]), row_int(t, h);
            put_place(w, t, s->p, key);
            row_real(t, row[key]);
            if (pair < 0) {
                for (int k = 0; k < 5; k++) row_none(t);
                continue;
            }
            put_place(w, t, s->p, (int32_t)(pair / n));
            put_place(w, t, s->p, (int32_t)(pair % n));
            row_real(t, a[pair]);
        }
}

static status habit_table(work *w, const seen *s, const char *name, error *err)
{
    double x[N_HABIT], even[N_HABIT];
    table *t = report_table(w->r, name, 2 + N_HABIT,
                            (column[]){ { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_TEXT, 0, false },
                                        { "first", NULL, CELL_REAL, 3, false },
                                        { "previous", NULL, CELL_REAL, 3, false },
                                        { "self", NULL, CELL_REAL, 3, false },
                                        { "distance", "token", CELL_REAL, 3, false },
                                        { "entropy", "nat", CELL_REAL, 3, false } });
    for (int l = 0; l < s->x->n_layer; l++) {
        status st = even_habits(w, s, l, even, err);
        if (st != E_OK) return st;
        for (int32_t h = 0; h < s->x->n_head; h++) {
            habits_of(s, l, h, x);
            table_row(t), row_int(t, s->x->layer[l]), row_text(t, "%d", h);
            for (int k = 0; k < N_HABIT; k++) row_real(t, x[k]);
        }
        table_row(t), row_int(t, s->x->layer[l]), row_text(t, "even");
        for (int k = 0; k < N_HABIT; k++) row_real(t, even[k]);
    }
    return E_OK;
}

/* ---- tensors and the figure ---- */

static void put_tensor(work *w, const seen *s, const char *name)
{
    int32_t n = s->p->n;
    int64_t dim[] = { s->x->n_layer, s->x->n_head, n, n };
    if (!work_tensor(w, name, "layer head query key", dim, s->v, dim[0] * dim[1] * n * n)) return;
    pattern_label(w, s->x, name);
    work_label_tokens(w, name, "query", s->p);
    work_label_tokens(w, name, "key", s->p);
}

/* "NAME" of the only prompt, "NAME.3" of one of several. */
static void name_of(char out[40], const char *what, int which, int n)
{
    if (n > 1) snprintf(out, 40, "%s.%d", what, which);
    else snprintf(out, 40, "%s", what);
}

static status show(work *w, const seen *s, int which, int n, error *err)
{
    char name[40], title[200], label[80];
    name_of(name, "pattern", which, n);
    put_tensor(w, s, name);
    prompt_label(s->p, s->query, label, sizeof label);
    snprintf(title, sizeof title, n > 1 ? "Attention in prompt %d" : "Attention", which);
    report_heads(w->r, title, name, &(figure_options){ .value = "attention weight" });
    report_note(w->r,
                "%s: each head's strongest key of position %d (%s), and its strongest pair of two "
                "positions, the first key left out.",
                name, s->query, label);
    name_of(name, "strongest", which, n);
    strongest_table(w, s, name);
    name_of(name, "habits", which, n);
    return habit_table(w, s, name, err);
}

static status one_prompt(work *w, const patterns *x, const prompt *p, lane *l, int which, int n,
                         error *err)
{
    int64_t query = work_int(w, "query");
    seen s = { x, p, l, NULL, (int32_t)(query < 0 ? query + p->n : query) };
    arena_mark here = arena_here(&w->mem);
    double *v = arena_array(&w->mem, (int64_t)x->n_layer * x->n_head * p->n * p->n, sizeof *v);
    status st = v ? pattern_read(w, x, l, v, err) : work_nomem(w, err);
    s.v = v;
    if (st == E_OK) st = show(w, &s, which, n, err);
    arena_rewind(&w->mem, here);
    return st;
}

static status check_query(const work *w, prompt *const *p, int n, error *err)
{
    for (int i = 0; i < n; i++) {
        status st = work_int_check(w, "query", -p[i]->n, p[i]->n - 1, err);
        if (st == E_OK) continue;
        error_hint(err, "prompt %d has %d tokens", i, p[i]->n);
        return st;
    }
    return E_OK;
}

static status check_size(const patterns *x, prompt *const *p, int n, error *err)
{
    int64_t total = 0;
    for (int i = 0; i < n; i++) total += (int64_t)x->n_layer * x->n_head * p[i]->n * p[i]->n;
    if (total <= NUMBERS_MAX) return E_OK;
    error_set(err, E_LIMIT, "attend: the patterns are %lld numbers, at most %d are shown at once",
              (long long)total, NUMBERS_MAX);
    error_hint(err, "name some layers with --layer, or use fewer or shorter prompts");
    return E_LIMIT;
}

static status run(work *w, error *err)
{
    patterns x;
    prompt **p;
    named_lane *named;
    int n, n_edit;
    status st = work_prompts(w, &p, &n, err);
    if (st == E_OK) st = pattern_layers(w, "layer", &x, err);
    if (st == E_OK) st = check_size(&x, p, n, err);
    if (st == E_OK) st = check_query(w, p, n, err);
    if (st == E_OK) st = work_lanes(w, &named, p, n, "lane", err); /* edits may take from any */
    if (st != E_OK) return st;
    for (int i = 0; i < n && st == E_OK; i++) {
        lane *l = named[i].l;
        if (work_item(w, "edit", 0)) {
            st = lane_fork(&l, l, err);
            if (st == E_OK) st = work_edits(w, l, p[i], named, n, &n_edit, err);
        }
        if (st == E_OK) st = pattern_ask(&x, l, err);
        if (st == E_OK) st = work_run(w, err);
        if (st == E_OK) st = one_prompt(w, &x, p[i], l, i, n, err);
    }
    if (st == E_OK)
        report_note(w->r,
                    "Habits are means over all queries but the first: weight on the first key, "
                    "on the one before, on itself; mean distance; entropy of the weights. Rows "
                    "\"even\": what equal weights on all visible keys give, to compare with.");
    return st;
}

const instrument_def instrument_attend_def = { .name = "attend",
                                               .says = "Attention patterns, to move over",
                                               .subject = "MODEL",
                                               .needs = NEEDS_MODEL,
                                               .prompts = true,
                                               .param = params,
                                               .run = run };
/* SPDX-License-Identifier: MIT */
