/* rotary_config -- inverse frequencies from config.json.
 *
 *     default   f_i = theta^(-2i / n_rot)                         n_rot = d_head * partial_rotary_factor
 *     linear    f_i / factor
 *     yarn      by ramp r_i from 0 at dimension low to 1 at high: r f / factor + (1 - r) f, where low and high are the
 *               dimensions that turn beta_fast and beta_slow times in the original length; cos and sin
 *               times attention_factor, else 0.1 ln(factor) + 1 (or m(mscale) / m(mscale_all_dim), m(s) = 0.1 s ln(factor) + 1)
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
                                         "beta_fast",
                                         "beta_slow",
                                         "attention_factor",
                                         "mscale",
                                         "mscale_all_dim",
                                         "truncate",
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
    return E_OK;
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

static status rope_width(const json_t *json, const json_t *rope, double otherwise, model_config *c,
                         error *err)
{
    double share;
    status st = rope_number(json, rope, "partial_rotary_factor", "partial_rotary_factor", otherwise,
                            &share, err);
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

/* Whether a number is there, and which. */
static status optional(const json_t *rope, const char *key, double *out, error *err)
{
    const json_t *v = json_object_get(rope, key);
    *out = 0;
    return !v || json_is_null(v) || (json_is_number(v) && json_number_value(v) == 0)
               ? E_OK
               : config_positive(rope, key, 1, out, err);
}

static status yarn_factor(const json_t *rope, double factor, double *out, error *err)
{
    double given, top, bottom, by = factor > 1 ? 0.1 * log(factor) : 0;
    status st = optional(rope, "attention_factor", &given, err);
    if (st == E_OK) st = optional(rope, "mscale", &top, err);
    if (st == E_OK) st = optional(rope, "mscale_all_dim", &bottom, err);
    if (st != E_OK) return st;
    *out = given > 0 ? given : top > 0 && bottom > 0 ? (top * by + 1) / (bottom * by + 1) : by + 1;
    return E_OK;
}

/* Which of n pairs turns `turns` times in the original length. */
static double yarn_dimension(double turns, int n, double base, double original)
{
    return 2 * n * log(original / (turns * 2 * PI)) / (2 * log(base));
}

static status scale_yarn(const json_t *json, const json_t *rope, double base, int n, double *f,
                         double *attention_factor, error *err)
{
    double factor, original, fast, slow;
    bool truncate;
    int32_t n_ctx;
    status st = config_count(json, "max_position_embeddings", 2048, 1 << 24, &n_ctx, err);
    if (st == E_OK) st = config_positive(rope, "factor", 0, &factor, err);
    if (st == E_OK)
        st = config_positive(rope, "original_max_position_embeddings", n_ctx, &original, err);
    if (st == E_OK) st = config_positive(rope, "beta_fast", 32, &fast, err);
    if (st == E_OK) st = config_positive(rope, "beta_slow", 1, &slow, err);
    if (st == E_OK) st = json_flag(rope, "truncate", true, &truncate, err);
    if (st == E_OK) st = yarn_factor(rope, factor, attention_factor, err);
    if (st != E_OK) return st;
    double low = yarn_dimension(fast, n, base, original),
           high = yarn_dimension(slow, n, base, original);
    if (truncate) low = floor(low), high = ceil(high);
    low = fmax(low, 0), high = fmin(high, 2 * n - 1);
    if (low == high) high += 0.001;
    for (int i = 0; i < n; i++) {
        double r = fmin(fmax((i - low) / (high - low), 0), 1);
        float ramp = fminf(fmaxf(((float)i - (float)low) / (float)(high - low), 0), 1);
        float keep = 1 - ramp, own = (float)f[n + i];
        f[i] = f[i] / factor * r + f[i] * (1 - r);
        f[n + i] = (double)(own / (float)factor * (1 - keep) + own * keep);
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
    static const char *const built[] = { "default", "linear", "llama3", "yarn" };
    for (int i = 0; i < 4; i++)
        if (!strcmp(now, old) && !strcmp(now, built[i])) {
            *out = built[i];
            return E_OK;
        }
    bool by_length = !strcmp(now, "dynamic") || !strcmp(now, "longrope") ||
                     !strcmp(now, "su"); /* longrope's older name */
    error_set(err, E_UNSUPPORTED,
              "config.json: '%s' asks for rope type \"%.40s\", which is not built", name,
              strcmp(now, old) ? old : now);
    error_hint(err,
               by_length ? "\"%.20s\" changes with the prompt's length: no row would have one value"
                         : "built: default, linear, llama3, yarn",
               now);
    return E_UNSUPPORTED;
}

void config_frequencies(double theta, int32_t n_rot, double *f)
{
    int n = n_rot / 2;
    for (int i = 0; i < n; i++) {
        f[i] = 1 / pow(theta, 2.0 * i / n_rot);
        f[n + i] = (double)(1.0f / math_pow((float)theta, (float)(2 * i) / (float)n_rot));
    }
}

status config_rotary_of(const json_t *json, const char *layers, double theta, double share,
                        model_config *c, double *inv_freq, error *err)
{
    const char *name = "", *kind = "default";
    const json_t *rope = NULL;
    double base = 0;
    status st = rope_object(json, layers, &name, &rope, err);
    if (st == E_OK && rope) st = rope_kind(name, rope, &kind, err); /* before keys of its own */
    if (st == E_OK && rope) st = check_keys(name, rope, err);
    if (st == E_OK) st = rope_base(json, rope, layers, theta, &base, err);
    if (st == E_OK) st = rope_width(json, rope, share, c, err);
    if (st != E_OK) return st;
    int n = c->n_rot / 2;
    double factor = 1;
    config_frequencies(base, c->n_rot, inv_freq);
    if (!strcmp(kind, "yarn")) st = scale_yarn(json, rope, base, n, inv_freq, &factor, err);
    if (!strcmp(kind, "llama3")) st = scale_llama3(rope, n, inv_freq, err);
    if (!strcmp(kind, "linear")) st = scale_linear(rope, n, inv_freq, err);
    if (st != E_OK || is_local(layers)) return st;
    c->rope_theta = base, c->rope_factor = factor;
    c->rope_scaling = kind;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
