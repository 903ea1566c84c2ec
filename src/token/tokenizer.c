/* tokenizer -- see tokenizer.h: opening, BOS, decoding; the kinds are files of their own. */
#include "base/file.h"
#include "base/hash.h"
#include "token/token_def.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- opening ---- */

static status hash_files(tokenizer *t, const char *path, error *err)
{
    char digits[HASH_TEXT];
    hash *h = hash_new();
    status st = h ? E_OK : error_set(err, E_NOMEM, "tokenizer: out of memory");
    if (st == E_OK) st = hash_file(h, path, err);
    for (int i = 0; i < t->n_beside && st == E_OK; i++) st = hash_file(h, t->beside[i], err);
    if (st == E_OK) hash_text(h, digits), snprintf(t->hash, sizeof t->hash, "xxh3-128:%s", digits);
    hash_free(h);
    return st;
}

/* The kind whose file's name ends like this one; the longest end, where several fit. */
static const token_def *find(const char *path)
{
    const token_def *best = NULL;
    size_t length = 0;
    for (int i = 0; token_all[i]; i++)
        for (int k = 0; k < 4 && token_all[i]->ends[k]; k++) {
            const char *end = token_all[i]->ends[k];
            if (str_ends(path, end) && strlen(end) > length)
                best = token_all[i], length = strlen(end);
        }
    return best;
}

static status read_path(tokenizer *t, const char *path, error *err)
{
    t->def = find(path), t->bos = -1;
    if (!file_exists(path))
        return error_set(err, E_IO, "%s: there is no such file or directory", path);
    if (!t->def) {
        error_set(err, E_UNSUPPORTED, "%s: unknown kind of tokenizer", path);
        error_hint(err,
                   "expected a tokenizer.json, a vocab.json beside merges.txt, a SentencePiece "
                   ".model, a .tiktoken, a llama2.c .bin, or a directory with one");
        return E_UNSUPPORTED;
    }
    status st = t->def->read(t, path, err);
    return st == E_OK ? hash_files(t, path, err) : st;
}

/* The first file of the directory, by name, that matches; NULL when there is none. */
static const char *first_like(arena *mem, const char *dir, const char *glob)
{
    const char *best = NULL;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (glob_match(glob, e->d_name) && (!best || strcmp(e->d_name, best) < 0))
            best = arena_string(mem, e->d_name);
    if (d) closedir(d);
    return best ? path_join(mem, dir, best) : NULL;
}

/* The file that a directory's tokenizer is in; NULL when there is none. */
static const char *in_directory(arena *mem, const char *dir)
{
    const char *best = NULL;
    int rank = INT_MAX;
    for (int i = 0; token_all[i]; i++)
        for (int k = 0; k < 4 && token_all[i]->in_dir[k] && token_all[i]->rank < rank; k++) {
            const char *path = first_like(mem, dir, token_all[i]->in_dir[k]);
            if (path) best = path, rank = token_all[i]->rank;
        }
    return best;
}

status tokenizer_open(tokenizer **out, const char *path, error *err)
{
    tokenizer *t = mem_zero(sizeof *t);
    if (!t) return error_set(err, E_NOMEM, "%s: out of memory", path);
    if (file_is_dir(path)) path = in_directory(&t->mem, path);
    if (!path) {
        bool failed = t->mem.failed;
        tokenizer_free(t);
        if (failed) return error_set(err, E_NOMEM, "tokenizer: out of memory");
        *out = NULL;
        return E_OK;
    }
    status st = read_path(t, path, err);
    if (st == E_OK) *out = t;
    else tokenizer_free(t);
    return st;
}

void tokenizer_free(tokenizer *t)
{
    if (!t) return;
    if (t->def && t->def->release) t->def->release(t);
    arena_release(&t->mem);
    mem_free(t, sizeof *t);
}

/* ---- asking ---- */

const char *tokenizer_kind(const tokenizer *t) { return t->kind ? t->kind : t->def->name; }
int32_t tokenizer_count(const tokenizer *t) { return t->n; }
int32_t tokenizer_bos(const tokenizer *t) { return t->bos; }
bool tokenizer_pairs(const tokenizer *t, int32_t *n_before)
{
    *n_before = t->n_prefix;
    return t->pairs;
}

bool tokenizer_adds_bos(const tokenizer *t) { return t->n_prefix > 0; }
const char *tokenizer_hash(const tokenizer *t) { return t->hash; }

const char *tokenizer_text(const tokenizer *t, int32_t id, size_t *n)
{
    if (id < 0 || id >= t->n || !t->text[id].there) return NULL;
    *n = t->text[id].n;
    return t->text[id].p;
}

bool tokenizer_is_special(const tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->n && t->text[id].special;
}

int32_t tokenizer_find(const tokenizer *t, const char *bytes, size_t n)
{
    return table_find(&t->by_text, t->text, bytes, n);
}

/* ---- encoding and decoding ---- */

bool spans_room(span_list *list, int64_t more)
{
    int64_t cap = list->cap ? list->cap : 256;
    if (list->n + more <= list->cap) return true;
    while (cap < list->n + more) cap *= 2;
    token_span *p = mem_resize(list->p, (size_t)list->cap * sizeof *p, (size_t)cap * sizeof *p);
    if (!p) return false;
    list->p = p, list->cap = cap;
    return true;
}

bool spans_add(span_list *list, token_span s)
{
    if (list->n == list->cap && !spans_room(list, 1)) return false;
    list->p[list->n++] = s;
    return true;
}

void spans_release(span_list *list)
{
    mem_free(list->p, (size_t)list->cap * sizeof *list->p);
    *list = (span_list){ 0 };
}

static status check_text(const tokenizer *t, const char *text, size_t n, token_bos bos, error *err)
{
    size_t bad = utf8_check(text, n);
    if (bad < n) {
        error_set(err, E_FORMAT, "the text is not UTF-8: byte 0x%02x at offset %zu",
                  (unsigned char)text[bad], bad);
        error_hint(err, "convert it, or give token ids");
        return E_FORMAT;
    }
    if (n > INT32_MAX)
        return error_set(err, E_LIMIT, "the text has %zu bytes, expected at most %d", n, INT32_MAX);
    if (bos != TOKEN_BOS_YES || t->bos >= 0) return E_OK;
    error_set(err, E_USAGE, "this tokenizer has no BOS token");
    error_hint(err, "leave --bos out");
    return E_USAGE;
}

static bool add_ids(span_list *out, const int32_t *id, int32_t n)
{
    bool fine = true;
    for (int32_t i = 0; i < n && fine; i++) fine = spans_add(out, (token_span){ id[i], 0, 0 });
    return fine;
}

status tokenizer_encode(const tokenizer *t, arena *mem, const char *text, size_t n, token_bos bos,
                        token_span **out, int64_t *n_out, error *err)
{
    span_list list = { 0 };
    bool all = bos == TOKEN_BOS_AUTO, fine = true;
    status st = check_text(t, text, n, bos, err);
    if (st != E_OK) return st;
    if (all) fine = add_ids(&list, t->prefix, t->n_prefix);
    if (bos == TOKEN_BOS_YES) fine = add_ids(&list, &t->bos, 1);
    if (fine) st = t->def->encode(t, mem, text, n, &list, err);
    if (fine && st == E_OK && all) fine = add_ids(&list, t->suffix, t->n_suffix);
    token_span *copy =
        fine && st == E_OK ? arena_get(mem, (size_t)(list.n + 1) * sizeof *copy) : NULL;
    if (copy && list.n) memcpy(copy, list.p, (size_t)list.n * sizeof *copy);
    if (st == E_OK && !copy) st = error_set(err, E_NOMEM, "tokenizer: out of memory");
    if (st == E_OK) *out = copy, *n_out = list.n;
    spans_release(&list);
    return st;
}

/* How many of these bytes, which are not UTF-8, are one maximal prefix of a character: they become one U+FFFD. */
static size_t broken(const unsigned char *p, size_t n)
{
    unsigned lo = 0x80, hi = 0xbf;
    int more = p[0] >= 0xc2 && p[0] < 0xe0   ? 1
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 2
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 3
                                             : 0;
    if (p[0] == 0xe0) lo = 0xa0;
    if (p[0] == 0xed) hi = 0x9f;
    if (p[0] == 0xf0) lo = 0x90;
    if (p[0] == 0xf4) hi = 0x8f;
    size_t len = 1;
    for (; more-- && len < n && p[len] >= lo && p[len] <= hi; len++) lo = 0x80, hi = 0xbf;
    return len;
}

static void repair_into(str *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t fine = utf8_check(p + i, n - i);
        str_add(s, p + i, fine);
        i += fine;
        if (i == n) break;
        str_puts(s, "\xef\xbf\xbd");
        i += broken((const unsigned char *)p + i, n - i);
    }
}

void tokenizer_decode(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s)
{
    str raw = { 0 };
    t->def->decode(t, id, n, repair, repair ? &raw : s);
    if (repair) repair_into(s, raw.p ? raw.p : "", raw.n);
    s->failed |= raw.failed;
    str_release(&raw);
}
/* SPDX-License-Identifier: MIT */
