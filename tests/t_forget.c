/* t_forget -- values let go of: their memory comes back, what is held stays as it is, and they can be computed again. */
#define TEST_FILE t_forget
#include "test.h"
#include "gguf_made.h"
#include "hand.h"
#include "ops.gen.h"
#include "tiny.h"
#include "toy.h"
#include <stdatomic.h>
#include <stdlib.h>

/* ---- by hand: x, twice it, ten times it; a line of each takes one line of cache ---- */

enum { ROWS = 40, WIDE = 16, LINE = WIDE * 4 };

static void hand_init(hand *h)
{
    static double v[ROWS * WIDE];
    for (int i = 0; i < ROWS * WIDE; i++) v[i] = i;
    hand_open(h, ROWS, WIDE, v);
}

static box rows(int32_t r0, int32_t r1) { return (box){ r0, r1, 0, 1 }; }

/* The first number of a row that is held, or -1. */
static double first_of(lane *l, const node *n, int32_t row)
{
    double v[WIDE];
    return lane_read(l, n, rows(row, row + 1), v, NULL) == E_OK ? v[0] : -1;
}

TEST("what is forgotten gives its bytes back, the rest is held as it was, and it can be asked for "
     "again")
{
    hand h;
    hand_init(&h);
    REQUIRE(!lane_ask(h.l, h.ten, rows(2, 6), NULL) && !lane_ask(h.l, h.twice, rows(1, 3), NULL) &&
            !session_run(h.s, NULL, NULL));
    int64_t full = mem_state.live_bytes;
    lane_forget(h.l, h.ten, rows(3, 6)); /* not all that was computed as one */
    CHECK(mem_state.live_bytes == full && first_of(h.l, h.ten, 5) == 5 * WIDE * 10);
    lane_forget(h.l, h.ten, rows(0, ROWS));
    CHECK(full - mem_state.live_bytes == 4 * LINE);
    CHECK(first_of(h.l, h.ten, 5) == -1 && first_of(h.l, h.twice, 2) == 2 * WIDE * 2);
    CHECK(first_of(h.l, h.x, 7) == 7 * WIDE); /* an input is no value of a run */
    run_info info;
    REQUIRE(!session_run(h.s, &info, NULL));
    CHECK(info.n_cell == 0); /* nobody wants it any longer */
    REQUIRE(!lane_ask(h.l, h.ten, rows(5, 6), NULL) && !session_run(h.s, &info, NULL));
    CHECK(info.n_cell == 1 && first_of(h.l, h.ten, 5) == 5 * WIDE * 10);
    CHECK(first_of(h.l, h.twice, 1) == WIDE * 2);
    lane_forget(h.l, h.twice, rows(0, ROWS)), lane_forget(h.l, h.ten, rows(0, ROWS));
    CHECK(first_of(h.l, h.twice, 1) == -1 && first_of(h.l, h.ten, 5) == -1);
    hand_close(&h);
}

TEST("nothing is forgotten that others build on, nor where much would have to move")
{
    hand h;
    lane *f;
    hand_init(&h);
    REQUIRE(!lane_ask(h.l, h.ten, rows(0, 2), NULL) && !lane_ask(h.l, h.twice, rows(0, 32), NULL) &&
            !session_run(h.s, NULL, NULL));
    int64_t full = mem_state.live_bytes;
    lane_forget(h.l, h.ten, rows(0, 1)), lane_forget(h.l, h.x, rows(0, ROWS));
    lane_forget(h.l, h.twice, rows(3, 4));
    REQUIRE(lane_fork(&f, h.l, NULL) == E_OK);
    lane_forget(h.l, h.ten, rows(0, 2));
    CHECK(first_of(h.l, h.ten, 1) == WIDE * 10);
    lane_drop(f);
    CHECK(mem_state.live_bytes == full);
    lane_forget(h.l, h.ten, rows(0, 2)); /* 32 lines for two */
    CHECK(full - mem_state.live_bytes == 2 * LINE);
    hand_close(&h);
    hand_init(&h);
    REQUIRE(!lane_ask(h.l, h.ten, rows(0, 2), NULL) && !lane_ask(h.l, h.twice, rows(0, 33), NULL) &&
            !session_run(h.s, NULL, NULL));
    lane_forget(h.l, h.ten, rows(0, 2)); /* 33 are too many */
    CHECK(first_of(h.l, h.ten, 1) == WIDE * 10);
    hand_close(&h);
}

TEST("forgetting without memory holds on to everything")
{
    for (int64_t at = 0;; at++) {
        hand h;
        hand_init(&h);
        REQUIRE(!lane_ask(h.l, h.ten, rows(2, 4), NULL) &&
                !lane_ask(h.l, h.twice, rows(1, 3), NULL) && !session_run(h.s, NULL, NULL));
        atomic_store(&mem_state.fail_at, at);
        lane_forget(h.l, h.ten, rows(0, ROWS));
        bool failed = atomic_load(&mem_state.fail_at) < 0;
        atomic_store(&mem_state.fail_at, -1);
        CHECK((first_of(h.l, h.ten, 3) == 3 * WIDE * 10) == failed);
        CHECK(first_of(h.l, h.twice, 2) == 2 * WIDE * 2);
        REQUIRE(!lane_ask(h.l, h.ten, rows(2, 4), NULL) && !session_run(h.s, NULL, NULL));
        CHECK(first_of(h.l, h.ten, 3) == 3 * WIDE * 10);
        hand_close(&h);
        if (!failed) break;
    }
}

/* ---- decoding ---- */

/* Ask for a site besides, forget it and the logits, and see that they are gone. */
static int forget_step(toy *t, lane *l, node *site)
{
    box last = { lane_len(l) - 1, lane_len(l), 0, t->n_vocab };
    double v[64];
    lane_forget(l, t->logits, last);
    lane_forget(l, site, node_all(site, l));
    return lane_read(l, t->logits, last, v, NULL) != E_OK;
}

TEST("a text decoded by lanes that forget has the bits of the whole, whatever else is asked for")
{
    engine *e = toy_engine("auto", "f32", 1, false);
    int n_gone = 0;
    for (uint64_t seed = test_seed; seed < test_seed + 60; seed++) {
        toy t;
        session *s;
        double v[9];
        lane *l, *next;
        toy_init_causal(&t, seed);
        REQUIRE(session_new(&s, &t.g, e, NULL) == E_OK);
        session_test(s, true, false);
        lane *whole = toy_prompt(&t, s, 9);
        for (int i = 0; i < 9; i++) v[i] = lane_input(whole, t.token, i, 0);
        REQUIRE(!lane_new(&l, s, NULL, 3, NULL) && !lane_give(l, t.token, v, NULL));
        for (int32_t len = 3; len <= 9; len++) {
            box last = { len - 1, len, 0, t.n_vocab };
            node *site = t.logits; /* not of the metric, which has an input of its own */
            while (site->id >= t.logits->id) site = t.site[dice_below(&t.d, t.n_site)];
            REQUIRE(!lane_keep_spans(l, NULL) && !lane_ask(l, t.logits, last, NULL));
            REQUIRE(!lane_ask(l, site, node_all(site, l), NULL));
            REQUIRE(!lane_ask(whole, t.logits, last, NULL) && !session_run(s, NULL, NULL));
            CHECK(toy_same(l, whole, t.logits, last));
            n_gone += forget_step(&t, l, site);
            REQUIRE(!lane_new(&next, s, l, len + 1, NULL));
            if (len < 9) REQUIRE(!lane_give(next, t.token, v, NULL));
            l = next;
        }
        session_free(s);
        toy_release(&t);
    }
    CHECK(n_gone > 100);
    engine_free(e);
}

/* ---- texts ---- */

enum { VOCAB = 30000 };

static void put_matrix(gguf_made *g, const char *name, int64_t n_row, int64_t n_col)
{
    int64_t n = (n_row ? n_row : 1) * n_col;
    float *x = malloc((size_t)n * sizeof *x);
    REQUIRE(x);
    for (int64_t i = 0; i < n; i++) x[i] = n_row ? (float)(i * 7919 % 2003 - 1001) / 4000 : 1;
    made_tensor(g, name, DTYPE_F32, n_row, n_col, x);
    free(x);
}

/* A Llama of one layer. */
typedef struct shape {
    int32_t vocab, d, head, kv;
} shape;

static void make_llama(const char *path, shape m)
{
    gguf_made g;
    made_begin(&g, "llama");
    made_u32(&g, "llama.embedding_length", m.d), made_u32(&g, "llama.feed_forward_length", m.d);
    made_u32(&g, "llama.block_count", 1), made_u32(&g, "llama.attention.head_count", m.head);
    made_u32(&g, "llama.attention.head_count_kv", m.kv), made_u32(&g, "llama.context_length", 100);
    made_f32(&g, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    put_matrix(&g, "token_embd.weight", m.vocab, m.d), put_matrix(&g, "output_norm.weight", 0, m.d);
    put_matrix(&g, "blk.0.attn_norm.weight", 0, m.d),
        put_matrix(&g, "blk.0.ffn_norm.weight", 0, m.d);
    static const char *const of[] = { "attn_k", "attn_v",   "attn_q",  "attn_output",
                                      "ffn_up", "ffn_gate", "ffn_down" };
    for (int i = 0; i < 7; i++) {
        char name[40];
        snprintf(name, sizeof name, "blk.0.%s.weight", of[i]);
        put_matrix(&g, name, i < 2 ? m.d / m.head * m.kv : m.d, m.d);
    }
    made_file(&g, path);
}

/* The most memory that n tokens took, in bytes. */
static int64_t most_of(const char *instrument, const char *path, int n)
{
    int64_t before = mem_state.live_bytes;
    atomic_store(&mem_state.peak_bytes, before);
    mt_report *r = ran_as(instrument, "{\"model\":\"%s\",\"tokens\":\"1,2,3\",\"n\":%d}", path, n);
    int64_t most = mem_state.peak_bytes - before;
    CHECK(r);
    mt_report_free(r);
    return most;
}

/* Of each token, of the model made. */
static int64_t each_of(const char *instrument, shape m)
{
    const char *path = test_path("llama.gguf");
    make_llama(path, m);
    return (most_of(instrument, path, 60) - most_of(instrument, path, 20)) / 40;
}

TEST("a text keeps keys and values of its tokens, not the logits of every step")
{
    for (int k = 0; k < 2; k++) {
        int64_t each = each_of(k ? "run" : "generate", (shape){ VOCAB, 16, 1, 1 });
        CHECK(each < VOCAB * 4 / 4); /* with logits held VOCAB * 4 at least */
    }
}

TEST("heads that share keys and values keep them once")
{
    enum { WIDTH = 512, HEADS = 8 };
    int64_t own = each_of("run", (shape){ 300, WIDTH, HEADS, HEADS }),
            shared = each_of("run", (shape){ 300, WIDTH, HEADS, 1 });
    CHECK(own - shared > 2 * WIDTH * 4 * (HEADS - 2) / HEADS);
}
/* SPDX-License-Identifier: MIT */
