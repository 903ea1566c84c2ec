/* post -- what is put around the ids of a text, and what its offsets leave out: post-processors. */
#include "token/pipeline.h"
#include <string.h>

typedef struct around {
    int32_t *prefix, *suffix;
    int32_t n_prefix, n_suffix, room;
} around;

static status put(tokenizer *t, around *a, bool after, const json_t *id, const char *path,
                  error *err)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= t->n)
        return error_set(err, E_FORMAT, "%s: post_processor names an id that is not there", path);
    if (a->n_prefix + a->n_suffix == a->room)
        return error_set(err, E_LIMIT, "%s: post_processor puts more than %d tokens", path,
                         a->room);
    if (after) a->suffix[a->n_suffix++] = (int32_t)json_integer_value(id);
    else a->prefix[a->n_prefix++] = (int32_t)json_integer_value(id);
    return E_OK;
}

static status around_init(around *a, tokenizer *t, const char *path, error *err)
{
    *a = (around){ .room = 64 };
    a->prefix = arena_array(&t->mem, a->room, sizeof *a->prefix);
    a->suffix = arena_array(&t->mem, a->room, sizeof *a->suffix);
    return a->prefix && a->suffix ? E_OK : no_memory(err, path);
}

/* Outermost last: what came first stands nearest to the text. */
static status around_set(tokenizer *t, const around *a, const char *path, error *err)
{
    if (t->n_prefix || t->n_suffix) return refuse(err, path, "a second template");
    t->prefix = a->prefix, t->n_prefix = a->n_prefix;
    t->suffix = a->suffix, t->n_suffix = a->n_suffix;
    return E_OK;
}

/* Is that part of a template of `type`, and the same special token as `like` (a text where `like` is one)? */
static bool is_part(const json_t *part, const json_t *like, const char *text, int type)
{
    bool is_text = json_object_get(like, "Sequence") != NULL;
    const char *kind = is_text ? "Sequence" : "SpecialToken";
    const json_t *v = json_object_get(part, kind);
    const char *id = json_string_value(json_object_get(v, "id")),
               *want = json_string_value(json_object_get(json_object_get(like, kind), "id"));
    if (is_text) want = text;
    return id && want && !strcmp(id, want) &&
           json_integer_value(json_object_get(v, "type_id")) == type;
}

/* Is "pair" what "single" says of the first text, then the second with what stands behind it, of type 1? */
static bool pairs_as_bert(const json_t *v)
{
    const json_t *one = json_object_get(v, "single"), *two = json_object_get(v, "pair");
    size_t n = json_array_size(one), at = 0;
    while (at < n && !json_object_get(json_array_get(one, at), "Sequence")) at++;
    bool fits = at < n && json_array_size(two) == n + (n - at);
    for (size_t i = 0; i < n && fits; i++)
        fits = is_part(json_array_get(two, i), json_array_get(one, i), "A", 0);
    for (size_t i = at; i < n && fits; i++)
        fits = is_part(json_array_get(two, n + i - at), json_array_get(one, i), "B", 1);
    return fits;
}

/* The ids a template names beside the text. */
static status read_template(tokenizer *t, const json_t *v, const char *path, error *err)
{
    around a;
    size_t i, k;
    json_t *part, *id;
    bool after = false;
    const json_t *known = json_object_get(v, "special_tokens");
    status st = around_init(&a, t, path, err);
    json_array_foreach(json_object_get(v, "single"), i, part)
    {
        const json_t *sequence = json_object_get(part, "Sequence");
        const char *name =
            json_string_value(json_object_get(json_object_get(part, "SpecialToken"), "id"));
        const json_t *ids = json_object_get(json_object_get(known, name ? name : ""), "ids");
        if (st == E_OK && ((!sequence && !json_is_array(ids)) || (sequence && after)))
            st = refuse(err, path, "post_processor's template");
        if (sequence) after = true;
        else json_array_foreach(ids, k, id) if (st == E_OK) st = put(t, &a, after, id, path, err);
    }
    if (st == E_OK && !after) st = refuse(err, path, "a template without a text");
    t->pairs = pairs_as_bert(v);
    return st == E_OK ? around_set(t, &a, path, err) : st;
}

static status read_byte_level(tokenizer *t, const json_t *v, const char *path, error *err)
{
    pipeline *own = pipe_of(t);
    own->trim_offsets = own->trim_keeps_first = true;
    status st = json_flag(v, "trim_offsets", true, &own->trim_offsets, err);
    if (st == E_OK) st = json_flag(v, "add_prefix_space", true, &own->trim_keeps_first, err);
    if (st != E_OK) error_prefix(err, "%s: post_processor", path);
    return st;
}

/* [CLS] text [SEP], the older way of saying it: pairs ["[SEP]", id]. */
static status read_bert(tokenizer *t, const json_t *v, const char *path, error *err)
{
    around a;
    status st = around_init(&a, t, path, err);
    if (st == E_OK) st = put(t, &a, false, json_array_get(json_object_get(v, "cls"), 1), path, err);
    if (st == E_OK) st = put(t, &a, true, json_array_get(json_object_get(v, "sep"), 1), path, err);
    t->pairs = true;
    return st == E_OK ? around_set(t, &a, path, err) : st;
}

static status read_roberta(tokenizer *t, const json_t *v, const char *path, error *err)
{
    status st = read_byte_level(t, v, path, err);
    if (st == E_OK) st = read_bert(t, v, path, err);
    t->pairs = false; /* two </s> stand between */
    return st;
}

static status read_sequence(tokenizer *t, const json_t *v, const char *path, error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(v, "processors"), i, one)
    {
        status st = post_read(t, one, path, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static const struct {
    const char *type;
    status (*read)(tokenizer *t, const json_t *v, const char *path, error *err);
} defs[] = {
    { "TemplateProcessing", read_template }, { "ByteLevel", read_byte_level },
    { "BertProcessing", read_bert },         { "RobertaProcessing", read_roberta },
    { "Sequence", read_sequence },
};

status post_read(tokenizer *t, const json_t *v, const char *path, error *err)
{
    if (!v || json_is_null(v)) return E_OK;
    for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
        if (!strcmp(type_of(v), defs[i].type)) return defs[i].read(t, v, path, err);
    return refuse_type(err, path, "post_processor", v);
}
/* SPDX-License-Identifier: MIT */
