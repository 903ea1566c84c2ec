/* main -- the command: microtome INSTRUMENT [SUBJECT] [--parameter value ...] [output flags].
 *
 * Flags are made from what instruments say of themselves (mt_describe); nothing here knows any of them.  Exit status:
 * 0 well, 1 something failed or did not hold, 2 the command line was wrong. */
#include "include/microtome.h"
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct outputs {
    const char *json, *csv, *html, *out, *against; /* "-": standard output */
    double tol;
    bool quiet;
} outputs;

/* ---- saying ---- */

static int complain(const mt_error *e)
{
    fprintf(stderr, "microtome: %s\n", e->message);
    if (*e->hint) fprintf(stderr, "  %s\n", e->hint);
    return e->code == MT_USAGE ? 2 : 1;
}

static int misused(const char *what, const char *arg, const char *hint)
{
    fprintf(stderr, "microtome: %s%s%s\n  %s\n", what, *arg ? " " : "", arg, hint);
    return 2;
}

/* Is all that was printed out?  A reader that went away (head) needs no message. */
static int flush_out(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    if (errno && errno != EPIPE)
        fprintf(stderr, "microtome: standard output cannot be written: %s\n", strerror(errno));
    return 1;
}

static int terminal_width(void)
{
    struct winsize w;
    const char *columns = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
        return w.ws_col;
    long n = columns ? strtol(columns, NULL, 10) : 0;
    return n > 0 && n < INT_MAX ? (int)n : 100;
}

static bool coloured(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

/* ---- progress and Ctrl-C ---- */

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    if (stopped++) _exit(130); /* asked twice: now */
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct progress {
    double start, shown;
    bool line, quiet;
} progress;

static bool tell(void *user, const char *what, double done)
{
    progress *p = user;
    double passed = now() - p->start, tty = isatty(STDERR_FILENO) != 0;
    if (stopped) return false;
    if (p->quiet || passed < 1 || now() - p->shown < (tty > 0 ? 0.2 : 10)) return true;
    p->shown = now();
    double left = done > 0 ? passed / done - passed : 0;
    if (done < 0.01) /* too early for a time */
        fprintf(stderr, tty > 0 ? "\r\033[K%s   0 %%" : "%s 0 %%\n", what);
    else
        fprintf(stderr, tty > 0 ? "\r\033[K%s %3.0f %%  %.0f s left" : "%s %.0f %%, %.0f s left\n",
                what, 100 * done, left);
    p->line = tty > 0;
    return true;
}

/* ---- help ---- */

static const json_t *find(const json_t *all, const char *name)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *x = json_array_get(all, i);
        if (!strcmp(json_string_value(json_object_get(x, "name")), name)) return x;
    }
    return NULL;
}

static const char *text_of(const json_t *v, const char *key)
{
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

static const char OUTPUT_HELP[] =
    "Output\n"
    "  --json [FILE]        the report as JSON\n"
    "  --csv [FILE]         its tables and tensors as CSV\n"
    "  --html FILE          a page that needs nothing else\n"
    "  --out FILE           its tensors: .safetensors or .npz\n"
    "  --against FILE       compare its tensors with a file's; exit 1 when one is off\n"
    "  --tol X              how far off, as a share of the largest entry (1e-5)\n"
    "  --quiet              no table, no progress\n";

static void help_all(const json_t *all)
{
    printf("microtome %s: look inside a transformer, change it, see what that changes\n\nusage: "
           "microtome INSTRUMENT SUBJECT [--parameter value ...]\n\n",
           MT_VERSION);
    for (size_t i = 0; i < json_array_size(all); i++)
        printf("  %-9s  %s\n", text_of(json_array_get(all, i), "name"),
               text_of(json_array_get(all, i), "says"));
    printf("\nmicrotome help INSTRUMENT shows its parameters.  demo:induction is a model that is "
           "always there:\n\n"
           "  microtome run demo:induction --prompt \"the cat sat on the mat and the cat\"\n");
}

/* A parameter's name as people write it: no_fuse is --no-fuse. */
static void as_flag(char *name)
{
    for (char *c = name; *c; c++) *c = *c == '_' ? '-' : *c;
}

/* Print behind what stands there already, words going on at the same column in the next line. */
static void print_wrapped(const char *text, int column, int width)
{
    enum { LEAST = 30 }; /* letters beside each other, however narrow the terminal */
    if (width < column + LEAST) width = column + LEAST;
    for (int at = column; *text;) {
        int space = (int)strspn(text, " "), n = (int)strcspn(text + space, " ");
        if (at > column && at + space + n > width) {
            printf("\n%*s", column, "");
            text += space, space = 0, at = column;
        }
        printf("%.*s", space + n, text);
        text += space + n, at += space + n;
    }
}

/* "[10; 1 to 50]", "[head; some of head, mlp]": a parameter's default, and what else it may be. */
static void help_values(const json_t *p, FILE *to)
{
    const json_t *words = json_object_get(p, "some_of"), *most = json_object_get(p, "most");
    double least = json_number_value(json_object_get(p, "least")), top = json_number_value(most);
    bool bounds = (most && top < 1e9) || least != 0; /* "0 or more" needs not be said */
    const char *given = text_of(p, "default");
    if (!*given && !words && !bounds) return;
    fprintf(to, " [%s%s", given, *given && (words || bounds) ? "; " : "");
    for (size_t i = 0; i < json_array_size(words); i++)
        fprintf(to, "%s%s", i ? ", " : "some of ", json_string_value(json_array_get(words, i)));
    if (bounds && most) fprintf(to, "%.9g to %.9g", least, top);
    else if (bounds) fprintf(to, "%.9g or more", least);
    fprintf(to, "]");
}

/* What it says and may be, in lines as wide as the terminal. */
static void help_says(const json_t *p, int column)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    if (!to) return;
    fprintf(to, "%s", text_of(p, "says"));
    help_values(p, to);
    if (fclose(to) == 0) print_wrapped(text, column, terminal_width());
    free(text);
}

static void help_one(const json_t *d)
{
    const json_t *params = json_object_get(d, "params");
    printf("%s\n\nusage: microtome %s %s [--parameter value ...]\n\nParameters\n",
           text_of(d, "says"), text_of(d, "name"), text_of(d, "subject"));
    for (size_t i = 0; i < json_array_size(params); i++) {
        const json_t *p = json_array_get(params, i);
        char flag[80];
        const char *kind = text_of(p, "kind");
        if (!strcmp(text_of(p, "name"), text_of(d, "positional"))) continue;
        snprintf(flag, sizeof flag, "--%s%s", text_of(p, "name"),
                 !strcmp(kind, "flag")   ? ""
                 : !strcmp(kind, "int")  ? " N"
                 : !strcmp(kind, "real") ? " X"
                                         : " TEXT");
        as_flag(flag);
        int column = printf("  %-20s ", flag);
        help_says(p, column);
        printf("\n");
    }
    printf("\n%s", OUTPUT_HELP);
}

/* ---- the command line ---- */

static const json_t *param_of(const json_t *d, const char *flag)
{
    const json_t *params = json_object_get(d, "params");
    char name[80];
    snprintf(name, sizeof name, "%s", flag);
    for (char *c = name; *c; c++) *c = *c == '-' ? '_' : *c;
    return find(params, name);
}

/* Put a value of a parameter into the request. */
static int put(json_t *request, const json_t *p, const char *value)
{
    const char *name = text_of(p, "name"), *kind = text_of(p, "kind");
    char *end = NULL, flag[90];
    json_t *v = NULL;
    snprintf(flag, sizeof flag, "--%s", name);
    errno = 0;
    if (!strcmp(kind, "text")) v = json_string(value);
    else if (!strcmp(kind, "int")) v = json_integer(strtoll(value, &end, 10));
    else if (!strcmp(kind, "real")) v = json_real(strtod(value, &end));
    else {
        json_t *list = json_object_get(request, name);
        if (!list) json_object_set_new(request, name, list = json_array());
        v = json_string(value);
        if (v) return json_array_append_new(list, v) ? 1 : 0;
    }
    if (!v && !strcmp(kind, "real")) return misused(flag, value, "expected a finite number");
    if (!v) return misused(flag, "is not UTF-8", "write the text in UTF-8");
    if (end && (*end || end == value || errno == ERANGE)) {
        json_decref(v);
        return misused(flag, value,
                       errno == ERANGE ? "the number is out of range"
                       : *kind == 'i'  ? "expected a whole number"
                                       : "expected a number");
    }
    if (json_object_get(request, name)) {
        json_decref(v);
        return misused(flag, "is given twice", "one value is taken");
    }
    json_object_set_new(request, name, v);
    return 0;
}

/* One of the output flags; how many arguments it took, 0: it is none, -1: wrong. */
static int output_flag(outputs *o, const char *flag, const char *next, bool own_against,
                       bool own_tol)
{
    bool has = next && (*next != '-' || !next[1]);
    if (!strcmp(flag, "json") || !strcmp(flag, "csv")) {
        if (next && !*next) return -1; /* --json= */
        *(*flag == 'j' ? &o->json : &o->csv) = has ? next : "-";
        return has ? 2 : 1;
    }
    if (!strcmp(flag, "quiet")) return o->quiet = true, 1;
    const char **to = !strcmp(flag, "html")                      ? &o->html
                      : !strcmp(flag, "out")                     ? &o->out
                      : !strcmp(flag, "against") && !own_against ? &o->against
                                                                 : NULL;
    if (to && next && !strncmp(next, "--", 2)) return -1; /* the next flag is no file */
    if (to) *to = next;
    else if (!strcmp(flag, "tol") && !own_tol) {
        char *end = NULL;
        o->tol = next ? strtod(next, &end) : 0;
        if (next && (end == next || *end || !(o->tol > 0) || isinf(o->tol))) o->tol = NAN;
    } else return 0;
    return next ? 2 : -1;
}

static const char *nearest_flag(const json_t *d, const char *flag)
{
    const json_t *params = json_object_get(d, "params");
    for (size_t n = strlen(flag); n >= 2; n--)
        for (size_t i = 0; i < json_array_size(params); i++)
            if (!strncmp(text_of(json_array_get(params, i), "name"), flag, n))
                return text_of(json_array_get(params, i), "name");
    return NULL;
}

static int unknown_flag(const json_t *d, const char *flag)
{
    char hint[160];
    const char *near = nearest_flag(d, flag);
    if (near)
        snprintf(hint, sizeof hint, "did you mean --%s? 'microtome help %s' lists them", near,
                 text_of(d, "name")),
            as_flag(hint);
    else
        snprintf(hint, sizeof hint, "'microtome help %s' lists its parameters", text_of(d, "name"));
    return misused("there is no flag", flag - 2, hint);
}

/* --no-bos, and --bos with nothing behind it that can be its value: what is no flag is one, unless it is the subject. */
static bool is_bos_switch(const json_t *request, const json_t *d, const char *flag,
                          const char *next)
{
    if (!strcmp(flag, "no-bos")) return true;
    if (strcmp(flag, "bos") != 0) return false;
    if (!next || !strncmp(next, "--", 2)) return true;
    bool word = !strcmp(next, "yes") || !strcmp(next, "no") || !strcmp(next, "auto");
    return !word && !json_object_get(request, text_of(d, "positional"));
}

/* A flag of the instrument's: how many arguments it took, or minus the exit status. */
static int parameter(json_t *request, const json_t *d, const char *flag, const char *next)
{
    if (param_of(d, "bos") && is_bos_switch(request, d, flag, next))
        return json_object_set_new(request, "bos", json_string(*flag == 'n' ? "no" : "yes")) ? -1
                                                                                             : 1;
    const json_t *p = param_of(d, flag);
    if (!p) return -unknown_flag(d, flag);
    if (!strcmp(text_of(p, "kind"), "flag"))
        return json_object_set_new(request, text_of(p, "name"), json_true()) ? -1 : 1;
    if (!next)
        return -misused("a value is missing after", flag - 2,
                        "every parameter but a switch takes one");
    int bad = put(request, p, next);
    return bad ? -bad : 2;
}

/* before: the argument in front of it, or NULL. */
static int one_too_many(const json_t *request, const json_t *d, const char *arg, const char *before)
{
    char hint[200];
    const char *what = text_of(d, "subject"),
               *has = json_string_value(json_object_get(request, text_of(d, "positional")));
    if (has)
        snprintf(hint, sizeof hint, "its %s is '%.80s' already; parameters begin with --", what,
                 has);
    if (before && !strncmp(before, "--", 2) && !strchr(before, '='))
        snprintf(hint, sizeof hint, "%.80s is a switch and takes no value", before), has = "";
    return misused("one argument too many:", arg, has ? hint : "parameters begin with --");
}

static int parse(const json_t *d, int argc, char **argv, json_t *request, outputs *o)
{
    const char *subject = text_of(d, "positional");
    bool own_against = param_of(d, "against") != NULL, own_tol = param_of(d, "tol") != NULL;
    for (int i = 2; i < argc;) {
        const char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(arg, "-n")) arg = "--n";
        if (strncmp(arg, "--", 2)) {
            const json_t *p = param_of(d, subject);
            if (!p || json_object_get(request, subject))
                return one_too_many(request, d, arg, i > 2 ? argv[i - 1] : NULL);
            int bad = put(request, p, arg);
            if (bad) return bad;
            i++;
            continue;
        }
        char name[80];
        const char *equals = strchr(arg, '=');
        if (equals) { /* --name=value */
            snprintf(name, sizeof name, "%.*s", (int)(equals - arg > 79 ? 79 : equals - arg), arg);
            arg = name, next = equals + 1;
        }
        int took = output_flag(o, arg + 2, next, own_against, own_tol);
        if (took < 0) return misused("a value is missing after", arg, "it takes one");
        if (isnan(o->tol)) return misused("--tol", next, "expected a number above 0");
        if (!took) took = parameter(request, d, arg + 2, next);
        if (took < 0) return -took;
        if (equals && took == 1) return misused(arg, "is a switch", "it takes no value");
        i += equals ? 1 : took;
    }
    return 0;
}

/* ---- output ---- */

static bool same_file(const struct stat *s, const char *path)
{
    struct stat t;
    return stat(path, &t) == 0 && s->st_dev == t.st_dev && s->st_ino == t.st_ino;
}

/* Is it a file that a model's directory is made of, and that directory's? */
static bool of_model(const char *out, const char *dir)
{
    static const char *const parts[] = { "model",     "pytorch_model", "adapter", "config",
                                         "tokenizer", "generation_",   "vocab",   "merges",
                                         "special_",  "added_tokens",  "chat_" };
    const char *slash = strrchr(out, '/'), *name = slash ? slash + 1 : out;
    char own[4096];
    struct stat s;
    snprintf(own, sizeof own, "%.*s", (int)(slash ? slash - out + 1 : 1), slash ? out : ".");
    if (stat(dir, &s) || !S_ISDIR(s.st_mode) || !same_file(&s, own)) return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strncmp(name, parts[i], strlen(parts[i]))) return true;
    return false;
}

/* Does a value name the file that would be written?  Also FILE:KEY among the words of a sum or an edit; a prompt's words
 * are no files. */
static bool names_file(const char *out, const struct stat *s, const char *text)
{
    char word[4096];
    if (same_file(s, text) || of_model(out, text)) return true;
    for (const char *at = text; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, at);
        at += n;
        char *colon = strrchr(word, ':');
        if (!colon) continue;
        *colon = 0;
        if (same_file(s, word)) return true;
    }
    return false;
}

/* What is read is not to be written over. */
static int check_not_read(const char *flag, const char *path, const json_t *request)
{
    struct stat s;
    const char *name;
    json_t *v, *one;
    size_t i;
    if (!path || !strcmp(path, "-") || stat(path, &s) || !S_ISREG(s.st_mode)) return 0;
    json_object_foreach((json_t *)request, name, v)
    {
        bool list = json_is_array(v),
             read = json_is_string(v) && names_file(path, &s, json_string_value(v));
        json_array_foreach(list ? v : NULL, i, one) read |=
            json_is_string(one) && names_file(path, &s, json_string_value(one));
        if (!read) continue;
        fprintf(stderr,
                "microtome: %s %s: is read as the %s, and would be lost\n  name another file\n",
                flag, path, name);
        return 2;
    }
    return 0;
}

/* Can a file be written there?  Asked before the work is done, not after. */
static int check_file(const char *flag, const char *path)
{
    char dir[4096];
    struct stat s;
    if (!path || !strcmp(path, "-")) return 0;
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", (int)(slash ? slash - path + 1 : 1), slash ? path : ".");
    bool there = stat(path, &s) == 0, is_dir = there && S_ISDIR(s.st_mode);
    if (!is_dir && access(dir, W_OK) == 0 && (!there || access(path, W_OK) == 0)) return 0;
    if (is_dir) errno = EISDIR;
    fprintf(stderr, "microtome: %s %s: cannot be written: %s\n", flag, path, strerror(errno));
    return 1;
}

static int check_outputs(const outputs *o, const json_t *request)
{
    const char *const flag[] = { "--json", "--csv", "--html", "--out" };
    const char *const path[] = { o->json, o->csv, o->html, o->out };
    for (int i = 0; i < 4; i++)
        for (int k = i + 1; k < 4; k++)
            if (path[i] && path[k] && !strcmp(path[i], path[k]))
                return misused(flag[k], strcmp(path[i], "-") ? path[i] : "standard output",
                               "another output goes there already");
    for (int i = 0; i < 4; i++)
        if (check_not_read(flag[i], path[i], request)) return 2;
        else if (check_file(flag[i], path[i])) return 1;
    if (o->tol > 0 && !o->against)
        return misused("--tol", "says nothing", "beside --against FILE it does");
    if (!o->against || access(o->against, R_OK) == 0) return 0;
    fprintf(stderr, "microtome: --against %s: cannot be read: %s\n", o->against, strerror(errno));
    return 1;
}

static int write_form(const mt_report *r, const char *form, const char *path)
{
    mt_error err = { 0 };
    char *text =
        mt_report_render(r, form, terminal_width(), !strcmp(form, "text") && coloured(), &err);
    if (!text) return complain(&err);
    int bad = 0;
    if (strcmp(path, "-")) bad = mt_write_file(path, text, &err) ? complain(&err) : 0;
    else {
        fputs(text, stdout);
        bad = flush_out();
    }
    mt_text_free(text);
    return bad;
}

static int write_all(const mt_report *r, const outputs *o)
{
    mt_error err = { 0 };
    bool stdout_taken = (o->json && !strcmp(o->json, "-")) || (o->csv && !strcmp(o->csv, "-")) ||
                        (o->html && !strcmp(o->html, "-"));
    int bad = 0, n_wrong = 0;
    if (!o->quiet && !stdout_taken) bad |= write_form(r, "text", "-");
    if (o->json) bad |= write_form(r, "json", o->json);
    if (o->csv) bad |= write_form(r, "csv", o->csv);
    if (o->html) bad |= write_form(r, "html", o->html);
    if (o->out && mt_report_write_tensors(r, o->out, &err)) bad |= complain(&err);
    if (o->against) {
        char *text = mt_report_against(r, o->against, o->tol, &n_wrong, &err);
        if (!text) return complain(&err);
        fputs(text, stdout_taken ? stderr : stdout);
        mt_text_free(text);
    }
    if (flush_out()) bad = 1;
    return bad || n_wrong ? 1 : 0;
}

/* What json_dumps made, by the functions it was made with. */
static void text_free(char *text)
{
    json_malloc_t take;
    json_free_t give;
    json_get_alloc_funcs(&take, &give);
    give(text);
}

static int run(const json_t *d, const json_t *request, const outputs *o)
{
    mt_report *r = NULL;
    mt_error err = { 0 };
    progress p = { .start = now(), .quiet = o->quiet };
    char *text = json_dumps(request, JSON_COMPACT);
    if (!text) return 1;
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of its write */
    mt_status st = mt_run(&r, text_of(d, "name"), text, tell, &p, &err);
    text_free(text);
    if (p.line) fputs("\r\033[K", stderr);
    if (st && st != MT_INTERRUPTED) return complain(&err);
    if (st && stopped)
        fprintf(stderr, "microtome: stopped; what is done follows, the rest marked incomplete\n");
    else if (st)
        fprintf(stderr, "microtome: the time given is over; what is done follows, the rest marked "
                        "incomplete\n");
    int bad = write_all(r, o);
    if (mt_report_failed(r)) bad = 1;
    mt_report_free(r);
    return !st ? bad : stopped ? 130 : 3;
}

static int no_instrument(const json_t *all, const char *name)
{
    char hint[200] = "'microtome help' lists them";
    for (size_t n = strlen(name); n >= 1; n--)
        for (size_t i = 0; i < json_array_size(all); i++)
            if (!strncmp(text_of(json_array_get(all, i), "name"), name, n)) {
                snprintf(hint, sizeof hint, "did you mean '%s'?",
                         text_of(json_array_get(all, i), "name"));
                return misused("there is no instrument", name, hint);
            }
    return misused("there is no instrument", name, hint);
}

/* Known before the work is done, not after. */
static bool tensor_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (!strcmp(dot, ".safetensors") || !strcmp(dot, ".npz"));
}

static int command(int argc, char **argv, const json_t *all)
{
    if (argc < 2) return help_all(all), 2;
    const json_t *d = find(all, argv[1]), *about = argc > 2 ? find(all, argv[2]) : NULL;
    if (!strcmp(argv[1], "--version")) return printf("microtome %s\n", MT_VERSION) < 0;
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        if (argc > 2 && !about) return no_instrument(all, argv[2]);
        return about ? help_one(about) : help_all(all), 0;
    }
    if (!d) return no_instrument(all, argv[1]);
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return help_one(d), 0;
    outputs o = { 0 };
    json_t *request = json_object();
    int bad = parse(d, argc, argv, request, &o);
    if (!bad && o.out && !tensor_file(o.out))
        bad = misused("tensors are not written as", o.out,
                      "give the file the ending .safetensors or .npz");
    if (!bad) bad = check_outputs(&o, request);
    if (!bad) bad = run(d, request, &o);
    json_decref(request);
    return bad;
}

int main(int argc, char **argv)
{
    char *text = mt_describe();
    json_t *all = text ? json_loads(text, 0, NULL) : NULL;
    if (!all) return fprintf(stderr, "microtome: out of memory\n"), 1;
    int status = command(argc, argv, all), lost = flush_out();
    json_decref(all);
    mt_text_free(text);
    return status ? status : lost;
}
/* SPDX-License-Identifier: MIT */
