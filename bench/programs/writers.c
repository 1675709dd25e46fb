/* Two threads that write to a small block of their own a thousand times and replace it. argv: rounds. */
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 2, WRITES = 1000 };

static long rounds;

static void *run(void *unused) {
    for (long round = 0; round < rounds; round++) {
        volatile char *block = malloc(8);
        if (block == NULL) abort();
        for (int i = 0; i < WRITES; i++) block[i & 7]++;
        free((void *)block);
    }
    return unused;
}

int main(int count, char **words) {
    rounds = count > 1 ? atol(words[1]) : 100000;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, NULL) != 0) abort();
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return 0;
}
