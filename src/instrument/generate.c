/* instrument: generate -- what is written under each of several edits, beside what is written without: every prompt and
 * every edit is a lane, and all go on together, a token at a time.
 *
 * Each --edit is a run of its own (--together: all of them one).  Without temperature the likeliest token is taken; with it
 * all runs of a position draw the same noise, so that where they part the edit is why and not the draw.  EOS does not end
 * a text.  tokens, logprob [prompt edit step]: edit 0 is the unedited run; a text that had to end has ids of -1.
 *
 * A journal (--resume) has an item for each text that is finished, which is what shards are cut by, and behind those one
 * for each token: a text goes on from its tokens as from a longer prompt, with the same bits. */
#include "base/cpu.h"
#include "instrument/next.h"
#include "instrument/shard.h"
#include "ops.gen.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "n", PARAM_INT_IN(1, 1 << 20), "20", "tokens to write, edits in force", ROLE_WHAT },
    { "temperature", PARAM_REAL_FROM(0), "0", "0: always the likeliest", ROLE_WHAT },
    { "top_k", PARAM_INT_FROM(0), "0", "draw from the likeliest K only; 0: from all", ROLE_WHAT },
    { "together", PARAM_FLAG, NULL, "all edits in one run, not one each", ROLE_WHAT },
    { "plan", PARAM_FLAG, NULL,
      "say what it would cost, from the first tokens, and leave it at that", ROLE_WHAT },
    { "seconds", PARAM_REAL_FROM(0), "0",
      "stop after so long, the rest marked incomplete; 0: never", ROLE_HOW },
    { "resume", PARAM_TEXT, NULL, "a journal of what is written: go on from it, or begin it",
      ROLE_RUN },
    { "shard", PARAM_TEXT, NULL, "i/n: only these texts, into FILE.i-of-n; mpi: as mpirun says",
      ROLE_RUN },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* Why a text does not go on. */
typedef enum ending { GOES_ON, IS_WHOLE, TOO_LONG, NO_NUMBER, ELSEWHERE } ending;

/* One text being written. */
typedef struct writing {
    lane *l;
    const prompt *p;
    int32_t n;   /* tokens written */
    double *v;   /* [prompt and all that is written] as lanes take them */
    int64_t *id; /* [n_step] into the tensor */
    double *logprob;
    ending end;
} writing;

enum { PLANNED = 3 }; /* tokens that --plan writes: the prompt's, and two more */

/* What the first tokens took. */
typedef struct taken {
    double seconds, n_op, naive_op;
} taken;

/* --plan: what the journal (--resume) and other shards leave to be written. */
typedef struct texts_left {
    bool part; /* is it less than all? */
    int n_text;
    int64_t n_token, n_known; /* n_known: texts and tokens of the journal */
    char what[SHARD_LEFT];    /* the column */
} texts_left;

typedef struct texts {
    prompt **p;
    int n_prompt, n_edit; /* n_edit: with the unedited run */
    int32_t n_step;
    writing *t; /* [prompt][edit] */
    node *logprob;
    uint8_t *mark; /* of the tensor logprob */
    journal *j;    /* --resume; or NULL */
    sharing share;
    double until,
        flushed; /* the clock when --seconds are over (0: never); when the journal was last written */
    taken first[PLANNED];
    texts_left left;
} texts;

static int n_text(const texts *x) { return x->n_prompt * x->n_edit; }

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
    x->until = work_flag(w, "plan") ? 0 : work_until(w);
    if (work_flag(w, "plan") && x->n_step > PLANNED) x->n_step = PLANNED;
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

/* ---- what is written down ---- */

static status note(texts *x, int64_t item, double a, double b, error *err)
{
    return x->j ? journal_add(x->j, item, (double[]){ a, b }, 0, err) : E_OK;
}

static int64_t step_item(const texts *x, const writing *t, int32_t step)
{
    return n_text(x) + (t - x->t) * x->n_step + step;
}

/* Once a second: a token takes less than the disk may. */
static status flush(texts *x, bool now, error *err)
{
    if (!x->j || (!now && clock_seconds() < x->flushed + 1)) return E_OK;
    x->flushed = clock_seconds();
    return journal_flush(x->j, err);
}

static void put(texts *x, writing *t, int32_t id, double logprob)
{
    x->mark[&t->logprob[t->n] - x->t->logprob] = MARK_NONE;
    t->v[t->p->n + t->n] = (double)id;
    t->id[t->n] = id, t->logprob[t->n] = logprob, t->n++;
}

static void end(work *w, writing *t, ending why)
{
    t->end = why;
    if (why == TOO_LONG)
        report_warn(w->r, "a text stopped at %d tokens, the longest the model takes",
                    t->p->n + t->n);
    if (why == NO_NUMBER)
        report_warn(w->r, "a text stopped after %d tokens: no logit is a number", t->n);
}

/* It ends if it must, and that is written down. */
static status end_if(work *w, texts *x, writing *t, bool no_number, error *err)
{
    ending why = no_number                              ? NO_NUMBER
                 : t->n == x->n_step                    ? IS_WHOLE
                 : t->p->n + t->n >= w->m->config.n_ctx ? TOO_LONG
                                                        : GOES_ON;
    if (why == GOES_ON) return E_OK;
    end(w, t, why);
    return note(x, t - x->t, t->n, why, err);
}

/* A whole number from 0 to less than n, as far as a file can be believed. */
static bool is_below(double v, int64_t n) { return v >= 0 && v < (double)n && v == floor(v); }

/* A text as far as the journal has it. */
static status take_known(work *w, texts *x, writing *t, error *err)
{
    double v[2];
    bool fine = true;
    while (x->j && t->n < x->n_step && journal_has(x->j, step_item(x, t, t->n), v, NULL)) {
        fine = is_below(v[0], x->logprob->n_part) && t->p->n + t->n < w->m->config.n_ctx;
        if (!fine) break;
        put(x, t, (int32_t)v[0], v[1]);
    }
    bool ended = fine && x->j && journal_has(x->j, t - x->t, v, NULL);
    if (ended) fine = is_below(v[1], ELSEWHERE) && v[1] > GOES_ON && v[0] == t->n;
    if (!fine)
        return error_set(err, E_FORMAT, "generate: the journal's text %d does not fit the request",
                         (int)(t - x->t));
    if (ended) end(w, t, (ending)v[1]);
    else if (x->share.part && !shard_has(&x->share, t - x->t)) t->end = ELSEWHERE;
    else {
        status st = end_if(w, x, t, false, err);
        if (st != E_OK || t->end || !t->n) return st;
        return next_extend(w, &t->l, t->v, t->p->n + t->n, err);
    }
    return E_OK;
}

/* Of texts of so many tokens. */
static journal_of journal_for(const texts *x, int64_t n_step)
{
    int64_t n = n_text(x);
    return (journal_of){ .n_item = n + n * n_step, .n_cell = n, .n_value = 2 };
}

static status begin_journal(work *w, texts *x, error *err)
{
    status st =
        shard_journal(&x->j, w, &x->share, journal_for(x, x->n_step), "texts and tokens", err);
    for (int i = 0; i < n_text(x) && st == E_OK; i++) st = take_known(w, x, &x->t[i], err);
    return st;
}

/* ---- going on ---- */

/* Choose one token, and go on with a longer lane. */
static status step(work *w, texts *x, writing *t, error *err)
{
    arena_mark here = arena_here(&w->mem);
    double *logit, logprob;
    int32_t id = -1, len = lane_len(t->l);
    status st = next_read(w, t->l, &logit, err);
    if (st == E_OK) st = next_choose(w, logit, len, &id, err);
    arena_rewind(&w->mem, here);
    if (st != E_OK) return st;
    if (id < 0) return end_if(w, x, t, true, err);
    st = lane_read(t->l, x->logprob, (box){ len - 1, len, id, id + 1 }, &logprob, err);
    if (st != E_OK) return st;
    next_forget(w, t->l);
    lane_forget(t->l, x->logprob, (box){ len - 1, len, 0, x->logprob->n_part });
    st = note(x, step_item(x, t, t->n), id, logprob, err);
    put(x, t, id, logprob);
    if (st == E_OK) st = end_if(w, x, t, false, err);
    return st != E_OK || t->end ? st : next_extend(w, &t->l, t->v, len + 1, err);
}

/* One token more in every text that goes on; *n_open: how many those are. */
static status write_one(work *w, texts *x, int *n_open, error *err)
{
    status st = E_OK;
    int64_t written = 0, all = (int64_t)n_text(x) * x->n_step;
    *n_open = 0;
    for (int i = 0; i < n_text(x) && st == E_OK; i++) {
        written += x->t[i].end ? x->n_step : x->t[i].n;
        if (!x->t[i].end) ++*n_open, st = ask(w, x, &x->t[i], err);
    }
    if (st != E_OK || !*n_open) return st;
    w->part_done = (double)written / (double)all, w->part = *n_open / (double)all;
    st = work_run(w, err);
    for (int i = 0; i < n_text(x) && st == E_OK; i++)
        if (!x->t[i].end) st = step(w, x, &x->t[i], err);
    if (st == E_OK) st = flush(x, false, err);
    return st == E_OK ? work_tell(w, "generate", 1, err) : st;
}

static status write_all(work *w, texts *x, error *err)
{
    for (int n_open = 1, k = 0; n_open; k++) {
        run_info before = *session_totals(w->s);
        double start = clock_seconds();
        status st = write_one(w, x, &n_open, err);
        const run_info *after = session_totals(w->s);
        if (k < PLANNED)
            x->first[k] = (taken){ clock_seconds() - start, (double)(after->n_op - before.n_op),
                                   (double)(after->n_naive_op - before.n_naive_op) };
        if (st != E_OK) return st;
        if (n_open && work_is_over(x->until))
            return error_set(err, E_INTERRUPTED,
                             "generate: the time given was over after %d tokens", k + 1);
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
        for (int32_t k = x->t[i].n; (!x->t[i].end || x->t[i].end == ELSEWHERE) && k < x->n_step;
             k++)
            x->mark[(int64_t)i * x->n_step + k] = MARK_INCOMPLETE;
}

/* ---- what it would cost ---- */

/* Tokens that text i can have: --n, or what the model takes behind its prompt. */
static int64_t n_most(const work *w, const texts *x, int64_t i)
{
    int64_t n = work_int(w, "n"), room = w->m->config.n_ctx - x->p[i / x->n_edit]->n;
    return n < room ? n : room > 0 ? room : 0;
}

static status count_left(work *w, texts *x, error *err)
{
    texts_left *l = &x->left;
    int64_t n = n_text(x), n_step = work_int(w, "n");
    journal *j = NULL;
    status st = shard_known(&j, w, &x->share, journal_for(x, n_step), err);
    for (int64_t i = 0; i < n && st == E_OK; i++) {
        int64_t k = 0, most = n_most(w, x, i);
        while (j && k < most && journal_has(j, n + i * n_step + k, NULL, NULL)) k++;
        bool mine = !x->share.part || shard_has(&x->share, i);
        if (!mine || k == most || (j && journal_has(j, i, NULL, NULL))) continue;
        l->n_text++, l->n_token += most - k;
    }
    l->part = x->share.part || j;
    l->n_known = j ? journal_count(j) : 0;
    shard_left(l->what, &x->share, j != NULL);
    journal_close(j);
    return st;
}

static table *cost_table(work *w, const texts *x, const char *name, cell_kind kind, bool what)
{
    const char *unit = what ? NULL : "s";
    column col[4] = { { "what", NULL, CELL_TEXT, 0, false } };
    int n = what;
    col[n++] = (column){ "text by text", unit, kind, 0, true };
    if (x->left.part) col[n++] = (column){ x->left.what, unit, kind, 0, true };
    col[n++] = (column){ "a whole run a token", unit, kind, 0, true };
    return report_table(w->r, name, n, col);
}

static void row(table *t, const texts *x, const char *what, double ours, double left, double naive)
{
    table_row(t), row_text(t, "%s", what), row_int(t, (int64_t)ours);
    if (x->left.part) row_int(t, (int64_t)left);
    row_int(t, naive < 9e18 ? (int64_t)naive : INT64_MAX);
}

static void row_seconds(table *t, const texts *x, double ours, double left, double naive)
{
    table_row(t), row_real(t, ours);
    if (x->left.part) row_real(t, left);
    row_real(t, naive);
}

/* The first token takes the prompt's time, each further one what the third took; so much of each is left. */
static void show_cost(work *w, const texts *x)
{
    const taken *first = &x->first[0], *more = &x->first[x->n_step - 1];
    const texts_left *l = &x->left;
    double all = n_text(x), tokens = 0;
    for (int i = 0; i < n_text(x); i++) tokens += (double)n_most(w, x, i);
    double times = tokens > all ? tokens / all - 1 : 0;
    double begun = l->n_text / all, on = (double)(l->n_token - l->n_text) / all;
    double speed = first->seconds > 0 ? first->n_op / first->seconds : 1;
    double naive = first->naive_op + times * more->naive_op;
    table *t = cost_table(w, x, "plan", CELL_INT, true);
    row(t, x, "texts", all, l->n_text, all);
    row(t, x, "tokens", tokens, (double)l->n_token, tokens);
    row(t, x, "multiply-adds", first->n_op + times * more->n_op,
        begun * first->n_op + on * more->n_op, naive);
    t = cost_table(w, x, "seconds, about", CELL_REAL, false);
    row_seconds(t, x, first->seconds + times * more->seconds,
                begun * first->seconds + on * more->seconds, naive / speed);
    if (x->share.part)
        report_note(w->r, "Shard %d/%d has %lld of the %d texts.", x->share.shard, x->share.n_shard,
                    (long long)shard_cells(&x->share, n_text(x)), n_text(x));
    if (l->n_known)
        report_note(w->r, "%lld texts and tokens are in the journal already.",
                    (long long)l->n_known);
    report_note(
        w->r,
        "From the first %d tokens of each text, which were written; later ones take longer as "
        "texts grow. Whole runs at the speed of the prompt's, %.3g multiply-adds a second.",
        x->n_step, speed);
}

/* What there was to write was written, as far as it went; the journal has it. */
static status write_and_flush(work *w, texts *x, error *err)
{
    status st = write_all(w, x, err);
    if (st != E_OK && st != E_INTERRUPTED) return st;
    error why = { 0 };
    status last = flush(x, true, &why);
    return last == E_OK ? st : work_relay(err, &why);
}

static status write_texts(work *w, texts *x, error *err)
{
    status st = begin_tensors(w, x, err);
    if (st == E_OK) st = begin_lanes(w, x, err);
    if (st == E_OK) st = begin_journal(w, x, err);
    return st == E_OK ? write_and_flush(w, x, err) : st;
}

/* Tensors go into a report that nobody sees; the lanes into its own, which says which journal is meant. */
static status plan(work *w, texts *x, error *err)
{
    report *shown = w->r, *hidden = report_new("plan", "plan");
    w->r = hidden;
    status st = hidden ? begin_tensors(w, x, err) : work_nomem(w, err);
    w->r = shown;
    if (st == E_OK) st = begin_lanes(w, x, err);
    if (st == E_OK) st = count_left(w, x, err);
    for (int i = 0; i < n_text(x) && st == E_OK; i++) st = end_if(w, x, &x->t[i], false, err);
    w->r = hidden;
    if (st == E_OK) st = write_and_flush(w, x, err);
    report_free(hidden);
    w->r = shown;
    if (st == E_OK) show_cost(w, x);
    return st;
}

static status run(work *w, error *err)
{
    texts x = { 0 };
    read_request(w, &x);
    status st = shard_find(&x.share, w, err);
    if (st == E_OK) st = work_prompts(w, &x.p, &x.n_prompt, err);
    if (st != E_OK) return st;
    x.logprob = op_log_softmax(session_graph(w->s), w->m->logits);
    if (!x.logprob) return work_nomem(w, err);
    if (work_flag(w, "plan")) return plan(w, &x, err);
    st = write_texts(w, &x, err);
    if (st == E_OK || st == E_INTERRUPTED) {
        if (work_real(w, "temperature") > 0) report_seed(w->r, "run.sample", w->seed);
        mark_open(&x);
        for (int i = 0; i < x.n_prompt; i++) show_prompt(w, &x, i);
    }
    journal_close(x.j);
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
