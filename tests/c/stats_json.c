/* slubmalloc_stats_json writes what malloc_stats counts: prints the JSON on standard output. Allocates while it is written. */
#include "check.h"

#include <dlfcn.h>

static void write_text(void *context, const char *text, size_t length)
{
    size_t *bytes = context;
    char *copy = malloc(length + 1);
    CHECK(copy != NULL && length > 0);
    memcpy(copy, text, length);
    copy[length] = 0;
    CHECK(fwrite(copy, 1, length, stdout) == length);
    free(copy);
    *bytes += length;
}

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    CHECK(symbol != NULL);
    return symbol;
}

int main(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "slubmalloc_stats_json");
    void (*stats_json)(void (*)(void *, const char *, size_t), void *);
    CHECK(symbol != NULL);
    memcpy(&stats_json, &symbol, sizeof symbol);
    for (int index = 0; index < 700; index++) {
        volatile char *block = malloc(768);
        CHECK(block != NULL);
        *block = 1;
    }
    volatile char *huge = malloc(8 << 20);
    CHECK(huge != NULL);
    *huge = 1;
    /* By their names: the program has no header. */
    void *(*create)(const char *, unsigned, unsigned, unsigned, void (*)(void *)) = find("slub_kmem_cache_create");
    void *(*alloc)(void *, unsigned) = find("slub_kmem_cache_alloc");
    void *(*create_pool)(const void *) = find("slub_pool_create");
    void *(*pool_malloc)(void *, size_t) = find("slub_pool_malloc");
    struct { size_t size; const char *name; size_t limit; } options = {sizeof options, "a \"pool\"", 1 << 20};
    void *cache = create("a cache", 100, 0, 0, NULL), *pool = create_pool(&options);
    for (int index = 0; index < 50; index++) CHECK(alloc(cache, 0xcc0) != NULL);
    CHECK(pool_malloc(pool, 1000) != NULL);
    stats_json(NULL, NULL);
    size_t bytes = 0;
    stats_json(write_text, &bytes);
    CHECK(bytes > 500);
    return 0;
}
