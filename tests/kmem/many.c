/* A thousand caches, used by sixteen threads and destroyed, again and again: the memory goes back, and a thread that uses none
 * has nothing of them. */
#include "kmem.h"

#define CACHES 1000
#define THREADS 16

static struct slub_kmem_cache *caches[CACHES];
static pthread_barrier_t barrier;
static int rounds;

static void use_all(int own) {
    for (int i = 0; i < CACHES; i++) {
        struct slub_kmem_cache *cache = caches[(i + own * 61) % CACHES];
        void *objects[10];
        for (int j = 0; j < 10; j++) {
            objects[j] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
            CHECK(objects[j] != NULL);
            memset(objects[j], own, slub_kmem_cache_size(cache));
        }
        for (int j = 0; j < 10; j++) slub_kmem_cache_free(cache, objects[j]);
    }
}

static void *works(void *number) {
    for (int round = 0; round < rounds; round++) {
        pthread_barrier_wait(&barrier);
        use_all((int)(size_t)number);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void *idles(void *unused) {
    free(malloc(1));
    pthread_barrier_wait(unused);
    pthread_barrier_wait(unused);
    return NULL;
}

/* What forty idle threads take. */
static long idle_kib(void) {
    enum { IDLE = 40 };
    pthread_barrier_t idle;
    pthread_t all[IDLE];
    pthread_barrier_init(&idle, NULL, IDLE + 1);
    long before = resident_kib();
    for (int i = 0; i < IDLE; i++) CHECK(pthread_create(&all[i], NULL, idles, &idle) == 0);
    pthread_barrier_wait(&idle);
    long after = resident_kib();
    pthread_barrier_wait(&idle);
    for (int i = 0; i < IDLE; i++) CHECK(pthread_join(all[i], NULL) == 0);
    return after - before;
}

static void create_all(int round) {
    for (int i = 0; i < CACHES; i++) {
        char name[40];
        snprintf(name, sizeof name, "cache-%d-%d", round, i);
        caches[i] = plain(name, 16 + (unsigned)(i * 7 % 500));
    }
}

static void destroy_all(void) {
    for (int i = 0; i < CACHES; i++) CHECK(slub_kmem_cache_destroy(caches[i]) == 0);
}

int main(int count, char **arguments) {
    malloc_is_ours();
    rounds = count > 1 ? atoi(arguments[1]) : 10;
    idle_kib();
    long without = idle_kib();
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    pthread_t all[THREADS];
    for (long i = 0; i < THREADS; i++) CHECK(pthread_create(&all[i], NULL, works, (void *)i) == 0);
    malloc_trim(0);
    long start = resident_kib();
    for (int round = 0; round < rounds; round++) {
        create_all(round);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        destroy_all();
    }
    malloc_trim(0);
    long end = resident_kib();
    fprintf(stderr, "resident before %ld KiB, after %d rounds %ld KiB\n", start, rounds, end);
    CHECK_AT(end <= start + 2048, end - start);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(all[i], NULL) == 0);
    create_all(rounds);
    long with = idle_kib();
    fprintf(stderr, "forty idle threads %ld KiB, beside a thousand caches %ld KiB\n", without, with);
    CHECK_AT(with <= without + 40, with);
    destroy_all();
    puts("ok");
    return 0;
}
