/* facts -- see facts.h. */
#include "data/facts.h"
#include <string.h>

enum { MAX_FILE = 256 << 20 };

static status nomem(error *err) { return error_set(err, E_NOMEM, "facts: out of memory"); }

void facts_free(facts *f)
{
    if (!f) return;
    for (int i = 0; i < f->n; i++) prompt_free(f->fact[i].p);
    arena_release(&f->mem);
    mem_free(f, sizeof *f);
}

/* The tokens that hold any byte of the subject's first occurrence. */
static status find_subject(fact *f, const char *subject, size_t n, error *err)
{
    const prompt *p = f->p;
    const char *at = n ? memmem(p->text, p->text_bytes, subject, n) : NULL;
    f->first = p->n, f->end = 0;
    if (!at)
        return error_set(err, E_RANGE, "the subject '%.60s' is not in the prompt '%.120s'", subject,
                         p->text);
    int32_t lo = (int32_t)(at - p->text), hi = lo + (int32_t)n;
    for (int32_t i = 0; i < p->n; i++) {
        if (p->first[i] >= p->end[i] || p->end[i] <= lo || p->first[i] >= hi) continue;
        if (i < f->first) f->first = i;
        f->end = i + 1;
    }
    if (f->first < f->end) return E_OK;
    return error_set(err, E_RANGE, "the subject '%.60s' has no token of its own", subject);
}

/* The prompt with "{}" replaced. */
static status prompt_text(str *out, const char *text, const char *subject, error *err)
{
    const char *gap = strstr(text, "{}");
    if (gap) {
        str_add(out, text, (size_t)(gap - text));
        str_puts(out, subject), str_puts(out, gap + 2);
    } else str_puts(out, text);
    return out->failed ? nomem(err) : E_OK;
}

static status fill_text(fact *f, const model *m, const char *text, const char *subject,
                        bos_policy bos, error *err)
{
    str whole = { 0 };
    status st = prompt_text(&whole, text, subject, err);
    if (st == E_OK) st = prompt_from_text(&f->p, m, whole.p ? whole.p : "", whole.n, bos, err);
    if (st == E_OK) st = find_subject(f, subject, strlen(subject), err);
    str_release(&whole);
    return st;
}

static status fill_ids(fact *f, const model *m, const json_t *ids, const json_t *subject,
                       error *err)
{
    arena mem = { 0 };
    size_t n = json_array_size(ids);
    int64_t *id = arena_array(&mem, (int64_t)n + 1, sizeof *id);
    status st = id ? E_OK : nomem(err);
    for (size_t i = 0; i < n && st == E_OK; i++) {
        if (json_is_integer(json_array_get(ids, i)))
            id[i] = json_integer_value(json_array_get(ids, i));
        else st = error_set(err, E_FORMAT, "token %zu of the prompt is no id", i);
    }
    if (st == E_OK) st = prompt_from_ids(&f->p, m, id, (int64_t)n, err);
    arena_release(&mem);
    if (st != E_OK) return st;
    json_int_t a = json_integer_value(json_array_get(subject, 0)),
               b = json_integer_value(json_array_get(subject, 1));
    if (json_array_size(subject) != 2 || a < 0 || a >= b || b > f->p->n)
        return error_set(err, E_RANGE,
                         "the subject of a prompt of %d ids is [first, end] within 0 to %d",
                         f->p->n, f->p->n);
    f->first = (int32_t)a, f->end = (int32_t)b;
    return E_OK;
}

static status fill_answer(fact *f, const model *m, const json_t *v, error *err)
{
    f->answer = -1;
    if (!v || json_is_null(v)) return E_OK;
    if (json_is_string(v))
        return token_find(m, json_string_value(v), json_string_length(v), &f->answer, err);
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) >= m->config.n_vocab_out)
        return error_set(err, E_RANGE, "the answer is %s, expected a token's text or an id",
                         json_kind(v));
    f->answer = (int32_t)json_integer_value(v);
    return E_OK;
}

static status fill(fact *f, const model *m, const json_t *v, bos_policy bos, error *err)
{
    const json_t *inner = json_object_get(v, "requested_rewrite");
    if (inner) v = inner;
    const json_t *text = json_object_get(v, "prompt"), *subject = json_object_get(v, "subject");
    if (!text || !subject)
        return error_set(err, E_FORMAT, "a fact is %s without '%s', expected prompt and subject",
                         json_kind(v), text ? "subject" : "prompt");
    status st;
    if (json_is_array(text)) st = fill_ids(f, m, text, subject, err);
    else if (json_is_string(text) && json_is_string(subject))
        st = fill_text(f, m, json_string_value(text), json_string_value(subject), bos, err);
    else
        st = error_set(err, E_FORMAT, "the prompt is %s and the subject %s, expected two texts",
                       json_kind(text), json_kind(subject));
    return st == E_OK ? fill_answer(f, m, json_object_get(v, "answer"), err) : st;
}

static status make(facts **out, int64_t n, error *err)
{
    facts *f = mem_zero(sizeof *f);
    if (f) f->fact = arena_zero(&f->mem, (size_t)(n + 1) * sizeof *f->fact);
    if (!f || !f->fact) {
        facts_free(f);
        return nomem(err);
    }
    *out = f;
    return E_OK;
}

status facts_read(facts **out, const model *m, const char *path, int64_t most, bos_policy bos,
                  error *err)
{
    json_t *v = NULL;
    facts *f = NULL;
    status st = json_open(&v, path, MAX_FILE, err);
    if (st != E_OK) return st;
    int64_t n = (int64_t)json_array_size(v);
    if (!n)
        st = error_set(err, E_FORMAT, "%s is %s, expected a list of facts", path,
                       json_is_array(v) ? "an empty list" : json_kind(v));
    if (most && most < n) n = most;
    if (st == E_OK) st = make(&f, n, err);
    for (int64_t i = 0; i < n && st == E_OK; i++) {
        f->n = (int)i + 1; /* the prompt, half-made or not, is freed with it */
        st = fill(&f->fact[i], m, json_array_get(v, (size_t)i), bos, err);
        if (st != E_OK) error_prefix(err, "%s, fact %lld", path, (long long)i);
    }
    json_decref(v);
    if (st == E_OK) *out = f;
    else facts_free(f);
    return st;
}

status facts_from_texts(facts **out, const model *m, const char *text, const char *subject,
                        const char *answer, bos_policy bos, error *err)
{
    facts *f = NULL;
    status st = make(&f, 1, err);
    if (st != E_OK) return st;
    f->n = 1;
    st = fill_text(&f->fact[0], m, text, subject, bos, err);
    f->fact[0].answer = -1;
    if (st == E_OK && answer) st = token_find(m, answer, strlen(answer), &f->fact[0].answer, err);
    if (st == E_OK) *out = f;
    else facts_free(f);
    return st;
}
/* SPDX-License-Identifier: MIT */
