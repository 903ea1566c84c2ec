/* route -- path patching of one path at a time: every path from one writer to one reader of up to N edges (path --from
 * --to --hops).
 *
 * A path is writer -> reader of a node, that node's write -> reader of another node ... -> the last reader.  Its first
 * edge carries the other run's value; each node on it is computed again with only the path's edge into it changed,
 * everything else as in the base run; of what it then writes only the path's next reader sees anything.  What follows the
 * last reader runs on.  (Wang et al. 2022, Goldowsky-Dill et al. 2023; one edge: path's own tensors.) */
#ifndef MICROTOME_INSTRUMENT_ROUTE_H
#define MICROTOME_INSTRUMENT_ROUTE_H
#include "instrument/ends.h"

/* What path takes beside its own parameters. */
#define ROUTE_PARAMS                                                                               \
    { "from", PARAM_TEXT, NULL, "one path at a time: its writer, a3.h7, m3 or an address",         \
      ROLE_WHAT },                                                                                 \
        { "to", PARAM_TEXT, NULL, "and its reader: a9.h1<q>, a9.h1 (all three), m3, logits",       \
          ROLE_WHAT },                                                                             \
        { "hops", PARAM_INT_IN(1, MAX_VIA), "2", "with --from: paths of up to so many edges",      \
          ROLE_WHAT },                                                                             \
        { "through", PARAM_RECEIVERS, "q,k,v,mlp", "with --from: what they may go through",        \
          ROLE_WHAT },                                                                             \
    {                                                                                              \
        "top", PARAM_INT_IN(1, 100000), "20", "with --from: how many of the strongest are listed", \
            ROLE_WHAT                                                                              \
    }

/* Run path with --from and --to.
 *
 * [err: USAGE, NOSITE (no such end, no path), LIMIT (too many), as duel_run | owns: the report | thread: the work's | cost: a fork an edge of each path] */
status route_run(work *w, error *err);

#endif
/* SPDX-License-Identifier: MIT */
