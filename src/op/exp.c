/* op: exp(x)     y = exp(x): probabilities of log probabilities. */
#include "op/op.h"

OP_ELEMENTWISE(exp, (void)0, real_exp(x[j]), 10)

const op_def op_exp_def = OP_ELEMENTWISE_DEF("exp");
/* SPDX-License-Identifier: MIT */
