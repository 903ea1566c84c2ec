/* llmviz -- llm-viz's models: one JSON object, a tensor's numbers in base64.
 *
 *     {"config": {"model_type": "gpt-nano", ...}, "NAME": {"shape": [3, 48], "dtype": "torch.float32", "data": "wBt1..."}, ...}
 *
 * "config" comes first, and is passed on as it is.  Where it says "B", a batch, the tensors are that batch's
 * activations (llm-viz's "partials"): a file of tensors, and no model. */
#include "base/json.h"
#include "format/container.h"
#include <string.h>

enum { MAX_JSON = 256 << 20 };

static const struct {
    const char *name;
    dtype type;
} TYPES[] = {
    { "torch.float32", DTYPE_F32 }, { "torch.float64", DTYPE_F64 }, { "torch.float16", DTYPE_F16 },
    { "torch.int64", DTYPE_I64 },   { "torch.int32", DTYPE_I32 },
};
enum { N_TYPE = sizeof TYPES / sizeof *TYPES };

static status bad(error *err, const char *path, const char *name, const char *what)
{
    return error_set(err, E_FORMAT, "%s: tensor '%.120s': %s", path, name, what);
}

static bool read_type(tensor_view *t, const json_t *v)
{
    const char *type = json_string_value(json_object_get(v, "dtype"));
    for (int i = 0; type && i < N_TYPE; i++)
        if (!strcmp(TYPES[i].name, type)) {
            t->dtype = TYPES[i].type;
            return true;
        }
    return false;
}

static bool read_shape(tensor_view *t, const json_t *v)
{
    if (!json_is_array(v) || json_array_size(v) > TENSOR_DIMS) return false;
    t->n_dim = (int32_t)json_array_size(v);
    for (int32_t i = 0; i < t->n_dim; i++) {
        const json_t *d = json_array_get(v, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0) return false;
        t->dim[i] = json_integer_value(d);
    }
    return true;
}

static status read_tensor(container *c, const char *path, const char *name, const json_t *v,
                          error *err)
{
    tensor_view t = { .name = name };
    str bytes = { 0 };
    size_t n;
    const json_t *data = json_object_get(v, "data");
    if (!read_type(&t, v)) return bad(err, path, name, "its dtype is none that is read");
    if (!read_shape(&t, json_object_get(v, "shape"))) return bad(err, path, name, "has no shape");
    if (!tensor_size(&t, &n, &t.bytes)) return bad(err, path, name, "has more numbers than fit");
    if (!json_is_string(data) ||
        !str_base64(&bytes, json_string_value(data), json_string_length(data)) ||
        (bytes.n != t.bytes && !bytes.failed)) {
        str_release(&bytes);
        return bad(err, path, name, "its data is no base64 of as many numbers as its shape says");
    }
    t.data = bytes.failed ? NULL : arena_copy(&c->mem, bytes.n ? bytes.p : "", bytes.n);
    str_release(&bytes);
    if (!t.data) return error_set(err, E_NOMEM, "%s: out of memory", path);
    return container_add(c, t, err);
}

static status note_config(container *c, const json_t *config, error *err)
{
    str s = { 0 };
    if (json_object_get(config, "B"))
        return container_note(c, "config.missing",
                              "holds activations of a run of llm-viz's (its configuration has a "
                              "batch, \"B\"), and no weights",
                              err);
    json_write(&s, config, 0);
    status st = s.failed ? error_set(err, E_NOMEM, "llm-viz: out of memory")
                         : container_note(c, "config", s.p, err);
    str_release(&s);
    return st;
}

static status read_file(container *c, const char *path, error *err)
{
    json_t *json = NULL, *v;
    const char *name;
    status st = json_open(&json, path, MAX_JSON, err);
    if (st != E_OK) return st;
    if (!json_is_object(json_object_get(json, "config"))) {
        st = error_set(err, E_FORMAT, "%s: has no object 'config', expected a model of llm-viz's",
                       path);
        error_hint(err, "a Hugging Face model is opened by its directory");
    }
    json_object_foreach(json, name, v)
    {
        if (st != E_OK) break;
        st = strcmp(name, "config") ? read_tensor(c, path, name, v, err) : note_config(c, v, err);
    }
    json_decref(json);
    return st;
}

/* Many things end in .json; its first key is "config". */
static bool is_llmviz(const unsigned char *head, size_t n)
{
    size_t i = 1;
    while (i < n && strchr(" \n\r\t", head[i]) && head[i]) i++;
    return n && head[0] == '{' && n - i >= 8 && !memcmp(head + i, "\"config\"", 8);
}

const format_def format_llmviz_def = { .name = "llmviz",
                                       .ends = { ".json" },
                                       .has_config = true,
                                       .is = is_llmviz,
                                       .only_if = true,
                                       .read = read_file };
/* SPDX-License-Identifier: MIT */
