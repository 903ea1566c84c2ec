/* panel_avx2 -- the products of panel.h. */
#include "backend/panel.h"

#define ALWAYS __attribute__((always_inline)) static inline

enum {
    K_BLOCK = 256,   /* a panel of so many k is 16 KB: the first cache, next to six rows of x */
    COL_BLOCK = 128, /* eight such panels stay in the second while all rows pass */
    STRIP = 1024,    /* few rows: y's part of a strip stays in the first cache */
    STRIP_ROWS = 4,
    AHEAD = 4, /* rows of the weight to ask for in advance */
};

/* ---- six rows times sixteen columns ---- */

typedef enum place { PACKED, BY_ROW, BY_ROW_PART } place;

ALWAYS vec load_half(const float *w, int h, int n_col, place from)
{
    if (from != BY_ROW_PART) return vec_load(w + h * VEC);
    return n_col > h * VEC ? vec_load_part(w + h * VEC, n_col - h * VEC) : vec_splat(0.0f);
}

/* n is a constant at every call, so that acc lives in registers and the loops over r unroll. */
ALWAYS void multiply(const piece *p, int n, place from)
{
    vec acc[PANEL_ROWS][2];
    const float *x[PANEL_ROWS], *w = p->panel;
    for (int r = 0; r < n; r++) {
        x[r] = p->x[r] + p->x0;
        for (int h = 0; h < 2; h++)
            acc[r][h] =
                p->carry ? load_half(p->y[r] + p->y0, h, p->n_col, BY_ROW_PART) : vec_splat(0.0f);
    }
    for (int64_t k = 0; k < p->n_k; k++) {
        w = from == PACKED ? p->panel + k * PANEL : p->row[k] + p->col;
        vec w0 = load_half(w, 0, p->n_col, from), w1 = load_half(w, 1, p->n_col, from);
        for (int r = 0; r < n; r++) {
            vec xk = vec_splat(x[r][k]);
            acc[r][0] = vec_fma(xk, w0, acc[r][0]);
            acc[r][1] = vec_fma(xk, w1, acc[r][1]);
        }
    }
    for (int r = 0; r < n; r++) {
        for (int h = 0; h < 2 && p->n_col > h * VEC; h++)
            vec_store_part(p->y[r] + p->y0 + h * VEC, acc[r][h], p->n_col - h * VEC);
    }
}

ALWAYS void multiply_rows(const piece *p, int n_row, place from)
{
    switch (n_row) {
    case 1: multiply(p, 1, from); break;
    case 2: multiply(p, 2, from); break;
    case 3: multiply(p, 3, from); break;
    case 4: multiply(p, 4, from); break;
    case 5: multiply(p, 5, from); break;
    case 6: multiply(p, 6, from); break;
    default: break;
    }
}

void panel_multiply(const piece *p, int n_row)
{
    if (p->panel) multiply_rows(p, n_row, PACKED);
    else if (p->n_col == PANEL) multiply_rows(p, n_row, BY_ROW);
    else multiply_rows(p, n_row, BY_ROW_PART);
}

/* ---- packing ---- */

ALWAYS int64_t type_bytes(dtype t)
{
    return t == DTYPE_F32 ? 4 : t == DTYPE_F16 || t == DTYPE_BF16 ? 2 : (int64_t)dtype_bytes(t);
}

ALWAYS vec load_eight(const char *p, dtype t)
{
    if (t == DTYPE_F32) return vec_load((const float *)(const void *)p);
    if (t == DTYPE_F16) return vec_load_f16(p);
    if (t == DTYPE_BF16) return vec_load_bf16(p);
    float x[VEC];
    dtype_row_f32(t, p, x, VEC);
    return vec_load(x);
}

/* The end of a row may be the end of the file, so what lies beyond is not touched. */
ALWAYS vec load_weights(const char *row, int64_t i, int64_t n, dtype t)
{
    const char *p = row + i * type_bytes(t);
    if (n >= VEC) return load_eight(p, t);
    char end[VEC * sizeof(double)] = { 0 };
    if (n > 0) memcpy(end, p, (size_t)(n * type_bytes(t)));
    return load_eight(end, t);
}

vec panel_weights(const char *row, int64_t i, int64_t n, dtype t)
{
    switch (t) {
    case DTYPE_F32: return load_weights(row, i, n, DTYPE_F32);
    case DTYPE_F16: return load_weights(row, i, n, DTYPE_F16);
    case DTYPE_BF16: return load_weights(row, i, n, DTYPE_BF16);
    default: return load_weights(row, i, n, t);
    }
}

/* Eight rows from element i turned into eight columns; the rows that come `ahead` bytes later in
 * memory are wanted next, and too far away for the processor to guess. */
ALWAYS void load_turned(vec out[VEC], const char *const *row, int64_t i, int64_t n, int64_t ahead,
                        dtype t)
{
    for (int r = 0; r < VEC; r++) {
        vec_prefetch(row[r] + i * type_bytes(t) + ahead);
        out[r] = load_weights(row[r], i, n, t);
    }
    vec_transpose(out);
}

/* Sixteen rows [n_k] of outputs turned into a panel, eight by eight. */
ALWAYS void turn(float *panel, const char *const *row, int64_t i, int64_t n_k, int64_t ahead,
                 dtype t)
{
    for (int64_t k = 0; k < n_k; k += VEC) {
        int64_t n = n_k - k < VEC ? n_k - k : VEC;
        for (int h = 0; h < 2; h++) {
            vec w[VEC];
            load_turned(w, row + h * VEC, i + k, n, ahead, t);
            for (int r = 0; r < n; r++) vec_store(panel + (k + r) * PANEL + h * VEC, w[r]);
        }
    }
}

void panel_turn(float *panel, const float *const *row, int n_col, int64_t n_k)
{
    const char *each[PANEL];
    for (int j = 0; j < PANEL; j++) each[j] = (const char *)row[j < n_col ? j : n_col - 1];
    turn(panel, each, 0, n_k, 0, DTYPE_F32);
}

/* One block of a weight: n_k from k, n_col from col, both counted in the product. */
typedef struct block {
    int64_t k, n_k, col, n_col;
} block;

/* Panels lie a cache line further apart than they are long: at 16 KB all would meet in one set. */
static int64_t panel_step(const block *b) { return b->n_k + 1; }

ALWAYS void pack_by_out(float *panel, const product *p, const block *b, dtype t)
{
    for (int64_t c = 0; c < b->n_col; c += PANEL) {
        const char *row[PANEL];
        for (int64_t j = 0; j < PANEL; j++) {
            int64_t col = c + j < b->n_col ? c + j : b->n_col - 1;
            row[j] = p->w.base + (p->col0 + b->col + col) * p->w.row_bytes;
        }
        turn(panel + c * panel_step(b), row, p->k0 + b->k, b->n_k, PANEL * p->w.row_bytes, t);
    }
}

ALWAYS void pack_by_in(float *panel, const product *p, const block *b, dtype t)
{
    for (int64_t k = 0; k < b->n_k; k++) {
        const char *row = p->w.base + (p->k0 + b->k + k) * p->w.row_bytes;
        for (int64_t c = 0; c < b->n_col; c += VEC) {
            vec w = load_weights(row, p->col0 + b->col + c, b->n_col - c, t);
            vec_prefetch(row + AHEAD * p->w.row_bytes + (p->col0 + b->col + c) * type_bytes(t));
            vec_store(panel + c / PANEL * PANEL * panel_step(b) + k * PANEL + c % PANEL, w);
        }
    }
}

ALWAYS void pack_type(float *panel, const product *p, const block *b, dtype t)
{
    if (p->by_out) pack_by_out(panel, p, b, t);
    else pack_by_in(panel, p, b, t);
}

static void pack(float *panel, const product *p, const block *b)
{
    switch (p->w.dtype) {
    case DTYPE_F32: pack_type(panel, p, b, DTYPE_F32); break;
    case DTYPE_F16: pack_type(panel, p, b, DTYPE_F16); break;
    case DTYPE_BF16: pack_type(panel, p, b, DTYPE_BF16); break;
    default: pack_type(panel, p, b, p->w.dtype); break;
    }
}

/* ---- few rows: one pass over the weight as it lies ---- */

/* Four rows of the weight at a time, along a strip of columns, onto y. */
ALWAYS void strip_four(const product *p, int n, const block *b, dtype t)
{
    const char *w[4];
    vec x[STRIP_ROWS][4];
    for (int i = 0; i < 4; i++) {
        w[i] = p->w.base + (p->k0 + b->k + i) * p->w.row_bytes;
        for (int r = 0; r < n; r++) x[r][i] = vec_splat(p->x[r][p->x0 + b->k + i]);
    }
    for (int64_t c = 0; c < b->n_col; c += VEC) {
        int64_t left = b->n_col - c;
        vec wc[4];
        for (int i = 0; i < 4; i++) {
            int64_t at = p->col0 + b->col + c;
            vec_prefetch(w[i] + AHEAD * p->w.row_bytes + at * type_bytes(t));
            wc[i] = load_weights(w[i], at, left, t);
        }
        for (int r = 0; r < n; r++) {
            float *y = p->y[r] + p->y0 + b->col + c;
            vec acc = left < VEC ? vec_load_part(y, (int)left) : vec_load(y);
            for (int i = 0; i < 4; i++) acc = vec_fma(x[r][i], wc[i], acc);
            if (left < VEC) vec_store_part(y, acc, (int)left);
            else vec_store(y, acc);
        }
    }
}

ALWAYS void strip_one(const product *p, int n, const block *b, dtype t)
{
    const char *w = p->w.base + (p->k0 + b->k) * p->w.row_bytes;
    for (int64_t c = 0; c < b->n_col; c += VEC) {
        int64_t left = b->n_col - c;
        vec wc = load_weights(w, p->col0 + b->col + c, left, t);
        for (int r = 0; r < n; r++) {
            float *y = p->y[r] + p->y0 + b->col + c;
            vec xk = vec_splat(p->x[r][p->x0 + b->k]);
            int n_col = left < VEC ? (int)left : VEC;
            vec_store_part(y, vec_fma(xk, wc, vec_load_part(y, n_col)), n_col);
        }
    }
}

ALWAYS void strips(const product *p, int n, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += STRIP) {
        block b = { .col = c, .n_col = p->n_col - c < STRIP ? p->n_col - c : STRIP };
        for (int r = 0; r < n; r++) memset(p->y[r] + p->y0 + c, 0, (size_t)b.n_col * sizeof(float));
        for (; b.k + 4 <= p->n_k; b.k += 4) strip_four(p, n, &b, t);
        for (; b.k < p->n_k; b.k++) strip_one(p, n, &b, t);
    }
}

ALWAYS void strips_of_rows(const product *p, dtype t)
{
    switch (p->n_row) {
    case 1: strips(p, 1, t); break;
    case 2: strips(p, 2, t); break;
    case 3: strips(p, 3, t); break;
    case 4: strips(p, 4, t); break;
    default: break;
    }
}

static void few_rows(const product *p)
{
    switch (p->w.dtype) {
    case DTYPE_F32: strips_of_rows(p, DTYPE_F32); break;
    case DTYPE_F16: strips_of_rows(p, DTYPE_F16); break;
    case DTYPE_BF16: strips_of_rows(p, DTYPE_BF16); break;
    default: strips_of_rows(p, p->w.dtype); break;
    }
}

/* One row, weight by rows of outputs: sixteen sums at a time, without a panel in between. */
ALWAYS void dots(const product *p, int64_t c, dtype t)
{
    const char *row[PANEL];
    const float *x = p->x[0] + p->x0;
    int64_t n_col = p->n_col - c < PANEL ? p->n_col - c : PANEL, ahead = PANEL * p->w.row_bytes;
    for (int64_t j = 0; j < PANEL; j++)
        row[j] = p->w.base + (p->col0 + c + (j < n_col ? j : n_col - 1)) * p->w.row_bytes;
    vec acc[2] = { vec_splat(0.0f), vec_splat(0.0f) };
    for (int64_t k = 0; k < p->n_k; k += VEC) {
        int64_t n = p->n_k - k < VEC ? p->n_k - k : VEC;
        vec w[2][VEC];
        for (int h = 0; h < 2; h++) load_turned(w[h], row + h * VEC, p->k0 + k, n, ahead, t);
        for (int i = 0; i < n; i++) {
            vec xk = vec_splat(x[k + i]);
            for (int h = 0; h < 2; h++) acc[h] = vec_fma(xk, w[h][i], acc[h]);
        }
    }
    for (int h = 0; h < 2 && n_col > h * VEC; h++)
        vec_store_part(p->y[0] + p->y0 + c + h * VEC, acc[h], (int)n_col - h * VEC);
}

static void one_row(const product *p)
{
    for (int64_t c = 0; c < p->n_col; c += PANEL) {
        switch (p->w.dtype) {
        case DTYPE_F32: dots(p, c, DTYPE_F32); break;
        case DTYPE_F16: dots(p, c, DTYPE_F16); break;
        case DTYPE_BF16: dots(p, c, DTYPE_BF16); break;
        default: dots(p, c, p->w.dtype); break;
        }
    }
}

/* ---- the whole ---- */

/* Rows in groups as equal as can be: 15 are 5 + 5 + 5. */
static void panel_rows(const product *p, piece *one)
{
    int64_t n_group = (p->n_row + PANEL_ROWS - 1) / PANEL_ROWS;
    for (int64_t g = 0; g < n_group; g++) {
        int64_t first = g * p->n_row / n_group, end = (g + 1) * p->n_row / n_group;
        one->x = p->x + first;
        one->y = p->y + first;
        panel_multiply(one, (int)(end - first));
    }
}

static void column_block(const product *p, block b, float *scratch)
{
    for (b.k = 0; b.k == 0 || b.k < p->n_k; b.k += K_BLOCK) {
        b.n_k = p->n_k - b.k < K_BLOCK ? p->n_k - b.k : K_BLOCK;
        pack(scratch, p, &b);
        for (int64_t c = 0; c < b.n_col; c += PANEL) {
            piece one = { .panel = scratch + c * panel_step(&b),
                          .x0 = p->x0 + b.k,
                          .y0 = p->y0 + b.col + c,
                          .n_k = b.n_k,
                          .n_col = (int)(b.n_col - c < PANEL ? b.n_col - c : PANEL),
                          .carry = b.k > 0 };
            panel_rows(p, &one);
        }
    }
}

void product_run(const product *p, float *scratch)
{
    if (p->n_row <= STRIP_ROWS && !p->by_out) {
        few_rows(p);
        return;
    }
    if (p->n_row == 1) {
        one_row(p);
        return;
    }
    for (int64_t c = 0; c < p->n_col; c += COL_BLOCK) {
        int64_t n = p->n_col - c < COL_BLOCK ? p->n_col - c : COL_BLOCK;
        column_block(p, (block){ .col = c, .n_col = n }, scratch);
    }
}

size_t product_scratch(void) { return (K_BLOCK + 1) * COL_BLOCK * sizeof(float); }
/* SPDX-License-Identifier: MIT */
