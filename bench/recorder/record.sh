#!/bin/sh
# Records the traces in bench/traces/ anew: python3, g++ (cc1plus), redis-server, sqlite3.
#
#   bench/recorder/record.sh [EVENTS]
set -eu
cd "$(dirname "$0")/../.."
events=${1:-3000000}
target=${CARGO_TARGET_DIR:-target}
cargo build --release --quiet -p slubmalloc-bench --bins
trace=$target/release/trace
inputs=$("$trace" inputs)
work=$(mktemp -d)
trap 'rm -rf "$work" "$inputs"' EXIT
cc -O2 -Wall -Wextra -shared -fPIC -o "$work/recorder.so" bench/recorder/recorder.c -pthread

# NAME COMMAND…: runs it under the recorder and keeps the process that called most.
record() {
    name=$1
    shift
    env TRACE_FILE="$work/$name" TRACE_EVENTS="$events" LD_PRELOAD="$work/recorder.so" "$@" >/dev/null
    keep "$name"
}

keep() {
    largest=$(du -k "$work/$1".* | sort -n | tail -n 1 | cut -f 2)
    "$trace" pack "$largest" "bench/traces/$1.trace"
    rm -f "$work/$1".*
}

mkdir -p bench/traces
# Python's own allocator in front of malloc would hide its small objects.
record python3 env PYTHONMALLOC=malloc /usr/bin/python3 "$inputs/churn.py"
record g++ g++ -std=c++17 -O2 -c "$inputs/input.cc" -o "$work/input.o"
record sqlite3 sqlite3 :memory: ".read $inputs/input.sql"

socket=$work/redis.sock
# Debian's server is linked with another allocator; what the recorder lacks must come from the C library.
TRACE_FILE="$work/redis" TRACE_EVENTS="$events" LD_PRELOAD="$work/recorder.so:libc.so.6" \
    redis-server --port 0 --save '' --dir "$work" --unixsocket "$socket" >/dev/null &
server=$!
for _ in $(seq 100); do
    [ ! -S "$socket" ] || break
    sleep 0.1
done
redis-benchmark -s "$socket" -q -P 16 -n 60000 -r 20000 -d 120 -t set,get,lpush,lpop,sadd,hset >/dev/null
kill "$server"
wait "$server" || true
keep redis
du -sk bench/traces
