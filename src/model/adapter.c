/* adapter -- see adapter.h. */
#include "model/adapter.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 512, MAX_CONFIG = 1 << 20 };

static const char PREFIX[] = "base_model.model."; /* PEFT's, before the model's own names */

typedef struct adapter {
    builder *b;
    container *c;
    json_t *config; /* NULL: none beside it */
    bool in_out;    /* fan_in_fan_out: it knows that its family's weights are [in, out] (GPT-2) */
    double factor;  /* the caller's */
    int32_t n;      /* weights changed */
} adapter;

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

static status check_config(adapter *a, const char *path, error *err)
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

static status read_config(adapter *a, const char *path, error *err)
{
    char *dir = path_dir(&a->b->g->mem, path);
    char *file = dir ? path_join(&a->b->g->mem, dir, "adapter_config.json") : NULL;
    if (!file) return error_set(err, E_NOMEM, "adapter: out of memory");
    if (!file_exists(file)) {
        build_warn(a->b,
                   "adapter: no adapter_config.json beside it, so its own scale was taken as 1 "
                   "(alpha = rank)");
        return E_OK;
    }
    status st = json_open(&a->config, file, MAX_CONFIG, err);
    return st == E_OK ? check_config(a, file, err) : st;
}

/* alpha / r, or alpha / sqrt(r) (rsLoRA); 1 where nothing says. */
static status scale_of(const adapter *a, int64_t rank, double *out, error *err)
{
    double alpha, r;
    bool root;
    status st = json_number(a->config, "lora_alpha", (double)rank, &alpha, err);
    if (st == E_OK) st = json_number(a->config, "r", (double)rank, &r, err);
    if (st == E_OK) st = json_flag(a->config, "use_rslora", false, &root, err);
    if (st != E_OK) return st;
    if (r != (double)rank || !isfinite(alpha))
        return error_set(err, E_SHAPE, "adapter_config.json: r is %g, the tensors' rank is %lld", r,
                         (long long)rank);
    *out = a->factor * alpha / (root ? sqrt(r) : r);
    return E_OK;
}

/* ---- one weight ---- */

/* Row i of a matrix, exactly widened and rounded to float32. */
static void row_f32(const tensor_view *t, int64_t i, int64_t n, double *wide, float *out)
{
    tensor_values(t, i * n, n, wide);
    for (int64_t j = 0; j < n; j++) out[j] = (float)wide[j];
}

/* to [out, in] or, turned, [in, out]: W[i][j] + s sum_r B[i][r] A[r][j], r ascending from zero, fma throughout.
 * sum [n_in]: along rows of A, as they lie. */
static void add_product(float *to, const float *a, const float *bm, int64_t n_out, int64_t n_in,
                        int64_t rank, float s, bool turned, float *sum)
{
    for (int64_t i = 0; i < n_out; i++) {
        for (int64_t j = 0; j < n_in; j++) sum[j] = 0;
        for (int64_t r = 0; r < rank; r++)
            for (int64_t j = 0; j < n_in; j++)
                sum[j] = fmaf(bm[i * rank + r], a[r * n_in + j], sum[j]);
        for (int64_t j = 0; j < n_in; j++) {
            float *y = to + (turned ? j * n_out + i : i * n_in + j);
            *y = fmaf(s, sum[j], *y);
        }
    }
}

/* All numbers of a matrix. */
static float *values(builder *b, const tensor_view *t)
{
    int64_t row = t->dim[1], n = t->dim[0] * row;
    float *v = build_memory(b, n + 1, sizeof *v);
    double *wide = build_memory(b, row + 1, sizeof *wide);
    for (int64_t i = 0; v && wide && row && i < n / row; i++) row_f32(t, i, row, wide, v + i * row);
    return wide ? v : NULL;
}

static status change(adapter *a, weight_tensor *w, const tensor_view *down, const tensor_view *up,
                     error *err)
{
    const arch_def *arch = a->b->arch;
    int64_t rank = down->dim[0], n_in = down->dim[1], n_out = up->dim[0];
    double scale = 1;
    bool in_out = false, family = arch->in_out && arch->in_out(a->b, w->name, &in_out);
    tensor_view t = {
        .name = w->name, .dtype = w->dtype, .n_dim = w->n_dim, .data = w->data, .pair = w->pair
    };
    memcpy(t.dim, w->dim, sizeof w->dim);
    if (w->n_dim != 2 || w->dim[in_out] != n_out || w->dim[!in_out] != n_in || up->dim[1] != rank ||
        (family && !a->in_out)) {
        error_set(err, E_SHAPE,
                  "adapter: '%.120s' is [%lld, %lld] by [%lld, %lld], which is not the shape of "
                  "the weight",
                  w->name, (long long)n_out, (long long)up->dim[1], (long long)rank,
                  (long long)n_in);
        error_hint(err, "is it an adapter of another model?  GPT-2's need fan_in_fan_out in "
                        "adapter_config.json");
        return E_SHAPE;
    }
    status st = scale_of(a, rank, &scale, err);
    if (st != E_OK) return st;
    float *v = values(a->b, &t), *x = values(a->b, down), *y = values(a->b, up);
    float *sum = build_memory(a->b, n_in + 1, sizeof *sum);
    if (!v || !x || !y || !sum) return error_set(err, E_NOMEM, "adapter: out of memory");
    add_product(v, x, y, n_out, n_in, rank, (float)scale, in_out, sum);
    w->data = v, w->dtype = DTYPE_F32, w->pair = 0;
    a->n++;
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

static status attach_one(adapter *a, const tensor_view *t, error *err)
{
    char name[NAME], other[NAME];
    if (strstr(t->name, ".lora_B.")) return E_OK; /* with its lora_A, or counted below */
    if (!split(t->name, name, other))
        return error_set(err, E_UNSUPPORTED, "adapter: '%.120s' is no part of a plain LoRA",
                         t->name);
    const tensor_view *up = container_find(a->c, other);
    weight_tensor *w = weights_find(&a->b->weights, name);
    if (!up) return error_set(err, E_FORMAT, "adapter: '%.120s' is missing", other);
    if (!w) {
        error_set(err, E_SHAPE, "adapter: the model has no weight '%.120s'", name);
        error_hint(err, "is it an adapter of another model?");
        return E_SHAPE;
    }
    if (t->n_dim != 2 || up->n_dim != 2 || !dtype_is_float(t->dtype) || !dtype_is_float(up->dtype))
        return error_set(err, E_SHAPE, "adapter: '%.120s' is no matrix of numbers", t->name);
    return change(a, w, t, up, err);
}

static status attach(adapter *a, const char *path, error *err)
{
    char *file = path_join(&a->b->g->mem, path, "adapter_model.safetensors");
    char *old = path_join(&a->b->g->mem, path, "adapter_model.bin");
    if (!file || !old) return error_set(err, E_NOMEM, "adapter: out of memory");
    if (file_is_dir(path)) path = file_exists(file) ? file : old;
    status st = container_open(&a->c, path, err);
    if (st == E_OK) st = read_config(a, path, err);
    for (int32_t i = 0; st == E_OK && i < container_count(a->c); i++)
        st = attach_one(a, container_at(a->c, i), err);
    if (st == E_OK && 2 * a->n != container_count(a->c))
        return error_set(err, E_FORMAT, "adapter: %d tensors are not %d pairs of lora_A and lora_B",
                         container_count(a->c), a->n);
    return st;
}

status adapter_attach(builder *b, error *err)
{
    const model_options *o = b->options;
    adapter a = { .b = b, .factor = o->adapter_scale ? *o->adapter_scale : 1 };
    if (!o->adapter) return E_OK;
    if (!isfinite(a.factor))
        return error_set(err, E_RANGE, "adapter_scale: expected a finite number");
    status st = attach(&a, o->adapter, err);
    container_free(a.c);
    json_decref(a.config);
    return st;
}
/* SPDX-License-Identifier: MIT */
