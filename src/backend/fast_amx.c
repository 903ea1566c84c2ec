/* fast_amx -- fast_linear.h on AMX. */
#include "backend/fast.h"

#if defined __AMX_BF16__ && defined __AMX_TILE__
#define FAST_AMX 1
#include "backend/fast_linear.h"

const kernel linear_amx = { fast_units, fast_scratch, fast_run };
#else
const kernel linear_amx = { 0 };
#endif
/* SPDX-License-Identifier: MIT */
