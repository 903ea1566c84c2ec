/* instrument: verify -- the engine's promises on a model of one's own, and its values against a dump of another tool's.
 *
 * A dump holds lane{k}/tokens, lane{k}/SITE and, of BERT, lane{k}/token_type_ids; what else is in it is named and left alone. */
#include "base/rand.h"
#include "instrument/work.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LENGTH = 4096, MAX_NAMED = 200, MAX_DUMP = 8192 };
#define TYPES "token_type_ids" /* of a dump's lane, beside its tokens; none: all 0 */

static const param params[] = {
    { "against", PARAM_TEXT, NULL,
      "a .safetensors or .npz of lane{k}/SITE and lane{k}/tokens to compare with", ROLE_FILE },
    { "tol", PARAM_REAL_FROM(0), "0",
      "largest error taken, as a share of a site's largest entry; 0: 1e-5, and 5e-5 absolute for "
      "logits",
      ROLE_WHAT },
    { "length", PARAM_INT_IN(2, MAX_LENGTH), "12",
      "tokens of the random prompts that promises are tried on", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* ---- promises ---- */

static void result(work *w, table *t, const char *what, bool holds, const char *detail)
{
    w->failed |= !holds;
    table_row(t), row_text(t, "%s", what), row_bool(t, holds), row_text(t, "%s", detail);
}

static status random_prompt(work *w, prompt **out, int which, int64_t n, error *err)
{
    int64_t id[MAX_LENGTH];
    if (n > w->m->config.n_ctx) n = w->m->config.n_ctx;
    for (int i = 0; i < n; i++)
        id[i] = rand_below(w->seed, rand_stream("verify.tokens"),
                           (uint64_t)(which * MAX_LENGTH + i), w->m->config.n_vocab);
    status st = prompt_from_ids(out, w->m, id, n, err);
    return st == E_OK ? work_keep(w, *out, err) : st;
}

/* All sites of one prompt computed in a session of its own. */
typedef struct trial {
    engine *e;
    session *s;
    lane *l;
} trial;

static void trial_close(trial *t)
{
    session_free(t->s);
    engine_free(t->e);
    *t = (trial){ 0 };
}

static status ask_all(const model *m, lane *l, error *err)
{
    status st = E_OK;
    for (int32_t i = 0; i < m->g.n_site && st == E_OK; i++)
        if (m->g.site[i].n->op) st = lane_ask(l, m->g.site[i].n, node_all(m->g.site[i].n, l), err);
    return st;
}

static status trial_lane(work *w, session *s, lane **out, const prompt *p, error *err)
{
    status st = lane_new(out, s, NULL, p->n, err);
    return st == E_OK ? prompt_give(p, w->m, *out, err) : st;
}

static status trial_open(work *w, trial *t, const char *backend, int threads, bool no_fuse,
                         const prompt *p, const prompt *beside, error *err)
{
    engine_options o = { .backend = backend,
                         .precision = work_text(w, "precision"),
                         .threads = threads,
                         .no_fuse = no_fuse };
    lane *other;
    *t = (trial){ 0 };
    status st = engine_open(&t->e, &o, err);
    if (st == E_OK) st = session_new(&t->s, &w->m->g, t->e, err);
    if (st == E_OK && beside) st = trial_lane(w, t->s, &other, beside, err);
    if (st == E_OK && beside)
        st = lane_ask(other, w->m->logits, node_all(w->m->logits, other), err);
    if (st == E_OK) st = trial_lane(w, t->s, &t->l, p, err);
    if (st == E_OK) st = ask_all(w->m, t->l, err);
    return st == E_OK ? session_run(t->s, NULL, err) : st;
}

/* Bits of every site in both; the first that differs. */
static status compare(work *w, lane *a, lane *b, const char **differs, error *err)
{
    status st = E_OK;
    *differs = NULL;
    for (int32_t i = 0; i < w->m->g.n_site && st == E_OK && !*differs; i++) {
        node *n = w->m->g.site[i].n;
        if (!n->op) continue;
        arena_mark here = arena_here(&w->mem);
        size_t bytes = (size_t)node_numbers(n, node_all(n, a), a) * (size_t)w->e->real_bytes;
        char *x = arena_get(&w->mem, bytes), *y = arena_get(&w->mem, bytes);
        st = x && y ? lane_read_raw(a, n, node_all(n, a), x, err) : work_nomem(w, err);
        if (st == E_OK) st = lane_read_raw(b, n, node_all(n, a), y, err);
        if (st == E_OK && memcmp(x, y, bytes)) *differs = w->m->g.site[i].name;
        arena_rewind(&w->mem, here);
    }
    return st;
}

static status agrees(work *w, table *t, const char *what, const trial *base, const char *backend,
                     int threads, bool no_fuse, const prompt *p, const prompt *beside, error *err)
{
    trial x;
    char text[160];
    const char *differs = NULL;
    status st = trial_open(w, &x, backend, threads, no_fuse, p, beside, err);
    if (st == E_OK) st = compare(w, base->l, x.l, &differs, err);
    if (differs) snprintf(text, sizeof text, "%s differs", differs);
    else snprintf(text, sizeof text, "%d sites, every bit", w->m->n_site);
    if (st == E_OK) result(w, t, what, !differs, text);
    trial_close(&x);
    return st;
}

/* Every backend of this machine but plain, which is too slow.  One row whatever they are: a report is
 * the same on every machine. */
static status backends_agree(work *w, table *t, const trial *base, const prompt *p, error *err)
{
    char text[240] = "";
    const char *differs = NULL;
    status st = E_OK;
    for (int i = 0; backend_name(i) && st == E_OK && !differs; i++) {
        const char *name = backend_name(i);
        trial x;
        if (!backend_usable(name) || !strcmp(name, "plain") || !strcmp(name, "reference")) continue;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? ", " : "", name);
        st = trial_open(w, &x, name, 1, false, p, NULL, err);
        if (st == E_OK) st = compare(w, base->l, x.l, &differs, err);
        trial_close(&x);
    }
    size_t n = strlen(text);
    if (differs) snprintf(text + n, sizeof text - n, ": %s differs", differs);
    else if (n) snprintf(text + n, sizeof text - n, ": %d sites, every bit", w->m->n_site);
    else snprintf(text, sizeof text, "there is no other on this machine");
    if (st == E_OK) result(w, t, "every backend = reference", !differs, text);
    return st;
}

/* Some sites of some blocks, not all: a large model has thousands. */
static bool sampled(const work *w, int32_t i, int most)
{
    return w->m->n_site <= most ||
           rand_below(w->seed, rand_stream("verify.sites"), (uint64_t)i, w->m->n_site) < most;
}

static edit whole(node *n, lane *l, edit_kind kind, double factor)
{
    return (edit){ .n = n,
                   .where = node_all(n, l),
                   .w1 = n->extent == PAIR ? lane_len(l) : n->width,
                   .kind = kind,
                   .factor = factor };
}

static status fires(work *w, table *t, lane *base, error *err)
{
    int n = 0, dead = 0;
    char text[200] = "";
    status st = E_OK;
    for (int32_t i = 0; i < w->m->g.n_site && st == E_OK; i++) {
        node *x = w->m->g.site[i].n;
        lane *f = NULL;
        if (!x->op || !sampled(w, i, 200)) continue;
        edit e = whole(x, base, EDIT_ADD, 0.5);
        st = lane_fork(&f, base, err);
        if (st == E_OK) lane_sweep(f), st = lane_edit(f, &e, err);
        if (st == E_OK) st = lane_ask(f, x, node_all(x, f), err);
        if (st == E_OK) st = work_run(w, err);
        if (st == E_OK && lane_effect(f) != EFFECT_CHANGED && !dead++)
            snprintf(text, sizeof text, "%s does not", w->m->g.site[i].name);
        if (f) lane_drop(f);
        n++;
    }
    if (!dead) snprintf(text, sizeof text, "%d sites", n);
    if (st == E_OK) result(w, t, "every site fires", !dead, text);
    return st;
}

/* Forks against fresh runs, and identity edits, at sampled sites. */
static status forks(work *w, table *t, lane *base, error *err)
{
    int n = 0, wrong = 0, changed = 0, seen = 0;
    char text[200];
    status st = E_OK;
    node *y = w->m->logits;
    size_t bytes = (size_t)node_numbers(y, node_all(y, base), base) * (size_t)w->e->real_bytes;
    for (int32_t i = 0; i < w->m->g.n_site && st == E_OK; i++) {
        node *x = w->m->g.site[i].n;
        lane *f = NULL, *fresh = NULL, *same = NULL;
        if (!x->op || !sampled(w, i, 24) || (w->m->n_site <= 24 * 4 && seen++ % 4)) continue;
        arena_mark here = arena_here(&w->mem);
        char *a = arena_get(&w->mem, bytes), *b = arena_get(&w->mem, bytes);
        edit e = whole(x, base, EDIT_SCALE, 0.5), id = edit_take(e, base);
        st = a && b ? lane_fork(&f, base, err) : work_nomem(w, err);
        if (st == E_OK) lane_sweep(f), st = lane_edit(f, &e, err);
        if (st == E_OK) st = lane_fresh(&fresh, f, err);
        if (st == E_OK) st = lane_fork(&same, base, err);
        if (st == E_OK) lane_sweep(same), lane_sweep(fresh), st = lane_edit(same, &id, err);
        if (st == E_OK) st = lane_ask(f, y, node_all(y, f), err);
        if (st == E_OK) st = lane_ask(fresh, y, node_all(y, f), err);
        if (st == E_OK) st = lane_ask(same, y, node_all(y, f), err);
        if (st == E_OK) st = work_run(w, err);
        if (st == E_OK) st = lane_read_raw(f, y, node_all(y, f), a, err);
        if (st == E_OK) st = lane_read_raw(fresh, y, node_all(y, f), b, err);
        if (st == E_OK)
            wrong += memcmp(a, b, bytes) != 0, changed += lane_effect(same) == EFFECT_CHANGED, n++;
        if (same) lane_drop(same);
        if (fresh) lane_drop(fresh);
        if (f) lane_drop(f);
        arena_rewind(&w->mem, here);
    }
    snprintf(text, sizeof text, "%d of %d forks differ", wrong, n);
    if (st == E_OK) result(w, t, "fork = fresh run", !wrong, text);
    snprintf(text, sizeof text, "%d of %d change a bit", changed, n);
    if (st == E_OK) result(w, t, "identity edits change nothing", !changed, text);
    return st;
}

static status promises(work *w, error *err)
{
    int64_t n = work_int(w, "length");
    trial base;
    prompt *p, *beside;
    status st = random_prompt(w, &p, 0, n, err);
    if (st == E_OK) st = random_prompt(w, &beside, 1, n / 2 + 1, err);
    if (st != E_OK) return st;
    table *t = report_table(w->r, "promises", 3,
                            (column[]){ { "promise", NULL, CELL_TEXT, 0, false },
                                        { "holds", NULL, CELL_BOOL, 0, false },
                                        { "what was looked at", NULL, CELL_TEXT, 0, false } });
    report_seed(w->r, "verify", w->seed);
    st = trial_open(w, &base, "reference", 1, true, p, NULL, err);
    if (st == E_OK)
        st = agrees(w, t, "alone = beside another prompt", &base, "reference", 1, true, p, beside,
                    err);
    if (st == E_OK)
        st = agrees(w, t, "one thread = three", &base, "reference", 3, true, p, NULL, err);
    if (st == E_OK)
        st = agrees(w, t, "fusions change no bit", &base, "reference", 1, false, p, NULL, err);
    if (st == E_OK) st = backends_agree(w, t, &base, p, err);
    trial_close(&base);
    lane *l = NULL;
    if (st == E_OK) st = work_lane(w, &l, NULL, p, "random", err);
    if (st == E_OK) st = ask_all(w->m, l, err);
    if (st == E_OK) st = work_run(w, err);
    if (st == E_OK) st = fires(w, t, l, err);
    return st == E_OK ? forks(w, t, l, err) : st;
}

/* ---- a dump ---- */

typedef struct gap {
    double absolute, largest; /* largest: of the stored entries */
} gap;

static gap site_gap(const lane *l, const node *n, const double *got, const tensor_view *t)
{
    gap g = { 0, 0 };
    box all = node_all(n, l);
    int64_t at = 0;
    for (int32_t r = 0; r < all.r1; r++)
        for (int32_t a = 0; a < all.a1; a++)
            for (int32_t i = 0; i < node_width(n, r, l); i++, at++) {
                int64_t k = n->extent == PAIR
                                ? ((int64_t)a * all.r1 + r) * all.r1 + node_first_key(n, r) + i
                                : ((int64_t)r * n->n_part + a) * n->width + i;
                double want;
                tensor_values(t, k, 1, &want);
                double d = number_gap(got[at], want);
                if (d > g.absolute) g.absolute = d;
                if (fabs(want) > g.largest && !isinf(want)) g.largest = fabs(want);
            }
    return g;
}

/* The same shape, axes of length 1 aside? */
static bool shape_fits(const node *n, box all, const tensor_view *v)
{
    int64_t want[3] = { all.r1, n->n_part, n->width };
    if (n->extent == PAIR) want[0] = n->n_part, want[1] = all.r1, want[2] = all.r1;
    int i = 0, k = 0;
    for (;; i++, k++) {
        while (i < 3 && want[i] == 1) i++;
        while (k < v->n_dim && v->dim[k] == 1) k++;
        if (i == 3 || k == v->n_dim) return i == 3 && k == v->n_dim;
        if (want[i] != v->dim[k]) return false;
    }
}

static status compare_site(work *w, table *t, lane *l, const char *name, node *n,
                           const tensor_view *v, error *err)
{
    box all = node_all(n, l);
    double tol = work_real(w, "tol");
    if (!shape_fits(n, all, v)) {
        char shape[80];
        site_shape(n, shape, sizeof shape);
        w->failed = true;
        table_row(t), row_text(t, "%s", v->name), row_none(t), row_none(t), row_bool(t, false);
        report_warn(w->r, "%s is of another shape than the site, %s of %d tokens", v->name, shape,
                    all.r1);
        return E_OK;
    }
    arena_mark here = arena_here(&w->mem);
    double *got = arena_array(&w->mem, node_numbers(n, all, l) + 1, sizeof *got);
    status st = got ? lane_read(l, n, all, got, err) : work_nomem(w, err);
    if (st == E_OK) {
        gap g = site_gap(l, n, got, v);
        double relative = g.largest > 0 ? g.absolute / g.largest : g.absolute;
        bool fine = tol > 0                  ? relative <= tol
                    : strcmp(name, "logits") ? relative <= 1e-5
                                             : g.absolute <= 5e-5;
        w->failed |= !fine;
        table_row(t), row_text(t, "%s", v->name), row_real(t, g.absolute), row_real(t, relative),
            row_bool(t, fine);
    }
    arena_rewind(&w->mem, here);
    return st;
}

/* A dump's whole numbers, one a token: NAME's, at most MAX_DUMP. */
static status dump_ids(const tensor_view *t, const char *name, int64_t *id, int64_t *n, error *err)
{
    *n = tensor_count(t);
    if (*n > MAX_DUMP || *n < 1)
        return error_set(err, E_LIMIT, "%s has %lld entries, expected 1 to %d tokens", name,
                         (long long)*n, MAX_DUMP);
    for (int64_t i = 0; i < *n; i++) {
        double x;
        tensor_values(t, i, 1, &x);
        if (!(x >= 0 && x <= INT32_MAX) || x != floor(x))
            return error_set(err, E_FORMAT, "%s: entry %lld is %g, expected a whole number", name,
                             (long long)i, x);
        id[i] = (int64_t)x;
    }
    return E_OK;
}

/* The lane's prompt: its tokens, and their types where the dump has them. */
static status dump_prompt(work *w, const container *c, int64_t k, const tensor_view *tokens,
                          prompt **out, error *err)
{
    char key[64];
    int64_t id[MAX_DUMP], n;
    prompt *p = NULL;
    snprintf(key, sizeof key, "lane%lld/tokens", (long long)k);
    status st = dump_ids(tokens, key, id, &n, err);
    if (st != E_OK) return st;
    if ((st = prompt_from_ids(&p, w->m, id, n, err)) != E_OK) {
        error_prefix(err, "%s", key);
        return st;
    }
    if ((st = work_keep(w, p, err)) != E_OK) return st;
    snprintf(key, sizeof key, "lane%lld/" TYPES, (long long)k);
    const tensor_view *type = container_find(c, key);
    if (!type) {
        *out = p;
        return E_OK;
    }
    st = dump_ids(type, key, id, &n, err);
    if (st == E_OK && (st = prompt_types(p, w->m, id, n, err)) != E_OK)
        error_prefix(err, "%s", key);
    if (st == E_OK) *out = p;
    return st;
}

static status dump_lane(work *w, const container *c, table *t, int64_t k, error *err)
{
    char key[64];
    lane *l = NULL;
    prompt *p;
    snprintf(key, sizeof key, "lane%lld/tokens", (long long)k);
    const tensor_view *tokens = container_find(c, key);
    if (!tokens) return E_OK; /* named with what is left alone */
    status st = dump_prompt(w, c, k, tokens, &p, err);
    snprintf(key, sizeof key, "lane%lld", (long long)k);
    if (st == E_OK) st = work_lane(w, &l, NULL, p, key, err);
    if (st == E_OK) st = ask_all(w->m, l, err);
    if (st == E_OK) st = work_run(w, err);
    size_t prefix = (size_t)snprintf(key, sizeof key, "lane%lld/", (long long)k);
    for (int32_t i = 0; i < container_count(c) && st == E_OK; i++) {
        const tensor_view *v = container_at(c, i);
        node *site = strncmp(v->name, key, prefix) ? NULL : graph_find(&w->m->g, v->name + prefix);
        if (site && site->op) st = compare_site(w, t, l, v->name + prefix, site, v, err);
    }
    if (l) lane_drop(l);
    return st;
}

/* The lane of a tensor's name "lane7/SITE", and where SITE begins; -1: it is none. */
static int64_t lane_of(const char *name, const char **site)
{
    const char *slash = strchr(name, '/');
    int64_t k = 0;
    if (strncmp(name, "lane", 4) || !slash) return -1;
    const char *p = name + 4;
    if (slash == p || slash - p > 9 || (*p == '0' && slash - p > 1)) return -1;
    for (; p < slash; p++) {
        if (*p < '0' || *p > '9') return -1;
        k = 10 * k + (*p - '0');
    }
    *site = slash + 1;
    return k;
}

/* What the dump has and nothing was done with. */
static void name_ignored(work *w, const container *c)
{
    int n = 0;
    table *t = NULL;
    for (int32_t i = 0; i < container_count(c); i++) {
        const char *name = container_at(c, i)->name, *thing = NULL;
        char tokens[64];
        int64_t k = lane_of(name, &thing);
        snprintf(tokens, sizeof tokens, "lane%lld/tokens", (long long)k);
        node *site = k >= 0 ? graph_find(&w->m->g, thing) : NULL;
        bool known =
            k >= 0 && (!strcmp(thing, "tokens") || !strcmp(thing, TYPES) || (site && site->op));
        if (known && container_find(c, tokens)) continue;
        if (!n++)
            t = report_table(w->r, "left alone", 2,
                             (column[]){ { "tensor", NULL, CELL_TEXT, 0, false },
                                         { "why", NULL, CELL_TEXT, 0, false } });
        if (n > MAX_NAMED) continue;
        table_row(t), row_text(t, "%s", name);
        row_text(t, "%s", known ? "its lane has no tokens" : "no whole site of this model");
    }
    if (n > MAX_NAMED)
        report_note(w->r, "%d tensors of the dump were left alone; the first %d are named.", n,
                    MAX_NAMED);
}

/* Every lane that the dump has, whatever its number; names come sorted, so a lane's stand together. */
static status compare_lanes(work *w, const container *c, table *t, error *err)
{
    int64_t last = -1;
    status st = E_OK;
    for (int32_t i = 0; i < container_count(c) && st == E_OK; i++) {
        const char *site;
        int64_t k = lane_of(container_at(c, i)->name, &site);
        if (k < 0 || k == last) continue;
        last = k;
        st = dump_lane(w, c, t, k, err);
    }
    return st;
}

static status against(work *w, const container *c, const char *path, error *err)
{
    table *t = report_table(w->r, "sites", 4,
                            (column[]){ { "tensor", NULL, CELL_TEXT, 0, false },
                                        { "absolute error", NULL, CELL_REAL, 0, false },
                                        { "of the largest entry", NULL, CELL_REAL, 0, false },
                                        { "within", NULL, CELL_BOOL, 0, false } });
    status st = compare_lanes(w, c, t, err);
    if (st != E_OK) error_prefix(err, "%s", path);
    if (st == E_OK && w->r->failed) return E_OK; /* the report says why */
    if (st == E_OK && !(t && t->n_row)) {
        st = error_set(err, E_FORMAT, "%s: nothing in it could be compared", path);
        error_hint(err, "a dump holds lane{k}/tokens and lane{k}/SITE, as 'microtome cache --out' "
                        "writes them; 'microtome sites MODEL' lists the names");
    }
    if (st == E_OK) name_ignored(w, c);
    if (st == E_OK)
        report_note(w->r,
                    work_real(w, "tol") > 0
                        ? "Within: %g of the largest entry of each tensor."
                        : "Within: 1e-5 of the largest entry of each tensor, logits 5e-5.",
                    work_real(w, "tol"));
    return st;
}

static status run(work *w, error *err)
{
    const char *path = work_text(w, "against");
    container *c = NULL; /* opened first: a wrong path need not wait for the promises */
    status st = path ? container_open(&c, path, err) : E_OK;
    if (st == E_OK) st = promises(w, err);
    if (st == E_OK && path) st = against(w, c, path, err);
    container_free(c);
    return st;
}

const instrument_def instrument_verify_def = { .name = "verify",
                                               .says = "The engine's promises, tried on this model",
                                               .subject = "MODEL",
                                               .needs = NEEDS_MODEL,
                                               .param = params,
                                               .run = run };
/* SPDX-License-Identifier: MIT */
