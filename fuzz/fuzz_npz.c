/* fuzz_npz -- any bytes as an .npz or .npy, as a llama2.c checkpoint, and as llm-viz's JSON. */
#include "format/format.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = { "x.npz", "x.bin", "x.npy", "x.json" };
    char hash[CONTAINER_HASH];
    for (int i = 0; i < 4; i++) {
        container *c = NULL;
        write_scratch(names[i], data, n);
        if (container_open(&c, scratch(names[i]), NULL) != E_OK) continue;
        container_hash(c, hash, NULL);
        container_free(c);
    }
    return 0;
}
/* SPDX-License-Identifier: MIT */
