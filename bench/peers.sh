#!/bin/sh
# peers.sh [DIR]  -- a Python environment with the tools that bench/ compares with (build/peers).
set -eu
dir=${1:-build/peers}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/python" -c 'from transformer_lens import HookedTransformer' 2>/dev/null ||
    "$dir/bin/pip" install --quiet torch transformers "transformer-lens<4"
"$dir/bin/python" -c 'import tiktoken, tokenizers' 2>/dev/null || "$dir/bin/pip" install --quiet tiktoken tokenizers
# llama.cpp is compiled, for minutes; what needs it is left out where that fails.
"$dir/bin/python" -c 'import llama_cpp' 2>/dev/null || CMAKE_ARGS=-DLLAVA_BUILD=OFF \
    "$dir/bin/pip" install --quiet llama-cpp-python >&2 || echo "no llama.cpp" >&2
echo "$dir/bin/python"
# SPDX-License-Identifier: MIT
