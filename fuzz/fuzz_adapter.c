/* fuzz_adapter -- up to a NUL an adapter_config.json (none: no file), after it an adapter's tensors, on the embedded model:
 * what a fork can have can be added as a model is opened, or it is refused. */
#include "model/adapter.h"
#include "scratch.h"
#include <string.h>

static void write_adapter(const uint8_t *data, size_t n)
{
    const uint8_t *zero = n ? memchr(data, 0, n) : NULL;
    size_t head = zero ? (size_t)(zero - data) : 0;
    unlink(scratch("adapter_config.json"));
    if (head) write_scratch("adapter_config.json", data, head);
    write_scratch("adapter_model.safetensors", zero ? zero + 1 : data, n - head - (zero != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static model *plain;
    model *m = NULL;
    adapter *a = NULL;
    arena mem = { 0 };
    error err = { 0 };
    if (!plain && model_open(&plain, "demo:induction", NULL, NULL)) abort();
    write_adapter(data, n);
    status st = adapter_read(&a, &mem, plain, scratch("."), &err);
    if (st != E_OK && !err.msg[0]) abort();
    for (int32_t i = 0; st == E_OK && i < a->n; i++)
        if (!a->part[i].n || a->part[i].low.rank < 1) abort();
    model_options how = { .adapter = scratch(".") };
    if (st == E_OK && model_open_with(&m, "demo:induction", &how, NULL)) abort();
    model_free(m);
    arena_release(&mem);
    return 0;
}
/* SPDX-License-Identifier: MIT */
