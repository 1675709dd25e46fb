#!/bin/sh
# Compares slubmalloc with glibc and every other allocator at hand. Results go to bench/results/.
#
#   scripts/bench.sh [--quick] [--only NAMES] [--peers NAMES] [--cores NUMBERS] [--threads NUMBERS]
#                    [--latency | --count | --checks | --modes | --tiny | --placement | --locks] [--no-install] [--no-linked] [--minutes N] [--rounds N]
#                    [--ops N]
#
# --quick      fewer workloads and shorter runs, within three minutes once everything is built;
#              the allocators that are built from crates take part if they were built before
# --only       these cases, with commas between, by name or by its first part: replace,trace/python3
# --peers      these allocators only, beside glibc and slubmalloc
# --cores      on these numbers of processors; 1,2 runs everything twice
# --threads    with these numbers of threads, for workloads that have a choice
# --ops        this number of operations a run, in place of what takes half a second or is usual for a case
# --latency    single calls: median, p99, p99.9, maximum
# --count      instructions and misses for one operation, by perf or callgrind
# --checks     against the same library without any check of frees, not against other allocators; results go to
#              bench/results/checks/
# --modes      the same library in the modes that watch blocks; results go to bench/results/modes/
# --tiny       the same library with preset:tiny beside all others; results go to bench/results/tiny/
# --placement  the same work under 32 placements of the library's tables, and of the program's stack and arrays, by a build
#              that can be moved, and with glibc; small workloads, if --only names no others; results go to
#              bench/results/placement/
# --locks      how often locks are taken for a thousand operations and how long they are held, by a build that counts; results
#              go to bench/results/locks/
# --no-install installs no packages
# --no-linked  leaves out the allocators that are built from crates
set -eu
cd "$(dirname "$0")/.."

install=yes linked=yes quick=no only=no mode=time
for argument in "$@"; do
    shift
    case $argument in
    --no-install) install=no; continue ;;
    --no-linked) linked=no; continue ;;
    --quick) quick=yes ;;
    --latency | --count) mode=${argument#--} ;;
    --checks | --modes | --tiny) mode=${argument#--} linked=no; continue ;;
    --placement | --locks) mode=${argument#--} linked=no ;;
    --only) only=yes ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; exit ;;
    esac
    set -- "$@" "$argument"
done

# The other allocators' packages, the programs, and the tools that build the allocators from crates.
packages='libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4 libtbbmalloc2'
[ "$quick" = yes ] || packages="$packages python3 g++ sqlite3 nodejs redis-server redis-tools make cmake clang"
[ "$mode" != count ] || packages="$packages valgrind linux-perf"

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
if [ -n "$missing" ] && [ "$install" = yes ]; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "Installing$missing" >&2
    for package in $missing; do
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends "$package" \
            >/dev/null 2>&1 || echo "$package cannot be installed: what needs it is left out" >&2
    done
fi

target=${CARGO_TARGET_DIR:-target}
cargo build --release --quiet
cargo build --release --quiet -p slubmalloc-bench --bins

linked_folder=$target/peers
if [ "$linked" = yes ] && [ "$quick" = no ]; then
    bench/peers/build.sh "$linked_folder"
fi
if [ "$linked" = yes ] && [ -d "$linked_folder" ]; then
    set -- --linked "$linked_folder" "$@"
fi
library=$target/release/libslubmalloc.so
case $mode in
checks)
    RUSTFLAGS='--cfg unchecked' cargo build --release --quiet --target-dir "$target/unchecked"
    set -- --build "unchecked=$target/unchecked/release/libslubmalloc.so" --out bench/results/checks "$@"
    ;;
modes)
    for conf in slab_debug:FZPU slab_debug:FZP guard:1/1 guard:1/1000 quarantine:16m zero:free zero:alloc; do
        set -- --build "$conf=$library@$conf" "$@"
    done
    set -- --out bench/results/modes "$@"
    ;;
tiny)
    set -- --build "tiny=$library@preset:tiny" --out bench/results/tiny "$@"
    ;;
placement)
    RUSTFLAGS='--cfg placed' cargo build --release --quiet --target-dir "$target/placed"
    library=$target/placed/release/libslubmalloc.so
    [ "$only" = yes ] ||
        set -- --only pair,batch/25,batch/1000,replace/1e3,replace/1e4,server,shuffle,handoff/1-1,realloc/append "$@"
    set -- --out bench/results/placement "$@"
    ;;
locks)
    RUSTFLAGS='--cfg counted' cargo build --release --quiet --target-dir "$target/counted"
    library=$target/counted/release/libslubmalloc.so
    set -- --out bench/results/locks "$@"
    ;;
esac
exec "$target/release/compare" --library "$library" "$@"
