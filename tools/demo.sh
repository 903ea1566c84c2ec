#!/bin/sh
# demo.sh PROGRAM  -- what `make demo` shows once the program is built.
set -eu
if [ ! -x "$1" ]; then
    echo "demo: $1 was not built (src/app/cli is empty)" >&2
    exit 1
fi
exec "$1" demo
# SPDX-License-Identifier: MIT
