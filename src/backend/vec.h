/* vec -- some floats at once: all that the fast kernels know of the machine.
 *
 * Every operation is one IEEE operation in each lane, and nothing adds across lanes.  So a kernel over
 * vec may do many elements at once but cannot reorder the sum inside one, and its bits do not depend
 * on how many there are.  A kernel's file NAME_vec.c is compiled once for each width; -DVEC=8 or 16
 * says which, and -DVEC_FORM=_v8, _v16 or _v16h what its symbols end in. */
#ifndef MICROTOME_BACKEND_VEC_H
#define MICROTOME_BACKEND_VEC_H
#include "backend/vec16.h"

#if !defined VEC
#define VEC 8
#define VEC_FORM _v8
#endif

#define VEC_PASTE(name, form) name##form
#define VEC_PASTED(name, form) VEC_PASTE(name, form)
#define VEC_NAME(name) VEC_PASTED(name, VEC_FORM)

#if VEC == 16
#define vec vec16
#define vec_load vec16_load
#define vec_store vec16_store
#define vec_load_part vec16_load_part
#define vec_store_part vec16_store_part
#define vec_load_f16 vec16_load_f16
#define vec_load_bf16 vec16_load_bf16
#define vec_load_bits vec16_load_bits
#define vec_splat vec16_splat
#define vec_add vec16_add
#define vec_mul vec16_mul
#define vec_fma vec16_fma
#define words words16
#define words_turn words16_turn
#define words_bits words16_bits
#define words_left words16_left
#define words_or words16_or
#define words_less words16_less
#define words_spread words16_spread
#define words_byte words16_byte
#define words_f16 words16_f16
#define words_bf16 words16_bf16
#define words_of words16_of
#define vec_turn_f16 vec16_turn_f16
#define vec_transpose vec16_transpose
#else
#define vec vec8
#define vec_load vec8_load
#define vec_store vec8_store
#define vec_load_part vec8_load_part
#define vec_store_part vec8_store_part
#define vec_load_f16 vec8_load_f16
#define vec_load_bf16 vec8_load_bf16
#define vec_load_bits vec8_load_bits
#define vec_splat vec8_splat
#define vec_add vec8_add
#define vec_mul vec8_mul
#define vec_fma vec8_fma
#define words words8
#define words_turn words8_turn
#define words_bits words8_bits
#define words_left words8_left
#define words_or words8_or
#define words_less words8_less
#define words_spread words8_spread
#define words_byte words8_byte
#define words_f16 words8_f16
#define words_bf16 words8_bf16
#define words_of words8_of
#define vec_turn_f16 vec8_turn_f16
#define vec_transpose vec8_transpose
#endif

/* Ask for the cache line at p, which may be no address at all; changes nothing but time.  Whatever only asks must be
 * VEC_INLINE: gcc takes a function without effect for one that need not be called.
 *
 * [err: none | owns: nothing | thread: any | cost: an instruction] */
VEC_INLINE void vec_prefetch(const void *p) { __builtin_prefetch(p, 0, 2); }

#endif
/* SPDX-License-Identifier: MIT */
