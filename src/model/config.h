/* config -- reading config.json strictly.
 *
 * Every key is one of: read by the architecture, known to change no number of a forward pass, or
 * known to change it (then only the value that changes nothing is taken).  A key nobody knows is refused,
 * unless its value is one that switches things off (null, false, empty) or the caller allows it by name:
 * then it is a warning of the model. */
#ifndef MICROTOME_MODEL_CONFIG_H
#define MICROTOME_MODEL_CONFIG_H
#include "base/json.h"
#include "model/builder.h"

/* Give aliases their keys' names; check every key of b->json against the shared list and b->arch->key; add warnings.
 *
 * [err: UNSUPPORTED, naming key, value and what is built, or two names of one key with two values; NOMEM | owns: nothing | thread: b's own | cost: O(keys)] */
status config_check(builder *b, error *err);

/* json[key] as a whole number within 1..most.  Absent or null: `otherwise`, and FORMAT when that is 0.
 *
 * [err: FORMAT, RANGE | owns: nothing | thread: any | cost: one lookup] */
status config_count(const json_t *json, const char *key, int64_t otherwise, int64_t most,
                    int32_t *out, error *err);

/* DIR/config_RUN.json beside DIR/model_RUN.pt, as "The clock and the pizza" keeps them.
 *
 * [err: NULL when there is none that can be read | owns: the caller, json_decref | thread: any | cost: reads it] */
json_t *config_sibling(const char *path);

/* json[key] as a finite number above zero.
 *
 * [err: FORMAT, RANGE | owns: nothing | thread: any | cost: one lookup] */
status config_positive(const json_t *json, const char *key, double otherwise, double *out,
                       error *err);

/* json[key], an activation by any of its names in config files, as our name for it; and the op.
 *
 * [err: FORMAT, UNSUPPORTED with those there are | owns: static | thread: any | cost: O(1)] */
status config_activation(const json_t *json, const char *key, const char *otherwise,
                         const char **out, error *err);

/* The inverse frequencies of rotary positions, [2, n_rot/2] into inv_freq (for float64, for float32), for the layers of one kind
 * ("full_attention", "sliding_attention"; NULL: all), from the older keys rope_theta and rope_scaling or the newer
 * rope_parameters; theta and the share of a head that turns where config.json has none.  Fills n_rot, rope_theta, rope_factor
 * and rope_scaling of *c.
 *
 * [err: UNSUPPORTED, FORMAT, RANGE, SHAPE | owns: nothing | thread: any | cost: O(d_head)] */
status config_rotary_of(const json_t *json, const char *layers, double theta, double share,
                        model_config *c, double *inv_freq, error *err);

/* f_i = theta^(-2i / n_rot), [2, n_rot/2].
 *
 * [err: none | owns: nothing | thread: any | cost: O(n_rot)] */
void config_frequencies(double theta, int32_t n_rot, double *f);

/* d_model, n_head ... agree with each other: the checks all architectures share.
 *
 * [err: SHAPE, RANGE | owns: nothing | thread: any | cost: O(1)] */
status config_agree(const model_config *c, error *err);

#endif
/* SPDX-License-Identifier: MIT */
