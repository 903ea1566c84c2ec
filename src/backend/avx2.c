/* backend: avx2 -- kernels by hand for matrix products and attention, eight floats at once. */
#include "backend/backend_def.h"
#include "backend/kernels.h"

const backend_def backend_avx2_def = { .name = "avx2",
                                       .rank = 2,
                                       .wide = true,
                                       .level = CPU_AVX2,
#if defined __x86_64__
                                       .overlay = { { "linear", &linear_avx2 },
                                                    { "scores", &scores_avx2 },
                                                    { "softmax", &softmax_avx2 },
                                                    { "mix", &mix_avx2 },
                                                    { "result", &result_avx2 },
                                                    { "attention", &attention_avx2 },
                                                    { "attn_out", &attn_out_avx2 } }
#endif
};
/* SPDX-License-Identifier: MIT */
