/* t_tokenizer -- ids and offsets are those of the original implementations; bad files are refused by name. */
#define TEST_FILE t_tokenizer
#include "test.h"
#include "base/file.h"
#include "token/tokenizer.h"
#include <stdio.h>
#include <string.h>

static void tell(void *user, int64_t line, const char *what)
{
    printf("  %s, line %lld: %s\n", (const char *)user, (long long)line, what);
}

static void vectors(const char *tokens, const char *path, int64_t least)
{
    tokenizer *t;
    error err = { 0 };
    int64_t right, wrong;
    REQUIRE(tokenizer_open(&t, tokens, &err) == E_OK);
    CHECK(tokenizer_check(t, path, tell, (void *)path, &right, &wrong, &err) == E_OK);
    CHECK(right >= least && wrong == 0);
    tokenizer_free(t);
}

TEST("byte-level BPE gives the ids, offsets and text of the original on every stored vector")
{
    if (!shared_path("goldens/tokenizers")) SKIP("no ../shared");
    vectors(shared_path("goldens/tokenizers/bpe_gpt2/tokenizer.json"),
            shared_path("goldens/tokenizers/bpe_gpt2/vectors.jsonl"), 500);
    vectors(shared_path("goldens/tokenizers/bpe_gpt2_prefix/tokenizer.json"),
            shared_path("goldens/tokenizers/bpe_gpt2_prefix/vectors.jsonl"), 500);
    vectors(shared_path("goldens/tokenizers/bpe_llama3/tokenizer.json"),
            shared_path("goldens/tokenizers/bpe_llama3/vectors.jsonl"), 500);
}

TEST("GPT-2's own vocabulary gives its ids on every stored vector")
{
    if (!shared_path("data/tok-openai") || !shared_path("goldens/tokenizers/real_gpt2"))
        SKIP("no ../shared");
    vectors(shared_path("data/tok-openai"),
            shared_path("goldens/tokenizers/real_gpt2/vectors.jsonl"), 500);
}

/* ---- a small vocabulary of our own, so that this runs without ../shared ---- */

static const char SMALL[] =
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"\\u0120\":3,\"ab\":4,"
    "\"\\u0120ab\":5,\"\\u00c3\":6,\"\\u00a9\":7,"
    "\"<|endoftext|>\":8},\"merges\":[\"a b\",[\"\\u0120\",\"ab\"]]},"
    "\"added_tokens\":[{\"id\":8,\"content\":\"<|endoftext|>\",\"special\":true}],"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}}";

static const char *small_file(const char *text, size_t n)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/tokenizer.json", test_dir());
    REQUIRE(file_write(path, text, n, NULL) == E_OK);
    return path;
}

static tokenizer *small(void)
{
    tokenizer *t = NULL;
    error err = { 0 };
    REQUIRE(tokenizer_open(&t, small_file(SMALL, sizeof SMALL - 1), &err) == E_OK);
    return t;
}

static bool gives(const tokenizer *t, const char *text, token_bos bos, int n, const int *id,
                  const int *first, const int *end)
{
    arena mem = { 0 };
    token_span *s;
    int64_t k = 0;
    bool same = tokenizer_encode(t, &mem, text, strlen(text), bos, &s, &k, NULL) == E_OK && k == n;
    for (int i = 0; same && i < n; i++)
        same = s[i].id == id[i] &&
               (!first || ((int)s[i].first == first[i] && (int)s[i].end == end[i]));
    arena_release(&mem);
    return same;
}

TEST("merges go by rank, special tokens are recognised, half characters cover the whole one")
{
    tokenizer *t = small();
    CHECK(gives(t, "ab ab", TOKEN_BOS_AUTO, 2, (int[]){ 4, 5 }, (int[]){ 0, 2 }, (int[]){ 2, 5 }));
    CHECK(gives(t, "a<|endoftext|>b", TOKEN_BOS_NO, 3, (int[]){ 0, 8, 1 }, (int[]){ 0, 1, 14 },
                (int[]){ 1, 14, 15 }));
    CHECK(gives(t, "\xc3\xa9", TOKEN_BOS_NO, 2, (int[]){ 6, 7 }, (int[]){ 0, 0 }, (int[]){ 2, 2 }));
    CHECK(gives(t, "ab", TOKEN_BOS_YES, 2, (int[]){ 8, 4 }, NULL, NULL));
    CHECK(gives(t, "", TOKEN_BOS_AUTO, 0, NULL, NULL, NULL));
    CHECK(tokenizer_find(t, " ab", 3) == 5 && tokenizer_find(t, "abc", 3) == -1);
    str s = { 0 };
    tokenizer_decode(t, (const int32_t[]){ 6, 5, 99 }, 3, true, &s);
    CHECK(!strcmp(s.p, "\xef\xbf\xbd ab"));
    str_release(&s);
    tokenizer_free(t);
}

TEST("a long word merges in less than quadratic time")
{
    enum { N = 400000 };
    tokenizer *t = small();
    arena mem = { 0 };
    token_span *s;
    int64_t n;
    char *text = arena_get(&mem, N);
    for (int i = 0; i < N; i++) text[i] = "ab"[i % 2];
    CHECK(tokenizer_encode(t, &mem, text, N, TOKEN_BOS_NO, &s, &n, NULL) == E_OK && n == N / 2);
    arena_release(&mem);
    tokenizer_free(t);
}

TEST("text that is not UTF-8 is refused with the offset of the byte")
{
    tokenizer *t = small();
    arena mem = { 0 };
    token_span *s;
    int64_t n;
    error err = { 0 };
    CHECK(tokenizer_encode(t, &mem, "ab\xff", 3, TOKEN_BOS_NO, &s, &n, &err) == E_FORMAT);
    CHECK(strstr(err.msg, "0xff") && strstr(err.msg, "offset 2") && err.hint[0]);
    arena_release(&mem);
    tokenizer_free(t);
}

TEST("a tokenizer.json cut off anywhere is refused, and leaves nothing behind")
{
    for (size_t n = 0; n + 1 < sizeof SMALL - 1; n++) {
        tokenizer *t = NULL;
        error err = { 0 };
        CHECK(tokenizer_open(&t, small_file(SMALL, n), &err) != E_OK && err.msg[0] && !t);
    }
}

/* SMALL with one thing replaced. */
static status with(const char *find, const char *put, error *err)
{
    char text[2048];
    const char *at = strstr(SMALL, find);
    tokenizer *t = NULL;
    REQUIRE(at);
    int n =
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - SMALL), SMALL, put, at + strlen(find));
    *err = (error){ 0 };
    status st = tokenizer_open(&t, small_file(text, (size_t)n), err);
    tokenizer_free(t);
    return st;
}

TEST("a setting that changes the ids and is not built is refused by name")
{
    error err;
    CHECK(with("{\"model\"", "{\"normalizer\":{\"type\":\"NFC\"},\"model\"", &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "normalizer"));
    CHECK(with("\"BPE\",", "\"BPE\",\"dropout\":0.1,", &err) == E_UNSUPPORTED &&
          strstr(err.msg, "dropout"));
    CHECK(with("\"BPE\",", "\"BPE\",\"byte_fallback\":true,", &err) == E_UNSUPPORTED &&
          strstr(err.msg, "byte_fallback"));
    CHECK(with("\"BPE\"", "\"Unigram\"", &err) == E_UNSUPPORTED && strstr(err.msg, "Unigram"));
    CHECK(with("\"special\":true", "\"lstrip\":true", &err) == E_UNSUPPORTED &&
          strstr(err.msg, "lstrip"));
    CHECK(with("\"type\":\"ByteLevel\"", "\"type\":\"Whitespace\"", &err) == E_UNSUPPORTED &&
          strstr(err.msg, "Whitespace"));
    CHECK(with("\"a b\"", "\"a x\"", &err) == E_FORMAT && strstr(err.msg, "merge 0"));
    CHECK(with("\"b\":1", "\"b\":0", &err) == E_FORMAT && strstr(err.msg, "id 0"));
    CHECK(with("\"b\":1", "\"b\":-4", &err) == E_FORMAT);
    CHECK(with("\"b\":1", "\"b\":99999999999", &err) == E_FORMAT);
}

TEST("allocation failing at any call while opening and encoding leaves nothing behind")
{
    const char *path = small_file(SMALL, sizeof SMALL - 1);
    for (int64_t n = 0;; n++) {
        tokenizer *t = NULL;
        arena mem = { 0 };
        token_span *s;
        int64_t k;
        error err = { 0 };
        mem_state.fail_at = n;
        status st = tokenizer_open(&t, path, &err);
        if (st == E_OK) st = tokenizer_encode(t, &mem, "ab ab", 5, TOKEN_BOS_NO, &s, &k, &err);
        mem_state.fail_at = -1;
        arena_release(&mem);
        tokenizer_free(t);
        if (st == E_OK) break;
        REQUIRE(st == E_NOMEM);
    }
}

TEST("whole words are cut at spaces, and an unknown one is refused with the nearest")
{
    static const char *const word[] = { "the", "cat", "sat" };
    tokenizer *t;
    arena mem = { 0 };
    token_span *s;
    int64_t n;
    error err = { 0 };
    REQUIRE(tokenizer_words(&t, word, 3, -1, &err) == E_OK);
    CHECK(gives(t, " the  cat sat", TOKEN_BOS_AUTO, 3, (int[]){ 0, 1, 2 }, (int[]){ 1, 6, 10 },
                (int[]){ 4, 9, 13 }));
    CHECK(tokenizer_encode(t, &mem, "the cta", 7, TOKEN_BOS_NO, &s, &n, &err) == E_FORMAT);
    CHECK(strstr(err.msg, "cta") && strstr(err.hint, "cat"));
    arena_release(&mem);
    tokenizer_free(t);
}

TEST("llama2.c's tokenizer begins with BOS and a space, and comes back as it went")
{
    const char *path = shared_path("data/lm-stories260K/tok512.bin");
    if (!path) SKIP("no ../shared");
    tokenizer *t;
    arena mem = { 0 };
    token_span *s;
    int64_t n;
    int32_t id[100];
    str text = { 0 };
    static const char once[] = "Once upon a time, \xc3\xa9\n";
    REQUIRE(tokenizer_open(&t, path, NULL) == E_OK && tokenizer_count(t) == 512);
    REQUIRE(tokenizer_encode(t, &mem, once, sizeof once - 1, TOKEN_BOS_AUTO, &s, &n, NULL) ==
                E_OK &&
            n < 100 && s[0].id == 1);
    for (int64_t i = 0; i < n; i++) id[i] = s[i].id;
    tokenizer_decode(t, id, n, false, &text);
    CHECK(!strcmp(text.p, once));
    str_release(&text);
    arena_release(&mem);
    tokenizer_free(t);
}
/* SPDX-License-Identifier: MIT */
