/* resume -- the journal of --resume, opened for what this work was asked: what sweeps over pairs and over texts share. */
#ifndef MICROTOME_INSTRUMENT_RESUME_H
#define MICROTOME_INSTRUMENT_RESUME_H
#include "instrument/journal.h"
#include "instrument/work.h"

/* The hash that a journal of this work's request has: --plan is no part of what is swept.
 *
 * [err: NOMEM | owns: nothing | thread: the work's | cost: as report_asked] */
status resume_hash(work *w, char out[JOURNAL_HASH], error *err);

/* Open or begin the journal at `path`: `of` says the counts and the shard, the request and its hash are the work's.  The
 * report says what was in it, so many `what` ("windows"), and what was cut off.
 *
 * [err: NOMEM, as report_asked, journal_open | owns: the caller, journal_close | thread: the work's | cost: reads the file] */
status resume_open(journal **out, work *w, const char *path, journal_of of, const char *what,
                   error *err);

#endif
/* SPDX-License-Identifier: MIT */
