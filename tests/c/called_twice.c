/* Frees a block twice, three calls deep. */
#include <stdlib.h>

__attribute__((noinline)) static void inner(void) {
    char *block = malloc(100);
    free(block);
    free(block);
    __asm__ volatile("");
}

__attribute__((noinline)) static void outer(void) {
    inner();
    __asm__ volatile("");
}

int main(void) {
    outer();
    return 0;
}
