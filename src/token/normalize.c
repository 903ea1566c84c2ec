/* normalize -- what is done to a text before it is cut: a table of steps, run in turn.
 *
 * Each step reads a piece and writes an aligned text, so that offsets lead back to what the user gave. */
#include "token/chars.h"
#include "token/pipeline.h"
#include <string.h>
#include <utf8proc.h>

typedef struct normal_def {
    const char *type;
    status (*read)(tokenizer *t, step *s, const json_t *v, const char *path, error *err);
    normal_run *run;
    bool not_ascii; /* changes no ASCII text */
} normal_def;

static status nomem(error *err) { return error_set(err, E_NOMEM, "tokenizer: out of memory"); }

/* ---- Unicode forms ---- */

typedef struct part {
    uint32_t c;
    int32_t change;
    int32_t class; /* canonical combining class */
} part;

static int32_t combining(uint32_t c)
{
    return c < 0x300 ? 0 : (int32_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* Marks between two starters in the order of their classes, those of one class as they stand. */
static bool order(part *p, int64_t n, arena *mem)
{
    int64_t count[257] = { 0 };
    if (n < 2) return true;
    part *copy = arena_get(mem, (size_t)n * sizeof *copy);
    if (!copy) return false;
    memcpy(copy, p, (size_t)n * sizeof *copy);
    for (int64_t i = 0; i < n; i++) count[copy[i].class + 1]++;
    for (int k = 0; k < 256; k++) count[k + 1] += count[k];
    for (int64_t i = 0; i < n; i++) p[count[copy[i].class]++] = copy[i];
    return true;
}

static bool order_all(part *p, int64_t n, arena *mem)
{
    for (int64_t i = 0; i < n;) {
        int64_t k = i;
        while (k < n && p[k].class) k++;
        arena_mark here = arena_here(mem);
        if (!order(p + i, k - i, mem)) return false;
        arena_rewind(mem, here);
        i = k + 1;
    }
    return true;
}

enum { LONGEST = 32 }; /* parts of one character; Unicode's longest has 18 */

static int64_t parts_of(uint32_t c, bool compatible, utf8proc_int32_t *buffer)
{
    int last = 0;
    buffer[0] = (utf8proc_int32_t)c;
    if (c < 0xa0) return 1;
    int64_t k =
        utf8proc_decompose_char((utf8proc_int32_t)c, buffer, LONGEST,
                                UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0), &last);
    return k > 0 && k <= LONGEST ? k : 1;
}

/* The parts of a piece, or with out NULL their number. */
static int64_t decompose(const piece *in, bool compatible, part *out)
{
    int64_t n = 0;
    utf8proc_int32_t buffer[LONGEST];
    for (size_t i = 0; i < in->n;) {
        uint32_t c;
        i += piece_char(in, i, &c);
        int64_t k = parts_of(c, compatible, buffer);
        for (int64_t j = 0; out && j < k; j++)
            out[n + j] = (part){ (uint32_t)buffer[j], j > 0, combining((uint32_t)buffer[j]) };
        n += k;
    }
    return n;
}

/* What two characters make, 0 when nothing. */
static uint32_t compose(uint32_t a, uint32_t b)
{
    utf8proc_int32_t pair[3] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };
    if (b < 0x300) return 0;
    return utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1
               ? (uint32_t)pair[0]
               : 0;
}

/* In place: a starter takes in what follows it and is not blocked; how many parts remain. */
static int64_t recompose(part *p, int64_t n)
{
    int64_t starter = -1, kept = 0, blocked = -1; /* class of the last mark that stayed */
    for (int64_t i = 0; i < n; i++) {
        part x = p[i];
        bool free = starter >= 0 && (blocked < 0 || blocked < x.class);
        uint32_t made = free ? compose(p[starter].c, x.c) : 0;
        if (made) {
            p[starter].c = made, p[starter].change += x.change - 1;
            continue;
        }
        if (x.class == 0) starter = kept, blocked = -1;
        else if (starter >= 0) blocked = x.class;
        p[kept++] = x;
    }
    return kept;
}

static status run_form(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    rewrite r = { in, out, 0 };
    arena_mark here = arena_here(e->mem);
    int64_t n = decompose(in, s->flag[1], NULL);
    part *p = arena_array(e->mem, n, sizeof *p);
    if (!p) return nomem(err);
    decompose(in, s->flag[1], p);
    if (!order_all(p, n, e->mem)) return nomem(err);
    if (s->flag[0]) n = recompose(p, n);
    for (int64_t i = 0; i < n; i++) rewrite_put(&r, p[i].c, p[i].change);
    arena_rewind(e->mem, here);
    return E_OK;
}

static status read_form(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const char *type = type_of(v);
    (void)t, (void)path, (void)err;
    s->flag[0] = type[strlen(type) - 1] == 'C', s->flag[1] = strlen(type) == 4;
    return E_OK;
}

/* ---- one character at a time ---- */

static void put_lower(rewrite *r, uint32_t c)
{
    if (c == 0x130) rewrite_put(r, 'i', 0), rewrite_put(r, 0x307, 1);
    else rewrite_put(r, char_lower(c), 0);
}

typedef void each_fn(rewrite *r, uint32_t c);

static status each(const piece *in, aligned *out, each_fn *fn)
{
    rewrite r = { in, out, 0 };
    while (r.read < in->n) {
        uint32_t c;
        piece_char(in, r.read, &c);
        fn(&r, c);
    }
    return E_OK;
}

static status run_lower(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    (void)s, (void)e, (void)err;
    return each(in, out, put_lower);
}

static void put_unaccented(rewrite *r, uint32_t c)
{
    (char_is_mark(c) ? rewrite_drop : rewrite_keep)(r);
}

static status run_unaccented(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    (void)s, (void)e, (void)err;
    return each(in, out, put_unaccented);
}

/* Control characters go, other kinds of space become one (as SentencePiece's nmt rules begin). */
static void put_nmt(rewrite *r, uint32_t c)
{
    bool gone = (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f ||
                c == 0x8f || c == 0x9f;
    bool space = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
                 (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                 c == 0xfeff || c == 0xfffd;
    if (gone) rewrite_drop(r);
    else if (space) rewrite_put(r, ' ', 0);
    else rewrite_keep(r);
}

static status run_nmt(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    (void)s, (void)e, (void)err;
    return each(in, out, put_nmt);
}

/* ---- BERT's ---- */

static void put_clean(rewrite *r, uint32_t c)
{
    if (char_is_control(c)) rewrite_drop(r);
    else if (char_is_space(c)) rewrite_put(r, ' ', 0);
    else rewrite_keep(r);
}

static void put_apart(rewrite *r, uint32_t c)
{
    if (!char_is_ideograph(c)) {
        rewrite_keep(r);
        return;
    }
    rewrite_put(r, ' ', 0), rewrite_put(r, c, 1), rewrite_put(r, ' ', 1);
}

static void put_bare(rewrite *r, uint32_t c)
{
    (char_is_accent(c) ? rewrite_drop : rewrite_keep)(r);
}

static status read_bert(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    (void)t;
    bool lower = true;
    status st = json_flag(v, "clean_text", true, &s->flag[0], err);
    if (st == E_OK) st = json_flag(v, "handle_chinese_chars", true, &s->flag[1], err);
    if (st == E_OK) st = json_flag(v, "lowercase", true, &lower, err);
    if (st == E_OK) st = json_flag(v, "strip_accents", lower, &s->flag[2], err);
    s->flag[3] = lower;
    if (st != E_OK) error_prefix(err, "%s: normalizer", path);
    return st;
}

/* Up to five passes between two texts; the last one is out. */
static status run_bert(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    static each_fn *const fns[] = { put_clean, put_apart, NULL, put_bare, put_lower };
    const bool wanted[] = { s->flag[0], s->flag[1], s->flag[2], s->flag[2], s->flag[3] };
    const step nfd = { 0 };
    aligned spare = { 0 };
    piece now = *in;
    status st = E_OK;
    for (int i = 0; i < 5 && st == E_OK; i++) {
        if (!wanted[i]) continue;
        aligned_clear(&spare);
        st = fns[i] ? each(&now, &spare, fns[i]) : run_form(&nfd, e, &now, &spare, err);
        aligned swap = spare; /* what was read last becomes the spare one */
        spare = *out, *out = swap, now = aligned_piece(out);
    }
    for (rewrite r = { in, out, 0 }; now.p == in->p && r.read < in->n;) rewrite_keep(&r);
    out->failed |= spare.failed;
    aligned_release(&spare);
    return st;
}

/* ---- texts put in, replaced, taken away ---- */

static status read_prepend(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const char *text = json_string_value(json_object_get(v, "prepend"));
    if (!text) return error_set(err, E_FORMAT, "%s: normalizer Prepend has no text", path);
    s->text = arena_string(&t->mem, text), s->n = strlen(text);
    return s->text ? E_OK : no_memory(err, path);
}

/* What is put before a text belongs to its first character. */
static status run_prepend(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    rewrite r = { in, out, 0 };
    (void)e, (void)err;
    aligned_put(out, s->text, s->n, piece_source(in, 0));
    while (r.read < in->n) rewrite_keep(&r);
    return E_OK;
}

static status read_replace(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    const json_t *match = json_object_get(v, "pattern");
    const char *re = json_string_value(json_object_get(match, "Regex")),
               *text = json_string_value(json_object_get(match, "String")),
               *content = json_string_value(json_object_get(v, "content"));
    if (!content || (!re && !text))
        return error_set(err, E_FORMAT, "%s: Replace has no pattern or no content", path);
    s->text = arena_string(&t->mem, content), s->n = strlen(content);
    if (!s->text) return no_memory(err, path);
    if (re) return pattern_regex(&s->pattern, re, path, err);
    s->pattern = pattern_text(text, strlen(text));
    return s->pattern ? E_OK : no_memory(err, path);
}

/* What is put in the place of a match belongs to its last character. */
static status run_replace(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    rewrite r = { in, out, 0 };
    size_t first = 0, end = 0;
    bool found = true;
    for (size_t look = 0; found;) {
        status st =
            pattern_next(s->pattern, &e->room, in->p, in->n, look, &found, &first, &end, err);
        if (st != E_OK) return st;
        while (r.read < (found ? first : in->n)) rewrite_keep(&r);
        if (!found) break;
        source from = piece_source(in, end > first ? end - 1 : first ? first - 1 : 0);
        if (end > first || first) aligned_put(out, s->text, s->n, from);
        while (r.read < end) rewrite_drop(&r);
        look = end > first ? end : end + 1;
        while (look < in->n && ((unsigned char)in->p[look] & 0xc0) == 0x80) look++;
    }
    return E_OK;
}

static status read_strip(tokenizer *t, step *s, const json_t *v, const char *path, error *err)
{
    (void)t;
    status st = json_flag(v, "strip_left", true, &s->flag[0], err);
    if (st == E_OK) st = json_flag(v, "strip_right", true, &s->flag[1], err);
    if (st != E_OK) error_prefix(err, "%s: normalizer", path);
    return st;
}

static status run_strip(const step *s, encoder *e, const piece *in, aligned *out, error *err)
{
    rewrite r = { in, out, 0 };
    size_t first = in->n, end = 0;
    uint32_t c;
    (void)e, (void)err;
    for (size_t i = 0, len; i < in->n; i += len) {
        len = piece_char(in, i, &c);
        if (char_is_space(c)) continue;
        first = i < first ? i : first, end = i + len;
    }
    if (!s->flag[0]) first = 0;
    if (!s->flag[1]) end = in->n;
    while (r.read < first && r.read < in->n) rewrite_drop(&r);
    while (r.read < end) rewrite_keep(&r);
    return E_OK;
}

/* ---- the table ---- */

static const normal_def defs[] = {
    { "NFC", read_form, run_form, true },
    { "NFD", read_form, run_form, true },
    { "NFKC", read_form, run_form, true },
    { "NFKD", read_form, run_form, true },
    { "Lowercase", NULL, run_lower, false },
    { "StripAccents", NULL, run_unaccented, true },
    { "Nmt", NULL, run_nmt, false },
    { "BertNormalizer", read_bert, run_bert, false },
    { "Prepend", read_prepend, run_prepend, false },
    { "Replace", read_replace, run_replace, false },
    { "Strip", read_strip, run_strip, false },
};

static status read_sequence(tokenizer *t, const json_t *list, const char *path, error *err)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        status st = normalize_read(t, v, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

status normalize_read(tokenizer *t, const json_t *v, const char *path, error *err)
{
    const char *type = type_of(v);
    if (!v || json_is_null(v)) return E_OK;
    if (!strcmp(type, "Sequence"))
        return read_sequence(t, json_object_get(v, "normalizers"), path, err);
    for (size_t i = 0; i < sizeof defs / sizeof *defs; i++) {
        if (strcmp(type, defs[i].type)) continue;
        step *s = step_new(&pipe_of(t)->normal, path, err);
        if (!s) return E_LIMIT;
        s->normalize = defs[i].run, s->not_ascii = defs[i].not_ascii;
        return defs[i].read ? defs[i].read(t, s, v, path, err) : E_OK;
    }
    return refuse_type(err, path, "normalizer", v);
}

static bool ascii(const piece *p)
{
    for (size_t i = 0; i < p->n; i++)
        if ((unsigned char)p->p[i] >= 128) return false;
    return true;
}

status normalize_run(encoder *e, const piece *in, piece *out, error *err)
{
    const step_list *list = &pipe_of(e->t)->normal;
    int which = 0;
    *out = *in;
    for (int i = 0; i < list->n; i++) {
        const step *s = &list->at[i];
        aligned *to = &e->normal[which];
        if (!out->n || (s->not_ascii && ascii(out))) continue;
        aligned_clear(to);
        status st = s->normalize(s, e, out, to, err);
        if (st == E_OK && to->failed) st = nomem(err);
        if (st != E_OK) return st;
        *out = aligned_piece(to);
        which = !which;
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
