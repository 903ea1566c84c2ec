/* vec8 -- eight floats at once.
 *
 * A file compiled with -mavx2 -mfma -mf16c gets the instructions, any other the same operations in
 * plain C, lane by lane.  Read vec.h. */
#ifndef MICROTOME_BACKEND_VEC8_H
#define MICROTOME_BACKEND_VEC8_H
#include "tensor/math32.h"

enum { VEC8 = 8 };

#define VEC_INLINE __attribute__((always_inline)) static inline

#if defined __AVX2__ && defined __FMA__ && defined __F16C__
#include <immintrin.h>

typedef __m256 vec8;

/* Load and store eight floats at any address, or the first n of them (0 <= n <= 8): the others are
 * neither read nor written, and 0 in the vec8.
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
static inline vec8 vec8_load(const float *p) { return _mm256_loadu_ps(p); }

static inline void vec8_store(float *p, vec8 x) { _mm256_storeu_ps(p, x); }

static inline __m256i vec8_mask(int n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index);
}

static inline vec8 vec8_load_part(const float *p, int n)
{
    return _mm256_maskload_ps(p, vec8_mask(n));
}

static inline void vec8_store_part(float *p, vec8 x, int n)
{
    _mm256_maskstore_ps(p, vec8_mask(n), x);
}

/* Eight float16 or bfloat16 numbers, exactly as floats.
 *
 * [err: none | owns: nothing | thread: any | cost: two instructions] */
static inline vec8 vec8_load_f16(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline vec8 vec8_load_bf16(const void *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

/* Lane by lane: the same number everywhere; a + b; a * b + c rounded once.  (a * b is vec8_mul, below.)
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
static inline vec8 vec8_splat(float x) { return _mm256_set1_ps(x); }

static inline vec8 vec8_add(vec8 a, vec8 b) { return _mm256_add_ps(a, b); }

static inline vec8 vec8_fma(vec8 a, vec8 b, vec8 c) { return _mm256_fmadd_ps(a, b, c); }

/* r[i] lane j becomes r[j] lane i.
 *
 * [err: none | owns: nothing | thread: any | cost: 24 shuffles] */
static inline void vec8_transpose(vec8 r[VEC8])
{
    vec8 a[VEC8], b[VEC8];
    for (int i = 0; i < VEC8; i += 2) {
        a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VEC8; i += 4) {
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

/* Eight words of 32 bits.  turn: the sixteen bytes at row[r] + at for each lane r; word j of them is out[j].  bits: the
 * same `mask` of all four bytes of a word, after the word was moved right; or, less: byte by byte; spread: each of a
 * word's lower four bits in a byte of its own, there bit 4. */
typedef __m256i words8;

/* Rows lie in quarters of registers, so that four unpackings do.
 *
 * [err: none | owns: nothing | thread: any | cost: 8 loads, 12 shuffles] */
VEC_INLINE void words8_turn(words8 out[4], const uint8_t *const *row, int64_t at)
{
    __m256i a[4], lo[2], hi[2];
    for (int j = 0; j < 4; j++) {
        __m128i first = _mm_loadu_si128((const __m128i *)(const void *)(row[j] + at));
        __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(row[4 + j] + at));
        a[j] = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
    }
    for (int j = 0; j < 2; j++) {
        lo[j] = _mm256_unpacklo_epi32(a[2 * j], a[2 * j + 1]);
        hi[j] = _mm256_unpackhi_epi32(a[2 * j], a[2 * j + 1]);
    }
    out[0] = _mm256_unpacklo_epi64(lo[0], lo[1]), out[1] = _mm256_unpackhi_epi64(lo[0], lo[1]);
    out[2] = _mm256_unpacklo_epi64(hi[0], hi[1]), out[3] = _mm256_unpackhi_epi64(hi[0], hi[1]);
}

VEC_INLINE words8 words8_bits(words8 x, int right, int mask)
{
    x = _mm256_srl_epi32(x, _mm_cvtsi32_si128(right));
    return _mm256_and_si256(x, _mm256_set1_epi8((char)mask));
}

VEC_INLINE words8 words8_left(words8 x, int n) { return _mm256_slli_epi32(x, n); }

VEC_INLINE words8 words8_or(words8 a, words8 b) { return _mm256_or_si256(a, b); }

VEC_INLINE words8 words8_less(words8 x, int n)
{
    return _mm256_sub_epi8(x, _mm256_set1_epi8((char)n));
}

VEC_INLINE words8 words8_spread(words8 x)
{
    x = _mm256_and_si256(x, _mm256_set1_epi32(15));
    return _mm256_and_si256(_mm256_mullo_epi32(x, _mm256_set1_epi32(0x02040810)),
                            _mm256_set1_epi8(0x10));
}

/* Byte k of each word, signed, times 2^24, as a float; the lower half, a float16 number, as a float; the lower or
 * upper half, a bfloat16 number.
 *
 * [err: none | owns: nothing | thread: any | cost: two instructions; four] */
VEC_INLINE vec8 words8_byte(words8 x, int k)
{
    const char o = -1, b = (char)k; /* a byte of -1 becomes zero */
    if (k == 0) return _mm256_cvtepi32_ps(_mm256_slli_epi32(x, 24));
    if (k == 3) return _mm256_cvtepi32_ps(_mm256_and_si256(x, _mm256_set1_epi32(~0xffffff)));
    const __m128i one = _mm_setr_epi8(o, o, o, b, o, o, o, (char)(b + 4), o, o, o, (char)(b + 8), o,
                                      o, o, (char)(b + 12));
    return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(one)));
}

VEC_INLINE vec8 vec8_load_bits(const void *p)
{
    return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)p));
}

VEC_INLINE words8 words8_of(vec8 x) { return _mm256_castps_si256(x); }

VEC_INLINE vec8 words8_bf16(words8 x, int upper)
{
    const __m256i mask = _mm256_set1_epi32((int)0xffff0000);
    return _mm256_castsi256_ps(upper ? _mm256_and_si256(x, mask) : _mm256_slli_epi32(x, 16));
}

VEC_INLINE vec8 words8_f16(words8 x)
{
    x = _mm256_and_si256(x, _mm256_set1_epi32(0xffff));
    return _mm256_cvtph_ps(
        _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
}

/* The float16 number at row[r] + at for each lane r.  Never stored as halves: a wide load would wait for them.
 *
 * [err: none | owns: nothing | thread: any | cost: 8 loads and insertions] */
VEC_INLINE __m128i vec8_halves(const uint8_t *const *row, int64_t at)
{
    short h[VEC8];
    for (int r = 0; r < VEC8; r++) memcpy(&h[r], row[r] + at, sizeof h[r]);
    return _mm_setr_epi16(h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]);
}

VEC_INLINE vec8 vec8_turn_f16(const uint8_t *const *row, int64_t at)
{
    return _mm256_cvtph_ps(vec8_halves(row, at));
}

static inline vec8 vec8_mul(vec8 a, vec8 b) { return _mm256_mul_ps(a, b); }

#else

typedef struct vec8 {
    float lane[VEC8];
} vec8;

static inline vec8 vec8_load_part(const float *p, int n)
{
    vec8 x = { { 0.0f } };
    for (int i = 0; i < n && i < VEC8; i++) x.lane[i] = p[i];
    return x;
}

static inline void vec8_store_part(float *p, vec8 x, int n)
{
    for (int i = 0; i < n && i < VEC8; i++) p[i] = x.lane[i];
}

static inline vec8 vec8_load(const float *p) { return vec8_load_part(p, VEC8); }

static inline void vec8_store(float *p, vec8 x) { vec8_store_part(p, x, VEC8); }

static inline vec8 vec8_load_bf16(const void *p)
{
    uint16_t half[VEC8];
    vec8 x;
    memcpy(half, p, sizeof half);
    for (int i = 0; i < VEC8; i++) x.lane[i] = math_float((uint32_t)half[i] << 16);
    return x;
}

/* Multiplying by 2^112 moves the exponent's bias from 15 to 127, denormals included. */
static inline vec8 vec8_load_f16(const void *p)
{
    uint16_t half[VEC8];
    vec8 x;
    memcpy(half, p, sizeof half);
    for (int i = 0; i < VEC8; i++) {
        uint32_t h = half[i], special = (h & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0;
        float size = math_float((h & 0x7fffu) << 13) * 0x1p112f;
        x.lane[i] = math_float(math_bits(size) | special | (h & 0x8000u) << 16);
    }
    return x;
}

static inline vec8 vec8_splat(float x) { return (vec8){ { x, x, x, x, x, x, x, x } }; }

static inline vec8 vec8_add(vec8 a, vec8 b)
{
    for (int i = 0; i < VEC8; i++) a.lane[i] += b.lane[i];
    return a;
}

static inline vec8 vec8_fma(vec8 a, vec8 b, vec8 c)
{
    for (int i = 0; i < VEC8; i++) c.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return c;
}

static inline void vec8_transpose(vec8 r[VEC8])
{
    for (int i = 0; i < VEC8; i++) {
        for (int j = 0; j < i; j++) {
            float t = r[i].lane[j];
            r[i].lane[j] = r[j].lane[i];
            r[j].lane[i] = t;
        }
    }
}

typedef struct words8 {
    uint32_t lane[VEC8];
} words8;

VEC_INLINE void words8_turn(words8 out[4], const uint8_t *const *row, int64_t at)
{
    for (int j = 0; j < 4; j++)
        for (int r = 0; r < VEC8; r++) {
            const uint8_t *p = row[r] + at + 4 * j;
            out[j].lane[r] =
                (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        }
}

VEC_INLINE words8 words8_bits(words8 x, int right, int mask)
{
    for (int r = 0; r < VEC8; r++)
        x.lane[r] = x.lane[r] >> right & (uint32_t)(mask & 255) * 0x01010101u;
    return x;
}

VEC_INLINE words8 words8_left(words8 x, int n)
{
    for (int r = 0; r < VEC8; r++) x.lane[r] <<= n;
    return x;
}

VEC_INLINE words8 words8_or(words8 a, words8 b)
{
    for (int r = 0; r < VEC8; r++) a.lane[r] |= b.lane[r];
    return a;
}

VEC_INLINE words8 words8_less(words8 x, int n)
{
    for (int r = 0; r < VEC8; r++)
        for (int k = 0; k < 32; k += 8) {
            uint32_t byte = ((x.lane[r] >> k) - (uint32_t)n) & 255u;
            x.lane[r] = (x.lane[r] & ~(255u << k)) | byte << k;
        }
    return x;
}

VEC_INLINE words8 words8_spread(words8 x)
{
    for (int r = 0; r < VEC8; r++) x.lane[r] = (x.lane[r] & 15u) * 0x02040810u & 0x10101010u;
    return x;
}

VEC_INLINE vec8 words8_byte(words8 x, int k)
{
    vec8 out;
    for (int r = 0; r < VEC8; r++)
        out.lane[r] = (float)(int8_t)(x.lane[r] >> 8 * k & 255u) * 0x1p24f;
    return out;
}

VEC_INLINE vec8 vec8_load_bits(const void *p)
{
    vec8 x;
    memcpy(x.lane, p, sizeof x.lane);
    return x;
}

VEC_INLINE words8 words8_of(vec8 x)
{
    words8 out;
    memcpy(out.lane, x.lane, sizeof out.lane);
    return out;
}

VEC_INLINE vec8 words8_bf16(words8 x, int upper)
{
    vec8 out;
    for (int r = 0; r < VEC8; r++)
        out.lane[r] = math_float(upper ? x.lane[r] & 0xffff0000u : x.lane[r] << 16);
    return out;
}

VEC_INLINE vec8 words8_f16(words8 x)
{
    uint16_t half[VEC8];
    for (int r = 0; r < VEC8; r++) half[r] = (uint16_t)x.lane[r];
    return vec8_load_f16(half);
}

VEC_INLINE vec8 vec8_turn_f16(const uint8_t *const *row, int64_t at)
{
    uint16_t half[VEC8];
    for (int r = 0; r < VEC8; r++) memcpy(&half[r], row[r] + at, sizeof half[r]);
    return vec8_load_f16(half);
}

static inline vec8 vec8_mul(vec8 a, vec8 b)
{
    for (int i = 0; i < VEC8; i++) a.lane[i] *= b.lane[i];
    return a;
}

#endif

#endif
/* SPDX-License-Identifier: MIT */
