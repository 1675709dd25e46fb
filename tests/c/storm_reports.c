/*
 * All that looks at the whole heap, called argv[1] times by one thread while eight others work in it: malloc_trim, the
 * reports in all their forms, malloc_usable_size, which is true to the last byte. What malloc_stats writes goes nowhere.
 */
#include "storm.h"

enum { THREADS = 8, SHELF = 64, KINDS = 6, WARM = 2000, BETWEEN = 200 };

static atomic_int stop;
static atomic_size_t turned[THREADS];

static void *works(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    while (!stop) {
        turn(shelf, SHELF, &random);
        atomic_fetch_add(&turned[(uintptr_t)number - 1], 1);
    }
    clear(shelf, SHELF);
    return NULL;
}

/* A number that was counted below zero is larger than any machine. */
static void is_plausible(size_t bytes) { CHECK_AT(bytes < 1024 * GIB, bytes); }

static void figures(void) {
    struct mallinfo2 info = mallinfo2();
    is_plausible(info.arena);
    is_plausible(info.hblkhd);
    is_plausible(info.uordblks);
    is_plausible(info.fordblks);
    is_plausible(info.keepcost);
    is_plausible(info.hblks);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    (void)mallinfo();
#pragma GCC diagnostic pop
}

/* The stream is itself a growing block. */
static void report(void) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    CHECK(memory != NULL && malloc_info(0, memory) == 0 && fclose(memory) == 0);
    CHECK(length > 30 && strncmp(text, "<malloc version=\"1\">", 20) == 0);
    CHECK(strstr(text + length - 11, "</malloc>") != NULL);
    free(text);
}

static void usable(struct block *shelf, uint64_t *random) {
    turns(shelf, SHELF, random, 20);
    for (int i = 0; i < SHELF; i++) {
        if (shelf[i].at == NULL) continue;
        size_t size = malloc_usable_size(shelf[i].at);
        CHECK_AT(size >= shelf[i].size, shelf[i].size);
        /* The program may use it all. */
        memset(shelf[i].at + shelf[i].size, 0xa5, size - shelf[i].size);
        CHECK_AT(malloc_usable_size(shelf[i].at) == size, size);
        is_marked(shelf[i]);
    }
}

/* Returns when every thread has done that much more. */
static void all_turn(size_t more) {
    size_t before[THREADS];
    for (int i = 0; i < THREADS; i++) before[i] = turned[i];
    for (int i = 0; i < THREADS; i++)
        while (turned[i] < before[i] + more) rest(1);
}

int main(int argc, char **argv) {
    size_t all = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    complaints = fcntl(2, F_DUPFD_CLOEXEC, 3);
    CHECK(nowhere >= 0 && complaints > 2 && dup2(nowhere, 2) == 2);
    FILE *stream = fopen("/dev/null", "w");
    CHECK(stream != NULL);
    struct plateau plateau = {.all = all / KINDS};
    uint64_t random = 29;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    pthread_t threads[THREADS];
    start(threads, THREADS, works);
    all_turn(WARM);
    for (size_t i = 0; i < all; i++) {
        switch (i % KINDS) {
        case 0: malloc_trim(random_of(&random) % 2 ? 0 : random_of(&random) % MIB); break;
        case 1: figures(); break;
        case 2: CHECK(malloc_info(0, stream) == 0); break;
        case 3: malloc_stats(); break;
        case 4: report(); break;
        default:
            usable(shelf, &random);
            gets_on();
            all_turn(BETWEEN);
            /* What is unused by chance would hide what is lost. */
            malloc_trim(0);
            look(&plateau, (i + 1) / KINDS);
        }
    }
    stop = 1;
    join(threads, THREADS);
    clear(shelf, SHELF);
    for (int i = 0; i < THREADS; i++) CHECK_AT(turned[i] >= WARM + all / KINDS * BETWEEN, i);
    is_level(&plateau);
    return done();
}
