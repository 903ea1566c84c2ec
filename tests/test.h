/* test -- a test is TEST("what must be true") { ... CHECK(...); ... }, nothing else.
 *
 *     #define TEST_FILE t_mem
 *     #include "test.h"
 *
 *     TEST("an empty arena owns nothing") { CHECK(a.total_bytes == 0); }
 *
 * A test enters itself in the list before main() begins, so no list names it.  main.c runs them
 * under cmocka, file by file and line by line, and afterwards looks whether memory stayed live. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct test_entry {
    const char *says, *file;
    int line;
    void (*fn)(void);
    struct test_entry *next;
} test_entry;

/* What random tests start from (--seed), and whether there is time for millions (--soak). */
extern uint64_t test_seed;
extern bool test_soak;

/* The backend that engines of toys and of opened models are forced to (--backend), or NULL. */
extern const char *test_backend;

/* Used by the macros below. */
void test_enter(test_entry *e);
void test_check_failed(const char *file, int line, const char *what);
_Noreturn void test_give_up(void);
void test_skip(const char *why);

/* A path under the shared development data (MICROTOME_SHARED, or ../shared beside the sources);
 * NULL when it is not there.  Valid until eight more were asked for. */
const char *shared_path(const char *rel);

/* A path under the source root, whether or not it exists.  Valid as above. */
const char *source_path(const char *rel);

/* The command that was built beside the tests; NULL when it was not. */
const char *test_program(void);

/* A fresh, empty directory for this test; removed with all in it when the test ends. */
const char *test_dir(void);

/* A path in it; a file of those bytes, or of that text.  Of each the last eight are kept. */
const char *test_path(const char *name);
const char *test_file(const char *name, const void *bytes, size_t n);
const char *test_text(const char *name, const char *text);

#define TEST_JOIN_(a, b) a##b
#define TEST_JOIN(a, b) TEST_JOIN_(a, b)

#define TEST(sentence)                                                                             \
    static void TEST_JOIN(test_, __LINE__)(void);                                                  \
    __attribute__((constructor)) static void TEST_JOIN(enter_, __LINE__)(void)                     \
    {                                                                                              \
        static test_entry e = { .says = sentence, .file = __FILE__, .line = __LINE__ };            \
        e.fn = TEST_JOIN(test_, __LINE__);                                                         \
        test_enter(&e);                                                                            \
    }                                                                                              \
    static void TEST_JOIN(test_, __LINE__)(void)

/* CHECK goes on after a failure; REQUIRE ends the test there (and leaks what it had). */
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) test_check_failed(__FILE__, __LINE__, #x);                                       \
    } while (0)

#define REQUIRE(x)                                                                                 \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            test_check_failed(__FILE__, __LINE__, #x);                                             \
            test_give_up();                                                                        \
        }                                                                                          \
    } while (0)

/* In the body of a TEST, before it owns anything. */
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        test_skip(why);                                                                            \
        return;                                                                                    \
    } while (0)

/* Equal bits, or both NaN (which NaN comes out is not fixed), number by number. */
bool bits_same(const void *a, const void *b, size_t bytes, int32_t real_bytes);

/* The larger of two distances; NaN is the largest there is, and stays. */
static inline double worse(double worst, double far)
{
    return worst != worst || far <= worst ? worst : far;
}

#endif
/* SPDX-License-Identifier: MIT */
