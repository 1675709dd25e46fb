// Both headers in C++, and a cache from there.
#include <cstdio>
#include <slubmalloc/kernel.h>

struct point {
    int x, y;
};

int main() {
    static_assert(noexcept(slub_kmem_cache_alloc(nullptr, 0)), "nothing throws");
    struct kmem_cache *points = KMEM_CACHE(point, 0);
    auto *one = static_cast<point *>(kmem_cache_alloc(points, GFP_KERNEL));
    one->x = 1;
    kmem_cache_free(points, one);
    kfree(kmalloc(10, GFP_KERNEL));
    kmem_cache_destroy(points);
    std::puts("ok");
}
