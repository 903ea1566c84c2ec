/* corpus_run -- see corpus_run.h. */
#include "instrument/corpus_run.h"
#include "graph/sweep.h"
#include <string.h>

enum { AHEAD = 256 }; /* windows read before they are run */

typedef struct corpus_wave {
    text_window *v[AHEAD];
    lane *base[AHEAD]; /* of those under way */
    int64_t n, n_taken;
} corpus_wave;

/* ---- one window ---- */

static void drop_base(corpus_run *x, int64_t i)
{
    if (x->wave->base[i]) lane_drop(x->wave->base[i]);
    x->wave->base[i] = NULL;
}

/* The edited lane beside a base; without edits there is none. */
static status edited_lane(corpus_run *x, const text_window *v, lane *base, lane **out, error *err)
{
    int n_edit;
    lane *l = NULL;
    status st = lane_fork(&l, base, err);
    if (st != E_OK) return st;
    lane_sweep(
        l); /* a window may end before what an edit acts on; corpus_run_all says where all do */
    st = work_edits(x->w, l, v->p, NULL, 0, &n_edit, err);
    if (st == E_OK) st = x->ask(x, v, l, err);
    if (st == E_OK) *out = l;
    else lane_drop(l);
    return st;
}

/* What the wave drops is the edited lane, or the only one. */
static status make(void *user, int64_t i, lane **out, error *err)
{
    corpus_run *x = user;
    const text_window *v = x->wave->v[i];
    lane *l = NULL, *edited = NULL;
    arena_mark here = arena_here(&x->w->mem);
    drop_base(x, i); /* of a wave that was refused for memory */
    *out = NULL;
    if (x->skip && x->skip(x, v)) return E_OK;
    status st = work_lane(x->w, &l, NULL, v->p, NULL, err);
    if (st != E_OK) return st;
    if (x->give) st = x->give(x, v, l, err);
    if (st == E_OK) st = x->ask(x, v, l, err);
    if (st == E_OK && x->edits) st = edited_lane(x, v, l, &edited, err);
    arena_rewind(&x->w->mem, here);
    if (st != E_OK) {
        lane_drop(l);
        return st;
    }
    if (edited) x->wave->base[i] = l;
    *out = edited ? edited : l;
    return E_OK;
}

/* Windows that were not run, up to i, in their turn. */
static status take_skipped(corpus_run *x, int64_t i, error *err)
{
    corpus_wave *w = x->wave;
    for (; w->n_taken < i; w->n_taken++) {
        const text_window *v = w->v[w->n_taken];
        status st = x->take(x, v, NULL, NULL, err);
        if (st != E_OK) return st;
        x->n_window++, x->n_fresh += v->p->n - v->fresh, x->n_reached++;
    }
    return E_OK;
}

static status take(void *user, int64_t i, lane *l, error *err)
{
    corpus_run *x = user;
    const text_window *v = x->wave->v[i];
    lane *base = x->edits ? x->wave->base[i] : l;
    status st = take_skipped(x, i, err);
    if (st == E_OK) st = x->take(x, v, base, x->edits ? l : NULL, err);
    if (x->edits) x->w->n_fork++, x->n_reached += lane_effect(l) != EFFECT_NONE;
    x->n_window++, x->n_fresh += v->p->n - v->fresh;
    x->wave->n_taken = i + 1;
    return st;
}

static status told(void *user, int64_t first, int64_t n_done, error *err)
{
    corpus_run *x = user;
    for (int64_t i = first; i < n_done; i++) drop_base(x, i);
    status st = take_skipped(x, n_done, err);
    if (st == E_OK && x->wave_done) st = x->wave_done(x, err);
    if (st == E_OK) st = work_tell(x->w, x->w->def->name, (double)n_done / (double)x->wave->n, err);
    if (st != E_OK || !work_is_over(x->until)) return st;
    return error_set(err, E_INTERRUPTED, "%s: the time given was over after %lld tokens",
                     x->w->def->name, (long long)x->n_fresh);
}

/* ---- all of them ---- */

static windows_options options_of(const work *w)
{
    return (windows_options){ .path = work_text(w, "text"),
                              .field = work_text(w, "field"),
                              .separator = work_text(w, "separator"),
                              .bos = work_bos(w),
                              .window = work_int(w, "window"),
                              .stride = work_int(w, "stride") };
}

status corpus_run_open(corpus_run *x, work *w, error *err)
{
    windows_options o = options_of(w);
    x->w = w, x->edits = work_item(w, "edit", 0) != NULL;
    if (!o.path) {
        error_set(err, E_USAGE, "%s needs a text", w->def->name);
        error_hint(err, "--text FILE: plain text, or NAME.jsonl with a document on each line");
        return E_USAGE;
    }
    x->until = work_until(w);
    x->wave = arena_zero(&w->mem, sizeof *x->wave);
    if (!x->wave) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    status st = windows_open(&x->c, w->m, &o, err);
    return st == E_OK ? work_file(w, o.path, err) : st;
}

status corpus_run_count(const corpus_run *x, int64_t *n_window, error *err)
{
    windows_options o = options_of(x->w);
    windows *c = NULL;
    int64_t n = 0, n_read = 0, most = work_int(x->w, "most");
    status st = windows_open(&c, x->w->m, &o, err);
    while (st == E_OK && (!most || n_read < most)) {
        text_window *v = NULL;
        st = windows_next(c, &v, err);
        if (st != E_OK || !v) break;
        n++, n_read += v->p->n - v->fresh;
        text_window_free(v);
    }
    windows_close(c);
    if (st == E_OK) *n_window = n;
    return st;
}

static void free_wave(corpus_run *x)
{
    for (int64_t i = 0; x->wave && i < AHEAD; i++) {
        drop_base(x, i);
        text_window_free(x->wave->v[i]);
        x->wave->v[i] = NULL;
    }
    if (x->wave) x->wave->n = x->wave->n_taken = 0;
}

void corpus_run_close(corpus_run *x)
{
    free_wave(x);
    windows_close(x->c);
    x->c = NULL;
}

/* The next windows, until there are enough or no more. */
static status read_ahead(corpus_run *x, int64_t *n_read, error *err)
{
    int64_t most = work_int(x->w, "most");
    free_wave(x);
    for (int64_t n = 0; n < AHEAD && !x->ended && (!most || *n_read < most); n++) {
        text_window *v = NULL;
        status st = windows_next(x->c, &v, err);
        if (st != E_OK || !v) return st;
        x->wave->v[n] = v, x->wave->n = n + 1;
        *n_read += v->p->n - v->fresh;
        if (x->last && v->index >= x->last) x->ended = true;
    }
    return E_OK;
}

/* How much of what will be read has been: of the file, or of the tokens that are enough. */
static double share(const corpus_run *x, int64_t n_read)
{
    int64_t most = work_int(x->w, "most");
    double file = windows_say(x->c).done, tokens = most ? (double)n_read / (double)most : 0;
    double done = tokens > file ? tokens : file;
    return done < 1 ? done : 1;
}

status corpus_run_all(corpus_run *x, error *err)
{
    int64_t n_read = 0, done;
    status st = E_OK;
    x->w->part_done = x->begin;
    work_watch(x->w);
    while (st == E_OK) {
        st = read_ahead(x, &n_read, err);
        if (st != E_OK || !x->wave->n) break;
        x->w->part = x->begin + (1 - x->begin) * share(x, n_read) - x->w->part_done;
        sweep s = {
            .s = x->w->s, .n = x->wave->n, .user = x, .make = make, .take = take, .tell = told
        };
        st = sweep_run(&s, &done, err);
        x->w->part_done += x->w->part;
    }
    free_wave(x);
    if (st == E_OK && !x->n_window) {
        error_set(err, E_FORMAT, "%s: there is nothing to predict", work_text(x->w, "text"));
        error_hint(err, "it has %lld documents with %lld tokens",
                   (long long)windows_say(x->c).n_document, (long long)windows_say(x->c).n_token);
        return E_FORMAT;
    }
    if (st == E_OK && x->edits && !x->n_reached) {
        error_set(err, E_NOEFFECT, "the edits can change nothing of what is looked at");
        error_hint(err, "in none of the %lld windows does what they edit lead there",
                   (long long)x->n_window);
        return E_NOEFFECT;
    }
    return st;
}

void corpus_run_show(corpus_run *x)
{
    windows_facts f = windows_say(x->c);
    report_note(x->w->r,
                "%lld windows of up to %d tokens%s, %d tokens from one to the next, within %lld "
                "document%s; each token is counted once%s.",
                (long long)x->n_window, f.window, f.bos ? " (the first is BOS)" : "", f.stride,
                (long long)f.n_document, f.n_document == 1 ? "" : "s",
                f.bos ? "" : ", but the first of a document, before which there is nothing");
    if (f.n_seam)
        report_warn(x->w->r,
                    "at %lld places where the text was cut to be encoded the ids may not be those "
                    "of the whole: there is no place to cut within 32 KiB",
                    (long long)f.n_seam);
}
/* SPDX-License-Identifier: MIT */
