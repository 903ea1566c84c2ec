/* builder -- see builder.h.  Names of ops appear here and in arch/ and nowhere above the op room. */
#include "model/builder.h"
#include "ops.gen.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 192 };

/* ---- memory, weights ---- */

void *build_memory(builder *b, int64_t n, size_t size)
{
    void *p = b->g->err.code ? NULL : arena_array(&b->g->mem, n, size);
    if (!p) error_set(&b->g->err, E_NOMEM, "model: out of memory");
    return p;
}

void build_warn(builder *b, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    model *m = b->m;
    const char **list = build_memory(b, m->n_warning + 1, sizeof *list);
    char *copy = list ? arena_string(&b->g->mem, text) : NULL;
    if (!copy) {
        error_set(&b->g->err, E_NOMEM, "model: out of memory");
        return;
    }
    if (m->n_warning) memcpy(list, m->warning, (size_t)m->n_warning * sizeof *list);
    list[m->n_warning] = copy;
    m->warning = list;
    m->n_warning++;
}

static void refuse_shape(builder *b, const weight_tensor *t, const char *name, int64_t n_row,
                         int64_t n_col)
{
    char found[120];
    weight_text(t, found, sizeof found);
    if (n_row == 1)
        error_set(&b->g->err, E_SHAPE, "weight '%s' is %s, expected [%lld]", name, found,
                  (long long)n_col);
    else
        error_set(&b->g->err, E_SHAPE, "weight '%s' is %s, expected [%lld, %lld]", name, found,
                  (long long)n_row, (long long)n_col);
    error_hint(&b->g->err,
               "the shape follows from config.json: one of the two is of another model");
}

static bool shape_is(const weight_tensor *t, int64_t n_row, int64_t n_col)
{
    if (t->n_dim == 1) return n_row == 1 && t->dim[0] == n_col;
    return t->n_dim == 2 && t->dim[0] == n_row && t->dim[1] == n_col;
}

/* Can kernels read it? */
static bool type_is_real(dtype d) { return dtype_is_float(d) || dtype_is_block(d); }

/* The tensor of that name, of numbers that kernels read; taken note of as used. */
static weight_tensor *weight_named(builder *b, const char *name)
{
    if (b->g->err.code) return NULL;
    weight_tensor *t = weights_find(&b->weights, name);
    if (!t) {
        error_set(&b->g->err, E_SHAPE, "weight '%s' is missing", name);
        error_hint(&b->g->err, "%s needs it as config.json describes the model", b->arch->name);
        return NULL;
    }
    t->used = true;
    if (type_is_real(t->dtype)) return t;
    error_set(&b->g->err, E_UNSUPPORTED,
              "weight '%s' is of type %s, expected F32, F16, BF16, F64 or blocks", name,
              dtype_name(t->dtype));
    return NULL;
}

static node *weight_node(builder *b, const char *name, weight_view v, int64_t n_row, int64_t n_col)
{
    b->m->n_weight += n_row * n_col;
    b->m->weight_bytes += n_row * v.row_bytes;
    return graph_site(b->g,
                      graph_axes(graph_weight(b->g, name, v, (int)n_row, (int)n_col), "column", ""),
                      "%s", name);
}

node *build_weight(builder *b, int64_t n_row, int64_t n_col, const char *fmt, ...)
{
    char name[NAME_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    weight_tensor *t = weight_named(b, name);
    if (!t) return NULL;
    if (!shape_is(t, n_row, n_col) ||
        n_col % dtype_block(t->dtype)) { /* a vector as one row of a matrix of rows of one */
        refuse_shape(b, t, name, n_row, n_col);
        return NULL;
    }
    weight_view v = { t->data, (int64_t)dtype_size(t->dtype, n_col), t->dtype, t->pair };
    return weight_node(b, name, v, n_row, n_col);
}

/* The numbers in the order wanted: as they lie, or copied. */
static const void *in_order(builder *b, const weight_tensor *t, const weight_order *o)
{
    int64_t stride[WEIGHT_DIMS], dim[WEIGHT_DIMS], turned[WEIGHT_DIMS], n = 1;
    bool same = true;
    for (int i = o->n_dim - 1; i >= 0; i--) stride[i] = n, n *= o->dim[i];
    for (int i = 0; i < o->n_dim; i++) {
        dim[i] = o->dim[o->axis[i]], turned[i] = stride[o->axis[i]];
        same &= o->axis[i] == i;
    }
    if (same) return t->data;
    void *p = build_memory(b, n, dtype_bytes(t->dtype));
    if (p) dtype_gather(t->dtype, p, t->data, o->n_dim, dim, turned);
    return p;
}

static bool has_shape(const weight_tensor *t, const weight_order *o)
{
    return t->n_dim == o->n_dim && !memcmp(t->dim, o->dim, (size_t)o->n_dim * sizeof *t->dim);
}

node *build_weight_turned(builder *b, const weight_order *o, int64_t n_row, int64_t n_col,
                          const char *fmt, ...)
{
    char name[NAME_BYTES], found[120], want[120];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    weight_tensor *t = weight_named(b, name);
    if (!t) return NULL;
    if (!has_shape(t, o) || dtype_is_block(t->dtype)) {
        weight_tensor wanted = { .n_dim = o->n_dim, .dtype = t->dtype };
        memcpy(wanted.dim, o->dim, sizeof o->dim);
        weight_text(t, found, sizeof found), weight_text(&wanted, want, sizeof want);
        error_set(&b->g->err, E_SHAPE, "weight '%s' is %s, expected %s", name, found, want);
        return NULL;
    }
    const void *p = in_order(b, t, o);
    weight_view v = { p, n_col * (int64_t)dtype_bytes(t->dtype), t->dtype, 0 };
    return p ? weight_node(b, name, v, n_row, n_col) : NULL;
}

node *build_constant(builder *b, const char *name, const double *v, int n_row, int n)
{
    double *copy = build_memory(b, n_row * n, sizeof *copy);
    if (!copy) return NULL;
    memcpy(copy, v, (size_t)(n_row * n) * sizeof *copy);
    weight_view w = { (const char *)copy, n * (int64_t)sizeof *copy, DTYPE_F64, 0 };
    return graph_site(b->g, graph_axes(graph_weight(b->g, name, w, n_row, n), "column", ""), "%s",
                      name);
}

/* ---- names and flags ---- */

node *build_site(builder *b, node *n, const char *thing)
{
    return graph_site(b->g, n, "blocks.%d.%s", b->layer, thing);
}

node *build_writer(node *n)
{
    if (n) n->writer = true;
    return n;
}

node *build_reader(node *n)
{
    if (n) n->reader = true;
    return n;
}

static node *axes(node *n, const char *part, const char *width)
{
    return graph_axes(n, part, width);
}

/* ---- pieces of a transformer ---- */

node *build_embed(builder *b, node *w)
{
    node *e = axes(op_embed(b->g, b->m->token, w), "", "d_model");
    return build_writer(graph_site(b->g, e, "embed"));
}

node *build_type_embed(builder *b, node *w)
{
    b->m->type = graph_site(b->g, graph_input(b->g, ROW, 1, 1), "type");
    node *t = axes(op_embed(b->g, b->m->type, w), "", "d_model");
    return build_writer(graph_site(b->g, t, "type_embed"));
}

node *build_pos_embed(builder *b, node *w, int32_t first)
{
    node *p = axes(op_position(b->g, b->m->token, w, first), "", "d_model");
    return build_writer(graph_site(b->g, p, "pos_embed"));
}

node *build_norm(builder *b, node *x, node *gain, node *bias, const char *name)
{
    graph *g = b->g;
    if (!strcmp(b->c->norm, "none")) return x;
    bool rms = !strcmp(b->c->norm, "rmsnorm");
    node *scale = rms ? op_rms_scale(g, x, b->c->norm_eps) : op_ln_scale(g, x, b->c->norm_eps);
    graph_site(g, axes(scale, "", ""), "%s.scale", name);
    node *n = rms ? op_normalized(g, x, scale) : op_ln_normalized(g, x, scale);
    graph_site(g, axes(n, "", "d_model"), "%s.normalized", name);
    if (!gain) return graph_site(g, n, "%s.out", name);
    n = b->c->gain_from_one ? op_gain_from_one(g, n, gain) : op_gain(g, n, gain, bias);
    return graph_site(g, axes(n, "", "d_model"), "%s.out", name);
}

node *build_linear(builder *b, node *x, node *w, node *bias, int layout, int64_t first,
                   int64_t n_part, int64_t width)
{
    return op_linear(b->g, x, w, bias, (double)layout, (double)first, (double)n_part,
                     (double)width);
}

static node *head_site(builder *b, node *n, const char *thing)
{
    return build_site(b, axes(n, "head", "d_head"), thing);
}

static node *rotated(builder *b, const attention *a, node *x, const char *thing)
{
    if (!a->inv_freq) return x;
    return head_site(b,
                     op_rotary(b->g, x, a->inv_freq, 2 * a->inv_freq->n_part, a->rotary_style,
                               a->rotary_factor > 0 ? a->rotary_factor : 1),
                     thing);
}

/* Queries or keys, through a norm of each head's own where there is one. */
static node *head_norm(builder *b, const attention *a, node *x, node *gain, const char *thing)
{
    char raw[16], name[64];
    if (gain) {
        snprintf(raw, sizeof raw, "%s_raw", thing);
        snprintf(name, sizeof name, "blocks.%d.%s_norm", b->layer, thing);
        x = head_site(b, x, raw);
        int n_part = x ? x->n_part : 0;
        if (a->whole_norm) x = op_reshape(b->g, x, 1);
        x = build_norm(b, x, gain, NULL, name);
        if (a->whole_norm) x = op_reshape(b->g, x, n_part);
    }
    if (a->clip > 0) x = op_clip(b->g, x, a->clip);
    return build_reader(head_site(b, x, thing));
}

/* What is added to the stream: the part's output, or its norm. */
static node *contribution(builder *b, node *out, node *gain, const char *norm, const char *thing)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", b->layer, norm);
    return build_site(b, gain ? build_norm(b, out, gain, NULL, name) : out, thing);
}

/* Keys or values as each query head sees them: a reader of its own for `k[for=h]`. */
static node *per_query_head(builder *b, node *x, const char *thing, node **end)
{
    int times = b->c->n_head / b->c->n_kv_head;
    if (times == 1) return x;
    return *end = build_reader(head_site(b, op_repeat(b->g, x, times), thing));
}

/* Softmax, or its mixture with ones: exp(0 score) is 1 for every key, and all are seen. */
static node *pattern_of(builder *b, const attention *a, node *scores)
{
    graph *g = b->g;
    node *p = axes(op_softmax(g, scores), "head", "key");
    if (a->ones == 0) return p;
    node *one = axes(op_exp(g, axes(op_scale(g, scores, 0), "head", "key")), "head", "key");
    p = axes(op_scale(g, p, 1 - a->ones), "head", "key");
    return axes(op_add(g, p, axes(op_scale(g, one, a->ones), "head", "key")), "head", "key");
}

node *build_attention(builder *b, const attention *a)
{
    graph *g = b->g;
    model_block *block = &b->m->block[b->layer];
    node *q = head_norm(b, a, a->q, a->q_gain, "attn.q");
    node *k = head_norm(b, a, a->k, a->k_gain, "attn.k");
    node *v = build_reader(head_site(b, a->v, "attn.v"));
    q = rotated(b, a, q, "attn.rot_q");
    k = per_query_head(b, rotated(b, a, k, "attn.rot_k"), "attn.k_for", &block->k_for);
    v = per_query_head(b, v, "attn.v_for", &block->v_for);
    node *scores =
        axes(op_scores(g, q, k, a->scale, a->cap, a->window, a->both_ways), "head", "key");
    if (a->slope) {
        scores = op_alibi(g, scores, a->slope, a->slope_factor, a->slope_half);
        axes(scores, "head", "key");
    }
    build_site(b, scores, "attn.scores");
    node *pattern = build_site(b, pattern_of(b, a, scores), "attn.pattern");
    node *z = head_site(b, op_mix(g, pattern, v), "attn.z");
    node *result = axes(op_result(g, z, a->w_out, a->layout), "head", "d_model");
    build_writer(build_site(b, result, "attn.result"));
    node *bias = NULL;
    if (a->b_out) {
        bias = axes(op_broadcast(g, b->m->token, a->b_out), "", "d_model");
        build_writer(build_site(b, bias, "attn.bias"));
    }
    node *out = build_site(b, axes(op_headsum(g, result, bias), "", "d_model"), "attn.out");
    return contribution(b, out, a->post_gain, "ln1_post", "attn.contribution");
}

node *build_view(builder *b, node *x)
{
    return build_site(b, axes(op_scale(b->g, x, 1), "", "d_model"), "mlp.in");
}

node *build_activation(builder *b, node *x)
{
    const char *a = b->c->activation;
    if (!strcmp(a, "gelu_erf")) return op_gelu_erf(b->g, x);
    if (!strcmp(a, "gelu_tanh")) return op_gelu_tanh(b->g, x);
    if (!strcmp(a, "gelu_quick")) return op_gelu_quick(b->g, x);
    return !strcmp(a, "relu") ? op_relu(b->g, x) : op_silu(b->g, x);
}

static node *neurons(builder *b, node *x, node *w, node *bias, int64_t first, const mlp *p,
                     const char *thing)
{
    node *n = axes(build_linear(b, x, w, bias, p->layout, first, b->c->d_mlp, 1), "neuron", "");
    if (p->x_is_stream) build_reader(n);
    return build_site(b, n, thing);
}

node *build_mlp(builder *b, node *x, const mlp *p)
{
    node *in = neurons(b, x, p->w_in, p->b_in, 0, p, p->w_up ? "mlp.gate" : "mlp.pre");
    node *post = build_activation(b, in);
    if (p->w_up)
        post = op_multiply(b->g, post, neurons(b, x, p->w_up, p->b_up, p->up_first, p, "mlp.up"));
    build_site(b, axes(post, "neuron", ""), "mlp.post");
    node *out = axes(build_linear(b, post, p->w_out, p->b_out, p->layout, 0, 1, b->c->d_model), "",
                     "d_model");
    build_writer(build_site(b, out, "mlp.out"));
    b->m->block[b->layer].mlp_reader = p->x_is_stream ? in : build_reader(x);
    return contribution(b, out, p->post_gain, "ln2_post", "mlp.contribution");
}

/* The same numbers, however they are stored. */
static bool same_values(const weight_tensor *a, const weight_tensor *b, int64_t n)
{
    if (a->dtype == b->dtype) return !memcmp(a->data, b->data, dtype_size(a->dtype, n));
    for (int64_t i = 0; i < n; i++) {
        double x, y;
        dtype_part_f64(a->dtype, a->data, i, 1, &x);
        dtype_part_f64(b->dtype, b->data, i, 1, &y);
        if (!(x == y)) return false;
    }
    return true;
}

node *build_unembed(builder *b, node *w_e, const char *e_name, const char *u_name)
{
    if (!w_e) return NULL;
    int64_t wide = w_e->n_part; /* d_model, but where embeddings are projected */
    if (!b->c->tied) return build_weight(b, b->c->n_vocab, wide, "%s", u_name);
    weight_tensor *copy = weights_find(&b->weights, u_name), *e = weights_find(&b->weights, e_name);
    if (!copy || !e || copy == e) return w_e;
    copy->used = true;
    if (shape_is(copy, b->c->n_vocab, wide) && same_values(copy, e, b->c->n_vocab * wide))
        return w_e;
    error_set(&b->g->err, E_UNSUPPORTED,
              "config.json ties the unembedding to the embedding, and '%s' differs from '%s'",
              u_name, e_name);
    if (b->options->adapter)
        error_hint(&b->g->err, "they are one weight, of which an adapter cannot change one");
    else
        error_hint(&b->g->err,
                   "programs disagree on which is used: say \"tie_word_embeddings\": false to use "
                   "both, or remove '%s'",
                   u_name);
    return NULL;
}

node *build_logits(builder *b, node *x, node *w, node *bias, bool x_is_stream)
{
    return build_logits_as(b, x, w, bias, OUT_IN, x_is_stream);
}

node *build_logits_as(builder *b, node *x, node *w, node *bias, int layout, bool x_is_stream)
{
    node *l = axes(build_linear(b, x, w, bias, layout, 0, b->c->n_vocab_out, 1), "vocab", "");
    if (b->c->logit_cap > 0) l = axes(op_softcap(b->g, l, b->c->logit_cap), "vocab", "");
    b->m->logits = graph_site(b->g, l, "logits");
    b->m->logits_reader = build_reader(x_is_stream ? l : x);
    return b->m->logits;
}

void build_block(builder *b, int32_t layer, node *x)
{
    b->layer = layer;
    build_site(b, x, "resid_pre");
}

node *build_add(builder *b, node *x, node *y, const char *thing)
{
    return build_site(b, axes(op_add(b->g, x, y), "", "d_model"), thing);
}
/* SPDX-License-Identifier: MIT */
