#!/usr/bin/env bash
# Check on real nodes that memory is where it belongs, in real groups that limits are kept, and what a setting of the
# whole machine does: boots Debian's cloud kernel in emulated machines and runs the programs of tests/numa there under
# the library. Every page is asked of the kernel.
#
#     scripts/numa-vm.sh [--keep] [--only NAME]    the machines, or one of them: four, cpuless, sparse, limits, limits_v1,
#                                                strict, clusters
#     scripts/numa-vm.sh --bench                   a Markdown table: where allocators take memory from
#
# --keep leaves what was built and the machines' serial logs in the target directory and says where.
#
# Needs neither KVM nor root. Kernel, busybox, numactl, and qemu where there is none, are Debian's packages, downloaded
# and unpacked in the target directory, never installed.
# Exit code 77: they cannot be downloaded.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MACHINES=(four cpuless sparse limits limits_v1 strict clusters)
# Emulated, a machine takes half a minute, and some minutes beside busy processes; one that takes longer than this hangs.
MACHINE_SECONDS=${NUMA_VM_SECONDS:-600}
FIRST_SECONDS=$((MACHINE_SECONDS < 240 ? MACHINE_SECONDS : 240))
CACHE=$TARGET/numa-vm
PACKAGES=$CACHE/packages
PROGRAMS=(local exhaust where onnode counters ends endless clusters outside)

keep=no bench=no
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        help
        exit 0
        ;;
    --keep) keep=yes ;;
    --bench) bench=yes ;;
    --only)
        [ $# -ge 2 ] || usage '--only needs the name of a machine'
        [[ " ${MACHINES[*]} " == *" $2 "* ]] || usage "no such machine: $2"
        MACHINES=("$2")
        shift
        ;;
    *) usage "unknown argument: $1" ;;
    esac
    shift
done

unavailable() {
    warn "numa-vm: $*"
    if in_ci; then exit 1; fi
    exit 77
}

# unpack FOLDER PACKAGE…: the packages' files into a folder of the cache, unless they are there.
unpack() {
    local folder=$PACKAGES/$1 download package
    shift
    [ ! -d "$folder" ] || return 0
    download=$(mktemp -d "$CACHE/download.XXXXXX")
    (cd "$download" && apt-get -o APT::Sandbox::User=root download -qq "$@") >"$download/log" 2>&1 || {
        rm -rf "$download"
        return 1
    }
    for package in "$download"/*.deb; do dpkg-deb -x "$package" "$download/files"; done
    mv "$download/files" "$folder"
    rm -rf "$download"
}

# The package that the one without a version stands for.
kernel_packages() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ { print $2; exit }'
}

# What this machine lacks to run qemu. To install it could mean to remove something else that is installed.
qemu_packages() {
    apt-get -s install --no-install-recommends qemu-system-x86 2>/dev/null | awk '/^Inst / { print $2 }'
}

# unpack_found FOLDER COMMAND…: as `unpack`, the packages that the command prints; if need be with fresh lists.
unpack_found() {
    local folder=$1 found
    shift
    [ ! -d "$PACKAGES/$folder" ] || return 0
    echo "downloading $folder" >&2
    for _ in 1 2; do
        mapfile -t found < <("$@")
        if [ ${#found[@]} -gt 0 ] && unpack "$folder" "${found[@]}"; then return 0; fi
        # Stale or missing lists are all that can be mended.
        if [ "$(id -u)" -ne 0 ] || ! apt_update; then break; fi
    done
    unavailable "cannot download $folder from Debian's packages"
}

# fetch: all that the machines are made of; one run at a time.
fetch() {
    have dpkg-deb || unavailable 'needs a Debian machine, for its packages'
    mkdir -p "$PACKAGES"
    exec 9>"$CACHE/lock"
    flock 9
    have qemu-system-x86_64 || unpack_found qemu qemu_packages
    unpack_found linux kernel_packages
    # Everything the machines use is part of the kernel itself.
    rm -rf "$PACKAGES/linux/lib" "$PACKAGES/linux/usr"
    unpack_found tools printf '%s\n' busybox-static numactl libnuma1
    [ $bench = no ] || unpack_found mimalloc echo libmimalloc2.0
    exec 9>&-
    kernel=$(compgen -G "$PACKAGES/linux/boot/vmlinuz-*") || unavailable 'no kernel in its package'
    busybox=$PACKAGES/tools/bin/busybox
    qemu=(qemu-system-x86_64)
    if ! have qemu-system-x86_64; then
        local files=$PACKAGES/qemu
        qemu=(env "LD_LIBRARY_PATH=$files/usr/lib/x86_64-linux-gnu:$files/lib/x86_64-linux-gnu"
            "$files/usr/bin/qemu-system-x86_64" -L "$files/usr/share/qemu" -L "$files/usr/share/seabios")
    fi
    "${qemu[@]}" --version | head -n 1 >&2 || unavailable 'qemu-system-x86_64 does not start'
}

# add_binary FILE PLACE: with the libraries that it needs.
add_binary() {
    local needed
    cp "$1" "$image/$2"
    while read -r needed; do
        mkdir -p "$image/$(dirname "$needed")"
        [ -e "$image/$needed" ] || cp -L "$needed" "$image/$needed"
    done < <(ldd "$1" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }')
}

compile_program() {
    local name
    name=$(basename "$1" .c)
    gcc -std=gnu11 -O2 -Wall -Wextra "$ROOT/$1" -o "$work/$name" -lpthread -ldl || die "$1 does not compile"
    add_binary "$work/$name" numa/
}

# build_image: everything that the machines see, as one archive.
build_image() {
    local program
    image=$work/image
    mkdir -p "$image/bin" "$image/lib" "$image/numa"
    cp "$busybox" "$image/bin/"
    cp -L "$PACKAGES"/tools/usr/lib/*/libnuma.so.1 "$image/lib/"
    add_binary "$PACKAGES/tools/usr/bin/numactl" bin/
    add_binary "$LIBRARY" lib/
    add_binary "$SLUBCTL" bin/
    for program in "${PROGRAMS[@]}"; do
        compile_program "tests/numa/$program.c"
    done
    compile_program tests/c/committed.c
    cp "$ROOT"/tests/numa/*.sh "$image/numa/"
    cp "$ROOT/tests/numa/init" "$image/"
    chmod +x "$image/init"
    [ $bench = no ] || add_bench
    archive=$work/image.cpio
    (cd "$image" && find . | "$busybox" cpio -o -H newc) >"$archive" 2>"$work/cpio.log" ||
        die "no archive for the machines: $(tail -n 1 "$work/cpio.log")"
}

add_bench() {
    (cd "$ROOT" && cargo build --quiet --release -p slubmalloc-bench --bin work --target-dir "$TARGET") ||
        die 'the workloads do not build'
    gcc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC "$ROOT/tests/numa/pin.c" -o "$image/lib/pin.so" -ldl ||
        die 'tests/numa/pin.c does not compile'
    add_binary "$TARGET/release/work" numa/
    cp -L "$PACKAGES"/mimalloc/usr/lib/*/libmimalloc.so.2 "$image/lib/"
}

# The parts of a machine, as arguments for qemu.
node() { hardware+=(-object "memory-backend-ram,id=memory$1,size=$2" -numa "node,nodeid=$1,memdev=memory$1"); }
node_without_memory() { hardware+=(-numa "node,nodeid=$1"); }
# processors COUNT: each on the node of its number.
processors() {
    local number
    hardware+=(-smp "$1,sockets=$1,cores=1,threads=1")
    for ((number = 0; number < $1; number++)); do hardware+=(-numa "cpu,socket-id=$number,node-id=$number"); done
}
distance() { hardware+=(-numa "dist,src=$1,dst=$2,val=$3"); }

# Four nodes in a ring; every node has one nearest.
machine_four() {
    local number
    hardware=(-m 2048)
    for number in 0 1 2 3; do node $number 512M; done
    processors 4
    distance 0 1 12
    distance 1 2 14
    distance 2 3 16
    distance 0 3 18
    distance 0 2 20
    distance 1 3 22
}

# Nodes 0 and 1 have both, node 2 only a processor, node 3 only memory. (The kernel numbers nodes with processors first.)
machine_cpuless() {
    hardware=(-m 1280)
    node 0 512M
    node 1 384M
    node_without_memory 2
    node 3 384M
    processors 3
    distance 0 1 20
    distance 0 2 20
    distance 0 3 30
    distance 1 2 16
    distance 1 3 14
    distance 2 3 12
}

# Nodes 0 and 2. All that belongs to node 1 is a processor that the kernel is told to leave alone.
machine_sparse() {
    hardware=(-m 1024)
    node 0 512M
    node_without_memory 1
    node 2 512M
    processors 3
    distance 0 1 15
    distance 0 2 20
    distance 1 2 15
    parameters=disable_cpu_apicid=1
}

# One node; groups of version 2 with limits.
machine_limits() {
    hardware=(-m 512)
    node 0 512M
    processors 1
}

# The same with groups of version 1.
machine_limits_v1() { machine_limits; }

# One node; no more is promised than there is.
machine_strict() { machine_limits; }

# One node; sixteen processors, of which eight each share a cache.
machine_clusters() {
    hardware=(-m 1024 -smp 16,sockets=2,cores=8,threads=1)
}

# boot MACHINE TASK SED [SECONDS]: what it prints goes to its log, results through sed to the screen as they come.
boot() {
    local hardware parameters='' line log=$work/$1.log seconds=${4:-$MACHINE_SECONDS}
    "machine_$1"
    # Automatic balancing would move pages to their users and hide where the library put them.
    line="console=ttyS0 loglevel=2 nowatchdog panic=-1 numa_balancing=disable mitigations=off machine=$1 task=$2 $parameters"
    # In the foreground: a caller that ends this script's process group ends the machine too.
    timeout --foreground --kill-after=5 "$seconds" "${qemu[@]}" \
        -accel tcg,thread=multi -machine q35 -cpu qemu64 -nodefaults -no-user-config -no-reboot -display none \
        -serial stdio -kernel "$kernel" -initrd "$archive" -append "$line" "${hardware[@]}" </dev/null 2>&1 |
        sed -u 's/\r$//' | tee "$log" |
        { grep --line-buffered -E '^(ok|FAILED|numa-vm:|\|)' || true; } | sed -u "$3"
}

check_machine() {
    local start=$SECONDS
    boot "$1" check "s/^/$1: /" "$FIRST_SECONDS" || true
    # An emulated machine may stall before its kernel starts anything; what it was to check is not known then. A second one has
    # all the time.
    if ! grep -qE '^numa-vm: .* (passed|FAILED)$' "$work/$1.log"; then
        echo "$1: the machine came to nothing within $((SECONDS - start)) s; once more"
        boot "$1" check "s/^/$1: /" || true
    fi
    if grep -qE '^numa-vm: all [0-9]+ checks passed$' "$work/$1.log"; then
        pass "machine $1 ($((SECONDS - start)) s)"
        return
    fi
    if ! grep -qE '^numa-vm: .* FAILED$' "$work/$1.log"; then
        echo "the whole serial log of $1, which did not come to its end within $MACHINE_SECONDS s:"
        cat "$work/$1.log"
    else
        grep '^FAILED' "$work/$1.log"
    fi
    fail "machine $1 ($((SECONDS - start)) s)"
}

fetch
build_library
build_slubctl || die 'slubctl does not build'
mkdir -p "$CACHE"
work=$(mktemp -d "$CACHE/run.XXXXXX")
if [ $keep = yes ]; then
    echo "keeping $work"
else
    trap 'rm -rf "$work"' EXIT
fi
build_image

if [ $bench = yes ]; then
    boot four bench '/^numa-vm/d'
    grep -q '^numa-vm: the benchmark is done' "$work/four.log" || { cat "$work/four.log" && die 'no end'; }
    exit 0
fi
for machine in "${MACHINES[@]}"; do check_machine "$machine"; done
score_end
