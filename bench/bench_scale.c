/* bench_scale -- a Llama-shaped model of a billion parameters in bf16: opened, its first token beside one reading of its
 * weights, run and swept, and the memory of that beside its file; and a small one with prompts of 1,000 to 4,000 tokens, whose memory should grow with their length.
 *
 * Every measurement is in a process of its own, so that the most memory it had is its own. */
#include "backend/backend.h"
#include "base/cpu.h"
#include "base/file.h"
#include "gpt2_shape.h"
#include "graph/sweep.h"
#include "model/model.h"
#include "sgemm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct shape {
    const char *name;
    int n_layer, n_head, n_kv, d_model, d_mlp, n_vocab, n_ctx;
} shape;

static const shape billion = { "llama-1b", 16, 32, 8, 2048, 8192, 32000, 4096 };
static const shape small = { "llama-long", 4, 8, 2, 512, 1408, 8000, 4096 };

/* ---- the file ---- */

typedef struct out {
    FILE *head, *data;
    int64_t at;
    uint32_t seed;
} out;

/* A tensor of bf16 numbers of standard deviation about 0.02, or ones. */
static void tensor(out *o, const char *name, int64_t rows, int64_t cols)
{
    enum { BLOCK = 1 << 16 };
    static uint16_t block[BLOCK];
    int64_t n = (rows ? rows : 1) * cols;
    fprintf(o->head, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[", o->at ? "," : "", name);
    if (rows) fprintf(o->head, "%lld,", (long long)rows);
    fprintf(o->head, "%lld],\"data_offsets\":[%lld,%lld]}", (long long)cols, (long long)o->at,
            (long long)(o->at + 2 * n));
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t some = n - i < BLOCK ? n - i : BLOCK;
        for (int64_t k = 0; k < some; k++) {
            o->seed = o->seed * 1664525u + 1013904223u;
            float v = rows ? (float)(int32_t)o->seed * 0x1p-31f * 0.035f : 1.0f;
            uint32_t u;
            memcpy(&u, &v, sizeof u);
            block[k] = (uint16_t)(u >> 16);
        }
        fwrite(block, 2, (size_t)some, o->data);
    }
    o->at += 2 * n;
}

static void tensors(out *o, const shape *s)
{
    static const char *const names[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                         "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                         "mlp.down_proj" };
    int64_t d = s->d_model, kv = d / s->n_head * s->n_kv, m = s->d_mlp;
    const int64_t size[][2] = { { d, d }, { kv, d }, { kv, d }, { d, d },
                                { m, d }, { m, d },  { d, m } };
    char name[96];
    tensor(o, "model.embed_tokens.weight", s->n_vocab, d);
    for (int l = 0; l < s->n_layer; l++) {
        for (int k = 0; k < 7; k++) {
            snprintf(name, sizeof name, "model.layers.%d.%s.weight", l, names[k]);
            tensor(o, name, size[k][0], size[k][1]);
        }
        snprintf(name, sizeof name, "model.layers.%d.input_layernorm.weight", l);
        tensor(o, name, 0, d);
        snprintf(name, sizeof name, "model.layers.%d.post_attention_layernorm.weight", l);
        tensor(o, name, 0, d);
    }
    tensor(o, "model.norm.weight", 0, d);
    tensor(o, "lm_head.weight", s->n_vocab, d);
}

static void write_config(const char *dir, const shape *s)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "w");
    if (!f) exit(1);
    fprintf(f,
            "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_act\":"
            "\"silu\","
            "\"hidden_size\":%d,\"intermediate_size\":%d,\"num_hidden_layers\":%d,"
            "\"num_attention_heads\":%d,\"num_key_value_heads\":%d,\"vocab_size\":%d,"
            "\"max_position_embeddings\":%d,\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,"
            "\"tie_word_embeddings\":false}\n",
            s->d_model, s->d_mlp, s->n_layer, s->n_head, s->n_kv, s->n_vocab, s->n_ctx);
    fclose(f);
}

/* Written once: the header's length is known when all tensors are, so they go to a second file first. */
static const char *model_dir(const shape *s)
{
    const char *dir = bench_dir(s->name);
    char path[1200], body[1200], *head = NULL;
    size_t n_head = 0;
    struct stat there;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (stat(path, &there) == 0) return dir;
    snprintf(body, sizeof body, "%s/body", dir);
    out o = { .head = open_memstream(&head, &n_head), .data = fopen(body, "w+b"), .seed = 7 };
    FILE *f = fopen(path, "wb");
    if (!o.head || !o.data || !f) exit(1);
    fputc('{', o.head);
    tensors(&o, s);
    fputc('}', o.head);
    fflush(o.head);
    while (n_head % 8) fputc(' ', o.head), fflush(o.head);
    uint64_t bytes = n_head;
    static char block[1 << 20];
    fwrite(&bytes, 8, 1, f), fwrite(head, 1, n_head, f);
    rewind(o.data);
    for (size_t n; (n = fread(block, 1, sizeof block, o.data)) > 0;) fwrite(block, 1, n, f);
    fclose(f), fclose(o.data), fclose(o.head), free(head), remove(body);
    write_config(dir, s);
    return dir;
}

/* ---- measuring ---- */

static void give_up(const char *what, const error *err)
{
    fprintf(stderr, "bench_scale: %s: %s\n", what, err->msg);
    _exit(1);
}

typedef struct bench {
    model *m;
    session *s;
    lane *base;
    int len;
} bench;

static lane *prompt(bench *b, lane *parent, int change)
{
    error err = { 0 };
    double *v = calloc((size_t)b->len, sizeof *v);
    lane *l = NULL;
    for (int i = 0; v && i < b->len; i++) v[i] = (double)((i * 7919 + 11) % 7000 + (i == change));
    if (!v || lane_new(&l, b->s, parent, b->len, &err) || lane_give(l, b->m->token, v, &err))
        give_up("prompt", &err);
    free(v);
    lane_keep(l);
    box last = { b->len - 1, b->len, 0, b->m->logits->n_part };
    if (lane_ask(l, b->m->logits, last, &err)) give_up("ask", &err);
    return l;
}

static status make(void *user, int64_t i, lane **l, error *err)
{
    bench *b = user;
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.resid_pre", (int)(i / 4));
    node *n = graph_find(&b->m->g, name);
    edit e = { .n = n, .kind = EDIT_SET, .w1 = n->width };
    e.where = (box){ b->len - 4 + (int32_t)(i % 4), b->len - 3 + (int32_t)(i % 4), 0, 1 };
    status st = lane_fork(l, b->base, err);
    if (st != E_OK) return st;
    lane_sweep(*l);
    st = lane_edit(*l, &e, err);
    return st == E_OK ? lane_ask(*l, b->m->logits, (box){ b->len - 1, b->len, 5, 6 }, err) : st;
}

static status take(void *user, int64_t i, lane *l, error *err)
{
    bench *b = user;
    double x;
    (void)i;
    return lane_read(l, b->m->logits, (box){ b->len - 1, b->len, 5, 6 }, &x, err);
}

static int64_t file_bytes(const shape *s)
{
    char path[1200];
    struct stat file = { 0 };
    snprintf(path, sizeof path, "%s/model.safetensors", model_dir(s));
    stat(path, &file);
    return file.st_size;
}

static engine *open_all(bench *b, const shape *s)
{
    engine *e = NULL;
    error err = { 0 };
    if (model_open(&b->m, model_dir(s), NULL, &err) || engine_open(&e, NULL, &err) ||
        session_new(&b->s, &b->m->g, e, &err))
        give_up("open", &err);
    return e;
}

static void run_now(bench *b)
{
    error err = { 0 };
    if (session_run(b->s, NULL, &err)) give_up("run", &err);
}

/* Seconds that one pass over a file takes that was just opened: pages of it are in memory, but not in this process. */
static double pass_over_file(const shape *s, int threads)
{
    char path[1200];
    file_map f;
    error err = { 0 };
    snprintf(path, sizeof path, "%s/model.safetensors", model_dir(s));
    if (file_open_map(&f, path, &err)) give_up("read", &err);
    double t = read_seconds(f.p, (int64_t)f.bytes, threads);
    file_unmap(&f);
    return t;
}

/* Open, and what comes after one token: the weights are read once, and little else is done. */
static void first_token(const shape *s, int len, int n_cell)
{
    bench b = { .len = len };
    double bytes = (double)file_bytes(s), before = pass_over_file(s, 0), t0 = clock_seconds();
    engine *e = open_all(&b, s);
    double t1 = clock_seconds();
    prompt(&b, NULL, n_cell - 1);
    run_now(&b);
    double t2 = clock_seconds(), after = pass_over_file(s, 0),
           pass = before < after ? before : after;
    double speed = read_speed(pool_threads(e->pool)) * 1e9;
    printf("%-10s %5.0f MB file: open %.3f s (at most 0.2), first token %.3f s, %.2f x one pass "
           "over the file just "
           "opened (%.3f s; at most 2), %.2f x one reading of memory that was read before, at %.1f "
           "GB/s\n",
           s->name, bytes / 1e6, t1 - t0, t2 - t1, (t2 - t1) / pass, pass,
           (t2 - t1) * speed / bytes, speed / 1e9);
}

/* Open, run a prompt, sweep so many cells; what that took. */
static void run_and_sweep(const shape *s, int len, int n_cell)
{
    bench b = { .len = len };
    error err = { 0 };
    double t0 = clock_seconds();
    open_all(&b, s);
    double t1 = clock_seconds();
    b.base = prompt(&b, NULL, -1);
    run_now(&b);
    double t2 = clock_seconds();
    int64_t done = 0;
    sweep w = { .s = b.s, .n = n_cell, .user = &b, .make = make, .take = take };
    if (n_cell && sweep_run(&w, &done, &err)) give_up("sweep", &err);
    double t3 = clock_seconds();
    struct rusage most;
    getrusage(RUSAGE_SELF, &most);
    double values = (double)session_totals(b.s)->value_bytes / 1e6,
           size = (double)file_bytes(s) / 1e6;
    printf("%-10s %5.0f MB file, %4d tokens: open %.3f s, run %.2f s, sweep of %d cells %.2f s; "
           "most memory %.0f MB, values %.0f MB, %.2f x (file + values)\n",
           s->name, size, len, t1 - t0, t2 - t1, n_cell, t3 - t2, (double)most.ru_maxrss / 1e3,
           values, (double)most.ru_maxrss / 1e3 / (size + values));
}

static void in_child(void (*measure)(const shape *s, int len, int n_cell), const shape *s, int len,
                     int n_cell)
{
    model_dir(s); /* written before there are two of us */
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        measure(s, len, n_cell);
        fflush(stdout);
        _exit(0);
    }
    int how = 0;
    if (child < 0 || waitpid(child, &how, 0) != child || how) exit(1);
}

int main(void)
{
    in_child(first_token, &billion, 1, 0);
    in_child(run_and_sweep, &billion, 16, 64);
    for (int len = 1000; len <= 4000; len *= 2) in_child(run_and_sweep, &small, len, 0);
    return 0;
}
/* SPDX-License-Identifier: MIT */
