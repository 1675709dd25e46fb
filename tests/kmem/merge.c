/* Caches are one where all of them allow it, and only then. */
#include "kmem.h"

static void ctor(void *object) { (void)object; }

int main(void) {
    malloc_is_ours();
    struct slub_kmem_cache *first = slub_kmem_cache_create("first", 100, 0, SLUB_MERGE, NULL);
    struct slub_kmem_cache *second = slub_kmem_cache_create("second", 104, 0, SLUB_MERGE | SLUB_ACCOUNT, NULL);
    CHECK(first != NULL && first == second);
    CHECK(strcmp(slub_kmem_cache_name(second), "first") == 0 && slub_kmem_cache_size(second) == 104);
    /* None of these. */
    struct slub_kmem_cache_args limited = {.size = sizeof limited, .limit = 5};
    struct slub_kmem_cache_args destroyed = {.size = sizeof destroyed, .ctor = ctor, .dtor = ctor};
    struct slub_kmem_cache *others[] = {
        slub_kmem_cache_create("no flag", 100, 0, 0, NULL),
        slub_kmem_cache_create("another size", 200, 0, SLUB_MERGE, NULL),
        slub_kmem_cache_create("constructor", 100, 0, SLUB_MERGE, ctor),
        slub_kmem_cache_create("no merge", 100, 0, SLUB_MERGE | SLUB_NO_MERGE, NULL),
        slub_kmem_cache_create("checks", 90, 0, SLUB_MERGE | SLUB_RED_ZONE, NULL),
        slub_kmem_cache_create("grace", 100, 0, SLUB_MERGE | SLUB_TYPESAFE_BY_RCU, NULL),
        slub_kmem_cache_create_args("limited", 100, &limited, SLUB_MERGE),
        slub_kmem_cache_create_args("destroyed", 100, &destroyed, SLUB_MERGE),
    };
    enum { OTHERS = sizeof others / sizeof *others };
    for (int i = 0; i < OTHERS; i++)
        for (int j = 0; j < i; j++) CHECK_AT(others[i] != NULL && others[i] != first && others[i] != others[j], i);
    errno = 0;
    CHECK(slub_kmem_cache_set_limit(first, 10) == -1 && errno == EINVAL);
    CHECK(slub_kmem_cache_set_limit(others[0], 10) == 0);
    void *object = slub_kmem_cache_alloc(first, SLUB_GFP_KERNEL);
    CHECK(object != NULL && slub_kmem_cache_used(second) == 1);
    /* The first of two to go leaves it to the other. */
    CHECK(slub_kmem_cache_destroy(first) == 0);
    slub_kmem_cache_free(second, object);
    object = slub_kmem_cache_alloc(second, SLUB_GFP_KERNEL);
    CHECK(slub_kmem_cache_destroy(second) == -1 && errno == EBUSY);
    slub_kmem_cache_free(second, object);
    CHECK(slub_kmem_cache_destroy(second) == 0);
    for (int i = 0; i < OTHERS; i++) CHECK(slub_kmem_cache_destroy(others[i]) == 0);
    puts("ok");
    return 0;
}
