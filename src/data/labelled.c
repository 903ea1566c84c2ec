/* labelled -- see labelled.h. */
#include "data/labelled.h"
#include "base/file.h"
#include "base/json.h"
#include "data/csv.h"
#include <string.h>

enum { MAX_ROWS = 1 << 24 };

static status nomem(error *err) { return error_set(err, E_NOMEM, "prompts: out of memory"); }

void labelled_free(labelled *l)
{
    if (!l) return;
    for (int i = 0; l->p && i < l->n; i++) prompt_free(l->p[i]);
    arena_release(&l->mem);
    mem_free(l, sizeof *l);
}

/* Room for n prompts. */
static labelled *labelled_new(int64_t n)
{
    labelled *l = mem_zero(sizeof *l);
    if (!l) return NULL;
    l->p = arena_array(&l->mem, n + 1, sizeof *l->p);
    l->positive = arena_array(&l->mem, n + 1, sizeof *l->positive);
    l->group = arena_array(&l->mem, n + 1, sizeof *l->group);
    if (l->p && l->positive && l->group) return l;
    labelled_free(l);
    return NULL;
}

static void add(labelled *l, prompt *own_p, bool positive, int group)
{
    l->p[l->n] = own_p, l->positive[l->n] = positive, l->group[l->n++] = group;
    if (group >= l->n_group) l->n_group = group + 1;
}

static status both_kinds(const labelled *l, const char *path, error *err)
{
    int n = 0;
    for (int i = 0; i < l->n; i++) n += l->positive[i];
    if (n && n < l->n) return E_OK;
    return error_set(err, E_FORMAT, "%s: %d prompts are positive and %d negative, expected both",
                     path, n, l->n - n);
}

/* ---- prompts that are lists already ---- */

/* The i-th of the one and of the other are one group. */
static status join(labelled **out, prompt **a, int n_a, prompt **b, int n_b, error *err)
{
    labelled *l = labelled_new((int64_t)n_a + n_b);
    for (int i = 0; i < n_a || i < n_b; i++) {
        if (i < n_a && l) add(l, a[i], true, i);
        else if (i < n_a) prompt_free(a[i]);
        if (i < n_b && l) add(l, b[i], false, i);
        else if (i < n_b) prompt_free(b[i]);
    }
    if (!l) return nomem(err);
    *out = l;
    return E_OK;
}

status labelled_read_sets(labelled **out, const model *m, const char *positive,
                          const char *negative, bos_policy bos, error *err)
{
    arena mem = { 0 };
    prompt **a = NULL, **b = NULL;
    int n_a = 0, n_b = 0;
    status st = prompts_read(&a, &n_a, &mem, m, positive, bos, err);
    if (st == E_OK) {
        st = prompts_read(&b, &n_b, &mem, m, negative, bos, err);
        for (int i = 0; st != E_OK && i < n_a; i++) prompt_free(a[i]);
    }
    if (st == E_OK) st = join(out, a, n_a, b, n_b, err);
    arena_release(&mem);
    return st;
}

status labelled_from_pairs(labelled **out, pairs *own_p, error *err)
{
    status st = join(out, own_p->clean, own_p->n, own_p->corrupt, own_p->n, err);
    own_p->n = 0; /* they were taken */
    pairs_free(own_p);
    return st;
}

/* ---- tables ---- */

typedef struct sheet {
    file_map map;
    const char *path;
    const labelled_fields *f;
    csv in;    /* a line of JSON is a row too */
    arena mem; /* of the row under way */
    bool json;
    json_t *row;
    csv_cell head[CSV_COLUMNS], value[CSV_COLUMNS];
    int n_head, n_value;
    arena head_mem;
} sheet;

static status json_row(sheet *t, error *err)
{
    char name[200];
    const char *p = t->in.at, *stop = memchr(p, '\n', (size_t)(t->in.end - p));
    size_t n = (size_t)((stop ? stop : t->in.end) - p);
    t->in.at += n + (stop != NULL), t->in.row++;
    json_decref(t->row);
    t->row = NULL;
    t->n_value = 0;
    while (n && (p[n - 1] == '\r' || p[n - 1] == ' ')) n--;
    if (!n) return E_OK;
    snprintf(name, sizeof name, "%.160s, line %lld", t->path, (long long)t->in.row);
    status st = json_parse(&t->row, p, n, name, err);
    if (st == E_OK && !json_is_object(t->row))
        st = error_set(err, E_FORMAT, "%s: is %s, expected an object", name, json_kind(t->row));
    t->n_value = 1;
    return st;
}

/* The next row that is not empty; *there false: there are no more. */
static status next_row(sheet *t, bool *there, error *err)
{
    status st = E_OK;
    *there = false;
    while (st == E_OK && !*there && t->in.at < t->in.end) {
        arena_reset(&t->mem);
        st = t->json ? json_row(t, err) : csv_row(&t->in, &t->mem, t->value, &t->n_value, err);
        *there = t->json ? t->n_value > 0 : t->n_value > 1 || t->value[0].n > 0;
    }
    return st;
}

/* A row's cell by column name; p NULL: there is none. */
static status cell_of(sheet *t, const char *name, csv_cell *out, error *err)
{
    *out = (csv_cell){ 0 };
    if (t->json) {
        const json_t *v = json_object_get(t->row, name);
        if (json_is_string(v)) *out = (csv_cell){ json_string_value(v), json_string_length(v) };
        else if (json_is_boolean(v))
            *out = json_is_true(v) ? (csv_cell){ "1", 1 } : (csv_cell){ "0", 1 };
        else if (json_is_integer(v)) {
            char *text = arena_get(&t->mem, 24);
            if (!text) return nomem(err);
            *out = (csv_cell){ text, (size_t)snprintf(text, 24, "%lld",
                                                      (long long)json_integer_value(v)) };
        }
        return E_OK;
    }
    for (int i = 0; i < t->n_head; i++)
        if (i < t->n_value && csv_is(&t->head[i], name)) *out = t->value[i];
    return E_OK;
}

static status no_column(const sheet *t, const char *what, error *err)
{
    char list[200] = "";
    for (int i = 0; i < t->n_head && strlen(list) < 150; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%.*s", i ? ", " : "",
                 (int)(t->head[i].n < 40 ? t->head[i].n : 40), t->head[i].p);
    error_set(err, E_USAGE, "%s, row %lld: there is no column '%s'", t->path, (long long)t->in.row,
              what);
    if (*list) error_hint(err, "there are %s", list);
    return E_USAGE;
}

static status text_of(sheet *t, csv_cell *out, error *err)
{
    static const char *const usual[] = { "statement", "text", "prompt", "sentence", "examples" };
    status st = E_OK;
    if (t->f->text) st = cell_of(t, t->f->text, out, err);
    for (size_t i = 0; !t->f->text && st == E_OK && i < sizeof usual / sizeof *usual; i++) {
        st = cell_of(t, usual[i], out, err);
        if (out->p) break;
    }
    if (st != E_OK || out->p) return st;
    return no_column(t, t->f->text ? t->f->text : "statement or text", err);
}

static bool is_word(const csv_cell *c, const char *const *words)
{
    for (; *words; words++)
        if (csv_is(c, *words)) return true;
    return false;
}

static status label_of(sheet *t, bool *out, error *err)
{
    static const char *const yes[] = { "1", "true", "True", "TRUE", NULL }, *const no[] = {
        "0", "-1", "false", "False", "FALSE", NULL
    };
    const char *name = t->f->label ? t->f->label : "label";
    csv_cell c;
    status st = cell_of(t, name, &c, err);
    if (st != E_OK) return st;
    if (!c.p) return no_column(t, name, err);
    *out = is_word(&c, yes);
    if (*out || is_word(&c, no)) return E_OK;
    return error_set(err, E_FORMAT,
                     "%s, row %lld: the label is '%.*s', expected 1, 0, true or false", t->path,
                     (long long)t->in.row, (int)(c.n < 40 ? c.n : 40), c.p);
}

/* Groups by name: a list is fine, tables of thousands of rows have hundreds of names. */
typedef struct names {
    csv_cell *name;
    int n, cap;
} names;

static status group_of(sheet *t, labelled *l, names *seen, int *out, error *err)
{
    csv_cell c;
    *out = seen->n;
    if (!t->f->group) {
        seen->n++;
        return E_OK;
    }
    status st = cell_of(t, t->f->group, &c, err);
    if (st != E_OK) return st;
    if (!c.p) return no_column(t, t->f->group, err);
    for (int i = 0; i < seen->n; i++)
        if (seen->name[i].n == c.n && !memcmp(seen->name[i].p, c.p, c.n)) {
            *out = i;
            return E_OK;
        }
    if (seen->n == seen->cap) {
        int cap = seen->cap ? 2 * seen->cap : 64;
        csv_cell *wider = arena_array(&l->mem, cap, sizeof *wider);
        if (!wider) return nomem(err);
        if (seen->n) memcpy(wider, seen->name, (size_t)seen->n * sizeof *wider);
        seen->name = wider, seen->cap = cap;
    }
    char *copy = arena_copy(&l->mem, c.p, c.n + !c.n);
    if (!copy) return nomem(err);
    seen->name[seen->n++] = (csv_cell){ copy, c.n };
    return E_OK;
}

static int64_t count_lines(const file_map *map)
{
    int64_t n = 1;
    for (size_t i = 0; i < map->bytes; i++) n += map->p[i] == '\n';
    return n;
}

static status read_rows(sheet *t, labelled *l, const model *m, bos_policy bos, error *err)
{
    names seen = { 0 };
    bool there = true;
    status st = E_OK;
    while (st == E_OK) {
        csv_cell text;
        prompt *p = NULL;
        bool positive = false;
        int group = 0;
        st = next_row(t, &there, err);
        if (st != E_OK || !there) break;
        st = text_of(t, &text, err);
        if (st == E_OK) st = label_of(t, &positive, err);
        if (st == E_OK) st = group_of(t, l, &seen, &group, err);
        if (st != E_OK) break;
        st = prompt_from_text(&p, m, text.p, text.n, bos, err);
        if (st == E_OK) add(l, p, positive, group);
        else error_prefix(err, "%s, row %lld", t->path, (long long)t->in.row);
    }
    return st;
}

status labelled_read_table(labelled **out, const model *m, const char *path,
                           const labelled_fields *f, bos_policy bos, error *err)
{
    sheet t = { .path = path,
                .f = f,
                .json = str_ends(path, ".jsonl") || str_ends(path, ".ndjson") };
    labelled *l = NULL;
    status st = file_open_map(&t.map, path, err);
    if (st != E_OK) return st;
    int64_t n = count_lines(&t.map);
    t.in = csv_begin(path, t.map.p, t.map.bytes);
    if (n > MAX_ROWS) st = error_set(err, E_LIMIT, "%s: more than %d rows", path, MAX_ROWS);
    if (st == E_OK && !t.json && t.map.bytes)
        st = csv_row(&t.in, &t.head_mem, t.head, &t.n_head, err);
    if (st == E_OK && !(l = labelled_new(n))) st = nomem(err);
    if (st == E_OK) st = read_rows(&t, l, m, bos, err);
    if (st == E_OK) st = both_kinds(l, path, err);
    json_decref(t.row);
    arena_release(&t.mem), arena_release(&t.head_mem);
    file_unmap(&t.map);
    if (st == E_OK) *out = l;
    else labelled_free(l);
    return st;
}
/* SPDX-License-Identifier: MIT */
