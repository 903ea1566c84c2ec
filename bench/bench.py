#!/usr/bin/env python3
"""bench.py BUILD MODEL -- run the benches and their peers, and write docs/benchmarks.md from what they print.

QUICK=1 leaves out the peers; ONLY=GGUF measures that section again and leaves the others, ONLY=REST the others; PYTHON is a Python that has them (bench/peers.sh makes one)."""
import datetime
import os
import platform
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEAD = """# Benchmarks

Written by `make bench`; every number is what it printed on the machine it names. Seconds differ between
machines, ratios carry over. All of one table comes from one run, one after the other.

"""
FORWARD = [  # task, peer's tool, how many times faster it should be
    ("forward 1 x 64, all logits", "transformers", 1.5),
    ("forward 32 x 16, all logits", "transformers", 1.15),
    ("forward 8 x 128, all logits", "transformers", 1.15),
    ("a 15-token pass", "transformers", 3),
    ("a 15-token pass", "TransformerLens", 3),
    ("a 15-token pass", "TransformerLens as it comes", None),
    ("prefill 512, last logits", "transformers", None),
    ("decode one token", "transformers", None),
]
SWEEP = {  # task: targets against TransformerLens and the expert, p0 = 0 and 10
    "resid_pre, 180 cells": ((22, 80), (2.4, 9)),
    "head x position, 2,160 cells": ((30, 120), None),
    "heads, all positions, 144": ((13, 30), None),
    "one sender, all receivers, 288": ((18, 40), None),
    "all edges, 32,491": ((18, 50), None),
    "8 pairs at once, resid_pre": ((8, 30), None),
}

GGUF = ["gpt2-small F32", "gpt2-small Q8_0", "gpt2-small Q4_0", "gpt2-small Q4_K", "gpt2-small Q6_K", "llama-1b Q8_0",
        "llama-1b Q4_K"]  # the first four are run where QUICK is set
GGUF_TARGET = {"F32": (1.0, None, 1.4), "Q8_0": (0.9, None, None), "Q4_K": (0.9, None, None)}  # speed of each task over llama.cpp's


def run(command):
    print("$ " + " ".join(os.path.relpath(c, ROOT) if c.startswith(ROOT) else c for c in command), flush=True)
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
    print(out, flush=True)
    return out.splitlines()


def let_go(path):
    """A file as it is after a restart: not in the system's cache, where one that was just written lies in small pages."""
    if os.path.exists(path):
        with open(path, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fields(lines, kind):
    return [line.split("|")[1:] for line in lines if line.startswith(kind + "|")]


def times(ours, peer, target):
    if not peer:
        return "-"
    ratio = peer / ours
    if target is None:
        return "%.3g x" % ratio
    return "%.3g x (%s %g)" % (ratio, "met:" if ratio >= target else "**not met:**", target)


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
                     + ["| " + " | ".join(row) + " |" for row in rows]) + "\n\n"


def processor():
    with open("/proc/cpuinfo") as f:
        found = re.search(r"model name\s*: (.*)", f.read())
    return found.group(1) if found else platform.machine()


def linear(lines, peers):
    """One thread, from memory: what bench_linear printed beside OpenBLAS."""
    rows = []
    for line in lines:
        found = re.match(r"\s*(\d+ x\s+\d+)  \[(.*?)\]\s+(\S+)\s+(\d+) rows\s+(\S+)\s+(\S+) GFLOP/s\s+(\S+) GB/s\s+(\S+) of read(?:\s+(\S+) of OpenBLAS)?", line)
        if found and found.group(5) in ("avx2", "avx512"):
            shape, layout, kind, n, name, speed, read, share, ratio = found.groups()
            if kind == "F32" or n in ("1", "4", "15", "96"):
                rows.append([re.sub(r" +", " ", shape), layout, kind, n, name, speed, read, share, ratio + " x" if ratio else "-"])
    text = ("## Linear, one thread\n\nGFLOP/s; GB/s of weight read, and their share of what one thread reads from memory;"
            " times OpenBLAS's speed in\nthe same run.\n\n")
    text += table(["inputs x outputs", "stored", "type", "rows", "backend", "GFLOP/s", "GB/s", "of read", "OpenBLAS"], rows)
    mkl = fields(peers, "mkl_linear")
    if mkl:
        text += "MKL through torch, 2 threads, 768 x 3072 stored by inputs, from memory: " + ", ".join(
            "%s rows %s" % (n, speed) for n, speed in mkl) + " GFLOP/s.\n\n"
    return text


def forward(lines, peers):
    there = {(task, tool): float(s) for task, _, tool, s in peers}
    text, rows = "## Whole runs\n\n", []
    for task, tokens, seconds, speed, sgemm in fields(lines, "forward"):
        for name, tool, target in FORWARD:
            if name == task:
                peer = there.get((task, tool))
                rows.append([task, "%.4g" % float(seconds), "%.0f" % (int(tokens) / float(seconds)), speed,
                             "%.2f" % (float(speed) / float(sgemm)) if float(sgemm) else "-",
                             tool, "%.4g" % peer if peer else "-", times(float(seconds), peer, target)])
    text += table(["task", "seconds", "tokens/s", "GFLOP/s", "of sgemm", "peer", "its seconds", "we are faster by"], rows)
    every = {f[0]: float(f[2]) for f in fields(lines, "forward")}
    if "every activation, 1 x 64" in every:
        ratio = every["every activation, 1 x 64"] / every["forward 1 x 64, all logits"]
        text += "Every activation of a run, 1 x 64: %.2f of our forward (at most 1.1: %s).\n\n" % (
            ratio, "met" if ratio <= 1.1 else "**not met**")
    return text


def sweeps(lines, peers):
    there = {(task, p0, tool): float(s) for task, p0, tool, s in peers}
    rows = []
    for task, p0, n, n_run, seconds, share, speed, sgemm, bound in fields(lines, "sweep"):
        lens, expert = SWEEP[task]
        at, ours = p0 == "10", float(seconds)
        of = float(speed) / float(sgemm) if float(sgemm) else 0
        rows.append([task, p0, seconds + ("" if n == n_run else " (scaled from %s run)" % n_run), bound,
                     share + ("" if float(share) <= 1.15 else " **(1.15)**"),
                     "%.2f" % of + ("" if of >= 0.75 else " **(0.75)**"),
                     times(ours, there.get((task, p0, "TransformerLens")), lens[at]),
                     times(ours, there.get((task, p0, "expert")), expert[at] if expert else None)])
    return ("## Sweeps, exactly\n\nA pair of 15 tokens that differs from position p0 on. The bound is what the operations"
            " that any exact method must do\n(`bench/least.c`) take at this machine's sgemm speed; operations done over those"
            " should be at most 1.15, speed over\nsgemm's at least 0.75. TransformerLens and the expert (from the patched"
            " layer on, one batch a layer, the last position\nunembedded) run beside it; how many times faster"
            " we are, and the target.\n\nShort sweeps are timed up to three times, as the expert's are twice; the best counts. Not all is run: TransformerLens's sweeps are scaled from 24 to 48 cells and one figure stands for both p0 (it runs\nthe whole model either way), edges are timed as edges into queries, 8 pairs are 8 times one pair, its own and the\nexpert's; our edges are every 41st, scaled, where it says so.\n\n"
            + table(["sweep", "p0", "seconds", "bound", "done / least", "of sgemm", "TransformerLens", "expert"], rows))


GGUF_TASKS = (("Decoding one token, behind 64 to 88", "decode one token", 1),
              ("Decoding one token, behind 800 to 824", "decode one token behind 800", 1),
              ("Prefill, 512 tokens at once", "prefill 512, last logits", 512))
ROUNDS = 2  # of ours and llama.cpp's in turn; the best of each counts


def best(rounds, kind, at):
    """Task to its least seconds in any round."""
    found = {}
    for lines in rounds:
        for f in fields(lines, kind):
            found[f[0]] = min(float(f[at]), found.get(f[0], 1e9))
    return found


def gguf_row(name, ours, peers, i):
    """Tokens a second of one task: f32, fast, llama.cpp; and times its speed, the target at the better of the two."""
    _, task, tokens = GGUF_TASKS[i]
    target = GGUF_TARGET.get(name.split()[1], (None,) * len(GGUF_TASKS))[i]
    peer = best(peers, "peer", 3).get(task)
    mine = [best(ours, kind, 2).get(task) for kind in ("gguf", "gguf_fast")]
    better = mine.index(min(s for s in mine if s))
    return [name] + ["%.0f" % (tokens / s) if s else "-" for s in mine + [peer]] + [
        times(s, peer, target if k == better else None) if s else "-" for k, s in enumerate(mine)]


def gguf_memory(ours, peers):
    most, size, _ = (int(n) for n in fields(ours[0], "gguf_memory")[0])
    peer = fields(peers[0], "peer_memory") if peers else None
    return ["%.0f" % (size / 1024), "%.2f (%s 1.15)" % (most / size, "met:" if most <= 1.15 * size else "**not met:**"),
            "%.2f" % (int(peer[0][0]) / size) if peer else "-"]


def gguf(build, folder, python, threads, quick):
    rows, memory = [[] for _ in GGUF_TASKS], []
    for name in GGUF[:4] if quick else GGUF:
        shape, kind = name.split()
        path, ours, peers = os.path.join(folder, "%s.%s.gguf" % (shape, kind)), [], []
        run([sys.executable, os.path.join(ROOT, "bench/gguf_shape.py"), shape, kind, path])
        let_go(path)
        for _ in range(1 if quick else ROUNDS):
            ours.append(run([os.path.join(build, "bench_gguf"), path]))
            if python:
                peers.append(run([python, os.path.join(ROOT, "bench/peer_gguf.py"), path, threads]))
        for i in range(len(GGUF_TASKS)):
            rows[i].append(gguf_row(name, ours, peers, i))
        memory.append([name] + gguf_memory(ours, peers))
    text = ("## GGUF\n\n%s. All weights of one type; tokens a second; ours and llama.cpp in turn on the same file, the best of %d times."
            " llama.cpp\nmultiplies blocks as integers, with rows of x rounded to eight bits. In `f32` a number of a block is the float"
            " that the format\ndefines, and sums are the canonical ones; `fast` multiplies integers too, with rows of 24 bits"
            " ([numerics.md](numerics.md)). The target is\nthat of the better of the two. Files are read from the disk once, by us, and then lie in"
            " the cache, in huge pages where the system\nhas them for files: for llama.cpp too.\n\n" % (datetime.date.today(), 1 if quick else ROUNDS))
    for (title, _, _), of in zip(GGUF_TASKS, rows):
        text += title + ":\n\n" + table(["file", "f32", "fast", "llama.cpp", "f32: times its speed", "fast"], of)
    return (text + "The most memory of the process after a prompt of 64 tokens over the size of the file (llama.cpp's with Python's):\n\n"
            + table(["file", "MB", "memory / file", "llama.cpp"], memory))


def sections(path):
    with open(path) as f:
        return re.split(r"(?m)^(?=## )", f.read())


def section_put(title, text):
    """One section of docs/benchmarks.md in place of the old."""
    path = os.path.join(ROOT, "docs/benchmarks.md")
    parts = sections(path)
    with open(path, "w") as f:
        f.write("".join(text if part.startswith("## " + title) else part for part in parts))
    print("put %s into docs/benchmarks.md" % title)


def tokenizers(lines):
    """What bench_tokenizer.sh printed, the first line ours."""
    there = [m.groups() for m in (re.match(r"(\S+)\s+([\d.]+) MB/s, (\d+) tokens of (\d+) bytes", line) for line in lines) if m]
    text = "## Tokenizers\n\n"
    if not there:
        return text + "Not run: no vocabulary of GPT-2's and no text (`GPT2_VOCAB`, `TEXT`).\n\n"
    ours = float(there[0][1])
    text += "A piece of WikiText (%.2f MB) encoded with GPT-2's vocabulary on one thread, the best of several times.\n\n" % (
        int(there[0][3]) * 1e-6)
    rows = [[name, speed, n, "-" if i == 0 else times(1 / ours, 1 / float(speed), 1.5 if name == "tiktoken" else None)]
            for i, (name, speed, n, _) in enumerate(there)]
    return text + table(["program", "MB/s", "tokens", "we are faster by"], rows)


def main():
    build, model = sys.argv[1:3]
    python = os.environ.get("PYTHON") or os.path.join(ROOT, "build/peers/bin/python")
    if os.path.exists(python):
        os.environ["PYTHON"] = python  # for the scripts
    if os.environ.get("ONLY") == "GGUF":
        there = python if os.path.exists(python) and not os.environ.get("QUICK") else None
        section_put("GGUF", gguf(build, os.path.dirname(model), there, str(os.cpu_count()), bool(os.environ.get("QUICK"))))
        return
    let_go(os.path.join(model, "model.safetensors"))
    one = {name: run([os.path.join(build, "bench_" + name)]) for name in ("forward", "sweep", "scale", "linear", "plan")}
    lines, peers = [], []
    if not os.environ.get("QUICK") and os.path.exists(python):
        lines = run([python, os.path.join(ROOT, "bench/peer.py"), model])
        peers = fields(lines, "peer")
    name, threads, sgemm, read = fields(one["forward"], "machine")[0]
    mkl = fields(lines, "mkl")
    text = HEAD + "%s: %s, backend %s, %s threads; sgemm %s GFLOP/s (OpenBLAS)%s; %s GB/s read.\n\n" % (
        datetime.date.today(), processor(), name, threads, sgemm, ", %s (MKL)" % mkl[0][0] if mkl else "", read)
    text += sweeps(one["sweep"], peers) + forward(one["forward"], peers) + linear(one["linear"], lines)
    if os.environ.get("ONLY") == "REST":
        text += "".join(part for part in sections(os.path.join(ROOT, "docs/benchmarks.md")) if part.startswith("## GGUF"))
    else:
        text += gguf(build, os.path.dirname(model), python if peers else None, threads, bool(os.environ.get("QUICK")))
    text += tokenizers(run(["sh", os.path.join(ROOT, "bench/bench_tokenizer.sh"), os.path.join(build, "bench_tokenizer")]))
    text += "## Scale\n\nMost memory of a process beside its file and values; the target is 1.2 x.\n\n```\n"
    text += "\n".join(one["scale"]) + "\n```\n\n## Planning\n\n```\n" + "\n".join(one["plan"]) + "\n```\n"
    for script in ("bench_open.sh", "bench_start.sh"):
        out = run(["sh", os.path.join(ROOT, "bench", script), os.path.join(build, "microtome"), model])
        text += "\n`%s`:\n\n```\n%s\n```\n" % (script, "\n".join(out))
    text += "" if peers else "\nNo peers in this run.\n"
    with open(os.path.join(ROOT, "docs/benchmarks.md"), "w") as f:
        f.write(text)
    print("wrote docs/benchmarks.md")


main()
