/* mallinfo2 beside a thread that allocates: every number is one that could be true. */
#include "check.h"
#include <pthread.h>

static volatile int stop;

static void *churn(void *unused) {
    void *held[200] = {0};
    for (size_t i = 0; !stop; i++) {
        free(held[i % 200]);
        held[i % 200] = malloc(16 + i % 3000);
    }
    for (int i = 0; i < 200; i++) free(held[i]);
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, churn, NULL) == 0);
    for (int i = 0; i < 20000; i++) {
        struct mallinfo2 info = mallinfo2();
        CHECK_AT(info.uordblks <= info.arena, info.uordblks);
        CHECK_AT(info.fsmblks <= 64 * MIB, info.fsmblks);
        CHECK_AT(info.uordblks + info.fordblks == info.arena, info.fordblks);
    }
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    return done();
}
