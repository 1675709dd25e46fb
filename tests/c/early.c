/* The heap works before main, in every kind of destructor, and after main. */
#include "check.h"
#include <pthread.h>

static void *from_first, *from_constructor;
static pthread_key_t key;
static int destroyed;

__attribute__((constructor(101))) static void first_of_all(void) {
    free(NULL);
    from_first = memset(malloc(100), 1, 100);
    void *big = malloc(100000), *huge = malloc(8 * MIB);
    CHECK(big && huge);
    free(big), free(huge);
}

__attribute__((constructor)) static void later(void) {
    CHECK((from_constructor = realloc(from_first, 50000)) != NULL);
    from_first = malloc(10);
}

__attribute__((destructor)) static void after_main(void) {
    void *p = calloc(10, 100);
    CHECK(p && all_zero(p, 1000));
    free(p), free(malloc(8 * MIB)), free(from_first);
    done();
}

static void at_exit(void) {
    free(from_constructor);
    free(malloc(1000));
}

/* Comes back three times: glibc repeats key destructors up to PTHREAD_DESTRUCTOR_ITERATIONS. */
static void in_key_destructor(void *value) {
    static __thread int visits;
    free(value);
    void *p = malloc(3000);
    CHECK(p != NULL);
    free(p);
    if (++visits < 3) CHECK(pthread_setspecific(key, malloc(77)) == 0);
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

static void *with_a_key(void *unused) {
    CHECK(pthread_setspecific(key, malloc(64)) == 0);
    return unused;
}

static void *only_in_the_destructor(void *unused) {
    /* This thread's first allocation of its own happens in its destructor. */
    static char not_from_the_heap;
    CHECK(pthread_setspecific(key, NULL) == 0);
    (void)not_from_the_heap;
    return unused;
}

static void *frees_before_its_first_malloc(void *block) {
    free(NULL);
    free(block);
    return NULL;
}

static void *frees_many(void *blocks) {
    for (size_t i = 0; i < 10000; i++) free(((void **)blocks)[i]);
    return NULL;
}

static void *returns_its_own(void *size) {
    return memset(malloc((size_t)size), 9, (size_t)size);
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(atexit(at_exit) == 0);
    CHECK(pthread_key_create(&key, in_key_destructor) == 0);
    pthread_t thread;
    for (int i = 0; i < 200; i++) {
        CHECK(pthread_create(&thread, NULL, with_a_key, NULL) == 0 && pthread_join(thread, NULL) == 0);
        CHECK(pthread_create(&thread, NULL, only_in_the_destructor, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
    CHECK(destroyed == 600);

    static const size_t sizes[] = {1, 64, 4096, 40000, 300000, 8 * MIB};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        CHECK(pthread_create(&thread, NULL, frees_before_its_first_malloc, malloc(sizes[s])) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        void *outlives_its_thread;
        CHECK(pthread_create(&thread, NULL, returns_its_own, (void *)sizes[s]) == 0);
        CHECK(pthread_join(thread, &outlives_its_thread) == 0);
        CHECK(((char *)outlives_its_thread)[sizes[s] - 1] == 9);
        free(outlives_its_thread);
    }
    /* Threads that only free must not hoard: 50 rounds of 10 MiB. */
    void **blocks = malloc(10000 * sizeof *blocks);
    size_t after_first = 0;
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < 10000; i++) CHECK((blocks[i] = calloc(1, 1000)) != NULL);
        CHECK(pthread_create(&thread, NULL, frees_many, blocks) == 0 && pthread_join(thread, NULL) == 0);
        if (round == 4) after_first = resident();
    }
    CHECK(resident() < after_first + 8 * MIB);
    free(blocks);
    return 0;
}
