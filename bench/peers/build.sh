#!/bin/sh
# Builds `work` once for each linked allocator and puts the programs, work-NAME, into a folder.
# One that does not build is named with its reason and left out.
#
#   bench/peers/build.sh FOLDER [NAME…]
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- mimalloc3 mimalloc2 snmalloc jemalloc rpmalloc tcmalloc

for name in "$@"; do
    unset CC CXX
    # Google's is written for clang.
    [ "$name" != tcmalloc ] || export CC=clang CXX=clang++
    echo "Building $name" >&2
    # One at a time: built together, the two mimallocs would share their features.
    if cargo build --release --quiet --locked -p "work-$name" --target-dir "$folder/target" \
        2>"$folder/$name.log"; then
        cp "$folder/target/release/work-$name" "$folder/"
    else
        echo "$name does not build here and is left out; the end of $folder/$name.log:" >&2
        tail -n 5 "$folder/$name.log" >&2
    fi
done
