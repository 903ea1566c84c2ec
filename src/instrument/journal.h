/* journal -- the finished waves of a sweep in a file, so that what was stopped goes on where it stood, and shards are joined.
 *
 *   header   "MTJOURN1", counts, shard i of n, the request's hash, the request as JSON; checksum
 *   wave     "WAVE", n, ~n, then n items of (index, mark, values); checksum: one write, then fdatasync
 *
 * What must stay true: an item that journal_has() says is there has the bits that were added, or the file was refused.  A
 * torn tail (kill -9, power) is cut off, and n_torn says how many bytes; damage before the tail is an error.  Numbers are
 * little-endian. */
#ifndef MICROTOME_INSTRUMENT_JOURNAL_H
#define MICROTOME_INSTRUMENT_JOURNAL_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JOURNAL_HASH = 64 };

/* What a journal belongs to: both sides must say the same of all but the shard. */
typedef struct journal_of {
    char hash[JOURNAL_HASH]; /* of the request, the model and the inputs */
    int64_t n_item;          /* item indices are 0 .. n_item - 1 */
    int64_t n_cell;          /* items before this one are shared out among shards */
    int n_value;             /* numbers an item has */
    int shard, n_shard;      /* 1/1: the whole */
    const char *request;     /* as JSON, for those who finish it later; not compared */
} journal_of;

typedef struct journal journal;

/* Open or create a journal for appending, and know what it holds.  Nobody else may have it open for that.  path NULL: of
 * no file, for what others are joined to.
 *
 * [err: IO, NOMEM, FORMAT (no journal, damaged), MISMATCH (another request, other counts), LIMIT | owns: the caller, journal_close | thread: its own | cost: reads the file] */
status journal_open(journal **out, const char *path, const journal_of *of, error *err);

/* Know as well what another journal of the same request holds, whatever its shard; it is not changed.
 *
 * [err: as journal_open; MISMATCH where two say different things of one item | owns: nothing | thread: j's | cost: reads the file] */
status journal_join(journal *j, const char *path, error *err);

/* What a file says it belongs to; of->request is to be freed with journal_text_free.
 *
 * [err: IO, NOMEM, FORMAT | owns: the caller has of->request | thread: any | cost: reads the header] */
status journal_describe(journal_of *of, const char *path, error *err);
void journal_text_free(const char *text);

/* Was it begun and stopped before its header was whole?  Then it holds nothing, and journal_open begins it anew.
 *
 * [err: false (another file, or none) | owns: nothing | thread: any | cost: maps the file] */
bool journal_is_bare(const char *path);

/* Is item i there?  Then its values [n_value] and its mark are written (either may be NULL).
 *
 * [err: false | owns: nothing | thread: j's | cost: O(1)] */
bool journal_has(const journal *j, int64_t item, double *value, uint8_t *mark);

/* How many items it knows; how many bytes of a torn tail were cut off.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
int64_t journal_count(const journal *j);
int64_t journal_torn(const journal *j);

/* Add an item to the wave; write the wave down.  A failed flush takes the file back to the wave before.
 *
 * [err: NOMEM, RANGE (no such item); IO (the disk is full) | owns: j | thread: j's | cost: O(n_value); one write, one fdatasync] */
status journal_add(journal *j, int64_t item, const double *value, uint8_t mark, error *err);
status journal_flush(journal *j, error *err);
void journal_close(journal *j);

#endif
/* SPDX-License-Identifier: MIT */
