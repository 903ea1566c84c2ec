/* fuzz_vocab -- a kind ('M' a SentencePiece model, 'T' a rank file, 'V' vocab.json NUL merges, 'G' 'g' what a GGUF file
 * holds), a text up to a NUL, then the file: what is encoded decodes without leaving the text. */
#include "scratch.h"
#include "token/tokenizer.h"
#include "token/vocab.h"
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

/* Tokens of a length and bytes each; their scores fall, types come from their lengths' upper bits. */
static status from_bytes(tokenizer **t, const uint8_t *p, size_t n, bool bytes, error *err)
{
    enum { MOST = 256 };
    vocab_text text[MOST];
    float score[MOST];
    int32_t type[MOST];
    static const vocab_text merge = { "a b", 3 };
    token_vocab v = { .model = bytes ? "gpt2" : "llama",
                      .pre = "qwen2",
                      .text = text,
                      .score = score,
                      .type = type,
                      .bos = -1,
                      .eos = -1,
                      .unk = 0 };
    if (!n) return E_FORMAT;
    v.squeeze = *p & 1 ? VOCAB_YES : VOCAB_NO, v.n_merges = *p & 2 ? 1 : 0, v.merge = &merge;
    v.add_eos = *p & 4 ? VOCAB_YES : VOCAB_NO, v.eos = *p & 4 ? 1 : -1;
    if (*p & 8) v.model = "unigram";
    for (p++, n--; n && v.n < MOST; v.n++) {
        size_t len = *p & 31, left = n - 1;
        type[v.n] = (*p >> 5) + 1, score[v.n] = (float)-v.n;
        if (len > left) len = left;
        text[v.n] = (vocab_text){ (const char *)p + 1, len };
        p += len + 1, n -= len + 1;
    }
    return tokenizer_from_vocab(t, &v, "vocabulary", err);
}

static status open_files(tokenizer **t, char kind, const uint8_t *p, size_t n, error *err)
{
    const uint8_t *zero = kind == 'V' ? memchr(p, 0, n) : NULL;
    const char *name = kind == 'M' ? "t.model" : kind == 'T' ? "r50k_base.tiktoken" : "vocab.json";
    write_scratch(name, p, zero ? (size_t)(zero - p) : n);
    if (zero) write_scratch("merges.txt", zero + 1, n - (size_t)(zero - p) - 1);
    return tokenizer_open(t, scratch(name), err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tokenizer *t = NULL;
    error err = { 0 };
    const uint8_t *zero = n ? memchr(data, 0, n) : NULL;
    if (!zero) return 0;
    const uint8_t *file = zero + 1;
    size_t left = n - (size_t)(file - data);
    char kind = (char)*data;
    status st = kind == 'G' || kind == 'g' ? from_bytes(&t, file, left, kind == 'g', &err)
                                           : open_files(&t, kind, file, left, &err);
    if (st != E_OK) return 0;
    if (zero > data) encode(t, (const char *)data + 1, (size_t)(zero - data) - 1);
    encode(t, " a b<|x|>\xc3\xa9", 11);
    tokenizer_free(t);
    return 0;
}
/* SPDX-License-Identifier: MIT */
