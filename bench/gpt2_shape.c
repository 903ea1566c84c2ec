/* gpt2_shape -- see gpt2_shape.h. */
#include "gpt2_shape.h"
#include "base/rand.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const gpt2_shape gpt2_small = { 12, 12, 768, 50257, 1024 };

const char *bench_dir(const char *name)
{
    static char path[1024];
    const char *root = getenv("MICROTOME_BENCH");
    snprintf(path, sizeof path, "%s", root ? root : "build/bench");
    mkdir(path, 0777);
    snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name);
    mkdir(path, 0777);
    return path;
}

/* One tensor: name and up to two dimensions. */
typedef struct tensor {
    char name[64];
    int64_t rows, cols; /* rows 0: a vector */
    float centre;
} tensor;

enum { MAX_TENSOR = 2000 };

static int list(gpt2_shape s, tensor *t)
{
    int n = 0, d = s.d_model;
    t[n++] = (tensor){ "transformer.wte.weight", s.n_vocab, d, 0 };
    t[n++] = (tensor){ "transformer.wpe.weight", s.n_ctx, d, 0 };
    for (int i = 0; i < s.n_layer; i++) {
        static const struct {
            const char *name;
            int rows, cols, one;
        } part[] = {
            { "ln_1.weight", 0, 1, 1 },        { "ln_1.bias", 0, 1, 0 },
            { "attn.c_attn.weight", 1, 3, 0 }, { "attn.c_attn.bias", 0, 3, 0 },
            { "attn.c_proj.weight", 1, 1, 0 }, { "attn.c_proj.bias", 0, 1, 0 },
            { "ln_2.weight", 0, 1, 1 },        { "ln_2.bias", 0, 1, 0 },
            { "mlp.c_fc.weight", 1, 4, 0 },    { "mlp.c_fc.bias", 0, 4, 0 },
            { "mlp.c_proj.weight", 4, 1, 0 },  { "mlp.c_proj.bias", 0, 1, 0 },
        };
        for (size_t k = 0; k < sizeof part / sizeof *part; k++, n++) {
            snprintf(t[n].name, sizeof t[n].name, "transformer.h.%d.%s", i, part[k].name);
            t[n].rows = (int64_t)part[k].rows * d, t[n].cols = (int64_t)part[k].cols * d;
            t[n].centre = (float)part[k].one;
        }
    }
    t[n++] = (tensor){ "transformer.ln_f.weight", 0, d, 1 };
    t[n++] = (tensor){ "transformer.ln_f.bias", 0, d, 0 };
    return n;
}

static int64_t numbers(const tensor *t) { return (t->rows ? t->rows : 1) * t->cols; }

/* The header, padded so that the data is aligned. */
static char *header(const tensor *t, int n)
{
    static char text[1 << 18];
    int64_t at = 0;
    size_t k = (size_t)snprintf(text, sizeof text, "{");
    for (int i = 0; i < n; i++) {
        char shape[64];
        if (t[i].rows) snprintf(shape, sizeof shape, "%" PRId64 ",%" PRId64, t[i].rows, t[i].cols);
        else snprintf(shape, sizeof shape, "%" PRId64, t[i].cols);
        k +=
            (size_t)snprintf(text + k, sizeof text - k,
                             "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%" PRId64
                             ",%" PRId64 "]}",
                             i ? "," : "", t[i].name, shape, at, at + 4 * numbers(&t[i]));
        at += 4 * numbers(&t[i]);
    }
    k += (size_t)snprintf(text + k, sizeof text - k, "}");
    while (k % 64 != 56) text[k++] = ' ';
    text[k] = 0;
    return text;
}

/* Sums of four uniform numbers are near enough to normal, and quick to make. */
static bool write_numbers(FILE *f, const tensor *t, uint32_t stream)
{
    static float v[1 << 14];
    int64_t n = numbers(t), step = (int64_t)(sizeof v / sizeof *v);
    for (int64_t at = 0; at < n; at += step) {
        int64_t m = n - at < step ? n - at : step;
        for (int64_t i = 0; i < m; i++) {
            uint32_t b = rand_bits(7, stream, (uint64_t)(at + i));
            int sum = (int)(b & 255) + (int)(b >> 8 & 255) + (int)(b >> 16 & 255) + (int)(b >> 24);
            v[i] = t->centre + 0.02f * (float)(sum - 510) / 147.8f;
        }
        if (fwrite(v, sizeof *v, (size_t)m, f) != (size_t)m) return false;
    }
    return true;
}

static bool write_config(const char *path, gpt2_shape s)
{
    FILE *f = fopen(path, "w");
    if (!f) return false;
    fprintf(f,
            "{\"model_type\":\"gpt2\",\"n_layer\":%d,\"n_head\":%d,\"n_embd\":%d,\"vocab_size\":%d,"
            "\"n_positions\":%d,"
            "\"activation_function\":\"gelu_new\",\"layer_norm_epsilon\":1e-05}\n",
            s.n_layer, s.n_head, s.d_model, s.n_vocab, s.n_ctx);
    return fclose(f) == 0;
}

int gpt2_write(const char *dir, gpt2_shape s)
{
    static tensor t[MAX_TENSOR];
    char path[1200], config[1200];
    struct stat st;
    int n = list(s, t);
    const char *text = header(t, n);
    uint64_t head = strlen(text);
    int64_t bytes = 8 + (int64_t)head;
    for (int i = 0; i < n; i++) bytes += 4 * numbers(&t[i]);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    snprintf(config, sizeof config, "%s/config.json", dir);
    if (!write_config(config, s)) return 1;
    if (stat(path, &st) == 0 && st.st_size == bytes) return 0;
    FILE *f = fopen(path, "wb");
    if (!f) return 1;
    bool fine = fwrite(&head, 8, 1, f) == 1 && fwrite(text, 1, head, f) == head;
    for (int i = 0; fine && i < n; i++) fine = write_numbers(f, &t[i], (uint32_t)i);
    return fclose(f) != 0 || !fine;
}
/* SPDX-License-Identifier: MIT */
