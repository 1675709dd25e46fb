/*
 * What every violation shares. The culprit's address goes to stdout before the misuse, so that the test can
 * compare it with the one in the report; a program that survives the misuse prints "got away".
 */
#ifndef SLUBTEST_VIOLATION_H
#define SLUBTEST_VIOLATION_H

#include "../c/check.h"
#include <sys/resource.h>

static inline void *report_violation(void *culprit) {
    struct rlimit no_core = {0, 0};
    CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
    dprintf(1, "%p\n", culprit);
    return escape(culprit);
}

static inline int got_away(void) {
    dprintf(1, "got away\n");
    return 0;
}

/* Honest neighbours of a class: freeing them drives everything that was freed before back to the slabs. */
enum { NEIGHBOURS = 10000 };
static void *neighbours[NEIGHBOURS];

static inline void settle(size_t size) {
    for (int i = 0; i < NEIGHBOURS; i++) CHECK((neighbours[i] = malloc(size)) != NULL);
}

static inline void flush(void) {
    for (int i = 0; i < NEIGHBOURS; i++) free(neighbours[i]);
}

static inline size_t argument(int argc, char **argv, int index) {
    CHECK(argc > index);
    return strtoul(argv[index], NULL, 0);
}

#endif
