/* backend: plain -- the op sources as the compiler makes them for any machine: the definition of every bit. */
#include "backend/backend_def.h"

const backend_def backend_plain_def = { .name = "plain", .rank = 0 };
/* SPDX-License-Identifier: MIT */
