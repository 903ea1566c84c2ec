#!/usr/bin/env python3
"""contracts.py -- every public declaration says its contract, every file what it is for.

A function declared in src/*/*.h or include/*.h is covered by the comment before it, which holds a
line [err: ... | owns: ... | thread: ... | cost: ...].  Declarations that follow one another without
a blank line share it.  Types, constants and inline functions are free to go without.

A source file begins with a comment, ends with its SPDX line and has at most 800 lines.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from list import ROOT, headers, rooms_of, text  # noqa: E402

CONTRACT = re.compile(r"\[err:.*?\|\s*owns:.*?\|\s*thread:.*?\|\s*cost:.*?\]", re.S)
MAX_LINES = 800
TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/|//[^\n]*)"
    r"|(?P<directive>^[ \t]*#(?:[^\n\\]|\\\n|\\.)*)"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
    r"|(?P<blank>\n[ \t]*(?=\n))"
    r"|(?P<other>.)",
    re.S | re.M,
)


def items(body):
    """('comment', text, line), ('blank', ..) and ('declaration', ..): the top level of a header."""
    depth, part, line = 0, "", 0
    only_cpp = re.compile(r"^#ifdef __cplusplus\n.*?^#endif", re.S | re.M)
    body = only_cpp.sub(lambda m: "\n" * m.group().count("\n"), body)
    for m in TOKEN.finditer(body):
        kind, s = m.lastgroup, m.group()
        at = body.count("\n", 0, m.start()) + 1
        if kind == "comment":
            if not part.strip() and depth == 0:
                yield "comment", s, at
        elif kind == "blank":
            if not part.strip():
                yield "blank", "", at
        elif kind != "directive":
            if not part.strip():
                line = at
            part += s
            depth += (s == "{") - (s == "}")
            inline = re.match(r"\s*(static\s+inline|extern\s+\"C\")\b", part)
            if depth == 0 and (s == ";" or (s == "}" and inline)):
                yield "declaration", part.strip(), line
                part = ""


def is_function(declaration):
    if re.match(r"(typedef|static\s+inline|_Static_assert|extern\s+\"C\")\b", declaration):
        return False
    flat = re.sub(r"__attribute__\s*\(\(.*\)\)", "", declaration, flags=re.S)
    return "{" not in flat and bool(re.match(r"[^=]*\b\w+\s*\(", flat))


def uncovered(path):
    covered, newest = False, 0
    for kind, s, line in items(text(path)):
        if kind == "comment":
            # a remark behind a declaration, on its line, takes nothing away
            if line != newest:
                covered = bool(CONTRACT.search(s))
        elif kind == "blank":
            covered = False
        else:
            newest = line + s.count("\n")
            if is_function(s) and not covered:
                name = re.search(r"(\w+)\s*\(", s).group(1)
                yield "%s:%d: %s has no contract [err: | owns: | thread: | cost:]" % (path, line, name)


def sources():
    for top in ["src/" + r for r in rooms_of("all")] + ["tests", "fuzz", "bench", "include"]:
        for folder, _, names in sorted(os.walk(os.path.join(ROOT, top))):
            for n in sorted(names):
                if n.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, n), ROOT)


def misshapen(path):
    body = text(path)
    n = body.count("\n")
    if not body.startswith("/* "):
        yield path + ":1: does not begin with a comment that says what it is for"
    if not body.endswith("/* SPDX-License-Identifier: MIT */\n"):
        yield "%s:%d: does not end with its SPDX line" % (path, n)
    if n > MAX_LINES:
        yield "%s: %d lines, at most %d" % (path, n, MAX_LINES)


def main():
    wrong = [w for path in headers() if not path.startswith("tests/") for w in uncovered(path)]
    wrong += [w for path in sources() for w in misshapen(path)]
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
