/* instrument -- see instrument.h: checks a request, opens what is needed, runs, finishes the report. */
#include "backend/fast.h"
#include "base/cpu.h"
#include "base/file.h"
#include "instrument/work.h"
#include "model/change.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters ---- */

const instrument_def *instrument_find(const char *name)
{
    for (int i = 0; instrument_all[i]; i++)
        if (!strcmp(instrument_all[i]->name, name)) return instrument_all[i];
    return NULL;
}

static int count(const param *p)
{
    int n = 0;
    while (p && p[n].name) n++;
    return n;
}

const param *instrument_param(const instrument_def *d, int i)
{
    int own = count(d->param), prompts = d->prompts ? count(param_of_prompts) : 0;
    int machine = d->needs == NEEDS_MODEL ? count(param_of_models) : 0;
    if (i < own) return &d->param[i];
    if (i < own + prompts) return &param_of_prompts[i - own];
    if (i < own + prompts + machine) return &param_of_models[i - own - prompts];
    return i == own + prompts + machine && d->subject && !d->positional ? &param_subject : NULL;
}

const param *instrument_param_find(const instrument_def *d, const char *name)
{
    const param *p;
    for (int i = 0; (p = instrument_param(d, i)); i++)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}

static status unknown_param(const instrument_def *d, const char *name, error *err)
{
    const param *p, *near = NULL;
    int best = 5;
    for (int i = 0; (p = instrument_param(d, i)); i++) {
        int far = str_distance(name, p->name);
        if (far < best) best = far, near = p;
    }
    error_set(err, E_USAGE, "%s has no parameter '%.60s'", d->name, name);
    if (near) error_hint(err, "did you mean '%s'?", near->name);
    else error_hint(err, "'microtome help %s' lists them", d->name);
    return E_USAGE;
}

static status check_request(const instrument_def *d, const json_t *request, error *err)
{
    const char *name;
    json_t *v;
    if (!json_is_object(request))
        return error_set(err, E_USAGE, "the request is %s, expected an object", json_kind(request));
    json_object_foreach((json_t *)request, name, v)
    {
        const param *p = strcmp(name, "instrument") ? instrument_param_find(d, name) : NULL;
        if (!strcmp(name, "instrument")) continue;
        if (!p) return unknown_param(d, name, err);
        status st = param_check(d->name, p, v, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

/* ---- opening ---- */

static status open_model(work *w, error *err)
{
    const char *path = work_text(w, "model");
    engine_options o = { .backend = work_text(w, "backend"),
                         .precision = work_text(w, "precision"),
                         .threads = (int)work_int(w, "threads"),
                         .no_fuse = work_flag(w, "no_fuse") };
    if (!path) {
        error_set(err, E_USAGE, "%s needs a model", w->def->name);
        error_hint(err, "microtome %s MODEL ...; demo:induction is always there", w->def->name);
        return E_USAGE;
    }
    model_options how = { .allow = work_text(w, "allow"),
                          .config = work_text(w, "config"),
                          .adapter = work_text(w, "adapter") };
    double scale = work_real(w, "adapter_scale");
    how.adapter_scale = &scale;
    status st = engine_open(&w->e, &o, err);
    if (st == E_OK) st = model_open_with(&w->m, path, &how, err);
    if (st == E_OK) st = engine_check(w->e, &w->m->g, err);
    if (st == E_OK) st = session_new(&w->s, &w->m->g, w->e, err);
    if (st == E_OK) session_limit(w->s, work_int(w, "memory") << 20);
    return st;
}

/* Which products are not canonical, and how far from exact they may be. */
static void describe_fast(work *w)
{
    engine_fast f = engine_fast_for(w->e, &w->m->g);
    int n_k = w->m->config.d_model;
    if (f.floats)
        report_note(
            w->r,
            "Linear layers in three-part bf16: of a sum over k inputs the error is at most "
            "%.2g times the sum of |x| |w| for k = %d, where canonical float32 allows %.2g.",
            precision_bound(n_k), n_k, (double)n_k * 0x1p-24);
    if (f.blocks)
        report_note(w->r,
                    "Products with weights in blocks by integers, x in 24 bits: of a sum over k "
                    "inputs the error is at most %.2g times the sum, over groups of 16 or 32, of "
                    "the largest |x| times the sum of |scale q| + |offset| for k = %d, where "
                    "canonical float32 allows %.2g times the sum of |x| |w|.%s",
                    blocks_bound(DTYPE_Q2_K, n_k), n_k, (double)n_k * 0x1p-24,
                    f.floats ? "" : " Other weights: canonical.");
}

static status describe_model(work *w, error *err)
{
    char hash[MODEL_HASH];
    status st = model_hash(w->m, w->e->pool, hash, err);
    if (st != E_OK) return st;
    report_model(w->r, w->m->name, hash);
    if (w->m->tokens)
        report_tokenizer(w->r, tokenizer_kind(w->m->tokens), tokenizer_hash(w->m->tokens));
    report_precision(w->r, w->e->precision);
    report_approximation(w->r, "exact");
    describe_fast(w);
    for (int32_t i = 0; i < w->m->n_warning; i++) report_warn(w->r, "%s", w->m->warning[i]);
    return E_OK;
}

/* A file by its whole path, so that a replay need not stand in the same directory; what is no file as it is. */
static const char *whole_path(const char *value, char room[PATH_MAX])
{
    bool ids = *value == '[' || !value[strspn(value, "0123456789, ")]; /* --tokens 1,2,3 */
    return !ids && file_exists(value) && realpath(value, room) ? room : value;
}

/* An edit with another name for its file. */
static json_t *edit_naming(const char *text, const change *c, const char *file)
{
    const char *rest = text + c->file_at + strlen(c->file);
    return json_sprintf("%.*s%s%s", (int)c->file_at, text, file, rest);
}

/* The edits as they are hashed, and as a replay finds their files; false: no file is named. */
static bool describe_edits(work *w, const json_t *list, json_t *hashed, json_t *where)
{
    bool any = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *v = json_array_get(list, i), *there = NULL;
        const char *text = json_string_value(v);
        char room[PATH_MAX];
        change *c, *again;
        int n;
        if (change_parse(&c, &n, &w->mem, text, NULL) != E_OK ||
            !c->file) { /* run() says what is wrong */
            json_array_append(hashed, v), json_array_append(where, v);
            continue;
        }
        const char *whole = whole_path(c->file, room);
        any = true;
        there = edit_naming(text, c, whole);
        json_array_append_new(hashed, edit_naming(text, c, "FILE"));
        if (there && change_parse(&again, &n, &w->mem, json_string_value(there), NULL) == E_OK &&
            again->file && !strcmp(again->file, whole))
            json_array_append(where, there);
        else json_array_append(where, v); /* a path that an edit cannot say */
        json_decref(there);
    }
    return any;
}

/* What was asked for, without where it is and how it is computed. */
static void describe_request(work *w)
{
    const char *name;
    char room[PATH_MAX];
    json_t *v, *request = json_object();
    json_object_set_new(request, "instrument", json_string(w->def->name));
    json_object_foreach((json_t *)w->request, name, v)
    {
        const param *p = instrument_param_find(w->def, name);
        if (!p || p->role == ROLE_RUN) continue;
        if (p->role == ROLE_EDITS) {
            json_t *hashed = json_array(), *where = json_array();
            if (describe_edits(w, v, hashed, where)) report_where(w->r, name, where);
            else json_decref(where);
            json_object_set_new(request, name, hashed);
        } else if (p->role == ROLE_WHAT) json_object_set(request, name, v);
        else if (json_is_string(v))
            report_where(w->r, name,
                         json_string_nocheck(p->role == ROLE_FILE
                                                 ? whole_path(json_string_value(v), room)
                                                 : json_string_value(v)));
    }
    report_request(w->r, request);
}

static void close_work(work *w)
{
    for (kept_prompt *k = w->kept; k; k = k->next) prompt_free(k->p);
    session_free(w->s);
    engine_free(w->e);
    model_free(w->m);
    arena_release(&w->mem);
    arena_release(&w->file_mem);
}

/* ---- running ---- */

static status run_work(work *w, error *err)
{
    double start = clock_seconds();
    w->seed = (uint64_t)work_int(w, "seed");
    status st = w->def->needs == NEEDS_MODEL ? open_model(w, err) : E_OK;
    if (st == E_OK && w->m) st = describe_model(w, err);
    if (st != E_OK) return st;
    describe_request(w);
    st = w->def->run(w, err);
    if (w->mem.failed && st != E_NOMEM) /* whatever came of it */
        st = error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    if (st != E_OK && st != E_INTERRUPTED) return st;
    if (st == E_INTERRUPTED) report_cut(w->r);
    if (w->r->finished) return st; /* it came whole: merge */
    if (w->e)
        report_machine(w->r, w->e->name, w->e->pool ? pool_threads(w->e->pool) : 1,
                       clock_seconds() - start);
    report_counts(w->r, w->s ? session_totals(w->s)->n_lane : 0, w->n_fork);
    status finished = report_finish(w->r, err);
    return finished == E_OK ? st : finished;
}

static status no_instrument(const char *name, error *err)
{
    const char *near = NULL;
    int best = 4;
    for (int i = 0; instrument_all[i]; i++) {
        int far = str_distance(name, instrument_all[i]->name);
        if (far < best) best = far, near = instrument_all[i]->name;
    }
    error_set(err, E_USAGE, "there is no instrument '%.60s'", name);
    if (near) error_hint(err, "did you mean '%s'?", near);
    else error_hint(err, "'microtome help' lists them");
    return E_USAGE;
}

status instrument_run(report **out, bool *failed, const char *name, const json_t *request,
                      instrument_tell *tell, void *user, error *err)
{
    const instrument_def *d = instrument_find(name);
    if (!d) return no_instrument(name, err);
    status st = check_request(d, request, err);
    if (st != E_OK) return st;
    work w = { .def = d,
               .request = request,
               .tell = tell,
               .user = user,
               .part = 1,
               .r = report_new(d->name, d->says) };
    st = w.r ? run_work(&w, err) : error_set(err, E_NOMEM, "%s: out of memory", name);
    close_work(&w);
    if (st == E_OK || st == E_INTERRUPTED) *out = w.r, *failed = w.failed;
    else report_free(w.r);
    return st;
}
/* SPDX-License-Identifier: MIT */
