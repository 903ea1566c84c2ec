/* t_resume -- a sweep that was killed, cut in shards or spread over ranks comes to the same hash as one that was not. */
#define TEST_FILE t_resume
#include "test.h"
#include "base/file.h"
#include "include/microtome.h"
#include "instrument/journal.h"
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWEEP                                                                                      \
    "\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the dog sat " \
    "on the cat\",\"answer\":\"sat\",\"wrong\":\"ran\",\"what\":\"resid_pre,head_out_by_pos\","    \
    "\"direction\":\"both\",\"seed\":5"
#define FLAGS                                                                                      \
    "patch demo:induction --clean 'the cat sat on the cat' --corrupt 'the dog sat on the cat' "    \
    "--answer sat --wrong ran --what resid_pre,head_out_by_pos --direction both --seed 5 --quiet"

typedef struct result {
    mt_status st;
    char hash[80], says[2000];
} result;

/* Run it; `more` is further JSON. */
static result swept(const char *instrument, const char *more, mt_tell *tell)
{
    result out = { 0 };
    char request[3000];
    mt_report *r = NULL;
    mt_error err = { 0 };
    snprintf(request, sizeof request, "{%s}", more);
    out.st = mt_run(&r, instrument, request, tell, NULL, &err);
    snprintf(out.says, sizeof out.says, "%s", err.message);
    if (r) {
        char *text = mt_report_render(r, "text", 200, false, NULL);
        snprintf(out.hash, sizeof out.hash, "%s", mt_report_hash(r));
        const char *notes = text ? strstr(text, "Shard") : NULL;
        if (notes) snprintf(out.says, sizeof out.says, "%s", notes);
        mt_text_free(text);
    }
    mt_report_free(r);
    return out;
}

static result resumed(const char *file, const char *shard)
{
    char more[2500];
    snprintf(more, sizeof more, SWEEP ",\"memory\":1,\"resume\":\"%s\"%s%s%s", file,
             shard ? ",\"shard\":\"" : "", shard ? shard : "", shard ? "\"" : "");
    return swept("patch", more, NULL);
}

static result merged(const char *file, bool finish)
{
    char more[2500];
    snprintf(more, sizeof more, "\"journal\":\"%s\"%s", file, finish ? ",\"finish\":true" : "");
    return swept("merge", more, NULL);
}

static const char *whole_hash(void)
{
    static result r;
    if (!*r.hash) r = swept("patch", SWEEP, NULL);
    REQUIRE(r.st == 0);
    return r.hash;
}

static const char *path_in(char room[1200], const char *name)
{
    snprintf(room, 1200, "%s/%s", test_dir(), name);
    return room;
}

static bool stop_late(void *user, const char *what, double done)
{
    (void)user, (void)what;
    return done < 0.4;
}

TEST("a sweep that was stopped goes on from its journal to the hash of one that was not")
{
    char file[1200], more[2500];
    path_in(file, "sweep.journal");
    snprintf(more, sizeof more, SWEEP ",\"memory\":1,\"resume\":\"%s\"", file);
    result r = swept("patch", more, stop_late);
    CHECK(r.st == MT_INTERRUPTED || r.st == 0);
    r = resumed(file, NULL);
    CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()));
    r = resumed(file, NULL); /* nothing is left to run */
    CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()));
}

TEST("killed at any moment, a sweep goes on to the same hash")
{
    char file[1200];
    path_in(file, "killed.journal");
    const char *want = whole_hash();
    for (unsigned i = 0; i < 5; i++) {
        unlink(file);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (!child) {
            (void)resumed(file, NULL);
            _exit(0);
        }
        usleep((useconds_t)((test_seed * 31 + i * 15485863u) % 60000u));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        result r = resumed(file, NULL);
        CHECK(r.st == 0 && !strcmp(r.hash, want));
    }
}

#define TEXTS                                                                                      \
    "\"model\":\"demo:induction\",\"prompt\":[\"the cat sat on the\",\"the dog\"],\"n\":40,"       \
    "\"edit\":[\"blocks.0.attn.z = 0\",\"blocks.1.attn.z[head=1] = "                               \
    "0\"],\"temperature\":0.8,\"seed\":3"

/* Stops when the texts are as long as the seed says. */
static bool stop_somewhere(void *user, const char *what, double done)
{
    (void)user, (void)what;
    return done < 0.05 + (double)(test_seed % 80) / 100;
}

TEST("texts that were stopped, or cut in shards, go on to the same hash")
{
    char file[1200], more[3500];
    result whole = swept("generate", TEXTS, NULL);
    REQUIRE(whole.st == 0);
    snprintf(more, sizeof more, TEXTS ",\"resume\":\"%s\"", path_in(file, "texts.journal"));
    result r = swept("generate", more, stop_somewhere);
    CHECK(r.st == MT_INTERRUPTED || r.st == 0);
    for (int i = 0; i < 2; i++) { /* the second time nothing is left to write */
        r = swept("generate", more, NULL);
        CHECK(r.st == 0 && !strcmp(r.hash, whole.hash));
    }
    path_in(file, "texts.shards");
    for (int i = 1; i <= 4; i++) { /* one of four is stopped, and finished by merge */
        snprintf(more, sizeof more, TEXTS ",\"resume\":\"%s\",\"shard\":\"%d/4\"", file, i);
        r = swept("generate", more, i == 2 ? stop_somewhere : NULL);
        CHECK(r.st == 0 || (i == 2 && r.st == MT_INTERRUPTED));
        CHECK(strcmp(r.hash, whole.hash));
    }
    r = merged(file, true);
    CHECK(r.st == 0 && !strcmp(r.hash, whole.hash));
    r = resumed(file, NULL); /* a sweep's, where texts' are */
    CHECK(r.st != 0 && strstr(r.says, "another"));
}

TEST("a text's journal is not believed: an id there is not, an end that is none")
{
    static const struct {
        int64_t item;
        double v[2];
    } bad[] = { { 6, { 1e30, 0 } }, { 6, { -1, 0 } }, { 6, { NAN, 0 } }, { 6, { 1.5, 0 } },
                { 0, { 0, 9 } },    { 1, { 0, 0 } },  { 2, { 3, 1 } },   { 0, { 0, NAN } } };
    char file[1200], forged[1200], more[3500];
    snprintf(more, sizeof more, TEXTS ",\"resume\":\"%s\"", path_in(file, "honest.journal"));
    REQUIRE(swept("generate", more, NULL).st == 0);
    journal_of of;
    REQUIRE(journal_describe(&of, file, NULL) == E_OK);
    path_in(forged, "forged.journal");
    snprintf(more, sizeof more, TEXTS ",\"resume\":\"%s\"", forged);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        journal *j;
        unlink(forged);
        REQUIRE(journal_open(&j, forged, &of, NULL) == E_OK);
        REQUIRE(journal_add(j, bad[i].item, bad[i].v, 0, NULL) == E_OK);
        REQUIRE(journal_flush(j, NULL) == E_OK);
        journal_close(j);
        result r = swept("generate", more, NULL);
        CHECK(r.st == E_FORMAT && strstr(r.says, "does not fit"));
    }
    journal_text_free(of.request);
}

TEST("what texts would cost is said without writing a tensor")
{
    mt_report *r = NULL;
    REQUIRE(mt_run(&r, "generate", "{" TEXTS ",\"plan\":true}", NULL, NULL, NULL) == 0);
    char *text = mt_report_render(r, "text", 200, false, NULL);
    CHECK(text && strstr(text, "tokens") && strstr(text, "240") && strstr(text, "multiply-adds"));
    CHECK(text && !strstr(text, "log probability"));
    mt_text_free(text);
    mt_report_free(r);
}

/* A whole number of --plan's table: the row that begins with `row`, the column so called; -1: there is none. */
static int64_t planned(const char *instrument, const char *more, const char *row,
                       const char *column)
{
    char request[3600];
    mt_report *r = NULL;
    mt_error err = { 0 };
    snprintf(request, sizeof request, "{%s,\"plan\":true}", more);
    if (mt_run(&r, instrument, request, NULL, NULL, &err)) printf("  %s\n", err.message);
    REQUIRE(r);
    char *json = mt_report_render(r, "json", 80, false, NULL);
    json_t *doc = json_loads(json, 0, NULL), *it, *col;
    const json_t *t = json_object_get(json_object_get(doc, "tables"), "plan");
    size_t i, k;
    int64_t out = -1;
    json_array_foreach(json_object_get(t, "columns"), k, col)
    {
        const char *name = json_string_value(json_object_get(col, "name"));
        if (!name || strcmp(name, column)) continue;
        json_array_foreach(json_object_get(t, "rows"), i, it)
        {
            if (!strncmp(json_string_value(json_array_get(it, 0)), row, strlen(row)))
                out = json_integer_value(json_array_get(it, k));
        }
    }
    json_decref(doc);
    mt_text_free(json);
    mt_report_free(r);
    return out;
}

#define PAIR                                                                                       \
    "\"model\":\"demo:induction\",\"clean\":\"the cat sat on the cat\",\"corrupt\":\"the dog sat " \
    "on the cat\",\"answer\":\"sat\",\"wrong\":\"ran\""
#define FACT "\"model\":\"demo:induction\",\"prompt\":\"the {} sat on the\",\"subject\":\"cat\""

TEST("--plan beside --resume says what the journal has and what is left, in every sweep")
{
    static const char *const sweeps[][2] = {
        { "patch", SWEEP },   { "path", PAIR },
        { "edges", PAIR },    { "interact", PAIR ",\"components\":\"head\"" },
        { "ablate", PAIR },   { "trace", FACT ",\"samples\":2,\"what\":\"state\"" },
        { "generate", TEXTS }
    };
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        char file[1200], more[3500], stopped[3600], name[40];
        const char *is = sweeps[i][0], *row = i == 6 ? "tokens" : "forks";
        snprintf(name, sizeof name, "plan.%s", is);
        snprintf(more, sizeof more, "%s,\"memory\":1,\"resume\":\"%s\"", sweeps[i][1],
                 path_in(file, name));
        int64_t all = planned(is, more, row, "sweep");
        if (i == 6) all = planned(is, more, row, "text by text");
        CHECK(all > 4 && planned(is, more, row, "left") == all);
        CHECK(access(file, F_OK)); /* a plan begins no journal */
        snprintf(stopped, sizeof stopped, "%s,\"seconds\":1e-9", more);
        CHECK(swept(is, stopped, NULL).st == MT_INTERRUPTED);
        int64_t left = planned(is, more, row, "left");
        if (!(left > 0 && left < all))
            printf("  %s: %lld of %lld\n", is, (long long)left, (long long)all);
        CHECK(left > 0 && left < all);
        CHECK(swept(is, more, NULL).st == 0);
        CHECK(planned(is, more, row, "left") == 0);
        CHECK(planned(is, more, row, "a whole run a cell") == all || i == 6);
    }
}

TEST("--plan of a shard is of its cells, all shards' are the sweep's, and it needs no journal")
{
    char file[1200], more[3000], column[40];
    int64_t sum = 0, controls = planned("patch", SWEEP, "of them controls", "sweep");
    path_in(file, "plan.shards");
    for (int i = 1; i <= 3; i++) {
        snprintf(more, sizeof more, SWEEP ",\"shard\":\"%d/3\"", i);
        snprintf(column, sizeof column, "shard %d/3", i);
        int64_t n = planned("patch", more, "forks", column);
        CHECK(n > 0 && planned("patch", more, "of them controls", column) == 0);
        CHECK(planned("patch", more, "forks", "sweep") ==
              planned("patch", SWEEP, "forks", "sweep"));
        CHECK(planned("patch", more, "multiply-adds, at most", column) <
              planned("patch", more, "multiply-adds, at most", "sweep"));
        sum += n;
    }
    CHECK(sum + controls == planned("patch", SWEEP, "forks", "sweep") && controls > 0);
    CHECK(resumed(file, "2/3").st == 0);
    snprintf(more, sizeof more, SWEEP ",\"resume\":\"%s\",\"shard\":\"2/3\"", file);
    CHECK(planned("patch", more, "forks", "left of shard 2/3") == 0);
    snprintf(more, sizeof more, SWEEP ",\"resume\":\"%s\",\"shard\":\"1/3\"", file);
    CHECK(planned("patch", more, "forks", "left of shard 1/3") > 0);
    snprintf(more, sizeof more, SWEEP ",\"resume\":\"%s\"", file); /* who has all knows that one */
    CHECK(planned("patch", more, "forks", "left") > controls);
    CHECK(planned("patch", more, "forks", "left") < sum + controls);
    snprintf(more, sizeof more, TEXTS ",\"shard\":\"2/4\"");
    CHECK(planned("generate", more, "texts", "shard 2/4") == 2);
    CHECK(planned("generate", more, "tokens", "shard 2/4") == 80);
    const char *longer =
        "\"model\":\"demo:induction\",\"prompt\":[\"the cat\",\"the cat sat\"],\"n\":9999";
    int64_t n = planned("generate", longer, "tokens", "text by text");
    mt_report *r = NULL;
    snprintf(more, sizeof more, "{%s}", longer);
    REQUIRE(mt_run(&r, "generate", more, NULL, NULL, NULL) ==
            0); /* until the model takes no more */
    char *text = mt_report_render(r, "json", 80, false, NULL);
    json_t *doc = json_loads(text, 0, NULL), *tables = json_object_get(doc, "tables"), *one;
    const char *name;
    json_object_foreach(tables, name, one)
    {
        if (strncmp(name, "continuations", 13)) continue;
        n -= json_integer_value(json_array_get(json_array_get(json_object_get(one, "rows"), 0), 1));
    }
    CHECK(n == 0);
    json_decref(doc), mt_text_free(text), mt_report_free(r);
}

TEST("a disk that is full names the file, and with room the sweep goes on to the same hash")
{
    struct rlimit was;
    char file[1200];
    path_in(file, "full.journal");
    const char *want = whole_hash();
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &was) == 0);
    for (rlim_t room = 100; room < 8000; room = room * 3 / 2) {
        struct rlimit small = { room, was.rlim_max };
        unlink(file);
        REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
        result r = resumed(file, NULL);
        REQUIRE(setrlimit(RLIMIT_FSIZE, &was) == 0);
        CHECK(r.st == 0 || (!strcmp(mt_status_name(r.st), "IO") && strstr(r.says, file)));
        CHECK(room > 3000 || r.st != 0);
        r = resumed(file, NULL);
        CHECK(r.st == 0 && !strcmp(r.hash, want));
    }
    signal(SIGXFSZ, old);
}

TEST("a journal of another sweep is refused, by a plan too")
{
    char file[1200], more[2500];
    path_in(file, "other.journal");
    REQUIRE(resumed(file, NULL).st == 0);
    for (int plan = 0; plan < 2; plan++) {
        snprintf(more, sizeof more, SWEEP ",\"metric\":\"prob\",\"resume\":\"%s\"%s", file,
                 plan ? ",\"plan\":true" : "");
        result r = swept("patch", more, NULL);
        CHECK(r.st != 0 && strstr(r.says, "another request"));
    }
}

static bool count(void *user, const char *what, double done)
{
    (void)what, (void)done;
    ++*(int *)user;
    return true;
}

TEST("a shard that is none is refused before anything is run")
{
    static const char *const bad[][2] = {
        { "\"shard\":\"0/4\",\"resume\":\"x\"", "'0/4'" },
        { "\"shard\":\"5/4\",\"resume\":\"x\"", "'5/4'" },
        { "\"shard\":\"1\",\"resume\":\"x\"", "expected i/n" },
        { "\"shard\":\"1/4\"", "needs a journal" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mt_error err = { 0 };
        mt_report *r = NULL;
        char request[1000];
        int n = 0;
        snprintf(request, sizeof request, "{" SWEEP ",%s}", bad[i][0]);
        CHECK(mt_run(&r, "patch", request, count, &n, &err) == MT_USAGE);
        CHECK(strstr(err.message, bad[i][1]) && n == 0);
        mt_report_free(r);
    }
}

TEST(
    "shards are merged to the hash of one process; a missing and a dead one are named and finished")
{
    char file[1200], part[1300], name[20], shard[20];
    for (int n = 1; n <= 4; n++) {
        snprintf(name, sizeof name, "sweep%d", n);
        path_in(file, name);
        for (int i = 1; i <= n; i++) {
            if (n == 4 && i == 3) continue;
            snprintf(shard, sizeof shard, "%d/%d", i, n);
            CHECK(resumed(file, shard).st == 0);
        }
        if (n < 4) {
            result r = merged(file, false);
            CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()));
        }
    }
    str all = { 0 };
    snprintf(part, sizeof part, "%s.2-of-4", file);
    REQUIRE(file_read(&all, part, 1 << 20, NULL) == E_OK);
    REQUIRE(truncate(part, (off_t)all.n - 40) == 0);
    str_release(&all);
    result r = merged(file, false);
    CHECK(r.st != 0 && strstr(r.says, "shard 2/4") && strstr(r.says, "shard 3/4 has 0 of"));
    snprintf(part, sizeof part, "%s.3-of-4", file);
    REQUIRE(file_write(part, "MTJO", 4, NULL) == E_OK); /* killed as it was begun */
    r = merged(file, false);
    CHECK(r.st != 0 && strstr(r.says, "shard 3/4 has 0 of"));
    r = resumed(file, NULL);
    CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()) && strstr(r.says, "Shard 2/4 stopped"));
    unlink(file);
    r = merged(file, true);
    CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()));
    CHECK(resumed(file, "5/4").st != 0 && strstr(resumed(file, "mpi").says, "no rank"));
}

/* ---- other machines, as far as one machine has them ---- */

static bool shell_does(const char *line)
{
    int st = system(line);
    return WIFEXITED(st) && WEXITSTATUS(st) == 0;
}

TEST("four ranks under mpirun are merged to the hash of one process")
{
    char file[1200], line[5000];
    if (!test_program()) SKIP("microtome was not built beside the tests");
    if (!shell_does("command -v mpirun >/dev/null 2>&1")) SKIP("there is no mpirun");
    path_in(file, "mpi");
    snprintf(
        line, sizeof line,
        "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
        "OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe "
        "OMPI_MCA_plm_rsh_agent=/bin/false timeout 60 mpirun -n 4 '%s' " FLAGS
        " --threads 1 --resume '%s' --shard mpi >'%s.said' 2>&1 </dev/null",
        test_program(), file, file);
    if (!shell_does(line)) {
        snprintf(line, sizeof line, "tail -5 '%s.said'", file);
        bool shown = shell_does(line), mpirun_failed = true;
        CHECK(shown && !mpirun_failed);
        return;
    }
    result r = merged(file, false);
    CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()));
}

TEST("two processes that share no network are merged to the hash of one")
{
    char file[1200], line[5000];
    if (!test_program()) SKIP("microtome was not built beside the tests");
    if (!shell_does("unshare -n true 2>/dev/null")) SKIP("network namespaces are forbidden");
    path_in(file, "net");
    snprintf(line, sizeof line,
             "unshare -n '%s' " FLAGS " --resume '%s' --shard 1/2 >/dev/null & "
             "unshare -n '%s' " FLAGS " --resume '%s' --shard 2/2 >/dev/null && wait $!",
             test_program(), file, test_program(), file);
    CHECK(shell_does(line));
    result r = merged(file, false);
    CHECK(r.st == 0 && !strcmp(r.hash, whole_hash()));
}
/* SPDX-License-Identifier: MIT */
