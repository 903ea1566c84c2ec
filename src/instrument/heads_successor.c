/* heads_successor -- successor heads (Gould et al. 2023, "Successor Heads: Recurring, Interpretable Attention Heads In The
 * Wild"): looking at "Monday", they raise "Tuesday".
 *
 *     effective OV    logits(t) = MLP0(norm(W_E[t])) W_V W_O W_U, of a head, norms' gains folded in
 *     successor       the share of pairs (t, next t) of ordinal sequences in which next t has the largest logit among
 *                     the tokens of its sequence, alone
 *
 * What a head reads is taken to be what the first MLP makes of the token alone: its output without the stream, as in the
 * paper.  Positions, biases and the scales of norms are left out; scales change no order.  Sequences and what counts as
 * success are those of the usual replication.  Beside it: how often the largest is the token itself, and a random other
 * token in place of the successor, which is what a head without a reason would score. */
#include "base/file.h"
#include "base/json.h"
#include "base/rand.h"
#include "instrument/head_weights.h"
#include "instrument/heads.h"
#include "instrument/rank.h"
#include "linalg/linalg.h"
#include "report/interval.h"
#include <math.h>
#include <string.h>

enum { MAX_FAMILY = 64, MAX_FILE = 1 << 22, UNIT_ROWS = 512 };

/* An ordinal sequence: of each member its place among all tokens looked at, -1: it is no single token. */
typedef struct family {
    char name[40];
    int n, n_token;
    int *at;
} family;

/* t, the token after it, and another of its family; all of them places. */
typedef struct pair {
    int t, next, other, family;
} pair;

typedef struct successor {
    work *w;
    patterns x;
    head_weights hw;
    family *family;
    int n_family;
    int64_t *id; /* [n] all tokens looked at, each once */
    int n;
    pair *pair;
    int n_pair;
    bool mlp;                     /* there is a first MLP */
    double *e, *column;           /* [n, d_model] what heads read; [n, d_model] of W_U */
    double *hit, *own, *by_other; /* [head][pair] 0 or 1 */
} successor;

static status nomem(error *err) { return error_set(err, E_NOMEM, "heads: out of memory"); }

/* ---- sequences ---- */

/* Words with spaces between; the last is the first again where the sequence is a circle. */
static const char *const usual[][2] = {
    { "number words", "one two three four five six seven eight nine ten eleven twelve thirteen "
                      "fourteen fifteen sixteen seventeen eighteen nineteen twenty" },
    { "ordinal words", "first second third fourth fifth sixth seventh eighth ninth tenth" },
    { "days", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Monday" },
    { "months", "January February March April May June July August September October November "
                "December January" },
    { "days, short", "Mon Tue Wed Thu Fri Sat Sun" },
    { "months, short", "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec" },
    { "letters", "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z" },
};
enum { N_USUAL = sizeof usual / sizeof *usual, N_NUMBER = 200 };

/* The usual sequences as JSON: {name: [words]}, NULL when there is no memory. */
static json_t *usual_sequences(void)
{
    json_t *all = json_object(), *numbers = json_array();
    char text[8];
    for (int i = 1; i <= N_NUMBER; i++) {
        snprintf(text, sizeof text, "%d", i);
        json_array_append_new(numbers, json_string(text));
    }
    json_object_set_new(all, "numbers", numbers);
    for (int k = 0; k < N_USUAL; k++) {
        json_t *list = json_array();
        const char *words = usual[k][1];
        size_t n;
        for (const char *word; (word = str_word(&words, &n));)
            json_array_append_new(list, json_stringn(word, n));
        json_object_set_new(all, usual[k][0], list);
    }
    return all;
}

/* The place of a token among those looked at, which it joins. */
static int place_of(successor *s, int32_t id)
{
    for (int i = 0; i < s->n; i++)
        if (s->id[i] == id) return i;
    s->id[s->n] = id;
    return s->n++;
}

/* One member as a token: an id, or a text with what stands before it; -1: it is none. */
static status token_of(const successor *s, const json_t *v, const char *before, int32_t *out,
                       error *err)
{
    char text[200];
    *out = -1;
    if (json_is_integer(v)) {
        int64_t i = json_integer_value(v);
        if (i >= 0 && i < s->hw.n_vocab) *out = (int32_t)i;
        return E_OK;
    }
    snprintf(text, sizeof text, "%s%.190s", before, json_string_value(v));
    status st = token_find(s->w->m, text, strlen(text), out, NULL);
    return st == E_NOMEM ? nomem(err) : E_OK;
}

static status find_tokens(const successor *s, const json_t *list, const char *before, int32_t *id,
                          int *n, error *err)
{
    status st = E_OK;
    *n = 0;
    for (size_t i = 0; i < json_array_size(list) && st == E_OK; i++) {
        st = token_of(s, json_array_get(list, i), before, &id[i], err);
        *n += id[i] >= 0;
    }
    return st;
}

static status check_family(const char *name, const json_t *list, error *err)
{
    size_t i;
    const json_t *v;
    if (!json_is_array(list))
        return error_set(err, E_FORMAT, "'%.40s' is %s, expected a list of tokens", name,
                         json_kind(list));
    json_array_foreach(list, i, v)
    {
        if (json_is_string(v) || json_is_integer(v)) continue;
        return error_set(err, E_FORMAT, "'%.40s', %zu: is %s, expected a token's text or an id",
                         name, i, json_kind(v));
    }
    return E_OK;
}

/* Words are looked for as inside a text, behind a space, or where more are tokens so, without. */
static status read_family(successor *s, const char *name, const json_t *list, error *err)
{
    family *f = &s->family[s->n_family++];
    status st = check_family(name, list, err);
    if (st != E_OK) return st;
    *f = (family){ .n = (int)json_array_size(list) };
    snprintf(f->name, sizeof f->name, "%s", name);
    int32_t *id = arena_array(&s->w->mem, f->n + 1, sizeof *id),
            *bare = arena_array(&s->w->mem, f->n + 1, sizeof *bare);
    int n_bare = 0;
    f->at = arena_array(&s->w->mem, f->n + 1, sizeof *f->at);
    if (!f->at || !id || !bare) return nomem(err);
    st = find_tokens(s, list, " ", id, &f->n_token, err);
    if (st == E_OK) st = find_tokens(s, list, "", bare, &n_bare, err);
    if (n_bare > f->n_token) id = bare, f->n_token = n_bare;
    for (int k = 0; k < f->n && st == E_OK; k++) f->at[k] = id[k] < 0 ? -1 : place_of(s, id[k]);
    return st;
}

static status read_sequences(successor *s, const json_t *all, error *err)
{
    const char *name;
    json_t *list;
    size_t n = 0;
    if (!json_is_object(all) || json_object_size(all) > MAX_FAMILY)
        return error_set(err, E_FORMAT,
                         "is %s, expected an object of at most %d lists: {\"days\": [..]}",
                         json_kind(all), MAX_FAMILY);
    json_object_foreach((json_t *)all, name, list) n += json_array_size(list);
    s->family = arena_array(&s->w->mem, MAX_FAMILY, sizeof *s->family);
    s->id = arena_array(&s->w->mem, (int64_t)n + 1, sizeof *s->id);
    s->pair = arena_array(&s->w->mem, (int64_t)n + 1, sizeof *s->pair);
    if (!s->family || !s->id || !s->pair) return nomem(err);
    status st = E_OK;
    json_object_foreach((json_t *)all, name, list) if (st == E_OK) st =
        read_family(s, name, list, err);
    return st;
}

static status find_sequences(successor *s, error *err)
{
    const char *file = work_text(s->w, "ordinals");
    json_t *all = NULL;
    status st = E_OK;
    if (!file && !s->w->m->tokens) {
        error_set(err, E_USAGE, "heads: %s came without a tokenizer, so words are not known",
                  s->w->m->name);
        error_hint(err, "--ordinals FILE: sequences of token ids, {\"name\": [5, 9, 12]}");
        return E_USAGE;
    }
    if (file) st = work_file(s->w, file, err);
    if (file && st == E_OK) st = json_open(&all, file, MAX_FILE, err);
    if (!file && !(all = usual_sequences())) st = nomem(err);
    if (st == E_OK) {
        st = read_sequences(s, all, err);
        if (st != E_OK && file) error_prefix(err, "%s", file);
    }
    json_decref(all);
    return st;
}

/* Is this the first of its kind in the family? */
static bool first_there(const family *f, int k)
{
    for (int i = 0; i < k; i++)
        if (f->at[i] == f->at[k]) return false;
    return f->at[k] >= 0;
}

/* A member of the family that is not t, drawn as number `draw`. */
static int other_than(const successor *s, const family *f, int t, int64_t draw)
{
    int64_t n = 0, want;
    for (int k = 0; k < f->n; k++) n += first_there(f, k) && f->at[k] != t;
    want = rand_below(s->w->seed, rand_stream("heads.successor"), (uint64_t)draw, n);
    for (int k = 0; k < f->n; k++)
        if (first_there(f, k) && f->at[k] != t && want-- == 0) return f->at[k];
    return t;
}

static status find_pairs(successor *s, error *err)
{
    for (int i = 0; i < s->n_family; i++) {
        const family *f = &s->family[i];
        for (int k = 0; k + 1 < f->n; k++) {
            int t = f->at[k], next = f->at[k + 1];
            if (t < 0 || next < 0 || t == next) continue;
            s->pair[s->n_pair] = (pair){ t, next, other_than(s, f, t, s->n_pair), i };
            s->n_pair++;
        }
    }
    report_seed(s->w->r, "heads.successor", s->w->seed);
    if (s->n_pair > 1) return E_OK;
    error_set(err, E_USAGE,
              "heads: %s has no ordinal words that are single tokens, one after the other",
              s->w->m->name);
    error_hint(err,
               "--ordinals FILE: sequences of your own, {\"days\": [\" Monday\", ..]}, or leave "
               "successor out of --what");
    return E_USAGE;
}

/* ---- what heads read and write ---- */

/* Rows through what lies between two nodes, in place. */
static status through(successor *s, node *from, node *to, error *err)
{
    cone c;
    node *copy = NULL;
    status st = cone_open(&c, s->w, from, false, err);
    if (st == E_OK) st = cone_to(&c, to, &copy, err);
    cone_end end = { copy, 0, 0, s->e };
    double *x = st == E_OK
                    ? arena_copy(&s->w->mem, s->e, (size_t)s->n * (size_t)s->hw.d_model * sizeof *x)
                    : NULL;
    if (st == E_OK && !x) st = nomem(err);
    return st == E_OK ? cone_rows(&c, x, s->n, &end, 1, err) : st;
}

static status effective_embedding(successor *s, error *err)
{
    graph *g = &s->w->m->g;
    node *ln = graph_find(g, "embed_ln.out"), *in = graph_find(g, "blocks.0.resid_mid"),
         *out = graph_find(g, "blocks.0.mlp.contribution");
    if (!in) in = graph_find(g, "blocks.0.resid_pre");
    s->e = arena_array(&s->w->mem, (int64_t)s->n * s->hw.d_model, sizeof *s->e);
    if (!s->e) return nomem(err);
    status st = head_weights_embed(&s->hw, s->id, s->n, s->e, err);
    if (st == E_OK && ln && ln != s->hw.embed) st = through(s, s->hw.embed, ln, err);
    s->mlp = in && out;
    return st == E_OK && s->mlp ? through(s, in, out, err) : st;
}

/* The columns of W_U of the tokens looked at, as rows. */
static status unembedding(successor *s, error *err)
{
    int32_t d = s->hw.d_model;
    arena *mem = &s->w->mem;
    s->column = arena_array(mem, (int64_t)s->n * d, sizeof *s->column);
    arena_mark here = arena_here(mem);
    double *unit = arena_array(mem, (int64_t)UNIT_ROWS * d, sizeof *unit);
    status st = s->column && unit ? E_OK : nomem(err);
    for (int32_t r = 0; r < d && st == E_OK; r += UNIT_ROWS) {
        int32_t some = d - r < UNIT_ROWS ? d - r : UNIT_ROWS;
        memset(unit, 0, (size_t)some * (size_t)d * sizeof *unit);
        for (int32_t i = 0; i < some; i++) unit[(int64_t)i * d + r + i] = 1;
        for (int k = 0; k < s->n && st == E_OK; k++) {
            int32_t id = (int32_t)s->id[k];
            if (k % 64 == 0) st = work_tell(s->w, "successor", (double)k / s->n, err);
            if (st == E_OK)
                st = head_weights_unembed(&s->hw, unit, some, id, id + 1,
                                          s->column + (int64_t)k * d + r, err);
        }
    }
    arena_rewind(mem, here);
    return st;
}

/* ---- scores ---- */

/* The largest logit of the family's tokens; NaN where there is no single one: a head that writes nothing has none. */
static double largest_of(const family *f, const double *logit)
{
    double most = (double)NAN;
    bool alone = false;
    for (int k = 0; k < f->n; k++) {
        if (!first_there(f, k)) continue;
        double v = logit[f->at[k]];
        if (isnan(v)) return v;
        if (!(v <= most)) most = v, alone = true;
        else if (v == most) alone = false;
    }
    return alone ? most : (double)NAN;
}

/* logits [n, n] of one head. */
static void count_hits(successor *s, int64_t head, const double *logits)
{
    for (int i = 0; i < s->n_pair; i++) {
        const pair *p = &s->pair[i];
        const double *row = logits + (int64_t)p->t * s->n;
        double most = largest_of(&s->family[p->family], row);
        int64_t at = head * s->n_pair + i;
        s->hit[at] = row[p->next] == most, s->own[at] = row[p->t] == most;
        s->by_other[at] = row[p->other] == most;
    }
}

static status score_head(successor *s, int64_t head, double *buffer[5], error *err)
{
    const head_weights *x = &s->hw;
    int layer = (int)(head / x->n_head);
    int32_t h = (int32_t)(head % x->n_head);
    double *v = buffer[0], *o = buffer[1], *z = buffer[2], *written = buffer[3],
           *logits = buffer[4];
    pool *on = s->w->e->pool;
    head_weights_get(x, layer, h, HEAD_V, v), head_weights_get(x, layer, h, HEAD_O, o);
    status st = linalg_product_on(on, z, s->e, v, s->n, x->d_model, x->d_value, LINALG_AB, err);
    if (st == E_OK)
        st = linalg_product_on(on, written, z, o, s->n, x->d_value, x->d_model, LINALG_AB, err);
    if (st == E_OK)
        st = linalg_product_on(on, logits, written, s->column, s->n, x->d_model, s->n, LINALG_ABT,
                               err);
    if (st == E_OK) count_hits(s, head, logits);
    return st;
}

static status score_heads(successor *s, error *err)
{
    arena *mem = &s->w->mem;
    int64_t d = s->hw.d_model, k = s->hw.d_value, n = s->n,
            n_head = (int64_t)s->hw.n_layer * s->hw.n_head;
    s->hit = arena_array(mem, n_head * s->n_pair, sizeof(double));
    s->own = arena_array(mem, n_head * s->n_pair, sizeof(double));
    s->by_other = arena_array(mem, n_head * s->n_pair, sizeof(double));
    double *buffer[] = { arena_array(mem, d * k, sizeof(double)),
                         arena_array(mem, d * k, sizeof(double)),
                         arena_array(mem, n * k, sizeof(double)),
                         arena_array(mem, n * d, sizeof(double)),
                         arena_array(mem, n * n, sizeof(double)) };
    status st = mem->failed ? nomem(err) : E_OK;
    for (int64_t i = 0; i < n_head && st == E_OK; i++) st = score_head(s, i, buffer, err);
    return st;
}

/* ---- what is shown ---- */

static double mean_of_family(const successor *s, int64_t head, int f, int *n_pair)
{
    double sum = 0;
    *n_pair = 0;
    for (int i = 0; i < s->n_pair; i++)
        if (s->pair[i].family == f) sum += s->hit[head * s->n_pair + i], ++*n_pair;
    return *n_pair ? sum / *n_pair : (double)NAN;
}

static int distinct(const family *f)
{
    int n = 0;
    for (int k = 0; k < f->n; k++) n += first_there(f, k);
    return n;
}

/* One of a family's tokens has the largest logit: which, is one in so many. */
static double chance(const successor *s)
{
    double sum = 0;
    for (int i = 0; i < s->n_pair; i++) sum += 1.0 / distinct(&s->family[s->pair[i].family]);
    return sum / s->n_pair;
}

static void show_families(successor *s)
{
    int64_t n_head = (int64_t)s->hw.n_layer * s->hw.n_head;
    const char *names[MAX_FAMILY];
    table *t = report_table(s->w->r, "ordinal sequences", 7,
                            (column[]){ { "sequence", NULL, CELL_TEXT, 0, false },
                                        { "tokens", NULL, CELL_INT, 0, false },
                                        { "pairs", NULL, CELL_INT, 0, false },
                                        { "best layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "successor", NULL, CELL_REAL, 3, false },
                                        { "chance", NULL, CELL_REAL, 3, false } });
    double *out = report_tensor(s->w->r, "successor.sequence", DTYPE_F64, "sequence layer head",
                                (int64_t[]){ s->n_family, s->hw.n_layer, s->hw.n_head });
    for (int f = 0; f < s->n_family && out; f++) {
        int64_t best = 0;
        int n_pair = 0;
        names[f] = s->family[f].name;
        double *v = out + f * n_head;
        for (int64_t i = 0; i < n_head; i++) {
            v[i] = mean_of_family(s, i, f, &n_pair);
            if (v[i] > v[best]) best = i;
        }
        table_row(t), row_text(t, "%s", names[f]), row_int(t, s->family[f].n_token);
        row_int(t, n_pair);
        if (n_pair) {
            row_int(t, s->x.layer[best / s->hw.n_head]), row_int(t, best % s->hw.n_head);
            row_real(t, v[best]), row_real(t, 1.0 / distinct(&s->family[f]));
        } else row_none(t), row_none(t), row_none(t), row_none(t);
    }
    if (!out) return;
    report_axis_labels(s->w->r, "successor.sequence", "sequence", s->n_family, names);
    head_weights_label(&s->hw, "successor.sequence", "layer", "head");
}

static status show_heads(successor *s, error *err)
{
    static const heads_names of_hit = { "successor.mean", "successor.low", "successor.high" },
                             of_own = { "itself.mean", "itself.low", "itself.high" },
                             of_other = { "random_other.mean", "random_other.low",
                                          "random_other.high" };
    double *hit[3], *own[3], *other[3];
    int64_t n_head = (int64_t)s->hw.n_layer * s->hw.n_head, n_top = work_int(s->w, "top");
    status st = heads_means(s->w, &s->x, &of_hit, s->hit, s->n_pair, hit, err);
    if (st == E_OK) st = heads_means(s->w, &s->x, &of_own, s->own, s->n_pair, own, err);
    if (st == E_OK) st = heads_means(s->w, &s->x, &of_other, s->by_other, s->n_pair, other, err);
    ranked *list = arena_array(&s->w->mem, n_head, sizeof *list);
    if (st == E_OK && !list) st = nomem(err);
    if (st != E_OK || !hit[0] || !own[0] || !other[0]) return st;
    double most = 0;
    for (int64_t i = 0; i < n_head; i++) {
        list[i] = (ranked){ hit[0][i], i };
        if (other[0][i] > most) most = other[0][i];
    }
    rank_by_value(list, n_head);
    table *t = report_table(s->w->r, "successor heads", 7,
                            (column[]){ { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "successor", NULL, CELL_REAL, 3, false },
                                        { "low", NULL, CELL_REAL, 3, false },
                                        { "high", NULL, CELL_REAL, 3, false },
                                        { "itself", NULL, CELL_REAL, 3, false },
                                        { "random other", NULL, CELL_REAL, 3, false } });
    for (int64_t i = 0; i < n_top && i < n_head; i++) {
        int64_t at = list[i].at;
        table_row(t), row_int(t, s->x.layer[at / s->hw.n_head]), row_int(t, at % s->hw.n_head);
        for (int k = 0; k < 3; k++) row_real(t, hit[k][at]);
        row_real(t, own[0][at]), row_real(t, other[0][at]);
    }
    report_control(s->w->r, "successor, one of its sequence", chance(s),
                   "what a head scores that raises any token of the sequence");
    report_control(s->w->r, "successor, random pairs", most,
                   "the largest share of any head with a random other token as the successor");
    report_heatmap(s->w->r, "successor", "successor.mean", "layer", "head",
                   &(figure_options){ .value = "share of pairs", .span = 1 });
    return E_OK;
}

static void explain(const successor *s)
{
    report_note(
        s->w->r,
        "Successor scores (Gould et al. 2023): of %d pairs of neighbours in ordinal sequences, the "
        "share in which the next token alone has the largest logit of its sequence when the head "
        "looks "
        "at the token: %s W_V W_O W_U, norms folded: %s; positions, biases and norms' scales left "
        "out.\nlow, high: 95 %% bootstrap over pairs. itself: the token itself is the largest. "
        "random other: the share with a random other token of the sequence for the next one.",
        s->n_pair, s->mlp ? "MLP0(norm(W_E))" : "W_E (there is no MLP)", work_text(s->w, "fold"));
}

status heads_successor(work *w, error *err)
{
    successor s = { .w = w };
    status st = pattern_layers(w, "layer", &s.x, err);
    if (st == E_OK) st = head_weights_open(&s.hw, w, err);
    if (st == E_OK) st = find_sequences(&s, err);
    if (st == E_OK) st = find_pairs(&s, err);
    if (st == E_OK) st = effective_embedding(&s, err);
    if (st == E_OK) st = unembedding(&s, err);
    if (st == E_OK) st = score_heads(&s, err);
    if (st == E_OK) st = show_heads(&s, err);
    if (st != E_OK) return st;
    show_families(&s);
    explain(&s);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
