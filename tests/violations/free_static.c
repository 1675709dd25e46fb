/* Frees a variable of the program's image. */
#include "violation.h"

static char in_the_image[4096] __attribute__((aligned(4096)));

int main(void) {
    slubmalloc_is_in_charge();
    free(report_violation(in_the_image));
    return got_away();
}
