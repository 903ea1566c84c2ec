/* fuzz_pytorch -- any bytes as what torch.save writes: tensors that can be read to their last byte, or an error. */
#include "base/error.h"
#include "format/format.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char hash[CONTAINER_HASH];
    container *c = NULL;
    error err = { 0 };
    write_scratch("x.pt", data, n);
    if (container_open(&c, scratch("x.pt"), &err) != E_OK) {
        if (!err.msg[0]) abort();
        return 0;
    }
    if (!container_count(c) || container_hash(c, hash, NULL) != E_OK) abort();
    container_free(c);
    return 0;
}
/* SPDX-License-Identifier: MIT */
