#!/usr/bin/env bash
# A soak: every storm at full length, servers whose memory must stay level, and both again in many configurations.
# Not part of the tests.
#
#     scripts/soak.sh                  ten minutes
#     scripts/soak.sh --minutes N      N minutes, but at least as long as one turn takes; with fewer than ten minutes
#                                      the full length is N tenths of it
#     scripts/soak.sh --library FILE   of this library, which is not built first
#
# One server runs from the beginning to the end beside all others. When the storms are over, the rest of the time goes to
# the configurations, in turns; each has at least one. Prints a line for each run, and a table at the end; the exit code
# is zero only if every run ended well, said nothing, and stayed level. What a failed run left is in target/soak.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The configurations, beside the default: a line here is all that a new one needs.
VARIANTS=(
    purge_ms:0
    preset:tiny
    purge_ms:83
    purge_ms:never
    purge_thread:on
    'purge_ms:83,purge_thread:on'
    thp:always
    'thp:never,reuse:0'
    limit:2g
    arena:1g
    slab_debug:FZPU
    guard:1/1
    'guard:1/100,quarantine:16m,zero:free'
    crime:warn
)

# The storms, their full length, and their length in a turn of a configuration.
STORMS=(
    'storm_fork 10000 300'
    'storm_threads 100000 20000'
    'storm_signals 200000 10000'
    'storm_plugins 50000 5000'
    'storm_spawn 10000 500'
    'storm_limits 200 12'
    'storm_cancel 10000 1000'
    'storm_reports 1200 120'
    'storm_exits 1000 40'
)
SERVER_SECONDS=5
# Operations of the workload rest/server. At the end it may hold a quarter more than after the first tenth; but not a
# short one, which may be over before memory has begun to go back: its objects are verified, its figures only shown.
SERVER_OPERATIONS=20000000
SHORT_SERVER_OPERATIONS=2000000
MOST_DRIFT_PERCENT=125
# A run that takes longer hangs; the storms' own watchdogs are quicker.
PATIENCE=900

minutes=10
library=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        help
        exit 0
        ;;
    --minutes | --library)
        [ $# -ge 2 ] || usage "$1 needs a value"
        if [ "$1" = --minutes ]; then minutes=$2; else library=$(realpath -e "$2"); fi
        shift
        ;;
    *) usage "unknown argument: $1" ;;
    esac
    shift
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || usage "--minutes takes a number, not $minutes"

need gcc timeout=coreutils
if [ -z "$library" ]; then
    build_library
    library=$LIBRARY
fi
case $library in *[\ :]*) die "the loader cannot preload a path with blanks or colons: $library" ;; esac

# Everything is built before the clock starts.
soak=$TARGET/soak
rm -rf "$soak"
mkdir -p "$soak"
for source in "$ROOT"/tests/c/storm_*.c; do
    name=$(basename "$source" .c)
    case $name in
    storm_faulty) continue ;;
    storm_plugin) flags=(-shared -fPIC) ;;
    *) flags=() ;;
    esac
    gcc -O1 -g -Wall -Wextra -pthread -fno-builtin "${flags[@]}" -o "$soak/$name" "$source" -ldl
done
# The loader tells libraries apart by their file.
plugins=()
for number in 1 2 3; do
    cp "$soak/storm_plugin" "$soak/plugin$number.so"
    plugins+=("$soak/plugin$number.so")
done
work=$soak/work
(cd "$ROOT" && CARGO_TARGET_DIR=$TARGET cargo build --quiet --release -p slubmalloc-bench --bin work)
cp "$TARGET/release/work" "$work"

total=$((minutes * 60))
share=$((minutes < 10 ? minutes : 10))
began=$SECONDS
left() { echo $((total - (SECONDS - began))); }

background=
end_background() {
    [ -z "$background" ] || kill -TERM "$background" 2>/dev/null || true
}
trap end_background EXIT

rows=()
runs=0

# run NAME VARIANT COMMAND…: one run under the library; its output stays in $out and $err.
run() {
    local name=$1 variant=$2 configuration=
    shift 2
    runs=$((runs + 1))
    out=$soak/$runs.out err=$soak/$runs.err
    [ "$variant" = default ] || configuration=$variant
    env -u SLUBTEST_ALLOW_LIBC "SLUBMALLOC_CONF=$configuration" "LD_PRELOAD=$library" \
        timeout -s KILL "$PATIENCE" "$@" >"$out" 2>"$err" </dev/null
}

# score NAME VARIANT SECONDS STATUS WHAT: counts a run that is over, and keeps a row for the table.
score() {
    local name=$1 variant=$2 seconds=$3 status=$4 what=$5 result=ok
    # Not even a word on standard error: a key that is not understood would test the default.
    if [ "$status" -ne 0 ] || [ -s "$err" ]; then result=FAILED; fi
    rows+=("$(printf '%-6s  %-14s  %-28s  %5s s  %s' "$result" "$name" "$variant" "$seconds" "$what")")
    printf '%5s s left  ' "$(left)"
    if [ $result = ok ]; then
        pass "$name, $variant ($seconds s) $what"
        rm -f "$out" "$err"
    else
        fail "$name, $variant ($seconds s) exit code $status, $out, $err"
        tail -n 5 "$out" "$err"
    fi
}

# What a storm says of itself but for its "ok", on one line.
said() { grep -v '^ok$' "$out" | paste -s -d ';' | sed 's/;/; /g' || true; }

storm() {
    local name=$1 variant=$2 amount=$3 start=$SECONDS status=0 more=()
    [ "$name" != storm_plugins ] || more=("${plugins[@]}")
    run "$name" "$variant" "$soak/$name" "$amount" "${more[@]}" || status=$?
    # A storm that ends early and well would be no storm.
    [ $status -ne 0 ] || [ "$(tail -n 1 "$out")" = ok ] || status=1
    score "$name" "$variant" $((SECONDS - start)) $status "$amount × $(said)"
}

# A figure of the workload's line of JSON.
figure() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$out"; }

rest_server() {
    local variant=$1 operations=$2 start=$SECONDS status=0 early late
    run rest/server "$variant" "$work" rest/server --threads 2 --ops "$operations" || status=$?
    early=$(figure first_tenth_bytes) late=$(figure rest_bytes)
    if [ $status -eq 0 ]; then
        if [ -z "$early" ] || [ -z "$late" ]; then
            status=1
        elif [ "$operations" -ne "$SHORT_SERVER_OPERATIONS" ] &&
            [ "$late" -gt $((early * MOST_DRIFT_PERCENT / 100)) ]; then
            status=1
            echo "drift: $late bytes at the end, $early after the first tenth" >>"$err"
        fi
    fi
    score rest/server "$variant" $((SECONDS - start)) $status \
        "$operations × resident: $((${early:-0} >> 20)) MiB after a tenth, $((${late:-0} >> 20)) MiB at the end"
}

section "one server for $total s, in the background"
runs=$((runs + 1))
server_out=$soak/$runs.out server_err=$soak/$runs.err
env -u SLUBTEST_ALLOW_LIBC SLUBMALLOC_CONF= "LD_PRELOAD=$library" \
    timeout -s KILL $((total + PATIENCE)) "$soak/storm_server" "$total" >"$server_out" 2>"$server_err" </dev/null &
background=$!

section 'storms at full length'
for line in "${STORMS[@]}"; do
    read -r name full _ <<<"$line"
    storm "$name" default $((full * share / 10))
done
for variant in default purge_ms:83; do
    rest_server "$variant" "$SERVER_OPERATIONS"
done
section_end

section 'configurations'
turn=0
while [ $turn -eq 0 ] || [ "$(left)" -gt 0 ]; do
    turn=$((turn + 1))
    for variant in "${VARIANTS[@]}"; do
        for line in "${STORMS[@]}"; do
            read -r name _ short <<<"$line"
            storm "$name" "$variant" "$short"
        done
        storm storm_server "$variant" "$SERVER_SECONDS"
        rest_server "$variant" "$SHORT_SERVER_OPERATIONS"
        # The first turn is for all of them.
        [ $turn -eq 1 ] || [ "$(left)" -gt 0 ] || break
    done
done
section_end

section 'the server in the background'
status=0
wait "$background" || status=$?
background=
out=$server_out err=$server_err
score storm_server 'default, all the time' "$total" $status "$(said)"
section_end

section 'summary'
printf '%s\n' "${rows[@]}"
printf '%s runs in %s s\n' "${#rows[@]}" $((SECONDS - began))
score_end
