/* Constructors run once for each object as long as its memory stays, destructors before it goes; both may allocate. */
#include "kmem.h"

#define COUNT 5000

struct thing {
    unsigned long state, value;
    void *extra;
    char more[40];
};

static unsigned long constructed, destroyed;
static struct slub_kmem_cache *other;
static void *things[COUNT];

static void ctor(void *object) {
    struct thing *thing = object;
    thing->state = 0x600d;
    thing->value = 0;
    thing->extra = malloc(10);
    CHECK(thing->extra != NULL);
    /* Not from its own cache, but from another. */
    void *passing = slub_kmem_cache_alloc(other, SLUB_GFP_KERNEL);
    CHECK(passing != NULL);
    slub_kmem_cache_free(other, passing);
    constructed++;
}

static void dtor(void *object) {
    struct thing *thing = object;
    CHECK(thing->state == 0x600d);
    free(thing->extra);
    thing->state = 0;
    destroyed++;
}

static void use_all(struct slub_kmem_cache *cache) {
    for (int i = 0; i < COUNT; i++) {
        struct thing *thing = things[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        CHECK_AT(thing != NULL && thing->state == 0x600d, i);
        thing->value++;
    }
}

int main(void) {
    malloc_is_ours();
    other = plain("other", 128);
    struct slub_kmem_cache_args args = {.size = sizeof args, .ctor = ctor, .dtor = dtor, .sheaf_capacity = 20};
    struct slub_kmem_cache *cache = slub_kmem_cache_create_args("things", sizeof(struct thing), &args, 0);
    CHECK(cache != NULL);
    use_all(cache);
    unsigned long first = constructed;
    CHECK(first >= COUNT && first < COUNT + 1100);
    /* Used again, they are as they were left, every byte. */
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++) {
            struct thing *thing = things[i];
            memset(thing->more, 0x33, sizeof thing->more);
            slub_kmem_cache_free(cache, thing);
            for (size_t at = 0; at < sizeof thing->more; at++) CHECK(thing->more[at] == 0x33);
            things[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        }
    }
    CHECK(constructed == first && destroyed == 0);
    unsigned long sum = 0;
    for (int i = 0; i < COUNT; i++) sum += ((struct thing *)things[i])->value;
    CHECK(sum >= COUNT);
    /* What goes is destroyed, and constructed again when it is needed. */
    slub_kmem_cache_free_bulk(cache, COUNT, things);
    slub_kmem_cache_shrink(cache);
    CHECK(destroyed == constructed);
    use_all(cache);
    CHECK(constructed >= first + COUNT);
    /* malloc's free will do, too. */
    for (int i = 0; i < COUNT; i++) free(things[i]);
    CHECK(slub_kmem_cache_destroy(cache) == 0 && destroyed == constructed);
    /* Without a destructor memory goes as of any cache, and what comes is constructed. */
    cache = slub_kmem_cache_create("undestroyed", sizeof(struct thing), 0, 0, ctor);
    for (int round = 0; round < 3; round++) {
        unsigned long before = constructed;
        use_all(cache);
        CHECK(constructed >= before + COUNT);
        slub_kmem_cache_free_bulk(cache, COUNT, things);
        slub_kmem_cache_shrink(cache);
        malloc_trim(0);
    }
    CHECK(slub_kmem_cache_destroy(cache) == 0 && slub_kmem_cache_destroy(other) == 0);
    puts("ok");
    return 0;
}
