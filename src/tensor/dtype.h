/* dtype -- types of numbers in files, and exact ways between them and float and double.
 *
 * F16 and BF16 widen to float without rounding; the way back rounds to nearest, ties to even.
 * A NaN stays one.
 *
 * Types from Q4_0 on are of numbers that lie in blocks (blocks.h): a row is whole blocks, and the value of a number is
 * the float that its block says, in every precision. */
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
    DTYPE_Q4_0,
    DTYPE_Q4_1,
    DTYPE_Q5_0,
    DTYPE_Q5_1,
    DTYPE_Q8_0,
    DTYPE_Q2_K,
    DTYPE_Q3_K,
    DTYPE_Q4_K,
    DTYPE_Q5_K,
    DTYPE_Q6_K,
    DTYPE_COUNT
} dtype;

/* Bytes of a block; numbers in it (1 where there are no blocks); the name safetensors or GGUF gives the
 * type ("F32", "BF16", "Q4_K"); is it F32, F16, BF16 or F64?  Does it lie in blocks?  (The last is inline
 * for kernels: where the type is a constant, nothing of the question is left in their loops.)
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
size_t dtype_bytes(dtype t);
int64_t dtype_block(dtype t);
const char *dtype_name(dtype t);
bool dtype_is_float(dtype t);
static inline bool dtype_is_block(dtype t) { return t >= DTYPE_Q4_0; }

/* Bytes of n numbers, which are whole blocks.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
size_t dtype_size(dtype t, int64_t n);

/* The type of that name, which does not lie in blocks.
 *
 * [err: false | owns: nothing | thread: any | cost: O(1)] */
bool dtype_find(const char *name, dtype *out);

/* Numbers `stride` apart along each axis, put in order (the last axis the fastest); t does not lie in blocks.
 *
 * [err: none | owns: nothing | thread: any | cost: O(numbers)] */
void dtype_gather(dtype t, void *to, const void *from, int32_t n_dim, const int64_t *dim,
                  const int64_t *stride);

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
 * src need not be aligned; it is the start of a block, of which as many numbers are read as wanted.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void dtype_row_f32(dtype t, const void *src, float *out, int64_t n);
void dtype_row_f64(dtype t, const void *src, double *out, int64_t n);

/* The same of numbers [first, first + n) of a row, wherever they are in their blocks.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void dtype_part_f32(dtype t, const void *row, int64_t first, int64_t n, float *out);
void dtype_part_f64(dtype t, const void *row, int64_t first, int64_t n, double *out);

/* Where row r of a matrix lies whose rows are turned: of each `pair` rows (a head's), the second half lies between the
 * rows of the first; 0: in order.  (llama.cpp stores queries and keys so, and a row that is quantised stays whole.)
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline int64_t dtype_row_place(int64_t r, int64_t pair)
{
    if (!pair) return r;
    int64_t in = r % pair, half = pair / 2;
    return r - in + 2 * (in % half) + in / half;
}

/* n floats rounded to t, which must be F32, F16, BF16 or F64.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void dtype_row_from_f32(dtype t, const float *src, void *out, int64_t n);

#endif
/* SPDX-License-Identifier: MIT */
