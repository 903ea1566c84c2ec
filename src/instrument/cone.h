/* cone -- what lies between two nodes of the model, copied onto an input of its own (an overlay): any rows can be sent
 * through it, by the same kernels and so with the same bits as the model's own.  Edits of lanes do not act on it.
 *
 * Without biases (optional last inputs are left out) an affine cone is linear, and unit rows give its matrix, number
 * by number as it is stored: how an architecture keeps its weights (fused, transposed, shared, scaled, quantised) does
 * not matter. */
#ifndef MICROTOME_INSTRUMENT_CONE_H
#define MICROTOME_INSTRUMENT_CONE_H
#include "instrument/work.h"

typedef struct cone {
    work *w;
    node *in; /* what stands for `from` */
    graph *g;
    const node *from;
    node **of; /* [id - from->id] copies made so far */
    bool no_bias;
} cone;

/* Begin one at `from`; the copy of a node of the model; NULL when it does not depend on `from`.
 *
 * [err: NOMEM, UNSUPPORTED (n does not depend on from), what building nodes meets | owns: the session's graph | thread: the work's | cost: O(nodes)] */
status cone_open(cone *c, work *w, const node *from, bool no_bias, error *err);
status cone_to(cone *c, node *n, node **out, error *err);

/* Send n rows of x, as long as `from`'s lines, through to `n_out` nodes of the cone and read the parts [a0, a1) of each
 * (a1 0: all), [row][part][width], into out[].
 *
 * [err: as work_run | owns: the caller's buffers | thread: the work's | cost: the kernels'] */
typedef struct cone_end {
    const node *n;
    int32_t a0, a1;
    double *out;
} cone_end;
status cone_rows(const cone *c, const double *x, int32_t n, const cone_end *end, int n_end,
                 error *err);

#endif
/* SPDX-License-Identifier: MIT */
