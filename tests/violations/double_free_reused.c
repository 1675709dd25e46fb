/*
 * Two threads free one object; its slab goes away and becomes another class's; then the first thread's sheaf
 * is flushed. The new owner's objects must not be touched.
 */
#include "violation.h"
#include <pthread.h>

enum { OTHERS = 200000 };
static void *others[OTHERS];

static void *frees_all(void *unused) {
    for (int i = 0; i < NEIGHBOURS; i++) free(neighbours[i]);
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    settle(4096);
    free(report_violation(neighbours[NEIGHBOURS / 2]));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, frees_all, NULL) == 0 && pthread_join(thread, NULL) == 0);
    for (int i = 0; i < OTHERS; i++) CHECK((others[i] = malloc(64)) != NULL);
    malloc_trim(0);
    return got_away();
}
