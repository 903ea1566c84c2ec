/* pair_files -- files of pairs, as the JSON that pairs.h reads.
 *
 *     ours           { "clean": [..], "corrupt": [..], "correct": [..], "wrong": [..] }
 *     AutoCircuit    { "prompts": [ RECORD, .. ] }, or the list alone
 *     JSON lines     a RECORD a line, as the feature circuits' files have them
 *     CSV            a RECORD a row, columns named in the first, as EAP's files have them
 *
 * A RECORD is one pair, its fields under any of the names that tools have for them:
 *
 *     clean      clean, clean_prefix
 *     corrupt    corrupt, corrupted, patch_prefix
 *     correct    correct, answers, clean_answer; correct_idx (a token id)
 *     wrong      wrong, wrong_answers, patch_answer; incorrect_idx (a token id); may be missing in all
 *
 * EAP's greater-than files have a column `label` in place of an answer: a year's two digits.  Right are then the years
 * above it, as texts of two digits, wrong all others, and the measure is prob_diff.
 *
 * What a file is, its content says, not its name.  Other fields are left alone.  Lists of answers stay lists, with a note
 * that most metrics take the first; what is meant is said in it too. */
#ifndef MICROTOME_DATA_PAIR_FILES_H
#define MICROTOME_DATA_PAIR_FILES_H
#include "base/json.h"

typedef struct pair_file {
    json_t *v;          /* our object */
    const char *metric; /* what it is measured by; NULL: it does not say */
    bool foreign;       /* it was another tool's: pairs that do not fit a model are common in it */
    char note[360];     /* "" or a sentence for the report */
} pair_file;

/* Read one; pair_file_release frees it.
 *
 * [err: IO, FORMAT (with the record), LIMIT, NOMEM | owns: the caller | thread: any | cost: O(bytes)] */
status pair_file_read(pair_file *out, const char *path, error *err);
void pair_file_release(pair_file *f);

#endif
/* SPDX-License-Identifier: MIT */
