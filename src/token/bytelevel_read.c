/* bytelevel_read -- byte-level BPE from a tokenizer.json, or from vocab.json and merges.txt.
 *
 * Vocabularies write bytes as characters that print: those that do already stand for themselves, the others
 * for 256 and up in order.  What a file asks for and is not built is refused by its name. */
#include "base/file.h"
#include "base/json.h"
#include "token/bytelevel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, MAX_TOKENS = 1 << 24 };

/* GPT-2's: contractions; words, numbers, the rest, each with at most one space before; spaces. */
static const char GPT2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* ---- bytes written as characters ---- */

static bool prints(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) ||
           (byte >= 0xae && byte <= 0xff);
}

static uint32_t char_of(int byte)
{
    if (prints(byte)) return (uint32_t)byte;
    uint32_t c = 256;
    for (int i = 0; i < byte; i++) c += !prints(i);
    return c;
}

/* The byte that a character stands for, or -1. */
static int byte_of(uint32_t c)
{
    if (c < 256) return prints((int)c) ? (int)c : -1;
    for (int i = 0; i < 256; i++)
        if (char_of(i) == c) return i;
    return -1;
}

/* Bytes behind a vocabulary's writing; false when it is not written in these characters. */
static bool unwrite(const char *p, size_t n, char *out, size_t *n_out)
{
    *n_out = 0;
    while (n) {
        uint32_t c;
        int len = utf8_next(p, n, &c), b = len ? byte_of(c) : -1;
        if (b < 0) return false;
        out[(*n_out)++] = (char)b;
        p += len, n -= (size_t)len;
    }
    return true;
}

/* ---- reading: vocabulary and merges ---- */

static status unsupported(error *err, const char *path, const char *what)
{
    error_set(err, E_UNSUPPORTED, "%s: %s is not supported", path, what);
    error_hint(err, "it changes the ids; only byte-level BPE of the GPT-2 kind is read");
    return E_UNSUPPORTED;
}

static status nomem(error *err, const char *path)
{
    return error_set(err, E_NOMEM, "%s: out of memory", path);
}

static status set_token(tokenizer *t, int64_t id, const char *p, const char *path, bool special,
                        error *err)
{
    if (id < 0 || id >= MAX_TOKENS)
        return error_set(err, E_FORMAT, "%s: token '%.60s' has id %lld, expected 0 to %d", path, p,
                         (long long)id, MAX_TOKENS - 1);
    if (bpe(t)->symbol[id].there && !special)
        return error_set(err, E_FORMAT, "%s: two tokens have id %lld", path, (long long)id);
    size_t n = strlen(p), n_bytes;
    char *copy = arena_string(&t->mem, p), *bytes = arena_get(&t->mem, n + 1);
    if (!copy || !bytes) return nomem(err, path);
    bool plain = unwrite(copy, n, bytes, &n_bytes); /* added tokens too, when they can be read so */
    bpe(t)->symbol[id] = (token_text){ copy, n, special, true };
    t->text[id] = plain ? (token_text){ bytes, n_bytes, special, true }
                        : (token_text){ copy, n, special, true };
    return E_OK;
}

static status largest_id(const json_t *vocab, const json_t *added, int64_t *out, const char *path,
                         error *err)
{
    const char *name;
    json_t *v;
    size_t i;
    *out = -1;
    json_object_foreach((json_t *)vocab, name, v)
    {
        if (!json_is_integer(v))
            return error_set(err, E_FORMAT, "%s: token '%.60s' has %s for an id", path, name,
                             json_kind(v));
        if (json_integer_value(v) > *out) *out = json_integer_value(v);
    }
    json_array_foreach(added, i, v)
    {
        const json_t *id = json_object_get(v, "id");
        if (json_is_integer(id) && json_integer_value(id) > *out) *out = json_integer_value(id);
    }
    if (*out < 0 || *out >= MAX_TOKENS)
        return error_set(err, E_FORMAT, "%s: the largest id is %lld, expected 0 to %d", path,
                         (long long)*out, MAX_TOKENS - 1);
    return E_OK;
}

static status read_vocab(tokenizer *t, const json_t *vocab, const json_t *added, const char *path,
                         error *err)
{
    int64_t last;
    const char *name;
    json_t *v;
    if (!json_is_object(vocab))
        return error_set(err, E_FORMAT, "%s: vocab is %s, expected an object", path,
                         json_kind(vocab));
    status st = largest_id(vocab, added, &last, path, err);
    if (st != E_OK) return st;
    t->n = (int32_t)last + 1;
    t->text = arena_array(&t->mem, t->n, sizeof *t->text),
    bpe(t)->symbol = arena_array(&t->mem, t->n, sizeof *bpe(t)->symbol);
    if (!t->text || !bpe(t)->symbol) return nomem(err, path);
    json_object_foreach((json_t *)vocab, name, v)
    {
        st = set_token(t, json_integer_value(v), name, path, false, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static status read_added(tokenizer *t, const json_t *added, const char *path, error *err)
{
    static const char *const refused[] = { "single_word", "lstrip", "rstrip" };
    size_t i;
    json_t *v;
    added_token *list = arena_array(&t->mem, (int64_t)json_array_size(added) + 1, sizeof *list);
    if (!list) return nomem(err, path);
    json_array_foreach(added, i, v)
    {
        const char *content = json_string_value(json_object_get(v, "content"));
        const json_t *id = json_object_get(v, "id");
        if (!content || !*content || !json_is_integer(id))
            return error_set(err, E_FORMAT, "%s: added token %zu has no content or id", path, i);
        for (size_t k = 0; k < 3; k++)
            if (json_is_true(json_object_get(v, refused[k])))
                return unsupported(err, path, refused[k]);
        status st = set_token(t, json_integer_value(id), content, path, true, err);
        if (st != E_OK) return st;
        int32_t at =
            bpe(t)->n_special++; /* longest first, so that the longest wins where several begin */
        for (; at && bpe(t)->symbol[list[at - 1].id].n < strlen(content); at--)
            list[at] = list[at - 1];
        list[at] = (added_token){ (int32_t)json_integer_value(id),
                                  json_is_true(json_object_get(v, "normalized")) };
    }
    bpe(t)->special = list;
    return E_OK;
}

static status add_merge(tokenizer *t, const char *a, size_t n, const char *b, size_t m, double rank,
                        const char *path, error *err)
{
    char joined[1024];
    if (n + m >= sizeof joined)
        return error_set(err, E_FORMAT, "%s: merge %.0f makes a token of %zu bytes", path, rank,
                         n + m);
    memcpy(joined, a, n);
    memcpy(joined + n, b, m);
    token_pair p = { table_find(&bpe(t)->by_symbol, bpe(t)->symbol, a, n),
                     table_find(&bpe(t)->by_symbol, bpe(t)->symbol, b, m),
                     table_find(&bpe(t)->by_symbol, bpe(t)->symbol, joined, n + m), rank };
    if (p.left < 0 || p.right < 0 || p.made < 0)
        return error_set(err, E_FORMAT,
                         "%s: merge %.0f ('%.60s') names a token that is not in the vocabulary",
                         path, rank, a);
    pairs_add(&bpe(t)->pair, p);
    return E_OK;
}

/* "a b": the first space parts them. */
static status add_merge_line(tokenizer *t, const char *line, size_t n, double rank,
                             const char *path, error *err)
{
    const char *space = memchr(line, ' ', n);
    if (!space || memchr(space + 1, ' ', n - (size_t)(space + 1 - line)))
        return error_set(err, E_FORMAT,
                         "%s: merge %.0f ('%.60s') is not two tokens with a space between", path,
                         rank, line);
    return add_merge(t, line, (size_t)(space - line), space + 1, n - (size_t)(space + 1 - line),
                     rank, path, err);
}

static status read_merges(tokenizer *t, const json_t *merges, const char *path, error *err)
{
    size_t i;
    json_t *v;
    if (!json_is_array(merges))
        return error_set(err, E_FORMAT, "%s: merges is %s, expected a list", path,
                         json_kind(merges));
    if (!pairs_init(&bpe(t)->pair, &t->mem, (int64_t)json_array_size(merges)))
        return nomem(err, path);
    json_array_foreach(merges, i, v)
    {
        status st;
        const char *a = json_string_value(json_array_get(v, 0)),
                   *b = json_string_value(json_array_get(v, 1));
        if (json_is_string(v))
            st = add_merge_line(t, json_string_value(v), json_string_length(v), (double)i, path,
                                err);
        else if (json_array_size(v) == 2 && a && b)
            st = add_merge(t, a, strlen(a), b, strlen(b), (double)i, path, err);
        else
            st = error_set(err, E_FORMAT, "%s: merge %zu is neither \"a b\" nor [\"a\", \"b\"]",
                           path, i);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static status read_merges_text(tokenizer *t, const str *s, const char *path, error *err)
{
    int64_t lines = 0;
    double rank = 0;
    for (size_t i = 0; i < s->n; i++) lines += s->p[i] == '\n';
    if (!pairs_init(&bpe(t)->pair, &t->mem, lines + 1)) return nomem(err, path);
    for (size_t at = 0; at < s->n;) {
        const char *line = s->p + at, *end = memchr(line, '\n', s->n - at);
        size_t n = end ? (size_t)(end - line) : s->n - at;
        at += n + 1;
        if (n && line[n - 1] == '\r') n--;
        if (!n || !strncmp(line, "#version", n < 8 ? n : 8)) continue;
        char copy[1100];
        if (n >= sizeof copy) return error_set(err, E_FORMAT, "%s: a line has %zu bytes", path, n);
        memcpy(copy, line, n);
        copy[n] = 0;
        status st = add_merge_line(t, copy, n, rank++, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

/* The table of written tokens, which merges are looked up in. */
static status index_symbols(tokenizer *t, const char *path, error *err)
{
    if (!table_init(&bpe(t)->by_symbol, &t->mem, t->n) || !table_init(&t->by_text, &t->mem, t->n))
        return nomem(err, path);
    for (int32_t i = 0; i < t->n; i++)
        if (bpe(t)->symbol[i].there) table_add(&bpe(t)->by_symbol, bpe(t)->symbol, i);
    return E_OK;
}

static void index_texts(tokenizer *t)
{
    for (int32_t i = 0; i < t->n; i++)
        if (t->text[i].there) table_add(&t->by_text, t->text, i);
    for (int b = 0; b < 256; b++) {
        char c[4];
        int n = utf8_put(char_of(b), c);
        bpe(t)->byte_id[b] = table_find(&bpe(t)->by_symbol, bpe(t)->symbol, c, (size_t)n);
    }
}

/* ---- reading: the pipeline of tokenizer.json ---- */

/* White space as Unicode has it since 6.3: what the original means by \\s, where PCRE2's has U+180E too. */
static const char SPACES[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
                             "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

/* One escape at p[1]; how many characters of it are read.  \\p{L} and \\x{41} go with their braces. */
static size_t translate_escape(str *out, const char *p, bool inside, const char **odd)
{
    const char *close = strchr("pPx", p[1]) && p[2] == '{' ? strchr(p, '}') : NULL;
    size_t n = close ? (size_t)(close - p) + 1 : 2;
    if (p[1] == 's') str_printf(out, inside ? "%s" : "[%s]", SPACES);
    else if (p[1] == 'S' && !inside) str_printf(out, "[^%s]", SPACES);
    else if (strchr("hHSKGRXNOyYQE", p[1])) *odd = p;
    else str_add(out, p, n);
    return n;
}

/* The expression as PCRE2 is to read it.  What the original's engine (Oniguruma) reads in another way is refused: it is
 * named in *odd. */
static bool translate(str *out, const char *p, const char **odd)
{
    bool inside = false;
    *odd = NULL;
    while (*p && !*odd) {
        if (*p == '\\' && p[1]) {
            p += translate_escape(out, p, inside, odd);
            continue;
        }
        bool nested = inside && (*p == '[' || (*p == '&' && p[1] == '&'));
        bool line_end = !inside && (*p == '^' || *p == '$');
        bool repeated = !inside && *p == '}' && p[1] == '+'; /* {1,3}+ */
        if (nested || line_end || repeated) *odd = p;
        size_t n = !inside && *p == '[' && p[1] == '^' ? 2 : 1;
        if (*p == '[') inside = true;
        if (*p == ']') inside = false;
        str_add(out, p, n);
        p += n;
    }
    return !out->failed;
}

static status add_split(tokenizer *t, const char *pattern, const char *path, error *err)
{
    int code;
    size_t at;
    str own = { 0 };
    const char *odd;
    if (bpe(t)->n_split == MAX_SPLITS)
        return unsupported(err, path, "a pre_tokenizer of so many steps");
    bool fine = translate(&own, pattern, &odd);
    if (!fine || odd) str_release(&own);
    if (!fine) return nomem(err, path);
    if (odd) {
        error_set(err, E_UNSUPPORTED, "%s: '%.12s' in the expression that cuts words", path, odd);
        error_hint(err, "the original reads it in a way of its own, which is not built");
        return E_UNSUPPORTED;
    }
    pcre2_code *re =
        pcre2_compile((PCRE2_SPTR)own.p, own.n, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    str_release(&own);
    if (!re)
        return error_set(err, E_FORMAT,
                         "%s: the expression that cuts words is wrong at character %zu: %.100s",
                         path, at, pattern);
    pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* slower without, not different */
    bpe(t)->split[bpe(t)->n_split++] = re;
    return E_OK;
}

static bool type_is(const json_t *v, const char *name)
{
    const char *s = json_string_value(json_object_get(v, "type"));
    return s && !strcmp(s, name);
}

static status read_pre(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *step;
    if (type_is(v, "Sequence")) {
        json_array_foreach(json_object_get(v, "pretokenizers"), i, step)
        {
            status st = read_pre(t, step, path, err);
            if (st != E_OK) return st;
        }
        return E_OK;
    }
    if (bpe(t)->bytes) return unsupported(err, path, "a pre_tokenizer step after ByteLevel");
    if (type_is(v, "ByteLevel")) {
        bpe(t)->bytes = true;
        bpe(t)->add_prefix_space = json_is_true(json_object_get(v, "add_prefix_space"));
        if (bpe(t)->add_prefix_space && bpe(t)->n_split)
            return unsupported(err, path,
                               "add_prefix_space after a split (a space before each piece)");
        return json_is_false(json_object_get(v, "use_regex")) ? E_OK
                                                              : add_split(t, GPT2, path, err);
    }
    const char *pattern =
        json_string_value(json_object_get(json_object_get(v, "pattern"), "Regex"));
    const char *behaviour = json_string_value(json_object_get(v, "behavior"));
    if (type_is(v, "Split") && pattern && behaviour && !strcmp(behaviour, "Isolated") &&
        !json_is_true(json_object_get(v, "invert")))
        return add_split(t, pattern, path, err);
    char what[120];
    const char *type = json_string_value(json_object_get(v, "type"));
    snprintf(what, sizeof what, "pre_tokenizer '%.60s' as it is set", type ? type : json_kind(v));
    return unsupported(err, path, what);
}

/* BOS and EOS around the text: the ids a template names beside the text. */
static status read_template(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *piece;
    bool after = false;
    const json_t *single = json_object_get(v, "single"),
                 *known = json_object_get(v, "special_tokens");
    int32_t *suffix = arena_array(&t->mem, (int64_t)json_array_size(single) + 1, sizeof *suffix);
    if (!suffix) return nomem(err, path);
    json_array_foreach(single, i, piece)
    {
        const char *name =
            json_string_value(json_object_get(json_object_get(piece, "SpecialToken"), "id"));
        const json_t *ids = json_object_get(json_object_get(known, name ? name : ""), "ids"),
                     *id = json_array_get(ids, 0);
        if (json_object_get(piece, "Sequence")) after = true;
        else if (!json_is_integer(id) || json_array_size(ids) != 1 || json_integer_value(id) < 0 ||
                 json_integer_value(id) >= t->n)
            return unsupported(err, path, "post_processor's template");
        else if (after) suffix[t->n_suffix++] = (int32_t)json_integer_value(id);
        else if (t->adds_bos)
            return unsupported(err, path, "a template with two tokens before the text");
        else t->bos = (int32_t)json_integer_value(id), t->adds_bos = true;
    }
    t->suffix = suffix;
    return E_OK;
}

static status read_post(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *step;
    if (!v || json_is_null(v)) return E_OK;
    if (type_is(v, "TemplateProcessing")) return read_template(t, v, path, err);
    if (type_is(v, "ByteLevel")) {
        bpe(t)->trim_offsets = !json_is_false(json_object_get(v, "trim_offsets"));
        bpe(t)->trim_keeps_first = !json_is_false(json_object_get(v, "add_prefix_space"));
        return E_OK;
    }
    if (!type_is(v, "Sequence")) return unsupported(err, path, "this post_processor");
    json_array_foreach(json_object_get(v, "processors"), i, step)
    {
        status st = read_post(t, step, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static bool set(const json_t *v)
{
    return v && !json_is_null(v) && !json_is_false(v) &&
           !(json_is_string(v) && !json_string_length(v)) &&
           !(json_is_number(v) && json_number_value(v) == 0);
}

static bool normalizes(const json_t *v)
{
    bool empty = type_is(v, "Sequence") && !json_array_size(json_object_get(v, "normalizers"));
    return set(v) && !empty;
}

static status check_model(const json_t *json, const json_t *model, const char *path, error *err)
{
    static const char *const refused[] = { "dropout", "continuing_subword_prefix",
                                           "end_of_word_suffix", "fuse_unk", "byte_fallback" };
    char what[80];
    const char *type = json_string_value(json_object_get(model, "type"));
    if (normalizes(json_object_get(json, "normalizer")))
        return unsupported(err, path, "a normalizer");
    if (!json_is_object(model))
        return error_set(err, E_FORMAT, "%s: model is %s, expected an object", path,
                         json_kind(model));
    if (type && strcmp(type, "BPE")) {
        snprintf(what, sizeof what, "a model of type '%.40s'", type);
        return unsupported(err, path, what);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (set(json_object_get(model, refused[i]))) {
            snprintf(what, sizeof what, "the model's %s", refused[i]);
            return unsupported(err, path, what);
        }
    return E_OK;
}

static status read_json(tokenizer *t, const json_t *json, const char *path, error *err)
{
    const json_t *model = json_object_get(json, "model"),
                 *added = json_object_get(json, "added_tokens");
    const char *unk = json_string_value(json_object_get(model, "unk_token"));
    status st = check_model(json, model, path, err);
    if (st == E_OK) st = read_vocab(t, json_object_get(model, "vocab"), added, path, err);
    if (st == E_OK) st = read_added(t, added, path, err);
    if (st == E_OK) st = index_symbols(t, path, err);
    if (st == E_OK) st = read_merges(t, json_object_get(model, "merges"), path, err);
    if (st == E_OK) st = read_pre(t, json_object_get(json, "pre_tokenizer"), path, err);
    if (st == E_OK && !bpe(t)->bytes)
        st = unsupported(err, path, "a pre_tokenizer without a ByteLevel step");
    if (st == E_OK) st = read_post(t, json_object_get(json, "post_processor"), path, err);
    if (st != E_OK) return st;
    bpe(t)->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    if (unk) bpe(t)->unk = table_find(&bpe(t)->by_symbol, bpe(t)->symbol, unk, strlen(unk));
    index_texts(t);
    return E_OK;
}

/* ---- the two ways in ---- */

/* GPT-2's only special token begins texts too, when it is asked for. */
static void find_bos(tokenizer *t)
{
    static const char *const names[] = { "<|endoftext|>", "<|begin_of_text|>", "<s>", "<bos>" };
    for (size_t i = 0; i < sizeof names / sizeof *names && t->bos < 0; i++) {
        int32_t id = table_find(&bpe(t)->by_symbol, bpe(t)->symbol, names[i], strlen(names[i]));
        if (id >= 0 && t->text[id].special) t->bos = id;
    }
}

static status read_whole(tokenizer *t, const char *path, error *err)
{
    json_t *json = NULL;
    status st = json_open(&json, path, MAX_FILE, err);
    if (st == E_OK) st = read_json(t, json, path, err);
    if (st == E_OK) find_bos(t);
    json_decref(json);
    return st;
}

static status read_pair(tokenizer *t, const char *vocab, const char *merges, error *err)
{
    static const char end[] = "<|endoftext|>";
    json_t *json = NULL;
    str s = { 0 };
    status st = json_open(&json, vocab, MAX_FILE, err);
    if (st == E_OK) st = file_read(&s, merges, MAX_FILE, err);
    if (st == E_OK) st = read_vocab(t, json, NULL, vocab, err);
    if (st == E_OK) st = index_symbols(t, vocab, err);
    if (st == E_OK) st = read_merges_text(t, &s, merges, err);
    if (st == E_OK) st = add_split(t, GPT2, vocab, err);
    int32_t id = st == E_OK ? table_find(&bpe(t)->by_symbol, bpe(t)->symbol, end, strlen(end)) : -1;
    added_token *list = st == E_OK ? arena_array(&t->mem, 1, sizeof *list) : NULL;
    if (st == E_OK && !list) st = nomem(err, vocab);
    if (st == E_OK && id >= 0) {
        t->text[id] = bpe(t)->symbol[id];
        t->text[id].special = true;
        list[0] = (added_token){ .id = id }, bpe(t)->special = list, bpe(t)->n_special = 1;
    }
    if (st == E_OK) index_texts(t), find_bos(t);
    str_release(&s);
    json_decref(json);
    return st;
}

static char *beside(tokenizer *t, const char *vocab, const char *name)
{
    const char *slash = strrchr(vocab, '/');
    char *dir = arena_string(&t->mem, slash ? vocab : ".");
    if (dir && slash) dir[slash == vocab ? 1 : slash - vocab] = 0;
    return dir ? path_join(&t->mem, dir, name) : NULL;
}

/* The older layout says some things in files of their own: a space before texts, tokens added to the vocabulary. */
static status read_older(tokenizer *t, const char *vocab, error *err)
{
    const char *config = beside(t, vocab, "tokenizer_config.json"),
               *added = beside(t, vocab, "added_tokens.json"), *name;
    json_t *json = NULL, *id;
    status st = config && added ? E_OK : nomem(err, vocab);
    if (st == E_OK && file_exists(config)) st = json_open(&json, config, MAX_FILE, err);
    if (st == E_OK)
        bpe(t)->add_prefix_space = json_is_true(json_object_get(json, "add_prefix_space"));
    json_decref(json);
    json = NULL;
    if (st == E_OK && file_exists(added)) st = json_open(&json, added, MAX_FILE, err);
    json_object_foreach(json, name, id)
    {
        if (table_find(&bpe(t)->by_symbol, bpe(t)->symbol, name, strlen(name)) >= 0) continue;
        error_set(err, E_UNSUPPORTED, "%s: token '%.60s' is not in the vocabulary", added, name);
        error_hint(err, "added tokens are read from a tokenizer.json: save the tokenizer as one");
        st = E_UNSUPPORTED;
        break;
    }
    json_decref(json);
    return st;
}

/* merges.txt, or as OpenAI called it, beside the vocabulary. */
static status read_vocab_and_merges(tokenizer *t, const char *vocab, error *err)
{
    t->beside = beside(t, vocab, str_ends(vocab, "encoder.json") ? "vocab.bpe" : "merges.txt");
    status st = t->beside ? read_pair(t, vocab, t->beside, err) : nomem(err, vocab);
    return st == E_OK ? read_older(t, vocab, err) : st;
}

status bytelevel_read(tokenizer *t, const char *path, error *err)
{
    t->own = arena_zero(&t->mem, sizeof(bytelevel));
    if (!t->own) return nomem(err, path);
    bpe(t)->unk = -1;
    return str_ends(path, "vocab.json") || str_ends(path, "encoder.json")
               ? read_vocab_and_merges(t, path, err)
               : read_whole(t, path, err);
}
/* SPDX-License-Identifier: MIT */
