/* torch -- see torch.h: the globals, and storages. */
#include "format/torch.h"
#include <stdlib.h>
#include <string.h>

/* ---- what may be named ---- */

typedef enum call_kind { CALL_TENSOR, CALL_TENSOR_3, CALL_FIRST, CALL_DICT, CALL_NONE } call_kind;

/* What is called, and what comes of it. */
static const struct called {
    const char *name;
    call_kind kind;
} CALLED[] = {
    { "torch._utils._rebuild_tensor", CALL_TENSOR },
    { "torch._utils._rebuild_tensor_v2", CALL_TENSOR },
    { "torch._utils._rebuild_tensor_v3", CALL_TENSOR_3 }, /* the type is its seventh argument */
    { "torch._utils._rebuild_parameter", CALL_FIRST },
    { "torch._utils._rebuild_parameter_with_state", CALL_FIRST },
    { "torch.Size", CALL_FIRST },
    { "builtins.set", CALL_FIRST },
    { "__builtin__.set", CALL_FIRST },
    { "_codecs.encode", CALL_FIRST }, /* bytes, as protocol 2 writes them */
    { "collections.OrderedDict", CALL_DICT },
    { "torch.device", CALL_NONE },
    { "torch.serialization._get_layout", CALL_NONE },
};
enum { N_CALLED = sizeof CALLED / sizeof *CALLED };

static const struct typed {
    const char *storage, *name, *other; /* of torch. */
    dtype type;
} TYPES[] = {
    { "DoubleStorage", "float64", "double", DTYPE_F64 },
    { "FloatStorage", "float32", "float", DTYPE_F32 },
    { "HalfStorage", "float16", "half", DTYPE_F16 },
    { "BFloat16Storage", "bfloat16", NULL, DTYPE_BF16 },
    { "LongStorage", "int64", "long", DTYPE_I64 },
    { "IntStorage", "int32", "int", DTYPE_I32 },
    { "ShortStorage", "int16", "short", DTYPE_I16 },
    { "CharStorage", "int8", NULL, DTYPE_I8 },
    { "ByteStorage", "uint8", NULL, DTYPE_U8 },
    { "BoolStorage", "bool", NULL, DTYPE_BOOL },
    { NULL, "uint64", NULL, DTYPE_U64 },
    { NULL, "uint32", NULL, DTYPE_U32 },
    { NULL, "uint16", NULL, DTYPE_U16 },
    { "UntypedStorage", NULL, NULL, DTYPE_U8 },
};
enum { N_TYPE = sizeof TYPES / sizeof *TYPES };

static bool is(const char *a, const char *b) { return a && !strcmp(a, b); }

/* A type's or a storage's place in TYPES and whether it is a storage; NULL: no such. */
static const struct typed *type_named(const char *name, int32_t *tag)
{
    if (!strncmp(name, "torch.storage.", 14)) name += 14;
    else if (!strncmp(name, "torch.cuda.", 11)) name += 11;
    else if (!strncmp(name, "torch.", 6)) name += 6;
    else return NULL;
    for (int i = 0; i < N_TYPE; i++) {
        *tag = is(TYPES[i].storage, name) ? TORCH_STORAGE_TYPE : TORCH_DTYPE;
        if (*tag == TORCH_STORAGE_TYPE || is(TYPES[i].name, name) || is(TYPES[i].other, name))
            return &TYPES[i];
    }
    return NULL;
}

static status nomem(const torch_load *l, error *err)
{
    return error_set(err, E_NOMEM, "%s: out of memory", l->path);
}

static status object(torch_load *l, int32_t tag, const void *p, pick **out, error *err)
{
    *out = pick_new(&l->c->mem, PICK_OBJECT);
    if (!*out) return nomem(l, err);
    (*out)->tag = tag, (*out)->u.object = p;
    return E_OK;
}

static status on_global(void *user, const char *name, pick **out, error *err)
{
    torch_load *l = user;
    int32_t tag;
    const struct typed *t = type_named(name, &tag);
    if (t) return object(l, tag, t, out, err);
    for (int i = 0; i < N_CALLED; i++)
        if (!strcmp(CALLED[i].name, name)) return object(l, TORCH_GLOBAL, &CALLED[i], out, err);
    error_set(err, E_UNSUPPORTED, "%s: its pickle names '%.200s', which is refused", l->path, name);
    error_hint(err, "only tensors and plain data are read, no code is run: save the state_dict() "
                    "alone, with numbers as Python's own");
    return E_UNSUPPORTED;
}

/* ---- calls ---- */

static status bad_call(const torch_load *l, const char *what, error *err)
{
    return error_set(err, E_FORMAT, "%s: its pickle has a tensor whose %s", l->path, what);
}

static bool read_dims(const pick *v, int64_t dim[TENSOR_DIMS], int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!pick_int(pick_at(v, i), &dim[i]) || dim[i] < 0) return false;
    return true;
}

/* (storage, offset, size, stride, ...) */
static status make_tensor(torch_load *l, const pick *args, bool typed, pick **out, error *err)
{
    const pick *s = pick_at(args, 0), *size = pick_at(args, 2), *stride = pick_at(args, 3),
               *type = pick_at(args, 6);
    torch_tensor *t = arena_zero(&l->c->mem, sizeof *t);
    if (!t) return nomem(l, err);
    if (!s || s->kind != PICK_OBJECT || s->tag != TORCH_STORAGE)
        return bad_call(l, "storage is none", err);
    if (!size || !stride || size->kind != PICK_TUPLE || stride->kind != PICK_TUPLE ||
        size->u.list.n != stride->u.list.n)
        return bad_call(l, "sizes and strides are not as many", err);
    if (size->u.list.n > TENSOR_DIMS)
        return error_set(err, E_UNSUPPORTED,
                         "%s: its pickle has a tensor of %d dimensions, at most %d are read",
                         l->path, size->u.list.n, TENSOR_DIMS);
    t->n_dim = size->u.list.n;
    if (!pick_int(pick_at(args, 1), &t->offset) || t->offset < 0 ||
        !read_dims(size, t->dim, t->n_dim) || !read_dims(stride, t->stride, t->n_dim))
        return bad_call(l, "offset, size or stride is no length", err);
    t->storage = (torch_storage *)s->u.object;
    t->type = t->storage->type;
    if (typed) {
        if (!type || type->kind != PICK_OBJECT || type->tag != TORCH_DTYPE)
            return bad_call(l, "type is none", err);
        t->type = ((const struct typed *)type->u.object)->type;
    } else if (!t->storage->typed) return bad_call(l, "storage has no type", err);
    return object(l, TORCH_TENSOR, t, out, err);
}

/* OrderedDict(), or of a list of pairs, as Python 2 wrote it. */
static status make_dict(torch_load *l, const pick *args, pick **out, error *err)
{
    const pick *pairs = pick_at(args, 0);
    int32_t n = pairs && pairs->kind == PICK_LIST ? pairs->u.list.n : 0;
    *out = pick_new(&l->c->mem, PICK_DICT);
    pick **item = *out ? arena_array(&l->c->mem, 2 * (int64_t)n + 1, sizeof *item) : NULL;
    if (!item) return nomem(l, err);
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < 2; k++)
            if (!(item[2 * i + k] = (pick *)pick_at(pick_at(pairs, i), k)))
                return error_set(err, E_FORMAT, "%s: its pickle has a dict of no pairs", l->path);
    (*out)->u.list.item = item, (*out)->u.list.n = 2 * n, (*out)->u.list.cap = 2 * n + 1;
    return E_OK;
}

static status on_call(void *user, const pick *callee, const pick *args, pick **out, error *err)
{
    torch_load *l = user;
    if (callee->kind != PICK_OBJECT || callee->tag != TORCH_GLOBAL)
        return error_set(err, E_UNSUPPORTED, "%s: its pickle calls what cannot be called", l->path);
    const struct called *f = callee->u.object;
    switch (f->kind) {
    case CALL_TENSOR: return make_tensor(l, args, false, out, err);
    case CALL_TENSOR_3: return make_tensor(l, args, true, out, err);
    case CALL_DICT: return make_dict(l, args, out, err);
    case CALL_FIRST:
        *out = (pick *)pick_at(args, 0);
        if (*out) return E_OK;
        return error_set(err, E_FORMAT, "%s: its pickle calls '%s' of nothing", l->path, f->name);
    default: *out = pick_new(&l->c->mem, PICK_NONE); return *out ? E_OK : nomem(l, err);
    }
}

/* ---- storages ---- */

/* ('storage', type, key, location, n), and None or a part of another in the older form. */
static status on_persistent(void *user, const pick *id, pick **out, error *err)
{
    torch_load *l = user;
    const pick *type = pick_at(id, 1), *key = pick_at(id, 2), *view = pick_at(id, 5);
    int64_t n;
    if (pick_is(pick_at(id, 0), "module")) {
        error_set(err, E_UNSUPPORTED, "%s: holds a module with its code, not a state dict",
                  l->path);
        error_hint(err, "save its state_dict()");
        return E_UNSUPPORTED;
    }
    if (!pick_is(pick_at(id, 0), "storage") || !type || type->kind != PICK_OBJECT ||
        type->tag != TORCH_STORAGE_TYPE || !key || key->kind != PICK_TEXT ||
        !pick_int(pick_at(id, 4), &n) || n < 0)
        return error_set(err, E_FORMAT, "%s: its pickle names a storage that is none", l->path);
    if (view && view->kind != PICK_NONE)
        return error_set(err, E_UNSUPPORTED,
                         "%s: a storage is part of another one (torch before 0.4)", l->path);
    const struct typed *t = type->u.object;
    torch_storage *s = arena_zero(&l->c->mem, sizeof *s);
    if (!s) return nomem(l, err);
    *s = (torch_storage){ .key = key->u.text.p, .key_bytes = key->u.text.n };
    s->typed = t->name != NULL, s->type = t->type, s->n = (uint64_t)n;
    s->next = l->storage, l->storage = s, l->n_storage++;
    return object(l, TORCH_STORAGE, s, out, err);
}

status torch_pickle(pick **out, torch_load *l, const unsigned char *p, size_t n, size_t *used,
                    error *err)
{
    pickle_host host = {
        .user = l, .global = on_global, .call = on_call, .persistent = on_persistent
    };
    return pickle_run(out, &l->c->mem, p, n, l->path, &host, used, err);
}

int torch_key_order(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t n = n_a < n_b ? n_a : n_b;
    int order = n ? memcmp(a, b, n) : 0;
    return order ? order : n_a < n_b ? -1 : n_a > n_b;
}

static int by_key(const void *a, const void *b)
{
    const torch_blob *x = a, *y = b;
    return torch_key_order(x->key, x->key_bytes, y->key, y->key_bytes);
}

status torch_resolve(torch_load *l, torch_blob *blob, int32_t n, error *err)
{
    if (n) qsort(blob, (size_t)n, sizeof *blob, by_key);
    for (torch_storage *s = l->storage; s; s = s->next) {
        torch_blob key = { .key = s->key, .key_bytes = s->key_bytes };
        const torch_blob *b = n ? bsearch(&key, blob, (size_t)n, sizeof *blob, by_key) : NULL;
        int name = (int)(s->key_bytes < 60 ? s->key_bytes : 60);
        size_t need;
        if (!b)
            return error_set(err, E_FORMAT, "%s: storage '%.*s' is not in the file", l->path, name,
                             s->key);
        if (!mul_fits((size_t)s->n, dtype_bytes(s->type), &need) || need > b->bytes)
            return error_set(err, E_FORMAT,
                             "%s: storage '%.*s' has %zu bytes, its pickle says %llu numbers of %s",
                             l->path, name, s->key, b->bytes, (unsigned long long)s->n,
                             dtype_name(s->type));
        s->p = b->p, s->bytes = need;
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
