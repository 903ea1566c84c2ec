/* math32 -- sin, cos and pow, by way of double; see math32.h for the promise of equal bits.
 *
 * These run a few times per position at most (rotary tables), so a double with its 53 bits
 * is the simple way: one polynomial, one rounding to float at the end, results that differ
 * from the correctly rounded ones about once in ten thousand. */
#include "tensor/math32.h"

/* 2^52 * 1.5: added to a small double, it rounds it to an integer and shows it in the low bits. */
static const double round_magic = 0x1.8p52;

static uint64_t bits64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double float64(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* x = q pi/2 + r for |x| >= 2^30, after Payne and Hanek: of x 2/pi = m 2^e 2/pi only the bits
 * from weight 2 downwards matter, so 96 bits of 2/pi from there on, times m, modulo 4, do. */
static double reduce_huge(float x, uint32_t *q)
{
    static const uint32_t two_over_pi[7] = { 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                             0xdb629599u, 0x3c439041u, 0xfe5163abu };
    uint32_t u = math_bits(x), e = (u >> 23 & 255u) - 150u, at = e - 2u, cut = 32u - at % 32u;
    uint64_t m = (u & 0x7fffffu) | 0x800000u, w[3];
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t *two = two_over_pi + at / 32u + i;
        w[i] = ((uint64_t)two[0] << 32 | two[1]) >> cut & 0xffffffffu;
    }
    uint64_t turn = (m * w[0] << 32) + m * w[1] + (m * w[2] >> 32); /* 2^62 is a quarter */
    uint64_t quarter = (turn + (UINT64_C(1) << 61)) >> 62;
    double r = (double)(int64_t)(turn - (quarter << 62)) * 0x1.921fb54442d18p-62;
    *q = (uint32_t)(u >> 31 ? 0u - quarter : quarter);
    return u >> 31 ? -r : r;
}

/* x = q pi/2 + r with |r| <= pi/4; only q modulo 4 is right.  Below 2^30, pi/2 in two
 * doubles is enough: the product is exact inside the fma. */
static double reduce(float x, uint32_t *q)
{
    if (math_abs(x) >= 0x1p30f) return reduce_huge(x, q);
    double rounded = fma((double)x, 0x1.45f306dc9c883p-1, round_magic), n = rounded - round_magic;
    *q = (uint32_t)bits64(rounded);
    return fma(n, -0x1.1a62633145c07p-54, fma(n, -0x1.921fb54442d18p+0, (double)x));
}

/* sin(r + q pi/2): by q one of sin r, cos r, -sin r, -cos r. */
static float sine_of_quarter(double r, uint32_t q)
{
    double s = r * r, y;
    if (q & 1u) {
        double p = -0x1.241e6b1d4bbd1p-22;
        p = fma(p, s, 0x1.a010dde244516p-16);
        p = fma(p, s, -0x1.6c16b828aa451p-10);
        p = fma(p, s, 0x1.5555554ed8310p-5);
        y = fma(s, fma(p, s, -0.5), 1.0);
    } else {
        double p = 0x1.6cd1b16bb8e86p-19;
        p = fma(p, s, -0x1.a00f7e18a20d8p-13);
        p = fma(p, s, 0x1.11110869114a0p-7);
        p = fma(p, s, -0x1.5555554c70049p-3);
        y = fma(r * s, p, r);
    }
    return (float)(q & 2u ? -y : y);
}

float math_sin(float x)
{
    if (x == 0.0f || !(math_abs(x) < INFINITY)) return x == 0.0f ? x : NAN; /* keeps -0 */
    uint32_t q;
    double r = reduce(x, &q);
    return sine_of_quarter(r, q);
}

float math_cos(float x)
{
    if (!(math_abs(x) < INFINITY)) return NAN;
    uint32_t q;
    double r = reduce(x, &q);
    return sine_of_quarter(r, q + 1u);
}

/* log2 of a positive finite a = 2^e m, m in [sqrt(1/2), sqrt(2)): with s = (m-1)/(m+1),
 * log2(m) = s p(s^2), to about 50 bits. */
static double log2_of(float a)
{
    const uint64_t root_half = UINT64_C(0x3fe6a09e00000000);
    uint64_t over = bits64((double)a) - root_half;
    double e = (double)((int64_t)over >> 52);
    double m = float64((over & UINT64_C(0x000fffffffffffff)) + root_half);
    double s = (m - 1.0) / (m + 1.0), t = s * s, p = 0x1.f16e92d159c89p-3;
    p = fma(p, t, 0x1.0bb8d1f40a3c3p-2);
    p = fma(p, t, 0x1.484fa1d11a9ebp-2);
    p = fma(p, t, 0x1.a61756a665cc2p-2);
    p = fma(p, t, 0x1.2776c51674a6bp-1);
    p = fma(p, t, 0x1.ec709dc39cd07p-1);
    p = fma(p, t, 0x1.71547652b82ffp+1);
    return fma(s, p, e);
}

/* 2^z rounded to float once; beyond +-200 the result is infinity or zero in any case. */
static float exp2_of(double z)
{
    z = z > 200.0 ? 200.0 : z;
    z = z < -200.0 ? -200.0 : z;
    double rounded = z + round_magic, r = z - (rounded - round_magic), p = 0x1.059fe6f9950c7p-16;
    int64_t n = (int64_t)(bits64(rounded) - bits64(round_magic));
    p = fma(p, r, 0x1.4487c1926ac0bp-13);
    p = fma(p, r, 0x1.5d850d872877cp-10);
    p = fma(p, r, 0x1.3b29c1fc73520p-7);
    p = fma(p, r, 0x1.c6b0865c54b77p-5);
    p = fma(p, r, 0x1.ebfbe0a67d2f6p-3);
    p = fma(p, r, 0x1.62e42ffc90451p-1);
    p = fma(p, r, 0x1.ffffffffab9afp-1);
    return (float)(p * float64((uint64_t)(n + 1023) << 52));
}

float math_pow(float x, float y)
{
    if (x == 1.0f || y == 0.0f) return 1.0f;
    if (x != x || y != y) return NAN;
    float a = math_abs(x), b = math_abs(y);
    int32_t whole = b < 0x1p24f ? (int32_t)b : 0; /* from 2^24 on, floats are even integers */
    int integer = b >= 0x1p24f || (float)whole == b, odd = integer && (whole & 1);
    if (x < 0.0f && a < INFINITY && !integer) return NAN;
    float size;
    if (a == 1.0f) size = 1.0f; /* also to the power of infinity */
    else if (a > 0.0f && a < INFINITY) size = exp2_of((double)y * log2_of(a));
    else size = (a == 0.0f) == (y < 0.0f) ? INFINITY : 0.0f;
    return odd && math_bits(x) >> 31 ? -size : size;
}
/* SPDX-License-Identifier: MIT */
