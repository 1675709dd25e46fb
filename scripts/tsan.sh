#!/usr/bin/env bash
# The threads of the unit tests under ThreadSanitizer: two accesses of which one writes and neither comes first.
#
#     scripts/tsan.sh
#
# Takes the sanitizer's runtime from the Rust toolchain. The standard library is not instrumented, so what only it orders
# would be reported: the tests that run here order everything by this crate's own locks.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
-h | --help)
    help
    exit 0
    ;;
'') ;;
*) usage "unknown argument: $1" ;;
esac

need_rust
cd "$ROOT"

suppressions=$(mktemp)
trap 'rm -f "$suppressions"' EXIT
cat >"$suppressions" <<'END'
# The harness hands a test's result on through the standard library.
race:test::
race:std::sync::mpmc
race:core::profiling::compiler_copy
END

host=$(rustc -vV | sed -n 's/^host: //p')
threads() {
    # Addresses that the sanitizer has no shadow for are avoided.
    RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer' \
        TSAN_OPTIONS="suppressions=$suppressions halt_on_error=0 history_size=7" \
        setarch -R cargo test -p slubmalloc --lib --target "$host" --target-dir "$TARGET/tsan" -- \
        --test-threads 1 sync:: threads_hand_blocks_to_each_other
}
check 'threads under ThreadSanitizer' threads
score_end
