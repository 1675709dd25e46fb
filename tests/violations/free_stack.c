/* Frees a variable of the stack. */
#include "violation.h"

int main(void) {
    slubmalloc_is_in_charge();
    char on_the_stack[64] __attribute__((aligned(16)));
    free(report_violation(on_the_stack));
    return got_away();
}
