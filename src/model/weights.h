/* weights -- the tensors of a checkpoint by name, each to be used once.
 *
 * An architecture asks for what it needs, by name and shape; what nobody asked for is surplus and
 * is refused at the end, except buffers that the architecture declares to be no parameters. */
#ifndef MICROTOME_MODEL_WEIGHTS_H
#define MICROTOME_MODEL_WEIGHTS_H
#include "base/error.h"
#include "base/mem.h"
#include "format/format.h"
#include "tensor/dtype.h"

enum { WEIGHT_DIMS = 8 };

/* One tensor, row-major, borrowed from the container or from the model. */
typedef struct weight_tensor {
    const char *name;
    dtype dtype;
    int32_t n_dim;
    int64_t dim[WEIGHT_DIMS];
    const void *data;
    bool used;
    int64_t pair; /* as in tensor_view */
} weight_tensor;

/* Sorted by name once weights_sort was called. */
typedef struct weight_set {
    weight_tensor *t;
    int32_t n, cap;
    const char *prefix; /* may be left out of names; NULL: none */
} weight_set;

/* Add one; add all of a container; sort, which must come before any search.
 *
 * [err: NOMEM, SHAPE (too many dimensions), FORMAT (a name twice) | owns: mem holds the list, names and data are borrowed | thread: mem's own | cost: O(1); O(n); O(n log n)] */
status weights_add(weight_set *w, arena *mem, weight_tensor t, error *err);
status weights_sort(weight_set *w, error *err);

/* The tensor of that name, or of that name without w->prefix; NULL when there is none.
 *
 * [err: NULL | owns: w | thread: w's own | cost: O(log n)] */
weight_tensor *weights_find(const weight_set *w, const char *name);

/* "[3, 5] F16" for messages.
 *
 * [err: none | owns: the caller's buffer | thread: any | cost: O(1)] */
void weight_text(const weight_tensor *t, char *out, size_t bytes);

/* Refuse what was not used and matches none of the globs ('*' stands for one part of a name).
 *
 * [err: SHAPE, naming the first, how many, and what the model has | owns: nothing | thread: any | cost: O(n)] */
status weights_check_used(const weight_set *w, const char *const *ignored, error *err);

#endif
/* SPDX-License-Identifier: MIT */
