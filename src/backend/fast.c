/* fast -- which kernels of `--precision fast` there are here, which calls are theirs, and the bound for blocks. */
#include "backend/fast.h"
#include "backend/kernels.h"
#include "tensor/blocks.h"
#include <string.h>

fast fast_here(bool emulate)
{
    static const struct overlay fixed[] = PRODUCT_OVERLAY(_fixed);
    fast f = { 0 };
#if defined __x86_64__
    static const struct overlay vnni[] = PRODUCT_OVERLAY(_vnni);
    if (cpu_vnni()) f.blocks = vnni;
#endif
    if (linear_amx.run && cpu_amx()) f.floats = &linear_amx;
    if (emulate && !f.blocks) f.blocks = fixed;
    if (emulate && !f.floats) f.floats = &linear_tiles;
    return f;
}

/* Of a fusion it is result that multiplies. */
static const node *product_of(const batch *b)
{
    for (int i = 0; b->fusion && i < b->fusion->n_inner; i++)
        if (!strcmp(b->fusion->inner[i]->op->name, "result")) return b->fusion->inner[i];
    return b->n;
}

/* linear takes whole rows; result a head's part of each, which is as wide as a part of its input. */
bool fast_takes(const batch *b)
{
    const node *n = product_of(b);
    dtype t = b->w[1].dtype;
    bool linear = !strcmp(n->op->name, "linear");
    if (!linear && strcmp(n->op->name, "result")) return false;
    if (!b->w[1].base || !dtype_is_block(t) || n->attr[0] == 0.0) return false;
    return linear || b->in[0]->width % block_group(t) == 0;
}

/* Rounding x: 2^-22.  T is rounded twice (2^-24 and, of its lower bytes, less than 2^-29), the exact weight once.
 * Then one rounding of the sum for each group, or two. */
double blocks_bound(dtype t, int64_t n_k)
{
    double n = (double)(n_k / block_group(t)) * (block_has_offset(t) ? 2 : 1);
    return (0x1p-22 + (n + 2) * 0x1p-24) * (1 + 0x1p-6);
}
/* SPDX-License-Identifier: MIT */
