/* arch_def -- what one file in arch/ says about one architecture.
 *
 * arch/NAME.c defines `const arch_def arch_NAME_def`; the registry is generated from the folder.
 * Read builder.h next: what configure() and build() are written with.  docs/add-an-architecture.md is
 * a worked example. */
#ifndef MICROTOME_MODEL_ARCH_DEF_H
#define MICROTOME_MODEL_ARCH_DEF_H
#include "base/json.h"
#include "format/format.h"
#include "model/model.h"

typedef struct builder builder;

/* What a key of config.json means to an architecture.
 *
 *   KEY_READ    configure() looks at it
 *   KEY_SAYS    changes no number of a forward pass (dropout, training, names, generation)
 *   KEY_MUST    changes the computation, and only `value` (JSON text) is built; absent and null are
 *               always fine
 *   KEY_ALIAS   another name of the key `value` */
typedef enum key_kind { KEY_READ, KEY_SAYS, KEY_MUST, KEY_ALIAS } key_kind;

typedef struct config_key {
    const char *name;
    key_kind kind;
    const char *value;
} config_key;

typedef struct arch_def {
    const char *name;              /* as shown, and as the file is called */
    const char *says;              /* one line for people */
    const char *const *model_type; /* config.json's model_type; NULL-terminated */
    const config_key *key;         /* beyond those every architecture shares (config.c); {0} ends */
    const char *prefix; /* checkpoints may leave this out of their weights' names; NULL: none */
    const char *const
        *ignored; /* weights that are no parameters, as globs; NULL-terminated or NULL */
    /* The configuration that tensors say by their names and shapes alone, where no config.json lies beside them: a
     * new object; NULL: they are not this architecture's.  May be NULL. */
    json_t *(*infer)(const container *c, const char *path);
    /* Fill b->m->config from b->json, refusing what is not built. */
    status (*configure)(builder *b, error *err);
    /* Build the graph.  Returns nothing: what goes wrong stands in b->g->err. */
    void (*build)(builder *b);
    /* Is that weight stored [in, out] by the family; *here: and where this is the configuration?  NULL: all are
     * [out, in]. */
    bool (*in_out)(const json_t *config, const char *weight, bool *here);
    /* Make `config`, a copy of the configuration, what Hugging Face transformers has for such a model (model_save); why
     * that cannot be, or NULL.  A matrix is then turned where in_out says another thing of the new configuration.
     * NULL: it is the family's as it is. */
    const char *(*family)(json_t *config);
    /* Gains that the family has less one, as globs: they are whole here where the configuration has gain_from_zero.
     * NULL-terminated or NULL. */
    const char *const *gain;
    /* Embedded models only, else NULL: provide configuration, weights and tokenizer, and say which
     * architecture builds them. */
    const char *demo; /* "induction" for demo:induction */
    status (*provide)(builder *b, const char **arch, error *err);
} arch_def;

/* Every architecture, NULL-terminated (generated); the one of that name.
 *
 * [err: NULL | owns: static | thread: any | cost: O(1), O(architectures)] */
extern const arch_def *const arch_all[];
const arch_def *arch_find(const char *name);

#endif
/* SPDX-License-Identifier: MIT */
