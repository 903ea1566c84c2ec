/* backend: halves -- the kernels of avx512 on a machine with AVX2: sixteen floats as two halves of
 * eight.  Slower than avx2; it is there so that the wide kernels are tested where they cannot run. */
#include "backend/kernels.h"

const backend_def backend_halves_def = { .name = "halves",
                                         .rank = 2,
                                         .ops = CPU_AVX2,
                                         .level = CPU_AVX2,
#if defined __x86_64__
                                         .overlay = KERNEL_OVERLAY(_v16h)
#endif
};
/* SPDX-License-Identifier: MIT */
