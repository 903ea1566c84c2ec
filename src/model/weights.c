/* weights -- see weights.h: a sorted list, searched by halves. */
#include "model/weights.h"
#include "base/str.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

status weights_add(weight_set *w, arena *mem, weight_tensor t, error *err)
{
    if (t.n_dim > WEIGHT_DIMS)
        return error_set(err, E_SHAPE, "weight '%.120s' has %d dimensions, expected at most %d",
                         t.name, t.n_dim, WEIGHT_DIMS);
    if (w->n == w->cap) {
        int32_t cap = w->cap ? 2 * w->cap : 64;
        weight_tensor *wider = arena_array(mem, cap, sizeof *wider);
        if (!wider) return error_set(err, E_NOMEM, "weights: out of memory");
        if (w->n) memcpy(wider, w->t, (size_t)w->n * sizeof *wider);
        w->t = wider, w->cap = cap;
    }
    w->t[w->n++] = t;
    return E_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const weight_tensor *)a)->name, ((const weight_tensor *)b)->name);
}

status weights_sort(weight_set *w, error *err)
{
    if (w->n) qsort(w->t, (size_t)w->n, sizeof *w->t, by_name);
    for (int32_t i = 1; i < w->n; i++)
        if (!strcmp(w->t[i - 1].name, w->t[i].name))
            return error_set(err, E_FORMAT, "weight '%.120s' is there twice", w->t[i].name);
    return E_OK;
}

static weight_tensor *find_exact(const weight_set *w, const char *name)
{
    weight_tensor key = { .name = name };
    return w->n ? bsearch(&key, w->t, (size_t)w->n, sizeof *w->t, by_name) : NULL;
}

/* Checkpoints of TensorFlow's days call a norm's weight and bias gamma and beta. */
static weight_tensor *find_old_norm(const weight_set *w, const char *name)
{
    static const char *const end[][2] = { { "LayerNorm.weight", "LayerNorm.gamma" },
                                          { "LayerNorm.bias", "LayerNorm.beta" } };
    char old[200];
    size_t n = strlen(name);
    for (int i = 0; i < 2; i++) {
        size_t k = strlen(end[i][0]);
        if (n < k || n >= sizeof old || strcmp(name + n - k, end[i][0])) continue;
        snprintf(old, sizeof old, "%.*s%s", (int)(n - k), name, end[i][1]);
        return find_exact(w, old);
    }
    return NULL;
}

weight_tensor *weights_find(const weight_set *w, const char *name)
{
    weight_tensor *t = find_exact(w, name);
    size_t n = w->prefix ? strlen(w->prefix) : 0;
    if (!t && n && !strncmp(name, w->prefix, n)) t = find_exact(w, name + n);
    return t ? t : find_old_norm(w, name);
}

void weight_text(const weight_tensor *t, char *out, size_t bytes)
{
    size_t at = 0;
    int k = snprintf(out, bytes, "[");
    for (int i = 0; i < t->n_dim && k >= 0 && (at += (size_t)k) < bytes; i++)
        k = snprintf(out + at, bytes - at, i ? ", %lld" : "%lld", (long long)t->dim[i]);
    if (k >= 0 && (at += (size_t)k) < bytes)
        snprintf(out + at, bytes - at, "] %s", dtype_name(t->dtype));
}

static bool is_ignored(const weight_set *w, const char *name, const char *const *ignored)
{
    size_t n = w->prefix ? strlen(w->prefix) : 0;
    for (; ignored && *ignored; ignored++) {
        if (glob_match(*ignored, name)) return true;
        if (n && !strncmp(*ignored, w->prefix, n) && glob_match(*ignored + n, name)) return true;
    }
    return false;
}

status weights_check_used(const weight_set *w, const char *const *ignored, error *err)
{
    const weight_tensor *first = NULL;
    int n = 0;
    for (int32_t i = 0; i < w->n; i++) {
        if (w->t[i].used || is_ignored(w, w->t[i].name, ignored)) continue;
        if (!first) first = &w->t[i];
        n++;
    }
    if (!first) return E_OK;
    char shape[120];
    weight_text(first, shape, sizeof shape);
    error_set(err, E_SHAPE, "weight '%.160s' %s has no place in this architecture%s", first->name,
              shape, n > 1 ? " (and more)" : "");
    error_hint(err,
               "%d of %d tensors are not used: the file is of another model, or config.json is", n,
               w->n);
    return E_SHAPE;
}
/* SPDX-License-Identifier: MIT */
