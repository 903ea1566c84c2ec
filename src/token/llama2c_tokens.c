/* llama2c_tokens -- the tokenizer file of llama2.c.
 *
 *     longest: i32 | score: f32, length: i32, bytes ... | again, to the end of the file
 *
 * Ids 0, 1, 2 are <unk>, BOS and EOS; 3 to 258 the bytes, written <0x00> to <0xFF>.  A text begins with a
 * space of its own; characters that are not in the vocabulary become bytes; then neighbours merge, best score
 * first.  A tokenizer's `own` is its scores, by id. */
#include "base/file.h"
#include "token/token_def.h"
#include "token/vocab.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, MAX_BYTES = 1 << 16, BOS = 1, FIRST_BYTE = 3 };

/* ---- encoding ---- */

static bool by_score(const void *user, const token_span *left, const token_span *right,
                     int32_t *made, double *order)
{
    const tokenizer *t = user;
    char joined[256];
    const token_text *a = &t->text[left->id], *b = &t->text[right->id];
    if (a->n + b->n > sizeof joined) return false;
    memcpy(joined, a->p, a->n);
    memcpy(joined + a->n, b->p, b->n);
    *made = table_find(&t->by_text, t->text, joined, a->n + b->n);
    if (*made < 0) return false;
    *order = -(double)((const float *)t->own)[*made];
    return true;
}

static status encode(const tokenizer *t, arena *mem, const char *text, size_t n, span_list *list,
                     error *err)
{
    int64_t k = 0;
    int32_t space = table_find(&t->by_text, t->text, " ", 1);
    if (!spans_room(list, (int64_t)n + 1))
        return error_set(err, E_NOMEM, "tokenizer: out of memory");
    token_span *out = list->p + list->n;
    if (n && space >= 0) out[k++] = (token_span){ space, 0, 0 };
    for (size_t i = 0; i < n;) {
        size_t len = (size_t)utf8_next(text + i, n - i, NULL);
        int32_t id = table_find(&t->by_text, t->text, text + i, len);
        for (size_t j = 0; id < 0 && j < len; j++)
            out[k++] = (token_span){ FIRST_BYTE + (unsigned char)text[i + j], i, i + len };
        if (id >= 0) out[k++] = (token_span){ id, i, i + len };
        i += len;
    }
    k = tokens_merge(t, mem, out, k, by_score);
    if (k < 0) return error_set(err, E_NOMEM, "tokenizer: out of memory");
    list->n += k;
    return E_OK;
}

/* After BOS one leading space goes. */
static void decode(const tokenizer *t, const int32_t *id, int64_t n, bool repair, str *s)
{
    (void)repair;
    for (int64_t i = 0; i < n; i++) {
        size_t len;
        const char *p = tokenizer_text(t, id[i], &len);
        if (!p || t->text[id[i]].special) continue;
        bool first = i > 0 && id[i - 1] == BOS && len && *p == ' ';
        str_add(s, p + first, len - first);
    }
}

/* ---- reading ---- */

typedef struct reader {
    const unsigned char *p;
    size_t left;
} reader;

static bool take(reader *r, void *out, size_t n)
{
    if (r->left < n) return false;
    memcpy(out, r->p, n);
    r->p += n, r->left -= n;
    return true;
}

/* "<0x0A>" is a byte. */
static bool byte_token(const char *p, size_t n, int *byte)
{
    unsigned v;
    char text[7] = { 0 };
    if (n != 6) return false;
    memcpy(text, p, 6);
    if (sscanf(text, "<0x%02X>", &v) != 1) return false;
    *byte = (int)v;
    return true;
}

static int32_t count(reader r)
{
    float score;
    int32_t len, n = 0;
    while (r.left && take(&r, &score, 4) && take(&r, &len, 4) && len >= 0 &&
           (size_t)len <= r.left) {
        r.p += len, r.left -= (size_t)len;
        n++;
    }
    return n;
}

static status read_token(tokenizer *t, reader *r, int32_t id, float *score, const char *path,
                         error *err)
{
    int32_t len;
    int byte;
    if (!take(r, score, 4) || !take(r, &len, 4) || len < 0 || (size_t)len > r->left ||
        len > MAX_BYTES || !isfinite(*score)) {
        error_set(err, E_FORMAT, "%s: token %d is cut off or has no sensible length", path, id);
        error_hint(err, "the file is truncated, or is not a llama2.c tokenizer");
        return E_FORMAT;
    }
    char *p = arena_get(&t->mem, (size_t)len + 1);
    if (!p || !take(r, p, (size_t)len)) return error_set(err, E_NOMEM, "%s: out of memory", path);
    p[len] = 0;
    t->text[id] =
        (token_text){ .p = p, .n = (uint32_t)len, .special = id < FIRST_BYTE, .there = true };
    if (id >= FIRST_BYTE && byte_token(p, (size_t)len, &byte)) *p = (char)byte, t->text[id].n = 1;
    return E_OK;
}

static status read_file(tokenizer *t, const char *path, error *err)
{
    str s = { 0 };
    int32_t longest = 0;
    status st = file_read(&s, path, MAX_FILE, err);
    reader r = { (const unsigned char *)s.p, s.n };
    t->bos = BOS, t->prefix = &t->bos, t->n_prefix = 1;
    if (st == E_OK && !take(&r, &longest, 4))
        st = error_set(err, E_FORMAT, "%s: has %zu bytes, a llama2.c tokenizer begins with 4", path,
                       s.n);
    if (st == E_OK) t->n = count(r);
    if (st == E_OK && (longest < 1 || t->n < FIRST_BYTE + 256))
        st = error_set(err, E_FORMAT, "%s: has %d tokens, expected at least %d (the bytes)", path,
                       t->n, FIRST_BYTE + 256);
    float *score = st == E_OK ? arena_array(&t->mem, t->n, sizeof *score) : NULL;
    if (st == E_OK) t->text = arena_array(&t->mem, t->n, sizeof *t->text);
    if (st == E_OK && (!score || !t->text || !table_init(&t->by_text, &t->mem, t->n)))
        st = error_set(err, E_NOMEM, "%s: out of memory", path);
    for (int32_t i = 0; st == E_OK && i < t->n; i++)
        st = read_token(t, &r, i, &score[i], path, err);
    if (st == E_OK && r.left)
        st = error_set(err, E_FORMAT, "%s: %zu bytes after token %d are no token", path, r.left,
                       t->n - 1);
    /* a byte's own text must not be found for a character that has a token of its own: those come later in the file */
    for (int32_t i = t->n - 1; st == E_OK && i >= FIRST_BYTE + 256; i--)
        table_add(&t->by_text, t->text, i);
    t->own = score;
    str_release(&s);
    return st;
}

/* ---- as a vocabulary ---- */

/* Spaces are marks there, and the first three have SentencePiece's names, whatever the file calls them. */
static bool vocab_text_of(const tokenizer *t, int32_t id, arena *mem, vocab_text *out)
{
    static const char *const first[] = { "<unk>", "<s>", "</s>" };
    const token_text *x = &t->text[id];
    size_t room = 3 * x->n + 8, n = 0;
    char *p = arena_get(mem, room);
    if (!p) return false;
    if (id < FIRST_BYTE) n = (size_t)snprintf(p, room, "%s", first[id]);
    else if (id < FIRST_BYTE + 256)
        n = (size_t)snprintf(p, room, "<0x%02X>", (unsigned)(id - FIRST_BYTE));
    else
        for (size_t i = 0; i < x->n; i++) {
            bool space = x->p[i] == ' ';
            memcpy(p + n, space ? "\xe2\x96\x81" : x->p + i, space ? 3 : 1), n += space ? 3 : 1;
        }
    *out = (vocab_text){ p, n };
    return true;
}

static status say_vocab(const tokenizer *t, arena *mem, token_vocab *v, error *err)
{
    vocab_text *text = arena_array(mem, t->n, sizeof *text);
    int32_t *type = arena_array(mem, t->n, sizeof *type);
    bool fine = text && type;
    for (int32_t i = 0; fine && i < t->n; i++) {
        type[i] = i == 0                 ? VOCAB_UNKNOWN
                  : i < FIRST_BYTE       ? VOCAB_CONTROL
                  : i < FIRST_BYTE + 256 ? VOCAB_BYTE
                                         : VOCAB_NORMAL;
        fine = vocab_text_of(t, i, mem, &text[i]);
    }
    if (!fine) return error_set(err, E_NOMEM, "tokenizer: out of memory");
    *v = (token_vocab){ .model = "llama",
                        .n = t->n,
                        .text = text,
                        .score = t->own,
                        .type = type,
                        .bos = BOS,
                        .eos = BOS + 1,
                        .unk = 0,
                        .add_bos = VOCAB_YES };
    return E_OK;
}

const token_def token_llama2c_tokens_def = { .name = "llama2.c",
                                             .ends = { ".bin" },
                                             .in_dir = { "tok*.bin" },
                                             .rank = 3,
                                             .read = read_file,
                                             .vocab = say_vocab,
                                             .encode = encode,
                                             .decode = decode };
/* SPDX-License-Identifier: MIT */
