#!/usr/bin/env bash
# The bytes of stack that each function of the library needs with all it calls (x86-64), as compiled.
#
#     scripts/stack-use.sh                     print them, with the deepest chain of calls
#     scripts/stack-use.sh --check             fail where more than 4,096 are needed, or 8,192 with --modes
#     scripts/stack-use.sh --modes             with what the modes that find misuse need
#     scripts/stack-use.sh … --library FILE    of this library, which is not built first
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library_arguments '--check --modes' "$@"
mode='print' scope='default'
case $chosen in *--check*) mode='check' ;; esac
case $chosen in *--modes*) scope='modes' ;; esac
exec python3 "$ROOT/scripts/stack_use.py" "$mode" "$library" "$scope"
