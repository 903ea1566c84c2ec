/* instrument: sites -- the names of activations and weights, with their axes. */
#include "instrument/work.h"
#include <string.h>

static const param params[] = {
    { "match", PARAM_TEXT, "*",
      "only names that match, * for a part: blocks.0.attn.*, resid_post.*", ROLE_WHAT },
    { "weights", PARAM_FLAG, NULL, "weights too", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

static bool matches(const char *glob, const char *name)
{
    return !strcmp(glob, "*") || glob_match(glob, name);
}

static void write_site(table *t, const char *name, const node *n)
{
    char axes[80], shape[80];
    site_axes(n, axes, sizeof axes), site_shape(n, shape, sizeof shape);
    table_row(t), row_text(t, "%s", name), row_text(t, "%s", axes), row_text(t, "%s", shape);
    row_text(t, "%s",
             n->extent == WEIGHT ? "weight"
             : n->writer         ? "writer"
             : n->reader         ? "reader"
                                 : "");
}

/* A name of another tool, as everywhere else: every site it means. */
static int other_name(work *w, table *t, const char *text)
{
    address *a;
    int n = 0;
    if (site_find(&a, &n, &w->mem, w->m, NULL, text, NULL) != E_OK) return 0;
    for (int i = 0; i < n; i++) write_site(t, a[i].name, a[i].n);
    return n;
}

static status run(work *w, error *err)
{
    const char *glob = work_text(w, "match");
    bool weights = work_flag(w, "weights");
    int n = 0;
    table *t = report_table(w->r, "sites", 4,
                            (column[]){ { "site", NULL, CELL_TEXT, 0, false },
                                        { "axes", NULL, CELL_TEXT, 0, false },
                                        { "shape", NULL, CELL_TEXT, 0, false },
                                        { "stream", NULL, CELL_TEXT, 0, false } });
    for (int32_t i = 0; i < w->m->g.n_site; i++) {
        const struct site *s = &w->m->g.site[i];
        if ((!s->n->op && !(weights && s->n->extent == WEIGHT)) || !matches(glob, s->name))
            continue;
        write_site(t, s->name, s->n);
        n++;
    }
    report_note(w->r,
                "Writers add to the residual stream, readers read it: WRITER -> READER is an edge. "
                "Names of TransformerLens, nnterp and interp-engine are understood too.");
    if (n || other_name(w, t, glob)) return E_OK;
    char near[300];
    site_nearest(w->m, glob, near, sizeof near);
    error_set(err, E_NOSITE, "no site matches '%.100s'", glob);
    if (*near) error_hint(err, "did you mean %s?", near);
    return E_NOSITE;
}

const instrument_def instrument_sites_def = { .name = "sites",
                                              .says = "Names of activations, with their axes",
                                              .subject = "MODEL",
                                              .needs = NEEDS_MODEL,
                                              .param = params,
                                              .run = run };
/* SPDX-License-Identifier: MIT */
