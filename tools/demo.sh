#!/bin/sh
# demo.sh PROGRAM  -- what `make demo` shows once the program is built.
set -eu
"$1" demo --html demo.html
cat <<END

The same as a page: demo.html.  With a model of your own (a directory of Hugging Face safetensors, or a llama2.c .bin):

  $1 info MODEL
  $1 run MODEL --prompt "When Mary and John went to the store, John gave a drink to" --edit "blocks.5.mlp.out = 0"
  $1 patch MODEL --clean "..." --corrupt "..." --answer " Mary" --wrong " John" --html patch.html
  $1 verify MODEL
END
# SPDX-License-Identifier: MIT
