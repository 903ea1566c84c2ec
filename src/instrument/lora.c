/* lora -- see lora.h. */
#include "instrument/lora.h"
#include "model/adapter.h"
#include <string.h>

/* One that was read, for one model (compare has two). */
struct read_adapter {
    const model *m;
    const char *path;
    const adapter *a;
    struct read_adapter *next;
};

static status nomem(error *err) { return error_set(err, E_NOMEM, "edit: out of memory"); }

static status note(work *w, const adapter *a, error *err)
{
    status st = work_file(w, a->file, err);
    if (st == E_OK && a->config) st = work_file(w, a->config, err);
    if (st == E_OK && a->warning) report_warn(w->r, "%s", a->warning);
    return st;
}

static status open_adapter(work *w, const char *path, const adapter **out, error *err)
{
    adapter *a = NULL;
    for (struct read_adapter *x = w->adapters; x; x = x->next)
        if (x->m == w->m && !strcmp(x->path, path)) return *out = x->a, E_OK;
    status st = adapter_read(&a, &w->file_mem, w->m, path, err);
    if (st == E_OK) st = note(w, a, err);
    if (st != E_OK) return st;
    struct read_adapter *x = arena_get(&w->file_mem, sizeof *x);
    if (x) *x = (struct read_adapter){ w->m, arena_string(&w->file_mem, path), a, w->adapters };
    if (!x || !x->path) return nomem(err);
    w->adapters = x, *out = a;
    return E_OK;
}

/* One edit of l made of many: low [parts] lives as long as the session. */
typedef struct giving {
    const change *c;
    const adapter *a;
    lowrank *low;
    lane *l;
} giving;

static status edit_part(const giving *x, int32_t k, box where, error *err)
{
    const adapter_part *p = &x->a->part[k];
    x->low[k] = adapter_product(p, x->c->factor);
    edit e = { .n = p->n, .where = where, .w1 = 1, .kind = EDIT_LOWRANK, .low = &x->low[k] };
    e.whole = x->low;
    return lane_edit(x->l, &e, err);
}

static status edit_all(const giving *x, error *err)
{
    status st = E_OK;
    for (int32_t k = 0; k < x->a->n && st == E_OK; k++)
        st = edit_part(x, k, node_all(x->a->part[k].n, x->l), err);
    return st;
}

static status edit_named(work *w, const giving *x, const prompt *p, error *err)
{
    const change *c = x->c;
    const adapter *a = x->a;
    address *at = NULL;
    int n = 0, met = 0;
    status st = site_find(&at, &n, &w->mem, w->m, p, c->site, err);
    for (int i = 0; st == E_OK && i < n; i++)
        for (int32_t k = 0; st == E_OK && k < a->n; k++) {
            if (a->part[k].n != at[i].n) continue;
            st = edit_part(x, k, at[i].where, err), met++;
        }
    if (st != E_OK || met) return st;
    error_set(err, E_NOSITE, "edit '%.120s': the adapter changes nothing of '%.80s'", c->text,
              c->site);
    error_hint(err, "it changes %d weights, '%.100s' among them; weights += lora(..) is all of it",
               a->n, a->part[0].weight);
    return E_NOSITE;
}

status lora_edit(work *w, const change *c, lane *l, const prompt *p, error *err)
{
    const adapter *a = NULL;
    if (c->reader)
        return error_set(err, E_USAGE, "edit '%.80s': an adapter changes weights, and no edge",
                         c->text);
    status st = open_adapter(w, c->file, &a, err);
    if (st != E_OK) return st;
    giving x = { c, a, arena_array(&w->file_mem, a->n, sizeof *x.low), l };
    if (!x.low) return nomem(err);
    return strcmp(c->site, "weights") ? edit_named(w, &x, p, err) : edit_all(&x, err);
}
/* SPDX-License-Identifier: MIT */
