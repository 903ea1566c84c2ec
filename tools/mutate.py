#!/usr/bin/env python3
"""mutate -- break the source on purpose, one line at a time, and see which test notices.

usage: mutate.py [-k WORD] [--list] [--jobs N]

The mutants stand in tests/mutants.txt:

    == NAME | FILE | TESTS
    the text to find (exactly once, may be several lines; white space does not count)
    --
    the text to put in its place
    -- harmless: why no test can tell        (only where that is so)

TESTS are patterns of the test runner, tried in order until one fails. A mutant that breaks the
build counts as caught (by the compiler). Works in a copy under build/mutate; the tree is not touched.
Exit status 1 when a mutant that is not called harmless survives, or a harmless one is caught.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COPY = os.path.join(ROOT, "build", "mutate")
SECONDS = 300  # a mutant may loop for ever


class Mutant:
    def __init__(self, name, file, tests, find, put, harmless):
        self.name, self.file, self.tests = name, file, tests
        self.find, self.put, self.harmless = find, put, harmless


def read_mutants(path):
    out = []
    text = open(path, encoding="utf-8").read()
    for part in re.split(r"^== ", text, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        name, file, tests = (x.strip() for x in head.split("|"))
        pieces = re.split(r"^--(?: harmless: (.*))?$\n?", body, flags=re.M)
        find, put = pieces[0].rstrip("\n"), pieces[2].rstrip("\n")
        harmless = pieces[3] if len(pieces) > 3 else None
        out.append(Mutant(name, file, tests.split(), find, put, harmless))
    return out


def make_copy():
    tree = os.path.join(COPY, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                           capture_output=True, text=True, check=True).stdout.split("\n")
    for name in files:
        source = os.path.join(ROOT, name)
        if name and os.path.isfile(source):
            target = os.path.join(tree, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target)
    return tree


def run(command, cwd, seconds=SECONDS, env=None):
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=seconds, env=env)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return -1, "took longer than %d s" % seconds


def first_failure(text):
    for line in text.split("\n"):
        if re.search(r"FAIL|failed|ERROR|assert|Sanitizer", line):
            return line.strip()[:100]
    return text.strip().split("\n")[-1][:100]


def loosely(text):
    """Lines may be broken elsewhere since."""
    return r"\s+".join(re.escape(word) for word in text.split())


def try_mutant(m, tree, build, env):
    path = os.path.join(tree, m.file)
    original = open(path, encoding="utf-8").read()
    places = re.findall(loosely(m.find), original)
    if len(places) != 1:
        return "stale", "the text to find is there %d times" % len(places)
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(original.replace(places[0], m.put))
        code, text = run(["ninja", "-C", build, "tests"], tree)
        if code:
            return "caught", "the compiler"
        for pattern in m.tests:
            code, text = run([os.path.join(build, "tests"), pattern], tree, env=env)
            if code == 2:
                return "stale", "no test is called " + pattern
            if code:
                return "caught", "%s: %s" % (pattern, first_failure(text))
        return "survives", "passed " + " ".join(m.tests)
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-k", metavar="WORD", default="", help="only mutants whose name has WORD")
    parser.add_argument("--list", action="store_true", help="name them and stop")
    args = parser.parse_args()
    mutants = [m for m in read_mutants(os.path.join(ROOT, "tests", "mutants.txt")) if args.k in m.name]
    if args.list:
        for m in mutants:
            print("%-40s %s" % (m.name, m.file))
        return 0
    tree = make_copy()
    build = os.path.join(COPY, "build")
    env = dict(os.environ, MICROTOME_SHARED=os.environ.get("MICROTOME_SHARED", os.path.join(ROOT, "..", "shared")))
    code, text = run(["meson", "setup", build, tree, "--wipe", "-Dwerror=false"]
                     if os.path.isdir(build) else ["meson", "setup", build, tree, "-Dwerror=false"], tree)
    if code:
        print(text)
        return 1
    code, text = run(["ninja", "-C", build, "tests"], tree, seconds=1800)
    if code:
        print(text)
        return 1
    bad = 0
    for i, m in enumerate(mutants):
        start = time.time()
        what, why = try_mutant(m, tree, build, env)
        wrong = what == "stale" or (what == "survives") != bool(m.harmless)
        bad += wrong
        print("%s %2d/%d %-38s %-9s %s%s (%.0f s)" % ("!" if wrong else " ", i + 1, len(mutants), m.name, what, why,
              "; harmless: " + m.harmless if m.harmless else "", time.time() - start), flush=True)
    print("%d mutants, %d not as they should be" % (len(mutants), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
