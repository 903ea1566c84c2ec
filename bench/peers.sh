#!/bin/sh
# peers.sh [DIR]  -- a Python environment with the tools that bench/ compares with (build/peers).
set -eu
dir=${1:-build/peers}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/python" -c 'import torch, transformers, transformer_lens' 2>/dev/null ||
    "$dir/bin/pip" install --quiet torch transformers transformer-lens
echo "$dir/bin/python"
# SPDX-License-Identifier: MIT
