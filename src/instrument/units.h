/* units -- numbers to follow through a text: a neuron, any number of a site, a head's output by its length, a head's gaze, a
 * direction; one value a unit and position.
 *
 *     --unit "blocks.2.mlp.post[neuron=0:20]"   each number of the slice
 *     --unit "blocks.3.attn.z[head=2]"          the length of the head's vector (of a stream: its length)
 *     --unit "blocks.3.attn.pattern[head=2]"    the largest share of attention that goes to a key which is neither the
 *                                               first, where heads rest, nor the query itself
 *     --directions FILE                         x . v for every vector of the file: METHOD.SITE, as `direction` writes
 *                                               them, or any name with --at SITE; rows of a matrix each */
#ifndef MICROTOME_INSTRUMENT_UNITS_H
#define MICROTOME_INSTRUMENT_UNITS_H
#include "instrument/work.h"

typedef enum unit_kind { UNIT_NUMBER, UNIT_LENGTH, UNIT_GAZE, UNIT_DOT } unit_kind;

enum { UNIT_NAME = 180, MAX_UNITS = 1000 };

/* Units of one site, read together. */
typedef struct source {
    unit_kind kind;
    node *n;
    int32_t a0, a1, w0, w1; /* parts and numbers of the site's line */
    double *v;              /* UNIT_DOT: [n_unit][(a1 - a0) (w1 - w0)] */
    int first, n_unit;      /* units of the whole */
} source;

typedef struct one_unit {
    char name[UNIT_NAME];
    const source *from;
    bool random; /* a control */
} one_unit;

typedef struct units {
    work *w;
    source *from;
    int n_source;
    one_unit *at;
    int n;
    double *buffer; /* room for what is read of a window */
} units;

/* Find what --unit, --directions, --key and --at name, and --random directions beside those of each site.
 *
 * [err: USAGE, what addresses and files return, SHAPE (a vector of another length), LIMIT (more than MAX_UNITS), NOMEM | owns: the work | thread: the work's | cost: O(units)] */
status units_open(units *u, work *w, error *err);

/* Make room for windows of so many tokens: before anything is read.
 *
 * [err: NOMEM | owns: the work | thread: the work's | cost: O(numbers)] */
status units_window(units *u, int32_t window, error *err);

/* Ask of a lane what rows [r0, r1), of which there may be none, need; read it: value [row][unit].
 *
 * [err: as lane_ask, lane_read; NOMEM | owns: nothing | thread: the work's | cost: O(numbers)] */
status units_ask(const units *u, lane *l, int32_t r0, int32_t r1, error *err);
status units_read(const units *u, lane *l, int32_t r0, int32_t r1, double *value, error *err);

/* Where a gaze's row looks: share [row + 1] of each key, NaN where it cannot see.
 *
 * [err: as lane_read | owns: nothing | thread: the work's | cost: O(row)] */
status units_gaze(const units *u, int which, lane *l, int32_t row, double *share, error *err);

#endif
/* SPDX-License-Identifier: MIT */
