/* t_pool -- threads that sleep, look out, obey the process's limits, and survive fork(). */
#define TEST_FILE t_pool
#include "test.h"
#include "base/pool.h"
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { N_UNIT = 1000, FLUSHING = 0x8040 }; /* MXCSR: flush to zero, denormals are zero */

typedef struct counted {
    unsigned char times[N_UNIT];
    float tiny[N_UNIT]; /* a denormal halved: zero where the mode is not the canonical one */
} counted;

static void count(void *job, int64_t first, int64_t end)
{
    counted *c = job;
    volatile float smallest = 0x1p-140f;
    for (int64_t i = first; i < end; i++) c->times[i]++, c->tiny[i] = smallest * 0.5f;
}

/* Is every one of n units done once, and with denormals? */
static bool is_done(const counted *c, int64_t n)
{
    for (int64_t i = 0; i < N_UNIT; i++)
        if (c->times[i] != (i < n) || (i < n && c->tiny[i] != 0x1p-141f)) return false;
    return true;
}

static bool all_once(pool *p, int64_t n)
{
    counted c;
    memset(&c, 0, sizeof c);
    pool_run(p, count, &c, n);
    return is_done(&c, n);
}

static void sleep_ms(long ms) { nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL); }

TEST("every unit is done once, by fewer and more threads than there are processors")
{
    static const int64_t sizes[] = { 0, 1, 2, 3, 7, 64, 999, N_UNIT };
    for (int threads = 1; threads <= 33; threads += threads < 4 ? 1 : 29) {
        pool *p = pool_new(threads);
        REQUIRE(p);
        CHECK(pool_threads(p) == threads);
        for (int round = 0; round < 20; round++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) CHECK(all_once(p, sizes[i]));
        pool_free(p);
    }
}

TEST("workers that sleep are woken, workers that look out see the work")
{
    pool *p = pool_new(3);
    REQUIRE(p);
    for (int round = 0; round < 2000; round++) CHECK(all_once(p, 5));
    for (int round = 0; round < 5; round++) {
        sleep_ms(2);
        CHECK(all_once(p, N_UNIT));
    }
    pool_free(p);
}

TEST("after fork() the child has threads of its own, and the parent's go on")
{
    pool *p = pool_new(3);
    REQUIRE(p);
    CHECK(all_once(p, N_UNIT));
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (!child) _exit(all_once(p, N_UNIT) && all_once(p, 7) ? 0 : 1);
    int how = 0;
    CHECK(waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 0);
    CHECK(all_once(p, N_UNIT));
    pool_free(p);
}

TEST("by default there are as many threads as the process may use processors")
{
    cpu_set_t before, one;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    pool *p = pool_new(0);
    REQUIRE(p);
    CHECK(pool_threads(p) >= 1 && pool_threads(p) <= CPU_COUNT(&before));
    pool_free(p);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    p = pool_new(0);
    CHECK(p && pool_threads(p) == 1);
    pool_free(p);
    p = pool_new(4); /* what is asked for is had, on one processor too */
    CHECK(p && pool_threads(p) == 4 && all_once(p, N_UNIT));
    pool_free(p);
    CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
}

#if defined __x86_64__
TEST("the caller's FTZ and DAZ reach no worker, and are there again afterwards")
{
    counted c[2];
    pool *p = pool_new(2);
    REQUIRE(p);
    memset(c, 0, sizeof c);
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | FLUSHING); /* threads start under it and inherit it */
    pool_run(p, count, &c[0], N_UNIT);
    pool_run(NULL, count, &c[1], N_UNIT);
    bool same = (_mm_getcsr() & FLUSHING) == FLUSHING;
    _mm_setcsr(mode);
    CHECK(same && is_done(&c[0], N_UNIT) && is_done(&c[1], N_UNIT));
    pool_free(p);
}
#endif
/* SPDX-License-Identifier: MIT */
