/* op: scale(x; factor)     y = factor x. */
#include "op/op.h"

OP_ELEMENTWISE(scale, const real factor = (real)attr[0], x[j] * factor, 1)

const op_def op_scale_def = OP_ELEMENTWISE_DEF("scale");
/* SPDX-License-Identifier: MIT */
