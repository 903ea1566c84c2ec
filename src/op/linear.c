/* op: linear(x, w, b?; layout, first, n_part, width)     y[c] = sum_k x[k] w[k][first + c] + b[first + c].
 *
 * k ascending, fma, from zero, bias last.  x is a whole line; y is n_part parts of width numbers, which
 * are columns first .. of w: several ops may share one weight (GPT-2's c_attn is q, k and v).
 * layout 0: w is [in, out], as GPT-2 stores it; 1: [out, in]. */
#include "op/op.h"

enum { TILE = 64 }; /* columns at once: how many, never in what order */

static bool by_out(const node *n) { return n->attr[0] != 0; }
static int32_t first_column(const node *n) { return (int32_t)n->attr[1]; }
static int32_t inputs(const node *n) { return n->in[0]->n_part * n->in[0]->width; }

static const char *shape(node *n)
{
    const node *w = n->in[1], *bias = n->n_in > 2 ? n->in[2] : NULL;
    n->n_part = (int32_t)n->attr[2], n->width = (int32_t)n->attr[3];
    int64_t last = first_column(n) + (int64_t)n->n_part * n->width;
    if (w->extent != WEIGHT) return "w is no weight";
    if ((by_out(n) ? w->n_part : w->n_row) != inputs(n)) return "x is not as long as w has inputs";
    if ((by_out(n) ? w->n_row : w->n_part) < last) return "w has too few outputs";
    return bias && bias->n_part < last ? "the bias is too short" : NULL;
}

/* The columns of the weight behind parts b, and the parts that use columns b. */
static box columns(const node *n, box b)
{
    int32_t f = first_column(n);
    return (box){ 0, 1, f + b.a0 * n->width, f + b.a1 * n->width };
}

static box parts(const node *n, box b, const lane *l)
{
    int32_t f = first_column(n), lo = b.a0 > f ? b.a0 - f : 0, hi = b.a1 - f;
    if (hi <= 0) return (box){ 0 };
    return (box){ 0, node_rows(n, l), lo / n->width, (hi + n->width - 1) / n->width };
}

/* A call sees its weights once, so their need may depend on parts, not on rows: by_out, all of w. */
static box reach(const node *n, int k, box b, const lane *l)
{
    if (k == 0) return reach_rows(n, k, b, l);
    return k == 1 && by_out(n) ? op_all_of(n, l) : box_cut(parts(n, b, l), op_all_of(n, l));
}

static box need(const node *n, int k, box b, const lane *l)
{
    if (k == 0) return need_rows(n, k, b, l);
    box c = columns(n, b);
    if (k == 2) return c;
    return by_out(n) ? op_all_of(n->in[1], l) : (box){ 0, n->in[1]->n_row, c.a0, c.a1 };
}

/* A unit is a tile of columns, for all lines. */
static int64_t units(const batch *b)
{
    return ((int64_t)(b->a1 - b->a0) * b->n->width + TILE - 1) / TILE;
}

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)(inputs(b->n) * (TILE + 1)) * real_bytes;
}

/* Columns [c0, c0 + n_c) as [k][TILE]. */
static void tile_fill(const batch *b, int64_t c0, int n_c, real *tile, real *line)
{
    int32_t n_k = inputs(b->n);
    for (int k = 0; k < n_k && !by_out(b->n); k++)
        op_weight(&b->w[1], k, c0, n_c, tile + (int64_t)k * TILE);
    for (int c = 0; c < n_c && by_out(b->n); c++) {
        op_weight(&b->w[1], c0 + c, 0, n_k, line);
        for (int k = 0; k < n_k; k++) tile[(int64_t)k * TILE + c] = line[k];
    }
}

static void tile_line(const real *x, const real *tile, int32_t n_k, real acc[TILE])
{
    for (int c = 0; c < TILE; c++) acc[c] = 0;
    for (int32_t k = 0; k < n_k; k++)
        for (int c = 0; c < TILE; c++) acc[c] = real_fma(x[k], tile[(int64_t)k * TILE + c], acc[c]);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t n_k = inputs(b->n);
    int64_t n_c = (int64_t)(b->a1 - b->a0) * b->n->width,
            c0 = columns(b->n, (box){ 0, 1, b->a0, b->a1 }).a0;
    real *tile = scratch, *line = tile + (int64_t)n_k * TILE, acc[TILE], bias[TILE] = { 0 };
    memset(tile, 0, (size_t)n_k * TILE * sizeof *tile); /* a last tile is not full */
    for (int64_t u = first; u < end; u++) {
        int64_t at = u * TILE;
        int m = (int)(n_c - at < TILE ? n_c - at : TILE);
        tile_fill(b, c0 + at, m, tile, line);
        if (b->n->n_in > 2) op_weight(&b->w[2], 0, c0 + at, m, bias);
        for (int64_t i = 0; i < b->n_line; i++) {
            real *y = (real *)b->y[i] + at;
            tile_line(op_same_line(b, 0, i), tile, n_k, acc);
            for (int c = 0; c < m; c++) y[c] = b->n->n_in > 2 ? acc[c] + bias[c] : acc[c];
        }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * inputs(n);
}

static node *sample(graph *g, int i)
{
    static const struct {
        int part, width, n_part, out_width, more, layout, bias;
    } s[] = {
        { 1, 5, 3, 1, 0, 0, 1 },   { 3, 7, 1, 70, 0, 1, 1 },  { 1, 33, 2, 9, 4, 0, 0 },
        { 2, 8, 129, 1, 2, 1, 0 }, { 1, 17, 5, 16, 0, 0, 1 }, { 1, 64, 4, 3, 7, 1, 1 },
        { 1, 1, 1, 1, 0, 0, 0 },   { 4, 20, 1, 65, 1, 0, 1 },
    };
    if (i >= (int)(sizeof s / sizeof *s)) return NULL;
    int in = s[i].part * s[i].width, out = s[i].n_part * s[i].out_width + 2 * s[i].more;
    node *w = s[i].layout ? sample_weight(g, i, out, in, 0) : sample_weight(g, i, in, out, 0);
    node *bias = s[i].bias ? sample_weight(g, i, 1, out, 0) : NULL;
    return graph_push(g, &op_linear_def,
                      (node *[MAX_IN]){ graph_input(g, ROW, s[i].part, s[i].width), w, bias },
                      (double[MAX_ATTR]){ s[i].layout, s[i].more, s[i].n_part, s[i].out_width });
}

const op_def op_linear_def = { .name = "linear",
                               .n_in = 3,
                               .n_optional = 1,
                               .shape = shape,
                               .reach = reach,
                               .need = need,
                               .kernel = { .units = units, .scratch = scratch_bytes, .run = run },
                               .cost = cost,
                               .sample = sample };
/* SPDX-License-Identifier: MIT */
