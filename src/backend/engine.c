/* engine -- opens engines: the reference kernels, compiled plainly or for AVX2, and what is laid
 * over them.
 *
 * Nodes point to the canonical op_def (build 0).  Every build lists its ops in the same order, so
 * an op's place in op_all finds its kernel in any of them.  A kernel of an op that is in no list (a
 * graph's own alias, a test's toy) is its own. */
#include "backend/backend.h"
#include "backend/kernels.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "fuse/fuse_all.h"
#include "op/op_all.h"
#include <string.h>

/* A hand-written kernel and the op or fusion it replaces. */
typedef struct overlay {
    const char *name;
    const kernel *kernel;
} overlay;

#if defined __x86_64__
static const overlay avx2_overlay[] = {
    { "linear", &linear_avx2 },     { "scores", &scores_avx2 },
    { "softmax", &softmax_avx2 },   { "mix", &mix_avx2 },
    { "result", &result_avx2 },     { "attention", &attention_avx2 },
    { "attn_out", &attn_out_avx2 }, { NULL, NULL },
};
#else
#define avx2_overlay NULL
#endif

/* wide: the sources compiled for AVX2 and FMA, where the processor has them.  The same bits: fmaf
 * is exact in any case, but without the instruction it is a call, and thirty times as slow. */
/* Waking threads and waiting for them costs about as much as these multiply-adds. */
enum { WORTH_WAKING = 100000 };

typedef enum wide { WIDE_NEVER, WIDE_IF_THERE } wide;

typedef struct backend {
    const char *name;
    cpu_level level;
    wide wide;
    const overlay *overlay; /* float32 only; NULL: none */
} backend;

static const backend backends[] = {
    { "plain", CPU_PLAIN, WIDE_NEVER, NULL },
    { "reference", CPU_PLAIN, WIDE_IF_THERE, NULL },
    { "avx2", CPU_AVX2, WIDE_IF_THERE, avx2_overlay },
};
enum { N_BACKEND = sizeof backends / sizeof *backends };

typedef struct engine_whole {
    engine e; /* first: an engine * is also one of these */
    int32_t n_op, n_fuse;
    const kernel **op, **fuse; /* by place in op_all, fuse_all */
    size_t bytes;
} engine_whole;

const char *backend_name(int i) { return i >= 0 && i < N_BACKEND ? backends[i].name : NULL; }

static const backend *backend_find(const char *name)
{
    for (int i = 0; i < N_BACKEND; i++)
        if (!strcmp(backends[i].name, name)) return &backends[i];
    return NULL;
}

bool backend_usable(const char *name)
{
    const backend *b = backend_find(name);
    return b && cpu_detect() >= b->level;
}

/* ---- looking kernels up ---- */

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

static const kernel *never_fused(const engine *e, const fuse_def *f)
{
    (void)e, (void)f;
    return NULL;
}

static const kernel *overlay_of(const overlay *o, const char *name)
{
    for (; o && o->name; o++)
        if (!strcmp(o->name, name)) return o->kernel;
    return NULL;
}

static void tables_fill(engine_whole *w, const backend *b, bool f64)
{
    bool v3 = b->wide == WIDE_IF_THERE && cpu_detect() >= CPU_AVX2 && op_all_v3[0];
    const op_def *const *op = f64 ? (v3 ? op_all_f64v3 : op_all_f64) : v3 ? op_all_v3 : op_all;
    const fuse_def *const *fuse = f64  ? (v3 ? fuse_all_f64v3 : fuse_all_f64)
                                  : v3 ? fuse_all_v3
                                       : fuse_all;
    const overlay *over = f64 ? NULL : b->overlay;
    for (int32_t i = 0; i < w->n_op; i++) {
        const kernel *k = overlay_of(over, op[i]->name);
        w->op[i] = k ? k : &op[i]->kernel;
    }
    for (int32_t i = 0; i < w->n_fuse; i++) {
        const kernel *k = overlay_of(over, fuse[i]->name);
        w->fuse[i] = k ? k : &fuse[i]->kernel;
    }
}

/* ---- opening ---- */

static status choose(const backend **out, const char *name, error *err)
{
    if (!name || !strcmp(name, "auto")) {
        int i = N_BACKEND - 1;
        while (cpu_detect() < backends[i].level) i--; /* the first needs nothing */
        *out = &backends[i];
        return E_OK;
    }
    const backend *b = backend_find(name);
    if (!b) {
        error_set(err, E_USAGE, "backend \"%s\": there is none of that name", name);
        error_hint(err, "use auto, plain, reference or avx2");
        return E_USAGE;
    }
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
    const backend *b = NULL;
    if (!o) o = &usual;
    bool f64 = o->precision && !strcmp(o->precision, "f64");
    status st = choose(&b, o->backend, err);
    if (st != E_OK) return st;
    if (o->precision && !f64 && strcmp(o->precision, "f32"))
        return error_set(err, E_USAGE, "precision \"%s\": must be f32 or f64", o->precision);
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return error_set(err, E_RANGE, "threads: %d, must be 0 (all) to %d", o->threads,
                         MAX_THREADS);
    engine_whole *w = whole_new();
    if (!w) goto nomem;
    tables_fill(w, b, f64);
    w->e = (engine){ .name = b->name,
                     .real_bytes = f64 ? 8 : 4,
                     .kernel_of = kernel_of,
                     .fused_of = o->no_fuse ? never_fused : fused_of,
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
