/* fuzz_text -- any bytes as a table of labelled prompts (CSV, lines of JSON) and as a file of text that is read in windows,
 * with the embedded model's words: each token predicted once, in windows that fit. */
#include "data/labelled.h"
#include "data/windows.h"
#include "scratch.h"
#include <string.h>

static void table(const model *m, const char *path)
{
    labelled *l = NULL;
    error err = { 0 };
    labelled_fields f = { .group = "who" };
    for (int k = 0; k < 2; k++, f.group = NULL) {
        status st = labelled_read_table(&l, m, path, &f, BOS_AUTO, &err);
        if (st != E_OK && !*err.msg) abort();
        for (int i = 0; st == E_OK && i < l->n; i++)
            if (l->group[i] < 0 || l->group[i] >= l->n_group || l->p[i]->n < 1) abort();
        if (st == E_OK) labelled_free(l);
    }
}

static void check_window(const text_window *w, const windows_facts *f)
{
    if (w->p->n > f->window || w->fresh < 1 || w->fresh >= w->p->n) abort();
    for (int32_t r = 0; r < w->p->n; r++)
        if (w->byte[r] > w->byte[r + 1]) abort();
}

static void read_windows(const model *m, windows_options o)
{
    windows *c = NULL;
    text_window *w = NULL;
    error err = { 0 };
    int64_t n = 0;
    if (windows_open(&c, m, &o, &err) != E_OK) return;
    status st = windows_next(c, &w, &err);
    while (st == E_OK && w) {
        windows_facts f = windows_say(c);
        check_window(w, &f);
        n += w->p->n - w->fresh;
        text_window_free(w);
        w = NULL;
        st = windows_next(c, &w, &err);
    }
    windows_facts f = windows_say(c);
    if (st != E_OK && !*err.msg) abort();
    if (st == E_OK && n + (f.bos ? 0 : f.n_alone) != f.n_token) abort();
    windows_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static model *m;
    char path[3][128];
    static const char *const names[] = { "x.csv", "x.jsonl", "x.txt" };
    if (!m && model_open(&m, "demo:induction", NULL, NULL)) abort();
    for (int i = 0; i < 3; i++) {
        write_scratch(names[i], data, n);
        snprintf(path[i], sizeof path[i], "%s", scratch(names[i]));
    }
    table(m, path[0]), table(m, path[1]);
    read_windows(m,
                 (windows_options){ .path = path[1], .field = "text", .window = 5, .stride = 2 });
    read_windows(m, (windows_options){ .path = path[2],
                                       .field = "text",
                                       .separator = "|",
                                       .bos = BOS_NO,
                                       .window = 4,
                                       .piece = 1 });
    return 0;
}
/* SPDX-License-Identifier: MIT */
