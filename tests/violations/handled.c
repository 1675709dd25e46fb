/* A handler for SIGABRT that allocates, as every crash reporter does, is not kept waiting. argv[1]: where it is seen. */
#include "violation.h"
#include <signal.h>

static void reporter(int number) {
    (void)number;
    void *blocks[3000];
    for (int i = 0; i < 3000; i++) {
        blocks[i] = malloc(16 + i * 37 % 100000);
        if (blocks[i] == NULL || (i % 3 == 0 && (blocks[i] = realloc(blocks[i], 5000)) == NULL)) _exit(9);
        memset(blocks[i], 1, 16);
    }
    for (int i = 0; i < 3000; i++) free(blocks[i]);
    signal(SIGABRT, SIG_DFL);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    signal(SIGABRT, reporter);
    int at_once = argument(argc, argv, 1) == 1;
    void *block = report_violation(malloc(64)), *other = malloc(64);
    free(block);
    if (!at_once) free(other);
    free(block);
    settle(64);
    flush();
    malloc_trim(0);
    return got_away();
}
