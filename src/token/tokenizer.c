/* tokenizer -- see tokenizer.h: opening, BOS, decoding; the kinds are files of their own. */
#include "base/file.h"
#include "base/hash.h"
#include "token/token_def.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* ---- opening ---- */

static status hash_files(tokenizer *t, const char *const *path, int n, error *err)
{
    char digits[HASH_TEXT];
    hash *h = hash_new();
    status st = h ? E_OK : error_set(err, E_NOMEM, "tokenizer: out of memory");
    for (int i = 0; i < n && st == E_OK; i++) st = hash_file(h, path[i], err);
    if (st == E_OK) hash_text(h, digits), snprintf(t->hash, sizeof t->hash, "xxh3-128:%s", digits);
    hash_free(h);
    return st;
}

static const token_def *find(const char *path)
{
    for (int i = 0; token_all[i]; i++)
        for (int k = 0; token_all[i]->ends[k]; k++)
            if (str_ends(path, token_all[i]->ends[k])) return token_all[i];
    return NULL;
}

static status read_path(tokenizer *t, const char *path, error *err)
{
    t->def = find(path), t->bos = -1;
    if (!t->def) {
        error_set(err, E_UNSUPPORTED, "%s: unknown kind of tokenizer", path);
        error_hint(err, "expected tokenizer.json, vocab.json beside merges.txt, a llama2.c .bin, "
                        "or a directory");
        return E_UNSUPPORTED;
    }
    status st = t->def->read(t, path, err);
    return st == E_OK
               ? hash_files(t, (const char *const[]){ path, t->beside }, t->beside ? 2 : 1, err)
               : st;
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
    for (int i = 0; token_all[i]; i++)
        for (int k = 0; token_all[i]->in_dir[k]; k++) {
            const char *path = first_like(mem, dir, token_all[i]->in_dir[k]);
            if (path) return path;
        }
    return NULL;
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

const char *tokenizer_kind(const tokenizer *t) { return t->def->name; }
int32_t tokenizer_count(const tokenizer *t) { return t->n; }
int32_t tokenizer_bos(const tokenizer *t) { return t->bos; }
bool tokenizer_adds_bos(const tokenizer *t) { return t->adds_bos; }
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

status tokenizer_encode(const tokenizer *t, arena *mem, const char *text, size_t n, token_bos bos,
                        token_span **out, int64_t *n_out, error *err)
{
    size_t bad = utf8_check(text, n);
    bool begin = bos == TOKEN_BOS_YES || (bos == TOKEN_BOS_AUTO && t->adds_bos);
    int32_t n_end = bos == TOKEN_BOS_AUTO ? t->n_suffix : 0;
    int64_t k = 0;
    if (bad < n) {
        error_set(err, E_FORMAT, "the text is not UTF-8: byte 0x%02x at offset %zu",
                  (unsigned char)text[bad], bad);
        error_hint(err, "convert it, or give token ids");
        return E_FORMAT;
    }
    if (begin && t->bos < 0) {
        error_set(err, E_USAGE, "this tokenizer has no BOS token");
        error_hint(err, "leave --bos out");
        return E_USAGE;
    }
    token_span *s = arena_array(mem, (int64_t)n + 3 + n_end, sizeof *s);
    if (!s) return error_set(err, E_NOMEM, "tokenizer: out of memory");
    if (begin) s[0] = (token_span){ t->bos, 0, 0 };
    status st = t->def->encode(t, mem, text, n, s + begin, &k, err);
    if (st != E_OK) return st;
    for (int32_t i = 0; i < n_end; i++) s[begin + k + i] = (token_span){ t->suffix[i], 0, 0 };
    *out = s, *n_out = begin + k + n_end;
    return E_OK;
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
    t->def->decode(t, id, n, repair ? &raw : s);
    if (repair) repair_into(s, raw.p ? raw.p : "", raw.n);
    s->failed |= raw.failed;
    str_release(&raw);
}
/* SPDX-License-Identifier: MIT */
