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
