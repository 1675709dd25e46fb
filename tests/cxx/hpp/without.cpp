// The header without exceptions and run-time types: what fails is null, or the end of the process.
#include "../../c/check.h"
#include <slubmalloc.hpp>
#include <csignal>
#include <vector>

static void expected(int) {
    CHECK(write(1, "ok\n", 3) == 3);
    _exit(0);
}

int main() {
    slubmalloc::pool_options options;
    options.limit = 100000;
    slubmalloc::pool pool(options);
    slubmalloc::pool_ref ref(pool);
    CHECK(pool.is_equal(pool) && !ref.is_equal(pool));
    {
        std::pmr::vector<int> numbers(1000, &pool);
        std::vector<int, slubmalloc::allocator<int>> others(1000, pool);
        CHECK(pool.used() >= 8000);
    }
    slubmalloc::cache_options one;
    one.limit = 1;
    slubmalloc::cache<int> cache("one", one);
    slubmalloc::kept_cache<int> kept("kept", one);
    int *first = cache.make(7);
    auto second = kept.take_unique();
    CHECK(*first == 7 && cache.try_make(8) == nullptr && kept.try_take() == nullptr);
    cache.destroy(first);
    std::signal(SIGABRT, expected);
    (void)pool.allocate(100001);
    return 1;
}
