#!/usr/bin/env python3
"""check.py -- what `make check` runs: all of it, whatever fails, with the seconds of each.

    check.py BUILD                         everything; the last line counts the tests
    check.py BUILD --fuzz SECONDS [NAME]   the fuzz targets alone, or one
    check.py BUILD --soak-san [PATTERN]    the long tests under sanitizers

BUILD/check is gcc's build with -Werror, BUILD/san clang's with -Werror, ASan, UBSan and the fuzz
targets.
"""
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from list import ROOT, files, formatted  # noqa: E402

SMOKE = 5           # seconds for each fuzz target
TEST_LIMIT = 400    # seconds before a run of the tests is taken for hung
INVARIANTS = ["t_%s.c" % name  # what every backend is forced to in turn
              for name in "fork both forget weights truth promise plan session".split()]
FORMAT_VERSION = 14  # the clang-format whose output the tree is; others differ in details
SANITIZERS = dict(
    os.environ,
    UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1",
    ASAN_OPTIONS="handle_segv=2:handle_sigbus=2:handle_sigfpe=2",
)


def call(command, env=None, limit=None):
    try:
        return subprocess.run(command, cwd=ROOT, env=env, timeout=limit).returncode == 0
    except FileNotFoundError:
        print("%s is not there (was it built?)" % command[0])
        return False
    except subprocess.TimeoutExpired:
        print("%s: not done after %d s" % (command[0], limit))
        return False


def tool(name):
    return lambda: call([sys.executable, "tools/" + name])


def check_format():
    if not shutil.which("clang-format"):
        return "no clang-format here"
    said = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)", said)
    if not version or int(version.group(1)) != FORMAT_VERSION:
        return "clang-format %d wanted, found: %s" % (FORMAT_VERSION, said.strip())
    bad = []
    for path in formatted():
        made = subprocess.run(["clang-format", "--style=file", path], cwd=ROOT, capture_output=True)
        with open(os.path.join(ROOT, path), "rb") as f:
            if made.stdout != f.read():
                bad.append(path)
    if bad:
        print("not as clang-format writes it (make format): " + " ".join(bad))
    return not bad


def build(folder, cc, *options):
    env = dict(os.environ, CC=cc, ROOMS="all")
    return call(["tools/build.sh", folder, "-Dwerror=true"] + list(options), env=env)


def build_san(folder):
    return build(folder, "clang", "-Doptimization=1", "-Db_sanitize=address,undefined",
                 "-Db_lundef=false", "-Dfuzz=true", "-Dbench=true")


class Tests:
    """One run of the test program; keeps its counts."""

    def __init__(self, program, *arguments):
        self.command = [program] + list(arguments)
        self.counts = None

    def __call__(self):
        last = ""
        began = time.monotonic()
        if not os.path.exists(os.path.join(ROOT, self.command[0])):
            print("%s was not built" % self.command[0])
            self.counts = [0, 1, 0]
            return False
        with subprocess.Popen(self.command, cwd=ROOT, env=SANITIZERS, stdout=subprocess.PIPE,
                              text=True, errors="replace") as p:
            watchdog = threading.Timer(TEST_LIMIT, p.kill)
            watchdog.start()
            for line in p.stdout:
                last = line
                print(line, end="", flush=True)
            code = p.wait()
            watchdog.cancel()
        m = re.match(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
        self.counts = [int(n) for n in m.groups()] if m else [0, 1, 0]
        if code < 0 or not m:
            print("the tests died (%d) after %.0f s" % (code, time.monotonic() - began))
            self.counts[1] = max(1, self.counts[1])
        return code == 0


def each_backend(folder):
    """The heart's invariants with every engine forced to one backend, each in turn."""
    program = os.path.join(ROOT, folder, "microtome")
    said = subprocess.run([program, "help", "run"], capture_output=True, text=True).stdout
    names = re.search(r"kernels: auto, ([a-z0-9]+(?:, [a-z0-9]+)*)", said)
    if not names:
        print("no backend is named by 'microtome help run'")
    good = bool(names)
    for name in names.group(1).split(", ") if names else []:
        probe = [program, "run", "demo:induction", "--tokens", "1,2", "--quiet", "--backend", name]
        if subprocess.run(probe, cwd=ROOT, capture_output=True).returncode:
            print("%s: not on this processor" % name)
            continue
        print("-- " + name, flush=True)
        good = Tests(folder + "/tests", *INVARIANTS, "--backend", name)() and good
    return good


def fuzz(folder, seconds, only=None):
    """Every target for that long, from what fuzz/corpus.py makes."""
    seeds = folder + "/seeds"
    good = call([sys.executable, "fuzz/corpus.py", "make", seeds])
    for path in files("fuzz", start="fuzz_"):
        name = os.path.basename(path)[len("fuzz_"):-2]
        if only and name != only:
            continue
        found = os.path.join(folder, "corpus", name)
        os.makedirs(os.path.join(ROOT, found), exist_ok=True)
        command = [os.path.join(folder, "fuzz_" + name), "-max_total_time=%d" % seconds, "-seed=1",
                   "-rss_limit_mb=2048", "-timeout=20", "-verbosity=0", "-print_final_stats=0",
                   "-artifact_prefix=%s/%s-" % (folder, name), found,
                   os.path.join(seeds, name)]
        print("fuzz %s, %d s" % (name, seconds), flush=True)
        good = call(command, env=SANITIZERS, limit=seconds + 60) and good
    return good


def run(suites):
    """[(name, function)]: all of them in turn; a function returns true, false, or why it is not run."""
    failed = []
    for name, function in suites:
        print("== " + name, flush=True)
        began = time.monotonic()
        result = function()
        word = "ok" if result is True else "skipped: " + result if result else "FAILED"
        print("== %-28s %6.1f s  %s" % (name, time.monotonic() - began, word), flush=True)
        if not result:
            failed.append(name)
    return failed


def everything(folder):
    check, san = folder + "/check", folder + "/san"
    plain, strict = Tests(check + "/tests"), Tests(san + "/tests")
    suites = [
        ("layers", tool("layers.py")),
        ("contracts", tool("contracts.py")),
        ("format", check_format),
        ("build, gcc", lambda: build(check, "gcc")),
        ("calls of kernels", lambda: call([sys.executable, "tools/kernel_calls.py", check])),
        ("tests", plain),
        ("invariants, each backend", lambda: each_backend(check)),
        ("build, clang, sanitizers", lambda: build_san(san)),
        ("tests, sanitizers", strict),
        ("fuzz smoke", lambda: fuzz(san, SMOKE)),
    ]
    began = time.monotonic()
    failed = run(suites)
    print("%.0f s" % (time.monotonic() - began) + ("; failed: " + ", ".join(failed) if failed else ""))
    passed, bad, skipped = plain.counts or [0, 0, 0]
    bad += len([f for f in failed if f != "tests"]) or (1 if failed and not bad else 0)
    print("%d passed, %d failed, %d skipped" % (passed, bad, skipped))
    return not failed


def main():
    folder, rest = sys.argv[1], sys.argv[2:]
    san = folder + "/san"
    if not rest:
        return everything(folder)
    if rest[0] == "--fuzz":
        return build_san(san) and fuzz(san, int(rest[1]), rest[2] if len(rest) > 2 else None)
    return build_san(san) and Tests(san + "/tests", "--soak", *rest[1:])()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
# SPDX-License-Identifier: MIT
