#!/usr/bin/env bash
# Run every test, installing what the tests need (as root on Debian).
#
#     scripts/test.sh            everything; what CI runs
#     scripts/test.sh --quick    without aarch64 and without the real programs
#
# The last line is the sum of all results; the exit code is zero only if nothing failed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

quick=no
case ${1:-} in
-h | --help)
    help
    exit 0
    ;;
--quick) quick=yes ;;
'') ;;
*) usage "unknown argument: $1" ;;
esac

# A test that hangs is a failure, not a night without an answer. On a busy machine all of them take longer, so what counts is
# how long nothing was said.
silence=1500

log=$(mktemp)
skips=$(mktemp)
trap 'rm -f "$log" "$skips"' EXIT
times=()
ignored=0

# run_counted COMMAND…: shows and keeps the output.
run_counted() {
    local status=0
    "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    return "$status"
}

# patiently COMMAND…: runs it within run_counted, and ends it with all that it started when it has said nothing for so long.
patiently() {
    local status=0 command
    timeout --kill-after=10 6h "$@" &
    command=$!
    trap 'kill "$command"' INT TERM
    while sleep 1 && kill -0 "$command" 2>/dev/null; do
        [ $(($(date +%s) - $(stat -c %Y "$log"))) -le $silence ] || kill "$command" || true
    done
    wait "$command" || status=$?
    trap - INT TERM
    return "$status"
}

# count_script STATUS: adds the last `N passed, N failed` of the log.
count_script() {
    local line passed=0 failed=0
    line=$(plain_log | grep -E '^[0-9]+ passed, [0-9]+ failed$' | tail -n 1 || true)
    if [ -n "$line" ]; then read -r passed _ failed _ <<<"$line"; fi
    add "$1" "$passed" "$failed"
}

# count_cargo STATUS: adds every `test result:` line of the log.
count_cargo() {
    local passed failed skipped
    read -r passed failed skipped < <(plain_log | awk '
        /^test result: / {
            for (i = 2; i <= NF; i++) {
                if ($i == "passed;") passed += $(i - 1)
                if ($i == "failed;") failed += $(i - 1)
                if ($i == "ignored;") ignored += $(i - 1)
            }
        }
        END { print passed + 0, failed + 0, ignored + 0 }')
    ignored=$((ignored + skipped))
    plain_log | grep '^SKIPPED' >"$skips" || true
    add "$1" "$passed" "$failed"
}

plain_log() { sed 's/\x1b\[[0-9;]*m//g' "$log"; }

# add STATUS PASSED FAILED: a command that failed, or that tested nothing, counts as a failure of its own.
add() {
    local failed=$3
    if [ "$failed" -eq 0 ] && { [ "$1" -ne 0 ] || [ "$2" -eq 0 ]; }; then
        failed=1
        warn "$SECTION: exit code $1 with $2 results"
    fi
    PASSED=$((PASSED + $2))
    FAILED=$((FAILED + failed))
    times+=("$(printf '%6s s  %-12s %5s passed %5s failed' $((SECONDS - SECTION_START)) "$SECTION" "$2" "$failed")")
    section_end
}

skipped() {
    times+=("$(printf '%6s s  %-12s skipped' $((SECONDS - SECTION_START)) "$SECTION")")
    section_end
}

# Many tests wait for something, so one more than there are processors.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc) + 1))}"

cargo_tests() {
    local status=0
    patiently cargo test --manifest-path tests/models/Cargo.toml --target-dir "$TARGET/models" || status=$?
    patiently cargo test --manifest-path tests/fuzz/Cargo.toml --target-dir "$TARGET/fuzz" || status=$?
    patiently cargo test --manifest-path slubctl/Cargo.toml --target-dir "$TARGET/slubctl" --no-fail-fast || status=$?
    if [ $quick = no ]; then
        patiently cargo test --no-fail-fast || status=$?
        return $status
    fi
    local targets=() file
    for file in tests/*.rs; do
        file=$(basename "$file" .rs)
        [ "$file" = programs ] || targets+=(--test "$file")
    done
    patiently cargo test -p slubmalloc --no-fail-fast --lib "${targets[@]}" || status=$?
    patiently cargo test -p slubmalloc --no-fail-fast --doc || status=$?
    return $status
}

cd "$ROOT"

section 'tools'
need gcc g++ clang musl-gcc=musl-tools make objdump=binutils pkg-config python3 perl git timeout=coreutils slabtop=procps script=bsdutils setpriv=util-linux gcore=gdb
if [ $quick = no ]; then
    need php=php-cli apache2 ab=apache2-utils
    need_file "/usr/lib/apache2/modules/libphp*.so" libapache2-mod-php
    need go=golang-go redis-server sqlite3 xz=xz-utils valgrind node=nodejs java=default-jdk-headless javac=default-jdk-headless
fi
need xz=xz-utils
need_file "/usr/include/*/urcu.h" liburcu-dev
need_file "/usr/lib/python3/dist-packages/prometheus_client/openmetrics/parser.py" python3-prometheus-client
need_rust
cargo --version
gcc --version | head -n 1
section_end

section 'check'
status=0
run_counted scripts/check.sh --lint || status=$?
count_script $status

if [ $quick = no ]; then
    section 'unit tests without a kernel'
    status=0
    run_counted scripts/check.sh --simulated || status=$?
    count_script $status

    section 'aarch64'
    status=0
    run_counted scripts/aarch64.sh || status=$?
    # 77: its tools are missing here. It says so itself, and under CI=true it fails instead.
    if [ $status -eq 77 ]; then skipped; else count_script $status; fi
fi

# Last, so that its result lines stand at the end of the output.
section 'cargo test'
status=0
run_counted cargo_tests || status=$?
count_cargo $status

section 'summary'
printf '%s\n' "${times[@]}"
printf '%6s s  in all\n' $SECONDS
cat "$skips"
[ "$ignored" -eq 0 ] || echo "$ignored tests ignored"
score_end
