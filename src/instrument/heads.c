/* instrument: heads -- what kind of head each one is, by where it looks in random tokens that are said twice.
 *
 * A sequence is [BOS?] r r, r of T distinct random tokens: nothing but the repetition can be attended to.  With A the
 * pattern of a head, n tokens, b = 1 with BOS, else 0:
 *
 *   previous          mean of A[i, i-1]            over the whole diagonal
 *   duplicate         mean of A[i, i-T]            (the same token, before)
 *   induction         mean of A[i, i-(T-1)]        (what followed it)                    "stripe"
 *   induction_strict  mean of A[i, i-(T-1)]        over the second r alone: 1 for a perfect head, always
 *   first             mean of A[i, 0], i > 0       where heads rest
 *
 * (TransformerLens' demos; a perfect induction head that rests on the first key has induction (T+1)/(T+2) with BOS.)
 * --what says what else is scored: heads_successor.c, heads_suppression.c.
 * TransformerLens' detect_head is given too: mul, sum A P / sum A, and abs, 1 - n mean |A - P|, with 0/1 patterns P,
 * the first column and the diagonal left out or not. */
#include "base/rand.h"
#include "instrument/heads.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const param params[] = {
    { "layer", PARAM_TEXT, "all", "which layers: all, or with commas and ranges: 3 or 0,4:8",
      ROLE_WHAT },
    { "what", PARAM_SOME_OF("attention successor suppression"), "attention",
      "which scores: where heads look, ordinal successors, copy suppression", ROLE_WHAT },
    { "length", PARAM_INT_FROM(2), "50", "tokens that are said twice (T)", ROLE_WHAT },
    { "sequences", PARAM_INT_IN(1, 1000), "10", "how many random sequences", ROLE_WHAT },
    { "low", PARAM_INT_FROM(0), "0", "the lowest token id that is drawn", ROLE_WHAT },
    { "high", PARAM_INT_FROM(1), NULL, "the id after the highest; all there are unless given",
      ROLE_WHAT },
    { "bos", PARAM_BOS, "auto", "begin with BOS: auto (as the tokenizer does), yes, no",
      ROLE_WHAT },
    { "tokens", PARAM_TEXT, NULL,
      "sequences of your own instead, each [BOS] r r: ids, or a JSON file of lists of ids",
      ROLE_WHAT },
    { "ordinals", PARAM_TEXT, NULL,
      "successor: a JSON file of sequences of your own, {\"days\": [\" Monday\", ..]}", ROLE_FILE },
    { "fold", PARAM_ONE_OF("none gain all"), "all",
      "successor: norms folded into what reads them: none, gain, all (gain, and centring)",
      ROLE_WHAT },
    { "top", PARAM_INT_FROM(1), "5", "so many heads are listed for each score", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

typedef enum score { PREVIOUS, DUPLICATE, INDUCTION, STRICT, FIRST, N_STRIPE } score;
static const char *const STRIPES[N_STRIPE] = { "previous", "duplicate", "induction",
                                               "induction_strict", "first" };

/* detect_head: kind of head, then measure, then what is left out. */
enum { N_DETECT = 3, N_MASK = 4, WAVE = 8 };
static const char *const DETECTS[N_DETECT] = { "previous_token_head", "duplicate_token_head",
                                               "induction_head" };

typedef struct heads {
    work *w;
    patterns x;
    int n_seq, bos; /* bos: 1 when there is one */
    int32_t period; /* T */
    prompt **repeated,
        **other;       /* [n_seq]; other: as long, never repeated; NULL: none could be made */
    int64_t n_head;    /* in all layers */
    double *stripe[2]; /* [score][head][sequence]: repeated, other */
    double *detect;    /* [kind][mul, abs][mask][head], the mean of all sequences */
    double (*even)[N_STRIPE]; /* [layer] what evenly spread attention scores */
} heads;

/* ---- sequences ---- */

/* The ids that may be drawn: in the range, and not special. */
static status candidates(work *w, int64_t **out, int64_t *n, error *err)
{
    int64_t n_vocab = w->m->config.n_vocab, low = work_int(w, "low");
    int64_t high = json_object_get(w->request, "high") ? work_int(w, "high") : n_vocab;
    status st = param_bounds("heads", "high", (double)high, 1, (double)n_vocab, err);
    if (st == E_OK) st = work_int_check(w, "low", 0, high - 1, err);
    if (st != E_OK) return st;
    *out = arena_array(&w->mem, high - low, sizeof **out);
    if (!*out) return work_nomem(w, err);
    *n = 0;
    for (int64_t id = low; id < high; id++) {
        bool special = id == w->m->config.bos_token_id ||
                       (w->m->tokens && tokenizer_is_special(w->m->tokens, (int32_t)id));
        if (!special) (*out)[(*n)++] = id;
    }
    return E_OK;
}

static status bos_id(work *w, int64_t *out, error *err)
{
    bos_policy bos = work_bos(w);
    int32_t id = w->m->tokens ? tokenizer_bos(w->m->tokens) : -1;
    *out = -1;
    if (bos == BOS_NO) return E_OK;
    if (bos == BOS_AUTO && (!w->m->tokens || !tokenizer_adds_bos(w->m->tokens))) return E_OK;
    *out = id >= 0 ? id : w->m->config.bos_token_id;
    return *out >= 0 ? E_OK : error_set(err, E_USAGE, "heads: the model states no BOS (--bos yes)");
}

/* The first n of `from` [n_from] shuffled: distinct.  Draw number `draw` of this run. */
static void shuffle(const work *w, int64_t *from, int64_t n_from, int64_t n, int64_t draw)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t index = (uint64_t)(draw * n_from + i);
        int64_t k = i + rand_below(w->seed, rand_stream("heads.tokens"), index, n_from - i);
        int64_t t = from[i];
        from[i] = from[k], from[k] = t;
    }
}

static status make_prompt(heads *h, prompt **out, const int64_t *r, const int64_t *again,
                          int64_t bos, int64_t *id, error *err)
{
    int64_t n = 0;
    if (bos >= 0) id[n++] = bos;
    memcpy(id + n, r, (size_t)h->period * sizeof *r);
    memcpy(id + n + h->period, again, (size_t)h->period * sizeof *r);
    status st = prompt_from_ids(out, h->w->m, id, n + 2 * (int64_t)h->period, err);
    return st == E_OK ? work_keep(h->w, *out, err) : st;
}

static status draw_sequences(heads *h, error *err)
{
    work *w = h->w;
    int64_t *from, n_from = 0, bos = -1, n_seq = work_int(w, "sequences"),
                   period = work_int(w, "length");
    status st = candidates(w, &from, &n_from, err);
    if (st == E_OK) st = bos_id(w, &bos, err);
    if (st != E_OK) return st;
    h->bos = bos >= 0;
    int64_t most = (w->m->config.n_ctx - h->bos) / 2;
    if (n_from < most) most = n_from;
    if (!json_object_get(w->request, "length") && period > most) period = most;
    st = param_bounds("heads", "length", (double)period, 2, (double)most, err);
    if (st != E_OK) return st;
    h->period = (int32_t)period, h->n_seq = (int)n_seq;
    int64_t *id = arena_array(&w->mem, 2 * period + 1, sizeof *id);
    h->repeated = arena_array(&w->mem, n_seq, sizeof *h->repeated);
    h->other = n_from >= 2 * period ? arena_array(&w->mem, n_seq, sizeof *h->other) : NULL;
    if (!id || w->mem.failed) return work_nomem(w, err);
    for (int i = 0; i < n_seq && st == E_OK; i++) {
        shuffle(w, from, n_from, h->other ? 2 * period : period, i);
        st = make_prompt(h, &h->repeated[i], from, from, bos, id, err);
        if (st == E_OK && h->other)
            st = make_prompt(h, &h->other[i], from, from + period, bos, id, err);
    }
    report_seed(w->r, "heads.tokens", w->seed);
    return st;
}

/* Sequences of the user's own: [BOS] r r, all of one length. */
static status read_sequences(heads *h, error *err)
{
    status st = work_listed(h->w, &h->repeated, &h->n_seq, err);
    if (st != E_OK) return st;
    int32_t n = h->repeated[0]->n;
    h->bos = n % 2, h->period = n / 2;
    if (h->period < 2)
        return error_set(err, E_USAGE, "heads: a sequence of %d tokens, expected 4 or more", n);
    for (int i = 0; i < h->n_seq; i++) {
        const prompt *p = h->repeated[i];
        bool same = p->n == n;
        for (int32_t k2 = h->bos; same && k2 < h->bos + h->period; k2++)
            same = p->id[k2] == p->id[k2 + h->period];
        if (!same)
            return error_set(
                err, E_USAGE,
                "heads: sequence %d is not [BOS] r r, of %d tokens as the first: what is "
                "scored is the repetition",
                i, n);
    }
    return E_OK;
}

/* ---- scores of one head in one sequence: a [n, n] ---- */

static double diagonal(const double *a, int32_t n, int32_t back, int32_t from)
{
    double sum = 0;
    int32_t first = back > from ? back : from;
    for (int32_t i = first; i < n; i++) sum += a[(int64_t)i * n + i - back];
    return n > first ? sum / (n - first) : 0;
}

static void stripes(const heads *h, const double *a, int32_t n, double out[N_STRIPE])
{
    int32_t t = h->period;
    out[PREVIOUS] = diagonal(a, n, 1, 0);
    out[DUPLICATE] = diagonal(a, n, t, 0);
    out[INDUCTION] = diagonal(a, n, t - 1, 0);
    out[STRICT] = diagonal(a, n, t - 1, h->bos + t);
    out[FIRST] = 0;
    for (int32_t i = 1; i < n; i++) out[FIRST] += a[(int64_t)i * n] / (n - 1);
}

/* Does P of that kind hold at (q, k)? */
static bool detects(int kind, const int32_t *id, int32_t q, int32_t k)
{
    if (kind == 0) return k == q - 1;
    if (kind == 1) return k < q && id[k] == id[q];
    return k > 0 && k <= q && id[k - 1] == id[q]; /* the one before it is the same token */
}

/* mul and abs of one kind, with the first column (mask & 1) and the diagonal (mask & 2) left out. */
static void detect(const double *a, const int32_t *id, int32_t n, int kind, int mask, double *mul,
                   double *abs_score)
{
    double hit = 0, all = 0, off = 0;
    for (int32_t q = 0; q < n; q++)
        for (int32_t k = 0; k < n; k++) {
            if (((mask & 1) && k == 0) || ((mask & 2) && k == q)) continue;
            double x = a[(int64_t)q * n + k];
            bool p = detects(kind, id, q, k);
            all += x, hit += p ? x : 0, off += fabs(x - p);
        }
    *mul = all > 0 ? hit / all : 0;
    *abs_score = 1 - off / n;
}

static double *detect_at(const heads *h, int kind, int measure, int mask)
{
    return h->detect + ((int64_t)(kind * 2 + measure) * N_MASK + mask) * h->n_head;
}

static void score_detect(heads *h, const double *v, const prompt *p)
{
    for (int64_t i = 0; i < h->n_head; i++)
        for (int kind = 0; kind < N_DETECT; kind++)
            for (int mask = 0; mask < N_MASK; mask++) {
                double mul, abs_score;
                detect(v + i * p->n * p->n, p->id, p->n, kind, mask, &mul, &abs_score);
                detect_at(h, kind, 0, mask)[i] += mul / h->n_seq;
                detect_at(h, kind, 1, mask)[i] += abs_score / h->n_seq;
            }
}

/* What evenly spread attention would score in that lane; layers may see windows of different lengths. */
static status even_scores(heads *h, const lane *l, error *err)
{
    int32_t n = lane_len(l), first;
    arena_mark here = arena_here(&h->w->mem);
    double *a = arena_array(&h->w->mem, (int64_t)n * n, sizeof *a);
    if (!a) return work_nomem(h->w, err);
    for (int i = 0; i < h->x.n_layer; i++) {
        memset(a, 0, (size_t)n * (size_t)n * sizeof *a);
        for (int32_t q = 0; q < n; q++) {
            int32_t width = pattern_keys(&h->x, i, l, q, &first);
            for (int32_t k = 0; k < width; k++) a[(int64_t)q * n + first + k] = 1.0 / width;
        }
        stripes(h, a, n, h->even[i]);
    }
    arena_rewind(&h->w->mem, here);
    return E_OK;
}

/* The first repeated sequence's patterns, for the figure. */
static void keep_patterns(heads *h, const double *v, const prompt *p)
{
    work *w = h->w;
    int64_t dim[] = { h->x.n_layer, h->x.n_head, p->n, p->n };
    float *out = report_tensor(w->r, "repeated.pattern", DTYPE_F32, "layer head query key", dim);
    if (!out) return;
    for (int64_t i = 0; i < h->n_head * p->n * p->n; i++) out[i] = (float)v[i];
    pattern_label(w, &h->x, "repeated.pattern");
    work_label_tokens(w, "repeated.pattern", "query", p);
    work_label_tokens(w, "repeated.pattern", "key", p);
}

/* Sequence i of them all: repeated ones and others by turns. */
static const prompt *sequence(const heads *h, int64_t i, bool *repeated, int *which)
{
    *repeated = !h->other || i % 2 == 0;
    *which = (int)(h->other ? i / 2 : i);
    return *repeated ? h->repeated[*which] : h->other[*which];
}

static status begin_sequence(heads *h, int64_t i, lane **l, error *err)
{
    char name[40];
    bool repeated;
    int which;
    const prompt *p = sequence(h, i, &repeated, &which);
    snprintf(name, sizeof name, "%s.%d", repeated ? "repeated" : "unrepeated", which);
    status st = work_lane(h->w, l, NULL, p, name, err);
    return st == E_OK ? pattern_ask(&h->x, *l, err) : st;
}

static status score_sequence(heads *h, int64_t i, lane *l, double *v, error *err)
{
    bool repeated;
    int which;
    const prompt *p = sequence(h, i, &repeated, &which);
    status st = pattern_read(h->w, &h->x, l, v, err);
    if (st != E_OK) return st;
    for (int64_t at = 0; at < h->n_head; at++) {
        double out[N_STRIPE];
        stripes(h, v + at * p->n * p->n, p->n, out);
        for (int k = 0; k < N_STRIPE; k++)
            h->stripe[!repeated][(k * h->n_head + at) * h->n_seq + which] = out[k];
    }
    if (repeated) score_detect(h, v, p);
    if (i) return E_OK;
    keep_patterns(h, v, p);
    return even_scores(h, l, err);
}

/* Some at a time, for the kernels' sake: no score depends on how many. */
static status score_all(heads *h, error *err)
{
    work *w = h->w;
    int64_t n = h->n_seq * (h->other ? 2 : 1), len = h->repeated[0]->n;
    lane *l[WAVE];
    double *v = arena_array(&w->mem, h->n_head * len * len, sizeof *v);
    status st = v ? E_OK : work_nomem(w, err);
    for (int64_t first = 0; first < n && st == E_OK; first += WAVE) {
        int64_t some = n - first < WAVE ? n - first : WAVE;
        for (int k = 0; k < WAVE; k++) l[k] = NULL;
        st = work_tell(w, "heads", (double)first / (double)n, err);
        for (int64_t k = 0; k < some && st == E_OK; k++)
            st = begin_sequence(h, first + k, &l[k], err);
        if (st == E_OK) st = work_run(w, err);
        for (int64_t k = 0; k < some && st == E_OK; k++)
            st = score_sequence(h, first + k, l[k], v, err);
        for (int64_t k = 0; k < some; k++)
            if (l[k]) lane_drop(l[k]);
    }
    return st;
}

/* ---- what is shown ---- */

double *heads_tensor(work *w, const patterns *x, const char *name)
{
    double *out =
        report_tensor(w->r, name, DTYPE_F64, "layer head", (int64_t[]){ x->n_layer, x->n_head });
    if (out) pattern_label(w, x, name);
    return out;
}

static double *tensor(heads *h, const char *name) { return heads_tensor(h->w, &h->x, name); }

status heads_means(work *w, const patterns *x, const heads_names *name, const double *v, int64_t n,
                   double *out[3], error *err)
{
    int64_t n_head = (int64_t)x->n_layer * x->n_head;
    status st = E_OK;
    out[0] = heads_tensor(w, x, name->mean);
    out[1] = n > 1 ? heads_tensor(w, x, name->low) : NULL;
    out[2] = n > 1 ? heads_tensor(w, x, name->high) : NULL;
    if (!out[0] || (n > 1 && (!out[1] || !out[2]))) return E_OK; /* the report says why */
    for (int64_t i = 0; i < n_head && st == E_OK; i++) {
        interval at;
        out[0][i] = sample_mean(v + i * n, n);
        if (n < 2) continue;
        st = interval_bootstrap(&at, v + i * n, n, 0.95, w->seed, name->mean, err);
        if (st == E_OK) out[1][i] = at.low, out[2][i] = at.high;
    }
    return st;
}

static status put_stripe(heads *h, int k, double *ends[2], error *err)
{
    heads_names name;
    double *out[3];
    snprintf(name.mean, sizeof name.mean, "stripe.%s", STRIPES[k]);
    snprintf(name.low, sizeof name.low, "low.%s", STRIPES[k]);
    snprintf(name.high, sizeof name.high, "high.%s", STRIPES[k]);
    status st = heads_means(h->w, &h->x, &name, h->stripe[0] + k * h->n_head * h->n_seq, h->n_seq,
                            out, err);
    ends[0] = out[1], ends[1] = out[2];
    return st;
}

/* The heads of the largest scores, the first of equal ones first. */
static void largest(const double *x, int64_t n, int64_t *top, int64_t n_top)
{
    for (int64_t i = 0, have = 0; i < n; i++) {
        int64_t k = have;
        while (k > 0 && x[i] > x[top[k - 1]]) k--;
        if (k >= n_top) continue;
        if (have < n_top) have++;
        memmove(top + k + 1, top + k, (size_t)(have - 1 - k) * sizeof *top);
        top[k] = i;
    }
}

static void list_heads(heads *h, table *t, int k, double *const ends[2], int64_t *top,
                       int64_t n_top)
{
    char name[60];
    snprintf(name, sizeof name, "stripe.%s", STRIPES[k]);
    const report_array *a = report_find_tensor(h->w->r, name);
    if (!a) return;
    const double *x = a->t.data;
    largest(x, h->n_head, top, n_top);
    for (int64_t i = 0; i < n_top; i++) {
        int64_t at = top[i];
        table_row(t), row_text(t, "%s", STRIPES[k]);
        row_int(t, h->x.layer[at / h->x.n_head]), row_int(t, at % h->x.n_head);
        row_real(t, x[at]);
        for (int e = 0; e < 2; e++) {
            if (ends[e]) row_real(t, ends[e][at]);
            else row_none(t);
        }
        if (h->other)
            row_real(t, sample_mean(h->stripe[1] + (k * h->n_head + at) * h->n_seq, h->n_seq));
        else row_none(t);
        row_real(t, h->even[at / h->x.n_head][k]);
    }
}

/* As many controls of a score as there are different ones among the layers: one, where all see as far. */
static void even_controls(heads *h, int k)
{
    for (int i = 0; i < h->x.n_layer; i++) {
        char name[60];
        bool before = false, alike = true;
        for (int j = 0; j < h->x.n_layer; j++) {
            bool same = h->even[j][k] == h->even[i][k];
            alike &= same, before |= same && j < i;
        }
        if (before) continue;
        snprintf(name, sizeof name, "%s, layer %d", STRIPES[k], h->x.layer[i]);
        report_control(h->w->r, alike ? STRIPES[k] : name, h->even[i][k],
                       "what evenly spread attention scores%s",
                       alike ? "" : " there, and where as much is seen");
    }
}

static status show_stripes(heads *h, error *err)
{
    double *ends[N_STRIPE][2];
    int64_t n_top = work_int(h->w, "top");
    if (n_top > h->n_head) n_top = h->n_head;
    int64_t *top = arena_array(&h->w->mem, n_top + 1, sizeof *top);
    status st = top ? E_OK : work_nomem(h->w, err);
    for (int k = 0; k < N_STRIPE && st == E_OK; k++) st = put_stripe(h, k, ends[k], err);
    if (st != E_OK) return st;
    table *t = report_table(h->w->r, "heads", 8,
                            (column[]){ { "score", NULL, CELL_TEXT, 0, false },
                                        { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "mean", NULL, CELL_REAL, 3, false },
                                        { "low", NULL, CELL_REAL, 3, false },
                                        { "high", NULL, CELL_REAL, 3, false },
                                        { "unrepeated", NULL, CELL_REAL, 3, false },
                                        { "even", NULL, CELL_REAL, 3, false } });
    for (int k = 0; k < N_STRIPE; k++) list_heads(h, t, k, ends[k], top, n_top);
    for (int k = 0; k < N_STRIPE; k++) {
        char name[60];
        snprintf(name, sizeof name, "stripe.%s", STRIPES[k]);
        even_controls(h, k);
        report_heatmap(h->w->r, STRIPES[k], name, "layer", "head",
                       &(figure_options){ .value = "mean weight", .span = 1 });
    }
    return E_OK;
}

static void show_other(heads *h)
{
    for (int k = 0; h->other && k < N_STRIPE; k++) {
        char name[60];
        snprintf(name, sizeof name, "unrepeated.%s", STRIPES[k]);
        double *out = tensor(h, name);
        for (int64_t i = 0; out && i < h->n_head; i++)
            out[i] = sample_mean(h->stripe[1] + (k * h->n_head + i) * h->n_seq, h->n_seq);
    }
}

static void show_detect(heads *h)
{
    for (int kind = 0; kind < N_DETECT; kind++)
        for (int measure = 0; measure < 2; measure++)
            for (int mask = 0; mask < N_MASK; mask++) {
                char name[100];
                snprintf(name, sizeof name, "detect_head.%s.%s.exclude_bos=%d.exclude_current=%d",
                         DETECTS[kind], measure ? "abs" : "mul", mask & 1, mask >> 1);
                double *out = tensor(h, name);
                if (out)
                    memcpy(out, detect_at(h, kind, measure, mask), (size_t)h->n_head * sizeof *out);
            }
}

static void explain(heads *h)
{
    report_note(
        h->w->r,
        "%d sequences of %s%d distinct random tokens said twice (T = %d). Stripe scores: "
        "mean weight A[i, i-1] (previous), A[i, i-T] (duplicate), A[i, i-(T-1)] "
        "(induction; strict: in the second half alone), A[i, 0] (first). A perfect induction "
        "head has induction %.3f and induction_strict 1.\nlow, high: 95 %% bootstrap of the "
        "mean over sequences. unrepeated: the same places in as many tokens that are all "
        "different. even: attention spread evenly.\nTensors detect_head.*: TransformerLens' "
        "detect_head, mul and abs (not rounded), with the first key and the diagonal left out "
        "or not.",
        h->n_seq, h->bos ? "BOS and " : "", h->period, h->period,
        h->bos ? (h->period + 1) / (h->period + 2.0) : 1);
}

static status allocate(heads *h, error *err)
{
    arena *mem = &h->w->mem;
    h->n_head = (int64_t)h->x.n_layer * h->x.n_head;
    for (int k = 0; k < 2; k++)
        h->stripe[k] = arena_array(mem, N_STRIPE * h->n_head * h->n_seq, sizeof(double));
    h->detect = arena_array(mem, (int64_t)N_DETECT * 2 * N_MASK * h->n_head, sizeof(double));
    h->even = arena_array(mem, h->x.n_layer, sizeof *h->even);
    return mem->failed ? work_nomem(h->w, err) : E_OK;
}

static status attention(heads *h, error *err)
{
    status st = allocate(h, err);
    if (st == E_OK) st = score_all(h, err);
    if (st == E_OK) st = show_stripes(h, err);
    if (st != E_OK) return st;
    show_other(h);
    show_detect(h);
    report_heads(h->w->r, "Patterns in the first sequence", "repeated.pattern",
                 &(figure_options){ .value = "attention weight" });
    explain(h);
    return E_OK;
}

static status run(work *w, error *err)
{
    heads h = { .w = w };
    const char *what = work_text(w, "what");
    bool looks = str_listed(what, "attention"), lowers = str_listed(what, "suppression");
    status st = work_only_among(w, "what", "successor", "ordinals", err);
    if (st == E_OK) st = work_only_among(w, "what", "attention,suppression", "tokens", err);
    if (st == E_OK) st = pattern_layers(w, "layer", &h.x, err);
    if (st == E_OK && (looks || lowers))
        st = work_text(w, "tokens") ? read_sequences(&h, err) : draw_sequences(&h, err);
    if (st == E_OK && looks) st = attention(&h, err);
    if (st == E_OK && str_listed(what, "successor")) st = heads_successor(w, err);
    repeats s = { h.repeated, h.n_seq, h.bos, h.period };
    return st == E_OK && lowers ? heads_suppression(w, &h.x, &s, err) : st;
}

const instrument_def instrument_heads_def = {
    .name = "heads",
    .says = "What kind of head each is: induction, previous, duplicate, successor, suppression",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
