/* instrument: info -- what a model is: configuration, weights, tokenizer, warnings. */
#include "instrument/work.h"
#include <string.h>

static void fact(table *t, const char *name, const char *value)
{
    table_row(t), row_text(t, "%s", name), row_text(t, "%s", value);
}

static void number(table *t, const char *name, long long value)
{
    table_row(t), row_text(t, "%s", name), row_text(t, "%lld", value);
}

static status run(work *w, error *err)
{
    const model *m = w->m;
    const model_config *c = &m->config;
    table *t = report_table(w->r, "model", 2,
                            (column[]){ { "what", NULL, CELL_TEXT, 0, false },
                                        { "value", NULL, CELL_TEXT, 0, false } });
    (void)err;
    fact(t, "architecture", c->arch), fact(t, "format", m->format);
    number(t, "layers", c->n_layer), number(t, "heads", c->n_head);
    if (c->n_kv_head != c->n_head) number(t, "key and value heads", c->n_kv_head);
    number(t, "d_model", c->d_model), number(t, "d_head", c->d_head);
    if (c->d_mlp) number(t, "d_mlp", c->d_mlp);
    number(t, "vocabulary", c->n_vocab), number(t, "longest prompt", c->n_ctx);
    fact(t, "norm", c->norm), fact(t, "positions", c->position);
    if (c->d_mlp) fact(t, "activation", c->activation), fact(t, "gated", c->gated ? "yes" : "no");
    if (!strcmp(c->position, "rotary"))
        table_row(t), row_text(t, "rope theta"),
            row_text(t, "%g (%s)", c->rope_theta, c->rope_scaling);
    fact(t, "unembedding", c->tied ? "the embedding" : "its own");
    number(t, "parameters", m->n_weight), number(t, "bytes of weights", m->weight_bytes),
        number(t, "sites", m->n_site);
    if (m->tokens) {
        table_row(t), row_text(t, "tokenizer"),
            row_text(t, "%s, %d tokens", tokenizer_kind(m->tokens), tokenizer_count(m->tokens));
        fact(t, "BOS",
             tokenizer_bos(m->tokens) < 0    ? "none"
             : tokenizer_adds_bos(m->tokens) ? "added by itself"
                                             : "on request (--bos)");
    } else fact(t, "tokenizer", "none: prompts are token ids");
    report_note(w->r,
                "Weights are used as they are stored: nothing is folded, centred or rounded.");
    return E_OK;
}

const instrument_def instrument_info_def = {
    .name = "info", .says = "What a model is", .subject = "MODEL", .needs = NEEDS_MODEL, .run = run
};
/* SPDX-License-Identifier: MIT */
