/* op: softcap(x; cap)     y = cap tanh(x / cap). */
#include "op/op.h"

OP_ELEMENTWISE(softcap, const real cap = (real)attr[0], real_softcap(x[j], cap), 12)

const op_def op_softcap_def = OP_ELEMENTWISE_DEF("softcap");
/* SPDX-License-Identifier: MIT */
