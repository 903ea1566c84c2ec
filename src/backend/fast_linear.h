/* fast_linear -- x W + b in three-part bf16: the kernel, over fast_tile.h; fast_amx.c and fast_plain.c are it.
 *
 * A float is the sum of three bf16 numbers, h + m + l, exactly (unless the smallest of them is below 2^-126): each
 * holds eight bits, and the signs make up for the rest.  Of the nine products of parts the six largest are kept;
 * they go into one sum of floats, smallest first, block by block of 32 k.  Which rows are computed together, and by
 * whom, changes nothing: each entry has its own sum, in this order. */
#ifndef MICROTOME_BACKEND_FAST_LINEAR_H
#define MICROTOME_BACKEND_FAST_LINEAR_H
#include "backend/fast.h"
#include "backend/fast_tile.h"
#include "backend/grid.h"
#include "tensor/dtype.h"

enum {
    PARTS = 3,
    STEP = 2 * TILE_SIDE, /* two by two tiles of sums */
    ROWS = 128,           /* rows that are packed together: they stay in the second cache */
    ALIGN = 64,
};

/* One stretch of work, and where its packed sides are: [part][tile of 16][block of k][512]. */
typedef struct sides {
    const batch *b;
    int64_t n_k, n_block;
    int w_parts; /* of a BF16 weight one part is all there is, of F16 two */
    int64_t row, n_row, col, n_col;
    uint16_t *x, *w;
    float *sum, *line;
} sides;

static int64_t inputs_of(const batch *b) { return (int64_t)b->in[0]->n_part * b->in[0]->width; }

static bool stored_by_out(const batch *b) { return b->n->attr[0] != 0.0; }

static grid grid_here(const batch *b)
{
    return grid_of(b->n_line, (int64_t)(b->a1 - b->a0) * b->n->width, STEP);
}

static int64_t fast_units(const batch *b)
{
    grid g = grid_here(b);
    return grid_units(&g);
}

/* ---- parts ---- */

/* To the nearest; what would become infinite is cut instead. */
static uint16_t nearest(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    uint16_t h = dtype_to_bf16(x);
    return isfinite(dtype_bf16(h)) ? h : (uint16_t)(u >> 16);
}

static void split(float x, uint16_t part[PARTS])
{
    part[1] = part[2] = 0;
    if (!isfinite(x)) {
        part[0] = dtype_to_bf16(x);
        return;
    }
    part[0] = nearest(x);
    float rest = x - dtype_bf16(part[0]);
    part[1] = nearest(rest);
    part[2] = nearest(rest - dtype_bf16(part[1]));
}

/* ---- packing ---- */

static uint16_t *tile_at(uint16_t *side, int part, int64_t n_tile, int64_t tile, int64_t n_block,
                         int64_t block)
{
    return side + (((int64_t)part * n_tile + tile) * n_block + block) * TILE_PARTS;
}

static int64_t tiles_of(int64_t n) { return (n + TILE_SIDE - 1) / TILE_SIDE; }

static void pack_rows(const sides *s)
{
    int64_t n_tile = tiles_of(s->n_row);
    memset(s->x, 0, (size_t)(PARTS * n_tile * s->n_block) * TILE_PARTS * sizeof *s->x);
    for (int64_t r = 0; r < s->n_row; r++) {
        const float *x = s->b->x[0][s->row + r];
        for (int64_t k = 0; k < s->n_k; k++) {
            uint16_t part[PARTS];
            split(x[k], part);
            for (int i = 0; i < PARTS; i++)
                tile_at(s->x, i, n_tile, r / TILE_SIDE, s->n_block,
                        k / TILE_K)[r % TILE_SIDE * TILE_K + k % TILE_K] = part[i];
        }
    }
}

static void put_weight(const sides *s, int64_t k, int64_t c, float x)
{
    uint16_t part[PARTS];
    split(x, part);
    for (int i = 0; i < s->w_parts; i++)
        tile_at(s->w, i, 2, c / TILE_SIDE, s->n_block,
                k / TILE_K)[k % TILE_K / 2 * TILE_K + 2 * (c % TILE_SIDE) + k % 2] = part[i];
}

/* n_col <= STEP columns of the weight from the col-th computed one on. */
static void pack_columns(const sides *s, int64_t col, int64_t n_col)
{
    const weight_view *w = &s->b->w[1];
    int64_t first = (int64_t)s->b->n->attr[1] + (int64_t)s->b->a0 * s->b->n->width + col;
    memset(s->w, 0, (size_t)(s->w_parts * 2 * s->n_block) * TILE_PARTS * sizeof *s->w);
    if (stored_by_out(s->b)) {
        for (int64_t c = 0; c < n_col; c++) {
            dtype_row_f32(w->dtype, weight_at(w, first + c), s->line, s->n_k);
            for (int64_t k = 0; k < s->n_k; k++) put_weight(s, k, c, s->line[k]);
        }
        return;
    }
    for (int64_t k = 0; k < s->n_k; k++) {
        dtype_part_f32(w->dtype, weight_at(w, k), first, n_col, s->line);
        for (int64_t c = 0; c < n_col; c++) put_weight(s, k, c, s->line[c]);
    }
}

/* ---- sums ---- */

/* Two tiles of rows (or one, the last) by two of columns, into sum [2][2][16][16]. */
static void multiply(const sides *s, tiles *t, int64_t tile, bool pair)
{
    int64_t n_tile = tiles_of(s->n_row);
    (void)t;
    tile_fence();
    tile_zero(t, 0);
    tile_zero(t, 1);
    tile_zero(t, 2);
    tile_zero(t, 3);
    for (int64_t block = 0; block < s->n_block; block++)
        for (int rank = PARTS - 1; rank >= 0; rank--)
            for (int i = rank; i >= 0; i--) {
                if (rank - i >= s->w_parts) continue;
                tile_load(t, 6, tile_at(s->w, rank - i, 2, 0, s->n_block, block));
                tile_load(t, 7, tile_at(s->w, rank - i, 2, 1, s->n_block, block));
                tile_load(t, 4, tile_at(s->x, i, n_tile, tile, s->n_block, block));
                tile_dot(t, 0, 4, 6);
                tile_dot(t, 1, 4, 7);
                if (!pair) continue;
                tile_load(t, 5, tile_at(s->x, i, n_tile, tile + 1, s->n_block, block));
                tile_dot(t, 2, 5, 6);
                tile_dot(t, 3, 5, 7);
            }
    enum { TILE = TILE_SIDE * TILE_SIDE };
    tile_store(t, 0, s->sum);
    tile_store(t, 1, s->sum + TILE);
    tile_store(t, 2, s->sum + 2 * TILE);
    tile_store(t, 3, s->sum + 3 * TILE);
    tile_fence();
}

/* Sums of rows from r0 on and n_col columns from col on, with their bias, into y. */
static void finish(const sides *s, int64_t r0, int64_t col, int64_t n_col)
{
    const weight_view *bias = &s->b->w[2];
    int64_t first = (int64_t)s->b->n->attr[1] + (int64_t)s->b->a0 * s->b->n->width + col;
    if (bias->base) dtype_part_f32(bias->dtype, bias->base, first, n_col, s->line);
    for (int64_t r = 0; r < STEP && r0 + r < s->n_row; r++) {
        float *y = (float *)s->b->y[s->row + r0 + r] + col;
        for (int64_t c = 0; c < n_col; c++) {
            float v = s->sum[((r / TILE_SIDE * 2 + c / TILE_SIDE) * TILE_SIDE + r % TILE_SIDE) *
                                 TILE_SIDE +
                             c % TILE_SIDE];
            y[c] = bias->base ? v + s->line[c] : v;
        }
    }
}

/* ---- the kernel ---- */

static size_t padded(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static size_t fast_scratch(const batch *b, size_t real_bytes)
{
    int64_t n_k = inputs_of(b), n_block = (n_k + TILE_K - 1) / TILE_K;
    (void)real_bytes;
    return ALIGN +
           padded((size_t)(PARTS * (ROWS + STEP) / TILE_SIDE * n_block) * TILE_PARTS *
                  sizeof(uint16_t)) +
           padded((size_t)(4 * TILE_SIDE * TILE_SIDE) * sizeof(float)) +
           (size_t)(n_k > STEP ? n_k : STEP) * sizeof(float);
}

static sides sides_in(const batch *b, void *scratch)
{
    dtype t = b->w[1].dtype;
    sides s = { .b = b, .n_k = inputs_of(b) };
    s.n_block = (s.n_k + TILE_K - 1) / TILE_K;
    s.w_parts = t == DTYPE_BF16 ? 1 : t == DTYPE_F16 ? 2 : PARTS;
    uintptr_t at = ((uintptr_t)scratch + ALIGN - 1) / ALIGN * ALIGN;
    s.sum = (float *)at;
    s.x = (uint16_t *)(at + padded((size_t)(4 * TILE_SIDE * TILE_SIDE) * sizeof(float)));
    s.w = s.x + PARTS * ROWS / TILE_SIDE * s.n_block * TILE_PARTS;
    s.line = (float *)(void *)(s.w + PARTS * 2 * s.n_block * TILE_PARTS);
    return s;
}

static void stretch(sides *s, tiles *t, const grid_part *part)
{
    int64_t n_group = (part->n_row + ROWS - 1) / ROWS;
    for (int64_t g = 0; g < n_group; g++) {
        s->row = part->row + g * part->n_row / n_group;
        s->n_row = part->row + (g + 1) * part->n_row / n_group - s->row;
        pack_rows(s);
        for (int64_t c = 0; c < part->n_col; c += STEP) {
            int64_t n_col = part->n_col - c < STEP ? part->n_col - c : STEP;
            pack_columns(s, part->col + c, n_col);
            for (int64_t r = 0; r < s->n_row; r += STEP) {
                multiply(s, t, r / TILE_SIDE, r + TILE_SIDE < s->n_row);
                finish(s, r, part->col + c, n_col);
            }
        }
    }
}

static void fast_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    grid g = grid_here(b);
    grid_part part;
    tiles t;
    sides s = sides_in(b, scratch);
    tiles_begin(&t);
    for (int64_t u = first; u < end;) {
        u += grid_stretch(&g, u, end, &part);
        stretch(&s, &t, &part);
    }
    tiles_end();
}

#endif
/* SPDX-License-Identifier: MIT */
