#!/usr/bin/env python3
"""guide.py -- run the commands that docs/guide.md shows, and put what they print in its place.

    guide.py PROGRAM NAME=PATH ...     the models the guide speaks of, by the names it gives them

A block that ends in "..." keeps its number of lines; the others stand whole.  Read the difference: what
changed is either meant or a mistake.
"""
import os
import re
import subprocess
import sys
import tempfile

GUIDE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "guide.md")


def printed(command, folder, program):
    env = dict(os.environ, PATH=os.path.dirname(os.path.abspath(program)) + ":" + os.environ["PATH"])
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True)
    return (done.stdout + done.stderr).rstrip("\n").split("\n")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, models = sys.argv[1], dict(a.split("=", 1) for a in sys.argv[2:])
    with open(GUIDE, encoding="utf-8") as f:
        text = f.read()
    with tempfile.TemporaryDirectory() as folder:
        for name, path in models.items():
            os.symlink(os.path.abspath(path), os.path.join(folder, name))

        def again(m):
            shown = m.group(2).rstrip("\n").split("\n")
            now = printed(m.group(1), folder, program)
            if shown[-1] == "..." and len(now) >= len(shown):
                now = now[:len(shown) - 1] + ["..."]
            return "```\n$ %s\n%s\n```" % (m.group(1), "\n".join(now))

        text = re.sub(r"```\n\$ (microtome .*)\n((?:(?!```).*\n)*)```", again, text)
    with open(GUIDE, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
# SPDX-License-Identifier: MIT
