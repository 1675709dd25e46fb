#!/usr/bin/env bash
# Counts loads that are slow by where things lie: those that meet one of the last stores at the same place of another
# page. Repeatable: instructions are simulated, and their addresses taken as they come.
#
#     scripts/aliases.sh                    under the library, built now
#     scripts/aliases.sh --library FILE     under this one
#
# Prints for each program of bench/programs the instructions of its second half, aliases for each thousand of them, and the
# two pairs of pages that meet most often. Needs valgrind and gcc.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library_arguments '' "$@"
have valgrind || die 'valgrind is missing'
have gcc || die 'gcc is missing'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

printf '%-20s %12s %8s  %s\n' program instructions aliases 'pages of store and load, times'
# A trace has some twenty bytes for each instruction.
for program in 'numbers 4000' 'arrays 40' 'replacement 20000'; do
    read -r name rounds <<<"$program"
    gcc -O2 "$ROOT/bench/programs/$name.c" -o "$folder/$name"
    LD_PRELOAD=$library valgrind --tool=lackey --trace-mem=yes --log-file="$folder/trace" "$folder/$name" "$rounds" ||
        die "$name does not run"
    python3 "$ROOT/scripts/aliases.py" "$name" "$folder/trace"
done
