/* Frees an invalid pointer before this process ever allocated. */
#include "violation.h"

static char in_the_image[64] __attribute__((aligned(16)));

__attribute__((constructor(101))) static void first(void) { free(report_violation(in_the_image)); }

int main(void) { return got_away(); }
