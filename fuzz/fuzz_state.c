/* fuzz_state -- a letter, then any bytes: tensors without a config.json (s, p, n, b: safetensors, torch, npz, llama2.c), which
 * must say themselves what model they are; an index of shards (i); or after a NUL tensors, and before it a config.json
 * for them (c).  A model, or an error. */
#include "model/model.h"
#include "scratch.h"
#include <string.h>

static void remove_all(void)
{
    static const char *const names[] = { "config.json", "x.safetensors",
                                         "x.pt",        "x.npz",
                                         "x.bin",       "model.safetensors.index.json" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(scratch(names[i]));
}

/* Two shards with a tensor each: a, b. */
static void write_shards(void)
{
    static const float one[2] = { 1, 2 };
    for (int i = 0; i < 2; i++) {
        tensor_view t = { i ? "b" : "a", DTYPE_F32, 1, { 2 }, one, sizeof one, 0 };
        tensors_write(scratch(i ? "b.safetensors" : "a.safetensors"), &t, 1, NULL, 0, NULL);
    }
}

static void open_one(const char *path)
{
    model *m = NULL;
    error err = { 0 };
    char hash[MODEL_HASH];
    if (model_open(&m, path, NULL, &err) == E_OK) {
        if (model_hash(m, NULL, hash, NULL) != E_OK) abort();
        model_free(m);
    } else if (!err.msg[0]) abort();
}

static void open_index(const uint8_t *data, size_t n)
{
    container *c = NULL;
    error err = { 0 };
    write_scratch("model.safetensors.index.json", data, n);
    if (container_open(&c, scratch("."), &err) == E_OK) container_free(c);
    else if (!err.msg[0]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int made;
    if (!n) return 0;
    if (!made++) write_shards();
    const uint8_t *p = data + 1, *zero = NULL;
    size_t left = n - 1;
    const char *name = *data == 's'   ? "x.safetensors"
                       : *data == 'p' ? "x.pt"
                       : *data == 'n' ? "x.npz"
                                      : "x.bin";
    remove_all();
    if (*data == 'i') return open_index(p, left), 0;
    if (*data == 'c' && left && (zero = memchr(p, 0, left)) != NULL) {
        write_scratch("config.json", p, (size_t)(zero - p));
        left -= (size_t)(zero - p) + 1, p = zero + 1, name = "x.safetensors";
    }
    write_scratch(name, p, left);
    open_one(scratch(name));
    return 0;
}
/* SPDX-License-Identifier: MIT */
