#!/usr/bin/env python3
"""list.py -- what there is to build, from the folder listings; meson.build names no file.

    list.py lib [rooms]      .c files of the library, without op/, fuse/ and the kernels for one machine
    list.py inputs [rooms]   those of lib that read files, text and requests: what fuzzing follows
    list.py rest [rooms]     those of lib that are not in inputs
    list.py op | fuse        .c files that are compiled once per precision and machine
    list.py vec              src/backend/*_vec.c, compiled once for each width of vectors
    list.py amx              src/backend/*_amx.c, compiled for AMX where the compiler has it
    list.py vnni | fixed     src/backend/*_vnni.c or *_fixed.c, and the kernels made of products (PRODUCTS) once more over them
    list.py kinds [rooms]    kinds of things that get a registry: op, fuse, arch, ...
    list.py headers          all headers, for what depends on them
    list.py cli              src/app/cli/*.c
    list.py tests [rooms]    tests/*.c; with rooms, those that include nothing else
    list.py bench | fuzz     bench/bench_*.c, fuzz/fuzz_*.c
    list.py bench_common     what every bench is linked with: the other .c files of bench/
    list.py formatted        what clang-format keeps in shape
    list.py all [rooms]      everything above, for noticing that a file came or went

`rooms` is a comma-separated list ("base,tensor"); missing or "all": every room.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KINDS = ["format", "token", "op", "fuse", "backend", "arch", "metric", "instrument"]
PRODUCTS = ["attn_out_vec", "linear_vec"]  # they call product_run and know no more of products
INPUT_ROOMS = {"base", "format", "token", "chat", "model", "arch", "data", "report", "instrument"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def files(folder, start="", end=".c"):
    path = os.path.join(ROOT, folder)
    if not os.path.isdir(path):
        return []
    names = sorted(n for n in os.listdir(path) if n.startswith(start) and n.endswith(end))
    return [folder + "/" + n for n in names]


def rooms_of(argument):
    here = sorted(n for n in os.listdir(ROOT + "/src") if os.path.isdir(ROOT + "/src/" + n))
    if argument in ("", "all"):
        return here
    return [r for r in argument.split(",") if r in here]


def lib(rooms):
    found = []
    for room in rooms:
        if room not in ("op", "fuse", "app"):
            found += [f for f in files("src/" + room) if not re.search(r"_(vec|amx|vnni|fixed)\.c$", f)]
    return found


def inputs(rooms):
    return [f for f in lib(rooms) if f.split("/")[1] in INPUT_ROOMS]


def things(kind):
    """Names of the files in src/KIND/ that define const KIND_def KIND_NAME_def."""
    found = []
    for f in files("src/" + kind):
        name = os.path.basename(f)[:-2]
        if re.search(r"^const\s+%s_def\s+%s_%s_def\b" % (kind, kind, name), text(f), re.M):
            found.append(name)
    return found


def kinds(rooms):
    return [k for k in KINDS if k in rooms and things(k)]


def fits(path, rooms, seen):
    """Does a test file include nothing but rooms that are built?"""
    if path in seen:
        return True
    seen.add(path)
    for name in INCLUDE.findall(text(path)):
        if name.endswith(".gen.h"):
            if "op" not in rooms:
                return False
        elif os.path.exists(os.path.join(ROOT, "src", name)):
            if name.split("/")[0] not in rooms or not fits("src/" + name, rooms, seen):
                return False
        elif os.path.exists(os.path.join(ROOT, "tests", name)):
            if not fits("tests/" + name, rooms, seen):
                return False
        elif os.path.exists(os.path.join(ROOT, "include", name)):
            if "api" not in rooms:
                return False
        else:
            return False
    return True


def tests(rooms, everything):
    found = files("tests")
    return found if everything else [f for f in found if fits(f, rooms, set())]


def headers():
    found = files("include", end=".h") + files("tests", end=".h")
    for room in rooms_of("all"):
        found += files("src/" + room, end=".h")
    return found


def formatted():
    found = headers() + files("tests") + files("fuzz") + files("bench") + files("src/app/cli")
    found += files("src/app/cli", end=".h")
    for room in rooms_of("all"):
        found += files("src/" + room)
    return found


def answer(what, rooms, everything):
    if what == "lib":
        return lib(rooms)
    if what == "inputs":
        return inputs(rooms)
    if what == "rest":
        return [f for f in lib(rooms) if f not in inputs(rooms)]
    if what in ("op", "fuse"):
        return files("src/" + what) if what in rooms else []
    if what in ("vec", "amx"):
        return files("src/backend", end="_%s.c" % what) if "backend" in rooms else []
    if what in ("vnni", "fixed"):
        own = files("src/backend", end="_%s.c" % what)
        return own + ["src/backend/%s.c" % name for name in PRODUCTS] if "backend" in rooms else []
    if what == "kinds":
        return kinds(rooms)
    if what == "headers":
        return headers()
    if what == "cli":
        return files("src/app/cli") if "app" in rooms else []
    if what == "tests":
        return tests(rooms, everything)
    if what == "formatted":
        return formatted()
    if what == "bench_common":
        return [f for f in files("bench") if "/bench_" not in f]
    if what in ("bench", "fuzz"):
        return files(what, start=what + "_") if everything else []
    sys.exit("list.py: unknown list: " + what)


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    argument = sys.argv[2] if len(sys.argv) > 2 else "all"
    everything, rooms = argument in ("", "all"), rooms_of(argument)
    if what != "all":
        print("\n".join(answer(what, rooms, everything)))
        return
    for each in ("lib", "op", "fuse", "vec", "amx", "vnni", "fixed", "kinds", "cli", "tests", "bench", "bench_common", "fuzz"):
        print(each + ":", " ".join(answer(each, rooms, everything)))


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
