/* pool -- see pool.h.  One mutex, two conditions: work has come, work is done.
 *
 * Before anyone sleeps he looks again for a while: to wake a thread takes longer than many a piece of work, and
 * the next one comes soon.  What is looked at lies in cache lines of its own. */
#include "base/pool.h"
#include "base/cgroup.h"
#include "base/cpu.h"
#include "base/mem.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

enum { MAX_THREAD = 256, LOOKS = 20000, LINE = 128 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    pthread_t thread[MAX_THREAD];
    int n_thread, n_started; /* the caller included; the others that run */
    pid_t owner;             /* who started them: after fork() they are gone */
    int n_asleep;            /* under the lock: helpers that wait for work */
    bool waiting;            /* and the caller, for its end */
    pool_fn *fn;
    void *job;
    int64_t n;
    int looks; /* none where threads share processors: looking would keep the others from working */
    atomic_bool quit;
    char apart[LINE];
    atomic_uint_fast64_t round; /* one more for every piece of work */
    char from_this[LINE];
    atomic_int n_busy;
    char and_this[LINE];
};

typedef struct helper {
    pool *p;
    int index;
} helper;

static int cpus_allowed(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int most = cgroup_cpus(NULL, NULL);
    if (most > 0 && most < n) n = most;
    return n < 1 ? 1 : n > MAX_THREAD ? MAX_THREAD : n;
}

pool *pool_new(int n_thread)
{
    pool *p = mem_zero(sizeof *p);
    if (!p) return NULL;
    int allowed = cpus_allowed();
    p->n_thread = n_thread > 0 ? n_thread : allowed;
    if (p->n_thread > MAX_THREAD) p->n_thread = MAX_THREAD;
    p->looks = p->n_thread <= allowed ? LOOKS : 0;
    return p;
}

static void share(const pool *p, int index, int n_worker)
{
    int64_t first = index * p->n / n_worker, end = (index + 1) * p->n / n_worker;
    if (first < end) p->fn(p->job, first, end);
}

static void pause_briefly(void)
{
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
}

/* Is there work that came after `seen`, or the end? */
static bool has_come(pool *p, uint64_t seen)
{
    return atomic_load(&p->round) != seen || atomic_load(&p->quit);
}

static void wait_for_work(pool *p, uint64_t seen)
{
    for (int i = 0; i < p->looks && !has_come(p, seen); i++) pause_briefly();
    if (has_come(p, seen)) return;
    pthread_mutex_lock(&p->lock);
    p->n_asleep++;
    while (!has_come(p, seen)) pthread_cond_wait(&p->start, &p->lock);
    p->n_asleep--;
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    helper me = *(helper *)arg;
    pool *p = me.p;
    mem_free(arg, sizeof(helper));
    fp_enter();
    for (uint64_t seen = 0;;) {
        wait_for_work(p, seen);
        if (atomic_load(&p->quit)) return NULL;
        seen = atomic_load(&p->round);
        share(p, me.index, p->n_started + 1);
        if (atomic_fetch_sub(&p->n_busy, 1) > 1) continue;
        pthread_mutex_lock(&p->lock);
        if (p->waiting) pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Threads that cannot be started are done without. */
static void start_threads(pool *p)
{
    if (p->owner == getpid()) return;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    p->owner = getpid();
    p->n_started = 0, p->n_asleep = 0, p->waiting = false;
    atomic_store(&p->round, 0), atomic_store(&p->n_busy, 0);
    for (int i = 1; i < p->n_thread; i++) {
        helper *h = mem_resize(NULL, 0, sizeof *h);
        if (!h) return;
        *h = (helper){ p, i };
        if (pthread_create(&p->thread[i - 1], NULL, work, h)) {
            mem_free(h, sizeof *h);
            return;
        }
        p->n_started++;
    }
}

void pool_free(pool *p)
{
    if (!p) return;
    if (p->owner == getpid()) {
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->quit, true);
        pthread_cond_broadcast(&p->start);
        pthread_mutex_unlock(&p->lock);
        for (int i = 0; i < p->n_started; i++) pthread_join(p->thread[i], NULL);
        pthread_mutex_destroy(&p->lock);
        pthread_cond_destroy(&p->start);
        pthread_cond_destroy(&p->done);
    }
    mem_free(p, sizeof *p);
}

int pool_threads(const pool *p) { return p ? p->n_thread : 1; }

void pool_run(pool *p, pool_fn *fn, void *job, int64_t n)
{
    unsigned mode = fp_enter();
    if (p && p->n_thread > 1 && n > 1) start_threads(p);
    if (!p || p->n_thread < 2 || n < 2 || !p->n_started) {
        if (n > 0) fn(job, 0, n);
        fp_leave(mode);
        return;
    }
    p->fn = fn, p->job = job, p->n = n;
    atomic_store(&p->n_busy, p->n_started);
    pthread_mutex_lock(&p->lock); /* so that none falls asleep between looking and waiting */
    atomic_fetch_add(&p->round, 1);
    if (p->n_asleep) pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    share(p, 0, p->n_started + 1);
    for (int i = 0; i < p->looks && atomic_load(&p->n_busy); i++) pause_briefly();
    pthread_mutex_lock(&p->lock);
    p->waiting = true;
    while (atomic_load(&p->n_busy)) pthread_cond_wait(&p->done, &p->lock);
    p->waiting = false;
    pthread_mutex_unlock(&p->lock);
    fp_leave(mode);
}
/* SPDX-License-Identifier: MIT */
