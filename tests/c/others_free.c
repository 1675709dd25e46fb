/*
 * Few threads allocate blocks of 2 to 60 KiB and many free them: what the caches of those that only free hold is little
 * in all, however many they are. The count of threads is the first argument, the most MiB above the start the second.
 */
#include "back.h"

enum { MAKERS = 10, MOST = 400, BLOCKS = 10000, PLACES = 2048 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_blocks = PTHREAD_COND_INITIALIZER, has_places = PTHREAD_COND_INITIALIZER;
static char *places[PLACES];
static size_t first, count;
static int is_over;

static void *makes(void *number) {
    uint64_t random = (uintptr_t)number;
    for (int i = 0; i < BLOCKS; i++) {
        size_t size = 2048 + random_of(&random) % 60000;
        char *block = malloc(size);
        CHECK_AT(block != NULL, i);
        for (size_t at = 0; at < size; at += KIB) block[at] = (char)i;
        pthread_mutex_lock(&lock);
        while (count == PLACES) pthread_cond_wait(&has_places, &lock);
        places[(first + count++) % PLACES] = block;
        pthread_cond_signal(&has_blocks);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *frees(void *unused) {
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (count == 0 && !is_over) pthread_cond_wait(&has_blocks, &lock);
        if (count == 0) {
            pthread_mutex_unlock(&lock);
            return NULL;
        }
        char *block = places[first];
        first = (first + 1) % PLACES;
        count--;
        pthread_cond_signal(&has_places);
        pthread_mutex_unlock(&lock);
        free(block);
    }
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 3);
    int threads = atoi(argv[1]);
    CHECK(threads > 0 && threads <= MOST);
    static pthread_t makers[MAKERS], others[MOST];
    start(others, threads, frees);
    size_t before = resident();
    start(makers, MAKERS, makes);
    join(makers, MAKERS);
    /* All are freed, and all threads that freed them are still there. */
    pthread_mutex_lock(&lock);
    while (count > 0) pthread_cond_wait(&has_places, &lock);
    pthread_mutex_unlock(&lock);
    RESIDENT_AT_MOST(before + (size_t)atoi(argv[2]) * MIB);
    pthread_mutex_lock(&lock);
    is_over = 1;
    pthread_cond_broadcast(&has_blocks);
    pthread_mutex_unlock(&lock);
    join(others, threads);
    return done();
}
