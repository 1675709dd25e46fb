/*
 * The limit of the program's own group changes while it runs: limit_of_group FILE BLOCK_BYTES, in a group that may use
 * 256 MiB by FILE. Raised, more is there at once; lowered, malloc gives null before anybody is killed.
 */
#include "check.h"
#include <time.h>

struct block {
    struct block *next;
};

static struct block *blocks;
static size_t bytes;

/* Every byte is written, so that what the limit does not allow kills. Gives what was taken in MiB. */
static size_t take(size_t most) {
    size_t taken = 0;
    for (; taken * bytes < most * MIB; taken++) {
        errno = 0;
        struct block *block = malloc(bytes);
        if (block == NULL) {
            CHECK(errno == ENOMEM);
            break;
        }
        memset(escape(block), 1, bytes);
        block->next = blocks;
        blocks = block;
    }
    return taken * bytes / MIB;
}

static void give(void) {
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

static void limit_to(const char *file, size_t mib) {
    char text[32];
    int length = snprintf(text, sizeof text, "%zu", mib * MIB), fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, (size_t)length) == length && close(fd) == 0);
}

static void between(size_t least, size_t taken, size_t most) {
    dprintf(2, "%zu MiB, at least %zu and at most %zu\n", taken, least, most);
    CHECK_AT(least <= taken && taken <= most, taken);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 3);
    const char *file = argv[1];
    bytes = strtoul(argv[2], NULL, 10);
    between(190, take(1000), 256);
    limit_to(file, 1024);
    between(600, take(1000), 768);
    give();
    malloc_trim(0);
    limit_to(file, 256);
    between(190, take(1000), 256);
    /* It works on below a limit that leaves next to nothing, and gives back what it can. */
    limit_to(file, 280);
    take(1000);
    give();
    between(190, take(200), 200);
    limit_to(file, 512);
    between(190, take(1000), 320);
    give();
    return done();
}
