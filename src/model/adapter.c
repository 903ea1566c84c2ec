/* adapter -- see adapter.h. */
#include "model/adapter.h"
#include "base/file.h"
#include "model/save.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 512, MAX_CONFIG = 1 << 20 };

static const char PREFIX[] = "base_model.model."; /* PEFT's, before the model's own names */

/* What is read, and for which model. */
typedef struct reading {
    adapter *to;
    arena *mem;
    const arch_def *arch;
    const json_t *model; /* its configuration */
    const weight_set *weights;
    const graph *g; /* of an opened model, else NULL */
    bool tied;
    container *c;
    json_t *config; /* NULL: none beside it */
    bool in_out;    /* fan_in_fan_out: it knows that its family's weights are [in, out] (GPT-2) */
} reading;

static status nomem(error *err) { return error_set(err, E_NOMEM, "adapter: out of memory"); }

/* ---- what adapter_config.json says ---- */

/* Keys that change what is added, and are not built: each must be off. */
static const char *const OFF[] = { "use_dora",          "rank_pattern",
                                   "alpha_pattern",     "modules_to_save",
                                   "layer_replication", "lora_bias",
                                   "megatron_config",   NULL };

static bool is_off(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) ||
           (json_is_object(v) && !json_object_size(v)) || (json_is_array(v) && !json_array_size(v));
}

static status check_config(reading *a, const char *path, error *err)
{
    const char *type, *bias;
    status st = json_text(a->config, "peft_type", "LORA", &type, err);
    if (st == E_OK) st = json_text(a->config, "bias", "none", &bias, err);
    if (st == E_OK) st = json_flag(a->config, "fan_in_fan_out", false, &a->in_out, err);
    if (st != E_OK) return st;
    if (strcmp(type, "LORA") || strcmp(bias, "none"))
        return error_set(err, E_UNSUPPORTED,
                         "%s: peft_type \"%.30s\" with bias \"%.30s\", expected LORA without", path,
                         type, bias);
    for (int i = 0; OFF[i]; i++)
        if (!is_off(json_object_get(a->config, OFF[i])))
            return error_set(err, E_UNSUPPORTED, "%s: '%s' changes what is added and is not built",
                             path, OFF[i]);
    return E_OK;
}

static status read_config(reading *a, error *err)
{
    char *dir = path_dir(a->mem, a->to->file);
    char *file = dir ? path_join(a->mem, dir, "adapter_config.json") : NULL;
    if (!file) return nomem(err);
    if (!file_exists(file)) {
        a->to->warning = "adapter: no adapter_config.json beside it, so its own scale was taken as "
                         "1 (alpha = rank)";
        return E_OK;
    }
    a->to->config = file;
    status st = json_open(&a->config, file, MAX_CONFIG, err);
    return st == E_OK ? check_config(a, file, err) : st;
}

/* alpha / r, or alpha / sqrt(r) (rsLoRA); 1 where nothing says. */
static status read_scale(const reading *a, adapter_part *p, error *err)
{
    double rank = (double)p->low.rank, r;
    bool root;
    status st = json_number(a->config, "lora_alpha", rank, &p->alpha, err);
    if (st == E_OK) st = json_number(a->config, "r", rank, &r, err);
    if (st == E_OK) st = json_flag(a->config, "use_rslora", false, &root, err);
    if (st != E_OK) return st;
    if (r != rank || !isfinite(p->alpha))
        return error_set(err, E_SHAPE, "adapter_config.json: r is %g, the tensors' rank is %g", r,
                         rank);
    p->divisor = root ? sqrt(r) : r;
    return E_OK;
}

lowrank adapter_product(const adapter_part *p, double factor)
{
    lowrank low = p->low;
    low.scale = (float)(factor * p->alpha / p->divisor);
    return low;
}

/* ---- one weight ---- */

/* All numbers of a matrix, exactly widened and rounded to float32; turned: [1, 0]. */
static float *values(arena *mem, const tensor_view *t, bool turned)
{
    int64_t n_row = t->dim[0], n_col = t->dim[1];
    float *v = arena_array(mem, n_row * n_col + 1, sizeof *v);
    double *wide = arena_array(mem, n_col + 1, sizeof *wide);
    if (!v || !wide) return NULL;
    for (int64_t i = 0; i < n_row; i++) {
        tensor_values(t, i * n_col, n_col, wide);
        for (int64_t j = 0; j < n_col; j++)
            v[turned ? j * n_row + i : i * n_col + j] = (float)wide[j];
    }
    return v;
}

static status bad_shape(const weight_tensor *w, const tensor_view *down, const tensor_view *up,
                        error *err)
{
    error_set(err, E_SHAPE,
              "adapter: '%.120s' is [%lld, %lld] by [%lld, %lld], which is not the shape of the "
              "weight",
              w->name, (long long)up->dim[0], (long long)up->dim[1], (long long)down->dim[0],
              (long long)down->dim[1]);
    error_hint(err, "is it an adapter of another model?  GPT-2's need fan_in_fan_out in "
                    "adapter_config.json");
    return E_SHAPE;
}

/* The node that the weight became. */
static status find_node(const reading *a, const weight_tensor *w, adapter_part *p, error *err)
{
    for (int32_t i = 0; a->g && i < a->g->n_own && !p->n; i++)
        if (a->g->own[i]->extent == WEIGHT && a->g->own[i]->weight.base == w->data)
            p->n = a->g->own[i];
    if (!a->g || (p->n && p->n->n_row == w->dim[0] && p->n->n_part == w->dim[1])) return E_OK;
    error_set(err, E_UNSUPPORTED, "adapter: '%.120s' is no weight of the graph as it lies",
              w->name);
    error_hint(err, "a fork edits weights that the graph reads: open the model with --adapter");
    return E_UNSUPPORTED;
}

static status add_part(reading *a, const weight_tensor *w, const tensor_view *down,
                       const tensor_view *up, error *err)
{
    int64_t rank = down->dim[0], n_in = down->dim[1], n_out = up->dim[0];
    bool in_out = false, family = a->arch->in_out && a->arch->in_out(a->model, w->name, &in_out);
    adapter_part *p = &a->to->part[a->to->n];
    if (w->n_dim != 2 || rank < 1 || w->dim[in_out] != n_out || w->dim[!in_out] != n_in ||
        up->dim[1] != rank || (family && !a->in_out))
        return bad_shape(w, down, up, err);
    *p = (adapter_part){ .weight = w->name, .low = { w->dim[0], w->dim[1], rank, NULL, NULL, 0 } };
    status st = read_scale(a, p, err);
    if (st == E_OK) st = find_node(a, w, p, err);
    if (st != E_OK) return st;
    p->low.left = values(a->mem, in_out ? down : up, in_out);
    p->low.right = values(a->mem, in_out ? up : down, in_out);
    if (!p->low.left || !p->low.right) return nomem(err);
    a->to->n++;
    return E_OK;
}

/* "base_model.model.NAME.lora_A.weight" (or .lora_A.default.weight): NAME.weight, and the other half's name. */
static bool split(const char *name, char weight[NAME], char other[NAME])
{
    const char *at = strstr(name, ".lora_A.");
    size_t skip = strncmp(name, PREFIX, sizeof PREFIX - 1) ? 0 : sizeof PREFIX - 1;
    if (!at || strlen(name) + 8 > NAME) return false;
    if (strcmp(at + 8, "weight") && strcmp(at + 8, "default.weight")) return false;
    snprintf(weight, NAME, "%.*s.weight", (int)(at - name - (ptrdiff_t)skip), name + skip);
    snprintf(other, NAME, "%.*s.lora_B.%s", (int)(at - name), name, at + 8);
    return true;
}

static status no_weight(const reading *a, const char *name, error *err)
{
    error_set(err, E_SHAPE, "adapter: the model has no weight '%.120s'", name);
    error_hint(err, a->tied ? "is it an adapter of another model?  This one's unembedding is its "
                              "embedding, which no adapter changes for itself"
                            : "is it an adapter of another model?");
    return E_SHAPE;
}

static status read_pair(reading *a, const tensor_view *down, error *err)
{
    char name[NAME], other[NAME];
    if (strstr(down->name, ".lora_B.")) return E_OK; /* with its lora_A, or counted below */
    if (!split(down->name, name, other))
        return error_set(err, E_UNSUPPORTED, "adapter: '%.120s' is no part of a plain LoRA",
                         down->name);
    const tensor_view *up = container_find(a->c, other);
    const weight_tensor *w = weights_find(a->weights, name);
    if (!up) return error_set(err, E_FORMAT, "adapter: '%.120s' is missing", other);
    if (!w) return no_weight(a, name, err);
    if (down->n_dim != 2 || up->n_dim != 2 || !dtype_is_float(down->dtype) ||
        !dtype_is_float(up->dtype))
        return error_set(err, E_SHAPE, "adapter: '%.120s' is no matrix of numbers", down->name);
    return add_part(a, w, down, up, err);
}

static status find_file(reading *a, const char *path, error *err)
{
    char *file = path_join(a->mem, path, "adapter_model.safetensors");
    char *old = path_join(a->mem, path, "adapter_model.bin");
    bool in_dir = file_is_dir(path);
    a->to->file = in_dir ? (file && file_exists(file) ? file : old) : arena_string(a->mem, path);
    if (!file || !old || !a->to->file) return nomem(err);
    if (!in_dir || file_exists(a->to->file)) return E_OK;
    error_set(err, E_IO,
              "adapter: neither adapter_model.safetensors nor adapter_model.bin is in %s", path);
    error_hint(err, "give the directory that PEFT's save_pretrained wrote, or its file");
    return E_IO;
}

static status read_all(reading *a, const char *path, error *err)
{
    status st = find_file(a, path, err);
    if (st == E_OK) st = container_open(&a->c, a->to->file, err);
    if (st == E_OK) st = read_config(a, err);
    if (st != E_OK) return st;
    int32_t n = container_count(a->c);
    a->to->part = arena_array(a->mem, n + 1, sizeof *a->to->part);
    if (!a->to->part) return nomem(err);
    for (int32_t i = 0; st == E_OK && i < n; i++) st = read_pair(a, container_at(a->c, i), err);
    if (st == E_OK && 2 * a->to->n != n)
        return error_set(err, E_FORMAT, "adapter: %d tensors are not %d pairs of lora_A and lora_B",
                         n, a->to->n);
    return st == E_OK && !n ? error_set(err, E_FORMAT, "adapter: %s is empty", path) : st;
}

static status read_into(adapter **out, reading *a, const char *path, error *err)
{
    adapter *to = a->to = arena_zero(a->mem, sizeof *to);
    status st = to ? read_all(a, path, err) : nomem(err);
    container_free(a->c);
    json_decref(a->config);
    if (st == E_OK) *out = to;
    return st;
}

/* ---- of an opened model; of one that is being opened ---- */

status adapter_read(adapter **out, arena *mem, const model *m, const char *path, error *err)
{
    reading a = { .mem = mem,
                  .model = model_json(m),
                  .weights = model_weights(m),
                  .g = &m->g,
                  .arch = arch_find(m->config.arch),
                  .tied = m->config.tied };
    return read_into(out, &a, path, err);
}

/* The weight as a float32 copy with p's product added. */
static status add_to(builder *b, const adapter_part *p, double factor, error *err)
{
    weight_tensor *w = weights_find(&b->weights, p->weight);
    lowrank low = adapter_product(p, factor);
    tensor_view t = {
        .name = w->name, .dtype = w->dtype, .n_dim = w->n_dim, .data = w->data, .pair = w->pair
    };
    memcpy(t.dim, w->dim, sizeof w->dim);
    float *v = values(&b->g->mem, &t, false);
    if (!v) return nomem(err);
    for (int64_t i = 0; i < low.n_row; i++) lowrank_add(&low, i, 0, low.n_col, v + i * low.n_col);
    w->data = v, w->dtype = DTYPE_F32, w->pair = 0;
    return E_OK;
}

status adapter_attach(builder *b, error *err)
{
    const model_options *o = b->options;
    double factor = o->adapter_scale ? *o->adapter_scale : 1;
    adapter *to = NULL;
    reading a = { .mem = &b->g->mem,
                  .arch = b->arch,
                  .model = b->json,
                  .weights = &b->weights,
                  .tied = b->c->tied };
    if (!o->adapter) return E_OK;
    if (!isfinite(factor))
        return error_set(err, E_RANGE, "adapter_scale: expected a finite number");
    status st = read_into(&to, &a, o->adapter, err);
    if (st == E_OK && to->warning) build_warn(b, "%s", to->warning);
    for (int32_t i = 0; st == E_OK && i < to->n; i++) st = add_to(b, &to->part[i], factor, err);
    return st;
}
/* SPDX-License-Identifier: MIT */
