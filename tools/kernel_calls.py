#!/usr/bin/env python3
"""kernel_calls.py BUILD -- the vectorised kernels call each other and what is named here, nothing else.

A call in the innermost loop puts every sum into memory at each step: results stay right, and linear took five times
as long when one was there.  No test of results can see that; what the compiled kernels still call can.
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


def main():
    found = sorted(glob.glob(os.path.join(sys.argv[1], "libpart_vec_v*.a.p", "*.o")))
    if not found:
        print("kernel_calls: no vectorised kernels in %s" % sys.argv[1])
        return False
    bad = [(path, name) for path in found for name in sorted(calls(path))
           if name not in ALLOWED and not re.search(r"_v\d+h?$", name)]
    for path, name in bad:
        print("%s calls %s: inline it, or name it in tools/kernel_calls.py if no loop over numbers does"
              % (os.path.relpath(path, sys.argv[1]), name))
    return not bad


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
# SPDX-License-Identifier: MIT
