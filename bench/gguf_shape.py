#!/usr/bin/env python3
"""gguf_shape.py SHAPE TYPE FILE -- a GGUF file of random weights of one type, unless it is there: for bench_gguf.

SHAPE is gpt2-small or llama-1b; norms, biases and positions are F32 as llama.cpp's own converter leaves them.  The
vocabulary is made up, as long as the model's and as many bytes a token, so that reading it costs what it costs.
Weights are any integers under scales that make them of about GPT-2's size: speed does not depend on them."""
import os
import random
import struct
import sys

SHAPES = {  # layers, heads, heads of keys and values, d_model, d_mlp, vocabulary, positions
    "gpt2-small": ("gpt2", 12, 12, 12, 768, 3072, 50257, 1024),
    "llama-1b": ("llama", 16, 32, 8, 2048, 8192, 32000, 4096),
}
# The format's number, numbers in a block, bytes of it, and what of its bytes is not random: at, bytes.
HALF = {value: struct.pack("<e", value) for value in (2e-4, 3e-3, 1e-4, 1e-5, 8e-4)}
TYPES = {
    "F32": (0, 1, 4, [(3, b"\x3c")]),
    "Q4_0": (2, 32, 18, [(0, HALF[3e-3])]),
    "Q8_0": (8, 32, 34, [(0, HALF[2e-4])]),
    "Q4_K": (12, 256, 144, [(0, HALF[1e-4] + HALF[8e-4] + b"\x20" * 12)]),
    "Q6_K": (14, 256, 210, [(192, b"\x40\xc0" * 8), (208, HALF[1e-5])]),
}


def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def value(key, x):
    """A key and its value: text, a flag, an integer, a float, or a list of texts, integers or floats."""
    def kind(v):
        return 8 if isinstance(v, (str, bytes)) else 7 if isinstance(v, bool) else 6 if isinstance(v, float) else 4

    def put(v, k):
        return text(v) if k == 8 else struct.pack({7: "<?", 6: "<f", 5: "<i", 4: "<I"}[k], v)

    if not isinstance(x, list):
        return text(key) + struct.pack("<I", kind(x)) + put(x, kind(x))
    k = 5 if kind(x[0]) == 4 else kind(x[0])
    return text(key) + struct.pack("<IIQ", 9, k, len(x)) + b"".join(put(v, k) for v in x)


def byte_symbols():
    """GPT-2's printable characters for bytes."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return [chr(b) if b in own else chr(next(rest)) for b in range(256)]


def words(n, first):
    """So many different tokens, each made of two before it, and the pairs."""
    draw, tokens, pairs = random.Random(1), list(first), []
    known = set(tokens)
    while len(tokens) < n:
        a, b = draw.choice(tokens), draw.choice(tokens)
        if len(a + b) <= 16 and a + b not in known:
            tokens.append(a + b)
            known.add(a + b)
            pairs.append(a + " " + b)
    return tokens, pairs


def vocabulary(arch, n):
    if arch == "gpt2":
        tokens, pairs = words(n - 1, byte_symbols())
        return [("model", "gpt2"), ("pre", "gpt-2"), ("tokens", tokens + ["<|endoftext|>"]),
                ("token_type", [1] * (n - 1) + [3]), ("merges", pairs), ("bos_token_id", n - 1), ("eos_token_id", n - 1)]
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    tokens, _ = words(n - len(special), [chr(c) for c in range(97, 123)] + ["\u2581"])
    types = [2, 3, 3] + [6] * 256 + [1] * len(tokens)
    return [("model", "llama"), ("tokens", special + tokens), ("scores", [-float(i) for i in range(n)]),
            ("token_type", types), ("bos_token_id", 1), ("eos_token_id", 2), ("unknown_token_id", 0)]


def metadata(shape):
    arch, layers, heads, kv, d, mlp, n_vocab, context = shape
    keys = [("context_length", context), ("embedding_length", d), ("feed_forward_length", mlp), ("block_count", layers),
            ("attention.head_count", heads)]
    if arch == "gpt2":
        keys.append(("attention.layer_norm_epsilon", 1e-5))
    else:
        keys += [("attention.head_count_kv", kv), ("attention.layer_norm_rms_epsilon", 1e-5), ("rope.dimension_count", d // heads)]
    return [value("general.architecture", arch)] + [value("%s.%s" % (arch, k), v) for k, v in keys] + \
        [value("tokenizer.ggml." + k, v) for k, v in vocabulary(arch, n_vocab)]


def tensors(shape, kind):
    """Name, shape with the longer loop last, type."""
    arch, layers, heads, kv, d, mlp, n_vocab, context = shape
    narrow = d // heads * kv
    yield "token_embd.weight", (n_vocab, d), kind
    if arch == "gpt2":
        yield "position_embd.weight", (context, d), "F32"
        parts = [("attn_qkv", (3 * d, d)), ("attn_output", (d, d)), ("ffn_up", (mlp, d)), ("ffn_down", (d, mlp))]
        norms = ["weight", "bias"]
    else:
        parts = [("attn_q", (d, d)), ("attn_k", (narrow, d)), ("attn_v", (narrow, d)), ("attn_output", (d, d)),
                 ("ffn_gate", (mlp, d)), ("ffn_up", (mlp, d)), ("ffn_down", (d, mlp))]
        norms = ["weight"]
    for i in range(layers):
        for name, size in parts:
            yield "blk.%d.%s.weight" % (i, name), size, kind
            if arch == "gpt2":
                yield "blk.%d.%s.bias" % (i, name), (size[0],), "F32"
        for name in ("attn_norm", "ffn_norm"):
            for end in norms:
                yield "blk.%d.%s.%s" % (i, name, end), (d,), end
    for end in norms:
        yield "output_norm." + end, (d,), end
    if arch != "gpt2":
        yield "output.weight", (n_vocab, d), kind


def number_of(size):
    n = 1
    for k in size:
        n *= k
    return n


def type_of(kind):
    return TYPES.get(kind, TYPES["F32"])  # "weight" and "bias" are a norm's


def data(size, kind, draw):
    n = number_of(size)
    if kind in ("weight", "bias"):
        return struct.pack("<f", kind == "weight") * n
    _, block, wide, fixed = type_of(kind)
    out = bytearray(draw.randbytes(n // block * wide))
    if kind == "F32":  # half of them negative
        out[3::4] = out[3::4].translate(bytes([0x3c] * 128 + [0xbc] * 128))
        return out
    for at, what in fixed:
        for i, b in enumerate(what):
            out[at + i::wide] = bytes([b]) * (n // block)
    return out


def main():
    shape, kind, path = SHAPES[sys.argv[1]], sys.argv[2], sys.argv[3]
    if os.path.exists(path):
        return
    meta, listed, at = metadata(shape), b"", 0
    every = list(tensors(shape, kind))
    for name, size, t in every:
        number, block, wide, _ = type_of(t)
        listed += text(name) + struct.pack("<I", len(size)) + struct.pack("<%dQ" % len(size), *reversed(size))
        listed += struct.pack("<IQ", number, at)
        at += (number_of(size) // block * wide + 31) // 32 * 32
    with open(path + ".part", "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, len(every), len(meta)) + b"".join(meta) + listed)
        for i, (name, size, t) in enumerate(every):
            f.write(bytes(-f.tell() % 32))
            f.write(data(size, t, random.Random(i)))
        f.write(bytes(-f.tell() % 32))
    os.rename(path + ".part", path)


main()
# SPDX-License-Identifier: MIT
