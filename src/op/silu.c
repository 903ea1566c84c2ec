/* op: silu(x)     y = x sigmoid(x). */
#include "op/op.h"

OP_ELEMENTWISE(silu, (void)0, real_silu(x[j]), 12)

const op_def op_silu_def = OP_ELEMENTWISE_DEF("silu");
/* SPDX-License-Identifier: MIT */
