/* pairs -- see pairs.h. */
#include "data/pairs.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/pair_files.h"
#include <string.h>

enum { MAX_FILE = 256 << 20 };

static status nomem(error *err) { return error_set(err, E_NOMEM, "pairs: out of memory"); }

static void free_prompts(prompt **list, int n)
{
    for (int i = 0; list && i < n; i++) prompt_free(list[i]);
}

void pairs_free(pairs *p)
{
    if (!p) return;
    free_prompts(p->clean, p->n), free_prompts(p->corrupt, p->n);
    free_prompts(p->reference, p->n_reference);
    arena_release(&p->mem);
    mem_free(p, sizeof *p);
}

/* A text, or a list of ids. */
static status one_prompt(prompt **out, const model *m, const json_t *v, bos_policy bos, error *err)
{
    arena mem = { 0 };
    size_t i;
    const json_t *x;
    if (json_is_string(v))
        return prompt_from_text(out, m, json_string_value(v), json_string_length(v), bos, err);
    if (!json_is_array(v))
        return error_set(err, E_FORMAT, "a prompt is %s, expected a text or a list of ids",
                         json_kind(v));
    int64_t *id = arena_array(&mem, (int64_t)json_array_size(v) + 1, sizeof *id);
    status st = id ? E_OK : nomem(err);
    json_array_foreach(v, i, x)
    {
        if (st == E_OK && !json_is_integer(x))
            st = error_set(err, E_FORMAT, "token %zu is %s, expected an id", i, json_kind(x));
        if (st == E_OK) id[i] = json_integer_value(x);
    }
    if (st == E_OK) st = prompt_from_ids(out, m, id, (int64_t)json_array_size(v), err);
    arena_release(&mem);
    return st;
}

static status prompt_array(prompt ***out, int *n, arena *mem, const model *m, const json_t *v,
                           const char *key, bos_policy bos, error *err)
{
    size_t i;
    const json_t *x;
    if (!v) return error_set(err, E_FORMAT, "there is no '%s', expected a list of prompts", key);
    if (!json_is_array(v))
        return error_set(err, E_FORMAT, "'%s' is %s, expected a list of prompts", key,
                         json_kind(v));
    prompt **list = arena_array(mem, (int64_t)json_array_size(v) + 1, sizeof *list);
    if (!list) return nomem(err);
    json_array_foreach(v, i, x)
    {
        status st = one_prompt(&list[i], m, x, bos, err);
        if (st != E_OK) {
            error_prefix(err, "'%s', prompt %zu", key, i);
            free_prompts(list, (int)i);
            return st;
        }
    }
    *out = list, *n = (int)json_array_size(v);
    return E_OK;
}

static status answers(int32_t **out, pairs *p, const model *m, const json_t *v, const char *key,
                      error *err)
{
    if (!json_is_array(v) || json_array_size(v) != (size_t)p->n)
        return error_set(err, E_FORMAT,
                         "'%s' has %zu answers, expected one for each of the %d pairs", key,
                         json_array_size(v), p->n);
    *out = arena_array(&p->mem, p->n + 1, sizeof **out);
    if (!*out) return nomem(err);
    status st = E_OK;
    for (int i = 0; i < p->n && st == E_OK; i++)
        st = answer_first(&(*out)[i], m, json_array_get(v, (size_t)i), key, i, err);
    return st;
}

static status check_lengths(const pairs *p, error *err)
{
    for (int i = 0; i < p->n; i++) {
        if (p->clean[i]->n == p->corrupt[i]->n) continue;
        error_set(err, E_SHAPE, "pair %d: the clean prompt has %d tokens, the corrupted one %d", i,
                  p->clean[i]->n, p->corrupt[i]->n);
        error_hint(err, "the two of a pair must line up token by token; 'microtome tokens' shows "
                        "how texts are cut");
        return E_SHAPE;
    }
    return E_OK;
}

/* A key that is nearly one of ours is a slip of the pen, and leaving it out would change the metric. */
static status check_keys(const json_t *v, error *err)
{
    static const char *const keys[] = { "clean", "corrupt", "correct", "wrong",
                                        "ablation_reference_set" };
    const char *name;
    json_t *x;
    json_object_foreach((json_t *)v, name, x)
    {
        const char *near = NULL;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            int far = str_distance(name, keys[i]);
            if (!far) near = NULL, i = sizeof keys;
            else if (far <= 2) near = keys[i];
        }
        if (near && !json_object_get(v, near)) {
            error_set(err, E_FORMAT, "pairs: key '%.60s' is not known", name);
            error_hint(err, "did you mean '%s'?", near);
            return E_FORMAT;
        }
    }
    return E_OK;
}

static status check_answers(const pairs *p, error *err)
{
    for (int i = 0; p->wrong && i < p->n; i++)
        if (p->correct[i] == p->wrong[i])
            return error_set(err, E_FORMAT,
                             "pair %d: the right and the wrong answer are the same token, #%d", i,
                             p->wrong[i]);
    return E_OK;
}

static status fill(pairs *p, const model *m, const json_t *v, const pairs_how *how, error *err)
{
    bos_policy bos = how->bos;
    int n_corrupt;
    prompt **corrupt;
    const json_t *reference = json_object_get(v, "ablation_reference_set"),
                 *wrong = json_object_get(v, "wrong");
    status st = check_keys(v, err);
    if (st == E_OK)
        st = prompt_array(&p->clean, &p->n, &p->mem, m, json_object_get(v, "clean"), "clean", bos,
                          err);
    if (st != E_OK) return st;
    st = prompt_array(&corrupt, &n_corrupt, &p->mem, m, json_object_get(v, "corrupt"), "corrupt",
                      bos, err);
    if (st != E_OK) return st;
    if (n_corrupt != p->n) {
        free_prompts(corrupt, n_corrupt);
        return error_set(err, E_FORMAT, "there are %d clean prompts and %d corrupted ones", p->n,
                         n_corrupt);
    }
    p->corrupt = corrupt;
    if (!p->n) st = error_set(err, E_FORMAT, "there are no pairs");
    if (st == E_OK && !how->ragged) st = check_lengths(p, err);
    if (st == E_OK) st = answers(&p->correct, p, m, json_object_get(v, "correct"), "correct", err);
    if (st == E_OK && wrong) st = answers(&p->wrong, p, m, wrong, "wrong", err);
    if (st == E_OK) st = check_answers(p, err);
    if (st == E_OK)
        st = answer_sets(&p->set, &p->n_partial, &p->mem, m, json_object_get(v, "correct"), wrong,
                         p->n, err);
    if (st == E_OK && reference)
        st = prompt_array(&p->reference, &p->n_reference, &p->mem, m, reference,
                          "ablation_reference_set", bos, err);
    return st;
}

static status make(pairs **out, const model *m, const json_t *v, const pairs_how *how, error *err)
{
    pairs *p = mem_zero(sizeof *p);
    status st = p ? fill(p, m, v, how, err) : nomem(err);
    if (st == E_OK) *out = p;
    else pairs_free(p);
    return st;
}

status pairs_from_json(pairs **out, const model *m, const json_t *v, bos_policy bos, error *err)
{
    return make(out, m, v, &(pairs_how){ .bos = bos }, err);
}

static const char *const lists[] = { "clean", "corrupt", "correct", "wrong" };

/* Leave the first so many of each list, if all are as long. */
static void shorten(const json_t *v, int64_t limit)
{
    size_t n = json_array_size(json_object_get(v, lists[0]));
    for (int k = 1; k < 4; k++) {
        const json_t *list = json_object_get(v, lists[k]);
        if (list && json_array_size(list) != n) return;
    }
    for (int k = 0; k < 4 && limit > 0; k++) {
        json_t *list = json_object_get(v, lists[k]);
        while (list && json_array_size(list) > (size_t)limit)
            json_array_remove(list, json_array_size(list) - 1);
    }
}

/* Pair i of v alone; NULL when there is no memory. */
static json_t *alone(const json_t *v, size_t i)
{
    json_t *one = json_object();
    for (int k = 0; one && k < 4; k++) {
        json_t *list = json_object_get(v, lists[k]);
        if (!list ||
            json_object_set_new(one, lists[k], json_pack("[O]", json_array_get(list, i))) == 0)
            continue;
        json_decref(one);
        return NULL;
    }
    return one;
}

static status keep_pair(json_t *kept, const json_t *v, size_t i, error *err)
{
    for (int k = 0; k < 4; k++) {
        json_t *list = json_object_get(v, lists[k]);
        if (list && json_array_append(json_object_get(kept, lists[k]), json_array_get(list, i)))
            return nomem(err);
    }
    return E_OK;
}

/* Which pairs of v can be pairs of this model. */
typedef struct sieve {
    json_t *kept; /* them, as v has them */
    int n_kept, n_left_out;
    error why; /* why the first of the others cannot */
} sieve;

static status sieve_pair(sieve *x, const model *m, const json_t *v, size_t i, const pairs_how *how,
                         error *err)
{
    error why = { 0 };
    pairs *p = NULL;
    json_t *one = alone(v, i);
    status st = one ? make(&p, m, one, how, &why) : E_NOMEM;
    json_decref(one), pairs_free(p);
    if (st == E_NOMEM) return nomem(err);
    if (st == E_OK) {
        x->n_kept++;
        return keep_pair(x->kept, v, i, err);
    }
    if (!x->n_left_out++) x->why = why;
    return E_OK;
}

static void describe(pairs *p, const sieve *x, const char *note)
{
    int at = snprintf(p->note, sizeof p->note, "%s", note);
    if (p->n_partial)
        at += snprintf(p->note + at, sizeof p->note - (size_t)at,
                       "%sof %d pairs not all answers are single tokens of this model",
                       at ? "; " : "", p->n_partial);
    if (x->n_left_out)
        snprintf(p->note + at, sizeof p->note - (size_t)at,
                 "%s%d of %d pairs are left out, which do not fit this model (the first: %.120s)",
                 at ? "; " : "", x->n_left_out, x->n_left_out + x->n_kept, x->why.msg);
}

static status sieve_all(pairs **out, sieve *x, const model *m, const pair_file *f,
                        const pairs_how *how, error *err)
{
    size_t n = json_array_size(json_object_get(f->v, "clean"));
    bool wrong = json_object_get(f->v, "wrong") != NULL;
    x->kept = json_pack("{s:[],s:[],s:[]}", "clean", "corrupt", "correct");
    if (!x->kept || (wrong && json_object_set_new(x->kept, "wrong", json_array())))
        return nomem(err);
    status st = E_OK;
    for (size_t i = 0; i < n && st == E_OK && (!how->limit || x->n_kept < how->limit); i++)
        st = sieve_pair(x, m, f->v, i, how, err);
    if (st == E_OK && !x->n_kept) {
        st = error_set(err, x->why.code, "no pair fits this model; the first: %s", x->why.msg);
        if (*x->why.hint) error_hint(err, "%s", x->why.hint);
    }
    if (st == E_OK) st = make(out, m, x->kept, how, err);
    if (st == E_OK) describe(*out, x, f->note), (*out)->metric = f->metric;
    return st;
}

status pairs_read(pairs **out, const model *m, const char *path, const pairs_how *how, error *err)
{
    pair_file f = { 0 };
    sieve x = { 0 };
    status st = pair_file_read(&f, path, err);
    if (st != E_OK) return st;
    if (!f.foreign) shorten(f.v, how->limit);
    st = f.foreign ? sieve_all(out, &x, m, &f, how, err) : make(out, m, f.v, how, err);
    if (st != E_OK) error_prefix(err, "%s", path);
    json_decref(x.kept);
    pair_file_release(&f);
    return st;
}

status pairs_from_texts(pairs **out, const model *m, const char *clean, const char *corrupt,
                        const char *correct, const char *wrong, bos_policy bos, error *err)
{
    json_t *v =
        json_pack("{s:[s],s:[s],s:[s]}", "clean", clean, "corrupt", corrupt, "correct", correct);
    if (!v) return error_set(err, E_FORMAT, "the prompts or the answer are not UTF-8");
    status st = wrong && json_object_set_new(v, "wrong", json_pack("[s]", wrong))
                    ? error_set(err, E_FORMAT, "the wrong answer is not UTF-8")
                    : pairs_from_json(out, m, v, bos, err);
    json_decref(v);
    return st;
}

/* A prompt a line; empty lines are none, and a line may end as on Windows. */
static status line_prompts(prompt ***out, int *n, arena *mem, const model *m, const str *s,
                           const char *path, bos_policy bos, error *err)
{
    const char *p = s->p, *end = p + s->n;
    int64_t most = 1, line = 1;
    int k = 0;
    for (size_t i = 0; i < s->n; i++) most += s->p[i] == '\n';
    prompt **list = arena_array(mem, most, sizeof *list);
    if (!list) return nomem(err);
    for (const char *stop; p < end; p = stop + 1, line++) {
        const char *found = memchr(p, '\n', (size_t)(end - p));
        stop = found ? found : end;
        size_t bytes = (size_t)(stop - p);
        if (bytes && p[bytes - 1] == '\r') bytes--;
        status st = bytes ? prompt_from_text(&list[k], m, p, bytes, bos, err) : E_OK;
        if (st != E_OK) {
            error_prefix(err, "%s, line %lld", path, (long long)line);
            free_prompts(list, k);
            return st;
        }
        k += bytes > 0;
    }
    *out = list, *n = k;
    return E_OK;
}

status prompts_read(prompt ***out, int *n, arena *mem, const model *m, const char *path,
                    bos_policy bos, error *err)
{
    str s = { 0 };
    json_t *v = NULL;
    int count = 0;
    status st = file_read(&s, path, MAX_FILE, err);
    size_t space = st == E_OK && s.n ? strspn(s.p, " \t\r\n") : 0;
    if (st == E_OK && space < s.n && s.p[space] == '[') {
        st = json_parse(&v, s.p, s.n, path, err);
        if (st == E_OK) st = prompt_array(out, &count, mem, m, v, path, bos, err);
    } else if (st == E_OK && s.n) st = line_prompts(out, &count, mem, m, &s, path, bos, err);
    if (st == E_OK && !count) st = error_set(err, E_FORMAT, "%s: there are no prompts", path);
    if (st == E_OK) *n = count;
    json_decref(v);
    str_release(&s);
    return st;
}
/* SPDX-License-Identifier: MIT */
