/* Memory of a type-safe cache stays what it is until a grace period has passed. */
#include "kmem.h"

#define COUNT 20000

static struct { long value; char more[120]; } *objects[COUNT];

static struct slub_kmem_cache *typesafe(const char *name) {
    struct slub_kmem_cache *cache = slub_kmem_cache_create(name, sizeof **objects, 0, SLUB_TYPESAFE_BY_RCU, NULL);
    CHECK(cache != NULL);
    return cache;
}

static void use_all(struct slub_kmem_cache *cache) {
    for (long i = 0; i < COUNT; i++) {
        CHECK((objects[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)) != NULL);
        objects[i]->value = i;
        memset(objects[i]->more, 0x77, sizeof objects[i]->more);
    }
    slub_kmem_cache_free_bulk(cache, COUNT, (void **)objects);
}

/* Whether each object is as it was freed. */
static int is_untouched(void) {
    for (long i = 0; i < COUNT; i++) {
        if (objects[i]->value != i) return 0;
        for (size_t at = 0; at < sizeof objects[i]->more; at++)
            if (objects[i]->more[at] != 0x77) return 0;
    }
    return 1;
}

/* What a program does beside, for memory that was given back. */
static void take_memory(void) {
    static void *blocks[3000];
    for (int i = 0; i < 3000; i++) memset(blocks[i] = malloc(1000 + i), 0xff, 1000);
    for (int i = 0; i < 3000; i++) free(blocks[i]);
    malloc_trim(0);
}

int main(void) {
    malloc_is_ours();
    CHECK(slub_rcu_begin() == 0 && slub_rcu_end(0) == 0);
    struct slub_kmem_cache *cache = typesafe("readers");
    long before = resident_kib();
    use_all(cache);
    slub_kmem_cache_shrink(cache);
    take_memory();
    CHECK(is_untouched());
    unsigned long long first = slub_rcu_begin();
    CHECK(first > 0);
    take_memory();
    CHECK(is_untouched());
    errno = 0;
    CHECK(slub_rcu_end(first + 1) == -1 && errno == EINVAL);
    CHECK(is_untouched() && resident_kib() > before + 2000);
    CHECK(slub_rcu_end(first) == 0);
    malloc_trim(0);
    CHECK_AT(resident_kib() < before + 700, resident_kib() - before);
    /* Destroyed, and still there for readers. */
    use_all(cache);
    CHECK(slub_kmem_cache_destroy(cache) == 0);
    struct slub_kmem_cache *next = typesafe("next");
    take_memory();
    CHECK(is_untouched());
    unsigned long long second = slub_rcu_begin();
    CHECK(second > first && is_untouched());
    CHECK(slub_rcu_end(second) == 0 && slub_rcu_end(first) == 0);
    malloc_trim(0);
    CHECK_AT(resident_kib() < before + 700, resident_kib() - before);
    /* Reuse is immediate. */
    void *object = slub_kmem_cache_alloc(next, SLUB_GFP_KERNEL);
    slub_kmem_cache_free(next, object);
    CHECK(slub_kmem_cache_alloc(next, SLUB_GFP_KERNEL) == object);
    free(object);
    CHECK(slub_kmem_cache_destroy(next) == 0);
    puts("ok");
    return 0;
}
