/* alias -- names that other tools give to sites (TransformerLens and its bridge, nnterp, interp-engine). */
#ifndef MICROTOME_MODEL_ALIAS_H
#define MICROTOME_MODEL_ALIAS_H
#include <stddef.h>

/* Our names for `text`, by preference, NULL-terminated in out (a layer's digits or '*' are carried over), each
 * at most 127 bytes.  *why: the name is known, means something else here, and this is what to use instead.
 * Returns how many names there are; 0 and *why NULL: not an alias.
 *
 * [err: 0 | owns: the caller's buffers; *why is static | thread: any | cost: O(table)] */
enum { ALIAS_NAMES = 2, ALIAS_BYTES = 128 };
int alias_find(const char *text, char out[ALIAS_NAMES][ALIAS_BYTES], const char **why);

#endif
/* SPDX-License-Identifier: MIT */
