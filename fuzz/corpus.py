#!/usr/bin/env python3
"""corpus.py -- what the fuzz targets begin with.

    corpus.py make TO        TO/NAME/: small files written here, and those found.zip holds
    corpus.py pack NAME FROM put FROM's files into found.zip in place of NAME's

found.zip holds what reached new code in long runs, thinned to what covers it all
(`fuzz_NAME -set_cover_merge=1 THIN FOUND...`).  A crash that was mended stays in it.
"""
import io
import json
import os
import struct
import sys
import zipfile

FOUND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "found.zip")


def put(target, name, data):
    folder = os.path.join(sys.argv[2], target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def safetensors(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def npy(shape, count):
    head = ("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (shape,)).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + b"\0" * 4 * count


def make():
    one = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    put("safetensors", "one", safetensors({"a": one, "__metadata__": {"k": "v"}}, b"\1" * 16))
    put("safetensors", "two", safetensors({"a": one, "b": {"dtype": "BF16", "shape": [], "data_offsets": [16, 18]}}, b"\2" * 18))
    put("safetensors", "empty", safetensors({}))
    put("safetensors", "lies", safetensors({"a": {"dtype": "F64", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 8]}}, b"\0" * 8))
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("a.npy", npy((2, 3), 6))
        f.writestr("b.npy", npy((), 1))
    put("npz", "two", z.getvalue())
    put("npz", "llama2c", struct.pack("<7i", 2, 3, 1, 1, 1, 4, 2) + b"\0" * 4 * 60)
    gpt2 = {"model_type": "gpt2", "n_layer": 1, "n_head": 1, "n_embd": 2, "vocab_size": 4, "n_positions": 4,
            "microtome": {"attn_only": True, "norm": "none", "bias": False}}
    put("config", "gpt2", json.dumps(gpt2))
    put("config", "keys", json.dumps(dict(gpt2, scale_attn_by_inverse_layer_idx=True, activation_function="relu", n_inner=8)))
    put("config", "llama", json.dumps({"model_type": "llama", "hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1,
                                       "num_hidden_layers": 1, "intermediate_size": 3, "vocab_size": 4, "head_dim": 2,
                                       "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                        "high_freq_factor": 4.0, "original_max_position_embeddings": 16}}))
    bpe = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "\u0120": 2, "ab": 3, "<|x|>": 4}, "merges": ["a b"]},
           "added_tokens": [{"id": 4, "content": "<|x|>", "special": True}],
           "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
               {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\s"}, "behavior": "Isolated"},
               {"type": "ByteLevel", "add_prefix_space": True, "use_regex": False}]},
           "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|x|>"}}, {"Sequence": {"id": "A"}}],
                              "special_tokens": {"<|x|>": {"ids": [4]}}}}
    put("tokenizer", "bpe", json.dumps(bpe).encode() + b"\0ab a <|x|> b")
    tokens = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)] + [b" ", b"a", b" a"]
    put("tokenizer", "llama2c", b"L" + struct.pack("<i", 6) + b"".join(struct.pack("<fi", -i, len(t)) + t for i, t in enumerate(tokens)))
    for i, text in enumerate(['blocks.*.attn.z[head=0|2, pos=-1]', 'embed[pos="the"#2], logits[vocab="cat"]', "blocks.0.attn.k[for=1]",
                              "layers_output[1]", "blocks.0.attn.pattern[query=3, key=0:2]@before", "blocks.1.resid_pre@before[pos=2:]",
                              "blocks.0.attn[head=1] -> blocks.1.attn.q[head=2] += 0.5 * d.npz:x", "embed -= project([1, 2, -3e4])",
                              "blocks.0.resid_pre <-> blocks.1.resid_pre", "logits = mean(prompts.json, by=pos)", "embed = @1:pos_embed[pos=1]"]):
        put("site", "text%d" % i, text)

    with zipfile.ZipFile(FOUND) as f:
        f.extractall(sys.argv[2])


def pack(target, folder):
    """Alike for alike input: names in order, no dates."""
    held = {}
    if os.path.exists(FOUND):
        with zipfile.ZipFile(FOUND) as f:
            held = {n: f.read(n) for n in f.namelist() if not n.startswith(target + "/")}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            held[target + "/" + name] = f.read()
    with zipfile.ZipFile(FOUND, "w", zipfile.ZIP_DEFLATED) as f:
        for name in sorted(held):
            f.writestr(zipfile.ZipInfo(name), held[name], zipfile.ZIP_DEFLATED)


if sys.argv[1:2] == ["make"] and len(sys.argv) == 3:
    make()
elif sys.argv[1:2] == ["pack"] and len(sys.argv) == 4:
    pack(*sys.argv[2:])
else:
    sys.exit(__doc__)
# SPDX-License-Identifier: MIT
