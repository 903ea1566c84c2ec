/* rotary_config -- inverse frequencies from config.json.
 *
 *     default   f_i = theta^(-2i / n_rot)                         n_rot = d_head * partial_rotary_factor
 *     linear    f_i / factor
 *     llama3    wavelengths 2 pi / f above original / low_freq_factor: f / factor;
 *               below original / high_freq_factor: f; between: (1 - s) f / factor + s f with
 *               s = (original / wavelength - low) / (high - low)
 *
 * Twice: in double, and in float32 step by step, as Hugging Face does before it multiplies by positions: the
 * few ulp between the two grow with the position.
 *
 * Newer files say rope_parameters, one object or one for each kind of layer; older ones rope_theta and
 * rope_scaling (and rope_local_base_freq for sliding layers).  In a rope object every key changes the
 * computation, so an unknown one is refused.  `dynamic` and `longrope` change with the length of the prompt: a row would
 * depend on later ones. */
#include "model/config.h"
#include "tensor/math32.h"
#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static const char *const ROPE_KEYS[] = { "rope_type",
                                         "type",
                                         "rope_theta",
                                         "factor",
                                         "low_freq_factor",
                                         "high_freq_factor",
                                         "original_max_position_embeddings",
                                         "partial_rotary_factor",
                                         NULL };

static status check_keys(const char *object, const json_t *rope, error *err)
{
    const char *name = NULL;
    json_t *v;
    json_object_foreach((json_t *)rope, name, v)
    { /* only read */
        int i = 0;
        while (ROPE_KEYS[i] && strcmp(ROPE_KEYS[i], name)) i++;
        if (!ROPE_KEYS[i])
            return error_set(err, E_UNSUPPORTED, "config.json: '%s.%s' is not known", object, name);
    }
    return E_OK;
}

/* The object of one kind of layer, where rope_parameters holds one for each. */
static const json_t *of_layers(const json_t *rope, const char *layers)
{
    const json_t *own = layers ? json_object_get(rope, layers) : NULL;
    return json_is_object(own) ? own : rope;
}

static bool is_local(const char *layers) { return layers && !strcmp(layers, "sliding_attention"); }

/* The rope object in use, or NULL; that both forms are there and differ is refused. */
static status rope_object(const json_t *json, const char *layers, const char **name,
                          const json_t **out, error *err)
{
    const json_t *now = json_object_get(json, "rope_parameters"),
                 *old = json_object_get(json, "rope_scaling");
    if (json_is_null(now)) now = NULL;
    if (json_is_null(old)) old = NULL;
    if (now && old && !json_equal(now, old))
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'rope_parameters' and 'rope_scaling' disagree");
    if (!now && is_local(layers)) old = NULL; /* it speaks of the others */
    *name = now ? "rope_parameters" : "rope_scaling";
    *out = now ? of_layers(now, layers) : old;
    if (!*out) return E_OK;
    if (!json_is_object(*out))
        return error_set(err, E_FORMAT, "config.json: '%s' is %s, expected an object", *name,
                         json_kind(*out));
    return check_keys(*name, *out, err);
}

/* A number that may stand beside the rope object or in it, but not differ. */
static status rope_number(const json_t *json, const json_t *rope, const char *top_key,
                          const char *key, double otherwise, double *out, error *err)
{
    double top, inner;
    status st = config_positive(json, top_key, otherwise, &top, err);
    if (st == E_OK) st = config_positive(rope, key, top, &inner, err);
    if (st != E_OK) return st;
    const json_t *t = json_object_get(json, top_key);
    if (t && !json_is_null(t) && inner != top)
        return error_set(err, E_UNSUPPORTED, "config.json: '%s' is %g at top level and %g inside",
                         top_key, top, inner);
    *out = inner;
    return E_OK;
}

static status rope_base(const json_t *json, const json_t *rope, const char *layers,
                        double otherwise, double *out, error *err)
{
    return rope_number(json, rope, is_local(layers) ? "rope_local_base_freq" : "rope_theta",
                       "rope_theta", otherwise, out, err);
}

static status rope_width(const json_t *json, const json_t *rope, model_config *c, error *err)
{
    double share;
    status st =
        rope_number(json, rope, "partial_rotary_factor", "partial_rotary_factor", 1, &share, err);
    if (st != E_OK) return st;
    c->n_rot = share <= 1 ? (int32_t)(c->d_head * share) : 0;
    if (c->n_rot > 1 && c->n_rot % 2 == 0) return E_OK;
    return error_set(err, E_SHAPE,
                     "config.json: %g of heads of %d numbers cannot be rotated, expected an even "
                     "number of them",
                     share, c->d_head);
}

static status scale_linear(const json_t *rope, int n, double *f, error *err)
{
    double factor;
    status st = config_positive(rope, "factor", 0, &factor, err);
    for (int i = 0; i < n && st == E_OK; i++) {
        f[i] /= factor;
        f[n + i] = (double)((float)f[n + i] / (float)factor);
    }
    return st;
}

static status scale_llama3(const json_t *rope, int n, double *f, error *err)
{
    double factor, low, high, original;
    status st = config_positive(rope, "factor", 0, &factor, err);
    if (st == E_OK) st = config_positive(rope, "low_freq_factor", 0, &low, err);
    if (st == E_OK) st = config_positive(rope, "high_freq_factor", 0, &high, err);
    if (st == E_OK)
        st = config_positive(rope, "original_max_position_embeddings", 0, &original, err);
    if (st != E_OK) return st;
    if (low >= high)
        return error_set(err, E_RANGE,
                         "config.json: low_freq_factor %g is not below high_freq_factor %g", low,
                         high);
    for (int i = 0; i < n; i++) {
        double wave = 2 * PI / f[i], s = (original / wave - low) / (high - low);
        if (wave > original / low) f[i] /= factor;
        else if (wave >= original / high) f[i] = (1 - s) * f[i] / factor + s * f[i];
    }
    for (int i = n; i < 2 * n; i++) {
        float x = (float)f[i], wave = (float)(2 * PI) / x;
        float s = ((float)original / wave - (float)low) / (float)(high - low);
        if (wave > (float)(original / low)) x /= (float)factor;
        else if (wave >= (float)(original / high)) x = (1 - s) * x / (float)factor + s * x;
        f[i] = (double)x;
    }
    return E_OK;
}

/* Both names must agree: older files hold "type", newer ones "rope_type", some both. */
static status rope_kind(const char *name, const json_t *rope, const char **out, error *err)
{
    const char *now, *old;
    status st = json_text(rope, "rope_type", NULL, &now, err);
    if (st == E_OK) st = json_text(rope, "type", now ? now : "default", &old, err);
    if (st != E_OK) {
        error_prefix(err, "config.json");
        return st;
    }
    if (!now) now = old;
    static const char *const built[] = { "default", "linear", "llama3" };
    for (int i = 0; i < 3; i++)
        if (!strcmp(now, old) && !strcmp(now, built[i])) {
            *out = built[i];
            return E_OK;
        }
    bool by_length = !strcmp(now, "dynamic") || !strcmp(now, "longrope");
    error_set(err, E_UNSUPPORTED,
              "config.json: '%s' asks for rope type \"%.40s\", which is not built", name,
              strcmp(now, old) ? old : now);
    error_hint(err,
               by_length ? "\"%.20s\" changes with the prompt's length: no row would have one value"
                         : "built: default, linear, llama3",
               now);
    return E_UNSUPPORTED;
}

status config_rotary_of(const json_t *json, const char *layers, double theta, model_config *c,
                        double *inv_freq, error *err)
{
    const char *name = "", *kind = "default";
    const json_t *rope = NULL;
    double base = 0;
    status st = rope_object(json, layers, &name, &rope, err);
    if (st == E_OK) st = rope_base(json, rope, layers, theta, &base, err);
    if (st == E_OK) st = rope_width(json, rope, c, err);
    if (st == E_OK && rope) st = rope_kind(name, rope, &kind, err);
    if (st != E_OK) return st;
    int n = c->n_rot / 2;
    for (int i = 0; i < n; i++) {
        inv_freq[i] = 1 / pow(base, 2.0 * i / c->n_rot);
        inv_freq[n + i] = (double)(1.0f / math_pow((float)base, (float)(2 * i) / (float)c->n_rot));
    }
    if (!strcmp(kind, "llama3")) st = scale_llama3(rope, n, inv_freq, err);
    if (!strcmp(kind, "linear")) st = scale_linear(rope, n, inv_freq, err);
    if (st != E_OK || is_local(layers)) return st;
    c->rope_theta = base;
    c->rope_scaling = kind;
    return E_OK;
}

status config_rotary(const json_t *json, model_config *c, double *inv_freq, error *err)
{
    return config_rotary_of(json, NULL, 10000, c, inv_freq, err);
}
/* SPDX-License-Identifier: MIT */
