#!/bin/sh
# setup.sh build|check  -- install what is missing, or say what to install.
#
# Looks before it touches anything: when all is there it needs neither network nor root, and takes
# a tenth of a second.  Debian 12, Ubuntu 22.04 and later; elsewhere it names what is missing.
set -eu
what=${1:-check}

[ ! -r /etc/os-release ] || . /etc/os-release
# runtime: the package of clang's sanitizers and libFuzzer; elsewhere its name follows from clang's
# version, once that is there.
case ${ID:-}:${VERSION_ID:-} in
    debian:12) runtime=libclang-rt-14-dev format=clang-format ;;
    ubuntu:22.04) runtime=libclang-common-14-dev format=clang-format ;;
    ubuntu:24.04) runtime=libclang-rt-18-dev format= ;;
    *) runtime= format= ;;
esac

missing=
need() { missing="$missing $1"; }

command -v gcc >/dev/null || need gcc
[ -e /usr/include/stdio.h ] || need libc6-dev
command -v make >/dev/null || need make
command -v python3 >/dev/null || need python3
command -v meson >/dev/null || need meson
command -v ninja >/dev/null || need ninja-build
libraries="jansson:libjansson-dev libpcre2-8:libpcre2-dev libutf8proc:libutf8proc-dev
           minizip:libminizip-dev zlib:zlib1g-dev libxxhash:libxxhash-dev"
[ "$what" = check ] && libraries="$libraries cmocka:libcmocka-dev"
if command -v pkg-config >/dev/null; then
    # shellcheck disable=SC2046  # names are words
    if ! pkg-config --exists $(for pair in $libraries; do echo "${pair%%:*}"; done); then
        for pair in $libraries; do
            pkg-config --exists "${pair%%:*}" || need "${pair#*:}"
        done
    fi
else
    need pkg-config
    for pair in $libraries; do need "${pair#*:}"; done
fi
if [ "$what" = check ]; then
    command -v mpirun >/dev/null || need openmpi-bin # sweeps over ranks
    if command -v clang >/dev/null; then
        found=$(ls "$(clang -print-resource-dir)"/lib/* 2>/dev/null || true)
        version=$(clang -dumpversion)
        case $found in *clang_rt.fuzzer*) ;; *) need "${runtime:-libclang-rt-${version%%.*}-dev}" ;; esac
    else
        need clang
        [ -z "$runtime" ] || need "$runtime"
    fi
    [ -z "$format" ] || command -v clang-format >/dev/null || need "$format"
fi
[ -n "$missing" ] || exit 0

root=
[ "$(id -u)" = 0 ] || root=sudo
how="apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null; then
    echo "setup: missing, and this system has no apt-get; the packages are called in Debian:$missing" >&2
    exit 1
fi
if [ -n "$root" ] && ! command -v sudo >/dev/null; then
    echo "setup: missing packages, and neither root nor sudo to install them; as root: $how" >&2
    exit 1
fi
echo "setup: installing$missing"
log=$(mktemp)
# env: sudo forgets the environment
if $root env DEBIAN_FRONTEND=noninteractive apt-get update >"$log" 2>&1 &&
    $root env DEBIAN_FRONTEND=noninteractive $how >>"$log" 2>&1; then
    rm -f "$log"
else
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "setup: could not install; by hand: ${root:+$root }$how" >&2
    exit 1
fi
# once more: a library may have a part of its own (clang's runtime), and a package may not suffice
[ "${2:-}" != again ] || exit 0
exec "$0" "$what" again
# SPDX-License-Identifier: MIT
