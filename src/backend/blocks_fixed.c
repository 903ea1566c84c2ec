/* blocks_fixed -- fast_blocks.h in plain C: what tests compare with, wherever they run. */
#include "backend/fast_blocks.h"

static void fixed_group(fixed *f, const float *x, int group, int bias)
{
    fixed_make(f, x, group, bias);
}

/* The part of a block that holds number k, as far as the slab has it. */
VEC_INLINE void unpack_part(slab *s, const uint8_t *row, int j, int64_t k, int64_t from, int64_t n,
                            dtype t)
{
    int8_t q[BLOCK_PART], sc[BLOCK_GROUPS], mn[BLOCK_GROUPS];
    const uint8_t *b = row + k / block_numbers(t) * block_bytes(t);
    int part = (int)(k % block_numbers(t)) / block_part(t);
    float d = dtype_f16(block_half(b + block_d_at(t))),
          m = block_has_offset(t) ? dtype_f16(block_half(b + block_m_at(t))) : 0;
    block_quants(b, part, q, t);
    block_scales(b, part, sc, mn, t);
    for (int64_t i = from; i < n; i++) {
        int at = (int)((k + i - from) % block_part(t)), g = at / block_group(t);
        s->q[i / 4][j][i % 4] = (uint8_t)(q[at] + block_bias(t));
        s->scale[i / block_group(t)][j] = block_has_scales(t) ? d * sc[g] : d;
        if (block_has_offset(t))
            s->offset[i / block_group(t)][j] = block_has_scales(t) ? -(m * mn[g]) : m;
    }
}

VEC_INLINE void unpack(slab *s, const uint8_t *const *row, int64_t k, int64_t n, dtype t)
{
    for (int j = 0; j < SIDE; j++)
        for (int64_t i = 0, stop; i < n; i = stop) {
            stop = i + block_part(t) - (k + i) % block_part(t);
            if (stop > n) stop = n;
            unpack_part(s, row[j], j, k + i, i, stop, t);
        }
}

static void slab_unpack(slab *s, const uint8_t *const *row, const uint8_t *next, int64_t k,
                        int64_t n, dtype t)
{
    (void)next;
    BY_BLOCK(t, unpack, s, row, k, n)
}

static bool row_meets(float *sum, const uint8_t *const *row, const uint8_t *next, int64_t k,
                      int64_t n, int64_t n_each, const char *x, dtype t)
{
    (void)sum, (void)row, (void)next, (void)k, (void)n, (void)n_each, (void)x, (void)t;
    return false;
}

/* S_d of one output. */
static int32_t digits_meet(const slab *s, const fixed *x, int64_t k, int j, int d, int group)
{
    int32_t sum = x->start[d];
    for (int i = 0; i < group; i++) sum += s->q[(k + i) / 4][j][i % 4] * x->digit[d * group + i];
    return sum;
}

static void slab_meet(const slab *s, const char *const *x, int64_t n, float (*sum)[SIDE], int n_row,
                      dtype t)
{
    int group = block_group(t);
    for (int r = 0; r < n_row; r++)
        for (int64_t g = 0; g < n / group; g++)
            for (int j = 0; j < SIDE; j++) {
                const fixed *f = fixed_at(x[r], g, group);
                int32_t high = digits_meet(s, f, g * group, j, 2, group),
                        low = digits_meet(s, f, g * group, j, 0, group) +
                              256 * digits_meet(s, f, g * group, j, 1, group);
                float whole = fmaf((float)high, 0x1p16f, (float)low);
                sum[r][j] = fmaf(s->scale[g][j], whole * f->unit, sum[r][j]);
                if (block_has_offset(t)) sum[r][j] = fmaf(s->offset[g][j], f->sum, sum[r][j]);
            }
}
/* SPDX-License-Identifier: MIT */
