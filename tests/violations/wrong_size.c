/* Lies to free_sized. argv: the real size, the stated one. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    if (free_sized == NULL && libc_allowed()) return 77;
    CHECK(free_sized != NULL);
    free_sized(report_violation(malloc(argument(argc, argv, 1))), argument(argc, argv, 2));
    return got_away();
}
