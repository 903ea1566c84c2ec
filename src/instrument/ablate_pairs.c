/* ablate_pairs -- see ablate_pairs.h. */
#include "instrument/ablate_pairs.h"
#include "base/rand.h"
#include "instrument/duel.h"
#include "instrument/next.h"
#include <string.h>

static status copy_prompt(work *w, prompt **out, const prompt *p, error *err)
{
    int64_t *id = arena_array(&w->mem, p->n, sizeof *id);
    if (!id) return work_nomem(w, err);
    for (int32_t i = 0; i < p->n; i++) id[i] = p->id[i];
    return prompt_from_ids(out, w->m, id, p->n, err);
}

/* The token with the largest logit at a prompt's end. */
static status likeliest(work *w, const prompt *p, int32_t *out, error *err)
{
    lane *l = NULL;
    status st = work_lane(w, &l, NULL, p, NULL, err);
    if (st == E_OK) st = next_ask(w, l, err);
    if (st == E_OK) st = work_run(w, err);
    if (st == E_OK) st = next_answer(w, l, out, err);
    if (l) lane_drop(l);
    return st;
}

/* Prompts as pairs whose other prompt is the same. */
static status pairs_of_prompts(work *w, pairs **out, error *err)
{
    int n = 0;
    const char *text;
    while (work_item(w, "prompt", n)) n++;
    pairs *p = mem_zero(sizeof *p);
    if (!p) return work_nomem(w, err);
    p->clean = arena_array(&p->mem, n, sizeof(prompt *));
    p->corrupt = arena_array(&p->mem, n, sizeof(prompt *));
    p->correct = arena_array(&p->mem, n, sizeof *p->correct);
    status st = p->clean && p->corrupt && p->correct ? E_OK : work_nomem(w, err);
    for (int i = 0; st == E_OK && i < n; i++) {
        text = work_item(w, "prompt", i);
        st = prompt_from_text(&p->clean[i], w->m, text, strlen(text), work_bos(w), err);
        if (st == E_OK) p->n = i + 1, st = copy_prompt(w, &p->corrupt[i], p->clean[i], err);
        if (st == E_OK) st = likeliest(w, p->clean[i], &p->correct[i], err);
    }
    if (st == E_OK) *out = p;
    else pairs_free(p);
    return st;
}

static status read_pairs(work *w, pairs **out, error *err)
{
    const char *file = work_text(w, "pairs"), *clean = work_text(w, "clean");
    if (!!file + !!clean + !!work_item(w, "prompt", 0) != 1) {
        error_set(err, E_USAGE, "ablate needs pairs or prompts, one of the two");
        error_hint(err, "--pairs FILE, or --clean TEXT --answer TOKEN, or --prompt TEXT (several)");
        return E_USAGE;
    }
    status st = work_not_beside(w, "prompt", "corrupt answer wrong limit", err);
    if (st != E_OK) return st;
    if (work_item(w, "prompt", 0)) return pairs_of_prompts(w, out, err);
    if (clean && !work_text(w, "answer"))
        return error_set(err, E_USAGE, "--clean needs an --answer, one token");
    return duel_pairs(w, out, err);
}

static bool same_prompts(const prompt *a, const prompt *b)
{
    return a->n == b->n && !memcmp(a->id, b->id, (size_t)a->n * sizeof *a->id);
}

/* Someone else's prompt of the same length for each: those of a length in a random order, each getting the next one's, so
 * that nobody gets its own.  false: some length occurs once. */
static bool choose_donors(const work *w, const pairs *p, int *donor, int *list)
{
    uint64_t at = 0;
    for (int i = 0; i < p->n; i++) donor[i] = -1;
    for (int i = 0; i < p->n; i++) {
        int n = 0;
        if (donor[i] >= 0) continue;
        for (int j = i; j < p->n; j++)
            if (p->clean[j]->n == p->clean[i]->n) list[n++] = j;
        if (n < 2) return false;
        for (int k = n - 1; k > 0; k--) {
            int x = list[k],
                to = (int)rand_below(w->seed, rand_stream("ablate.donor"), at++, k + 1);
            list[k] = list[to], list[to] = x;
        }
        for (int k = 0; k < n; k++) donor[list[k]] = list[(k + 1) % n];
    }
    return true;
}

/* The other prompt of each pair becomes another pair's clean one. */
static status take_donors(work *w, pairs *p, bool *there, error *err)
{
    int *donor = arena_array(&w->mem, p->n, sizeof *donor),
        *list = arena_array(&w->mem, p->n, sizeof *list);
    if (!donor || !list) return work_nomem(w, err);
    *there = choose_donors(w, p, donor, list);
    for (int i = 0; *there && i < p->n; i++) {
        prompt *copy = NULL;
        status st = copy_prompt(w, &copy, p->clean[donor[i]], err);
        if (st != E_OK) return st;
        prompt_free(p->corrupt[i]);
        p->corrupt[i] = copy;
    }
    if (*there) report_seed(w->r, "ablate.donor", w->seed);
    return E_OK;
}

static bool others_differ(const pairs *p)
{
    for (int i = 0; i < p->n; i++)
        if (same_prompts(p->clean[i], p->corrupt[i])) return false;
    return true;
}

/* Whose values are resampled; *donors false: there are none, and nothing was said of it. */
static status settle_donors(work *w, pairs *p, bool *donors, error *err)
{
    const char *donor = work_text(w, "donor");
    bool corrupt = others_differ(p), there = false;
    if (donor && !strcmp(donor, "corrupt") && !corrupt) {
        error_set(err, E_USAGE, "ablate: there are no other prompts in the pairs to resample from");
        error_hint(err, "--donor other takes the clean prompts of other pairs");
        return E_USAGE;
    }
    bool other = donor ? !strcmp(donor, "other") : !corrupt;
    status st = other ? take_donors(w, p, &there, err) : E_OK;
    if (st != E_OK) return st;
    *donors = corrupt || there;
    p->single = !*donors;
    if (donor && other && !there) {
        error_set(err, E_USAGE, "ablate: some prompt has no other of the same length");
        error_hint(err, "resampling puts one prompt's values into another's run, row by row");
        return E_USAGE;
    }
    if (*donors)
        report_note(w->r, "Resampled from %s.",
                    other ? "another prompt of the same length, nobody from its own"
                          : "the corrupted prompt of the same pair");
    return E_OK;
}

static status clean_as_reference(work *w, pairs *p, error *err)
{
    p->reference = arena_array(&p->mem, p->n, sizeof *p->reference);
    if (!p->reference) return work_nomem(w, err);
    status st = E_OK;
    for (int i = 0; i < p->n && st == E_OK; i++) {
        st = copy_prompt(w, &p->reference[i], p->clean[i], err);
        if (st == E_OK) p->n_reference++;
    }
    return st;
}

/* The prompts that means are over: of a file, of the pairs, or the clean ones where there are several. */
static status settle_reference(work *w, pairs *p, error *err)
{
    const char *file = work_text(w, "reference"), *from = "the pairs file's reference set";
    status st = E_OK;
    if (file) {
        for (int i = 0; i < p->n_reference; i++) prompt_free(p->reference[i]);
        p->n_reference = 0, from = "--reference";
        st = work_file(w, file, err);
        if (st == E_OK)
            st =
                prompts_read(&p->reference, &p->n_reference, &p->mem, w->m, file, work_bos(w), err);
    } else if (!p->n_reference && p->n > 1) {
        from = "the clean prompts themselves";
        st = clean_as_reference(w, p, err);
    }
    if (st == E_OK && p->n_reference)
        report_note(w->r, "Means are over %d prompts: %s.", p->n_reference, from);
    return st;
}

status ablate_pairs(work *w, pairs **out, bool *donors, error *err)
{
    pairs *p = NULL;
    status st = read_pairs(w, &p, err);
    if (st != E_OK) return st;
    st = settle_donors(w, p, donors, err);
    if (st == E_OK) st = settle_reference(w, p, err);
    if (st == E_OK) *out = p;
    else pairs_free(p);
    return st;
}
/* SPDX-License-Identifier: MIT */
