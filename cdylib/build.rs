//! Link options of the shared library, and what it may do that the archive must not.

fn main() {
    // What a program that is linked with the library asks the loader for: a file beside it, or a link to it, has this name.
    let major = std::env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets the version");
    let package = std::env::var("CARGO_PKG_NAME").expect("cargo sets the name");
    let is_api = package == "slubmalloc-api";
    let name = if is_api {
        "libslubmalloc-api"
    } else {
        "libslubmalloc"
    };
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{name}.so.{major}");
    // Nothing is torn down at exit, and threads may still run our code: the library stays.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // So the compiler's start files have nothing to do. Their code, and the byte that they write to at exit, would be page
    // faults in every child of a fork. What else they bring is in `life.rs`.
    println!("cargo:rustc-cdylib-link-arg=-nostartfiles");
    // A preloaded library that misses a symbol must fail here and not in somebody's program.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    // Code that runs in every program lies together, also where the linker would leave it in the order of the source.
    let is_arch = |name| std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == name);
    if is_arch("x86_64") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,keep-text-section-prefix");
    }
    // Code that hardly any program runs lies apart.
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets the folder");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{root}/../cdylib/rare.ld");
    // Names of glibc 2.32 and 2.35, which an import would need: they are looked up when the library is loaded (`life.rs`).
    println!("cargo:rustc-cdylib-link-arg=-Wl,--defsym=__libc_single_threaded=0");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--defsym=_dl_find_object=0");
    // The same, where the loader's library is needed for another symbol: a core library with the stack protector.
    if is_arch("aarch64") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,--defsym=__rseq_offset=0");
        println!("cargo:rustc-cdylib-link-arg=-Wl,--defsym=__rseq_size=0");
    }
    // The archive is built from the same source, without this.
    println!("cargo:rustc-cfg={}", if is_api { "api" } else { "preload" });
    println!("cargo:rerun-if-changed=../cdylib/build.rs");
    println!("cargo:rerun-if-changed=../cdylib/rare.ld");
}
