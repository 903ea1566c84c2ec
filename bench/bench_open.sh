#!/bin/sh
# bench_open.sh PROGRAM MODEL  -- a GPT-2-small-shaped model from the page cache to its top five tokens, and the
# memory that took; beside it Hugging Face transformers on the same files, where Python has it.
# Target: 0.4 s, 1.2 x the weights (transformers, on the machine the target was set on: 5.3 s, 0.87 GB).
set -eu
program=$1 model=$2
cat "$model/model.safetensors" >/dev/null
ids=464,3290,373,407,1654,284,467,503,287,262,6290,780,340,373,4692
python3 -c 'import resource, subprocess, sys, time
start = time.time()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print("microtome     %.2f s, %d KiB" % (time.time() - start, most))' "$program" run "$model" --tokens $ids --quiet
"$program" run "$model" --tokens $ids --top 5 | sed -n '3,10p'
weights=$(stat -c %s "$model/model.safetensors")
echo "weights       $((weights / 1024)) KiB"
${PYTHON:-python3} "$(dirname "$0")/peer_open.py" "$model" $ids || true
# SPDX-License-Identifier: MIT
