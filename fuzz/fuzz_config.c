/* fuzz_config -- any bytes as config.json beside a small checkpoint: a model, or an error. */
#include "format/format.h"
#include "model/model.h"
#include "scratch.h"

static void checkpoint(void)
{
    static const float zero[64] = { 0 };
    tensor_view t[] = {
        { "transformer.wte.weight", DTYPE_F32, 2, { 4, 2 }, zero, 32, 0 },
        { "transformer.wpe.weight", DTYPE_F32, 2, { 4, 2 }, zero, 32, 0 },
        { "transformer.h.0.attn.c_attn.weight", DTYPE_F32, 2, { 2, 6 }, zero, 48, 0 },
        { "transformer.h.0.attn.c_proj.weight", DTYPE_F32, 2, { 2, 2 }, zero, 16, 0 }
    };
    tensors_write(scratch("model.safetensors"), t, 4, NULL, 0, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int made;
    model *m = NULL;
    error err = { 0 };
    if (!made++) checkpoint();
    write_scratch("config.json", data, n);
    if (model_open(&m, scratch("."), NULL, &err) == E_OK) model_free(m);
    else if (!err.msg[0]) abort(); /* an error says what */
    return 0;
}
/* SPDX-License-Identifier: MIT */
