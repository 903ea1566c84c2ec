/* pool -- see pool.h.  One mutex, two conditions: work has come, work is done. */
#include "base/pool.h"
#include "base/cpu.h"
#include "base/mem.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_THREAD = 256 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    pthread_t thread[MAX_THREAD];
    int n_thread, n_started; /* the caller included; the others that run */
    pid_t owner;             /* who started them: after fork() they are gone */
    uint64_t round;          /* one more for every piece of work */
    int n_busy;
    bool quit;
    pool_fn *fn;
    void *job;
    int64_t n;
};

typedef struct helper {
    pool *p;
    int index;
} helper;

/* CPUs the cgroup's quota allows ("max 100000" or "200000 100000"); a large number when none. */
static int quota(void)
{
    long long most, period;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    int n = MAX_THREAD;
    if (!f) return n;
    if (fscanf(f, "%lld %lld", &most, &period) == 2 && period > 0 && most > 0)
        n = (int)((most + period - 1) / period);
    fclose(f);
    return n < 1 ? 1 : n;
}

static int cpus_allowed(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int most = quota();
    n = n < most ? n : most;
    return n < 1 ? 1 : n > MAX_THREAD ? MAX_THREAD : n;
}

pool *pool_new(int n_thread)
{
    pool *p = mem_zero(sizeof *p);
    if (!p) return NULL;
    p->n_thread = n_thread > 0 ? n_thread : cpus_allowed();
    if (p->n_thread > MAX_THREAD) p->n_thread = MAX_THREAD;
    return p;
}

static void share(const pool *p, int index, int n_worker)
{
    int64_t first = index * p->n / n_worker, end = (index + 1) * p->n / n_worker;
    if (first < end) p->fn(p->job, first, end);
}

static void *work(void *arg)
{
    helper me = *(helper *)arg;
    pool *p = me.p;
    mem_free(arg, sizeof(helper));
    fp_enter();
    pthread_mutex_lock(&p->lock);
    for (uint64_t seen = 0;;) {
        while (p->round == seen && !p->quit) pthread_cond_wait(&p->start, &p->lock);
        if (p->quit) break;
        seen = p->round;
        int n_worker = p->n_started + 1;
        pthread_mutex_unlock(&p->lock);
        share(p, me.index, n_worker);
        pthread_mutex_lock(&p->lock);
        if (--p->n_busy == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Threads that cannot be started are done without. */
static void start_threads(pool *p)
{
    if (p->owner == getpid()) return;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    p->owner = getpid();
    p->n_started = 0, p->round = 0, p->n_busy = 0;
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
        p->quit = true;
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
    pthread_mutex_lock(&p->lock);
    p->fn = fn, p->job = job, p->n = n;
    p->n_busy = p->n_started;
    p->round++;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    share(p, 0, p->n_started + 1);
    pthread_mutex_lock(&p->lock);
    while (p->n_busy) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    fp_leave(mode);
}
/* SPDX-License-Identifier: MIT */
