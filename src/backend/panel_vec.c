/* panel_vec -- the pieces of panel.h; product_vec.c makes products of them. */
#include "backend/panel.h"
#include "backend/weights.h"

/* Where a piece's w lies. */
typedef enum place { PACKED, BY_ROW } place;

/* ---- rows times two vecs of columns ---- */

/* How much of a panel is computed: one vec; that and half a vec (of sixteen floats, packed: 17 to 24 columns take
 * three quarters of the time); or two vecs. */
typedef enum width { ONE = 1, AND_HALF, TWO } width;

ALWAYS int vecs(width c) { return c == TWO ? 2 : 1; }

ALWAYS const float *row_at(const piece *p, int64_t k, width c, place from)
{
    if (from == BY_ROW) return p->row[k] + p->col;
    return p->panel + k * (c == ONE && p->narrow ? VEC : PANEL);
}

/* Vec h of c; only the last of rows that lie elsewhere may be cut short. */
ALWAYS vec load_vec(const piece *p, const float *w, int h, width c, place from)
{
    if (from != BY_ROW || h + 1 < vecs(c)) return vec_load(w + h * VEC);
    return vec_load_part(w + h * VEC, p->n_col - h * VEC);
}

/* Where sum r begins, from its vec h on. */
ALWAYS vec first_vec(const piece *p, int r, int h)
{
    if (p->how != FINISH_CARRY) return vec_splat(0.0f);
    return vec_load_part(p->y[r] + p->y0 + h * VEC, p->n_col - h * VEC);
}

ALWAYS vec8 first_half(const piece *p, int r)
{
    if (p->how != FINISH_CARRY) return vec8_splat(0.0f);
    return vec8_load_part(p->y[r] + p->y0 + VEC, p->n_col - VEC);
}

/* y = sum, or y + sum. */
ALWAYS void finish_vec(const piece *p, int r, int h, vec sum)
{
    float *y = p->y[r] + p->y0 + h * VEC;
    int n = p->n_col - h * VEC;
    if (p->how == FINISH_ADD) sum = vec_add(vec_load_part(y, n), sum);
    vec_store_part(y, sum, n);
}

ALWAYS void finish_half(const piece *p, int r, vec8 sum)
{
    float *y = p->y[r] + p->y0 + VEC;
    if (p->how == FINISH_ADD) sum = vec8_add(vec8_load_part(y, p->n_col - VEC), sum);
    vec8_store_part(y, sum, p->n_col - VEC);
}

enum { AHEAD = 16 }; /* rows */

/* n and c are constants at every call, so that sums live in registers and the loops over r unroll. */
ALWAYS void multiply(const piece *p, int n, width c, place from)
{
    vec acc[PANEL_ROWS][2];
    vec8 half[PANEL_ROWS];
    const float *x[PANEL_ROWS];
    for (int r = 0; r < n; r++) {
        x[r] = p->x[r] + p->x0;
        for (int h = 0; h < vecs(c); h++) __builtin_prefetch(p->y[r] + p->y0 + h * VEC, 1, 3);
        for (int h = 0; h < vecs(c); h++) acc[r][h] = first_vec(p, r, h);
        if (c == AND_HALF) half[r] = first_half(p, r);
    }
    for (int64_t k = 0; k < p->n_k; k++) {
        const float *at = row_at(p, k, c, from);
        if (p->ahead) vec_prefetch(p->ahead + k * p->ahead_step);
        if (from == BY_ROW && k + AHEAD < p->n_k) /* they may lie anywhere */
            for (int h = 0; h < vecs(c); h++) vec_prefetch(p->row[k + AHEAD] + p->col + h * VEC);
        vec w[2];
        for (int h = 0; h < vecs(c); h++) w[h] = load_vec(p, at, h, c, from);
        for (int r = 0; r < n; r++) {
            vec xk = vec_splat(x[r][k]);
            for (int h = 0; h < vecs(c); h++) acc[r][h] = vec_fma(xk, w[h], acc[r][h]);
            if (c == AND_HALF)
                half[r] = vec8_fma(vec8_splat(x[r][k]), vec8_load(at + VEC), half[r]);
        }
    }
    for (int r = 0; r < n; r++) {
        for (int h = 0; h < vecs(c); h++) finish_vec(p, r, h, acc[r][h]);
        if (c == AND_HALF) finish_half(p, r, half[r]);
    }
}

ALWAYS void multiply_rows(const piece *p, int n_row, width c, place from)
{
#define CASE(i)                                                                                    \
    case i:                                                                                        \
        if (i <= PANEL_ROWS) multiply(p, i, c, from);                                              \
        break;
    switch (n_row) {
        NUMBERS_OF_ROWS(CASE)
    default: break;
    }
#undef CASE
}

void panel_multiply(const piece *p, int n_row)
{
    bool narrow = p->n_col <= VEC, half = VEC == 16 && p->n_col <= VEC + VEC8;
    if (p->panel && narrow) multiply_rows(p, n_row, ONE, PACKED);
    else if (p->panel && half) multiply_rows(p, n_row, AND_HALF, PACKED);
    else if (p->panel) multiply_rows(p, n_row, TWO, PACKED);
    else if (narrow) multiply_rows(p, n_row, ONE, BY_ROW);
    else multiply_rows(p, n_row, TWO, BY_ROW);
}

/* ---- packing ---- */

vec panel_weights(const char *row, int64_t i, int64_t n, dtype t)
{
    switch (t) {
    case DTYPE_F32: return load_weights(row, i, n, DTYPE_F32);
    case DTYPE_F16: return load_weights(row, i, n, DTYPE_F16);
    case DTYPE_BF16: return load_weights(row, i, n, DTYPE_BF16);
    default: return load_weights(row, i, n, t);
    }
}

void panel_turn(float *panel, int step, const float *const *row, int n_col, int64_t n_k)
{
    for (int h = 0; h * VEC < n_col; h++) {
        const char *each[VEC];
        for (int j = 0; j < VEC; j++) {
            int col = h * VEC + j < n_col ? h * VEC + j : n_col - 1;
            each[j] = (const char *)row[col];
        }
        for (int64_t k = 0; k < n_k; k += VEC) {
            int64_t n = n_k - k < VEC ? n_k - k : VEC;
            vec w[VEC];
            load_turned(w, each, k, n, NULL, DTYPE_F32);
            for (int r = 0; r < n; r++) vec_store(panel + (k + r) * step + h * VEC, w[r]);
        }
    }
}
/* SPDX-License-Identifier: MIT */
