/* compare -- what the files of the instrument compare share: compare.c (what is compared, the runs), compare_measure.c
 * (differences), compare_show.c (the report). */
#ifndef MICROTOME_INSTRUMENT_COMPARE_H
#define MICROTOME_INSTRUMENT_COMPARE_H
#include "instrument/work.h"

enum { A, B };
enum { MAX_THING = 64 };

typedef enum kind { PROMPTS, EDITS, MODELS } kind;

/* One of the two models; of one model both are the same. */
typedef struct side {
    model *m;
    session *s;
    node *logprob;
} side;

/* Two lanes whose positions a0 + i and b0 + i are compared, i < n. */
typedef struct duo {
    const prompt *p[2];
    lane *l[2];
    int32_t first[2], n;
    double kl, worst_kl, changed; /* mean, largest; share of positions with another top token */
    int32_t worst_at;
    int spot, at; /* the first that differs; -1: none */
} duo;

/* A site in both. */
typedef struct spot {
    char name[120];
    node *n[2];
    int32_t a0, a1; /* parts */
    int layer;      /* -1: none */
    int thing;      /* what it is called in its block */
    double max, sum, n_number, relative, n_relative, cosine, n_cosine, near, n_near;
    int64_t n_row, n_differ;
} spot;

typedef struct compare {
    work *w;
    kind kind;
    side side[2];
    duo *duo;
    int n_duo;
    spot *spot;
    int n_spot, n_lacking;
    char thing[MAX_THING][40];
    int n_thing;
    double *by_pos; /* [spot][pos] of one duo, or NULL */
    double *kl, *back, *top_p[2];
    int64_t *top[2];                  /* [pos] of one duo: of the outputs */
    double near_kl, n_near_kl;        /* sums */
    double *v[2], *before;            /* a position's numbers */
    double *logp[2], *p[2], *last[2]; /* outputs; A's one position earlier */
    int64_t most;                     /* numbers of a position at most */
} compare;

/* Numbers of a spot at one row of side 0 or 1, of a lane of n rows, at most; rows of such a pair see different keys,
 * so it is left out.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int64_t compare_most(const spot *s, int of, int32_t n);
bool compare_skips(const spot *s, const duo *d);

/* Measure a pair of lanes that has run: a site, and the outputs of a position, both into x and d.
 *
 * [err: as lane_read | owns: nothing | thread: the work's | cost: O(numbers)] */
status compare_spot(compare *x, duo *d, int which, error *err);
status compare_output(compare *x, duo *d, int32_t i, error *err);

/* A tensor of NaN.
 *
 * [err: kept by the report; NULL | owns: the report | thread: the work's | cost: O(numbers)] */
double *compare_tensor(compare *x, const char *name, const char *axes, const int64_t *dim);

/* Everything into the report.
 *
 * [err: kept by the report | owns: the report | thread: the work's | cost: O(sites positions)] */
void compare_show(compare *x);

#endif
/* SPDX-License-Identifier: MIT */
