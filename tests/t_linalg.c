/* t_linalg -- factors reproduce the matrix and are orthogonal, on matrices made to be hard; values against numpy's
 * and against 60-digit arithmetic (mpmath) on the very same float64 numbers. */
#define TEST_FILE t_linalg
#include "test.h"
#include "base/mem.h"
#include "base/rand.h"
#include "linalg/linalg.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 80 };
static double A[MAX * MAX], U[MAX * MAX], S[MAX], V[MAX * MAX], T[MAX * MAX], W[MAX * MAX];

/* ---- matrices by formula ---- */

typedef double entry(int i, int j, int m, int n);

static double hilbert(int i, int j, int m, int n) { return (void)m, (void)n, 1.0 / (i + j + 1); }

static double frank(int i, int j, int m, int n)
{
    (void)m;
    return j >= i - 1 ? n - (i > j ? i : j) : 0;
}

static double kahan(int i, int j, int m, int n)
{
    (void)m, (void)n;
    double p = 1;
    for (int k = 0; k < i; k++) p *= 0.9682458365518543;
    return i == j ? p : j > i ? -0.25 * p : 0;
}

/* Well conditioned columns times 2^-14j, the smallest first. */
static double graded(int i, int j, int m, int n)
{
    (void)m;
    j = n - 1 - j;
    return (i == j ? 2.0 : 1.0 / (1 + i + j)) * ldexp(1, -14 * j);
}

static double mixed(int i, int j, int m, int n)
{
    (void)m, (void)n;
    int far = i > j ? i - j : j - i;
    return ((i * 7 + j * 3) % 11 - 5.0) / (1 + far);
}

static double zero(int i, int j, int m, int n) { return (void)i, (void)j, (void)m, (void)n, 0; }

static double unit(int i, int j, int m, int n) { return (void)m, (void)n, i == j; }

static double ones(int i, int j, int m, int n) { return (void)i, (void)j, (void)m, (void)n, 1; }

static double cycle(int i, int j, int m, int n) { return (void)m, j == (i + 1) % n; }

static double jordan(int i, int j, int m, int n) { return (void)m, (void)n, j == i + 1; }

static double random_entry(int i, int j, int m, int n)
{
    return rand_unit(test_seed + (uint64_t)m, rand_stream("linalg"), (uint64_t)(i * n + j)) - 0.5;
}

static double low_rank(int i, int j, int m, int n)
{
    double sum = 0;
    for (int k = 0; k < 3; k++) sum += random_entry(i, k, m, n) * random_entry(k, j, n + 1, n);
    return sum;
}

/* Values 1, 1 + 1e-9, 1 + 2e-9 .. beside one another: a diagonal turned by a reflection. */
static double clustered(int i, int j, int m, int n)
{
    double sum = 0;
    int k = m < n ? m : n;
    for (int l = 0; l < k; l++) {
        double a = (i == l) - 2.0 / m, b = (j == l) - 2.0 / n;
        sum += a * (1 + 1e-9 * l) * b;
    }
    return sum;
}

/* Entries from 1e-200 to 1e200 apart. */
static double wild(int i, int j, int m, int n)
{
    (void)m, (void)n;
    return random_entry(i, j, m, n) * pow(10, 40 * ((i * 5 + j * 3) % 7 - 3));
}

static entry *const every[] = { hilbert, frank, kahan,  graded,   mixed,     zero, unit,
                                ones,    cycle, jordan, low_rank, clustered, wild, random_entry };
enum { N_EVERY = sizeof every / sizeof *every };
static const int shape[][2] = { { 1, 1 },  { 1, 7 },  { 7, 1 },  { 6, 6 },
                                { 19, 8 }, { 8, 19 }, { 33, 33 } };
enum { N_SHAPE = sizeof shape / sizeof *shape };

static void fill(double *a, entry *f, int m, int n)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) a[i * n + j] = f(i, j, m, n);
}

static double largest(const double *a, int n)
{
    double big = 0;
    for (int i = 0; i < n; i++) big = worse(big, fabs(a[i]));
    return big;
}

/* How far the rows of x [k, n] (columns, where x is [n, k] and `columns`) are from orthonormal. */
static double skew(const double *x, int k, int n, bool columns)
{
    double worst = 0;
    for (int a = 0; a < k; a++) {
        for (int b = 0; b < k; b++) {
            double sum = a == b ? -1 : 0;
            for (int i = 0; i < n; i++)
                sum += columns ? x[i * k + a] * x[i * k + b] : x[a * n + i] * x[b * n + i];
            worst = worse(worst, fabs(sum));
        }
    }
    return worst;
}

static bool leads_positive(const double *x, int n, int step)
{
    int at = 0;
    for (int i = 0; i < n; i++)
        if (fabs(x[i * step]) > fabs(x[at * step])) at = i;
    return x[at * step] > 0;
}

/* Largest difference of a from b times the largest entry, in units of rounding. */
static double far_from(const double *a, const double *b, int n)
{
    double big = largest(b, n), worst = 0;
    for (int i = 0; i < n; i++) worst = worse(worst, fabs(a[i] - b[i]));
    return big > 0 ? worst / big / DBL_EPSILON : worst == 0 ? 0 : INFINITY;
}

static bool near(const double *got, const double *want, int n, double relative)
{
    for (int i = 0; i < n; i++) {
        if (fabs(got[i] - want[i]) <= relative * fabs(want[i])) continue;
        printf("number %d is %.17g, expected %.17g\n", i, got[i], want[i]);
        return false;
    }
    return true;
}

TEST("a product in each form sums over the shared axis, ascending")
{
    double a[6] = { 1, 2, 3, 4, 5, 6 }, b[6] = { 7, 8, 9, 10, 11, 12 }, c[9];
    REQUIRE(linalg_product(c, a, b, 2, 3, 2, LINALG_AB, NULL) == E_OK);
    CHECK(c[0] == 58 && c[1] == 64 && c[2] == 139 && c[3] == 154);
    REQUIRE(linalg_product(c, a, b, 2, 3, 2, LINALG_ABT, NULL) == E_OK);
    CHECK(c[0] == 50 && c[1] == 68 && c[2] == 122 && c[3] == 167);
    REQUIRE(linalg_product(c, a, b, 3, 2, 3, LINALG_ATB, NULL) == E_OK);
    CHECK(c[0] == 47 && c[1] == 52 && c[2] == 57 && c[8] == 99);
    double x[3] = { 1, 1, 1 }, y[3] = { 1e17, 1, -1e17 };
    REQUIRE(linalg_product(c, x, y, 1, 3, 1, LINALG_AB, NULL) == E_OK);
    CHECK(c[0] == 0); /* (1e17 + 1) - 1e17: no other order */
}

TEST("a product has the bits of a plain loop, whatever its size and on how many threads")
{
    pool *two = pool_new(2);
    REQUIRE(two);
    for (int size = 1; size < 46; size += 4) {
        int m = size, p = 47 - size, n = (size * 7) % 43 + 1;
        fill(A, random_entry, m, p), fill(T, random_entry, p, n);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int k = 0; k < p; k++) sum += A[i * p + k] * T[k * n + j];
                U[i * n + j] = sum;
            }
        REQUIRE(linalg_product(V, A, T, m, p, n, LINALG_AB, NULL) == E_OK);
        REQUIRE(linalg_product_on(two, W, A, T, m, p, n, LINALG_AB, NULL) == E_OK);
        CHECK(!memcmp(U, V, (size_t)(m * n) * sizeof *U));
        CHECK(!memcmp(U, W, (size_t)(m * n) * sizeof *U));
    }
    pool_free(two);
}

TEST("a norm neither overflows nor underflows on the way")
{
    double a[3] = { 3e200, 4e200, 0 }, b[2] = { 3e-200, -4e-200 }, c[2] = { 3, 4 };
    CHECK(fabs(linalg_norm(a, 3) / 5e200 - 1) < 4 * DBL_EPSILON);
    CHECK(fabs(linalg_norm(b, 2) / 5e-200 - 1) < 4 * DBL_EPSILON);
    CHECK(linalg_norm(c, 2) == 5 && linalg_norm(c, 0) == 0);
    c[1] = NAN;
    CHECK(isnan(linalg_norm(c, 2)));
}

TEST("qr: q r is the matrix, q is orthonormal, r is upper with a diagonal that is not negative")
{
    for (int e = 0; e < N_EVERY; e++) {
        for (int k = 0; k < N_SHAPE; k++) {
            int m = shape[k][0], n = shape[k][1], p = m < n ? m : n;
            fill(A, every[e], m, n);
            REQUIRE(linalg_qr(U, V, A, m, n, NULL) == E_OK);
            linalg_product(T, U, V, m, p, n, LINALG_AB, NULL);
            CHECK(far_from(T, A, m * n) < 30);
            CHECK(skew(U, p, m, true) < 30 * DBL_EPSILON);
            for (int i = 0; i < p; i++) {
                CHECK(V[i * n + i] >= 0);
                for (int j = 0; j < i; j++) CHECK(V[i * n + j] == 0);
            }
            REQUIRE(linalg_qr(NULL, W, A, m, n, NULL) == E_OK);
            CHECK(!memcmp(V, W, (size_t)(p * n) * sizeof *V));
        }
    }
}

TEST("cholesky: l l' is the matrix; one that is not positive definite is refused at its row")
{
    error err = { 0 };
    fill(A, random_entry, 20, 30);
    linalg_product(T, A, A, 20, 30, 20, LINALG_ABT, NULL);
    REQUIRE(linalg_cholesky(U, T, 20, NULL) == E_OK);
    linalg_product(V, U, U, 20, 20, 20, LINALG_ABT, NULL);
    CHECK(far_from(V, T, 400) < 30);
    for (int i = 0; i < 20; i++) {
        CHECK(U[i * 20 + i] > 0);
        for (int j = i + 1; j < 20; j++) CHECK(U[i * 20 + j] == 0);
    }
    double bad[9] = { 1, 0, 0, 0, 1, 0, 0, 2, 4 }; /* what is left of the last is 0 */
    CHECK(linalg_cholesky(U, bad, 3, &err) == E_RANGE && strstr(err.msg, "row 2"));
    fill(A, hilbert, 12, 12);
    CHECK(linalg_cholesky(U, A, 12, NULL) == E_OK); /* condition 1.7e16 */
}

TEST("svd: u s vt is the matrix, u and vt are orthonormal, s descends, signs are fixed")
{
    for (int e = 0; e < N_EVERY; e++) {
        for (int k = 0; k < N_SHAPE; k++) {
            int m = shape[k][0], n = shape[k][1], p = m < n ? m : n;
            fill(A, every[e], m, n);
            REQUIRE(linalg_svd(U, S, V, A, m, n, NULL) == E_OK);
            for (int i = 0; i < m; i++)
                for (int j = 0; j < p; j++) T[i * p + j] = U[i * p + j] * S[j];
            linalg_product(W, T, V, m, p, n, LINALG_AB, NULL);
            CHECK(far_from(W, A, m * n) < 60);
            CHECK(skew(U, p, m, true) < 60 * DBL_EPSILON);
            CHECK(skew(V, p, n, false) < 60 * DBL_EPSILON);
            for (int i = 0; i < p; i++) {
                CHECK(S[i] >= 0 && (!i || S[i] <= S[i - 1]));
                CHECK(leads_positive(U + i, m, p));
            }
            double alone[MAX];
            REQUIRE(linalg_svd(NULL, alone, NULL, A, m, n, NULL) == E_OK);
            CHECK(!memcmp(alone, S, (size_t)p * sizeof *S));
        }
    }
}

TEST("svd: values of Hilbert, Kahan and graded matrices are those of 60-digit arithmetic")
{
    static const double want_hilbert[] = { 1.6959389969219494,     0.2981252113169307,
                                           0.026212843578119052,   0.0014676881177418471,
                                           5.4369433697508964e-05, 1.2943320918741794e-06,
                                           1.7988737460063012e-08, 1.1115389694888081e-10 };
    static const double want_kahan[] = { 1.4313119630949578,  1.122911860622317,
                                         1.0834182126671001,  1.0452397666899946,
                                         1.0079939624724343,  0.97154466057975519,
                                         0.93569451547980087, 0.90006776615488659,
                                         0.86365464295140759, 0.18054754504727583 };
    static const double want_graded[] = { 2.1192897142365048,     0.0001114184716211557,
                                          7.0996228371847567e-09, 4.4033376615241504e-13,
                                          2.709273027927167e-17,  1.6615323053512522e-21 };
    fill(A, hilbert, 8, 8);
    REQUIRE(linalg_svd(NULL, S, NULL, A, 8, 8, NULL) == E_OK);
    for (int i = 0; i < 8; i++) CHECK(fabs(S[i] - want_hilbert[i]) < 8 * DBL_EPSILON);
    fill(A, kahan, 10, 10);
    REQUIRE(linalg_svd(NULL, S, NULL, A, 10, 10, NULL) == E_OK);
    CHECK(near(S, want_kahan, 10, 8 * DBL_EPSILON));
    fill(A, graded, 6, 6); /* 21 orders of magnitude, every digit */
    REQUIRE(linalg_svd(NULL, S, NULL, A, 6, 6, NULL) == E_OK);
    CHECK(near(S, want_graded, 6, 8 * DBL_EPSILON));
}

TEST("svd: what is times a power of two has the same bits, also near the ends of the range")
{
    double s[MAX], u[MAX * MAX];
    fill(A, random_entry, 9, 7);
    REQUIRE(linalg_svd(U, S, V, A, 9, 7, NULL) == E_OK);
    for (int e = -900; e <= 900; e += 300) {
        for (int i = 0; i < 63; i++) T[i] = ldexp(A[i], e);
        REQUIRE(linalg_svd(u, s, W, T, 9, 7, NULL) == E_OK);
        for (int i = 0; i < 7; i++) CHECK(s[i] == ldexp(S[i], e));
        CHECK(!memcmp(u, U, 63 * sizeof *u) && !memcmp(W, V, 49 * sizeof *W));
    }
}

/* To so many times rounding. */
static void check_symmetric_to(int n, double most)
{
    REQUIRE(linalg_symmetric(S, V, A, n, NULL) == E_OK);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) T[i * n + j] = S[i] * V[i * n + j];
    linalg_product(W, V, T, n, n, n, LINALG_ATB, NULL);
    CHECK(far_from(W, A, n * n) < most);
    CHECK(skew(V, n, n, false) < most * DBL_EPSILON);
    for (int i = 0; i < n; i++) {
        CHECK(!i || S[i] <= S[i - 1]);
        CHECK(leads_positive(V + i * n, n, 1));
    }
    double alone[MAX];
    REQUIRE(linalg_symmetric(alone, NULL, A, n, NULL) == E_OK);
    CHECK(!memcmp(alone, S, (size_t)n * sizeof *S));
}

static void check_symmetric(int n) { check_symmetric_to(n, 60); }

TEST("symmetric: v' s v is the matrix, v is orthonormal, s descends, signs are fixed")
{
    static const int size[] = { 1, 2, 3, 6, 21, 33 };
    for (int e = 0; e < N_EVERY; e++) {
        for (int k = 0; k < 6; k++) {
            int n = size[k];
            fill(T, every[e], n, n);
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) A[i * n + j] = T[i * n + j] / 2 + T[j * n + i] / 2;
            check_symmetric(n);
        }
    }
}

TEST(
    "symmetric: a covariance of few samples, which is rounding but for a few numbers, ends as well")
{
    static const int size[] = { 2, 15, 41, 67, 80 };
    for (int k = 0; k < 5; k++)
        for (int rank = 1; rank <= 4; rank++)
            for (uint64_t draw = 0; draw < 12; draw++) {
                int n = size[k];
                uint64_t at = 0;
                uint32_t key = (uint32_t)draw * 100 + (uint32_t)(k * 10 + rank);
                double x[MAX];
                memset(A, 0, sizeof A);
                for (int r = 0; r < rank; r++) {
                    for (int i = 0; i < n; i++) {
                        x[i] = rand_unit(test_seed, key, at++) - 0.5;
                        if (draw % 2 && rand_unit(test_seed, key, at++) < 0.6) x[i] = 0;
                    }
                    for (int i = 0; i < n; i++)
                        for (int j = 0; j < n; j++) A[i * n + j] += x[i] * x[j];
                }
                check_symmetric_to(n, 60 + n); /* rotations are more than above */
            }
}

TEST("symmetric: values of Hilbert's matrix, and the nearly equal pairs of Wilkinson's")
{
    static const double want[] = { 1.6188998589243391,     0.24236087057520955,
                                   0.016321521319875826,   0.00061574835418264529,
                                   1.2570757122637029e-05, 1.082799484481101e-07 };
    fill(A, hilbert, 6, 6);
    check_symmetric(6);
    for (int i = 0; i < 6; i++) CHECK(fabs(S[i] - want[i]) < 8 * DBL_EPSILON);
    memset(A, 0, sizeof A);
    for (int i = 0; i < 21; i++) {
        A[i * 21 + i] = abs(i - 10);
        if (i < 20) A[i * 21 + i + 1] = A[(i + 1) * 21 + i] = 1;
    }
    check_symmetric(21); /* Wilkinson's W21+: its largest two are 10.746194182903322 and ..393 */
    CHECK(fabs(S[0] - 10.746194182903393) < 1e-13 && fabs(S[1] - 10.746194182903322) < 1e-13);
}

/* Are the largest n eigenvalues of A [size, size] those? */
static bool eigenvalues_are(int size, int n, const double *re, const double *im, double within)
{
    double got_re[MAX], got_im[MAX];
    if (linalg_eigenvalues(got_re, got_im, A, size, NULL) != E_OK) return false;
    for (int i = 0; i < n; i++) {
        if (fabs(got_re[i] - re[i]) <= within && fabs(got_im[i] - (im ? im[i] : 0)) <= within)
            continue;
        printf("eigenvalue %d is %.17g + %.17g i\n", i, got_re[i], got_im[i]);
        return false;
    }
    return true;
}

TEST("eigenvalues: Frank's, a mixed matrix, rotations, cycles, Jordan blocks, triangles")
{
    static const double want_frank[] = { 25.575278721804452,   14.761716668675037,
                                         8.0476144615943372,   3.8921999146182644,
                                         1.6165683012907448,   0.61859433913281148,
                                         0.25692411025554351,  0.12426042584076363,
                                         0.067742798649024383, 0.039100258139022362 };
    static const double re[] = { 5.2398474459802292,  5.2398474459802292,   -5.06411152966798564,
                                 3.30855376715717768, 0.151657414149337818, 0.151657414149337818,
                                 0.972548042251673909 };
    static const double im[] = { 1.58057843641112186, -1.58057843641112186, 0, 0,
                                 2.73387767853764216, -2.73387767853764216, 0 };
    /* The condition numbers are 2 of the largest and up to 2.6e5 of the small ones; times rounding times the norm
     * (45) that is 1e-14 and 2.6e-9. */
    fill(A, frank, 10, 10);
    CHECK(eigenvalues_are(10, 10, want_frank, NULL, 1e-8));
    CHECK(eigenvalues_are(10, 4, want_frank, NULL, 1e-13));
    fill(A, mixed, 7, 7);
    CHECK(eigenvalues_are(7, 7, re, im, 1e-13));
    double turn[4] = { 0, -1, 1, 0 }, i_re[2] = { 0, 0 }, i_im[2] = { 1, -1 };
    memcpy(A, turn, sizeof turn);
    CHECK(eigenvalues_are(2, 2, i_re, i_im, 0));
    fill(A, jordan, 12, 12);
    CHECK(eigenvalues_are(12, 12, (double[12]){ 0 }, NULL, 0));
    fill(A, zero, 5, 5);
    CHECK(eigenvalues_are(5, 5, (double[5]){ 0 }, NULL, 0));
    A[0] = -3.5;
    CHECK(eigenvalues_are(1, 1, (double[1]){ -3.5 }, NULL, 0));
    double triangle[9] = { 2, 5, 7, 0, -9, 11, 0, 0, 4 };
    memcpy(A, triangle, sizeof triangle);
    CHECK(eigenvalues_are(3, 3, (double[3]){ -9, 4, 2 }, NULL, 0));
}

TEST("eigenvalues: the n-th roots of 1, whose plain shifts stand still")
{
    double re[MAX], im[MAX];
    for (int n = 3; n <= 24; n += 7) {
        double worst = 0;
        fill(A, cycle, n, n);
        REQUIRE(linalg_eigenvalues(re, im, A, n, NULL) == E_OK);
        for (int i = 0; i < n; i++) {
            double angle = atan2(im[i], re[i]) * n / (2 * 3.141592653589793);
            double far = fabs(angle - round(angle)) + fabs(re[i] * re[i] + im[i] * im[i] - 1);
            worst = worse(worst, far);
        }
        CHECK(worst < 1e-12);
    }
}

TEST("eigenvalues: sum to the trace, and those of a product either way round are the same")
{
    double re[MAX], im[MAX], re2[MAX], im2[MAX];
    for (int e = 0; e < N_EVERY; e++) {
        if (every[e] == wild) continue; /* sums of what is 1e400 apart say nothing */
        double trace = 0, sum = 0;
        fill(A, every[e], 33, 33);
        REQUIRE(linalg_eigenvalues(re, im, A, 33, NULL) == E_OK);
        for (int i = 0; i < 33; i++) trace += A[i * 34], sum += re[i];
        CHECK(fabs(sum - trace) <= 1e-12 * linalg_norm(A, 33 * 33));
        for (int i = 0; i < 33; i++)
            if (im[i] > 0) CHECK(re[i + 1] == re[i] && im[i + 1] == -im[i]);
    }
    fill(A, random_entry, 9, 30);
    fill(T, random_entry, 30, 9);
    linalg_product(U, A, T, 9, 30, 9, LINALG_AB, NULL);
    linalg_product(V, T, A, 30, 9, 30, LINALG_AB, NULL);
    REQUIRE(linalg_eigenvalues(re, im, U, 9, NULL) == E_OK);
    REQUIRE(linalg_eigenvalues(re2, im2, V, 30, NULL) == E_OK);
    for (int i = 0; i < 9; i++) CHECK(hypot(re[i] - re2[i], fabs(im[i]) - fabs(im2[i])) < 1e-12);
    CHECK(hypot(re2[9], im2[9]) < 1e-12);
}

TEST("a NaN or an infinity is refused with its place; empty matrices are fine")
{
    error err = { 0 };
    fill(A, random_entry, 5, 4);
    A[2 * 4 + 3] = NAN;
    CHECK(linalg_svd(U, S, V, A, 5, 4, &err) == E_RANGE && strstr(err.msg, "row 2, column 3"));
    CHECK(linalg_qr(U, V, A, 5, 4, NULL) == E_RANGE);
    A[2 * 4 + 3] = 0, A[1 * 4 + 1] = INFINITY;
    CHECK(linalg_symmetric(S, V, A, 4, NULL) == E_RANGE);
    CHECK(linalg_eigenvalues(S, V, A, 4, NULL) == E_RANGE);
    CHECK(linalg_cholesky(U, A, 4, NULL) == E_RANGE);
    CHECK(linalg_svd(U, S, V, A, 0, 4, NULL) == E_OK && linalg_qr(U, V, A, 0, 4, NULL) == E_OK);
    CHECK(linalg_symmetric(S, V, A, 0, NULL) == E_OK);
    CHECK(linalg_eigenvalues(S, V, A, 0, NULL) == E_OK);
}

typedef status factorise(void);
static status try_svd(void) { return linalg_svd(U, S, V, A, 6, 5, NULL); }
static status try_qr(void) { return linalg_qr(U, V, A, 6, 5, NULL); }
static status try_symmetric(void) { return linalg_symmetric(S, V, A, 5, NULL); }
static status try_eigenvalues(void) { return linalg_eigenvalues(S, V, A, 5, NULL); }
static status try_product(void) { return linalg_product(U, A, A, 5, 5, 5, LINALG_ABT, NULL); }

TEST("each factorisation that runs out of memory says so and leaves nothing behind")
{
    factorise *const all[] = { try_svd, try_qr, try_symmetric, try_eigenvalues, try_product };
    fill(A, random_entry, 6, 5);
    for (int i = 0; i < 5; i++) {
        int64_t live = mem_state.n_live;
        int n = 0;
        status st = E_NOMEM;
        for (; st != E_OK && n < 40; n++) {
            mem_state.each_get = true, mem_state.fail_at = n;
            st = all[i]();
            mem_state.each_get = false, mem_state.fail_at = -1;
            CHECK(st == E_OK || st == E_NOMEM);
            CHECK(mem_state.n_live == live);
        }
        CHECK(st == E_OK && n > 1);
    }
}
/* SPDX-License-Identifier: MIT */
