#!/usr/bin/env python3
"""kernel_calls.py BUILD -- the vectorised kernels call each other and what is named here, nothing else, and those that ask
for memory ahead do.

A call in the innermost loop puts every sum into memory at each step: results stay right, and linear took five times
as long when one was there.  No test of results can see that; what the compiled kernels still call can.  Neither can they see a prefetch that the compiler left out (gcc did,
of an inline function that did nothing else): weights came from memory at half its speed.
"""
import glob
import os
import re
import subprocess
import sys

# Once a line, a panel or a weight of a rare type: none is in a loop over numbers of the usual types.
ALLOWED = {"dtype_bytes", "dtype_part_f32", "dtype_row_f32", "memcpy", "memset", "node_first_key", "node_width",
           "strcmp"}


def calls(path):
    out = subprocess.run(["nm", "-u", path], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"U (\w+)", out))

ASKING = ("product_vec", "blocks_vec", "blocks_vnni")


def asks(path):
    out = subprocess.run(["objdump", "-d", path], check=True, capture_output=True, text=True).stdout
    return bool(re.search(r"\bprefetch", out))


def main():
    found = sorted(glob.glob(os.path.join(sys.argv[1], "libpart_vec_v*.a.p", "*.o")))
    if not found:
        print("kernel_calls: no vectorised kernels in %s" % sys.argv[1])
        return False
    bad = [(path, name) for path in found for name in sorted(calls(path))
           if name not in ALLOWED and not re.search(r"_v(\d+h?|nni)$", name)]
    for path, name in bad:
        print("%s calls %s: inline it, or name it in tools/kernel_calls.py if no loop over numbers does"
              % (os.path.relpath(path, sys.argv[1]), name))
    dull = [path for path in found if any(name in path for name in ASKING) and not asks(path)]
    for path in dull:
        print("%s asks for nothing ahead: vec_prefetch must be inlined" % os.path.relpath(path, sys.argv[1]))
    return not bad and not dull


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
# SPDX-License-Identifier: MIT
