#!/bin/sh
# bench_tokenizer.sh PROGRAM  -- encoding with GPT-2's vocabulary on one thread, beside tiktoken and Hugging Face's
# tokenizers on the same text where Python has them (PYTHON=venv/bin/python).  It needs that vocabulary and a text:
# GPT2_VOCAB=DIR (encoder.json and vocab.bpe, or tokenizer.json; r50k_base.tiktoken for the peer), TEXT=FILE.
# Target: 1.5 x tiktoken.
set -eu
bench=$(dirname "$1")/bench_tokenizer vocab=${GPT2_VOCAB:-../shared/data/tok-openai}
text=${TEXT:-../shared/data/data-wikitext2/test.txt}
[ -e "$vocab" ] && [ -e "$text" ] || { echo "skipped: no GPT2_VOCAB or TEXT"; exit 0; }
"$bench" "$vocab" "$text" 20
${PYTHON:-python3} "$(dirname "$0")/peer_tokenizer.py" "$vocab" "$text" || true
# SPDX-License-Identifier: MIT
