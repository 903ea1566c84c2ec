/* save -- see save.h. */
#include "model/save.h"
#include "base/file.h"
#include "model/arch_def.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 4096, MAX_COPY = 256 << 20 };

static const char *const BESIDE[] = { "tokenizer.json",
                                      "tokenizer_config.json",
                                      "special_tokens_map.json",
                                      "added_tokens.json",
                                      "vocab.json",
                                      "merges.txt",
                                      "vocab.txt",
                                      "tokenizer.model",
                                      "spiece.model",
                                      "chat_template.jinja",
                                      "chat_template.json",
                                      "generation_config.json",
                                      NULL };

typedef struct saving {
    const model *m;
    const arch_def *arch;
    const save_how *how;
    saved *out;
    arena mem;
    json_t *config;
    tensor_view *t;
    char *temp;      /* the directory beside */
    bool neighbours; /* rotary pairs are neighbours, halves of a head in the family */
} saving;

/* ---- the configuration ---- */

static status no_family(const saving *x, const char *why, error *err)
{
    error_set(err, E_UNSUPPORTED, "convert: %s: %s", x->m->name, why);
    error_hint(err, "its tensors are read as they are by every instrument");
    return E_UNSUPPORTED;
}

/* The configuration as its family in Hugging Face has it. */
static status say_family(saving *x, error *err)
{
    const char *why = strcmp(x->m->format, "embedded")
                          ? NULL
                          : "an embedded model is of no family of Hugging Face";
    if (!why && x->arch->family) why = x->arch->family(x->config);
    if (why) return no_family(x, why, err);
    x->neighbours = json_is_true(json_object_get(x->config, "rope_interleaved"));
    x->out->other_order = x->neighbours;
    json_object_del(x->config, "rope_interleaved");
    return E_OK;
}

/* The one type of all weights, else float32. */
static void note_type(saving *x)
{
    static const char *const names[] = { "float32", "float16", "bfloat16" };
    dtype t = x->out->n_tensor ? x->t[0].dtype : DTYPE_F32;
    for (int32_t i = 0; i < x->out->n_tensor; i++)
        if (x->t[i].dtype != t) t = DTYPE_F32;
    json_object_del(x->config, "dtype");
    json_object_set_new(x->config, "torch_dtype",
                        json_string(t <= DTYPE_BF16 ? names[t] : "float64"));
}

/* ---- one tensor ---- */

/* Does the family have it the other way round? */
static bool lies_across(const saving *x, const weight_tensor *w)
{
    bool here, theirs;
    return w->n_dim == 2 && x->arch->in_out && x->arch->in_out(model_json(x->m), w->name, &here) &&
           x->arch->in_out(x->config, w->name, &theirs) && here != theirs;
}

/* Is it a gain that the family has less one? */
static bool is_whole_gain(const saving *x, const char *name)
{
    if (!json_is_true(json_object_get(model_json(x->m), "gain_from_zero"))) return false;
    for (int i = 0; x->arch->gain && x->arch->gain[i]; i++)
        if (glob_match(x->arch->gain[i], name)) return true;
    return false;
}

/* n numbers of it from `first`, given to `to`, whose numbers lie `step` apart. */
static status put(saving *x, const tensor_view *from, int64_t first, int64_t n, tensor_view *t,
                  int64_t at, int64_t step, error *err)
{
    double wide[CHUNK], got, less = is_whole_gain(x, t->name);
    size_t size = dtype_bytes(t->dtype);
    tensor_values(from, first, n, wide);
    for (int64_t i = 0; i < n; i++) {
        wide[i] -= less; /* exact: float64 has the room */
        unsigned char *to = (unsigned char *)t->data + (size_t)(at + i * step) * size;
        float f = (float)wide[i];
        if (t->dtype == DTYPE_F64) memcpy(to, &wide[i], size);
        else dtype_row_from_f32(t->dtype, &f, to, 1);
        dtype_row_f64(t->dtype, to, &got, 1);
        if (isinf(got) && !isinf(wide[i]))
            return error_set(err, E_RANGE, "convert: '%.120s' has %g, which %s cannot hold",
                             t->name, wide[i], dtype_name(t->dtype));
        if (got == wide[i] || isnan(wide[i])) continue;
        x->out->n_rounded++;
        x->out->largest = fmax(x->out->largest, fabs(got - wide[i]));
    }
    return E_OK;
}

static status rewrite(saving *x, const tensor_view *from, bool across, tensor_view *t, error *err)
{
    int64_t n = tensor_count(from), row = from->n_dim ? from->dim[from->n_dim - 1] : 1;
    status st = E_OK;
    t->bytes = dtype_size(t->dtype, n);
    t->data = arena_get(&x->mem, t->bytes + 1);
    t->pair = 0;
    if (!t->data) return error_set(err, E_NOMEM, "convert: out of memory");
    if (across) t->dim[0] = from->dim[1], t->dim[1] = from->dim[0];
    for (int64_t i = 0, k; i < n && st == E_OK; i += k) {
        k = across ? row - i % row : n - i;
        if (k > CHUNK) k = CHUNK;
        st = across ? put(x, from, i, k, t, i % row * from->dim[0] + i / row, from->dim[0], err)
                    : put(x, from, i, k, t, i, 1, err);
    }
    return st;
}

static bool is_turned(const saving *x, const char *name)
{
    return x->neighbours && (strstr(name, ".q_proj.") || strstr(name, ".k_proj."));
}

static status take(saving *x, const weight_tensor *w, error *err)
{
    saved *o = x->out;
    tensor_view v = {
        .name = w->name, .dtype = w->dtype, .n_dim = w->n_dim, .data = w->data, .pair = w->pair
    };
    memcpy(v.dim, w->dim, sizeof v.dim);
    int64_t n = 1;
    for (int i = 0; i < v.n_dim; i++) n *= v.dim[i];
    v.bytes = dtype_size(v.dtype, n);
    if (is_turned(x, w->name)) v.pair = x->m->config.d_head;
    tensor_view *t = &x->t[o->n_tensor++];
    bool block = dtype_is_block(v.dtype), across = lies_across(x, w),
         gain = is_whole_gain(x, w->name);
    *t = v;
    if (block) t->dtype = DTYPE_F32;
    if (x->how->type != SAVE_SAME && (block || dtype_is_float(v.dtype)))
        t->dtype = (dtype)x->how->type;
    o->n_block += block, o->n_turned += v.pair != 0, o->n_transposed += across;
    o->n_gain += gain;
    o->n_retyped += !block && t->dtype != v.dtype;
    o->n_number += n;
    status st = E_OK;
    if (t->dtype != v.dtype || v.pair || across || gain) st = rewrite(x, &v, across, t, err);
    o->bytes += (int64_t)t->bytes;
    return st;
}

static status take_all(saving *x, error *err)
{
    const weight_set *w = model_weights(x->m);
    status st = E_OK;
    x->t = arena_array(&x->mem, w->n + 1, sizeof *x->t);
    if (!x->t) return error_set(err, E_NOMEM, "convert: out of memory");
    for (int32_t i = 0; i < w->n && st == E_OK; i++) {
        if (w->t[i].used) st = take(x, &w->t[i], err);
        else x->out->n_left++;
    }
    return st;
}

/* ---- files ---- */

static status copy_file(const char *from, const char *to, error *err)
{
    str s = { 0 };
    status st = file_read(&s, from, MAX_COPY, err);
    if (st == E_OK) st = file_write(to, s.p, s.n, err);
    str_release(&s);
    return st;
}

/* What lies beside a file is the model's where its tokenizer was taken from there. */
static status copy_beside(saving *x, bool said, error *err)
{
    bool whole = false, in_dir = file_is_dir(x->m->path);
    format_of(x->m->path, &whole);
    const char *dir = in_dir ? x->m->path : path_dir(&x->mem, x->m->path);
    status st = E_OK;
    int n = 0;
    if (whole && !in_dir && (said || !x->m->tokens)) return E_OK;
    for (int i = 0; BESIDE[i] && st == E_OK; i++) {
        char *from = dir ? path_join(&x->mem, dir, BESIDE[i]) : NULL;
        char *to = path_join(&x->mem, x->temp, BESIDE[i]);
        if (!from || !to) return error_set(err, E_NOMEM, "convert: out of memory");
        if (!file_exists(from)) continue;
        st = copy_file(from, to, err);
        x->out->copied[n++] = BESIDE[i];
    }
    return st;
}

static status write_json(saving *x, const char *name, const json_t *v, error *err)
{
    char *path = path_join(&x->mem, x->temp, name);
    str s = { 0 };
    json_write(&s, v, 2);
    status st = path && !s.failed ? file_write(path, s.p, s.n, err)
                                  : error_set(err, E_NOMEM, "convert: out of memory");
    str_release(&s);
    return st;
}

/* The tokenizer that the file carries or that has files of another kind; else what lies beside.  One that cannot be said
 * is no reason to write no model. */
static status write_tokenizer(saving *x, error *err)
{
    json_t *json = NULL, *config = NULL;
    error why = { 0 };
    const container *c = model_container(x->m);
    status st = tokenizer_say(&json, &config, x->m->tokens, c, x->m->name, &why);
    if (st == E_UNSUPPORTED) {
        snprintf(x->out->unsaid, sizeof x->out->unsaid, "%.199s", why.msg);
        return copy_beside(x, true, err);
    }
    if (st != E_OK) return error_set(err, st, "%s", why.msg);
    st = copy_beside(x, json != NULL, err);
    if (st == E_OK && json) st = write_json(x, "tokenizer.json", json, err);
    if (st == E_OK && json) st = write_json(x, "tokenizer_config.json", config, err);
    x->out->tokenizer = st == E_OK && json;
    x->out->chat = json_object_get(config, "chat_template") != NULL;
    json_decref(json), json_decref(config);
    return st;
}

static status write_all(saving *x, error *err)
{
    static const char *const meta[] = { "format", "pt" };
    char *weights = path_join(&x->mem, x->temp, "model.safetensors"),
         *config = path_join(&x->mem, x->temp, "config.json");
    str s = { 0 };
    container *c = NULL;
    if (!weights || !config) return error_set(err, E_NOMEM, "convert: out of memory");
    json_write(&s, x->config, 2);
    status st = s.failed ? error_set(err, E_NOMEM, "convert: out of memory")
                         : tensors_write(weights, x->t, x->out->n_tensor, meta, 1, err);
    if (st == E_OK) st = file_write(config, s.p, s.n, err);
    if (st == E_OK) st = write_tokenizer(x, err);
    if (st == E_OK) st = container_open(&c, weights, err);
    if (st == E_OK) st = container_hash(c, x->out->hash, err);
    container_free(c);
    str_release(&s);
    return st;
}

/* ---- the directory ---- */

/* Each file in it: moved to dir, or (dir NULL) removed. */
static bool each_file(saving *x, const char *dir)
{
    DIR *d = opendir(x->temp);
    bool fine = d != NULL;
    for (struct dirent *f; d && (f = readdir(d));) {
        char *from = path_join(&x->mem, x->temp, f->d_name);
        char *to = path_join(&x->mem, dir ? dir : ".", f->d_name);
        if (*f->d_name == '.') continue;
        if (!from || !to || (dir ? rename(from, to) : unlink(from))) fine = false;
    }
    if (d) closedir(d);
    return fine;
}

static bool has_files(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *f; d && (f = readdir(d));)
        n += strcmp(f->d_name, ".") && strcmp(f->d_name, "..");
    if (d) closedir(d);
    return n > 0;
}

/* Of a directory's name, without what ends it. */
static size_t name_length(const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') n--;
    return n;
}

static status make_temp(saving *x, error *err)
{
    const char *dir = x->how->dir;
    size_t n = name_length(dir);
    x->temp = arena_get(&x->mem, n + 40);
    if (!x->temp) return error_set(err, E_NOMEM, "convert: out of memory");
    snprintf(x->temp, n + 40, "%.*s.partial-%ld", (int)n, dir, (long)getpid());
    if (!mkdir(x->temp, 0777)) return E_OK;
    return error_set(err, E_IO, "%s: cannot be made: %s", dir, strerror(errno));
}

/* The directory that was asked for, in place of the one that is written meanwhile. */
static void name_place(const saving *x, error *err)
{
    char *at = err ? strstr(err->msg, x->temp) : NULL;
    size_t n = name_length(x->how->dir);
    if (!at) return;
    memcpy(at, x->how->dir, n);
    memmove(at + n, at + strlen(x->temp), strlen(at + strlen(x->temp)) + 1);
}

static status put_in_place(saving *x, error *err)
{
    const char *dir = x->how->dir;
    if (has_files(dir) ? each_file(x, dir) : !rename(x->temp, dir)) return E_OK;
    return error_set(err, E_IO, "%s: cannot be put in place: %s", dir, strerror(errno));
}

static status check_dir(const char *dir, bool overwrite, error *err)
{
    if (file_exists(dir) && !file_is_dir(dir))
        return error_set(err, E_USAGE, "convert: %s is a file, expected a directory", dir);
    if (!has_files(dir) || overwrite) return E_OK;
    error_set(err, E_USAGE, "convert: %s has files in it", dir);
    error_hint(err, "name another directory, or replace files of the same names with --overwrite");
    return E_USAGE;
}

static status save(saving *x, error *err)
{
    status st = check_dir(x->how->dir, x->how->overwrite, err);
    if (st != E_OK) return st;
    x->config = json_deep_copy(model_json(x->m));
    if (!x->config) return error_set(err, E_NOMEM, "convert: out of memory");
    st = say_family(x, err);
    if (st == E_OK) st = take_all(x, err);
    if (st != E_OK) return st;
    note_type(x);
    st = make_temp(x, err);
    if (st != E_OK) return st;
    st = write_all(x, err);
    if (st == E_OK) st = put_in_place(x, err);
    if (st != E_OK) name_place(x, err);
    each_file(x, NULL); /* what was not moved */
    rmdir(x->temp);
    return st;
}

status model_save(const model *m, const save_how *how, saved *out, error *err)
{
    saving x = { .m = m, .arch = arch_find(m->config.arch), .how = how, .out = out };
    *out = (saved){ 0 };
    status st = save(&x, err);
    json_decref(x.config);
    arena_release(&x.mem);
    return st;
}
/* SPDX-License-Identifier: MIT */
