/* windows -- a file of text as windows of tokens: what instruments that look at much text read.
 *
 *     document   t0 t1 t2 t3 t4 t5 t6 t7 t8          window 4, stride 3; without BOS and with it
 *     windows    t0 t1 t2 t3 | t3 t4 t5 t6 | t6 ...      B t0 t1 t2 | B t3 t4 t5 | B t6 ...
 *
 * A window never crosses from one document into another, and where texts begin with BOS so does every window.  Rows from
 * `fresh` on hold tokens that no window before had as something to be predicted: each token is that once, but the first of
 * a document without BOS, which nothing stands before.
 *
 * What must stay true: windows hold the very ids of encoding the whole document at once.  It is encoded in pieces that
 * overlap; where two pieces do not agree on the tokens before their seam, more is taken into the overlap, and where that
 * does not help (a line of one letter for pages), the seam is counted.  Memory is bounded by the window and the piece, not
 * by the file. */
#ifndef MICROTOME_DATA_WINDOWS_H
#define MICROTOME_DATA_WINDOWS_H
#include "data/documents.h"
#include "model/prompt.h"

typedef struct windows_options {
    const char *path, *field, *separator; /* as documents_open takes them; borrowed */
    bos_policy bos;
    int64_t window; /* tokens, BOS included: 2 .. n_ctx; 0: n_ctx, at most 256 */
    int64_t
        stride; /* 1 .. window - 1; 0: window - 1, each token in one window but for its context */
    int64_t piece; /* bytes encoded at a time; 0: 256 KiB (for tests) */
} windows_options;

typedef struct text_window {
    prompt *p;
    int32_t fresh;      /* rows [fresh, p->n) */
    int64_t index;      /* windows before it */
    int64_t document;   /* which document */
    size_t document_at; /* where it begins in the file */
    int64_t first;      /* tokens of the document before the window's first (BOS is none) */
    size_t *
        byte; /* [p->n + 1] where in its document's text row r begins; zeros where it came as ids */
} text_window;

typedef struct windows windows;

/* Open a file for a model.
 *
 * [err: IO, USAGE (no tokenizer, window, stride), RANGE | owns: the caller, windows_close, which accepts NULL; the model is borrowed | thread: its own | cost: one mmap] */
status windows_open(windows **out, const model *m, const windows_options *o, error *err);
void windows_close(windows *c);

/* The next window, NULL at the end.
 *
 * [err: FORMAT (not UTF-8, at which byte; what documents_next says), RANGE (an id), NOMEM | owns: the caller, text_window_free, which accepts NULL | thread: the windows' | cost: O(window), and encoding a piece now and then] */
status windows_next(windows *c, text_window **out, error *err);
void text_window_free(text_window *w);

/* What was settled for window and stride, and whether windows begin with BOS; the share of the file that was read (0..1);
 * documents and tokens so far, tokens that nothing predicts (the first of each document without BOS), and seams where the
 * encoding may differ from that of the whole.
 *
 * [err: none | owns: nothing | thread: the windows' | cost: O(1)] */
typedef struct windows_facts {
    int32_t window, stride;
    bool bos;
    double done;
    int64_t n_document, n_token, n_alone, n_seam;
} windows_facts;
windows_facts windows_say(const windows *c);

#endif
/* SPDX-License-Identifier: MIT */
