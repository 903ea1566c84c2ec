/* t_vocab -- vocabularies from other formats: SentencePiece models, rank files, what GGUF files hold. */
#define TEST_FILE t_vocab
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "token/proto.h"
#include "token/tokenizer.h"
#include "token/vocab.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(void *user, int64_t line, const char *what)
{
    printf("  %s, line %lld: %s\n", (const char *)user, (long long)line, what);
}

static void vectors(const char *tokens, const char *lines, int64_t least)
{
    tokenizer *t;
    arena mem = { 0 };
    error err = { 0 };
    int64_t right, wrong;
    const char *path = arena_string(&mem, shared_path(tokens));
    REQUIRE(tokenizer_open(&t, path, &err) == E_OK);
    CHECK(tokenizer_check(t, shared_path(lines), tell, (void *)lines, &right, &wrong, &err) ==
          E_OK);
    CHECK(right >= least && wrong == 0);
    tokenizer_free(t);
    arena_release(&mem);
}

TEST("a SentencePiece model gives the ids, offsets and text of the original's on every stored "
     "vector")
{
    if (!shared_path("data/tok-llama2/tokenizer.model")) SKIP("no ../shared");
    vectors("data/tok-llama2/tokenizer.model", "goldens/tokenizers/real_llama2/vectors.jsonl", 605);
}

TEST("a rank file gives tiktoken's ids on every stored vector")
{
    if (!shared_path("data/tok-openai/cl100k_base.tiktoken")) SKIP("no ../shared");
    vectors("data/tok-openai/cl100k_base.tiktoken", "goldens/tokenizers/real_cl100k/vectors.jsonl",
            524);
    vectors("data/tok-openai/r50k_base.tiktoken", "goldens/tokenizers/real_gpt2/vectors.jsonl",
            506);
}

/* Does the text give these ids? */
static bool gives(const tokenizer *t, const char *text, const int *id, int n)
{
    arena mem = { 0 };
    token_span *s;
    int64_t k = 0;
    bool same = tokenizer_encode(t, &mem, text, strlen(text), TOKEN_BOS_NO, &s, &k, NULL) == E_OK;
    same = same && k == n;
    for (int i = 0; same && i < n; i++) same = s[i].id == id[i];
    arena_release(&mem);
    return same;
}
#define GIVES(t, text, ...)                                                                        \
    gives(t, text, (const int[]){ __VA_ARGS__ },                                                   \
          (int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)))

TEST("a Unigram model with a normalization table cuts as SentencePiece 0.2 does")
{
    const char *path = shared_path("data/tok-sentencepiece/test_model.model");
    tokenizer *t;
    str text = { 0 };
    if (!path) SKIP("no ../shared");
    REQUIRE(tokenizer_open(&t, path, NULL) == E_OK && tokenizer_count(t) == 1000);
    CHECK(GIVES(t, "I saw a girl with a telescope.", 9, 459, 11, 939, 44, 11, 4, 142, 82, 8, 28, 21,
                132, 6));
    CHECK(GIVES(t,
                "  \357\274\250\357\275\205\357\275\214\357\275\214\357\275\217\343\200\200world  ",
                151, 88, 21, 887));
    CHECK(
        GIVES(t, "\342\221\240 caf\303\251 \357\275\266\357\276\236", 4, 357, 78, 19, 57, 0, 4, 0));
    CHECK(GIVES(t, "a\011b\012c", 11, 0, 66, 0, 28));
    CHECK(GIVES(t, "\343\201\215\314\201x", 4, 0, 297));
    CHECK(gives(t, "   ", NULL, 0));
    tokenizer_decode(t, (const int32_t[]){ 151, 88, 21 }, 3, true, &text);
    CHECK(text.n && *text.p != ' ');
    str_release(&text);
    tokenizer_free(t);
}

/* ---- what a GGUF file holds ---- */

/* Cases of llama.cpp: texts between lines of a mark, a line of ids for each. */
static void cases(const tokenizer *t, const char *name, int least)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char path[200];
    str in = { 0 }, out = { 0 };
    int right = 0;
    snprintf(path, sizeof path, "data/tok-llamacpp-vectors/ggml-vocab-%s.gguf.inp", name);
    REQUIRE(file_read(&in, shared_path(path), 1 << 20, NULL) == E_OK);
    strcpy(strrchr(path, '.'), ".out");
    REQUIRE(file_read(&out, shared_path(path), 1 << 20, NULL) == E_OK);
    const char *p = in.p, *line = out.p;
    while (p && line && *line) {
        char *end = strstr(p, mark), *stop = strchr(line, '\n');
        int id[2000], n = 0;
        if (end) *end = 0;
        if (stop) *stop = 0;
        for (char *q = (char *)line, *after; n < 2000; q = after) {
            long v = strtol(q, &after, 10);
            if (after == q) break;
            id[n++] = (int)v;
        }
        bool same = gives(t, p, id, n);
        if (!same) printf("  %s: \"%s\"\n", name, p);
        CHECK(same);
        right += same;
        p = end ? end + sizeof mark - 1 : NULL, line = stop ? stop + 1 : NULL;
    }
    CHECK(right >= least);
    str_release(&in), str_release(&out);
}

/* The same vocabulary said as a tokenizer.json, and opened again. */
static tokenizer *written(const token_vocab *v, const char *chat)
{
    json_t *to = NULL, *config = NULL;
    tokenizer *t = NULL;
    error err = { 0 };
    if (vocab_say(&to, &config, v, chat, "vocabulary", &err) != E_OK) printf("  %s\n", err.msg);
    REQUIRE(to && config && !json_dump_file(to, test_path("tokenizer.json"), 0));
    REQUIRE(!json_dump_file(config, test_path("tokenizer_config.json"), 0));
    json_decref(to), json_decref(config);
    if (tokenizer_open(&t, test_path("tokenizer.json"), &err) != E_OK) printf("  %s\n", err.msg);
    REQUIRE(t);
    return t;
}

/* A vocab.json and lines of merges as GGUF has them; json and text must outlive v. */
static void fill(token_vocab *v, arena *mem, json_t *vocab, const str *merges)
{
    const char *name;
    json_t *id;
    int64_t room = 0;
    *v = (token_vocab){ .model = "gpt2", .bos = -1, .eos = -1, .unk = -1 };
    json_object_foreach(vocab, name, id) if (json_integer_value(id) >= v->n) v->n =
        json_integer_value(id) + 1;
    vocab_text *text = arena_array(mem, v->n, sizeof *text);
    int32_t *type = arena_array(mem, v->n, sizeof *type);
    for (int64_t i = 0; i < v->n; i++) text[i].p = "", type[i] = VOCAB_UNUSED;
    json_object_foreach(vocab, name, id)
    {
        int64_t i = json_integer_value(id);
        text[i] = (vocab_text){ name, strlen(name) };
        type[i] = !strcmp(name, "<|endoftext|>") ? VOCAB_CONTROL
                  : name[strspn(name, " ")]      ? VOCAB_NORMAL
                                                 : VOCAB_USER; /* NeoX's runs of spaces */
    }
    for (size_t i = 0; i < merges->n; i++) room += merges->p[i] == '\n';
    vocab_text *list = arena_array(mem, room + 1, sizeof *list);
    for (size_t at = 0; at < merges->n;) {
        const char *line = merges->p + at, *end = memchr(line, '\n', merges->n - at);
        size_t n = end ? (size_t)(end - line) : merges->n - at;
        if (n && (at || *line != '#')) list[v->n_merges++] = (vocab_text){ line, n };
        at += n + 1;
    }
    v->text = text, v->type = type, v->merge = list;
}

static void gguf_case(const char *vocab_path, const char *merges_path, const char *pre,
                      const char *name, int least)
{
    json_t *vocab = NULL;
    str merges = { 0 };
    arena mem = { 0 };
    error err = { 0 };
    token_vocab v;
    tokenizer *t = NULL;
    REQUIRE(json_open(&vocab, shared_path(vocab_path), 1 << 24, NULL) == E_OK);
    REQUIRE(file_read(&merges, shared_path(merges_path), 1 << 24, NULL) == E_OK);
    fill(&v, &mem, vocab, &merges);
    v.pre = pre;
    REQUIRE(tokenizer_from_vocab(&t, &v, name, &err) == E_OK);
    tokenizer *again = written(&v, NULL);
    json_decref(vocab), str_release(&merges), arena_release(&mem); /* all was copied */
    cases(t, name, least), cases(again, name, least);
    tokenizer_free(t), tokenizer_free(again);
}

TEST("the vocabulary of a GGUF file gives llama.cpp's ids: byte-level BPE")
{
    if (!shared_path("data/tok-llamacpp-vectors") || !shared_path("data/tok-neox-recovered"))
        SKIP("no ../shared");
    gguf_case("data/tok-openai/encoder.json", "data/tok-openai/vocab.bpe", "gpt-2", "gpt-2", 46);
    gguf_case("data/tok-neox-recovered/vocab.json", "data/tok-neox-recovered/merges.txt", "mpt",
              "mpt", 46);
}

/* Tokens of printing ASCII: 94 bytes, their pairs, and some of three, each with the merge that makes it. */
enum { N_BYTES = 94, N_MANY = 50000 };

static void many(token_vocab *v, arena *mem)
{
    vocab_text *text = arena_array(mem, N_MANY, sizeof *text);
    vocab_text *merge = arena_array(mem, N_MANY, sizeof *merge);
    REQUIRE(text && merge);
    for (int i = 0; i < N_MANY; i++) {
        int before = i / N_BYTES - 1; /* the token that a byte is put behind */
        char last = (char)('!' + i % N_BYTES), *p = arena_get(mem, 8), *q = arena_get(mem, 8);
        REQUIRE(p && q);
        const char *first = before < 0 ? "" : text[before].p;
        text[i] = (vocab_text){ p, (size_t)snprintf(p, 8, "%s%c", first, last) };
        merge[i] = (vocab_text){ q, (size_t)snprintf(q, 8, "%s %c", first, last) };
    }
    *v = (token_vocab){ .model = "gpt2", .pre = "gpt-2", .bos = -1, .eos = -1, .unk = -1 };
    v->n = N_MANY, v->text = text, v->merge = merge + N_BYTES, v->n_merges = N_MANY - N_BYTES;
}

TEST("a vocabulary of fifty thousand tokens and merges takes few bytes for each")
{
    arena mem = { 0 };
    token_vocab v;
    tokenizer *t = NULL;
    many(&v, &mem);
    /* a text and its bytes, two places in a table, a merge and what it makes; the last part of an arena is free */
    int64_t before = mem_state.live_bytes;
    REQUIRE(tokenizer_from_vocab(&t, &v, "many", NULL) == E_OK);
    int64_t each = (mem_state.live_bytes - before) / N_MANY;
    CHECK(each <= 80);
    CHECK(GIVES(t, "!!!", (N_BYTES + 1) * N_BYTES) && GIVES(t, "\"!#", 1, N_BYTES + 2));
    CHECK(tokenizer_find(t, "!#", 2) == N_BYTES + 2 && tokenizer_find(t, "\"!#", 3) == 17768);
    tokenizer_free(t);
    arena_release(&mem);
}

/* The pieces of a .model as GGUF has them. */
static void fill_pieces(token_vocab *v, arena *mem, const str *s)
{
    proto m = { (const unsigned char *)s->p, s->n, false };
    proto_field x, y;
    vocab_text *text = arena_array(mem, 32000, sizeof *text);
    float *score = arena_array(mem, 32000, sizeof *score);
    int32_t *type = arena_array(mem, 32000, sizeof *type);
    *v = (token_vocab){ .model = "llama", .bos = 1, .eos = 2, .unk = 0 };
    while (proto_next(&m, &x)) {
        if (x.number != 1 || v->n == 32000) continue;
        proto one = { x.p, x.n, false };
        type[v->n] = VOCAB_NORMAL;
        while (proto_next(&one, &y)) {
            if (y.number == 1) text[v->n] = (vocab_text){ (const char *)y.p, y.n };
            if (y.number == 2) score[v->n] = proto_float(&y);
            if (y.number == 3) type[v->n] = (int32_t)y.value;
        }
        v->n++;
    }
    v->text = text, v->score = score, v->type = type;
}

TEST("the vocabulary of a GGUF file gives llama.cpp's ids: SentencePiece")
{
    const char *path = shared_path("data/tok-llama2/tokenizer.model");
    str s = { 0 };
    arena mem = { 0 };
    token_vocab v;
    tokenizer *t;
    if (!path) SKIP("no ../shared");
    REQUIRE(file_read(&s, path, 1 << 24, NULL) == E_OK);
    fill_pieces(&v, &mem, &s);
    REQUIRE(v.n == 32000 && tokenizer_from_vocab(&t, &v, "llama", NULL) == E_OK);
    tokenizer *again = written(&v, NULL);
    str_release(&s), arena_release(&mem);
    cases(t, "llama-spm", 46), cases(again, "llama-spm", 46);
    CHECK(tokenizer_adds_bos(t) && tokenizer_bos(t) == 1);
    CHECK(tokenizer_adds_bos(again) && tokenizer_bos(again) == 1);
    tokenizer_free(t), tokenizer_free(again);
}

/* ---- what is refused, without ../shared ---- */

static const vocab_text FEW[] = { { "<unk>", 5 },
                                  { "\xe2\x96\x81", 3 },
                                  { "a", 1 },
                                  { "b", 1 },
                                  { "ab", 2 },
                                  { "\xe2\x96\x81"
                                    "ab",
                                    5 } };
static const float SCORES[] = { 0, -3, -4, -5, -1, -2 };
static const int32_t TYPES[] = { 2, 1, 1, 1, 1, 1 };

static token_vocab few(void)
{
    return (token_vocab){
        .model = "llama", .n = 6, .text = FEW, .score = SCORES, .type = TYPES, .bos = -1, .eos = -1
    };
}

static status from(const token_vocab *v, error *err)
{
    tokenizer *t = NULL;
    *err = (error){ 0 };
    status st = tokenizer_from_vocab(&t, v, "file", err);
    tokenizer_free(t);
    return st;
}

static void unsaid(const token_vocab *v, const char *why)
{
    json_t *to = NULL, *config = NULL;
    error err = { 0 };
    CHECK(vocab_say(&to, &config, v, NULL, "file", &err) == E_UNSUPPORTED && !to && !config);
    CHECK(strstr(err.msg, why));
}

TEST("a few pieces are said as a tokenizer.json; what one cannot say is refused by name")
{
    static const int32_t USER[] = { 2, 1, 1, 1, 4, 1 };
    token_vocab v = few();
    tokenizer *t = written(&v, "{{ messages }}");
    CHECK(GIVES(t, "ab a", 5, 1, 2)); /* and no BOS, of which there is none */
    tokenizer_free(t);
    json_t *config = json_load_file(test_path("tokenizer_config.json"), 0, NULL),
           *to = json_load_file(test_path("tokenizer.json"), 0, NULL);
    const json_t *merges = json_object_get(json_object_get(to, "model"), "merges");
    CHECK(!strcmp(json_string_value(json_object_get(config, "chat_template")), "{{ messages }}"));
    CHECK(!strcmp(json_string_value(json_object_get(config, "unk_token")), "<unk>"));
    CHECK(json_array_size(merges) == 2); /* a b, and the space with ab: a piece, in this order */
    CHECK(!strcmp(json_string_value(json_array_get(json_array_get(merges, 0), 0)), "a"));
    json_decref(config), json_decref(to);
    v.type = USER, unsaid(&v, "user's own token");
    v.space_prefix = VOCAB_NO, tokenizer_free(written(&v, NULL));
    v = few(), v.squeeze = VOCAB_YES, unsaid(&v, "squeezed spaces");
    v = few(), v.charsmap = FEW[0], unsaid(&v, "a charsmap");
    v = few(), v.model = "unigram", unsaid(&v, "its model");
    vocab_text twice[6];
    memcpy(twice, FEW, sizeof twice), twice[3] = twice[2];
    v = few(), v.text = twice, unsaid(&v, "two tokens of one text");
    twice[3] = (vocab_text){ "\xff", 1 }, unsaid(&v, "not UTF-8");
    v = few(), v.model = "gpt2", v.pre = "unheard-of", unsaid(&v, "unheard-of");
}

TEST("pieces merge by score, and spaces are marked")
{
    tokenizer *t;
    token_vocab v = few();
    REQUIRE(tokenizer_from_vocab(&t, &v, "few", NULL) == E_OK);
    CHECK(GIVES(t, "ab a", 5, 1, 2));
    CHECK(GIVES(t, "zz", 1, 0));
    CHECK(tokenizer_find(t, " ab", 3) == 5);
    tokenizer_free(t);
    v.model = "unigram";
    REQUIRE(tokenizer_from_vocab(&t, &v, "few", NULL) == E_OK);
    CHECK(GIVES(t, "ab a", 5, 1, 2));
    CHECK(GIVES(t, "azz", 1, 2, 0));
    tokenizer_free(t);
}

TEST("a vocabulary that cannot be read is refused by what is wrong with it")
{
    error err;
    token_vocab v = few();
    v.model = "bert";
    CHECK(from(&v, &err) == E_UNSUPPORTED && strstr(err.msg, "bert"));
    v = few(), v.model = "gpt2", v.pre = "falcon";
    CHECK(from(&v, &err) == E_UNSUPPORTED && strstr(err.msg, "falcon") &&
          strstr(err.hint, "qwen2"));
    v = few(), v.score = NULL;
    CHECK(from(&v, &err) == E_FORMAT && strstr(err.msg, "scores"));
    v = few(), v.eos = 6;
    CHECK(from(&v, &err) == E_FORMAT && strstr(err.msg, "special id"));
    v = few(), v.type = (const int32_t[]){ 2, 1, 1, 1, 1, 7 };
    CHECK(from(&v, &err) == E_FORMAT && strstr(err.msg, "type 7"));
    v = few(), v.charsmap = (vocab_text){ "\xff\xff\xff\x7f", 4 };
    CHECK(from(&v, &err) == E_FORMAT && strstr(err.msg, "normalization"));
}

/* A vocabulary opened, a text encoded and decoded, with the n-th allocation failing. */
static status fragile(const token_vocab *v, int64_t n, str *text, bool *failed)
{
    tokenizer *t = NULL;
    arena mem = { 0 };
    token_span *s = NULL;
    int64_t k = 0;
    error err = { 0 };
    mem_state.fail_at = n;
    status st = tokenizer_from_vocab(&t, v, "few", &err);
    if (st == E_OK) st = tokenizer_encode(t, &mem, "ab zz a", 7, TOKEN_BOS_NO, &s, &k, &err);
    for (int64_t i = 0; st == E_OK && i < k; i++) tokenizer_decode(t, &s[i].id, 1, true, text);
    *failed = n >= 0 && mem_state.fail_at < 0;
    mem_state.fail_at = -1;
    if (st == E_OK && text->failed) st = E_NOMEM;
    arena_release(&mem);
    tokenizer_free(t);
    return st;
}

TEST("allocation failing at any call gives no other tokens, and leaves nothing behind")
{
    static const vocab_text merge = { "a b", 3 };
    for (int kind = 0; kind < 3; kind++) {
        token_vocab v = few();
        str whole = { 0 };
        bool failed;
        if (kind == 1) v.model = "unigram";
        if (kind == 2) v.model = "gpt2", v.pre = "starcoder", v.merge = &merge, v.n_merges = 1;
        REQUIRE(fragile(&v, -1, &whole, &failed) == E_OK && whole.n);
        for (int64_t n = 0;; n++) {
            str text = { 0 };
            status st = fragile(&v, n, &text, &failed);
            bool same = text.n == whole.n && !memcmp(text.p, whole.p, whole.n);
            str_release(&text);
            CHECK(st == E_OK ? same : st == E_NOMEM); /* a word that is not kept costs nothing */
            if (!failed) break;
        }
        str_release(&whole);
    }
}

static const char *file_of(const char *name, const char *bytes, size_t n)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    REQUIRE(file_write(path, bytes, n, NULL) == E_OK);
    return path;
}

TEST("a .model or .tiktoken of wrong bytes is refused with what was expected")
{
    tokenizer *t = NULL;
    error err = { 0 };
    CHECK(tokenizer_open(&t, file_of("t.model", "IQ== 0\n", 7), &err) == E_FORMAT);
    CHECK(strstr(err.msg, "protobuf") && strstr(err.hint, "tiktoken"));
    err = (error){ 0 };
    CHECK(tokenizer_open(&t, file_of("t.model", "\x0a\xff\xff\xff\xff\x0f", 6), &err) == E_FORMAT);
    err = (error){ 0 };
    CHECK(tokenizer_open(&t, file_of("mine.tiktoken", "IQ== 0\n", 7), &err) == E_UNSUPPORTED);
    CHECK(strstr(err.msg, "mine.tiktoken") && strstr(err.hint, "cl100k_base"));
    err = (error){ 0 };
    CHECK(tokenizer_open(&t, file_of("r50k_base.tiktoken", "IQ== 0\nI? 1\n", 12), &err) ==
          E_FORMAT);
    CHECK(strstr(err.msg, "line 2"));
    CHECK(!t);
}

TEST("a vocabulary with tokens that were added to it is refused without the rules for them")
{
    tokenizer *t = NULL;
    error err = { 0 };
    file_of("merges.txt", "#version: 0.2\n", 14);
    CHECK(tokenizer_open(&t, file_of("vocab.json", "{\"a\":0,\"  \":1}", 14), &err) ==
          E_UNSUPPORTED);
    CHECK(strstr(err.msg, "token 1") && strstr(err.hint, "tokenizer.json") && !t);
    err = (error){ 0 };
    CHECK(tokenizer_open(&t, "no/such/tokenizer.json", &err) == E_IO && strstr(err.msg, "no such"));
}
/* SPDX-License-Identifier: MIT */
