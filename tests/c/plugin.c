/* A library to be opened and closed again and again: allocates in its constructor, frees in its destructor. */
#include "check.h"
#include <pthread.h>

static void *held[3];
static __thread char *mine;

__attribute__((constructor)) static void opened(void) {
    held[0] = memset(malloc(100), 1, 100);
    held[1] = memset(malloc(50000), 2, 50000);
    held[2] = memset(malloc(5 * MIB), 3, 5 * MIB);
    free(NULL);
}

__attribute__((destructor)) static void closing(void) {
    for (int i = 0; i < 3; i++) free(held[i]);
    free(mine);
    mine = NULL;
}

void *plugin_makes(size_t size) {
    if (mine == NULL) mine = strdup("this thread's");
    return calloc(1, size);
}
