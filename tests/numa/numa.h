/*
 * What the NUMA programs share: the machine's nodes as the kernel tells them, threads on a node, the verdicts.
 *
 * A check is one line on stdout, "ok NAME: …" or "FAILED NAME: …". Nothing here allocates from the heap under test.
 */
#ifndef SLUBTEST_NUMA_H
#define SLUBTEST_NUMA_H

#include "../c/check.h"
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define MAX_NODES 64
#define PAGE ((size_t)4096)

/* A set of nodes or of CPUs: bit N is number N. */
typedef uint64_t set_t;
#define EACH_OF(set, n) for (int n = 0; n < MAX_NODES; n++) if ((set) >> n & 1)

static inline size_t read_text(const char *path, char *text, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, room - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0 ? (size_t)length : 0;
}

/* The kernel's list format, "0-3,8". */
static inline set_t parse_list(const char *text) {
    set_t set = 0;
    while (*text >= '0' && *text <= '9') {
        char *end;
        long first = strtol(text, &end, 10), last = first;
        if (*end == '-') last = strtol(end + 1, &end, 10);
        for (; first <= last && first < MAX_NODES; first++) set |= (set_t)1 << first;
        text = *end == ',' ? end + 1 : end;
    }
    return set;
}

static inline set_t node_file(const char *name) {
    char path[128], text[1024];
    snprintf(path, sizeof path, "/sys/devices/system/node/%s", name);
    return read_text(path, text, sizeof text) ? parse_list(text) : 0;
}

static inline set_t nodes_with_cpus(void) { return node_file("has_cpu"); }

/* The nodes that have memory and that this process may use. */
static inline set_t nodes_with_memory(void) {
    const unsigned long allowed_nodes = 4;
    /* The kernel writes as many nodes as it could have, 1,024 at most. */
    set_t allowed[1024 / 64] = {0};
    CHECK(syscall(SYS_get_mempolicy, NULL, allowed, 1024, NULL, allowed_nodes) == 0);
    return node_file("has_memory") & allowed[0];
}

/* One number for each online node, in order. */
static inline int distance(int from, int to) {
    char path[128], text[1024], *at = text;
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/distance", from);
    CHECK(read_text(path, text, sizeof text));
    EACH_OF(node_file("online"), node) {
        int number = (int)strtol(at, &at, 10);
        if (node == to) return number;
    }
    return 255;
}

/* The member of `nodes` that is nearest to `node`, itself if it is one. */
static inline int nearest(int node, set_t nodes) {
    int best = -1;
    EACH_OF(nodes, other)
        if (best < 0 || distance(node, other) < distance(node, best)) best = other;
    return best;
}

/* Where memory of a thread on `node` belongs. */
static inline int home_of(int node) { return nearest(node, nodes_with_memory()); }

static inline set_t only(int node) { return (set_t)1 << node; }

/* The first, second, … member; the last if there are fewer. */
static inline int member(set_t set, int place) {
    int found = -1;
    EACH_OF(set, n)
        if (place-- >= 0) found = n;
    return found;
}

/* Keeps the calling thread on a node from now on. */
static inline void move_to_node(int node) {
    char name[64];
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    snprintf(name, sizeof name, "node%d/cpulist", node);
    EACH_OF(node_file(name), cpu) CPU_SET(cpu, &cpus);
    CHECK_AT(sched_setaffinity(0, sizeof cpus, &cpus) == 0, node);
}

struct errand {
    int node;
    void (*work)(void *);
    void *argument;
};

static inline void *do_errand(void *given) {
    struct errand *errand = given;
    move_to_node(errand->node);
    errand->work(errand->argument);
    return NULL;
}

/* Runs `work` to its end in a fresh thread on a node. */
static inline void on_node(int node, void (*work)(void *), void *argument) {
    struct errand errand = {node, work, argument};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, do_errand, &errand) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* One byte of each page, so that each has to come from some node. */
static inline void touch(void *block, size_t bytes) {
    volatile char *at = block;
    for (size_t i = 0; i < bytes; i += PAGE) at[i] = 1;
    at[bytes - 1] = 1;
}

static int failures;

/* verdict(good, name, format, …): prints the line of one check. */
__attribute__((format(printf, 3, 4)))
static inline int verdict(int good, const char *name, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dprintf(1, "%s %s: %s\n", good ? "ok" : "FAILED", name, line);
    failures += !good;
    return good;
}

#endif
