/* t_tokenizer -- ids and offsets are those of the original implementations; bad files are refused by name. */
#define TEST_FILE t_tokenizer
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "token/tokenizer.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

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

/* Vectors of a folder of goldens/tokenizers that has its own tokenizer.json. */
static void folder(const char *name, int64_t least)
{
    char tokens[200], lines[200];
    snprintf(tokens, sizeof tokens, "goldens/tokenizers/%s/tokenizer.json", name);
    snprintf(lines, sizeof lines, "goldens/tokenizers/%s/vectors.jsonl", name);
    arena mem = { 0 };
    const char *path = arena_string(&mem, shared_path(tokens));
    vectors(path, shared_path(lines), least);
    arena_release(&mem);
}

TEST("byte-level BPE gives the ids, offsets and text of the original on every stored vector")
{
    if (!shared_path("goldens/tokenizers")) SKIP("no ../shared");
    folder("bpe_gpt2", 507);
    folder("bpe_gpt2_prefix", 507);
    folder("bpe_llama3", 619);
    folder("bpe_qwen2", 550);
}

TEST("added tokens of every kind are found where the original finds them")
{
    if (!shared_path("goldens/tokenizers")) SKIP("no ../shared");
    folder("bpe_neox_added", 701);
}

TEST("BPE with byte fallback gives the original's ids, offsets and text, prefixed in either way")
{
    if (!shared_path("goldens/tokenizers")) SKIP("no ../shared");
    folder("bpe_llama2_legacy", 605);
    folder("bpe_llama2_metaspace", 602);
}

TEST("WordPiece, Unigram and WordLevel give the original's ids, offsets and text")
{
    if (!shared_path("goldens/tokenizers")) SKIP("no ../shared");
    folder("wordpiece_bert", 601);
    folder("unigram", 605);
    folder("char_level", 524);
}

/* ---- pipelines without a vocabulary, and published vocabularies ---- */

/* A pipeline.json with vocabulary and merges put in, against its vectors. */
static void whole(const char *name, json_t *vocab, json_t *merges, int64_t least)
{
    char path[300], lines[200];
    json_t *json = NULL;
    str s = { 0 };
    snprintf(path, sizeof path, "goldens/tokenizers/%s/pipeline.json", name);
    REQUIRE(json_open(&json, shared_path(path), 1 << 20, NULL) == E_OK);
    json_object_set_new(json_object_get(json, "model"), "vocab", vocab);
    json_object_set_new(json_object_get(json, "model"), "merges", merges);
    json_write(&s, json, 0);
    json_decref(json);
    snprintf(path, sizeof path, "%s/tokenizer.json", test_dir());
    REQUIRE(!s.failed && file_write(path, s.p, s.n, NULL) == E_OK);
    str_release(&s);
    snprintf(lines, sizeof lines, "goldens/tokenizers/%s/vectors.jsonl", name);
    vectors(path, shared_path(lines), least);
}

/* Lines of a text but the first, as a JSON list. */
static json_t *lines_of(const str *s, size_t at_most)
{
    json_t *list = json_array();
    size_t at = 0;
    for (size_t k = 0; at < s->n && k <= at_most; k++) {
        const char *end = memchr(s->p + at, '\n', s->n - at);
        size_t n = end ? (size_t)(end - s->p) - at : s->n - at;
        if (k && n) json_array_append_new(list, json_stringn(s->p + at, n));
        at += n + 1;
    }
    return list;
}

TEST("GPT-2's own vocabulary gives its ids, offsets and text on every stored vector")
{
    if (!shared_path("data/tok-openai") || !shared_path("goldens/tokenizers/real_gpt2"))
        SKIP("no ../shared");
    vectors(shared_path("data/tok-openai"),
            shared_path("goldens/tokenizers/real_gpt2/vectors.jsonl"), 506);
}

TEST("GPT-NeoX's vocabulary, with its runs of spaces, gives the original's ids, offsets and text")
{
    if (!shared_path("data/tok-neox-recovered")) SKIP("no ../shared");
    json_t *vocab = NULL, *v;
    const char *name;
    void *next;
    str s = { 0 };
    REQUIRE(json_open(&vocab, shared_path("data/tok-neox-recovered/vocab.json"), 1 << 24, NULL) ==
            E_OK);
    json_object_foreach_safe(vocab, next, name, v) if (json_integer_value(v) >= 50277)
        json_object_del(vocab, name); /* padding */
    REQUIRE(file_read(&s, shared_path("data/tok-neox-recovered/merges.txt"), 1 << 24, NULL) ==
            E_OK);
    whole("real_neox", vocab, lines_of(&s, s.n), 524);
    str_release(&s);
}

/* CLIP's vocabulary: bytes, bytes that end words, what merges make, two special ones. */
static json_t *clip_vocab(const json_t *merges)
{
    json_t *vocab = json_object(), *v;
    size_t i;
    int n = 0;
    for (int pass = 0; pass < 4; pass++)
        for (int b = 0; b < 256; b++) {
            char text[12];
            bool printed = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
            if (printed == pass % 2) continue;
            uint32_t c = printed ? (uint32_t)b
                                 : 256u + (uint32_t)(b <= 32     ? b
                                                     : b == 0xad ? 67
                                                                 : b - 94);
            int k = utf8_put(c, text);
            snprintf(text + k, sizeof text - (size_t)k, "%s", pass >= 2 ? "</w>" : "");
            json_object_set_new(vocab, text, json_integer(n++));
        }
    json_array_foreach(merges, i, v)
    {
        char text[200];
        const char *line = json_string_value(v), *space = strchr(line, ' ');
        snprintf(text, sizeof text, "%.*s%s", (int)(space - line), line, space + 1);
        json_object_set_new(vocab, text, json_integer(n++));
    }
    json_object_set_new(vocab, "<|startoftext|>", json_integer(n++));
    json_object_set_new(vocab, "<|endoftext|>", json_integer(n));
    return vocab;
}

TEST("CLIP's vocabulary, whose words end in a mark, gives the original's ids, offsets and text")
{
    const char *path = shared_path("data/tok-clip/bpe_simple_vocab_16e6.txt.gz");
    enum { ROOM = 1 << 23, N_MERGES = 48894 };
    if (!path) SKIP("no ../shared");
    arena mem = { 0 };
    str s = { .p = arena_get(&mem, ROOM) };
    gzFile f = gzopen(path, "rb");
    REQUIRE(f && s.p);
    s.n = (size_t)gzread(f, s.p, ROOM);
    gzclose(f);
    json_t *merges = lines_of(&s, N_MERGES);
    REQUIRE(json_array_size(merges) == N_MERGES);
    whole("real_clip", clip_vocab(merges), merges, 590);
    arena_release(&mem);
}

/* ---- a small vocabulary of our own, so that this runs without ../shared ---- */

static const char SMALL[] =
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"\\u0120\":3,\"ab\":4,"
    "\"\\u0120ab\":5,\"\\u00c3\":6,\"\\u00a9\":7,"
    "\"<|endoftext|>\":8},\"merges\":[\"a b\",[\"\\u0120\",\"ab\"]]},"
    "\"added_tokens\":[{\"id\":8,\"content\":\"<|endoftext|>\",\"special\":true}],"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
    "\"decoder\":{\"type\":\"ByteLevel\"}}";

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
    CHECK(with("{\"model\"", "{\"normalizer\":{\"type\":\"Precompiled\"},\"model\"", &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "Precompiled"));
    CHECK(with("\"BPE\",", "\"BPE\",\"dropout\":0.1,", &err) == E_UNSUPPORTED &&
          strstr(err.msg, "dropout"));
    CHECK(with("\"BPE\",", "\"BPE\",\"continuing_subword_prefix\":\"##\",", &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "continuing_subword_prefix"));
    CHECK(with("\"BPE\"", "\"Trigram\"", &err) == E_UNSUPPORTED && strstr(err.msg, "Trigram"));
    CHECK(with("\"type\":\"ByteLevel\"", "\"type\":\"UnicodeScripts\"", &err) == E_UNSUPPORTED &&
          strstr(err.msg, "UnicodeScripts"));
    CHECK(with("\"decoder\":{\"type\":\"ByteLevel\"", "\"decoder\":{\"type\":\"CTC\"", &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "CTC"));
    CHECK(with("\"decoder\"", "\"post_processor\":{\"type\":\"Odd\"},\"decoder\"", &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "Odd"));
    CHECK(with("\"a b\"", "\"a x\"", &err) == E_FORMAT && strstr(err.msg, "merge 0"));
    CHECK(with("\"b\":1", "\"b\":0", &err) == E_FORMAT && strstr(err.msg, "id 0"));
    CHECK(with("\"b\":1", "\"b\":-4", &err) == E_FORMAT);
    CHECK(with("\"b\":1", "\"b\":99999999999", &err) == E_FORMAT);
    CHECK(with("{\"id\":8", "{\"id\":7", &err) == E_FORMAT &&
          strstr(err.msg, "vocabulary it has 8"));
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
/* SMALL with one thing replaced, open. */
static tokenizer *open_with(const char *find, const char *put)
{
    char text[2048];
    const char *at = strstr(SMALL, find);
    tokenizer *t = NULL;
    error err = { 0 };
    REQUIRE(at);
    int n =
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - SMALL), SMALL, put, at + strlen(find));
    if (tokenizer_open(&t, small_file(text, (size_t)n), &err) != E_OK) printf("  %s\n", err.msg);
    REQUIRE(t);
    return t;
}

TEST("\\w takes marks, as the original's engine does, and word boundaries are refused")
{
    error err;
    tokenizer *t = open_with("{\"type\":\"ByteLevel\",\"add",
                             "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
                             "\"pattern\":{\"Regex\":\"\\\\w+\"},\"behavior\":\"Removed\"},"
                             "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},\"x\":{\"add");
    CHECK(gives(t, "a\xe0\xa5\x8d ", TOKEN_BOS_NO, 1, (int[]){ 3 }, (int[]){ 4 }, (int[]){ 5 }));
    tokenizer_free(t);
    CHECK(with("{\"type\":\"ByteLevel\",\"add",
               "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\\\\b\"},\"add",
               &err) == E_UNSUPPORTED);
    CHECK(strstr(err.msg, "\\b"));
}

/* What tokens decode to. */
static bool says(const tokenizer *t, int n, const int32_t *id, const char *want)
{
    str s = { 0 };
    tokenizer_decode(t, id, n, true, &s);
    bool same = s.p && !strcmp(s.p, want);
    if (!same) printf("  '%s', not '%s'\n", s.p ? s.p : "", want);
    str_release(&s);
    return same;
}

TEST("words are made of the vocabulary's own pieces, where an added token stands for the same")
{
    tokenizer *t = open_with(
        "\"c\":2,\"\\u0120\":3,\"ab\":4,\"\\u0120ab\":5,\"\\u00c3\":6,\"\\u00a9\":7,"
        "\"<|endoftext|>\":8},\"merges\":[\"a b\",[\"\\u0120\",\"ab\"]]},\"added_tokens\":[",
        "\"\\u0120\":3,\"ab\":4,\"\\u0120ab\":5,\"<|endoftext|>\":8},"
        "\"merges\":[\"a b\",[\"\\u0120\",\"ab\"]]},"
        "\"added_tokens\":[{\"id\":2,\"content\":\" \",\"single_word\":true},");
    CHECK(tokenizer_find(t, " ", 1) == 2); /* the lower of two; 3 is the piece */
    CHECK(gives(t, "b ab a", TOKEN_BOS_NO, 4, (int[]){ 1, 5, 3, 0 }, NULL, NULL));
    CHECK(gives(t, " ", TOKEN_BOS_NO, 1, (int[]){ 2 }, NULL, NULL));
    CHECK(says(t, 3, (const int32_t[]){ 2, 3, 5 }, "   ab"));
    tokenizer_free(t);
}

TEST("decoders see a token as the vocabulary writes it, an added one as it was looked for")
{
    tokenizer *t = open_with("\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":null");
    CHECK(says(t, 4, (const int32_t[]){ 4, 5, 6, 8 },
               "ab \xc4\xa0"
               "ab \xc3\x83 <|endoftext|>"));
    tokenizer_free(t);
    t = open_with("\"added_tokens\":[", "\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":["
                                        "{\"id\":10,\"content\":\"C A\",\"normalized\":true},"
                                        "{\"id\":9,\"content\":\"A B\",\"normalized\":true},");
    CHECK(gives(t, "A bC a", TOKEN_BOS_NO, 2, (int[]){ 9, 10 }, NULL, NULL));
    CHECK(says(t, 3, (const int32_t[]){ 9, 5, 10 }, "a b abc a"));
    size_t n;
    CHECK(!strcmp(tokenizer_text(t, 9, &n), "A B") && tokenizer_find(t, "C A", 3) == 10);
    tokenizer_free(t);
}

TEST("an added token whose spaces another took is not there")
{
    tokenizer *t =
        open_with("{\"id\":8,", "{\"id\":3,\"content\":\"\\u0120\"},{\"id\":9,\"content\":"
                                "\" \",\"lstrip\":true,\"rstrip\":true},{\"id\":8,");
    CHECK(gives(t, "a   b", TOKEN_BOS_NO, 3, (int[]){ 0, 9, 1 }, (int[]){ 0, 1, 4 },
                (int[]){ 1, 4, 5 }));
    tokenizer_free(t);
}
/* SPDX-License-Identifier: MIT */
