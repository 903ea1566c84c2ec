/* tiny -- reports asked for and looked into, and the tiny GPT-2 of the goldens, on which what a sweep says of a cell can
 * be asked for by hand. */
#ifndef TESTS_TINY_H
#define TESTS_TINY_H
#include "format/format.h"
#include "include/microtome.h"
#include <stdbool.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Run an instrument; NULL, with the reason printed, when it fails. */
mt_report *ran(const char *instrument, const char *request);
/* It fails, and says this. */
void refuses(const char *instrument, const char *request, const char *says);
/* The same, the request as printf writes it (at most 4095 bytes). */
mt_report *ran_as(const char *instrument, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void refuses_as(const char *instrument, const char *says, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* With the n-th allocation failing, for n growing faster and faster: an error that says so, or the same report. */
void starve(const char *instrument, const char *request);
/* The same, so dense (1: n doubles each time); more than `least` fail. */
void starve_by(const char *instrument, const char *request, int64_t dense, int least);
/* Is this in the report's text? */
bool shows(const mt_report *r, const char *what);

/* A report's tensors, by way of a file, as users read them (container_free). */
container *tensors_in(const mt_report *r);

/* A tensor of a file as doubles, which must be there (to be freed); one number of a tensor. */
double *values_of(const container *c, const char *name, int64_t *n);
double value_at(const tensor_view *t, int64_t i);

/* A tensor of a report as doubles (to be freed); one of its numbers. */
double *tensor_of(const mt_report *r, const char *name, int64_t *n);
double number_of(const mt_report *r, const char *name, int64_t at);

/* A JSON value as a file (taken). */
void write_json(const char *path, json_t *own_v);

/* The tiny GPT-2 of the goldens (3 layers, 5 heads, 122 neurons, 83 tokens) and a file with its first pair and the
 * reference prompts; false: no ../shared. */
typedef struct tiny {
    char dir[1000], pairs[1100], reference[1100], tokens[400];
    int64_t correct, wrong;
    size_t len;
} tiny;
bool tiny_open(tiny *t);

/* The logits of `which` (0 the clean, 1 the corrupted prompt) under edits as they are written (to be freed), and the
 * difference of the two answers' logits. */
double *by_hand(const tiny *t, int which, const char *edits);
double diff_by_hand(const tiny *t, int which, const char *edits);

#endif
/* SPDX-License-Identifier: MIT */
