/* Frees a variable of the program's image. */
#include "crime.h"

static char in_the_image[4096] __attribute__((aligned(4096)));

int main(void) {
    slubmalloc_is_in_charge();
    free(accuse(in_the_image));
    return got_away();
}
