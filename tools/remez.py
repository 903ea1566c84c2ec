#!/usr/bin/env python3
"""Minimax coefficients of src/tensor/math32.{h,c}, by the Remez exchange in 50 digits.

Each entry of FITS approximates g(x) by a polynomial in u(x) on [a, b] so that the largest
weight(x) * error is least. Coefficients are rounded one by one, lowest power first, and the
rest refitted each time, so that the rounding of one is taken up by the others.

Needs mpmath. Usage: tools/remez.py [name ...]
"""
import struct
import sys
from mpmath import cos, erf, erfc, exp, linspace, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt

mp.dps = 50


def to_f32(c):
    return mpf(struct.unpack("f", struct.pack("f", float(c)))[0])


def to_f64(c):
    return mpf(float(c))


def minimax(g, powers, u, weight, a, b):
    """Coefficients of u^k for k in powers, and the largest weighted error."""
    n = len(powers)
    grid = [(a + b) / 2 - (b - a) / 2 * cos(pi * (2 * i + 1) / 2400) for i in range(1200)]
    rows = [[u(x) ** k for k in powers] for x in grid]
    want, w = [g(x) for x in grid], [weight(x) for x in grid]
    pick = [round(i * 1199 / n) for i in range(n + 1)]
    for _ in range(30):
        m, rhs = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for i, p in enumerate(pick):
            for k in range(n):
                m[i, k] = rows[p][k]
            m[i, n], rhs[i] = (-1) ** i / w[p], want[p]
        sol = lu_solve(m, rhs)
        err = [w[i] * (want[i] - sum(r * s for r, s in zip(rows[i], sol)))
               for i in range(len(grid))]
        best = []  # one extremum for each run of equal signs
        for i, e in enumerate(err):
            if best and (e > 0) == (err[best[-1]] > 0):
                if abs(e) > abs(err[best[-1]]):
                    best[-1] = i
            else:
                best.append(i)
        while len(best) > n + 1:
            best.pop(0 if abs(err[best[0]]) < abs(err[best[-1]]) else -1)
        if len(best) < n + 1 or best == pick:
            break
        pick = best
    return [sol[k] for k in range(n)], max(abs(e) for e in err)


def fit(g, degree, u, weight, a, b, rounding):
    fixed = []
    for k in range(degree + 1):
        rest = lambda x: g(x) - sum(c * u(x) ** i for i, c in enumerate(fixed))
        coef, worst = minimax(rest, range(k, degree + 1), u, weight, a, b)
        fixed.append(rounding(coef[0]))
    worst = max(abs(weight(x) * (g(x) - sum(c * u(x) ** i for i, c in enumerate(fixed))))
                for x in linspace(a, b, 2000))
    return fixed, worst


ident, square = lambda x: x, lambda x: x * x
T = mpf(10) ** -6  # the left end of ranges that start at zero, where g is 0/0
L = log(2) / 2 * mpf("1.0001")
Q = pi / 4 * mpf("1.0001")
S = (sqrt(2) - 1) / (sqrt(2) + 1) * mpf("1.0001")
FITS = {
    # exp(r) - 1 = r + r^2 p(r)
    "expm1": (lambda r: (exp(r) - 1 - r) / r**2, 5, ident,
              lambda r: r**2 / (exp(r) - 1), -L, L, to_f32),
    # log(1+f) = f - f^2/2 + f^3 p(f)
    "log": (lambda f: (log(1 + f) - f + f**2 / 2) / f**3, 8, ident,
            lambda f: f**3 / log(1 + f), mpf(-1) / 3, mpf(1) / 3, to_f32),
    # erf(x) = x + x p(x^2)
    "erf_small": (lambda x: erf(x) / x - 1, 6, square, lambda x: x / erf(x),
                  T, mpf("0.94"), to_f32),
    # erfc(x) = exp(-x p(x))
    "erf_large": (lambda x: -log(erfc(x)) / x, 7, ident, lambda x: x * erfc(x),
                  mpf("0.92"), mpf("3.95"), to_f32),
    # sin(r) = r + r^3 p(r^2); cos(r) = 1 - r^2/2 + r^4 p(r^2)
    "sin": (lambda r: (sin(r) - r) / r**3, 3, square, lambda r: r**3 / sin(r), T, Q, to_f64),
    "cos": (lambda r: (cos(r) - 1 + r**2 / 2) / r**4, 3, square,
            lambda r: r**4 / cos(r), T, Q, to_f64),
    # log2(m) = s p(s^2), s = (m-1)/(m+1);  exp2(r) = p(r)
    "log2": (lambda s: log((1 + s) / (1 - s), 2) / s, 6, square,
             lambda s: s / log((1 + s) / (1 - s), 2), T, S, to_f64),
    "exp2": (lambda r: mpf(2) ** r, 7, ident, lambda r: mpf(2) ** -r,
             mpf("-0.5001"), mpf("0.5001"), to_f64),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FITS:
        coef, worst = fit(*FITS[name])
        print(f"{name}: largest weighted error 2^{float(log(worst, 2)):.2f}")
        for k, c in enumerate(coef):
            suffix = "f" if FITS[name][6] is to_f32 else ""
            print(f"    {float(c).hex()}{suffix},  /* power {k}: {mp.nstr(c, 10)} */")
# SPDX-License-Identifier: MIT
