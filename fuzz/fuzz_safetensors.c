/* fuzz_safetensors -- any bytes as a .safetensors file: opened or refused, and every byte of every tensor readable. */
#include "format/format.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    container *c = NULL;
    char hash[CONTAINER_HASH];
    write_scratch("x.safetensors", data, n);
    if (container_open(&c, scratch("x.safetensors"), NULL) != E_OK) return 0;
    container_hash(c, hash, NULL);
    container_free(c);
    return 0;
}
/* SPDX-License-Identifier: MIT */
