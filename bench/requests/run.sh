#!/usr/bin/env bash
# Loops of requests with pools of slubmalloc, heaps of mimalloc 2 and 3, arenas of jemalloc, and std::pmr::unsynchronized_pool_resource.
#
#     bench/requests/run.sh [--rounds N] [--frees] [--only TEXT]
#
# --frees frees every third block before its request ends. Peers come from target/peers, where `bench/peers/build.sh target/peers` builds
# them; those that are missing are left out.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

case ${1:-} in -h | --help)
    help
    exit 0
    ;;
esac
need g++
build_library
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$API_LIBRARY" "$folder/libslubmalloc-api.so.0"

# shared NAME ARCHIVE [LIBRARY…]: a library of a peer's own, so that several are in one process.
peers=()
shared() {
    local name=$1 archive=$2
    shift 2
    if gcc -shared -o "$folder/$name.so" -Wl,--whole-archive "$archive" -Wl,--no-whole-archive -pthread "$@"; then
        peers+=("$name=$folder/$name.so")
    fi
}
builds=${PEERS:-$TARGET/peers}/target/release/build
for output in "$builds"/libmimalloc-sys-*/output; do
    [ -f "$output" ] || continue
    case $(<"$output") in
    *mimalloc/v2/*) shared mimalloc2 "$(dirname "$output")/out/libmimalloc.a" ;;
    *mimalloc/v3/*) shared mimalloc3 "$(dirname "$output")/out/libmimalloc.a" ;;
    esac
done
for archive in "$builds"/tikv-jemalloc-sys-*/out/lib/libjemalloc_pic.a; do
    [ ! -f "$archive" ] || shared jemalloc "$archive" -lm -ldl
done

g++ -std=c++17 -O2 -Wall -Wextra -I "$ROOT/cdylib/include" "$ROOT/bench/requests/requests.cpp" -o "$folder/requests" \
    "$folder/libslubmalloc-api.so.0" -Wl,--disable-new-dtags,-rpath,"$folder" -ldl
# jemalloc wants more of it than libraries that are opened later get by default.
export GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536
"$folder/requests" ${peers[@]+"${peers[@]}"} "$@"
