/* instrument: run -- what comes next: the likeliest tokens, with edits beside without; or a continuation. */
#include "instrument/next.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOP = 1000 };

static const param params[] = {
    { "top", PARAM_INT_IN(1, MAX_TOP), "5", "how many tokens to show; --out writes all logits",
      ROLE_WHAT },
    { "n", PARAM_INT_FROM(0), "0", "tokens to write, edits in force (EOS does not end them)",
      ROLE_WHAT },
    { "temperature", PARAM_REAL_FROM(0), "0", "of what is written; 0: always the likeliest",
      ROLE_WHAT },
    { "top_k", PARAM_INT_FROM(0), "0", "draw from the likeliest K only; 0: from all", ROLE_WHAT },
    { "plan", PARAM_FLAG, NULL, "say what the run would cost, and leave it at that", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* ---- the last position's logits ---- */

static double log_sum(const double *v, int32_t n)
{
    double max = v[0], sum = 0;
    for (int32_t i = 1; i < n; i++) max = v[i] > max ? v[i] : max;
    for (int32_t i = 0; i < n; i++) sum += exp(v[i] - max);
    return max + log(sum);
}

/* ---- the table ---- */

/* Say which logits are no numbers: they are in no table. */
static void warn_nan(work *w, const char *name, const double *v)
{
    int32_t n = w->m->logits->n_part, bad = 0;
    for (int32_t i = 0; i < n; i++) bad += isnan(v[i]) || isinf(v[i]);
    if (bad)
        report_warn(w->r,
                    "%s: %d of %d logits are NaN or infinite: look for the first site that "
                    "is, with cache",
                    name, bad, n);
}

static status show_top(work *w, const char *name, const double *plain, const double *edited,
                       int top, error *err)
{
    int32_t n = w->m->logits->n_part;
    double *left = arena_copy(&w->mem, edited ? edited : plain, (size_t)n * sizeof *left);
    if (!left) return work_nomem(w, err);
    double z = log_sum(plain, n), ze = edited ? log_sum(edited, n) : 0;
    table *t =
        report_table(w->r, name, edited ? 6 : 4,
                     (column[]){ { "rank", NULL, CELL_INT, 0, false },
                                 { "token", NULL, CELL_TOKEN, 0, false },
                                 { "probability", NULL, CELL_REAL, 0, true }, /* libm's exp */
                                 { "logit", "logit", CELL_REAL, 0, false },
                                 { "without edits", NULL, CELL_REAL, 0, true },
                                 { "change", "logit", CELL_REAL, 0, false } });
    for (int k = 0; k < top; k++) {
        int32_t id = next_largest(left, n);
        if (id < 0) break;
        double y = edited ? edited[id] : plain[id];
        table_row(t), row_int(t, k + 1), work_row_token(w, t, id),
            row_real(t, exp(y - (edited ? ze : z))), row_real(t, y);
        if (edited) row_real(t, exp(plain[id] - z)), row_real(t, y - plain[id]);
    }
    return E_OK;
}

static void keep_logits(work *w, int which, int n_prompt, const double *plain, const double *edited)
{
    int32_t n = w->m->logits->n_part;
    const char *names[] = { "logits", "logits_edited" };
    for (int k = 0; k < (edited ? 2 : 1); k++) {
        double *out = (double *)(report_find_tensor(w->r, names[k])
                                     ? (void *)report_find_tensor(w->r, names[k])->t.data
                                     : report_tensor(w->r, names[k], DTYPE_F64, "prompt vocab",
                                                     (int64_t[]){ n_prompt, n }));
        if (out) memcpy(out + (int64_t)which * n, k ? edited : plain, (size_t)n * sizeof *out);
        report_unit(w->r, names[k], "logit");
    }
}

static status one_prompt(work *w, lane *base, lane *fork, int which, int n_prompt, error *err)
{
    double *plain, *edited = NULL;
    char name[40];
    int64_t top = work_int(w, "top");
    status st = next_read(w, base, &plain, err);
    if (st == E_OK && fork) st = next_read(w, fork, &edited, err);
    if (st != E_OK) return st;
    snprintf(name, sizeof name, n_prompt > 1 ? "next token %d" : "next token", which);
    warn_nan(w, name, edited ? edited : plain);
    st = show_top(w, name, plain, edited, (int)top, err);
    if (st == E_OK) keep_logits(w, which, n_prompt, plain, edited);
    return st;
}

/* ---- continuing ---- */

static status write_text(work *w, lane *l, const prompt *p, int which, error *err)
{
    int32_t most = w->m->config.n_ctx, len = p->n, n = most - len;
    if (work_int(w, "n") <= n) n = (int32_t)work_int(w, "n");
    else report_warn(w->r, "stopped at %d tokens, the longest the model takes", most);
    double *v = arena_array(&w->mem, len + n + 1, sizeof *v);
    int64_t *ids = arena_array(&w->mem, n + 1, sizeof *ids);
    int32_t *all = arena_array(&w->mem, len + n + 1, sizeof *all), k = 0;
    str text = { 0 };
    char name[40];
    if (!v || !ids || !all) return work_nomem(w, err);
    for (int32_t i = 0; i < len; i++) v[i] = p->value[i], all[i] = p->id[i];
    status st = E_OK, stopped = E_OK;
    for (; k < n && st == E_OK && stopped == E_OK; k++) {
        arena_mark here = arena_here(&w->mem);
        double *logit;
        w->part_done = (double)k / n, w->part = 1.0 / n;
        st = lane_keep_spans(l, err);
        if (st == E_OK) st = next_ask(w, l, err);
        if (st == E_OK) st = work_run(w, err);
        if (st == E_INTERRUPTED) { /* what is written is kept */
            stopped = st, st = E_OK;
            break;
        }
        if (st == E_OK) st = next_read(w, l, &logit, err);
        if (st == E_OK && k) next_forget(w, l); /* the first is the caller's */
        int32_t id = 0;
        if (st == E_OK) st = next_choose(w, logit, len + k, &id, err);
        arena_rewind(&w->mem, here);
        if (id < 0) {
            report_warn(w->r, "stopped after %d tokens: no logit is a number", k);
            break;
        }
        ids[k] = all[len + k] = id, v[len + k] = (double)id;
        if (st == E_OK && k + 1 < n) st = next_extend(w, &l, v, len + k + 1, err);
        if (st == E_OK) stopped = work_tell(w, "run", 1, err);
    }
    if (st != E_OK) return st;
    if (work_real(w, "temperature") > 0) report_seed(w->r, "run.sample", w->seed);
    snprintf(name, sizeof name, which ? "continuation %d" : "continuation", which);
    report_lane(w->r, name, NULL, ids, k);
    if (w->m->tokens) tokenizer_decode(w->m->tokens, all, len + k, true, &text);
    table *t = report_table(w->r, name, 1, (column[]){ { "tokens", NULL, CELL_INT, 0, false } });
    table_row(t), row_int(t, k);
    report_note(w->r, "%s",
                w->m->tokens ? (text.p ? text.p : "") : "(no tokenizer: the ids are below)");
    if (text.failed) stopped = work_nomem(w, err);
    str_release(&text);
    return stopped;
}

/* ---- planning only ---- */

static status show_plan(work *w, error *err)
{
    run_info i = { 0 };
    status st = session_plan(w->s, &i, err);
    if (st != E_OK) return st;
    table *t = report_table(
        w->r, "plan", 2,
        (column[]){ { "what", NULL, CELL_TEXT, 0, false }, { "number", NULL, CELL_INT, 0, true } });
    const struct {
        const char *what;
        int64_t n;
    } rows[] = { { "lanes", i.n_lane },
                 { "rows (of parts)", i.n_cell },
                 { "nodes touched", i.n_touched },
                 { "multiply-adds", i.n_op },
                 { "multiply-adds of a naive run", i.n_naive_op },
                 { "bytes for values", i.value_bytes },
                 { "bytes for the plan", i.plan_bytes } };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        table_row(t), row_text(t, "%s", rows[k].what), row_int(t, rows[k].n);
    return E_OK;
}

static status run(work *w, error *err)
{
    prompt **p;
    named_lane *named;
    int n, n_edit = 0;
    if (work_flag(w, "plan") && work_int(w, "n")) {
        error_set(err, E_USAGE, "run: --plan is of one run, and --n goes on from it");
        error_hint(err, "leave --n out: each token more is one row of every node");
        return E_USAGE;
    }
    status st = work_prompts(w, &p, &n, err);
    if (st != E_OK) return st;
    lane **base = arena_array(&w->mem, n, sizeof *base),
         **fork = arena_array(&w->mem, n, sizeof *fork);
    if (!base || !fork) return work_nomem(w, err);
    st = work_lanes(w, &named, p, n, "", err);
    for (int i = 0; i < n && st == E_OK; i++) {
        base[i] = named[i].l;
        st = next_ask(w, base[i], err);
    }
    for (int i = 0; i < n && st == E_OK && work_item(w, "edit", 0); i++) {
        st = lane_fork(&fork[i], base[i], err);
        if (st == E_OK) st = work_edits(w, fork[i], p[i], named, n, &n_edit, err);
        if (st == E_OK) st = next_ask(w, fork[i], err);
        w->n_fork++;
    }
    if (st == E_OK && work_flag(w, "plan")) return show_plan(w, err);
    if (st == E_OK && work_int(w, "n"))
        for (int i = 0; i < n && st == E_OK; i++)
            st = lane_keep_spans(fork[i] ? fork[i] : base[i], err);
    if (st == E_OK) st = work_run(w, err);
    for (int i = 0; i < n && st == E_OK; i++) st = one_prompt(w, base[i], fork[i], i, n, err);
    for (int i = 0; i < n && st == E_OK && work_int(w, "n"); i++)
        st = write_text(w, fork[i] ? fork[i] : base[i], p[i], i, err);
    return st;
}

const instrument_def instrument_run_def = { .name = "run",
                                            .says = "What comes next, with edits beside without",
                                            .subject = "MODEL",
                                            .needs = NEEDS_MODEL,
                                            .prompts = true,
                                            .param = params,
                                            .run = run };
/* SPDX-License-Identifier: MIT */
