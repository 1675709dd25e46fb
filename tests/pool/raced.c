/* Pools end while another thread's malloc takes from them, which is allowed: what that thread has stays its own. */
#include "pool.h"
#include <stdatomic.h>

enum { ROUNDS = 6000, MOST = 2000, BYTES = 500 };

static _Atomic(struct slub_pool *) current;
static atomic_int pushed;

static void *take(void *argument) {
    static unsigned char *blocks[MOST];
    for (int round = 0; round < ROUNDS; round++) {
        struct slub_pool *pool;
        while ((pool = atomic_load(&current)) == NULL) sched_yield();
        CHECK(slub_pool_push(pool) == 0);
        atomic_store(&pushed, 1);
        int count = 0;
        while (atomic_load(&current) == pool && count < MOST) {
            CHECK((blocks[count] = realloc(NULL, BYTES)) != NULL);
            memset(blocks[count++], 0x11, BYTES);
        }
        while (atomic_load(&current) == pool) sched_yield();
        CHECK(slub_pool_pop(pool) == 0);
        for (int i = 0; i < count; i++)
            for (int k = 0; k < BYTES; k++) CHECK_AT(blocks[i][k] == 0x11, i);
        for (int i = 0; i < count; i++) free(blocks[i]);
        atomic_store(&pushed, 0);
    }
    return argument;
}

/* Another pool, which may get the structure and the memory of one that has gone. */
static struct slub_pool *fill(void) {
    struct slub_pool *pool = pool_with("other", 0, NULL, 0);
    for (int i = 0; i < 300; i++) memset(slub_pool_malloc(pool, BYTES), 0xee, BYTES);
    return pool;
}

int main(void) {
    malloc_is_ours();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, take, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&current, pool_with("released", 0, NULL, 0));
        while (!atomic_load(&pushed)) sched_yield();
        for (volatile int i = 0; i < round % 50 * 400; i++) continue;
        CHECK(slub_pool_release(atomic_load(&current)) == 0);
        CHECK(slub_pool_destroy(fill(), 0) == 0);
        struct slub_pool *last = fill();
        atomic_store(&current, NULL);
        while (atomic_load(&pushed)) sched_yield();
        CHECK(slub_pool_destroy(last, 0) == 0);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    puts("ok");
    return 0;
}
