/* bench_tokenizer -- MB/s of encoding on one thread: bench_tokenizer TOKENIZER TEXT [REPEATS].
 *
 * bench_tokenizer.sh runs it beside tiktoken and Hugging Face's tokenizers on the same text. */
#include "base/file.h"
#include "token/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void give_up(const error *err)
{
    fprintf(stderr, "bench_tokenizer: %s\n", err->msg);
    exit(1);
}

static double encode_once(const tokenizer *t, const str *text, int64_t *n)
{
    error err = { 0 };
    arena mem = { 0 };
    token_span *s;
    double start = now();
    if (tokenizer_encode(t, &mem, text->p, text->n, TOKEN_BOS_NO, &s, n, &err) != E_OK)
        give_up(&err);
    double took = now() - start;
    arena_release(&mem);
    return took;
}

int main(int argc, char **argv)
{
    error err = { 0 };
    tokenizer *t = NULL;
    str text = { 0 };
    double best = 1e9, start = now();
    int64_t n = 0;
    if (argc < 3) {
        printf("usage: bench_tokenizer TOKENIZER TEXT [REPEATS]; bench_tokenizer.sh runs it\n");
        return 0;
    }
    if (tokenizer_open(&t, argv[1], &err) != E_OK || file_read(&text, argv[2], 1 << 30, &err))
        give_up(&err);
    if (!t) {
        fprintf(stderr, "bench_tokenizer: %s: there is no tokenizer in it\n", argv[1]);
        return 1;
    }
    double opened = now() - start;
    for (int i = 0; i < (argc > 3 ? atoi(argv[3]) : 10); i++) {
        double took = encode_once(t, &text, &n);
        if (took < best) best = took;
    }
    printf("microtome     %6.1f MB/s, %lld tokens of %zu bytes, opened in %.0f ms\n",
           (double)text.n / best * 1e-6, (long long)n, text.n, opened * 1e3);
    str_release(&text);
    tokenizer_free(t);
    return 0;
}
/* SPDX-License-Identifier: MIT */
