/* fuzz_journal -- any bytes as the journal of a sweep, as they are and with their checksums made right: what it says it has
 * can be read, goes on where it stood, and is said again by the file that went on. */
#include "base/hash.h"
#include "instrument/journal.h"
#include "scratch.h"
#include <string.h>

enum { HEAD = 112, WAVE_HEAD = 12, SUM = 32 };

static uint64_t number(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* The checksum of [from, to) behind it; where the next part begins, or n. */
static size_t seal(uint8_t *p, size_t from, uint64_t body, size_t n)
{
    char sum[HASH_TEXT];
    if (body > n || from > n - body || n - from - body < SUM) return n;
    hash *h = hash_new();
    if (!h) abort();
    hash_add(h, p + from, body), hash_text(h, sum), hash_free(h);
    memcpy(p + from + body, sum, SUM);
    return from + body + SUM;
}

static void seal_all(uint8_t *p, size_t n)
{
    if (n < HEAD) return;
    uint64_t item = 9 + 8 * (number(p + 24, 4) & 63);
    size_t at = seal(p, 0, HEAD + (number(p + 8, 8) & 0xfff), n);
    while (at + WAVE_HEAD <= n) at = seal(p, at, WAVE_HEAD + number(p + at + 4, 4) * item, n);
}

static void add_one(journal *j, const journal_of *of)
{
    double value[64] = { 1 };
    int64_t had = journal_count(j);
    if (!of->n_item || journal_has(j, of->n_item - 1, NULL, NULL)) return;
    if (journal_add(j, of->n_item - 1, value, 1, NULL) || journal_flush(j, NULL)) return;
    if (journal_count(j) != had + 1) abort();
}

static void go_on(const journal_of *of)
{
    journal *j = NULL, *again = NULL;
    error err = { 0 };
    if (journal_open(&j, scratch("j"), of, &err) != E_OK) {
        if (!err.msg[0]) abort();
        return;
    }
    int64_t n = journal_count(j), more = of->n_item && !journal_has(j, of->n_item - 1, NULL, NULL);
    add_one(j, of);
    journal_close(j);
    if (journal_open(&again, NULL, of, &err) || journal_join(again, scratch("j"), &err)) abort();
    if (journal_count(again) != n + more) abort();
    journal_close(again);
}

static void read_one(const uint8_t *data, size_t n)
{
    journal_of of = { .n_value = 1 };
    error err = { 0 };
    write_scratch("j", data, n);
    if (journal_describe(&of, scratch("j"), &err) == E_OK) go_on(&of);
    else if (!err.msg[0]) abort();
    journal_text_free(of.request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    read_one(data, n);
    uint8_t *p = malloc(n + 1);
    if (!p) return 0;
    memcpy(p, data, n);
    seal_all(p, n);
    read_one(p, n);
    free(p);
    return 0;
}
/* SPDX-License-Identifier: MIT */
