/* instrument: dla -- direct logit attribution: a logit, or the difference of two, as a sum of what each part of the model
 * adds to it directly (Elhage et al. 2021; nostalgebraist 2020 for the accumulated form).
 *
 *     frozen        u . v of every part v, the norms' scales as they were in the run (flow.h): the parts sum to the logit
 *     without it    how much the logit loses when the part is taken out of the last layer's stream and the norm is computed
 *                   anew: exact, but not additive
 *     so far        the stream at every place read by itself: with the frozen scale (the sum of the parts before it), and
 *                   with the norm computed anew (the logit lens)
 *
 * Only direct effects: what later layers would do about a part that is missing is not in it (patch and path have that). */
#include "base/rand.h"
#include "instrument/flow.h"
#include "instrument/next.h"
#include "instrument/rank.h"
#include "instrument/scene.h"
#include "instrument/unembed.h"
#include "report/interval.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_DRAW = 16, MAX_SHOWN = 10000, MAX_KEPT = 1 << 24, MAX_PLACE = 3 };

static const param params[] = {
    { "answer", PARAM_TEXT, NULL, "the token whose logit it is (\" Mary\", or #17); the likeliest",
      ROLE_WHAT },
    { "wrong", PARAM_TEXT, NULL, "a token whose logit is subtracted", ROLE_WHAT },
    { "pos", PARAM_TEXT, "-1",
      "the position, from the end if negative; all: every one as well, of the token that follows",
      ROLE_WHAT },
    { "top", PARAM_INT_IN(1, MAX_SHOWN), "15", "how many parts to show", ROLE_WHAT },
    { "neurons", PARAM_INT_IN(0, MAX_SHOWN), "10",
      "how many neurons to show; 0: none are looked at", ROLE_WHAT },
    SCENE_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* A sum of parts that people look at first: a layer's attention, its MLP, the embeddings, what is behind the stream. */
typedef struct component {
    char label[16];
    flow_group group;
    int layer;
} component;

typedef struct place {
    node *n;
    char label[24];
} place;

typedef struct dla {
    work *w;
    flow f;
    unembed u;
    scene *s;
    int n_scene;
    int32_t *pos; /* [scene] */
    bool all;
    double *share, *without, *chance; /* [part][scene]; [part] sums of squares */
    component *component;
    int n_component;
    place *place;
    int n_place;
    double *far, *lens;  /* [place][scene]: so far, frozen and anew */
    double *logit, *sum; /* [scene] */
    double *neuron;      /* the tensor, [layer][neuron][scene]; or NULL */
    int *mlp, n_mlp;     /* parts with neurons */
    int32_t n_neuron;
    double worst, worst_neurons; /* largest gaps */
} dla;

/* ---- what is asked for ---- */

static status find_positions(dla *x, error *err)
{
    const char *text = work_text(x->w, "pos");
    char *end;
    long pos = -1;
    x->all = !strcmp(text, "all");
    if (!x->all) pos = strtol(text, &end, 10);
    if (!x->all && (end == text || *end))
        return error_set(err, E_USAGE, "dla: pos is '%.40s', expected a number or all", text);
    x->pos = arena_array(&x->w->mem, x->n_scene, sizeof *x->pos);
    status st = x->pos ? E_OK : work_nomem(x->w, err);
    for (int i = 0; i < x->n_scene && st == E_OK; i++)
        st = scene_position(&x->pos[i], x->w, &x->s[i], i, pos, err);
    return st;
}

static bool in_component(const flow_part *p, const component *c)
{
    return p->group == c->group && (p->layer == c->layer || c->group == GROUP_END);
}

/* Parts come in the order of the stream, so components do: those behind it last. */
static status find_components(dla *x, error *err)
{
    static const char *const word[] = { "embed", "attn", "mlp", "end" };
    x->component = arena_array(&x->w->mem, x->f.n_part + 1, sizeof *x->component);
    if (!x->component) return work_nomem(x->w, err);
    for (int late = 0; late < 2; late++)
        for (int i = 0; i < x->f.n_part; i++) {
            const flow_part *p = &x->f.part[i];
            component c = { .group = p->group, .layer = p->layer };
            bool known = (p->group == GROUP_END) != late;
            for (int k = 0; k < x->n_component && !known; k++)
                known = in_component(p, &x->component[k]);
            if (known) continue;
            if (c.layer < 0) snprintf(c.label, sizeof c.label, "%s", word[c.group]);
            else snprintf(c.label, sizeof c.label, "L%d %s", c.layer, word[c.group]);
            x->component[x->n_component++] = c;
        }
    return E_OK;
}

static status find_places(dla *x, error *err)
{
    static const char *const what[] = { "pre", "mid", "post" };
    int n_layer = x->w->m->config.n_layer;
    char name[64];
    x->place = arena_array(&x->w->mem, (int64_t)MAX_PLACE * n_layer + 1, sizeof *x->place);
    if (!x->place) return work_nomem(x->w, err);
    for (int l = 0; l < n_layer; l++)
        for (int k = 0; k < MAX_PLACE; k++) {
            snprintf(name, sizeof name, "blocks.%d.resid_%s", l, what[k]);
            node *n = graph_find(&x->w->m->g, name);
            if (!n || (x->n_place && x->place[x->n_place - 1].n == n)) continue;
            place *p = &x->place[x->n_place++];
            p->n = n;
            snprintf(p->label, sizeof p->label, "L%d %s", l, what[k]);
        }
    return E_OK;
}

static status find_mlps(dla *x, error *err)
{
    const work *w = x->w;
    x->mlp = arena_array(&x->w->mem, x->f.n_part + 1, sizeof *x->mlp);
    if (!x->mlp) return work_nomem(x->w, err);
    if (!work_int(w, "neurons")) return E_OK;
    for (int i = 0; i < x->f.n_part; i++) {
        int32_t n = flow_neurons(&x->f, i);
        if (!n || (x->n_neuron && n != x->n_neuron)) continue;
        x->n_neuron = n, x->mlp[x->n_mlp++] = i;
    }
    if (!x->n_mlp) return E_OK;
    if ((int64_t)x->n_mlp * x->n_neuron > MAX_KEPT / x->n_scene) {
        error_set(err, E_LIMIT, "dla: %d neurons of %d prompts are too many to keep",
                  x->n_mlp * x->n_neuron, x->n_scene);
        error_hint(err, "--neurons 0 leaves them out");
        return E_LIMIT;
    }
    return E_OK;
}

/* What a stop leaves undone is no number. */
static void unknown(double *v, int64_t n)
{
    for (int64_t i = 0; v && i < n; i++) v[i] = (double)NAN;
}

static status open_memory(dla *x, error *err)
{
    arena *mem = &x->w->mem;
    int64_t n = (int64_t)x->f.n_part * x->n_scene, m = (int64_t)x->n_place * x->n_scene;
    x->share = arena_array(mem, n, sizeof *x->share);
    x->without = arena_array(mem, n, sizeof *x->without);
    x->chance = arena_array(mem, x->f.n_part, sizeof *x->chance);
    x->far = arena_array(mem, m, sizeof *x->far), x->lens = arena_array(mem, m, sizeof *x->lens);
    x->logit = arena_array(mem, x->n_scene, sizeof *x->logit);
    x->sum = arena_array(mem, x->n_scene, sizeof *x->sum);
    if (mem->failed) return work_nomem(x->w, err);
    if (x->n_mlp)
        x->neuron = report_tensor(x->w->r, "dla.neuron", DTYPE_F64, "layer neuron prompt",
                                  (int64_t[]){ x->n_mlp, x->n_neuron, x->n_scene });
    unknown(x->neuron, (int64_t)x->n_mlp * x->n_neuron * x->n_scene);
    return E_OK;
}

/* ---- running ---- */

static status check_room(const dla *x, const scene *s, error *err)
{
    int64_t bytes = flow_numbers(&x->f) * s->p->n * x->w->e->real_bytes;
    if (bytes <= session_room(x->w->s)) return E_OK;
    error_set(err, E_LIMIT, "dla: all parts at %d positions are %lld MB", s->p->n,
              (long long)(bytes >> 20));
    error_hint(err, "name one position with --pos, or take a shorter prompt");
    return E_LIMIT;
}

/* The token that follows. */
static int32_t next_of(const scene *s, int32_t pos)
{
    return pos + 1 < s->p->n ? s->p->id[pos + 1] : -1;
}

static status ask(dla *x, int i, error *err)
{
    scene *s = &x->s[i];
    int32_t pos = x->pos[i], n = s->p->n;
    status st = x->all ? check_room(x, s, err) : E_OK;
    if (st == E_OK) st = flow_ask(&x->f, s->l, x->all ? 0 : pos, x->all ? n : pos + 1, err);
    for (int k = 0; k < x->n_mlp && st == E_OK; k++)
        st = flow_ask_share(&x->f, s->l, pos, x->mlp[k], err);
    if (st == E_OK) st = lane_ask(s->l, x->f.unembed, (box){ pos, pos + 1, 0, x->u.n_vocab }, err);
    for (int32_t t = 0; x->all && t < n && st == E_OK; t++) {
        st = flow_ask_logit(&x->f, s->l, t, t + 1, s->answer >= 0 ? s->answer : next_of(s, t), err);
        if (st == E_OK) st = flow_ask_logit(&x->f, s->l, t, t + 1, s->wrong, err);
    }
    for (int k = 0; k < x->n_place && st == E_OK; k++)
        st = lane_ask(s->l, x->place[k].n, (box){ pos, pos + 1, 0, 1 }, err);
    return st;
}

/* Without --answer: the likeliest token. */
static status find_answer(dla *x, int i, error *err)
{
    scene *s = &x->s[i];
    int32_t pos = x->pos[i], n = x->u.n_vocab;
    if (s->answer >= 0) return E_OK;
    arena_mark here = arena_here(&x->w->mem);
    double *v = arena_array(&x->w->mem, n, sizeof *v);
    status st = v ? lane_read(s->l, x->f.unembed, (box){ pos, pos + 1, 0, n }, v, err)
                  : work_nomem(x->w, err);
    if (st == E_OK) s->answer = unembed_best(v, n);
    if (st == E_OK && s->answer < 0)
        st = error_set(err, E_RANGE, "dla: no logit of prompt %d is a number", i);
    arena_rewind(&x->w->mem, here);
    return st;
}

static double total(const double *v, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += v[i];
    return sum;
}

static void note_gap(double *worst, double got, double want)
{
    double gap = number_gap(got, want);
    if (gap > *worst) *worst = gap;
}

/* What every part gives to other tokens, drawn at random: its usual size. */
static status by_chance(dla *x, int i, double *out, error *err)
{
    uint32_t stream = rand_stream("dla.tokens");
    status st = E_OK;
    for (int k = 0; k < N_DRAW && st == E_OK; k++) {
        uint64_t at = 2 * ((uint64_t)i * N_DRAW + (uint64_t)k);
        int32_t a = (int32_t)rand_below(x->w->seed, stream, at, x->u.n_vocab);
        int32_t b = (int32_t)rand_below(x->w->seed, stream, at + 1, x->u.n_vocab);
        st = flow_direct(&x->f, x->s[i].l, x->pos[i], a, x->s[i].wrong < 0 ? -1 : b, out, err);
        for (int p = 0; p < x->f.n_part && st == E_OK; p++) x->chance[p] += out[p] * out[p];
    }
    return st;
}

/* The stream without each part, and the stream at each place: rows of one run. */
static status anew(dla *x, int i, const double *share, error *err)
{
    int32_t d = x->f.d_model, pos = x->pos[i], n = x->f.n_part, n_row = 1 + n + x->n_place;
    scene *s = &x->s[i];
    double *row = arena_array(&x->w->mem, (int64_t)n_row * d, sizeof *row), *base = row,
           *out = arena_array(&x->w->mem, n_row, sizeof *out);
    bool *inside = arena_array(&x->w->mem, n + 1, sizeof *inside);
    status st = row && out && inside ? E_OK : work_nomem(x->w, err);
    if (st == E_OK) st = lane_read(s->l, x->u.stream, (box){ pos, pos + 1, 0, 1 }, base, err);
    for (int k = 0; k < n && st == E_OK; k++) {
        double *v = row + (int64_t)(1 + k) * d;
        inside[k] = flow_stream(&x->f, s->l, pos, k, v, &st, err);
        for (int32_t j = 0; j < d; j++) v[j] = inside[k] ? base[j] - v[j] : base[j];
    }
    for (int k = 0; k < x->n_place && st == E_OK; k++)
        st = lane_read(s->l, x->place[k].n, (box){ pos, pos + 1, 0, 1 },
                       row + (int64_t)(1 + n + k) * d, err);
    if (st == E_OK) st = unembed_tokens(&x->u, row, n_row, s->answer, s->wrong, out, err);
    for (int k = 0; k < n && st == E_OK; k++)
        x->without[(int64_t)k * x->n_scene + i] = inside[k] ? out[0] - out[1 + k] : (double)NAN;
    for (int k = 0; k < x->n_place && st == E_OK; k++) {
        x->lens[(int64_t)k * x->n_scene + i] = out[1 + n + k];
        x->far[(int64_t)k * x->n_scene + i] =
            flow_so_far(&x->f, x->place[k].n, row + (int64_t)(1 + n + k) * d, share);
    }
    return st;
}

static status neurons(dla *x, int i, const double *share, error *err)
{
    double *v = arena_array(&x->w->mem, x->n_neuron + 1, sizeof *v);
    status st = v ? E_OK : work_nomem(x->w, err);
    for (int k = 0; k < x->n_mlp && st == E_OK && x->neuron; k++) {
        st = flow_share(&x->f, x->s[i].l, x->pos[i], x->mlp[k], v, err);
        for (int32_t j = 0; j < x->n_neuron && st == E_OK; j++)
            x->neuron[((int64_t)k * x->n_neuron + j) * x->n_scene + i] = v[j];
        if (st == E_OK) note_gap(&x->worst_neurons, total(v, x->n_neuron), share[x->mlp[k]]);
    }
    return st;
}

/* One prompt at its position. */
static status one_scene(dla *x, int i, error *err)
{
    scene *s = &x->s[i];
    arena_mark here = arena_here(&x->w->mem);
    double *share = arena_array(&x->w->mem, x->f.n_part + 1, sizeof *share),
           *space = arena_array(&x->w->mem, x->f.n_part + 1, sizeof *space);
    status st = share && space ? find_answer(x, i, err) : work_nomem(x->w, err);
    if (st == E_OK) st = flow_load(&x->f, s->l, x->pos[i], err);
    if (st == E_OK) st = by_chance(x, i, space, err);
    if (st == E_OK) st = flow_direct(&x->f, s->l, x->pos[i], s->answer, s->wrong, share, err);
    if (st == E_OK) st = flow_logit(&x->f, s->l, x->pos[i], s->answer, s->wrong, &x->logit[i], err);
    for (int k = 0; k < x->f.n_part && st == E_OK; k++)
        x->share[(int64_t)k * x->n_scene + i] = share[k];
    if (st == E_OK) x->sum[i] = total(share, x->f.n_part);
    if (st == E_OK) note_gap(&x->worst, x->sum[i], x->logit[i]);
    if (st == E_OK) st = neurons(x, i, share, err);
    if (st == E_OK) st = anew(x, i, share, err);
    arena_rewind(&x->w->mem, here);
    return st;
}

/* ---- all positions ---- */

static void *axis_tensor(dla *x, int i, const char *name, const char *axis, int64_t n)
{
    char axes[40];
    snprintf(axes, sizeof axes, "%s pos", axis);
    double *v = report_tensor(x->w->r, name, DTYPE_F64, axes, (int64_t[]){ n, x->s[i].p->n });
    report_unit(x->w->r, name, "logit");
    unknown(v, n * x->s[i].p->n);
    if (v) work_label_tokens(x->w, name, "pos", x->s[i].p);
    return v;
}

static void label_components(dla *x, const char *name)
{
    const char **list = arena_array(&x->w->mem, x->n_component + 1, sizeof *list);
    for (int k = 0; list && k < x->n_component; k++) list[k] = x->component[k].label;
    if (list) report_axis_labels(x->w->r, name, "component", x->n_component, list);
}

static void label_parts(dla *x, const char *name)
{
    const char **list = arena_array(&x->w->mem, x->f.n_part + 1, sizeof *list);
    for (int k = 0; list && k < x->f.n_part; k++) list[k] = x->f.part[k].name;
    if (list) report_axis_labels(x->w->r, name, "part", x->f.n_part, list);
}

static status every_position(dla *x, int i, error *err)
{
    scene *s = &x->s[i];
    int64_t n = s->p->n;
    char name[2][40], title[120];
    double *out = arena_array(&x->w->mem, x->f.n_part + 1, sizeof *out), logit;
    snprintf(name[0], 40, "lane%d/dla", i), snprintf(name[1], 40, "lane%d/dla.component", i);
    double *part = axis_tensor(x, i, name[0], "part", x->f.n_part),
           *each = axis_tensor(x, i, name[1], "component", x->n_component);
    status st = out && part && each ? E_OK : work_nomem(x->w, err);
    bool given = work_text(x->w, "answer") || work_text(x->w, "pairs");
    for (int32_t t = 0; t < n && st == E_OK; t++) {
        int32_t a = given || t + 1 == n ? s->answer : next_of(s, t);
        st = flow_load(&x->f, s->l, t, err);
        if (st == E_OK) st = flow_direct(&x->f, s->l, t, a, s->wrong, out, err);
        if (st == E_OK) st = flow_logit(&x->f, s->l, t, a, s->wrong, &logit, err);
        if (st != E_OK) break;
        note_gap(&x->worst, total(out, x->f.n_part), logit);
        for (int c = 0; c < x->n_component; c++) each[c * n + t] = 0;
        for (int k = 0; k < x->f.n_part; k++) {
            part[k * n + t] = out[k];
            for (int c = 0; c < x->n_component; c++)
                if (in_component(&x->f.part[k], &x->component[c])) each[c * n + t] += out[k];
        }
        st = work_tell(x->w, "dla", (double)t / (double)n, err);
    }
    label_parts(x, name[0]), label_components(x, name[1]);
    snprintf(title, sizeof title, "lane %d: direct to the logit of %s, at every position", i,
             given ? "the answer" : "the token that follows");
    if (st == E_OK)
        report_heatmap(x->w->r, title, name[1], "component", "pos",
                       &(figure_options){ .value = "share" });
    return st;
}

/* ---- what is shown ---- */

static void show_sums(dla *x)
{
    bool pair = x->s[0].wrong >= 0;
    column c[8] = { { "prompt", NULL, CELL_INT, 0, false },
                    { "position", NULL, CELL_INT, 0, false },
                    { "answer", NULL, CELL_TOKEN, 0, false },
                    { "wrong", NULL, CELL_TOKEN, 0, false } };
    int n = 3 + pair;
    c[n++] = (column){ pair ? "difference" : "logit", "logit", CELL_REAL, 0, false };
    c[n++] = (column){ "sum of parts", "logit", CELL_REAL, 0, false };
    c[n++] = (column){ "gap", "logit", CELL_REAL, 3, false };
    table *t = report_table(x->w->r, "what is attributed", n, c);
    for (int i = 0; i < x->n_scene; i++) {
        table_row(t), row_int(t, i), row_int(t, x->pos[i]);
        work_row_token(x->w, t, x->s[i].answer);
        if (pair) work_row_token(x->w, t, x->s[i].wrong);
        row_real(t, x->logit[i]), row_real(t, x->sum[i]), row_real(t, x->sum[i] - x->logit[i]);
    }
}

/* n samples of n_scene each, the largest means first: NULL when there is no memory. */
static ranked *sorted(dla *x, const double *v, int64_t n)
{
    ranked *list = arena_array(&x->w->mem, n + 1, sizeof *list);
    for (int64_t i = 0; list && i < n; i++)
        list[i] = (ranked){ sample_mean(v + i * x->n_scene, x->n_scene), i };
    if (list) rank_by_size(list, n);
    return list;
}

/* The ends of a mean's interval over prompts, where there are several. */
static void row_interval(dla *x, table *t, const double *sample, const char *name)
{
    if (x->n_scene < 2) return;
    interval v = work_interval(x->w, sample, x->n_scene, "dla.interval", name);
    row_number(t, v.low), row_number(t, v.high);
}

static void show_parts(dla *x)
{
    bool many = x->n_scene > 1;
    column c[6] = { { "part", NULL, CELL_TEXT, 0, false },
                    { "share", "logit", CELL_REAL, 0, false } };
    int n = 2;
    if (many) c[n++] = (column){ "low", NULL, CELL_REAL, 0, false };
    if (many) c[n++] = (column){ "high", NULL, CELL_REAL, 0, false };
    c[n++] = (column){ "without it", "logit", CELL_REAL, 0, false };
    c[n++] = (column){ "random tokens", "logit", CELL_REAL, 3, false };
    table *t = report_table(x->w->r, "largest parts", n, c);
    ranked *list = sorted(x, x->share, x->f.n_part);
    double draws = (double)N_DRAW * x->n_scene;
    for (int64_t i = 0; list && i < x->f.n_part && i < work_int(x->w, "top"); i++) {
        int64_t at = list[i].at * x->n_scene;
        const char *name = x->f.part[list[i].at].name;
        table_row(t), row_text(t, "%s", name), row_real(t, list[i].v);
        row_interval(x, t, x->share + at, name);
        row_number(t, sample_mean(x->without + at, x->n_scene));
        row_real(t, sqrt(x->chance[list[i].at] / draws));
    }
}

static void show_neurons(dla *x)
{
    bool many = x->n_scene > 1;
    char name[80];
    if (!x->neuron) return;
    table *t = report_table(x->w->r, "largest neurons", many ? 4 : 2,
                            (column[]){ { "neuron", NULL, CELL_TEXT, 0, false },
                                        { "share", "logit", CELL_REAL, 0, false },
                                        { "low", NULL, CELL_REAL, 0, false },
                                        { "high", NULL, CELL_REAL, 0, false } });
    ranked *list = sorted(x, x->neuron, (int64_t)x->n_mlp * x->n_neuron);
    for (int64_t i = 0; list && i < (int64_t)x->n_mlp * x->n_neuron; i++) {
        if (i >= work_int(x->w, "neurons")) break;
        const flow_part *p = &x->f.part[x->mlp[list[i].at / x->n_neuron]];
        snprintf(name, sizeof name, "blocks.%d.mlp.post[neuron=%lld]", p->layer,
                 (long long)(list[i].at % x->n_neuron));
        table_row(t), row_text(t, "%s", name), row_real(t, list[i].v);
        row_interval(x, t, x->neuron + list[i].at * x->n_scene, name);
    }
    for (int k = 0; k < x->n_mlp; k++) {
        int n = snprintf(name, sizeof name, "L%d", x->f.part[x->mlp[k]].layer);
        report_axis_token(x->w->r, "dla.neuron", "layer", k, name, (size_t)n);
    }
    report_unit(x->w->r, "dla.neuron", "logit");
}

static void show_stream(dla *x)
{
    table *t = report_table(x->w->r, "so far", 3,
                            (column[]){ { "place", NULL, CELL_TEXT, 0, false },
                                        { "frozen norm", "logit", CELL_REAL, 0, false },
                                        { "norm anew (lens)", "logit", CELL_REAL, 0, false } });
    for (int k = 0; k < x->n_place; k++) {
        table_row(t), row_text(t, "%s", x->place[k].label);
        row_real(t, sample_mean(x->far + (int64_t)k * x->n_scene, x->n_scene));
        row_real(t, sample_mean(x->lens + (int64_t)k * x->n_scene, x->n_scene));
    }
}

static double *over_prompts(dla *x, const char *name, const char *axis, int64_t n, const double *v)
{
    char axes[40];
    snprintf(axes, sizeof axes, "%s prompt", axis);
    double *out = report_tensor(x->w->r, name, DTYPE_F64, axes, (int64_t[]){ n, x->n_scene });
    report_unit(x->w->r, name, "logit");
    if (out && v) memcpy(out, v, (size_t)(n * x->n_scene) * sizeof *out);
    return out;
}

static void keep_tensors(dla *x)
{
    const char **list = arena_array(&x->w->mem, x->n_place + 1, sizeof *list);
    over_prompts(x, "dla", "part", x->f.n_part, x->share), label_parts(x, "dla");
    over_prompts(x, "dla.without", "part", x->f.n_part, x->without), label_parts(x, "dla.without");
    over_prompts(x, "dla.so_far", "place", x->n_place, x->far);
    over_prompts(x, "dla.lens", "place", x->n_place, x->lens);
    for (int k = 0; list && k < x->n_place; k++) list[k] = x->place[k].label;
    if (!list) return;
    report_axis_labels(x->w->r, "dla.so_far", "place", x->n_place, list);
    report_axis_labels(x->w->r, "dla.lens", "place", x->n_place, list);
}

/* Components with intervals as bars. */
static void draw_components(dla *x)
{
    report *r = x->w->r;
    int64_t dim[] = { x->n_component };
    double *each = arena_array(&x->w->mem, (int64_t)x->n_component * x->n_scene, sizeof *each),
           *mean = report_tensor(r, "dla.component", DTYPE_F64, "component", dim);
    bool many = x->n_scene > 1;
    double *low = many ? report_tensor(r, "dla.component.low", DTYPE_F64, "component", dim) : NULL,
           *high =
               many ? report_tensor(r, "dla.component.high", DTYPE_F64, "component", dim) : NULL;
    if (!each || !mean || (many && (!low || !high))) return;
    for (int k = 0; k < x->f.n_part; k++)
        for (int c = 0; c < x->n_component; c++)
            for (int i = 0; i < x->n_scene && in_component(&x->f.part[k], &x->component[c]); i++)
                each[c * x->n_scene + i] += x->share[k * x->n_scene + i];
    for (int c = 0; c < x->n_component; c++) {
        const double *sample = each + c * x->n_scene;
        mean[c] = sample_mean(sample, x->n_scene);
        if (!many) continue;
        interval v = work_interval(x->w, sample, x->n_scene, "dla.interval", NULL);
        low[c] = v.low, high[c] = v.high;
    }
    label_components(x, "dla.component"), report_unit(r, "dla.component", "logit");
    report_bars(r, "what each layer adds", "dla.component", "component",
                &(figure_options){ .value = "share",
                                   .low = many ? "dla.component.low" : NULL,
                                   .high = many ? "dla.component.high" : NULL });
}

static void draw_heads(dla *x)
{
    report *r = x->w->r;
    const model_config *c = &x->w->m->config;
    double *v =
        report_tensor(r, "dla.head", DTYPE_F64, "layer head", (int64_t[]){ c->n_layer, c->n_head });
    for (int k = 0; v && k < x->f.n_part; k++) {
        const flow_part *p = &x->f.part[k];
        if (p->kind == FLOW_HEAD && p->layer >= 0 && p->layer < c->n_layer && p->part < c->n_head)
            v[p->layer * c->n_head + p->part] =
                sample_mean(x->share + (int64_t)k * x->n_scene, x->n_scene);
    }
    report_axis_numbers(r, "dla.head", "layer", "L"),
        report_axis_numbers(r, "dla.head", "head", "H");
    report_unit(r, "dla.head", "logit");
    report_heatmap(r, "what each head adds", "dla.head", "layer", "head",
                   &(figure_options){ .value = "share" });
}

static double largest(const dla *x)
{
    double most = 0;
    for (int64_t i = 0; i < (int64_t)x->f.n_part * x->n_scene; i++)
        if (fabs(x->share[i]) > most) most = fabs(x->share[i]);
    return most;
}

static void say(dla *x)
{
    report *r = x->w->r;
    report_note(
        r,
        "Direct logit attribution (Elhage et al. 2021): the share of a part v is u . v, where u "
        "leads through the final norm, its scale frozen, to the logit; biases are parts of "
        "their own%s. Without it: what the logit loses when the part is taken out and the "
        "norm computed anew. Random tokens: the root mean square of its share of %d random "
        "%s a prompt. Later layers' answers to a missing part are not in it: see patch, path.",
        x->f.capped ? "; logits are those before the softcap" : "", N_DRAW,
        x->s[0].wrong < 0 ? "tokens" : "pairs of tokens");
    report_control(r, "sum of parts against the logit", x->worst,
                   "largest gap, of parts up to %.4g: rounding of the run", largest(x));
    if (x->neuron)
        report_control(r, "neurons against their MLPs", x->worst_neurons,
                       "largest gap of their sum");
    report_seed(r, "dla.tokens", x->w->seed);
    double most = x->w->e->real_bytes == 8 ? 1e-9 : 1e-2; /* far more than rounding */
    if (x->worst <= most * (1 + largest(x))) return;
    x->w->failed = true;
    report_warn(r, "the parts do not sum to the logit%s",
                work_item(x->w, "edit", 0) ? ": an edit of the logits themselves is no part" : "");
}

/* ---- the whole ---- */

static status open_all(dla *x, error *err)
{
    bool edited;
    status st = E_OK;
    if (work_text(x->w, "wrong") && !work_text(x->w, "answer"))
        st = error_set(err, E_USAGE, "dla: --wrong without --answer");
    if (st == E_OK) st = scenes_find(&x->s, &x->n_scene, x->w, "answer", "wrong", err);
    if (st == E_OK) st = find_positions(x, err);
    if (st == E_OK) st = scenes_lanes(x->s, x->n_scene, x->w, &edited, err);
    if (st == E_OK) st = unembed_open(&x->u, x->w, err);
    if (st == E_OK) st = flow_open(&x->f, x->w, x->s[0].l, err);
    if (st == E_OK) st = find_components(x, err);
    if (st == E_OK) st = find_places(x, err);
    if (st == E_OK) st = find_mlps(x, err);
    return st == E_OK ? open_memory(x, err) : st;
}

static status run(work *w, error *err)
{
    dla x = { .w = w };
    status st = open_all(&x, err);
    for (int i = 0; i < x.n_scene && st == E_OK; i++) st = ask(&x, i, err);
    if (st == E_OK) st = work_run(w, err);
    for (int i = 0; i < x.n_scene && st == E_OK; i++) st = one_scene(&x, i, err);
    if (st != E_OK) return st;
    show_sums(&x), show_parts(&x), show_neurons(&x), show_stream(&x);
    keep_tensors(&x), draw_components(&x), draw_heads(&x);
    for (int i = 0; i < x.n_scene && st == E_OK && x.all; i++) st = every_position(&x, i, err);
    say(&x);
    return st;
}

const instrument_def instrument_dla_def = {
    .name = "dla",
    .says = "Direct logit attribution: a logit as a sum of heads, MLPs, neurons and biases",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .prompts = true,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
