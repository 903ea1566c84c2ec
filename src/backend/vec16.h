/* vec16 -- sixteen floats at once: AVX-512, or two halves of eight.
 *
 * The halves are what lets the wide kernels run, and be tested, on a machine without AVX-512. */
#ifndef MICROTOME_BACKEND_VEC16_H
#define MICROTOME_BACKEND_VEC16_H
#include "backend/vec8.h"

enum { VEC16 = 16 };

#if defined __AVX512F__ && defined __AVX512BW__ && defined __AVX512DQ__ && defined __AVX512VL__

typedef __m512 vec16;

static inline __mmask16 vec16_mask(int n)
{
    return (__mmask16)(n <= 0 ? 0 : n >= VEC16 ? 0xffffu : (1u << n) - 1u);
}

/* As in vec8.h, of sixteen.
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
static inline vec16 vec16_load(const float *p) { return _mm512_loadu_ps(p); }

static inline void vec16_store(float *p, vec16 x) { _mm512_storeu_ps(p, x); }

static inline vec16 vec16_load_part(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(vec16_mask(n), p);
}

static inline void vec16_store_part(float *p, vec16 x, int n)
{
    _mm512_mask_storeu_ps(p, vec16_mask(n), x);
}

static inline vec16 vec16_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline vec16 vec16_load_bf16(const void *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline vec16 vec16_splat(float x) { return _mm512_set1_ps(x); }

static inline vec16 vec16_add(vec16 a, vec16 b) { return _mm512_add_ps(a, b); }

static inline vec16 vec16_fma(vec16 a, vec16 b, vec16 c) { return _mm512_fmadd_ps(a, b, c); }

/* Pairs of numbers, then pairs of pairs, change places within quarters of a vec; then the quarters do.
 *
 * [err: none | owns: nothing | thread: any | cost: 64 shuffles] */
static inline void vec16_transpose(vec16 r[VEC16])
{
    vec16 a[VEC16], b[VEC16];
    for (int i = 0; i < VEC16; i += 2) {
        a[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VEC16; i += 4) {
        b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) { /* quarters 0, 2 and 1, 3 of four vecs that are rows 4j + i */
        a[i] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
        a[i + 4] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd);
        a[i + 8] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
        a[i + 12] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0xdd);
    }
}

typedef __m512i words16;

VEC_INLINE void words16_turn(words16 out[4], const uint8_t *const *row, int64_t at)
{
    __m512i a[4], lo[2], hi[2];
    for (int j = 0; j < 4; j++) {
        __m128i r[4];
        for (int q = 0; q < 4; q++)
            r[q] = _mm_loadu_si128((const __m128i *)(const void *)(row[4 * q + j] + at));
        a[j] = _mm512_inserti32x4(_mm512_castsi128_si512(r[0]), r[1], 1);
        a[j] = _mm512_inserti32x4(_mm512_inserti32x4(a[j], r[2], 2), r[3], 3);
    }
    for (int j = 0; j < 2; j++) {
        lo[j] = _mm512_unpacklo_epi32(a[2 * j], a[2 * j + 1]);
        hi[j] = _mm512_unpackhi_epi32(a[2 * j], a[2 * j + 1]);
    }
    out[0] = _mm512_unpacklo_epi64(lo[0], lo[1]), out[1] = _mm512_unpackhi_epi64(lo[0], lo[1]);
    out[2] = _mm512_unpacklo_epi64(hi[0], hi[1]), out[3] = _mm512_unpackhi_epi64(hi[0], hi[1]);
}

VEC_INLINE words16 words16_bits(words16 x, int right, int mask)
{
    x = _mm512_srl_epi32(x, _mm_cvtsi32_si128(right));
    return _mm512_and_si512(x, _mm512_set1_epi8((char)mask));
}

VEC_INLINE words16 words16_left(words16 x, int n) { return _mm512_slli_epi32(x, (unsigned)n); }

VEC_INLINE words16 words16_or(words16 a, words16 b) { return _mm512_or_si512(a, b); }

VEC_INLINE words16 words16_less(words16 x, int n)
{
    return _mm512_sub_epi8(x, _mm512_set1_epi8((char)n));
}

VEC_INLINE words16 words16_spread(words16 x)
{
    x = _mm512_and_si512(x, _mm512_set1_epi32(15));
    return _mm512_and_si512(_mm512_mullo_epi32(x, _mm512_set1_epi32(0x02040810)),
                            _mm512_set1_epi8(0x10));
}

VEC_INLINE vec16 words16_byte(words16 x, int k)
{
    const char o = -1, b = (char)k;
    if (k == 0) return _mm512_cvtepi32_ps(_mm512_slli_epi32(x, 24));
    if (k == 3) return _mm512_cvtepi32_ps(_mm512_and_si512(x, _mm512_set1_epi32(~0xffffff)));
    const __m128i one = _mm_setr_epi8(o, o, o, b, o, o, o, (char)(b + 4), o, o, o, (char)(b + 8), o,
                                      o, o, (char)(b + 12));
    return _mm512_cvtepi32_ps(_mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(one)));
}

VEC_INLINE vec16 vec16_load_bits(const void *p)
{
    return _mm512_castsi512_ps(_mm512_loadu_si512(p));
}

VEC_INLINE words16 words16_of(vec16 x) { return _mm512_castps_si512(x); }

VEC_INLINE vec16 words16_bf16(words16 x, int upper)
{
    const __m512i mask = _mm512_set1_epi32((int)0xffff0000);
    return _mm512_castsi512_ps(upper ? _mm512_and_si512(x, mask) : _mm512_slli_epi32(x, 16));
}

VEC_INLINE vec16 words16_f16(words16 x) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(x)); }

VEC_INLINE vec16 vec16_turn_f16(const uint8_t *const *row, int64_t at)
{
    return _mm512_cvtph_ps(_mm256_set_m128i(vec8_halves(row + 8, at), vec8_halves(row, at)));
}

static inline vec16 vec16_mul(vec16 a, vec16 b) { return _mm512_mul_ps(a, b); }

#else

typedef struct vec16 {
    vec8 half[2];
} vec16;

static inline vec16 vec16_load(const float *p)
{
    return (vec16){ { vec8_load(p), vec8_load(p + VEC8) } };
}

static inline void vec16_store(float *p, vec16 x)
{
    vec8_store(p, x.half[0]);
    vec8_store(p + VEC8, x.half[1]);
}

static inline vec16 vec16_load_part(const float *p, int n)
{
    vec16 x = { { vec8_load_part(p, n), vec8_splat(0.0f) } };
    if (n > VEC8) x.half[1] = vec8_load_part(p + VEC8, n - VEC8);
    return x;
}

static inline void vec16_store_part(float *p, vec16 x, int n)
{
    vec8_store_part(p, x.half[0], n);
    if (n > VEC8) vec8_store_part(p + VEC8, x.half[1], n - VEC8);
}

static inline vec16 vec16_load_f16(const void *p)
{
    return (vec16){ { vec8_load_f16(p), vec8_load_f16((const char *)p + 2 * VEC8) } };
}

static inline vec16 vec16_load_bf16(const void *p)
{
    return (vec16){ { vec8_load_bf16(p), vec8_load_bf16((const char *)p + 2 * VEC8) } };
}

static inline vec16 vec16_splat(float x) { return (vec16){ { vec8_splat(x), vec8_splat(x) } }; }

static inline vec16 vec16_add(vec16 a, vec16 b)
{
    return (vec16){ { vec8_add(a.half[0], b.half[0]), vec8_add(a.half[1], b.half[1]) } };
}

static inline vec16 vec16_fma(vec16 a, vec16 b, vec16 c)
{
    return (vec16){ { vec8_fma(a.half[0], b.half[0], c.half[0]),
                      vec8_fma(a.half[1], b.half[1], c.half[1]) } };
}

/* Four blocks of eight by eight; two of them change places. */
static inline void vec16_transpose(vec16 r[VEC16])
{
    for (int i = 0; i < VEC8; i++) {
        vec8 t = r[i].half[1];
        r[i].half[1] = r[i + VEC8].half[0];
        r[i + VEC8].half[0] = t;
    }
    for (int q = 0; q < 4; q++) {
        vec8 block[VEC8];
        for (int i = 0; i < VEC8; i++) block[i] = r[q / 2 * VEC8 + i].half[q % 2];
        vec8_transpose(block);
        for (int i = 0; i < VEC8; i++) r[q / 2 * VEC8 + i].half[q % 2] = block[i];
    }
}

typedef struct words16 {
    words8 half[2];
} words16;

VEC_INLINE void words16_turn(words16 out[4], const uint8_t *const *row, int64_t at)
{
    words8 part[4];
    for (int h = 0; h < 2; h++) {
        words8_turn(part, row + h * VEC8, at);
        for (int j = 0; j < 4; j++) out[j].half[h] = part[j];
    }
}

VEC_INLINE words16 words16_bits(words16 x, int right, int mask)
{
    return (
        words16){ { words8_bits(x.half[0], right, mask), words8_bits(x.half[1], right, mask) } };
}

VEC_INLINE words16 words16_left(words16 x, int n)
{
    return (words16){ { words8_left(x.half[0], n), words8_left(x.half[1], n) } };
}

VEC_INLINE words16 words16_or(words16 a, words16 b)
{
    return (words16){ { words8_or(a.half[0], b.half[0]), words8_or(a.half[1], b.half[1]) } };
}

VEC_INLINE words16 words16_less(words16 x, int n)
{
    return (words16){ { words8_less(x.half[0], n), words8_less(x.half[1], n) } };
}

VEC_INLINE words16 words16_spread(words16 x)
{
    return (words16){ { words8_spread(x.half[0]), words8_spread(x.half[1]) } };
}

VEC_INLINE vec16 words16_byte(words16 x, int k)
{
    return (vec16){ { words8_byte(x.half[0], k), words8_byte(x.half[1], k) } };
}

VEC_INLINE vec16 vec16_load_bits(const void *p)
{
    return (vec16){ { vec8_load_bits(p), vec8_load_bits((const char *)p + 4 * VEC8) } };
}

VEC_INLINE words16 words16_of(vec16 x)
{
    return (words16){ { words8_of(x.half[0]), words8_of(x.half[1]) } };
}

VEC_INLINE vec16 words16_bf16(words16 x, int upper)
{
    return (vec16){ { words8_bf16(x.half[0], upper), words8_bf16(x.half[1], upper) } };
}

VEC_INLINE vec16 words16_f16(words16 x)
{
    return (vec16){ { words8_f16(x.half[0]), words8_f16(x.half[1]) } };
}

VEC_INLINE vec16 vec16_turn_f16(const uint8_t *const *row, int64_t at)
{
    return (vec16){ { vec8_turn_f16(row, at), vec8_turn_f16(row + VEC8, at) } };
}

static inline vec16 vec16_mul(vec16 a, vec16 b)
{
    return (vec16){ { vec8_mul(a.half[0], b.half[0]), vec8_mul(a.half[1], b.half[1]) } };
}

#endif

#endif
/* SPDX-License-Identifier: MIT */
