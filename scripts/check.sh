#!/usr/bin/env bash
# What can be said about the source without running it: formatting, lints, documentation, spelling and words, the floor
# plan, and the shape of the built library.
#
#     scripts/check.sh           everything
#     scripts/check.sh --lint    without the floor plan and the shape, which `cargo test` checks as well
#     scripts/check.sh --simulated    only the unit tests, over a kernel made of allocations: no system calls, no assembly
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

shape=yes
case ${1:-} in
-h | --help)
    help
    exit 0
    ;;
--lint) shape=no ;;
--simulated)
    need_rust
    cd "$ROOT"
    simulated() {
        RUSTFLAGS='--cfg simulated -D warnings' cargo test --quiet -p slubmalloc --lib --target-dir "$TARGET/simulated"
    }
    check 'unit tests without a kernel' simulated
    score_end
    exit
    ;;
'') ;;
*) usage "unknown argument: $1" ;;
esac

need_rust
need gcc g++ git python3
need_typos
cd "$ROOT"

# Hidden files are checked as well, but not git's own.
if [ -n "$TYPOS" ]; then check 'typos' "$TYPOS" --format brief --hidden --exclude .git; fi
check 'words' scripts/words.py
check 'cargo fmt' cargo fmt --all --check
check 'cargo clippy' cargo clippy --quiet --workspace --all-targets -- -D warnings
# A workspace of its own.
models() {
    cargo fmt --all --manifest-path tests/models/Cargo.toml --check &&
        cargo clippy --quiet --manifest-path tests/models/Cargo.toml --target-dir "$TARGET/models" --workspace --lib --tests -- -D warnings
}
check 'models' models
fuzz() {
    cargo fmt --manifest-path tests/fuzz/Cargo.toml --check &&
        cargo clippy --quiet --manifest-path tests/fuzz/Cargo.toml --target-dir "$TARGET/fuzz" --all-targets -- -D warnings
}
check 'fuzz' fuzz
slubctl() {
    cargo fmt --manifest-path slubctl/Cargo.toml --check &&
        cargo clippy --quiet --manifest-path slubctl/Cargo.toml --target-dir "$TARGET/slubctl" --all-targets -- -D warnings
}
check 'slubctl' slubctl
documentation() { RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps --document-private-items; }
check 'cargo doc' documentation

if [ $shape = yes ]; then
    need objdump=binutils
    check 'floor plan' cargo test --quiet --test layers
    check 'shape of the library' cargo test --quiet --test shape
fi
score_end
