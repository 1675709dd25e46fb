/*
 * Opens and closes a library whose constructor and destructor wait for threads, see loader_library.c, while other threads are
 * born, open and close it too. A heap that takes a lock of the loader's for a thread hangs here. argv[1]: the library;
 * argv[2]: how often. At the end the program calls exit while another thread still closes the library.
 */
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *library;
static size_t rounds;
static atomic_int is_over;

void wait_for_the_mutex(void) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

/* First use of the heap in a thread, with a lock of the program's. */
static void *allocates_with_the_mutex(void *unused) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    sched_yield();
    void *block = malloc(100);
    CHECK(escape(block) != NULL);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    free(block);
    return unused;
}

static void *is_born_again_and_again(void *unused) {
    while (!is_over) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, allocates_with_the_mutex, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return unused;
}

static void open_and_close(void) {
    void *opened = dlopen(library, RTLD_NOW);
    if (opened == NULL) dprintf(2, "%s\n", dlerror());
    CHECK(opened != NULL && dlclose(opened) == 0);
}

static void *opens_and_closes(void *unused) {
    for (size_t i = 0; i < rounds; i++) open_and_close();
    return unused;
}

static void *never_stops(void *unused) {
    for (;;) open_and_close();
    return unused;
}

int main(int count, char **words) {
    pthread_t one, two;
    slubmalloc_is_in_charge();
    CHECK(count == 3);
    library = words[1];
    rounds = strtoul(words[2], NULL, 10);
    CHECK(pthread_create(&one, NULL, is_born_again_and_again, NULL) == 0);
    CHECK(pthread_create(&two, NULL, opens_and_closes, NULL) == 0);
    opens_and_closes(NULL);
    CHECK(pthread_join(two, NULL) == 0);
    is_over = 1;
    CHECK(pthread_join(one, NULL) == 0);
    CHECK(pthread_create(&two, NULL, never_stops, NULL) == 0);
    usleep(5000);
    done();
    exit(0);
}
