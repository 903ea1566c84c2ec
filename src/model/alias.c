/* alias -- see alias.h.  '@' stands for a layer: digits, or '*'. */
#include "model/alias.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct alias {
    const char *theirs, *ours, *or_ours; /* or_ours: where the model has no site `ours` */
    const char *why;                     /* refused, because */
} alias;

static const alias table[] = {
    /* TransformerLens */
    { "hook_embed", "embed", NULL, NULL },
    { "hook_pos_embed", "pos_embed", NULL, NULL },
    { "blocks.@.hook_resid_pre", "blocks.@.resid_pre", NULL, NULL },
    { "blocks.@.hook_resid_mid", "blocks.@.resid_mid", NULL, NULL },
    { "blocks.@.hook_resid_post", "blocks.@.resid_post", NULL, NULL },
    { "blocks.@.attn.hook_q", "blocks.@.attn.q", NULL, NULL },
    { "blocks.@.attn.hook_k", "blocks.@.attn.k", NULL, NULL },
    { "blocks.@.attn.hook_v", "blocks.@.attn.v", NULL, NULL },
    { "blocks.@.attn.hook_z", "blocks.@.attn.z", NULL, NULL },
    { "blocks.@.attn.hook_rot_q", "blocks.@.attn.rot_q", NULL, NULL },
    { "blocks.@.attn.hook_rot_k", "blocks.@.attn.rot_k", NULL, NULL },
    { "blocks.@.attn.hook_attn_scores", "blocks.@.attn.scores", NULL, NULL },
    { "blocks.@.attn.hook_pattern", "blocks.@.attn.pattern", NULL, NULL },
    { "blocks.@.attn.hook_result", "blocks.@.attn.result", NULL, NULL },
    { "blocks.@.hook_attn_out", "blocks.@.attn.contribution", NULL, NULL },
    { "blocks.@.hook_mlp_out", "blocks.@.mlp.contribution", NULL, NULL },
    { "blocks.@.mlp.hook_pre", "blocks.@.mlp.pre", "blocks.@.mlp.gate", NULL },
    { "blocks.@.mlp.hook_pre_linear", "blocks.@.mlp.up", NULL, NULL },
    { "blocks.@.mlp.hook_post", "blocks.@.mlp.post", NULL, NULL },
    { "blocks.@.hook_mlp_in", "blocks.@.ln2.out", NULL, NULL },
    { "blocks.@.mlp.hook_in", "blocks.@.ln2.out", NULL, NULL },
    { "blocks.@.ln1.hook_scale", "blocks.@.ln1.scale", NULL, NULL },
    { "blocks.@.ln2.hook_scale", "blocks.@.ln2.scale", NULL, NULL },
    { "ln_final.hook_scale", "ln_final.scale", NULL, NULL },
    { "blocks.@.ln1.hook_normalized", "blocks.@.ln1.normalized", NULL, NULL },
    { "blocks.@.ln2.hook_normalized", "blocks.@.ln2.normalized", NULL, NULL },
    { "ln_final.hook_normalized", "ln_final.normalized", NULL, NULL },
    { "blocks.@.hook_attn_in", NULL, NULL,
      "what one reader sees of the stream is an edge: WRITER -> blocks.N.attn.q[head=h]" },
    { "blocks.@.hook_q_input", NULL, NULL,
      "what one head's query sees is an edge: WRITER -> blocks.N.attn.q[head=h]" },
    { "blocks.@.hook_k_input", NULL, NULL,
      "what one head's key sees is an edge: WRITER -> blocks.N.attn.k[for=h]" },
    { "blocks.@.hook_v_input", NULL, NULL,
      "what one head's value sees is an edge: WRITER -> blocks.N.attn.v[for=h]" },
    /* its bridge */
    { "embed.hook_out", "embed", NULL, NULL },
    { "pos_embed.hook_out", "pos_embed", NULL, NULL },
    { "unembed.hook_out", "logits", NULL, NULL },
    { "blocks.@.hook_in", "blocks.@.resid_pre", NULL, NULL },
    { "blocks.@.hook_out", "blocks.@.resid_post", NULL, NULL },
    { "blocks.@.attn.hook_out", "blocks.@.attn.out", NULL, NULL },
    { "blocks.@.mlp.hook_out", "blocks.@.mlp.out", NULL, NULL },
    { "blocks.@.attn.q.hook_out", "blocks.@.attn.q", NULL, NULL },
    { "blocks.@.attn.k.hook_out", "blocks.@.attn.k", NULL, NULL },
    { "blocks.@.attn.v.hook_out", "blocks.@.attn.v", NULL, NULL },
    { "blocks.@.ln1.hook_out", "blocks.@.ln1.out", NULL, NULL },
    { "blocks.@.ln2.hook_out", "blocks.@.ln2.out", NULL, NULL },
    { "ln_final.hook_out", "ln_final.out", NULL, NULL },
    /* nnterp */
    { "layers_input[@]", "blocks.@.resid_pre", NULL, NULL },
    { "layers_output[@]", "blocks.@.resid_post", NULL, NULL },
    { "attentions_output[@]", "blocks.@.attn.out", NULL, NULL },
    { "mlps_output[@]", "blocks.@.mlp.out", NULL, NULL },
    { "mlps_input[@]", "blocks.@.ln2.out", NULL, NULL },
    { "attention_probabilities[@]", "blocks.@.attn.pattern", NULL, NULL },
    /* interp-engine */
    { "resid_pre.@", "blocks.@.resid_pre", NULL, NULL },
    { "resid_mid.@", "blocks.@.resid_mid", NULL, NULL },
    { "resid_post.@", "blocks.@.resid_post", NULL, NULL },
    { "attn_out.@", "blocks.@.attn.out", NULL, NULL },
    { "attn_out_post.@", "blocks.@.attn.contribution", NULL, NULL },
    { "mlp_out.@", "blocks.@.mlp.out", NULL, NULL },
    { "mlp_out_post.@", "blocks.@.mlp.contribution", NULL, NULL },
    { "mlp_in.@", "blocks.@.ln2.out", NULL, NULL },
    { "attn_probs.@", "blocks.@.attn.pattern", NULL, NULL },
    { "z.@", "blocks.@.attn.z", NULL, NULL },
    { "mlp_pre.@", "blocks.@.mlp.pre", "blocks.@.mlp.gate", NULL },
    { "mlp_act.@", "blocks.@.mlp.post", NULL, NULL },
    { "lm_head", "logits", NULL, NULL },
};

/* Does text fit, and what is the layer? */
static bool fits(const char *theirs, const char *text, const char **layer, int *n)
{
    const char *at = strchr(theirs, '@');
    if (!at) return !strcmp(theirs, text);
    size_t before = (size_t)(at - theirs);
    if (strncmp(theirs, text, before)) return false;
    *layer = text + before;
    *n = **layer == '*' ? 1 : (int)strspn(*layer, "0123456789");
    return *n > 0 && *n < 10 && !strcmp(at + 1, *layer + *n);
}

static void write(char out[ALIAS_BYTES], const char *ours, const char *layer, int n)
{
    const char *at = strchr(ours, '@');
    if (at) snprintf(out, ALIAS_BYTES, "%.*s%.*s%s", (int)(at - ours), ours, n, layer, at + 1);
    else snprintf(out, ALIAS_BYTES, "%s", ours);
}

int alias_find(const char *text, char out[ALIAS_NAMES][ALIAS_BYTES], const char **why)
{
    const char *layer = NULL;
    int n = 0;
    *why = NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const alias *a = &table[i];
        if (!fits(a->theirs, text, &layer, &n)) continue;
        *why = a->why;
        if (a->why) return 0;
        write(out[0], a->ours, layer, n);
        if (a->or_ours) write(out[1], a->or_ours, layer, n);
        return a->or_ours ? 2 : 1;
    }
    return 0;
}
/* SPDX-License-Identifier: MIT */
