/* fuzz_site -- any text as addresses, as the two ends of an edge, and as an edit, on the embedded model. */
#include "model/change.h"
#include "model/site.h"
#include <stdlib.h>
#include "graph/session.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const address *a, int n)
{
    char text[100];
    for (int i = 0; i < n; i++) {
        address_text(&a[i], text, sizeof text);
        if (a[i].where.a0 < 0 || a[i].where.a1 > a[i].n->n_part || a[i].where.r0 < 0) abort();
        if (a[i].n->extent == ROW && a[i].w1 > a[i].n->width) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static model *m;
    static prompt *p;
    static const char words[] = "the cat sat on the mat";
    arena mem = { 0 };
    address *a;
    change *c;
    int k;
    if (!m && (model_open(&m, "demo:induction", NULL, NULL) ||
               prompt_from_text(&p, m, words, sizeof words - 1, BOS_AUTO, NULL)))
        abort();
    char *text = arena_get(&mem, n + 1);
    if (!text) return 0;
    memcpy(text, data, n);
    text[n] = 0;
    if (site_find_list(&a, &k, &mem, m, p, text, NULL) == E_OK) check(a, k);
    if (site_find_list(&a, &k, &mem, m, NULL, text, NULL) == E_OK) check(a, k);
    if (site_find_writers(&a, &k, &mem, m, p, text, NULL) == E_OK) check(a, k);
    if (site_find_readers(&a, &k, &mem, m, p, text, NULL) == E_OK) check(a, k);
    change_parse(&c, &k, &mem, text, NULL);
    arena_release(&mem);
    return 0;
}
/* SPDX-License-Identifier: MIT */
