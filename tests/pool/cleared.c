/* With zero:free and zero:alloc, in any mix: what a pool's blocks get, and what they leave behind. Without them bytes stay, or this test would see nothing. */
#include "pool.h"

enum { BLOCKS = 50, FEW = 3, SIZES = 6 };

static const size_t sizes[SIZES] = {40, 100, 3000, 20000, 100000, 6 << 20};
static unsigned long left, looked;

static void look(const unsigned char *bytes, size_t size) {
    for (size_t at = 0; at < size; at += 7) left += bytes[at] != 0, looked++;
}

static void lives(size_t size, unsigned flags) {
    struct slub_pool *pool = pool_with("cleared", 0, NULL, flags);
    /* Larger ones have no memory of their own any more when they are free. */
    int is_slab = size <= 20000, count = is_slab ? BLOCKS : FEW;
    unsigned char *blocks[BLOCKS];
    for (int i = 0; i < count; i++) {
        CHECK((blocks[i] = slub_pool_malloc(pool, size)) != NULL);
        look(blocks[i], size);
        memset(blocks[i], 7, size);
    }
    for (int i = 0; i < count; i++) i % 2 ? slub_pool_free(pool, blocks[i]) : free(blocks[i]);
    for (int i = 0; is_slab && i < count; i++) look(blocks[i], size);
    for (int i = 0; i < count; i++) {
        CHECK((blocks[i] = slub_pool_malloc(pool, size)) != NULL);
        look(blocks[i], size);
        memset(blocks[i], 9, malloc_usable_size(blocks[i]));
        /* What is given up of a block that becomes shorter. */
        size_t rest = size - size / 3;
        CHECK((blocks[i] = slub_pool_realloc(pool, blocks[i], rest)) != NULL);
        look(blocks[i] + rest, malloc_usable_size(blocks[i]) - rest);
    }
    CHECK(slub_pool_reset(pool, 0) == 0);
    look(slub_pool_malloc(pool, size), size);
    CHECK(slub_pool_destroy(pool, 0) == 0);
}

int main(int count, char **arguments) {
    malloc_is_ours();
    int stays = count > 1 && !strcmp(arguments[1], "stays");
    for (int size = 0; size < SIZES; size++)
        for (unsigned flags = 0; flags < 2; flags++) lives(sizes[size], flags ? SLUB_POOL_SINGLE_THREAD : 0);
    CHECK_AT(looked > 1000000 && (left > 0) == stays, left);
    puts("ok");
    return 0;
}
