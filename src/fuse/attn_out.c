/* fuse: attn_out -- the heads' results and their sum as one, so that heads x d_model is never stored.
 *
 * Each head's product is finished, from zero, before it is added to the heads before it: parts add up to
 * the whole. */
#include "op/result.h"

static const node *result_of(const batch *b)
{
    for (int i = 0; i < b->fusion->n_inner; i++)
        if (!strcmp(b->fusion->inner[i]->op->name, "result")) return b->fusion->inner[i];
    return NULL;
}

/* A unit is a tile of columns, for all lines. */
static int64_t units(const batch *b) { return (b->n->width + RESULT_TILE - 1) / RESULT_TILE; }

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)(b->in[0]->width * (RESULT_TILE + 1)) * real_bytes;
}

static void head_add(const batch *b, int32_t h, int32_t c0, int n_c, const real *tile)
{
    int32_t d = b->in[0]->width;
    real acc[RESULT_TILE];
    for (int64_t i = 0; i < b->n_line; i++) {
        real *y = (real *)b->y[i] + c0;
        result_line(op_same_line(b, 0, i) + (int64_t)h * d, tile, d, acc);
        for (int c = 0; c < n_c; c++) y[c] = h ? y[c] + acc[c] : acc[c];
    }
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    const node *result = result_of(b);
    int32_t d = b->in[0]->width, m = b->n->width;
    for (int64_t u = first; u < end; u++) {
        int32_t c0 = (int32_t)u * RESULT_TILE;
        int n_c = m - c0 < RESULT_TILE ? m - c0 : RESULT_TILE;
        for (int32_t h = 0; h < b->in[0]->n_part; h++) {
            result_tile(&b->w[1], result_by_out(result), h * d, d, c0, n_c, scratch);
            head_add(b, h, c0, n_c, scratch);
        }
        for (int64_t i = 0; b->fusion->n_leaf > 2 && i < b->n_line; i++) {
            real *y = (real *)b->y[i] + c0;
            const real *bias = op_same_line(b, 2, i) + c0;
            for (int c = 0; c < n_c; c++) y[c] = y[c] + bias[c];
        }
    }
}

const fuse_def fuse_attn_out_def = {
    .name = "attn_out",
    .pattern = { "headsum(result(*, *), *)", "headsum(result(*, *))" },
    .kernel = { .units = units, .scratch = scratch_bytes, .run = run },
};
/* SPDX-License-Identifier: MIT */
