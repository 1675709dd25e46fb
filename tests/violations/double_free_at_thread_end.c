/*
 * Frees a small object twice, with others between, then the thread ends: what it leaves to the next one has no object twice.
 * argv[1]: size.
 */
#include "violation.h"
#include <pthread.h>

static void *culprit_thread(void *block) {
    free(block);
    for (int i = 1; i < 4; i++) {
        free(neighbours[i]);
        neighbours[i] = NULL;
    }
    free(escape(block));
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    settle(argument(argc, argv, 1));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, culprit_thread, report_violation(neighbours[0])) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    neighbours[0] = NULL;
    return got_away();
}
