#!/usr/bin/env bash
# Run a program on slubmalloc, or compare it with the C library's malloc.
#
#     scripts/run.sh PROGRAM [ARGUMENT…]    the program, with the library preloaded
#     scripts/run.sh                        the built-in throughput workloads, glibc beside slubmalloc
#
# Builds the release library and slubctl first when they are not up to date. An existing LD_PRELOAD is kept.
# While the program runs, target/slubctl/release/slubctl looks into it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in -h | --help)
    help
    exit 0
    ;;
esac

build_library
build_slubctl || warn 'slubctl does not build; the program runs without'

if [ $# -eq 0 ]; then
    cd "$ROOT"
    export CARGO_TARGET_DIR=$TARGET
    # The comparison starts its sibling `work`, so all programs are needed.
    cargo build --quiet --release -p slubmalloc-bench --bins
    exec "$TARGET/release/throughput" --library "$LIBRARY"
fi

case $LIBRARY in *[\ :]*)
    die "the loader cannot preload a path with blanks or colons: $LIBRARY"
    ;;
esac
have "$1" || die "no such program: $1"
exec env "LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}$LIBRARY" "$@"
