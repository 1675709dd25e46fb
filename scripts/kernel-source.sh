#!/usr/bin/env bash
# Take the kernel's own data structures, with their tests, from Debian's package of its source, for tests/kernel.rs.
#
#     scripts/kernel-source.sh    prints the folder, in the target directory, that has them
#
# The package, 139 MB, is downloaded and unpacked once and not installed: about 25 seconds. Needs no root. Nothing of it is part of
# the repository. Exit code 77: it cannot be downloaded.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
-h | --help)
    help
    exit 0
    ;;
'') ;;
*) usage "unknown argument: $1" ;;
esac

CACHE=$TARGET/kernel-source
PACKAGE=linux-source-6.1
# What is compiled, and the headers that belong to it; the rest is shims of tests/kernel/shims.
FILES=(
    include/linux/{btree,btree-128,btree-type,rbtree,rbtree_types,rbtree_augmented,interval_tree,interval_tree_generic}.h
    include/linux/{xarray,radix-tree,idr,maple_tree,list_sort,kconfig}.h
    lib/{btree,rbtree,rbtree_test,interval_tree,interval_tree_test,list_sort,test_list_sort}.c
    lib/{radix-tree,xarray,test_xarray,idr,test_ida,maple_tree,test_maple_tree}.c
    tools/include tools/arch/x86/include tools/lib/{find_bit,hweight}.c tools/testing/radix-tree
)

unavailable() {
    warn "kernel-source: $*"
    if in_ci; then exit 1; fi
    exit 77
}

# download FOLDER: the package; if need be with fresh lists.
download() {
    local try
    for try in 1 2; do
        (cd "$1" && apt-get -o APT::Sandbox::User=root download -qq "$PACKAGE") >"$1/log" 2>&1 && return
        [ "$try" = 1 ] && [ "$(id -u)" -eq 0 ] && apt_update || return 1
    done
}

# One run at a time.
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9
if [ ! -d "$CACHE/files" ]; then
    if ! have dpkg-deb || ! have xz; then unavailable 'needs a Debian machine with xz'; fi
    new=$(mktemp -d "$CACHE/new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    download "$new" || unavailable "cannot download $PACKAGE"
    mkdir "$new/files"
    dpkg-deb --fsys-tarfile "$new"/*.deb | tar -xO "./usr/src/$PACKAGE.tar.xz" |
        tar -xJ -C "$new/files" --strip-components=1 "${FILES[@]/#/$PACKAGE/}" || unavailable "no such files in $PACKAGE"
    mv "$new/files" "$CACHE/files"
fi
echo "$CACHE/files"
