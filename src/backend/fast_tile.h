/* fast_tile -- products of small tiles of bf16, on AMX or in plain C with the same bits.
 *
 * A tile is 16 rows of 64 bytes.  tile_dot(c, a, b): c [16 x 16 float] += a [16 x 32 bf16] times b, whose row
 * k holds for each of 16 columns the numbers 2k and 2k + 1.  As the processor does it: for every entry the even
 * and the odd k are summed apart from zero, by fused multiply-adds; the two are added, and that to c; what is
 * smaller than 2^-126 is zero, going in and coming out; all rounds to nearest.  (Intel 64 and IA-32 Architectures
 * Software Developer's Manual, TDPBF16PS.) */
#ifndef MICROTOME_BACKEND_FAST_TILE_H
#define MICROTOME_BACKEND_FAST_TILE_H
#include "tensor/dtype.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { TILE_SIDE = 16, TILE_K = 32, TILE_PARTS = TILE_SIDE * TILE_K };

/* What was written before is in memory: compilers do not know that tiles are loaded from there.
 *
 * [err: none | owns: nothing | thread: any | cost: none] */
static inline void tile_fence(void) { __asm__ volatile("" ::: "memory"); }

#if defined FAST_AMX
#include <immintrin.h>

/* The state is the processor's. */
typedef struct tiles {
    int unused;
} tiles;

/* What the instruction that sets tiles up reads: palette 1, eight tiles of 16 rows of 64 bytes.
 *
 * [err: none | owns: nothing | thread: its own tiles | cost: some 50 cycles] */
static inline void tiles_begin(tiles *t)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t colsb[16];
        uint8_t rows[16];
    } config;
    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int i = 0; i < 8; i++) config.colsb[i] = 64, config.rows[i] = TILE_SIDE;
    _tile_loadconfig(&config);
    (void)t;
}

static inline void tiles_end(void) { _tile_release(); }

/* Tiles are named by constants. */
#define tile_zero(t, c) _tile_zero(c)
#define tile_load(t, a, from) _tile_loadd(a, from, 64)
#define tile_store(t, c, to) _tile_stored(c, to, 64)
#define tile_dot(t, c, a, b) _tile_dpbf16ps(c, a, b)

#else

typedef struct tiles {
    union {
        float f[TILE_SIDE * TILE_SIDE];
        uint16_t h[TILE_PARTS];
    } tile[8];
} tiles;

/* [err: none | owns: nothing | thread: its own tiles | cost: none] */
static inline void tiles_begin(tiles *t) { memset(t, 0, sizeof *t); }

static inline void tiles_end(void) {}

static inline void tile_zero(tiles *t, int c) { memset(&t->tile[c], 0, sizeof t->tile[c]); }

static inline void tile_load(tiles *t, int a, const void *from)
{
    memcpy(&t->tile[a], from, sizeof t->tile[a]);
}

static inline void tile_store(const tiles *t, int c, void *to)
{
    memcpy(to, &t->tile[c], sizeof t->tile[c]);
}

static inline float tile_flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x; }

static inline float tile_number(uint16_t h) { return tile_flushed(dtype_bf16(h)); }

static inline void tile_dot(tiles *t, int c, int a, int b)
{
    for (int m = 0; m < TILE_SIDE; m++)
        for (int n = 0; n < TILE_SIDE; n++) {
            float sum[2] = { 0.0f, 0.0f }, *y = &t->tile[c].f[m * TILE_SIDE + n];
            for (int k = 0; k < TILE_K; k++)
                sum[k % 2] = tile_flushed(
                    fmaf(tile_number(t->tile[a].h[m * TILE_K + k]),
                         tile_number(t->tile[b].h[k / 2 * TILE_K + 2 * n + k % 2]), sum[k % 2]));
            *y = tile_flushed(tile_flushed(*y) + tile_flushed(sum[0] + sum[1]));
        }
}

#endif

#endif
/* SPDX-License-Identifier: MIT */
