/* fuzz_pairs -- any bytes as a file of pairs, with the embedded model's words: pairs that line up, or an error. */
#include "data/pairs.h"
#include "scratch.h"

static void check(const model *m, const pairs *p, int64_t limit)
{
    if (p->n < 1 || (limit && p->n > limit)) abort();
    for (int i = 0; i < p->n; i++) {
        if (p->clean[i]->n != p->corrupt[i]->n || p->clean[i]->n < 1) abort();
        if (p->correct[i] < 0 || p->correct[i] >= m->config.n_vocab_out) abort();
        if (p->wrong && p->wrong[i] == p->correct[i]) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static model *m;
    if (!m && model_open(&m, "demo:induction", NULL, NULL)) abort();
    write_scratch("pairs", data, n);
    for (int64_t limit = 0; limit < 2; limit++) {
        pairs *p = NULL;
        error err = { 0 };
        pairs_how how = { .limit = limit };
        status st = pairs_read(&p, m, scratch("pairs"), &how, &err);
        if (st != E_OK && !*err.msg) abort();
        if (st == E_OK) check(m, p, limit);
        pairs_free(p);
    }
    return 0;
}
/* SPDX-License-Identifier: MIT */
