/* Names of any bytes, in slubmalloc_stats_json: the text on standard output. */
#include "kmem.h"

static void put(void *context, const char *text, size_t length) {
    (void)context;
    CHECK(fwrite(text, 1, length, stdout) == length);
}

int main(void) {
    const char *names[] = {"say \"it\"", "back\\slash", "line\nand\ttab", "\x01\x1f\x7f", "gr\xc3\xb6\xc3\x9f" "e", "bad\xff\xc3", "/plain"};
    static void *held[7];
    for (int i = 0; i < 7; i++) held[i] = slub_kmem_cache_alloc(plain(names[i], 64), SLUB_GFP_KERNEL);
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.name = "a \"pool\"\n";
    struct slub_pool *pool = slub_pool_create(&options);
    CHECK(held[6] != NULL && slub_pool_malloc(pool, 10) != NULL);
    slubmalloc_stats_json(put, NULL);
    return 0;
}
