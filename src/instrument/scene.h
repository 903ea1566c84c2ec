/* scene -- the prompts that one run is looked at on: those asked for, or the clean ones of a file of pairs with their
 * answers; a lane for each, or a fork of it where there are edits.  What lens and dla share. */
#ifndef MICROTOME_INSTRUMENT_SCENE_H
#define MICROTOME_INSTRUMENT_SCENE_H
#include "instrument/work.h"

/* The parameters that scenes_find reads beside those of prompts. */
#define SCENE_PARAMS                                                                               \
    { "pairs", PARAM_TEXT, NULL,                                                                   \
      "prompts from a file of pairs: the clean ones, with their answers", ROLE_FILE },             \
        WORK_LIMIT_PARAM

typedef struct scene {
    prompt *p;
    lane *l;               /* with the edits */
    lane *plain;           /* without */
    int32_t answer, wrong; /* tokens; -1: none */
} scene;

/* Read them.  `answer` and `wrong` are the names of parameters that hold a token (wrong may be NULL: none is taken).
 *
 * [err: USAGE (none, or answers given twice), what prompts, pairs and token_find return | owns: the work | thread: the work's | cost: O(tokens)] */
status scenes_find(scene **out, int *n, work *w, const char *answer, const char *wrong, error *err);

/* Make their lanes; *edited: are there edits?
 *
 * [err: as work_lane and work_edits | owns: the session | thread: the work's | cost: O(tokens)] */
status scenes_lanes(scene *s, int n, work *w, bool *edited, error *err);

/* The position that the parameter `pos` means in scene `which`, from the end where it is negative.
 *
 * [err: RANGE | owns: nothing | thread: any | cost: O(1)] */
status scene_position(int32_t *out, const work *w, const scene *s, int which, int64_t pos,
                      error *err);

#endif
/* SPDX-License-Identifier: MIT */
