/* circuits_presumed -- what the circuits' definitions presume of a model (Elhage et al. 2021: attention alone, norms folded,
 * each head with keys and values of its own, no positions in scores), and where this one is otherwise.
 *
 * A presumption is a row of RULES: which parts of weights rest on it, and a function that says how the model departs from
 * it.  A departure makes no number wrong; it says what the number is of. */
#include "instrument/circuits.h"
#include <string.h>

static node *site(const circuits *c, int layer, const char *thing)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", layer, thing);
    return graph_find(&c->w->m->g, name);
}

/* How many blocks have it. */
static int blocks_with(const circuits *c, const char *thing)
{
    int n = 0;
    for (int l = 0; l < c->w->m->config.n_layer; l++) n += site(c, l, thing) != NULL;
    return n;
}

/* ---- departures: what this model has, into `how`; nothing: it is as presumed.  Up to 42 letters: a table's width ---- */

static void more_than_tokens(const circuits *c, str *how)
{
    int n = 0, mlps = blocks_with(c, "mlp.out");
    for (int i = 0; i < c->x.n_layer; i++) n += c->x.layer[i] > 0;
    if (n)
        str_printf(how, "in %d layer%s earlier heads%s add to it", n, n > 1 ? "s" : "",
                   mlps ? ", MLPs" : "");
}

/* With MLPs, skip-trigrams are of layer 0 alone. */
static void more_than_tokens_of_all(const circuits *c, str *how)
{
    if (!c->w->m->config.d_mlp) more_than_tokens(c, how);
}

static void read_again(const circuits *c, str *how)
{
    int n = c->w->m->config.n_layer, mlps = blocks_with(c, "mlp.out");
    if (mlps) str_printf(how, "%d MLP%s", mlps, mlps > 1 ? "s" : "");
    if (n > 1) str_printf(how, "%s%d layers of heads", mlps ? ", " : "", n);
    if (how->n) str_puts(how, " also read it");
}

static void gains(const circuits *c, str *how)
{
    const char *norm = c->w->m->config.norm;
    bool centres = !strcmp(norm, "layernorm");
    if (!strcmp(norm, "none") || (c->x.gain && (!centres || c->x.centre))) return;
    if (c->x.gain) str_puts(how, "layernorm centres too (--fold all)");
    else str_printf(how, "%s's are not folded (--fold %s)", norm, centres ? "all" : "gain");
}

static void post_norms(const circuits *c, str *how)
{
    if (blocks_with(c, "ln1_post.out")) str_puts(how, "a norm changes it (ln1_post): left out");
    else if (c->w->m->config.post_norm) str_puts(how, "norms stand on the stream: left out");
}

static void embedding(const circuits *c, str *how)
{
    if (graph_find(&c->w->m->g, "embed_ln.out")) str_puts(how, "it is normed (embed_ln): left out");
}

static void positions(const circuits *c, str *how)
{
    const char *by = c->w->m->config.position;
    if (!by) return;
    if (!strcmp(by, "rotary")) str_puts(how, "rotary: as if query and key stood together");
    if (!strcmp(by, "learned")) str_puts(how, "learned positions: W_pos is left out");
    if (!strcmp(by, "alibi")) str_puts(how, "alibi: the distance's part is left out");
}

static void normed_queries(const circuits *c, str *how)
{
    if (blocks_with(c, "attn.q_raw")) str_puts(how, "they are normed: as before that norm");
}

static void shared_keys(const circuits *c, str *how)
{
    int n = c->x.n_head / c->x.n_kv;
    if (n > 1) str_printf(how, "%d heads share: QK differ by W_Q, OV by W_O", n);
}

static void softcap(const circuits *c, str *how)
{
    double cap = c->w->m->config.logit_cap;
    if (cap > 0) str_printf(how, "a softcap of %g: left out", cap);
}

static const struct {
    const char *by, *what;
    void (*departs)(const circuits *c, str *how);
} RULES[] = {
    { "copying svd", "heads read W_E", more_than_tokens },
    { "skip", "heads read W_E", more_than_tokens_of_all },
    { "copying svd skip", "only W_U reads heads", read_again },
    { "copying composition svd skip matrices", "norms have no gains", gains },
    { "copying composition svd skip matrices", "the stream takes OV as it is", post_norms },
    { "copying svd skip", "the stream begins with W_E", embedding },
    { "copying composition svd skip matrices", "scores know no positions", positions },
    { "copying composition svd skip matrices", "queries and keys are linear", normed_queries },
    { "copying composition svd skip matrices", "heads' own keys and values", shared_keys },
    { "copying svd skip", "logits are W_U's", softcap },
};

/* Those of the parts shown that rest on a rule. */
static void add_shown(str *out, const char *by, const char *shown)
{
    const char *word, *rest = shown;
    size_t n, n_word = 0, n_by = 0;
    while ((word = str_word(&rest, &n))) {
        char one[32];
        snprintf(one, sizeof one, "%.*s", (int)n, word);
        n_word++;
        if (str_listed(by, one)) str_printf(out, "%s%s", n_by++ ? ", " : "", one);
    }
    if (n_word > 1 && n_by == n_word) str_release(out), str_puts(out, "all");
}

void circuits_presumed(circuits *c, const char *shown)
{
    table *t = NULL;
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        str how = { 0 }, by = { 0 };
        RULES[i].departs(c, &how);
        add_shown(&by, RULES[i].by, shown);
        if (how.n && by.n) {
            if (!t)
                t = report_table(c->w->r, "presumed, and not so here", 3,
                                 (column[]){ { "presumed", NULL, CELL_TEXT, 0, false },
                                             { "this model", NULL, CELL_TEXT, 0, false },
                                             { "by", NULL, CELL_TEXT, 0, false } });
            table_row(t), row_text(t, "%s", RULES[i].what);
            row_text(t, "%s", how.p), row_text(t, "%s", by.p);
        }
        if (how.failed || by.failed) report_fail(c->w->r, E_NOMEM, "weights: out of memory");
        str_release(&how), str_release(&by);
    }
}
/* SPDX-License-Identifier: MIT */
