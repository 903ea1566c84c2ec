/* op: gelu_quick(x)     y = x sigmoid(1.702 x). */
#include "op/op.h"

OP_ELEMENTWISE(gelu_quick, (void)0, real_gelu_quick(x[j]), 12)

const op_def op_gelu_quick_def = OP_ELEMENTWISE_DEF("gelu_quick");
/* SPDX-License-Identifier: MIT */
