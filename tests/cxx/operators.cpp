// single-threaded: also run on aarch64 under emulation.
// Every replaceable operator new and delete is ours: called by name, aligned as promised, null where nothrow.
#include "../c/check.h"
#include <initializer_list>
#include <new>

namespace {

constexpr std::size_t huge = std::size_t(PTRDIFF_MAX) + 1;

void owned_by_the_heap(void *p, std::size_t size, std::size_t align) {
    CHECK_AT(p != nullptr && aligned_to(p, align) && aligned_to(p, 16), size);
    CHECK_AT(malloc_usable_size(p) >= size, size);
    paint(p, size, 1);
    CHECK_AT(painted(p, size, 1), size);
}

void plain(std::size_t size) {
    owned_by_the_heap(escape(::operator new(size)), size, 16);
    void *p;
    ::operator delete(p = escape(::operator new(size)));
    ::operator delete(p = escape(::operator new(size)), size);
    ::operator delete(p = escape(::operator new(size)), std::nothrow);
    ::operator delete(p = escape(::operator new(size, std::nothrow)));
    owned_by_the_heap(p = escape(::operator new[](size)), size, 16);
    ::operator delete[](p);
    ::operator delete[](p = escape(::operator new[](size)), size);
    ::operator delete[](p = escape(::operator new[](size)), std::nothrow);
    owned_by_the_heap(p = escape(::operator new[](size, std::nothrow)), size, 16);
    ::operator delete[](p);
    owned_by_the_heap(p = escape(::operator new(size, std::nothrow)), size, 16);
    ::operator delete(p, size);
    // malloc's and new's memory is one heap: programs mix them up, wrongly but often.
    std::free(escape(::operator new(size)));
    ::operator delete(escape(std::malloc(size)));
}

void aligned(std::size_t size, std::align_val_t align) {
    std::size_t bytes = std::size_t(align);
    void *p = escape(::operator new(size, align));
    owned_by_the_heap(p, size, bytes);
    ::operator delete(p, align);
    owned_by_the_heap(p = escape(::operator new(size, align, std::nothrow)), size, bytes);
    ::operator delete(p, size, align);
    ::operator delete(p = escape(::operator new(size, align)), align, std::nothrow);
    owned_by_the_heap(p = escape(::operator new[](size, align)), size, bytes);
    ::operator delete[](p, align);
    owned_by_the_heap(p = escape(::operator new[](size, align, std::nothrow)), size, bytes);
    ::operator delete[](p, size, align);
    ::operator delete[](p = escape(::operator new[](size, align)), align, std::nothrow);
}

template <class Allocate> void throws_bad_alloc(Allocate allocate) {
    bool caught = false;
    try {
        escape(allocate());
    } catch (const std::bad_alloc &) {
        caught = true;
    }
    CHECK(caught);
}

void refusals() {
    std::align_val_t align{4096};
    for (volatile std::size_t size : {huge, SIZE_MAX, SIZE_MAX - 4096}) {
        throws_bad_alloc([&] { return ::operator new(size); });
        throws_bad_alloc([&] { return ::operator new[](size); });
        CHECK(escape(::operator new(size, std::nothrow)) == nullptr);
        CHECK(escape(::operator new[](size, std::nothrow)) == nullptr);
        // libstdc++ rounds up to the alignment, and past the end.
        if (size > huge && libc_allowed()) continue;
        throws_bad_alloc([&] { return ::operator new(size, align); });
        throws_bad_alloc([&] { return ::operator new[](size, align); });
        CHECK(escape(::operator new(size, align, std::nothrow)) == nullptr);
        CHECK(escape(::operator new[](size, align, std::nothrow)) == nullptr);
    }
}

// The linker's choice for each mangled name, not just the compiler's inlined idea of it.
void all_names_lead_to_us() {
    static const char *const names[] = {
        "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t", "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
        "_ZnwmSt11align_val_tRKSt9nothrow_t", "_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm",
        "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t", "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvmSt11align_val_t",
        "_ZdaPvmSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    };
    for (std::size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Dl_info where;
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);
        CHECK_AT(symbol != nullptr && dladdr(symbol, &where) != 0, i);
        CHECK_AT(libc_allowed() || strstr(where.dli_fname, "slubmalloc") != nullptr, i);
    }
}

} // namespace

int main() {
    slubmalloc_is_in_charge();
    all_names_lead_to_us();
    for (std::size_t size : {0ul, 1ul, 8ul, 16ul, 24ul, 1000ul, 1025ul, 32768ul, 32769ul, 500000ul, 5000000ul}) {
        plain(size);
        for (std::size_t align = 8; align <= 1048576; align *= 2) aligned(size, std::align_val_t(align));
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete(nullptr, std::align_val_t(64));
    refusals();
    return done();
}
