/* bench_gguf -- GGUF files: decoding, prefill, and the most memory beside the file's size.
 *
 *     bench_gguf FILE...
 *
 * gguf_shape.py writes files, peer_gguf.py does the same with llama.cpp.  Each file is measured in a process of its own,
 * so that the most memory it had is its own: that of a prompt of 64 tokens, whose values are few beside the file; and
 * in another with --precision fast, where this processor has units for its weights.
 * Lines for bench.py: gguf|task|tokens|seconds|GFLOP/s|sgemm GFLOP/s, gguf_fast the same,
 * and gguf_memory|KiB|KiB of the file|KiB when open. */
#include "measure.h"
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static long most_memory(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void measure(const char *path, const char *precision, const char *kind)
{
    bench b;
    struct stat st;
    static const struct {
        int from, n_time;
        const char *task;
    } behind[] = { { 64, 3, "decode one token" }, { 800, 1, "decode one token behind 800" } };
    if (stat(path, &st)) return;
    bench_open(&b, path, precision);
    long open = most_memory();
    if (engine_check(b.e, &b.m->g, NULL)) return; /* fast would be f32 here */
    measure_forward(&b, 1, 64, false, false, 1);
    if (!precision)
        printf("gguf_memory|%ld|%ld|%ld\n", most_memory(), (long)(st.st_size / 1024), open);
    for (int k = 0; k < 2; k++) {
        timed best = { .seconds = 1e9 };
        for (int i = 0; i < behind[k].n_time; i++) {
            timed t = measure_decode(&b, behind[k].from);
            if (t.seconds < best.seconds) best = t;
        }
        timed_show(best, kind, behind[k].task, 1, 0);
    }
    timed_show(measure_forward(&b, 1, 512, false, false, 3), kind, "prefill 512, last logits", 512,
               0);
    bench_close(&b);
}

/* In a process of its own. */
static bool apart(const char *path, const char *precision, const char *kind)
{
    fflush(stdout);
    pid_t child = fork();
    int how = 1;
    if (child == 0) {
        measure(path, precision, kind);
        fflush(stdout);
        _exit(0);
    }
    return child > 0 && waitpid(child, &how, 0) >= 0 && !how;
}

static bool fast_here(void)
{
    engine *e;
    bool there = engine_open(&e, &(engine_options){ .precision = "fast" }, NULL) == E_OK;
    if (there) engine_free(e);
    return there;
}

int main(int argc, char **argv)
{
    bool fast = fast_here();
    for (int i = 1; i < argc; i++) {
        printf("gguf_file|%s\n", argv[i]);
        if (!apart(argv[i], NULL, "gguf")) return 1;
        if (fast && !apart(argv[i], "fast", "gguf_fast")) return 1;
    }
    return 0;
}
/* SPDX-License-Identifier: MIT */
