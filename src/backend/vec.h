/* vec -- eight floats at once: all that the fast kernels know of the machine.
 *
 * A file compiled with -mavx2 -mfma -mf16c gets the instructions, any other the same operations in
 * plain C, lane by lane.  Both have the same bits: every operation here is one IEEE operation in
 * each lane, and nothing adds across lanes.  So a kernel over vec may do many elements at once but
 * cannot reorder the sum inside one. */
#ifndef MICROTOME_BACKEND_VEC_H
#define MICROTOME_BACKEND_VEC_H
#include "tensor/math32.h"

enum { VEC = 8 };

/* Ask for the cache line at p, which may be no address at all; changes nothing but time.
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
static inline void vec_prefetch(const void *p) { __builtin_prefetch(p, 0, 2); }

#if defined __AVX2__ && defined __FMA__ && defined __F16C__
#include <immintrin.h>

typedef __m256 vec;

/* Load and store eight floats at any address, or the first n of them (0 <= n <= 8): the others are
 * neither read nor written, and 0 in the vec.
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
static inline vec vec_load(const float *p) { return _mm256_loadu_ps(p); }

static inline void vec_store(float *p, vec x) { _mm256_storeu_ps(p, x); }

static inline __m256i vec_mask(int n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index);
}

static inline vec vec_load_part(const float *p, int n)
{
    return _mm256_maskload_ps(p, vec_mask(n));
}

static inline void vec_store_part(float *p, vec x, int n)
{
    _mm256_maskstore_ps(p, vec_mask(n), x);
}

/* Eight float16 or bfloat16 numbers, exactly as floats.
 *
 * [err: none | owns: nothing | thread: any | cost: two instructions] */
static inline vec vec_load_f16(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline vec vec_load_bf16(const void *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

/* Lane by lane: the same number everywhere; a + b; a * b; a * b + c rounded once.
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
static inline vec vec_splat(float x) { return _mm256_set1_ps(x); }

static inline vec vec_add(vec a, vec b) { return _mm256_add_ps(a, b); }

static inline vec vec_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }

static inline vec vec_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }

/* r[i] lane j becomes r[j] lane i.
 *
 * [err: none | owns: nothing | thread: any | cost: 24 shuffles] */
static inline void vec_transpose(vec r[VEC])
{
    vec a[VEC], b[VEC];
    for (int i = 0; i < VEC; i += 2) {
        a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VEC; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

#else

typedef struct vec {
    float lane[VEC];
} vec;

static inline vec vec_load_part(const float *p, int n)
{
    vec x = { { 0.0f } };
    for (int i = 0; i < n && i < VEC; i++) x.lane[i] = p[i];
    return x;
}

static inline void vec_store_part(float *p, vec x, int n)
{
    for (int i = 0; i < n && i < VEC; i++) p[i] = x.lane[i];
}

static inline vec vec_load(const float *p) { return vec_load_part(p, VEC); }

static inline void vec_store(float *p, vec x) { vec_store_part(p, x, VEC); }

static inline vec vec_load_bf16(const void *p)
{
    uint16_t half[VEC];
    vec x;
    memcpy(half, p, sizeof half);
    for (int i = 0; i < VEC; i++) x.lane[i] = math_float((uint32_t)half[i] << 16);
    return x;
}

/* Multiplying by 2^112 moves the exponent's bias from 15 to 127, denormals included. */
static inline vec vec_load_f16(const void *p)
{
    uint16_t half[VEC];
    vec x;
    memcpy(half, p, sizeof half);
    for (int i = 0; i < VEC; i++) {
        uint32_t h = half[i], special = (h & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0;
        float size = math_float((h & 0x7fffu) << 13) * 0x1p112f;
        x.lane[i] = math_float(math_bits(size) | special | (h & 0x8000u) << 16);
    }
    return x;
}

static inline vec vec_splat(float x) { return (vec){ { x, x, x, x, x, x, x, x } }; }

static inline vec vec_add(vec a, vec b)
{
    for (int i = 0; i < VEC; i++) a.lane[i] += b.lane[i];
    return a;
}

static inline vec vec_mul(vec a, vec b)
{
    for (int i = 0; i < VEC; i++) a.lane[i] *= b.lane[i];
    return a;
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    for (int i = 0; i < VEC; i++) c.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return c;
}

static inline void vec_transpose(vec r[VEC])
{
    for (int i = 0; i < VEC; i++) {
        for (int j = 0; j < i; j++) {
            float t = r[i].lane[j];
            r[i].lane[j] = r[j].lane[i];
            r[j].lane[i] = t;
        }
    }
}

#endif

#endif
/* SPDX-License-Identifier: MIT */
