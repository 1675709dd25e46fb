/*
 * What the programs about huge pages share: the process's mappings, as /proc/self/smaps tells them.
 */
#ifndef SLUBTEST_MAPPINGS_H
#define SLUBTEST_MAPPINGS_H

#include "back.h"

/* As far as they matter here. */
struct mapping {
    size_t start, end;
    int wants, refuses;
    size_t huge;
};

/* Calls `look` for every mapping of the process. */
static void each_mapping(void (*look)(struct mapping)) {
    static char text[1 << 16];
    size_t length = 0;
    ssize_t more;
    struct mapping mapping = {0, 0, 0, 0, 0};
    int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    while ((more = read(fd, text + length, sizeof text - 1 - length)) > 0) {
        text[length += (size_t)more] = 0;
        char *line = text, *end;
        for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = 0;
            size_t from, to;
            if (sscanf(line, "%zx-%zx ", &from, &to) == 2) mapping = (struct mapping){from, to, 0, 0, 0};
            if (strncmp(line, "AnonHugePages:", 14) == 0) mapping.huge = strtoul(line + 14, NULL, 10) * KIB;
            if (strncmp(line, "VmFlags:", 8) != 0) continue;
            mapping.wants = strstr(line, " hg") != NULL;
            mapping.refuses = strstr(line, " nh") != NULL;
            look(mapping);
        }
        length = strlen(line);
        memmove(text, line, length + 1);
    }
    CHECK(more == 0 && length == 0);
    close(fd);
}

static size_t sought, all_huge;
static struct mapping found;

static void look_for_address(struct mapping mapping) {
    if (mapping.start <= sought && sought < mapping.end) found = mapping;
}

static struct mapping mapping_of(void *block) {
    sought = (size_t)block;
    found = (struct mapping){0, 0, 0, 0, 0};
    each_mapping(look_for_address);
    CHECK(found.end != 0);
    return found;
}

static void add_huge(struct mapping mapping) { all_huge += mapping.huge; }

/* Bytes of the process in huge pages. */
static inline size_t huge_bytes(void) {
    all_huge = 0;
    each_mapping(add_huge);
    return all_huge;
}

/* Whether the system leaves huge pages to programs that ask, and what it says of them. */
static inline int may_have_huge_pages(char *mode, size_t length) {
    int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t bytes = read(fd, mode, length - 1);
    CHECK(bytes > 0);
    mode[bytes] = 0;
    close(fd);
    return strstr(mode, "[never]") == NULL;
}

#endif
