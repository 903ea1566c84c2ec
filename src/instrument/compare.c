/* instrument: compare -- where two runs part: two prompts, one prompt without and with edits, or the same prompt in two
 * models (a base and its fine-tuned, quantised or converted form; a LoRA), site by site and position by position.
 *
 *     max, mean   of |a - b| over all numbers
 *     relative    |a - b| / |a|, Euclidean norms of a position's values, then the mean over positions
 *     cosine      of a position's values, then the mean
 *     neighbours  the relative difference of two positions of A that follow each other: what "different" is here
 *     KL          sum p_A (log p_A - log p_B) of the outputs, in nats
 *
 * The first site that differs in any number, in the order in which the model computes them, is where they part. */
#include "instrument/compare.h"
#include "instrument/scene.h"
#include "ops.gen.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHOWN = 10000 };

static const param params[] = {
    { "with", PARAM_TEXT, NULL, "another model, run on the same tokens", ROLE_FILE },
    { "sites", PARAM_TEXT, NULL,
      "what is compared, with commas: blocks.*.resid_post,logits; stream, attention, MLPs and "
      "logits",
      ROLE_WHAT },
    { "align", PARAM_ONE_OF("start end"), NULL,
      "two prompts of different length by their start or their end", ROLE_WHAT },
    { "top", PARAM_INT_IN(1, MAX_SHOWN), "12", "how many sites and positions to show", ROLE_WHAT },
    SCENE_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* work_* act on one side's model. */
static void use(compare *x, int which) { x->w->m = x->side[which].m, x->w->s = x->side[which].s; }

/* ---- what is compared ---- */

static status add_outputs(compare *x, error *err)
{
    for (int k = 0; k < 2; k++) {
        graph *g = session_graph(x->side[k].s);
        if (k && x->kind != MODELS) x->side[k].logprob = x->side[A].logprob;
        else x->side[k].logprob = op_log_softmax(g, x->side[k].m->logits);
        if (g->err.code) return error_set(err, g->err.code, "%s", g->err.msg);
    }
    if (x->side[A].m->logits->n_part == x->side[B].m->logits->n_part) return E_OK;
    return error_set(err, E_UNSUPPORTED, "compare: %s has %d tokens, %s has %d", x->side[A].m->name,
                     x->side[A].m->logits->n_part, x->side[B].m->name,
                     x->side[B].m->logits->n_part);
}

static status open_other(compare *x, error *err)
{
    const char *path = work_text(x->w, "with");
    char hash[MODEL_HASH];
    side *b = &x->side[B];
    status st = model_open(&b->m, path, work_text(x->w, "allow"), err);
    if (st == E_OK) st = session_new(&b->s, &b->m->g, x->w->e, err);
    if (st == E_OK) session_limit(b->s, work_int(x->w, "memory") << 20);
    if (st == E_OK) st = model_hash(b->m, x->w->e->pool, hash, err);
    if (st != E_OK) {
        error_prefix(err, "--with");
        return st;
    }
    report_file(x->w->r, path, hash);
    for (int32_t i = 0; i < b->m->n_warning; i++)
        report_warn(x->w->r, "%s: %s", b->m->name, b->m->warning[i]);
    return E_OK;
}

static status find_kind(compare *x, error *err)
{
    const work *w = x->w;
    const char *align = work_text(w, "align");
    bool edits = work_item(w, "edit", 0) != NULL, models = work_text(w, "with") != NULL;
    x->kind = models ? MODELS : edits ? EDITS : PROMPTS;
    x->side[A] = x->side[B] = (side){ .m = w->m, .s = w->s };
    if (models && edits)
        return error_set(err, E_USAGE, "compare: --with and --edit: one of them at a time");
    if (align && x->kind != PROMPTS)
        return error_set(err, E_USAGE, "compare: --align is for two prompts");
    return models ? open_other(x, err) : E_OK;
}

/* ---- prompts ---- */

static status align_duo(compare *x, duo *d, int which, error *err)
{
    const char *align = work_text(x->w, "align");
    int32_t a = d->p[A]->n, b = d->p[B]->n;
    d->n = a < b ? a : b;
    if (a == b) return E_OK;
    if (align && !strcmp(align, "end")) d->first[A] = a - d->n, d->first[B] = b - d->n;
    if (align) return E_OK;
    error_set(err, E_SHAPE, "compare: prompts of %d and %d tokens (pair %d)", a, b, which);
    error_hint(err, "--align start or --align end says which positions are the same");
    return E_SHAPE;
}

static status add_duo(compare *x, const prompt *a, const prompt *b, error *err)
{
    duo *d = &x->duo[x->n_duo];
    *d = (duo){ .p = { a, b }, .spot = -1, .at = -1 };
    return align_duo(x, d, x->n_duo++, err);
}

static status duos_of_pairs(compare *x, const char *file, error *err)
{
    pairs *p = NULL;
    status st = work_pairs(x->w, file, work_text(x->w, "align") != NULL, &p, err);
    x->duo = st == E_OK ? arena_array(&x->w->mem, p->n, sizeof *x->duo) : NULL;
    if (st == E_OK && !x->duo) st = work_nomem(x->w, err);
    for (int i = 0; st == E_OK && i < p->n; i++) {
        prompt *a = p->clean[i], *b = p->corrupt[i];
        p->clean[i] = NULL;
        st = work_keep(x->w, a, err);
        p->corrupt[i] = st == E_OK ? NULL : b;
        if (st == E_OK) st = work_keep(x->w, b, err);
        if (st == E_OK) st = add_duo(x, a, b, err);
    }
    pairs_free(p);
    return st;
}

static status duos_of_prompts(compare *x, error *err)
{
    prompt **p;
    int n;
    status st = work_prompts(x->w, &p, &n, err);
    if (st == E_OK && n != 2) {
        error_set(err, E_USAGE, "compare: %d prompt%s and nothing to compare with", n,
                  n == 1 ? "" : "s");
        error_hint(err, "two prompts, or --edit, or --with another model, or --pairs FILE");
        return E_USAGE;
    }
    if (st == E_OK) x->duo = arena_array(&x->w->mem, 1, sizeof *x->duo);
    if (st != E_OK) return st;
    return x->duo ? add_duo(x, p[0], p[1], err) : work_nomem(x->w, err);
}

/* Does the other model's tokenizer cut this text alike? */
static void check_tokens(compare *x, const prompt *p, int which)
{
    prompt *other = NULL;
    if (!p->text || !x->side[B].m->tokens) return;
    status st =
        prompt_from_text(&other, x->side[B].m, p->text, p->text_bytes, work_bos(x->w), NULL);
    bool same =
        st == E_OK && other->n == p->n && !memcmp(other->id, p->id, (size_t)p->n * sizeof *p->id);
    if (!same)
        report_warn(x->w->r, "prompt %d: %s would cut it otherwise: it is given %s's tokens", which,
                    x->side[B].m->name, x->side[A].m->name);
    prompt_free(other);
}

/* The same ids must be tokens of the other model too. */
static status check_ids(const compare *x, const prompt *p, error *err)
{
    const model *m = x->side[B].m;
    if (p->n > m->config.n_ctx)
        return error_set(err, E_LIMIT, "compare: %d tokens, %s takes %d", p->n, m->name,
                         m->config.n_ctx);
    for (int32_t i = 0; i < p->n; i++)
        if (p->id[i] >= m->config.n_vocab)
            return error_set(err, E_RANGE, "compare: token %d is not one of %s's %d", p->id[i],
                             m->name, m->config.n_vocab);
    return E_OK;
}

static status duos_of_one(compare *x, error *err)
{
    scene *s = NULL;
    int n = 0;
    bool edited;
    status st = scenes_find(&s, &n, x->w, NULL, NULL, err);
    if (st == E_OK) st = scenes_lanes(s, n, x->w, &edited, err);
    if (st == E_OK) x->duo = arena_array(&x->w->mem, n, sizeof *x->duo);
    if (st == E_OK && !x->duo) st = work_nomem(x->w, err);
    for (int i = 0; i < n && st == E_OK; i++) {
        st = add_duo(x, s[i].p, s[i].p, err);
        x->duo[i].l[A] = s[i].plain, x->duo[i].l[B] = s[i].l;
        if (st == E_OK && x->kind == MODELS) st = check_ids(x, s[i].p, err);
        if (st == E_OK && x->kind == MODELS) check_tokens(x, s[i].p, i);
    }
    return st;
}

static status find_duos(compare *x, error *err)
{
    const char *file = work_text(x->w, "pairs");
    status st = work_not_beside(x->w, "pairs", "prompt tokens chat", err);
    if (st == E_OK) st = work_only_beside(x->w, "pairs", "limit", err);
    if (st != E_OK) return st;
    if (x->kind != PROMPTS) return duos_of_one(x, err);
    return file ? duos_of_pairs(x, file, err) : duos_of_prompts(x, err);
}

/* ---- sites ---- */

static int find_thing(compare *x, const char *name)
{
    for (int i = 0; i < x->n_thing; i++)
        if (!strcmp(x->thing[i], name)) return i;
    if (x->n_thing == MAX_THING) return -1;
    snprintf(x->thing[x->n_thing], sizeof x->thing[0], "%s", name);
    return x->n_thing++;
}

static void add_spot(compare *x, const address *a)
{
    node *other = x->kind == MODELS ? graph_find(&x->side[B].m->g, a->name) : a->n;
    const node *n = a->n;
    for (int i = 0; i < x->n_spot; i++) /* by two of its names */
        if (x->spot[i].n[A] == n && x->spot[i].a0 == a->where.a0 && x->spot[i].a1 == a->where.a1)
            return;
    if (!other || other->extent != n->extent || other->n_part != n->n_part ||
        other->width != n->width) {
        x->n_lacking++;
        return;
    }
    spot *s = &x->spot[x->n_spot++];
    *s = (spot){
        .n = { a->n, other }, .a0 = a->where.a0, .a1 = a->where.a1, .layer = -1, .thing = -1
    };
    address_text(a, s->name, sizeof s->name);
    if (strncmp(s->name, "blocks.", 7)) return;
    char *rest;
    s->layer = (int)strtol(s->name + 7, &rest, 10);
    if (*rest == '.') s->thing = find_thing(x, rest + 1);
}

/* What says something of its own: not copies, rotations and steps of a norm, nor parts that another site sums. */
static bool usual(const struct site *s)
{
    static const char *const left_out[] = { ".attn.result", ".attn.scores", ".attn.k_for",
                                            ".attn.v_for",  ".attn.rot_q",  ".attn.rot_k",
                                            "_raw",         ".scale",       ".normalized",
                                            ".attn.bias",   "ln1.out",      "ln2.out",
                                            "mlp.in" };
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (str_ends(s->name, left_out[i])) return false;
    return s->n->op && s->n->extent != LANE;
}

static status find_spots(compare *x, error *err)
{
    const char *text = work_text(x->w, "sites");
    const graph *g = &x->w->m->g;
    address *a = NULL;
    int n = 0;
    status st = text ? site_find_list(&a, &n, &x->w->mem, x->w->m, NULL, text, err) : E_OK;
    if (st != E_OK) return st;
    x->spot = arena_array(&x->w->mem, (text ? n : g->n_site) + 1, sizeof *x->spot);
    if (!x->spot) return work_nomem(x->w, err);
    for (int i = 0; i < n; i++) {
        if (a[i].has_rows || a[i].has_width || a[i].before || !a[i].n->op || a[i].n->extent == LANE)
            return error_set(err, E_USAGE,
                             "compare: '%s': a site with all its positions, or some of its heads, "
                             "neurons or tokens, is expected",
                             a[i].name);
        add_spot(x, &a[i]);
    }
    for (int32_t i = 0; !text && i < g->n_site; i++)
        if (usual(&g->site[i]))
            add_spot(x, &(address){ .name = g->site[i].name,
                                    .n = g->site[i].n,
                                    .where = { 0, ROW_OPEN, 0, g->site[i].n->n_part } });
    for (int i = 0; i < x->n_spot; i++)
        if (x->spot[i].n[A]->extent == PAIR && x->duo[0].first[A] != x->duo[0].first[B]) {
            report_warn(x->w->r, "patterns are not compared: shifted positions see other keys");
            break;
        }
    if (!x->n_spot)
        return error_set(err, E_NOSITE, "compare: none of these sites is in both models alike");
    if (x->n_lacking)
        report_warn(x->w->r, "%d sites of %s are not in %s, or of another shape: not compared",
                    x->n_lacking, x->side[A].m->name, x->side[B].m->name);
    return E_OK;
}

/* ---- memory ---- */

static status check_room(const compare *x, const duo *d, error *err)
{
    int64_t n = 2 * (int64_t)d->n * x->side[A].m->logits->n_part;
    for (int i = 0; i < x->n_spot; i++)
        if (!compare_skips(&x->spot[i], d)) n += 2 * d->n * compare_most(&x->spot[i], A, d->n);
    int64_t bytes = n * x->w->e->real_bytes;
    if (bytes <= session_room(x->w->s)) return E_OK;
    error_set(err, E_LIMIT, "compare: these sites at %d positions are %lld MB", d->n,
              (long long)(bytes >> 20));
    error_hint(err, "--sites \"blocks.*.resid_post,logits\" compares fewer");
    return E_LIMIT;
}

/* Position by position where there is one pair of lanes only. */
static status open_tensors(compare *x, error *err)
{
    const duo *d = &x->duo[0];
    int64_t dim[] = { x->n_spot, d->n };
    if (x->n_duo > 1) return E_OK;
    x->by_pos = compare_tensor(x, "relative.pos", "site pos", dim);
    x->kl = compare_tensor(x, "kl", "pos", dim + 1),
    x->back = compare_tensor(x, "kl.back", "pos", dim + 1);
    for (int k = 0; k < 2; k++) {
        x->top[k] = report_tensor(x->w->r, k ? "top.b" : "top.a", DTYPE_I64, "pos", dim + 1);
        x->top_p[k] = compare_tensor(x, k ? "top_prob.b" : "top_prob.a", "pos", dim + 1);
    }
    report_unit(x->w->r, "kl", "nat"), report_unit(x->w->r, "kl.back", "nat");
    return x->w->r->failed ? error_set(err, x->w->r->first.code, "%s", x->w->r->first.msg) : E_OK;
}

static status open_memory(compare *x, error *err)
{
    arena *mem = &x->w->mem;
    int64_t n = x->side[A].m->logits->n_part;
    for (int i = 0; i < x->n_duo; i++)
        for (int k = 0; k < x->n_spot; k++)
            for (int s = 0; s < 2; s++) {
                int64_t m = compare_most(&x->spot[k], s, x->duo[i].p[s]->n);
                if (m > x->most) x->most = m;
            }
    x->before = arena_array(mem, x->most + 1, sizeof *x->before);
    for (int k = 0; k < 2; k++) {
        x->v[k] = arena_array(mem, x->most + 1, sizeof *x->v[k]);
        x->logp[k] = arena_array(mem, n, sizeof *x->logp[k]);
        x->p[k] = arena_array(mem, n, sizeof *x->p[k]);
        x->last[k] = arena_array(mem, n, sizeof *x->last[k]);
    }
    return mem->failed ? work_nomem(x->w, err) : open_tensors(x, err);
}

/* ---- running ---- */

static status open_lanes(compare *x, duo *d, int which, error *err)
{
    char name[24];
    status st = E_OK;
    if (x->kind == PROMPTS) {
        snprintf(name, sizeof name, x->n_duo > 1 ? "a %d" : "a", which);
        st = work_lane(x->w, &d->l[A], NULL, d->p[A], name, err);
        name[0] = 'b';
        if (st == E_OK) st = work_lane(x->w, &d->l[B], d->l[A], d->p[B], name, err);
    } else if (x->kind == MODELS) {
        use(x, B);
        st = work_lane(x->w, &d->l[B], NULL, d->p[B], NULL, err);
        use(x, A);
    }
    return st;
}

static status ask(compare *x, const duo *d, error *err)
{
    status st = E_OK;
    for (int s = 0; s < 2; s++) {
        int32_t r0 = d->first[s], r1 = r0 + d->n;
        for (int i = 0; i < x->n_spot && st == E_OK; i++)
            if (!compare_skips(&x->spot[i], d))
                st = lane_ask(d->l[s], x->spot[i].n[s],
                              (box){ r0, r1, x->spot[i].a0, x->spot[i].a1 }, err);
        const node *out = x->side[s].logprob;
        if (st == E_OK) st = lane_ask(d->l[s], out, (box){ r0, r1, 0, out->n_part }, err);
    }
    return st;
}

static status run_both(compare *x, int which, error *err)
{
    status st = E_OK;
    double share = 1.0 / x->n_duo, half = x->kind == MODELS ? 0.5 : 1;
    for (int s = 0; s < (x->kind == MODELS ? 2 : 1) && st == E_OK; s++) {
        x->w->part_done = (which + s * half) * share, x->w->part = half * share;
        use(x, s);
        st = work_run(x->w, err);
    }
    use(x, A);
    return st;
}

static status one_duo(compare *x, int which, error *err)
{
    duo *d = &x->duo[which];
    status st = check_room(x, d, err);
    if (st == E_OK) st = open_lanes(x, d, which, err);
    if (st == E_OK) st = ask(x, d, err);
    if (st == E_OK) st = run_both(x, which, err);
    for (int i = 0; i < x->n_spot && st == E_OK; i++) st = compare_spot(x, d, i, err);
    for (int32_t i = 0; i < d->n && st == E_OK; i++) st = compare_output(x, d, i, err);
    if (st == E_OK) lane_drop(d->l[B]), lane_drop(d->l[A]);
    return st;
}

/* ---- the whole ---- */

static status compared(compare *x, error *err)
{
    status st = find_kind(x, err);
    if (st == E_OK) st = add_outputs(x, err);
    if (st == E_OK) st = find_duos(x, err);
    if (st == E_OK) st = find_spots(x, err);
    if (st == E_OK) st = open_memory(x, err);
    for (int i = 0; i < x->n_duo && st == E_OK; i++) st = one_duo(x, i, err);
    if (st == E_OK) compare_show(x);
    return st;
}

static status run(work *w, error *err)
{
    compare x = { .w = w };
    status st = compared(&x, err);
    if (x.side[B].s != w->s) session_free(x.side[B].s);
    if (x.side[B].m != w->m) model_free(x.side[B].m);
    return st;
}

const instrument_def instrument_compare_def = {
    .name = "compare",
    .says = "Where two prompts, two models, or runs without and with edits part",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .prompts = true,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
