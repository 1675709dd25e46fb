#!/usr/bin/env bash
# Install the libraries, the C header, the pkg-config file and slubctl, or remove them again.
#
#     scripts/install.sh [--prefix DIR] [--destdir DIR] [--without-slubctl]
#     scripts/install.sh --uninstall [--prefix DIR]
#
# --prefix DIR     where the files are used; /usr/local by default
# --destdir DIR    for packagers: copies to DIR/PREFIX, writes no list of files and runs no ldconfig
# --without-slubctl  leaves that out: its crates take a minute to build
# --uninstall      removes the files and folders that were installed below the prefix, and nothing else
#
# Installs below the prefix: lib/libslubmalloc.so.VERSION with the links libslubmalloc.so.MAJOR (the soname, for programs
# that are linked with it) and libslubmalloc.so (for the linker and LD_PRELOAD), lib/libslubmalloc.a, the same but for an archive of
# libslubmalloc-api.so, which has the kernel's interface without malloc, include/slubmalloc.h, include/slubmalloc.hpp, include/slubmalloc/kernel.h,
# the pages slubmalloc, slub_kmalloc, slub_kmem_cache and slub_pool of share/man/man3, lib/pkgconfig/slubmalloc.pc and slubmalloc-api.pc,
# bin/slubctl with its man page, completions for bash, fish and zsh, and share/slubctl/grafana.json, a dashboard for its metrics, and
# share/slubmalloc/installed, the list that --uninstall reads.
# As root, runs ldconfig if the loader searches PREFIX/lib; otherwise prints what is left to do.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

prefix=/usr/local
destdir=
uninstall=no
slubctl=yes
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
    --uninstall) uninstall=yes ;;
    --without-slubctl) slubctl=no ;;
    *) usage "unknown argument: $1" ;;
    esac
    shift
done
[ -n "$prefix" ] || usage '--prefix needs a directory'
[ $uninstall = no ] || [ -z "$destdir" ] || usage '--uninstall does not take --destdir'
# The pkg-config file must name an absolute directory.
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
to=$destdir$prefix
list=share/slubmalloc/installed

# Paths relative to the prefix; folders end in a slash, and `./` is the prefix itself.
files=()
folders=()

# folder PATH: makes it and its parents, and remembers those that were missing.
folder() {
    local part path=
    if [ ! -d "$to" ]; then
        install -d "$to"
        folders+=(./)
    fi
    for part in ${1//\// }; do
        path+=$part/
        if [ ! -d "$to/$path" ]; then
            install -d -m 755 "$to/$path"
            folders+=("$path")
        fi
    done
}
# put MODE SOURCE PATH: copies a file. The old one is replaced, not written to: programs may have mapped it.
put() {
    folder "$(dirname "$3")"
    install -m "$1" "$2" "$to/$3"
    files+=("$3")
}
# link TARGET PATH
link() {
    folder "$(dirname "$2")"
    ln -sfn "$1" "$to/$2"
    files+=("$2")
}

# installed: the list of the last installation, if there is one.
installed() {
    [ -f "$to/$list" ] || return 0
    # A path that leaves the prefix is not from here.
    if grep -qE '^/|(^|/)\.\.(/|$)' "$to/$list"; then die "$to/$list was changed: it names files outside of $to"; fi
    cat "$to/$list"
}

# remove PATH…: files first, then those of the folders that are empty, the deepest first.
remove() {
    local path
    for path in "$@"; do
        case $path in */) continue ;; esac
        [ -e "$to/$path" ] || [ -L "$to/$path" ] || continue
        rm -f "$to/$path"
        echo "removed $to/$path"
    done
    while read -r path; do
        path=$to/${path#./}
        if [ -d "$path" ] && rmdir "${path%/}" 2>/dev/null; then echo "removed $path"; fi
    done < <(printf '%s\n' "$@" | grep '/$' | LC_ALL=C sort -r)
}

# is_searched FOLDER: is it one of those that ldconfig collects libraries from?
is_searched() {
    local folder
    while read -r folder; do
        if [ "$folder" -ef "$1" ]; then return 0; fi
    done < <("$ldconfig" -v -N -X 2>/dev/null | sed -n 's/^\(\/[^:]*\):.*/\1/p')
    return 1
}
# A C library without ldconfig, as musl, needs none.
ldconfig=$(PATH=$PATH:/usr/sbin:/sbin command -v ldconfig || true)
searched=no
look_for_loader() {
    if [ -z "$destdir" ] && [ -n "$ldconfig" ] && is_searched "$to/lib"; then searched=yes; fi
}
renew_cache() {
    if [ $searched = no ]; then return; fi
    if [ "$(id -u)" -eq 0 ]; then
        "$ldconfig"
    else
        echo "As root, so that the loader knows:  ldconfig" >&2
    fi
}

if [ $uninstall = yes ]; then
    [ -f "$to/$list" ] || die "nothing is installed in $prefix: there is no $to/$list"
    paths=$(installed)
    mapfile -t paths <<<"$paths"
    look_for_loader
    remove "${paths[@]}"
    renew_cache
    exit
fi

build_library
if [ $slubctl = yes ]; then build_slubctl || die 'slubctl does not build; --without-slubctl leaves it out'; fi
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml" | head -n 1)
[ -n "$version" ] || die 'no version in Cargo.toml'
before=$(installed)

put 755 "$LIBRARY" "lib/libslubmalloc.so.$version"
link "libslubmalloc.so.$version" "lib/libslubmalloc.so.${version%%.*}"
link "libslubmalloc.so.${version%%.*}" lib/libslubmalloc.so
put 755 "$API_LIBRARY" "lib/libslubmalloc-api.so.$version"
link "libslubmalloc-api.so.$version" "lib/libslubmalloc-api.so.${version%%.*}"
link "libslubmalloc-api.so.${version%%.*}" lib/libslubmalloc-api.so
put 644 "${LIBRARY%.so}.a" lib/libslubmalloc.a
put 644 "$ROOT/cdylib/include/slubmalloc.h" include/slubmalloc.h
put 644 "$ROOT/cdylib/include/slubmalloc.hpp" include/slubmalloc.hpp
put 644 "$ROOT/cdylib/include/slubmalloc/kernel.h" include/slubmalloc/kernel.h
for page in slubmalloc slub_kmalloc slub_kmem_cache slub_pool; do
    put 644 "$ROOT/docs/$page.3" "share/man/man3/$page.3"
done
filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
if [ $slubctl = yes ]; then
    put 755 "$SLUBCTL" bin/slubctl
    put 644 "$ROOT/slubctl/slubctl.1" share/man/man1/slubctl.1
    put 644 "$ROOT/slubctl/grafana.json" share/slubctl/grafana.json
    while read -r shell path; do
        "$SLUBCTL" completions "$shell" >"$filled"
        put 644 "$filled" "$path"
    done <<'END'
bash share/bash-completion/completions/slubctl
fish share/fish/vendor_completions.d/slubctl.fish
zsh share/zsh/site-functions/_slubctl
END
fi
for name in slubmalloc slubmalloc-api; do
    pc=$(cat "$ROOT/cdylib/$name.pc.in"; echo .)
    pc=${pc//@prefix@/"$prefix"}
    pc=${pc//@version@/"$version"}
    printf '%s' "${pc%.}" >"$filled"
    put 644 "$filled" "lib/pkgconfig/$name.pc"
done

if [ -z "$destdir" ]; then
    folder "$(dirname "$list")"
    files+=("$list")
    # What an older version installed and this one does not, goes; folders that it made are still to be removed one day.
    while read -r path; do
        case $path in
        '') ;;
        */) [[ " ${folders[*]-} " == *" $path "* ]] || folders+=("$path") ;;
        *) [[ " ${files[*]} " == *" $path "* ]] || remove "$path" ;;
        esac
    done <<<"$before"
    printf '%s\n' "${files[@]}" ${folders[@]+"${folders[@]}"} >"$to/$list"
    chmod 644 "$to/$list"
fi
for path in "${files[@]}"; do echo "$to/$path"; done

look_for_loader
renew_cache
if [ -z "$destdir" ] && [ -n "$ldconfig" ] && [ $searched = no ]; then
    cat >&2 <<END
The loader does not search $prefix/lib. Link programs with -Wl,-rpath,$prefix/lib, or, as root:
    echo $prefix/lib >/etc/ld.so.conf.d/slubmalloc.conf && ldconfig
END
fi
