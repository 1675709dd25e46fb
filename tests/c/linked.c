/* A program linked against the installed library: without it, free_sized would not even resolve on older libcs. */
#include "slubmalloc.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    if (slubmalloc_version() != SLUBMALLOC_VERSION) return 1;
    volatile size_t impossible = SIZE_MAX / 2 + 1;
    for (size_t size = 1; size < 20u << 20; size *= 3) {
        char *p = malloc(size);
        if (p == NULL || malloc(impossible) != NULL) return 1;
        memset(p, 1, size);
        free_sized(p, size);
    }
    char *copy = strdup("from inside the C library");
    if (copy == NULL || (copy = realloc(copy, 100000)) == NULL) return 1;
    free_sized(copy, 100000);
    free_aligned_sized(aligned_alloc(256, 1000), 256, 1000);
    puts("ok");
    return 0;
}
