/* t_base -- errors, memory and random numbers: what everything above stands on. */
#define TEST_FILE t_base
#include "test.h"
#include "base/file.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "pages.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

/* ---- error ---- */

TEST("error_set formats a message and returns its code")
{
    error err = { 0 };
    CHECK(error_set(&err, E_SHAPE, "w: found %d rows, expected %d", 3, 4) == E_SHAPE);
    CHECK(err.code == E_SHAPE);
    CHECK(!strcmp(err.msg, "w: found 3 rows, expected 4"));
    CHECK(!err.hint[0]);
}

TEST("the first error stays when a second one is set")
{
    error err = { 0 };
    error_set(&err, E_IO, "first");
    CHECK(error_set(&err, E_NOMEM, "second") == E_NOMEM);
    CHECK(err.code == E_IO && !strcmp(err.msg, "first"));
}

TEST("errors may be given to nobody")
{
    CHECK(error_set(NULL, E_RANGE, "%s", "lost") == E_RANGE);
    error_hint(NULL, "lost");
    error_prefix(NULL, "lost");
}

TEST("a hint is kept once, and only beside an error")
{
    error err = { 0 };
    error_hint(&err, "no error yet");
    CHECK(!err.hint[0]);
    error_set(&err, E_USAGE, "bad");
    error_hint(&err, "try %d", 7);
    error_hint(&err, "or not");
    CHECK(!strcmp(err.hint, "try 7"));
}

TEST("a prefix goes before the message, and before an earlier prefix")
{
    error err = { 0 };
    error_prefix(&err, "nothing");
    CHECK(!err.msg[0]);
    error_set(&err, E_FORMAT, "no magic");
    error_prefix(&err, "%s", "header");
    error_prefix(&err, "model.bin");
    CHECK(!strcmp(err.msg, "model.bin: header: no magic"));
}

TEST("messages and prefixes longer than their place are cut, not overrun")
{
    char big[3 * ERROR_MSG];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    error err = { 0 };
    error_set(&err, E_FORMAT, "%s", big);
    error_hint(&err, "%s", big);
    CHECK(strlen(err.msg) == ERROR_MSG - 1 && strlen(err.hint) == ERROR_HINT - 1);
    error_prefix(&err, "p");
    CHECK(!strncmp(err.msg, "p: xx", 5) && strlen(err.msg) == ERROR_MSG - 1);
    error_prefix(&err, "%s", big);
    CHECK(err.msg[0] == 'x' && strlen(err.msg) == ERROR_MSG - 1);
}

TEST("what a message quotes moves no cursor, and what is no character of it is a question mark")
{
    error e = { 0 };
    char wide[2 * ERROR_MSG];
    error_set(&e, E_FORMAT, "found '%s'",
              "\x1b[2J\r\n\xff\xc3\xa9\xc2\x9b"
              "1m\x7f\xe2\x82");
    CHECK(!strcmp(e.msg, "found '?[2J???\xc3\xa9??1m?"
                         "??"
                         "'"));
    error_hint(&e, "a\tb");
    error_prefix(&e, "\b%s", "c");
    CHECK(!strcmp(e.hint, "a?b") && !strncmp(e.msg, "?c: found", 9));
    for (size_t i = 0; i + 2 < sizeof wide; i += 2) memcpy(wide + i, "\xc3\xa9", 3);
    e = (error){ 0 };
    error_set(&e, E_FORMAT, "%s", wide);
    CHECK(strlen(e.msg) == ERROR_MSG - 1 && utf8_check(e.msg, ERROR_MSG - 1) == ERROR_MSG - 1);
    CHECK(e.msg[ERROR_MSG - 2] == '?');
}

TEST("every status has a name and a meaning, an unknown one neither")
{
#define X(name, value, says)                                                                       \
    CHECK(!strcmp(status_name(E_##name), #name));                                                  \
    CHECK(!strcmp(status_text(E_##name), says));
    STATUS_LIST(X)
#undef X
    CHECK(!strcmp(status_name((status)1), "?") && !strcmp(status_text((status)-99), "?"));
}

/* ---- mem ---- */

static bool all_are(const unsigned char *p, size_t n, unsigned char value)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != value) return false;
    return true;
}

TEST("a block is 64-byte aligned and keeps its bytes when it grows and shrinks")
{
    unsigned char *p = mem_resize(NULL, 0, 100);
    REQUIRE(p);
    memset(p, 7, 100);
    p = mem_resize(p, 100, 10000);
    REQUIRE(p);
    CHECK((uintptr_t)p % 64 == 0 && all_are(p, 100, 7));
    p = mem_resize(p, 10000, 30);
    REQUIRE(p);
    CHECK((uintptr_t)p % 64 == 0 && all_are(p, 30, 7));
    CHECK(mem_resize(p, 30, 0) == NULL);
}

TEST("memory counts blocks, bytes and the peak")
{
    int64_t blocks = mem_state.n_live, bytes = mem_state.live_bytes;
    mem_state.peak_bytes = bytes;
    void *a = mem_resize(NULL, 0, 1000), *b = mem_zero(24);
    CHECK(mem_state.n_live == blocks + 2 && mem_state.live_bytes == bytes + 1024);
    mem_free(a, 1000);
    CHECK(mem_state.n_live == blocks + 1 && mem_state.live_bytes == bytes + 24);
    mem_free(b, 24);
    mem_free(NULL, 24);
    CHECK(mem_state.n_live == blocks && mem_state.live_bytes == bytes);
    CHECK(mem_state.peak_bytes == bytes + 1024);
}

TEST("mem_zero clears")
{
    void *dirty = mem_resize(NULL, 0, 4096);
    REQUIRE(dirty);
    memset(dirty, 255, 4096);
    mem_free(dirty, 4096);
    unsigned char *p = mem_zero(4096);
    REQUIRE(p);
    CHECK(all_are(p, 4096, 0));
    mem_free(p, 4096);
}

TEST("the n-th allocation fails when told to, and the old block stays")
{
    unsigned char *p = mem_zero(8);
    REQUIRE(p);
    p[3] = 9;
    mem_state.fail_at = 1;
    void *first = mem_resize(NULL, 0, 8), *second = mem_resize(p, 8, 4000);
    void *third = mem_resize(NULL, 0, 8);
    CHECK(first && !second && third);
    CHECK(p[3] == 9);
    mem_free(first, 8);
    mem_free(third, 8);
    mem_free(p, 8);
}

TEST("a size that cannot be rounded up is refused")
{
    CHECK(mem_resize(NULL, 0, SIZE_MAX) == NULL);
    CHECK(mem_resize(NULL, 0, SIZE_MAX - 62) == NULL);
}

TEST("mul_fits multiplies what fits and leaves out untouched otherwise")
{
    size_t out = 5;
    CHECK(mul_fits(6, 7, &out) && out == 42);
    CHECK(mul_fits(SIZE_MAX, 0, &out) && out == 0);
    CHECK(mul_fits(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    out = 5;
    CHECK(!mul_fits(SIZE_MAX / 2 + 1, 2, &out) && out == 5);
}

TEST("an arena gives aligned pieces that do not overlap, of every size")
{
    arena a = { 0 };
    unsigned char *piece[200];
    for (size_t i = 0; i < 200; i++) {
        size_t n = i * i / 3;
        piece[i] = arena_get(&a, n);
        REQUIRE(piece[i]);
        CHECK((uintptr_t)piece[i] % (n >= 32 ? 32 : 8) == 0);
        memset(piece[i], (int)i, n);
    }
    for (size_t i = 0; i < 200; i++) CHECK(all_are(piece[i], i * i / 3, (unsigned char)i));
    arena_release(&a);
    CHECK(!a.top && !a.total_bytes && !a.used_bytes);
}

TEST("of a mapped file the pages that lie wholly in some bytes are let go, and come back as they "
     "were")
{
    enum { N = 9 };
    static unsigned char bytes[N << 16];
    char path[1024];
    file_map m;
    int n;
    long sum = 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = N * page - 100;
    if (!pages_said() || page > 1 << 16) SKIP("the system does not say whose pages are");
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(i * 31 % 251);
    snprintf(path, sizeof path, "%s/pages", test_dir());
    REQUIRE(file_write(path, bytes, size, NULL) == E_OK);
    REQUIRE(file_open_map(&m, path, NULL) == E_OK);
    for (size_t i = 0; i < size; i++) sum += m.p[i];
    CHECK(sum && pages_here(m.p, N * page, &n) == N);
    file_rest(&m, m.p + page + 1, 3 * page); /* of page 1 all but a byte, of page 4 one */
    CHECK(pages_here(m.p, 2 * page, &n) == 2 && pages_here(m.p + 2 * page, 2 * page, &n) == 0);
    CHECK(pages_here(m.p + 4 * page, 5 * page, &n) == 5);
    file_rest(&m, m.p + 5 * page, size - 5 * page); /* the last one is the file's to its end */
    CHECK(pages_here(m.p + 4 * page, 5 * page, &n) == 1 && pages_here(m.p, 2 * page, &n) == 2);
    file_rest(&m, m.p, size);
    CHECK(pages_here(m.p, N * page, &n) == 0 && n == N);
    CHECK(!memcmp(m.p, bytes, size));
    file_unmap(&m);
    file_rest(&m, m.p, m.bytes); /* of nothing, nothing */
}

TEST("the directory of a path is what a file beside it is looked for in")
{
    static const char *const of[][2] = { { "a/b/c.json", "a/b" },
                                         { "c.json", "." },
                                         { "/c.json", "/" },
                                         { "./c", "." },
                                         { "a/", "a" } };
    arena mem = { 0 };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        CHECK(!strcmp(path_dir(&mem, of[i][0]), of[i][1]));
    arena_release(&mem);
}

TEST("an arena takes few blocks for many pieces")
{
    arena a = { 0 };
    int64_t before = mem_state.n_live;
    for (int i = 0; i < 100000; i++) CHECK(arena_get(&a, 16));
    CHECK(mem_state.n_live - before <= 12);
    CHECK(a.used_bytes == 1600000 && a.total_bytes >= a.used_bytes);
    arena_release(&a);
}

TEST("arena_zero, arena_array, arena_copy and arena_string hold what they say")
{
    arena a = { 0 };
    memset(arena_get(&a, 3000), 255, 3000);
    arena_reset(&a);
    unsigned char *z = arena_zero(&a, 500);
    int32_t *n = arena_array(&a, 100, sizeof *n);
    CHECK(all_are(z, 500, 0) && all_are((unsigned char *)n, 400, 0));
    CHECK(!memcmp(arena_copy(&a, "abc", 2), "ab", 2));
    CHECK(!strcmp(arena_string(&a, "a string"), "a string"));
    arena_release(&a);
}

TEST("an array whose size overflows is refused and remembered")
{
    arena a = { 0 };
    CHECK(!arena_array(&a, INT64_MAX, 8) && a.failed);
    arena_reset(&a);
    CHECK(!a.failed);
    CHECK(!arena_array(&a, -1, 8) && a.failed);
    arena_release(&a);
    CHECK(!arena_get(&a, SIZE_MAX) && a.failed);
    arena_release(&a);
}

TEST("an arena remembers that one piece could not be served, and can go on")
{
    arena a = { 0 };
    mem_state.fail_at = 0;
    CHECK(!arena_get(&a, 10) && a.failed && !a.top);
    CHECK(arena_get(&a, 10) && a.failed);
    arena_rewind(&a, (arena_mark){ 0 });
    CHECK(!a.failed && !a.top);
}

TEST("an arena that is rewound gives the same places again, and frees the chunks since")
{
    arena a = { 0 };
    char *keep = arena_string(&a, "kept");
    arena_mark m = arena_here(&a);
    size_t used = a.used_bytes, total = a.total_bytes;
    int64_t live = mem_state.n_live;
    void *x = arena_get(&a, 100);
    for (int i = 0; i < 1000; i++) arena_get(&a, 1000);
    CHECK(mem_state.n_live > live);
    arena_rewind(&a, m);
    CHECK(mem_state.n_live == live && a.used_bytes == used && a.total_bytes == total);
    CHECK(arena_get(&a, 100) == x && !strcmp(keep, "kept"));
    arena_release(&a);
}

TEST("an arena that is reset keeps one chunk, the largest")
{
    arena a = { 0 };
    int64_t live = mem_state.n_live;
    for (int i = 0; i < 1000; i++) arena_get(&a, 1000);
    size_t total = a.total_bytes;
    arena_reset(&a);
    CHECK(mem_state.n_live == live + 1 && a.used_bytes == 0);
    CHECK(a.total_bytes >= total / 3 && a.total_bytes < total);
    arena_release(&a);
    CHECK(mem_state.n_live == live);
}

/* ---- rand ---- */

/* Random123's published answers for philox4x32-10.  Our key is the seed, our counter is
 * (index / 4, stream, 0), so only those with a last word of 0 can be asked for. */
TEST("Philox gives the published numbers for counter and key zero")
{
    static const uint32_t want[4] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
    for (uint64_t i = 0; i < 4; i++) CHECK(rand_bits(0, 0, i) == want[i]);
}

/* Philox again, with its rounds written out another way. */
static void philox_again(const uint32_t key[2], uint32_t c[4])
{
    uint32_t k[2] = { key[0], key[1] };
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c[0] * 3528531795u, b = (uint64_t)c[2] * 3449720151u;
        const uint32_t next[4] = { (uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                                   (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a };
        memcpy(c, next, sizeof next);
        k[0] += 2654435769u;
        k[1] += 3144134277u;
    }
}

TEST("rand_bits is Philox keyed by the seed at (index / 4, stream)")
{
    for (uint64_t i = 0; i < 400; i++) {
        uint64_t seed = test_seed * 0x9E3779B97F4A7C15u + i, at = (i << 33) + i * 7;
        uint32_t stream = rand_stream("philox") + (uint32_t)i;
        const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
        uint32_t c[4] = { (uint32_t)(at / 4), (uint32_t)(at / 4 >> 32), stream, 0 };
        philox_again(key, c);
        CHECK(rand_bits(seed, stream, at) == c[at % 4]);
    }
}

TEST("a stream's number is the FNV-1a of its name")
{
    CHECK(rand_stream("") == 0x811c9dc5u);
    CHECK(rand_stream("a") == 0xe40c292cu);
    CHECK(rand_stream("foobar") == 0xbf9cf968u);
}

enum { DRAWS = 100000 };

/* Standard errors are stated, and six of them allowed: no seed will do that by chance. */
TEST("rand_unit stays in [0, 1) with the mean and variance of a uniform number")
{
    uint32_t stream = rand_stream("unit");
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        float u = rand_unit(test_seed, stream, i);
        CHECK(u >= 0.0f && u < 1.0f);
        sum += (double)u, squares += (double)u * (double)u;
    }
    double mean = sum / DRAWS, var = squares / DRAWS - mean * mean;
    CHECK(fabs(mean - 0.5) < 6 * sqrt(1 / 12.0 / DRAWS));
    CHECK(fabs(var - 1 / 12.0) < 6 * sqrt(1 / 180.0 / DRAWS));
}

TEST("rand_below gives every number below n about as often as the others")
{
    uint32_t stream = rand_stream("below");
    for (int64_t n = 1; n <= 7; n++) {
        int64_t times[7] = { 0 };
        for (uint64_t i = 0; i < DRAWS; i++) {
            int64_t x = rand_below(test_seed, stream, i, n);
            CHECK(x >= 0 && x < n);
            if (x >= 0 && x < n) times[x]++;
        }
        double p = 1.0 / (double)n;
        for (int64_t x = 0; x < n; x++)
            CHECK(fabs((double)times[x] - DRAWS * p) <= 6 * sqrt(DRAWS * p * (1 - p)));
    }
}

TEST("rand_below reaches both ends of a range of 63 bits")
{
    int64_t n = INT64_MAX, low = n, high = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        int64_t x = rand_below(test_seed, 1, i, n);
        CHECK(x >= 0 && x < n);
        low = x < low ? x : low, high = x > high ? x : high;
    }
    CHECK(low < n / 50 && high > n / 50 * 49);
}

/* ---- lists of words ---- */

TEST("a list of words is cut at commas and spaces, and whole words are found in it")
{
    const char *list = ", mlp,  head_out head,";
    size_t n;
    const char *word = str_word(&list, &n);
    CHECK(word && str_is(word, n, "mlp") && !str_is(word, n, "ml") && !str_is(word, n, "mlps"));
    word = str_word(&list, &n);
    CHECK(word && str_is(word, n, "head_out"));
    word = str_word(&list, &n);
    CHECK(word && str_is(word, n, "head"));
    CHECK(!str_word(&list, &n) && !str_word(&list, &n));
    CHECK(str_listed("head_out, head", "head") && str_listed("head", "head"));
    CHECK(!str_listed("head_out", "head") && !str_listed("out_head", "head"));
    CHECK(!str_listed("", "head") && !str_listed(" , ", "head"));
}
/* SPDX-License-Identifier: MIT */
