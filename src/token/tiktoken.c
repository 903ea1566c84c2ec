/* tiktoken -- OpenAI's rank files: a token a line, in base64, and its rank, which is its id.
 *
 *     IQ== 0
 *     Ig== 1 ...
 *
 * The file says neither how words are cut nor which tokens are special: the encoding's name does, which is the file's.
 * Two neighbours merge when what they make has a rank, lowest first; a word that is a token is one. */
#include "base/file.h"
#include "token/pipeline.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_SPECIAL = 6 };

typedef struct encoding {
    const char *name, *words;
    struct {
        const char *text;
        int32_t id;
    } special[MAX_SPECIAL];
} encoding;

/* As tiktoken has them, possessive where it is; its `$` is the very end. */
#define CL100K                                                                                     \
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|(?>\\p{N}{1,3})|"                       \
    " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++\\z|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"
#define O200K                                                                                      \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"    \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"                                                               \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"    \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"                                                               \
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const encoding encodings[] = {
    { "r50k_base", PATTERN_GPT2, { { "<|endoftext|>", 50256 } } },
    { "p50k_base", PATTERN_GPT2, { { "<|endoftext|>", 50256 } } },
    { "cl100k_base",
      CL100K,
      { { "<|endoftext|>", 100257 },
        { "<|fim_prefix|>", 100258 },
        { "<|fim_middle|>", 100259 },
        { "<|fim_suffix|>", 100260 },
        { "<|endofprompt|>", 100276 } } },
    { "o200k_base", O200K, { { "<|endoftext|>", 199999 }, { "<|endofprompt|>", 200018 } } },
};

static const encoding *find(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        size_t n = strlen(encodings[i].name);
        if (!strncmp(name, encodings[i].name, n) && !strcmp(name + n, ".tiktoken"))
            return &encodings[i];
    }
    return NULL;
}

/* ---- lines ---- */

/* Bytes of base64, as byte-level vocabularies write them; false when it is none. */
static bool write_token(str *out, const char *p, size_t n)
{
    str bytes = { 0 };
    bool fine = n && str_base64(&bytes, p, n);
    for (size_t i = 0; fine && i < bytes.n; i++) {
        char c[4];
        str_add(out, c, (size_t)utf8_put(byte_char((unsigned char)bytes.p[i]), c));
    }
    out->failed |= bytes.failed;
    str_release(&bytes);
    return fine;
}

typedef struct reader {
    const char *p;
    size_t left;
    int64_t line;
} reader;

/* A line's token and rank. */
static bool next_line(reader *r, const char **p, size_t *n, int64_t *rank, bool *wrong)
{
    const char *end = memchr(r->p, '\n', r->left);
    size_t length = end ? (size_t)(end - r->p) : r->left, i;
    *p = r->p, *wrong = false;
    if (!r->left) return false;
    r->p += length + (end != NULL), r->left -= length + (end != NULL), r->line++;
    const char *space = memchr(*p, ' ', length);
    *n = space ? (size_t)(space - *p) : 0;
    *rank = 0;
    for (i = *n + 1; space && i < length && (*p)[i] >= '0' && (*p)[i] <= '9' && *rank < MAX_TOKENS;)
        *rank = *rank * 10 + ((*p)[i++] - '0');
    if (i < length && (*p)[i] == '\r') i++;
    *wrong = !space || i == *n + 1 || i != length;
    return true;
}

static status wrong_line(const reader *r, const char *path, error *err)
{
    error_set(err, E_FORMAT, "%s: line %lld is not a token in base64 and its rank", path,
              (long long)r->line);
    error_hint(err, "expected a rank file of tiktoken's");
    return E_FORMAT;
}

static status largest(const str *s, int64_t *last, const char *path, error *err)
{
    reader r = { s->p, s->n, 0 };
    const char *p;
    size_t n;
    int64_t rank;
    bool wrong;
    while (next_line(&r, &p, &n, &rank, &wrong)) {
        if (wrong) return wrong_line(&r, path, err);
        if (rank > *last) *last = rank;
    }
    return E_OK;
}

static status read_tokens(tokenizer *t, const str *s, const char *path, error *err)
{
    reader r = { s->p, s->n, 0 };
    const char *p;
    size_t n;
    int64_t rank;
    bool wrong;
    str token = { 0 };
    status st = E_OK;
    while (st == E_OK && next_line(&r, &p, &n, &rank, &wrong)) {
        token.n = 0;
        if (!write_token(&token, p, n)) st = wrong_line(&r, path, err);
        else if (token.failed) st = no_memory(err, path);
        else st = pipeline_token(t, rank, token.p, token.n, true, path, err);
    }
    str_release(&token);
    return st;
}

/* ---- the pipeline ---- */

static status add_special(tokenizer *t, const encoding *x, const char *path, error *err)
{
    status st = E_OK;
    for (int i = 0; i < MAX_SPECIAL && x->special[i].text && st == E_OK; i++) {
        const char *text = x->special[i].text;
        int32_t id = x->special[i].id;
        st = pipeline_token(t, id, text, strlen(text), false, path, err);
        if (st != E_OK) break;
        t->text[id].special = true;
        st = added_put(t, (added_token){ .id = id }, false, path, err);
    }
    return st;
}

static status add_steps(tokenizer *t, const encoding *x, const char *path, error *err)
{
    json_t *split = json_pack("{s:s,s:{s:s},s:s}", "type", "Split", "pattern", "Regex", x->words,
                              "behavior", "Isolated"),
           *bytes = json_pack("{s:s,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", false,
                              "use_regex", false);
    status st = split && bytes ? pretokenize_read(t, split, path, err) : no_memory(err, path);
    if (st == E_OK) st = pretokenize_read(t, bytes, path, err);
    if (st == E_OK) st = decode_read(t, bytes, path, err);
    json_decref(split), json_decref(bytes);
    return st;
}

static status add_ranks(tokenizer *t, const char *path, error *err)
{
    float *score = arena_array(&t->mem, t->n, sizeof *score); /* ranks are below 2^24: exact */
    if (!score) return no_memory(err, path);
    for (int32_t i = 0; i < t->n; i++) score[i] = (float)-i;
    status st = bpe_new(t, &(bpe_options){ .score = score, .ignore_merges = true }, path, err);
    return st == E_OK ? bpe_finish(t, path, err) : st;
}

static status build(tokenizer *t, const encoding *x, const str *s, const char *path, error *err)
{
    int64_t last = -1;
    status st = largest(s, &last, path, err);
    for (int i = 0; i < MAX_SPECIAL && x->special[i].text; i++)
        if (x->special[i].id > last) last = x->special[i].id;
    if (st == E_OK) st = pipeline_begin(t, last + 1, path, err);
    if (st == E_OK) st = read_tokens(t, s, path, err);
    if (st == E_OK) st = add_special(t, x, path, err);
    if (st == E_OK) st = add_steps(t, x, path, err);
    if (st == E_OK) st = pipeline_index(t, true, path, err);
    if (st == E_OK) st = add_ranks(t, path, err);
    if (st == E_OK) st = added_index(t, path, err);
    if (st == E_OK) st = pipeline_texts(t, path, err);
    if (st == E_OK) pipeline_find_bos(t);
    return st;
}

static status read_file(tokenizer *t, const char *path, error *err)
{
    const encoding *x = find(path);
    str s = { 0 };
    if (!x) {
        error_set(err, E_UNSUPPORTED, "%s: no encoding of that name is known", path);
        error_hint(err, "the file does not say how words are cut; known are r50k_base, p50k_base, "
                        "cl100k_base and o200k_base, each NAME.tiktoken");
        return E_UNSUPPORTED;
    }
    status st = file_read(&s, path, MAX_FILE, err);
    if (st == E_OK) st = build(t, x, &s, path, err);
    str_release(&s);
    return st;
}

const token_def token_tiktoken_def = { .name = "tiktoken",
                                       .ends = { ".tiktoken" },
                                       .read = read_file,
                                       .release = pipeline_release,
                                       .encode = pipeline_encode,
                                       .decode = pipeline_decode };
/* SPDX-License-Identifier: MIT */
