/* pair_files -- see pair_files.h. */
#include "data/pair_files.h"
#include "base/file.h"
#include "data/csv.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, N_FIELD = 4, N_NAME = 4 };
enum { CLEAN, CORRUPT, CORRECT, WRONG };

static const char *const field_names[N_FIELD][N_NAME] = {
    { "clean", "clean_prefix" },
    { "corrupt", "corrupted", "patch_prefix" },
    { "correct", "answers", "clean_answer", "correct_idx" },
    { "wrong", "wrong_answers", "patch_answer", "incorrect_idx" },
};

/* The four lists of our form, while they grow. */
typedef struct lists {
    json_t *of[N_FIELD];
    int64_t n_more; /* answers beside the first of either kind */
    bool ids;       /* there are answers that are token ids */
    bool years;     /* answers are years, by a label */
} lists;

static status nomem(error *err) { return error_set(err, E_NOMEM, "pairs: out of memory"); }

void pair_file_release(pair_file *f)
{
    json_decref(f->v);
    *f = (pair_file){ 0 };
}

static status lists_init(lists *x, error *err)
{
    bool fine = true;
    *x = (lists){ 0 };
    for (int k = 0; k < N_FIELD; k++) fine = (x->of[k] = json_array()) && fine;
    return fine ? E_OK : nomem(err);
}

static void lists_release(lists *x)
{
    for (int k = 0; k < N_FIELD; k++) json_decref(x->of[k]);
    *x = (lists){ 0 };
}

/* One pair; field[WRONG] NULL: it has none. */
static status append(lists *x, json_t *const *field, error *err)
{
    for (int k = 0; k < N_FIELD; k++)
        if (field[k] && json_array_append(x->of[k], field[k])) return nomem(err);
    return E_OK;
}

static void describe(pair_file *out, const lists *x)
{
    static const char takes[] = "prob_diff and answer_diff take all, other metrics the first of "
                                "either";
    int n = 0;
    if (x->years)
        n = snprintf(
            out->note, sizeof out->note,
            "'label' is a year's two digits, as in EAP's greater-than files: right are the "
            "years above it, wrong the others; %s",
            takes);
    else if (x->n_more)
        n = snprintf(out->note, sizeof out->note,
                     "there are %lld further right or wrong answers: %s%s", (long long)x->n_more,
                     takes, x->ids ? "; " : "");
    if (x->ids)
        snprintf(out->note + n, sizeof out->note - (size_t)n,
                 "answers are token ids: they mean what they should only with the tokenizer the "
                 "file was made for");
}

/* Our object of the lists, which are all as long but for wrong, which may be empty. */
static status finish(pair_file *out, const lists *x, error *err)
{
    size_t n = json_array_size(x->of[CLEAN]), n_wrong = json_array_size(x->of[WRONG]);
    if (!n) return error_set(err, E_FORMAT, "there are no pairs");
    if (n_wrong && n_wrong != n)
        return error_set(err, E_FORMAT, "%zu of %zu pairs have a wrong answer: all or none",
                         n_wrong, n);
    json_t *v = json_object();
    for (int k = 0; k < N_FIELD; k++)
        if (v && (k != WRONG || n_wrong) && json_object_set(v, field_names[k][0], x->of[k])) {
            json_decref(v);
            v = NULL;
        }
    if (!v) return nomem(err);
    out->v = v, out->foreign = true;
    out->metric = x->years ? "prob_diff" : NULL;
    describe(out, x);
    return E_OK;
}

/* ---- a record that is an object ---- */

static void list_keys(const json_t *v, char *out, size_t bytes)
{
    const char *name;
    json_t *x;
    size_t n = 0;
    snprintf(out, bytes, "nothing");
    json_object_foreach((json_t *)v, name, x)
    {
        int more = snprintf(out + n, bytes - n, "%s%.30s", n ? ", " : "", name);
        if (more < 0 || (size_t)more >= bytes - n) {
            out[n] = 0;
            return;
        }
        n += (size_t)more;
    }
}

/* Its field k under one of the names, or NULL. */
static status field_of(json_t **out, const json_t *v, int k, error *err)
{
    char keys[120];
    const char *found = NULL;
    *out = NULL;
    for (int i = 0; i < N_NAME && field_names[k][i]; i++) {
        json_t *x = json_object_get(v, field_names[k][i]);
        if (x && *out)
            return error_set(err, E_FORMAT, "both '%s' and '%s' are there", found,
                             field_names[k][i]);
        if (x) *out = x, found = field_names[k][i];
    }
    if (*out || k == WRONG) return E_OK;
    error_set(err, E_FORMAT, "there is no '%s'", field_names[k][0]);
    list_keys(v, keys, sizeof keys);
    error_hint(err,
               "it has: %s; a pair has clean, corrupt and correct, or other tools' names for "
               "them: docs/formats.md",
               keys);
    return E_FORMAT;
}

/* A text or a list of ids.  AutoCircuit's files for its micro model have vectors. */
static status check_prompt(int k, const json_t *v, error *err)
{
    if (json_is_string(v)) return E_OK;
    if (!json_is_array(v))
        return error_set(err, E_FORMAT, "'%s' is %s, expected a text or a list of ids",
                         field_names[k][0], json_kind(v));
    if (!json_is_array(json_array_get(v, 0))) return E_OK;
    error_set(err, E_UNSUPPORTED, "'%s' is a list of vectors, expected a text or a list of ids",
              field_names[k][0]);
    error_hint(err, "AutoCircuit's micro model has such inputs, and no tokens");
    return E_UNSUPPORTED;
}

static status check_answer(lists *x, int k, const json_t *v, error *err)
{
    if (json_is_integer(v)) x->ids = true;
    if (json_is_string(v) || json_is_integer(v)) return E_OK;
    return error_set(err, E_FORMAT, "'%s' is %s, expected a token's text or an id",
                     field_names[k][0], json_kind(v));
}

/* One, or a list of some.  AutoCircuit's files for Tracr's models have a list for every position. */
static status check_answers(lists *x, int k, const json_t *v, error *err)
{
    if (!json_is_array(v) || !json_array_size(v)) return check_answer(x, k, v, err);
    if (json_is_array(json_array_get(v, 0))) {
        error_set(err, E_UNSUPPORTED,
                  "'%s' is an array of arrays, expected answers at the last "
                  "position",
                  field_names[k][0]);
        error_hint(err, "AutoCircuit's files for Tracr's models have answers for every position: "
                        "leave those of one");
        return E_UNSUPPORTED;
    }
    status st = E_OK;
    for (size_t i = 0; i < json_array_size(v) && st == E_OK; i++)
        st = check_answer(x, k, json_array_get(v, i), err);
    x->n_more += (int64_t)json_array_size(v) - 1;
    return st;
}

static status one_object(lists *x, const json_t *v, error *err)
{
    json_t *field[N_FIELD];
    status st = E_OK;
    if (!json_is_object(v))
        return error_set(err, E_FORMAT, "is %s, expected an object", json_kind(v));
    for (int k = 0; k < N_FIELD && st == E_OK; k++) {
        st = field_of(&field[k], v, k, err);
        if (st == E_OK && field[k])
            st = k < CORRECT ? check_prompt(k, field[k], err) : check_answers(x, k, field[k], err);
    }
    return st == E_OK ? append(x, field, err) : st;
}

static status objects(lists *x, const json_t *list, error *err)
{
    size_t i;
    json_t *v;
    if (!json_is_array(list))
        return error_set(err, E_FORMAT, "'prompts' is %s, expected a list", json_kind(list));
    json_array_foreach(list, i, v)
    {
        status st = one_object(x, v, err);
        if (st == E_OK) continue;
        error_prefix(err, "pair %zu", i);
        return st;
    }
    return E_OK;
}

static status json_lines(lists *x, const char *p, size_t n, error *err)
{
    const char *end = p + n;
    status st = E_OK;
    for (int64_t line = 1; p < end && st == E_OK; line++) {
        char name[40];
        json_t *v = NULL;
        const char *found = memchr(p, '\n', (size_t)(end - p)), *stop = found ? found : end;
        const char *from = p + strspn(p, " \t\r\n");
        p = stop + 1;
        if (from >= stop) continue;
        snprintf(name, sizeof name, "line %lld", (long long)line);
        st = json_parse(&v, from, (size_t)(stop - from), name, err);
        if (st == E_OK) {
            st = one_object(x, v, err);
            if (st != E_OK) error_prefix(err, "%s", name);
        }
        json_decref(v);
    }
    return st;
}

/* ---- a record that is a row ---- */

typedef struct columns {
    int at[N_FIELD]; /* -1: none */
    bool ids[N_FIELD];
    int n, label; /* -1: none, or there is an answer */
} columns;

static status find_columns(columns *c, const csv_cell *head, int n, error *err)
{
    char list[200] = "";
    *c = (columns){ { -1, -1, -1, -1 }, { false }, n, -1 };
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < N_FIELD; k++)
            for (int j = 0; j < N_NAME && field_names[k][j]; j++) {
                if (!csv_is(&head[i], field_names[k][j])) continue;
                if (c->at[k] >= 0)
                    return error_set(err, E_FORMAT, "columns %d and %d are both its '%s'",
                                     c->at[k] + 1, i + 1, field_names[k][0]);
                c->at[k] = i, c->ids[k] = k >= CORRECT && j == N_NAME - 1;
            }
        if (csv_is(&head[i], "label")) c->label = i;
        size_t used = strlen(list);
        if (used < 150)
            snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "",
                     (int)(head[i].n < 40 ? head[i].n : 40), head[i].p);
    }
    if (c->at[CORRECT] >= 0 || c->at[WRONG] >= 0) c->label = -1;
    for (int k = 0; k < WRONG; k++) {
        if (c->at[k] >= 0 || (k == CORRECT && c->label >= 0)) continue;
        error_set(err, E_FORMAT, "no JSON, and as CSV its first row has no column '%s%s'",
                  field_names[k][0], k == CORRECT ? "' or 'correct_idx" : "");
        error_hint(err, "it has: %s", utf8_check(list, strlen(list)) == strlen(list) ? list : "?");
        return E_FORMAT;
    }
    return E_OK;
}

/* A cell's text, or the whole number it is; NULL where it is not (or there is no memory). */
static json_t *cell_value(const csv_cell *c, bool id)
{
    char text[24], *end;
    if (!id) return json_stringn(c->p, c->n);
    snprintf(text, sizeof text, "%.*s", (int)(c->n < 23 ? c->n : 23), c->p);
    long long v = strtoll(text, &end, 10);
    return c->n && c->n < 20 && end == text + c->n ? json_integer(v) : NULL;
}

static status bad_cell(const csv_cell *c, const char *name, bool id, error *err)
{
    if (utf8_check(c->p, c->n) < c->n) return error_set(err, E_FORMAT, "'%s' is not UTF-8", name);
    if (!id) return nomem(err);
    return error_set(err, E_FORMAT, "'%s' is '%.*s', expected a token id", name,
                     (int)(c->n < 40 ? c->n : 40), c->p);
}

/* The years above a label, and the others. */
static status years(json_t **right, json_t **wrong, const csv_cell *label, error *err)
{
    bool fine = (label->n == 1 || label->n == 2) && label->p[0] >= '0' && label->p[0] <= '9' &&
                label->p[label->n - 1] >= '0' && label->p[label->n - 1] <= '9';
    int year = !fine           ? 99
               : label->n == 1 ? label->p[0] - '0'
                               : 10 * (label->p[0] - '0') + label->p[1] - '0';
    if (year == 99) {
        error_set(err, E_FORMAT, "'label' is '%.*s', expected a year's two digits, 00 to 98",
                  (int)(label->n < 40 ? label->n : 40), label->p);
        error_hint(err, "without a column 'correct' or 'correct_idx' the file is read as EAP's "
                        "greater-than");
        return E_FORMAT;
    }
    *right = json_array(), *wrong = json_array();
    for (int y = 0; y < 100; y++)
        if (!*right || !*wrong ||
            json_array_append_new(y > year ? *right : *wrong, json_sprintf("%02d", y)))
            return nomem(err);
    return E_OK;
}

static status one_row(lists *x, const columns *c, const csv_cell *cell, int n, error *err)
{
    json_t *field[N_FIELD] = { NULL };
    status st = E_OK;
    if (n != c->n)
        return error_set(err, E_FORMAT, "there are %d cells, and %d columns in the first row", n,
                         c->n);
    for (int k = 0; k < N_FIELD && st == E_OK; k++) {
        if (c->at[k] < 0) continue;
        const csv_cell *of = &cell[c->at[k]];
        field[k] = cell_value(of, c->ids[k]);
        if (!field[k]) st = bad_cell(of, field_names[k][0], c->ids[k], err);
        x->ids |= c->ids[k];
    }
    if (st == E_OK && c->label >= 0)
        x->years = true, st = years(&field[CORRECT], &field[WRONG], &cell[c->label], err);
    if (st == E_OK) st = append(x, field, err);
    for (int k = 0; k < N_FIELD; k++) json_decref(field[k]);
    return st;
}

static status csv_rows(lists *x, const char *p, size_t n, error *err)
{
    csv in = csv_begin("CSV", p, n);
    csv_cell cell[CSV_COLUMNS];
    columns c;
    arena mem = { 0 };
    int n_cell;
    status st = csv_row(&in, &mem, cell, &n_cell, err);
    if (st == E_OK) st = find_columns(&c, cell, n_cell, err);
    while (st == E_OK && in.at < in.end) {
        arena_reset(&mem);
        st = csv_row(&in, &mem, cell, &n_cell, err);
        if (st != E_OK || (n_cell == 1 && !cell[0].n)) continue; /* an empty line is none */
        st = one_row(x, &c, cell, n_cell, err);
        if (st != E_OK) error_prefix(err, "CSV, row %lld", (long long)in.row);
    }
    arena_release(&mem);
    return st;
}

/* ---- what it is ---- */

static bool is_record(const json_t *v)
{
    return json_object_get(v, "clean_prefix") || json_is_string(json_object_get(v, "clean"));
}

/* Is the first line JSON by itself, with more behind it? */
static bool has_lines(const str *s)
{
    json_t *v = NULL;
    const char *from = s->p + strspn(s->p, " \t\r\n"), *stop = strchr(from, '\n');
    bool lines = stop && json_parse(&v, from, (size_t)(stop - from), "line", NULL) == E_OK;
    json_decref(v);
    return lines;
}

/* JSON: ours, a list, or lines, which are no JSON as a whole unless there is but one. */
static status read_json(pair_file *out, lists *x, const str *s, error *err)
{
    json_t *v = NULL;
    error whole = { 0 };
    status st = json_parse(&v, s->p, s->n, "JSON", &whole);
    if (st == E_OK && json_is_array(v)) st = objects(x, v, err);
    else if (st == E_OK && json_object_get(v, "prompts") && !json_object_get(v, "clean"))
        st = objects(x, json_object_get(v, "prompts"), err);
    else if (st == E_OK && is_record(v)) st = one_object(x, v, err);
    else if (st == E_OK) out->v = json_incref(v);
    else if (st == E_FORMAT && has_lines(s)) st = json_lines(x, s->p, s->n, err);
    else error_set(err, st, "%s", whole.msg);
    json_decref(v);
    return st;
}

static status read_text(pair_file *out, const str *s, error *err)
{
    lists x;
    char first = s->p[strspn(s->p, " \t\r\n")];
    status st = lists_init(&x, err);
    if (st == E_OK)
        st = first == '{' || first == '[' ? read_json(out, &x, s, err)
                                          : csv_rows(&x, s->p, s->n, err);
    if (st == E_OK && !out->v) st = finish(out, &x, err);
    lists_release(&x);
    return st;
}

status pair_file_read(pair_file *out, const char *path, error *err)
{
    str s = { 0 };
    pair_file f = { 0 };
    status st = file_read(&s, path, MAX_FILE, err);
    if (st == E_OK && !s.n) st = error_set(err, E_FORMAT, "%s: is empty", path);
    if (st == E_OK && memchr(s.p, 0, s.n))
        st = error_set(err, E_FORMAT, "%s: has a NUL byte: no text", path);
    if (st == E_OK) {
        st = read_text(&f, &s, err);
        if (st != E_OK) error_prefix(err, "%s", path);
    }
    str_release(&s);
    if (st == E_OK) *out = f;
    else pair_file_release(&f);
    return st;
}
/* SPDX-License-Identifier: MIT */
