/* rand -- see rand.h. */
#include "base/rand.h"

__extension__ typedef unsigned __int128 u128;
typedef struct block {
    uint32_t v[4];
} block;

static block philox(uint64_t seed, uint32_t stream, uint64_t index)
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = stream, c3 = 0;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1, c3 = (uint32_t)p0;
        c0 = n0, c2 = n2;
    }
    return (block){ { c0, c1, c2, c3 } };
}

uint32_t rand_stream(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

uint32_t rand_bits(uint64_t seed, uint32_t stream, uint64_t index)
{
    return philox(seed, stream, index / 4).v[index % 4];
}

float rand_unit(uint64_t seed, uint32_t stream, uint64_t index)
{
    return (float)(rand_bits(seed, stream, index) >> 8) * 0x1p-24f;
}

int64_t rand_below(uint64_t seed, uint32_t stream, uint64_t index, int64_t n)
{
    block b = philox(seed, stream, index);
    uint64_t bits = (uint64_t)b.v[0] << 32 | b.v[1];
    return (int64_t)(((u128)bits * (uint64_t)n) >> 64);
}
/* SPDX-License-Identifier: MIT */
