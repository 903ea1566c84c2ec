/* dtype -- see dtype.h. */
#include "tensor/dtype.h"

static const struct {
    const char *name;
    size_t bytes;
} types[DTYPE_COUNT] = {
    [DTYPE_F32] = { "F32", 4 },   [DTYPE_F16] = { "F16", 2 }, [DTYPE_BF16] = { "BF16", 2 },
    [DTYPE_F64] = { "F64", 8 },   [DTYPE_I64] = { "I64", 8 }, [DTYPE_I32] = { "I32", 4 },
    [DTYPE_I16] = { "I16", 2 },   [DTYPE_I8] = { "I8", 1 },   [DTYPE_U64] = { "U64", 8 },
    [DTYPE_U32] = { "U32", 4 },   [DTYPE_U16] = { "U16", 2 }, [DTYPE_U8] = { "U8", 1 },
    [DTYPE_BOOL] = { "BOOL", 1 },
};

size_t dtype_bytes(dtype t) { return types[t].bytes; }
const char *dtype_name(dtype t) { return types[t].name; }
bool dtype_is_float(dtype t) { return t <= DTYPE_F64; }

bool dtype_find(const char *name, dtype *out)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (!strcmp(types[i].name, name)) {
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

void dtype_row_f32(dtype t, const void *src, float *out, int64_t n) { ROWS(float) }

void dtype_row_f64(dtype t, const void *src, double *out, int64_t n) { ROWS(double) }

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
/* SPDX-License-Identifier: MIT */
