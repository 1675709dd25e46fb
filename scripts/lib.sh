# What the scripts share. To be sourced: `. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"`.
# Nothing here changes the working directory: a script may be called from anywhere.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# A bare shell of a machine with rustup may not have its directory in PATH yet; and rustup's compiler goes before
# a distribution's.
if [ -x "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" ]; then
    PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
fi
export PATH

TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
case $TARGET in /*) ;; *) TARGET=$PWD/$TARGET ;; esac
LIBRARY=$TARGET/release/libslubmalloc.so
API_LIBRARY=$TARGET/release/libslubmalloc-api.so

if [ -t 1 ]; then
    BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
    BOLD='' RED='' GREEN='' PLAIN=''
fi

# The script's own head comment is its help: everything from line 2 to the first line that is no comment.
help() {
    sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
}

in_ci() { [ "${CI:-}" = true ]; }
# What is built once is built a third faster without notes for the next build.
if in_ci; then export CARGO_INCREMENTAL=0; fi
have() { command -v "$1" >/dev/null 2>&1; }
warn() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; }
die() {
    warn "$(basename "$0"): $*"
    exit 1
}
usage() {
    warn "$(basename "$0"): $*"
    help >&2
    exit 2
}

# section TITLE: a heading; a later `section_end` tells how long it took.
section() {
    SECTION=$1
    SECTION_START=$SECONDS
    printf '\n%s== %s%s\n' "$BOLD" "$1" "$PLAIN"
}
section_end() {
    printf '%s-- %s: %s s%s\n' "$BOLD" "$SECTION" $((SECONDS - SECTION_START)) "$PLAIN"
}

# The score of a script: every script with checks ends in `score_end`.
PASSED=0
FAILED=0
pass() {
    PASSED=$((PASSED + 1))
    printf '%sok%s      %s\n' "$GREEN" "$PLAIN" "$*"
}
fail() {
    FAILED=$((FAILED + 1))
    printf '%sFAILED%s  %s\n' "$RED" "$PLAIN" "$*"
}
# check NAME COMMAND…: one check, with its seconds; its output is shown as it comes.
check() {
    local name=$1 start=$SECONDS
    shift
    if "$@"; then pass "$name ($((SECONDS - start)) s)"; else fail "$name ($((SECONDS - start)) s)"; fi
}
score_end() {
    printf '%s passed, %s failed\n' "$PASSED" "$FAILED"
    [ "$FAILED" -eq 0 ]
}

# apt_update: once per run of a script and its children.
apt_update() {
    [ -z "${SLUBMALLOC_APT_UPDATED:-}" ] || return 0
    apt-get update -qq >/dev/null || return 1
    export SLUBMALLOC_APT_UPDATED=1
}
# apt_install PACKAGE…: quiet unless it fails.
apt_install() {
    local log
    log=$(mktemp)
    if ! DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
        --no-install-recommends --no-remove "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# install_packages PACKAGE…: all at once; and if that is refused, as many as there are.
install_packages() {
    apt_update || warn 'apt-get update failed'
    apt_install "$@" && return
    local package
    for package in "$@"; do
        apt_install "$package" || warn "apt-get could not install $package"
    done
}

# need [COMMAND=]PACKAGE…: make these commands exist. What decides is the command, as it may come from elsewhere
# than the package. Installs when it may; else says what is missing, and under CI=true that is a failure.
need() {
    local item missing=() still=()
    for item in "$@"; do
        # One package may bring several commands.
        have "${item%%=*}" || [[ " ${missing[*]-} " == *" ${item#*=} "* ]] || missing+=("${item#*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -eq 0 ] && have apt-get; then
        echo "installing ${missing[*]}"
        install_packages "${missing[@]}"
    fi
    for item in "$@"; do
        have "${item%%=*}" || still+=("${item%%=*} (Debian package ${item#*=})")
    done
    [ ${#still[@]} -gt 0 ] || return 0
    warn "MISSING: ${still[*]}"
    warn "         Run as root on Debian to have it installed, or install it by hand."
    if in_ci; then exit 1; fi
}

# need_file PATTERN PACKAGE: the same for a file that is no command.
need_file() {
    compgen -G "$1" >/dev/null && return 0
    if [ "$(id -u)" -eq 0 ] && have apt-get; then
        echo "installing $2"
        install_packages "$2"
    fi
    compgen -G "$1" >/dev/null && return 0
    warn "MISSING: $1 (Debian package $2)"
    if in_ci; then exit 1; fi
}

# need_rust: cargo with rustfmt and clippy.
need_rust() {
    have cargo || die "no cargo: install Rust from https://rustup.rs"
    local tool
    for tool in rustfmt clippy; do
        case $tool in rustfmt) cargo fmt --version ;; clippy) cargo clippy --version ;; esac >/dev/null 2>&1 ||
            rustup component add "$tool" || die "no $tool: rustup component add $tool"
    done
}

# need_typos: the spell checker, at $TYPOS: the one in PATH, or this version in the target folder, from PyPI (a finished
# program) or else from crates.io (some minutes).
TYPOS_VERSION=1.52.0
need_typos() {
    local folder=$TARGET/typos-$TYPOS_VERSION
    TYPOS=$(command -v typos || true)
    [ -z "$TYPOS" ] || return 0
    if [ ! -x "$folder/bin/typos" ]; then
        need pip3=python3-pip
        echo "installing typos $TYPOS_VERSION"
        pip3 install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --only-binary :all: \
            --target "$folder" "typos==$TYPOS_VERSION" ||
            cargo install --quiet --locked --root "$folder" --target-dir "$TARGET/typos" "typos-cli@$TYPOS_VERSION" || true
    fi
    if [ -x "$folder/bin/typos" ]; then
        TYPOS=$folder/bin/typos
        return 0
    fi
    warn "MISSING: typos (pip3 install typos)"
    if in_ci; then exit 1; fi
}

# build_library: the release library at $LIBRARY, the one without malloc at $API_LIBRARY, and the archive beside them, silent unless it fails.
build_library() {
    have cargo || die "no cargo: install Rust from https://rustup.rs"
    need gcc >&2
    local log
    log=$(mktemp)
    if ! (cd "$ROOT" && CARGO_TARGET_DIR=$TARGET \
        cargo build --release -p slubmalloc-cdylib -p slubmalloc-staticlib -p slubmalloc-api) >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        die "the library does not build"
    fi
    rm -f "$log"
    # Cargo's names have no hyphen.
    ln -sf libslubmalloc_api.so "$API_LIBRARY"
}

# build_slubctl: the program at $SLUBCTL, silent unless it fails.
build_slubctl() {
    local log
    SLUBCTL=$TARGET/slubctl/release/slubctl
    log=$(mktemp)
    if ! (cd "$ROOT" && cargo build --release --manifest-path slubctl/Cargo.toml --target-dir "$TARGET/slubctl") >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# library_arguments 'OPTION…' ARGUMENT…: for a script that reads the compiled library. Sets `library`, which is built now
# unless --library names one, and `chosen`, those of the options that were given.
library_arguments() {
    local options=" $1 "
    shift
    library='' chosen=''
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            help
            exit 0
            ;;
        --library)
            [ $# -ge 2 ] || usage '--library needs a file'
            library=$2
            shift
            ;;
        *)
            [[ $options == *" $1 "* ]] || usage "unknown argument: $1"
            chosen+=" $1"
            ;;
        esac
        shift
    done
    need objdump=binutils python3
    if [ -z "$library" ]; then
        build_library
        library=$LIBRARY
    fi
}
