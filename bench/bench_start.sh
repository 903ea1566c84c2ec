#!/bin/sh
# bench_start.sh PROGRAM  -- from start to exit: info demo:induction (target 15 ms), the demo's analysis (target 1 s).
set -eu
for what in "info demo:induction" "demo"; do
    start=$(date +%s%N)
    for i in 1 2 3 4 5 6 7 8 9 10; do "$1" $what --quiet; done
    end=$(date +%s%N)
    echo "microtome $what: $(((end - start) / 10000)) us"
done
# SPDX-License-Identifier: MIT
