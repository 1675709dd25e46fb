/* Threads that come and go, four at a time, each with a thousand blocks of 16 to 1,608 bytes. argv: rounds. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, BLOCKS = 200, TURNS = 5 };

static void *run(void *unused) {
    void *blocks[BLOCKS];
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < BLOCKS; i++) {
            size_t bytes = 16 + 8 * (size_t)i;
            if ((blocks[i] = malloc(bytes)) == NULL) abort();
            memset(blocks[i], 1, bytes);
        }
        for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    }
    return unused;
}

int main(int count, char **words) {
    long rounds = count > 1 ? atol(words[1]) : 1000;
    for (long round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            if (pthread_create(&threads[i], NULL, run, NULL) != 0) abort();
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    }
    return 0;
}
