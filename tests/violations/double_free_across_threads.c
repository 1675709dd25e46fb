/* Two threads each free the same small object. argv[1]: size. */
#include "violation.h"
#include <pthread.h>

static void *one_of_two(void *block) {
    free(escape(block));
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    settle(argument(argc, argv, 1));
    void *block = report_violation(neighbours[0]);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, one_of_two, block) == 0 && pthread_join(thread, NULL) == 0);
    }
    neighbours[0] = NULL;
    flush();
    return got_away();
}
