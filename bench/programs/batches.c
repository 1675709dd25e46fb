/* Two producers and two consumers that pass batches of 4,096 objects of 64 bytes under a lock. argv: batches of each
 * producer. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECTS = 4096, BYTES = 64, WAITING = 20, PAIRS = 2 };

struct batch {
    struct batch *next;
    char *objects[OBJECTS];
};

static struct batch *first;
static int waiting;
static long rounds;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, fewer = PTHREAD_COND_INITIALIZER;

static void *produce(void *unused) {
    for (long round = 0; round < rounds; round++) {
        struct batch *batch = malloc(sizeof *batch);
        if (batch == NULL) abort();
        for (int i = 0; i < OBJECTS; i++) {
            if ((batch->objects[i] = malloc(BYTES)) == NULL) abort();
            memset(batch->objects[i], i, BYTES);
        }
        pthread_mutex_lock(&lock);
        while (waiting == WAITING) pthread_cond_wait(&fewer, &lock);
        batch->next = first;
        first = batch;
        waiting++;
        pthread_cond_signal(&more);
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

static void *consume(void *unused) {
    for (long round = 0; round < rounds; round++) {
        pthread_mutex_lock(&lock);
        while (first == NULL) pthread_cond_wait(&more, &lock);
        struct batch *batch = first;
        first = batch->next;
        waiting--;
        pthread_cond_signal(&fewer);
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < OBJECTS; i++) {
            if (batch->objects[i][BYTES - 1] != (char)i) abort();
            free(batch->objects[i]);
        }
        free(batch);
    }
    return unused;
}

int main(int count, char **words) {
    rounds = count > 1 ? atol(words[1]) : 200;
    pthread_t threads[2 * PAIRS];
    for (int i = 0; i < 2 * PAIRS; i++)
        if (pthread_create(&threads[i], NULL, i % 2 == 0 ? produce : consume, NULL) != 0) abort();
    for (int i = 0; i < 2 * PAIRS; i++) pthread_join(threads[i], NULL);
    return 0;
}
