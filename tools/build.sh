#!/bin/sh
# build.sh DIR [meson options] [-- ninja targets]  -- configure when needed, then build.
#
# "When needed": the first time, when the options changed, and when a source file came or went
# (meson.build takes them from tools/list.py; ninja by itself watches only files it knows).
# Another CC starts DIR anew.  ROOMS=base,tensor builds those rooms alone.
set -eu
dir=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
jobs=${JOBS:-$(nproc)}

options="-Drooms=${ROOMS:-all}"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options="$options $1"
    shift
done
[ $# -gt 0 ] && shift

mkdir -p "$dir"
now=$(echo "CC=${CC:-}"; echo "$options"; python3 "$root/tools/list.py" all "${ROOMS:-all}")
before=$(cat "$dir/listing" 2>/dev/null || true)
if [ "$now" != "$before" ] || [ ! -f "$dir/build.ninja" ]; then
    how=
    if [ -f "$dir/build.ninja" ]; then
        how=--reconfigure
        [ "$(echo "$now" | head -n 1)" = "$(echo "$before" | head -n 1)" ] || how=--wipe
    fi
    rm -f "$dir/listing"
    # shellcheck disable=SC2086  # options are words
    meson setup $how $options "$dir" "$root" >"$dir.log" 2>&1 || {
        cat "$dir.log"
        rm -f "$dir.log"
        exit 1
    }
    rm -f "$dir.log"
    echo "$now" >"$dir/listing"
fi
quiet=--quiet # ninja 1.11; Ubuntu 22.04 has 1.10
ninja --quiet --version >/dev/null 2>&1 || quiet=
exec ninja -C "$dir" -j "$jobs" ${NINJA_FLAGS:-$quiet} "$@"
# SPDX-License-Identifier: MIT
