/* fuzz_tokenizer -- up to a NUL a tokenizer.json (or, when it begins with 'L', a llama2.c tokenizer), after it a text:
 * what is encoded decodes without leaving the text. */
#include "scratch.h"
#include "token/tokenizer.h"
#include <string.h>

static void encode(const tokenizer *t, const char *text, size_t n)
{
    arena mem = { 0 };
    token_span *s = NULL;
    int64_t k = 0;
    str out = { 0 };
    if (tokenizer_encode(t, &mem, text, n, TOKEN_BOS_AUTO, &s, &k, NULL) == E_OK)
        for (int64_t i = 0; i < k; i++) {
            if (s[i].first > s[i].end || s[i].end > n) abort();
            tokenizer_decode(t, &s[i].id, 1, true, &out);
        }
    if (out.p && utf8_check(out.p, out.n) != out.n) abort();
    str_release(&out);
    arena_release(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tokenizer *t = NULL;
    bool binary = n && *data == 'L';
    const uint8_t *zero = binary ? NULL : memchr(data, 0, n);
    size_t m = zero ? (size_t)(zero - data) : n;
    const char *name = binary ? "t.bin" : "tokenizer.json";
    write_scratch(name, data + binary, m - binary);
    if (tokenizer_open(&t, scratch(name), NULL) != E_OK) return 0;
    if (zero) encode(t, (const char *)zero + 1, n - m - 1);
    encode(t, " a b<|x|>\xc3\xa9", 11);
    tokenizer_free(t);
    return 0;
}
/* SPDX-License-Identifier: MIT */
