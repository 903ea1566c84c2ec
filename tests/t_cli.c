/* t_cli -- the command as people meet it: what it prints, what it refuses, and with which exit status.
 * Skipped where the command was not built beside the tests. */
#define TEST_FILE t_cli
#include "test.h"
#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[1 << 16];

/* Run it; what it said (both streams) is in `said`. */
static int says(const char *arguments)
{
    char line[4000];
    snprintf(line, sizeof line, "'%s' %s 2>&1", test_program(), arguments);
    FILE *f = popen(line, "r");
    REQUIRE(f);
    size_t n = fread(said, 1, sizeof said - 1, f);
    said[n] = 0;
    int st = pclose(f);
    return WIFEXITED(st) ? WEXITSTATUS(st) : 200;
}

static bool is(const char *arguments, int exits, const char *what)
{
    int st = says(arguments);
    bool fine = st == exits && strstr(said, what);
    if (!fine) printf("  microtome %s: exit %d\n%s\n", arguments, st, said);
    return fine;
}

TEST("wrong arguments exit with 2 and say what would be right")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    CHECK(is("", 2, "usage"));
    CHECK(is("pach", 2, "patch"));
    CHECK(is("run demo:induction --promt x", 2, "--prompt"));
    CHECK(is("run demo:induction --prompt", 2, "missing"));
    CHECK(is("run demo:induction extra", 2, "extra"));
    CHECK(is("run demo:induction --prompt the --top five", 2, "five"));
    CHECK(is("run demo:induction", 2, "needs a prompt"));
    CHECK(is("run --prompt the", 2, "needs a model"));
    CHECK(is("run demo:induction --prompt ''", 2, "empty"));
    CHECK(is("run demo:induction --prompt the --edit 'embed'", 2, "SITE"));
    CHECK(is("run demo:induction --prompt the --edit 'embed = 1e999'", 2, "a float can hold"));
    CHECK(is("run demo:induction --prompt the --edit 'embed += 1e999 * a:b'", 2, "a float can"));
    CHECK(is("help nothing", 2, "nothing"));
    CHECK(is("run demo:induction --prompt the --seed 99999999999999999999", 2, "out of range"));
    CHECK(is("run demo:induction --prompt the --memory 99999999999999999", 2, "memory"));
    CHECK(is("run demo:induction --prompt the --top 0", 2, "top is 0"));
    CHECK(is("run demo:induction --prompt the --quiet=yes", 2, "switch"));
    CHECK(is("info demo:induction --tol nearly", 2, "nearly"));
    CHECK(is("info demo:induction --html --quiet", 2, "--html"));
    CHECK(is("info demo:induction --json --csv", 2, "standard output"));
    CHECK(is("run demo:induction --tokens 1,2 --tokens 3", 2, "twice"));
    CHECK(is("run demo:induction --prompt the --temperature nan", 2, "finite"));
    CHECK(is("run demo:induction --prompt the --threads 4294967297", 2, "4294967297"));
    CHECK(is("path demo:induction --pairs p.json --senders head,foo", 2, "foo"));
    CHECK(is("verify demo:induction --length 4294967298", 2, "4294967298"));
    CHECK(is("run demo:induction --prompt the --bos maybe", 2, "bos is 'maybe', expected"));
    CHECK(is("run --bos demo:induction --prompt the --quiet", 0, ""));
    CHECK(is("path demo:induction --hops 3", 2, "--hops says something of --from"));
    CHECK(is("path demo:induction --shard 1/2000000 --resume x --clean a --corrupt the --answer a",
             2, "n is at most"));
    CHECK(is("run demo:induction demo:induction", 2, "its MODEL is 'demo:induction' already"));
    CHECK(is("run demo:induction --prompt the --no-fuse yes", 2, "--no-fuse is a switch"));
    CHECK(is("run demo:induction --prompt the --top 2.5", 2, "a whole number"));
    CHECK(is("lens demo:induction --prompt the --target dragon", 1, "no token of the model's"));
}

TEST("a value may stand behind '=', and what it holds may have one too")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    CHECK(is("run demo:induction --prompt='the cat' --top=2 --edit='embed[pos=0] = 0'", 0,
             "without edits"));
}

TEST("an output that is full is an error, whoever prints")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    CHECK(is("help >/dev/full", 1, ""));
    CHECK(is("--version >/dev/full", 1, ""));
    CHECK(is("info demo:induction >/dev/full", 1, ""));
}

TEST("what cannot be done exits with 1 and says why and what to do")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    CHECK(is("info /nonexistent", 1, "no such model"));
    CHECK(is("run demo:induction --prompt 'the elephant'", 1, "elephant"));
    CHECK(is("run demo:induction --tokens 1,2,400", 1, "400"));
    CHECK(is("run demo:induction --prompt \"$(printf 'a\\377')\"", 2, "UTF-8"));
    CHECK(is("run demo:induction --prompt the --edit 'blocks.0.atn.z = 0'", 1, "did you mean"));
    CHECK(is("run demo:induction --prompt the --edit 'blocks.0.attn.z[head=9] = 0'", 1, "head=9"));
    CHECK(
        is("run demo:induction --prompt the --json /nonexistent/x.json", 1, "/nonexistent/x.json"));
    CHECK(
        is("run demo:induction --prompt the --html /dev", 1, "/dev: cannot be written: Is a dir"));
    CHECK(is("run demo:induction --prompt the > /dev/full", 1, ""));
    CHECK(is("cache demo:induction --prompt the --out x.pt", 2, ".safetensors"));
}

TEST("a file of the wrong kind, or cut off, is an error that names it")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    char path[1200], args[1400];
    snprintf(path, sizeof path, "%s/m.safetensors", test_dir());
    REQUIRE(file_write(path, "\2\0\0\0\0\0\0\0{}", 10, NULL) == E_OK);
    snprintf(args, sizeof args, "info '%s'", path);
    CHECK(is(args, 1, "config.json"));
    REQUIRE(file_write(path, "\x10\0\0\0\0\0\0\0{}", 10, NULL) == E_OK);
    snprintf(path, sizeof path, "%s/config.json", test_dir());
    REQUIRE(file_write(path, "{\"model_type\":\"gpt2\"}", sizeof "{\"model_type\":\"gpt2\"}" - 1,
                       NULL) == E_OK);
    CHECK(is(args, 1, "truncated"));
    REQUIRE(file_write(path, "{\"model_type\":\"mamba\"}", sizeof "{\"model_type\":\"mamba\"}" - 1,
                       NULL) == E_OK);
    CHECK(is(args, 1, "mamba"));
    REQUIRE(file_write(path, "{\"model_type\":\"gpt2\",\"scale_attn_weights\":3}",
                       sizeof "{\"model_type\":\"gpt2\",\"scale_attn_weights\":3}" - 1,
                       NULL) == E_OK);
    CHECK(is(args, 1, "scale_attn_weights"));
}

TEST("help, version and every instrument's parameters are there")
{
    static const char *const names[] = { "info",  "sites", "tokens", "run",    "cache",
                                         "patch", "path",  "verify", "replay", "demo" };
    if (!test_program()) SKIP("microtome was not built beside the tests");
    CHECK(is("--version", 0, "microtome 0"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char args[40];
        snprintf(args, sizeof args, "help %s", names[i]);
        CHECK(is(args, 0, "Output") && is("help", 0, names[i]));
        snprintf(args, sizeof args, "help %s", names[i]);
        REQUIRE(setenv("COLUMNS", "80", 1) == 0 && says(args) == 0);
        for (const char *line = said; *line; line += strspn(line, "\n")) {
            size_t n = strcspn(line, "\n");
            if (n > 80) printf("  %.*s\n", (int)n, line);
            CHECK(n <= 80);
            line += n;
        }
        REQUIRE(unsetenv("COLUMNS") == 0);
    }
}

TEST("reports are written as text, JSON, CSV and a page; tensors as files; and read again")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    char args[4000];
    const char *d = test_dir();
    CHECK(is("info demo:induction", 0, "attn") || is("info demo:induction", 0, "architecture"));
    CHECK(is("sites demo:induction --match 'blocks.0.attn.*'", 0, "blocks.0.attn.pattern"));
    CHECK(is("tokens demo:induction --prompt 'the cat'", 0, "cat"));
    CHECK(is("run demo:induction --tokens 1,3,8 --json", 0, "\"microtome_report\""));
    CHECK(is("run demo:induction --prompt 'the cat sat' --csv", 0, "# table"));
    CHECK(is("run demo:induction --prompt 'the cat sat' --plan", 0, "multiply-adds"));
    CHECK(is("run demo:induction --prompt 'the cat sat' --plan --n 3", 2, "--n goes on from it"));
    CHECK(is("run demo:induction --prompt 'the cat sat on the' --n 4", 0,
             "cat sat on the cat sat on the"));
    snprintf(args, sizeof args,
             "patch demo:induction --clean 'the cat sat on the cat' --corrupt 'the dog sat on the "
             "cat' --answer sat "
             "--wrong ran --html '%s/p.html' --json '%s/p.json' --out '%s/p.npz'",
             d, d, d);
    CHECK(is(args, 0, "largest denoise.resid_pre"));
    snprintf(args, sizeof args, "replay '%s/p.html'", d);
    CHECK(is(args, 0, "yes"));
    snprintf(args, sizeof args,
             "patch demo:induction --clean 'the cat sat on the cat' --corrupt 'the dog sat on the "
             "cat' --answer sat "
             "--wrong ran --quiet --against '%s/p.npz'",
             d);
    CHECK(is(args, 0, " 0 of them wrong"));
    snprintf(args, sizeof args,
             "patch demo:induction --clean 'the cat sat on the cat' --corrupt 'the bird sat on the "
             "cat' --answer sat "
             "--wrong ran --precision f64 --seed 3 --quiet --tol 1e-30 --against '%s/p.npz'",
             d);
    CHECK(is(args, 1, "WRONG"));
    snprintf(args, sizeof args, "%s/p.html", d);
    str page = { 0 };
    REQUIRE(file_read(&page, args, 1 << 26, NULL) == E_OK);
    CHECK(!strstr(page.p, "src=\"http") && !strstr(page.p, "href=\"http") &&
          strstr(page.p, "prefers-color-scheme"));
    str_release(&page);
}

TEST("what is read is not written over: the model, a file of its directory, a direction in an edit")
{
    if (!test_program()) SKIP("microtome was not built beside the tests");
    char args[4000], path[1200], text[1200];
    const char *d = test_dir();
    static const char *const files[] = { "model.safetensors", "config.json", "report.json" };
    snprintf(path, sizeof path, "%s/demo", d);
    REQUIRE(mkdir(path, 0777) == 0);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/demo/%s", d, files[i]);
        REQUIRE(file_write(path, "{}", 2, NULL) == E_OK);
        snprintf(args, sizeof args, "run '%s/demo' --tokens 1,2 %s '%s'", d, i ? "--json" : "--out",
                 path);
        CHECK(i < 2 ? is(args, 2, "is read as the model")
                    : is(args, 1, "no model_type")); /* a report it may */
    }
    snprintf(path, sizeof path, "%s/text.txt", d);
    REQUIRE(file_write(path, "the cat sat on the cat", 22, NULL) == E_OK);
    snprintf(args, sizeof args, "corpus demo:induction --text '%s' --html '%s/../%s/text.txt'",
             path, d, strrchr(d, '/') + 1);
    CHECK(is(args, 2, "is read as the text"));
    snprintf(text, sizeof text, "%s/o.npz", d);
    snprintf(args, sizeof args,
             "cache demo:induction --tokens 1,2 --sites logits --quiet --out '%s'", text);
    CHECK(is(args, 0, ""));
    snprintf(args, sizeof args,
             "run demo:induction --tokens 1,2 --edit 'logits = %s:logits' --out '%s'", text, text);
    CHECK(is(args, 2, "is read as the edit"));
    snprintf(args, sizeof args, "run demo:induction --prompt 'the %s' --out '%s'", text, text);
    (void)says(args);
    CHECK(!strstr(said, "is read as")); /* its words are no files */
    CHECK(is("run demo:induction --tokens 1,2 --tol 1e-3", 2, "says nothing"));
}

TEST("a sweep whose time is over exits with 3 and says so; one that is planned with 0")
{
    static const char patch[] = "patch demo:induction --clean 'the cat sat on the cat' --corrupt "
                                "'the dog sat on the cat' --answer sat --what head_out_by_pos ";
    char line[400];
    snprintf(line, sizeof line, "%s--seconds 0.000000001", patch);
    CHECK(is(line, 3, "the time given is over"));
    snprintf(line, sizeof line, "%s--plan", patch);
    CHECK(is(line, 0, "Nothing was swept"));
}
/* SPDX-License-Identifier: MIT */
