#!/usr/bin/env python3
"""guide.py -- run the commands that the pages of docs/ show, and put what they print in its place.

    guide.py PROGRAM NAME=PATH ...     models and files the pages speak of, by the names they give them

A block between ``` begins with "$ microtome".  A line "..." in it stands for lines left out: at the end the block keeps its
number of lines, elsewhere the next line shown is looked for in what is printed (numbers may differ).  A command that fails
(a file is not there) leaves its block as it is, and is told.  Read the difference: what changed is either meant or a
mistake.  docs/known-models.md is checked by a test, t_docs.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs")
BLOCK = r"```\n\$ (microtome .*)\n((?:(?!```).*\n)*)```"


def printed(command, folder, program):
    env = dict(os.environ, PATH=os.path.dirname(os.path.abspath(program)) + ":" + os.environ["PATH"])
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True)
    return [s.rstrip() for s in (done.stdout + done.stderr).rstrip("\n").split("\n")], done.stderr.startswith("microtome: ")


def no_numbers(line):
    return re.sub(r"\s+", " ", re.sub(r"[-+.\de]*\d[-+.\de]*|·?\w+$", "#", line.strip()))


def find(line, now, at):
    for same in (lambda a, b: a == b, lambda a, b: no_numbers(a) == no_numbers(b)):
        for i in range(at, len(now)):
            if same(now[i], line):
                return i
    raise LookupError(line)


def as_shown(shown, now):
    """`now` with what `shown` leaves out left out."""
    out, at, run = [], 0, []
    for line in shown + [None]:
        if line is not None and line != "...":
            run.append(line)
            continue
        if run:
            at = find(run[0], now, at)
            end = at + len(run) if line else len(now)
            out += now[at:end]
            at, run = end, []
        if line:
            out.append(line)
    return out


def again(page, program, folder):
    def block(m):
        now, failed = printed(m.group(1), folder, program)
        try:
            if failed:
                raise LookupError(now[0])
            return "```\n$ %s\n%s\n```" % (m.group(1), "\n".join(as_shown(m.group(2).rstrip("\n").split("\n"), now)))
        except LookupError as why:
            print("%s: left as it is: %s: %s" % (os.path.basename(page), m.group(1)[:60], why), file=sys.stderr)
            return m.group(0)

    with open(page, encoding="utf-8") as f:
        text = f.read()
    made = re.sub(BLOCK, block, text)
    if made != text:
        with open(page, "w", encoding="utf-8") as f:
            f.write(made)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in (a.split("=", 1) for a in sys.argv[2:]):
            os.symlink(os.path.abspath(path), os.path.join(folder, name))
        for page in sorted(glob.glob(os.path.join(DOCS, "*.md"))):
            again(page, sys.argv[1], folder)


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
