/* dtype -- see dtype.h. */
#include "tensor/blocks.h"

enum { GATHER_DIMS = 8 };

static const char *const names[DTYPE_COUNT] = {
    [DTYPE_F32] = "F32",   [DTYPE_F16] = "F16",   [DTYPE_BF16] = "BF16", [DTYPE_F64] = "F64",
    [DTYPE_I64] = "I64",   [DTYPE_I32] = "I32",   [DTYPE_I16] = "I16",   [DTYPE_I8] = "I8",
    [DTYPE_U64] = "U64",   [DTYPE_U32] = "U32",   [DTYPE_U16] = "U16",   [DTYPE_U8] = "U8",
    [DTYPE_BOOL] = "BOOL", [DTYPE_Q4_0] = "Q4_0", [DTYPE_Q4_1] = "Q4_1", [DTYPE_Q5_0] = "Q5_0",
    [DTYPE_Q5_1] = "Q5_1", [DTYPE_Q8_0] = "Q8_0", [DTYPE_Q2_K] = "Q2_K", [DTYPE_Q3_K] = "Q3_K",
    [DTYPE_Q4_K] = "Q4_K", [DTYPE_Q5_K] = "Q5_K", [DTYPE_Q6_K] = "Q6_K",
};

static const uint8_t bytes_of[DTYPE_Q4_0] = {
    [DTYPE_F32] = 4, [DTYPE_F16] = 2, [DTYPE_BF16] = 2, [DTYPE_F64] = 8, [DTYPE_I64] = 8,
    [DTYPE_I32] = 4, [DTYPE_I16] = 2, [DTYPE_I8] = 1,   [DTYPE_U64] = 8, [DTYPE_U32] = 4,
    [DTYPE_U16] = 2, [DTYPE_U8] = 1,  [DTYPE_BOOL] = 1,
};

const char *dtype_name(dtype t) { return names[t]; }
bool dtype_is_float(dtype t) { return t <= DTYPE_F64; }
size_t dtype_bytes(dtype t) { return dtype_is_block(t) ? (size_t)block_bytes(t) : bytes_of[t]; }
int64_t dtype_block(dtype t) { return dtype_is_block(t) ? block_numbers(t) : 1; }
size_t dtype_size(dtype t, int64_t n) { return (size_t)(n / dtype_block(t)) * dtype_bytes(t); }

bool dtype_find(const char *name, dtype *out)
{
    for (int i = 0; i < DTYPE_Q4_0; i++)
        if (!strcmp(names[i], name)) {
            *out = (dtype)i;
            return true;
        }
    return false;
}

/* One loop per type, reading through memcpy, which costs nothing and needs no alignment. */
#define ROW(ctype, expr)                                                                           \
    for (int64_t i = 0; i < n; i++) {                                                              \
        ctype x;                                                                                   \
        memcpy(&x, (const char *)src + i * (int64_t)sizeof x, sizeof x);                           \
        out[i] = (expr);                                                                           \
    }                                                                                              \
    return

#define ROWS(real)                                                                                 \
    switch (t) {                                                                                   \
    case DTYPE_F32: ROW(float, (real)x);                                                           \
    case DTYPE_F16: ROW(uint16_t, (real)dtype_f16(x));                                             \
    case DTYPE_BF16: ROW(uint16_t, (real)dtype_bf16(x));                                           \
    case DTYPE_F64: ROW(double, (real)x);                                                          \
    case DTYPE_I64: ROW(int64_t, (real)x);                                                         \
    case DTYPE_I32: ROW(int32_t, (real)x);                                                         \
    case DTYPE_I16: ROW(int16_t, (real)x);                                                         \
    case DTYPE_I8: ROW(int8_t, (real)x);                                                           \
    case DTYPE_U64: ROW(uint64_t, (real)x);                                                        \
    case DTYPE_U32: ROW(uint32_t, (real)x);                                                        \
    case DTYPE_U16: ROW(uint16_t, (real)x);                                                        \
    case DTYPE_U8: ROW(uint8_t, (real)x);                                                          \
    default: ROW(uint8_t, (real)(x != 0));                                                         \
    }

static void plain_row_f32(dtype t, const void *src, float *out, int64_t n) { ROWS(float) }

static void plain_row_f64(dtype t, const void *src, double *out, int64_t n){ ROWS(double) }

/* ---- blocks ---- */

BLOCK_INLINE void blocks_f32(const uint8_t *row, int64_t first, int64_t n, float *out, dtype t)
{
    float some[BLOCK_PART];
    while (n > 0) {
        int in = (int)(first % block_numbers(t)), part = in / block_part(t),
            skip = in % block_part(t), few = block_part(t) - skip;
        const uint8_t *b = row + first / block_numbers(t) * block_bytes(t);
        if (few > n) few = (int)n;
        bool whole = few == block_part(t);
        block_floats(b, part, whole ? out : some, t);
        if (!whole) memcpy(out, some + skip, (size_t)few * sizeof *out);
        first += few, n -= few, out += few;
    }
}

void dtype_part_f32(dtype t, const void *row, int64_t first, int64_t n, float *out)
{
    if (!dtype_is_block(t))
        plain_row_f32(t, (const char *)row + first * (int64_t)bytes_of[t], out, n);
    BY_BLOCK(t, blocks_f32, row, first, n, out)
}

void dtype_part_f64(dtype t, const void *row, int64_t first, int64_t n, double *out)
{
    float x[BLOCK_PART];
    if (!dtype_is_block(t)) {
        plain_row_f64(t, (const char *)row + first * (int64_t)bytes_of[t], out, n);
        return;
    }
    for (int64_t i = 0; i < n; i += BLOCK_PART) {
        int64_t few = n - i < BLOCK_PART ? n - i : BLOCK_PART;
        dtype_part_f32(t, row, first + i, few, x);
        for (int64_t j = 0; j < few; j++) out[i + j] = (double)x[j];
    }
}

void dtype_row_f32(dtype t, const void *src, float *out, int64_t n)
{
    dtype_part_f32(t, src, 0, n, out);
}

void dtype_row_f64(dtype t, const void *src, double *out, int64_t n)
{
    dtype_part_f64(t, src, 0, n, out);
}

static uint16_t to_f16(float f)
{
    uint32_t u, sign;
    memcpy(&u, &f, sizeof u);
    sign = u >> 16 & 0x8000u;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (u >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds past 65504 */
    if (u < 0x38800000u) { /* denormal: adding 1/2 puts the last place where float rounds */
        float shifted;
        memcpy(&shifted, &u, sizeof shifted);
        shifted += 0.5f;
        memcpy(&u, &shifted, sizeof u);
        return (uint16_t)(sign | (u - 0x3f000000u));
    }
    u += 0xfffu + (u >> 13 & 1u);
    return (uint16_t)(sign | ((u - 0x38000000u) >> 13));
}

void dtype_row_from_f32(dtype t, const float *src, void *out, int64_t n)
{
    char *p = out;
    for (int64_t i = 0; i < n; i++, p += dtype_bytes(t)) {
        uint16_t h = t == DTYPE_F16 ? to_f16(src[i]) : dtype_to_bf16(src[i]);
        double d = (double)src[i];
        if (t == DTYPE_F32) memcpy(p, &src[i], sizeof src[i]);
        else if (t == DTYPE_F64) memcpy(p, &d, sizeof d);
        else memcpy(p, &h, sizeof h);
    }
}

void dtype_gather(dtype t, void *to, const void *from, int32_t n_dim, const int64_t *dim,
                  const int64_t *stride)
{
    size_t wide = dtype_bytes(t);
    int64_t at[GATHER_DIMS] = { 0 }, n = 1;
    const char *p = from;
    char *q = to;
    for (int k = 0; k < n_dim; k++) n *= dim[k];
    for (int64_t i = 0; i < n; i++, q += wide) {
        memcpy(q, p, wide);
        for (int k = n_dim - 1; k >= 0; k--) {
            p += (size_t)stride[k] * wide;
            if (++at[k] < dim[k]) break;
            p -= (size_t)stride[k] * (size_t)dim[k] * wide;
            at[k] = 0;
        }
    }
}
/* SPDX-License-Identifier: MIT */
