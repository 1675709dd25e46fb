/*
 * A running program limits its address space or its data: address_limit HOW LIMIT_MIB THREADS BLOCK_BYTES.
 *
 * HOW is the call: setrlimit, setrlimit64, prlimit, prlimit64 or kernel, a system call that no library sees; or data, for
 * RLIMIT_DATA. At once that many threads with stacks of 8 MiB are started, which the limit leaves room for, and then blocks
 * are taken until malloc gives null: the limit binds, and most of it is there for blocks. What is freed can be had again,
 * and without the limit there is more.
 */
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct block {
    struct block *next;
};

static struct block *blocks;
static pthread_barrier_t barrier;

static void limit_to(const char *how, rlim_t bytes) {
    int resource = strcmp(how, "data") == 0 ? RLIMIT_DATA : RLIMIT_AS;
    struct rlimit64 large, before;
    CHECK(getrlimit64(resource, &large) == 0);
    large.rlim_cur = bytes;
    struct rlimit limit = {large.rlim_cur, large.rlim_max};
    if (strcmp(how, "setrlimit64") == 0) {
        CHECK(setrlimit64(resource, &large) == 0);
    } else if (strcmp(how, "prlimit") == 0) {
        CHECK(prlimit(0, resource, &limit, NULL) == 0);
    } else if (strcmp(how, "prlimit64") == 0) {
        CHECK(prlimit64(getpid(), resource, &large, &before) == 0 && before.rlim_cur != bytes);
    } else if (strcmp(how, "kernel") == 0) {
        CHECK(syscall(SYS_prlimit64, 0, resource, &large, NULL) == 0);
    } else {
        CHECK(setrlimit(resource, &limit) == 0);
    }
    CHECK(getrlimit64(resource, &before) == 0 && before.rlim_cur == bytes);
}

static size_t take(size_t bytes, size_t most) {
    size_t taken = 0;
    for (; taken < most; taken++) {
        errno = 0;
        struct block *block = malloc(bytes);
        if (block == NULL) {
            CHECK_AT(errno == ENOMEM, taken);
            break;
        }
        block->next = blocks;
        blocks = block;
    }
    return taken;
}

static void give(void) {
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

static void *waits(void *unused) {
    pthread_barrier_wait(&barrier);
    return unused;
}

static void errors_are_the_kernels(void) {
    struct rlimit64 limit = {2, 1};
    errno = 0;
    CHECK(setrlimit64(RLIMIT_AS, &limit) == -1 && errno == EINVAL);
    errno = 0;
    CHECK(prlimit64(0, 1000, NULL, &limit) == -1 && errno == EINVAL);
    errno = 0;
    CHECK(prlimit64(-5, RLIMIT_AS, NULL, &limit) == -1 && errno == ESRCH);
    errno = 0;
    CHECK(prlimit64(0, RLIMIT_AS, NULL, &limit) == 0 && errno == 0 && limit.rlim_cur == RLIM64_INFINITY);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 5);
    const char *how = argv[1];
    size_t limit = strtoul(argv[2], NULL, 10) * MIB, count = strtoul(argv[3], NULL, 10), bytes = strtoul(argv[4], NULL, 10);
    errors_are_the_kernels();
    free(escape(malloc(100)));
    size_t before = take(bytes, 10);

    limit_to(how, limit);
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 8 * MIB) == 0);
    CHECK(pthread_barrier_init(&barrier, NULL, (unsigned)count + 1) == 0);
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        CHECK_AT(pthread_create(&thread, &attributes, waits, NULL) == 0, i);
    }
    size_t taken = before + take(bytes, limit / bytes + 1);
    size_t left = limit - count * 8 * MIB;
    dprintf(2, "%zu blocks of %zu bytes in %zu MiB, %zu MiB of which are not for stacks\n", taken, bytes, limit / MIB,
            left / MIB);
    CHECK_AT(taken <= limit / bytes, taken);
    CHECK_AT(taken * bytes >= left - left / 16 - 16 * MIB, taken);
    if (!libc_allowed()) {
        give();
        size_t again = take(bytes, taken);
        CHECK_AT(again >= taken - taken / 16, again);
    }
    pthread_barrier_wait(&barrier);
    limit_to(how, RLIM_INFINITY);
    CHECK(take(bytes, 2 * (limit / bytes)) == 2 * (limit / bytes));
    give();
    return done();
}
