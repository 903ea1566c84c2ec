/* backend: reference -- the op sources compiled for AVX2 and FMA where the processor has them.  The same bits:
 * fmaf is exact in any case, but without the instruction it is a call, and thirty times as slow. */
#include "backend/backend_def.h"

const backend_def backend_reference_def = { .name = "reference", .rank = 1, .ops = CPU_AVX2 };
/* SPDX-License-Identifier: MIT */
