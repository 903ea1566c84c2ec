/* torch_state -- see torch.h: from a pickle's root value to named tensors.
 *
 * Names are the keys on the way to a tensor, with dots between.  Training wraps the state dict: one of NESTS is
 * entered when it is a dict with tensors in it, and what lies beside it (optimiser, losses) is left out.
 *
 * Bounds: a container is walked once, to a depth of DEPTH; tensors that do not lie in order are copied, and the
 * copies together take no more than the storages do. */
#include "base/str.h"
#include "format/torch.h"
#include <stdio.h>
#include <string.h>

enum { DEPTH = 64, NAME = 512, TENSORS = 1 << 20 };

static const char *const NESTS[] = { "state_dict", "model_state_dict", "model", "module", NULL };
/* What wrappers put before every name (DataParallel, torch.compile). */
static const char *const WRAPS[] = { "module.", "_orig_mod.", NULL };

typedef struct walk {
    torch_load *l;
    size_t may_copy; /* bytes, still */
    error *err;
} walk;

/* ---- which containers have tensors ---- */

enum { UNSEEN = 0, LOOKING, EMPTY, HOLDS, TAKEN };

static bool is_tensor(const pick *v) { return v->kind == PICK_OBJECT && v->tag == TORCH_TENSOR; }

static bool has_items(const pick *v)
{
    return v->kind == PICK_LIST || v->kind == PICK_TUPLE || v->kind == PICK_DICT;
}

/* Marks v and what is in it; what contains itself counts as empty there. */
static status look(walk *w, pick *v, int depth)
{
    if (!has_items(v) || v->tag != UNSEEN) return E_OK;
    if (depth > DEPTH)
        return error_set(w->err, E_LIMIT, "%s: its pickle is nested more than %d deep", w->l->path,
                         DEPTH);
    int step = v->kind == PICK_DICT ? 2 : 1, found = EMPTY;
    v->tag = LOOKING;
    for (int32_t i = step - 1; i < v->u.list.n; i += step) {
        pick *x = v->u.list.item[i];
        status st = look(w, x, depth + 1);
        if (st != E_OK) return st;
        if (is_tensor(x) || (has_items(x) && x->tag == HOLDS)) found = HOLDS;
    }
    v->tag = found;
    return E_OK;
}

/* *nest: the innermost that was entered. */
static const pick *unwrap(const pick *root, const char **nest)
{
    for (int depth = 0; depth < 4; depth++) {
        const pick *in = NULL;
        for (int i = 0; NESTS[i] && !in; i++) {
            in = pick_find(root, NESTS[i]);
            if (in && (in->kind != PICK_DICT || in->tag != HOLDS)) in = NULL;
            if (in) *nest = NESTS[i];
        }
        if (!in) break;
        root = in;
    }
    return root;
}

/* ---- one tensor ---- */

static status bad(walk *w, const char *name, const char *what)
{
    return error_set(w->err, E_FORMAT, "%s: tensor '%.120s': %s", w->l->path, name, what);
}

/* Do its numbers lie in order, as row-major views have them? */
static bool in_order(const torch_tensor *t)
{
    int64_t want = 1;
    for (int i = t->n_dim - 1; i >= 0; i--) {
        if (t->dim[i] != 1 && t->stride[i] != want) return false;
        want *= t->dim[i];
    }
    return true;
}

/* The index behind the last number; false when that does not fit. */
static bool view_end(const torch_tensor *t, size_t *end)
{
    size_t last = (size_t)t->offset;
    for (int i = 0; i < t->n_dim; i++) {
        size_t step;
        if (!mul_fits((size_t)(t->dim[i] - 1), (size_t)t->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    }
    return !__builtin_add_overflow(last, 1, end);
}

static status add_tensor(walk *w, const torch_tensor *t, const char *name)
{
    tensor_view v = { .name = name, .dtype = t->type, .n_dim = t->n_dim };
    size_t n, end, held = t->storage->bytes / dtype_bytes(t->type);
    memcpy(v.dim, t->dim, sizeof v.dim);
    if (!tensor_size(&v, &n, &v.bytes)) return bad(w, name, "its shape has more numbers than fit");
    if (n && (!view_end(t, &end) || end > held)) return bad(w, name, "ends after its storage does");
    if (n > held)
        return bad(w, name, "has more numbers than its storage (it was expanded); save a clone()");
    if (w->l->c->n >= TENSORS)
        return error_set(w->err, E_LIMIT, "%s: more than %d tensors", w->l->path, TENSORS);
    if (n) v.data = t->storage->p + (size_t)t->offset * dtype_bytes(t->type);
    status st = E_OK;
    if (n && !in_order(t))
        st = container_reorder(w->l->c, &v, t->stride, &w->may_copy, w->l->path, w->err);
    return st == E_OK ? container_add(w->l->c, v, w->err) : st;
}

/* ---- names ---- */

/* `at` bytes of name are there; add a key.  Returns the length, 0 when it is none that can be. */
static size_t name_add(char name[NAME], size_t at, const pick *key, int32_t i)
{
    char number[24];
    if (!key) snprintf(number, sizeof number, "%d", i);
    else if (key->kind == PICK_INT) snprintf(number, sizeof number, "%lld", (long long)key->u.i);
    else if (key->kind != PICK_TEXT) return 0;
    bool text = key && key->kind == PICK_TEXT;
    const char *p = text ? key->u.text.p : number;
    size_t n = text ? key->u.text.n : strlen(number);
    if (at + 1 + n + 1 > NAME || !n || memchr(p, 0, n) || utf8_check(p, n) != n) return 0;
    if (at) name[at++] = '.';
    memcpy(name + at, p, n);
    name[at + n] = 0;
    return at + n;
}

static status take(walk *w, pick *v, char name[NAME], size_t at);

static status take_items(walk *w, pick *v, char name[NAME], size_t at)
{
    int step = v->kind == PICK_DICT ? 2 : 1;
    status st = E_OK;
    for (int32_t i = 0; i < v->u.list.n && st == E_OK; i += step) {
        pick *x = v->u.list.item[i + step - 1];
        if (!is_tensor(x) && (!has_items(x) || x->tag < HOLDS)) continue;
        size_t n = name_add(name, at, step == 2 ? v->u.list.item[i] : NULL, i);
        if (!n) {
            name[at] = 0;
            return error_set(w->err, E_UNSUPPORTED,
                             "%s: a tensor below '%.120s' has a key that is no text, or too long a "
                             "name",
                             w->l->path, name);
        }
        st = take(w, x, name, n);
    }
    return st;
}

static status take(walk *w, pick *v, char name[NAME], size_t at)
{
    if (is_tensor(v)) return add_tensor(w, v->u.object, name);
    if (v->tag == TAKEN)
        return error_set(w->err, E_UNSUPPORTED, "%s: the tensors of '%.120s' have two names",
                         w->l->path, name);
    v->tag = TAKEN;
    return take_items(w, v, name, at);
}

static void strip(container *c, const char *wrap)
{
    size_t n = strlen(wrap);
    for (int32_t i = 0; i < c->n; i++)
        if (strncmp(c->t[i].name, wrap, n) || !c->t[i].name[n]) return;
    for (int32_t i = 0; i < c->n; i++) c->t[i].name += n;
}

status torch_state(torch_load *l, pick *root, error *err)
{
    walk w = { .l = l, .err = err };
    char name[NAME] = "tensor";
    int32_t first = l->c->n;
    for (const torch_storage *s = l->storage; s; s = s->next) w.may_copy += s->bytes;
    status st = look(&w, root, 0);
    if (st != E_OK) return st;
    if (is_tensor(root)) return take(&w, root, name, 0);
    const char *nest = NULL;
    if (has_items(root) && root->tag == HOLDS) st = take(&w, (pick *)unwrap(root, &nest), name, 0);
    if (st == E_OK && nest) st = container_note(l->c, "nested", nest, err);
    if (st != E_OK) return st;
    if (l->c->n == first) return error_set(err, E_FORMAT, "%s: holds no tensors", l->path);
    for (int i = 0; WRAPS[i] && !first; i++) strip(l->c, WRAPS[i]);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
