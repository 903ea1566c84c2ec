/* draw -- see draw.h. */
#include "tensor/draw.h"
#include "tensor/math32.h"

float draw_normal(uint64_t seed, uint32_t stream, uint64_t index)
{
    float u = (float)((rand_bits(seed, stream, 2 * index) >> 8) + 1) * 0x1p-24f; /* (0, 1] */
    float turn = rand_unit(seed, stream, 2 * index + 1);
    return sqrtf(-2.0f * math_log(u)) * math_cos(0x1.921fb6p+2f * turn);
}

float draw_gumbel(uint64_t seed, uint32_t stream, uint64_t index)
{
    float u = ((float)(rand_bits(seed, stream, index) >> 9) + 0.5f) * 0x1p-23f; /* (0, 1) */
    return -math_log(-math_log(u));
}
/* SPDX-License-Identifier: MIT */
