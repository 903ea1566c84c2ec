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


def floats(shapes):
    """float32 tensors of those shapes, all 1/256 and a bit."""
    header, at = {}, 0
    for name, shape in shapes.items():
        n = 4
        for d in shape:
            n *= d
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    return safetensors(header, struct.pack("<I", 0x3b800001) * (at // 4))


def halves(name, rank, n_in, n_out, end="weight"):
    """A LoRA's two matrices of one weight, in float16."""
    a, b = 2 * rank * n_in, 2 * rank * n_out
    return safetensors({name + "A." + end: {"dtype": "F16", "shape": [rank, n_in], "data_offsets": [0, a]},
                        name + "B." + end: {"dtype": "F16", "shape": [n_out, rank], "data_offsets": [a, a + b]}}, b"\1\2" * ((a + b) // 2))


def npy(shape, count):
    head = ("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (shape,)).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + b"\0" * 4 * count


def gguf(values, tensors, version=3):
    """values: (key, type, packed value); tensors: (name, dims innermost first, type, bytes)."""
    def text(t):
        return struct.pack("<Q", len(t)) + t.encode()
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    for key, kind, value in values:
        head += text(key) + struct.pack("<I", kind) + (text(value) if kind == 8 else value)
    data = b""
    for name, dims, kind, raw in tensors:
        data += b"\0" * (-len(data) % 32)
        head += text(name) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, kind, len(data))
        data += raw
    return head + b"\0" * (-len(head) % 32) + data


def gguf_texts(texts):
    return struct.pack("<IQ", 8, len(texts)) + b"".join(struct.pack("<Q", len(t)) + t for t in texts)


def gguf_llama():
    """A Llama of one layer, two dimensions, with a vocabulary and a template."""
    def u32(n):
        return struct.pack("<I", n)
    values = [("general.architecture", 8, "llama"), ("llama.embedding_length", 4, u32(32)), ("llama.block_count", 4, u32(1)),
              ("llama.feed_forward_length", 4, u32(32)), ("llama.attention.head_count", 4, u32(1)), ("llama.context_length", 4, u32(8)),
              ("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)), ("tokenizer.ggml.model", 8, "llama"),
              ("tokenizer.ggml.tokens", 9, gguf_texts([b"<unk>", b"<s>", b"a", b"b", b"ab"])),
              ("tokenizer.ggml.scores", 9, struct.pack("<IQ5f", 6, 5, 0, 0, -1, -1, -.5)),
              ("tokenizer.ggml.token_type", 9, struct.pack("<IQ5i", 5, 5, 2, 3, 1, 1, 1)),
              ("tokenizer.chat_template", 8, "{{ bos_token }}{{ messages[0].content }}")]
    rows = {"token_embd": 5, "output_norm": 0, "blk.0.attn_norm": 0, "blk.0.ffn_norm": 0}
    rows.update({"blk.0." + n: 32 for n in "attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down".split()})
    return gguf(values, [(n + ".weight", [32, r] if r else [32], 8 if r else 0, b"\1" * (34 * r or 128)) for n, r in rows.items()])


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
    put("npz", "npy", npy((2, 3), 6))
    put("npz", "llmviz", json.dumps({"config": {"model_type": "gpt-nano"}, "w": {"shape": [2], "dtype": "torch.float32", "data": "AAAAAAAAgD8="}}))
    tests = os.path.join(os.path.dirname(FOUND), "..", "tests")
    for name in ("zip", "stream"):
        with open(os.path.join(tests, "torch_%s.pt" % name), "rb") as f:
            put("pytorch", name, f.read())
    preamble = (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
                b"\x80\x02}X\x0d\0\0\0little_endian\x88s.\x80\x02")
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0K\x02K\x02\x86%s\x89)tR"
    end = b".\x80\x02]U\x010a." + b"\x04" + b"\0" * 7 + b"\1" * 16
    put("pytorch", "small", preamble + b"}U\x01w" + tensor % b"K\x02K\x01\x86" + b"s" + end)
    put("pytorch", "turned", preamble + b"}(X\1\0\0\0a}U\x01w" + tensor % b"K\x01K\x02\x86" + b"q\1su" + end)
    put("pytorch", "system", preamble + b"cos\nsystem\n(U\x02idtR" + end)
    put("gguf", "llama", gguf_llama())
    put("gguf", "none", gguf([("general.architecture", 8, "controlvector"), ("general.alignment", 4, struct.pack("<I", 32))],
                             [("direction.1", [4], 0, b"\0" * 16)], 2))
    put("gguf", "types", gguf([("k%d" % i, i, b"\1" * w) for i, w in enumerate([1, 1, 2, 2, 4, 4, 4, 1])],
                              [("t%d" % t, [256], t, b"\x11" * size) for t, size in
                               ((2, 144), (3, 160), (6, 176), (7, 192), (8, 272), (10, 84), (11, 110), (12, 144), (13, 176), (14, 210))]))
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
    stations = dict(bpe, normalizer={"type": "Sequence", "normalizers": [
        {"type": "NFKC"}, {"type": "BertNormalizer"}, {"type": "Nmt"}, {"type": "Strip"}, {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "prepend_scheme": "first"}, {"type": "Digits"},
                                                             {"type": "Punctuation", "behavior": "MergedWithPrevious"}]},
        decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                                  {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1}]})
    stations["model"] = dict(bpe["model"], byte_fallback=True, fuse_unk=True, unk_token="a", end_of_word_suffix="b")
    stations["added_tokens"] = [{"id": 4, "content": "<|x|>", "lstrip": True, "rstrip": True, "single_word": True, "normalized": True}]
    put("tokenizer", "stations", json.dumps(stations).encode() + "\0 ab  <|x|> e\u0301\uac00\ufdfa 12".encode())
    pieces = {"model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": [["<unk>", 0], ["\u2581", -2.5], ["a", -1], ["ab", -1.5], ["<0x62>", 0]]},
              "pre_tokenizer": {"type": "Metaspace"}, "decoder": {"type": "Metaspace"},
              "post_processor": {"type": "BertProcessing", "sep": ["a", 2], "cls": ["ab", 3]}}
    put("tokenizer", "unigram", json.dumps(pieces).encode() + b"\0ab zb a")
    words = {"model": {"type": "WordPiece", "unk_token": "?", "vocab": {"?": 0, "a": 1, "##b": 2, "c": 3}},
             "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece"}}
    put("tokenizer", "wordpiece", json.dumps(words).encode() + b"\0ab c, x")

    def field(number, wire, data):
        return bytes([number << 3 & 0x7f | wire] if number < 16 else [number << 3 & 0x7f | 0x80 | wire, number >> 4]) + data

    def sub(number, data):
        return field(number, 2, bytes([len(data)]) + data)

    def piece(text, score, kind):
        return sub(1, sub(1, text.encode()) + field(2, 5, struct.pack("<f", score)) + field(3, 0, bytes([kind])))
    parts = [piece("<unk>", 0, 2), piece("<s>", 0, 3), piece("</s>", 0, 3), piece("\u2581", -1, 1), piece("a", -2, 1),
             piece("\u2581a", -1.5, 1), piece("<u>", 0, 4), piece("<0x62>", 0, 6)]
    darts = struct.pack("<I4I", 16, 1 << 10, 0, 0, 0) + b"x\0"
    for kind in (1, 2):
        spec = sub(2, field(3, 0, bytes([kind])) + field(35, 0, b"\1")) + sub(3, sub(2, darts) + field(4, 0, b"\1"))
        put("vocab", "model%d" % kind, b"M" + b" a<u>b<s>  a\0" + b"".join(parts) + spec)
    put("vocab", "tiktoken", b"T" + b"a!b'll <|endoftext|>\0" + b"IQ== 0\nYQ== 1\nYWI= 2\nYg== 3\n")
    put("vocab", "merges", b"V" + b"ab a\0" + b'{"a":0,"b":1,"ab":2,"<|endoftext|>":3}' + b"\0" + b"#version: 0.2\na b\n")
    put("vocab", "gguf", b"G" + b"ab <u>a\0" + b"1\x01a\x01b\x02ab\x03\xe2\x96\x81\x03<u>")
    put("vocab", "gpt2", b"g" + b"ab <u>a\0" + b"0\x01a\x01b\x02ab\x03<u>\x00")
    chats = json.load(open(os.path.join(os.path.dirname(FOUND), "..", "tests", "chat_cases.json"), encoding="utf-8"))
    for i, c in enumerate(chats):
        put("chat", "case%d" % i, c["template"].encode())
    tokens = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)] + [b" ", b"a", b" a"]
    put("tokenizer", "llama2c", b"L" + struct.pack("<i", 6) + b"".join(struct.pack("<fi", -i, len(t)) + t for i, t in enumerate(tokens)))
    for i, text in enumerate(['blocks.*.attn.z[head=0|2, pos=-1]', 'embed[pos="the"#2], logits[vocab="cat"]', "blocks.0.attn.k[for=1]",
                              "layers_output[1]", "blocks.0.attn.pattern[query=3, key=0:2]@before", "blocks.1.resid_pre@before[pos=2:]",
                              "blocks.0.attn[head=1] -> blocks.1.attn.q[head=2] += 0.5 * d.npz:x", "embed -= project([1, 2, -3e4])",
                              "blocks.0.resid_pre <-> blocks.1.resid_pre", "logits = mean(prompts.json, by=pos)", "embed = @1:pos_embed[pos=1]"]):
        put("site", "text%d" % i, text)
    put("text", "csv", b'text,label,who\r\n"the ""cat""",1,a\nthe dog,0,b\n\nthe cat sat,True,b\n')
    put("text", "jsonl", b'{"text": "the cat sat on the mat", "label": true}\n[1, 2, 3]\n"the dog"\n{"label": 0, "text": "the"}\n')
    put("pairs", "ours", b'{"clean":["the cat sat"],"corrupt":[[0,1,4,8]],"correct":["on"],"wrong":[9]}')
    put("pairs", "list", b'{"prompts":[{"clean":"the cat","corrupt":"the dog","answers":["on","ran"],"wrong_answers":["mat"]}]}')
    put("pairs", "lines", b'{"clean_prefix":"a cat","patch_prefix":"a dog","clean_answer":"on","patch_answer":"ran"}\n' * 2)
    put("pairs", "csv", b',clean,corrupted,correct_idx,incorrect_idx\r\n1,"the ""cat""",the dog,12,9\r\n\n2,the cat,the dog,9,12\n')
    put("text", "words", b"the cat sat on the mat|" + b"the dog ran on the mat " * 120)

    lora = {"peft_type": "LORA", "r": 1, "lora_alpha": 2, "fan_in_fan_out": True, "bias": "none"}
    c_attn, c_proj = ("base_model.model.transformer.h.0.attn.%s.lora_" % n for n in ("c_attn", "c_proj"))
    put("adapter", "one", json.dumps(lora).encode() + b"\0" + halves(c_attn, 1, 184, 3 * 192))
    put("adapter", "default", json.dumps(dict(lora, r=2, use_rslora=True)).encode() + b"\0" + halves(c_proj, 2, 192, 184, "default.weight"))
    put("adapter", "alone", b"\0" + halves(c_attn, 1, 4, 4))
    put("report", "one", json.dumps({"microtome_report": 1, "instrument": "run", "hash": "xxh3-128:0", "complete": True,
                                     "certificate": {"engine": "microtome 0.1.0", "model": {"name": "m", "hash": "h"}},
                                     "request": {"instrument": "run", "prompt": "the cat"}, "where": {"model": "demo:induction"}}))
    put("report", "nameless", json.dumps({"microtome_report": 1, "hash": "x", "request": {}}))
    put("report", "page", '<script type="application/json" id="microtome-report">{"microtome_report": 1}</script>')
    put("report", "words", json.dumps({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [
        {"name": "default", "template": "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"}]}))
    put("report", "messages", json.dumps([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]))
    request = b'{"instrument": "patch"}'
    head = b"MTJOURN1" + struct.pack("<QQ4IQ", len(request), 6, 2, 1, 2, 0, 5) + b"xxh3-128:0".ljust(64, b"\0") + request + b"\0" * 32
    wave = b"WAVE" + struct.pack("<II", 2, ~2 & 0xffffffff) + struct.pack("<QB2d", 0, 0, 1, 2) + struct.pack("<QB2d", 2, 1, 3, 4) + b"\0" * 32
    put("journal", "begun", head)
    put("journal", "waves", head + wave + wave)
    put("journal", "torn", head + wave + wave[:40])
    put("state", "index", b"i" + json.dumps({"metadata": {}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}).encode())
    put("state", "pizza", b"s" + floats({"embed.weight": (3, 2), "l1.weight": (2, 4), "unembed.weight": (3, 2), "l1.bias": (2,)}))
    put("state", "group", b"s" + floats({"W_x": (3, 2), "W_y": (3, 2), "W": (2, 2), "W_U": (2, 3)}))
    put("state", "hooked", b"s" + floats(dict({"embed.W_E": (3, 2), "pos_embed.W_pos": (3, 2), "unembed.W_U": (2, 3), "blocks.0.mlp.W_in": (2, 2),
                                               "blocks.0.mlp.W_out": (2, 2), "blocks.0.mlp.b_in": (2,), "blocks.0.mlp.b_out": (2,)},
                                              **{"blocks.0.attn.W_" + n: (1, 2, 2) for n in "QKVO"})))
    put("state", "mingpt", b"s" + floats({"transformer.wte.weight": (3, 2), "transformer.wpe.weight": (3, 2),
                                          "transformer.h.0.attn.c_attn.weight": (6, 2)}))
    put("state", "gpt2", b"c" + json.dumps(gpt2).encode() + b"\0" + floats({
        "transformer.wte.weight": (4, 2), "transformer.wpe.weight": (4, 2), "transformer.h.0.attn.c_attn.weight": (2, 6),
        "transformer.h.0.attn.c_proj.weight": (2, 2), "lm_head.weight": (4, 2)}))
    pair = {"clean": "the cat sat on the", "corrupt": "the dog sat on the", "answer": "mat", "wrong": "cat"}
    prompt = {"prompt": ["the cat sat on the mat and the cat"]}
    for name, asked in (("run", dict(prompt, edit=["blocks.*.attn.z[head=0] = 0"], n=3)), ("cache", dict(prompt, sites="blocks.*.resid_post")),
                        ("lens", prompt), ("attend", prompt), ("heads", {}), ("dla", prompt), ("weights", {}), ("patch", dict(pair, what="head_out_all_pos")),
                        ("path", dict(pair, **{"hops": 2, "from": "a0.h0", "to": "logits"})), ("edges", dict(pair, what="zero")), ("ablate", dict(pair, what="head", how="zero")),
                        ("trace", {"prompt": "the {} sat on the", "subject": "cat", "samples": 2, "what": "state"}), ("embed", {"expr": ["cat - dog + mat"]}), ("sites", {}),
                        ("compare", {"prompt": ["the cat", "the dog"]}), ("generate", prompt), ("interact", dict(pair, components="head", layer="0")),
                        ("verify", {}), ("tokens", dict(prompt, model="demo:induction")), ("info", {})):
        put("request", name, name + " " + json.dumps(asked))

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
