/* op: gelu_tanh(x)     y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GPT-2's form ("gelu_new"). */
#include "op/op.h"

OP_ELEMENTWISE(gelu_tanh, (void)0, real_gelu_tanh(x[j]), 16)

const op_def op_gelu_tanh_def = OP_ELEMENTWISE_DEF("gelu_tanh");
/* SPDX-License-Identifier: MIT */
