#!/usr/bin/env bash
# Draw the README's pictures of a running program: slubctl/pictures/top.svg and map.svg.
#
#     slubctl/pictures.sh
#
# The program is Python on slubmalloc, which builds and forgets dictionaries and strings in a few threads. Takes a minute.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

case ${1:-} in -h | --help)
    help
    exit 0
    ;;
esac

lines=34 columns=110
need python3 script=bsdutils
build_library
build_slubctl
cd "$ROOT"
cargo build --quiet --release --manifest-path slubctl/Cargo.toml --target-dir "$TARGET/slubctl" --example screen
mkdir -p slubctl/pictures
shown=$(mktemp)

PYTHONMALLOC=malloc LD_PRELOAD=$LIBRARY python3 - <<'PYTHON' &
import random, threading, time

kept = []

def work(seed):
    mine = random.Random(seed)
    while True:
        for size in mine.choices([40, 200, 1000, 20000], [8, 4, 2, 1], k=4000):
            kept.append({"name": "x" * mine.randrange(size), "rows": list(range(size // 30))})
        if len(kept) > mine.randrange(10000, 60000):
            del kept[mine.randrange(8)::mine.choice([2, 3])]
        for _ in range(mine.randrange(12)):
            kept.append({"name": "x" * mine.randrange(60 << 10, 900 << 10)})
        time.sleep(mine.random() / 4)

for seed in range(3):
    threading.Thread(target=work, args=(seed,), daemon=True).start()
time.sleep(600)
PYTHON
program=$!
trap 'kill "$program"; rm -f "$shown"' EXIT
# The first looks are of its beginning.
sleep 15
script -qec "stty rows $lines cols $columns; exec '$SLUBCTL' top -d 0.4 -n 100 $program" "$shown" >/dev/null </dev/null
# What script(1) writes itself are its first and last line.
sed '1d;$d' "$shown" | "$TARGET/slubctl/release/examples/screen" $lines $columns >slubctl/pictures/top.svg
"$SLUBCTL" map "$program" -o slubctl/pictures/map.svg
"$SLUBCTL" show "$program"
"$SLUBCTL" threads "$program"
wc -c slubctl/pictures/*.svg
