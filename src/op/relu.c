/* op: relu(x)     y = max(x, 0); -0 and NaN come through. */
#include "op/op.h"

OP_ELEMENTWISE(relu, (void)0, real_relu(x[j]), 1)

const op_def op_relu_def = OP_ELEMENTWISE_DEF("relu");
/* SPDX-License-Identifier: MIT */
