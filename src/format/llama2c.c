/* llama2c -- the first format of llama2.c: a header of seven int32, then float32 weights in a fixed order.
 *
 *     dim hidden_dim n_layers n_heads n_kv_heads vocab_size seq_len    vocab_size < 0: an unembedding of its own
 *     tok_embeddings [vocab, dim]
 *     attention_norm [layer][dim]  wq [layer][dim, dim]  wk wv [layer][kv_dim, dim]  wo [layer][dim, dim]
 *     ffn_norm [layer][dim]  w1 [layer][hidden, dim]  w2 [layer][dim, hidden]  w3 [layer][hidden, dim]
 *     norm [dim]  rotary tables, which are not needed: 2 x [seq_len, head size / 2]  output [vocab, dim]
 *
 * Tensors get the names they have in Hugging Face's Llama, and the header becomes such a model's configuration.  Rotary pairs are neighbours here, halves there:
 * the values are not rearranged, the architecture rotates neighbours. */
#include "base/str.h"
#include "format/container.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { N_HEAD = 7, MOST = 1 << 24, MOST_LAYERS = 4096 };

static const struct {
    const char *ours, *config;
} keys[N_HEAD] = { { "dim", "hidden_size" },
                   { "hidden_dim", "intermediate_size" },
                   { "n_layers", "num_hidden_layers" },
                   { "n_heads", "num_attention_heads" },
                   { "n_kv_heads", "num_key_value_heads" },
                   { "vocab_size", "vocab_size" },
                   { "seq_len", "max_position_embeddings" } };

typedef struct reader {
    container *c;
    const char *path;
    const unsigned char *p;
    size_t left;
    error *err;
} reader;

/* The next tensor; n_row 0: a vector. */
static status take(reader *r, const char *name, int64_t n_row, int64_t n_col)
{
    tensor_view t = { .name = name,
                      .dtype = DTYPE_F32,
                      .n_dim = n_row ? 2 : 1,
                      .dim = { n_row ? n_row : n_col, n_col },
                      .data = r->p };
    size_t n;
    if (!tensor_size(&t, &n, &t.bytes) || t.bytes > r->left) {
        error_set(r->err, E_FORMAT,
                  "%s: tensor '%s' needs %" PRId64 " numbers, the file has %zu left", r->path, name,
                  (n_row ? n_row : 1) * n_col, r->left / 4);
        error_hint(r->err, "the file is truncated, or is not a llama2.c checkpoint");
        return E_FORMAT;
    }
    r->p += t.bytes, r->left -= t.bytes;
    return container_add(r->c, t, r->err);
}

static status take_layers(reader *r, int32_t n_layer, const char *name, int64_t n_row,
                          int64_t n_col)
{
    char full[128];
    status st = E_OK;
    for (int32_t i = 0; i < n_layer && st == E_OK; i++) {
        snprintf(full, sizeof full, "model.layers.%d.%s.weight", i, name);
        st = take(r, full, n_row, n_col);
    }
    return st;
}

static status read_header(reader *r, int32_t h[N_HEAD], bool *shared)
{
    if (r->left < N_HEAD * 4)
        return error_set(r->err, E_FORMAT,
                         "%s: has %zu bytes, a llama2.c checkpoint begins with %d", r->path,
                         r->left, N_HEAD * 4);
    memcpy(h, r->p, N_HEAD * 4);
    r->p += N_HEAD * 4, r->left -= N_HEAD * 4;
    *shared = h[5] > 0;
    if (h[5] < 0 && h[5] != INT32_MIN) h[5] = -h[5];
    for (int i = 0; i < N_HEAD; i++) {
        if (h[i] < 1 || h[i] > MOST) {
            error_set(r->err, E_FORMAT, "%s: %s is %d, expected 1 to %d", r->path, keys[i].ours,
                      h[i], MOST);
            error_hint(r->err,
                       "is this a llama2.c checkpoint of the first format?  Its tokenizer's "
                       ".bin is no model: it is found beside the checkpoint");
            return E_FORMAT;
        }
    }
    if (h[2] > MOST_LAYERS || h[0] % h[3] || h[3] % h[4] || (h[0] / h[3]) % 2)
        return error_set(
            r->err, E_FORMAT,
            "%s: %d layers, %d dimensions, %d heads and %d key heads do not go together", r->path,
            h[2], h[0], h[3], h[4]);
    return E_OK;
}

/* What the header leaves out is the same in all of them: the norm's epsilon, and rotary pairs of neighbours. */
static status note_config(container *c, const int32_t h[N_HEAD], bool shared, error *err)
{
    str s = { 0 };
    str_puts(&s, "{\"model_type\": \"llama\"");
    for (int i = 0; i < N_HEAD; i++) str_printf(&s, ", \"%s\": %d", keys[i].config, h[i]);
    str_printf(&s,
               ", \"rms_norm_eps\": 1e-5, \"rope_interleaved\": true, "
               "\"tie_word_embeddings\": %s}",
               shared ? "true" : "false");
    status st = s.failed ? error_set(err, E_NOMEM, "llama2.c: out of memory")
                         : container_note(c, "config", s.p, err);
    str_release(&s);
    return st;
}

static status read_weights(reader *r, const int32_t h[N_HEAD], bool shared)
{
    int64_t dim = h[0], hidden = h[1], vocab = h[5], kv = dim / h[3] * h[4],
            tables = (int64_t)h[6] * (dim / h[3]) * 4;
    int32_t n = h[2];
    status st = take(r, "model.embed_tokens.weight", vocab, dim);
    if (st == E_OK) st = take_layers(r, n, "input_layernorm", 0, dim);
    if (st == E_OK) st = take_layers(r, n, "self_attn.q_proj", dim, dim);
    if (st == E_OK) st = take_layers(r, n, "self_attn.k_proj", kv, dim);
    if (st == E_OK) st = take_layers(r, n, "self_attn.v_proj", kv, dim);
    if (st == E_OK) st = take_layers(r, n, "self_attn.o_proj", dim, dim);
    if (st == E_OK) st = take_layers(r, n, "post_attention_layernorm", 0, dim);
    if (st == E_OK) st = take_layers(r, n, "mlp.gate_proj", hidden, dim);
    if (st == E_OK) st = take_layers(r, n, "mlp.down_proj", dim, hidden);
    if (st == E_OK) st = take_layers(r, n, "mlp.up_proj", hidden, dim);
    if (st == E_OK) st = take(r, "model.norm.weight", 0, dim);
    if (st != E_OK) return st;
    if ((uint64_t)tables > r->left)
        return error_set(r->err, E_FORMAT,
                         "%s: ends inside its rotary tables (%zu bytes left, they have %" PRId64
                         ")",
                         r->path, r->left, tables);
    r->p += tables, r->left -= (size_t)tables;
    if (!shared) st = take(r, "lm_head.weight", vocab, dim);
    if (st == E_OK && r->left)
        return error_set(r->err, E_FORMAT, "%s: %zu bytes after the last weight", r->path, r->left);
    return st;
}

static status read_file(container *c, const char *path, error *err)
{
    file_map m;
    int32_t h[N_HEAD] = { 0 };
    bool shared = false;
    status st = container_map(c, path, &m, err);
    reader r = { .c = c, .path = path, .err = err };
    if (st == E_OK) r.p = m.p, r.left = m.bytes, st = read_header(&r, h, &shared);
    if (st == E_OK) st = note_config(c, h, shared, err);
    return st == E_OK ? read_weights(&r, h, shared) : st;
}

const format_def format_llama2c_def = {
    .name = "llama2c", .ends = { ".bin" }, .has_config = true, .read = read_file
};
/* SPDX-License-Identifier: MIT */
