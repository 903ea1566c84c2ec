/* math32 -- exp, log, tanh, erf, sin, cos, pow and the activations in float32, our own bits.
 *
 * These functions define the engine's bits (docs/numerics.md): each is one fixed sequence of
 * + - * / fmaf, selects and integer operations on the bits of a float, so every compiler and
 * machine that has IEEE arithmetic computes the same, and a vector kernel that does the same
 * operations lane by lane does too.  Hence no libm but fmaf (exact by definition), no tables,
 * and no reassociation: -ffp-contract=off, never -ffast-math.
 *
 * exp, log, tanh and erf have no branches: a loop over an array is vectorised by gcc and
 * clang under -O3 -mavx2 -mfma -fno-math-errno -fno-trapping-math.  The selects are written
 * so that a NaN comes through.  sin, cos and pow (rotary tables) go by way of double and
 * stand in math32.c.
 *
 * Every function takes every float.  A NaN gives a NaN (pow: except where C says 1); which
 * NaN is not fixed.  Errors in ulp are measured by tests/t_math.c; the polynomials are
 * minimax fits by tools/remez.py, which names them as the comments here do. */
#ifndef MICROTOME_TENSOR_MATH32_H
#define MICROTOME_TENSOR_MATH32_H
#include <math.h>
#include <stdint.h>
#include <string.h>

/* The bits of a float, and the float of some bits.
 *
 * [err: none | owns: nothing | thread: any | cost: none] */
static inline uint32_t math_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float math_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* x without its sign; x with the sign of `sign` (x must be positive or a NaN).
 *
 * [err: none | owns: nothing | thread: any | cost: one operation] */
static inline float math_abs(float x) { return math_float(math_bits(x) & 0x7fffffffu); }

static inline float math_with_sign(float x, float sign)
{
    return math_float(math_bits(x) | (math_bits(sign) & 0x80000000u));
}

/* Parts of exp, shared with tanh and erf; x must lie in [-104, 89] (or be a NaN).
 * exp(x) = 2^n (1 + expm1(r)) with n = round(x / ln 2) and |r| <= ln 2 / 2.
 *
 * math_exp_round  n + 1.5 * 2^23: adding that constant rounds to an integer, ties to even,
 *                 and leaves n in the low bits (read by math_exp_n)
 * math_exp_rest   r = x - n ln 2; the high part of ln 2 has 15 bits, so n times it is exact
 * math_expm1_rest expm1(r), r + r^2 p(r) by Horner's rule
 * math_pow2       2^n for n in [-126, 127]
 *
 * [err: none | owns: nothing | thread: any | cost: a few operations each] */
static inline float math_exp_round(float x) { return fmaf(x, 0x1.715476p+0f, 0x1.8p23f); }

static inline int32_t math_exp_n(float rounded)
{
    return (int32_t)(math_bits(rounded) - 0x4b400000u);
}

static inline float math_exp_rest(float x, float rounded)
{
    float n = rounded - 0x1.8p23f;
    return fmaf(n, -0x1.7f7d1cp-20f, fmaf(n, -0x1.62e4p-1f, x));
}

static inline float math_expm1_rest(float r)
{
    float p = 0x1.9c5f84p-13f;
    p = fmaf(p, r, 0x1.6d4cacp-10f);
    p = fmaf(p, r, 0x1.1113acp-7f);
    p = fmaf(p, r, 0x1.5554eap-5f);
    p = fmaf(p, r, 0x1.555554p-3f);
    p = fmaf(p, r, 0x1p-1f);
    return fmaf(r * r, p, r);
}

static inline float math_pow2(int32_t n) { return math_float((uint32_t)(n + 127) << 23); }

/* e to the power x.  Infinity above 88.72284, 0 below -103.97208, denormals between.
 * The power of two goes on in two halves, so that only the last product can round, once.
 *
 * [err: none, at most 1 ulp | owns: nothing | thread: any | cost: 0.5 ns in an AVX2 loop] */
static inline float math_exp(float x)
{
    float c = x > 89.0f ? 89.0f : x;
    c = c < -104.0f ? -104.0f : c;
    float rounded = math_exp_round(c);
    int32_t n = math_exp_n(rounded), half = n >> 1;
    float y = 1.0f + math_expm1_rest(math_exp_rest(c, rounded));
    return y * math_pow2(half) * math_pow2(n - half);
}

/* Natural logarithm: -infinity at zero, NaN below.
 * x = 2^e (1 + f) with f in [-1/3, 1/3]; log(1 + f) = f - f^2/2 + f^3 p(f).
 *
 * [err: none, at most 1 ulp | owns: nothing | thread: any | cost: 0.6 ns in an AVX2 loop] */
static inline float math_log(float x)
{
    int tiny = x < 0x1p-126f;
    uint32_t u = math_bits(tiny ? x * 0x1p23f : x);
    uint32_t over = u - 0x3f2aaaabu; /* 2/3: the exponent steps there, not at 1 */
    float e = (float)((int32_t)over >> 23) - (tiny ? 23.0f : 0.0f);
    float f = math_float((over & 0x007fffffu) + 0x3f2aaaabu) - 1.0f, ff = f * f;
    float p = 0x1.e0518cp-4f;
    p = fmaf(p, f, -0x1.07d3b0p-3f);
    p = fmaf(p, f, 0x1.bb45e2p-4f);
    p = fmaf(p, f, -0x1.f33704p-4f);
    p = fmaf(p, f, 0x1.24d7b2p-3f);
    p = fmaf(p, f, -0x1.559bb0p-3f);
    p = fmaf(p, f, 0x1.99985ep-3f);
    p = fmaf(p, f, -0x1.ffff02p-3f);
    p = fmaf(p, f, 0x1.555556p-2f);
    float y = fmaf(e, 0x1.62e430p-1f, fmaf(e, -0x1.05c610p-29f, fmaf(ff, fmaf(p, f, -0.5f), f)));
    y = x > 0x1.fffffep127f ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    return x >= 0.0f ? y : NAN;
}

/* Hyperbolic tangent, odd in every bit: with q = expm1(2|x|), q / (q + 2).
 *
 * [err: none, at most 2.5 ulp | owns: nothing | thread: any | cost: 0.6 ns in an AVX2 loop] */
static inline float math_tanh(float x)
{
    float a = math_abs(x);
    a = a > 10.0f ? 10.0f : a; /* tanh rounds to 1 from 9.01 on */
    a = a + a;
    float rounded = math_exp_round(a);
    float two_n = math_pow2(math_exp_n(rounded));
    float q = fmaf(two_n, math_expm1_rest(math_exp_rest(a, rounded)), two_n - 1.0f);
    return math_with_sign(q / (q + 2.0f), x);
}

/* The error function, odd in every bit.  |x| < 0.93: x + x p(x^2), else 1 - exp(-|x| p(|x|)).
 *
 * [err: none, at most 1 ulp | owns: nothing | thread: any | cost: 0.9 ns in an AVX2 loop] */
static inline float math_erf(float x)
{
    float a = math_abs(x), s = a * a;
    float p = 0x1.4f9bb0p-14f;
    p = fmaf(p, s, -0x1.a6153ep-11f);
    p = fmaf(p, s, 0x1.544ad8p-8f);
    p = fmaf(p, s, -0x1.b80122p-6f);
    p = fmaf(p, s, 0x1.ce2d64p-4f);
    p = fmaf(p, s, -0x1.812740p-2f);
    p = fmaf(p, s, 0x1.06eba8p-3f);
    float small = fmaf(a, p, a);
    float b = a > 3.95f ? 3.95f : a; /* erf rounds to 1 from 3.92 on */
    float q = 0x1.423f98p-18f;
    q = fmaf(q, b, -0x1.70a8cap-15f);
    q = fmaf(q, b, -0x1.e47fdap-15f);
    q = fmaf(q, b, 0x1.82f5d0p-9f);
    q = fmaf(q, b, -0x1.741110p-6f);
    q = fmaf(q, b, 0x1.af49f4p-4f);
    q = fmaf(q, b, 0x1.456e8ap-1f);
    q = fmaf(q, b, 0x1.20e8fep+0f);
    float t = -b * q, rounded = math_exp_round(t);
    float minus = -math_pow2(math_exp_n(rounded));
    float large = fmaf(minus, math_expm1_rest(math_exp_rest(t, rounded)), 1.0f + minus);
    return math_with_sign(a < 0.93f ? small : large, x);
}

/* Sine and cosine of x radians for every finite x (NaN for the infinities), and x to the
 * power y with the special cases of C's pow.  By way of double, in a fixed sequence.
 *
 * [err: none, at most 1 ulp | owns: nothing | thread: any | cost: about 5 to 20 ns] */
float math_sin(float x);
float math_cos(float x);
float math_pow(float x, float y);

/* Activations, in exactly the order of operations written here.  Constants are the float
 * nearest to sqrt(2/pi), 1/sqrt(2), 0.044715 and 1.702.  As in the formulas they implement,
 * gelu and silu of -infinity are NaN (-infinity times zero).
 *
 * [err: none | owns: nothing | thread: any | cost: that of the function inside] */
static inline float math_sigmoid(float x)
{
    float e = math_exp(-math_abs(x)); /* never overflows, and keeps small results exact */
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

static inline float math_silu(float x) { return x * math_sigmoid(x); }

static inline float math_relu(float x) { return x < 0.0f ? 0.0f : x; /* NaN and -0 come through */ }

static inline float math_gelu_erf(float x)
{
    return (0.5f * x) * (1.0f + math_erf(x * 0x1.6a09e6p-1f));
}

static inline float math_gelu_tanh(float x)
{
    float inner = 0x1.988454p-1f * (x + 0.044715f * (x * x * x));
    return (0.5f * x) * (1.0f + math_tanh(inner));
}

static inline float math_gelu_quick(float x) { return x * math_sigmoid(1.702f * x); }

static inline float math_softcap(float x, float c) { return c * math_tanh(x / c); }

/* The same in double from libm: the yardstick (f64), whose last bits are the machine's.
 * Constants here are the nearest doubles.
 *
 * [err: none | owns: nothing | thread: any | cost: libm's] */
static inline double math64_sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

static inline double math64_silu(double x) { return x * math64_sigmoid(x); }

static inline double math64_relu(double x) { return x < 0.0 ? 0.0 : x; }

static inline double math64_gelu_erf(double x)
{
    return (0.5 * x) * (1.0 + erf(x * 0.70710678118654752440));
}

static inline double math64_gelu_tanh(double x)
{
    double inner = 0.79788456080286535588 * (x + 0.044715 * (x * x * x));
    return (0.5 * x) * (1.0 + tanh(inner));
}

static inline double math64_gelu_quick(double x) { return x * math64_sigmoid(1.702 * x); }

static inline double math64_softcap(double x, double c) { return c * tanh(x / c); }

/* One op source, two precisions: where `real` is typedef'd and REAL_F64 is defined (0 or 1)
 * before this header is included, real_X is math_X or its double. */
#ifdef REAL_F64
#if REAL_F64
#define real_exp exp
#define real_log log
#define real_tanh tanh
#define real_erf erf
#define real_sin sin
#define real_cos cos
#define real_pow pow
#define real_sqrt sqrt
#define real_fma fma
#define real_sigmoid math64_sigmoid
#define real_silu math64_silu
#define real_relu math64_relu
#define real_gelu_erf math64_gelu_erf
#define real_gelu_tanh math64_gelu_tanh
#define real_gelu_quick math64_gelu_quick
#define real_softcap math64_softcap
#else
#define real_exp math_exp
#define real_log math_log
#define real_tanh math_tanh
#define real_erf math_erf
#define real_sin math_sin
#define real_cos math_cos
#define real_pow math_pow
#define real_sqrt sqrtf
#define real_fma fmaf
#define real_sigmoid math_sigmoid
#define real_silu math_silu
#define real_relu math_relu
#define real_gelu_erf math_gelu_erf
#define real_gelu_tanh math_gelu_tanh
#define real_gelu_quick math_gelu_quick
#define real_softcap math_softcap
#endif
#endif

#endif
/* SPDX-License-Identifier: MIT */
