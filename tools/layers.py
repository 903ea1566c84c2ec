#!/usr/bin/env python3
"""layers.py -- no file includes a room above its own; src/LAYERS says which is which.

Looks at every #include "..." under src/ and in the generated headers' rooms, and at file names:
outside the rooms of things (op, fuse, arch, metric, instrument) each is there once in the tree.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from list import INCLUDE, KINDS, ROOT, files, rooms_of, text  # noqa: E402

GENERATED = {"ops.gen.h": "op"}


def allowed():
    """room -> the rooms it may include."""
    may, below = {}, []
    for line in text("src/LAYERS").splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        if ":" in line:
            room, others = line.split(":")
            may[room.strip()] = set(others.replace(" only ", " ").split()) | {room.strip()}
            below.append(room.strip())
            continue
        for room in line.split():
            may[room] = set(below) | {room}
            below.append(room)
    return may


def room_of(include, path):
    if include in GENERATED:
        return GENERATED[include]
    if "/" in include:
        return include.split("/")[0]
    return "include" if os.path.exists(os.path.join(ROOT, "include", include)) else None


def sources():
    for room in rooms_of("all"):
        for folder, _, names in sorted(os.walk(os.path.join(ROOT, "src", room))):
            for n in sorted(names):
                if n.endswith((".c", ".h")):
                    yield room, os.path.relpath(os.path.join(folder, n), ROOT)


def wrong_includes(may):
    for room, path in sources():
        if room not in may:
            yield "%s: room %s is not in src/LAYERS" % (path, room)
            continue
        body = text(path)
        for m in INCLUDE.finditer(body):
            line = body.count("\n", 0, m.start()) + 1
            other = room_of(m.group(1), path)
            if other is None:
                yield '%s:%d: "%s" names no room: include "room/file.h"' % (path, line, m.group(1))
            elif other not in may[room]:
                yield "%s:%d: %s may not include %s" % (path, line, room, m.group(1))


def same_names():
    seen = {}
    paths = [p for room, p in sources() if room not in KINDS]
    for path in paths + files("tests") + files("tests", end=".h") + files("fuzz"):
        name = os.path.basename(path)
        if name in seen and not name.startswith("main."):
            yield "%s: a file of this name is at %s" % (path, seen[name])
        seen[name] = path


def main():
    wrong = list(wrong_includes(allowed())) + list(same_names())
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
