/* op: clip(x; bound)     y = x, no less than -bound and no more than bound. */
#include "op/op.h"

OP_ELEMENTWISE(clip, const real bound = (real)attr[0],
               x[j]<-bound ? -bound : x[j]> bound ? bound : x[j], 1)

const op_def op_clip_def = OP_ELEMENTWISE_DEF("clip");
/* SPDX-License-Identifier: MIT */
