/* pretokenize -- cutting a text into the words that the model sees: a table of steps, each given the pieces of the
 * one before.  The last step's pieces go to the model.
 *
 * A step finds matches (of an expression, a text, a class of characters) and says what becomes of them; two
 * steps also put a space, or its mark, before a piece. */
#include "token/chars.h"
#include "token/pipeline.h"
#include <string.h>

/* What becomes of a match: dropped; a piece of its own; joined to the piece before or after it; matches that
 * touch are one piece, as are the stretches between. */
enum { REMOVED, ISOLATED, WITH_PREVIOUS, WITH_NEXT, CONTIGUOUS };
static const char *const behaviours[] = { "Removed", "Isolated", "MergedWithPrevious",
                                          "MergedWithNext", "Contiguous" };

enum { INVERT }; /* step.flag: matches are what lies between */
enum { NEVER, FIRST, ALWAYS };

typedef struct pre_def {
    const char *type;
    status (*read)(tokenizer *t, const json_t *v, const char *path, error *err);
} pre_def;

static status nomem(error *err) { return error_set(err, E_NOMEM, "tokenizer: out of memory"); }

/* ---- cutting ---- */

static status emit(encoder *e, int level, const piece *p, size_t first, size_t end, error *err)
{
    piece part = piece_part(p, first, end);
    return first < end ? pretokenize_run(e, level + 1, &part, err) : E_OK;
}

static size_t past(const piece *p, size_t at)
{
    for (at++; at < p->n && ((unsigned char)p->p[at] & 0xc0) == 0x80;) at++;
    return at;
}

/* A match is a piece, or is dropped; so is what lies between.  An empty match cuts, and the search goes on a
 * character later. */
static status cut(const step *s, encoder *e, int level, const piece *p, error *err)
{
    bool keep_match = s->how == ISOLATED || s->flag[INVERT],
         keep_rest = s->how == ISOLATED || !s->flag[INVERT], found = true;
    status st = E_OK;
    for (size_t done = 0, look = 0, first, end; st == E_OK && done < p->n; done = end) {
        st = pattern_next(s->pattern, &e->room, p->p, p->n, look, &found, &first, &end, err);
        if (!found) first = end = p->n;
        if (st == E_OK && keep_rest) st = emit(e, level, p, done, first, err);
        if (st == E_OK && keep_match) st = emit(e, level, p, first, end, err);
        look = end > first ? end : past(p, end);
    }
    return st;
}

/* A scanner leaves no gap: matches are all there is. */
static status cut_scanned(scan_fn *scan, encoder *e, int level, const piece *p, error *err)
{
    status st = E_OK;
    for (size_t at = 0, end; st == E_OK && at < p->n; at = end) {
        end = scan(p->p, p->n, at);
        st = emit(e, level, p, at, end, err);
    }
    return st;
}

typedef struct segment {
    size_t first, end;
    bool match;
} segment;

/* The whole piece as segments, in order, empty ones too. */
static status segments(const step *s, encoder *e, const piece *p, segment *list, int64_t *n,
                       error *err)
{
    bool found = true;
    *n = 0;
    for (size_t done = 0, look = 0, first, end; done < p->n; done = end) {
        status st = pattern_next(s->pattern, &e->room, p->p, p->n, look, &found, &first, &end, err);
        if (st != E_OK) return st;
        if (!found) first = end = p->n;
        if (first > done) list[(*n)++] = (segment){ done, first, s->flag[INVERT] };
        if (end > first) list[(*n)++] = (segment){ first, end, !s->flag[INVERT] };
        look = end > first ? end : past(p, end);
    }
    return E_OK;
}

/* Join segments in place as the step says; how many remain. */
static int64_t join(segment *list, int64_t n, int how)
{
    int64_t kept = 0;
    bool before = false;
    for (int64_t i = 0; i < n; i++) {
        segment x = list[i];
        bool touch = how == CONTIGUOUS ? x.match == before : x.match && !before;
        if (touch && kept) list[kept - 1].end = x.end;
        else list[kept++] = x;
        before = x.match;
    }
    return kept;
}

/* The same from the end on: a match goes to the piece after it. */
static int64_t join_next(segment *list, int64_t n)
{
    int64_t at = n;
    bool after = false;
    for (int64_t i = n - 1; i >= 0; i--) {
        segment x = list[i];
        if (x.match && !after && at < n) list[at].first = x.first;
        else list[--at] = x;
        after = x.match;
    }
    memmove(list, list + at, (size_t)(n - at) * sizeof *list);
    return n - at;
}

static status cut_joined(const step *s, encoder *e, int level, const piece *p, error *err)
{
    int64_t n;
    segment *list = arena_get(e->mem, (2 * p->n + 2) * sizeof *list);
    if (!list) return nomem(err);
    status st = segments(s, e, p, list, &n, err);
    if (st == E_OK) n = s->how == WITH_NEXT ? join_next(list, n) : join(list, n, s->how);
    for (int64_t i = 0; st == E_OK && i < n; i++)
        st = emit(e, level, p, list[i].first, list[i].end, err);
    return st;
}

static status run_split(const step *s, encoder *e, int level, const piece *p, error *err)
{
    scan_fn *scan = s->how == ISOLATED ? pattern_scanner(s->pattern) : NULL;
    if (scan) return cut_scanned(scan, e, level, p, err);
    if (s->how <= ISOLATED) return cut(s, e, level, p, err);
    arena_mark here = arena_here(e->mem);
    status st = cut_joined(s, e, level, p, err);
    if (st == E_OK) arena_rewind(e->mem, here);
    return st;
}

/* ---- spaces before pieces ---- */

static bool begins(const piece *p, const step *s)
{
    return p->n >= s->n && !memcmp(p->p, s->text, s->n);
}

/* s->text before a piece that does not begin with it; it belongs to the piece's first character. */
static status run_prefix(const step *s, encoder *e, int level, const piece *p, error *err)
{
    aligned *to = &e->pre[level];
    bool wanted = !begins(p, s) && (s->how == ALWAYS || piece_source(p, 0).first == 0);
    rewrite r = { p, to, 0 };
    if (!wanted) return pretokenize_run(e, level + 1, p, err);
    aligned_clear(to);
    aligned_put(to, s->text, s->n, piece_source(p, 0));
    while (r.read < p->n) rewrite_keep(&r);
    piece made = aligned_piece(to);
    return to->failed ? nomem(err) : pretokenize_run(e, level + 1, &made, err);
}

/* Spaces become s->text. */
static status run_mark(const step *s, encoder *e, int level, const piece *p, error *err)
{
    aligned *to = &e->pre[level];
    rewrite r = { p, to, 0 };
    aligned_clear(to);
    while (r.read < p->n) {
        if (p->p[r.read] != ' ') {
            rewrite_keep(&r);
            continue;
        }
        aligned_put(to, s->text, s->n, piece_source(p, r.read));
        rewrite_drop(&r);
    }
    piece made = aligned_piece(to);
    return to->failed ? nomem(err) : pretokenize_run(e, level + 1, &made, err);
}

/* ---- reading ---- */

static step *add(tokenizer *t, pre_run *run, const char *path, error *err)
{
    step *s = step_new(&pipe_of(t)->pre, path, err);
    if (s) s->run = run;
    return s;
}

static status add_pattern(tokenizer *t, pattern *x, int how, bool invert, const char *path,
                          error *err)
{
    step *s = x ? add(t, run_split, path, err) : NULL;
    if (!x) return no_memory(err, path);
    if (!s) {
        pattern_free(x);
        return E_LIMIT;
    }
    s->pattern = x, s->how = how, s->flag[INVERT] = invert;
    return E_OK;
}

static status add_regex(tokenizer *t, const char *re, int how, bool invert, const char *path,
                        error *err)
{
    pattern *x;
    status st = pattern_regex(&x, re, path, err);
    return st == E_OK ? add_pattern(t, x, how, invert, path, err) : st;
}

static status add_class(tokenizer *t, bool (*is)(uint32_t), int how, const char *path, error *err)
{
    return add_pattern(t, pattern_class(is), how, false, path, err);
}

static status add_text(tokenizer *t, pre_run *run, const char *text, int how, const char *path,
                       error *err)
{
    step *s = add(t, run, path, err);
    if (!s) return E_LIMIT;
    s->text = arena_string(&t->mem, text), s->n = strlen(text), s->how = how;
    return s->text ? E_OK : no_memory(err, path);
}

static status read_how(const json_t *v, int otherwise, int *how, const char *path, error *err)
{
    const char *name = json_string_value(json_object_get(v, "behavior"));
    *how = otherwise;
    for (int i = 0; name && i < 5; i++)
        if (!strcmp(name, behaviours[i])) {
            *how = i;
            return E_OK;
        }
    return name ? error_set(err, E_FORMAT, "%s: a pre_tokenizer's behavior is '%.40s'", path, name)
                : E_OK;
}

static status read_byte_level(tokenizer *t, const json_t *v, const char *path, error *err)
{
    bool space = true, regex = true;
    status st = json_flag(v, "add_prefix_space", true, &space, err);
    if (st == E_OK) st = json_flag(v, "use_regex", true, &regex, err);
    if (st == E_OK && space) st = add_text(t, run_prefix, " ", ALWAYS, path, err);
    if (st == E_OK && regex) st = add_regex(t, PATTERN_GPT2, ISOLATED, false, path, err);
    pipe_of(t)->bytes = true;
    return st;
}

static status read_split(tokenizer *t, const json_t *v, const char *path, error *err)
{
    int how;
    bool invert = false;
    const json_t *match = json_object_get(v, "pattern");
    const char *re = json_string_value(json_object_get(match, "Regex")),
               *text = json_string_value(json_object_get(match, "String"));
    status st = read_how(v, ISOLATED, &how, path, err);
    if (st == E_OK) st = json_flag(v, "invert", false, &invert, err);
    if (st != E_OK) return st;
    if (!re && !text) return error_set(err, E_FORMAT, "%s: Split has no pattern", path);
    if (re) return add_regex(t, re, how, invert, path, err);
    return add_pattern(t, pattern_text(text, strlen(text)), how, invert, path, err);
}

static status read_metaspace(tokenizer *t, const json_t *v, const char *path, error *err)
{
    static const char *const schemes[] = { "never", "first", "always" };
    const char *mark = json_string_value(json_object_get(v, "replacement")),
               *scheme = json_string_value(json_object_get(v, "prepend_scheme"));
    bool split = true, prefix = true;
    int how = ALWAYS;
    status st = json_flag(v, "split", true, &split, err);
    if (st == E_OK) st = json_flag(v, "add_prefix_space", true, &prefix, err); /* as it was once */
    if (st != E_OK) return st;
    if (!mark) mark = "\xe2\x96\x81";
    if (!scheme && !prefix) how = NEVER;
    for (int i = 0; scheme && i < 3; i++)
        if (!strcmp(scheme, schemes[i])) how = i;
    st = add_text(t, run_mark, mark, 0, path, err);
    if (st == E_OK && how != NEVER) st = add_text(t, run_prefix, mark, how, path, err);
    if (st != E_OK || !split) return st;
    return add_pattern(t, pattern_text(mark, strlen(mark)), WITH_NEXT, false, path, err);
}

static status read_bert(tokenizer *t, const json_t *v, const char *path, error *err)
{
    (void)v;
    status st = add_class(t, char_is_space, REMOVED, path, err);
    return st == E_OK ? add_class(t, char_is_punctuation, ISOLATED, path, err) : st;
}

static status read_whitespace(tokenizer *t, const json_t *v, const char *path, error *err)
{
    (void)v;
    status st = add_class(t, char_is_space, REMOVED, path, err);
    return st == E_OK ? add_class(t, char_is_word, CONTIGUOUS, path, err) : st;
}

static status read_whitespace_split(tokenizer *t, const json_t *v, const char *path, error *err)
{
    (void)v;
    return add_class(t, char_is_space, REMOVED, path, err);
}

static status read_punctuation(tokenizer *t, const json_t *v, const char *path, error *err)
{
    int how;
    status st = read_how(v, ISOLATED, &how, path, err);
    return st == E_OK ? add_class(t, char_is_punctuation, how, path, err) : st;
}

static status read_digits(tokenizer *t, const json_t *v, const char *path, error *err)
{
    bool each = false;
    status st = json_flag(v, "individual_digits", false, &each, err);
    return st == E_OK ? add_class(t, char_is_number, each ? ISOLATED : CONTIGUOUS, path, err) : st;
}

static status read_sequence(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(v, "pretokenizers"), i, one)
    {
        if (pipe_of(t)->bytes) return refuse(err, path, "a pre_tokenizer step after ByteLevel");
        status st = pretokenize_read(t, one, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static const pre_def defs[] = {
    { "ByteLevel", read_byte_level },    { "Split", read_split },
    { "Metaspace", read_metaspace },     { "BertPreTokenizer", read_bert },
    { "Whitespace", read_whitespace },   { "WhitespaceSplit", read_whitespace_split },
    { "Punctuation", read_punctuation }, { "Digits", read_digits },
    { "Sequence", read_sequence },
};

status pretokenize_read(tokenizer *t, const json_t *v, const char *path, error *err)
{
    if (!v || json_is_null(v)) return E_OK;
    for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
        if (!strcmp(type_of(v), defs[i].type)) return defs[i].read(t, v, path, err);
    return refuse_type(err, path, "pre_tokenizer", v);
}

status pretokenize_run(encoder *e, int level, const piece *p, error *err)
{
    const pipeline *own = pipe_of(e->t);
    if (level == own->pre.n) return own->model->word(e, p, err);
    const step *s = &own->pre.at[level];
    return s->run(s, e, level, p, err);
}
/* SPDX-License-Identifier: MIT */
