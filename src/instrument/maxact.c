/* instrument: maxact -- where in a text units are largest: a neuron, a head, a direction (units.h says which there are).
 *
 * First pass: of every window and unit the largest value, where it is, the sum and how many are above 0; these are what
 * --resume keeps.  Second pass: the windows that were chosen are run again, for the tokens around.
 *
 *   top       the windows with the largest values, one place a window
 *   samples   windows drawn uniformly among those whose largest value lies at a quantile: what the unit does when it is not
 *             at its most (top examples alone mislead: Bolukbasi et al. 2021)
 *
 * Controls: how much of the unit's value the token it stands on tells already (leave-one-out R2 on windows drawn at
 * random); random directions of the same length beside directions.  Intervals draw windows. */
#include "base/rand.h"
#include "instrument/corpus_run.h"
#include "instrument/resume.h"
#include "instrument/units.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOP = 200, MAX_SAMPLES = 20, MAX_AROUND = 200, MAX_SKIP = 100000, N_RECORD = 4 };

static const param params[] = {
    { "unit", PARAM_LIST, NULL,
      "a site: blocks.2.mlp.post[neuron=0:20], blocks.3.attn.z[head=2] ...; several", ROLE_WHAT },
    { "directions", PARAM_TEXT, NULL, "a file of directions, named METHOD.SITE, or --at SITE",
      ROLE_FILE },
    { "key", PARAM_TEXT, "*", "which of its tensors, with * and ?", ROLE_WHAT },
    { "at", PARAM_TEXT, NULL, "the site that they all belong to", ROLE_WHAT },
    { "random", PARAM_INT_IN(0, 100), "1", "random directions beside those of each site",
      ROLE_WHAT },
    CORPUS_PARAMS,
    { "top", PARAM_INT_IN(1, MAX_TOP), "8", "how many of the largest are shown", ROLE_WHAT },
    { "samples", PARAM_INT_IN(0, MAX_SAMPLES), "4", "and how many at quantiles below", ROLE_WHAT },
    { "skip", PARAM_INT_IN(0, MAX_SKIP), "4",
      "the first so many tokens of a window are not looked at", ROLE_WHAT },
    { "before", PARAM_INT_IN(0, MAX_AROUND), "12", "tokens shown before the largest", ROLE_WHAT },
    { "after", PARAM_INT_IN(0, MAX_AROUND), "4", "and after it", ROLE_WHAT },
    { "resume", PARAM_TEXT, NULL, "a journal of windows: go on from it, or begin it", ROLE_RUN },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { N_BIN = 202, MAX_BLOCK = 256, N_CONTROL = 48, DRAWN = 60 };

/* The largest of a window. */
typedef struct peak {
    double value;
    int64_t window;
    int32_t row;
    uint32_t draw; /* which of a bin's windows is shown: the one with the smallest */
} peak;

/* What is shown of one: tokens [first, first + n) of its window. */
typedef struct example {
    peak p;
    double quantile; /* of a sample; NaN: one of the largest */
    int32_t n, at;   /* which of them is the largest */
    int32_t *id;     /* [before + 1 + after] */
    double *value;
    int64_t document;
    size_t byte;
} example;

typedef struct block {
    double sum, active, n;
} block;

/* What is known of a unit; windows by the size of their largest value: quarters of powers of two, the first for all that
 * is not above 0. */
typedef struct follow {
    peak *top; /* [n_top] */
    int n_top;
    peak bin[N_BIN];
    int64_t n_in[N_BIN];
    block block[MAX_BLOCK];
    int n_block, in_block;
    int64_t per;
    example *e; /* [n_e]: top, then samples */
    int n_e;
    double r2;
} follow;

typedef struct maxact {
    work *w;
    units u;
    follow *f; /* [unit] */
    int most, n_sample, before, after, skip;
    corpus_run x;
    journal *journal;
    double *record; /* [unit][N_RECORD] of the window under way */
    double *value;  /* [window][unit] */
    int32_t window; /* tokens of one at most */
    int64_t n_window;
    peak control[N_CONTROL]; /* windows drawn at random */
    int n_control;
    int64_t *chosen; /* [n_chosen], ascending */
    int64_t n_chosen;
    double *seen;     /* [n_seen][unit] at control windows */
    int32_t *seen_id; /* [n_seen] */
    int64_t n_seen;
} maxact;

/* ---- the first pass ---- */

static int bin_of(double x)
{
    int e;
    if (!(x > 0)) return 0;
    double m = frexp(x, &e); /* in [0.5, 1) */
    int quarter = m < 0.5946035575013605   ? 0
                  : m < 0.7071067811865476 ? 1
                  : m < 0.8408964152537145 ? 2
                                           : 3;
    int k = 1 + 4 * (e + 25) + quarter;
    return k < 1 ? 1 : k >= N_BIN ? N_BIN - 1 : k;
}

static block *next_block(follow *f)
{
    if (f->n_block && f->in_block < f->per) {
        f->in_block++;
        return &f->block[f->n_block - 1];
    }
    if (f->n_block == MAX_BLOCK) {
        for (int i = 0; i < MAX_BLOCK / 2; i++) {
            const block *a = &f->block[2 * i], *b = a + 1;
            f->block[i] = (block){ a->sum + b->sum, a->active + b->active, a->n + b->n };
        }
        f->n_block = MAX_BLOCK / 2, f->per *= 2;
    }
    f->in_block = 1;
    f->block[f->n_block] = (block){ 0 };
    return &f->block[f->n_block++];
}

/* Among the largest, of equals the earlier. */
static void keep_top(follow *f, int most, peak p)
{
    int i;
    if (isnan(p.value) || (f->n_top == most && !(p.value > f->top[most - 1].value))) return;
    if (f->n_top < most) f->n_top++;
    for (i = f->n_top - 1; i > 0 && f->top[i - 1].value < p.value; i--) f->top[i] = f->top[i - 1];
    f->top[i] = p;
}

static uint32_t drawn(const maxact *m, const char *stream, int64_t window, int unit)
{
    return rand_bits(m->w->seed, rand_stream(stream),
                     (uint64_t)window * (uint64_t)MAX_UNITS + (uint64_t)unit);
}

/* Rows that are looked at: new ones, behind those that are skipped. */
static int32_t first_row(const maxact *m, const text_window *v)
{
    int32_t r = m->skip + windows_say(m->x.c).bos;
    r = r > v->fresh ? r : v->fresh;
    return r < v->p->n ? r : v->p->n;
}

/* A window's record into all that is kept. */
static void absorb(maxact *m, const text_window *v)
{
    for (int k = 0; k < m->u.n; k++) {
        follow *f = &m->f[k];
        const double *r = m->record + (int64_t)k * N_RECORD;
        peak p = { .value = r[0],
                   .window = v->index,
                   .row = (int32_t)r[1],
                   .draw = drawn(m, "maxact.sample", v->index, k) };
        block *b = next_block(f);
        b->sum += r[2], b->active += r[3], b->n += v->p->n - first_row(m, v);
        keep_top(f, m->most, p);
        if (isnan(p.value)) continue;
        int bin = bin_of(p.value);
        if (!f->n_in[bin]++ || p.draw < f->bin[bin].draw) f->bin[bin] = p;
    }
}

/* A uniform choice of windows: those with the smallest draws. */
static void choose_control(maxact *m, const text_window *v)
{
    peak p = { .window = v->index, .draw = drawn(m, "maxact.control", v->index, 0) };
    int i;
    if (m->n_control == N_CONTROL && p.draw >= m->control[N_CONTROL - 1].draw) return;
    if (m->n_control < N_CONTROL) m->n_control++;
    for (i = m->n_control - 1; i > 0 && m->control[i - 1].draw > p.draw; i--)
        m->control[i] = m->control[i - 1];
    m->control[i] = p;
}

static void sum_up(maxact *m, const text_window *v)
{
    int32_t r0 = first_row(m, v), n = v->p->n - r0;
    for (int k = 0; k < m->u.n; k++) {
        double *r = m->record + (int64_t)k * N_RECORD;
        r[0] = (double)NAN, r[1] = r[2] = r[3] = 0;
        for (int32_t i = 0; i < n; i++) {
            double x = m->value[(int64_t)i * m->u.n + k];
            if (isnan(x)) continue;
            if (!(x <= r[0])) r[0] = x, r[1] = r0 + i;
            r[2] += x, r[3] += x > 0;
        }
    }
}

static status ask(corpus_run *x, const text_window *v, lane *l, error *err)
{
    maxact *m = x->user;
    return units_ask(&m->u, l, first_row(m, v), v->p->n, err);
}

static bool is_known(corpus_run *x, const text_window *v)
{
    maxact *m = x->user;
    return m->journal && journal_has(m->journal, v->index, NULL, NULL);
}

static status take(corpus_run *x, const text_window *v, lane *l, lane *edited, error *err)
{
    maxact *m = x->user;
    uint8_t mark = 0;
    status st = E_OK;
    if (l) {
        st = units_read(&m->u, edited ? edited : l, first_row(m, v), v->p->n, m->value, err);
        if (st != E_OK) return st;
        sum_up(m, v);
        if (m->journal) st = journal_add(m->journal, v->index, m->record, mark, err);
    } else if (!journal_has(m->journal, v->index, m->record, &mark))
        return error_set(err, E_FORMAT, "maxact: the journal lost a window");
    absorb(m, v);
    choose_control(m, v);
    m->n_window = v->index + 1;
    return st;
}

static status flush(corpus_run *x, error *err)
{
    maxact *m = x->user;
    return m->journal ? journal_flush(m->journal, err) : E_OK;
}

/* ---- the journal ---- */

static status open_journal(maxact *m, error *err)
{
    const char *path = work_text(m->w, "resume");
    journal_of of = { .n_value = m->u.n * N_RECORD, .shard = 1, .n_shard = 1 };
    if (!path) return E_OK;
    status st = corpus_run_count(&m->x, &of.n_item, err);
    of.n_cell = of.n_item;
    return st == E_OK ? resume_open(&m->journal, m->w, path, of, "windows", err) : st;
}

/* ---- what is looked at again ---- */

static bool is_top(const follow *f, int64_t window)
{
    for (int i = 0; i < f->n_top; i++)
        if (f->top[i].window == window) return true;
    return false;
}

/* Samples: at quantiles of the windows' largest values, evenly apart, below the top. */
static void choose_samples(maxact *m, follow *f)
{
    int64_t all = 0;
    int last = -1;
    for (int b = 0; b < N_BIN; b++) all += f->n_in[b];
    for (int k = m->n_sample - 1; k >= 0; k--) {
        double q = (k + 0.5) / m->n_sample;
        int64_t below = 0;
        int b = 0;
        while (b < N_BIN - 1 && (double)(below + f->n_in[b]) <= q * (double)all)
            below += f->n_in[b++];
        if (b == last || !f->n_in[b] || is_top(f, f->bin[b].window)) continue;
        last = b;
        f->e[f->n_e++] =
            (example){ .p = f->bin[b], .quantile = (double)(below + f->n_in[b] / 2) / (double)all };
    }
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static status choose(maxact *m, error *err)
{
    int around = m->before + 1 + m->after;
    int64_t n = N_CONTROL;
    for (int k = 0; k < m->u.n; k++) {
        follow *f = &m->f[k];
        f->e = arena_array(&m->w->mem, m->most + m->n_sample, sizeof *f->e);
        if (!f->e) return work_nomem(m->w, err);
        for (int i = 0; i < f->n_top; i++)
            f->e[f->n_e++] = (example){ .p = f->top[i], .quantile = (double)NAN };
        choose_samples(m, f);
        for (int i = 0; i < f->n_e; i++) {
            f->e[i].id = arena_array(&m->w->mem, around, sizeof(int32_t));
            f->e[i].value = arena_array(&m->w->mem, around, sizeof(double));
        }
        n += f->n_e;
    }
    m->chosen = arena_array(&m->w->mem, n, sizeof *m->chosen);
    m->seen = arena_array(&m->w->mem, (int64_t)m->n_control * m->window * m->u.n, sizeof *m->seen);
    m->seen_id = arena_array(&m->w->mem, (int64_t)m->n_control * m->window, sizeof *m->seen_id);
    if (m->w->mem.failed) return work_nomem(m->w, err);
    for (int k = 0; k < m->u.n; k++)
        for (int i = 0; i < m->f[k].n_e; i++) m->chosen[m->n_chosen++] = m->f[k].e[i].p.window;
    for (int i = 0; i < m->n_control; i++) m->chosen[m->n_chosen++] = m->control[i].window;
    qsort(m->chosen, (size_t)m->n_chosen, sizeof *m->chosen, by_number);
    return E_OK;
}

/* ---- the second pass ---- */

static bool not_chosen(corpus_run *x, const text_window *v)
{
    const maxact *m = x->user;
    return !bsearch(&v->index, m->chosen, (size_t)m->n_chosen, sizeof *m->chosen, by_number);
}

static status fill_example(maxact *m, int unit, example *e, const text_window *v, lane *l,
                           error *err)
{
    int32_t from = e->p.row - m->before, to = e->p.row + m->after + 1;
    double *gaze = m->value + (int64_t)m->window * m->u.n; /* behind the values */
    bool gazes = m->u.at[unit].from->kind == UNIT_GAZE;
    int32_t r0 = first_row(m, v);
    from = from < 0 ? 0 : from, to = to > v->p->n ? v->p->n : to;
    status st = gazes ? units_gaze(&m->u, unit, l, e->p.row, gaze, err) : E_OK;
    if (st != E_OK) return st;
    e->n = to - from, e->at = e->p.row - from;
    e->document = v->document, e->byte = v->byte[e->p.row];
    for (int32_t r = from; r < to; r++) {
        e->id[r - from] = v->p->id[r];
        double x = gazes    ? (r <= e->p.row ? gaze[r] : (double)NAN)
                   : r < r0 ? (double)NAN
                            : m->value[(int64_t)(r - r0) * m->u.n + unit];
        e->value[r - from] = x;
    }
    return E_OK;
}

static status look_again(corpus_run *x, const text_window *v, lane *l, lane *edited, error *err)
{
    maxact *m = x->user;
    if (!l) return E_OK;
    l = edited ? edited : l;
    int32_t r0 = first_row(m, v), n = v->p->n - r0;
    status st = units_read(&m->u, l, r0, v->p->n, m->value, err);
    for (int k = 0; k < m->u.n && st == E_OK; k++)
        for (int i = 0; i < m->f[k].n_e && st == E_OK; i++)
            if (m->f[k].e[i].p.window == v->index)
                st = fill_example(m, k, &m->f[k].e[i], v, l, err);
    for (int i = 0; i < m->n_control && st == E_OK; i++) {
        if (m->control[i].window != v->index) continue;
        memcpy(m->seen + m->n_seen * m->u.n, m->value,
               (size_t)n * (size_t)m->u.n * sizeof *m->seen);
        for (int32_t r = 0; r < n; r++) m->seen_id[m->n_seen + r] = v->p->id[r0 + r];
        m->n_seen += n;
    }
    return st;
}

/* After a stop nobody is asked whether to go on: what is there is to be shown. */
static status second_pass(maxact *m, bool stopped, error *err)
{
    instrument_tell *tell = m->w->tell;
    corpus_run x = { .ask = ask, .take = look_again, .skip = not_chosen, .user = m, .begin = 0.8 };
    if (!m->n_chosen) return E_OK;
    status st = corpus_run_open(&x, m->w, err);
    x.until = 0, x.last = m->chosen[m->n_chosen - 1];
    x.last += !x.last; /* 0 is no end */
    if (stopped) m->w->tell = NULL;
    if (st == E_OK) st = corpus_run_all(&x, err);
    m->w->tell = tell;
    corpus_run_close(&x);
    return st;
}

/* ---- the control: what the token alone tells ---- */

/* 1 - squared error of predicting each value by the mean of the others on the same token (of all others, where there are
 * none) / by the mean of all others. */
static double token_r2(const maxact *m, int unit, double *sum, double *count)
{
    int64_t n = m->n_seen;
    double all = 0, error_token = 0, error_mean = 0;
    int32_t n_vocab = m->w->m->config.n_vocab;
    memset(sum, 0, (size_t)n_vocab * sizeof *sum),
        memset(count, 0, (size_t)n_vocab * sizeof *count);
    for (int64_t i = 0; i < n; i++) {
        double x = m->seen[i * m->u.n + unit];
        all += x, sum[m->seen_id[i]] += x, count[m->seen_id[i]]++;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = m->seen[i * m->u.n + unit], mean = (all - x) / (double)(n - 1), guess = mean;
        int32_t t = m->seen_id[i];
        if (count[t] > 1) guess = (sum[t] - x) / (count[t] - 1);
        error_token += (x - guess) * (x - guess), error_mean += (x - mean) * (x - mean);
    }
    return n > 1 && error_mean > 0 ? 1 - error_token / error_mean : (double)NAN;
}

static status token_controls(maxact *m, error *err)
{
    double *sum = arena_array(&m->w->mem, m->w->m->config.n_vocab, sizeof *sum),
           *count = arena_array(&m->w->mem, m->w->m->config.n_vocab, sizeof *count);
    if (!sum || !count) return work_nomem(m->w, err);
    for (int k = 0; k < m->u.n; k++) m->f[k].r2 = token_r2(m, k, sum, count);
    return E_OK;
}

/* ---- tables ---- */

static double share(const follow *f, bool active)
{
    double x = 0, n = 0;
    for (int i = 0; i < f->n_block; i++)
        x += active ? f->block[i].active : f->block[i].sum, n += f->block[i].n;
    return x / n;
}

/* The mean over all that was looked at, with its interval. */
static status row_mean(maxact *m, table *t, int k, error *err)
{
    interval ci;
    error local = { 0 };
    const follow *f = &m->f[k];
    double x[MAX_BLOCK], n[MAX_BLOCK];
    for (int i = 0; i < f->n_block; i++) x[i] = f->block[i].sum, n[i] = f->block[i].n;
    status st = interval_ratio(&ci, x, n, f->n_block, 0.95, m->w->seed, "maxact.windows", &local);
    if (st == E_NOMEM) return error_set(err, st, "%s", local.msg);
    row_number(t, share(f, false));
    if (st == E_OK) row_real(t, ci.low), row_real(t, ci.high);
    else row_none(t), row_none(t);
    if (st == E_OK && !k) report_interval(m->w->r, "mean of the first unit", &ci);
    return E_OK;
}

static status show_units(maxact *m, error *err)
{
    table *t = report_table(m->w->r, "units", 7,
                            (column[]){ { "unit", NULL, CELL_TEXT, 0, false },
                                        { "largest", NULL, CELL_REAL, 0, false },
                                        { "mean", NULL, CELL_REAL, 3, false },
                                        { "95 % low", NULL, CELL_REAL, 3, false },
                                        { "high", NULL, CELL_REAL, 3, false },
                                        { "above 0", NULL, CELL_REAL, 3, false },
                                        { "token R2", NULL, CELL_REAL, 3, false } });
    status st = E_OK;
    for (int k = 0; k < m->u.n && st == E_OK; k++) {
        const follow *f = &m->f[k];
        table_row(t), row_text(t, "%s", m->u.at[k].name);
        row_number(t, f->n_top ? f->top[0].value : (double)NAN);
        st = row_mean(m, t, k, err);
        row_number(t, share(f, true));
        row_number(t, f->r2);
    }
    return st;
}

static const char *token_text(const maxact *m, int32_t id, char number[24], size_t *n)
{
    const char *p = m->w->m->tokens ? tokenizer_text(m->w->m->tokens, id, n) : NULL;
    if (p) return p;
    *n = (size_t)snprintf(number, 24, "#%d", id);
    return number;
}

/* Which of a unit's, and how large; of a gaze, whose. */
static void example_label(const maxact *m, int k, int i, char *out, size_t bytes)
{
    const example *e = &m->f[k].e[i];
    char token[40] = "";
    if (m->u.at[k].from->kind == UNIT_GAZE && e->n)
        token_label(m->w->m, e->id[e->at], token, sizeof token);
    if (isnan(e->quantile)) snprintf(out, bytes, "%d", i + 1);
    else snprintf(out, bytes, "q%.0f", 100 * e->quantile);
    snprintf(out + strlen(out), bytes - strlen(out), "  %.4g%s%s", e->p.value,
             *token ? "  from " : "", token);
}

static void label_lines(maxact *m, int k, const char *name)
{
    const char *list[MAX_TOP + MAX_SAMPLES];
    for (int i = 0; i < m->f[k].n_e; i++) {
        char *text = arena_get(&m->w->mem, 96);
        if (!text) return;
        example_label(m, k, i, text, 96);
        list[i] = text;
    }
    report_axis_labels(m->w->r, name, "example", m->f[k].n_e, list);
}

static void show_examples(maxact *m)
{
    table *t = report_table(m->w->r, "examples", 6,
                            (column[]){ { "unit", NULL, CELL_TEXT, 0, false },
                                        { "which", NULL, CELL_TEXT, 0, false },
                                        { "value", NULL, CELL_REAL, 0, false },
                                        { "token", NULL, CELL_TOKEN, 0, false },
                                        { "doc", NULL, CELL_INT, 0, false },
                                        { "byte", NULL, CELL_INT, 0, false } });
    for (int k = 0; k < m->u.n; k++)
        for (int i = 0; i < m->f[k].n_e; i++) {
            const example *e = &m->f[k].e[i];
            table_row(t), row_text(t, "%s", m->u.at[k].name);
            if (isnan(e->quantile)) row_text(t, "%d", i + 1);
            else row_text(t, "q%.0f", 100 * e->quantile);
            row_real(t, e->p.value);
            if (e->n) work_row_token(m->w, t, e->id[e->at]);
            else row_none(t);
            row_int(t, e->document), row_int(t, (int64_t)e->byte);
        }
}

/* ---- pictures ---- */

static void fill_line(maxact *m, const char *name, const example *e, int i, double *v,
                      uint8_t *mark)
{
    int around = m->before + 1 + m->after, shift = m->before - e->at;
    for (int32_t j = 0; j < around; j++) {
        v[j] = (double)NAN, mark[j] = MARK_ABSENT;
        if (j < shift || j >= shift + e->n) continue;
        char number[24];
        size_t n;
        const char *p = token_text(m, e->id[j - shift], number, &n);
        v[j] = e->value[j - shift], mark[j] = MARK_NONE;
        report_cell_token(m->w->r, name, (int64_t)i * around + j, p, n);
    }
}

/* UNIT [example, place]: the values around, the largest at place `before`. */
static void draw_unit(maxact *m, int k)
{
    char name[UNIT_NAME + 16], title[UNIT_NAME + 120];
    const follow *f = &m->f[k];
    int around = m->before + 1 + m->after;
    if (!f->n_e) return;
    snprintf(name, sizeof name, "act.%s", m->u.at[k].name);
    double *v =
        report_tensor(m->w->r, name, DTYPE_F64, "example place", (int64_t[]){ f->n_e, around });
    uint8_t *mark = report_marks(m->w->r, name);
    if (!v || !mark) return;
    for (int i = 0; i < f->n_e; i++)
        fill_line(m, name, &f->e[i], i, v + (int64_t)i * around, mark + (int64_t)i * around);
    label_lines(m, k, name);
    bool gaze = m->u.at[k].from->kind == UNIT_GAZE;
    snprintf(title, sizeof title, "%s%s%s", m->u.at[k].name, m->u.at[k].random ? " (control)" : "",
             gaze ? ": where the query looks" : "");
    if (k < DRAWN)
        report_contexts(m->w->r, title, name, "example", "place",
                        &(figure_options){ .value = gaze ? "attention" : "value" });
}

static void say_method(maxact *m)
{
    corpus_run_show(&m->x);
    report_note(
        m->w->r,
        "1, 2 ...: the windows with the largest values, one place a window. q75: drawn "
        "uniformly among the windows whose largest value is about the 75 %% quantile of all "
        "windows'. BOS and the first %d tokens of a window are not looked at. token R2: what the "
        "token alone tells of the value "
        "(each predicted from the others on the same token, %d windows drawn at random); "
        "near 1 the unit follows tokens, not contexts.%s",
        m->skip, m->n_control,
        m->u.n > DRAWN ? " Lines are drawn for the first 60 units; all are tensors." : "");
    report_seed(m->w->r, "maxact.sample", m->w->seed);
    report_seed(m->w->r, "maxact.control", m->w->seed);
}

static void show_controls(maxact *m)
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < m->u.n; k++) {
        char name[UNIT_NAME + 40];
        if (m->u.at[k].random && m->f[k].n_top) {
            snprintf(name, sizeof name, "%s", m->u.at[k].name);
            report_control(m->w->r, name, m->f[k].top[0].value, "its largest value; token R2 %.3g",
                           m->f[k].r2);
        }
        if (!m->u.at[k].random && !isnan(m->f[k].r2)) sum += m->f[k].r2, n++;
    }
    if (n)
        report_control(m->w->r, "token R2, mean", sum / n,
                       "of %d unit%s: how much the token alone tells", n, n == 1 ? "" : "s");
}

static status show(maxact *m, error *err)
{
    status st = token_controls(m, err);
    if (m->u.n && isnan(share(&m->f[0], false)))
        report_warn(m->w->r,
                    "no position was looked at: BOS and the first %d tokens of a window are "
                    "skipped (--skip)",
                    m->skip);
    if (st == E_OK) st = show_units(m, err);
    if (st != E_OK) return st;
    for (int k = 0; k < m->u.n; k++) draw_unit(m, k);
    show_examples(m);
    say_method(m);
    show_controls(m);
    return E_OK;
}

/* ---- all of it ---- */

static void read_request(maxact *m)
{
    m->most = (int)work_int(m->w, "top"), m->n_sample = (int)work_int(m->w, "samples");
    m->skip = (int)work_int(m->w, "skip");
    m->before = (int)work_int(m->w, "before"), m->after = (int)work_int(m->w, "after");
}

static status init(maxact *m, error *err)
{
    read_request(m);
    status st = units_open(&m->u, m->w, err);
    m->x =
        (corpus_run){ .ask = ask, .take = take, .skip = is_known, .wave_done = flush, .user = m };
    if (st == E_OK) st = corpus_run_open(&m->x, m->w, err);
    if (st != E_OK) return st;
    m->window = windows_say(m->x.c).window;
    st = units_window(&m->u, m->window, err);
    if (st != E_OK) return st;
    m->f = arena_array(&m->w->mem, m->u.n, sizeof *m->f);
    m->record = arena_array(&m->w->mem, (int64_t)m->u.n * N_RECORD, sizeof *m->record);
    m->value = arena_array(&m->w->mem, (int64_t)m->window * (m->u.n + 1), sizeof *m->value);
    for (int k = 0; m->f && k < m->u.n; k++) {
        m->f[k].per = 1;
        m->f[k].top = arena_array(&m->w->mem, m->most, sizeof(peak));
    }
    return m->w->mem.failed ? work_nomem(m->w, err) : open_journal(m, err);
}

static status run(work *w, error *err)
{
    maxact m = { .w = w };
    error why = { 0 };
    status st = init(&m, err), shown = E_OK;
    if (st == E_OK) st = corpus_run_all(&m.x, err);
    bool stopped = st == E_INTERRUPTED;
    if (stopped && !m.n_window) report_note(w->r, "Stopped before the first window was done.");
    if ((st == E_OK || stopped) && m.n_window) {
        shown = choose(&m, &why);
        if (shown == E_OK) shown = second_pass(&m, stopped, &why);
        if (shown == E_OK || shown == E_INTERRUPTED) {
            status told = show(&m, &why);
            shown = told == E_OK ? shown : told;
        }
    }
    corpus_run_close(&m.x);
    journal_close(m.journal);
    return shown == E_OK ? st : work_relay(err, &why);
}

const instrument_def instrument_maxact_def = {
    .name = "maxact",
    .says = "Where in a text neurons, heads, directions are largest",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
