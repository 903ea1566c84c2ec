/* t_docs -- what the pages of docs/ show is what the command prints.
 *
 * A line "    $ COMMAND" is run in a folder where the published models of ../shared/data lie; the indented lines behind
 * it must be what was printed, without empty lines, the sentence that there is no tokenizer, and the certificate.  Where
 * they end in "..." the rest is left out.  MICROTOME_WRITE_DOCS=1 writes what was printed in their place. */
#define TEST_FILE t_docs
#include "test.h"
#include "base/file.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

static const char INDENT[] = "    ";

/* The next line of *p, which moves behind it; without its end. */
static bool next_line(const char **p, const char **line, size_t *n)
{
    if (!**p) return false;
    const char *end = strchr(*p, '\n');
    *line = *p, *n = end ? (size_t)(end - *p) : strlen(*p);
    *p = end ? end + 1 : *p + *n;
    return true;
}

static bool begins(const char *line, size_t n, const char *with)
{
    return n >= strlen(with) && !memcmp(line, with, strlen(with));
}

/* Run a command as a reader would; what it printed, or, where it failed, why. */
static void run_shown(const char *command, size_t n, str *out)
{
    char line[4000], where[1200];
    const char *dir = test_dir(), *slash = strrchr(test_program(), '/');
    snprintf(
        line, sizeof line,
        "cd '%s' && PATH='%.*s':\"$PATH\" sh ./shown.sh >shown.out 2>shown.err && mv shown.out "
        "shown.txt || mv shown.err shown.txt",
        dir, (int)(slash - test_program()), test_program());
    snprintf(where, sizeof where, "%s/shown.sh", dir);
    REQUIRE(file_write(where, command, n, NULL) == E_OK && system(line) == 0);
    snprintf(where, sizeof where, "%s/shown.txt", dir);
    REQUIRE(file_read(out, where, 1 << 20, NULL) == E_OK);
}

/* Is that printed line one that pages leave out? */
static bool left_out(const char *line, size_t n)
{
    return n == 0 || begins(line, n, "warning: there is no tokenizer beside the model");
}

/* Put what a command printed on the page: `most` lines and "..."; all of it where most is negative. */
static void put_shown(str *page, const str *printed, int most)
{
    const char *p = printed->p ? printed->p : "", *line;
    for (size_t n; next_line(&p, &line, &n) && !begins(line, n, "certificate");) {
        if (left_out(line, n)) continue;
        if (most == 0) {
            str_printf(page, "%s...\n", INDENT);
            return;
        }
        while (n && line[n - 1] == ' ') n--;
        str_printf(page, "%s%.*s\n", INDENT, (int)n, line);
        most--;
    }
}

/* The lines shown behind a command; how many stand before "...", or -1. */
static int pass_shown(const char **p)
{
    int shown = 0;
    const char *line, *here = *p;
    bool cut = false;
    for (size_t n; next_line(&here, &line, &n) && begins(line, n, INDENT); *p = here) {
        if (begins(line, n, "    $ ")) break;
        cut = begins(line, n, "    ...") && n == strlen("    ...");
        shown += !cut;
    }
    return cut ? shown : -1;
}

/* The page with every command run again; how many there were. */
static int shown_again(const char *page, str *out)
{
    int count = 0;
    const char *line;
    for (size_t n; next_line(&page, &line, &n);) {
        str_printf(out, "%.*s\n", (int)n, line);
        if (!begins(line, n, "    $ ")) continue;
        str printed = { 0 };
        run_shown(line + 6, n - 6, &printed);
        put_shown(out, &printed, pass_shown(&page));
        str_release(&printed);
        count++;
    }
    return count;
}

static void print_difference(const char *a, const char *b)
{
    const char *x, *y;
    size_t n, m;
    while (next_line(&a, &x, &n) && next_line(&b, &y, &m))
        if (n != m || memcmp(x, y, n) != 0) {
            printf("  shown:   %.*s\n  printed: %.*s\n", (int)n, x, (int)m, y);
            return;
        }
}

/* Links to the folders the page speaks of. */
static void link_models(void)
{
    char line[3000];
    snprintf(line, sizeof line, "ln -s '%s'/org-* '%s'/lm-stories260K '%s'", shared_path("data"),
             shared_path("data"), test_dir());
    REQUIRE(system(line) == 0);
}

TEST("docs/known-models.md shows what its commands print")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    if (!shared_path("data/org-nanogpt-sort")) SKIP("no ../shared");
    const char *path = source_path("docs/known-models.md");
    str page = { 0 }, again = { 0 };
    REQUIRE(file_read(&page, path, 1 << 20, NULL) == E_OK);
    link_models();
    CHECK(shown_again(page.p, &again) >= 10 && !again.failed);
    if (getenv("MICROTOME_WRITE_DOCS")) REQUIRE(!file_write(path, again.p, again.n, NULL));
    bool same = page.n == again.n && !memcmp(page.p, again.p, page.n);
    if (!same) {
        print_difference(page.p, again.p);
        printf("  docs/known-models.md is out of date; MICROTOME_WRITE_DOCS=1 writes it\n");
    }
    CHECK(same);
    str_release(&page), str_release(&again);
}
/* SPDX-License-Identifier: MIT */
