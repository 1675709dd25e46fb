# The benchmark of the machine `four`: a Markdown table of where allocators take memory from.
# shellcheck shell=sh disable=SC2046

# Sums over all nodes of numastat's local_node and other_node: pages taken by threads on the page's node, and others.
pages_taken() {
    cat /sys/devices/system/node/node*/numastat |
        awk '/^local_node/ { local += $2 } /^other_node/ { other += $2 } END { print local, other }'
}

# measure WORKLOAD OPERATIONS ALLOCATOR [LIBRARY]
measure() {
    set -- "$1" "$2" "$3" "${4:-}" $(pages_taken)
    timeout 240 env "LD_PRELOAD=/lib/pin.so $4" /numa/work "$1" --threads 4 --ops "$2" >/dev/null 2>/tmp/errors ||
        { echo "FAILED $1 under $3: $(tail -n 3 /tmp/errors | tr '\n' ' ')" && return; }
    set -- "$@" $(pages_taken)
    awk -v workload="$1" -v allocator="$3" -v local=$(($7 - $5)) -v other=$(($8 - $6)) '
        /^pin: / && $5 > 0 {
            printf "| %s | %s | %.1f %% | %d | %d |\n", workload, allocator, 100 * $2 / $5, local, other
        }' /tmp/errors
}

echo '| workload | allocator | blocks on the asking thread's node | pages taken from it | pages from others |'
echo '|---|---|---|---|---|'
for workload in server handoff/1-1; do
    measure $workload 2000000 slubmalloc /lib/libslubmalloc.so
    measure $workload 2000000 glibc
    [ ! -e /lib/libmimalloc.so.2 ] || measure $workload 2000000 mimalloc /lib/libmimalloc.so.2
done
echo 'numa-vm: the benchmark is done'
