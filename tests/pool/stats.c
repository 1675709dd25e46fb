/* What statistics say of pools. */
#include "pool.h"

#include <malloc.h>

int main(void) {
    for (int i = 0; i < 104; i++) {
        struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
        options.name = i == 0 ? "first" : i == 1 ? "second\n" : "other";
        options.limit = i == 1 ? 1 << 20 : 0;
        struct slub_pool *pool = slub_pool_create(&options);
        CHECK(slub_pool_malloc(pool, i == 0 ? 100 : 5000) != NULL);
        if (i == 2) CHECK(slub_pool_destroy(pool, 0) == 0);
    }
    malloc_stats();
    puts("ok");
    return 0;
}
