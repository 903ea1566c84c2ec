/* microtome -- the public functions.  A mechanistic-interpretability engine: open a transformer, run an analysis, get
 * a report that carries its controls.
 *
 * Everything goes through instruments: a request (a JSON object of parameters) makes a report.  What instruments there
 * are and what they take is itself JSON (mt_describe), so faces (the command, Python, a page) are made from it.
 *
 * Nothing here prints, exits or keeps a pointer of the caller's.  Strings are UTF-8 and NUL-terminated. */
#ifndef MICROTOME_H
#define MICROTOME_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define MT_VERSION "0.1.0"

/* 0: well; else negative, as mt_status_name says. */
typedef int mt_status;

typedef struct mt_error {
    mt_status code;
    char message[512]; /* what was found, what was expected */
    char hint[384];    /* what to do; may be empty */
} mt_error;

typedef struct mt_report mt_report;

enum { MT_USAGE = -11, MT_INTERRUPTED = -13 };

/* "NOSITE" for -5, and so on; "?" for an unknown code.
 *
 * [err: none | owns: static | thread: any | cost: O(1)] */
const char *mt_status_name(mt_status code);

/* Every instrument with its parameters, as JSON:
 *   [{"name", "says", "subject", "positional", "params": [{"name", "kind", "default", "says"}]}]
 * kind: text, int, real, flag, list.  Numbers that have bounds have "least" and "most" as well; texts that are one of some
 * words "one_of", a list of these; texts that are some of them, with commas, "some_of".
 *
 * [err: NULL when out of memory | owns: the caller, mt_text_free | thread: any | cost: microseconds] */
char *mt_describe(void);
void mt_text_free(char *text);

/* How far a run is: 0..1.  Return false to stop it: what is done is kept, and marked incomplete. */
typedef bool mt_tell(void *user, const char *what, double done);

/* Run an instrument.  request: a JSON object of its parameters, e.g. {"model": "llama", "prompt": ["The capital of"],
 * "edit": ["blocks.3.mlp.out = 0", "weights += 0.5 * lora(my-adapter)"]}: edits act in forks, and the model stays as it is.  *out is there when 0 or MT_INTERRUPTED is returned.
 *
 *   tell   may be NULL
 *
 * [err: any, in err | owns: the caller, mt_report_free | thread: any; one run a call | cost: the analysis] */
mt_status mt_run(mt_report **out, const char *instrument, const char *request, mt_tell *tell,
                 void *user, mt_error *err);
void mt_report_free(mt_report *r);

/* Did a check that the instrument makes fail (verify, replay, tokens --check)?  The report's hash.
 *
 * [err: none | owns: borrowed | thread: any | cost: O(1)] */
bool mt_report_failed(const mt_report *r);
const char *mt_report_hash(const mt_report *r);

/* A report as text, json, csv or html.  width, colour: of text; 0 and false are fine.
 *
 * [err: NULL, with the reason in err | owns: the caller, mt_text_free | thread: any | cost: O(report)] */
char *mt_report_render(const mt_report *r, const char *form, int width, bool colour, mt_error *err);

/* Write the report's tensors as .safetensors or .npz; any text to a file.  Both beside the file and then renamed.
 *
 * [err: any, in err | owns: nothing | thread: any | cost: O(bytes)] */
mt_status mt_report_write_tensors(const mt_report *r, const char *path, mt_error *err);
mt_status mt_write_file(const char *path, const char *text, mt_error *err);

/* Compare the report's tensors with those of the same name in a file: a line for each, its worst element; *n_wrong:
 * how many lie outside tol (relative to the largest entry; 0: 1e-5) or have another shape, 1 when no name is in both.
 * What only the file has is named and not wrong.
 *
 * [err: NULL, with the reason in err | owns: the caller, mt_text_free | thread: any | cost: O(elements)] */
char *mt_report_against(const mt_report *r, const char *path, double tol, int *n_wrong,
                        mt_error *err);

#ifdef __cplusplus
}
#endif
#endif
/* SPDX-License-Identifier: MIT */
