/* backend: avx2 -- kernels by hand for matrix products and attention, eight floats at once. */
#include "backend/kernels.h"

const backend_def backend_avx2_def = { .name = "avx2",
                                       .rank = 3,
                                       .ops = CPU_AVX2,
                                       .level = CPU_AVX2,
#if defined __x86_64__
                                       .overlay = KERNEL_OVERLAY(_v8)
#endif
};
/* SPDX-License-Identifier: MIT */
