/* lora -- adapters as edits: SITE += FACTOR * lora(DIR). */
#ifndef MICROTOME_INSTRUMENT_LORA_H
#define MICROTOME_INSTRUMENT_LORA_H
#include "instrument/work.h"

/* Give lane l the adapter that c (CHANGE_LORA) names, on the weights that its site names.  An adapter is read once, and
 * its files are noted in the certificate then.
 *
 * [err: what adapter_read and addresses return; NOSITE where none of the weights is one of the adapter's; USAGE on an edge | owns: the work | thread: w's own | cost: O(its numbers), the first time] */
status lora_edit(work *w, const change *c, lane *l, const prompt *p, error *err);

#endif
/* SPDX-License-Identifier: MIT */
