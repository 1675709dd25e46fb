/* Pools cost little, many of them live at once, and those that are gone leave nothing. */
#include "pool.h"

enum { MANY = 10000, SOME = 1000 };

static struct slub_pool *pools[MANY];

static long mappings(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file != NULL);
    long lines = 0;
    for (int byte; (byte = getc(file)) != EOF;) lines += byte == '\n';
    fclose(file);
    return lines;
}

static void rounds(int count) {
    unsigned state = 5;
    for (int round = 0; round < count; round++) {
        for (int i = 0; i < SOME; i++) {
            pools[i] = pool_with("many", 0, NULL, i % 2);
            for (int k = 0; k < 10; k++) {
                char *block = slub_pool_malloc(pools[i], 1 + next_random(&state) % 3000);
                CHECK(block != NULL);
                *block = 1;
            }
        }
        for (int i = 0; i < SOME; i++) CHECK(slub_pool_destroy(pools[i], 0) == 0);
    }
}

int main(int count, char **arguments) {
    malloc_is_ours();
    for (int i = 0; i < MANY; i++) pools[i] = pool_with("first", 0, NULL, 0);
    for (int i = 0; i < MANY; i++) CHECK(slub_pool_destroy(pools[i], 0) == 0);
    malloc_trim(0);
    long resident = resident_kib(), mapped = mappings();
    for (int i = 0; i < MANY; i++) pools[i] = pool_with("empty", 0, NULL, i % 2);
    long with_pools = resident_kib();
    CHECK(with_pools - resident <= MANY * 4 + 512);
    for (int i = 0; i < MANY; i++) *(char *)slub_pool_malloc(pools[i], 100) = 1;
    long with_objects = resident_kib();
    CHECK(with_objects - resident <= MANY * 16);
    CHECK(mappings() <= mapped + 8);
    fprintf(stderr, "a pool %.2f KiB, with an object %.2f KiB\n", (double)(with_pools - resident) / MANY,
            (double)(with_objects - resident) / MANY);
    for (int i = 0; i < MANY; i++) CHECK(slub_pool_destroy(pools[i], 0) == 0);
    rounds(1);
    malloc_trim(0);
    long before = resident_kib();
    rounds(count > 1 ? atoi(arguments[1]) : 100);
    malloc_trim(0);
    fprintf(stderr, "resident %ld KiB, then %ld KiB\n", before, resident_kib());
    CHECK(resident_kib() <= before + 2048);
    puts("ok");
    return 0;
}
