/* Frees an invalid pointer before this process ever allocated. */
#include "crime.h"

static char in_the_image[64] __attribute__((aligned(16)));

__attribute__((constructor(101))) static void first(void) { free(accuse(in_the_image)); }

int main(void) { return got_away(); }
