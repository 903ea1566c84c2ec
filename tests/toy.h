/* toy -- small random transformers, and random lanes on them: what the promises are tried on.
 *
 * A toy has everything that makes planning hard: windows, queries that see both ways, grouped keys, gated and parallel
 * blocks, attention biases, chosen logits, weights of several types.  Everything follows from
 * its seed. */
#ifndef TESTS_TOY_H
#define TESTS_TOY_H
#include "backend/backend.h"
#include "graph/session.h"
#include <stdio.h>

/* Random numbers in the order they are asked for. */
typedef struct dice {
    uint64_t seed, at;
} dice;
int64_t dice_below(dice *d, int64_t n); /* 0 .. n-1 */
double dice_real(dice *d);              /* -1 .. 1, a float */
static inline bool dice_one_in(dice *d, int64_t n) { return dice_below(d, n) == 0; }

enum { TOY_SITES = 160, TOY_CHOICES = 3 };

typedef struct toy {
    graph g;
    dice d;
    node *token, *answer, *logits, *metric;
    node *site[TOY_SITES]; /* every op node of the graph, in order */
    node *writer[40], *reader[40];
    int n_site, n_writer, n_reader;
    bool no_edges;        /* toy_edit makes none */
    bool wild, both_ways; /* every fourth toy sees both ways */
    int n_vocab, n_layer, n_head, n_kv, d_head, d_model;
} toy;

/* n_part of every node stays below 64, so that equal values are found part by part. */
void toy_init(toy *t, uint64_t seed);
void toy_init_causal(toy *t, uint64_t seed); /* the same, and no query sees a later key */

/* The same with more of everything: weights that are shared and tied, norms behind writers, more than 64 parts,
 * NaN, infinities, -0 and denormals, takes from the lane itself and takes without an end. */
void toy_init_wild(toy *t, uint64_t seed);
void toy_release(toy *t);

/* An engine for tests; never NULL (fails the test). */
engine *toy_engine(const char *backend, const char *precision, int n_thread, bool no_fuse);

/* A parentless prompt of len random tokens; another prompt beside a parent, some tokens changed. */
lane *toy_prompt(toy *t, session *s, int32_t len);
lane *toy_variant(toy *t, session *s, lane *parent, int32_t len);
void toy_give(toy *t, lane *l, lane *like, int64_t one_in);

/* A random edit into l (which must not have run), taking from elder[0..n): of a site, a weight or an
 * edge.  Returns what became of it. */
status toy_edit(toy *t, lane *l, lane *const *elder, int n);

/* A random box of n in lane l.  Ask for random boxes of random sites (or for the metric alone). */
box toy_box(toy *t, const node *n, const lane *l);
void toy_ask(toy *t, lane *l);
void toy_ask_all(toy *t, lane *l);

/* Write a lane's ancestors and the edits that act in it to stderr. */
void toy_show(const lane *l);

/* Bits of b in both lanes; false and a message when they differ. */
bool toy_same(lane *a, lane *b, const node *n, box x);

#endif
/* SPDX-License-Identifier: MIT */
