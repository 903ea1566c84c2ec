/* open -- see model.h: from a path to a model.
 *
 * Paths differ only in where configuration, weights and tokenizer come from (sources_*): files with a
 * config.json beside them, a file that has its own, a model inside the program; then one way: find the architecture, check its configuration, build the graph, see that
 * every weight was used. */
#include "base/file.h"
#include "model/adapter.h"
#include "model/builder.h"
#include "model/config.h"
#include "model/save.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 16 << 20 };

/* What is freed with the model. */
struct model_own {
    container *files;
    tokenizer *tokens;
    json_t *json;
    weight_set weights; /* for the hash */
};

/* ---- where things come from ---- */

static status is_object(const json_t *v, const char *what, error *err)
{
    if (json_is_object(v)) return E_OK;
    return error_set(err, E_FORMAT, "%s: is %s, expected an object", what, json_kind(v));
}

static status read_config(builder *b, const char *path, error *err)
{
    status st = json_open(&b->m->own->json, path, MAX_CONFIG, err);
    if (st == E_OK) st = is_object(b->m->own->json, path, err);
    b->json = b->m->own->json;
    return st;
}

/* What the tensors say of themselves, or what --config says of them. */
static status infer_config(builder *b, const char *dir, error *err)
{
    struct model_own *own = b->m->own;
    status st = own->files ? E_OK : container_open(&own->files, b->m->path, err);
    if (st != E_OK) return st;
    for (int i = 0; arch_all[i] && !own->json; i++)
        if (arch_all[i]->infer) own->json = arch_all[i]->infer(own->files, b->m->path);
    if (!own->json && b->options->config) own->json = json_object();
    b->json = own->json;
    if (own->json) return E_OK;
    error_set(err, E_IO, "%s: there is no config.json, which says what the weights mean", dir);
    error_hint(err, "copy it beside the weights, or say it with --config; it is part of every "
                    "Hugging Face checkpoint");
    return E_IO;
}

/* The weights come later, when config.json has been understood. */
static status sources_files(builder *b, const char *dir, error *err)
{
    char *path = path_join(&b->g->mem, dir, "config.json");
    if (!path) return error_set(err, E_NOMEM, "model: out of memory");
    status st = file_exists(path) ? read_config(b, path, err) : infer_config(b, dir, err);
    return st == E_OK ? tokenizer_open(&b->m->own->tokens, dir, err) : st;
}

/* Keys that the caller gave, in place of those found. */
static status override(builder *b, error *err)
{
    const char *text = b->options->config;
    json_t *own = NULL, *v;
    const char *key;
    if (!text) return E_OK;
    if (b->m->format && !strcmp(b->m->format, "embedded"))
        return error_set(err, E_USAGE, "config: an embedded model has a configuration of its own");
    status st = *text == '{' ? json_parse(&own, text, strlen(text), "config", err)
                             : json_open(&own, text, MAX_CONFIG, err);
    if (st == E_OK) st = is_object(own, "config", err);
    json_object_foreach(own, key, v)
    {
        if (st == E_OK && json_object_set((json_t *)b->json, key, v)) /* the model's own */
            st = error_set(err, E_NOMEM, "config: out of memory");
    }
    json_decref(own);
    return st;
}

/* The file's own tokenizer, else what lies beside it.  One that is not built is warned of: ids can be given. */
static status whole_tokenizer(builder *b, const char *path, const char *dir, error *err)
{
    struct model_own *own = b->m->own;
    error why = { 0 };
    status st = tokenizer_from_container(&own->tokens, own->files, path, &why);
    if (st != E_OK && st != E_UNSUPPORTED) {
        error_set(err, st, "%s", why.msg);
        if (*why.hint) error_hint(err, "%s", why.hint);
        return st;
    }
    if (own->tokens) return E_OK;
    if (st != E_OK) build_warn(b, "its own tokenizer is not read: %s", why.msg);
    return tokenizer_open(&own->tokens, dir, err);
}

/* A file that carries its configuration. */
static status sources_whole(builder *b, const char *path, const char *dir, error *err)
{
    struct model_own *own = b->m->own;
    status st = container_open(&own->files, path, err);
    const char *config = st == E_OK ? container_meta(own->files, "config") : NULL;
    if (st == E_OK && !config) {
        const char *why = container_meta(own->files, "config.missing");
        st = error_set(err, E_UNSUPPORTED, "%s: %s", path, why ? why : "holds no model");
    }
    if (st == E_OK) st = json_parse(&own->json, config, strlen(config), path, err);
    b->json = own->json;
    return st == E_OK ? whole_tokenizer(b, path, dir, err) : st;
}

static status sources_demo(builder *b, const char *name, const char **arch, error *err)
{
    char names[200] = "";
    for (int i = 0; arch_all[i]; i++) {
        const char *demo = arch_all[i]->demo;
        if (demo && !strcmp(demo, name)) {
            b->arch = arch_all[i];
            return arch_all[i]->provide(b, arch, err);
        }
        if (demo)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%sdemo:%s",
                     *names ? ", " : "", demo);
    }
    error_set(err, E_IO, "demo:%.60s: there is no embedded model of that name", name);
    error_hint(err, "there is %s", names);
    return E_IO;
}

static status sources(builder *b, const char *path, const char **arch, error *err)
{
    model *m = b->m;
    if (!strncmp(path, "demo:", 5)) {
        m->format = "embedded";
        return sources_demo(b, path + 5, arch, err);
    }
    bool has_config = false, in_dir = file_is_dir(path);
    m->format = format_of(path, &has_config);
    if (in_dir) m->format = NULL; /* what is in it will tell */
    if (!in_dir && (!m->format || !file_exists(path))) {
        error_set(err, E_IO,
                  m->format || !file_exists(path) ? "%s: there is no such model"
                                                  : "%s: unknown kind of model file",
                  path);
        error_hint(err, "give a directory with config.json and safetensors or pytorch_model.bin, a "
                        ".gguf, a llama2.c .bin, or demo:induction");
        return E_IO;
    }
    const char *dir = in_dir ? path : path_dir(&b->g->mem, path);
    if (!dir) return error_set(err, E_NOMEM, "model: out of memory");
    return has_config && !in_dir ? sources_whole(b, path, dir, err) : sources_files(b, dir, err);
}

/* ---- the architecture ---- */

static bool has_type(const arch_def *a, const char *type)
{
    for (int i = 0; a->model_type && a->model_type[i]; i++)
        if (!strcmp(a->model_type[i], type)) return true;
    return false;
}

const arch_def *arch_find(const char *name)
{
    for (int i = 0; arch_all[i]; i++)
        if (!strcmp(arch_all[i]->name, name)) return arch_all[i];
    return NULL;
}

static status find_arch(builder *b, const char *name, error *err)
{
    const char *type = name;
    char types[300] = "";
    status st = type ? E_OK : json_text(b->json, "model_type", NULL, &type, err);
    if (st != E_OK) return st;
    b->arch = NULL;
    for (int i = 0; arch_all[i] && !b->arch; i++) {
        const arch_def *a = arch_all[i];
        if (type && (name ? !strcmp(a->name, name) : has_type(a, type))) b->arch = a;
        if (a->configure)
            snprintf(types + strlen(types), sizeof types - strlen(types), "%s%s",
                     *types ? ", " : "", a->name);
    }
    if (b->arch) return E_OK;
    if (type) error_set(err, E_UNSUPPORTED, "config.json: model_type \"%.60s\" is not built", type);
    else error_set(err, E_FORMAT, "config.json: there is no model_type");
    error_hint(err, "built are: %s", types);
    return E_UNSUPPORTED;
}

static status configure(builder *b, error *err)
{
    int64_t bos;
    b->c->arch = b->arch->name;
    b->c->rope_scaling = "", b->c->bos_token_id = -1;
    status st = config_check(b, err);
    if (st == E_OK) st = json_int(b->json, "bos_token_id", -1, &bos, err);
    if (st == E_OK) b->c->bos_token_id = (int32_t)bos;
    if (st == E_OK) st = b->arch->configure(b, err);
    if (!b->c->n_vocab_out) b->c->n_vocab_out = b->c->n_vocab;
    return st == E_OK ? config_agree(b->c, err) : st;
}

/* ---- the graph ---- */

static status take_weights(builder *b, error *err)
{
    const container *c = b->m->own->files;
    status st = E_OK;
    b->weights.prefix = b->arch->prefix;
    for (int32_t i = 0; c && i < container_count(c) && st == E_OK; i++) {
        const tensor_view *t = container_at(c, i);
        weight_tensor w = {
            .name = t->name, .dtype = t->dtype, .n_dim = t->n_dim, .data = t->data, .pair = t->pair
        };
        memcpy(w.dim, t->dim, sizeof w.dim);
        st = weights_add(&b->weights, &b->g->mem, w, err);
    }
    return st == E_OK ? weights_sort(&b->weights, err) : st;
}

static void count_sites(model *m)
{
    for (int32_t i = 0; i < m->g.n_site; i++) m->n_site += m->g.site[i].n->op != NULL;
}

static status build_graph(builder *b, error *err)
{
    model *m = b->m;
    status st = E_OK;
    bool inside = m->format && !strcmp(m->format, "embedded");
    if (!inside && !m->own->files) st = container_open(&m->own->files, m->path, err);
    if (st == E_OK && !inside) m->format = container_format(m->own->files);
    if (st == E_OK) st = take_weights(b, err);
    if (st == E_OK) st = adapter_attach(b, err);
    if (st != E_OK) return st;
    m->token = graph_site(b->g, graph_input(b->g, ROW, 1, 1), "token");
    m->block = build_memory(b, m->config.n_layer, sizeof *m->block);
    if (m->block) b->arch->build(b);
    m->own->weights = b->weights;
    if (b->g->err.code) {
        error_set(err, b->g->err.code, "%s", b->g->err.msg);
        error_hint(err, "%s", b->g->err.hint);
        return b->g->err.code;
    }
    count_sites(m);
    return weights_check_used(&b->weights, b->arch->ignored, err);
}

static status look_at_tokenizer(builder *b, error *err)
{
    model *m = b->m;
    m->tokens = m->own->tokens;
    if (!m->tokens)
        build_warn(b, "there is no tokenizer beside the model: prompts are token ids (--tokens)");
    else if (tokenizer_count(m->tokens) > m->config.n_vocab)
        build_warn(b, "the tokenizer has %d tokens, the model %d: is it another model's?",
                   tokenizer_count(m->tokens), m->config.n_vocab);
    else if (tokenizer_count(m->tokens) < m->config.n_vocab - m->config.n_vocab / 8)
        build_warn(b,
                   "the tokenizer has %d tokens, the model %d: padding, or is it another model's?",
                   tokenizer_count(m->tokens), m->config.n_vocab);
    return b->g->err.code ? error_set(err, b->g->err.code, "%s", b->g->err.msg) : E_OK;
}

/* ---- all of it ---- */

static const char *last_part(builder *b, const char *path)
{
    char *copy = arena_string(&b->g->mem, path);
    if (!copy || !strncmp(path, "demo:", 5)) return copy;
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/') copy[--n] = 0;
    const char *slash = strrchr(copy, '/');
    return slash && slash[1] ? slash + 1 : copy;
}

static status open_into(model *m, const char *path, const model_options *o, error *err)
{
    const char *arch = NULL;
    builder b = { .m = m, .g = &m->g, .c = &m->config, .options = o };
    m->path = arena_string(&m->g.mem, path);
    m->name = last_part(&b, path);
    if (!m->path || !m->name) return error_set(err, E_NOMEM, "model: out of memory");
    status st = sources(&b, path, &arch, err);
    if (st == E_OK) st = override(&b, err);
    if (st == E_OK) st = find_arch(&b, arch, err);
    if (st == E_OK) st = configure(&b, err);
    if (st == E_OK) st = build_graph(&b, err);
    return st == E_OK ? look_at_tokenizer(&b, err) : st;
}

status model_open_with(model **out, const char *path, const model_options *o, error *err)
{
    static const model_options usual;
    error why = { 0 };
    model *m = mem_zero(sizeof *m);
    if (m) m->own = mem_zero(sizeof *m->own);
    if (m) graph_init(&m->g, NULL);
    status st = m && m->own ? open_into(m, path, o ? o : &usual, &why)
                            : error_set(&why, E_NOMEM, "model: out of memory");
    if (st == E_OK) {
        if (m->own->files) container_rest(m->own->files); /* a vocabulary, which has been taken */
        *out = m;
        return E_OK;
    }
    model_free(m);
    error_set(err, st, "%s", why.msg);
    if (*why.hint) error_hint(err, "%s", why.hint);
    return st;
}

status model_open(model **out, const char *path, const char *allow, error *err)
{
    return model_open_with(out, path, &(model_options){ .allow = allow }, err);
}

void model_free(model *m)
{
    if (!m) return;
    if (m->own) {
        container_free(m->own->files);
        tokenizer_free(m->own->tokens);
        json_decref(m->own->json);
        mem_free(m->own, sizeof *m->own);
    }
    graph_release(&m->g);
    mem_free(m, sizeof *m);
}

void model_give_tokenizer(model *m, tokenizer *own_t) { m->own->tokens = own_t; }
void model_give_config(model *m, json_t *own_json) { m->own->json = own_json; }

const weight_set *model_weights(const model *m) { return &m->own->weights; }
const container *model_container(const model *m) { return m->own->files; }
const json_t *model_json(const model *m) { return m->own->json; }
/* SPDX-License-Identifier: MIT */
