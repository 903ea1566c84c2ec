/* work_edit -- edits as they are written, put on a lane: numbers, tensors of files, means over prompts, other lanes. */
#include "instrument/lora.h"
#include "instrument/work.h"
#include <stdio.h>
#include <string.h>

/* ---- numbers, read or worked out once ---- */

/* Numbers that edits have read or worked out already: a file of text has the same edits in every window. */
struct loaded {
    const char *name;
    double *v;
    int64_t n;
    struct loaded *next;
};

static const struct loaded *loaded_before(const work *w, const char *name)
{
    const struct loaded *x = w->loaded;
    while (x && strcmp(x->name, name) != 0) x = x->next;
    return x;
}

/* v [n] is copied and kept under that name. */
static status keep_loaded(work *w, const char *name, const double *v, int64_t n, double **out,
                          error *err)
{
    struct loaded *x = arena_get(&w->file_mem, sizeof *x);
    if (x)
        *x = (struct loaded){ .name = arena_string(&w->file_mem, name),
                              .v = arena_array(&w->file_mem, n + 1, sizeof *v),
                              .n = n,
                              .next = w->loaded };
    if (!x || !x->name || !x->v) return error_set(err, E_NOMEM, "edit: out of memory");
    memcpy(x->v, v, (size_t)n * sizeof *v);
    *out = x->v, w->loaded = x;
    return E_OK;
}

/* "PATH:KEY" and the like, in w->mem. */
static char *loaded_name(work *w, const char *path, const char *key)
{
    size_t bytes = strlen(path) + strlen(key) + 2;
    char *name = arena_get(&w->mem, bytes);
    if (name) snprintf(name, bytes, "%s:%s", path, key);
    return name;
}

void work_hint_tensors(const container *c, error *err)
{
    if (container_count(c))
        error_hint(err, "it has %d tensors, the first is '%s'", container_count(c),
                   container_at(c, 0)->name);
}

static status read_tensor(work *w, const char *path, const char *key, double **out, int64_t *n,
                          error *err)
{
    container *c;
    status st = container_open(&c, path, err);
    if (st != E_OK) return st;
    st = work_file(w, path, err);
    const tensor_view *t = container_find(c, key);
    if (st == E_OK && !t) {
        st = error_set(err, E_RANGE, "%s: there is no tensor '%.100s'", path, key);
        work_hint_tensors(c, err);
    } else if (st == E_OK) {
        *n = tensor_count(t);
        *out = arena_array(&w->mem, *n + 1, sizeof **out);
        if (*out) tensor_values(t, 0, *n, *out);
        else st = error_set(err, E_NOMEM, "%s: out of memory", path);
    }
    container_free(c);
    return st;
}

/* A tensor of a file as doubles. */
status work_values(work *w, const char *path, const char *key, double **out, int64_t *n, error *err)
{
    const char *name = loaded_name(w, path, key);
    if (!name) return error_set(err, E_NOMEM, "%s: out of memory", path);
    const struct loaded *x = loaded_before(w, name);
    if (x) {
        *out = x->v, *n = x->n;
        return E_OK;
    }
    double *v;
    status st = read_tensor(w, path, key, &v, n, err);
    return st == E_OK ? keep_loaded(w, name, v, *n, out, err) : st;
}

/* ---- what an edit puts there ---- */

/* Values for a slice: one for each number of the last axis, or of the parts where the last axis is one number, or of
 * the whole slice. */
static status set_values(work *w, edit *e, const double *v, int64_t n, double factor, const lane *l,
                         error *err)
{
    int64_t width = e->w1 - e->w0, parts = e->where.a1 - e->where.a0;
    box rows = box_cut(e->where, node_all(e->n, l));
    int64_t n_row = rows.r1 - rows.r0;
    double *copy = arena_array(&w->mem, n + 1, sizeof *copy);
    if (!copy) return error_set(err, E_NOMEM, "edit: out of memory");
    for (int64_t i = 0; i < n; i++) copy[i] = factor * v[i];
    e->v = copy;
    if (n == width && e->n->extent != PAIR) return E_OK;
    if (n == parts * width && e->n->extent != PAIR) {
        e->part_step = width;
        return E_OK;
    }
    if (e->n->extent == PAIR)
        return error_set(err, E_UNSUPPORTED,
                         "%s: a value per query and key is set by one number, not by a list",
                         graph_name(&w->m->g, e->n));
    if (n == n_row * parts * width) {
        e->part_step = width, e->row_step = parts * width, e->where.r1 = rows.r1;
        return E_OK;
    }
    return error_set(err, E_SHAPE,
                     "%lld values for a slice of %lld rows, %lld parts and %lld numbers: expected "
                     "%lld, %lld or %lld",
                     (long long)n, (long long)n_row, (long long)parts, (long long)width,
                     (long long)width, (long long)(parts * width),
                     (long long)(n_row * parts * width));
}

/* Add one prompt's values to the sums; its first rows, or all of them into one. */
static status add_values(work *w, node *const *n, int n_node, const prompt *p, int32_t rows,
                         double **sum, error *err)
{
    lane *l = NULL;
    int32_t n_row = rows ? rows : p->n;
    status st = work_lane(w, &l, NULL, p, NULL, err);
    for (int i = 0; i < n_node && st == E_OK; i++) st = lane_ask(l, n[i], node_all(n[i], l), err);
    if (st == E_OK) st = work_run(w, err);
    for (int i = 0; i < n_node && st == E_OK; i++) {
        arena_mark here = arena_here(&w->mem);
        int64_t per = (int64_t)n[i]->n_part * n[i]->width;
        double *v = arena_array(&w->mem, per * n_row, sizeof *v);
        st = v ? lane_read(l, n[i], (box){ 0, n_row, 0, n[i]->n_part }, v, err)
               : error_set(err, E_NOMEM, "mean: out of memory");
        for (int64_t k = 0; st == E_OK && k < per * n_row; k++) sum[i][rows ? k : k % per] += v[k];
        arena_rewind(&w->mem, here);
    }
    if (l) lane_drop(l);
    return st;
}

status work_means(work *w, node *const *n, int n_node, prompt *const *p, int n_prompt, int32_t rows,
                  double **out, error *err)
{
    int64_t n_row = 0;
    status st = E_OK;
    for (int i = 0; i < n_node; i++) {
        int64_t per = (int64_t)n[i]->n_part * n[i]->width;
        out[i] = arena_array(&w->mem, per * (rows ? rows : 1), sizeof *out[i]);
        if (!out[i]) return error_set(err, E_NOMEM, "mean: out of memory");
    }
    for (int i = 0; i < n_prompt && st == E_OK; i++, n_row += p[i - 1]->n)
        st = add_values(w, n, n_node, p[i], rows, out, err);
    for (int i = 0; i < n_node && st == E_OK; i++)
        for (int64_t k = 0; k < (int64_t)n[i]->n_part * n[i]->width * (rows ? rows : 1); k++)
            out[i][k] /= rows ? n_prompt : (double)n_row;
    return st;
}

/* Means of a node's values over the prompts of a file: of all rows, or by position of `rows` many. */
static status read_means(work *w, const char *file, node *n, int32_t rows, double **out, error *err)
{
    prompt **list;
    int n_prompt;
    status st = prompts_read(&list, &n_prompt, &w->mem, w->m, file, work_bos(w), err);
    if (st != E_OK) return st;
    st = work_file(w, file, err);
    for (int i = 0; i < n_prompt && rows && st == E_OK; i++)
        if (list[i]->n != rows)
            st = error_set(err, E_SHAPE,
                           "%s: prompt %d has %d tokens, the mean by position needs %d", file, i,
                           list[i]->n, rows);
    if (st == E_OK) st = work_means(w, &n, 1, list, n_prompt, rows, out, err);
    for (int i = 0; i < n_prompt; i++) prompt_free(list[i]);
    return st;
}

/* Mean of the slice over the prompts of a file: over all positions, or position by position. */
static status mean_values(work *w, const change *c, const address *a, const lane *l, edit *e,
                          error *err)
{
    char key[220];
    double *mean = NULL;
    int64_t numbers = (int64_t)a->n->n_part * a->n->width;
    int32_t len = lane_len(l), rows = c->by_pos ? len : 0;
    if (a->n->extent != ROW)
        return error_set(err, E_UNSUPPORTED, "%s: a mean is of values per position", a->name);
    snprintf(key, sizeof key, "mean %s %d", a->name, rows);
    const char *name = loaded_name(w, c->file, key);
    if (!name) return error_set(err, E_NOMEM, "%s: out of memory", c->file);
    const struct loaded *x = loaded_before(w, name);
    status st = E_OK;
    if (x) mean = x->v;
    else {
        st = read_means(w, c->file, a->n, rows, &mean, err);
        if (st == E_OK) st = keep_loaded(w, name, mean, numbers * (rows ? rows : 1), &mean, err);
    }
    if (st != E_OK) return st;
    e->kind = EDIT_SET;
    e->v =
        mean + (int64_t)a->where.a0 * a->n->width + a->w0 + (c->by_pos ? a->where.r0 * numbers : 0);
    e->part_step = a->n->width;
    if (c->by_pos) e->row_step = numbers, e->where.r1 = e->where.r1 < len ? e->where.r1 : len;
    return E_OK;
}

/* ---- what is taken from another lane ---- */

static const named_lane *lane_called(const named_lane *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i].name, name)) return &list[i];
    return NULL;
}

static status no_lane(const change *c, const named_lane *others, int n_other, error *err)
{
    char list[200] = "";
    for (int i = 0; i < n_other && strlen(list) < 160; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s@%s", i ? ", " : "",
                 others[i].name);
    error_set(err, E_USAGE, "edit '%.80s': there is no lane @%.40s", c->text, c->lane);
    error_hint(err, *list ? "lanes are %s" : "there is only one prompt here", list);
    return E_USAGE;
}

/* Where a take's source begins on one axis: where its address says, which must then be as long as the
 * target; else where the target begins. */
static status take_axis(const change *c, const char *axis, bool cut, int32_t lo, int32_t hi,
                        int32_t want_lo, int32_t want_hi, int32_t *out, error *err)
{
    *out = cut ? lo : want_lo;
    if (!cut || hi - lo == want_hi - want_lo) return E_OK;
    error_set(err, E_SHAPE, "edit '%.80s': %d %s are to be taken, the slice that is set has %d",
              c->text, hi - lo, axis, want_hi - want_lo);
    error_hint(err, "both sides must be as large: nothing is repeated or left out");
    return E_SHAPE;
}

static status take_values(work *w, const change *c, const address *a, const prompt *p,
                          const named_lane *others, int n_other, lane *l, edit *e, error *err)
{
    bool self = !*c->lane;
    const named_lane *from = self ? NULL : lane_called(others, n_other, c->lane);
    lane *source = self ? lane_parent(l) : from ? from->l : NULL;
    if (!source) return no_lane(c, others, n_other, err);
    address b = *a;
    status st = c->other ? site_find_one(&b, w->m, self ? p : from->p, c->other, err) : E_OK;
    if (st == E_OK && b.before)
        st = error_set(err, E_USAGE, "edit '%.80s': a value before edits is not taken: %s@before",
                       c->text, b.name);
    if (st != E_OK) return st;
    box rows = box_cut(e->where, node_all(e->n, l)),
        whole = box_cut(b.where, node_all(b.n, source));
    int32_t there = node_rows(b.n, source);
    *e = edit_take(*e, source);
    e->from_n = b.n, e->where.r1 = rows.r1;
    if (st == E_OK)
        st = take_axis(c, "rows", c->other && b.has_rows, whole.r0, whole.r1, rows.r0, rows.r1,
                       &e->from_row, err);
    if (st == E_OK)
        st = take_axis(c, "parts", b.has_parts || b.n->n_part != e->n->n_part, b.where.a0,
                       b.where.a1, e->where.a0, e->where.a1, &e->from_part, err);
    if (st == E_OK)
        st = take_axis(c, "numbers", b.has_width || b.n->width != e->n->width, b.w0, b.w1, e->w0,
                       e->w1, &e->from_w0, err);
    if (st != E_OK || rows.r1 - rows.r0 + e->from_row <= there) return st;
    error_set(err, E_SHAPE, "edit '%.80s': takes %d rows from row %d on, the source has %d",
              c->text, rows.r1 - rows.r0, e->from_row, there);
    error_hint(err, "the two prompts are of different length: name positions on both sides");
    return E_SHAPE;
}

static status fill_edit(work *w, const change *c, const address *a, const prompt *p,
                        const named_lane *others, int n_other, lane *l, edit *e, error *err)
{
    static const edit_kind kind[] = { EDIT_SET, EDIT_ADD, EDIT_SCALE, EDIT_PROJECT };
    double *v = (double *)c->vector;
    int64_t n = c->n_vector;
    *e = (edit){ .n = a->n, .where = a->where, .w0 = a->w0, .w1 = a->w1, .factor = c->number };
    if (c->kind == CHANGE_TAKE) return take_values(w, c, a, p, others, n_other, l, e, err);
    if (c->kind == CHANGE_MEAN) return mean_values(w, c, a, l, e, err);
    e->kind = kind[c->kind];
    status st = c->file ? work_values(w, c->file, c->key, &v, &n, err) : E_OK;
    if (st == E_OK && (c->file || n)) st = set_values(w, e, v, n, c->factor, l, err);
    return st;
}

static status one_change(work *w, const change *c, lane *l, const prompt *p,
                         const named_lane *others, int n_other, error *err)
{
    address *a, *b = NULL;
    int n, m = 1;
    if (c->kind == CHANGE_LORA) return lora_edit(w, c, l, p, err);
    status st = c->reader ? site_find_writers(&a, &n, &w->mem, w->m, p, c->site, err)
                          : site_find(&a, &n, &w->mem, w->m, p, c->site, err);
    if (st == E_OK && c->reader) st = site_find_readers(&b, &m, &w->mem, w->m, p, c->reader, err);
    for (int i = 0; i < n && st == E_OK; i++)
        for (int k = 0; k < m && st == E_OK; k++) {
            edit e;
            if (a[i].before || (b && b[k].before))
                return error_set(err, E_USAGE, "edit '%.80s': SITE@before can be read, not edited",
                                 c->text);
            if (b && b[k].has_width)
                return error_set(err, E_USAGE,
                                 "edit '%.80s': a reader is cut by position and head, not within "
                                 "a head",
                                 c->text);
            st = fill_edit(w, c, &a[i], p, others, n_other, l, &e, err);
            if (st == E_OK && e.where.r1 != a[i].where.r1 && work_int(w, "n") > 0)
                report_warn(w->r,
                            "'%s' has values for the prompt's rows: those that are written after "
                            "them are not edited by it",
                            c->text);
            if (st == E_OK)
                st = b ? lane_edit_edge(l, &e, b[k].n, b[k].where, err) : lane_edit(l, &e, err);
        }
    return st;
}

status work_edit(work *w, lane *l, const prompt *p, const char *text, const named_lane *others,
                 int n_other, error *err)
{
    change *c;
    int n;
    status st = change_parse(&c, &n, &w->mem, text, err);
    for (int k = 0; k < n && st == E_OK; k++) st = one_change(w, &c[k], l, p, others, n_other, err);
    return st;
}

status work_edits(work *w, lane *l, const prompt *p, const named_lane *others, int n_other,
                  int *n_edit, error *err)
{
    const char *text;
    *n_edit = 0;
    for (int i = 0; (text = work_item(w, "edit", i)); i++) {
        status st = work_edit(w, l, p, text, others, n_other, err);
        if (st != E_OK) return st;
        ++*n_edit;
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
