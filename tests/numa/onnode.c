/* slubmalloc_alloc_onnode and slubmalloc_node_of: on the node that was asked for, from any thread, and freed by any. */
#include "tally.h"

static void *(*alloc_onnode)(size_t, int);
static int (*node_of)(const void *);

static const size_t sizes[] = {100, 5000, 100000, 8 * MIB};
enum { SIZES = 4, MANY = 500 };

static struct {
    int node;
    size_t bytes, count;
    void *blocks[MANY];
} order;

static void take(void *unused) {
    (void)unused;
    for (size_t i = 0; i < order.count; i++) {
        order.blocks[i] = alloc_onnode(order.bytes, order.node);
        if (order.blocks[i]) touch(order.blocks[i], order.bytes);
    }
}

static void give(void *unused) {
    (void)unused;
    for (size_t i = 0; i < order.count; i++) free(order.blocks[i]);
}

/* Blocks of `node`, taken by a thread on one node and freed by one on another. */
static void check_node(int node, size_t bytes, int taker, int giver) {
    size_t lacking = 0, misnamed = 0;
    char name[64];
    order.node = node;
    order.bytes = bytes;
    order.count = bytes < 50000 ? MANY : bytes < MIB ? 20 : 2;
    on_node(taker, take, NULL);
    struct tally tally = tally_begin();
    for (size_t i = 0; i < order.count; i++) {
        void *block = order.blocks[i];
        if (!block) {
            lacking++;
            continue;
        }
        tally_block(&tally, block, bytes);
        misnamed += node_of(block) != node || node_of((char *)block + bytes / 2) != node;
    }
    tally_end(&tally);
    on_node(giver, give, NULL);
    snprintf(name, sizeof name, "onnode/node%d/%zu/from-node%d", node, bytes, taker);
    verdict(lacking == 0 && misnamed == 0 && share_of(&tally, only(node)) == 100.0, name,
            "%zu of %zu blocks refused, %zu misnamed, %.2f %% of pages there (%s)", lacking, order.count, misnamed,
            share_of(&tally, only(node)), spread(&tally));
}

/* What others' blocks leave in a thread's caches must not turn up as its own. */
static void check_own(void *given) {
    int node = *(int *)given;
    static void *blocks[2000];
    struct tally tally = tally_begin();
    for (int i = 0; i < 2000; i++) free(alloc_onnode(100, member(nodes_with_memory(), i % 4)));
    for (int i = 0; i < 2000; i++) {
        blocks[i] = malloc(100);
        CHECK(blocks[i] != NULL);
        touch(blocks[i], 100);
        tally_block(&tally, blocks[i], 100);
    }
    tally_end(&tally);
    char name[64];
    snprintf(name, sizeof name, "onnode/own/node%d", node);
    judge_share(name, &tally, only(home_of(node)), 100);
    for (int i = 0; i < 2000; i++) free(blocks[i]);
}

static void check_refusal(int node) {
    char name[64];
    errno = 0;
    void *block = alloc_onnode(100, node);
    int error = errno;
    snprintf(name, sizeof name, "onnode/refused/%d", node);
    verdict(!block && error == EINVAL, name, "%s, errno %d", block ? "a block" : "null", error);
    free(block);
}

/* The kernel's functions from a thread on `from`: what must be of `node` is, and lies where it should. */
static struct {
    void *(*kmalloc_node)(size_t, unsigned, int);
    void *(*krealloc)(void *, size_t, unsigned);
    unsigned long (*get_free_pages)(unsigned, unsigned);
    void *(*create)(const char *, unsigned, unsigned, unsigned, void (*)(void *));
    void *(*alloc_node)(void *, unsigned, int);
    void *(*alloc)(void *, unsigned);
} kernel;

static void find_kernel(void) {
    *(void **)&kernel.kmalloc_node = dlsym(RTLD_DEFAULT, "slub_kmalloc_node");
    *(void **)&kernel.krealloc = dlsym(RTLD_DEFAULT, "slub_krealloc");
    *(void **)&kernel.get_free_pages = dlsym(RTLD_DEFAULT, "slub___get_free_pages");
    *(void **)&kernel.create = dlsym(RTLD_DEFAULT, "slub_kmem_cache_create");
    *(void **)&kernel.alloc_node = dlsym(RTLD_DEFAULT, "slub_kmem_cache_alloc_node");
    *(void **)&kernel.alloc = dlsym(RTLD_DEFAULT, "slub_kmem_cache_alloc");
}

static void check_kernel(void *given) {
    enum { THIS = 0x200cc0, NEAR = 0xcc0 };
    const int from = *(int *)given;
    int wrong = 0, lacking = 0;
    void *cache = kernel.create("onnode", 300, 0, 0, NULL);
    EACH_OF(nodes_with_memory(), node) {
        for (size_t size = 16; size <= 4 * MIB; size *= 4) {
            for (int strict = 0; strict < 2; strict++) {
                char *block = kernel.kmalloc_node(size, strict ? THIS : NEAR, node);
                lacking += block == NULL;
                wrong += node_of(block) != node || (uintptr_t)block % size != 0;
                /* The thread's own node is the one for what is moved. */
                block = kernel.krealloc(block, size * 2 + 1, THIS);
                if (block == NULL) printf("krealloc of %zu bytes from node %d on node %d refused\n", size * 2 + 1, node, from);
                if (size < MIB) wrong += block != NULL && node_of(block) != home_of(from) && node_of(block) != node;
                /* A freed mapping of another node may be all there is at hand for more than 4 MiB. */
                if (size * 2 + 1 <= 4 * MIB) lacking += block == NULL;
                free(block);
            }
        }
        for (int i = 0; i < 500; i++) {
            void *object = kernel.alloc_node(cache, THIS, node);
            lacking += object == NULL;
            wrong += node_of(object) != node;
        }
    }
    for (unsigned order = 0; order <= 10; order++) {
        unsigned long start = kernel.get_free_pages(THIS, order);
        lacking += start == 0;
        wrong += node_of((void *)start) != home_of(from);
        free((void *)start);
    }
    for (int i = 0; i < 500; i++) wrong += node_of(kernel.alloc(cache, THIS)) != home_of(from);
    char name[64];
    snprintf(name, sizeof name, "onnode/kernel/node%d", from);
    verdict(wrong == 0 && lacking == 0, name, "%d elsewhere, %d refused", wrong, lacking);
}

int main(void) {
    slubmalloc_is_in_charge();
    *(void **)&alloc_onnode = dlsym(RTLD_DEFAULT, "slubmalloc_alloc_onnode");
    *(void **)&node_of = dlsym(RTLD_DEFAULT, "slubmalloc_node_of");
    if (!verdict(alloc_onnode && node_of, "onnode/symbols", "alloc_onnode %s, node_of %s",
                 alloc_onnode ? "found" : "missing", node_of ? "found" : "missing"))
        return 1;
    set_t cpus = nodes_with_cpus();
    EACH_OF(nodes_with_memory(), node)
        for (int i = 0; i < SIZES; i++)
            for (int from = 0; from < 2; from++) check_node(node, sizes[i], member(cpus, from), member(cpus, i));
    EACH_OF(cpus, node) on_node(node, check_own, &node);
    find_kernel();
    EACH_OF(cpus, node) on_node(node, check_kernel, &node);
    set_t online = node_file("online");
    check_refusal(-1);
    check_refusal(1000);
    int gap = 0;
    while (online >> gap & 1) gap++;
    check_refusal(gap);
    verdict(node_of(&gap) == -1, "onnode/stack", "node_of says %d", node_of(&gap));
    verdict(node_of(NULL) == -1, "onnode/null", "node_of says %d", node_of(NULL));
    return failures != 0;
}
