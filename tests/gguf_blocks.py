#!/usr/bin/env python3
"""gguf_blocks.py -- writes gguf_blocks.json: blocks of every type, and the numbers that PyPI's gguf says are in them.

    pip install gguf numpy

A block is random bytes whose scales are of ordinary size (gguf's own numpy code decodes them).  "bytes": base 16; "bits": of
the float32 numbers, base 16, first number first.
"""
import json
import os

import gguf
import numpy as np

TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K".split()


def blocks(kind, dice):
    """A few blocks whose numbers are finite and not all tiny."""
    found = []
    while len(found) < (8 if gguf.GGML_QUANT_SIZES[kind][0] == 32 else 2):
        b = dice.integers(0, 256, size=(1, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
        with np.errstate(all="ignore"):
            most = np.abs(gguf.dequantize(b, kind)).max()
        if 1e-3 < most < 1e4:
            found.append(b)
    return np.concatenate(found)


def main():
    dice = np.random.default_rng(5)
    made = []
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        b = blocks(kind, dice)
        values = gguf.dequantize(b, kind).astype("<f4").reshape(-1)
        made.append({"type": name, "bytes": b.tobytes().hex(), "bits": values.view("<u4").astype(">u4").tobytes().hex()})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gguf_blocks.json")
    with open(path, "w") as f:
        json.dump(made, f, indent=0)
        f.write("\n")


main()
