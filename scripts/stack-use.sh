#!/usr/bin/env bash
# The bytes of stack that each function of the library needs with all it calls (x86-64), as compiled.
#
#     scripts/stack-use.sh                     print them, with the deepest chain of calls
#     scripts/stack-use.sh --check             fail where more than 4,096 are needed, or 8,192 with --modes
#     scripts/stack-use.sh --modes             with what the modes that find misuse need
#     scripts/stack-use.sh … --library FILE    of this library, which is not built first
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mode='print'
scope='default'
library=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        help
        exit 0
        ;;
    --check) mode='check' ;;
    --modes) scope='modes' ;;
    --library)
        [ $# -ge 2 ] || usage '--library needs a file'
        library=$2
        shift
        ;;
    *) usage "unknown argument: $1" ;;
    esac
    shift
done

need objdump=binutils python3
if [ -z "$library" ]; then
    build_library
    library=$LIBRARY
fi
exec python3 "$ROOT/scripts/stack_use.py" "$mode" "$library" "$scope"
