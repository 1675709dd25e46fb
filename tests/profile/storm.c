/* Threads that allocate, move and free blocks and see that these stay whole, while the profile is switched on and off, dumped, and
   the process forks. In the end nothing is in use, and the profile knows that. */
#define _GNU_SOURCE
#include <pthread.h>
#include <slubmalloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 16, BLOCKS = 64 };

static atomic_int over;
static const char *file;

static unsigned next(unsigned *state) { return *state = *state * 1664525 + 1013904223, *state >> 8; }

static size_t size_of(unsigned random) {
    static const size_t most[] = {64, 300, 2000, 9000, 50000, 300000, 5 << 20};
    unsigned kind = random % 100;
    return 1 + random % most[kind < 50 ? 0 : kind < 70 ? 1 : kind < 85 ? 2 : kind < 93 ? 3 : kind < 98 ? 4 : kind < 99 ? 5 : 6];
}

static void paint(unsigned char *block, size_t bytes) { block[0] = block[bytes - 1] = (unsigned char)bytes; }

static void look(unsigned char *block, size_t bytes) {
    if (block[0] != (unsigned char)bytes || block[bytes - 1] != (unsigned char)bytes) abort();
}

static void work(unsigned seed, long steps) {
    unsigned char *blocks[BLOCKS] = {0};
    size_t bytes[BLOCKS];
    char is_aligned[BLOCKS];
    for (long step = 0; step < steps && !over; step++) {
        /* So that the thread that switches gets a processor soon. */
        if (step % 32 == 31) usleep(1000);
        unsigned random = next(&seed), i = random % BLOCKS;
        size_t size = size_of(next(&seed));
        if (blocks[i] == NULL) {
            is_aligned[i] = random % 4 == 1;
            switch (random % 4) {
            case 0: blocks[i] = calloc(1, size); break;
            case 1: blocks[i] = aligned_alloc(256, size); break;
            default: blocks[i] = malloc(size);
            }
            if (blocks[i] == NULL) abort();
            paint(blocks[i], bytes[i] = size);
            continue;
        }
        look(blocks[i], bytes[i]);
        if (random % 3 == 0) {
            blocks[i] = realloc(blocks[i], size);
            if (blocks[i] == NULL) abort();
            paint(blocks[i], bytes[i] = size);
        } else {
            if (is_aligned[i] || size % 2) free(blocks[i]);
            else free_sized(blocks[i], bytes[i]);
            blocks[i] = NULL;
        }
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
}

static void *thread(void *argument) {
    work((unsigned)(size_t)argument, 1L << 40);
    return NULL;
}

static void *short_lived(void *argument) {
    work((unsigned)(size_t)argument, 100);
    return NULL;
}

/* Arguments: how often to switch, the file for profiles. */
int main(int count, char **arguments) {
    static const size_t rates[] = {1, 100, 4096, 65536, 524288};
    int switches = count > 2 ? atoi(arguments[1]) : 0;
    file = arguments[2];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, thread, (void *)(i + 1));
    for (int i = 0; i < switches; i++) {
        if (slubmalloc_profile(rates[i % 5]) != 0) return 2;
        pthread_t brief;
        pthread_create(&brief, NULL, short_lived, (void *)(size_t)i);
        if (i % 50 == 0 && slubmalloc_profile_dump(file) != 0) return 3;
        if (i % 25 == 0) {
            pid_t child = fork();
            if (child == 0) {
                work((unsigned)i, 2000);
                slubmalloc_profile(1);
                work((unsigned)i, 2000);
                _exit(slubmalloc_profile_dump("/dev/null") == 0 ? 0 : 1);
            }
            int status;
            if (waitpid(child, &status, 0) != child || status != 0) return 4;
        }
        if (slubmalloc_profile(0) != 0) return 2;
        pthread_join(brief, NULL);
    }
    over = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return slubmalloc_profile_dump(file) == 0 ? 0 : 3;
}
