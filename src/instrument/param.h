/* param -- what an instrument can be asked for, and what each parameter may be.
 *
 * A request is checked against these before anything is opened, so run() takes what it reads as it is; help and mt_describe
 * say the same.  What depends on the model (a layer, a position) is run()'s to check: work_int_check. */
#ifndef MICROTOME_INSTRUMENT_PARAM_H
#define MICROTOME_INSTRUMENT_PARAM_H
#include "base/error.h"
#include "base/json.h"
#include <math.h>

typedef enum value_type { VALUE_TEXT, VALUE_INT, VALUE_REAL, VALUE_FLAG, VALUE_LIST } value_type;

/* What a value may be. */
typedef struct param_kind {
    value_type type;
    bool bounded;       /* of a number: least <= it <= most */
    double least, most; /* most: infinite where only the least is said */
    const char *words;  /* of a text: it is one of these, with spaces between them; NULL: any */
    bool several;       /* or some of them, each once, with commas */
} param_kind;

extern const param_kind param_text, param_int, param_real, param_flag, param_list, param_bos;

/* The kinds, to be written into tables of params. */
#define PARAM_TEXT (&param_text)
#define PARAM_INT (&param_int)
#define PARAM_REAL (&param_real)
#define PARAM_FLAG (&param_flag)
#define PARAM_LIST (&param_list)
#define PARAM_BOS (&param_bos)
#define PARAM_INT_IN(least, most) (&(const param_kind){ VALUE_INT, true, least, most, NULL, false })
#define PARAM_INT_FROM(least) PARAM_INT_IN(least, HUGE_VAL)
#define PARAM_REAL_FROM(least)                                                                     \
    (&(const param_kind){ VALUE_REAL, true, least, HUGE_VAL, NULL, false })
#define PARAM_ONE_OF(words) (&(const param_kind){ VALUE_TEXT, false, 0, 0, words, false })
#define PARAM_SOME_OF(words) (&(const param_kind){ VALUE_TEXT, false, 0, 0, words, true })

/* What a parameter says: what is asked for; how to compute it, or a file that it is in, neither of which is part of the
 * request that is hashed; edits, which are, but for the names of files in them; or what this run alone
 * is about (a journal, a shard), which a replay leaves out. */
typedef enum param_role { ROLE_WHAT, ROLE_HOW, ROLE_FILE, ROLE_EDITS, ROLE_RUN } param_role;

/* One parameter. */
typedef struct param {
    const char *name; /* "prompt": --prompt; '_' is '-' in flags */
    const param_kind *kind;
    const char *otherwise; /* the default as text; NULL: none */
    const char *says;      /* one line, with the unit; words and bounds are shown beside it */
    param_role role;
} param;

/* Those that come with prompts and edits, and with a model; {0} ends. */
extern const param param_of_prompts[], param_of_models[], param_subject;

/* Is a value what the parameter may be?  who: the instrument, for messages.
 *
 * [err: USAGE, with what is expected and the nearest | owns: nothing | thread: any | cost: O(bytes)] */
status param_check(const char *who, const param *p, const json_t *value, error *err);

/* The least and most of a number that depends on the model: the same words as param_check's.
 *
 * [err: USAGE | owns: nothing | thread: any | cost: O(1)] */
status param_bounds(const char *who, const char *name, double value, double least, double most,
                    error *err);

#endif
/* SPDX-License-Identifier: MIT */
