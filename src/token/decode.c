/* decode -- from tokens back to text: a table of steps over the list of tokens, run in turn; then they are joined. */
#include "token/pipeline.h"
#include <string.h>

/* Tokens on their way: texts in an arena. */
typedef struct word_list {
    word_text *p;
    int64_t n;
    arena *mem;
    bool repair;
} word_list;

typedef struct decode_def {
    const char *type;
    status (*read)(tokenizer *t, step *s, const json_t *v, const char *path, error *err);
    void (*run)(const step *s, const tokenizer *t, word_list *w);
} decode_def;

static void set(word_list *w, word_text *x, const str *s)
{
    char *p = s->failed ? NULL : arena_copy(w->mem, s->p ? s->p : "", s->n + 1);
    if (p) x->p = p, x->n = s->n;
    else w->mem->failed = true;
}

/* ---- steps ---- */

/* Bytes behind the characters that byte-level vocabularies write, where all of a token's are such. */
static void run_bytes(const step *s, const tokenizer *t, word_list *w)
{
    (void)s, (void)t;
    for (int64_t i = 0; i < w->n; i++) {
        const word_text x = w->p[i];
        w->p[i].bytes = false;
        if (x.bytes) continue;
        char *out = arena_get(w->mem, x.n + 1);
        size_t n = 0;
        for (size_t k = 0; out && k < x.n;) {
            uint32_t c;
            int len = utf8_next(x.p + k, x.n - k, &c), byte = len ? char_byte(c) : -1;
            if (byte < 0) break;
            out[n++] = (char)byte;
            k += (size_t)len;
            if (k == x.n) w->p[i].p = out, w->p[i].n = n;
        }
    }
}

/* <0x..> as bytes: a run of them that is no text becomes one U+FFFD each. */
static void run_fallback(const step *s, const tokenizer *t, word_list *w)
{
    int64_t kept = 0;
    (void)s, (void)t;
    for (int64_t i = 0; i < w->n; i++) {
        str run = { 0 };
        int64_t first = i;
        for (int byte; i < w->n && (byte = byte_token(w->p[i].p, w->p[i].n)) >= 0; i++)
            str_add(&run, &(char){ (char)byte }, 1);
        int64_t n = i - first;
        if (n && w->repair && utf8_check(run.p, run.n) < run.n) {
            run.n = 0;
            while (n--) str_puts(&run, "\xef\xbf\xbd");
        }
        if (i > first) set(w, &w->p[kept++], &run);
        if (i < w->n) w->p[kept++] = w->p[i];
        str_release(&run);
    }
    w->n = kept;
}

static void run_fuse(const step *s, const tokenizer *t, word_list *w)
{
    str all = { 0 };
    (void)s, (void)t;
    for (int64_t i = 0; i < w->n; i++) str_add(&all, w->p[i].p, w->p[i].n);
    if (w->n) set(w, &w->p[0], &all);
    w->n = w->n ? 1 : 0;
    str_release(&all);
}

/* x with every `from` replaced. */
static void replace(word_list *w, word_text *x, const char *from, size_t n, const char *to,
                    size_t m)
{
    str s = { 0 };
    const char *p = x->p, *end = x->p + x->n, *at;
    if (!n || !memmem(p, x->n, from, n)) return;
    for (; (at = memmem(p, (size_t)(end - p), from, n)); p = at + n) {
        str_add(&s, p, (size_t)(at - p));
        str_add(&s, to, m);
    }
    str_add(&s, p, (size_t)(end - p));
    set(w, x, &s);
    str_release(&s);
}

static void run_replace(const step *s, const tokenizer *t, word_list *w)
{
    (void)t;
    for (int64_t i = 0; i < w->n; i++) replace(w, &w->p[i], s->text, s->n, s->other, s->n_other);
}

static status read_replace(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const json_t *match = json_object_get(v, "pattern");
    const char *text = json_string_value(json_object_get(match, "String")),
               *content = json_string_value(json_object_get(v, "content"));
    if (!text && json_object_get(match, "Regex"))
        return refuse(err, path, "a decoder that replaces by an expression");
    if (!text || !content)
        return error_set(err, E_FORMAT, "%s: decoder Replace has no pattern or content", path);
    s->text = arena_string(&t->mem, text), s->n = strlen(text);
    s->other = arena_string(&t->mem, content), s->n_other = strlen(content);
    return s->text && s->other ? E_OK : no_memory(err, path);
}

/* At most `how` of a character from each token's beginning, at most n_other from its end. */
static void run_strip(const step *s, const tokenizer *t, word_list *w)
{
    (void)t;
    for (int64_t i = 0; i < w->n; i++) {
        word_text *x = &w->p[i];
        for (int k = 0; k < s->how && x->n >= s->n && !memcmp(x->p, s->text, s->n); k++)
            x->p += s->n, x->n -= s->n;
        for (size_t k = 0;
             k < s->n_other && x->n >= s->n && !memcmp(x->p + x->n - s->n, s->text, s->n); k++)
            x->n -= s->n;
    }
}

static status read_strip(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const char *text = json_string_value(json_object_get(v, "content"));
    int64_t start = 0, stop = 0;
    status st = json_int(v, "start", 0, &start, err);
    if (st == E_OK) st = json_int(v, "stop", 0, &stop, err);
    if (st != E_OK) return st;
    if (!text || !*text || start < 0 || stop < 0 || start > INT32_MAX)
        return error_set(err, E_FORMAT, "%s: decoder Strip has no content, or odd numbers", path);
    s->text = arena_string(&t->mem, text), s->n = strlen(text);
    s->how = (int)start, s->n_other = (size_t)stop;
    return s->text ? E_OK : no_memory(err, path);
}

/* The mark is a space; in the first token it is nothing (how: a space was put before the text). */
static void run_metaspace(const step *s, const tokenizer *t, word_list *w)
{
    (void)t;
    for (int64_t i = 0; i < w->n; i++)
        replace(w, &w->p[i], s->text, s->n, " ", i || !s->how ? 1 : 0);
}

static status read_metaspace(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const char *mark = json_string_value(json_object_get(v, "replacement")),
               *scheme = json_string_value(json_object_get(v, "prepend_scheme"));
    bool prefix = true;
    status st = json_flag(v, "add_prefix_space", true, &prefix, err);
    if (st != E_OK) return st;
    s->text = arena_string(&t->mem, mark && *mark ? mark : "\xe2\x96\x81");
    s->how = scheme ? strcmp(scheme, "never") != 0 : prefix;
    if (!s->text) return no_memory(err, path);
    s->n = strlen(s->text);
    return E_OK;
}

/* English as people space it, where a space was put between all words. */
static void clean(word_list *w, word_text *x)
{
    static const char *const pairs[][2] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },     { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },   { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        replace(w, x, pairs[i][0], strlen(pairs[i][0]), pairs[i][1], strlen(pairs[i][1]));
}

static void run_wordpiece(const step *s, const tokenizer *t, word_list *w)
{
    (void)t;
    for (int64_t i = 0; i < w->n; i++) {
        word_text *x = &w->p[i];
        str joined = { 0 };
        bool inner = s->n && x->n >= s->n && !memcmp(x->p, s->text, s->n);
        if (i && inner) x->p += s->n, x->n -= s->n;
        else if (i) {
            str_puts(&joined, " ");
            str_add(&joined, x->p, x->n);
            set(w, x, &joined);
        }
        str_release(&joined);
        if (s->flag[0]) clean(w, x);
    }
}

static status read_wordpiece(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const char *prefix = json_string_value(json_object_get(v, "prefix"));
    status st = json_flag(v, "cleanup", true, &s->flag[0], err);
    if (st != E_OK) return st;
    s->text = arena_string(&t->mem, prefix ? prefix : "##");
    if (!s->text) return no_memory(err, path);
    s->n = strlen(s->text);
    return E_OK;
}

/* A suffix that ends words is a space, and nothing at the end of the text. */
static void run_suffix(const step *s, const tokenizer *t, word_list *w)
{
    (void)t;
    for (int64_t i = 0; i < w->n; i++)
        replace(w, &w->p[i], s->text, s->n, " ", i + 1 < w->n ? 1 : 0);
}

static status read_suffix(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const char *suffix = json_string_value(json_object_get(v, "suffix"));
    s->text = arena_string(&t->mem, suffix ? suffix : "</w>");
    if (!s->text) return no_memory(err, path);
    s->n = strlen(s->text);
    return E_OK;
}

/* ---- the table ---- */

static const decode_def defs[] = {
    { "ByteLevel", NULL, run_bytes },
    { "ByteFallback", NULL, run_fallback },
    { "Fuse", NULL, run_fuse },
    { "Replace", read_replace, run_replace },
    { "Strip", read_strip, run_strip },
    { "Metaspace", read_metaspace, run_metaspace },
    { "WordPiece", read_wordpiece, run_wordpiece },
    { "BPEDecoder", read_suffix, run_suffix },
};

static status read_sequence(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(v, "decoders"), i, one)
    {
        status st = decode_read(t, one, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

status decode_read(tokenizer *t, const json_t *v, const char *path, error *err)
{
    if (!v || json_is_null(v)) {
        pipe_of(t)->no_decoder = true;
        return E_OK;
    }
    if (!strcmp(type_of(v), "Sequence")) return read_sequence(t, v, path, err);
    for (size_t i = 0; i < sizeof defs / sizeof *defs; i++) {
        if (strcmp(type_of(v), defs[i].type)) continue;
        step *s = step_new(&pipe_of(t)->decode, path, err);
        if (!s) return E_LIMIT;
        s->def = &defs[i];
        return defs[i].read ? defs[i].read(t, s, v, path, err) : E_OK;
    }
    return refuse_type(err, path, "decoder", v);
}

void decode_run(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s)
{
    arena mem = { 0 };
    const pipeline *own = pipe_of(t);
    word_list w = { .mem = &mem, .repair = repair };
    const decode_def *first = own->decode.n ? own->decode.at[0].def : NULL;
    bool bytes = first && first->run == run_bytes; /* which would only read them again */
    w.p = arena_array(&mem, n, sizeof *w.p);
    for (int64_t i = 0; w.p && i < n; i++) {
        word_text x = pipeline_shown(t, id[i], bytes, &mem);
        if (x.p) w.p[w.n++] = x;
    }
    for (int i = 0; i < own->decode.n && !mem.failed; i++)
        ((const decode_def *)own->decode.at[i].def)->run(&own->decode.at[i], t, &w);
    for (int64_t i = 0; i < w.n; i++) {
        if (i && own->no_decoder) str_puts(s, " ");
        str_add(s, w.p[i].p, w.p[i].n);
    }
    s->failed |= mem.failed;
    arena_release(&mem);
}
/* SPDX-License-Identifier: MIT */
