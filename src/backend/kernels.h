/* kernels -- the hand-written kernels, by name; backend/NAME.c says which op or fusion each is for.
 *
 * Each has the bits of the plain C in its op's or fusion's file, whatever the rows, parts, units
 * and addresses (tests/t_backend.c).  _v8: eight floats at once, for AVX2; _v16: sixteen, for AVX-512;
 * _v16h: the same as two halves of eight. */
#ifndef MICROTOME_BACKEND_KERNELS_H
#define MICROTOME_BACKEND_KERNELS_H
#include "backend/backend_def.h"

#define KERNELS(form)                                                                              \
    linear##form, scores##form, softmax##form, mix##form, attention##form, result##form,           \
        attn_out##form

/* [err: none | owns: nothing | thread: any | cost: that of the op] */
extern const kernel KERNELS(_v8), KERNELS(_v16), KERNELS(_v16h);

/* linear and what else is a product with a weight, over integers (fast_blocks.h): for calls that fast_takes().
 *
 * [err: none | owns: nothing | thread: any | cost: that of the op] */
#define PRODUCT_KERNELS(form) linear##form, result##form, attn_out##form
extern const kernel PRODUCT_KERNELS(_vnni), PRODUCT_KERNELS(_fixed);

#define PRODUCT_OVERLAY(form)                                                                      \
    {                                                                                              \
        { "linear", &linear##form }, { "result", &result##form }, { "attn_out", &attn_out##form }, \
        {                                                                                          \
            NULL, NULL                                                                             \
        }                                                                                          \
    }

/* The overlay of a backend that has them. */
#define KERNEL_OVERLAY(form)                                                                       \
    {                                                                                              \
        { "linear", &linear##form }, { "scores", &scores##form }, { "softmax", &softmax##form },   \
            { "mix", &mix##form }, { "result", &result##form }, { "attention", &attention##form }, \
        {                                                                                          \
            "attn_out", &attn_out##form                                                            \
        }                                                                                          \
    }

#endif
/* SPDX-License-Identifier: MIT */
