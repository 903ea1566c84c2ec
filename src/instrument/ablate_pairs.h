/* ablate_pairs -- the prompts that ablate runs on: pairs or plain prompts, whom means are over, and whose values are
 * resampled. */
#ifndef MICROTOME_INSTRUMENT_ABLATE_PAIRS_H
#define MICROTOME_INSTRUMENT_ABLATE_PAIRS_H
#include "instrument/work.h"

/* Read what --pairs, --clean or --prompt name, with reference prompts (--reference, the pairs file's, else the clean
 * prompts where there are several); the corrupted prompts are those to resample from (--donor).  *donors: there are such.
 *
 * [err: USAGE, what pairs and prompts return | owns: the caller, pairs_free | thread: the work's | cost: O(tokens), and a run a prompt whose answer is the model's own] */
status ablate_pairs(work *w, pairs **out, bool *donors, error *err);

#endif
/* SPDX-License-Identifier: MIT */
