// Takes a block by one family of functions, frees it by another, and ends with "ok".
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

static void *volatile kept;

static void *take(const char *how, std::size_t size) {
    if (!std::strcmp(how, "malloc")) return std::malloc(size);
    if (!std::strcmp(how, "calloc")) return std::calloc(1, size);
    if (!std::strcmp(how, "memalign")) return std::aligned_alloc(64, size);
    if (!std::strcmp(how, "new")) return ::operator new(size);
    if (!std::strcmp(how, "new-nothrow")) return ::operator new(size, std::nothrow);
    if (!std::strcmp(how, "new-aligned")) return ::operator new(size, std::align_val_t(64));
    if (!std::strcmp(how, "array")) return ::operator new[](size);
    if (!std::strcmp(how, "array-nothrow")) return ::operator new[](size, std::nothrow);
    if (!std::strcmp(how, "array-aligned")) return ::operator new[](size, std::align_val_t(64));
    std::abort();
}

static void give(const char *how, void *block, std::size_t size) {
    if (!std::strcmp(how, "free")) return std::free(block);
    if (!std::strcmp(how, "realloc")) return std::free(std::realloc(block, 2 * size));
    if (!std::strcmp(how, "delete")) return ::operator delete(block);
    if (!std::strcmp(how, "delete-sized")) return ::operator delete(block, size);
    if (!std::strcmp(how, "delete-nothrow")) return ::operator delete(block, std::nothrow);
    if (!std::strcmp(how, "delete-aligned")) return ::operator delete(block, std::align_val_t(64));
    if (!std::strcmp(how, "array")) return ::operator delete[](block);
    if (!std::strcmp(how, "array-sized")) return ::operator delete[](block, size);
    if (!std::strcmp(how, "array-aligned")) return ::operator delete[](block, std::align_val_t(64));
    std::abort();
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    std::size_t size = std::strtoul(argv[3], nullptr, 10);
    kept = take(argv[1], size);
    std::memset(kept, 1, size);
    std::printf("%p\n", (void *)kept);
    std::fflush(stdout);
    give(argv[2], kept, size);
    std::puts("ok");
}
