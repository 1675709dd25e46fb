/*
 * Frees what is no block. argv: what, size, offset: a stack variable, the inside of a block, ...
 *
 * argv[4]: by free (which is also the default), realloc, sized; exit is free with nothing after it; usable does
 * not free, but asks malloc_usable_size.
 */
#include "misuse.h"
#include <sys/mman.h>

static char in_the_image[64] __attribute__((aligned(16)));

/* Where the mappings begin that hold `address` without a hole: the allocator's own tables. */
static char *first_of_mappings(void *address) {
    static char maps[256 * 1024];
    size_t length = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    for (ssize_t got; (got = read(fd, maps + length, sizeof maps - 1 - length)) > 0; length += got) {}
    close(fd);
    uintptr_t begin = 0, previous_end = 0;
    for (char *line = maps; *line != 0; line = strchr(line, '\n') + 1) {
        char *rest;
        uintptr_t start = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);
        int is_ours = strncmp(rest, " rw-p 00000000 00:00 0", 22) == 0;
        if (start != previous_end) begin = 0;
        if (begin == 0 && is_ours) begin = start;
        if (start <= (uintptr_t)address && (uintptr_t)address < end) return (char *)begin;
        previous_end = end;
    }
    return NULL;
}

/* A block of a second libc's own malloc, which is no part of this program's heap. */
static char *of_another_heap(size_t size) {
    void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    CHECK(libc != NULL);
    void *(*their_malloc)(size_t) = (void *(*)(size_t))dlsym(libc, "malloc");
    CHECK(their_malloc != NULL && their_malloc != malloc);
    return their_malloc(size);
}

static char *culprit_of(const char *what, size_t size, size_t offset, char *on_the_stack) {
    if (is(what, "stack")) return on_the_stack;
    if (is(what, "static")) return in_the_image;
    if (is(what, "literal")) return (char *)(uintptr_t)"a literal";
    if (is(what, "function")) return (char *)(uintptr_t)culprit_of;
    if (is(what, "environment")) return getenv("PATH");
    if (is(what, "at")) return (char *)offset;
    if (is(what, "mapped")) {
        char *mine = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(mine != MAP_FAILED);
        return mine + offset;
    }
    if (is(what, "unmapped")) {
        char *gone = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(gone != MAP_FAILED && munmap(gone, size) == 0);
        return gone;
    }
    if (is(what, "other_heap")) return of_another_heap(size);
    settle_around(size);
    char *block = neighbours[neighbour_count / 2];
    if (is(what, "inside")) return block + offset;
    if (is(what, "before")) return block - offset;
    if (is(what, "behind_last")) {
        /* The highest block of all: nobody was given what is after it. */
        for (int i = 0; i < neighbour_count; i++)
            if ((char *)neighbours[i] > block) block = neighbours[i];
        return block + size;
    }
    if (is(what, "far")) return block + offset;
    if (is(what, "own_tables")) return first_of_mappings(block) + offset;
    if (is(what, "never_handed_out")) {
        for (int i = 0; i < neighbour_count; i++)
            if ((char *)neighbours[i] > block) block = neighbours[i];
        return (char *)(((uintptr_t)block & ~(uintptr_t)0xffff) + 0x10000 - offset);
    }
    CHECK(!"known");
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    size_t size = argument(argc, argv, 2), offset = argument(argc, argv, 3);
    const char *by = argc > 4 ? argv[4] : "free";
    char on_the_stack[64] __attribute__((aligned(16))) = "";
    free(malloc(size));
    char *culprit = culprit_of(argv[1], size, offset, on_the_stack);
    if (is(by, "usable")) {
        blame(culprit, culprit, 1);
        stage("misuse");
        CHECK(malloc_usable_size(escape(culprit)) == 0);
        stage("harmless");
        flush_around();
        go_on(size);
        return leave();
    }
    if (is(by, "realloc")) {
        escape(realloc(guilty(culprit), 2 * size));
    } else if (is(by, "sized")) {
        void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
        CHECK(free_sized != NULL);
        free_sized(guilty(culprit), size);
    } else {
        free(guilty(culprit));
    }
    /* Nothing is allocated any more: what was taken for a block may be given out. */
    if (!is(by, "exit")) flush_around();
    got_away();
    return leave();
}
