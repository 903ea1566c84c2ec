/* instrument: generate -- what is written under each of several edits, beside what is written without: every prompt and
 * every edit is a lane, and all go on together, a token at a time.
 *
 * Each --edit is a run of its own (--together: all of them one).  Without temperature the likeliest token is taken; with it
 * all runs of a position draw the same noise, so that where they part the edit is why and not the draw.  EOS does not end
 * a text.  tokens, logprob [prompt edit step]: edit 0 is the unedited run; a text that had to end has ids of -1. */
#include "instrument/next.h"
#include "ops.gen.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "n", PARAM_INT_IN(1, 1 << 20), "20", "tokens to write, edits in force", ROLE_WHAT },
    { "temperature", PARAM_REAL_FROM(0), "0", "0: always the likeliest", ROLE_WHAT },
    { "top_k", PARAM_INT_FROM(0), "0", "draw from the likeliest K only; 0: from all", ROLE_WHAT },
    { "together", PARAM_FLAG, NULL, "all edits in one run, not one each", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* One text being written. */
typedef struct writing {
    lane *l;
    const prompt *p;
    int32_t n;   /* tokens written */
    double *v;   /* [prompt and all that is written] as lanes take them */
    int64_t *id; /* [n_step] into the tensor */
    double *logprob;
    bool ended;
} writing;

typedef struct texts {
    prompt **p;
    int n_prompt, n_edit; /* n_edit: with the unedited run */
    int32_t n_step;
    writing *t; /* [prompt][edit] */
    node *logprob;
    uint8_t *mark; /* of the tensor logprob */
} texts;

static const char *edit_called(const work *w, int k)
{
    return !k ? "(none)" : work_flag(w, "together") ? "(all)" : work_item(w, "edit", k - 1);
}

static void read_request(const work *w, texts *x)
{
    int n = 0;
    while (work_item(w, "edit", n)) n++;
    x->n_edit = 1 + (n && work_flag(w, "together") ? 1 : n);
    x->n_step = (int32_t)work_int(w, "n");
}

/* ---- beginning ---- */

/* The tensors, every step marked incomplete until it is written. */
static status begin_tensors(work *w, texts *x, error *err)
{
    int64_t dim[] = { x->n_prompt, x->n_edit, x->n_step }, n = dim[0] * dim[1] * dim[2];
    int64_t *id = report_tensor(w->r, "tokens", DTYPE_I64, "prompt edit step", dim);
    double *logprob = report_tensor(w->r, "logprob", DTYPE_F64, "prompt edit step", dim);
    uint8_t *mark = x->mark = report_marks(w->r, "logprob");
    x->t = arena_zero(&w->mem, (size_t)(x->n_prompt * x->n_edit) * sizeof *x->t);
    if (!id || !logprob || !mark || !x->t) return work_nomem(w, err);
    const char **called = arena_array(&w->mem, x->n_edit, sizeof *called);
    if (!called) return work_nomem(w, err);
    for (int k = 0; k < x->n_edit; k++) called[k] = edit_called(w, k);
    report_axis_labels(w->r, "tokens", "edit", x->n_edit, called);
    report_axis_labels(w->r, "logprob", "edit", x->n_edit, called);
    report_unit(w->r, "logprob", "nat");
    for (int64_t i = 0; i < n; i++) id[i] = -1, logprob[i] = (double)NAN, mark[i] = MARK_ABSENT;
    for (int i = 0; i < x->n_prompt * x->n_edit; i++) {
        const prompt *p = x->p[i / x->n_edit];
        double *v = arena_array(&w->mem, (int64_t)p->n + x->n_step, sizeof *v);
        if (!v) return work_nomem(w, err);
        memcpy(v, p->value, (size_t)p->n * sizeof *v);
        x->t[i] = (writing){ .p = p,
                             .v = v,
                             .id = id + (int64_t)i * x->n_step,
                             .logprob = logprob + (int64_t)i * x->n_step };
    }
    return E_OK;
}

/* A lane a prompt, and its forks with one edit each. */
static status begin_lanes(work *w, texts *x, error *err)
{
    named_lane *named;
    int n_edit;
    status st = work_lanes(w, &named, x->p, x->n_prompt, "", err);
    for (int i = 0; i < x->n_prompt && st == E_OK; i++) x->t[i * x->n_edit].l = named[i].l;
    for (int i = 0; i < x->n_prompt * x->n_edit && st == E_OK; i++) {
        writing *t = &x->t[i], *plain = &x->t[i / x->n_edit * x->n_edit];
        if (t == plain) continue;
        st = lane_fork(&t->l, plain->l, err);
        w->n_fork++;
        if (st == E_OK && work_flag(w, "together"))
            st = work_edits(w, t->l, t->p, named, x->n_prompt, &n_edit, err);
        else if (st == E_OK)
            st = work_edit(w, t->l, t->p, work_item(w, "edit", i % x->n_edit - 1), named,
                           x->n_prompt, err);
    }
    return st;
}

/* ---- writing ---- */

static status ask(work *w, const texts *x, writing *t, error *err)
{
    int32_t len = lane_len(t->l);
    status st = lane_keep_spans(t->l, err);
    if (st == E_OK) st = next_ask(w, t->l, err);
    return st == E_OK
               ? lane_ask(t->l, x->logprob, (box){ len - 1, len, 0, x->logprob->n_part }, err)
               : st;
}

/* A text as long as the model takes cannot go on. */
static void end_long(work *w, writing *t, int32_t len)
{
    if (len < w->m->config.n_ctx) return;
    report_warn(w->r, "a text stopped at %d tokens, the longest the model takes", len);
    t->ended = true;
}

/* Choose one token, and go on with a longer lane. */
static status step(work *w, const texts *x, writing *t, error *err)
{
    arena_mark here = arena_here(&w->mem);
    double *logit, logprob;
    int32_t id = -1, len = lane_len(t->l);
    status st = next_read(w, t->l, &logit, err);
    if (st == E_OK) st = next_choose(w, logit, len, &id, err);
    arena_rewind(&w->mem, here);
    if (st != E_OK) return st;
    if (id < 0) {
        report_warn(w->r, "a text stopped after %d tokens: no logit is a number", t->n);
        t->ended = true;
        return E_OK;
    }
    st = lane_read(t->l, x->logprob, (box){ len - 1, len, id, id + 1 }, &logprob, err);
    if (st != E_OK) return st;
    next_forget(w, t->l);
    lane_forget(t->l, x->logprob, (box){ len - 1, len, 0, x->logprob->n_part });
    x->mark[&t->logprob[t->n] - x->t->logprob] = MARK_NONE;
    t->id[t->n] = id, t->logprob[t->n] = logprob, t->v[len] = (double)id, t->n++;
    if (t->n == x->n_step) t->ended = true;
    else end_long(w, t, len + 1);
    return t->ended ? E_OK : next_extend(w, &t->l, t->v, len + 1, err);
}

static status write_all(work *w, texts *x, error *err)
{
    int n = x->n_prompt * x->n_edit;
    for (int i = 0; i < n; i++) end_long(w, &x->t[i], x->t[i].p->n);
    for (int32_t k = 0; k < x->n_step; k++) {
        status st = E_OK;
        int n_open = 0;
        w->part_done = (double)k / x->n_step, w->part = 1.0 / x->n_step;
        for (int i = 0; i < n && st == E_OK; i++)
            if (!x->t[i].ended) n_open++, st = ask(w, x, &x->t[i], err);
        if (st == E_OK && !n_open) return E_OK;
        if (st == E_OK) st = work_run(w, err);
        for (int i = 0; i < n && st == E_OK; i++)
            if (!x->t[i].ended) st = step(w, x, &x->t[i], err);
        if (st == E_OK) st = work_tell(w, "generate", 1, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

/* ---- showing ---- */

/* The first step at which two texts part; -1: they do not, as far as the shorter goes. */
static int32_t parting(const writing *a, const writing *b)
{
    for (int32_t k = 0; k < a->n && k < b->n; k++)
        if (a->id[k] != b->id[k]) return k;
    return -1;
}

static void show_text(work *w, const texts *x, int i)
{
    const writing *t = &x->t[i];
    str text = { 0 };
    int32_t *id = arena_array(&w->mem, t->n + 1, sizeof *id);
    if (!id) return; /* the arena knows */
    for (int32_t k = 0; k < t->n; k++) id[k] = (int32_t)t->id[k];
    if (w->m->tokens) tokenizer_decode(w->m->tokens, id, t->n, true, &text);
    else
        for (int32_t k = 0; k < t->n; k++) str_printf(&text, "%s%d", k ? ", " : "", id[k]);
    if (text.failed) report_fail(w->r, E_NOMEM, "generate: out of memory");
    report_note(w->r, "%s: %s%s", edit_called(w, i % x->n_edit), w->m->tokens ? "" : "ids ",
                text.p ? text.p : "");
    str_release(&text);
}

static void show_prompt(work *w, const texts *x, int which)
{
    char name[40], title[100];
    snprintf(name, sizeof name, x->n_prompt > 1 ? "continuations of prompt %d" : "continuations",
             which);
    table *out = report_table(w->r, name, 4,
                              (column[]){ { "edit", NULL, CELL_TEXT, 0, false },
                                          { "tokens", NULL, CELL_INT, 0, false },
                                          { "first difference", NULL, CELL_INT, 0, false },
                                          { "mean log probability", "nat", CELL_REAL, 0, false } });
    for (int k = 0; k < x->n_edit; k++) {
        const writing *t = &x->t[which * x->n_edit + k];
        int32_t at = parting(&x->t[which * x->n_edit], t);
        double sum = 0;
        for (int32_t i = 0; i < t->n; i++) sum += t->logprob[i];
        table_row(out), row_text(out, "%s", edit_called(w, k)), row_int(out, t->n);
        if (at < 0) row_none(out);
        else row_int(out, at);
        if (t->n) row_real(out, sum / t->n);
        else row_none(out);
    }
    for (int k = 0; k < x->n_edit; k++) show_text(w, x, which * x->n_edit + k);
    snprintf(title, sizeof title, "%s: log probability of what was written", name);
    report_heatmap(
        w->r, title, "logprob", "edit", "step",
        &(figure_options){ .at = (int64_t[]){ which, 0, 0 }, .value = "log probability" });
}

/* What stopped before its end: incomplete, not absent. */
static void mark_open(const texts *x)
{
    for (int i = 0; i < x->n_prompt * x->n_edit; i++)
        for (int32_t k = x->t[i].n; !x->t[i].ended && k < x->n_step; k++)
            x->mark[(int64_t)i * x->n_step + k] = MARK_INCOMPLETE;
}

static status run(work *w, error *err)
{
    texts x = { 0 };
    read_request(w, &x);
    status st = work_prompts(w, &x.p, &x.n_prompt, err);
    if (st != E_OK) return st;
    x.logprob = op_log_softmax(session_graph(w->s), w->m->logits);
    if (!x.logprob) return work_nomem(w, err);
    st = begin_tensors(w, &x, err);
    if (st == E_OK) st = begin_lanes(w, &x, err);
    if (st == E_OK) st = write_all(w, &x, err);
    if (st != E_OK && st != E_INTERRUPTED) return st;
    if (work_real(w, "temperature") > 0) report_seed(w->r, "run.sample", w->seed);
    mark_open(&x);
    for (int i = 0; i < x.n_prompt; i++) show_prompt(w, &x, i);
    return st;
}

const instrument_def instrument_generate_def = { .name = "generate",
                                                 .says = "What is written under each edit",
                                                 .subject = "MODEL",
                                                 .needs = NEEDS_MODEL,
                                                 .prompts = true,
                                                 .param = params,
                                                 .run = run };
/* SPDX-License-Identifier: MIT */
