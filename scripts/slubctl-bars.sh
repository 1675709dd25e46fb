#!/usr/bin/env bash
# Measure what slubctl promises: the time and memory of `show` on a large heap, what `top` costs its target, what `show` names against
# what is resident, and damaged memory.
#
#     scripts/slubctl-bars.sh [--cases N]
#
# --cases N  damaged heaps to look at, 1000000 by default, which takes long; 0 leaves that out
#
# Needs 1 GiB of memory, and prints a line for each figure. The bars: show 50 ms and 16 MiB, throughput 0.98, sums within 2 %.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cases=1000000
while [ $# -gt 0 ]; do
    case $1 in
    --cases) cases=${2:?a number} && shift 2 ;;
    *) die "unknown option $1; see the head of this file" ;;
    esac
done

build_library || die 'the library does not build'
build_slubctl || die 'slubctl does not build'
LIBRARY=$TARGET/release/libslubmalloc.so
folder=$(mktemp -d)
target=''
finish() {
    [ -z "$target" ] || kill -9 "$target" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
echo "load $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) processors"

# start PROGRAM [ARGUMENT...]: runs it under the library until its heap is as it stays.
start() {
    mkfifo "$folder/ready"
    LD_PRELOAD=$LIBRARY "$@" >"$folder/ready" &
    target=$!
    read -r _ <"$folder/ready"
    rm "$folder/ready"
}
stop() {
    kill -9 "$target" && wait "$target" 2>/dev/null || true
    target=''
}

gcc -O1 -fno-builtin -pthread -o "$folder/known" "$ROOT/slubctl/tests/programs/known.c"
start "$folder/known" many
echo "show on 10^7 objects in $(awk '/VmData/ { printf "%.1f", $2 / 1048576 }' "/proc/$target/status") GiB:"
cat >"$folder/looks.c" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Runs a program twelve times; small itself, since what it has counts as the program's before that begins. */
int main(int count, char **arguments)
{
    for (int look = 1; count > 1 && look <= 12; look++) {
        struct timespec start, end;
        struct rusage used;
        int status = 1;
        clock_gettime(CLOCK_MONOTONIC, &start);
        pid_t child = fork();
        if (child == 0) {
            dup2(open("/dev/null", O_WRONLY), 1);
            execv(arguments[1], arguments + 1);
            _exit(127);
        }
        if (wait4(child, &status, 0, &used) != child || status != 0) return 1;
        clock_gettime(CLOCK_MONOTONIC, &end);
        double wall = (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6;
        double user = used.ru_utime.tv_sec * 1e3 + used.ru_utime.tv_usec / 1e3;
        double system = used.ru_stime.tv_sec * 1e3 + used.ru_stime.tv_usec / 1e3;
        printf("  look %d: %.0f ms, %.0f + %.0f ms of processor, %.1f MiB\n", look, wall, user, system, used.ru_maxrss / 1024.0);
    }
    return 0;
}
END
gcc -O1 -o "$folder/looks" "$folder/looks.c"
"$folder/looks" "$SLUBCTL" show "$target"
stop

cat >"$folder/replace.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Replaces random ones of 10^6 objects, and tells for each half second how many. */
int main(void)
{
    enum { MANY = 1000000 };
    static char *kept[MANY];
    unsigned state = 1;
    for (int index = 0; index < MANY; index++) kept[index] = malloc(16 + index % 500);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct timespec start, now;
        clock_gettime(CLOCK_MONOTONIC, &start);
        long count = 0;
        double seconds = 0;
        while (seconds < 0.5) {
            for (int step = 0; step < 1000; step++, count++) {
                state = state * 1664525 + 1013904223;
                unsigned place = (state >> 8) % MANY;
                free(kept[place]);
                kept[place] = malloc(16 + (state >> 20) % 500);
                *kept[place] = 1;
            }
            clock_gettime(CLOCK_MONOTONIC, &now);
            seconds = (now.tv_sec - start.tv_sec) + (now.tv_nsec - start.tv_nsec) / 1e9;
        }
        fprintf(stderr, "%.0f\n", count / seconds);
    }
}
END
gcc -O2 -fno-builtin -o "$folder/replace" "$folder/replace.c"
start "$folder/replace" 2>"$folder/rates"
python3 - "$SLUBCTL" "$target" "$folder/rates" <<'END'
import statistics, subprocess, sys, time

slubctl, pid, path = sys.argv[1:]
rates = {True: [], False: []}
time.sleep(2)
for turn in range(40):
    beside = turn % 2 == 1
    top = subprocess.Popen([slubctl, "top", "--batch", "-d", "1", pid], stdout=subprocess.DEVNULL) if beside else None
    time.sleep(0.6)
    seen = len(open(path).readlines())
    time.sleep(2.1)
    rates[beside] += [float(line) for line in open(path).readlines()[seen + 1:] if line.strip()]
    if top:
        top.terminate()
        top.wait()
for name, of in (("medians", statistics.median), ("means", statistics.mean)):
    print(f"throughput beside top -d 1, {name} of {len(rates[True])} half seconds: {of(rates[True]) / of(rates[False]):.3f}")
END
stop

echo 'what show names against smaps, on five programs, and zeroes and swap:'
(cd "$ROOT" && cargo test --quiet --manifest-path slubctl/Cargo.toml --target-dir "$TARGET/slubctl" --test resident)

if [ "$cases" -gt 0 ]; then
    echo "$cases damaged heaps:"
    (cd "$ROOT" && time PROPTEST_CASES=$cases cargo test --quiet --release --manifest-path slubctl/Cargo.toml \
        --target-dir "$TARGET/slubctl" --test hostile damaged_memory)
fi
