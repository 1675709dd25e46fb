/*
 * To preload in front of an allocator, for `scripts/numa-vm.sh --bench`: the threads of a program go to the nodes in turn,
 * and a sample of the blocks that `malloc` hands out is looked up: do they lie on the node of the thread that asked?
 *
 * At the end one line goes to standard error: "pin: BLOCKS at home, BLOCKS looked up".
 */
#include "numa.h"
#include <stdatomic.h>

/* One block in this many is looked up. */
#define SAMPLE 64

static atomic_size_t threads, at_home, looked_up;
static __thread unsigned calls __attribute__((tls_model("initial-exec")));

static int node_of_page(void *page) {
    int status = -1;
    syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0);
    return status;
}

static void look_up(void *block) {
    unsigned node = 0;
    /* Read and written, so that the page exists and keeps what it holds. */
    volatile char *byte = block;
    *byte = *byte;
    syscall(SYS_getcpu, NULL, &node, NULL);
    atomic_fetch_add(&looked_up, 1);
    if (node_of_page((void *)((uintptr_t)block & ~(PAGE - 1))) == (int)node) atomic_fetch_add(&at_home, 1);
}

void *malloc(size_t size) {
    static void *(*next)(size_t);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "malloc");
    void *block = next(size);
    if (block && size && ++calls % SAMPLE == 0) {
        int kept = errno;
        look_up(block);
        errno = kept;
    }
    return block;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *given, void *(*work)(void *), void *argument) {
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    pthread_attr_t own;
    cpu_set_t cpus;
    set_t nodes = nodes_with_cpus();
    char name[64];
    int node = member(nodes, (int)(atomic_fetch_add(&threads, 1) % (size_t)__builtin_popcountll(nodes)));
    CPU_ZERO(&cpus);
    snprintf(name, sizeof name, "node%d/cpulist", node);
    EACH_OF(node_file(name), cpu) CPU_SET(cpu, &cpus);
    if (!given) CHECK(pthread_attr_init(&own) == 0);
    /* The caller's own attributes are its to destroy, with what this adds to them. */
    pthread_attr_t *attributes = given ? (pthread_attr_t *)given : &own;
    CHECK(pthread_attr_setaffinity_np(attributes, sizeof cpus, &cpus) == 0);
    int result = next(thread, attributes, work, argument);
    if (!given) pthread_attr_destroy(&own);
    return result;
}

__attribute__((destructor)) static void tell(void) {
    dprintf(2, "pin: %zu at home, %zu looked up\n", (size_t)looked_up ? (size_t)at_home : 0, (size_t)looked_up);
}
