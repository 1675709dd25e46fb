/* Two chains of threads: each replaces random blocks of 8 to 1,000 bytes and hands all of them on to the next. argv: threads
 * of each chain. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { CHAINS = 2, BLOCKS = 1000, TURNS = 100000 };

struct work {
    char *blocks[BLOCKS];
    long left;
    uint64_t state;
};

static uint32_t next_of(struct work *work, uint32_t limit) {
    work->state = work->state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(work->state >> 33) % limit;
}

static void *run(void *given) {
    struct work *work = given;
    for (int turn = 0; turn < TURNS; turn++) {
        char **block = &work->blocks[next_of(work, BLOCKS)];
        size_t bytes = 8 + next_of(work, 993);
        free(*block);
        if ((*block = malloc(bytes)) == NULL) abort();
        (*block)[0] = 1;
        (*block)[bytes - 1] = 2;
    }
    pthread_t next;
    if (--work->left > 0) {
        if (pthread_create(&next, NULL, run, work) != 0) abort();
        pthread_join(next, NULL);
    }
    return NULL;
}

int main(int count, char **words) {
    static struct work all[CHAINS];
    pthread_t threads[CHAINS];
    for (int i = 0; i < CHAINS; i++) {
        all[i].left = count > 1 ? atol(words[1]) : 40;
        all[i].state = (uint64_t)i;
        if (pthread_create(&threads[i], NULL, run, &all[i]) != 0) abort();
    }
    for (int i = 0; i < CHAINS; i++) pthread_join(threads[i], NULL);
    return 0;
}
