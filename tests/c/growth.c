/*
 * A block that grows from 1 MiB to 1 GiB in steps of a quarter is moved, not copied: of each new part one page in 16
 * is written, while a copy reads and writes them all, with a fault for each page on both sides. The bytes that are copied
 * are less than 1 % of the last size.
 */
#include "back.h"
#include <sys/resource.h>

#define SPARSE (64 * KIB)

static size_t faults(void) {
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (size_t)usage.ru_minflt;
}

int main(void) {
    slubmalloc_is_in_charge();
    size_t size = MIB, written = 64 * KIB, touched = 0;
    unsigned char *block = malloc(size);
    CHECK(block != NULL);
    paint(block, written, 1);
    size_t before = faults(), resident_before = resident();
    while (size < GIB) {
        for (; written + SPARSE <= size; written += SPARSE, touched++) block[written] = (unsigned char)(written / SPARSE);
        size += size / 4;
        CHECK_AT((block = realloc(block, size)) != NULL, size);
        CHECK_AT(painted(block, 64 * KIB, 1), size);
    }
    size_t all = faults() - before, copied = all - touched, page = (size_t)sysconf(_SC_PAGESIZE);
    say("%zu faults, %zu pages written\n", all, touched);
    CHECK_AT(libc_allowed() || all <= touched || copied * page < 2 * (GIB / 100), copied);
    RESIDENT_AT_MOST(resident_before + touched * page + GIB / 100);
    for (size_t at = 64 * KIB; at < written; at += SPARSE) CHECK_AT(block[at] == (unsigned char)(at / SPARSE), at);
    free(block);
    return done();
}
