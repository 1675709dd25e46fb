/* What must not fail passes the process's limit, which holds for everything else; where the system has nothing it ends the process. */
#include "kmem.h"
#include <sys/resource.h>

enum { OBJECTS = 100000, PAST = 500, PIECE = 3000 };

static struct slub_kmem_cache *cache;
static void *objects[OBJECTS];

/* Takes objects until the limit is reached; how many. */
static int exhaust(void) {
    int count = 0;
    while (count < OBJECTS && (objects[count] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL))) count++;
    CHECK(count < OBJECTS && errno == ENOMEM);
    return count;
}

int main(int count, char **arguments) {
    malloc_is_ours();
    const slub_gfp_t never = SLUB_GFP_KERNEL | SLUB___GFP_NOFAIL;
    cache = plain("filler", PIECE);
    struct slub_kmem_cache *other = plain("other", 500);
    if (count > 1) {
        /* Its first objects need tables, and those memory. */
        slub_kmem_cache_free(cache, slub_kmem_cache_alloc(cache, never));
        struct rlimit none = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
        CHECK(setrlimit(RLIMIT_AS, &none) == 0);
        for (;;) {
            if (!strcmp(arguments[1], "create")) slub_kmem_cache_create("panics", PIECE, 0, SLUB_PANIC, NULL);
            if (!strcmp(arguments[1], "cache")) slub_kmem_cache_alloc(cache, never);
            if (!strcmp(arguments[1], "kmalloc")) slub_kmalloc(PIECE, never);
            if (!strcmp(arguments[1], "pages")) slub_alloc_pages(never, 5);
        }
    }
    for (int round = 0; round < 3; round++) {
        int held = exhaust();
        CHECK_AT(held > 5000, held);
        static void *past[PAST];
        for (int i = 0; i < PAST; i++) {
            CHECK((past[i] = slub_kmem_cache_alloc(i % 2 ? cache : other, never)) != NULL);
            memset(past[i], i, 500);
        }
        CHECK(slub_kmem_cache_alloc_bulk(other, never, PAST, objects + held) == PAST);
        slub_kmem_cache_free_bulk(other, PAST, objects + held);
        void *small = slub_kmalloc(700, never), *large = slub_kzalloc(300 << 10, never), *huge = slub_kmalloc(9 << 20, never);
        void *moved = slub_krealloc(slub_kmalloc(700, never), 400 << 10, never);
        unsigned long pages = slub___get_free_pages(never, 6);
        CHECK(small && large && huge && moved && pages);
        memset(huge, 1, 9 << 20), memset(moved, 1, 400 << 10);
        /* Sheaves, and the memory for one that is large itself. */
        struct slub_slab_sheaf *sheaf = slub_kmem_cache_prefill_sheaf(other, never, 300);
        CHECK(sheaf && slub_kmem_cache_refill_sheaf(other, never, &sheaf, 3000) == 0 && slub_kmem_cache_sheaf_size(sheaf) == 3000);
        slub_kmem_cache_return_sheaf(other, never, sheaf);
        /* It holds for all others. */
        CHECK(REFUSED(ENOMEM, slub_kmalloc(9 << 20, SLUB_GFP_KERNEL)));
        int more = 0;
        while ((objects[held + more] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL))) more++;
        CHECK_AT(errno == ENOMEM && more < 500, more);
        held += more;
        slub_kfree(small), slub_kfree(large), slub_kfree(huge), slub_kfree(moved);
        slub_free_pages(pages, 6);
        for (int i = 0; i < PAST; i++) slub_kmem_cache_free(i % 2 ? cache : other, past[i]);
        slub_kmem_cache_free_bulk(cache, (size_t)held, objects);
    }
    puts("ok");
    return 0;
}
