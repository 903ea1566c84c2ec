/* backend: avx512 -- the kernels of avx2 on sixteen floats at once, all ops compiled for AVX-512. */
#include "backend/kernels.h"

const backend_def backend_avx512_def = { .name = "avx512",
                                         .rank = 4,
                                         .ops = CPU_AVX512,
                                         .level = CPU_AVX512,
#if defined __x86_64__
                                         .overlay = KERNEL_OVERLAY(_v16)
#endif
};
/* SPDX-License-Identifier: MIT */
