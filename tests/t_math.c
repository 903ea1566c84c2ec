/* t_math -- the float32 functions against libm in double: every 257th float, every one in a soak.
 *
 * The table below is the one place where the promised errors stand as numbers; docs/numerics.md
 * quotes it.  Besides the error, a hash of the results' bits is compared: it is the same on every
 * machine and compiler, and any change of a coefficient or of an order of operations shows. */
#define TEST_FILE t_math
#include "test.h"
#define REAL_F64 0
#include "tensor/draw.h"
#include "tensor/math32.h"
#include "base/cpu.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* name; its value in double; the promised error in ulp; which ulp; where it is promised; the hash.
 *
 * OF_RESULT: the float distance at the result.  OF_X: at x, for gelu(x) of negative x is a small
 * difference of numbers as large as x.  Outside the promised range a factor is denormal, and the
 * product has what is left of its bits. */
#define FUNCTIONS(X)                                                                               \
    X(exp, exp(x), 1.0, OF_RESULT, true, 0x3e3eea73e3d1f28f)                                       \
    X(log, log(x), 1.0, OF_RESULT, true, 0xfb4d4e0250dfa195)                                       \
    X(tanh, tanh(x), 2.5, OF_RESULT, true, 0x2afaaaa2ba45c8b3)                                     \
    X(erf, erf(x), 1.0, OF_RESULT, true, 0xda2785c5fba15341)                                       \
    X(sin, sin(x), 0.51, OF_RESULT, true, 0x504678658cc1d3ea)                                      \
    X(cos, cos(x), 0.51, OF_RESULT, true, 0x168a29a21f67f1d2)                                      \
    X(pow_1e4, pow(1e4, x), 0.51, OF_RESULT, true, 0xf4bb80aa157fa8b8)                             \
    X(pow_2_3, pow(x, (double)two_thirds), 0.51, OF_RESULT, true, 0x4f0058145bbd4d22)              \
    X(sigmoid, math64_sigmoid(x), 2.5, OF_RESULT, true, 0xb5798fb835f16f19)                        \
    X(silu, math64_silu(x), 3.5, OF_RESULT, x > -87.0, 0xa23328ceab792c35)                         \
    X(relu, math64_relu(x), 0.0, OF_RESULT, true, 0x57c622773a69c1ae)                              \
    X(gelu_erf, math64_gelu_erf(x), 1.6, OF_X, true, 0x6ecd71684082dce3)                           \
    X(gelu_tanh, math64_gelu_tanh(x), 2.0, OF_X, true, 0x2a36a11391966def)                         \
    X(gelu_quick, math64_gelu_quick(x), 2.0, OF_X, true, 0x1e95b338fd40202a)                       \
    X(cap30, math64_softcap(x, 30.0), 5.0, OF_RESULT, fabs(x) > 0x1p-120, 0x8bdd11ad09e09d97)

static const float two_thirds = 0x1.555556p-1f;

typedef enum ulp_of { OF_RESULT, OF_X } ulp_of;

enum {
#define X(name, want, ulp, of, where, hash) FN_##name,
    FUNCTIONS(X)
#undef X
        N_FN
};

enum { STRIDE = 257, BLOCK = 4096 };

static inline float math_cap30(float x) { return math_softcap(x, 30.0f); }

static inline float math_pow_1e4(float x) { return math_pow(1e4f, x); }

static inline float math_pow_2_3(float x) { return math_pow(x, two_thirds); }

static inline void compute_any(int fn, const float *in, float *y, int n)
{
    switch (fn) {
#define X(name, want, ulp, of, where, hash)                                                        \
    case FN_##name:                                                                                \
        for (int i = 0; i < n; i++) y[i] = math_##name(in[i]);                                     \
        break;
        FUNCTIONS(X)
#undef X
    default: break;
    }
}

static void compute_plain(int fn, const float *in, float *y, int n) { compute_any(fn, in, y, n); }

#if defined __x86_64__
__attribute__((target("avx2,fma"))) static void compute_wide(int fn, const float *in, float *y,
                                                             int n)
{
    compute_any(fn, in, y, n);
}
#else
#define compute_wide compute_plain
#endif

/* With the fma instruction where there is one: a call of fmaf for each takes ten times as long. */
static void compute(int fn, const float *in, float *y, int n)
{
    (cpu_detect() >= CPU_AVX2 ? compute_wide : compute_plain)(fn, in, y, n);
}

static double wanted(int fn, double x)
{
    switch (fn) {
#define X(name, want, ulp, of, where, hash)                                                        \
    case FN_##name: return want;
        FUNCTIONS(X)
#undef X
    default: return 0.0;
    }
}

static bool promised(int fn, double x)
{
    switch (fn) {
#define X(name, want, ulp, of, where, hash)                                                        \
    case FN_##name: return (where);
        FUNCTIONS(X)
#undef X
    default: return false;
    }
}

static const struct promise {
    const char *name;
    double ulp;
    ulp_of of;
    uint64_t hash;
} promise[N_FN] = {
#define X(name, want, ulp, of, where, hash) { #name, ulp, of, UINT64_C(hash) },
    FUNCTIONS(X)
#undef X
};

/* The distance of neighbouring floats at |x|. */
static double ulp_at(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    int64_t e = (int64_t)(u >> 52 & 2047) - 1023;
    u = (uint64_t)((e < -126 ? -126 : e > 127 ? 127 : e) - 23 + 1023) << 52;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* |got - want| in ulp at `at`, or at want where that is larger; infinity counts as 2^128, the
 * next float there would be. */
static double error_of(float got, double want, double at)
{
    if (got != got || want != want) return (got != got) == (want != want) ? 0.0 : INFINITY;
    double edge = 0x1p128, g = (double)got;
    want = want > edge ? edge : want < -edge ? -edge : want;
    g = g > edge ? edge : g < -edge ? -edge : g;
    return fabs(g - want) / ulp_at(fabs(at) > fabs(want) ? at : want);
}

static uint64_t mix_bits(uint64_t h, float y)
{
    h = (h ^ (y != y ? 0x7fc00000u : math_bits(y))) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* What was found: the largest error, the float where it is, and the hash of every 257th result. */
typedef struct found {
    double worst;
    float at;
    uint64_t hash;
} found;

static void measure_block(int fn, const uint32_t *u, int n, found *f)
{
    static float in[BLOCK], out[BLOCK];
    for (int i = 0; i < n; i++) in[i] = math_float(u[i]);
    compute(fn, in, out, n);
    for (int i = 0; i < n; i++) {
        if (u[i] % STRIDE == 0) f->hash = mix_bits(f->hash, out[i]);
        double x = (double)in[i];
        if (!promised(fn, x) && x == x) continue;
        double e = error_of(out[i], wanted(fn, x), promise[fn].of == OF_X ? x : 0.0);
        if (e > f->worst) f->worst = e, f->at = in[i];
    }
}

static found measure(int fn, uint32_t step)
{
    static uint32_t u[BLOCK];
    found f = { 0 };
    for (uint64_t next = 0; next < UINT64_C(1) << 32;) {
        int n = 0;
        for (; n < BLOCK && next < UINT64_C(1) << 32; next += step) u[n++] = (uint32_t)next;
        measure_block(fn, u, n, &f);
    }
    return f;
}

static void check_promise(int fn)
{
    found f = measure(fn, test_soak ? 1 : STRIDE);
    bool kept = f.worst <= promise[fn].ulp, same = f.hash == promise[fn].hash;
    if (test_soak || !kept || !same)
        printf("    %s: %.4f ulp at %a, hash 0x%016" PRIx64 "\n", promise[fn].name, f.worst,
               (double)f.at, f.hash);
    CHECK(kept);
    CHECK(same);
}

TEST("exp, log, tanh and erf keep the promised errors and have the same bits everywhere")
{
    for (int fn = FN_exp; fn <= FN_erf; fn++) check_promise(fn);
}

TEST("sin, cos and pow are the nearest float but for one case in a hundred")
{
    for (int fn = FN_sin; fn <= FN_pow_2_3; fn++) check_promise(fn);
}

TEST("the activations keep the promised errors and have the same bits everywhere")
{
    for (int fn = FN_sigmoid; fn < N_FN; fn++) check_promise(fn);
}

TEST("with and without the fma instruction, the bits of every function are the same")
{
    if (cpu_detect() < CPU_AVX2) SKIP("this processor lacks AVX2");
    enum { N = 20000 };
    static float in[N], plain[N], wide[N];
    for (uint32_t i = 0; i < N; i++) in[i] = math_float(i * 214757u);
    for (int fn = 0; fn < N_FN; fn++) {
        compute_plain(fn, in, plain, N);
        compute_wide(fn, in, wide, N);
        uint64_t a = 0, b = 0;
        for (int i = 0; i < N; i++) a = mix_bits(a, plain[i]), b = mix_bits(b, wide[i]);
        CHECK(a == b);
    }
}

static bool same_float(float a, float b)
{
    return (a != a && b != b) || math_bits(a) == math_bits(b);
}

TEST("zeros keep their sign, infinities and NaN go where C says")
{
    const float inf = INFINITY, nan = NAN;
    CHECK(same_float(math_exp(0.0f), 1.0f) && same_float(math_exp(-0.0f), 1.0f));
    CHECK(same_float(math_exp(inf), inf) && same_float(math_exp(-inf), 0.0f));
    CHECK(math_exp(88.7228f) < inf && math_exp(88.7229f) == inf);
    CHECK(math_exp(-103.9720f) == 0x1p-149f && math_exp(-103.9721f) == 0.0f);
    CHECK(math_log(1.0f) == 0.0f && math_log(0.0f) == -inf && math_log(-0.0f) == -inf);
    CHECK(math_log(inf) == inf && same_float(math_log(-1.0f), nan));
    CHECK(same_float(math_log(-inf), nan));
    CHECK(same_float(math_tanh(-0.0f), -0.0f));
    CHECK(math_tanh(inf) == 1.0f && math_tanh(-inf) == -1.0f);
    CHECK(same_float(math_erf(-0.0f), -0.0f) && math_erf(inf) == 1.0f && math_erf(-inf) == -1.0f);
    CHECK(same_float(math_sin(-0.0f), -0.0f) && math_cos(0.0f) == 1.0f);
    CHECK(same_float(math_sin(inf), nan) && same_float(math_cos(-inf), nan));
    CHECK(same_float(math_relu(-0.0f), -0.0f) && math_relu(-inf) == 0.0f && math_relu(inf) == inf);
    CHECK(math_sigmoid(-inf) == 0.0f && math_sigmoid(inf) == 1.0f && math_sigmoid(0.0f) == 0.5f);
    for (int fn = 0; fn < N_FN; fn++) {
        float y;
        compute_plain(fn, &nan, &y, 1);
        CHECK(y != y);
    }
}

TEST("tanh, erf and sin are odd and cos is even, in every bit")
{
    for (uint32_t u = 0; u < 0x7f800000u; u += 65537u) {
        float x = math_float(u);
        CHECK(math_bits(math_tanh(-x)) == math_bits(-math_tanh(x)));
        CHECK(math_bits(math_erf(-x)) == math_bits(-math_erf(x)));
        CHECK(math_bits(math_sin(-x)) == math_bits(-math_sin(x)));
        CHECK(math_bits(math_cos(-x)) == math_bits(math_cos(x)));
    }
}

TEST("pow has the special cases of C's pow, and its values on a grid of bases and powers")
{
    static const float special[] = { 0.0f, 1.0f,  0.5f,        2.0f,        3.0f,     0.75f, 1e-40f,
                                     2.5f, 1e30f, 16777215.0f, 16777216.0f, INFINITY, NAN };
    enum { N = sizeof special / sizeof *special };
    for (int i = 0; i < 4 * N * N; i++) {
        float x = special[i % N], y = special[i / N % N];
        x = i / (N * N) & 1 ? -x : x;
        y = i / (N * N) & 2 ? -y : y;
        double want = pow((double)x, (double)y);
        CHECK(error_of(math_pow(x, y), want, 0.0) <= 0.51);
        CHECK(want != want || !signbit(want) == !signbit(math_pow(x, y)));
    }
}

TEST("the activations in double are those of libm's exp, erf and tanh")
{
    for (int i = -200; i <= 200; i++) {
        double x = 0.1 * i, s = 1.0 / (1.0 + exp(-x)), tiny = 1e-14 * (1.0 + fabs(x));
        CHECK(fabs(math64_sigmoid(x) - s) < tiny && fabs(math64_silu(x) - x * s) < tiny);
        CHECK(math64_relu(x) == fmax(x, 0.0));
        CHECK(fabs(math64_gelu_erf(x) - x * 0.5 * erfc(-x / sqrt(2.0))) < tiny);
        double u = sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * pow(x, 3.0));
        CHECK(fabs(math64_gelu_tanh(x) - x * 0.5 * (1.0 + tanh(u))) < tiny);
        CHECK(fabs(math64_gelu_quick(x) - x / (1.0 + exp(-1.702 * x))) < tiny);
        CHECK(fabs(math64_softcap(x, 5.0) - 5.0 * tanh(x / 5.0)) < tiny);
    }
}

/* ---- drawing ---- */

enum { DRAWS = 100000 };
static const uint64_t WRITTEN_DRAWS = 0x51fc952df916392a;

TEST("draw_normal has mean 0, variance 1, no skew and the kurtosis of a normal number")
{
    uint32_t stream = rand_stream("normal");
    double m[5] = { 0 };
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = (double)draw_normal(test_seed, stream, i);
        CHECK(fabs(x) < 5.8);
        m[1] += x, m[2] += x * x, m[3] += x * x * x, m[4] += x * x * x * x;
    }
    CHECK(fabs(m[1] / DRAWS) < 6 * sqrt(1.0 / DRAWS));
    CHECK(fabs(m[2] / DRAWS - 1) < 6 * sqrt(2.0 / DRAWS));
    CHECK(fabs(m[3] / DRAWS) < 6 * sqrt(15.0 / DRAWS));
    CHECK(fabs(m[4] / DRAWS - 3) < 6 * sqrt(96.0 / DRAWS));
}

TEST("the largest of logits and Gumbel noise is drawn as softmax says")
{
    static const double logit[] = { 0, 1, 2 };
    double sum = 1 + exp(1) + exp(2);
    int64_t times[3] = { 0 };
    for (uint64_t i = 0; i < DRAWS; i++) {
        int best = 0;
        double y[3];
        for (uint64_t k = 0; k < 3; k++)
            y[k] = logit[k] + (double)draw_gumbel(test_seed, rand_stream("gumbel"), 3 * i + k);
        for (int k = 1; k < 3; k++) best = y[k] > y[best] ? k : best;
        times[best]++;
    }
    for (int k = 0; k < 3; k++) {
        double p = exp(logit[k]) / sum;
        CHECK(fabs((double)times[k] - DRAWS * p) <= 6 * sqrt(DRAWS * p * (1 - p)));
    }
}

TEST("what is drawn has the bits that were written down")
{
    uint64_t h = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        h = h * 0x9e3779b97f4a7c15u + math_bits(draw_normal(1, 2, i));
        h = h * 0x9e3779b97f4a7c15u + math_bits(draw_gumbel(1, 2, i));
    }
    if (h != WRITTEN_DRAWS) printf("  %" PRIx64 "\n", h);
    CHECK(h == WRITTEN_DRAWS);
}
/* SPDX-License-Identifier: MIT */
