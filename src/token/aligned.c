/* aligned -- see aligned.h.  Where an added character comes from, and what a composed one covers (its first
 * part alone), is as Hugging Face's tokenizers have it: offsets are compared with theirs. */
#include "token/aligned.h"
#include <string.h>

static bool grow(aligned *a, size_t more)
{
    size_t cap = a->cap ? a->cap : 256;
    if (a->failed || more > UINT32_MAX - a->n) return false;
    while (cap < a->n + more) cap *= 2;
    char *p = mem_resize(a->p, a->cap, cap);
    if (!p) return false;
    a->p = p, a->cap = cap;
    source *at = mem_resize(a->at, a->cap_at * sizeof *at, cap * sizeof *at);
    if (!at) return false;
    a->at = at, a->cap_at = cap;
    return true;
}

void aligned_put(aligned *a, const char *p, size_t n, source from)
{
    if (a->n + n > a->cap_at && !grow(a, n)) {
        a->failed = true;
        return;
    }
    memcpy(a->p + a->n, p, n);
    for (size_t i = 0; i < n; i++) a->at[a->n + i] = from;
    a->n += n;
}

void aligned_clear(aligned *a) { a->n = 0; }

void aligned_release(aligned *a)
{
    mem_free(a->p, a->cap);
    mem_free(a->at, a->cap_at * sizeof *a->at);
    *a = (aligned){ 0 };
}

piece aligned_piece(const aligned *a) { return (piece){ a->p, a->n, a->at, 0 }; }

piece piece_part(const piece *p, size_t first, size_t end)
{
    return (piece){ p->p + first, end - first, p->at ? p->at + first : NULL, p->base + first };
}

static bool inside(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

source piece_source(const piece *p, size_t i)
{
    if (p->at) return p->at[i];
    size_t first = i, end = i + 1;
    while (first && inside(p->p[first])) first--;
    while (end < p->n && inside(p->p[end])) end++;
    return (source){ (uint32_t)(p->base + first), (uint32_t)(p->base + end) };
}

size_t piece_char(const piece *p, size_t i, uint32_t *c)
{
    unsigned char byte = (unsigned char)p->p[i];
    if (byte < 128) {
        *c = byte;
        return 1;
    }
    int len = utf8_next(p->p + i, p->n - i, c);
    if (len) return (size_t)len;
    *c = byte; /* cannot be: texts are UTF-8 */
    return 1;
}

void rewrite_put(rewrite *r, uint32_t c, int change)
{
    const piece *in = r->in;
    char bytes[4];
    uint32_t skipped;
    size_t at = change > 0 && r->read ? r->read - 1 : r->read;
    if (at >= in->n) return; /* nothing to stand for */
    source from = piece_source(in, at);
    if (change > 0 && !r->read) from.end = from.first;
    for (; change <= 0 && r->read < in->n; change++) r->read += piece_char(in, r->read, &skipped);
    aligned_put(r->out, bytes, (size_t)utf8_put(c, bytes), from);
}

void rewrite_keep(rewrite *r)
{
    uint32_t c;
    size_t len = piece_char(r->in, r->read, &c);
    aligned_put(r->out, r->in->p + r->read, len, piece_source(r->in, r->read));
    r->read += len;
}

void rewrite_drop(rewrite *r)
{
    uint32_t c;
    r->read += piece_char(r->in, r->read, &c);
}
/* SPDX-License-Identifier: MIT */
