/* cpu -- what this processor can do, and the floating point mode results are defined in. */
#ifndef MICROTOME_BASE_CPU_H
#define MICROTOME_BASE_CPU_H
#include <stdbool.h>

typedef enum cpu_level {
    CPU_PLAIN,  /* what the compiler may assume */
    CPU_AVX2,   /* AVX2 + FMA + F16C (x86-64-v3) */
    CPU_AVX512, /* and AVX-512 F, BW, DQ, VL (x86-64-v4) */
} cpu_level;

/* The highest level this processor and operating system support.
 *
 * [err: none | owns: nothing | thread: any | cost: a few instructions] */
cpu_level cpu_detect(void);

/* "plain", "avx2", "avx512".
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
const char *cpu_name(cpu_level level);

/* Matrix units for bf16 (AMX), and leave to use them, which is asked of the system here, once for all threads.
 *
 * [err: false | owns: nothing | thread: any | cost: a system call] */
bool cpu_amx(void);

/* Products of bytes summed four at a time into integers, sixteen at once (AVX-512 VNNI), beside all of CPU_AVX512.
 *
 * [err: false | owns: nothing | thread: any | cost: a few instructions] */
bool cpu_vnni(void);

/* Set round-to-nearest without flush-to-zero and denormals-are-zero; returns the old mode, to be
 * given back to fp_leave.  Every entry that computes, and every worker, is between the two.
 *
 * [err: none | owns: nothing | thread: its own mode | cost: a few cycles] */
unsigned fp_enter(void);
void fp_leave(unsigned mode);

/* Seconds on a clock that only goes forward.
 *
 * [err: none | owns: nothing | thread: any | cost: one vDSO call] */
double clock_seconds(void);

#endif
/* SPDX-License-Identifier: MIT */
