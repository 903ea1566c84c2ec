/* certificate -- what a result rests on, kept with it: inputs, method, controls, and the hash.
 *
 * Fields are filled through the functions of report.h, which copy strings into the report's arena;
 * reading them is open to all.  Which fields are in the hash is said in report.h. */
#ifndef MICROTOME_REPORT_CERTIFICATE_H
#define MICROTOME_REPORT_CERTIFICATE_H
#include "base/json.h"
#include "report/interval.h"
#include <stdbool.h>

enum { CERT_HASH = 64 }; /* "xxh3-128:", 32 digits and NUL fit */

/* One sequence that was run: its exact token ids. */
typedef struct cert_lane {
    struct cert_lane *next;
    const char *name; /* "clean", "corrupt", "prompt" */
    const char *text; /* what the user wrote, or NULL when ids were given */
    const int64_t *id;
    int64_t n;
} cert_lane;

/* A number (or a sentence) a sceptic would ask for beside the result. */
typedef struct cert_control {
    struct cert_control *next;
    const char *name, *text; /* text may be NULL */
    bool has_value;
    double value;
} cert_control;

typedef struct cert_interval {
    struct cert_interval *next;
    const char *name;
    interval v;
} cert_interval;

typedef struct cert_seed {
    struct cert_seed *next;
    const char *stream;
    uint64_t seed;
} cert_seed;

/* A file that was read beside the model: pairs, reference prompts, vectors. */
typedef struct cert_file {
    struct cert_file *next;
    const char *path, *hash; /* as it was written; of its bytes */
} cert_file;

typedef struct cert_warning {
    struct cert_warning *next;
    const char *text;
} cert_warning;

typedef struct certificate {
    const char *model, *model_hash;
    const char *tokenizer, *tokenizer_hash; /* NULL: the model has none */
    const char *engine;                     /* "microtome 0.1.0" */
    const char *precision;                  /* "f32" (canonical), "f64" */
    const char *approximation;              /* "exact" */
    const char *backend;                    /* of this machine; not hashed, like the next two */
    int n_thread;
    double seconds;
    int64_t n_run,
        n_fork; /* whole runs and forks; not hashed: they depend on how the work was cut */
    cert_lane *lane, **lane_end;
    cert_control *control, **control_end;
    cert_interval *interval, **interval_end;
    cert_seed *seed, **seed_end;
    cert_file *file, **file_end;
    cert_warning *warning, **warning_end;
    bool complete; /* false: stopped before the end; what is marked incomplete is missing */
    bool replayable;
    const char *not_replayable; /* why not; NULL when replayable */
    json_t *request;            /* owned: the experiment document; hashed, so it holds no path */
    json_t *where;              /* owned: paths the request needs on this machine; not hashed */
    char input_hash[CERT_HASH]; /* model hash, token ids, files; "" before report_finish */
    char hash[CERT_HASH];       /* the report's; "" before report_finish */
} certificate;

#endif
/* SPDX-License-Identifier: MIT */
