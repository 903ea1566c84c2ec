/* instrument: trace -- causal tracing (Meng et al. 2022, ROME): the subject's token embeddings are made noisy, and where
 * putting one value of the clean run back brings the answer back is looked at, every place exactly.
 *
 *     corrupted run   embed += sigma N(0, 1) at the subject's tokens, several seeded draws; sigma is 3 standard
 *                     deviations of the subjects' embedding entries, as ROME's "s3", or a number
 *     state           resid_post of one layer at one position put back
 *     mlp, attn       what a window of layers around it adds there: [l - w/2, l + (w+1)/2)
 *     state_no_mlp    state, with the position's later MLPs (attentions) held at what the corrupted run had: what is
 *     state_no_attn   then missing went through them
 *
 * Tensors: denoise.KIND has the metric of every draw; ie.KIND the indirect effect, its mean gain over the corrupted run;
 * roles.KIND the same by the token's role, with an interval: over facts where there are several, else over draws.  A
 * position has one role: the subject's last token, its first, one between; the prompt's last; the first behind the
 * subject, one further; one before it. */
#include "data/facts.h"
#include "instrument/duel.h"
#include "instrument/next.h"
#include "report/interval.h"
#include "tensor/draw.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_KIND = 5, MAX_SAMPLES = 1000, N_ROLE = 7 };

static const param params[] = {
    { "facts", PARAM_TEXT, NULL, "JSON file of facts: prompt, subject, answer (the likeliest)",
      ROLE_FILE },
    { "limit", PARAM_INT_FROM(0), "0", "only the file's first facts; 0: all", ROLE_WHAT },
    { "prompt", PARAM_TEXT, NULL, "or one fact: its prompt, {} for the subject", ROLE_WHAT },
    { "subject", PARAM_TEXT, NULL, "the subject, a part of the prompt", ROLE_WHAT },
    { "answer", PARAM_TEXT, NULL, "the answer, one token; else the likeliest one", ROLE_WHAT },
    { "what", PARAM_SOME_OF("state mlp attn state_no_mlp state_no_attn"), "state,mlp,attn",
      "which places are put back", ROLE_WHAT },
    { "window", PARAM_INT_IN(1, 60), "10", "layers at once, of mlp and attn", ROLE_WHAT },
    { "samples", PARAM_INT_IN(1, MAX_SAMPLES), "10", "draws of the noise", ROLE_WHAT },
    { "noise", PARAM_TEXT, "s3", "sigma: a number, or sN: N standard deviations", ROLE_WHAT },
    { "metric", PARAM_SOME_OF("prob logprob logit"), "prob",
      "of the answer (a fact has no wrong one, so no logit_diff)", ROLE_WHAT },
    { "bos", PARAM_BOS, "auto", "begin with BOS: auto (as the tokenizer does), yes, no",
      ROLE_WHAT },
    DUEL_SWEEP_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { ROLE_BEFORE, ROLE_FIRST, ROLE_MIDDLE, ROLE_LAST, ROLE_NEXT, ROLE_FURTHER, ROLE_END };

typedef struct kind {
    const char *name, *site, *held; /* held: kept as the corrupted run has it */
    bool window;
} kind;

static const kind kinds[N_KIND] = {
    { "state", "resid_post", NULL, false },
    { "mlp", "mlp.contribution", NULL, true },
    { "attn", "attn.contribution", NULL, true },
    { "state_no_mlp", "resid_post", "mlp.contribution", false },
    { "state_no_attn", "resid_post", "attn.contribution", false },
};

typedef struct tracing {
    facts *f;
    int n_draw, window;
    double sigma, spread;  /* spread: one standard deviation */
    int32_t before, n_pos; /* of the tensors: where the origin is, how many there are */
    node *embed;
} tracing;

/* A plan's nodes by layer. */
typedef struct about {
    const tracing *t;
    const kind *k;
    node **n, **held;
} about;

/* ---- facts and answers ---- */

static status read_facts(work *w, facts **out, error *err)
{
    const char *file = work_text(w, "facts"), *text = work_text(w, "prompt"),
               *subject = work_text(w, "subject");
    status st = work_not_beside(w, "facts", "prompt subject answer", err);
    if (st == E_OK) st = work_only_beside(w, "facts", "limit", err);
    if (st != E_OK) return st;
    if (file) {
        st = work_file(w, file, err);
        return st == E_OK ? facts_read(out, w->m, file, work_int(w, "limit"), work_bos(w), err)
                          : st;
    }
    if (!text || !subject) {
        error_set(err, E_USAGE, "trace needs a prompt and its subject");
        error_hint(err, "--prompt \"The Space Needle is in\" --subject \"The Space Needle\", or "
                        "--facts FILE");
        return E_USAGE;
    }
    return facts_from_texts(out, w->m, text, subject, work_text(w, "answer"), work_bos(w), err);
}

/* A clean run of every fact: its answer, where there is none, and its subject's embeddings into out, which grows. */
static status look_at(work *w, tracing *t, fact *f, double **out, int64_t *n, error *err)
{
    lane *l = NULL;
    box rows = { f->first, f->end, 0, t->embed->n_part };
    int64_t more = box_cells(rows) * t->embed->width;
    arena_mark here = arena_here(&w->mem);
    double *v = arena_array(&w->mem, more, sizeof *v);
    status st = v ? work_lane(w, &l, NULL, f->p, NULL, err) : work_nomem(w, err);
    if (st == E_OK) st = lane_ask(l, t->embed, rows, err);
    if (st == E_OK && f->answer < 0) st = next_ask(w, l, err);
    if (st == E_OK) st = work_run(w, err);
    if (st == E_OK) st = lane_read(l, t->embed, rows, v, err);
    if (st == E_OK && f->answer < 0) st = next_answer(w, l, &f->answer, err);
    for (int64_t i = 0; st == E_OK && i < more; i++) (*out)[(*n)++] = v[i];
    arena_rewind(&w->mem, here);
    if (l) lane_drop(l);
    return st;
}

/* As torch's std: n - 1. */
static double spread_of(const double *x, int64_t n)
{
    double mean = 0;
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    return sample_sd(x, n, mean);
}

static status find_sigma(work *w, tracing *t, error *err)
{
    const char *text = work_text(w, "noise");
    int64_t n = 0, most = 0;
    char *end;
    bool by_spread = *text == 's';
    double factor = strtod(text + by_spread, &end);
    if (end == text + by_spread || *end || !(factor >= 0) || isinf(factor)) {
        error_set(err, E_USAGE, "noise is '%.40s', expected a number or s and a number", text);
        error_hint(err, "s3: three standard deviations of the subjects' embeddings");
        return E_USAGE;
    }
    for (int i = 0; i < t->f->n; i++)
        most +=
            (int64_t)(t->f->fact[i].end - t->f->fact[i].first) * t->embed->n_part * t->embed->width;
    double *x = arena_array(&w->mem, most, sizeof *x);
    if (!x) return work_nomem(w, err);
    for (int i = 0; i < t->f->n; i++) {
        status st = look_at(w, t, &t->f->fact[i], &x, &n, err);
        if (st != E_OK) return st;
    }
    t->spread = spread_of(x, n), t->sigma = by_spread ? factor * t->spread : factor;
    report_control(w->r, "noise sigma", t->sigma,
                   "standard deviation of the %lld embedding entries of all subjects: %.6g",
                   (long long)n, t->spread);
    return E_OK;
}

/* ---- pairs: a draw each ---- */

static status append_pair(const fact *f, json_t *clean, json_t *correct, error *err)
{
    json_t *p = f->p->text ? json_stringn(f->p->text, f->p->text_bytes) : json_array();
    for (int32_t i = 0; !f->p->text && i < f->p->n; i++)
        json_array_append_new(p, json_integer(f->p->id[i]));
    if (!p || json_array_append_new(clean, p) ||
        json_array_append_new(correct, json_integer(f->answer)))
        return error_set(err, E_NOMEM, "trace: out of memory");
    return E_OK;
}

static status pairs_of(work *w, const tracing *t, pairs **out, error *err)
{
    json_t *clean = json_array(), *correct = json_array();
    status st = E_OK;
    for (int i = 0; i < t->f->n * t->n_draw && st == E_OK; i++)
        st = append_pair(&t->f->fact[i / t->n_draw], clean, correct, err);
    json_t *v = json_pack("{s:O,s:O,s:O}", "clean", clean, "corrupt", clean, "correct", correct);
    if (st == E_OK && !v) st = work_nomem(w, err);
    if (st == E_OK) st = pairs_from_json(out, w->m, v, work_bos(w), err);
    json_decref(v), json_decref(clean), json_decref(correct);
    return st;
}

static const fact *fact_of(const duel *d, int pair)
{
    const tracing *t = d->user;
    return &t->f->fact[pair / t->n_draw];
}

static status spoil(duel *d, lane *l, int pair, error *err)
{
    const tracing *t = d->user;
    const fact *f = fact_of(d, pair);
    int64_t per = (int64_t)t->embed->n_part * t->embed->width, n = per * (f->end - f->first);
    arena_mark here = arena_here(&d->w->mem);
    double *v = arena_array(&d->w->mem, n, sizeof *v);
    if (!v) return work_nomem(d->w, err);
    for (int64_t i = 0; i < n; i++)
        v[i] = t->sigma * (double)draw_normal(d->w->seed, rand_stream("trace.noise"),
                                              ((uint64_t)pair << 32) + (uint64_t)i);
    status st = lane_edit(l,
                          &(edit){ .n = t->embed,
                                   .where = { f->first, f->end, 0, t->embed->n_part },
                                   .w1 = t->embed->width,
                                   .kind = EDIT_ADD,
                                   .v = v,
                                   .part_step = t->embed->width,
                                   .row_step = per },
                          err); /* copies v */
    arena_rewind(&d->w->mem, here);
    return st;
}

/* ---- cells ---- */

/* Column of a position: itself with one fact, else counted from the subject's last token. */
static int64_t column_of(const tracing *t, const fact *f, int32_t pos)
{
    return t->f->n > 1 ? pos - (f->end - 1) + t->before : pos;
}

static edit at_pos(node *n, int32_t pos)
{
    return (edit){ .n = n, .where = { pos, pos + 1, 0, n->n_part }, .w1 = n->width };
}

/* One place: the layers that are put back, those that are held. */
static bool fill_cell(const duel *d, const about *x, int layer, int32_t pos, duel_cell *c)
{
    int n_layer = d->w->m->config.n_layer, w = x->k->window ? x->t->window : 1;
    int lo = layer - w / 2 < 0 ? 0 : layer - w / 2,
        hi = layer + (w + 1) / 2 > n_layer ? n_layer : layer + (w + 1) / 2;
    int n = hi - lo - 1 + (x->held ? n_layer - layer - 1 : 0), k = 0;
    *c = (duel_cell){ .e = at_pos(x->n[lo], pos) };
    if (!n) return true;
    c->more = arena_array(&d->w->mem, n, sizeof *c->more);
    if (!c->more) return false; /* the arena knows, and the run fails */
    for (int l = lo + 1; l < hi; l++) {
        c->more[k].e = at_pos(x->n[l], pos);
        c->more[k++].e.kind = EDIT_TAKE;
    }
    for (int l = layer + 1; x->held && l < n_layer; l++)
        c->more[k++].e = edit_take(at_pos(x->held[l], pos), d->corrupt);
    c->n_more = k;
    return true;
}

static int64_t trace_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    const fact *f = fact_of(d, d->pair);
    int64_t n = 0;
    for (int l = 0; l < d->w->m->config.n_layer; l++)
        for (int32_t pos = 0; pos < f->p->n; pos++) {
            if (!fill_cell(d, x, l, pos, &cell[n])) return n;
            cell[n++].at = l * p->dim[1] + column_of(x->t, f, pos);
        }
    return n;
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const about *x = p->user;
    long long l = i / p->dim[1], c = i % p->dim[1];
    char pos[40];
    if (x->t->f->n > 1) snprintf(pos, sizeof pos, "subject%+lld", c - x->t->before);
    else snprintf(pos, sizeof pos, "pos=%lld", c);
    int w = x->k->window ? x->t->window : 1;
    if (w == 1) snprintf(out, bytes, "blocks.%lld.%s[%s]", l, x->k->site, pos);
    else snprintf(out, bytes, "blocks.%lld.%s[%s], window %d", l, x->k->site, pos, w);
}

static bool wanted(const work *w, const kind *k)
{
    return str_listed(work_text(w, "what"), k->name);
}

static status nodes_of(work *w, const char *site, node ***out, error *err)
{
    char name[64];
    *out = arena_array(&w->mem, w->m->config.n_layer, sizeof **out);
    if (!*out) return work_nomem(w, err);
    for (int l = 0; l < w->m->config.n_layer; l++) {
        snprintf(name, sizeof name, "blocks.%d.%s", l, site);
        (*out)[l] = graph_find(&w->m->g, name);
        if (!(*out)[l]) {
            error_set(err, E_NOSITE, "trace: %s has no %s", w->m->name, name);
            error_hint(err, "an attention-only model: --what state,attn");
            return E_NOSITE;
        }
    }
    return E_OK;
}

static status plan_kind(work *w, const tracing *t, const kind *k, duel_plan *out, error *err)
{
    about *x = arena_zero(&w->mem, sizeof *x);
    if (!x) return work_nomem(w, err);
    *x = (about){ .t = t, .k = k };
    status st = nodes_of(w, k->site, &x->n, err);
    if (st == E_OK && k->held) st = nodes_of(w, k->held, &x->held, err);
    *out = (duel_plan){ .direction = DENOISE,
                        .dim = { w->m->config.n_layer, t->n_pos },
                        .n_dim = 2,
                        .cells = trace_cells,
                        .label = label,
                        .user = x,
                        .at_position = true,
                        .directed = true };
    snprintf(out->name, sizeof out->name, "%s", k->name);
    snprintf(out->axes, sizeof out->axes, "layer %s", t->f->n > 1 ? "offset" : "pos");
    return st;
}

/* ---- what it comes to ---- */

static int role_of(const fact *f, int32_t pos)
{
    if (pos < f->first) return ROLE_BEFORE;
    if (pos == f->end - 1) return ROLE_LAST;
    if (pos < f->end) return pos == f->first ? ROLE_FIRST : ROLE_MIDDLE;
    if (pos == f->p->n - 1) return ROLE_END;
    return pos == f->end ? ROLE_NEXT : ROLE_FURTHER;
}

/* A fact's mean over the positions of a role, in draws [a, b); NaN: it has none, or one is not finished. */
static double role_mean(const duel *d, const tracing *t, const double *v, int64_t n_col, int layer,
                        int role, int a, int b)
{
    double sum = 0;
    int n = 0;
    for (int i = a; i < b; i++) {
        const fact *f = fact_of(d, i);
        for (int32_t pos = 0; pos < f->p->n; pos++) {
            if (role_of(f, pos) != role) continue;
            int64_t at = layer * n_col + column_of(t, f, pos);
            sum += v[at * d->p->n + i] - d->value[0][i], n++;
        }
    }
    return n ? sum / n : (double)NAN;
}

/* Of a role that has no mean: nobody has it, its cells were not run, or they are no numbers. */
static uint8_t role_mark(const duel *d, const tracing *t, const duel_tensor *from, int64_t n_col,
                         int layer, int role)
{
    uint8_t mark = MARK_ABSENT;
    for (int i = 0; i < d->p->n; i++) {
        const fact *f = fact_of(d, i);
        for (int32_t pos = 0; pos < f->p->n; pos++) {
            if (role_of(f, pos) != role) continue;
            int64_t at = layer * n_col + column_of(t, f, pos);
            if (from->mark[at * d->p->n + i] == MARK_INCOMPLETE) return MARK_INCOMPLETE;
            mark = MARK_NONE;
        }
    }
    return mark;
}

/* roles.KIND, its mean and the ends of its interval. */
typedef struct role_part {
    double *v[3];
    uint8_t *mark[3];
} role_part;

/* Mean and interval of one cell of roles.KIND: a unit is a fact, or of one fact a draw. */
static void role_cell(duel *d, const tracing *t, const duel_tensor *from, int64_t n_col, int64_t at,
                      const role_part *out, double *unit)
{
    int n_unit = t->f->n > 1 ? t->f->n : t->n_draw, per = d->p->n / n_unit, n = 0;
    int layer = (int)(at / N_ROLE), role = (int)(at % N_ROLE);
    for (int i = 0; i < n_unit; i++) {
        double x = role_mean(d, t, from->v, n_col, layer, role, i * per, (i + 1) * per);
        if (!isnan(x)) unit[n++] = x;
    }
    interval ci = work_interval(d->w, unit, n, "trace.units", NULL);
    out->v[0][at] = sample_mean(unit, n), out->v[1][at] = ci.low, out->v[2][at] = ci.high;
    for (int k = 0; k < 3; k++)
        out->mark[k][at] = n ? MARK_NONE : role_mark(d, t, from, n_col, layer, role);
}

/* ie.KIND: the mean over all draws of what a cell gains. */
static void mean_gain(const duel *d, const duel_tensor *t, double *out, uint8_t *mark)
{
    for (int64_t i = 0; i < t->n_cell; i++) {
        double sum = 0;
        int n = 0;
        mark[i] = MARK_ABSENT;
        for (int k = 0; k < d->p->n; k++) {
            uint8_t m = t->mark[i * d->p->n + k];
            if (m == MARK_ABSENT) continue;
            mark[i] =
                m == MARK_INCOMPLETE || mark[i] == MARK_INCOMPLETE ? MARK_INCOMPLETE : MARK_NONE;
            sum += t->v[i * d->p->n + k] - d->value[0][k], n++;
        }
        out[i] = n && mark[i] != MARK_INCOMPLETE ? sum / n : (double)NAN;
    }
}

static void label_columns(duel *d, const tracing *t, const char *name)
{
    char text[40];
    if (t->f->n == 1) {
        work_label_tokens(d->w, name, "pos", t->f->fact[0].p);
        return;
    }
    for (int32_t i = 0; i < t->n_pos; i++) {
        int n = i == t->before ? snprintf(text, sizeof text, "subject's last")
                               : snprintf(text, sizeof text, "%+d", i - t->before);
        report_axis_token(d->w->r, name, "offset", i, text, (size_t)n);
    }
}

static status draw_roles(duel *d, const duel_plan *p, const duel_tensor *t, error *err)
{
    static const char *const roles[N_ROLE] = { "before",       "subject first", "subject middle",
                                               "subject last", "next",          "further",
                                               "prompt's last" };
    static const char *const ends[3] = { "", ".low", ".high" };
    const tracing *x = d->user;
    char name[3][100], title[200];
    role_part out;
    double *unit = arena_array(&d->w->mem, d->p->n, sizeof *unit);
    for (int k = 0; k < 3; k++) {
        snprintf(name[k], sizeof name[k], "roles.%s%s%s", p->name, d->suffix, ends[k]);
        out.v[k] = report_tensor(d->w->r, name[k], DTYPE_F64, "layer role",
                                 (int64_t[]){ p->dim[0], N_ROLE });
        report_axis_labels(d->w->r, name[k], "role", N_ROLE, roles);
        report_axis_numbers(d->w->r, name[k], "layer", "L");
        report_unit(d->w->r, name[k], d->def->unit);
        out.mark[k] = report_marks(d->w->r, name[k]);
        if (!out.v[k] || !out.mark[k]) return E_OK; /* the report says why */
    }
    if (!unit) return work_nomem(d->w, err);
    for (int64_t i = 0; i < p->dim[0] * N_ROLE; i++) role_cell(d, x, t, p->dim[1], i, &out, unit);
    snprintf(title, sizeof title, "%s%s at the subject's last token: mean gain, 95 %% over %d %s",
             p->name, d->suffix, x->f->n > 1 ? x->f->n : x->n_draw,
             x->f->n > 1 ? "facts" : "draws");
    report_bars(
        d->w->r, title, name[0], "layer",
        &(figure_options){
            .at = (int64_t[]){ 0, ROLE_LAST }, .value = "gain", .low = name[1], .high = name[2] });
    snprintf(title, sizeof title, "%s%s by the token's role: mean gain", p->name, d->suffix);
    report_heatmap(d->w->r, title, name[0], "role", "layer", &(figure_options){ .value = "gain" });
    return E_OK;
}

static void draw(duel *d, const duel_plan *p)
{
    const tracing *x = d->user;
    char name[100], title[240];
    duel_tensor t;
    error err = { 0 };
    duel_tensor_get(d, &t, p);
    snprintf(name, sizeof name, "ie.%s%s", p->name, d->suffix);
    double *v = report_tensor(d->w->r, name, DTYPE_F64, p->axes, p->dim);
    uint8_t *mark = report_marks(d->w->r, name);
    if (!t.v || !t.mark || !v || !mark) return; /* the report says why */
    mean_gain(d, &t, v, mark);
    report_unit(d->w->r, name, d->def->unit);
    report_axis_numbers(d->w->r, name, "layer", "L");
    label_columns(d, x, name);
    snprintf(title, sizeof title,
             "%s: mean gain of the answer's %s where the clean value is put "
             "back",
             p->name, d->def->name);
    report_heatmap(d->w->r, title, name, x->f->n > 1 ? "offset" : "pos", "layer",
                   &(figure_options){ .value = "gain" });
    if (draw_roles(d, p, &t, &err) != E_OK) report_fail(d->w->r, err.code, "%s", err.msg);
}

/* TE = P - P*: over facts, or over the draws of one. */
static status total_effect(duel *d, error *err)
{
    const tracing *t = d->user;
    int n = t->f->n > 1 ? t->f->n : t->n_draw, per = d->p->n / n;
    double *x = arena_array(&d->w->mem, n, sizeof *x);
    char name[80];
    if (!x) return work_nomem(d->w, err);
    for (int i = 0; i < d->p->n; i++) x[i / per] += (d->value[1][i] - d->value[0][i]) / per;
    snprintf(name, sizeof name, "total effect%s%s", *d->suffix ? ": " : "",
             *d->suffix ? d->def->name : "");
    report_control(d->w->r, name, sample_mean(x, n), "mean of clean - corrupted, %d %s", n,
                   t->f->n > 1 ? "facts" : "draws of the noise");
    work_interval(d->w, x, n, "trace.units", name);
    return E_OK;
}

static void find_columns(tracing *t)
{
    int32_t behind = 0;
    for (int i = 0; i < t->f->n; i++) {
        const fact *f = &t->f->fact[i];
        if (f->end - 1 > t->before) t->before = f->end - 1;
        if (f->p->n - f->end > behind) behind = f->p->n - f->end;
    }
    t->n_pos = t->f->n > 1 ? t->before + 1 + behind : t->f->fact[0].p->n;
}

static void show_facts(work *w, const tracing *t)
{
    char label_text[80];
    table *out = report_table(w->r, "facts", 3,
                              (column[]){ { "fact", NULL, CELL_INT, 0, false },
                                          { "subject's tokens", NULL, CELL_TEXT, 0, false },
                                          { "answer", NULL, CELL_TOKEN, 0, false } });
    for (int i = 0; i < t->f->n; i++) {
        const fact *f = &t->f->fact[i];
        str s = { 0 };
        for (int32_t k = f->first; k < f->end; k++) {
            prompt_label(f->p, k, label_text, sizeof label_text);
            str_printf(&s, "%s%d:%s", k > f->first ? " " : "", k, label_text);
        }
        table_row(out), row_int(out, i), row_text(out, "%s", s.p ? s.p : ""),
            work_row_token(w, out, f->answer);
        str_release(&s);
    }
}

/* Noise that lowers the answer in fewer draws than it does not breaks nothing that could be put back. */
static void warn_not_lowered(const duel *d)
{
    int n = 0;
    for (int i = 0; i < d->p->n; i++) n += d->value[0][i] >= d->value[1][i];
    if (2 * n > d->p->n)
        report_warn(
            d->w->r,
            "%s: in %d of %d draws the noise does not lower the answer's: there is little to "
            "put back, and gains are not of it",
            d->def->name, n, d->p->n);
}

static status trace_facts(work *w, tracing *t, error *err)
{
    duel d;
    duel_plan list[N_KIND];
    pairs *p = NULL;
    int n = 0;
    status st = find_sigma(w, t, err);
    for (int k = 0; k < N_KIND && st == E_OK; k++)
        if (wanted(w, &kinds[k])) st = plan_kind(w, t, &kinds[k], &list[n++], err);
    if (st == E_OK) show_facts(w, t), st = pairs_of(w, t, &p, err);
    if (st == E_OK) st = duel_open_spoiled(&d, w, p, t->n_draw, spoil, t, err);
    if (st != E_OK) return st;
    report_seed(w->r, "trace.noise", w->seed);
    if (t->n_draw > 1)
        report_note(w->r, "A pair is one draw of the noise for one fact; a gain is the metric with "
                          "the clean value put back minus the metric without, mean over pairs.");
    if (t->f->n > 1 && t->n_draw > 1)
        report_note(w->r, "Intervals of 'largest' take pairs as independent, which draws of one "
                          "fact are not: those by role are over facts.");
    for (int k = 0; k < d.n_metric && st == E_OK; k++)
        duel_metric_at(&d, k), warn_not_lowered(&d), st = total_effect(&d, err);
    duel_metric_at(&d, 0);
    if (st == E_OK) st = duel_run(&d, list, n, NULL, draw, err);
    duel_close(&d);
    return st;
}

static status run(work *w, error *err)
{
    tracing t = { .embed = graph_find(&w->m->g, "embed") };
    status st = read_facts(w, &t.f, err);
    if (st != E_OK) return st;
    t.n_draw = (int)work_int(w, "samples"), t.window = (int)work_int(w, "window");
    find_columns(&t);
    st = trace_facts(w, &t, err);
    facts_free(t.f);
    return st;
}

const instrument_def instrument_trace_def = { .name = "trace",
                                              .says = "Causal tracing: where a fact comes back",
                                              .subject = "MODEL",
                                              .needs = NEEDS_MODEL,
                                              .param = params,
                                              .run = run };
/* SPDX-License-Identifier: MIT */
