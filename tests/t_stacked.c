/* t_stacked -- the MLPs that add: group composition's and the pizza's.  Every sum, every logit against the equation, and the
 * numbers their authors published. */
#define TEST_FILE t_stacked
#include "test.h"
#include "base/json.h"
#include "format/format.h"
#include "model/prompt.h"
#include "opened.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "data/org-group-composition/C113_MLP_seed1"
#define PIZZA "data/org-pizza-clock/model_%s.pt"
enum { MOST = 113, AT_ONCE = 128 };

/* ---- the equation, in float64 from the file's own tensors ---- */

typedef struct matrix {
    double *v;
    int64_t n_row, n_col;
} matrix;

static matrix read_matrix(const container *c, const char *name)
{
    const tensor_view *t = container_find(c, name);
    REQUIRE(t && t->n_dim <= 2);
    matrix m = { .n_row = t->n_dim == 2 ? t->dim[0] : 1, .n_col = t->dim[t->n_dim - 1] };
    m.v = malloc((size_t)(m.n_row * m.n_col) * sizeof *m.v);
    REQUIRE(m.v);
    tensor_values(t, 0, m.n_row * m.n_col, m.v);
    return m;
}

static double entry(const matrix *m, bool turned, int64_t i, int64_t j)
{
    return turned ? m->v[j * m->n_col + i] : m->v[i * m->n_col + j];
}

typedef struct net {
    matrix x, y, w, u, bias; /* bias.v NULL: none */
    bool turned;             /* w and u are [out, in] */
} net;

static net read_net(const char *path, bool pizza)
{
    container *c;
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    net n = { .turned = pizza };
    n.x = read_matrix(c, pizza ? "embed.weight" : "W_x");
    n.y = read_matrix(c, pizza ? "embed.weight" : "W_y");
    n.w = read_matrix(c, pizza ? "l1.weight" : "W");
    n.u = read_matrix(c, pizza ? "unembed.weight" : "W_U");
    if (pizza) n.bias = read_matrix(c, "l1.bias");
    container_free(c);
    return n;
}

static void free_net(net *n)
{
    free(n->x.v), free(n->y.v), free(n->w.v), free(n->u.v), free(n->bias.v);
}

/* relu([x[a], y[b]] W + bias) U at every token. */
static void equation(const net *n, int a, int b, double *logit)
{
    int64_t d = n->x.n_col, h = n->turned ? n->w.n_row : n->w.n_col, v = n->x.n_row;
    memset(logit, 0, (size_t)v * sizeof *logit);
    for (int64_t j = 0; j < h; j++) {
        double pre = n->bias.v ? n->bias.v[j] : 0;
        for (int64_t i = 0; i < d; i++)
            pre += n->x.v[a * d + i] * entry(&n->w, n->turned, i, j) +
                   n->y.v[b * d + i] * entry(&n->w, n->turned, d + i, j);
        for (int64_t t = 0; t < v && pre > 0; t++) logit[t] += pre * entry(&n->u, n->turned, j, t);
    }
}

/* ---- the model ---- */

static void ask_pair(bench *b, lane **l, int x, int y)
{
    double t[2] = { x, y };
    REQUIRE(!lane_new(l, b->s, NULL, 2, NULL) && !lane_give(*l, b->m->token, t, NULL));
    REQUIRE(!lane_ask(*l, b->m->logits, (box){ 1, 2, 0, b->m->logits->n_part }, NULL));
}

static void read_logits(bench *b, lane *l, double *v)
{
    REQUIRE(!lane_read(l, b->m->logits, (box){ 1, 2, 0, b->m->logits->n_part }, v, NULL));
    lane_drop(l);
}

/* The share of all p*p sums that are right. */
static double sums_right(bench *b, int p)
{
    double v[MOST];
    int64_t right = 0;
    for (int a = 0; a < p; a++) {
        lane *l[AT_ONCE];
        for (int k = 0; k < p; k++) ask_pair(b, &l[k], a, k);
        REQUIRE(session_run(b->s, NULL, NULL) == E_OK);
        for (int k = 0; k < p; k++) {
            int best = 0;
            read_logits(b, l[k], v);
            for (int t = 1; t < p; t++)
                if (v[t] > v[best]) best = t;
            right += best == (a + k) % p;
        }
    }
    return (double)right / p / p;
}

/* The farthest a logit is from the equation's, of some pairs, as a share of the largest. */
static double farthest(bench *b, const net *n, int p)
{
    double got[MOST], want[MOST], gap = 0, top = 0;
    for (int i = 0; i < 20; i++) {
        lane *l;
        int x = i * 31 % p, y = i * i * 7 % p;
        ask_pair(b, &l, x, y);
        REQUIRE(session_run(b->s, NULL, NULL) == E_OK);
        read_logits(b, l, got);
        equation(n, x, y, want);
        for (int t = 0; t < p; t++)
            gap = worse(gap, fabs(got[t] - want[t])), top = fmax(top, fabs(want[t]));
    }
    return gap / top;
}

TEST("the pizza's linear models: every sum modulo 59 is right, and every logit is the equation's")
{
    if (!shared_path("data/org-pizza-clock")) SKIP("no ../shared");
    static const char *const run[] = { "7r4zst7evs", "qlvxqhkvit" };
    for (int i = 0; i < 2; i++) {
        char rel[80];
        bench b;
        snprintf(rel, sizeof rel, PIZZA, run[i]);
        REQUIRE(open_bench(&b, shared_path(rel), NULL, NULL));
        net n = read_net(shared_path(rel), true);
        CHECK(sums_right(&b, 59) == 1 && farthest(&b, &n, 59) < 1e-6);
        CHECK(!strcmp(b.m->config.arch, "stacked") && b.m->config.d_mlp == 256);
        free_net(&n);
        close_bench(&b);
    }
}

/* ---- what its authors found in the group's ---- */

/* Power of the columns of m (rows: the group's elements) at frequency k, cosine and sine. */
static double power(const matrix *m, int p, int k)
{
    double sum = 0;
    for (int64_t j = 0; j < m->n_col; j++) {
        double re = 0, im = 0;
        for (int t = 0; t < p; t++) {
            double at = 2 * 3.14159265358979323846 * (double)(k * t % p) / p;
            re += m->v[t * m->n_col + j] * cos(at), im += m->v[t * m->n_col + j] * sin(at);
        }
        sum += re * re + im * im;
    }
    return sum;
}

/* The share of a matrix that its authors' representations explain: of all, the constant too. */
static double explained(const matrix *m, int p)
{
    static const int key[] = { 1, 4, 8, 11, 13, 16, 17, 22, 25, 32, 34, 44, 50 };
    double found = 0, all = power(m, p, 0);
    for (int k = 1; k <= p / 2; k++) all += 2 * power(m, p, k);
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) found += 2 * power(m, p, key[i]);
    return found / all;
}

/* Half of W behind one embedding: what the hidden layer sees of it. */
static matrix through(const matrix *e, const matrix *w, int64_t first)
{
    matrix y = { .n_row = e->n_row, .n_col = w->n_col };
    y.v = calloc((size_t)(y.n_row * y.n_col), sizeof *y.v);
    REQUIRE(y.v);
    for (int64_t r = 0; r < y.n_row; r++)
        for (int64_t i = 0; i < e->n_col; i++)
            for (int64_t j = 0; j < y.n_col; j++)
                y.v[r * y.n_col + j] += e->v[r * e->n_col + i] * w->v[(first + i) * y.n_col + j];
    return y;
}

static double published(const char *key)
{
    json_t *j = NULL;
    double x;
    REQUIRE(!json_open(&j, shared_path(GROUP "/summary_metrics.json"), 1 << 24, NULL));
    REQUIRE(!json_number(j, key, 0, &x, NULL));
    json_decref(j);
    return x;
}

TEST("group composition's MLP: right on C113, the equation's logits, and what its authors measured")
{
    if (!shared_path(GROUP)) SKIP("no ../shared");
    bench b;
    REQUIRE(open_bench(&b, shared_path(GROUP), NULL, NULL));
    net n = read_net(shared_path(GROUP "/model.pt"), false);
    CHECK(sums_right(&b, 113) == 1 && farthest(&b, &n, 113) < 1e-6);
    matrix x = through(&n.x, &n.w, 0), y = through(&n.y, &n.w, n.x.n_col),
           u = { malloc((size_t)(n.u.n_row * n.u.n_col) * sizeof *u.v), n.u.n_col, n.u.n_row };
    REQUIRE(u.v);
    for (int64_t i = 0; i < u.n_row * u.n_col; i++)
        u.v[i] = entry(&n.u, true, i / u.n_col, i % u.n_col);
    CHECK(fabs(explained(&x, 113) - published("percent_x_embed_explained")) < 1e-4);
    CHECK(fabs(explained(&y, 113) - published("percent_y_embed_explained")) < 1e-4);
    CHECK(fabs(explained(&u, 113) - published("percent_unembed_explained")) < 1e-4);
    free(x.v), free(y.v), free(u.v), free_net(&n);
    close_bench(&b);
}

/* ---- refusals ---- */

static status refused(const char *name, const tensor_view *t, int n, error *err)
{
    char path[1200];
    model *m = NULL;
    snprintf(path, sizeof path, "%s", test_path(name));
    REQUIRE(!tensors_write(path, t, n, NULL, 0, NULL));
    *err = (error){ 0 };
    status st = model_open(&m, path, NULL, err);
    model_free(m);
    return st;
}

TEST(
    "another linear model is refused: by its shape, by its tensors, by the configuration beside it")
{
    static float v[64];
    tensor_view t[5] = {
        { .name = "embed.weight", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 4, 2 }, v, 32 },
        { .name = "unembed.weight", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 4, 3 }, v, 48 },
        { .name = "l1.weight", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 3, 4 }, v, 48 },
        { .name = "l1.bias", .dtype = DTYPE_F32, .n_dim = 1, .dim = { 3 }, v, 12 },
        { .name = "l2.weight", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 3, 3 }, v, 36 },
    };
    error err;
    CHECK(refused("model_d.safetensors", t, 4, &err) == E_OK);
    CHECK(refused("two_layers.safetensors", t, 5, &err) == E_IO && strstr(err.msg, "config.json"));
    test_text("config_c.json", "{\"model_type\": \"C\"}");
    CHECK(refused("model_c.safetensors", t, 4, &err) == E_UNSUPPORTED && strstr(err.msg, "\"C\""));
    t[2].dim[1] = 2, t[2].bytes = 24; /* model A: the embeddings are added, not stacked */
    CHECK(refused("added.safetensors", t, 4, &err) == E_IO);
}

TEST("a stacked model takes two tokens; both reach the answer, and neither is any other's")
{
    static float v[64];
    tensor_view t[4] = {
        { .name = "W_x", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 4, 2 }, v, 32 },
        { .name = "W_y", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 4, 2 }, v + 8, 32 },
        { .name = "W", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 4, 3 }, v + 16, 48 },
        { .name = "W_U", .dtype = DTYPE_F32, .n_dim = 2, .dim = { 3, 4 }, v + 28, 48 },
    };
    bench b;
    error err = { 0 };
    prompt *p = NULL;
    for (int i = 0; i < 40; i++) v[i] = 1 + (float)(i * i % 7);
    REQUIRE(!tensors_write(test_path("m.safetensors"), t, 4, NULL, 0, NULL));
    REQUIRE(open_bench(&b, test_path("m.safetensors"), NULL, NULL));
    CHECK(prompt_from_ids(&p, b.m, (int64_t[]){ 1 }, 1, &err) == E_USAGE && !p &&
          strstr(err.msg, "no fewer than 2"));
    double seen[3][4];
    for (int i = 0; i < 3; i++) {
        lane *l;
        ask_pair(&b, &l, i == 1 ? 2 : 1, i == 2 ? 2 : 1);
        REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
        read_logits(&b, l, seen[i]);
    }
    CHECK(memcmp(seen[0], seen[1], sizeof seen[0]) && memcmp(seen[0], seen[2], sizeof seen[0]) &&
          memcmp(seen[1], seen[2], sizeof seen[0]));
    close_bench(&b);
}
/* SPDX-License-Identifier: MIT */
