/* op: gelu_erf(x)     y = x/2 (1 + erf(x / sqrt 2)): GELU itself. */
#include "op/op.h"

OP_ELEMENTWISE(gelu_erf, (void)0, real_gelu_erf(x[j]), 16)

const op_def op_gelu_erf_def = OP_ELEMENTWISE_DEF("gelu_erf");
/* SPDX-License-Identifier: MIT */
