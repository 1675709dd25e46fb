#!/usr/bin/env bash
# Run random lists of operations on the library, beside a model that knows what must come out.
#
#     scripts/fuzz.sh [--operations N] [--seed N] [--threads N] [--conf SLUBMALLOC_CONF] [OPTION…]
#     scripts/fuzz.sh --replay FILE… [OPTION…]   lists that failed, or those of tests/fuzz/corpus
#     scripts/fuzz.sh --libfuzzer SECONDS        libFuzzer makes lists up; what reaches new code is kept in the target
#                                                directory
#     scripts/fuzz.sh --distil                   makes tests/fuzz/corpus the fewest lists, of those stored and those kept,
#                                                that reach the same code; lists with names of their own stay
#     scripts/fuzz.sh --options                  all options of the first two
#
# A list that fails is made shorter, printed, and written to the target directory's fuzz/failed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MANIFEST=$ROOT/tests/fuzz/Cargo.toml
CORPUS=$ROOT/tests/fuzz/corpus
FOUND=$TARGET/fuzz/found
# Short lists are tried more often; these are 400 operations.
MOST_BYTES=2400
# A stored list is replayed by every `cargo test`.
MOST_STORED_KIB=200

# build_program: the program that runs lists, silent unless it fails.
build_program() {
    have cargo || die "no cargo: install Rust from https://rustup.rs"
    cargo build --quiet --release --manifest-path "$MANIFEST" --target-dir "$TARGET/fuzz"
}

# libfuzzer ARGUMENT…: libFuzzer's program with these arguments.
libfuzzer() {
    cargo fuzz --version >/dev/null 2>&1 || die "no cargo-fuzz: cargo install cargo-fuzz"
    # What marks the branches is stable; cargo-fuzz names it by a flag that is not.
    RUSTC_BOOTSTRAP=1 cargo fuzz build --sanitizer none --fuzz-dir "$ROOT/tests/fuzz/fuzz" \
        --target-dir "$TARGET/libfuzzer" operations
    local programs=("$TARGET"/libfuzzer/*/release/operations)
    mkdir -p "$FOUND"
    "${programs[0]}" "$@" -max_len=$MOST_BYTES -rss_limit_mb=8000 -artifact_prefix="$TARGET/fuzz/"
}

case ${1:-} in
-h | --help)
    help
    exit 0
    ;;
--options)
    build_program
    exec "$TARGET/fuzz/release/operations" --help
    ;;
--libfuzzer)
    [ $# -eq 2 ] || usage '--libfuzzer needs a number of seconds'
    libfuzzer "$FOUND" "$CORPUS" -max_total_time="$2" -print_final_stats=1
    exit
    ;;
--distil)
    fewest=$TARGET/fuzz/fewest
    rm -rf "$fewest"
    mkdir -p "$fewest"
    libfuzzer -set_cover_merge=1 "$fewest" "$CORPUS" "$FOUND"
    # libFuzzer's names are hashes.
    find "$CORPUS" -type f -regextype egrep -regex '.*/[0-9a-f]{40}' -delete
    cp "$fewest"/* "$CORPUS"
    kib=$(du --apparent-size -sk "$CORPUS" | cut -f1)
    echo "$(find "$CORPUS" -type f | wc -l) lists, $kib KiB"
    [ "$kib" -le $MOST_STORED_KIB ] || die "more than $MOST_STORED_KIB KiB are too much for every test run"
    exit
    ;;
esac

build_library
build_program
mkdir -p "$TARGET/fuzz/failed"
exec "$TARGET/fuzz/release/operations" --library "$LIBRARY" --save "$TARGET/fuzz/failed" "$@"
