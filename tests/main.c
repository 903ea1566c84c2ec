/* main -- runs the tests of this process:  tests [-l] [pattern ...] [--seed N] [--soak] [--backend NAME]
 *
 *   -l        only list them
 *   pattern   a part of "file: sentence", or a glob when it holds a '*'; of several any
 *   --seed    a number, or "clock"
 *   --soak    longer runs; the seed is then the clock's unless given
 *   --backend whatever engine a test of toys or of an opened model asks for, it has these kernels
 *
 * One cmocka group per file; cmocka catches crashes and goes on with the next test.  Its own
 * account goes to an XML file that is thrown away; what people read is written here.  The last
 * line is "N passed, N failed, N skipped". */
#include "test.h"
#include "base/file.h"
#include "base/mem.h"
#include <fnmatch.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* after the ones it needs: */
#include <cmocka.h>

#ifndef SOURCE_ROOT
#define SOURCE_ROOT "."
#endif

uint64_t test_seed = 1;
bool test_soak;
const char *test_backend;

enum { MAX_TEST = 4096, MAX_SAID = 10, N_PATH = 8 };

static test_entry *entered, *list[MAX_TEST];
static int n_list, n_passed, n_failed, n_skipped;

/* The test that runs: cmocka runs one at a time, in the order of list[]. */
static struct {
    const test_entry *e;
    int n_wrong;
    const char *skipped;
    bool ended;
    int64_t live_before;
    double began;
    char dir[PATH_MAX];
} now;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void test_enter(test_entry *e)
{
    e->next = entered;
    entered = e;
}

void test_check_failed(const char *file, int line, const char *what)
{
    if (++now.n_wrong <= MAX_SAID) printf("  tests/%s:%d: %s\n", base_name(file), line, what);
    if (now.n_wrong == MAX_SAID + 1) printf("  ... and more\n");
    fflush(stdout);
}

void test_give_up(void)
{
    now.ended = true; /* by a failed REQUIRE, not by a crash */
    _fail(now.e->file, now.e->line);
    abort(); /* _fail does not return */
}

void test_skip(const char *why) { now.skipped = why; }

/* ---- paths ---- */

static char *next_path(void)
{
    static char path[N_PATH][PATH_MAX];
    static int at;
    return path[at++ % N_PATH];
}

const char *source_path(const char *rel)
{
    char *path = next_path();
    snprintf(path, PATH_MAX, "%s/%s", SOURCE_ROOT, rel);
    return path;
}

const char *shared_path(const char *rel)
{
    char *path = next_path();
    const char *root = getenv("MICROTOME_SHARED");
    if (root && *root) snprintf(path, PATH_MAX, "%s/%s", root, rel);
    else snprintf(path, PATH_MAX, "%s/../shared/%s", SOURCE_ROOT, rel);
    return access(path, R_OK) == 0 ? path : NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

static bool fresh_dir(char dir[PATH_MAX])
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, PATH_MAX, "%s/microtome-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(dir) != NULL;
}

const char *test_dir(void)
{
    if (!now.dir[0] && !fresh_dir(now.dir)) {
        now.dir[0] = 0;
        test_check_failed(now.e->file, now.e->line, "a temporary directory can be made");
        test_give_up();
    }
    return now.dir;
}

const char *test_program(void)
{
    static char path[1200];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    if (n <= 0) return NULL;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (slash) snprintf(slash + 1, 16, "microtome");
    return access(path, X_OK) == 0 ? path : NULL;
}

const char *test_path(const char *name)
{
    static char path[8][PATH_MAX + 300];
    static int at;
    char *p = path[at++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", test_dir(), name);
    return p;
}

const char *test_file(const char *name, const void *bytes, size_t n)
{
    const char *path = test_path(name);
    if (file_write(path, bytes, n, NULL)) {
        test_check_failed(now.e->file, now.e->line, "a file of the test can be written");
        test_give_up();
    }
    return path;
}

const char *test_text(const char *name, const char *text)
{
    return test_file(name, text, strlen(text));
}

/* ---- running one ---- */

static int begin(void **state)
{
    memset(&now, 0, sizeof now);
    now.e = *state;
    now.live_before = atomic_load(&mem_state.n_live);
    now.began = seconds();
    return 0;
}

static void run(void **state)
{
    (void)state;
    now.e->fn();
    now.ended = true;
    int64_t leaked = atomic_load(&mem_state.n_live) - now.live_before;
    if (leaked && !now.n_wrong) {
        char what[80];
        snprintf(what, sizeof what, "%" PRId64 " allocations are live after the test", leaked);
        test_check_failed(now.e->file, now.e->line, what);
    }
    if (now.n_wrong) _fail(now.e->file, now.e->line);
    if (now.skipped) _skip(now.e->file, now.e->line);
}

/* Also after a failure: cmocka jumps here. */
static int finish(void **state)
{
    (void)state;
    const test_entry *e = now.e;
    atomic_store(&mem_state.fail_at, -1);
    if (now.dir[0]) remove_tree(now.dir);
    bool failed = now.n_wrong || !now.ended;
    if (failed) {
        printf("FAIL tests/%s:%d: \"%s\"%s (seed %" PRIu64 ")\n", base_name(e->file), e->line,
               e->says, now.ended ? "" : " crashed", test_seed);
        n_failed++;
    } else if (now.skipped) {
        printf("skip tests/%s:%d: \"%s\": %s\n", base_name(e->file), e->line, e->says, now.skipped);
        n_skipped++;
    } else {
        n_passed++;
    }
    double took = seconds() - now.began;
    if (took > 5 && !test_soak)
        printf("slow tests/%s:%d: %.1f s\n", base_name(e->file), e->line, took);
    fflush(stdout);
    return 0;
}

/* ---- choosing ---- */

static bool chosen(const test_entry *e, const char *pattern)
{
    char whole[1024], glob[1024];
    snprintf(whole, sizeof whole, "%s: %s", base_name(e->file), e->says);
    if (!strchr(pattern, '*')) return strstr(whole, pattern) != NULL;
    snprintf(glob, sizeof glob, "*%s*", pattern);
    return fnmatch(glob, whole, 0) == 0;
}

static int by_place(const void *a, const void *b)
{
    const test_entry *x = *(test_entry *const *)a, *y = *(test_entry *const *)b;
    int c = strcmp(x->file, y->file);
    return c ? c : (x->line > y->line) - (x->line < y->line);
}

static void collect(char **pattern, int n_pattern)
{
    for (test_entry *e = entered; e; e = e->next) {
        bool wanted = !n_pattern;
        for (int i = 0; i < n_pattern; i++) wanted |= chosen(e, pattern[i]);
        if (wanted && n_list < MAX_TEST) list[n_list++] = e;
    }
    qsort(list, (size_t)n_list, sizeof *list, by_place);
}

/* The tests list[first..] of one file; returns where the next file begins. */
static int run_file(int first)
{
    static struct CMUnitTest unit[MAX_TEST];
    int end = first, failed = n_failed, skipped = n_skipped;
    const char *file = base_name(list[first]->file);
    double began = seconds();
    for (; end < n_list && !strcmp(list[end]->file, list[first]->file); end++)
        unit[end - first] = (struct CMUnitTest){ list[end]->says, run, begin, finish, list[end] };
    _cmocka_run_group_tests(file, unit, (size_t)(end - first), NULL, NULL);
    failed = n_failed - failed, skipped = n_skipped - skipped;
    printf("%7.2f s  %-22.*s %3d passed", seconds() - began, (int)strlen(file) - 2, file,
           end - first - failed - skipped);
    if (failed) printf(", %d failed", failed);
    if (skipped) printf(", %d skipped", skipped);
    printf("\n");
    fflush(stdout);
    return end;
}

static int usage(void)
{
    fputs("usage: tests [-l] [pattern ...] [--seed N] [--soak] [--backend NAME]\n", stderr);
    return 2;
}

static bool is_nan(const char *p, int32_t real_bytes)
{
    float x;
    double y;
    if (real_bytes == 4) memcpy(&x, p, sizeof x);
    else memcpy(&y, p, sizeof y);
    return real_bytes == 4 ? x != x : y != y;
}

bool bits_same(const void *a, const void *b, size_t bytes, int32_t real_bytes)
{
    const char *p = a, *q = b;
    for (size_t i = 0; i < bytes; i += (size_t)real_bytes)
        if (memcmp(p + i, q + i, (size_t)real_bytes) &&
            !(is_nan(p + i, real_bytes) && is_nan(q + i, real_bytes)))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    const char *seed = NULL;
    char **pattern = argv; /* those there are move to its beginning */
    int n_pattern = 0;
    bool only_list = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-l")) only_list = true;
        else if (!strcmp(argv[i], "--soak")) test_soak = true;
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc) seed = argv[++i];
        else if (!strcmp(argv[i], "--backend") && i + 1 < argc) test_backend = argv[++i];
        else if (argv[i][0] == '-') return usage();
        else pattern[n_pattern++] = argv[i];
    }
    if (seed && strcmp(seed, "clock")) test_seed = strtoull(seed, NULL, 0);
    else if (seed || test_soak) test_seed = (uint64_t)time(NULL);
    collect(pattern, n_pattern);
    for (int i = 0; only_list && i < n_list; i++)
        printf("tests/%s:%d: %s\n", base_name(list[i]->file), list[i]->line, list[i]->says);
    if (only_list) return 0;

    char dir[PATH_MAX], xml[PATH_MAX + 16];
    if (!fresh_dir(dir)) return fprintf(stderr, "%s: cannot make this directory\n", dir), 1;
    snprintf(xml, sizeof xml, "%s/%%g.xml", dir);
    setenv("CMOCKA_XML_FILE", xml, 1);
    cmocka_set_message_output(CM_OUTPUT_XML);
    printf("seed %" PRIu64 "\n", test_seed);
    for (int i = 0; i < n_list;) i = run_file(i);
    remove_tree(dir);
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    if (!n_list && n_pattern)
        fprintf(stderr, "no test has \"%s\" in its file or sentence\n", pattern[0]);
    return n_list ? n_failed > 0 : 2;
}

/* Under ASan: its report of a crash says more than cmocka's. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "handle_segv=2:handle_sigbus=2:handle_sigfpe=2"; }
/* SPDX-License-Identifier: MIT */
