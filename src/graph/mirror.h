/* mirror -- the private inputs of readers: what an edge edit edits.
 *
 * An edge u -> v is a writer node and a slice of a reader node.  What v alone would see of
 * the stream is v's own cone of the graph (norm, projection, the additions), copied with
 * fresh nodes down to the writers, each met through an alias:
 *
 *         embed  head 0  head 1  mlp 0          alias  alias  alias  alias
 *            \     |       |      /                \     |      |      /
 *             stream . . . . . .                    stream' (twins of the stream)
 *                   |                                    |
 *                 ln2.out  (reader)                   ln2.out'
 *
 * An edge edit is then two ordinary edits in one lane:
 *
 *     alias(u)   := whatever is to be seen instead of u
 *     v[slice]   := take the copy of v, from the same lane
 *
 * The copy adds up the same parts in the same order, so an edge edit that writes the value
 * already there changes no bit.  Edits between u and v (of the stream, of a norm, of a
 * reader that another reader reads) act on the copies too: a copy is its original's twin.
 * Only the copy at the top, which v's slice is taken from, is nobody's twin: v's own edits
 * come after the take.
 *
 * All readers share one mirror, unless a lane edits edges into several slices: then the
 * second slice uses the second mirror, and so on.  A mirror nobody edits is never computed.
 * No op is named here: parallel blocks, post-norms and grouped keys need no rule. */
#ifndef MICROTOME_GRAPH_MIRROR_H
#define MICROTOME_GRAPH_MIRROR_H
#include "graph/session.h"

typedef struct mirror {
    int32_t n;  /* nodes there were when it was made */
    node **of;  /* [n] the copy of that node (an alias for a writer), or NULL: it has none */
    node **top; /* [n] of a reader: the copy its slices are taken from */
} mirror;

/* The index-th mirror of a session's graph, made on first use.  A failure leaves the graph as it was.
 *
 * [err: NOMEM, RANGE (index is past the next one) | owns: the graph | thread: the session's | cost: O(nodes) once] */
status mirror_get(const mirror **out, graph *g, int32_t index, error *err);

/* Is there a path from the writer to the reader that meets no other writer?
 *
 * [err: as mirror_get | owns: nothing | thread: the session's | cost: O(nodes)] */
status mirror_edge(bool *out, graph *g, const node *writer, const node *reader, error *err);

#endif
/* SPDX-License-Identifier: MIT */
