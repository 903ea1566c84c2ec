/* corpus_run -- a model run over a file of text, window by window, in waves: what corpus and maxact share.
 *
 * Windows are taken in the order of the file, whatever the waves.  Stopped (Ctrl-C, --seconds), what was taken stands. */
#ifndef MICROTOME_INSTRUMENT_CORPUS_RUN_H
#define MICROTOME_INSTRUMENT_CORPUS_RUN_H
#include "data/windows.h"
#include "instrument/work.h"

/* The parameters of a file of text, to be pasted into a table of params. */
#define CORPUS_PARAMS                                                                              \
    { "text", PARAM_TEXT, NULL, "the file: text, or NAME.jsonl of documents", ROLE_FILE },         \
        { "field", PARAM_TEXT, "text", "which field of a line of JSON is the document",            \
          ROLE_WHAT },                                                                             \
        { "separator", PARAM_TEXT, NULL,                                                           \
          "what stands between documents of a plain file, such as \"<|endoftext|>\"", ROLE_WHAT }, \
        { "window", PARAM_INT_FROM(0), "0",                                                        \
          "tokens run together, BOS included; 0: 256, or what the model takes", ROLE_WHAT },       \
        { "stride", PARAM_INT_FROM(0), "0",                                                        \
          "tokens from one window's begin to the next; 0: window - 1, below: the rest is context", \
          ROLE_WHAT },                                                                             \
        { "most", PARAM_INT_FROM(0), "0",                                                          \
          "stop once so many tokens are done, at a window's end; 0: the whole file", ROLE_WHAT },  \
        { "bos", PARAM_BOS, "auto",                                                                \
          "windows begin with BOS: auto (as the tokenizer does), yes, no", ROLE_WHAT },            \
        { "edit", PARAM_LIST, NULL,                                                                \
          "an edit in every window, SITE = VALUE; give it again for several", ROLE_EDITS },        \
    {                                                                                              \
        "seconds", PARAM_REAL_FROM(0), "0", "stop after so long, what is done kept; 0: never",     \
            ROLE_HOW                                                                               \
    }

typedef struct corpus_run corpus_run;
struct corpus_run {
    work *w;
    windows *c;
    int64_t n_window, n_fresh; /* taken so far; their tokens from `fresh` on */
    bool edits;                /* is anything edited? */
    int64_t n_reached;         /* windows in which edits could act */
    /* Ask of a window's lane what is wanted, and give it inputs of overlays (ask is called on the edited lane too, `give`
     * is not; it may be NULL).  Take what was asked: edited is NULL without --edit. */
    status (*give)(corpus_run *x, const text_window *v, lane *l, error *err);
    status (*ask)(corpus_run *x, const text_window *v, lane *l, error *err);
    status (*take)(corpus_run *x, const text_window *v, lane *l, lane *edited, error *err);
    /* May be NULL: is this window not to be run?  It is taken all the same, in its turn, with l NULL. */
    bool (*skip)(corpus_run *x, const text_window *v);
    status (*wave_done)(corpus_run *x, error *err); /* may be NULL: after every wave */
    void *user;
    struct corpus_wave *wave; /* the windows under way */
    double until;
    double begin; /* which share of all the work was done before (0..1); this is the rest */
    int64_t last; /* the last window that is looked at; 0: all of them */
    bool ended;   /* it was read */
};

/* Open the file that the request names, with the callbacks set by the caller; run all of it; how many windows that are; say
 * in the report how it was read, and what was not predicted.  Stopped: INTERRUPTED, after which corpus_run_show may be called all the same.
 *
 * [err: USAGE, what windows_next, edits and the run return, INTERRUPTED | owns: corpus_run_close | thread: the work's | cost: the file's tokens through the model] */
status corpus_run_open(corpus_run *x, work *w, error *err);
status corpus_run_all(corpus_run *x, error *err);
status corpus_run_count(const corpus_run *x, int64_t *n_window, error *err);
void corpus_run_show(corpus_run *x);
void corpus_run_close(corpus_run *x);

#endif
/* SPDX-License-Identifier: MIT */
