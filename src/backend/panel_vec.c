/* panel_vec -- the pieces of panel.h; product_vec.c makes products of them. */
#include "backend/panel.h"
#include "backend/weights.h"

/* Where a piece's w lies. */
typedef enum place { PACKED, BY_ROW } place;

/* ---- rows times two vecs of columns ---- */

ALWAYS const float *row_at(const piece *p, int64_t k, int c, place from)
{
    if (from == BY_ROW) return p->row[k] + p->col;
    return p->panel + k * (c == 1 && p->narrow ? VEC : PANEL);
}

/* Vec h of c; only the last of rows that lie elsewhere may be cut short. */
ALWAYS vec load_vec(const piece *p, const float *w, int h, int c, place from)
{
    if (from != BY_ROW || h + 1 < c) return vec_load(w + h * VEC);
    return vec_load_part(w + h * VEC, p->n_col - h * VEC);
}

/* y = sum, or y + sum. */
ALWAYS void finish_vec(const piece *p, int r, int h, vec sum)
{
    float *y = p->y[r] + p->y0 + h * VEC;
    int n = p->n_col - h * VEC;
    if (p->how == FINISH_ADD) sum = vec_add(vec_load_part(y, n), sum);
    vec_store_part(y, sum, n);
}

/* n and c are constants at every call, so that acc lives in registers and the loops over r unroll. */
ALWAYS void multiply(const piece *p, int n, int c, place from)
{
    vec acc[PANEL_ROWS][2];
    const float *x[PANEL_ROWS];
    for (int r = 0; r < n; r++) {
        x[r] = p->x[r] + p->x0;
        for (int h = 0; h < c; h++) __builtin_prefetch(p->y[r] + p->y0 + h * VEC, 1, 3);
        for (int h = 0; h < c; h++)
            acc[r][h] = p->how == FINISH_CARRY
                            ? vec_load_part(p->y[r] + p->y0 + h * VEC, p->n_col - h * VEC)
                            : vec_splat(0.0f);
    }
    for (int64_t k = 0; k < p->n_k; k++) {
        const float *at = row_at(p, k, c, from);
        if (p->ahead) vec_prefetch(p->ahead + k * p->ahead_step);
        vec w[2];
        for (int h = 0; h < c; h++) w[h] = load_vec(p, at, h, c, from);
        for (int r = 0; r < n; r++) {
            vec xk = vec_splat(x[r][k]);
            for (int h = 0; h < c; h++) acc[r][h] = vec_fma(xk, w[h], acc[r][h]);
        }
    }
    for (int r = 0; r < n; r++)
        for (int h = 0; h < c; h++) finish_vec(p, r, h, acc[r][h]);
}

ALWAYS void multiply_rows(const piece *p, int n_row, int c, place from)
{
    switch (n_row) {
    case 1: multiply(p, 1, c, from); break;
    case 2: multiply(p, 2, c, from); break;
    case 3: multiply(p, 3, c, from); break;
    case 4: multiply(p, 4, c, from); break;
    case 5: multiply(p, 5, c, from); break;
    case 6: multiply(p, 6, c, from); break;
#if VEC == 16
    case 7: multiply(p, 7, c, from); break;
    case 8: multiply(p, 8, c, from); break;
    case 9: multiply(p, 9, c, from); break;
    case 10: multiply(p, 10, c, from); break;
    case 11: multiply(p, 11, c, from); break;
    case 12: multiply(p, 12, c, from); break;
#endif
    default: break;
    }
}

void panel_multiply(const piece *p, int n_row)
{
    bool narrow = p->n_col <= VEC;
    if (p->panel && narrow) multiply_rows(p, n_row, 1, PACKED);
    else if (p->panel) multiply_rows(p, n_row, 2, PACKED);
    else if (narrow) multiply_rows(p, n_row, 1, BY_ROW);
    else multiply_rows(p, n_row, 2, BY_ROW);
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
