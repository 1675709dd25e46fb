/*
 * A core file holds what the program has in its heap, and not the addresses that are only reserved: gdb's gcore writes all
 * that the kernel does not call "dd", 64 GiB of zeroes.
 */
#include "check.h"
#include <fcntl.h>
#include <malloc.h>

static char text[1 << 20];

/* The flags of the mapping that holds an address, and whether it has access. */
static int is_dumped(const char *smaps, uintptr_t address) {
    uintptr_t start = 0, end = 0;
    for (const char *line = smaps; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned long first, last;
        if (sscanf(line, "%lx-%lx ", &first, &last) == 2) start = first, end = last;
        if (address >= start && address < end && strncmp(line, "VmFlags:", 8) == 0) {
            const char *flag = strstr(line, " dd");
            return flag == NULL || flag > strchr(line, '\n');
        }
    }
    return -1;
}

/* Bytes of mappings without access that a core file would hold. */
static size_t reserved_and_dumped(const char *smaps) {
    size_t bytes = 0, size = 0;
    int is_reserved = 0;
    for (const char *line = smaps; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned long first, last;
        char access[5];
        if (sscanf(line, "%lx-%lx %4s 00000000 00:00 0", &first, &last, access) == 3)
            size = last - first, is_reserved = strcmp(access, "---p") == 0;
        if (is_reserved && strncmp(line, "VmFlags:", 8) == 0) {
            const char *flag = strstr(line, " dd");
            if (flag == NULL || flag > strchr(line, '\n')) bytes += size;
        }
    }
    return bytes;
}

static void look(void *const *blocks, size_t count, size_t most) {
    int fd = open("/proc/self/smaps", O_RDONLY);
    size_t length = 0;
    for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += (size_t)got;
    close(fd);
    text[length] = 0;
    CHECK(length > 0 && length < sizeof text - 1);
    for (size_t i = 0; i < count; i++) CHECK_AT(is_dumped(text, (uintptr_t)blocks[i]) == 1, i);
    CHECK_AT(reserved_and_dumped(text) < most, reserved_and_dumped(text));
}

int main(void) {
    slubmalloc_is_in_charge();
    /* What is put into core files is at most four times what was ever used. */
    enum { COUNT = 9, MOST = 600 << 20 };
    void *blocks[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = malloc((size_t)16 << 3 * i);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], 1, 16);
        }
        look(blocks, COUNT, round == 0 ? 64 * MIB : MOST);
        /* Enough for the arena to grow several times. */
        enum { MANY = 1000000 };
        static void *small[MANY];
        for (size_t i = 0; i < MANY; i++) CHECK((small[i] = malloc(120)) != NULL);
        void *some[] = {small[0], small[MANY / 7], small[MANY / 3], small[MANY - 1]};
        look(some, 4, MOST);
        for (size_t i = 0; i < MANY; i++) free(small[i]);
        for (size_t i = 0; i < COUNT; i++) free(blocks[i]);
        malloc_trim(0);
        look(blocks, 0, MOST);
    }
    return done();
}
