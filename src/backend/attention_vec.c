/* attention_vec -- scores, softmax, mix, and the three as one, with the bits of their ops' files.
 *
 * A unit is up to 24 queries: those of consecutive lines by the heads that share keys and values.  A panel of keys is
 * turned and then meets all the unit's queries, some at a time; values are read where they lie.  A query's own
 * first and last keys cut the result, never the sum: a key that a query does not see is multiplied
 * in a lane of a vec whose result is thrown away, or not at all.
 *
 * The fused form does the same steps on lines of scores in scratch: memory is linear in length. */
#include "backend/kernels.h"
#include "backend/panel.h"

enum { QUERIES = 24, SLOTS = 16 }; /* SLOTS: partial sums of a reduction, docs/numerics.md */

static int32_t at_most(int32_t a, int32_t b) { return a < b ? a : b; }

/* n queries of one job, line by line: i is head part + i % n_part of line + i / n_part. */
typedef struct span {
    const batch *b;
    const node *pair; /* whose lines the scores are: it knows which keys a query sees */
    const job *job;
    int32_t line, part, n_part, n; /* first line of the batch; first query head, how many */
    float *s[QUERIES];             /* scores or pattern, from the first key seen */
} span;

static int32_t line_of(const span *a, int i) { return a->line + i / a->n_part; }

static int32_t head_of(const span *a, int i) { return a->part + i % a->n_part; }

static int32_t pos_of(const span *a, int i) { return a->b->pos[line_of(a, i)]; }

static int32_t first_key(const span *a, int i) { return node_first_key(a->pair, pos_of(a, i)); }

static int32_t keys_seen(const span *a, int i)
{
    return node_width(a->pair, pos_of(a, i), a->job->lane);
}

static int32_t end_key(const span *a, int i) { return first_key(a, i) + keys_seen(a, i); }

/* In a line that begins with part a0: the numbers before query i's head. */
static int64_t numbers_before(const span *a, int i, int32_t a0, int32_t width)
{
    return (int64_t)(head_of(a, i) - a0) * width;
}

/* Query heads that share a head of input k. */
static int32_t sharing(const node *n, const node *in) { return n->n_part / in->n_part; }

/* Rows of input k by absolute position, and where the head's numbers begin in a row. */
static const float *const *key_rows(const span *a, int k)
{
    return (const float *const *)a->b->x[k] + (a->job->x0[k] - a->job->xb[k].r0);
}

static int64_t key_offset(const span *a, int k)
{
    const node *in = a->b->in[k];
    return (int64_t)(a->part / sharing(a->pair, in) - a->job->xb[k].a0) * in->width;
}

/* Of so many queries, how many are next: groups as equal as can be. */
static int group_size(int left) { return left / ((left + PANEL_ROWS - 1) / PANEL_ROWS); }

/* ---- scores ---- */

static const node *scores_node(const batch *b)
{
    if (!b->fusion) return b->n;
    for (int i = 0; i < b->fusion->n_inner; i++)
        if (!strcmp(b->fusion->inner[i]->op->name, "scores")) return b->fusion->inner[i];
    return NULL;
}

/* From a tile of products, the numbers query i sees among keys [key, key + n): scaled, capped. */
static void scores_store(const span *a, int i, const float *tile, int32_t key, int32_t n)
{
    float scale = (float)a->pair->attr[0], cap = (float)a->pair->attr[1];
    int32_t from = first_key(a, i), to = end_key(a, i);
    for (int32_t j = from > key ? from - key : 0; j < n && key + j < to; j++) {
        float s = tile[j] * scale;
        a->s[i][key + j - from] = cap > 0.0f ? math_softcap(s, cap) : s;
    }
}

/* A panel of keys, turned, times the queries [i, i + n). */
static void scores_tile(const span *a, int i, int n, const float *panel, int32_t key, int32_t n_key)
{
    const node *q = a->b->in[0];
    const float *x[PANEL_ROWS];
    float tile[PANEL_ROWS][PANEL], *y[PANEL_ROWS];
    for (int r = 0; r < n; r++) {
        x[r] = (const float *)a->b->x[0][line_of(a, i + r)] +
               numbers_before(a, i + r, a->job->xb[0].a0, q->width);
        y[r] = tile[r];
    }
    piece p = { .x = x, .y = y, .panel = panel, .n_k = q->width, .n_col = n_key };
    panel_multiply(&p, n);
    for (int r = 0; r < n; r++) scores_store(a, i + r, tile[r], key, n_key);
}

/* Ask for a head of keys [key, end): runs as short as a head are not followed by processors. */
VEC_INLINE void keys_ahead(const span *a, int32_t key, int32_t end)
{
    for (; key < end; key++) {
        const float *row = key_rows(a, 1)[key] + key_offset(a, 1);
        for (int32_t k = 0; k < a->b->in[1]->width; k += LINE / (int)sizeof *row)
            vec_prefetch(row + k);
    }
}

/* Queries are in ascending order, and so are the first and last keys they see. */
static void scores_span(const span *a, float *panel)
{
    int32_t end = end_key(a, a->n - 1);
    for (int32_t key = first_key(a, 0); key < end; key += PANEL) {
        int32_t n_key = end - key < PANEL ? end - key : PANEL;
        const float *row[PANEL];
        for (int32_t j = 0; j < n_key; j++) row[j] = key_rows(a, 1)[key + j] + key_offset(a, 1);
        keys_ahead(a, key + PANEL, at_most(end, key + 2 * PANEL));
        panel_turn(panel, PANEL, row, n_key, a->b->in[1]->width);
        for (int i = 0, n; i < a->n; i += n) {
            n = group_size(a->n - i);
            if (end_key(a, i + n - 1) <= key || first_key(a, i) >= key + n_key) continue;
            scores_tile(a, i, n, panel, key, n_key);
        }
    }
}

/* ---- softmax ---- */

static float line_max(const float *s, int32_t n)
{
    float most[SLOTS];
    for (int j = 0; j < SLOTS; j++) most[j] = s[0];
    int32_t i = 0;
    for (; i + SLOTS <= n; i += SLOTS)
        for (int j = 0; j < SLOTS; j++) most[j] = s[i + j] > most[j] ? s[i + j] : most[j];
    for (; i < n; i++) most[0] = s[i] > most[0] ? s[i] : most[0];
    for (int j = 1; j < SLOTS; j++) most[0] = most[j] > most[0] ? most[j] : most[0];
    return most[0];
}

/* sum16.  Key k belongs to sum k % 16; here the first key of a window goes to sum 0, which rotates
 * the sums, and the tree of halves (8, 4, 2, 1 apart) does not see a rotation. */
static float line_sum(const float *e, int32_t n)
{
    float sum[SLOTS] = { 0.0f };
    int32_t i = 0;
    for (; i + SLOTS <= n; i += SLOTS)
        for (int j = 0; j < SLOTS; j++) sum[j] += e[i + j];
    for (int j = 0; i < n; i++, j++) sum[j] += e[i];
    for (int step = SLOTS / 2; step > 0; step /= 2)
        for (int j = 0; j < step; j++) sum[j] += sum[j + step];
    return sum[0];
}

static void softmax_line(float *y, const float *s, int32_t n)
{
    float most = line_max(s, n);
    for (int32_t i = 0; i < n; i++) y[i] = math_exp(s[i] - most);
    float sum = line_sum(y, n);
    for (int32_t i = 0; i < n; i++) y[i] = y[i] / sum;
}

/* ---- mix ---- */

/* The input that holds values. */
static int values_of(const batch *b) { return b->fusion ? 2 : 1; }

/* Queries [i, i + n) over keys [from, to), which all of them see, added to z. */
static void mix_keys(const span *a, int i, int n, int32_t from, int32_t to, bool carry)
{
    const float *x[PANEL_ROWS];
    float *y[PANEL_ROWS];
    if (from >= to && carry) return;
    int last = values_of(a->b);
    int32_t width = a->b->in[last]->width;
    for (int r = 0; r < n; r++) {
        x[r] = a->s[i + r] + (from - first_key(a, i + r));
        y[r] = (float *)a->b->y[line_of(a, i + r)] + numbers_before(a, i + r, a->b->a0, width);
    }
    for (int32_t col = 0; col < width; col += PANEL) {
        piece p = { .x = x,
                    .y = y,
                    .row = key_rows(a, last) + from,
                    .y0 = col,
                    .col = key_offset(a, last) + col,
                    .n_k = to - from,
                    .n_col = width - col < PANEL ? width - col : PANEL,
                    .how = carry ? FINISH_CARRY : FINISH_SET };
        panel_multiply(&p, n);
    }
}

/* Some queries: what only the earlier see, what all see, what only the later see. */
static void mix_group(const span *a, int i, int n)
{
    int32_t from = first_key(a, i + n - 1), to = end_key(a, i);
    if (from >= to) from = to = end_key(a, i + n - 1); /* nothing in common */
    for (int r = 0; r < n; r++) {
        int32_t end = end_key(a, i + r) < from ? end_key(a, i + r) : from;
        mix_keys(a, i + r, 1, first_key(a, i + r), end, false);
    }
    if (to > from) mix_keys(a, i, n, from, to, true);
    for (int r = 0; r < n; r++) mix_keys(a, i + r, 1, to, end_key(a, i + r), true);
}

static void mix_span(const span *a)
{
    for (int i = 0, n; i < a->n; i += n) mix_group(a, i, n = group_size(a->n - i));
}

/* ---- units ---- */

/* How a batch is cut: its heads into those that share a head of keys (QUERIES of them at most, and of values too), its
 * lines by as many as make up a unit. */
typedef struct cut {
    int32_t share, n_block, each; /* query heads of a key's; in so many blocks; heads of a block */
    int32_t first, n;             /* heads of keys */
    int32_t n_line;
} cut;

static cut cut_of(const batch *b)
{
    cut c = { .share = sharing(b->n, b->in[1]) };
    if (sharing(b->n, b->in[values_of(b)]) != c.share) c.share = 1;
    c.n_block = (c.share + QUERIES - 1) / QUERIES;
    c.each = (c.share + c.n_block - 1) / c.n_block;
    c.first = b->a0 / c.share;
    c.n = (b->a1 - 1) / c.share + 1 - c.first;
    c.n_line = QUERIES / c.each;
    return c;
}

static int64_t units(const batch *b)
{
    cut c = cut_of(b);
    return (int64_t)((b->n_line + c.n_line - 1) / c.n_line) * c.n * c.n_block;
}

static int32_t unit_line(const cut *c, int64_t u)
{
    return (int32_t)(u / (c->n * c->n_block)) * c->n_line;
}

/* The next lines of one job in unit u, from line `from` on; false when the unit is done. */
static bool span_next(span *a, const cut *c, int64_t u, int32_t from)
{
    const batch *b = a->b;
    int32_t end = at_most(unit_line(c, u) + c->n_line, b->n_line),
            block = (int32_t)(u % (c->n * c->n_block)),
            key = (c->first + block / c->n_block) * c->share, at = block % c->n_block * c->each;
    int32_t head = key + at, stop = at_most(key + at_most(at + c->each, c->share), b->a1),
            n_line = 1;
    if (head < b->a0) head = b->a0;
    if (from >= end || head >= stop) return false;
    a->part = head, a->n_part = stop - head;
    a->line = from;
    a->job = &b->job[b->line_job[from]];
    while (from + n_line < end && b->line_job[from + n_line] == b->line_job[from]) n_line++;
    a->n = n_line * a->n_part;
    return true;
}

static size_t panel_bytes(const batch *b)
{
    return (size_t)b->in[1]->width * PANEL * sizeof(float);
}

static size_t scores_scratch(const batch *b, size_t real_bytes)
{
    (void)real_bytes;
    return panel_bytes(b);
}

static void scores_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    cut c = cut_of(b);
    for (int64_t u = first; u < end; u++) {
        span a = { .b = b, .pair = b->n };
        for (int32_t l = unit_line(&c, u); span_next(&a, &c, u, l); l += a.n / a.n_part) {
            for (int i = 0; i < a.n; i++)
                a.s[i] =
                    (float *)b->y[line_of(&a, i)] + numbers_before(&a, i, b->a0, keys_seen(&a, i));
            scores_span(&a, scratch);
        }
    }
}

static void mix_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    cut c = cut_of(b);
    (void)scratch;
    for (int64_t u = first; u < end; u++) {
        span a = { .b = b, .pair = b->in[0] };
        for (int32_t l = unit_line(&c, u); span_next(&a, &c, u, l); l += a.n / a.n_part) {
            for (int i = 0; i < a.n; i++) /* only read */
                a.s[i] = (float *)(uintptr_t)b->x[0][line_of(&a, i)] +
                         numbers_before(&a, i, a.job->xb[0].a0, keys_seen(&a, i));
            mix_span(&a);
        }
    }
}

static void softmax_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t l = first; l < end; l++) {
        int32_t n = batch_width(b, b->n, l);
        for (int64_t p = 0; p < b->a1 - b->a0; p++)
            softmax_line((float *)b->y[l] + p * n, (const float *)b->x[0][l] + p * n, n);
    }
}

/* Lines of scores lie apart as far as the longest is long. */
static int32_t longest(const batch *b)
{
    const node *pair = scores_node(b);
    int32_t n = 0;
    for (int32_t l = 0; l < b->n_line; l++)
        if (batch_width(b, pair, l) > n) n = batch_width(b, pair, l);
    return n;
}

static size_t attention_scratch(const batch *b, size_t real_bytes)
{
    (void)real_bytes;
    return panel_bytes(b) + (size_t)longest(b) * QUERIES * sizeof(float);
}

static void attention_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int64_t apart = longest(b);
    float *panel = scratch, *lines = panel + panel_bytes(b) / sizeof(float);
    cut c = cut_of(b);
    for (int64_t u = first; u < end; u++) {
        span a = { .b = b, .pair = scores_node(b) };
        for (int i = 0; i < QUERIES; i++) a.s[i] = lines + i * apart;
        for (int32_t l = unit_line(&c, u); span_next(&a, &c, u, l); l += a.n / a.n_part) {
            scores_span(&a, panel);
            for (int i = 0; i < a.n; i++) softmax_line(a.s[i], a.s[i], keys_seen(&a, i));
            mix_span(&a);
        }
    }
}

const kernel VEC_NAME(scores) = { units, scores_scratch, scores_run };
const kernel VEC_NAME(softmax) = { NULL, NULL, softmax_run };
const kernel VEC_NAME(mix) = { units, NULL, mix_run };
const kernel VEC_NAME(attention) = { units, attention_scratch, attention_run };
/* SPDX-License-Identifier: MIT */
