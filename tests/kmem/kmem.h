/* What the programs here share. */
#ifndef SLUBTEST_KMEM_H
#define SLUBTEST_KMEM_H

#include "../c/check.h"
#include <pthread.h>
#include <slubmalloc.h>

/* Beside another malloc: what the programs call malloc is this library's then. */
#ifdef API
#include <malloc.h>
#define malloc(size) slub_kmalloc(size, SLUB_GFP_KERNEL)
#define free(block) slub_free(block)
#define realloc(block, size) slub_realloc(block, size)
#define malloc_usable_size(block) slub_usable_size(block)
#define malloc_trim(pad) slub_trim()
#define free_sized(block, size) slub_free(block)
#endif

/* Also in a static program. */
static inline void malloc_is_ours(void) {
    void *block = malloc(1);
    CHECK(slubmalloc_node_of(block) >= 0);
    free(block);
}

/* Kibibytes of the process that are resident. */
static inline long resident_kib(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &pages, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Whether a call gave null and this errno. */
#define REFUSED(error, call) (errno = 0, (call) == NULL && errno == (error))

static inline struct slub_kmem_cache *plain(const char *name, unsigned size) {
    struct slub_kmem_cache *cache = slub_kmem_cache_create(name, size, 0, 0, NULL);
    CHECK(cache != NULL);
    return cache;
}

#endif
