/* added -- tokens recognised in the text itself: the leftmost first, of several that begin there the longest.
 *
 * Those that are "normalized" in the file are looked for in the normalized text, in their normalized form. */
#include "token/chars.h"
#include "token/pipeline.h"
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

/* Room for one more; most vocabularies have few. */
static bool make_room(arena *mem, added_set *set)
{
    enum { FEW = 16 };
    if (set->n < set->room) return true;
    int32_t room = set->room ? 2 * set->room : FEW;
    added_token *list = arena_array(mem, room, sizeof *list);
    if (!list) return false;
    if (set->n) memcpy(list, set->list, (size_t)set->n * sizeof *list);
    set->list = list, set->room = room;
    return true;
}

status added_put(tokenizer *t, added_token a, bool late, const char *path, error *err)
{
    added_set *set = late ? &pipe_of(t)->late : &pipe_of(t)->early;
    if (!make_room(&t->mem, set)) return no_memory(err, path);
    const token_text *x = &pipe_of(t)->symbol[a.id];
    a.p = arena_copy(&t->mem, x->p, x->n + 1), a.n = x->n;
    if (!a.p) return no_memory(err, path);
    set->list[set->n++] = a;
    return E_OK;
}

/* The token as it will stand in a normalized text. */
static status normalized(tokenizer *t, added_token *a, const char *path, error *err)
{
    arena mem = { 0 };
    encoder e = { .t = t, .mem = &mem, .text = a->p, .n_text = a->n };
    piece in = { .p = a->p, .n = a->n }, out;
    status st = normalize_run(&e, &in, &out, err);
    if (st == E_OK) a->p = arena_copy(&t->mem, out.p, out.n), a->n = out.n;
    if (st == E_OK && out.n && !a->p) st = no_memory(err, path);
    for (int i = 0; i < 2; i++) aligned_release(&e.normal[i]);
    pattern_room_release(&e.room);
    arena_release(&mem);
    return st;
}

static bool is_symbol(const tokenizer *t, const added_token *a)
{
    const token_text *x = &pipe_of(t)->symbol[a->id];
    return a->n == x->n && (!a->n || !memcmp(a->p, x->p, a->n));
}

static int by_id(const void *a, const void *b)
{
    int32_t i = ((const shown_token *)a)->id, k = ((const shown_token *)b)->id;
    return (i > k) - (i < k);
}

/* The original decodes an added token as what it was looked for, where that is not its symbol. */
static status show_normalized(tokenizer *t, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    int32_t n = 0;
    for (int32_t i = 0; i < own->late.n; i++) n += !is_symbol(t, &own->late.list[i]);
    if (!n) return E_OK;
    shown_token *shown = arena_array(&t->mem, n, sizeof *shown);
    if (!shown) return no_memory(err, path);
    own->shown = shown;
    for (int32_t i = 0; i < own->late.n; i++) {
        const added_token *a = &own->late.list[i];
        if (is_symbol(t, a)) continue;
        shown[own->n_shown++] = (shown_token){ a->id, { .p = a->n ? a->p : "", .n = a->n } };
    }
    qsort(shown, (size_t)n, sizeof *shown, by_id);
    return E_OK;
}

/* Special ones stand before the others where two are written alike. */
static status index_set(tokenizer *t, added_set *set, bool late, const char *path, error *err)
{
    status st = E_OK;
    if (!trie_init(&set->trie, &t->mem)) return no_memory(err, path);
    for (int32_t i = 0; i < set->n && late && st == E_OK; i++)
        st = normalized(t, &set->list[i], path, err);
    for (int pass = 0; pass < 2 && st == E_OK; pass++)
        for (int32_t i = 0; i < set->n && st == E_OK; i++) {
            const added_token *a = &set->list[i];
            if (!a->n || t->text[a->id].special == (pass == 1)) continue;
            set->first[(unsigned char)*a->p] = true;
            if (!trie_add(&set->trie, a->p, a->n, i)) st = no_memory(err, path);
        }
    return st;
}

status added_index(tokenizer *t, const char *path, error *err)
{
    status st = index_set(t, &pipe_of(t)->early, false, path, err);
    if (st == E_OK) st = index_set(t, &pipe_of(t)->late, true, path, err);
    return st == E_OK ? show_normalized(t, path, err) : st;
}

static status read_one(tokenizer *t, const json_t *v, size_t i, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    const json_t *text = json_object_get(v, "content"), *id = json_object_get(v, "id");
    const char *p = json_string_value(text);
    size_t n = json_string_length(text);
    if (!p || !n || !json_is_integer(id))
        return error_set(err, E_FORMAT, "%s: added token %zu has no content or id", path, i);
    int64_t k = json_integer_value(id);
    int32_t there = table_find(&own->by_symbol, own->symbol, p, n);
    bool same = k >= 0 && k < t->n && own->symbol[k].there && own->symbol[k].n == n &&
                !memcmp(own->symbol[k].p, p, n);
    if (there >= 0 && there != k)
        return error_set(err, E_FORMAT,
                         "%s: added token '%.60s' has id %lld, in the vocabulary it has %d", path,
                         p, (long long)k, there);
    status st = same ? E_OK : pipeline_token(t, k, p, n, false, path, err);
    if (st != E_OK) return st;
    t->text[k].special |= json_is_true(json_object_get(v, "special"));
    added_token a = { .id = (int32_t)k,
                      .single_word = json_is_true(json_object_get(v, "single_word")),
                      .lstrip = json_is_true(json_object_get(v, "lstrip")),
                      .rstrip = json_is_true(json_object_get(v, "rstrip")) };
    return added_put(t, a, json_is_true(json_object_get(v, "normalized")), path, err);
}

status added_read(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *one;
    status st = E_OK;
    json_array_foreach(v, i, one)
    {
        st = read_one(t, one, i, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

/* ---- running ---- */

/* The character that ends at `at`; the one that begins there. */
static bool word_before(const piece *p, size_t at)
{
    uint32_t c;
    if (!at) return false;
    for (at--; at && ((unsigned char)p->p[at] & 0xc0) == 0x80;) at--;
    piece_char(p, at, &c);
    return char_is_word(c);
}

static bool word_after(const piece *p, size_t at)
{
    uint32_t c;
    if (at >= p->n) return false;
    piece_char(p, at, &c);
    return char_is_word(c);
}

static size_t spaces_before(const piece *p, size_t at)
{
    while (at) {
        uint32_t c;
        size_t i = at - 1;
        while (i && ((unsigned char)p->p[i] & 0xc0) == 0x80) i--;
        piece_char(p, i, &c);
        if (!char_is_space(c)) break;
        at = i;
    }
    return at;
}

static size_t spaces_after(const piece *p, size_t at)
{
    while (at < p->n) {
        uint32_t c;
        size_t len = piece_char(p, at, &c);
        if (!char_is_space(c)) break;
        at += len;
    }
    return at;
}

/* The next match from `at` on; NULL when there is none. */
static const added_token *find(const added_set *set, const piece *p, size_t at, size_t *first,
                               size_t *end)
{
    for (; at < p->n; at++) {
        size_t n = 0;
        if (!set->first[(unsigned char)p->p[at]]) continue;
        int32_t i = trie_longest(&set->trie, p->p + at, p->n - at, &n);
        if (i < 0) continue;
        *first = at, *end = at + n;
        return &set->list[i];
    }
    return NULL;
}

status added_run(encoder *e, const added_set *set, const piece *p, stretch_fn *between, error *err)
{
    size_t done = 0, first, end, look = 0;
    const added_token *a;
    status st = E_OK;
    if (!set->n) return between(e, p, err);
    while (st == E_OK && (a = find(set, p, look, &first, &end))) {
        look = end;
        if (a->single_word && (word_before(p, first) || word_after(p, end))) continue;
        if (a->lstrip) first = spaces_before(p, first);
        if (first < done && a->lstrip) first = done;
        if (a->rstrip) end = spaces_after(p, end);
        piece part = piece_part(p, done, first > done ? first : done);
        if (first > done) st = between(e, &part, err);
        if (st == E_OK && first < end) /* spaces that another took leave nothing */
            st = encoder_put_added(e, p, a->id, first, end, err);
        done = end;
    }
    piece rest = piece_part(p, done < p->n ? done : p->n, p->n);
    return st == E_OK && rest.n ? between(e, &rest, err) : st;
}
/* SPDX-License-Identifier: MIT */
