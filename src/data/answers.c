/* answers -- see answers.h. */
#include "data/answers.h"
#include <stdlib.h>
#include <string.h>

static status nomem(error *err) { return error_set(err, E_NOMEM, "pairs: out of memory"); }

static status one(int32_t *out, const model *m, const json_t *x, const char *key, int pair,
                  error *err)
{
    if (json_is_string(x))
        return token_find(m, json_string_value(x), json_string_length(x), out, err);
    if (!json_is_integer(x) || json_integer_value(x) < 0 ||
        json_integer_value(x) >= m->config.n_vocab_out)
        return error_set(err, E_RANGE, "'%s', pair %d: expected a token's text or an id of 0 to %d",
                         key, pair, m->config.n_vocab_out - 1);
    *out = (int32_t)json_integer_value(x);
    return E_OK;
}

status answer_first(int32_t *out, const model *m, const json_t *x, const char *key, int pair,
                    error *err)
{
    if (!json_is_array(x)) return one(out, m, x, key, pair, err);
    if (json_array_size(x)) return one(out, m, json_array_get(x, 0), key, pair, err);
    return error_set(err, E_FORMAT, "'%s', pair %d: the list of answers is empty", key, pair);
}

/* How many answers x is: a list's, or one. */
static size_t count(const json_t *x) { return json_is_array(x) ? json_array_size(x) : !!x; }

static bool several(const json_t *list, int n)
{
    for (int i = 0; list && i < n; i++)
        if (count(json_array_get(list, (size_t)i)) > 1) return true;
    return false;
}

/* Put x's answers down at id; one that is no token of this model makes the set partial. */
static status put(int32_t *id, bool *partial, const model *m, const json_t *x, int pair, error *err)
{
    size_t n = count(x);
    for (size_t k = 0; k < n && !*partial; k++) {
        const json_t *v = json_is_array(x) ? json_array_get(x, k) : x;
        error why = { 0 };
        status st = one(&id[k], m, v, "answers", pair, &why);
        if (st == E_NOMEM) return nomem(err);
        *partial = st != E_OK;
    }
    return E_OK;
}

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static status check_different(const int32_t *id, int32_t *space, size_t n, int pair, error *err)
{
    memcpy(space, id, n * sizeof *id);
    qsort(space, n, sizeof *space, by_id);
    for (size_t i = 1; i < n; i++)
        if (space[i] == space[i - 1])
            return error_set(err, E_FORMAT, "pair %d: token #%d is twice among its answers", pair,
                             space[i]);
    return E_OK;
}

/* `space` holds MAX_ANSWERS. */
static status one_set(answer_set *out, int32_t *space, arena *mem, const model *m,
                      const json_t *right, const json_t *wrong, int pair, error *err)
{
    size_t n_right = count(right), n = n_right + count(wrong);
    bool partial = false;
    if (n > MAX_ANSWERS)
        return error_set(err, E_LIMIT, "pair %d has %zu answers, expected %d at most", pair, n,
                         MAX_ANSWERS);
    int32_t *id = arena_array(mem, (int64_t)n + 1, sizeof *id);
    if (!id) return nomem(err);
    status st = put(id, &partial, m, right, pair, err);
    if (st == E_OK) st = put(id + n_right, &partial, m, wrong, pair, err);
    if (st == E_OK && !partial) st = check_different(id, space, n, pair, err);
    if (st == E_OK && !partial) *out = (answer_set){ id, (int32_t)n_right, (int32_t)(n - n_right) };
    return st;
}

status answer_sets(answer_set **out, int *n_partial, arena *mem, const model *m,
                   const json_t *correct, const json_t *wrong, int n, error *err)
{
    *out = NULL, *n_partial = 0;
    if (!several(correct, n) && !several(wrong, n)) return E_OK;
    answer_set *set = arena_array(mem, n, sizeof *set);
    int32_t *space = arena_array(mem, MAX_ANSWERS, sizeof *space);
    status st = set && space ? E_OK : nomem(err);
    for (int i = 0; i < n && st == E_OK; i++) {
        st = one_set(&set[i], space, mem, m, json_array_get(correct, (size_t)i),
                     json_array_get(wrong, (size_t)i), i, err);
        if (st == E_OK) *n_partial += !set[i].n_right;
    }
    if (st == E_OK) *out = set;
    return st;
}
/* SPDX-License-Identifier: MIT */
