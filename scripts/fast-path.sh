#!/usr/bin/env bash
# The instructions that malloc and free execute when all goes well (x86-64), as compiled.
#
#     scripts/fast-path.sh                     print both tables
#     scripts/fast-path.sh --check             compare with tests/fast_path, enforce the limits
#     scripts/fast-path.sh --write             store the tables in tests/fast_path
#     scripts/fast-path.sh … --library FILE    of this library, which is not built first
#
# In every form it fails when the path holds a locked instruction, an exchange with memory, or a call.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library_arguments '--check --write' "$@"
mode='print'
[ -z "$chosen" ] || mode=${chosen##*--}
compiler=$(cd "$ROOT" && "${RUSTC:-rustc}" --version)
exec python3 "$ROOT/scripts/fast_path.py" "$mode" "$library" "$ROOT/tests/fast_path/x86_64" "$compiler"
