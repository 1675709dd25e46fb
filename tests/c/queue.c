/*
 * Producers only allocate, consumers only free; a bounded queue lies between. argv[1]: how many objects.
 * What is freed on one side must come back on the other: peak memory stays near the live data.
 */
#include "check.h"
#include <pthread.h>

enum { BATCH = 1000, SLOTS = 32, PAIRS = 2, MEAN = 200 };
static void **slots[SLOTS];
static size_t filled, taken, batches;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *produce(void *number) {
    uint64_t seed = (uintptr_t)number;
    for (;;) {
        void **batch = malloc(BATCH * sizeof *batch);
        CHECK(batch != NULL);
        for (int i = 0; i < BATCH; i++) {
            size_t size = 16 + random_of(&seed) % (2 * MEAN - 16);
            if (i == 0) size = 3000 + random_of(&seed) % 60000;
            CHECK((batch[i] = malloc(size)) != NULL);
            *(size_t *)batch[i] = size;
        }
        pthread_mutex_lock(&lock);
        while (filled - taken == SLOTS && filled < batches) pthread_cond_wait(&changed, &lock);
        int finished = filled >= batches;
        if (!finished) slots[filled++ % SLOTS] = batch;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        if (finished) {
            for (int i = 0; i < BATCH; i++) free(batch[i]);
            free(batch);
            return NULL;
        }
    }
}

static void *consume(void *unused) {
    for (;;) {
        pthread_mutex_lock(&lock);
        while (filled == taken && taken < batches) pthread_cond_wait(&changed, &lock);
        void **batch = taken < batches ? slots[taken++ % SLOTS] : NULL;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        if (batch == NULL) return unused;
        for (int i = 0; i < BATCH; i++) {
            CHECK(*(size_t *)batch[i] >= 16 && *(size_t *)batch[i] < 64000);
            free(batch[i]);
        }
        free(batch);
    }
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2);
    batches = strtoul(argv[1], NULL, 10) / BATCH;
    size_t before = peak_resident();
    pthread_t producers[PAIRS], consumers[PAIRS];
    for (uintptr_t i = 0; i < PAIRS; i++) {
        CHECK(pthread_create(&producers[i], NULL, produce, (void *)(i + 1)) == 0);
        CHECK(pthread_create(&consumers[i], NULL, consume, NULL) == 0);
    }
    for (int i = 0; i < PAIRS; i++) CHECK(pthread_join(producers[i], NULL) == 0 && pthread_join(consumers[i], NULL) == 0);
    size_t live = (SLOTS + 2 * PAIRS) * (BATCH * (MEAN + sizeof(void *)) + 64000);
    CHECK_AT(peak_resident() < before + live + 64 * MIB, (peak_resident() - before) / KIB);
    return done();
}
