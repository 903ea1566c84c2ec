/* fuzz_gguf -- any bytes as a .gguf file: opened or refused, every number readable; its tokenizer, template and model too. */
#include "chat/chat.h"
#include "format/format.h"
#include "model/model.h"
#include "scratch.h"
#include "token/tokenizer.h"

static void read_all(const container *c)
{
    for (int32_t i = 0; i < container_count(c); i++) {
        const tensor_view *t = container_at(c, i);
        double x[64];
        for (int64_t k = 0, n = tensor_count(t); k < n; k += 64)
            tensor_values(t, k, n - k < 64 ? n - k : 64, x);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    container *c = NULL;
    tokenizer *t = NULL;
    chat *words = NULL;
    model *m = NULL;
    error err = { 0 };
    write_scratch("x.gguf", data, n);
    if (container_open(&c, scratch("x.gguf"), &err) != E_OK) {
        if (!err.msg[0]) abort(); /* an error says what */
        return 0;
    }
    read_all(c);
    tokenizer_from_container(&t, c, "x.gguf", NULL);
    chat_open(&words, scratch("x.gguf"), NULL);
    model_open(&m, scratch("x.gguf"), NULL, NULL);
    model_free(m), chat_free(words), tokenizer_free(t), container_free(c);
    return 0;
}
/* SPDX-License-Identifier: MIT */
