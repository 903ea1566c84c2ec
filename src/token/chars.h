/* chars -- what the original tokenizers mean by a space, a letter, punctuation; each with its own idea of it. */
#ifndef MICROTOME_TOKEN_CHARS_H
#define MICROTOME_TOKEN_CHARS_H
#include <stdbool.h>
#include <stdint.h>

/* White_Space; L*; N*; M*; punctuation as BERT has it (ASCII symbols too; Unicode 8); \w of Rust's regex.
 *
 * [err: none | owns: nothing | thread: any | cost: a table lookup] */
bool char_is_space(uint32_t c);
bool char_is_letter(uint32_t c);
bool char_is_number(uint32_t c);
bool char_is_mark(uint32_t c);
bool char_is_punctuation(uint32_t c);
bool char_is_word(uint32_t c);

/* BERT's: control characters that are removed; ideographs that stand alone; accents (Mn of Unicode 8).
 *
 * [err: none | owns: nothing | thread: any | cost: O(log ranges)] */
bool char_is_control(uint32_t c);
bool char_is_ideograph(uint32_t c);
bool char_is_accent(uint32_t c);

/* Lower case, one character for one; U+0130 alone becomes two in full mapping, which callers see to.
 *
 * [err: none | owns: nothing | thread: any | cost: a table lookup] */
uint32_t char_lower(uint32_t c);

#endif
/* SPDX-License-Identifier: MIT */
