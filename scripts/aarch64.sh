#!/usr/bin/env bash
# Build the library for aarch64 and run the single-threaded contract programs on it in an emulator, with 4 KiB and
# with 64 KiB pages.
#
#     scripts/aarch64.sh [PROGRAM…]    these sources, or every program of tests/c and tests/cxx that says
#                                      `single-threaded` in its first ten lines (threads hang in this emulator)
#
# Takes Rust's aarch64 library from rustup if it is installed there, else a second compiler from Debian's rustc-web,
# which it calls by its full name, so that the usual one stays in charge.
# Exit code 77: the tools are missing and could not be installed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in -h | --help)
    help
    exit 0
    ;;
esac

TRIPLE=aarch64-unknown-linux-gnu
SYSROOT=/usr/aarch64-linux-gnu
PROGRAM_SECONDS=900

unavailable() {
    warn "aarch64: $*"
    if in_ci; then exit 1; fi
    exit 77
}

# has_core COMPILER: does it come with a core library for aarch64?
has_core() {
    local files
    files=$("$1" --print target-libdir --target $TRIPLE 2>/dev/null) || return 1
    compgen -G "$files/libcore-*.rlib" >/dev/null
}

compiler=
find_compiler() {
    local candidate
    for candidate in "${RUSTC:-rustc}" /usr/bin/rustc; do
        if has_core "$candidate"; then
            compiler=$candidate
            return 0
        fi
    done
    return 1
}

install_tools() {
    [ "$(id -u)" -eq 0 ] && have apt-get || return 0
    local packages=()
    if ! find_compiler; then
        dpkg --add-architecture arm64
        unset SLUBMALLOC_APT_UPDATED
        packages+=(rustc-web libstd-rust-web-dev:arm64)
    fi
    have aarch64-linux-gnu-gcc || packages+=(gcc-aarch64-linux-gnu)
    have aarch64-linux-gnu-g++ || packages+=(g++-aarch64-linux-gnu)
    [ -e $SYSROOT/include/stdlib.h ] || packages+=(libc6-dev-arm64-cross)
    have qemu-aarch64-static || packages+=(qemu-user-static)
    [ ${#packages[@]} -gt 0 ] || return 0
    echo "installing ${packages[*]}"
    install_packages "${packages[@]}"
}

install_tools
find_compiler || unavailable "no Rust library for $TRIPLE: rustup target add $TRIPLE"
have aarch64-linux-gnu-gcc || unavailable 'no aarch64-linux-gnu-gcc (Debian package gcc-aarch64-linux-gnu)'
have aarch64-linux-gnu-g++ || unavailable 'no aarch64-linux-gnu-g++ (Debian package g++-aarch64-linux-gnu)'
[ -e $SYSROOT/include/stdlib.h ] || unavailable "no C library in $SYSROOT (Debian package libc6-dev-arm64-cross)"
have qemu-aarch64-static || unavailable 'no qemu-aarch64-static (Debian package qemu-user-static)'
"$compiler" --version
aarch64-linux-gnu-gcc --version | head -n 1
qemu-aarch64-static --version | head -n 1

directory=$TARGET/aarch64
library=$directory/$TRIPLE/release/libslubmalloc.so
programs=("$@")
if [ ${#programs[@]} -eq 0 ]; then
    for source in "$ROOT"/tests/c/*.c "$ROOT"/tests/cxx/*.cpp; do
        # Not `grep -q`: it would stop reading early, which pipefail calls a failure.
        if head -n 10 "$source" | grep single-threaded >/dev/null; then programs+=("$source"); fi
    done
fi

build() {
    (cd "$ROOT" && RUSTC=$compiler CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        cargo build --quiet --release --ignore-rust-version -p slubmalloc-cdylib \
        --target $TRIPLE --target-dir "$directory")
}

has_static_tls() {
    ! aarch64-linux-gnu-nm --dynamic --undefined-only "$library" | grep -E '__tls_get_addr|_dl_tlsdesc' &&
        ! aarch64-linux-gnu-readelf --relocs --wide "$library" | grep TLSDESC
}

# What the oldest glibc for aarch64 has.
asks_for_old_glibc() {
    ! aarch64-linux-gnu-readelf --version-info --wide "$library" | grep -E 'Name: GLIBC_' | grep -v 'GLIBC_2\.17 '
}

# start_program NAME PAGE_BYTES: in the background; leaves the output and the exit code beside the program.
start_program() {
    local status=0
    timeout --kill-after=5 $PROGRAM_SECONDS \
        qemu-aarch64-static -p "$2" -L $SYSROOT -E LD_PRELOAD="$library" "$directory/programs/$1" \
        >"$directory/programs/$1.$2.output" 2>&1 </dev/null || status=$?
    echo $status >"$directory/programs/$1.$2.status"
}

# judge_program NAME PAGE_BYTES
judge_program() {
    local output status name="$1, pages of $(($2 / 1024)) KiB"
    output=$(tail -n 5 "$directory/programs/$1.$2.output")
    status=$(cat "$directory/programs/$1.$2.status")
    case $status in
    0) pass "$name" ;;
    77) echo "cannot ask $name: $output" ;;
    *)
        [ "$status" -ne 124 ] || output+=" (no end after $PROGRAM_SECONDS s)"
        fail "$name: exit code $status: $output"
        ;;
    esac
}

check 'the library builds' build
if [ "$FAILED" -eq 0 ]; then
    check 'thread-local storage is static' has_static_tls
    check 'the oldest glibc is new enough' asks_for_old_glibc
    mkdir -p "$directory/programs"
    if [ ${#programs[@]} -eq 0 ]; then
        fail 'no program in tests/c or tests/cxx says single-threaded in its first ten lines'
    fi
    for source in ${programs[@]+"${programs[@]}"}; do
        name=$(basename "$source")
        case $name in
        *.cpp) compile=(aarch64-linux-gnu-g++ -std=gnu++17) ;;
        *) compile=(aarch64-linux-gnu-gcc -std=gnu11) ;;
        esac
        if ! "${compile[@]}" -O1 -g -fno-builtin -I "$ROOT/tests/c" -I "$ROOT/cdylib/include" "$source" \
            -o "$directory/programs/$name" -lpthread -ldl; then
            fail "$name compiles"
            continue
        fi
        for bytes in 4096 65536; do start_program "$name" $bytes & done
        wait
        for bytes in 4096 65536; do judge_program "$name" $bytes; done
    done
fi
score_end
