/* instrument: corpus -- the loss of every token of a file, by position and by how frequent the token is, with edits beside
 * without.
 *
 *     loss(t) = -log p(t | the tokens of its window before it)          nats; perplexity = exp(mean loss)
 *
 * Controls: the unigram entropy of the very tokens that were predicted, which no model without context can go below; the
 * same windows with their tokens in random order, which says what order is worth; ln(vocabulary).  The interval draws
 * windows (or, of many, runs of neighbouring ones) with replacement: tokens of one window are not independent. */
#include "base/rand.h"
#include "instrument/corpus_run.h"
#include "instrument/next.h"
#include "ops.gen.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_BUCKET = 15,
    MAX_BLOCK = 4096,
    N_SHUFFLED = 16,
    MAX_TOP = 1000,
    CONTEXT = 16,
    SHOWN = 9,
    DRAWN = 96
};

static const param params[] = {
    CORPUS_PARAMS,
    { "top", PARAM_INT_IN(0, MAX_TOP), "12", "how many of the largest losses to show", ROLE_WHAT },
    { "keep", PARAM_FLAG, NULL, "every token's loss as tensors: token.id, token.loss, token.byte",
      ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* Windows that stand next to each other, by how many tokens stand before the predicted one: 1, 2-3, 4-7 ... */
typedef struct block {
    double sum[2][N_BUCKET], n[N_BUCKET]; /* losses without and with edits; tokens */
} block;

/* A token with its window up to it. */
typedef struct entry {
    double key, loss[2];
    int64_t document;
    size_t at;
    int32_t n, id;
    int32_t *context; /* [n] */
} entry;

typedef struct ranking {
    entry *e; /* [n], the smallest last */
    int n, most;
} ranking;

/* A window that is run again in another order. */
typedef struct sample {
    int32_t n, fresh;
    double *value; /* [n] ids */
    double sum;    /* its loss */
} sample;

typedef struct kept {
    int64_t *id, *byte;
    double *loss[2];
    int64_t n, cap;
} kept;

typedef struct count {
    corpus_run x;
    node *target, *logprob;
    int32_t n_vocab, window;
    double *pos_sum[2], *pos_n;   /* [window] */
    double *type_sum[2], *type_n; /* [n_vocab] */
    double n_byte;
    block *block; /* [n_block], of `per` windows each */
    int64_t n_block, per, in_block;
    ranking worst, changed;
    sample shuffled[N_SHUFFLED];
    int n_shuffled;
    double mixed; /* their loss in random order */
    kept kept;
    double *y;     /* [2 window] those of one window, without and with edits */
    prompt *first; /* the first window, to be drawn */
    double *first_loss;
} count;

/* ---- counting ---- */

static int bucket_of(int32_t row)
{
    int k = 0;
    while (row > 1 && k < N_BUCKET - 1) row /= 2, k++;
    return k;
}

/* The block that takes one more window; where there are too many, two and two become one. */
static block *next_block(count *c)
{
    if (c->n_block && c->in_block < c->per) {
        c->in_block++;
        return &c->block[c->n_block - 1];
    }
    if (c->n_block == MAX_BLOCK) {
        for (int64_t i = 0; i < MAX_BLOCK / 2; i++) {
            block a = c->block[2 * i], *b = &c->block[2 * i + 1];
            for (int k = 0; k < N_BUCKET; k++)
                a.n[k] += b->n[k], a.sum[0][k] += b->sum[0][k], a.sum[1][k] += b->sum[1][k];
            c->block[i] = a;
        }
        c->n_block = MAX_BLOCK / 2, c->per *= 2;
    }
    c->in_block = 1;
    c->block[c->n_block] = (block){ 0 };
    return &c->block[c->n_block++];
}

static int32_t least_context(const count *c)
{
    return c->window / 4 < CONTEXT ? c->window / 4 : CONTEXT;
}

/* Keep it where it is among the largest; of equals the earlier. */
static status rank(count *c, ranking *r, double key, const double loss[2], const text_window *v,
                   int32_t row, error *err)
{
    if (row < least_context(c)) return E_OK; /* a window's begin surprises whatever the text */
    if (!r->most || isnan(key) || (r->n == r->most && key <= r->e[r->n - 1].key)) return E_OK;
    int i = r->n < r->most ? r->n : r->most - 1;
    int32_t *context =
        i < r->n ? r->e[i].context : arena_array(&c->x.w->mem, c->window, sizeof *context);
    if (!context) return work_nomem(c->x.w, err);
    if (r->n < r->most) r->n++;
    for (; i > 0 && r->e[i - 1].key < key; i--) r->e[i] = r->e[i - 1];
    memcpy(context, v->p->id, (size_t)row * sizeof *context);
    r->e[i] = (entry){ .key = key,
                       .loss = { loss[0], loss[1] },
                       .document = v->document,
                       .at = v->byte[row],
                       .n = row,
                       .id = v->p->id[row],
                       .context = context };
    return E_OK;
}

/* ---- keeping ---- */

static status grow(void *array, size_t item, int64_t from, int64_t to, error *err)
{
    void **p = array, *grown = mem_resize(*p, (size_t)from * item, (size_t)to * item);
    if (!grown) return error_set(err, E_NOMEM, "corpus: out of memory for every token's loss");
    *p = grown;
    return E_OK;
}

static status keep_token(count *c, int64_t id, size_t byte, const double loss[2], error *err)
{
    kept *k = &c->kept;
    if (k->n == k->cap) {
        int64_t to = k->cap ? 2 * k->cap : 1024;
        status st = grow(&k->id, sizeof *k->id, k->cap, to, err);
        if (st == E_OK) st = grow(&k->byte, sizeof *k->byte, k->cap, to, err);
        if (st == E_OK) st = grow(&k->loss[0], sizeof(double), k->cap, to, err);
        if (st == E_OK) st = grow(&k->loss[1], sizeof(double), k->cap, to, err);
        if (st != E_OK) return st;
        k->cap = to;
    }
    k->id[k->n] = id, k->byte[k->n] = (int64_t)byte;
    k->loss[0][k->n] = loss[0], k->loss[1][k->n++] = loss[1];
    return E_OK;
}

static void free_kept(kept *k)
{
    size_t n = (size_t)k->cap * 8;
    mem_free(k->id, k->id ? n : 0), mem_free(k->byte, k->byte ? n : 0);
    mem_free(k->loss[0], k->loss[0] ? n : 0), mem_free(k->loss[1], k->loss[1] ? n : 0);
}

/* A uniform choice of windows (Vitter's algorithm R), each with its ids and its loss. */
static status maybe_sample(count *c, const text_window *v, double sum, error *err)
{
    work *w = c->x.w;
    int64_t at = c->n_shuffled < N_SHUFFLED
                     ? c->n_shuffled
                     : rand_below(w->seed, rand_stream("corpus.sample"), (uint64_t)c->x.n_window,
                                  c->x.n_window + 1);
    if (at >= N_SHUFFLED) return E_OK;
    sample *s = &c->shuffled[at];
    if (!s->value) s->value = arena_array(&w->mem, c->window, sizeof *s->value);
    if (!s->value) return work_nomem(w, err);
    if (at == c->n_shuffled) c->n_shuffled++;
    s->n = v->p->n, s->fresh = v->fresh, s->sum = sum;
    memcpy(s->value, v->p->value, (size_t)s->n * sizeof *s->value);
    return E_OK;
}

static status keep_first(count *c, const text_window *v, const double *logprob, error *err)
{
    arena *mem = &c->x.w->mem;
    int32_t n = v->p->n < DRAWN ? v->p->n : DRAWN;
    int64_t *id = arena_array(mem, n, sizeof *id);
    c->first_loss = arena_array(mem, n, sizeof *c->first_loss);
    if (!id || !c->first_loss) return work_nomem(c->x.w, err);
    for (int32_t r = 0; r < n; r++)
        id[r] = v->p->id[r], c->first_loss[r] = r ? -logprob[r - 1] : (double)NAN;
    status st = prompt_from_ids(&c->first, c->x.w->m, id, n, err);
    return st == E_OK ? work_keep(c->x.w, c->first, err) : st;
}

/* ---- a window ---- */

/* Where a model has logits for the first tokens only, the others can stand before, and never be predicted. */
static status check_targets(const count *c, const text_window *v, error *err)
{
    int32_t n = c->x.w->m->logits->n_part;
    int64_t before =
        v->first - windows_say(c->x.c).bos; /* the token of row 0, counted in its document */
    for (int32_t r = v->fresh; r < v->p->n; r++) {
        if (v->p->id[r] < n) continue;
        error_set(err, E_RANGE, "document %lld, token %lld: id %d has no logit to be predicted by",
                  (long long)v->document, (long long)(before + r), v->p->id[r]);
        error_hint(err,
                   "%s has logits for ids 0 to %d only: another may only begin a document, "
                   "without BOS before it",
                   c->x.w->m->name, n - 1);
        return E_RANGE;
    }
    return E_OK;
}

/* Row r predicts the token of row r + 1. */
static status give(corpus_run *x, const text_window *v, lane *l, error *err)
{
    count *c = x->user;
    double *t = arena_array(&x->w->mem, v->p->n, sizeof *t);
    if (!t) return error_set(err, E_NOMEM, "corpus: out of memory");
    status st = check_targets(c, v, err);
    if (st != E_OK) return st;
    for (int32_t r = 0; r + 1 < v->p->n; r++) t[r] = v->p->value[r + 1];
    return lane_give(l, c->target, t, err);
}

static status ask(corpus_run *x, const text_window *v, lane *l, error *err)
{
    count *c = x->user;
    return lane_ask(l, c->logprob, (box){ v->fresh - 1, v->p->n - 1, 0, 1 }, err);
}

static status add_token(count *c, const text_window *v, int32_t row, const double loss[2], block *b,
                        error *err)
{
    int k = bucket_of(row), id = v->p->id[row];
    for (int e = 0; e < 2; e++) {
        b->sum[e][k] += loss[e];
        c->pos_sum[e][row] += loss[e], c->type_sum[e][id] += loss[e];
    }
    b->n[k]++, c->pos_n[row]++, c->type_n[id]++;
    c->n_byte += (double)(v->byte[row + 1] - v->byte[row]);
    status st = rank(c, &c->worst, loss[0], loss, v, row, err);
    if (st == E_OK && c->x.edits)
        st = rank(c, &c->changed, fabs(loss[1] - loss[0]), loss, v, row, err);
    if (st == E_OK && work_flag(c->x.w, "keep"))
        st = keep_token(c, id, v->document_at + v->byte[row], loss, err);
    return st;
}

static status take(corpus_run *x, const text_window *v, lane *l, lane *edited, error *err)
{
    count *c = x->user;
    const box rows = { v->fresh - 1, v->p->n - 1, 0, 1 };
    int32_t n = rows.r1 - rows.r0;
    double *y = c->y, sum = 0;
    status st = lane_read(l, c->logprob, rows, y, err);
    if (st == E_OK) st = lane_read(edited ? edited : l, c->logprob, rows, y + n, err);
    if (st == E_OK && !c->first) st = keep_first(c, v, y, err);
    block *b = next_block(c);
    for (int32_t i = 0; i < n && st == E_OK; i++) {
        const double loss[2] = { -y[i], -y[n + i] };
        sum += loss[0];
        st = add_token(c, v, v->fresh + i, loss, b, err);
    }
    return st == E_OK ? maybe_sample(c, v, sum, err) : st;
}

/* ---- the control: the order of tokens ---- */

/* Fisher and Yates, from row `from` on. */
static void shuffle(double *v, int32_t from, int32_t n, uint64_t seed, uint64_t at)
{
    for (int32_t i = n - 1; i > from; i--) {
        int64_t k = from + rand_below(seed, rand_stream("corpus.shuffle"), at++, i - from + 1);
        double x = v[i];
        v[i] = v[k], v[k] = x;
    }
}

static status shuffled_loss(count *c, sample *s, int i, double *sum, error *err)
{
    work *w = c->x.w;
    lane *l = NULL;
    double *t = arena_array(&w->mem, s->n, sizeof *t);
    if (!t) return work_nomem(w, err);
    int32_t from = windows_say(c->x.c).bos || s->value[0] >= w->m->logits->n_part;
    shuffle(s->value, from, s->n, w->seed, (uint64_t)i << 32);
    for (int32_t r = 0; r + 1 < s->n; r++) t[r] = s->value[r + 1];
    status st = lane_new(&l, w->s, NULL, s->n, err);
    if (st == E_OK) st = ids_give(s->value, NULL, w->m, l, err);
    if (st == E_OK) st = lane_give(l, c->target, t, err);
    const box rows = { s->fresh - 1, s->n - 1, 0, 1 };
    if (st == E_OK) st = lane_ask(l, c->logprob, rows, err);
    if (st == E_OK) st = session_run(w->s, NULL, err);
    if (st == E_OK) st = lane_read(l, c->logprob, rows, t, err);
    for (int32_t r = 0; st == E_OK && r < rows.r1 - rows.r0; r++) *sum -= t[r];
    if (l) lane_drop(l);
    return st;
}

static status show_shuffled(count *c, error *err)
{
    double here = 0, mixed = 0, n = 0;
    status st = E_OK;
    int64_t some = 2 + c->x.n_window / 8; /* so that the control costs an eighth at most */
    if (some < c->n_shuffled) c->n_shuffled = (int)some;
    session_on_progress(c->x.w->s, NULL, NULL); /* a few runs only: they are not stopped */
    for (int i = 0; i < c->n_shuffled && st == E_OK; i++) {
        n += c->shuffled[i].n - c->shuffled[i].fresh, here += c->shuffled[i].sum;
        st = shuffled_loss(c, &c->shuffled[i], i, &mixed, err);
    }
    if (st != E_OK || !(n > 0)) return st;
    report_seed(c->x.w->r, "corpus.shuffle", c->x.w->seed);
    c->mixed = mixed / n;
    report_control(c->x.w->r, "loss, tokens in random order", c->mixed,
                   "nats; %d windows drawn at random; in their own order %.4g", c->n_shuffled,
                   here / n);
    return E_OK;
}

/* ---- tables ---- */

static double total(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return sum;
}

/* Of the tokens themselves: what a model without context could reach if it knew how often each occurs here. */
static double unigram(const count *c, double n)
{
    double h = 0;
    for (int32_t t = 0; t < c->n_vocab; t++)
        if (c->type_n[t] > 0) h -= c->type_n[t] / n * log(c->type_n[t] / n);
    return h;
}

/* Units of the bootstrap for buckets [from, to): losses without (0) or with edits (1), or their difference (2). */
static status ratio(count *c, int which, int from, int to, interval *out, error *err)
{
    arena *mem = &c->x.w->mem;
    double *sum = arena_array(mem, c->n_block + 1, sizeof *sum),
           *n = arena_array(mem, c->n_block + 1, sizeof *n);
    if (!sum || !n) return work_nomem(c->x.w, err);
    int64_t n_unit = 0; /* blocks that have any of it */
    for (int64_t i = 0; i < c->n_block; i++) {
        const block *b = &c->block[i];
        sum[n_unit] = n[n_unit] = 0;
        for (int k = from; k < to; k++) {
            sum[n_unit] += which == 2 ? b->sum[1][k] - b->sum[0][k] : b->sum[which][k];
            n[n_unit] += b->n[k];
        }
        n_unit += n[n_unit] > 0;
    }
    return interval_ratio(out, sum, n, n_unit, 0.95, c->x.w->seed, "corpus.windows", err);
}

/* One line: a loss (0: as it is, 1: with edits, 2: what they change) with its interval. */
static status show_loss(count *c, table *t, const char *what, int which, error *err)
{
    interval v = { .low = (double)NAN, .high = (double)NAN };
    error local = { 0 };
    double plain = total(c->pos_sum[0], c->window), edited = total(c->pos_sum[1], c->window),
           n = total(c->pos_n, c->window),
           mean = (which == 2 ? edited - plain
                   : which    ? edited
                              : plain) /
                  n;
    status st = ratio(c, which, 0, N_BUCKET, &v, &local);
    if (st == E_NOMEM) return error_set(err, st, "%s", local.msg);
    table_row(t), row_text(t, "%s", what), row_real(t, mean);
    row_number(t, v.low), row_number(t, v.high), row_int(t, (int64_t)n);
    if (st == E_OK) report_interval(c->x.w->r, what, &v);
    return E_OK;
}

static void show_number(table *t, const char *what, double value)
{
    table_row(t), row_text(t, "%s", what), row_real(t, value);
    row_none(t), row_none(t), row_none(t);
}

static void show_in_context(count *c, table *t)
{
    if (c->window <= 500 || c->pos_n[50] < 20 || c->pos_n[500] < 20) return;
    show_number(t, "loss at 500 minus loss at 50",
                c->pos_sum[0][500] / c->pos_n[500] - c->pos_sum[0][50] / c->pos_n[50]);
}

static status show_summary(count *c, error *err)
{
    report *r = c->x.w->r;
    double n = total(c->pos_n, c->window), mean = total(c->pos_sum[0], c->window) / n,
           entropy = unigram(c, n);
    table *t = report_table(r, "loss", 5,
                            (column[]){ { "what", NULL, CELL_TEXT, 0, false },
                                        { "value", NULL, CELL_REAL, 5, false },
                                        { "95 % low", NULL, CELL_REAL, 0, false },
                                        { "high", NULL, CELL_REAL, 0, false },
                                        { "tokens predicted", NULL, CELL_INT, 0, false } });
    status st = show_loss(c, t, "loss, nats a token", 0, err);
    if (st == E_OK && c->x.edits) st = show_loss(c, t, "loss with edits", 1, err);
    if (st == E_OK && c->x.edits) st = show_loss(c, t, "what edits change", 2, err);
    show_number(t, "perplexity", exp(mean));
    if (c->x.edits)
        show_number(t, "perplexity with edits", exp(total(c->pos_sum[1], c->window) / n));
    if (c->n_byte > 0) show_number(t, "bits a byte", mean * n / log(2) / c->n_byte);
    show_in_context(c, t);
    show_number(t, "control: no context", entropy);
    show_number(t, "control: tokens in random order", c->mixed);
    report_control(r, "loss, no context", entropy,
                   "nats: the unigram entropy of these very tokens, the least that is possible "
                   "without context");
    report_control(r, "loss, no knowledge", log(c->x.w->m->logits->n_part),
                   "nats: ln of the vocabulary");
    if (!(mean < entropy))
        report_warn(r, "the loss is no lower than without any context: another tokenizer's text, "
                       "or a model that cannot read it");
    return st;
}

/* "1", "2-3", "4-7" ...; the last one is open. */
static void bucket_text(int k, bool open, char *out, size_t bytes)
{
    long long a = 1LL << k, b = 2 * a - 1;
    if (open) snprintf(out, bytes, "%lld-", a);
    else if (a == b) snprintf(out, bytes, "%lld", a);
    else snprintf(out, bytes, "%lld-%lld", a, b);
}

static double bucket_total(const count *c, int which, int k)
{
    double sum = 0;
    for (int64_t i = 0; i < c->n_block; i++)
        sum += which < 0 ? c->block[i].n[k] : c->block[i].sum[which][k];
    return sum;
}

static status show_bucket(count *c, table *t, int k, double *v, double *low, double *high,
                          error *err)
{
    char text[48];
    interval ci = { .low = (double)NAN, .high = (double)NAN };
    error local = { 0 };
    double n = bucket_total(c, -1, k);
    bucket_text(k, k == N_BUCKET - 1, text, sizeof text);
    report_axis_token(c->x.w->r, "loss.bucket", "before", k, text, strlen(text));
    if (ratio(c, 0, k, k + 1, &ci, &local) == E_NOMEM)
        return error_set(err, E_NOMEM, "%s", local.msg);
    v[k] = bucket_total(c, 0, k) / n, low[k] = ci.low, high[k] = ci.high;
    table_row(t), row_text(t, "%s", text), row_int(t, (int64_t)n), row_real(t, v[k]);
    row_number(t, ci.low), row_number(t, ci.high);
    if (!c->x.edits) return E_OK;
    ci = (interval){ .low = (double)NAN, .high = (double)NAN };
    if (ratio(c, 2, k, k + 1, &ci, &local) == E_NOMEM)
        return error_set(err, E_NOMEM, "%s", local.msg);
    row_real(t, bucket_total(c, 1, k) / n - v[k]);
    row_number(t, ci.low), row_number(t, ci.high);
    return E_OK;
}

static status show_positions(count *c, error *err)
{
    report *r = c->x.w->r;
    int n = bucket_of(c->window - 1) + 1;
    while (n > 1 && !(bucket_total(c, -1, n - 1) > 0)) n--; /* short documents */
    double *end[3];
    static const char *const names[] = { "loss.bucket", "loss.bucket.low", "loss.bucket.high" };
    for (int k = 0; k < 3; k++) {
        end[k] = report_tensor(r, names[k], DTYPE_F64, "before", (int64_t[]){ n });
        report_unit(r, names[k], "nat");
    }
    if (!end[0] || !end[1] || !end[2]) return E_OK; /* the report says why */
    table *t = report_table(r, "by tokens before it", c->x.edits ? 8 : 5,
                            (column[]){ { "tokens before", NULL, CELL_TEXT, 0, false },
                                        { "tokens", NULL, CELL_INT, 0, false },
                                        { "loss", "nat", CELL_REAL, 0, false },
                                        { "95 % low", NULL, CELL_REAL, 0, false },
                                        { "high", NULL, CELL_REAL, 0, false },
                                        { "edits change", "nat", CELL_REAL, 0, false },
                                        { "95 % low", NULL, CELL_REAL, 0, false },
                                        { "high", NULL, CELL_REAL, 0, false } });
    status st = E_OK;
    for (int k = 0; k < n && st == E_OK; k++) {
        end[0][k] = end[1][k] = end[2][k] = (double)NAN;
        if (bucket_total(c, -1, k) > 0) st = show_bucket(c, t, k, end[0], end[1], end[2], err);
    }
    report_bars(r, "Loss by how many tokens stand before (BOS is one)", "loss.bucket", "before",
                &(figure_options){ .value = "loss", .low = names[1], .high = names[2] });
    return st;
}

/* Tokens by how often they occur among those predicted: what is rare costs more, with context or without. */
static void show_frequencies(count *c)
{
    double sum[3][N_BUCKET] = { { 0 } }, n[N_BUCKET] = { 0 }, all = total(c->pos_n, c->window);
    int64_t kinds[N_BUCKET] = { 0 };
    table *t = report_table(c->x.w->r, "by how often the token occurs", c->x.edits ? 7 : 6,
                            (column[]){ { "occurs", NULL, CELL_TEXT, 0, false },
                                        { "different tokens", NULL, CELL_INT, 0, false },
                                        { "tokens", NULL, CELL_INT, 0, false },
                                        { "loss", "nat", CELL_REAL, 0, false },
                                        { "no context", "nat", CELL_REAL, 0, false },
                                        { "gain", "nat", CELL_REAL, 0, false },
                                        { "edits change", "nat", CELL_REAL, 0, false } });
    for (int32_t id = 0; id < c->n_vocab; id++) {
        double k = c->type_n[id];
        if (!(k > 0)) continue;
        int b = 0;
        for (double x = k; x >= 2 && b < N_BUCKET - 1; x /= 2) b++;
        kinds[b]++, n[b] += k;
        sum[0][b] += c->type_sum[0][id], sum[1][b] += c->type_sum[1][id];
        sum[2][b] -= k * log(k / all);
    }
    for (int b = 0; b < N_BUCKET; b++) {
        char text[48];
        if (!kinds[b]) continue;
        bucket_text(b, b == N_BUCKET - 1, text, sizeof text);
        table_row(t), row_text(t, "%s", text), row_int(t, kinds[b]), row_int(t, (int64_t)n[b]);
        row_real(t, sum[0][b] / n[b]), row_real(t, sum[2][b] / n[b]);
        row_real(t, (sum[2][b] - sum[0][b]) / n[b]);
        if (c->x.edits) row_real(t, (sum[1][b] - sum[0][b]) / n[b]);
    }
}

/* ---- the largest ---- */

/* The likeliest token after a context, and its probability; -1: no logit is a number. */
static status expected(count *c, const entry *e, int32_t *id, double *p, error *err)
{
    work *w = c->x.w;
    lane *l = NULL;
    double *v = arena_array(&w->mem, e->n, sizeof *v), sum = 0;
    if (!v) return work_nomem(w, err);
    for (int32_t i = 0; i < e->n; i++) v[i] = e->context[i];
    status st = lane_new(&l, w->s, NULL, e->n, err);
    if (st == E_OK) st = ids_give(v, NULL, w->m, l, err);
    if (st == E_OK) st = next_ask(w, l, err);
    if (st == E_OK) st = session_run(w->s, NULL, err);
    if (st == E_OK) st = next_read(w, l, &v, err);
    if (l) lane_drop(l);
    if (st != E_OK) return st;
    int32_t n = w->m->logits->n_part;
    *id = next_likeliest(v, n), *p = (double)NAN;
    for (int32_t i = 0; i < n && *id >= 0; i++) sum += exp(v[i] - v[*id]);
    if (*id >= 0) *p = 1 / sum;
    return E_OK;
}

static void row_context(count *c, table *t, const entry *e)
{
    str text = { 0 };
    int32_t n = e->n < SHOWN ? e->n : SHOWN;
    const model *m = c->x.w->m;
    if (m->tokens) tokenizer_decode(m->tokens, e->context + e->n - n, n, true, &text);
    for (int32_t i = e->n - n; !m->tokens && i < e->n; i++)
        str_printf(&text, "%s#%d", i > e->n - n ? " " : "", e->context[i]);
    row_token(t, text.p ? text.p : "", text.n, -1);
    str_release(&text);
}

static status show_entry(count *c, table *t, const entry *e, error *err)
{
    int32_t id = -1;
    double p = 0;
    status st = expected(c, e, &id, &p, err);
    if (st != E_OK) return st;
    table_row(t), row_real(t, e->loss[0]);
    if (c->x.edits) row_real(t, e->loss[1]);
    row_context(c, t, e);
    work_row_token(c->x.w, t, e->id);
    if (id >= 0) work_row_token(c->x.w, t, id);
    else row_none(t);
    row_number(t, p);
    row_int(t, e->document), row_int(t, (int64_t)e->at);
    return E_OK;
}

static status show_ranking(count *c, const ranking *r, const char *name, error *err)
{
    const column all[] = { { "loss", "nat", CELL_REAL, 0, false },
                           { "with edits", "nat", CELL_REAL, 0, false },
                           { "context", NULL, CELL_TOKEN, 0, false },
                           { "token", NULL, CELL_TOKEN, 0, false },
                           { "likeliest", NULL, CELL_TOKEN, 0, false },
                           { "p", NULL, CELL_REAL, 0, true }, /* libm's exp */
                           { "doc", NULL, CELL_INT, 0, false },
                           { "byte", NULL, CELL_INT, 0, false } };
    column some[8];
    int n = 0;
    for (int i = 0; i < 8; i++)
        if (i != 1 || c->x.edits) some[n++] = all[i];
    table *t = report_table(c->x.w->r, name, n, some);
    status st = E_OK;
    for (int i = 0; i < r->n && st == E_OK; i++) st = show_entry(c, t, &r->e[i], err);
    return st;
}

/* ---- tensors ---- */

static void keep_positions(count *c)
{
    report *r = c->x.w->r;
    const char *names[] = { "loss.position", "loss.position.edited" };
    const int64_t dim[] = { c->window };
    for (int e = 0; e < (c->x.edits ? 2 : 1); e++) {
        double *v = report_tensor(r, names[e], DTYPE_F64, "position", dim);
        uint8_t *mark = report_marks(r, names[e]);
        report_unit(r, names[e], "nat");
        for (int32_t i = 0; v && mark && i < c->window; i++) {
            v[i] = c->pos_n[i] > 0 ? c->pos_sum[e][i] / c->pos_n[i] : (double)NAN;
            if (!(c->pos_n[i] > 0)) mark[i] = MARK_ABSENT;
        }
    }
    int64_t *n = report_tensor(r, "count.position", DTYPE_I64, "position", dim);
    for (int32_t i = 0; n && i < c->window; i++) n[i] = (int64_t)c->pos_n[i];
}

static void keep_tokens(count *c)
{
    report *r = c->x.w->r;
    const kept *k = &c->kept;
    const char *names[] = { "token.id", "token.byte", "token.loss", "token.loss.edited" };
    const void *from[] = { k->id, k->byte, k->loss[0], k->loss[1] };
    for (int i = 0; i < (c->x.edits ? 4 : 3) && k->n; i++) {
        void *v =
            report_tensor(r, names[i], i < 2 ? DTYPE_I64 : DTYPE_F64, "token", (int64_t[]){ k->n });
        if (v) memcpy(v, from[i], (size_t)k->n * 8);
        if (i > 1) report_unit(r, names[i], "nat");
    }
}

static void draw_first(count *c)
{
    report *r = c->x.w->r;
    if (!c->first) return;
    double *v = report_tensor(r, "loss.first", DTYPE_F64, "pos", (int64_t[]){ c->first->n });
    uint8_t *mark = report_marks(r, "loss.first");
    if (!v || !mark) return;
    memcpy(v, c->first_loss, (size_t)c->first->n * sizeof *v);
    mark[0] = MARK_ABSENT;
    report_unit(r, "loss.first", "nat");
    work_label_tokens(c->x.w, "loss.first", "pos", c->first);
    report_tokens(r, "How the text begins, by the loss of each token", "loss.first", "pos",
                  &(figure_options){ .value = "loss" });
}

/* ---- all of it ---- */

static status show(count *c, error *err)
{
    status st = show_shuffled(c, err);
    if (st == E_OK) st = show_summary(c, err);
    if (st == E_OK) st = show_positions(c, err);
    if (st != E_OK) return st;
    show_frequencies(c);
    keep_positions(c), keep_tokens(c);
    st = show_ranking(c, &c->worst, "largest losses", err);
    if (st == E_OK && c->x.edits) st = show_ranking(c, &c->changed, "largest changes", err);
    if (st != E_OK) return st;
    draw_first(c);
    corpus_run_show(&c->x);
    report_note(
        c->x.w->r,
        "Loss: -ln p(token | its window before it). The largest are those of tokens with at "
        "least %d before them; byte: of the document. Intervals draw windows, not tokens%s; "
        "windows of one document are not independent, so they may still be too narrow.",
        least_context(c), c->per > 1 ? ", joined to runs of neighbours" : "");
    return E_OK;
}

static status init(count *c, work *w, error *err)
{
    int64_t top = work_int(w, "top");
    graph *g = session_graph(w->s);
    c->n_vocab = w->m->config.n_vocab, c->per = 1;
    c->worst.most = c->changed.most = (int)top;
    c->target = graph_input(g, ROW, 1, 1);
    c->logprob = op_token_logprob(g, w->m->logits, c->target);
    if (!c->logprob) return error_set(err, g->err.code, "%s", g->err.msg);
    status st = corpus_run_open(&c->x, w, err);
    if (st != E_OK) return st;
    c->window = windows_say(c->x.c).window;
    for (int e = 0; e < 2; e++) {
        c->pos_sum[e] = arena_array(&w->mem, c->window, sizeof(double));
        c->type_sum[e] = arena_array(&w->mem, c->n_vocab, sizeof(double));
    }
    c->pos_n = arena_array(&w->mem, c->window, sizeof(double));
    c->type_n = arena_array(&w->mem, c->n_vocab, sizeof(double));
    c->y = arena_array(&w->mem, 2 * (int64_t)c->window, sizeof *c->y);
    c->block = arena_array(&w->mem, MAX_BLOCK, sizeof *c->block);
    c->worst.e = arena_array(&w->mem, top + 1, sizeof(entry));
    c->changed.e = arena_array(&w->mem, top + 1, sizeof(entry));
    return w->mem.failed ? work_nomem(w, err) : E_OK;
}

static status run(work *w, error *err)
{
    count c = { .x = { .give = give, .ask = ask, .take = take } };
    c.x.user = &c;
    if (w->m->config.both_ways)
        return error_set(err, E_UNSUPPORTED, "corpus: %s sees both ways: it predicts no next token",
                         w->m->name);
    status st = init(&c, w, err), shown = E_OK;
    if (st == E_OK) st = corpus_run_all(&c.x, err);
    if ((st == E_OK || st == E_INTERRUPTED) && c.x.n_window) shown = show(&c, err);
    else if (st == E_INTERRUPTED) report_note(w->r, "Stopped before the first window was done.");
    corpus_run_close(&c.x);
    free_kept(&c.kept);
    return shown == E_OK ? st : shown;
}

const instrument_def instrument_corpus_def = {
    .name = "corpus",
    .says = "Loss of every token of a file, by position and frequency",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
