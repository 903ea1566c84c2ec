/* t_corpus -- files of text: windows hold the ids of the whole, each token is predicted once, losses are those of the model. */
#define TEST_FILE t_corpus
#include "test.h"
#include "backend/backend.h"
#include "base/rand.h"
#include "data/windows.h"
#include "format/container.h"
#include "graph/session.h"
#include "include/microtome.h"
#include "report/interval.h"
#include "tiny.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- windows ---- */

/* Every token of the file in order, from windows; checks that each is `fresh` once. */
static int64_t collect(const model *m, const windows_options *o, int32_t *id, int64_t most,
                       windows_facts *facts)
{
    windows *c = NULL;
    error err = { 0 };
    text_window *w = NULL;
    int64_t n = 0, at = -1;
    if (windows_open(&c, m, o, &err)) printf("  %s\n", err.msg);
    REQUIRE(c);
    while (windows_next(c, &w, &err) == E_OK && w) {
        int32_t bos = windows_say(c).bos;
        if (w->document != at) {
            CHECK(w->fresh == 1 && w->first == 0);
            at = w->document;
            for (int32_t r = bos; r < 1 && n < most; r++) id[n++] = w->p->id[r];
        }
        CHECK(w->p->n <= windows_say(c).window && w->fresh < w->p->n);
        for (int32_t r = w->fresh; r < w->p->n && n < most; r++) id[n++] = w->p->id[r];
        for (int32_t r = 0; r < w->p->n; r++) CHECK(w->byte[r] <= w->byte[r + 1]);
        text_window_free(w);
        w = NULL;
    }
    if (err.code) printf("  %s\n", err.msg);
    CHECK(err.code == E_OK);
    if (facts) *facts = windows_say(c);
    windows_close(c);
    return n;
}

static void same_as_whole(const char *tokens, const char *text, size_t n)
{
    model m = { .name = "m", .config = { .n_ctx = 64, .n_vocab = 1 << 20 } };
    arena mem = { 0 };
    token_span *s;
    int64_t n_whole;
    windows_facts f;
    error err = { 0 };
    tokenizer *t = NULL;
    if (tokenizer_open(&t, tokens, &err)) printf("  %s: %s\n", tokens, err.msg);
    REQUIRE(t);
    m.tokens = t;
    REQUIRE(!tokenizer_encode(m.tokens, &mem, text, n, TOKEN_BOS_NO, &s, &n_whole, NULL));
    int32_t *id = malloc((size_t)(n_whole + 1) * sizeof *id);
    windows_options o = { .path = test_file("t.txt", text, n), .field = "text", .piece = 700 };
    int64_t got = collect(&m, &o, id, n_whole + 1, &f), wrong = 0;
    for (int64_t i = 0; i < n_whole && i < got; i++) wrong += id[i] != s[i].id;
    if (got != n_whole || wrong || f.n_seam)
        printf("  %s: %lld tokens, %lld of them wrong, %lld seams; the whole has %lld\n", tokens,
               (long long)got, (long long)wrong, (long long)f.n_seam, (long long)n_whole);
    CHECK(got == n_whole && !wrong && !f.n_seam);
    free(id);
    arena_release(&mem);
    tokenizer_free(t);
}

TEST("a text that is encoded piece by piece has the ids of the whole, whatever the tokenizer")
{
    static const char *const tokens[] = {
        "goldens/tokenizers/bpe_gpt2",       "goldens/tokenizers/bpe_llama2_legacy",
        "goldens/tokenizers/bpe_llama3",     "goldens/tokenizers/unigram",
        "goldens/tokenizers/wordpiece_bert", "data/lm-stories260K"
    };
    str all = { 0 };
    if (!shared_path("data/data-wikitext2/valid.txt")) SKIP("no shared data");
    REQUIRE(!file_read(&all, shared_path("data/data-wikitext2/valid.txt"), 1 << 24, NULL));
    size_t n = 20000;
    while (n > 0 && ((unsigned char)all.p[n] & 0xC0) == 0x80) n--;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        same_as_whole(shared_path(tokens[i]), all.p, n);
    str_release(&all);
}

TEST("where a text has no place to be cut, the seam is counted")
{
    if (!shared_path("goldens/tokenizers/wordpiece_bert")) SKIP("no shared data");
    model m = { .name = "m", .config = { .n_ctx = 64, .n_vocab = 1 << 20 } };
    size_t n = 200000; /* one word: no token begins within it */
    char *text = malloc(n);
    int32_t *id = malloc(n * sizeof *id);
    windows_facts f = { 0 };
    for (size_t i = 0; i < n; i++) text[i] = (char)('a' + rand_below(1, 2, i / 3, 2));
    tokenizer *t = NULL;
    REQUIRE(!tokenizer_open(&t, shared_path("goldens/tokenizers/wordpiece_bert"), NULL));
    m.tokens = t;
    windows_options o = { .path = test_file("t.txt", text, n), .field = "text", .piece = 90000 };
    CHECK(collect(&m, &o, id, (int64_t)n, &f) > 0 && f.n_seam > 0);
    free(text), free(id);
    tokenizer_free(t);
}

TEST("each token of every document is predicted once, whatever window, stride and BOS")
{
    str lines = { 0 };
    int32_t want[400], got[400];
    int64_t n_want = 0, alone = 0, n_doc = 0;
    for (int d = 0; d < 12; d++) {
        int n = (int)rand_below(test_seed, 1, (uint64_t)d, 40);
        str_puts(&lines, d % 2 ? "[" : "{\"x\": 1, \"ids\": [");
        for (int i = 0; i < n; i++) {
            want[n_want] = (int32_t)rand_below(test_seed, 2, (uint64_t)n_want, 9);
            str_printf(&lines, "%s%d", i ? "," : "", want[n_want++]);
        }
        str_puts(&lines, d % 2 ? "]\n\n" : "]}\r\n");
        if (n == 1) want[--n_want] = 0; /* nothing predicts it and it predicts nothing */
        alone += n > 0, n_doc++;
    }
    const char *path = test_file("t.jsonl", lines.p, lines.n);
    for (int t = 0; t < 40; t++) {
        model m = { .name = "m", .config = { .n_ctx = 30, .n_vocab = 9 } };
        int64_t window = 2 + rand_below(test_seed, 3, (uint64_t)t, 29);
        windows_options o = { .path = path,
                              .field = "ids",
                              .bos = BOS_NO,
                              .window = window,
                              .stride = rand_below(test_seed, 4, (uint64_t)t, window) };
        windows_facts f;
        CHECK(collect(&m, &o, got, 400, &f) == n_want);
        CHECK(!memcmp(got, want, (size_t)n_want * sizeof *got));
        CHECK(f.n_document == n_doc && f.n_alone == alone);
    }
    str_release(&lines);
}

TEST("documents are what stands between separators, and windows do not cross from one to the next")
{
    if (!shared_path("data/lm-stories260K")) SKIP("no shared data");
    model m = { .name = "m", .config = { .n_ctx = 8, .n_vocab = 512 } };
    const char text[] = "<|end|>Once upon a time<|end|><|end|>there was a little girl<|end|>";
    windows *c = NULL;
    text_window *w = NULL;
    int64_t n[2] = { 0, 0 };
    tokenizer *t = NULL;
    REQUIRE(!tokenizer_open(&t, shared_path("data/lm-stories260K"), NULL));
    m.tokens = t;
    windows_options o = { .path = test_file("t.txt", text, strlen(text)),
                          .field = "text",
                          .separator = "<|end|>" };
    REQUIRE(!windows_open(&c, &m, &o, NULL));
    while (windows_next(c, &w, NULL) == E_OK && w) {
        CHECK(w->document < 2 && w->p->id[0] == tokenizer_bos(m.tokens));
        CHECK(w->document_at == (w->document ? 37 : 7));
        n[w->document] += w->p->n - w->fresh;
        text_window_free(w);
        w = NULL;
    }
    CHECK(windows_say(c).n_document == 2 && n[0] > 2 && n[1] > 2 && !windows_say(c).n_alone);
    windows_close(c);
    tokenizer_free(t);
}

static void refused(const char *name, const char *text, const windows_options *more,
                    const char *why)
{
    model m = { .name = "m", .config = { .n_ctx = 8, .n_vocab = 300 } };
    windows_options o = *more;
    windows *c = NULL;
    text_window *w = NULL;
    error err = { 0 };
    o.path = test_file(name, text, strlen(text)), o.field = o.field ? o.field : "text";
    tokenizer *t = NULL;
    if (shared_path("data/lm-stories260K"))
        tokenizer_open(&t, shared_path("data/lm-stories260K"), NULL);
    m.tokens = t;
    status st = windows_open(&c, &m, &o, &err);
    while (st == E_OK && (st = windows_next(c, &w, &err)) == E_OK && w)
        text_window_free(w), w = NULL;
    bool fine = st != E_OK && strstr(err.msg, why);
    if (!fine) printf("  %s: %d %s\n", name, st, err.msg);
    CHECK(fine);
    windows_close(c);
    tokenizer_free(t);
}

TEST("what cannot be read is refused, by byte or line")
{
    const windows_options none = { .bos = BOS_NO };
    if (shared_path("data/lm-stories260K"))
        refused("a.txt", "fine so far \xff not", &none, "byte 12 is not UTF-8");
    refused("b.jsonl", "{\"content\": \"x\"}\n", &none, "there is no field 'text'");
    refused("c.jsonl", "[1, 2]\n{\"text\": 5}\n", &none, "line 2: a document is an integer");
    refused("d.jsonl", "[1, 2\n", &none, "line 1");
    refused("e.jsonl", "[1, 300]\n", &none, "token 1");
    refused("f.jsonl", "[1, 2]\n", &(windows_options){ .separator = "x" }, "no separator");
    refused("g.txt", "x", &(windows_options){ .window = 9 }, "window: 9 tokens, expected 2 to 8");
    refused("h.txt", "x", &(windows_options){ .window = 4, .stride = 4 }, "expected 1 to 3");
}

/* ---- the instrument ---- */

/* -log softmax of the logits of one prompt, in double, the long way. */
static void losses(const char *words, double *out, int n)
{
    model *m = NULL;
    engine *e = NULL;
    session *s = NULL;
    prompt *p = NULL;
    lane *l = NULL;
    engine_options o = { .precision = "f32", .threads = 1 };
    REQUIRE(!model_open(&m, "demo:induction", NULL, NULL) && !engine_open(&e, &o, NULL) &&
            !session_new(&s, &m->g, e, NULL));
    REQUIRE(!prompt_from_text(&p, m, words, strlen(words), BOS_YES, NULL) && p->n == n + 1);
    REQUIRE(!lane_new(&l, s, NULL, p->n, NULL) && !lane_give(l, m->token, p->value, NULL));
    REQUIRE(!lane_ask(l, m->logits, node_all(m->logits, l), NULL) && !session_run(s, NULL, NULL));
    int32_t v = m->logits->n_part;
    double *y = malloc((size_t)v * (size_t)p->n * sizeof *y);
    REQUIRE(!lane_read(l, m->logits, node_all(m->logits, l), y, NULL));
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int32_t k = 0; k < v; k++) sum += exp(y[i * v + k] - y[i * v + p->id[i + 1]]);
        out[i] = log(sum);
    }
    free(y);
    session_free(s), engine_free(e), prompt_free(p), model_free(m);
}

TEST("the loss of every token is the model's, and position, frequency and window only sort them")
{
    const char text[] = "the cat sat on the cat sat on the dog ran";
    enum { N = 11 };
    double want[N], sum = 0, by = 0;
    int64_t n, n_pos, n_count;
    losses(text, want, N);
    mt_report *r = ran_as(
        "corpus", "{\"model\":\"demo:induction\",\"text\":\"%s\",\"bos\":\"yes\",\"keep\":true}",
        test_file("t.txt", text, strlen(text)));
    REQUIRE(r);
    double *got = tensor_of(r, "token.loss", &n);
    REQUIRE(n == N);
    for (int i = 0; i < N; i++) {
        CHECK(fabs(got[i] - want[i]) < 1e-4 * (1 + fabs(want[i])));
        sum += got[i];
    }
    double *pos = tensor_of(r, "loss.position", &n_pos),
           *k = tensor_of(r, "count.position", &n_count);
    for (int64_t i = 0; i < n_pos; i++) by += k[i] > 0 ? pos[i] * k[i] : 0;
    CHECK(n_pos == n_count && fabs(by - sum) < 1e-9);
    free(got), free(pos), free(k);
    mt_report_free(r);
}

TEST("a token without a logit is refused where it would be predicted, by document and token")
{
    const char *path = shared_path("data/org-grokking-progress/5_digit_addition_infinite.pth");
    if (!path) SKIP("no ../shared"); /* 12 tokens, logits for 10 of them */
    const char bad[] = "[1, 2, 3]\n[11, 4, 5, 10, 6, 7]\n",
               good[] = "[1, 2, 3]\n[11, 4, 5, 6, 7]\n";
    refuses_as("corpus", "document 1, token 3: id 10 has no logit",
               "{\"model\":\"%s\",\"text\":\"%s\",\"bos\":\"no\",\"window\":4,\"stride\":2}", path,
               test_file("bad.jsonl", bad, strlen(bad)));
    mt_report *r =
        ran_as("corpus", "{\"model\":\"%s\",\"text\":\"%s\",\"bos\":\"no\",\"keep\":true}", path,
               test_file("good.jsonl", good, strlen(good)));
    REQUIRE(r);
    int64_t n;
    double *loss = tensor_of(r, "token.loss", &n);
    CHECK(n == 6);
    for (int64_t i = 0; i < n; i++) CHECK(isfinite(loss[i]));
    CHECK(shows(r, "loss, no knowledge 2.303")); /* ln 10, not ln 12 */
    char *json = mt_report_render(r, "json", 80, false, NULL);
    REQUIRE(json);
    CHECK(!strstr(json, "NaN") && strstr(json, "loss, tokens in random order"));
    mt_text_free(json), free(loss);
    mt_report_free(r);
}

TEST("the report of a file does not depend on memory, and an edit's loss stands beside the plain "
     "one")
{
    str text = { 0 };
    static const char *const words[] = { "the", "cat", "sat", "on", "dog", "ran" };
    for (int i = 0; i < 900; i++)
        str_printf(&text, "%s%s", i ? " " : "", words[rand_below(test_seed, 7, (uint64_t)i, 6)]);
    const char *path = test_file("t.txt", text.p, text.n);
    char hash[2][80];
    for (int k = 0; k < 2; k++) {
        mt_report *r =
            ran_as("corpus",
                   "{\"model\":\"demo:induction\",\"text\":\"%s\",\"window\":12,\"stride\":5,"
                   "\"keep\":true,\"edit\":[\"blocks.1.attn.z[head=2] = 0\"],\"threads\":1%s}",
                   path, k ? ",\"memory\":1,\"backend\":\"reference\"" : "");
        REQUIRE(r);
        snprintf(hash[k], sizeof hash[k], "%s", mt_report_hash(r));
        int64_t n, m;
        double *a = tensor_of(r, "token.loss", &n), *b = tensor_of(r, "token.loss.edited", &m);
        int differ = 0;
        for (int64_t i = 0; i < n && i < m; i++) differ += a[i] != b[i];
        CHECK(n == m && differ > 0);
        free(a), free(b);
        mt_report_free(r);
    }
    CHECK(!strcmp(hash[0], hash[1]));
    refuses_as("corpus", "can change nothing",
               "{\"model\":\"demo:induction\",\"text\":\"%s\",\"window\":9,\"edit\":"
               "[\"blocks.1.resid_post[pos=-1] += 1\"]}",
               path);
    refuses("corpus", "{\"model\":\"demo:induction\"}", "needs a text");
    refuses("corpus", "{\"model\":\"demo:induction\",\"text\":\"/nowhere.txt\"}", "/nowhere.txt");
    str_release(&text);
}

TEST("what was read before a file was stopped stands, and the report says that it is not all")
{
    str text = { 0 };
    char request[600];
    mt_report *r = NULL;
    mt_error err = { 0 };
    for (int i = 0; i < 3000; i++) str_puts(&text, i % 2 ? " cat" : i ? " the" : "the");
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"text\":\"%s\",\"window\":8,"
             "\"seconds\":1e-9}",
             test_file("t.txt", text.p, text.n));
    mt_status st = mt_run(&r, "corpus", request, NULL, NULL, &err);
    CHECK(st == MT_INTERRUPTED);
    char *form = r ? mt_report_render(r, "text", 100, false, NULL) : NULL;
    CHECK(form && strstr(form, "perplexity") && strstr(form, "INCOMPLETE"));
    mt_text_free(form);
    mt_report_free(r);
    str_release(&text);
}

/* ---- intervals of ratios ---- */

TEST("where every unit counts once, the interval of a ratio is that of the mean, bit for bit")
{
    double x[40], one[40];
    interval a, b;
    for (int i = 0; i < 40; i++) x[i] = rand_unit(test_seed, 3, (uint64_t)i), one[i] = 1;
    REQUIRE(!interval_bootstrap(&a, x, 40, 0.9, 5, "s", NULL));
    REQUIRE(!interval_ratio(&b, x, one, 40, 0.9, 5, "s", NULL));
    CHECK(a.low == b.low && a.high == b.high && a.estimate == b.estimate);
    for (int i = 0; i < 40; i++) one[i] = i + 1, x[i] = 3 * (i + 1);
    REQUIRE(!interval_ratio(&b, x, one, 40, 0.9, 5, "s", NULL));
    CHECK(fabs(b.low - 3) < 1e-12 && fabs(b.high - 3) < 1e-12);
    one[3] = -1;
    CHECK(interval_ratio(&b, x, one, 40, 0.9, 5, "s", NULL) == E_RANGE);
}

TEST("memory that runs out at any call is an error, never another report")
{
    char request[900];
    const char *path =
        test_file("t.jsonl", "{\"text\":\"the cat sat on the cat\"}\n[1, 2, 3, 4]\n", 47);
    snprintf(request, sizeof request,
             "{\"model\":\"demo:induction\",\"threads\":1,\"text\":\"%s\",\"keep\":true,\"top\":2,"
             "\"window\":5,\"edit\":[\"blocks.0.attn.z[head=1] = 0\"]}",
             path);
    starve("corpus", request);
}
/* SPDX-License-Identifier: MIT */
