/* scratch -- a directory of this process for targets that need files. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline const char *scratch(const char *name)
{
    static char dir[64] = "/dev/shm/fuzz.XXXXXX", path[4][128];
    static int made, turn;
    if (!made++ && !mkdtemp(dir)) abort();
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static inline void write_scratch(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(scratch(name), "wb");
    if (!f || (n && fwrite(bytes, 1, n, f) != n)) abort();
    fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
/* SPDX-License-Identifier: MIT */
