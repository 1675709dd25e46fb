#!/usr/bin/env bash
# Install the libraries, the C header and the pkg-config file.
#
#     scripts/install.sh [--prefix DIR] [--destdir DIR]
#
# --prefix DIR     where the files will be used; /usr/local if not given
# --destdir DIR    put in front of the prefix for copying only, as packagers want it
#
# Installs PREFIX/lib/libslubmalloc.so, PREFIX/lib/libslubmalloc.a, PREFIX/include/slubmalloc.h,
# PREFIX/include/slubmalloc/kernel.h, PREFIX/lib/pkgconfig/slubmalloc.pc and PREFIX/share/man/man3/slub_kmem_cache.3.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prefix=/usr/local
destdir=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        help
        exit 0
        ;;
    --prefix | --destdir)
        [ $# -ge 2 ] || usage "$1 needs a directory"
        if [ "$1" = --prefix ]; then prefix=$2; else destdir=$2; fi
        shift
        ;;
    --prefix=*) prefix=${1#*=} ;;
    --destdir=*) destdir=${1#*=} ;;
    *) usage "unknown argument: $1" ;;
    esac
    shift
done
[ -n "$prefix" ] || usage '--prefix needs a directory'
# The pkg-config file must name an absolute directory.
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac

build_library
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml" | head -n 1)
[ -n "$version" ] || die 'no version in Cargo.toml'

to=$destdir$prefix
install -d "$to/lib/pkgconfig" "$to/include/slubmalloc" "$to/share/man/man3"
install -m 755 "$LIBRARY" "$to/lib/libslubmalloc.so"
install -m 644 "${LIBRARY%.so}.a" "$to/lib/libslubmalloc.a"
install -m 644 "$ROOT/cdylib/include/slubmalloc.h" "$to/include/slubmalloc.h"
install -m 644 "$ROOT/cdylib/include/slubmalloc/kernel.h" "$to/include/slubmalloc/kernel.h"
install -m 644 "$ROOT/docs/slub_kmem_cache.3" "$to/share/man/man3/slub_kmem_cache.3"
pc=$(cat "$ROOT/cdylib/slubmalloc.pc.in"; echo .)
pc=${pc//@prefix@/"$prefix"}
pc=${pc//@version@/"$version"}
printf '%s' "${pc%.}" >"$to/lib/pkgconfig/slubmalloc.pc"
chmod 644 "$to/lib/pkgconfig/slubmalloc.pc"
printf '%s\n' "$to/lib/libslubmalloc.so" "$to/lib/libslubmalloc.a" "$to/include/slubmalloc.h" \
    "$to/include/slubmalloc/kernel.h" "$to/lib/pkgconfig/slubmalloc.pc" \
    "$to/share/man/man3/slub_kmem_cache.3"
