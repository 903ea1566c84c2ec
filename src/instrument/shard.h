/* shard -- the cells of a sweep shared out among processes that know nothing of each other (--shard i/n): shard i runs the
 * cells whose index leaves i - 1 when divided by n and writes them to FILE.i-of-n; who has FILE itself knows what all of
 * those know.  docs/sweeps.md says how it is used. */
#ifndef MICROTOME_INSTRUMENT_SHARD_H
#define MICROTOME_INSTRUMENT_SHARD_H
#include "instrument/journal.h"
#include "instrument/work.h"

/* Which shard this is, from 1; part: --shard was given, even 1/1. */
typedef struct sharing {
    int shard, n_shard;
    bool part;
} sharing;

/* As --shard says, or mpirun: before anything is run.
 *
 * [err: USAGE | owns: nothing | thread: the work's | cost: O(1)] */
status shard_find(sharing *out, const work *w, error *err);

/* Is this cell this shard's?  How many of n_cell are?
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
bool shard_has(const sharing *s, int64_t cell);
int64_t shard_cells(const sharing *s, int64_t n_cell);

/* Open the journal that --resume asks for, if anything (else *out stays), this shard's own or with what all shards know;
 * of: its counts.  The report says what was in it.
 *
 * [err: as journal_open | owns: the caller, journal_close | thread: the work's | cost: reads the journals] */
status shard_journal(journal **out, work *w, const sharing *s, journal_of of, const char *what,
                     error *err);

/* What those journals hold already, for --plan: nothing is written, and none need be there; *out stays NULL without
 * --resume.
 *
 * [err: as journal_join | owns: the caller, journal_close | thread: the work's | cost: reads the journals] */
status shard_known(journal **out, work *w, const sharing *s, journal_of of, error *err);

/* What a plan calls the part that is left to be done, beside a journal (known) or without: "left", "shard 2/4", "left of shard 2/4".
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
enum { SHARD_LEFT = 60 };
void shard_left(char out[SHARD_LEFT], const sharing *s, bool known);

/* Call fn for every journal FILE.i-of-n beside `path`; how many of its cells a shard lacks.
 *
 * [err: what fn returns | owns: nothing | thread: any | cost: reads the directory; O(cells / shards)] */
typedef status shard_fn(void *user, const char *path, int shard, int n_shard, error *err);
status shard_each(const char *path, shard_fn *fn, void *user, error *err);
int64_t shard_lacks(const journal *j, int64_t n_cell, int shard, int n_shard);

#endif
/* SPDX-License-Identifier: MIT */
