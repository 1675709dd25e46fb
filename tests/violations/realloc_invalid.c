/* Reallocates what is not a block. argv[1]: "stack", "freed" (large) or "interior" (large). */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2);
    char on_the_stack[64] __attribute__((aligned(16))), *block = malloc(100000);
    void *culprit = argv[1][0] == 's' ? on_the_stack : argv[1][0] == 'f' ? block : block + 4096;
    report_violation(culprit);
    if (argv[1][0] == 'f') free(block);
    escape(realloc(escape(culprit), 200000));
    return got_away();
}
