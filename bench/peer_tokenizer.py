#!/usr/bin/env python3
"""peer_tokenizer.py VOCAB TEXT -- the same text by tiktoken and Hugging Face's tokenizers, one thread, where they are."""
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def best(encode, text, repeats=10):
    took, n = 1e9, 0
    for _ in range(repeats):
        start = time.perf_counter()
        n = len(encode(text))
        took = min(took, time.perf_counter() - start)
    return took, n


def say(name, took, n, size):
    print("%-13s %6.1f MB/s, %d tokens of %d bytes" % (name, size / took * 1e-6, n, size))


def main():
    vocab, path = sys.argv[1:3]
    text = open(path, encoding="utf-8", newline="").read()
    size = len(text.encode())
    try:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe
        pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
        ranks = load_tiktoken_bpe(os.path.join(vocab, "r50k_base.tiktoken"))
        e = tiktoken.Encoding("r50k_base", pat_str=pattern, mergeable_ranks=ranks,
                              special_tokens={"<|endoftext|>": 50256})
        say("tiktoken", *best(e.encode_ordinary, text), size)
    except Exception as problem:  # not installed, or no such file
        print("tiktoken      not run: %s" % problem)
    try:
        from tokenizers import ByteLevelBPETokenizer
        t = ByteLevelBPETokenizer(os.path.join(vocab, "encoder.json"), os.path.join(vocab, "vocab.bpe"))
        say("tokenizers", *best(lambda x: t.encode(x).ids, text, 2), size)
    except Exception as problem:
        print("tokenizers    not run: %s" % problem)


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
