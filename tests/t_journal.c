/* t_journal -- a sweep's journal: what it says was added, or it is refused; stopped anywhere, it loses one wave at most. */
#define TEST_FILE t_journal
#include "test.h"
#include "base/file.h"
#include "base/mem.h"
#include "instrument/journal.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_ITEM = 60, PER_WAVE = 4 };
static const journal_of of = { .hash = "xxh3-128:00112233445566778899aabbccddeeff",
                               .n_item = N_ITEM,
                               .n_value = 2,
                               .shard = 1,
                               .n_shard = 1,
                               .request = "{\"what\":\"a test\"}" };

static double value_of(int64_t i, int k) { return 1.0 / (double)(3 * i + k + 1); }

static status fill(journal *j, int64_t from, int64_t end, error *err)
{
    status st = E_OK;
    for (int64_t i = from; i < end && st == E_OK; i++) {
        st = journal_add(j, i, (double[]){ value_of(i, 0), value_of(i, 1) }, (uint8_t)(i % 3), err);
        if (st == E_OK && (i + 1) % PER_WAVE == 0) st = journal_flush(j, err);
    }
    return st;
}

static void make(const char *path, int64_t n)
{
    journal *j;
    unlink(path);
    REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
    CHECK(fill(j, 0, n, NULL) == E_OK);
    journal_close(j);
}

/* Items [0, count) are there with their bits, and no other. */
static bool holds(const journal *j, int64_t count)
{
    double v[2];
    uint8_t mark;
    bool fine = journal_count(j) == count;
    for (int64_t i = 0; i < N_ITEM; i++) {
        bool has = journal_has(j, i, v, &mark);
        fine &= has == (i < count);
        if (has) fine &= v[0] == value_of(i, 0) && v[1] == value_of(i, 1) && mark == i % 3;
    }
    return fine;
}

/* Bytes into a file, not waiting for the disk. */
static void put_file(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    CHECK(fwrite(bytes, 1, n, f) == n);
    CHECK(fclose(f) == 0);
}

static const char *path_in(char room[1200], const char *name)
{
    snprintf(room, 1200, "%s/%s", test_dir(), name);
    return room;
}

TEST("a journal holds what was added, says what it belongs to, and goes on")
{
    char room[1200];
    const char *path = path_in(room, "sweep.journal");
    journal_of is;
    journal *j;
    make(path, 20);
    REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
    CHECK(holds(j, 20) && journal_torn(j) == 0);
    journal *second = NULL;
    error err = { 0 };
    CHECK(journal_open(&second, path, &of, &err) == E_IO && strstr(err.msg, "another process"));
    CHECK(fill(j, 20, N_ITEM, NULL) == E_OK && holds(j, N_ITEM));
    journal_close(j);
    REQUIRE(journal_describe(&is, path, NULL) == E_OK);
    CHECK(!strcmp(is.request, of.request) && is.n_item == N_ITEM && is.n_value == 2);
    journal_text_free(is.request);
}

TEST("cut at any byte, a journal holds the whole waves before it, and goes on to the same")
{
    char room[1200], other[1200];
    const char *path = path_in(room, "whole"), *cut = path_in(other, "cut");
    str all = { 0 };
    int64_t last = 0;
    make(path, 16);
    REQUIRE(file_read(&all, path, 1 << 20, NULL) == E_OK);
    for (size_t n = 0; n < all.n; n++) {
        journal *j = NULL;
        unlink(cut);
        put_file(cut, all.p, n);
        status st = journal_open(&j, cut, &of, NULL);
        if (st != E_OK) { /* within the request that the header carries */
            CHECK(st == E_FORMAT && last == 0 && n < 200);
            continue;
        }
        int64_t known = journal_count(j);
        CHECK(known % PER_WAVE == 0 && known >= last && known < 16 && holds(j, known));
        last = known;
        CHECK(n % 37 || (fill(j, known, N_ITEM, NULL) == E_OK && holds(j, N_ITEM)));
        journal_close(j);
    }
    CHECK(last == 12);
    str_release(&all);
}

TEST("of a torn tail nothing stays behind a shorter wave")
{
    char path[1200];
    journal *j;
    str all = { 0 };
    unlink(path_in(path, "tail"));
    REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
    for (int64_t i = 0; i < N_ITEM; i++)
        CHECK(!journal_add(j, i, (double[]){ value_of(i, 0), value_of(i, 1) }, (uint8_t)(i % 3),
                           NULL));
    CHECK(journal_flush(j, NULL) == E_OK);
    journal_close(j);
    REQUIRE(file_read(&all, path, 1 << 20, NULL) == E_OK);
    put_file(path, all.p, all.n - 1);
    str_release(&all);
    for (int k = 0; k < 2; k++) {
        REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
        CHECK(k ? holds(j, 4) && !journal_torn(j) : holds(j, 0) && fill(j, 0, 4, NULL) == E_OK);
        journal_close(j);
    }
}

TEST("a flipped byte is found: the file is refused, or its last wave is not believed")
{
    char room[1200], other[1200];
    const char *path = path_in(room, "whole"), *bad = path_in(other, "bad");
    str all = { 0 };
    make(path, 16);
    REQUIRE(file_read(&all, path, 1 << 20, NULL) == E_OK);
    for (size_t n = 0; n < all.n; n++) {
        journal *j = NULL;
        all.p[n] ^= 16;
        put_file(bad, all.p, all.n);
        all.p[n] ^= 16;
        status st = journal_open(&j, bad, &of, NULL);
        CHECK(st == E_FORMAT || (st == E_OK && holds(j, 12) && journal_torn(j) > 0));
        journal_close(j);
    }
    str_release(&all);
}

TEST("a journal of another request is refused, and says what differs")
{
    char room[1200], other[1200];
    const char *path = path_in(room, "sweep.journal");
    journal_of is = of;
    journal *j = NULL;
    error err = { 0 };
    make(path, 8);
    is.hash[12] = 'f';
    CHECK(journal_open(&j, path, &is, &err) == E_MISMATCH && strstr(err.msg, is.hash) &&
          strstr(err.msg, of.hash));
    is = of, is.n_item = 7, err = (error){ 0 };
    CHECK(journal_open(&j, path, &is, &err) == E_MISMATCH && strstr(err.msg, "60 items"));
    err = (error){ 0 };
    REQUIRE(file_write(path_in(other, "text"), "what is this", 12, NULL) == E_OK);
    CHECK(journal_open(&j, other, &of, &err) == E_FORMAT && strstr(err.msg, "no journal"));
}

TEST("journals of shards are joined; two that say different things of one item are not")
{
    char a[1200], b[1200], c[1200];
    journal *j;
    error err = { 0 };
    make(path_in(a, "a"), 8);
    make(path_in(b, "b"), 24);
    REQUIRE(journal_open(&j, a, &of, NULL) == E_OK);
    CHECK(journal_join(j, b, NULL) == E_OK && holds(j, 24));
    journal_close(j);
    REQUIRE(journal_open(&j, path_in(c, "c"), &of, NULL) == E_OK);
    CHECK(journal_add(j, 3, (double[]){ 5, 5 }, 0, NULL) == E_OK && journal_flush(j, NULL) == E_OK);
    CHECK(journal_join(j, b, &err) == E_MISMATCH && strstr(err.msg, "item 3"));
    journal_close(j);
}

TEST("a journal costs what it has, not what it says it may have")
{
    char path[1200];
    journal *j;
    uint8_t mark;
    double v[64] = { 1, 2 };
    journal_of huge = of, is;
    huge.n_item = (int64_t)1 << 31, huge.n_value = 64;
    int64_t live = mem_state.live_bytes;
    REQUIRE(journal_open(&j, path_in(path, "huge"), &huge, NULL) == E_OK);
    CHECK(journal_add(j, huge.n_item - 1, v, 3, NULL) == E_OK && journal_flush(j, NULL) == E_OK);
    CHECK(mem_state.live_bytes - live < (int64_t)64 << 10);
    journal_close(j);
    REQUIRE(journal_describe(&is, path, NULL) == E_OK);
    REQUIRE(journal_open(&j, NULL, &is, NULL) == E_OK && journal_join(j, path, NULL) == E_OK);
    v[0] = 0;
    CHECK(mem_state.live_bytes - live < (int64_t)64 << 10);
    CHECK(journal_count(j) == 1 && !journal_has(j, 0, NULL, NULL));
    for (int64_t i = 1; i < huge.n_item; i *= 2) CHECK(!journal_has(j, huge.n_item - 1 - i, v, 0));
    CHECK(journal_has(j, huge.n_item - 1, v, &mark) && v[0] == 1 && v[1] == 2 && mark == 3);
    journal_close(j);
    journal_text_free(is.request);
}

TEST("a full disk is an error that names the file, and the waves before it are kept")
{
    char room[1200];
    const char *path = path_in(room, "full");
    journal *j;
    struct rlimit was, small;
    error err = { 0 };
    make(path, 0);
    REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &was) == 0);
    small = was, small.rlim_cur = 700;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    status st = fill(j, 0, N_ITEM, &err);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &was) == 0);
    signal(SIGXFSZ, before);
    CHECK(st == E_IO && strstr(err.msg, path));
    int64_t known = journal_count(j);
    journal_close(j);
    REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
    CHECK(known >= PER_WAVE && holds(j, known) && journal_torn(j) == 0);
    CHECK(fill(j, known, N_ITEM, NULL) == E_OK && holds(j, N_ITEM));
    journal_close(j);
}

TEST("killed at any moment, a writer's journal goes on where it stood")
{
    char room[1200];
    const char *path = path_in(room, "killed");
    for (unsigned round = 0; round < 12; round++) {
        journal *j;
        unlink(path);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (!child) {
            if (journal_open(&j, path, &of, NULL) == E_OK) (void)fill(j, 0, N_ITEM, NULL);
            _exit(0);
        }
        usleep((useconds_t)((test_seed + round * 7919u) % 4000u));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        REQUIRE(journal_open(&j, path, &of, NULL) == E_OK);
        int64_t known = journal_count(j);
        CHECK(known % PER_WAVE == 0 && holds(j, known));
        CHECK(fill(j, known, N_ITEM, NULL) == E_OK && holds(j, N_ITEM));
        journal_close(j);
    }
}
/* SPDX-License-Identifier: MIT */
