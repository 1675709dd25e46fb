/* 300 threads free 1 MiB of small objects each and then wait: what they had at hand for the next malloc is gone too. */
#include "back.h"

enum { THREADS = 300 };
static pthread_barrier_t all_arrived;

static void all_arrive(void) { pthread_barrier_wait(&all_arrived); }

/* The stack is the program's own. */
static void use_stack(void) {
    volatile char room[16 * KIB];
    for (size_t at = 0; at < sizeof room; at += KIB) room[at] = 1;
}

static void *works_twice(void *number) {
    use_stack();
    all_arrive();
    all_arrive();
    burst_of(MIB, 16, 512, (uintptr_t)number, all_arrive);
    all_arrive();
    all_arrive();
    burst_of(MIB, 16, 512, (uintptr_t)number + THREADS, NULL);
    return NULL;
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(pthread_barrier_init(&all_arrived, NULL, THREADS + 1) == 0);
    static pthread_t workers[THREADS];
    start(workers, THREADS, works_twice);
    all_arrive();
    size_t before = resident();
    all_arrive();
    all_arrive();
    size_t full = resident();
    CHECK_AT(libc_allowed() || full > before + 280 * MIB, full / KIB);
    all_arrive();
    double start = now();
    CHECK(COMES(resident() <= before + 12 * MIB, 6));
    say("%zu KiB without objects, %zu with; back after %.2f s\n", before / KIB, full / KIB, now() - start);
    rest(1000);
    /* It stays so, but the kernel counts pages in batches. */
    RESIDENT_AT_MOST(before + 13 * MIB);
    all_arrive();
    join(workers, THREADS);
    return done();
}
