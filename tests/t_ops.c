/* t_ops -- op by op, on every sample: reach and need are transposes, cell by cell; what depends lies in reach; no
 * earlier row sees a later one; parts are the bits of the whole; float is double, but for rounding. */
#define TEST_FILE t_ops
#include "test.h"
#include "backend/backend.h"
#include "base/rand.h"
#include "tensor/draw.h"
#include "graph/session.h"
#include "op/op_all.h"
#include "ops.gen.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEN = 6 };

/* A sample's graph in a session with one lane that has numbers for every input. */
typedef struct bed {
    graph g;
    node *n;
    engine *e;
    session *s;
    lane *l;
} bed;

/* Tokens and rows must be small whole numbers where an op looks things up. */
static double number(const bed *b, const node *in, uint64_t at)
{
    const char *op = b->n->op->name;
    bool index = b->n->op->scattered ? in->extent == LANE
                                     : (!strcmp(op, "embed") && in == b->n->in[0]) ||
                                           (!strcmp(op, "token_logprob") && in == b->n->in[1]);
    return index ? (double)rand_below(test_seed, rand_stream("t_ops.index"), at, 3)
                 : (double)draw_normal(test_seed, rand_stream("t_ops"), at);
}

static void give(bed *b, lane *l, const node *changed, int64_t at, double to)
{
    for (int k = 0; k < b->n->n_in; k++) {
        const node *in = b->n->in[k];
        if (in->extent == WEIGHT || in->op) continue;
        int64_t n = node_numbers(in, node_all(in, l), l);
        double *v = calloc((size_t)n, sizeof *v);
        for (int64_t i = 0; i < n; i++) v[i] = number(b, in, (uint64_t)(k * 100000 + i));
        if (in == changed) v[at] = to;
        REQUIRE(lane_give(l, in, v, NULL) == E_OK);
        free(v);
    }
}

static bool bed_open(bed *b, const op_def *op, int i, const char *precision)
{
    graph_init(&b->g, NULL);
    b->n = op->sample(&b->g, i);
    if (!b->n) {
        graph_release(&b->g);
        return false;
    }
    engine_options o = {
        .backend = "plain", .precision = precision, .threads = 1, .no_fuse = true
    };
    REQUIRE(b->g.err.code == E_OK && !engine_open(&b->e, &o, NULL) &&
            !session_new(&b->s, &b->g, b->e, NULL));
    REQUIRE(lane_new(&b->l, b->s, NULL, LEN, NULL) == E_OK);
    give(b, b->l, NULL, 0, 0);
    return true;
}

static void bed_close(bed *b)
{
    session_free(b->s);
    engine_free(b->e);
    graph_release(&b->g);
}

static double *values(bed *b, lane *l)
{
    box all = node_all(b->n, l);
    double *v = calloc((size_t)node_numbers(b->n, all, l) + 1, sizeof *v);
    error err = { 0 };
    if (lane_ask(l, b->n, all, &err) || session_run(b->s, NULL, &err) ||
        lane_read(l, b->n, all, v, &err))
        printf("  %s: %s\n", b->n->op->name, err.msg);
    REQUIRE(err.code == E_OK);
    return v;
}

/* ---- reach and need ---- */

static bool in_reach(const bed *b, int k, box input, box output)
{
    if (b->n->op->scattered) return box_meets(b->n->op->need(b->n, k, output, b->l), input);
    return box_meets(box_cut(b->n->op->reach(b->n, k, input, b->l), node_all(b->n, b->l)), output);
}

/* Every cell of input k against every cell of the output. */
static int64_t disagreements(const bed *b, int k)
{
    const node *in = b->n->in[k];
    box from = node_all(in, b->l), to = node_all(b->n, b->l);
    int64_t wrong = 0;
    if (in->extent == WEIGHT && from.r1 > 9)
        from.r1 = 9; /* tables of hundreds of rows: the first will do */
    for (int32_t r = 0; r < from.r1; r++)
        for (int32_t a = 0; a < from.a1; a++)
            for (int32_t y = 0; y < to.r1; y++)
                for (int32_t p = 0; p < to.a1; p++) {
                    box x = { r, r + 1, a, a + 1 }, out = { y, y + 1, p, p + 1 };
                    wrong +=
                        box_meets(b->n->op->need(b->n, k, out, b->l), x) != in_reach(b, k, x, out);
                }
    return wrong;
}

TEST("reach and need are transposes, cell by cell, for every input of every op")
{
    int n_sample = 0;
    for (int i = 0; op_all[i]; i++) {
        bed b;
        CHECK(op_all[i]->sample != NULL);
        for (int k = 0; op_all[i]->sample && bed_open(&b, op_all[i], k, "f32"); k++, n_sample++) {
            for (int in = 0; in < b.n->n_in; in++) {
                int64_t wrong = disagreements(&b, in);
                if (wrong)
                    printf("  %s, sample %d, input %d: %lld pairs of cells\n", op_all[i]->name, k,
                           in, (long long)wrong);
                CHECK(wrong == 0);
            }
            bed_close(&b);
        }
    }
    CHECK(n_sample > 80);
}

/* Reach of a box is the reach of its cells: nothing is lost by asking for several at once. */
TEST("reach and need of a box cover those of its cells")
{
    for (int i = 0; op_all[i]; i++) {
        bed b;
        for (int k = 0; op_all[i]->sample && bed_open(&b, op_all[i], k, "f32"); k++) {
            box all = node_all(b.n, b.l);
            for (int t = 0; t < 40 && !op_all[i]->scattered; t++) {
                uint64_t at = (uint64_t)(i * 10000 + k * 100 + t) * 4;
                int32_t r = (int32_t)rand_below(test_seed, 7, at, all.r1),
                        a = (int32_t)rand_below(test_seed, 7, at + 1, all.a1);
                box x = { r, r + 1 + (int32_t)rand_below(test_seed, 7, at + 2, all.r1 - r), a,
                          a + 1 + (int32_t)rand_below(test_seed, 7, at + 3, all.a1 - a) };
                for (int in = 0; in < b.n->n_in; in++)
                    for (int32_t y = x.r0; y < x.r1; y++)
                        for (int32_t p = x.a0; p < x.a1; p++) {
                            box cell = b.n->op->need(b.n, in, (box){ y, y + 1, p, p + 1 }, b.l);
                            CHECK(box_empty(cell) ||
                                  box_within(cell, b.n->op->need(b.n, in, x, b.l)));
                        }
            }
            bed_close(&b);
        }
    }
}

/* ---- dependence ---- */

/* Which (row, part) cells of the output differ. */
static void compare(bed *b, const double *x, const double *y, int k, box input)
{
    box all = node_all(b->n, b->l);
    int64_t at = 0;
    for (int32_t r = 0; r < all.r1; r++)
        for (int32_t a = 0; a < all.a1; a++) {
            int64_t w = node_width(b->n, r, b->l);
            bool differs = memcmp(x + at, y + at, (size_t)w * sizeof *x) != 0;
            if (differs && !in_reach(b, k, input, (box){ r, r + 1, a, a + 1 }))
                printf("  %s: input %d changes row %d part %d\n", b->n->op->name, k, r, a);
            CHECK(!differs || in_reach(b, k, input, (box){ r, r + 1, a, a + 1 }));
            at += w;
        }
}

TEST("a changed number changes only what lies in its reach, and NaN in a later row no earlier one")
{
    for (int i = 0; op_all[i]; i++) {
        bed b;
        for (int k = 0; op_all[i]->sample && bed_open(&b, op_all[i], k, "f32"); k++) {
            double *base = values(&b, b.l);
            for (int in = 0; in < b.n->n_in; in++) {
                const node *x = b.n->in[in];
                if (x->extent == WEIGHT || b.n->op->scattered ||
                    (in == 0 && !strcmp(op_all[i]->name, "embed")))
                    continue;
                for (int32_t r = 0; r < node_rows(x, b.l); r++) {
                    lane *l;
                    int32_t part =
                        (int32_t)rand_below(test_seed, 9, (uint64_t)(i * 100 + r), x->n_part);
                    int64_t at =
                        node_offset(x, r, b.l) * x->n_part + (int64_t)part * node_width(x, r, b.l);
                    REQUIRE(lane_new(&l, b.s, NULL, LEN, NULL) == E_OK);
                    give(&b, l, x, at, r % 2 ? (double)NAN : 3.25);
                    double *got = values(&b, l);
                    compare(&b, base, got, in, (box){ r, r + 1, part, part + 1 });
                    free(got);
                    lane_drop(l);
                }
            }
            free(base);
            bed_close(&b);
        }
    }
}

TEST("a part asked for alone has the bits it has in the whole")
{
    for (int i = 0; op_all[i]; i++) {
        bed b;
        for (int k = 0; op_all[i]->sample && bed_open(&b, op_all[i], k, "f32"); k++) {
            free(values(&b, b.l));
            box all = node_all(b.n, b.l);
            for (int t = 0; t < 12; t++) {
                uint64_t at = (uint64_t)(i * 1000 + k * 100 + t) * 2;
                int32_t r = (int32_t)rand_below(test_seed, 11, at, all.r1),
                        a = (int32_t)rand_below(test_seed, 11, at + 1, all.a1);
                box x = { r, r + 1, a, a + 1 };
                size_t bytes = (size_t)node_numbers(b.n, x, b.l) * 4;
                char *p = malloc(bytes + 1), *q = malloc(bytes + 1);
                lane *l;
                REQUIRE(!lane_new(&l, b.s, NULL, LEN, NULL));
                give(&b, l, NULL, 0, 0);
                REQUIRE(!lane_ask(l, b.n, x, NULL) && !session_run(b.s, NULL, NULL));
                REQUIRE(!lane_read_raw(l, b.n, x, p, NULL) && !lane_read_raw(b.l, b.n, x, q, NULL));
                CHECK(!memcmp(p, q, bytes));
                free(p), free(q);
                lane_drop(l);
            }
            bed_close(&b);
        }
    }
}

TEST("every op in float is the same op in double, but for rounding")
{
    for (int i = 0; op_all[i]; i++) {
        bed f, d;
        for (int k = 0; op_all[i]->sample && bed_open(&f, op_all[i], k, "f32"); k++) {
            REQUIRE(bed_open(&d, op_all[i], k, "f64"));
            double *x = values(&f, f.l), *y = values(&d, d.l), largest = 0, worst = 0;
            for (int64_t j = 0; j < node_numbers(f.n, node_all(f.n, f.l), f.l); j++) {
                if (fabs(y[j]) > largest) largest = fabs(y[j]);
                worst = worse(worst, fabs(x[j] - y[j]));
            }
            if (!(worst <= 1e-5 * largest + 1e-30))
                printf("  %s, sample %d: off by %g of %g\n", op_all[i]->name, k, worst, largest);
            CHECK(worst <= 1e-5 * largest + 1e-30);
            free(x), free(y);
            bed_close(&f), bed_close(&d);
        }
    }
}

/* What ops give on their samples, by name; a new op's line is what the test prints. */
static const struct {
    const char *name;
    uint64_t bits;
} WRITTEN[] = {
    { "add", 0x64cc1bfcdd56f901 },
    { "alibi", 0xdb437d66cd792325 },
    { "broadcast", 0xac42e5f3fe8a42a1 },
    { "clip", 0xd17c8b13dbf1a9e3 },
    { "diff", 0x2b2cec2e168b0269 },
    { "embed", 0x6c14ec650ca6f054 },
    { "exp", 0x275998ebdb009243 },
    { "expert_add", 0x19b6fc57c1449bcc },
    { "expert_linear", 0xb755b9f3ff5b0c62 },
    { "expert_weights", 0x33c878baf2f98b4b },
    { "gain", 0x8d26af822c1b2bc4 },
    { "gain_from_one", 0x8871cc9d62efb880 },
    { "gelu_erf", 0x7d63e1238d3a7289 },
    { "gelu_quick", 0x2af28c9a6e0df0dd },
    { "gelu_tanh", 0x7c34297d28002ec6 },
    { "headsum", 0x260b6383532cc006 },
    { "linear", 0x2b373f65b8c63571 },
    { "ln_normalized", 0x2e923ba016675cd0 },
    { "ln_scale", 0x279bfb50d10a6a10 },
    { "log_softmax", 0xfa9c835cdc8bd909 },
    { "mix", 0xbf3aade81b7bfc90 },
    { "multiply", 0xffff9907a480d70d },
    { "normalized", 0xf4a6427cdeece977 },
    { "parts", 0x6d13afb2279c2c63 },
    { "pick", 0x5df763ce9aab9811 },
    { "position", 0x8449f8b5ec9c2174 },
    { "relu", 0x5a977bcf4f87044f },
    { "repeat", 0x909105b7cf4a0cdc },
    { "reshape", 0xc47f65ee53660160 },
    { "result", 0x5d1686e5c981258f },
    { "rms_scale", 0x20fbf6823403b534 },
    { "rotary", 0x7a229bf47e14d684 },
    { "scale", 0xa101c75c010a125a },
    { "scores", 0x56a41858dac635d6 },
    { "sigmoid_gate", 0x19f44dc0ff059d27 },
    { "silu", 0x7f3f8161d2f181af },
    { "softcap", 0x90c0670d96d1bd0d },
    { "softmax", 0xf21c06f063bec3f1 },
    { "stack", 0x615b4ec81073c6de },
    { "token_logprob", 0x906904f3bdd3c93d },
    { "top_k", 0x8eabafc3ac7e5621 },
    { "weighted_sum", 0x48cc62b085e6cfd3 },
    { NULL, 0 },
};

static uint64_t bits_of(const op_def *op)
{
    uint64_t h = 0;
    bed b;
    for (int k = 0; op->sample && bed_open(&b, op, k, "f32"); k++) {
        double *x = values(&b, b.l);
        for (int64_t j = 0; j < node_numbers(b.n, node_all(b.n, b.l), b.l); j++) {
            float f = (float)x[j];
            uint32_t u = 0x7fc00000u; /* which NaN is not fixed */
            if (!isnan(f)) memcpy(&u, &f, sizeof u);
            h = (h ^ u) * 0x100000001b3u + (h >> 40);
        }
        free(x);
        bed_close(&b);
    }
    return h;
}

TEST("every op gives the bits that were written down, on every machine")
{
    uint64_t seed = test_seed;
    test_seed = 1;
    for (int i = 0; op_all[i]; i++) {
        int k = 0;
        uint64_t bits = bits_of(op_all[i]);
        while (WRITTEN[k].name && strcmp(WRITTEN[k].name, op_all[i]->name)) k++;
        bool same = WRITTEN[k].name && WRITTEN[k].bits == bits;
        if (!same) printf("    { \"%s\", 0x%llx },\n", op_all[i]->name, (unsigned long long)bits);
        CHECK(same);
    }
    test_seed = seed;
}

TEST("rotary turns by the second row of its frequencies in float, by the first in double")
{
    static const double freq[2][2] = { { 0.5, 0.25 }, { 0.125, 1 } };
    static const double x[8] = { 1, 0, 0, 0, 1, 0, 0, 0 }; /* two positions of one head */
    for (int k = 0; k < 2; k++) {
        engine *e = NULL;
        session *s = NULL;
        lane *l;
        graph g;
        double y[8];
        graph_init(&g, NULL);
        node *in = graph_input(&g, ROW, 1, 4);
        node *f =
            graph_weight(&g, "f", (weight_view){ (const char *)freq, 16, DTYPE_F64, 0 }, 2, 2);
        node *n = op_rotary(&g, in, f, 4, 0, 1);
        engine_options o = { .precision = k ? "f64" : "f32", .threads = 1 };
        REQUIRE(n && !engine_open(&e, &o, NULL) && !session_new(&s, &g, e, NULL));
        REQUIRE(!lane_new(&l, s, NULL, 2, NULL) && !lane_give(l, in, x, NULL) &&
                !lane_ask(l, n, node_all(n, l), NULL) && !session_run(s, NULL, NULL) &&
                !lane_read(l, n, node_all(n, l), y, NULL));
        CHECK(fabs(y[4] - cos(k ? 0.5 : 0.125)) < 1e-6 && fabs(y[6] - sin(k ? 0.5 : 0.125)) < 1e-6);
        session_free(s);
        engine_free(e);
        graph_release(&g);
    }
}
/* SPDX-License-Identifier: MIT */
