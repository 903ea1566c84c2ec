/* engine -- opens engines: the op sources, compiled for one machine or another, and what a backend lays over them.
 *
 * Nodes point to the canonical op_def (build 0).  Every build lists its ops in the same order, so
 * an op's place in op_all finds its kernel in any of them.  A kernel of an op that is in no list (a
 * graph's own alias, a test's toy) is its own. */
#include "backend/backend.h"
#include "backend/fast.h"
#include "backend/backend_def.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "fuse/fuse_all.h"
#include "op/op_all.h"
#include <stdio.h>
#include <string.h>

/* Waking threads and waiting for them costs about as much as these multiply-adds. */
enum { WORTH_WAKING = 100000 };

#define FAST_HINT                                                                                  \
    "use f32, on all cores; AMX: Intel Xeon since 2023, AVX-512 VNNI: Intel since 2019, AMD "      \
    "since Zen 4"

typedef struct engine_whole {
    engine e; /* first: an engine * is also one of these */
    fast fast;
    int32_t n_op, n_fuse;
    const kernel **op, **fuse; /* by place in op_all, fuse_all */
    size_t bytes;
} engine_whole;

const char *backend_name(int i)
{
    for (int k = 0; backend_all[k]; k++) { /* the one that i others are slower than */
        int slower = 0;
        for (int j = 0; backend_all[j]; j++) slower += backend_all[j]->rank < backend_all[k]->rank;
        if (slower == i) return backend_all[k]->name;
    }
    return NULL;
}

static const backend_def *backend_find(const char *name)
{
    for (int i = 0; backend_all[i]; i++)
        if (!strcmp(backend_all[i]->name, name)) return backend_all[i];
    return NULL;
}

bool backend_usable(const char *name)
{
    const backend_def *b = backend_find(name);
    return b && cpu_detect() >= b->level;
}

/* ---- looking kernels up ---- */

static const kernel *overlay_find(const struct overlay *o, const char *name)
{
    for (; o->name; o++)
        if (!strcmp(o->name, name)) return o->kernel;
    return NULL;
}

static const kernel *kernel_of(const engine *e, const op_def *op)
{
    const engine_whole *w = (const engine_whole *)(const void *)e;
    for (int32_t i = 0; i < w->n_op; i++)
        if (op_all[i] == op) return w->op[i];
    return &op->kernel;
}

static const kernel *fused_of(const engine *e, const fuse_def *f)
{
    const engine_whole *w = (const engine_whole *)(const void *)e;
    for (int32_t i = 0; i < w->n_fuse; i++)
        if (fuse_all[i] == f) return w->fuse[i];
    return NULL;
}

static const kernel *by_weights(const engine *e, const batch *b, const kernel *k)
{
    const engine_whole *w = (const engine_whole *)(const void *)e;
    if (!fast_takes(b)) return k;
    const kernel *own =
        overlay_find(w->fast.blocks, b->fusion ? b->fusion->def->name : b->n->op->name);
    return own ? own : k;
}

static const kernel *never_fused(const engine *e, const fuse_def *f)
{
    (void)e, (void)f;
    return NULL;
}

static void tables_fill(engine_whole *w, const backend_def *b, bool f64)
{
    cpu_level ops = cpu_detect() < b->ops ? cpu_detect() : b->ops;
    bool v3 = ops >= CPU_AVX2 && op_all_v3[0], v4 = ops >= CPU_AVX512 && op_all_v4[0];
    const op_def *const *op = f64  ? (v3 ? op_all_f64v3 : op_all_f64)
                              : v4 ? op_all_v4
                              : v3 ? op_all_v3
                                   : op_all;
    const fuse_def *const *fuse = f64  ? (v3 ? fuse_all_f64v3 : fuse_all_f64)
                                  : v4 ? fuse_all_v4
                                  : v3 ? fuse_all_v3
                                       : fuse_all;
    for (int32_t i = 0; i < w->n_op; i++) {
        const kernel *k = f64 ? NULL : overlay_find(b->overlay, op[i]->name);
        w->op[i] = k ? k : &op[i]->kernel;
    }
    for (int32_t i = 0; i < w->n_fuse; i++) {
        const kernel *k = f64 ? NULL : overlay_find(b->overlay, fuse[i]->name);
        w->fuse[i] = k ? k : &fuse[i]->kernel;
    }
}

/* ---- opening ---- */

/* Which of the three; the kernels of "fast" there. */
static status precision_of(const engine_options *o, const char **name, fast *f, error *err)
{
    static const char *const names[] = { "f32", "f64", "fast" };
    *name = NULL, *f = (fast){ 0 };
    for (int i = 0; i < 3; i++)
        if (!strcmp(o->precision ? o->precision : "f32", names[i])) *name = names[i];
    if (!*name)
        return error_set(err, E_USAGE, "precision \"%.40s\": must be f32, f64 or fast",
                         o->precision);
    if (strcmp(*name, "fast")) return E_OK;
    *f = fast_here(o->emulate);
    if (f->floats || f->blocks) return E_OK;
    error_set(err, E_UNSUPPORTED,
              "precision \"fast\": needs matrix units for bf16 (AMX) or, for weights in blocks, "
              "AVX-512 VNNI; this processor, system or build has neither");
    error_hint(err, FAST_HINT);
    return E_UNSUPPORTED;
}

/* Weights of floats and in blocks that products have. */
static void count_weights(const graph *g, int *n_float, int *n_block)
{
    *n_float = *n_block = 0;
    for (int32_t i = 0; i < g->n_own; i++) {
        const node *n = g->own[i], *w = n->op && n->n_in > 1 ? n->in[1] : NULL;
        if (!w || w->extent != WEIGHT || strcmp(n->op->name, "linear")) continue;
        ++*(dtype_is_block(w->weight.dtype) ? n_block : n_float);
    }
}

engine_fast engine_fast_for(const engine *e, const graph *g)
{
    const engine_whole *w = (const engine_whole *)(const void *)e;
    int n_float, n_block;
    count_weights(g, &n_float, &n_block);
    return (engine_fast){ .floats = w->fast.floats && n_float,
                          .blocks = w->fast.blocks && n_block };
}

status engine_check(const engine *e, const graph *g, error *err)
{
    const engine_whole *w = (const engine_whole *)(const void *)e;
    engine_fast f = engine_fast_for(e, g);
    if (strcmp(e->precision, "fast") || f.floats || f.blocks) return E_OK;
    error_set(err, E_UNSUPPORTED,
              w->fast.blocks
                  ? "precision \"fast\": needs matrix units for bf16 (AMX) for weights of "
                    "floats; this processor's VNNI serves weights in blocks (GGUF), and "
                    "the model has none"
                  : "precision \"fast\": needs AVX-512 VNNI for weights in blocks; this "
                    "processor's matrix units (AMX) serve weights of floats, and the "
                    "model has none");
    error_hint(err, FAST_HINT);
    return E_UNSUPPORTED;
}

static status no_backend(const char *name, error *err)
{
    char names[120] = "auto";
    for (int i = 0; backend_name(i); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ", %s", backend_name(i));
    error_set(err, E_USAGE, "backend \"%.40s\": there is none of that name", name);
    error_hint(err, "there are %s", names);
    return E_USAGE;
}

static status choose(const backend_def **out, const char *name, error *err)
{
    if (!name || !strcmp(name, "auto"))
        for (int i = 0; backend_name(i); i++)
            if (backend_usable(backend_name(i))) name = backend_name(i);
    const backend_def *b = backend_find(name);
    if (!b) return no_backend(name, err);
    if (cpu_detect() < b->level) {
        error_set(err, E_UNSUPPORTED, "backend \"%s\": needs %s, this processor has %s", name,
                  cpu_name(b->level), cpu_name(cpu_detect()));
        error_hint(err, "use auto or reference: the results are the same, bit for bit");
        return E_UNSUPPORTED;
    }
    *out = b;
    return E_OK;
}

static engine_whole *whole_new(void)
{
    int32_t n_op = 0, n_fuse = 0;
    while (op_all[n_op]) n_op++;
    while (fuse_all[n_fuse]) n_fuse++;
    size_t bytes = sizeof(engine_whole) + (size_t)(n_op + n_fuse) * sizeof(kernel *);
    engine_whole *w = mem_zero(bytes);
    if (!w) return NULL;
    w->n_op = n_op;
    w->n_fuse = n_fuse;
    w->op = (const kernel **)(void *)(w + 1);
    w->fuse = w->op + n_op;
    w->bytes = bytes;
    return w;
}

enum { MAX_THREADS = 1024 };

status engine_open(engine **out, const engine_options *o, error *err)
{
    static const engine_options usual = { 0 };
    const backend_def *b = NULL;
    if (!o) o = &usual;
    const char *precision;
    fast f;
    status st = choose(&b, o->backend, err);
    if (st == E_OK) st = precision_of(o, &precision, &f, err);
    if (st != E_OK) return st;
    bool f64 = !strcmp(precision, "f64");
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return error_set(err, E_RANGE, "threads: %d, must be 0 (all) to %d", o->threads,
                         MAX_THREADS);
    engine_whole *w = whole_new();
    if (!w) goto nomem;
    tables_fill(w, b, f64);
    for (int32_t i = 0; f.floats && i < w->n_op; i++)
        if (!strcmp(op_all[i]->name, "linear")) w->op[i] = f.floats;
    w->fast = f;
    w->e = (engine){ .name = b->name,
                     .precision = precision,
                     .real_bytes = f64 ? 8 : 4,
                     .kernel_of = kernel_of,
                     .fused_of = o->no_fuse ? never_fused : fused_of,
                     .by_weights = f.blocks ? by_weights : NULL,
                     .fuse = fuse_all,
                     .wake = WORTH_WAKING };
    w->e.pool = o->threads == 1 ? NULL : pool_new(o->threads);
    if (o->threads != 1 && !w->e.pool) goto nomem;
    *out = &w->e;
    return E_OK;
nomem:
    engine_free(w ? &w->e : NULL);
    return error_set(err, E_NOMEM, "engine: out of memory");
}

void engine_free(engine *e)
{
    engine_whole *w = (engine_whole *)(void *)e;
    if (!w) return;
    pool_free(w->e.pool);
    mem_free(w, w->bytes);
}
/* SPDX-License-Identifier: MIT */
