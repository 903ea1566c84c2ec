/* instrument -- an analysis: parameters and run().
 *
 * instrument/NAME.c defines `const instrument_def instrument_NAME_def`; the registry is generated from the
 * folder, and so are the command's flags, its help, and replay.  A request is a JSON object of parameters;
 * what comes out is a report that carries the request, so that the same bits can be asked for again.
 *
 * Read param.h and work.h next: what may be asked, and what run() is written with. */
#ifndef MICROTOME_INSTRUMENT_INSTRUMENT_H
#define MICROTOME_INSTRUMENT_INSTRUMENT_H
#include "instrument/param.h"
#include "report/report.h"

typedef struct work work;

typedef enum needs { NEEDS_NOTHING, NEEDS_MODEL } needs;

typedef struct instrument_def {
    const char *name, *says;
    const char *subject;    /* what its positional argument is ("MODEL"); NULL: none */
    const char *positional; /* and which parameter it is; NULL: "model" */
    needs needs;
    bool prompts;       /* takes the parameters of prompts and edits as well */
    const param *param; /* its own; {0} ends */
    status (*run)(work *w, error *err);
} instrument_def;

/* Every instrument, NULL-terminated (generated).
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
extern const instrument_def *const instrument_all[];

/* How far it is (0..1), at most a few times a second; false stops it.
 *
 * [err: none | owns: user is borrowed for the call | thread: the caller's | cost: O(1)] */
typedef bool instrument_tell(void *user, const char *what, double done);

/* Run an instrument.  request: an object, "model" among its keys where the instrument needs one.
 * *out is there also when checks failed (*failed) or it was stopped (status INTERRUPTED: what is done is in it,
 * marked incomplete).
 *
 * [err: USAGE (an unknown parameter, with the nearest; a wrong type), and whatever the analysis meets | owns: the caller, report_free | thread: any | cost: the analysis] */
status instrument_run(report **out, bool *failed, const char *name, const json_t *request,
                      instrument_tell *tell, void *user, error *err);

/* The instrument of that name, or NULL; the i-th parameter that it takes, its own first, NULL after the last; the
 * parameter of that name, or NULL.
 *
 * [err: NULL | owns: static | thread: any | cost: O(instruments), O(parameters)] */
const instrument_def *instrument_find(const char *name);
const param *instrument_param(const instrument_def *d, int i);
const param *instrument_param_find(const instrument_def *d, const char *name);

/* How far apart two numbers are: 0 where they are equal or both NaN, infinity where one is NaN, so
 * that the largest gap of many never loses one.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline double number_gap(double got, double want)
{
    double gap = got > want ? got - want : want - got;
    if (got == want || (got != got && want != want)) return 0;
    return gap == gap ? gap : __builtin_inf();
}

#endif
/* SPDX-License-Identifier: MIT */
