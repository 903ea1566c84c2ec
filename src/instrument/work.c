/* work -- see work.h. */
#include "instrument/work.h"
#include "base/cpu.h"
#include "base/hash.h"
#include "chat/chat.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters ---- */

static const char *otherwise(const work *w, const char *name)
{
    const param *p = instrument_param_find(w->def, name);
    return p ? p->otherwise : NULL;
}

const char *work_text(const work *w, const char *name)
{
    const json_t *v = json_object_get(w->request, name);
    return json_is_string(v) ? json_string_value(v) : otherwise(w, name);
}

int64_t work_int(const work *w, const char *name)
{
    const json_t *v = json_object_get(w->request, name);
    const char *text = otherwise(w, name);
    return json_is_integer(v) ? json_integer_value(v) : text ? strtoll(text, NULL, 10) : 0;
}

double work_real(const work *w, const char *name)
{
    const json_t *v = json_object_get(w->request, name);
    const char *text = otherwise(w, name);
    return json_is_number(v) ? json_number_value(v) : text ? strtod(text, NULL) : 0;
}

bool work_flag(const work *w, const char *name)
{
    return json_is_true(json_object_get(w->request, name));
}

const char *work_item(const work *w, const char *name, int i)
{
    return json_string_value(json_array_get(json_object_get(w->request, name), (size_t)i));
}

bos_policy work_bos(const work *w)
{
    const char *bos = work_text(w, "bos");
    return !bos || !strcmp(bos, "auto") ? BOS_AUTO : !strcmp(bos, "yes") ? BOS_YES : BOS_NO;
}

double work_until(const work *w)
{
    double seconds = work_real(w, "seconds");
    return seconds > 0 ? clock_seconds() + seconds : 0;
}

bool work_is_over(double until) { return until > 0 && clock_seconds() >= until; }

/* The first of the words that was given. */
static bool first_given(const work *w, const char *words, char name[64])
{
    size_t n;
    for (const char *word; (word = str_word(&words, &n));) {
        snprintf(name, 64, "%.*s", (int)n, word);
        if (json_object_get(w->request, name)) return true;
    }
    return false;
}

status work_not_beside(const work *w, const char *other, const char *words, error *err)
{
    char name[64];
    if (!json_object_get(w->request, other) || !first_given(w, words, name)) return E_OK;
    return error_set(err, E_USAGE, "%s: both --%s and --%s were given", w->def->name, other, name);
}

status work_only_beside(const work *w, const char *other, const char *words, error *err)
{
    char name[64];
    if (json_object_get(w->request, other) || !first_given(w, words, name)) return E_OK;
    return error_set(err, E_USAGE, "%s: --%s says something of --%s, which was not given",
                     w->def->name, name, other);
}

status work_only_among(const work *w, const char *other, const char *some, const char *words,
                       error *err)
{
    char name[64];
    const char *list = work_text(w, other), *rest = some;
    size_t n;
    if (!list || !first_given(w, words, name)) return E_OK;
    for (const char *word; (word = str_word(&rest, &n));) {
        char one[64];
        snprintf(one, sizeof one, "%.*s", (int)n, word);
        if (str_listed(list, one)) return E_OK;
    }
    error_set(err, E_USAGE, "%s: --%s says something of '%s', and --%s is '%s'", w->def->name, name,
              some, other, list);
    error_hint(err, "leave out --%s, or name one in --%s: %s", name, other, some);
    return E_USAGE;
}

status work_int_check(const work *w, const char *name, int64_t least, int64_t most, error *err)
{
    return param_bounds(w->def->name, name, (double)work_int(w, name), (double)least, (double)most,
                        err);
}

static status bad_layers(const char *name, const char *text, int n_layer, error *err)
{
    error_set(err, E_USAGE, "%s is '%.60s', expected all or layers of 0 to %d", name, text,
              n_layer - 1);
    error_hint(err, "with commas and ranges: 3, or 0,4:8 (8 not included)");
    return E_USAGE;
}

status work_layers(const work *w, const char *name, bool *on, error *err)
{
    const char *text = work_text(w, name), *p = text;
    int n_layer = w->m->config.n_layer;
    bool all = !strcmp(text, "all");
    for (int l = 0; l < n_layer; l++) on[l] = all;
    if (all) return E_OK;
    do {
        char *end;
        long a = strtol(p, &end, 10), b = a < n_layer ? a + 1 : a;
        if (end == p) return bad_layers(name, text, n_layer, err);
        if (*end == ':') {
            p = end + 1, b = strtol(p, &end, 10);
            if (end == p) return bad_layers(name, text, n_layer, err);
        }
        if (a < 0 || b > n_layer || a >= b || (*end && *end != ','))
            return bad_layers(name, text, n_layer, err);
        for (long l = a; l < b; l++) on[l] = true;
        p = end + (*end == ',');
    } while (*p);
    return E_OK;
}

/* ---- prompts and lanes ---- */

status work_nomem(const work *w, error *err)
{
    return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
}

status work_relay(error *err, const error *why)
{
    error_set(err, why->code, "%s", why->msg);
    if (*why->hint) error_hint(err, "%s", why->hint);
    return why->code;
}

status work_keep(work *w, prompt *p, error *err)
{
    kept_prompt *k = arena_get(&w->mem, sizeof *k);
    if (!k) {
        prompt_free(p);
        return error_set(err, E_NOMEM, "prompts: out of memory");
    }
    *k = (kept_prompt){ p, w->kept };
    w->kept = k;
    return E_OK;
}

status work_listed(work *w, prompt ***out, int *n, error *err)
{
    status st = prompt_list(out, n, &w->mem, w->m, work_text(w, "tokens"), err);
    int k = 0;
    for (; st == E_OK && k < *n; k++) st = work_keep(w, (*out)[k], err);
    for (; st != E_OK && k && k < *n; k++) prompt_free((*out)[k]);
    return st;
}

bool work_chats(const work *w) { return work_item(w, "chat", 0) != NULL; }

status work_chat(work *w, int i, str *out, error *err)
{
    chat *c = NULL;
    json_t *messages = NULL;
    const char *path = work_text(w, "model");
    if (json_object_get(w->request, "bos"))
        return error_set(err, E_USAGE, "--bos with --chat: a template writes BOS itself");
    status st = chat_open(&c, path ? path : ".", err);
    if (st == E_OK && !c) {
        st = error_set(err, E_USAGE, "%s has no chat template", path ? path : "the model");
        error_hint(err,
                   "it is read from a GGUF file, or tokenizer_config.json or chat_template.jinja "
                   "beside the weights; a base model has none: use --prompt");
    }
    if (st == E_OK) st = chat_messages(&messages, work_item(w, "chat", i), err);
    if (st == E_OK) st = chat_render(c, messages, true, out, err);
    json_decref(messages);
    chat_free(c);
    return st;
}

static status needs_prompt(const work *w, error *err)
{
    error_set(err, E_USAGE, "%s needs a prompt", w->def->name);
    error_hint(err,
               "--prompt \"some text\", --chat \"a message\" for a model that has a template, or "
               "--tokens 1,2,3");
    return E_USAGE;
}

static status prompt_of_chat(work *w, prompt **out, int i, error *err)
{
    str text = { 0 };
    status st = work_chat(w, i, &text, err);
    if (st == E_OK) st = prompt_from_text(out, w->m, text.p ? text.p : "", text.n, BOS_NO, err);
    str_release(&text);
    return st;
}

static status prompt_of_text(work *w, prompt **out, int i, error *err)
{
    const char *text = work_item(w, "prompt", i), *second = work_item(w, "second", i);
    if (!work_item(w, "second", 0))
        return prompt_from_text(out, w->m, text, strlen(text), work_bos(w), err);
    if (!second) return error_set(err, E_USAGE, "expected a --second for each --prompt, or none");
    if (work_bos(w) != BOS_AUTO)
        return error_set(err, E_USAGE, "--bos with --second: two texts begin with [CLS]");
    return prompt_from_pair(out, w->m, (const char *[]){ text, second }, err);
}

static status prompts_written(work *w, prompt ***out, int *n, error *err)
{
    bool chats = work_chats(w);
    status st;
    int k = 0;
    while (work_item(w, chats ? "chat" : "prompt", k)) k++;
    if (!k) return needs_prompt(w, err);
    prompt **list = arena_array(&w->mem, k, sizeof *list);
    if (!list) return error_set(err, E_NOMEM, "prompts: out of memory");
    for (int i = 0; i < k; i++) {
        st = (chats ? prompt_of_chat : prompt_of_text)(w, &list[i], i, err);
        if (st == E_OK) st = work_keep(w, list[i], err);
        if (st == E_OK) continue;
        if (k > 1) error_prefix(err, "%s %d", chats ? "chat" : "prompt", i);
        return st;
    }
    *out = list, *n = k;
    return E_OK;
}

status work_prompts(work *w, prompt ***out, int *n, error *err)
{
    const char *types = work_text(w, "token_types");
    bool tokens = work_text(w, "tokens") != NULL, texts = work_item(w, "prompt", 0) != NULL;
    int n_second = 0;
    if (tokens + work_chats(w) + texts > 1)
        return error_set(err, E_USAGE, "expected one of --prompt, --chat and --tokens");
    status st = tokens ? work_listed(w, out, n, err) : prompts_written(w, out, n, err);
    while (work_item(w, "second", n_second)) n_second++;
    if (st == E_OK && n_second && (!texts || n_second != *n))
        return error_set(err, E_USAGE, "expected a --second for each --prompt, or none");
    if (st == E_OK && n_second && types)
        return error_set(err, E_USAGE, "--token-types with --second: two texts have their types");
    return st == E_OK && types ? prompt_list_types(*out, *n, &w->mem, w->m, types, err) : st;
}

status work_file(work *w, const char *path, error *err)
{
    char digits[HASH_TEXT], text[HASH_TEXT + 10];
    hash *h = hash_new();
    status st = h ? hash_file(h, path, err) : error_set(err, E_NOMEM, "hash: out of memory");
    if (st == E_OK) {
        hash_text(h, digits);
        snprintf(text, sizeof text, "xxh3-128:%s", digits);
        report_file(w->r, path, text);
    }
    hash_free(h);
    return st;
}

status work_pairs(work *w, const char *path, bool ragged, pairs **out, error *err)
{
    pairs_how how = { work_bos(w), work_int(w, "limit"), ragged };
    status st = work_file(w, path, err);
    if (st == E_OK) st = pairs_read(out, w->m, path, &how, err);
    if (st == E_OK && *(*out)->note) report_warn(w->r, "%s: %s", path, (*out)->note);
    return st;
}

status work_lane(work *w, lane **out, lane *parent, const prompt *p, const char *name, error *err)
{
    lane *l = NULL;
    status st = lane_new(&l, w->s, parent, p->n, err);
    if (st == E_OK) st = prompt_give(p, w->m, l, err);
    if (st != E_OK) {
        lane_drop(l);
        return st;
    }
    if (name) {
        int64_t *ids = arena_array(&w->mem, p->n, sizeof *ids);
        if (!ids) {
            lane_drop(l);
            return error_set(err, E_NOMEM, "prompts: out of memory");
        }
        for (int32_t i = 0; i < p->n; i++) ids[i] = p->id[i];
        report_lane(w->r, name, p->text, ids, p->n);
    }
    *out = l;
    return E_OK;
}

status work_lanes(work *w, named_lane **out, prompt *const *p, int n, const char *before,
                  error *err)
{
    named_lane *list = arena_array(&w->mem, n, sizeof *list);
    status st = list ? E_OK : work_nomem(w, err);
    size_t skip = strlen(before);
    for (int i = 0; i < n && st == E_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "%.16s%d", before, i);
        list[i] = (named_lane){ .name = arena_string(&w->mem, name + skip), .p = p[i] };
        st = list[i].name ? work_lane(w, &list[i].l, NULL, p[i], name, err) : work_nomem(w, err);
    }
    if (st == E_OK) *out = list;
    return st;
}

bool work_tensor(work *w, const char *name, const char *axes, const int64_t *dim, const double *v,
                 int64_t n)
{
    bool f64 = w->e->real_bytes == 8;
    void *out = report_tensor(w->r, name, f64 ? DTYPE_F64 : DTYPE_F32, axes, dim);
    for (int64_t i = 0; out && i < n; i++) {
        if (f64) ((double *)out)[i] = v[i];
        else ((float *)out)[i] = (float)v[i];
    }
    return out != NULL;
}

void work_label_tokens(work *w, const char *tensor, const char *axis, const prompt *p)
{
    for (int32_t i = 0; i < p->n; i++) {
        char label[80];
        if (p->piece && p->piece[i].n)
            report_axis_token(w->r, tensor, axis, i, p->piece[i].p, p->piece[i].n);
        else {
            prompt_label(p, i, label, sizeof label);
            report_axis_token(w->r, tensor, axis, i, label, strlen(label));
        }
    }
}

interval work_interval(work *w, const double *x, int64_t n, const char *stream, const char *name)
{
    interval out = { .low = (double)NAN, .high = (double)NAN };
    error err = { 0 };
    status st = n > 1 ? interval_bootstrap(&out, x, n, 0.95, w->seed, stream, &err) : E_RANGE;
    if (st == E_NOMEM) report_fail(w->r, st, "%s", err.msg);
    if (st == E_OK && name) report_interval(w->r, name, &out);
    return out;
}

void work_label_layers(work *w, const char *tensor, const char *axis, const int *layer, int n)
{
    char text[24];
    for (int i = 0; i < n; i++) {
        int bytes = snprintf(text, sizeof text, "L%d", layer[i]);
        report_axis_token(w->r, tensor, axis, i, text, (size_t)bytes);
    }
}

void work_label_ranks(work *w, const char *tensor, int n)
{
    char text[24];
    for (int i = 0; i < n; i++) {
        int bytes = snprintf(text, sizeof text, "%d", i + 1);
        report_axis_token(w->r, tensor, "rank", i, text, (size_t)bytes);
    }
}

void work_row_token(const work *w, table *t, int32_t id)
{
    size_t n = 0;
    const char *p = w->m->tokens ? tokenizer_text(w->m->tokens, id, &n) : NULL;
    char label[24];
    snprintf(label, sizeof label, "#%d", id);
    row_token(t, p ? p : label, p ? n : strlen(label), id);
}

status work_node(work *w, const address *a, node **out, error *err)
{
    graph *g = session_graph(w->s);
    char name[160];
    *out = a->n;
    if (!a->before) return E_OK;
    snprintf(name, sizeof name, "%s@before", a->name);
    *out = graph_find(g, name);
    if (!*out) *out = graph_site(g, graph_copy(g, a->n, a->n->in), "%s", name);
    return *out ? E_OK : error_set(err, g->err.code, "%s", g->err.msg);
}

/* ---- running and telling ---- */

static bool tell(work *w, const char *what, double done)
{
    double now = clock_seconds();
    if (!w->tell || now - w->last_told < 0.1) return true;
    w->last_told = now;
    return w->tell(w->user, what, w->part_done + w->part * done);
}

static bool on_run(void *user, int64_t n_op, int64_t n_all)
{
    work *w = user;
    return tell(w, w->def->name, n_all ? (double)n_op / (double)n_all : 0);
}

void work_watch(work *w) { session_on_progress(w->s, on_run, w); }

status work_run(work *w, error *err)
{
    work_watch(w);
    return session_run(w->s, NULL, err);
}

status work_tell(work *w, const char *what, double done, error *err)
{
    return tell(w, what, done) ? E_OK : error_set(err, E_INTERRUPTED, "%s: stopped", what);
}

status work_metric(work *w, const char *name, int32_t most, metric *out, const metric_def **def,
                   error *err)
{
    char list[200] = "";
    graph *g = session_graph(w->s);
    for (int i = 0; metric_all[i]; i++) {
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 metric_all[i]->name);
        if (strcmp(metric_all[i]->name, name)) continue;
        *def = metric_all[i];
        *out = metric_all[i]->build(g, w->m, most);
        return out->value ? E_OK : error_set(err, g->err.code, "%s", g->err.msg);
    }
    error_set(err, E_USAGE, "there is no metric '%.60s'", name);
    error_hint(err, "there are %s", list);
    return E_USAGE;
}
/* SPDX-License-Identifier: MIT */
