/* product_vec -- whole products, for one row at the speed of memory and for many at that of arithmetic.
 *
 *   few rows, weight by inputs     one pass over the weight as it lies, onto y
 *   few rows, weight by outputs    blocks of the weight turned in registers
 *   rows, weight by inputs         a panel of the weight, packed as the first rows meet it
 *   rows, weight by outputs        the rows are turned once, and then the weight's rows are the piece's:
 *                                  nothing of the weight is moved, and what comes out is turned back */
#include "backend/panel.h"
#include "backend/weights.h"

enum {
    FEW = 4,
    SOME = 64,             /* so many rows hide what packing costs */
    SMALL_K = 128,         /* for fewer, a block that is packed and used in the first cache ... */
    SMALL_COL = 2 * PANEL, /* ... */
    LARGE_K = VEC == 16 ? 768 : 512, /* for more, rows of a piece stay in the first cache */
    LARGE_COL = 8 * PANEL,           /* and the packed block in the second */
    STRIP = 1024,                    /* few rows: y's part of a strip stays in the first cache */
    TURNED = 256 << 10,              /* floats of turned rows that stay in the second */
    STEP = 3 * VEC,                  /* outputs whose sums are turned back together */
};

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Call f(p, type) with the type as a constant. */
#define BY_TYPE(f, p, ...)                                                                         \
    switch ((p)->w.dtype) {                                                                        \
    case DTYPE_F32: f(p, __VA_ARGS__, DTYPE_F32); break;                                           \
    case DTYPE_F16: f(p, __VA_ARGS__, DTYPE_F16); break;                                           \
    case DTYPE_BF16: f(p, __VA_ARGS__, DTYPE_BF16); break;                                         \
    default: f(p, __VA_ARGS__, (p)->w.dtype); break;                                               \
    }

/* ---- few rows, weight by inputs ---- */

/* One block of a weight: n_k from k, n_col from col, both counted in the product. */
typedef struct block {
    int64_t k, n_k, col, n_col;
} block;

/* m rows of the weight at a time, along a strip of columns, onto y. */
ALWAYS void strip_rows(const product *p, float *const *onto, int n, const block *b, int m, dtype t)
{
    const char *w[4];
    vec x[FEW][4];
    for (int i = 0; i < m; i++) {
        w[i] = p->w.base + (p->k0 + b->k + i) * p->w.row_bytes;
        for (int r = 0; r < n; r++) x[r][i] = vec_splat(p->x[r][p->x0 + b->k + i]);
    }
    for (int64_t c = 0; c < b->n_col; c += VEC) {
        int64_t left = b->n_col - c, at = p->col0 + b->col + c;
        vec wc[4];
        for (int i = 0; i < m; i++) {
            vec_prefetch(w[i] + AHEAD * p->w.row_bytes + at * type_bytes(t));
            wc[i] = load_weights(w[i], at, left, t);
        }
        for (int r = 0; r < n; r++) {
            float *y = onto[r] + c;
            vec acc = left < VEC ? vec_load_part(y, (int)left) : vec_load(y);
            for (int i = 0; i < m; i++) acc = vec_fma(x[r][i], wc[i], acc);
            if (left < VEC) vec_store_part(y, acc, (int)left);
            else vec_store(y, acc);
        }
    }
}

/* What is to be added to y is summed elsewhere first. */
ALWAYS void strips(const product *p, float *scratch, int n, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += STRIP) {
        block b = { .col = c, .n_col = at_most(p->n_col - c, STRIP) };
        float *onto[FEW];
        for (int r = 0; r < n; r++) {
            onto[r] = p->add ? scratch + r * STRIP : p->y[r] + p->y0 + c;
            memset(onto[r], 0, (size_t)b.n_col * sizeof(float));
        }
        for (; b.k + 4 <= p->n_k; b.k += 4) strip_rows(p, onto, n, &b, 4, t);
        for (; b.k < p->n_k; b.k++) strip_rows(p, onto, n, &b, 1, t);
        for (int r = 0; p->add && r < n; r++) {
            float *y = p->y[r] + p->y0 + c;
            for (int64_t i = 0; i < b.n_col; i++) y[i] = y[i] + onto[r][i];
        }
    }
}

/* ---- few rows, weight by outputs ---- */

ALWAYS void sums_store(float *y, vec sum, int64_t n, bool add)
{
    int part = (int)at_most(n, VEC);
    if (add) sum = vec_add(vec_load_part(y, part), sum);
    vec_store_part(y, sum, part);
}

/* VEC sums of each row at a time, without a panel in between. */
ALWAYS void dots(const product *p, int n, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += VEC) {
        const char *row[VEC];
        vec acc[FEW];
        for (int64_t j = 0; j < VEC; j++)
            row[j] = p->w.base + (p->col0 + at_most(c + j, p->n_col - 1)) * p->w.row_bytes;
        for (int r = 0; r < n; r++) acc[r] = vec_splat(0.0f);
        for (int64_t k = 0; k < p->n_k; k += VEC) {
            int64_t n_k = at_most(p->n_k - k, VEC);
            vec w[VEC];
            load_turned(w, row, p->k0 + k, n_k, VEC * p->w.row_bytes, t);
            for (int i = 0; i < n_k; i++)
                for (int r = 0; r < n; r++)
                    acc[r] = vec_fma(vec_splat(p->x[r][p->x0 + k + i]), w[i], acc[r]);
        }
        for (int r = 0; r < n; r++) sums_store(p->y[r] + p->y0 + c, acc[r], p->n_col - c, p->add);
    }
}

ALWAYS void few_rows(const product *p, float *scratch, int n, dtype t)
{
    if (p->by_out) dots(p, n, t);
    else strips(p, scratch, n, t);
}

ALWAYS void few(const product *p, float *scratch, dtype t)
{
    switch (p->n_row) {
    case 1: few_rows(p, scratch, 1, t); break;
    case 2: few_rows(p, scratch, 2, t); break;
    case 3: few_rows(p, scratch, 3, t); break;
    case 4: few_rows(p, scratch, 4, t); break;
    default: break;
    }
}

/* ---- rows, weight by inputs ---- */

/* Panels lie a cache line further apart than they are long: at a power of two all would meet in one set. */
static int64_t panel_step(int64_t n_k) { return (n_k * PANEL) + VEC; }

ALWAYS void pack(const product *p, const block *b, float *panel, dtype t)
{
    for (int64_t k = 0; k < b->n_k; k++) {
        const char *row = p->w.base + (p->k0 + b->k + k) * p->w.row_bytes;
        for (int64_t c = 0; c < b->n_col; c += VEC) {
            float *to = panel + c / PANEL * panel_step(b->n_k) + k * PANEL + c % PANEL;
            vec_store(to, load_weights(row, p->col0 + b->col + c, b->n_col - c, t));
        }
    }
}

static bool is_some(const product *p) { return p->n_row < SOME; }

/* What is added to y must be a whole sum, so then k is one block. */
static int64_t k_block(const product *p)
{
    return p->add ? p->n_k : at_most(p->n_k, is_some(p) ? SMALL_K : LARGE_K);
}

static int64_t col_block(const product *p)
{
    return at_most(p->n_col, is_some(p) ? SMALL_COL : LARGE_COL);
}

static block block_first(const product *p) { return (block){ 0, k_block(p), 0, col_block(p) }; }

/* The one after b; n_col 0: there is none. */
static block block_next(const product *p, block b)
{
    if (is_some(p)) {
        b.col += b.n_col;
        if (b.col >= p->n_col && b.k + b.n_k < p->n_k) b.col = 0, b.k += b.n_k;
    } else {
        b.k += b.n_k;
        if (b.k >= p->n_k) b.k = 0, b.col += b.n_col;
    }
    b.n_k = at_most(p->n_k - b.k, k_block(p));
    b.n_col = at_most(p->n_col - b.col, col_block(p));
    return b;
}

static const char *weight_at(const product *p, const block *b)
{
    return p->w.base + (p->k0 + b->k) * p->w.row_bytes +
           (p->col0 + b->col) * (int64_t)dtype_bytes(p->w.dtype);
}

/* May the weight's numbers be read where they are? */
static bool plain_floats(const product *p)
{
    return p->w.dtype == DTYPE_F32 && (uintptr_t)p->w.base % sizeof(float) == 0 &&
           p->w.row_bytes % (int64_t)sizeof(float) == 0;
}

/* The piece of a block that is panel c of it; `fresh` is where the block lies when it is not packed yet. */
static piece piece_of(const product *p, const block *b, int64_t c, float *packed,
                      const float *fresh)
{
    piece one = { .x0 = p->x0 + b->k,
                  .y0 = p->y0 + b->col + c,
                  .n_k = b->n_k,
                  .n_col = (int)at_most(b->n_col - c, PANEL),
                  .how = p->add ? FINISH_ADD
                         : b->k ? FINISH_CARRY
                                : FINISH_SET };
    float *panel = packed + c / PANEL * panel_step(b->n_k);
    if (fresh) {
        one.base = fresh + c;
        one.stride = p->w.row_bytes / (int64_t)sizeof(float);
        one.pack = p->n_row > PANEL_ROWS ? panel : NULL;
    } else one.panel = panel;
    return one;
}

/* One block times all rows, in groups as equal as can be: 15 are 8 + 7.  Every piece asks for some cache lines of each
 * row of the block that comes next. */
static void block_rows(const product *p, const block *b, const block *next, float *packed,
                       const float *fresh)
{
    int64_t n_group = ceil_div(p->n_row, PANEL_ROWS), line = 0;
    int64_t n_line = next->n_col * (int64_t)dtype_bytes(p->w.dtype) / LINE;
    for (int64_t g = 0; g < n_group; g++) {
        int64_t first = g * p->n_row / n_group, end = (g + 1) * p->n_row / n_group;
        for (int64_t c = 0; c < b->n_col; c += PANEL, line += 2) {
            piece one = piece_of(p, b, c, packed, g ? NULL : fresh);
            one.x = p->x + first;
            one.y = p->y + first;
            if (line < n_line) {
                one.ahead = weight_at(p, next) + line * LINE;
                one.ahead_step = p->w.row_bytes;
            }
            panel_multiply(&one, (int)(end - first));
        }
    }
}

static void by_in(const product *p, float *panel)
{
    for (block b = block_first(p), next; b.n_col; b = next) {
        bool fresh = is_some(p) && plain_floats(p) && b.n_col % PANEL == 0;
        next = block_next(p, b);
        if (!fresh) { BY_TYPE(pack, p, &b, panel) }
        block_rows(p, &b, &next, panel,
                   fresh ? (const float *)(const void *)weight_at(p, &b) : NULL);
    }
}

/* ---- rows, weight by outputs ---- */

/* Scratch: the rows turned, sums of a step by panel, rows of the weight as floats. */
typedef struct turned {
    int64_t n_row, n_panel;
    float *x, *sum, *w;
} turned;

/* As many rows at once as stay in the second cache, turned. */
static int64_t rows_at_once(const product *p)
{
    int64_t most = TURNED / (p->n_k + 1) / PANEL * PANEL;
    return at_most(p->n_row, most < 2 * PANEL ? 2 * PANEL : most);
}

static turned turned_in(const product *p, float *scratch)
{
    turned t = { .n_panel = ceil_div(rows_at_once(p), PANEL), .x = scratch };
    t.sum = t.x + t.n_panel * PANEL * p->n_k;
    t.w = t.sum + t.n_panel * PANEL * STEP;
    return t;
}

static int64_t turned_floats(const product *p)
{
    int64_t n_panel = ceil_div(rows_at_once(p), PANEL);
    return n_panel * PANEL * (p->n_k + STEP) + (p->n_k + VEC) * PANEL_ROWS;
}

static void turn_rows(const product *p, turned *t, int64_t first)
{
    for (int64_t c = 0; c < t->n_panel; c++) {
        const float *row[PANEL];
        int64_t n = at_most(t->n_row - c * PANEL, PANEL);
        for (int64_t r = 0; r < n; r++) row[r] = p->x[first + c * PANEL + r] + p->x0;
        panel_turn(t->x + c * PANEL * p->n_k, row, (int)n, p->n_k);
    }
}

ALWAYS void widen(const product *p, int64_t col, float *out, dtype t)
{
    const char *row = p->w.base + (p->col0 + col) * p->w.row_bytes;
    for (int64_t k = 0; k < p->n_k; k += VEC)
        vec_store(out + k, load_weights(row, p->k0 + k, p->n_k - k, t));
}

/* n <= PANEL_ROWS rows of the weight from output col on, and all rows, into sums [first of the step ..]. */
static void piece_of_step(const product *p, const turned *t, int64_t col, int n, int first)
{
    const float *w[PANEL_ROWS];
    float *y[PANEL_ROWS];
    bool as_it_lies = plain_floats(p);
    for (int j = 0; j < n; j++) {
        w[j] =
            (const float *)(const void *)(p->w.base + (p->col0 + col + j) * p->w.row_bytes) + p->k0;
        if (as_it_lies) continue;
        float *wide = t->w + j * (p->n_k + VEC);
        BY_TYPE(widen, p, col + j, wide)
        w[j] = wide;
    }
    for (int64_t c = 0; c < t->n_panel; c++) {
        for (int j = 0; j < n; j++) y[j] = t->sum + (c * STEP + first + j) * PANEL;
        int64_t n_col = at_most(t->n_row - c * PANEL, PANEL);
        piece one = {
            .x = w, .y = y, .panel = t->x + c * PANEL * p->n_k, .n_k = p->n_k, .n_col = (int)n_col
        };
        panel_multiply(&one, n);
    }
}

/* Sums of n outputs from col on, turned back into rows of y. */
static void step_finish(const product *p, const turned *t, int64_t row, int64_t col, int64_t n)
{
    for (int64_t r = 0; r < t->n_row; r += VEC)
        for (int64_t j = 0; j < n; j += VEC) {
            const float *from = t->sum + (r / PANEL * STEP + j) * PANEL + r % PANEL;
            vec s[VEC];
            for (int i = 0; i < VEC; i++) s[i] = vec_load(from + i * PANEL);
            vec_transpose(s);
            for (int64_t i = 0; i < VEC && r + i < t->n_row; i++)
                sums_store(p->y[row + r + i] + p->y0 + col + j, s[i], n - j, p->add);
        }
}

static void by_out(const product *p, float *scratch)
{
    turned t = turned_in(p, scratch);
    int64_t most = rows_at_once(p), n_part = ceil_div(p->n_row, most);
    for (int64_t part = 0; part < n_part; part++) {
        int64_t row = part * p->n_row / n_part;
        t.n_row = (part + 1) * p->n_row / n_part - row;
        t.n_panel = ceil_div(t.n_row, PANEL);
        turn_rows(p, &t, row);
        for (int64_t col = 0; col < p->n_col; col += STEP) {
            int64_t n = at_most(p->n_col - col, STEP), n_piece = ceil_div(n, PANEL_ROWS);
            for (int64_t i = 0; i < n_piece; i++) {
                int64_t first = i * n / n_piece, end = (i + 1) * n / n_piece;
                piece_of_step(p, &t, col + first, (int)(end - first), (int)first);
            }
            step_finish(p, &t, row, col, n);
        }
    }
}

/* ---- the whole ---- */

void product_run(const product *p, float *scratch)
{
    if (p->n_row <= FEW) {
        BY_TYPE(few, p, scratch)
    } else if (p->by_out) by_out(p, scratch);
    else by_in(p, scratch);
}

size_t product_scratch(const product *p)
{
    int64_t n = p->n_row <= FEW ? FEW * STRIP
                : p->by_out     ? turned_floats(p)
                                : ceil_div(col_block(p), PANEL) * panel_step(k_block(p));
    return (size_t)n * sizeof(float);
}
/* SPDX-License-Identifier: MIT */
