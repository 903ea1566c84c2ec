/* scene -- see scene.h. */
#include "instrument/scene.h"
#include <stdio.h>
#include <string.h>

static status find_token(int32_t *out, const work *w, const char *name, error *err)
{
    const char *text = name ? work_text(w, name) : NULL;
    *out = -1;
    return text ? token_find(w->m, text, strlen(text), out, err) : E_OK;
}

static status from_pairs(scene **out, int *n, work *w, const char *file, error *err)
{
    pairs *p = NULL;
    status st = work_pairs(w, file, true, &p, err);
    scene *s = st == E_OK ? arena_array(&w->mem, p->n, sizeof *s) : NULL;
    if (st == E_OK && !s) st = work_nomem(w, err);
    for (int i = 0; st == E_OK && i < p->n; i++) {
        s[i] = (scene){ .p = p->clean[i],
                        .answer = p->correct[i],
                        .wrong = p->wrong ? p->wrong[i] : -1 };
        prompt *own = p->clean[i];
        p->clean[i] = NULL;
        st = work_keep(w, own, err);
    }
    if (st == E_OK) *out = s, *n = p->n;
    pairs_free(p);
    return st;
}

status scenes_find(scene **out, int *n, work *w, const char *answer, const char *wrong, error *err)
{
    const char *file = work_text(w, "pairs");
    prompt **p = NULL;
    int32_t right, other;
    status st = find_token(&right, w, answer, err);
    if (st == E_OK) st = find_token(&other, w, wrong, err);
    if (st == E_OK) st = work_only_beside(w, "pairs", "limit", err);
    if (st == E_OK) st = work_not_beside(w, "pairs", "prompt tokens chat", err);
    if (st != E_OK) return st;
    if (file && (right >= 0 || other >= 0))
        return error_set(err, E_USAGE, "%s: --pairs has answers of its own: leave --%s out",
                         w->def->name, right >= 0 ? answer : wrong);
    if (file) return from_pairs(out, n, w, file, err);
    st = work_prompts(w, &p, n, err);
    if (st != E_OK) return st;
    scene *s = arena_array(&w->mem, *n, sizeof *s);
    if (!s) return work_nomem(w, err);
    for (int i = 0; i < *n; i++) s[i] = (scene){ .p = p[i], .answer = right, .wrong = other };
    *out = s;
    return E_OK;
}

status scenes_lanes(scene *s, int n, work *w, bool *edited, error *err)
{
    prompt **p = arena_array(&w->mem, n, sizeof *p);
    named_lane *named;
    *edited = work_item(w, "edit", 0) != NULL;
    for (int i = 0; p && i < n; i++) p[i] = s[i].p;
    status st = p ? work_lanes(w, &named, p, n, "", err) : work_nomem(w, err);
    for (int i = 0; i < n && st == E_OK; i++) s[i].l = s[i].plain = named[i].l;
    for (int i = 0, n_edit; i < n && st == E_OK && *edited; i++, w->n_fork++) {
        st = lane_fork(&s[i].l, s[i].plain, err);
        if (st == E_OK) st = work_edits(w, s[i].l, s[i].p, named, n, &n_edit, err);
    }
    return st;
}

status scene_position(int32_t *out, const work *w, const scene *s, int which, int64_t pos,
                      error *err)
{
    int64_t at = pos < 0 ? pos + s->p->n : pos;
    if (at < 0 || at >= s->p->n)
        return error_set(err, E_RANGE, "%s: position %lld, prompt %d has %d tokens", w->def->name,
                         (long long)pos, which, s->p->n);
    *out = (int32_t)at;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
