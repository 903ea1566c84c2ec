/* rotary_config -- inverse frequencies from config.json.
 *
 *     default   f_i = theta^(-2i / d_head)
 *     llama3    wavelengths 2 pi / f above original / low_freq_factor: f / factor;
 *               below original / high_freq_factor: f; between: (1 - s) f / factor + s f with
 *               s = (original / wavelength - low) / (high - low)
 *
 * Twice: in double, and in float32 step by step, as Hugging Face does before it multiplies by positions: the
 * few ulp between the two grow with the position.
 *
 * Newer files say rope_parameters; older ones rope_theta and rope_scaling.  In a rope object every
 * key changes the computation, so an unknown one is refused. */
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
    v = json_object_get(rope, "partial_rotary_factor");
    if (v && !json_is_null(v) && json_number_value(v) != 1)
        return error_set(
            err, E_UNSUPPORTED,
            "config.json: '%s.partial_rotary_factor' is not 1: partial rotation is not built here",
            object);
    return E_OK;
}

/* The rope object in use, or NULL; that both forms are there and differ is refused. */
static status rope_object(const json_t *json, const char **name, const json_t **out, error *err)
{
    const json_t *now = json_object_get(json, "rope_parameters"),
                 *old = json_object_get(json, "rope_scaling");
    if (json_is_null(now)) now = NULL;
    if (json_is_null(old)) old = NULL;
    if (now && old && !json_equal(now, old))
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'rope_parameters' and 'rope_scaling' disagree");
    *name = now ? "rope_parameters" : "rope_scaling";
    *out = now ? now : old;
    if (!*out) return E_OK;
    if (!json_is_object(*out))
        return error_set(err, E_FORMAT, "config.json: '%s' is %s, expected an object", *name,
                         json_kind(*out));
    return check_keys(*name, *out, err);
}

static status rope_base(const json_t *json, const json_t *rope, double *out, error *err)
{
    double top, inner;
    status st = config_positive(json, "rope_theta", 10000, &top, err);
    if (st == E_OK) st = config_positive(rope, "rope_theta", top, &inner, err);
    if (st != E_OK) return st;
    const json_t *t = json_object_get(json, "rope_theta");
    if (t && !json_is_null(t) && inner != top)
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'rope_theta' is %g at top level and %g inside", top, inner);
    *out = inner;
    return E_OK;
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
    if (!strcmp(now, old) && (!strcmp(now, "default") || !strcmp(now, "llama3"))) {
        *out = !strcmp(now, "llama3") ? "llama3" : "default";
        return E_OK;
    }
    error_set(err, E_UNSUPPORTED,
              "config.json: '%s' asks for rope type \"%.40s\", which is not built", name,
              strcmp(now, "default") && strcmp(now, "llama3") ? now : old);
    error_hint(err, "built: default, llama3");
    return E_UNSUPPORTED;
}

status config_rotary(const json_t *json, model_config *c, double *inv_freq, error *err)
{
    const char *name = "", *kind = "default";
    const json_t *rope = NULL;
    double base = 0;
    status st = rope_object(json, &name, &rope, err);
    if (st == E_OK) st = rope_base(json, rope, &base, err);
    if (st == E_OK && rope) st = rope_kind(name, rope, &kind, err);
    if (st != E_OK) return st;
    int n = c->d_head / 2;
    for (int i = 0; i < n; i++) {
        inv_freq[i] = 1 / pow(base, 2.0 * i / c->d_head);
        inv_freq[n + i] = (double)(1.0f / math_pow((float)base, (float)(2 * i) / (float)c->d_head));
    }
    if (!strcmp(kind, "llama3")) st = scale_llama3(rope, n, inv_freq, err);
    if (st != E_OK) return st;
    c->rope_theta = base;
    c->rope_scaling = kind;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
