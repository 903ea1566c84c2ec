/* chat -- see chat.h. */
#include "chat/chat.h"
#include "base/file.h"
#include "chat/eval.h"
#include "format/format.h"
#include <string.h>

enum { MAX_FILE = 64 << 20, MAX_MESSAGES = 16 << 20 };

struct chat {
    arena mem;
    stmt *tree;
    json_t *special;
    const char *name;
};

void chat_free(chat *c)
{
    if (!c) return;
    json_decref(c->special);
    arena_release(&c->mem);
    mem_free(c, sizeof *c);
}

status chat_from_text(chat **out, const char *text, size_t n, const json_t *special,
                      const char *name, error *err)
{
    chat *c = mem_zero(sizeof *c);
    if (!c) return error_set(err, E_NOMEM, "%s: out of memory", name);
    c->name = arena_string(&c->mem, name);
    c->special = special ? json_deep_copy(special) : json_object();
    status st = c->name && c->special ? E_OK : error_set(err, E_NOMEM, "%s: out of memory", name);
    if (st == E_OK && utf8_check(text, n) < n)
        st = error_set(err, E_FORMAT, "%s: the template is not UTF-8", name);
    if (st == E_OK) st = template_parse(&c->tree, &c->mem, text, n, c->name, err);
    if (st == E_OK) *out = c;
    else chat_free(c);
    return st;
}

/* ---- finding it ---- */

/* A special token is a text, or an object that has it as "content". */
static bool add_special(json_t *to, const json_t *config)
{
    static const char *const names[] = { "bos_token", "eos_token", "unk_token",
                                         "pad_token", "sep_token", "cls_token" };
    bool fine = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *v = json_object_get(config, names[i]);
        if (json_is_object(v)) v = json_object_get(v, "content");
        if (json_is_string(v)) fine &= !json_object_set(to, names[i], v);
    }
    return fine;
}

static const json_t *named_template(const json_t *v)
{
    size_t i;
    const json_t *one;
    json_array_foreach((json_t *)v, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && !strcmp(name, "default")) return json_object_get(one, "template");
    }
    return v;
}

static status from_config(chat **out, const json_t *config, const json_t *special, const char *path,
                          error *err)
{
    const json_t *v = named_template(json_object_get(config, "chat_template"));
    if (!v || json_is_null(v)) return E_OK;
    if (json_is_string(v))
        return chat_from_text(out, json_string_value(v), json_string_length(v), special,
                              "chat template", err);
    return error_set(err, E_FORMAT,
                     "%s: chat_template is %s, expected a text or a list with a "
                     "\"default\"",
                     path, json_kind(v));
}

static status from_file(chat **out, const char *path, const json_t *special, error *err)
{
    str s = { 0 };
    status st = file_read(&s, path, MAX_FILE, err);
    if (st == E_OK)
        st = chat_from_text(out, s.p ? s.p : "", s.n, special, "chat_template.jinja", err);
    str_release(&s);
    return st;
}

/* The texts of the tokens that keys of GGUF's metadata name, as special tokens. */
static bool add_tokens(json_t *to, const container *c)
{
    static const char *const names[][2] = { { "tokenizer.ggml.bos_token_id", "bos_token" },
                                            { "tokenizer.ggml.eos_token_id", "eos_token" },
                                            { "tokenizer.ggml.unknown_token_id", "unk_token" },
                                            { "tokenizer.ggml.padding_token_id", "pad_token" } };
    const meta_list *l = container_find_list(c, "tokenizer.ggml.tokens");
    if (!l || !l->is_text || !l->n) return true;
    meta_text *t = mem_zero((size_t)l->n * sizeof *t);
    bool fine = t != NULL;
    if (t) meta_texts(l, t);
    for (size_t k = 0; fine && k < sizeof names / sizeof *names; k++) {
        double id = container_number(c, names[k][0], -1);
        if (!(id >= 0 && id < (double)l->n)) continue;
        json_t *text = json_stringn(t[(int64_t)id].p, t[(int64_t)id].n); /* NULL: it is no UTF-8 */
        fine = !text || !json_object_set_new(to, names[k][1], text);
    }
    mem_free(t, (size_t)l->n * sizeof *t);
    return fine;
}

/* The template that a file of tensors carries. */
static status from_container(chat **out, const char *path, error *err)
{
    container *c = NULL;
    json_t *special = json_object();
    status st = container_open(&c, path, err);
    const char *text = st == E_OK ? container_meta(c, "tokenizer.chat_template") : NULL;
    bool fine = special && (!text || add_tokens(special, c));
    if (st == E_OK && !fine) st = error_set(err, E_NOMEM, "%s: out of memory", path);
    if (st == E_OK && text)
        st = chat_from_text(out, text, strlen(text), special, "chat template", err);
    json_decref(special);
    container_free(c);
    return st;
}

/* What lies in a directory, or beside a file. */
static status from_directory(chat **out, const char *path, error *err)
{
    arena mem = { 0 };
    json_t *config = NULL, *special = json_object();
    const char *dir = file_is_dir(path) ? path : path_dir(&mem, path);
    const char *file = dir ? path_join(&mem, dir, "chat_template.jinja") : NULL,
               *json = dir ? path_join(&mem, dir, "tokenizer_config.json") : NULL;
    status st = file && json && special ? E_OK : error_set(err, E_NOMEM, "%s: out of memory", path);
    *out = NULL;
    if (st == E_OK && file_exists(json)) st = json_open(&config, json, MAX_FILE, err);
    if (st == E_OK && !add_special(special, config))
        st = error_set(err, E_NOMEM, "%s: out of memory", path);
    if (st == E_OK && file_exists(file)) st = from_file(out, file, special, err);
    else if (st == E_OK) st = from_config(out, config, special, json, err);
    json_decref(config), json_decref(special);
    arena_release(&mem);
    return st;
}

status chat_open(chat **out, const char *path, error *err)
{
    bool has_config = false;
    *out = NULL;
    bool whole = !file_is_dir(path) && format_of(path, &has_config) && has_config;
    status st = whole ? from_container(out, path, err) : E_OK;
    return st == E_OK && !*out ? from_directory(out, path, err) : st;
}

/* ---- running it ---- */

static status check_messages(const json_t *messages, error *err)
{
    size_t i;
    json_t *one;
    if (!json_is_array(messages) || !json_array_size(messages))
        return error_set(err, E_FORMAT,
                         "messages are %s, expected a list of {\"role\", \"content\"}",
                         json_is_array(messages) ? "an empty list" : json_kind(messages));
    json_array_foreach(messages, i, one) if (
        !json_is_string(json_object_get(one, "role"))) return error_set(err, E_FORMAT,
                                                                        "message %zu has no role",
                                                                        i);
    return E_OK;
}

status chat_render(const chat *c, const json_t *messages, bool generate, str *out, error *err)
{
    arena mem = { 0 };
    str text = { 0 };
    status st = check_messages(messages, err);
    value context = value_from_json(c->special, &mem);
    value_set(&context, "messages", value_from_json(messages, &mem), &mem);
    value_set(&context, "add_generation_prompt", value_bool(generate), &mem);
    value_set(&context, "tools", value_none(), &mem);
    value_set(&context, "documents", value_none(), &mem);
    if (st == E_OK && mem.failed) st = error_set(err, E_NOMEM, "%s: out of memory", c->name);
    if (st == E_OK) st = template_run(c->tree, &context, &mem, &text, c->name, err);
    if (st == E_OK) str_add(out, text.p ? text.p : "", text.n);
    if (st == E_OK && out->failed) st = error_set(err, E_NOMEM, "%s: out of memory", c->name);
    str_release(&text);
    arena_release(&mem);
    return st;
}

status chat_messages(json_t **out, const char *text, error *err)
{
    size_t space = strspn(text, " \t\n");
    if (text[space] == '[') return json_parse_bytes(out, text, strlen(text), "--chat", err);
    if (str_ends(text, ".json") && file_exists(text))
        return json_open(out, text, MAX_MESSAGES, err);
    *out = json_pack("[{s:s,s:s}]", "role", "user", "content", text);
    return *out ? E_OK : error_set(err, E_NOMEM, "--chat: out of memory");
}
/* SPDX-License-Identifier: MIT */
