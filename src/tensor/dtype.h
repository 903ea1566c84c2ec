/* dtype -- types of numbers in files, and exact ways between them and float and double.
 *
 * F16 and BF16 widen to float without rounding; the way back rounds to nearest, ties to even.
 * A NaN stays one. */
#ifndef MICROTOME_TENSOR_DTYPE_H
#define MICROTOME_TENSOR_DTYPE_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_I16,
    DTYPE_I8,
    DTYPE_U64,
    DTYPE_U32,
    DTYPE_U16,
    DTYPE_U8,
    DTYPE_BOOL,
    DTYPE_COUNT
} dtype;

/* Bytes of one number; the name safetensors gives the type ("F32", "BF16"); is it F32, F16, BF16 or F64?
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
size_t dtype_bytes(dtype t);
const char *dtype_name(dtype t);
bool dtype_is_float(dtype t);

/* The type of that name.
 *
 * [err: false | owns: nothing | thread: any | cost: O(1)] */
bool dtype_find(const char *name, dtype *out);

/* One number, widened exactly.
 *
 * [err: none | owns: nothing | thread: any | cost: a few operations] */
static inline float dtype_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu, u;
    float f;
    if (rest >= 0x7c00u) u = rest << 13 | 0x7f800000u; /* infinity, NaN */
    else if (rest >= 0x0400u) u = (rest << 13) + 0x38000000u;
    else { /* denormal: 2^-24 times an integer is a normal float */ f = (float)rest * 0x1p-24f;
        memcpy(&u, &f, sizeof u);
    }
    u |= sign;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float dtype_bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* To the nearest bfloat16, ties to even; a NaN stays one. */
static inline uint16_t dtype_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if (f != f) return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

/* n numbers of type t (any type; 64-bit integers and F64 round to float) as float, as double.
 * src need not be aligned.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void dtype_row_f32(dtype t, const void *src, float *out, int64_t n);
void dtype_row_f64(dtype t, const void *src, double *out, int64_t n);

/* n floats rounded to t, which must be F32, F16, BF16 or F64.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void dtype_row_from_f32(dtype t, const float *src, void *out, int64_t n);

#endif
/* SPDX-License-Identifier: MIT */
