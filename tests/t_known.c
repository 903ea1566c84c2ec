/* t_known -- models that other people trained and published: each does here what its authors say it does.
 *
 * ../shared/data/org-*; docs/known-models.md looks inside each.  The state dicts of TransformerLens are also held
 * against the same weights under Hugging Face's names, bit for bit. */
#define TEST_FILE t_known
#include "test.h"
#include "base/file.h"
#include "format/format.h"
#include "opened.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench open_with(const char *path, const char *config)
{
    bench b;
    REQUIRE(open_bench(&b, path, &(model_options){ .config = config }, NULL));
    return b;
}

static bench open_data(const char *rel, const char *config)
{
    char path[200];
    snprintf(path, sizeof path, "data/%s", rel);
    return open_with(shared_path(path), config);
}

static lane *add(bench *b, const double *token, int32_t n)
{
    lane *l;
    REQUIRE(!lane_new(&l, b->s, NULL, n, NULL) && !lane_give(l, b->m->token, token, NULL));
    return l;
}

static int32_t largest(const double *v, int32_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

/* What is said at position pos of a lane that has run. */
static int32_t said(bench *b, lane *l, int32_t pos)
{
    static double v[4096];
    int32_t n = b->m->logits->n_part;
    REQUIRE(n <= 4096 && !lane_read(l, b->m->logits, (box){ pos, pos + 1, 0, n }, v, NULL));
    return largest(v, n);
}

static void ask(bench *b, lane *l, int32_t r0, int32_t r1)
{
    REQUIRE(!lane_ask(l, b->m->logits, (box){ r0, r1, 0, b->m->logits->n_part }, NULL));
}

/* ---- modular addition ---- */

/* Of p*p sums every seventh: how many are right.  tokens [a, b, p], or [a, b] where eq is false. */
static double sums_right(bench *b, int p, bool eq)
{
    enum { AT_ONCE = 256 };
    lane *l[AT_ONCE];
    int64_t right = 0, asked = 0;
    for (int64_t i = 0; i < (int64_t)p * p;) {
        int n = 0;
        int64_t first = i;
        for (; n < AT_ONCE && i < (int64_t)p * p; i += 7, n++) {
            double t[3] = { (double)(i / p), (double)(i % p), p };
            l[n] = add(b, t, eq ? 3 : 2);
            ask(b, l[n], 1 + eq, 2 + eq);
        }
        REQUIRE(session_run(b->s, NULL, NULL) == E_OK);
        for (int k = 0; k < n; k++) {
            int64_t j = first + 7 * k;
            right += said(b, l[k], 1 + eq) == (j / p + j % p) % p;
            lane_drop(l[k]);
        }
        asked += n;
    }
    return (double)right / (double)asked;
}

/* The share of the embedding's variation over the first p tokens that lies in each frequency, 1 .. p/2. */
static void frequencies(const bench *b, int p, double share[64])
{
    const node *e = graph_find(&b->m->g, "embed.W_E");
    REQUIRE(e && e->n_part <= 512);
    double sum = 0, *v = calloc((size_t)p * 512, sizeof *v);
    for (int t = 0; t < p; t++)
        dtype_row_f64(e->weight.dtype, weight_at(&e->weight, t), v + t * 512, e->n_part);
    for (int k = 1; k <= p / 2; k++) {
        share[k] = 0;
        for (int j = 0; j < e->n_part; j++) {
            double re = 0, im = 0;
            for (int t = 0; t < p; t++) {
                double a = 2 * 3.14159265358979323846 * (double)(k * t % p) / p;
                re += v[t * 512 + j] * cos(a), im += v[t * 512 + j] * sin(a);
            }
            share[k] += re * re + im * im;
        }
        sum += share[k];
    }
    for (int k = 1; k <= p / 2; k++) share[k] /= sum;
    free(v);
}

static double share_of(const double *share, const int *key, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++) s += share[key[i]];
    return s;
}

TEST("grokked addition modulo 113 is right everywhere; weight decay leaves its embedding a few "
     "frequencies")
{
    if (!shared_path("data/org-grokking-progress")) SKIP("no ../shared");
    static const struct {
        const char *file;
        int key[5];
        double at_least, at_most; /* share of the variation in the five */
    } run[] = {
        { "wd_10-1_mod_addition_loss_curve", { 23, 6, 37, 41, 39 }, 0.8, 1 },
        { "low_precision_mod_addition", { 23, 6, 39, 3, 35 }, 0.9, 1 },
        { "mod_addition_no_wd", { 36, 52, 41, 26, 9 }, 0, 0.5 }, /* no decay: spread out */
    };
    for (int i = 0; i < 3; i++) {
        char rel[100];
        double share[64];
        snprintf(rel, sizeof rel, "org-grokking-progress/%s.pth", run[i].file);
        bench b = open_data(rel, NULL);
        frequencies(&b, 113, share);
        double s = share_of(share, run[i].key, 5), right = sums_right(&b, 113, true);
        printf("  %s: %.4f right, five frequencies have %.3f\n", run[i].file, right, s);
        CHECK(right > 0.999 && s >= run[i].at_least && s <= run[i].at_most);
        close_bench(&b);
    }
}

TEST("group composition: right on C113, with the representations that its authors found and no "
     "others")
{
    if (!shared_path("data/org-group-composition")) SKIP("no ../shared");
    static const struct {
        const char *dir;
        int n, key[5];
    } run[] = { { "C113_T_seed1", 3, { 16, 30, 56 } }, { "C113_T_seed2", 4, { 43, 49, 52, 53 } } };
    error err = { 0 };
    for (int i = 0; i < 2; i++) {
        char rel[100], keys[140];
        double share[64];
        str s = { 0 };
        snprintf(rel, sizeof rel, "org-group-composition/%s", run[i].dir);
        bench b = open_data(rel, "{\"normalization_type\": null, \"act_fn\": \"relu\"}");
        CHECK(b.m->config.n_vocab == 114 && b.m->logits->n_part == 113);
        frequencies(&b, 113, share);
        CHECK(sums_right(&b, 113, true) == 1 && share_of(share, run[i].key, run[i].n) > 0.9);
        snprintf(keys, sizeof keys, "data/%s/key_reps.txt", rel);
        REQUIRE(file_read(&s, shared_path(keys), 1000, &err) == E_OK);
        for (int k = 0; k < run[i].n; k++) {
            char want[16];
            snprintf(want, sizeof want, "freq_%d\n", run[i].key[k]);
            CHECK(strstr(s.p, want) != NULL && share[run[i].key[k]] > 0.2);
        }
        str_release(&s);
        close_bench(&b);
    }
    model *m = NULL;
    CHECK(model_open(&m, shared_path("data/org-group-composition/C113_T_seed1"), NULL, &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "normalization_type") && strstr(err.hint, "--config"));
}

/* Tokens of the i-th random sum: p, 10 for +, q, 11 for =, p + q; how many there are. */
static int write_sum(double t[18], uint64_t i)
{
    uint64_t x = 1;
    for (uint64_t k = 0; k <= i; k++) x = x * 6364136223846793005u + 1442695040888963407u;
    int p = (int)(x >> 33) % 100000, q = (int)(x >> 13 & 0xffffff) % 100000, s = p + q;
    for (int k = 5; k >= 0; k--, s /= 10) t[12 + k] = s % 10;
    for (int k = 4; k >= 0; k--, p /= 10, q /= 10) t[k] = p % 10, t[6 + k] = q % 10;
    t[5] = 10, t[11] = 11;
    return 18;
}

TEST("five-digit addition is right in every digit")
{
    if (!shared_path("data/org-grokking-progress")) SKIP("no ../shared");
    bench b = open_data("org-grokking-progress/5_digit_addition_infinite.pth", NULL);
    int wrong = 0;
    for (int i = 0; i < 40; i++) {
        double t[18];
        lane *l = add(&b, t, write_sum(t, (uint64_t)i));
        ask(&b, l, 11, 17);
        REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
        for (int k = 11; k < 17; k++) wrong += said(&b, l, k) != (int)t[k + 1];
        lane_drop(l);
    }
    CHECK(wrong == 0 && b.m->config.n_vocab == 12 && b.m->config.n_vocab_out == 10);
    close_bench(&b);
}

/* How much of head h's attention from query q lies on the two digits of column c, 0 the leftmost. */
static double on_column(bench *b, lane *l, int h, int q, int c)
{
    const node *pattern = graph_find(&b->m->g, "blocks.0.attn.pattern");
    double v[17];
    REQUIRE(q < 17 && !lane_read(l, pattern, (box){ q, q + 1, h, h + 1 }, v, NULL));
    return v[c] + v[6 + c];
}

TEST("five-digit addition: two heads look at the digits to be added, one at the column that may "
     "carry")
{
    if (!shared_path("data/org-grokking-progress")) SKIP("no ../shared");
    bench b = open_data("org-grokking-progress/5_digit_addition_infinite.pth", NULL);
    double own = 1, right = 1;
    for (int i = 0; i < 20; i++) {
        double t[18];
        lane *l = add(&b, t, write_sum(t, (uint64_t)i + 100));
        const node *pattern = graph_find(&b.m->g, "blocks.0.attn.pattern");
        REQUIRE(pattern && !lane_ask(l, pattern, node_all(pattern, l), NULL));
        REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
        for (int c = 0; c < 5; c++) { /* column c is written at position 12 + c */
            own = fmin(own, on_column(&b, l, 0, 12 + c, c));
            own = fmin(own, on_column(&b, l, 1, 12 + c, c));
            if (c < 4) right = fmin(right, on_column(&b, l, c < 2 ? 3 : 2, 12 + c, c + 1));
        }
        lane_drop(l);
    }
    printf("  own column at least %.3f, the one that carries at least %.3f\n", own, right);
    CHECK(own > 0.5 && right > 0.5); /* even attention: 2 of 13 to 17 keys, at most 0.154 */
    close_bench(&b);
}

TEST("the two-layer attention-only model says a repeated block of random tokens, and nothing sure "
     "before")
{
    if (!shared_path("data/org-grokking-progress")) SKIP("no ../shared");
    bench b = open_data("org-grokking-progress/induction_head_infinite.pth", NULL);
    int right[2] = { 0 }, of[2] = { 0 };
    uint64_t x = 7;
    for (int i = 0; i < 20; i++) {
        double t[48];
        for (int k = 0; k < 48; k++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            t[k] = k < 16 ? (double)(x >> 40 & 127) : t[k - 16];
        }
        lane *l = add(&b, t, 48);
        ask(&b, l, 0, 47);
        REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
        for (int k = 0; k < 47;
             k++) { /* the first time, and the third; the second is learned halfway */
            int again = k >= 33;
            if (k > 14 && !again) continue;
            of[again]++, right[again] += said(&b, l, k) == (int)t[k + 1];
        }
        lane_drop(l);
    }
    printf("  third time %d of %d, first time %d of %d\n", right[1], of[1], right[0], of[0]);
    CHECK(right[1] > 0.75 * of[1] && right[0] < 0.1 * of[0]);
    close_bench(&b);
}

/* ---- character models ---- */

TEST("makemore's induction model says every letter of a block that repeats")
{
    if (!shared_path("data/org-makemore-induction")) SKIP("no ../shared");
    bench b = open_data("org-makemore-induction", "{\"n_head\": 1}");
    str s = { 0 };
    int right = 0, of = 0;
    REQUIRE(file_read(&s, shared_path("data/org-makemore-induction/induction.txt"), 2 << 20,
                      NULL) == E_OK);
    for (size_t i = 0; i < 100; i++) { /* lines of 31 letters */
        const char *line = s.p + i * 319 * 32;
        double t[32] = { 0 };
        for (int k = 0; k < 31; k++) t[k + 1] = line[k] - 'a' + 1;
        lane *l = add(&b, t, 31);
        ask(&b, l, 16, 31);
        REQUIRE(line[31] == '\n' && session_run(b.s, NULL, NULL) == E_OK);
        for (int k = 16; k < 31; k++, of++) right += said(&b, l, k) == (int)t[k + 1];
        lane_drop(l);
    }
    printf("  %d of %d letters\n", right, of);
    CHECK(of == 1500 && right == of);
    str_release(&s);
    close_bench(&b);
}

/* The stored numbers [lane][pos][part i] of one partial against a site, relative to the largest. */
static void same_site(bench *b, const container *c, lane *l, int k, const char *theirs,
                      const char *site)
{
    const tensor_view *t = container_find(c, theirs);
    const node *n = graph_find(&b->m->g, site);
    REQUIRE(t && n);
    size_t size = t->bytes / 4 / (size_t)t->dim[0];
    const float *want = (const float *)t->data + (t->dim[0] > 1 ? (size_t)k * size : 0);
    double *v = calloc(size, sizeof *v), gap = 0, top = 0;
    REQUIRE(!lane_read(l, n, node_all(n, l), v, NULL));
    for (size_t i = 0; i < size; i++) {
        size_t at = i; /* ours is [pos, head, d_head], theirs [head, pos, d_head] */
        if (t->n_dim == 4) {
            size_t h = (size_t)t->dim[1], p = (size_t)t->dim[2], d = (size_t)t->dim[3];
            at = (i / (h * d)) * d + (i / d % h) * p * d + i % d;
        }
        gap = worse(gap, fabs(v[i] - (double)want[at])), top = fmax(top, fabs((double)want[at]));
    }
    if (!(gap <= 1e-5 * top)) printf("  %s: off by %g, largest entry %g\n", site, gap, top);
    CHECK(top > 0 && gap <= 1e-5 * top);
    free(v);
}

TEST("llm-viz's sorting model has the activations it was published with, and sorts")
{
    if (!shared_path("data/org-nanogpt-sort")) SKIP("no ../shared");
    static const char *const site[][2] = {
        { "tok_emb", "embed" },
        { "pos_emb", "pos_embed" },
        { "x", "blocks.0.resid_pre" },
        { "ln1", "blocks.0.ln1.out" },
        { "q", "blocks.0.attn.q" },
        { "k", "blocks.0.attn.k" },
        { "v", "blocks.0.attn.v" },
        { "y", "blocks.0.attn.z" },
        { "yProj", "blocks.0.attn.out" },
        { "attnResid", "blocks.0.resid_mid" },
        { "ln2", "blocks.0.ln2.out" },
        { "fc", "blocks.0.mlp.pre" },
        { "gelu", "blocks.0.mlp.post" },
        { "mlp", "blocks.0.mlp.out" },
        { "mlpResid", "blocks.0.resid_post" },
        { "block1", "blocks.1.resid_post" },
        { "block2", "blocks.2.resid_post" },
        { "ln_f", "ln_final.out" },
        { "lm_head", "logits" },
    };
    bench b = open_data("org-nanogpt-sort/gpt-nano-sort-model.json", NULL);
    container *c;
    REQUIRE(!container_open(&c, shared_path("data/org-nanogpt-sort/gpt-nano-sort-t0-partials.json"),
                            NULL));
    const tensor_view *idx = container_find(c, "idx");
    REQUIRE(idx != NULL);
    for (int k = 0; k < 3; k++) {
        double t[11];
        for (int i = 0; i < 11; i++) t[i] = (double)((const float *)idx->data)[11 * k + i];
        lane *l = add(&b, t, 11);
        lane_keep(l);
        for (int32_t i = 0; i < b.m->g.n_site; i++)
            if (b.m->g.site[i].n->op)
                REQUIRE(!lane_ask(l, b.m->g.site[i].n, node_all(b.m->g.site[i].n, l), NULL));
        REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
        for (size_t i = 0; i < sizeof site / sizeof *site; i++)
            same_site(&b, c, l, k, site[i][0], site[i][1]);
        lane_drop(l);
    }
    container_free(c);
    int wrong = 0;
    for (int i = 0; i < 729; i += 9) { /* six letters of three, then what is said, one by one */
        double t[11];
        int count[3] = { 0 }, n = 6, rest = i;
        for (int k = 0; k < 6; k++, rest /= 3) t[k] = rest % 3, count[rest % 3]++;
        for (int letter = 0; letter < 3; letter++)
            for (int k = 0; k < count[letter]; k++) {
                lane *l = add(&b, t, n);
                ask(&b, l, n - 1, n);
                REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
                int32_t next = said(&b, l, n - 1);
                lane_drop(l);
                wrong += next != letter;
                if (n < 11) t[n++] = next;
            }
    }
    CHECK(wrong == 0);
    close_bench(&b);
}

/* ---- state dicts of TransformerLens ---- */

enum { MOST = 64 };

typedef struct dict {
    tensor_view t[MOST];
    char name[MOST][64];
    float *owned[MOST];
    int n, n_owned;
} dict;

static void put(dict *d, const char *name, const float *v, int n_dim, int64_t a, int64_t b,
                int64_t c)
{
    tensor_view *t = &d->t[d->n];
    snprintf(d->name[d->n], sizeof d->name[0], "%s", name);
    *t = (tensor_view){ .name = d->name[d->n], .dtype = DTYPE_F32, .n_dim = n_dim, .data = v };
    t->dim[0] = a, t->dim[1] = b, t->dim[2] = c;
    t->bytes = (size_t)(a * (n_dim > 1 ? b : 1) * (n_dim > 2 ? c : 1)) * 4;
    d->n++;
}

static const float *weight(const container *c, const char *fmt, int i)
{
    char name[80];
    snprintf(name, sizeof name, fmt, i);
    const tensor_view *t = container_find(c, name);
    REQUIRE(t && t->dtype == DTYPE_F32);
    return t->data;
}

/* Columns of c_attn [d, 3 h k] as W_Q and so on [h, d, k], or as the paper's files have them, [h, k, d]. */
static const float *by_head(dict *to, const float *w, int part, int d, int h, int k, bool old)
{
    float *v = to->owned[to->n_owned++] = malloc((size_t)(d * h * k) * 4);
    for (int a = 0; a < h; a++)
        for (int i = 0; i < d; i++)
            for (int j = 0; j < k; j++)
                v[old ? (a * k + j) * d + i : (a * d + i) * k + j] =
                    w[i * 3 * h * k + part * h * k + a * k + j];
    return v;
}

static const float *turned(dict *to, const float *w, int n_row, int n_col)
{
    float *v = to->owned[to->n_owned++] = malloc((size_t)(n_row * n_col) * 4);
    for (int i = 0; i < n_row; i++)
        for (int j = 0; j < n_col; j++) v[j * n_row + i] = w[i * n_col + j];
    return v;
}

/* GPT-2's weights as TransformerLens names and lays them out, or as the paper's code does. */
static void as_hooked(dict *to, const container *c, const model_config *m, bool old)
{
    static const char *const qkv[] = { "Q", "K", "V" };
    int d = m->d_model, h = m->n_head, k = m->d_head, f = m->d_mlp, v = m->n_vocab;
    char name[64];
    const float *e = weight(c, "transformer.wte.weight", 0);
    if (old) put(to, "embed.W_E", turned(to, e, v, d), 2, d, v, 0);
    else put(to, "embed.W_E", e, 2, v, d, 0);
    put(to, "pos_embed.W_pos", weight(c, "transformer.wpe.weight", 0), 2, m->n_ctx, d, 0);
    put(to, "unembed.W_U", turned(to, e, v, d), 2, d, v, 0);
    put(to, "ln_final.w", weight(c, "transformer.ln_f.weight", 0), 1, d, 0, 0);
    put(to, "ln_final.b", weight(c, "transformer.ln_f.bias", 0), 1, d, 0, 0);
#define NAME(what) (snprintf(name, sizeof name, "blocks.%d.%s", i, what), name)
#define OF(what) weight(c, "transformer.h.%d." what, i)
    for (int i = 0; i < m->n_layer; i++) {
        for (int p = 0; p < 3; p++) {
            char w[16], bias[16];
            snprintf(w, sizeof w, "attn.W_%s", qkv[p]),
                snprintf(bias, sizeof bias, "attn.b_%s", qkv[p]);
            put(to, NAME(w), by_head(to, OF("attn.c_attn.weight"), p, d, h, k, old), 3, h,
                old ? k : d, old ? d : k);
            put(to, NAME(bias), OF("attn.c_attn.bias") + p * h * k, 2, h, k, 0);
        }
        const float *o = OF("attn.c_proj.weight"), *in = OF("mlp.c_fc.weight"),
                    *out = OF("mlp.c_proj.weight");
        if (old) put(to, NAME("attn.W_O"), turned(to, o, h * k, d), 2, d, h * k, 0);
        else put(to, NAME("attn.W_O"), o, 3, h, k, d);
        put(to, NAME("attn.b_O"), OF("attn.c_proj.bias"), 1, d, 0, 0);
        put(to, NAME("ln1.w"), OF("ln_1.weight"), 1, d, 0, 0);
        put(to, NAME("ln1.b"), OF("ln_1.bias"), 1, d, 0, 0);
        put(to, NAME("ln2.w"), OF("ln_2.weight"), 1, d, 0, 0);
        put(to, NAME("ln2.b"), OF("ln_2.bias"), 1, d, 0, 0);
        put(to, NAME("mlp.W_in"), old ? turned(to, in, d, f) : in, 2, old ? f : d, old ? d : f, 0);
        put(to, NAME("mlp.b_in"), OF("mlp.c_fc.bias"), 1, f, 0, 0);
        put(to, NAME("mlp.W_out"), old ? turned(to, out, f, d) : out, 2, old ? d : f, old ? f : d,
            0);
        put(to, NAME("mlp.b_out"), OF("mlp.c_proj.bias"), 1, d, 0, 0);
    }
#undef NAME
#undef OF
}

TEST("GPT-2's weights as a TransformerLens state dict give GPT-2's bits, in both layouts")
{
    if (!shared_path("goldens/models/gpt2")) SKIP("no ../shared");
    char path[1200], act[80];
    container *c;
    bench b = open_with(shared_path("goldens/models/gpt2"), NULL);
    int32_t n = 8 * b.m->logits->n_part;
    double *want = calloc((size_t)n, sizeof *want), *got = calloc((size_t)n, sizeof *got);
    logits_of(&b, want, n);
    snprintf(path, sizeof path, "%s/model.safetensors", shared_path("goldens/models/gpt2"));
    REQUIRE(container_open(&c, path, NULL) == E_OK);
    for (int old = 0; old < 2; old++) {
        dict d = { .n = 0 };
        as_hooked(&d, c, &b.m->config, old);
        snprintf(path, sizeof path, "%s/sd%d.safetensors", test_dir(), old);
        REQUIRE(!tensors_write(path, d.t, d.n, NULL, 0, NULL));
        snprintf(act, sizeof act, "{\"act_fn\": \"gelu_new\", \"eps\": %.9g}",
                 b.m->config.norm_eps);
        bench x = open_with(path, act);
        logits_of(&x, got, n);
        CHECK(!memcmp(want, got, (size_t)n * sizeof *got));
        CHECK(!strcmp(x.m->config.arch, "hooked") && x.m->n_weight >= b.m->n_weight);
        close_bench(&x);
        for (int i = 0; i < d.n_owned; i++) free(d.owned[i]);
    }
    container_free(c);
    free(want), free(got);
    close_bench(&b);
}

TEST("a state dict is opened with what is said of it, and what is not built is refused by its name")
{
    if (!shared_path("data/org-group-composition")) SKIP("no ../shared");
    static const struct {
        const char *config;
        status st;
        const char *says;
    } bad[] = {
        { "{\"normalization_type\": null}", E_UNSUPPORTED, "'act_fn' is not said" },
        { "{\"normalization_type\": \"XN\", \"act_fn\": \"relu\"}", E_UNSUPPORTED, "XN" },
        { "{\"normalization_type\": null, \"act_fn\": \"solu\"}", E_UNSUPPORTED, "solu" },
        { "{\"normalization_type\": null, \"act_fn\": \"relu\", \"gated_mlp\": true}",
          E_UNSUPPORTED, "gated_mlp" },
        { "{\"normalization_type\": null, \"act_fn\": \"relu\", \"n_heads\": 3}", E_SHAPE, "W_Q" },
        { "{\"normalization_type\": null, \"act_fn\": \"relu\", \"d_vocab_out\": 115}", E_RANGE,
          "d_vocab_out" },
        { "{\"normalization_type\": null, \"act_fn\": \"relu\", \"new_key\": 1}", E_UNSUPPORTED,
          "new_key" },
        { "{\"positional_embedding_type\": \"rotary\", \"normalization_type\": null, "
          "\"act_fn\": \"relu\"}",
          E_UNSUPPORTED, "rotary" },
        { "{\"normalization_type\": null, \"act_fn\": \"relu\", \"attention_dir\": "
          "\"bidirectional\"}",
          E_UNSUPPORTED, "bidirectional" },
        { "{", E_FORMAT, "config" },
        { "no/such.json", E_IO, "no/such.json" },
    };
    const char *path = shared_path("data/org-group-composition/C113_T_seed1");
    bench b = open_with(path, "{\"normalization_type\": null, \"act_fn\": \"relu\", "
                              "\"attention_dir\": \"causal\"}");
    close_bench(&b);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error err = { 0 };
        model *m = NULL;
        status st = model_open_with(&m, path, &(model_options){ .config = bad[i].config }, &err);
        if (st != bad[i].st || !strstr(err.msg, bad[i].says))
            printf("  %s: %d %s\n", bad[i].config, st, err.msg);
        CHECK(st == bad[i].st && strstr(err.msg, bad[i].says) && !m);
    }
}

/* What must be said of a file before it is opened, NULL: nothing; what its refusal names, NULL: it opens. */
TEST("every file of weights of the known models opens, and what else lies there is refused as what "
     "it is")
{
    static const char plain[] = "{\"normalization_type\": null, \"act_fn\": \"relu\"}";
    static const struct {
        const char *file, *config, *refused;
    } of[] = {
        { "org-grokking-progress/5_digit_addition_infinite.pth", NULL, NULL },
        { "org-grokking-progress/induction_head_infinite.pth", NULL, NULL },
        { "org-grokking-progress/low_precision_mod_addition.pth", NULL, NULL },
        { "org-grokking-progress/mod_addition_no_wd.pth", NULL, NULL },
        { "org-grokking-progress/wd_10-1_mod_addition_loss_curve.pth", NULL, NULL },
        { "org-group-composition/C113_MLP_seed1/model.pt", NULL, NULL },
        { "org-group-composition/C113_T_seed1/model.pt", plain, NULL },
        { "org-group-composition/C113_T_seed2/model.pt", plain, NULL },
        { "org-group-composition/C113_T_seed2/model.pt", NULL, "normalization_type" },
        { "org-makemore-induction/model.pt", "{\"n_head\": 1}", NULL },
        { "org-makemore-induction/model.pt", NULL, "n_head" },
        { "org-nanogpt-sort/gpt-nano-sort-model.json", NULL, NULL },
        { "org-nanogpt-sort/gpt-nano-sort-t0-partials.json", NULL, "activations" },
        { "org-pizza-clock/model_p99zdpze5l.pt", NULL, NULL },
        { "org-pizza-clock/model_q9rsl94xlv.pt", NULL, NULL },
        { "org-pizza-clock/model_l8k1hzciux.pt", NULL, NULL },
        { "org-pizza-clock/model_2fsoiei4o2.pt", NULL, NULL },
        { "org-pizza-clock/model_h9m153uuh9.pt", NULL, NULL },
        { "org-pizza-clock/model_7r4zst7evs.pt", NULL, NULL },
        { "org-pizza-clock/model_qlvxqhkvit.pt", NULL, NULL },
        { "org-pizza-clock/model_qlvxqhkvit.pt", "{\"linear_model\": \"B\"}", "linear_model" },
        { "lm-stories260K/stories260K.bin", NULL, NULL },
        { "lm-stories260K/tok512.bin", NULL, "hidden_dim" },
    };
    if (!shared_path("data/org-pizza-clock")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char rel[200];
        error err = { 0 };
        model *m = NULL;
        snprintf(rel, sizeof rel, "data/%s", of[i].file);
        status st =
            model_open_with(&m, shared_path(rel), &(model_options){ .config = of[i].config }, &err);
        bool fine = of[i].refused ? !m && strstr(err.msg, of[i].refused) : st == E_OK;
        if (!fine) printf("  %s: %d %s\n", of[i].file, st, err.msg);
        CHECK(fine);
        model_free(m);
    }
}

/* L[a - b][a + b], the right sum's logit for every pair: its spread over pairs of one a - b, averaged, by that over all
 * ("The clock and the pizza", distance irrelevance).  A pizza's logits hang on a - b: little is left. */
static double distance_irrelevance(bench *b, double *right)
{
    enum { P = 59 };
    static double v[P][P];
    double mean = 0, all = 0, inner = 0;
    *right = 0;
    for (int i = 0; i < P; i++) {
        lane *l[P];
        for (int k = 0; k < P; k++) {
            double t[2] = { i, k };
            l[k] = add(b, t, 2), ask(b, l[k], 1, 2);
        }
        REQUIRE(session_run(b->s, NULL, NULL) == E_OK);
        for (int k = 0; k < P; k++) {
            int sum = (i + k) % P;
            double *to = &v[(i - k + P) % P][sum];
            REQUIRE(!lane_read(l[k], b->m->logits, (box){ 1, 2, sum, sum + 1 }, to, NULL));
            *right += said(b, l[k], 1) == sum, mean += *to / (P * P);
            lane_drop(l[k]);
        }
    }
    *right /= P * P;
    for (int d = 0; d < P; d++) {
        double m = 0, var = 0;
        for (int s = 0; s < P; s++) m += v[d][s] / P;
        for (int s = 0; s < P; s++) var += pow(v[d][s] - m, 2), all += pow(v[d][s] - mean, 2);
        inner += sqrt(var / P) / P;
    }
    return inner / sqrt(all / (P * P));
}

TEST("clock and pizza: all sums modulo 59 are right, and the logits tell which algorithm it is")
{
    if (!shared_path("data/org-pizza-clock")) SKIP("no ../shared");
    static const struct {
        const char *run;
        double at_least, at_most; /* distance irrelevance */
    } run[] = {
        { "p99zdpze5l", 0, 0.4 }, { "q9rsl94xlv", 0.6, 1 },
        { "l8k1hzciux", 0.6, 1 }, { "2fsoiei4o2", 0.6, 1 },
        { "h9m153uuh9", 0, 0.4 }, { "7r4zst7evs", 0.9, 1 }, /* linear models: no attention */
        { "qlvxqhkvit", 0.9, 1 }
    };
    for (size_t i = 0; i < sizeof run / sizeof *run; i++) {
        char rel[80];
        double right;
        snprintf(rel, sizeof rel, "org-pizza-clock/model_%s.pt", run[i].run);
        bench b = open_data(rel, NULL);
        double q = distance_irrelevance(&b, &right);
        printf("  %s: %.4f right, distance irrelevance %.3f\n", run[i].run, right, q);
        CHECK(right == 1 && q >= run[i].at_least && q <= run[i].at_most);
        close_bench(&b);
    }
}

/* A bare state dict of n positions under the paper's names, a file of zeros. */
static const char *bare_dict(const char *name, int n_ctx)
{
    static float v[64];
    dict d = { .n = 0 };
    put(&d, "embed.W_E", v, 2, 2, 4, 0), put(&d, "pos_embed.W_pos", v, 2, n_ctx, 2, 0);
    put(&d, "blocks.0.attn.W_Q", v, 3, 1, 2, 2), put(&d, "blocks.0.attn.W_K", v, 3, 1, 2, 2);
    put(&d, "blocks.0.attn.W_V", v, 3, 1, 2, 2), put(&d, "blocks.0.attn.W_O", v, 2, 2, 2, 0);
    put(&d, "blocks.0.mlp.W_in", v, 2, 8, 2, 0), put(&d, "blocks.0.mlp.W_out", v, 2, 2, 8, 0);
    put(&d, "unembed.W_U", v, 2, 2, 4, 0);
    REQUIRE(!tensors_write(test_path(name), d.t, d.n, NULL, 0, NULL));
    return test_path(name);
}

static status opened_as(const char *path, const char *config, bool *both, error *err)
{
    model *m = NULL;
    *err = (error){ 0 };
    status st = model_open_with(&m, path, &(model_options){ .config = config }, err);
    *both = m && m->config.both_ways;
    model_free(m);
    return st;
}

TEST("a bare state dict of two or three positions is the paper's or the pizza's only as it is said")
{
    error err;
    bool both;
    for (int n = 2; n <= 3; n++) { /* 3: the pizza's eqn_sign runs */
        const char *path = bare_dict("bare.safetensors", n);
        CHECK(opened_as(path, NULL, &both, &err) == E_UNSUPPORTED && strstr(err.msg, "attn_coeff"));
        CHECK(opened_as(path, "{\"attn_coeff\": null}", &both, &err) == E_OK && !both);
        CHECK(opened_as(path, "{\"attn_coeff\": 0.5}", &both, &err) == E_OK && both);
    }
    CHECK(opened_as(bare_dict("long.safetensors", 4), NULL, &both, &err) == E_OK && !both);
}

TEST("a pizza run is what config_RUN.json beside it says: its coefficient, and its activation")
{
    error err;
    bool both;
    const char *path = bare_dict("model_run.safetensors", 3);
    test_text("config_run.json", "{\"attn_coeff\": 1, \"act_fn\": \"Tanh\", \"eqn_sign\": 1}");
    CHECK(opened_as(path, NULL, &both, &err) == E_UNSUPPORTED && strstr(err.msg, "Tanh"));
    test_text("config_run.json", "{\"attn_coeff\": 0, \"act_fn\": \"GeLU\", \"eqn_sign\": 1}");
    bench b = open_with(path, NULL);
    CHECK(b.m->config.both_ways && b.m->config.n_ctx == 3 &&
          !strcmp(b.m->config.activation, "gelu_erf"));
    close_bench(&b);
}

TEST("a pizza model without its configuration is not taken for one of the paper's")
{
    if (!shared_path("data/org-pizza-clock")) SKIP("no ../shared");
    str s = { 0 };
    char path[1200];
    model *m = NULL;
    error err = { 0 };
    REQUIRE(!file_read(&s, shared_path("data/org-pizza-clock/model_p99zdpze5l.pt"), 2 << 20, NULL));
    snprintf(path, sizeof path, "%s/alone.pt", test_dir());
    REQUIRE(!file_write(path, s.p, s.n, NULL));
    str_release(&s);
    CHECK(model_open(&m, path, NULL, &err) == E_UNSUPPORTED && !m &&
          strstr(err.msg, "'attn_coeff' is not said") && strstr(err.hint, "--config"));
    err = (error){ 0 };
    model_options two = { .config = "{\"attn_coeff\": 2}" };
    CHECK(model_open_with(&m, path, &two, &err) == E_RANGE && !m && strstr(err.msg, "attn_coeff"));
    bench b = open_with(path, "{\"attn_coeff\": 0}");
    CHECK(sums_right(&b, 59, false) == 1);
    close_bench(&b);
}
/* SPDX-License-Identifier: MIT */
