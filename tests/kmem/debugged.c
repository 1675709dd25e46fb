/* One mistake with objects of a cache, or of a pool, by name; SLUBMALLOC_CONF says what is looked at. */
#include "kmem.h"

static struct slub_kmem_cache *cache;

__attribute__((noinline)) static unsigned char *allocates(void) {
    unsigned char *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
    CHECK(object != NULL);
    return object;
}

__attribute__((noinline)) static void frees(void *object) { slub_kmem_cache_free(cache, object); }

static int is(const char *what, const char *name) { return strcmp(what, name) == 0; }

int main(int count, char **arguments) {
    CHECK(count == 2);
    const char *what = arguments[1];
    cache = slub_kmem_cache_create("inode", 60, 0, 0, NULL);
    struct slub_kmem_cache *other = plain("other", 60);
    unsigned char *object = allocates();
    if (is(what, "beyond")) {
        object[60] = 'A';
    } else if (is(what, "before")) {
        unsigned char *second = allocates();
        (second > object ? second : object)[-1] = 'A';
    } else if (is(what, "freed") || is(what, "freed-shrink") || is(what, "freed-destroy")) {
        frees(object);
        object[5] = 'A';
        if (is(what, "freed-shrink")) slub_kmem_cache_shrink(cache);
        if (is(what, "freed-destroy")) slub_kmem_cache_destroy(cache);
        /* Not seen as late as at the end. */
        if (!is(what, "freed")) _exit(0);
    } else if (is(what, "twice")) {
        frees(object);
        frees(object);
    } else if (is(what, "inside")) {
        frees(object + 16);
    } else if (is(what, "other")) {
        slub_kmem_cache_free(other, object);
    } else if (is(what, "bulk")) {
        static void *all[600];
        for (int i = 0; i < 600; i++) all[i] = allocates();
        frees(object);
        void *again = object;
        slub_kmem_cache_free_bulk(cache, 600, all);
        slub_kmem_cache_free_bulk(cache, 1, &again);
        slub_kmem_cache_shrink(cache);
    } else if (is(what, "pool")) {
        struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
        options.name = "requests";
        struct slub_pool *pool = slub_pool_create(&options);
        void *block = slub_pool_malloc(pool, 60);
        slub_pool_free(pool, block);
        slub_pool_free(pool, block);
    } else {
        CHECK(is(what, "nothing"));
        static unsigned char *all[500];
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 500; i++) memset(all[i] = allocates(), 'x', 60);
            for (int i = round; i < 500; i++) frees(all[i]);
            slub_kmem_cache_shrink(cache);
        }
    }
    puts("ok");
    return 0;
}
