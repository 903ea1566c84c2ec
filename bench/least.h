/* least -- multiply-adds that any exact method must do for one cell of a sweep: what changed and is wanted, counted
 * from the equations of GPT-2, knowing nothing of this engine.
 *
 * In a block, of rows that changed before it, keys and values are needed, queries where the row is wanted; each
 * wanted row that sees a changed one has its mix, its output and its MLP anew, and the scores that changed.  After the
 * last block one row is wanted, and two logits of it. */
#ifndef BENCH_LEAST_H
#define BENCH_LEAST_H

typedef struct least_shape {
    int n_layer, n_head, d_model, len;
} least_shape;

extern const least_shape least_gpt2_small; /* 15 tokens */

/* The residual stream at a row before a block; a head's z at rows [r0, r1) of a block; an edge into q, k, v of one
 * head ('q' 'k' 'v'), the MLP ('m') of a block, or the logits ('o'), from rows [r0, len). */
double least_resid(const least_shape *s, int layer, int row);
double least_head(const least_shape *s, int layer, int r0, int r1);
double least_edge(const least_shape *s, int layer, int reader, int r0);

#endif
/* SPDX-License-Identifier: MIT */
