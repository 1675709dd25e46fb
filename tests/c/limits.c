/*
 * Resource limits: running out is NULL and ENOMEM, never a crash, and what is freed can be used again.
 *
 * argv: "as" or "data", the limit in MiB, "exec" (the limit was there before the program, as under a
 * shell's ulimit) or "self" (a running program limits itself). Under the limit must fit, one after the
 * other, 100 MiB (a fifth of a limit below 256 MiB) in small blocks and as one huge block.
 */
#include "check.h"
#include <sys/resource.h>

static void **chain;

static void push(void *p) { *(void **)p = chain, chain = p; }

static void free_chain(void) {
    while (chain != NULL) {
        void **next = *chain;
        free(chain);
        chain = next;
    }
}

static void fits(size_t total, size_t each) {
    for (size_t held = 0; held < total; held += each) {
        void *p = malloc(each);
        CHECK_AT(p != NULL, held / KIB);
        memset(p, 1, each);
        push(p);
    }
    free_chain();
}

static void until_it_is_refused(size_t each, size_t limit) {
    size_t held = 0;
    for (;; held += each) {
        errno = 0;
        void *p = malloc(each);
        if (p == NULL) break;
        push(p);
        CHECK_AT(held <= limit, held / MIB);
    }
    CHECK(errno == ENOMEM);
    CHECK_AT(held >= limit / 5, held / MIB);
    errno = 0;
    CHECK(calloc(1, limit) == NULL && errno == ENOMEM);
    CHECK(realloc(NULL, limit) == NULL && errno == ENOMEM);
    free_chain();
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 4);
    int resource = strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA;
    size_t limit = strtoul(argv[2], NULL, 10) * MIB;
    if (strcmp(argv[3], "again") != 0) {
        struct rlimit both = {limit, limit};
        CHECK(setrlimit(resource, &both) == 0);
    }
    if (strcmp(argv[3], "exec") == 0) {
        execl("/proc/self/exe", argv[0], argv[1], argv[2], "again", (char *)NULL);
        CHECK(!"exec");
    }
    size_t share = limit >= 256 * MIB ? 100 * MIB : limit / 5;
    fits(share, 64);
    fits(share, share);
    fits(share, 1000);
    fits(share, 100000);

    /* Limited in flight, address space reserved before the limit remains usable; huge blocks end. */
    int reserved_before = resource == RLIMIT_AS && strcmp(argv[3], "self") == 0;
    for (int round = 0; round < 3; round++) {
        until_it_is_refused(5 * MIB, limit);
        if (reserved_before) continue;
        until_it_is_refused(64, limit);
        until_it_is_refused(3000, limit);
        until_it_is_refused(200000, limit);
    }
    fits(share, 64);
    fits(share, share);
    return done();
}
