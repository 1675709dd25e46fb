/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * slubmalloc: what the C library's <stdlib.h> and <malloc.h> may not declare yet.
 *
 * No program needs this header to use slubmalloc. Linking the library, or starting a program under
 * LD_PRELOAD, replaces
 *
 *     malloc calloc realloc reallocarray free
 *     aligned_alloc posix_memalign memalign valloc pvalloc
 *     malloc_usable_size malloc_trim mallopt mallinfo mallinfo2 malloc_stats malloc_info
 *     C++ operator new, new[], delete, delete[], every replaceable form
 *
 * for the whole process, its shared libraries included. Those functions keep the prototypes of the C
 * library's own headers; this one declares only additions. To link:
 *
 *     cc program.c $(pkg-config --cflags --libs slubmalloc)                     shared
 *     cc -static program.c $(pkg-config --static --cflags --libs slubmalloc)    static
 *
 * Without pkg-config, a static library needs `-Wl,-u,malloc` in front of it: a linker takes from an archive
 * only what has been asked for already, so in a program whose only allocations happen inside the C
 * library (strdup, fopen) nothing would be taken and the C library's own malloc would stay. A shared
 * library needs `-Wl,--no-as-needed` in the same case.
 */
#ifndef SLUBMALLOC_H
#define SLUBMALLOC_H

#include <stddef.h>

/* The version this header belongs to: as numbers, and as one that compares. */
#define SLUBMALLOC_VERSION_MAJOR 0
#define SLUBMALLOC_VERSION_MINOR 1
#define SLUBMALLOC_VERSION_PATCH 0
#define SLUBMALLOC_VERSION                                                  \
    (SLUBMALLOC_VERSION_MAJOR * 10000 + SLUBMALLOC_VERSION_MINOR * 100 +    \
     SLUBMALLOC_VERSION_PATCH)

/* A C library that declares these functions too must see the same exception specification. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define SLUBMALLOC_NOTHROW noexcept(true)
#elif defined(__cplusplus)
#define SLUBMALLOC_NOTHROW throw()
#else
#define SLUBMALLOC_NOTHROW
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * slubmalloc_version(): the version of the library that serves this process, in the form of
 * SLUBMALLOC_VERSION. The header's version is that of the library the program was compiled for:
 *
 *     if (slubmalloc_version() < SLUBMALLOC_VERSION) ...      an older library was loaded
 *
 * A program that may also run without slubmalloc looks it up: dlsym(RTLD_DEFAULT, "slubmalloc_version")
 * is null then.
 */
int slubmalloc_version(void) SLUBMALLOC_NOTHROW;

/*
 * free_sized(ptr, size): free(ptr), for memory from malloc, calloc or realloc that was asked for with
 * exactly `size` bytes. (C23, 7.24.3.4)
 *
 * A null `ptr` does nothing. Any other `size`, or memory from aligned_alloc, is undefined.
 */
void free_sized(void *ptr, size_t size) SLUBMALLOC_NOTHROW;

/*
 * free_aligned_sized(ptr, alignment, size): free(ptr), for memory from aligned_alloc(alignment, size)
 * with exactly these two arguments. (C23, 7.24.3.5)
 *
 * A null `ptr` does nothing.
 */
void free_aligned_sized(void *ptr, size_t alignment, size_t size) SLUBMALLOC_NOTHROW;

/*
 * slubmalloc_alloc_onnode(size, node): like malloc(size), from memory of NUMA node `node`, or of the
 * nearest to it that has any. To be freed with free().
 *
 * Null with errno EINVAL if threads of this process take no memory from such a node: the machine has
 * none with that number, a cpuset or numactl forbids it, or SLUBMALLOC_CONF leaves it out. Null with
 * ENOMEM if there is no memory.
 */
void *slubmalloc_alloc_onnode(size_t size, int node) SLUBMALLOC_NOTHROW;

/*
 * slubmalloc_node_of(ptr): the number of the NUMA node that the memory at `ptr` is on; -1 if it is no
 * memory of this heap. Of a huge or interleaved block only the kernel knows, page by page, and only of
 * pages that were written to: what was not is on no node yet, and the answer means nothing.
 */
int slubmalloc_node_of(const void *ptr) SLUBMALLOC_NOTHROW;

#ifdef __cplusplus
}
#endif

#undef SLUBMALLOC_NOTHROW

#endif /* SLUBMALLOC_H */
