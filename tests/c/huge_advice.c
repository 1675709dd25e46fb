/* What a program did to the properties of a block's memory is not there in the next block. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "check.h"


/* Mappings with this flag, see proc_pid_smaps(5). */
static int flagged(const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    int found = 0;
    while (fgets(line, sizeof line, maps))
        found += !strncmp(line, "VmFlags", 7) && strstr(line, flag) != NULL;
    fclose(maps);
    return found;
}

static int advise_fork(char *at, size_t bytes) { return madvise(at, bytes, MADV_DONTFORK); }
static int advise_dump(char *at, size_t bytes) { return madvise(at, bytes, MADV_DONTDUMP); }
static int advise_huge(char *at, size_t bytes) { return madvise(at, bytes, MADV_HUGEPAGE); }
static int advise_never(char *at, size_t bytes) { return madvise(at, bytes, MADV_NOHUGEPAGE); }
static int advise_merge(char *at, size_t bytes) { return madvise(at, bytes, MADV_MERGEABLE); }
static int lock_part(char *at, size_t bytes) { return mlock(at, bytes < 65536 ? bytes : 65536); }
static int lock_later(char *at, size_t bytes) { return mlock2(at, bytes < 65536 ? bytes : 65536, MLOCK_ONFAULT); }
static int close_part(char *at, size_t bytes) { return mprotect(at, bytes, PROT_READ); }

static const struct {
    const char *flag;
    int (*change)(char *, size_t);
} CHANGES[] = {
    {" dc", advise_fork}, {" dd", advise_dump}, {" hg", advise_huge}, {" nh", advise_never},
    {" mg", advise_merge}, {" lo", lock_part}, {" lo", lock_later}, {"", close_part},
};

static void changed(size_t bytes, int (*change)(char *, size_t), const char *flag, size_t from, size_t share)
{
    int before = flagged(flag);
    char *block = malloc(bytes);
    CHECK(block != NULL);
    memset(block, 1, bytes);
    char *start = (char *)(((uintptr_t)block + 4095) & ~4095UL) + from;
    size_t length = ((block + bytes - start) / share) & ~4095UL;
    if (change(start, length) != 0) {
        CHECK(errno == EINVAL || errno == ENOMEM || errno == EPERM);
        free(block);
        return;
    }
    free(block);
    char *next = malloc(bytes);
    CHECK(next != NULL);
    memset(next, 2, bytes);
    if (*flag && flagged(flag) > before) {
        printf("%zu bytes:%s stays\n", bytes, flag);
        exit(1);
    }
    free(next);
}

static int seal(char *at, size_t bytes) { return syscall(462, at, bytes, 0); }

static void sealed(size_t bytes)
{
    char *block = malloc(bytes);
    char *start = (char *)(((uintptr_t)block + 4095) & ~4095UL);
    CHECK(mprotect(start, bytes / 2, PROT_READ) == 0);
    if (seal(start, bytes / 2) != 0)
        return;
    free(block);
    for (int i = 0; i < 4; i++) {
        char *next = malloc(bytes);
        CHECK(next != NULL);
        memset(next, 1, bytes);
        free(next);
    }
    malloc_trim(0);
    malloc_stats();
}

int main(int arguments, char **argument)
{
    if (arguments > 1 && !strcmp(argument[1], "sealed")) {
        sealed(8 * MIB);
        puts("ok");
        return 0;
    }
    const size_t sizes[] = {16 * MIB, 5 * MIB, 4 * MIB, MIB, 200000};
    int most = arguments > 1 ? atoi(argument[1]) : 2;
    for (int size = 0; size < most; size++)
        for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
            /* A part, all after the first page, as numpy does it, and all. */
            changed(sizes[size], CHANGES[i].change, CHANGES[i].flag, 0, 2);
            changed(sizes[size], CHANGES[i].change, CHANGES[i].flag, 4096, 1);
            changed(sizes[size], CHANGES[i].change, CHANGES[i].flag, 0, 1);
        }
    puts("ok");
    return 0;
}
