/* report_read -- what replay needs of a report that was written to a file: request, hash, where.
 *
 * Reads what render_json writes, and an HTML report too: the same JSON lies in it. */
#ifndef MICROTOME_REPORT_REPORT_READ_H
#define MICROTOME_REPORT_REPORT_READ_H
#include "report/certificate.h"

/* The script element an HTML report carries its JSON in; written by the render room. */
#define REPORT_JSON_BEGIN "<script type=\"application/json\" id=\"microtome-report\">"
#define REPORT_JSON_END "</script>"

/* How a JSON report begins: its first key, and the version of its shape. */
#define REPORT_JSON_KEY "microtome_report"
enum { REPORT_JSON_VERSION = 1 };

/* Strings are borrowed from doc; NULL where the report does not say, but for instrument and hash. */
typedef struct report_source {
    json_t *doc;            /* owned: the whole report */
    const json_t *request;  /* the experiment document; an object */
    const json_t *where;    /* key -> path on the machine that wrote it; NULL when there is none */
    const char *instrument; /* never NULL */
    const char *hash;       /* what the replay must give again; never NULL */
    const char *model, *model_hash;
    const char *model_path; /* where.model: a hint, the file may have moved */
    const char *engine;     /* "microtome 0.1.0" */
    bool complete;
} report_source;

/* Read a report's text (`n` bytes); `name` goes into messages.
 *
 * [err: FORMAT (no report, no request, another shape), UNSUPPORTED (not replayable), NOMEM | owns: the caller, report_source_release | thread: any | cost: O(n)] */
status report_read_request(report_source *out, const char *text, size_t n, const char *name,
                           error *err);
void report_source_release(report_source *s);

#endif
/* SPDX-License-Identifier: MIT */
